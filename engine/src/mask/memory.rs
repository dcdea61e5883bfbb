//! What is known within one exchange.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

/// What is known within one exchange: which pseudonym stands for what, and how many findings of each kind were seen.
/// It ends with the exchange; its values are never written anywhere, not even by `Debug`.
#[derive(Default)]
pub struct Memory {
    originals: HashMap<String, String>,
    findings: BTreeMap<String, u32>,
}

impl Memory {
    /// How many findings of each kind were seen, exempt ones included, since this was last asked.
    pub fn take_findings(&mut self) -> BTreeMap<String, u32> {
        std::mem::take(&mut self.findings)
    }

    /// How many findings of each kind were seen, exempt ones included.
    pub fn findings(&self) -> &BTreeMap<String, u32> {
        &self.findings
    }

    pub(super) fn count(&mut self, kind: &str) {
        match self.findings.get_mut(kind) {
            Some(count) => *count = count.saturating_add(1),
            None => {
                self.findings.insert(kind.to_owned(), 1);
            }
        }
    }

    /// The first spelling of a value is the one that is restored.
    pub(super) fn remember(&mut self, pseudonym: &str, original: &str) {
        if !self.originals.contains_key(pseudonym) {
            self.originals.insert(pseudonym.to_owned(), original.to_owned());
        }
    }

    pub(super) fn original(&self, pseudonym: &str) -> Option<&str> {
        self.originals.get(pseudonym).map(String::as_str)
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("pseudonyms", &self.originals.len())
            .field("findings", &self.findings)
            .finish()
    }
}
