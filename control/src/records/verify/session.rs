//! Is a session what was written?
//!
//! Each of its entries is proved by the links from the entry before it to the next one that its writer signed. Where the
//! log from its first entry to its last is short enough, all of that is read, so that one that was taken out of the
//! session shows, too. What was taken away before its first entry or behind its last shows where it stood next to them,
//! or at the log's end; else only [`super::verify`] finds it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ed25519_dalek::VerifyingKey;
use sluice_engine::record::chain::Problem;

use super::found::{Fault, Misplaced, SessionReport, Span, Unread, Wrong};
use super::run::Run;
use super::{BlockProblem, Found, NAMED, PAGE, Wanted, lacking};
use crate::records::intake::digests;
use crate::records::{Entry, writer_name};
use crate::store::{Store, StoreError, Stored, Which};

/// Where not all of the log between a session's entries is read: entries as near as this are still read together.
const NEAR: u64 = 16;

/// Blocks that are fetched together; each may be large.
const TOGETHER: usize = 32;

/// How much is read at most.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Entries of the log.
    pub entries: u64,
    /// Bytes of texts.
    pub bytes: usize,
}

impl Default for Bounds {
    /// What a page can wait for: a fraction of a second.
    fn default() -> Self {
        Self { entries: 50_000, bytes: 64 << 20 }
    }
}

/// Reads a session's entries, what proves them, and their texts, and says what is wrong with them; `None`: there is no
/// such session. `keys` are those of the writers.
///
/// # Errors
/// When the store cannot be read.
pub async fn verify_session(
    store: &dyn Store,
    keys: &[VerifyingKey],
    session: &str,
    bounds: Bounds,
) -> Result<Option<SessionReport>, StoreError> {
    let mut checked = Checked { store, keys, session, report: SessionReport::default() };
    let (listed, found) = checked.listed(bounds.entries).await?;
    if listed.writers.is_empty() {
        return Ok(None);
    }
    checked.chains(&listed, bounds.entries).await?;
    checked.texts(&listed, found, bounds.bytes).await?;
    let mut report = checked.report;
    report.problems.truncate(NAMED);
    report.sound = report.problems.is_empty();
    report.whole = report.unread.is_empty();
    Ok(Some(report))
}

/// A session's entries, as the database lists them.
#[derive(Debug, Default)]
struct Listed {
    /// Of each writer: the exchange of each, by number.
    writers: BTreeMap<String, BTreeMap<u64, Option<usize>>>,
    /// In the order in which they began.
    exchanges: Vec<String>,
}

impl Listed {
    /// A fault at these entries: in the exchange of one of them, or else of the entry before or behind.
    fn fault(&self, writer: &str, from: u64, to: u64, what: Wrong) -> Fault {
        let own = self.writers.get(writer);
        let within = own.and_then(|own| own.range(from..=to.max(from)).next());
        let next_to = || own.and_then(|own| own.range(..from).next_back().or_else(|| own.first_key_value()));
        let exchange = within.or_else(next_to).and_then(|(_, exchange)| *exchange);
        Fault {
            exchange: exchange.and_then(|at| self.exchanges.get(at).cloned()),
            number: exchange.map(|at| at + 1),
            between: within.is_none(),
            writer: writer.to_owned(),
            what,
        }
    }

    fn problem(&self, writer: &str, problem: Problem) -> Fault {
        let (from, to) = match problem {
            Problem::Altered { seq } | Problem::Moved { seq, .. } | Problem::OutOfOrder { seq } => (seq, seq),
            Problem::Removed { from, to }
            | Problem::Truncated { from, to }
            | Problem::Unsigned { from, to } => (from, to),
            Problem::Rewritten { after, seq } => (after, seq),
            Problem::NoHead => (u64::MAX, u64::MAX),
        };
        self.fault(writer, from, to, Wrong::Chain(problem))
    }
}

/// A verification under way.
struct Checked<'c> {
    store: &'c dyn Store,
    keys: &'c [VerifyingKey],
    session: &'c str,
    report: SessionReport,
}

impl<'c> Checked<'c> {
    fn unread(&mut self, what: Unread) {
        if !self.report.unread.contains(&what) {
            self.report.unread.push(what);
        }
    }

    fn key(&self, writer: &str) -> Option<&'c VerifyingKey> {
        self.keys.iter().find(|key| writer_name(key) == writer)
    }

    /// Whether the entry says that it is of this session.
    fn is_own(&self, entry: &Entry) -> bool {
        // PostgreSQL's text has no NUL, so that its columns have another character in its place.
        let plain = |text: &str| text.replace('\0', "\u{fffd}");
        entry.session().is_some_and(|named| plain(named) == plain(self.session))
    }

    /// What the database lists as the session's, and which blocks that names.
    async fn listed(&mut self, most: u64) -> Result<(Listed, Found), StoreError> {
        let (mut listed, mut found) = (Listed::default(), Found::default());
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut strangers = Vec::new();
        let mut left = most;
        let mut which = Which { session: Some(self.session.to_owned()), ..Which::default() };
        loop {
            which.limit = PAGE.min(u32::try_from(left).unwrap_or(PAGE));
            let page = self.store.entries(which.clone()).await?;
            let full = page.len() >= which.limit as usize;
            left = left.saturating_sub(page.len() as u64);
            for stored in page {
                which.after = stored.cursor;
                // One that cannot be read was altered, which its chain shows, or written by a later release.
                let entry: Option<Entry> = serde_json::from_str(&stored.entry).ok();
                let exchange = entry.as_ref().and_then(Entry::exchange).map(|id| {
                    *places.entry(id.to_owned()).or_insert_with(|| {
                        listed.exchanges.push(id.to_owned());
                        listed.exchanges.len() - 1
                    })
                });
                match &entry {
                    Some(entry) if self.is_own(entry) => found.read(entry, &stored.writer, stored.seq),
                    Some(_) => strangers.push((stored.writer.clone(), stored.seq)),
                    None => {}
                }
                listed.writers.entry(stored.writer).or_default().insert(stored.seq, exchange);
            }
            if !full {
                break;
            }
            if left == 0 {
                self.unread(Unread::Entries);
                break;
            }
        }
        for (writer, seq) in strangers {
            let what = Wrong::Listed(Misplaced::Stranger { seq });
            self.report.problems.push(listed.fault(&writer, seq, seq, what));
        }
        Ok((listed, found))
    }

    /// The links and signatures of its entries.
    async fn chains(&mut self, listed: &Listed, most: u64) -> Result<(), StoreError> {
        let spans = listed.writers.iter().filter_map(|(writer, own)| {
            let ((from, _), (to, _)) = own.first_key_value().zip(own.last_key_value())?;
            Some(Span { writer: writer.clone(), from: *from, to: *to })
        });
        self.report.writers = spans.collect();
        let all = self.report.writers.iter().fold(0_u64, |all, span| all.saturating_add(span.to - span.from));
        let near = if all <= most { u64::MAX } else { NEAR };
        if all > most {
            self.unread(Unread::Between);
        }
        let mut left = most;
        for (writer, own) in &listed.writers {
            if !self.chain(listed, writer, own, near, &mut left).await? {
                self.unread(Unread::Entries);
                break;
            }
        }
        Ok(())
    }

    /// The same in one writer's chain; says whether it was read to its end.
    async fn chain(
        &mut self,
        listed: &Listed,
        writer: &str,
        own: &BTreeMap<u64, Option<usize>>,
        near: u64,
        left: &mut u64,
    ) -> Result<bool, StoreError> {
        let key = self.key(writer);
        let named = serde_json::to_string(self.session).unwrap_or_default();
        // Of what was not listed for its length, nothing was hidden.
        let listed_all = !self.report.unread.contains(&Unread::Entries);
        let last = own.last_key_value().map_or(0, |(seq, _)| *seq);
        let mut unmet: BTreeSet<u64> = own.keys().copied().collect();
        let mut reached = 0;
        for (from, to) in runs(own, near) {
            if to <= reached {
                continue;
            }
            let mut hidden = Vec::new();
            let mut see = |stored: &Stored| {
                let is_listed = unmet.remove(&stored.seq) || own.contains_key(&stored.seq);
                let is_in_view = listed_all || stored.seq < last;
                if !is_listed && is_in_view && stored.entry.contains(named.trim_matches('"')) {
                    let entry: Option<Entry> = serde_json::from_str(&stored.entry).ok();
                    hidden.extend(entry.filter(|entry| self.is_own(entry)).map(|_| stored.seq));
                }
            };
            let ran = Run { writer, key, from, to }.read(self.store, left, &mut see).await?;
            reached = ran.reached;
            let wrong = ran.problems.into_iter().map(|problem| listed.problem(writer, problem));
            let misplaced = hidden
                .into_iter()
                .map(|seq| listed.fault(writer, seq, seq, Wrong::Listed(Misplaced::Hidden { seq })));
            self.report.problems.extend(wrong.chain(misplaced));
            if !ran.whole {
                self.report.entries += (own.len() - unmet.len()) as u64;
                return Ok(false);
            }
        }
        self.report.entries += (own.len() - unmet.len()) as u64;
        // Numbers that no reading of the chain comes by.
        let unmet = unmet.into_iter().map(|seq| listed.problem(writer, Problem::OutOfOrder { seq }));
        self.report.problems.extend(unmet);
        Ok(true)
    }

    /// The texts that its entries name.
    async fn texts(&mut self, listed: &Listed, mut found: Found, most: usize) -> Result<(), StoreError> {
        let mut lists: HashMap<String, Vec<String>> = HashMap::new();
        let mut altered: BTreeSet<String> = BTreeSet::new();
        let mut asked: BTreeSet<String> = BTreeSet::new();
        let mut wanted: Vec<String> = found.wanted.iter().map(|wanted| wanted.digest.clone()).collect();
        let mut size = 0_usize;
        while let Some(at) = wanted.len().checked_sub(1) {
            if size >= most {
                self.unread(Unread::Blocks);
                // They count as there: nothing is known of them.
                lists.extend(
                    wanted.into_iter().filter(|digest| !asked.contains(digest)).map(|d| (d, Vec::new())),
                );
                break;
            }
            let some = wanted.split_off((at + 1).saturating_sub(TOGETHER));
            let some: Vec<String> = some.into_iter().filter(|digest| asked.insert(digest.clone())).collect();
            if some.is_empty() {
                continue;
            }
            for block in self.store.blocks(some).await? {
                size = size.saturating_add(block.text.len());
                self.report.blocks += 1;
                match block.pieces().filter(|_| block.is_sound()) {
                    Some(pieces) => {
                        let names: Vec<String> = digests(&pieces).into_iter().map(str::to_owned).collect();
                        wanted.extend(names.iter().cloned());
                        lists.insert(block.digest, names);
                    }
                    None => {
                        altered.insert(block.digest);
                    }
                }
            }
        }
        let every: Vec<&Wanted> = found.wanted.iter().collect();
        let missed = lacking(&every, &lists);
        for digest in &altered {
            let Some((_, by)) = missed.get(digest) else { continue };
            let what = Wrong::Block(BlockProblem::Altered { digest: digest.clone() });
            self.report.problems.push(listed.fault(&by.writer, by.seq, by.seq, what));
        }
        if missed.keys().all(|digest| altered.contains(digest)) {
            return Ok(());
        }
        self.retention(listed, &mut found).await?;
        let (kept, old): (Vec<_>, Vec<_>) = found.wanted.iter().partition(|wanted| !found.covers(wanted));
        let is_gone = |digest: &String| !altered.contains(digest);
        for (digest, (named, by)) in lacking(&kept, &lists).into_iter().filter(|(digest, _)| is_gone(digest))
        {
            let what = Wrong::Block(BlockProblem::Removed { digest, by: named });
            self.report.problems.push(listed.fault(&by.writer, by.seq, by.seq, what));
        }
        self.report.removed = lacking(&old, &lists).keys().filter(|digest| is_gone(digest)).count() as u64;
        Ok(())
    }

    /// What retention may have removed, as its latest act says, where that is sound itself.
    async fn retention(&mut self, listed: &Listed, found: &mut Found) -> Result<(), StoreError> {
        let Some(act) = self.store.last_retention().await? else { return Ok(()) };
        let key = self.key(&act.writer);
        let run = Run { writer: &act.writer, key, from: act.seq, to: act.seq };
        let mut seen = None;
        let mut see = |stored: &Stored| {
            if stored.seq == act.seq {
                seen = serde_json::from_str::<Entry>(&stored.entry).ok();
            }
        };
        let ran = run.read(self.store, &mut Bounds::default().entries, &mut see).await?;
        let is_sound = ran.whole && ran.problems.is_empty();
        self.report
            .problems
            .extend(ran.problems.into_iter().map(|problem| listed.problem(&act.writer, problem)));
        if let Some(entry) = seen.filter(|_| is_sound) {
            found.read(&entry, &act.writer, act.seq);
        }
        Ok(())
    }
}

/// The parts of a chain that have these entries: those that are as near to each other as this are in one.
fn runs(own: &BTreeMap<u64, Option<usize>>, near: u64) -> Vec<(u64, u64)> {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for &seq in own.keys() {
        match runs.last_mut() {
            Some((_, to)) if seq - *to <= near => *to = seq,
            _ => runs.push((seq, seq)),
        }
    }
    runs
}
