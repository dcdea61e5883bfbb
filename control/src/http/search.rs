//! The search for sessions: by what is counted of them, and by words in what was said.
//!
//! What is counted stands in tables with indexes. Words are looked for in the recorded texts themselves, masked as they
//! are, in the latest sessions that fit all else, up to [`LOOKED`] and [`BYTES`]; the answer says how far it went, and
//! the next page goes on there.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use sluice_engine::record::Piece;

use super::records::{Sessions, which_sessions};
use super::{Control, Problem, Query};
use crate::records::Entry;
use crate::store::{Session, Store, StoreError, Which, WhichSessions};

/// Sessions whose texts one search looks through.
const LOOKED: u32 = 200;

/// Bytes of text that one search looks through: read and searched in less than a tenth of a second.
const BYTES: usize = 12 << 20;

/// Entries of one session that are looked through.
const ENTRIES: u32 = 2000;

/// The longest text that is searched for, in bytes.
const LONGEST: usize = 500;

/// How far a search of texts went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Searched {
    /// Sessions whose texts were looked through.
    pub sessions: usize,
    /// The oldest of them: when it was seen last, in Unix milliseconds.
    pub back_to_ms: u64,
    /// Whether older ones were left.
    pub more: bool,
}

/// The sessions that fit.
pub async fn find(control: &Control, query: &Query) -> Result<Sessions, Problem> {
    let which = which_sessions(query)?;
    let text = query.get("text").map(|text| text.trim()).filter(|text| !text.is_empty());
    let Some(text) = text else {
        let limit = which.limit;
        let sessions = control.store.sessions(which).await?;
        let full = sessions.len() >= limit as usize;
        let next = sessions.last().filter(|_| full).map(cursor);
        return Ok(Sessions { sessions, next, searched: None });
    };
    if text.len() > LONGEST {
        return Err(Problem::bad_request(format!("`text` takes at most {LONGEST} bytes")));
    }
    let limit = which.limit as usize;
    let candidates = control.store.sessions(WhichSessions { limit: LOOKED, ..which }).await?;
    let all = candidates.len();
    let mut words = Words::new(text);
    let mut sessions = Vec::new();
    let mut last = None;
    let mut looked = 0;
    for session in candidates {
        if sessions.len() >= limit || words.bytes > BYTES {
            break;
        }
        looked += 1;
        last = Some(session.clone());
        if words.stand_in(&*control.store, &session.session).await? {
            sessions.push(session);
        }
    }
    let more = looked < all || all >= LOOKED as usize;
    let searched = Searched { sessions: looked, back_to_ms: last.as_ref().map_or(0, |s| s.last_ms), more };
    let next = last.as_ref().filter(|_| more).map(cursor);
    Ok(Sessions { sessions, next, searched: Some(searched) })
}

fn cursor(session: &Session) -> String {
    format!("{}:{}", session.last_ms, session.session)
}

/// Words that are looked for. Each block is read once, however many sessions share it.
struct Words {
    /// As they stand in JSON, in lower case.
    text: String,
    blocks: HashMap<String, bool>,
    bytes: usize,
}

impl Words {
    fn new(text: &str) -> Self {
        // Records keep bodies as they came: JSON.
        let json = serde_json::to_string(&text.to_lowercase()).unwrap_or_default();
        let text = json.trim_start_matches('"').strip_suffix('"').unwrap_or_default().to_owned();
        Self { text, blocks: HashMap::new(), bytes: 0 }
    }

    async fn stand_in(&mut self, store: &dyn Store, session: &str) -> Result<bool, StoreError> {
        let which = Which { session: Some(session.to_owned()), limit: ENTRIES, ..Which::default() };
        let mut wanted: Vec<Piece> = Vec::new();
        for stored in store.entries(which).await? {
            if let Ok(Entry::Exchange(record)) = serde_json::from_str(&stored.entry) {
                wanted.extend(record.body.into_iter().flat_map(|body| body.pieces));
            }
        }
        let mut seen = HashSet::new();
        while !wanted.is_empty() {
            let mut unread = Vec::new();
            for piece in wanted.drain(..) {
                match piece {
                    Piece::Text(text) if self.is_in(&text) => return Ok(true),
                    Piece::Text(_) => {}
                    Piece::Block(digest) => match self.blocks.get(&digest) {
                        Some(true) => return Ok(true),
                        Some(false) => {}
                        None if seen.insert(digest.clone()) => unread.push(digest),
                        None => {}
                    },
                }
            }
            if unread.is_empty() {
                return Ok(false);
            }
            for block in store.blocks(unread).await? {
                let found = !block.list && self.is_in(&block.text);
                // What a list stands for is looked at each time: it says nothing by itself.
                if !block.list {
                    self.blocks.insert(block.digest.clone(), found);
                }
                if found {
                    return Ok(true);
                }
                wanted.extend(block.pieces().unwrap_or_default());
            }
        }
        Ok(false)
    }

    fn is_in(&mut self, text: &str) -> bool {
        self.bytes = self.bytes.saturating_add(text.len());
        text.to_lowercase().contains(&self.text)
    }
}
