//! Budgets, prices, grants, MCP servers, reviews, channels and people in Slack: entries by name, and field by field.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sluice_engine::policy::document::{Duration, Policy, Usd};

use super::fields::{is_empty, strings};
use super::{Change, Direction, change, json};

/// Fields of a policy that are compared here.
pub(super) const AREAS: &[&str] = &["budgets", "prices", "grants", "mcp", "reviews", "notices", "people"];

pub(super) fn changes(old: &Policy, new: &Policy) -> Vec<Change> {
    let (old, new) = (json(old), json(new));
    let mut found = Vec::new();
    for area in AREAS {
        let (before, after) = (named(&old, area), named(&new, area));
        for name in before.keys().filter(|name| !after.contains_key(*name)) {
            found.push(change(when_gone(area), area, format!("{name} is gone")));
        }
        for (name, entry) in &after {
            match before.get(name) {
                None => found.push(change(opposite(when_gone(area)), area, format!("{name} is new"))),
                Some(own) => compare(area, name, own, entry, &mut found),
            }
        }
    }
    found
}

/// A budget stops, a review takes back; a grant, a server and a person who decides open. What nobody is told goes unseen. Which price is asked
/// instead cannot be told.
fn when_gone(area: &str) -> Direction {
    match area {
        "budgets" | "reviews" | "notices" => Direction::Loosened,
        "grants" | "mcp" | "people" => Direction::Tightened,
        _ => Direction::Unclear,
    }
}

fn opposite(direction: Direction) -> Direction {
    match direction {
        Direction::Loosened => Direction::Tightened,
        Direction::Tightened => Direction::Loosened,
        other => other,
    }
}

/// The entries of a list by name, each with its fields by dotted path.
fn named(policy: &Value, area: &str) -> BTreeMap<String, BTreeMap<String, Value>> {
    let entries = policy.get(area).and_then(Value::as_array).into_iter().flatten();
    let one = |entry: &Value| {
        let mut fields = BTreeMap::new();
        flatten("", entry, &mut fields);
        let name = entry.get("name").or_else(|| entry.get("slack"));
        Some((name?.as_str()?.to_owned(), fields))
    };
    entries.filter_map(one).collect()
}

fn flatten(path: &str, value: &Value, fields: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                flatten(&path, value, fields);
            }
        }
        value if is_empty(value) => {}
        value => drop(fields.insert(path.to_owned(), value.clone())),
    }
}

fn compare(
    area: &str,
    name: &str,
    old: &BTreeMap<String, Value>,
    new: &BTreeMap<String, Value>,
    found: &mut Vec<Change>,
) {
    let fields: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    // Where something as a whole comes or goes, its fields say nothing more.
    let comes =
        |whole: &str, fields: &BTreeMap<String, Value>| fields.keys().any(|own| own.starts_with(whole));
    for whole in ["definitions.", "approval."] {
        let (was, is) = (comes(whole, old), comes(whole, new));
        if was != is {
            let direction = if is { Direction::Tightened } else { Direction::Loosened };
            let field = whole.trim_end_matches('.');
            let what = if is { "is now asked for" } else { "is no longer asked for" };
            found.push(change(direction, area, format!("{name}: `{field}` {what}")));
        }
    }
    for field in fields {
        let whole = ["definitions.", "approval."].into_iter().find(|whole| field.starts_with(whole));
        if whole.is_some_and(|whole| comes(whole, old) != comes(whole, new)) {
            continue;
        }
        let (was, is) = (old.get(field), new.get(field));
        if was != is {
            let direction = direction(area, field, was, is);
            let what = format!("{name}: `{field}`: {} became {}", shown(was), shown(is));
            found.push(change(direction, area, what));
        }
    }
}

/// Which way a field goes. Whatever is not known here is unclear.
fn direction(area: &str, field: &str, was: Option<&Value>, is: Option<&Value>) -> Direction {
    let last = field.rsplit('.').next().unwrap_or(field);
    let more = match (area, last) {
        (_, "message") | ("mcp", "wait") => return Direction::Same,
        ("budgets", "requests" | "tokens" | "inputTokens" | "outputTokens" | "cost") => {
            return limit(was, is);
        }
        // The same for a longer time is less.
        ("budgets", "window") => less(was, is),
        // Whom and what a budget is for: more of it stops more. Nobody named is everybody, but for one of two lists.
        ("budgets", "routes" | "models") => listed(was, is, true).map(|more| !more),
        ("budgets", "groups" | "subjects") if was.is_some() && is.is_some() => {
            listed(was, is, false).map(|more| !more)
        }
        ("prices", "input" | "output" | "cacheWrite" | "cacheWrite1h" | "cacheRead") => less(was, is),
        ("grants", "longest") | (_, "expires") => less(was, is).map(|less| !less),
        ("notices", "on" | "groups") => listed(was, is, true).map(|more| !more),
        ("grants", "roles" | "groups")
        | ("mcp", "serverMayAsk" | "methods" | "groups")
        | ("people", "groups") => listed(was, is, false),
        // False says nothing, and is not there.
        ("grants", "breakGlass") | ("mcp", "passToken") => Some(is.is_some()),
        (_, "reason") => Some(is.is_none()),
        // One where it is not said.
        (_, "quorum") => {
            let people = |value: Option<&Value>| value.and_then(Value::as_u64).unwrap_or(1);
            Some(people(is) < people(was))
        }
        (_, "excludeTeam") => Some(is.is_none()),
        ("mcp", "first") => match (was.and_then(Value::as_str), is.and_then(Value::as_str)) {
            (Some("approve"), Some("trust")) => Some(true),
            (Some("trust"), Some("approve")) => Some(false),
            _ => None,
        },
        _ => None,
    };
    match more {
        Some(true) => Direction::Loosened,
        Some(false) => Direction::Tightened,
        None => Direction::Unclear,
    }
}

/// A limit that is raised or taken away loosens.
fn limit(was: Option<&Value>, is: Option<&Value>) -> Direction {
    match (was, is) {
        (None, _) => Direction::Tightened,
        (_, None) => Direction::Loosened,
        _ => match less(was, is) {
            Some(true) => Direction::Tightened,
            Some(false) => Direction::Loosened,
            None => Direction::Unclear,
        },
    }
}

/// Whether an amount became less: a number, money, or a time.
fn less(was: Option<&Value>, is: Option<&Value>) -> Option<bool> {
    let amount = |value: Option<&Value>| {
        let text = match value? {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let money = Usd::parse(&text).map(Usd::as_micros);
        money.or_else(|| Duration::parse(&text).map(|time| time.as_seconds()))
    };
    Some(amount(is)? < amount(was)?)
}

/// Whether a list has more than it had, and nothing less; `empty_is_all`: none named is all.
fn listed(was: Option<&Value>, is: Option<&Value>, empty_is_all: bool) -> Option<bool> {
    match (was, is) {
        (None, _) => return Some(!empty_is_all),
        (_, None) => return Some(empty_is_all),
        _ => {}
    }
    let set = |value: Option<&Value>| -> Option<BTreeSet<String>> {
        Some(strings(value?)?.into_iter().map(str::to_owned).collect())
    };
    let (was, is) = (set(was)?, set(is)?);
    match (is.is_superset(&was), is.is_subset(&was)) {
        (true, false) => Some(true),
        (false, true) => Some(false),
        _ => None,
    }
}

fn shown(value: Option<&Value>) -> String {
    match value {
        None => "nothing".into(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => match strings(value) {
            Some(list) => format!("[{}]", list.join(", ")),
            None => value.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn policy(changed: &[(&str, Value)]) -> Policy {
        let mut policy = json!({
            "budgets": [{"name": "day", "groups": ["a", "b"], "models": ["claude-*"], "tokens": 100, "cost": "5.00", "window": "24h"}],
            "prices": [{"name": "all", "models": ["*"], "input": "3", "output": "15"}],
            "grants": [{"name": "more", "roles": ["w"], "groups": ["staff"], "longest": "4h",
                "approval": {"groups": ["leads"], "expires": "30m"}}],
            "mcp": [{"name": "notes", "path": "/mcp/notes", "methods": ["x/*"],
                "definitions": {"first": "approve", "approval": {"groups": ["platform"]}}}],
            "notices": [{"name": "soc", "to": "webhook", "on": ["hold.opened"]}],
            "people": [{"slack": "U1", "issuer": "corp", "subject": "ben", "groups": ["leads"]}],
        });
        for (pointer, value) in changed {
            let (parent, field) = pointer.rsplit_once('/').unwrap();
            let Value::Object(map) = policy.pointer_mut(parent).unwrap() else { panic!("{pointer}") };
            if value.is_null() {
                drop(map.remove(field))
            } else {
                drop(map.insert(field.into(), value.clone()))
            }
        }
        serde_json::from_value(policy).unwrap()
    }

    #[test]
    fn each_field_goes_its_way_with_its_old_and_new_value() {
        use Direction::{Loosened, Same, Tightened, Unclear};
        for (pointer, value, expected, words) in [
            ("/budgets/0/tokens", json!(200), Loosened, "day: `tokens`: 100 became 200"),
            ("/budgets/0/tokens", json!(50), Tightened, "100 became 50"),
            ("/budgets/0/tokens", json!(null), Loosened, "100 became nothing"),
            ("/budgets/0/requests", json!(9), Tightened, "nothing became 9"),
            ("/budgets/0/cost", json!("10"), Loosened, "`cost`"),
            ("/budgets/0/window", json!("1h"), Loosened, "1d became 1h"),
            ("/budgets/0/groups", json!(["a"]), Loosened, "[a, b] became [a]"),
            ("/budgets/0/groups", json!(["a", "b", "c"]), Tightened, "`groups`"),
            ("/budgets/0/groups", json!([]), Unclear, "became nothing"),
            ("/budgets/0/models", json!([]), Tightened, "became nothing"),
            ("/budgets/0/models", json!(["x"]), Unclear, "`models`"),
            ("/budgets/0/message", json!("Ask."), Same, "`message`"),
            ("/budgets", json!([]), Loosened, "day is gone"),
            ("/prices/0/output", json!("10"), Loosened, "15.00 became 10.00"),
            ("/grants/0/longest", json!("8h"), Loosened, "4h became 8h"),
            ("/grants/0/roles", json!(["w", "x"]), Loosened, "[w] became [w, x]"),
            ("/grants/0/groups", json!(["staff", "x"]), Loosened, "`groups`"),
            ("/grants/0/approval/groups", json!(["leads", "x"]), Loosened, "`approval.groups`"),
            ("/grants/0/approval/reason", json!(false), Loosened, "`approval.reason`"),
            ("/grants/0/approval/quorum", json!(2), Tightened, "nothing became 2"),
            ("/grants/0/approval/excludeTeam", json!(true), Tightened, "`approval.excludeTeam`"),
            ("/grants/0/approval/expires", json!("1h"), Loosened, "30m became 1h"),
            ("/grants/0/approval", json!(null), Loosened, "`approval` is no longer asked for"),
            ("/grants/0/breakGlass", json!(true), Loosened, "`breakGlass`"),
            ("/grants", json!([]), Tightened, "more is gone"),
            ("/mcp/0/serverMayAsk", json!(["roots"]), Loosened, "nothing became [roots]"),
            ("/mcp/0/methods", json!([]), Tightened, "`methods`"),
            ("/mcp/0/passToken", json!(true), Loosened, "`passToken`"),
            ("/mcp/0/definitions/first", json!("trust"), Loosened, "approve became trust"),
            ("/mcp/0/definitions", json!(null), Loosened, "`definitions` is no longer asked for"),
            ("/mcp/0/wait", json!("50s"), Same, "`wait`"),
            ("/mcp/0/host", json!("a.test"), Unclear, "`host`"),
            ("/notices", json!([]), Loosened, "soc is gone"),
            ("/notices/0/on", json!(["hold.opened", "hold.decided"]), Tightened, "`on`"),
            ("/notices/0/groups", json!(["leads"]), Loosened, "`groups`"),
            ("/notices/0/to", json!("slack"), Unclear, "webhook became slack"),
            ("/people", json!([]), Tightened, "U1 is gone"),
            ("/people/0/groups", json!(["leads", "x"]), Loosened, "`groups`"),
            ("/people/0/subject", json!("eva"), Unclear, "ben became eva"),
        ] {
            let found = changes(&policy(&[]), &policy(&[(pointer, value.clone())]));
            let [one] = found.as_slice() else { panic!("{pointer} = {value}: {found:#?}") };
            assert_eq!(one.direction, expected, "{pointer} = {value}: {one:?}");
            assert!(one.what.contains(words), "{pointer} = {value}: {one:?}");
        }
        assert_eq!(changes(&policy(&[]), &policy(&[])), []);
    }
}
