//! What is known within one exchange.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

/// What is known within one exchange: which pseudonym stands for what, and how many findings of each kind were seen.
/// It ends with the exchange; its values are never written anywhere, not even by `Debug`.
#[derive(Default)]
pub struct Memory {
    originals: HashMap<String, String>,
    /// Pseudonyms by kind and value, since one value often stands in a conversation many times.
    pseudonyms: HashMap<String, String>,
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

    /// The pseudonym of a value, made if it is new. Of several spellings with one pseudonym the first is restored.
    pub(super) fn pseudonym(&mut self, kind: &str, value: &str, make: impl FnOnce() -> String) -> String {
        let key = format!("{kind} {value}");
        if let Some(known) = self.pseudonyms.get(&key) {
            return known.clone();
        }
        let pseudonym = make();
        self.originals.entry(pseudonym.clone()).or_insert_with(|| value.to_owned());
        self.pseudonyms.insert(key, pseudonym.clone());
        pseudonym
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
