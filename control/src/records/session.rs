//! A session put together again: its exchanges, each with what was recorded of it.

use std::collections::{HashMap, HashSet, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use sluice_engine::record::{Block, Body, Piece, Record, Stage, assemble};

use super::{Entry, HoldEvent};
use crate::store::{Store, StoreError, Which};

/// The largest body that is put together: the API takes 32 MB.
const LARGEST: usize = 64 << 20;

/// Entries that are read at a time.
const PAGE: u32 = 500;

/// Entries whose blocks are fetched together, at first and after much was fetched, and at the most: each look into the
/// store has its price, and bodies may be large.
const TOGETHER: std::ops::RangeInclusive<usize> = 8..=32;

/// Bytes of blocks that are not much.
const LITTLE: usize = 256 << 10;

/// An exchange, put together from its records.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Exchange {
    /// Its id.
    pub id: String,
    /// What was recorded when it was judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open: Option<Record>,
    /// What was recorded when reviewers had more of it masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edited: Option<Record>,
    /// The request, byte for byte where it is JSON, else as a JSON string: as it was sent, where reviewers have edited
    /// it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Box<RawValue>>,
    /// What happened to its holds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<HoldEvent>,
    /// What was recorded when it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub close: Option<Record>,
    /// The reply, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply: Option<Box<RawValue>>,
    /// Whether a body could not be put together: retention has removed texts of it, or it is too large.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
}

/// Puts entries together, in the order in which exchanges began.
#[derive(Debug, Default)]
pub struct Gathering {
    blocks: HashMap<String, Block>,
    exchanges: Vec<Exchange>,
    places: HashMap<String, usize>,
}

impl Gathering {
    /// Takes a block, before the first entry that needs it.
    pub fn block(&mut self, block: Block) {
        self.blocks.insert(block.digest.clone(), block);
    }

    /// Takes an entry; says how many bytes its body has, put together.
    pub fn entry(&mut self, entry: Entry) -> usize {
        let mut size = 0;
        let Some(id) = entry.exchange().map(str::to_owned) else { return size };
        let place = *self.places.entry(id.clone()).or_insert(self.exchanges.len());
        if place == self.exchanges.len() {
            self.exchanges.push(Exchange { id, ..Exchange::default() });
        }
        let Some(exchange) = self.exchanges.get_mut(place) else { return size };
        match entry {
            Entry::Hold(event) => exchange.holds.push(*event),
            Entry::Exchange(record) => {
                let body = record.body.as_ref().and_then(|body| {
                    let text = assemble(body, LARGEST, |digest| self.blocks.get(digest));
                    let text = text.unwrap_or_else(|why| {
                        exchange.lost = true;
                        format!("(the body cannot be shown: {why})")
                    });
                    size = text.len();
                    json(&text)
                });
                match record.stage {
                    Stage::Open => (exchange.open, exchange.request) = (Some(*record), body),
                    Stage::Edited => (exchange.edited, exchange.request) = (Some(*record), body),
                    Stage::Close => (exchange.close, exchange.reply) = (Some(*record), body),
                }
            }
            // No part of a session.
            _ => {}
        }
        size
    }

    /// All of them.
    pub fn exchanges(self) -> Vec<Exchange> {
        self.exchanges
    }
}

/// Reads exchanges and their blocks out of the store: `most` entries, and none that begins once their bodies have
/// `bytes`, put together: each turn of a conversation has all turns before it in its body.
/// Says where it stopped before the end; the next reading goes on behind it (`which.after`).
///
/// # Errors
/// [`StoreError`] of a read.
pub async fn read(
    store: &dyn Store,
    mut which: Which,
    most: u32,
    bytes: usize,
) -> Result<(Vec<Exchange>, Option<i64>), StoreError> {
    let mut gathering = Gathering::default();
    let mut left = most;
    let mut size = 0_usize;
    let mut together = *TOGETHER.start();
    loop {
        which.limit = left.min(PAGE);
        let page = store.entries(which.clone()).await?;
        let full = page.len() >= which.limit as usize;
        let mut page = page.as_slice();
        while let (some, rest) = page.split_at(together.min(page.len()))
            && !some.is_empty()
        {
            page = rest;
            // One that cannot be read was tampered with; verification says so.
            let entries: Vec<(i64, Option<Entry>)> =
                some.iter().map(|stored| (stored.cursor, serde_json::from_str(&stored.entry).ok())).collect();
            let bodies = entries.iter().filter_map(|(_, entry)| match entry {
                Some(Entry::Exchange(record)) => record.body.as_ref(),
                _ => None,
            });
            let fetched = fetch(store, bodies, &mut gathering).await?;
            together = if fetched > LITTLE { *TOGETHER.start() } else { (2 * together).min(*TOGETHER.end()) };
            for (cursor, entry) in entries {
                let opens = matches!(&entry, Some(Entry::Exchange(record)) if record.stage == Stage::Open);
                if opens && size > bytes {
                    return Ok((gathering.exchanges(), Some(which.after)));
                }
                which.after = cursor;
                left = left.saturating_sub(1);
                size = size.saturating_add(entry.map_or(0, |entry| gathering.entry(entry)));
            }
        }
        if !full || left == 0 {
            let more = full.then_some(which.after);
            return Ok((gathering.exchanges(), more));
        }
    }
}

/// Fetches the blocks of bodies that are not there yet; says how many bytes they have.
async fn fetch(
    store: &dyn Store,
    bodies: impl Iterator<Item = &Body>,
    gathering: &mut Gathering,
) -> Result<usize, StoreError> {
    let mut fetched = 0_usize;
    let mut wanted: VecDeque<Piece> = bodies.flat_map(|body| body.pieces.iter().cloned()).collect();
    let mut asked = HashSet::new();
    while !wanted.is_empty() {
        let mut digests = Vec::new();
        for piece in wanted.drain(..) {
            let Piece::Block(digest) = piece else { continue };
            if !gathering.blocks.contains_key(&digest) && asked.insert(digest.clone()) {
                digests.push(digest);
            }
        }
        if digests.is_empty() {
            break;
        }
        for block in store.blocks(digests).await? {
            fetched = fetched.saturating_add(block.text.len());
            wanted.extend(block.pieces().unwrap_or_default());
            gathering.block(block);
        }
    }
    Ok(fetched)
}

/// The text as it is, where it is JSON; else as a JSON string.
fn json(text: &str) -> Option<Box<RawValue>> {
    serde_json::from_str(text).or_else(|_| to_raw_value(text)).ok()
}
