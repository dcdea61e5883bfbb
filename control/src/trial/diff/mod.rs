//! What changes from one policy to another: who may now do what they could not, and may no longer do what they could.
//!
//! Rights are compared by what callers of each group and subject get out of their roles, not by how the policy is
//! written. Rules, masking and the rest are compared field by field; a field that is not known here, or whose change
//! cannot be told to loosen or to tighten, is [`Direction::Unclear`], which counts as loosened where it matters.

mod callers;
mod entries;
mod fields;
mod language;
mod rules;
mod settings;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sluice_engine::policy::document::Policy;

/// Which way a change goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Direction {
    /// Something is possible that was not.
    Loosened,
    /// It cannot be told: look at it.
    Unclear,
    /// Something is no longer possible.
    Tightened,
    /// Nothing of what is possible changes.
    Same,
}

/// A change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// Which way.
    pub direction: Direction,
    /// Of what: `rights`, `rules`, `masking`, `issuers`, ...
    pub area: String,
    /// Who it is about, for rights: `group readers`, `subject ann`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub who: Vec<String>,
    /// What, as a sentence.
    pub what: String,
}

/// All changes from one policy to another, what is loosened first.
pub fn diff(old: &Policy, new: &Policy) -> Vec<Change> {
    let mut changes = callers::changes(old, new);
    changes.extend(rules::changes(&old.rules, &new.rules));
    changes.extend(settings::changes(old, new));
    changes.extend(entries::changes(old, new));
    changes.sort_by_key(|change| change.direction);
    changes
}

/// Whether something may have been loosened.
pub fn is_loosened(changes: &[Change]) -> bool {
    changes.iter().any(|change| matches!(change.direction, Direction::Loosened | Direction::Unclear))
}

fn change(direction: Direction, area: &str, what: impl Into<String>) -> Change {
    Change { direction, area: area.to_owned(), who: Vec::new(), what: what.into() }
}

/// Entries by name. Names are checked to be unique when a policy loads.
fn by_name<T>(list: &[T], name: impl Fn(&T) -> &str) -> BTreeMap<&str, &T> {
    list.iter().map(|entry| (name(entry), entry)).collect()
}

/// A value as JSON. The types of a policy always serialise.
fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

#[cfg(test)]
mod tests;
