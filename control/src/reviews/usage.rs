//! What an identity has used, added up from the record.
//!
//! | list | a name is in it when |
//! |---|---|
//! | routes, models | an exchange asked for it and was not refused as it opened |
//! | roles | the same exchange was allowed its route and its model by this role; of several that allow the same, each |
//! | tools | the model called it (or the caller, of an MCP server), and the call was let through |
//! | servers | one of its tools was called: the `SERVER` of `mcp__SERVER__TOOL` |
//! | groups | a token had it |
//!
//! Names come from callers: each list has at most [`NAMES`], of at most [`LONGEST`] bytes each. Of what goes beyond only
//! the number is kept, and nothing is called unused on the strength of a list that is not whole.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sluice_engine::policy::document::Action;
use sluice_engine::record::{Record, Stage};

/// Names in one list.
pub const NAMES: usize = 200;

/// Bytes of a name that are kept.
pub const LONGEST: usize = 200;

/// A name that was not used for so long makes room for a new one: 400 days, longer than a year and what is late.
const FORGOTTEN_MS: u64 = 400 * 24 * 3600 * 1000;

/// What an identity has used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Usage {
    /// The issuer's name in the policy.
    pub issuer: String,
    /// The subject.
    pub subject: String,
    /// Groups in the token that was seen last.
    pub groups: Vec<String>,
    /// The first record, in Unix milliseconds.
    pub first_ms: u64,
    /// The last record, in Unix milliseconds.
    pub last_ms: u64,
    /// Exchanges that were opened.
    pub exchanges: u64,
    /// Decisions that refused something.
    pub denied: u64,
    /// Decisions that held something.
    pub held: u64,
    /// Findings in the traffic.
    pub findings: u64,
    /// Roles that were used.
    pub roles: Names,
    /// Routes that were used.
    pub routes: Names,
    /// Models that were used.
    pub models: Names,
    /// Tools that were called.
    pub tools: Names,
    /// MCP servers of which tools were called.
    pub servers: Names,
    /// Groups that tokens had.
    pub seen_groups: Names,
    /// Exchanges whose record does not name the roles: a filter of an older release wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without_roles: Option<Use>,
}

/// Names, each with its use.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Names {
    /// The names.
    pub names: BTreeMap<String, Use>,
    /// Uses of names for which there was no room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub more: Option<Use>,
}

/// How often, and when last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Use {
    /// How often.
    pub count: u64,
    /// When last, in Unix milliseconds.
    pub last_ms: u64,
}

impl Use {
    fn add(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        self.last_ms = self.last_ms.max(other.last_ms);
    }
}

impl Names {
    fn add(&mut self, name: &str, used: Use) {
        let name = name.get(..(0..=LONGEST).rev().find(|at| name.is_char_boundary(*at)).unwrap_or(0));
        let name = name.unwrap_or_default();
        if let Some(known) = self.names.get_mut(name) {
            return known.add(used);
        }
        if self.names.len() >= NAMES {
            self.names.retain(|_, known| known.last_ms.saturating_add(FORGOTTEN_MS) > used.last_ms);
        }
        if self.names.len() < NAMES {
            self.names.insert(name.to_owned(), used);
        } else {
            self.more.get_or_insert_default().add(used);
        }
    }

    fn merge(&mut self, other: &Self) {
        other.names.iter().for_each(|(name, used)| self.add(name, *used));
        if let Some(more) = other.more {
            self.more.get_or_insert_default().add(more);
        }
    }

    /// The names that were used since a moment.
    pub fn since(&self, ms: u64) -> impl Iterator<Item = &str> {
        self.names.iter().filter(move |(_, used)| used.last_ms >= ms).map(|(name, _)| name.as_str())
    }

    /// Whether all names that were used since a moment are there.
    pub fn is_whole_since(&self, ms: u64) -> bool {
        self.more.is_none_or(|more| more.last_ms < ms)
    }
}

impl Usage {
    /// What one record says of whoever it is about; `None`: the caller was not verified.
    pub fn of(record: &Record) -> Option<Self> {
        let who = record.principal.as_ref()?;
        let once = Use { count: 1, last_ms: record.at_ms };
        let count = |action| record.decisions.iter().filter(|d| d.did(action)).count() as u64;
        let mut usage = Self {
            issuer: who.issuer.clone(),
            subject: who.subject.clone(),
            groups: who.groups.clone(),
            first_ms: record.at_ms,
            last_ms: record.at_ms,
            exchanges: u64::from(record.stage == Stage::Open),
            denied: count(Action::Deny),
            held: count(Action::Hold),
            findings: record.findings.values().map(|n| u64::from(*n)).sum(),
            ..Self::default()
        };
        // Each exchange has a token once; both its records name the groups.
        let seen = Use { count: usage.exchanges, ..once };
        who.groups.iter().for_each(|group| usage.seen_groups.add(group, seen));
        if record.stage == Stage::Open && usage.denied == 0 {
            usage.routes.add(&record.route, once);
            record.model.iter().for_each(|model| usage.models.add(model, once));
            record.roles.iter().for_each(|role| usage.roles.add(role, once));
            if record.roles.is_empty() {
                usage.without_roles = Some(once);
            }
        }
        for (tool, count) in &record.calls {
            let used = Use { count: u64::from(*count), ..once };
            usage.tools.add(tool, used);
            let server = tool.strip_prefix("mcp__").and_then(|rest| rest.split_once("__"));
            server.into_iter().for_each(|(server, _)| usage.servers.add(server, used));
        }
        Some(usage)
    }

    /// Adds what was seen beside; the order does not matter.
    pub fn merge(&mut self, other: &Self) {
        if other.last_ms >= self.last_ms {
            self.groups.clone_from(&other.groups);
        }
        self.first_ms = self.first_ms.min(other.first_ms);
        self.last_ms = self.last_ms.max(other.last_ms);
        self.exchanges = self.exchanges.saturating_add(other.exchanges);
        self.denied = self.denied.saturating_add(other.denied);
        self.held = self.held.saturating_add(other.held);
        self.findings = self.findings.saturating_add(other.findings);
        self.roles.merge(&other.roles);
        self.routes.merge(&other.routes);
        self.models.merge(&other.models);
        self.tools.merge(&other.tools);
        self.servers.merge(&other.servers);
        self.seen_groups.merge(&other.seen_groups);
        if let Some(without) = other.without_roles {
            self.without_roles.get_or_insert_default().add(without);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::{Value, json};

    use super::*;

    pub fn record(stage: &str, at_ms: u64, more: Value) -> Record {
        let mut record = json!({
            "exchange": "e", "stage": stage, "atMs": at_ms, "node": "n", "route": "messages.create",
            "policyVersion": "p", "principal": {"issuer": "own", "subject": "ana", "groups": ["staff"]},
        });
        record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(record).unwrap()
    }

    fn seen(records: &[Record]) -> Usage {
        let mut all = records.iter().map(|record| Usage::of(record).unwrap());
        let mut usage = all.next().unwrap();
        all.for_each(|other| usage.merge(&other));
        usage
    }

    fn names(names: &Names) -> Vec<(&str, u64, u64)> {
        names.names.iter().map(|(name, used)| (name.as_str(), used.count, used.last_ms)).collect()
    }

    #[test]
    fn what_was_refused_is_counted_and_not_used() {
        let deny = json!([{"rule": "model", "action": "deny"}]);
        let usage = seen(&[
            record("open", 5, json!({"roles": ["reader"], "model": "m1"})),
            record("open", 9, json!({"roles": ["reader"], "model": "m2", "decisions": deny})),
            record(
                "close",
                9,
                json!({"calls": {"Bash": 2, "mcp__db__query": 1}, "model": "m1-dated",
                "findings": {"email": 3}, "decisions": [{"rule": "r", "action": "hold"}]}),
            ),
        ]);
        assert_eq!((usage.exchanges, usage.denied, usage.held, usage.findings), (2, 1, 1, 3));
        assert_eq!((usage.first_ms, usage.last_ms), (5, 9));
        assert_eq!(names(&usage.roles), [("reader", 1, 5)]);
        assert_eq!(names(&usage.models), [("m1", 1, 5)]);
        assert_eq!(names(&usage.tools), [("Bash", 2, 9), ("mcp__db__query", 1, 9)]);
        assert_eq!(names(&usage.servers), [("db", 1, 9)]);
        assert_eq!(usage.without_roles, None);
    }

    #[test]
    fn groups_are_those_of_the_latest_token_whatever_the_order() {
        let old =
            record("open", 5, json!({"principal": {"issuer": "own", "subject": "ana", "groups": ["old"]}}));
        let new =
            record("open", 9, json!({"principal": {"issuer": "own", "subject": "ana", "groups": ["new"]}}));
        for records in [[old.clone(), new.clone()], [new, old]] {
            let usage = seen(&records);
            assert_eq!(usage.groups, ["new"]);
            assert_eq!(names(&usage.seen_groups), [("new", 1, 9), ("old", 1, 5)]);
            assert_eq!(usage.without_roles, Some(Use { count: 2, last_ms: 9 }));
        }
    }

    #[test]
    fn an_exchange_has_its_token_once_though_both_its_records_name_the_groups() {
        let usage = seen(&[record("open", 5, json!({})), record("close", 9, json!({}))]);
        assert_eq!(names(&usage.seen_groups), [("staff", 1, 9)]);
    }

    #[test]
    fn a_caller_who_invents_names_fills_a_list_and_no_more() {
        let mut usage = Usage::of(&record("open", 1, json!({"model": "m"}))).unwrap();
        for n in 0..1000_u64 {
            let long = format!("{n}-{}", "é".repeat(1000));
            usage.merge(&Usage::of(&record("open", n, json!({"model": long}))).unwrap());
        }
        assert_eq!(usage.models.names.len(), NAMES);
        assert!(usage.models.names.keys().all(|name| name.len() <= LONGEST));
        assert_eq!(usage.models.more.map(|more| more.count), Some(801));
        assert!(!usage.models.is_whole_since(999) && usage.models.is_whole_since(1000));
        // What was not used for more than a year makes room.
        usage.merge(&Usage::of(&record("open", FORGOTTEN_MS + 500, json!({"model": "late"}))).unwrap());
        assert!(usage.models.names.contains_key("late"));
    }

    #[test]
    fn who_was_not_verified_is_nobody() {
        let mut record = record("close", 1, json!({}));
        record.principal = None;
        assert_eq!(Usage::of(&record), None);
    }
}
