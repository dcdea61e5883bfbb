//! What is known within one exchange.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

/// Pseudonyms by value.
type Pseudonyms = HashMap<String, Arc<str>>;

/// What is known within one exchange: which pseudonym stands for what, and how many findings of each kind were seen.
/// It ends with the exchange; its values are never written anywhere, not even by `Debug`.
#[derive(Default)]
pub struct Memory {
    originals: HashMap<Arc<str>, String>,
    /// Pseudonyms by kind and value, since one value often stands in a conversation many times. Of kinds there are few.
    pseudonyms: Vec<(Arc<str>, Pseudonyms)>,
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
    pub(super) fn pseudonym(
        &mut self,
        kind: &Arc<str>,
        value: &str,
        make: impl FnOnce() -> String,
    ) -> Arc<str> {
        let of_kind = self.pseudonyms.iter().position(|(known, _)| known == kind).unwrap_or_else(|| {
            self.pseudonyms.push((kind.clone(), HashMap::new()));
            self.pseudonyms.len() - 1
        });
        let known = self.pseudonyms.get(of_kind).and_then(|(_, values)| values.get(value));
        if let Some(pseudonym) = known {
            return pseudonym.clone();
        }
        let pseudonym: Arc<str> = make().into();
        self.originals.entry(pseudonym.clone()).or_insert_with(|| value.to_owned());
        if let Some((_, values)) = self.pseudonyms.get_mut(of_kind) {
            values.insert(value.to_owned(), pseudonym.clone());
        }
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
