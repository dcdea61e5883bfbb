//! What the claims of a verified token say about its bearer.

use serde_json::{Map, Value};

use crate::policy::document::ClaimPaths;

/// Longest subject, group or scope, in bytes.
const MAX_NAME: usize = 256;
/// Most groups or scopes.
const MAX_NAMES: usize = 1000;
/// Scopes of OpenID Connect itself (Core 1.0, sections 3.1.2.1, 5.4 and 11). Most issuers put them into every
/// token; they say nothing about the API and so do not narrow.
const OIDC_SCOPES: [&str; 6] = ["openid", "profile", "email", "address", "phone", "offline_access"];

type Claims = Map<String, Value>;

/// The subject.
pub(super) fn subject(claims: &Claims, paths: &ClaimPaths) -> Result<String, &'static str> {
    match find(claims, &paths.subject) {
        Some(Value::String(subject)) if is_name(subject) => Ok(subject.clone()),
        Some(_) => Err("its subject is not a printable string of 1 to 256 bytes"),
        None => Err("it has no subject"),
    }
}

/// Who acts for the subject (RFC 8693, section 4.1). Who acted before them stands further in, and is told to nobody.
pub(super) fn actor(claims: &Claims) -> Result<Option<String>, &'static str> {
    match claims.get("act") {
        None | Some(Value::Null) => Ok(None),
        Some(act) => match act.get("sub").and_then(Value::as_str).filter(|name| is_name(name)) {
            Some(actor) => Ok(Some(actor.to_owned())),
            None => Err(
                "its `act` does not name who acts, by a `sub` that is a printable string of 1 to 256 bytes",
            ),
        },
    }
}

/// The groups; none when the claim is absent or null.
pub(super) fn groups(claims: &Claims, paths: &ClaimPaths) -> Result<Vec<String>, &'static str> {
    let names = match find(claims, &paths.groups) {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::String(group)) => names([Some(group.as_str())]),
        Some(Value::Array(groups)) => names(groups.iter().map(Value::as_str)),
        Some(_) => None,
    };
    names.ok_or("its groups are not a list of at most 1000 printable strings of 1 to 256 bytes")
}

/// The scopes; `None` when the token carries none that narrow.
pub(super) fn scopes(claims: &Claims, paths: &ClaimPaths) -> Result<Option<Vec<String>>, &'static str> {
    let names = match find(claims, &paths.scopes) {
        None => return Ok(None),
        Some(Value::String(scopes)) => names(scopes.split(' ').filter(|s| !s.is_empty()).map(Some)),
        Some(Value::Array(scopes)) => names(scopes.iter().map(Value::as_str)),
        Some(_) => None,
    };
    let mut names = names.ok_or("its scopes are not at most 1000 printable strings of 1 to 256 bytes")?;
    let carried = names.len();
    names.retain(|scope| !OIDC_SCOPES.contains(&scope.as_str()));
    Ok(if names.is_empty() && carried > 0 { None } else { Some(names) })
}

/// Whether `aud`, a name or several, has one of `audiences`.
pub fn has_audience(claims: &Claims, audiences: &[String]) -> bool {
    match claims.get("aud") {
        Some(Value::String(audience)) => audiences.contains(audience),
        Some(Value::Array(list)) => {
            list.iter().filter_map(Value::as_str).any(|a| audiences.iter().any(|b| a == b))
        }
        _ => false,
    }
}

/// A time claim (seconds, possibly with a fraction) in milliseconds. `Err`: there, but not a time.
pub(super) fn time_ms(claims: &Claims, name: &str) -> Result<Option<u64>, ()> {
    /// The year 33658: beyond it nobody means a date.
    const LATEST_SECONDS: f64 = 1e12;
    let Some(value) = claims.get(name) else { return Ok(None) };
    match value.as_f64() {
        Some(seconds) if (0.0..LATEST_SECONDS).contains(&seconds) => Ok(Some((seconds * 1000.0) as u64)),
        _ => Err(()),
    }
}

/// A claim by its path: a literal name first, then member by member.
fn find<'c>(claims: &'c Claims, path: &str) -> Option<&'c Value> {
    if let Some(value) = claims.get(path) {
        return Some(value);
    }
    let (first, rest) = path.split_once('.')?;
    find(claims.get(first)?.as_object()?, rest)
}

fn names<'c>(list: impl IntoIterator<Item = Option<&'c str>>) -> Option<Vec<String>> {
    let mut names = Vec::new();
    for name in list {
        let name = name.filter(|name| is_name(name))?;
        if names.len() == MAX_NAMES {
            return None;
        }
        names.push(name.to_owned());
    }
    Some(names)
}

fn is_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len()) && !name.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(value: Value) -> Claims {
        value.as_object().cloned().expect("an object")
    }

    fn paths(groups: &str) -> ClaimPaths {
        ClaimPaths { groups: groups.into(), ..ClaimPaths::default() }
    }

    #[test]
    fn who_acts_for_the_subject_is_named_or_the_token_is_refused() {
        let act = |value: Value| actor(&claims(value));
        assert_eq!(act(json!({})), Ok(None));
        assert_eq!(act(json!({"act": null})), Ok(None));
        assert_eq!(
            act(json!({"act": {"sub": "agent-7", "act": {"sub": "before"}}})),
            Ok(Some("agent-7".into()))
        );
        for act_claim in [
            json!("agent-7"),
            json!({}),
            json!({"sub": ""}),
            json!({"sub": 7}),
            json!({"sub": "a\nb"}),
            json!([]),
        ] {
            assert!(act(json!({"act": act_claim})).is_err(), "{act_claim}");
        }
    }

    #[test]
    fn groups_are_found_by_literal_name_or_by_path() {
        for (path, value, expected) in [
            ("groups", json!({"groups": ["a", "b"]}), vec!["a", "b"]),
            ("groups", json!({"groups": "a"}), vec!["a"]),
            ("groups", json!({"groups": []}), vec![]),
            ("groups", json!({"groups": null}), vec![]),
            ("groups", json!({}), vec![]),
            ("realm_access.roles", json!({"realm_access": {"roles": ["a"]}}), vec!["a"]),
            ("realm_access.roles", json!({"realm_access": "a"}), vec![]),
            ("https://x.example/groups", json!({"https://x.example/groups": ["a"]}), vec!["a"]),
            ("a.b.c", json!({"a": {"b.c": ["x"], "b": {"c": ["y"]}}}), vec!["x"]),
            ("a.b", json!({"a.b": ["literal"], "a": {"b": ["path"]}}), vec!["literal"]),
        ] {
            let found = groups(&claims(value.clone()), &paths(path));
            assert_eq!(found.expect("groups"), expected, "{path} in {value}");
        }
    }

    #[test]
    fn groups_that_cannot_be_read_are_an_error_and_never_silently_fewer() {
        let many: Vec<_> = (0..=MAX_NAMES).map(|n| n.to_string()).collect();
        for value in [
            json!(1),
            json!({}),
            json!(["a", 1]),
            json!(["a", null]),
            json!([""]),
            json!(["a\n"]),
            json!(["x".repeat(257)]),
            json!(many),
        ] {
            assert!(groups(&claims(json!({"groups": value})), &paths("groups")).is_err(), "{value}");
        }
    }

    #[test]
    fn scopes_narrow_unless_the_token_carries_none_of_its_own() {
        let some = |names: &[&str]| Some(names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>());
        for (value, expected) in [
            (json!({}), None),
            (json!({"scope": "messages.create files.read"}), some(&["messages.create", "files.read"])),
            (json!({"scope": ["messages.create"]}), some(&["messages.create"])),
            (json!({"scope": "openid profile messages.create"}), some(&["messages.create"])),
            (json!({"scope": "openid profile email"}), None),
            (json!({"scope": ""}), some(&[])),
            (json!({"scope": []}), some(&[])),
        ] {
            assert_eq!(scopes(&claims(value.clone()), &paths("groups")), Ok(expected), "{value}");
        }
        for value in [json!(null), json!(1), json!({}), json!(["a", 1])] {
            assert!(scopes(&claims(json!({"scope": value})), &paths("groups")).is_err(), "{value}");
        }
    }

    #[test]
    fn a_time_is_a_number_of_seconds() {
        let time = |value: Value| time_ms(&claims(json!({"exp": value})), "exp");
        assert_eq!(time(json!(1_700_000_000)), Ok(Some(1_700_000_000_000)));
        assert_eq!(time(json!(1.5)), Ok(Some(1500)));
        assert_eq!(time_ms(&Claims::new(), "exp"), Ok(None));
        for value in [json!("1700000000"), json!(-1), json!(1e300), json!(null), json!(true), json!([1])] {
            assert_eq!(time(value.clone()), Err(()), "{value}");
        }
    }
}
