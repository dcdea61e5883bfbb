//! Rules: which are gone, which are new, and which match more or less than they did.

use std::collections::BTreeSet;

use serde_json::Value;
use sluice_engine::policy::document::{Action, Approval, Part, Rule};
use sluice_engine::policy::rule::parts;

use super::fields::{is_empty, strings, without};
use super::language::{Beyond, Set};
use super::{Change, Direction, by_name, change, json};

/// Fields of a rule that are compared by meaning.
const KNOWN: &[&str] = &["name", "when", "action", "message", "approval", "observe"];
/// Conditions whose globs are not those of names, and so are compared entry by entry.
const OTHER_GLOBS: &[&str] = &["paths", "pathsExcept", "hosts", "hostsExcept", "mcpServers"];
/// Fields of an approval that are.
const KNOWN_APPROVAL: &[&str] = &["groups", "quorum", "excludeTeam", "expires", "reason", "grantFor"];

/// How much a rule restricts: an `allow` and a rule that only observes do nothing.
fn weight(rule: &Rule) -> u8 {
    match rule.action {
        _ if rule.observe => 0,
        Action::Allow => 0,
        Action::Hold => 1,
        Action::Deny => 2,
    }
}

fn does(rule: &Rule) -> String {
    let action = match rule.action {
        Action::Allow => "allow",
        Action::Hold => "hold",
        Action::Deny => "deny",
    };
    if rule.observe { format!("{action}, only observed") } else { action.to_owned() }
}

pub(super) fn changes(old: &[Rule], new: &[Rule]) -> Vec<Change> {
    let (before, after) = (by_name(old, |rule| &rule.name), by_name(new, |rule| &rule.name));
    let nameless = |rule: &Rule| without(json(rule), &["name", "message"]);
    let mut found = Vec::new();
    for (name, rule) in &before {
        if after.contains_key(name) {
            continue;
        }
        let twin = after
            .values()
            .find(|own| !before.contains_key(own.name.as_str()) && nameless(own) == nameless(rule));
        found.push(match twin {
            Some(twin) => {
                change(Direction::Same, "rules", format!("rule {name} is now called {}", twin.name))
            }
            None => {
                let direction = if weight(rule) == 0 { Direction::Same } else { Direction::Loosened };
                change(direction, "rules", format!("rule {name} ({}) is gone", does(rule)))
            }
        });
    }
    for (name, rule) in &after {
        match before.get(name) {
            Some(own) => compare(own, rule, &mut found),
            None => {
                let twin = before
                    .values()
                    .any(|own| !after.contains_key(own.name.as_str()) && nameless(own) == nameless(rule));
                if !twin {
                    let direction = if weight(rule) == 0 { Direction::Same } else { Direction::Tightened };
                    found.push(change(direction, "rules", format!("rule {name} ({}) is new", does(rule))));
                }
            }
        }
    }
    found
}

fn compare(old: &Rule, new: &Rule, found: &mut Vec<Change>) {
    let name = &new.name;
    let mut tell =
        |direction, what: String| found.push(change(direction, "rules", format!("rule {name}: {what}")));
    if (old.action, old.observe) != (new.action, new.observe) {
        let direction = match weight(new).cmp(&weight(old)) {
            std::cmp::Ordering::Less => Direction::Loosened,
            std::cmp::Ordering::Equal => Direction::Same,
            std::cmp::Ordering::Greater => Direction::Tightened,
        };
        tell(direction, format!("{} became {}", does(old), does(new)));
    }
    let idle = weight(old) == 0 && weight(new) == 0;
    let restricts = |more: Option<bool>| match more {
        _ if idle => Direction::Same,
        Some(true) => Direction::Tightened,
        Some(false) => Direction::Loosened,
        None => Direction::Unclear,
    };
    // Where `part` is left out, it follows from the other conditions.
    let looks = |rule: &Rule| parts(rule).into_iter().collect::<BTreeSet<Part>>();
    let (was, is) = (looks(old), looks(new));
    if was != is {
        let more = if is.is_superset(&was) {
            Some(true)
        } else if is.is_subset(&was) {
            Some(false)
        } else {
            None
        };
        let told = |parts: &BTreeSet<Part>| shown(&json(parts));
        tell(restricts(more), format!("looks at {}, where it looked at {}", told(&is), told(&was)));
    }
    let (before, after) = (json(&old.when), json(&new.when));
    for field in fields(&before, &after).into_iter().filter(|field| *field != "part") {
        let (was, is) = (before.get(field).unwrap_or(&Value::Null), after.get(field).unwrap_or(&Value::Null));
        if was == is || is_empty(was) && is_empty(is) {
            continue;
        }
        // Without `paths`, `pathsExcept` counts paths otherwise.
        let others = field == "paths" && after.get("pathsExcept").is_some_and(|except| !is_empty(except));
        let more = if others && is_empty(is) { None } else { matches_more(field, was, is) };
        // A rule that matches more restricts more.
        tell(restricts(more), format!("`when.{field}`: {} became {}", shown(was), shown(is)));
    }
    approvals(old, new, &mut tell);
    if old.message != new.message {
        tell(Direction::Same, "another message".into());
    }
    if without(json(old), KNOWN) != without(json(new), KNOWN) {
        tell(Direction::Unclear, "fields differ that this comparison does not know".into());
    }
}

fn approvals(old: &Rule, new: &Rule, tell: &mut impl FnMut(Direction, String)) {
    let (Some(before), Some(after)) = (&old.approval, &new.approval) else { return };
    let groups = |list: &[String]| list.iter().cloned().collect::<BTreeSet<String>>();
    let (was, is) = (groups(&before.groups), groups(&after.groups));
    for group in is.difference(&was) {
        tell(Direction::Loosened, format!("group {group} may now approve"));
    }
    for group in was.difference(&is) {
        tell(Direction::Tightened, format!("group {group} may no longer approve"));
    }
    let told = |duration: &sluice_engine::policy::document::Duration| duration.to_string();
    let wider = after.expires > before.expires;
    if after.expires != before.expires {
        let direction = if wider { Direction::Loosened } else { Direction::Tightened };
        tell(
            direction,
            format!("approvals may be given for {}, not {}", told(&after.expires), told(&before.expires)),
        );
    }
    if after.quorum != before.quorum {
        let fewer = after.quorum < before.quorum;
        let direction = if fewer { Direction::Loosened } else { Direction::Tightened };
        tell(direction, format!("{} must approve, not {}", people(after.quorum), people(before.quorum)));
    }
    match (before.exclude_team, after.exclude_team) {
        (true, false) => tell(Direction::Loosened, "the requester's team may now decide".into()),
        (false, true) => tell(Direction::Tightened, "the requester's team may no longer decide".into()),
        _ => {}
    }
    let longest = |approval: &Approval| approval.grant_for.unwrap_or_default();
    if longest(after) != longest(before) {
        let direction =
            if longest(after) > longest(before) { Direction::Loosened } else { Direction::Tightened };
        let what = match after.grant_for {
            Some(longest) => format!("an approval may now be for {} at most, and not once", told(&longest)),
            None => "an approval is for one thing alone, and no longer for a time".into(),
        };
        tell(direction, what);
    }
    match (before.reason, after.reason) {
        (true, false) => tell(Direction::Loosened, "an approval needs no reason any more".into()),
        (false, true) => tell(Direction::Tightened, "an approval now needs a reason".into()),
        _ => {}
    }
    if without(json(before), KNOWN_APPROVAL) != without(json(after), KNOWN_APPROVAL) {
        tell(Direction::Unclear, "the approval differs in fields that this comparison does not know".into());
    }
}

fn people(number: u32) -> String {
    if number == 1 { "one person".into() } else { format!("{number} people") }
}

fn fields<'v>(one: &'v Value, other: &'v Value) -> BTreeSet<&'v String> {
    [one, other].into_iter().filter_map(Value::as_object).flat_map(|map| map.keys()).collect()
}

/// Whether a condition that changed holds more often; `None`: it cannot be told.
fn matches_more(field: &str, was: &Value, is: &Value) -> Option<bool> {
    // An absent condition always holds; an absent exception excepts nothing.
    let exceptions = field.ends_with("Except");
    match (is_empty(was), is_empty(is)) {
        (true, false) => return Some(false),
        (false, true) => return Some(true),
        _ => {}
    }
    if let (Some(was), Some(is)) = (strings(was), strings(is)) {
        if OTHER_GLOBS.contains(&field) {
            let has = |list: &[&str], others: &[&str]| others.iter().all(|entry| list.contains(entry));
            return match (has(&is, &was), has(&was, &is)) {
                (true, false) => Some(!exceptions),
                (false, true) => Some(exceptions),
                _ => None,
            };
        }
        let set = |list: &[&str]| Set::new(list.iter().copied(), []);
        let (was, is) = (set(&was), set(&is));
        return match (is.beyond(&was), was.beyond(&is)) {
            (Beyond::Such(_), Beyond::Nothing) => Some(!exceptions),
            (Beyond::Nothing, Beyond::Such(_)) => Some(exceptions),
            _ => None,
        };
    }
    match (field, was.as_u64(), is.as_u64()) {
        ("largerThan", Some(was), Some(is)) => Some(is < was),
        _ => None,
    }
}

fn shown(value: &Value) -> String {
    match (value, strings(value)) {
        (value, _) if is_empty(value) => "nothing".into(),
        (_, Some(list)) => format!("[{}]", list.join(", ")),
        (Value::String(text), _) => format!("`{text}`"),
        (other, _) => other.to_string(),
    }
}
