//! A part of a writer's chain, read from the entry before it to the next one that is signed.

use ed25519_dalek::VerifyingKey;
use sluice_engine::record::chain::{Hash, Problem, Verifier};
use sluice_engine::record::checkpoint::Checkpoint;

use super::PAGE;
use crate::store::{Store, StoreError, Stored, Which};

/// A part of a writer's chain. Its first entry is proved by its link to the one before it, its last by the links to the
/// next one that its writer signed.
#[derive(Debug, Clone, Copy)]
pub struct Run<'r> {
    /// The writer.
    pub writer: &'r str,
    /// Its key; none when nobody vouches for it: then nothing is signed.
    pub key: Option<&'r VerifyingKey>,
    /// The number of the first entry.
    pub from: u64,
    /// The number of the last.
    pub to: u64,
}

/// What a reading of a run came to.
#[derive(Debug)]
pub struct Ran {
    /// What is wrong, by place.
    pub problems: Vec<Problem>,
    /// Whether it was read to its end.
    pub whole: bool,
    /// The number of the last entry that was read.
    pub reached: u64,
}

impl Run<'_> {
    /// Reads it, as far as `left` entries go, and shows each to `see`. The entries next to it must be there, too: one that
    /// was taken out of the log before or behind it is missed.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn read(
        &self,
        store: &dyn Store,
        left: &mut u64,
        see: &mut (dyn FnMut(&Stored) + Send),
    ) -> Result<Ran, StoreError> {
        let before = self.from.saturating_sub(1);
        let length = self.to.saturating_sub(self.from).saturating_add(NEIGHBOURS);
        let mut pages = Pages {
            store,
            writer: self.writer,
            after: before.saturating_sub(1),
            limit: u32::try_from(length).unwrap_or(PAGE).min(PAGE),
            page: Vec::new().into_iter(),
        };
        let mut next = pages.next().await?;
        let at = |seq, hash| Checkpoint { writer: self.writer.to_owned(), seq, hash };
        let mut verifier = match next.take_if(|stored| before > 0 && stored.seq == before) {
            Some(stored) => {
                next = pages.next().await?;
                Verifier::behind(at(before, stored.hash))
            }
            None if before == 0 => Verifier::new(self.writer),
            // The entry before it is gone, and the verifier finds the gap.
            None => Verifier::behind(at(before - 1, Hash([0; 32]))),
        };
        let mut signed = false;
        loop {
            let here = verifier.here();
            let is_done = signed && here.seq >= self.to;
            let Some(stored) = next else {
                // The log ends here. A head that was read before the last look covers nothing that this could miss.
                let head = self.head(store).await?;
                next = pages.next().await?;
                if next.is_some() {
                    continue;
                }
                let head = head.map(|head| if signed && head.seq < here.seq { here } else { head });
                let reached = verifier.here().seq;
                return Ok(Ran { problems: verifier.finish(head.as_ref()), whole: true, reached });
            };
            if is_done || *left == 0 {
                let mut problems = verifier.finish(Some(&here));
                if is_done && stored.seq > here.seq.saturating_add(1) {
                    problems.push(Problem::Removed { from: here.seq + 1, to: stored.seq - 1 });
                }
                return Ok(Ran { problems, whole: is_done, reached: here.seq });
            }
            *left -= 1;
            verifier.entry(stored.seq, stored.hash, stored.entry.as_bytes());
            signed = stored.signature.is_some();
            if let Some(signature) = &stored.signature {
                verifier.signed(self.key.is_some_and(|key| verifier.here().is_signed(signature, key)));
            }
            see(&stored);
            next = pages.next().await?;
        }
    }

    /// The writer's head, when it is genuine.
    async fn head(&self, store: &dyn Store) -> Result<Option<Checkpoint>, StoreError> {
        let head = store.heads().await?.into_iter().find(|head| head.writer == self.writer);
        Ok(head.zip(self.key).and_then(|(head, key)| {
            let at = Checkpoint { writer: head.writer, seq: head.seq, hash: head.hash };
            at.is_signed(&head.signature, key).then_some(at)
        }))
    }
}

/// Entries that are read with a run: those next to it, and a few until one is signed.
const NEIGHBOURS: u64 = 12;

/// A writer's entries by their numbers, a page at a time. Asked again at the end, it looks again.
struct Pages<'p> {
    store: &'p dyn Store,
    writer: &'p str,
    after: u64,
    limit: u32,
    page: std::vec::IntoIter<Stored>,
}

impl Pages<'_> {
    async fn next(&mut self) -> Result<Option<Stored>, StoreError> {
        if let Some(stored) = self.page.next() {
            return Ok(Some(stored));
        }
        let after = i64::try_from(self.after).unwrap_or(i64::MAX);
        let writer = Some(self.writer.to_owned());
        let page = self.store.entries(Which { after, writer, limit: self.limit, ..Which::default() }).await?;
        self.after = page.last().map_or(self.after, |last| last.seq);
        // Large commits have one signature, at their end.
        self.limit = self.limit.saturating_mul(4).min(PAGE);
        self.page = page.into_iter();
        Ok(self.page.next())
    }
}
