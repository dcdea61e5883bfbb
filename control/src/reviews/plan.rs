//! Which items a review has, and what the figures suggest for each.

use std::collections::BTreeMap;

use sluice_engine::budget::utc;
use sluice_engine::policy::bundle::Part;
use sluice_engine::policy::document::ReviewScope;
use sluice_engine::policy::glob::Glob;

use super::access::{Access, Right, Through, UNUSED};
use super::campaign::{Choice, Item, Seen, Suggestion};
use super::usage::Names;

/// Names of models or tools that an item repeats.
const NAMED: usize = 50;

/// The items of one identity, without numbers: what bindings give, role by role, and each grant.
///
/// `since_ms`: the first record of all.
pub fn items(access: &Access, scope: &ReviewScope, since_ms: Option<u64>, now_ms: u64) -> Vec<Item> {
    let mut items = Vec::new();
    let mut grants: BTreeMap<&str, Vec<&Right>> = BTreeMap::new();
    for right in access.rights.iter() {
        for through in &right.through {
            if let Through::Grant { grant, .. } = through {
                grants.entry(grant).or_default().push(right);
            }
        }
        if !is_in(scope, access, right) {
            continue;
        }
        let bound = right.through.iter().any(|through| !matches!(through, Through::Grant { .. }));
        let all_taken = right.withheld.iter().any(|withheld| withheld.part.is_none());
        if bound && !all_taken {
            let through = right.through.iter().filter(|through| !matches!(through, Through::Grant { .. }));
            let right = Right { through: through.cloned().collect(), ..right.clone() };
            items.push(item(access, right, None, since_ms, now_ms));
        }
    }
    // A grant is revoked as a whole: one of its roles is enough, and all are named.
    grants.retain(|_, rights| rights.iter().any(|right| is_in(scope, access, right)));
    for (grant, rights) in grants {
        let Some(first) = rights.first() else { continue };
        let names: Vec<&str> = rights.iter().map(|right| right.role.as_str()).collect();
        let own = |through: &&Through| matches!(through, Through::Grant { grant: own, .. } if own == grant);
        let through = first.through.iter().filter(own).cloned().collect();
        let used = rights.iter().filter_map(|right| right.used).max_by_key(|used| used.last_ms);
        let role = names.join(", ");
        let right = Right { role, through, used, unused: Part::default(), ..(*first).clone() };
        items.push(item(access, right, Some(grant.to_owned()), since_ms, now_ms));
    }
    items
}

fn item(access: &Access, right: Right, grant: Option<String>, since_ms: Option<u64>, now_ms: u64) -> Item {
    let since = now_ms.saturating_sub(UNUSED.as_millis());
    let seen = access.used.as_ref().map(|used| Seen {
        first_ms: used.first_ms,
        last_ms: used.last_ms,
        exchanges: used.exchanges,
        denied: used.denied,
        held: used.held,
        findings: used.findings,
        models: fitting(&used.models, since, &right.models),
        tools: match &right.tools {
            Some(tools) => fitting(&used.tools, since, tools),
            None => used.tools.since(since).take(NAMED).map(str::to_owned).collect(),
        },
    });
    let suggestion = suggest(access, &right, grant.is_some(), since_ms, now_ms);
    Item {
        n: 0,
        issuer: access.issuer.clone(),
        subject: access.subject.clone(),
        groups: access.used.as_ref().map(|used| used.groups.clone()).unwrap_or_default(),
        role: right.role.clone(),
        grant,
        right,
        seen,
        suggestion,
        decision: None,
    }
}

fn fitting(names: &Names, since_ms: u64, entries: &[String]) -> Vec<String> {
    let globs: Vec<Glob> = entries.iter().filter_map(|entry| Glob::new(entry).ok()).collect();
    let fit = names.since(since_ms).filter(|name| globs.iter().any(|glob| glob.matches(name)));
    fit.take(NAMED).map(str::to_owned).collect()
}

/// Whether a review looks at this right.
fn is_in(scope: &ReviewScope, access: &Access, right: &Right) -> bool {
    let by_group = |group: &String| {
        let had = access.used.as_ref().is_some_and(|used| used.groups.contains(group));
        let through =
            |through: &Through| matches!(through, Through::Group { group: own, .. } if own == group);
        had || right.through.iter().any(through)
    };
    let meets = |wanted: &[String], given: &[String]| {
        let globs =
            |texts: &[String]| texts.iter().filter_map(|text| Glob::new(text).ok()).collect::<Vec<_>>();
        let (wanted, given) = (globs(wanted), globs(given));
        wanted.iter().any(|wanted| given.iter().any(|given| wanted.meets(given)))
    };
    (scope.groups.is_empty() || scope.groups.iter().any(by_group))
        && (scope.roles.is_empty() || scope.roles.contains(&right.role))
        && (scope.models.is_empty() || meets(&scope.models, &right.models))
        && (scope.tools.is_empty() || right.tools.as_ref().is_none_or(|tools| meets(&scope.tools, tools)))
}

/// What the figures suggest. Nothing is called unused that nobody has watched for ninety days.
fn suggest(access: &Access, right: &Right, is_grant: bool, since_ms: Option<u64>, now_ms: u64) -> Suggestion {
    let since = now_ms.saturating_sub(UNUSED.as_millis());
    let watched = since_ms.is_some_and(|first| first <= since);
    let say = |choice, part, why: String| Suggestion { choice, part, why };
    if let Some(used) = right.used.filter(|used| used.last_ms >= since) {
        let taken = |list: fn(&Part) -> &Vec<String>, entry: &String| {
            right.withheld.iter().any(|w| w.part.as_ref().is_some_and(|part| list(part).contains(entry)))
        };
        let left = |entries: &[String], list: fn(&Part) -> &Vec<String>| -> Vec<String> {
            entries.iter().filter(|entry| !taken(list, entry)).cloned().collect()
        };
        let part = Part {
            scopes: Vec::new(),
            models: left(&right.unused.models, |part| &part.models),
            tools: left(&right.unused.tools, |part| &part.tools),
        };
        if watched && !is_grant && !part.is_empty() {
            let names = [&part.models[..], &part.tools].concat().join(", ");
            return say(Some(Choice::Reduce), Some(part), format!("not used in ninety days: {names}"));
        }
        let why = format!("used {} times, last {} UTC", used.count, utc(used.last_ms));
        return say(Some(Choice::Certify), None, why);
    }
    if !watched {
        let why = match since_ms {
            Some(first) => format!("no use seen, and use is known since {} UTC only", utc(first)),
            None => "no use seen, and nothing is recorded yet".into(),
        };
        return say(None, None, why);
    }
    let whole = access.used.as_ref().is_none_or(|used| {
        used.roles.is_whole_since(since) && used.without_roles.is_none_or(|without| without.last_ms < since)
    });
    if !whole {
        let why = "no use seen, and not all of its exchanges tell which role they used";
        return say(None, None, why.into());
    }
    let why = match right.used {
        Some(used) => format!("not used since {} UTC", utc(used.last_ms)),
        None => format!("never used, as far as records go: since {} UTC", utc(since_ms.unwrap_or_default())),
    };
    say(Some(Choice::Revoke), None, why)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::reviews::access::tests::{DAY, NOW, grant, known, policy, used};

    const LONG_AGO: Option<u64> = Some(NOW - 200 * DAY);

    fn of(records: &[(&str, u64, Value)], scope: Value, since: Option<u64>) -> Vec<Item> {
        let (policy, grants) = (policy(), [grant()]);
        let access = known(&policy, &grants, &[]).access("own", "ana", Some(used(records)));
        items(&access, &serde_json::from_value(scope).unwrap(), since, NOW)
    }

    fn told(items: &[Item]) -> Vec<(&str, Option<Choice>)> {
        items.iter().map(|item| (item.role.as_str(), item.suggestion.choice)).collect()
    }

    #[test]
    fn what_was_not_used_for_ninety_days_is_to_go_and_what_was_used_in_part_is_to_shrink() {
        use Choice::{Certify, Reduce, Revoke};
        let sonnet = json!({"roles": ["reader"], "model": "claude-sonnet-4-5"});
        let items = of(
            &[("open", NOW - DAY, sonnet.clone()), ("close", NOW - DAY, json!({"calls": {"Read": 1}}))],
            json!({}),
            LONG_AGO,
        );
        assert_eq!(
            told(&items),
            [("reader", Some(Reduce)), ("writer", Some(Revoke)), ("robot", Some(Revoke))]
        );
        let part = items[0].suggestion.part.clone().unwrap();
        assert_eq!(
            (part.models, part.tools, part.scopes),
            (vec!["claude-opus-*".into()], vec!["Bash".into()], vec![])
        );
        assert_eq!((items[0].grant.as_deref(), items[2].grant.as_deref()), (None, Some("g1")));
        let seen = items[0].seen.as_ref().unwrap();
        assert_eq!(
            (&seen.models[..], &seen.tools[..]),
            (&["claude-sonnet-4-5".to_owned()][..], &["Read".to_owned()][..])
        );

        // Watched for a month only, nothing is called unused.
        let items = of(&[("open", NOW - DAY, sonnet.clone())], json!({}), Some(NOW - 30 * DAY));
        assert_eq!(told(&items), [("reader", Some(Certify)), ("writer", None), ("robot", None)]);

        let old = of(&[("open", NOW - 91 * DAY, sonnet)], json!({"roles": ["reader"]}), LONG_AGO);
        assert_eq!(told(&old), [("reader", Some(Revoke))]);
        assert!(old[0].suggestion.why.contains("not used since"), "{}", old[0].suggestion.why);
    }

    #[test]
    fn records_that_do_not_name_roles_let_nothing_be_called_unused() {
        let items = of(&[("open", NOW - DAY, json!({"model": "claude-x"}))], json!({}), LONG_AGO);
        assert!(items.iter().all(|item| item.suggestion.choice.is_none()), "{:?}", told(&items));
    }

    #[test]
    fn a_scope_narrows_to_groups_roles_models_and_tools() {
        let seen = [("open", NOW, json!({"roles": ["reader"]}))];
        for (scope, roles) in [
            (json!({}), vec!["reader", "writer", "robot"]),
            (json!({"groups": ["staff"]}), vec!["reader", "writer", "robot"]),
            (json!({"groups": ["others"]}), vec![]),
            (json!({"roles": ["writer"]}), vec!["writer"]),
            (json!({"models": ["claude-haiku-*"]}), vec!["writer"]),
            (json!({"models": ["claude-sonnet-4-?"]}), vec!["reader", "writer"]),
            (json!({"tools": ["Bash"]}), vec!["reader", "writer", "robot"]),
            (json!({"tools": ["Write"]}), vec!["writer", "robot"]),
            (json!({"tools": ["Write"], "models": ["claude-*"]}), vec!["writer"]),
        ] {
            let items = of(&seen, scope.clone(), LONG_AGO);
            assert_eq!(items.iter().map(|item| item.role.as_str()).collect::<Vec<_>>(), roles, "{scope}");
        }
    }

    #[test]
    fn what_was_taken_back_before_is_not_looked_at_again() {
        let (policy, usage) = (policy(), used(&[("open", NOW, json!({}))]));
        let withheld = serde_json::from_value(
            json!([{"id": "w", "issuer": "own", "subject": "ana", "role": "writer"},
                   {"id": "v", "issuer": "own", "subject": "ana", "role": "reader", "part": {"tools": ["Bash"]}}]),
        );
        let withheld: Vec<_> = withheld.unwrap();
        let access = known(&policy, &[], &withheld).access("own", "ana", Some(usage));
        let items = items(&access, &ReviewScope::default(), LONG_AGO, NOW);
        assert_eq!(items.iter().map(|item| item.role.as_str()).collect::<Vec<_>>(), ["reader"]);
    }
}
