//! The index follows the log.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::said::{Named, is_data, of_pieces, words_of};
use crate::http::Control;
use crate::records::Entry;
use crate::store::{Indexing, Store, StoreError, TextOf, Which};

/// Entries that are read at a time.
const PAGE: u32 = 100;

/// Bytes of words in one write: a few milliseconds of the writer's time, for which a record waits that must be written
/// before its request is forwarded.
const BYTES: usize = 32 << 10;

/// Between two writes at least.
const PAUSE: Duration = Duration::from_millis(10);

/// How many times as long as it took the index then rests: whoever writes records comes first.
const RESTS: u32 = 3;

/// Entries behind which it rests no more: it must not fall back for ever.
const FAR: i64 = 2000;

/// How soon it is looked whether there is more.
const LOOK: Duration = Duration::from_secs(1);

/// How soon it is tried again when the store fails.
const AGAIN: Duration = Duration::from_secs(10);

/// Follows the log for ever.
pub async fn run(control: Arc<Control>) {
    loop {
        let began = Instant::now();
        let wait = match step(&*control.store).await {
            Ok(true) if is_far_behind(&*control.store).await => PAUSE,
            Ok(true) => PAUSE.max(began.elapsed().saturating_mul(RESTS)),
            Ok(false) => LOOK,
            Err(error) => {
                tracing::error!(%error, "the index of texts stopped; it goes on in a moment");
                AGAIN
            }
        };
        tokio::time::sleep(wait).await;
    }
}

async fn is_far_behind(store: &dyn Store) -> bool {
    store.indexed().await.is_ok_and(|indexed| indexed.last.saturating_sub(indexed.done) > FAR)
}

/// Takes some entries into the index; says whether there may be more.
///
/// # Errors
/// When the store cannot be read or written; what was taken in until then stays so.
pub async fn step(store: &dyn Store) -> Result<bool, StoreError> {
    let from = store.indexed().await?.done;
    let page = store.entries(Which { after: from, limit: PAGE, ..Which::default() }).await?;
    let Some(last) = page.last().map(|stored| stored.cursor) else { return Ok(false) };
    let mut taking = Taking { store, texts: HashMap::new(), named: HashSet::new(), bytes: 0 };
    let mut upto = last;
    for stored in &page {
        // What cannot be read any more was tampered with, which verification tells.
        let Ok(entry) = serde_json::from_str::<Entry>(&stored.entry) else { continue };
        let Some(session) = entry.session().map(str::to_owned) else { continue };
        if let Entry::Exchange(record) = entry
            && let Some(body) = record.body
        {
            taking.take(&session, of_pieces(&body.pieces).named).await?;
        }
        if taking.bytes > BYTES {
            upto = stored.cursor;
            break;
        }
    }
    let Taking { texts, named, .. } = taking;
    let indexing =
        Indexing { from, upto, texts: texts.into_values().collect(), named: named.into_iter().collect() };
    store.index(indexing).await?;
    Ok(upto < last || page.len() >= PAGE as usize)
}

/// What is taken in at a time.
struct Taking<'s> {
    store: &'s dyn Store,
    /// Texts that the index has not, by digest.
    texts: HashMap<String, TextOf>,
    /// Which session names which text.
    named: HashSet<(String, String)>,
    bytes: usize,
}

impl Taking<'_> {
    /// Follows what an exchange of the session names, as far as the session has not named it before.
    async fn take(&mut self, session: &str, named: Vec<Named>) -> Result<(), StoreError> {
        let mut wanted: VecDeque<Named> = named.into();
        while !wanted.is_empty() {
            let mut fields = HashMap::new();
            for one in wanted.drain(..).filter(Named::is_said) {
                let key = (one.digest.clone(), session.to_owned());
                if !self.named.contains(&key) {
                    fields.insert(one.digest, one.field);
                }
            }
            let digests: Vec<String> = fields.keys().cloned().collect();
            if digests.is_empty() {
                return Ok(());
            }
            for (block, known) in self.store.unnamed(session, digests).await? {
                let field = fields.get(&block.digest).map(String::as_str).unwrap_or_default();
                if !block.list && is_data(field, &block.text) {
                    continue;
                }
                if let Some(pieces) = block.pieces().filter(|_| block.list) {
                    wanted.extend(of_pieces(&pieces).named);
                }
                self.named.insert((block.digest.clone(), session.to_owned()));
                if !known && !self.texts.contains_key(&block.digest) {
                    let parts = words_of(&block);
                    self.bytes += parts.iter().map(String::len).sum::<usize>();
                    self.texts.insert(block.digest.clone(), TextOf { digest: block.digest, parts });
                }
            }
        }
        Ok(())
    }
}
