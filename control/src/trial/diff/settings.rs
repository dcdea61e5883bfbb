//! Masking, issuers, recording, limits, who may use control, and every field that is not known here.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sluice_engine::mask::Masker;
use sluice_engine::policy::document::{
    Duration, Issuer, MaskMode, MaskStyle, Masking, MediaAction, Policy, RecordMode, ToolInputMasking,
};

use super::fields::{is_empty, without};
use super::{Change, Direction, by_name, change, entries, json};

/// Fields of a policy that are compared by meaning; a change of any other is unclear.
const KNOWN: &[&str] = &["issuers", "roles", "bindings", "masking", "rules", "recording", "limits", "access"];

pub(super) fn changes(old: &Policy, new: &Policy) -> Vec<Change> {
    let mut found = Vec::new();
    masking(&old.masking, &new.masking, &mut found);
    issuers(old, new, &mut found);
    recording(old, new, &mut found);
    limits(old, new, &mut found);
    access(old, new, &mut found);
    let known = [KNOWN, entries::AREAS].concat();
    let (before, after) = (without(json(old), &known), without(json(new), &known));
    unknown("", &before, &after, &mut found);
    found
}

fn push(found: &mut Vec<Change>, direction: Direction, area: &str, what: impl Into<String>) {
    found.push(change(direction, area, what));
}

/// Fields that differ and that nobody compares by meaning.
fn unknown(area: &str, old: &Value, new: &Value, found: &mut Vec<Change>) {
    let fields: BTreeSet<&String> =
        [old, new].into_iter().filter_map(Value::as_object).flat_map(|map| map.keys()).collect();
    for field in fields {
        let (was, is) = (old.get(field).unwrap_or(&Value::Null), new.get(field).unwrap_or(&Value::Null));
        if was != is && !(is_empty(was) && is_empty(is)) {
            let area = if area.is_empty() { field } else { area };
            push(found, Direction::Unclear, area, format!("`{field}` differs"));
        }
    }
}

fn masking(old: &Masking, new: &Masking, found: &mut Vec<Change>) {
    let area = "masking";
    let mode = |mode: MaskMode| match mode {
        MaskMode::Off => 0,
        MaskMode::Observe => 1,
        MaskMode::Enforce => 2,
    };
    if old.mode != new.mode {
        let direction =
            if mode(new.mode) < mode(old.mode) { Direction::Loosened } else { Direction::Tightened };
        let what = format!("`mode`: {} became {}", word(&old.mode), word(&new.mode));
        push(found, direction, area, what);
    }
    kinds(old, new, found);
    let media = |media: MediaAction| match media {
        MediaAction::Allow => 0,
        MediaAction::Hold => 1,
        MediaAction::Deny => 2,
    };
    for (field, was, is) in [
        ("restore", u8::from(!old.restore), u8::from(!new.restore)),
        (
            "toolInputs",
            u8::from(old.tool_inputs == ToolInputMasking::Mask),
            u8::from(new.tool_inputs == ToolInputMasking::Mask),
        ),
        ("media", media(old.media), media(new.media)),
    ] {
        if was != is {
            let direction = if is < was { Direction::Loosened } else { Direction::Tightened };
            let (before, after) = (json(old), json(new));
            let told = |value: &Value| value.get(field).map(word).unwrap_or_default();
            push(found, direction, area, format!("`{field}`: {} became {}", told(&before), told(&after)));
        }
    }
    let (before, after) = (by_name(&old.custom, |own| &own.name), by_name(&new.custom, |own| &own.name));
    for (name, pattern) in &after {
        // New and removed ones show among the kinds.
        if before.get(name).is_some_and(|own| own != pattern) {
            push(found, Direction::Unclear, area, format!("the pattern {name} differs"));
        }
    }
    let known = ["mode", "mask", "kinds", "packs", "custom", "restore", "toolInputs", "media"];
    unknown(area, &without(json(old), &known), &without(json(new), &known), found);
}

/// Which kinds are looked for, and what takes their place.
fn kinds(old: &Masking, new: &Masking, found: &mut Vec<Change>) {
    // The key makes masks; which kinds there are does not depend on it.
    let all = |masking: &Masking| -> BTreeMap<String, MaskStyle> {
        let masker = Masker::new(masking, &[0; 32]).ok();
        masker.iter().flat_map(Masker::kinds).map(|(kind, style)| (kind.to_owned(), style)).collect()
    };
    let (before, after) = (all(old), all(new));
    let list = |one: &BTreeMap<String, MaskStyle>, other: &BTreeMap<String, MaskStyle>| -> Vec<String> {
        one.keys().filter(|kind| !other.contains_key(*kind)).cloned().collect()
    };
    let styled = |was: MaskStyle, is: MaskStyle| -> Vec<String> {
        let changed = before.iter().filter(|(kind, own)| **own == was && after.get(*kind) == Some(&is));
        changed.map(|(kind, _)| kind.clone()).collect()
    };
    for (direction, what, kinds) in [
        (Direction::Loosened, "no longer masked", list(&before, &after)),
        (Direction::Tightened, "now masked", list(&after, &before)),
        (
            Direction::Loosened,
            "a pseudonym where it was redacted",
            styled(MaskStyle::Redact, MaskStyle::Pseudonym),
        ),
        (
            Direction::Tightened,
            "redacted where it was a pseudonym",
            styled(MaskStyle::Pseudonym, MaskStyle::Redact),
        ),
    ] {
        if !kinds.is_empty() {
            push(found, direction, "masking", format!("{what}: {}", kinds.join(", ")));
        }
    }
}

fn issuers(old: &Policy, new: &Policy, found: &mut Vec<Change>) {
    let area = "issuers";
    let (before, after) = (by_name(&old.issuers, |own| &own.name), by_name(&new.issuers, |own| &own.name));
    for (name, issuer) in &before {
        if !after.contains_key(name) {
            push(
                found,
                Direction::Tightened,
                area,
                format!("tokens of {name} ({}) are no longer taken", issuer.issuer),
            );
        }
    }
    for (name, issuer) in &after {
        match before.get(name) {
            None => push(
                found,
                Direction::Loosened,
                area,
                format!("tokens of {name} ({}) are now taken", issuer.issuer),
            ),
            Some(own) => one_issuer(own, issuer, found),
        }
    }
}

fn one_issuer(old: &Issuer, new: &Issuer, found: &mut Vec<Change>) {
    let name = &new.name;
    let list = |issuer: &Issuer| issuer.audiences.iter().cloned().collect::<BTreeSet<String>>();
    let (before, after) = (list(old), list(new));
    for audience in after.difference(&before) {
        push(found, Direction::Loosened, "issuers", format!("{name}: tokens for {audience} are now taken"));
    }
    for audience in before.difference(&after) {
        push(
            found,
            Direction::Tightened,
            "issuers",
            format!("{name}: tokens for {audience} are no longer taken"),
        );
    }
    if old.max_lifetime != new.max_lifetime {
        let longer = new.max_lifetime > old.max_lifetime;
        let direction = if longer { Direction::Loosened } else { Direction::Tightened };
        let what = format!("{name}: tokens may live {}, not {}", new.max_lifetime, old.max_lifetime);
        push(found, direction, "issuers", what);
    }
    if old.refresh != new.refresh {
        let direction = if new.refresh > old.refresh { Direction::Loosened } else { Direction::Tightened };
        let lasts = |refresh: Option<Duration>| refresh.map_or("no time".to_owned(), |own| own.to_string());
        let what = format!("{name}: sign-ins may last {}, not {}", lasts(new.refresh), lasts(old.refresh));
        push(found, direction, "issuers", what);
    }
    let known = ["name", "audiences", "maxLifetime", "refresh"];
    let (before, after) = (without(json(old), &known), without(json(new), &known));
    let mut others = Vec::new();
    unknown("issuers", &before, &after, &mut others);
    found.extend(others.into_iter().map(|one| Change { what: format!("{name}: {}", one.what), ..one }));
}

fn recording(old: &Policy, new: &Policy, found: &mut Vec<Change>) {
    let rank = |mode: RecordMode| match mode {
        RecordMode::Off => 0,
        RecordMode::Background => 1,
        RecordMode::BeforeForward => 2,
    };
    let (was, is) = (old.recording.mode, new.recording.mode);
    if was != is {
        let direction = if rank(is) < rank(was) { Direction::Loosened } else { Direction::Tightened };
        push(found, direction, "recording", format!("`mode`: {} became {}", word(&was), word(&is)));
    }
    let (before, after) =
        (without(json(&old.recording), &["mode"]), without(json(&new.recording), &["mode"]));
    unknown("recording", &before, &after, found);
}

fn limits(old: &Policy, new: &Policy, found: &mut Vec<Change>) {
    let of = |policy: &Policy| {
        let limits = &policy.limits;
        [
            ("bodyBytes", limits.body_bytes, limits.body_bytes.to_string()),
            ("depth", limits.depth.into(), limits.depth.to_string()),
            ("bundleAge", limits.bundle_age.as_seconds(), limits.bundle_age.to_string()),
        ]
    };
    for ((field, was, before), (_, is, after)) in of(old).into_iter().zip(of(new)) {
        if was != is {
            let direction = if is > was { Direction::Loosened } else { Direction::Tightened };
            push(found, direction, "limits", format!("`{field}`: {before} became {after}"));
        }
    }
    let known = ["bodyBytes", "depth", "bundleAge"];
    unknown("limits", &without(json(&old.limits), &known), &without(json(&new.limits), &known), found);
}

fn access(old: &Policy, new: &Policy, found: &mut Vec<Change>) {
    let (before, after) = (json(&old.access), json(&new.access));
    let fields: BTreeSet<&String> =
        [&before, &after].into_iter().filter_map(Value::as_object).flat_map(|map| map.keys()).collect();
    for field in fields {
        // Teams give nothing, they take: more of them keep more people from deciding.
        let (more, less) = match field.as_str() {
            "teams" => (Direction::Tightened, Direction::Loosened),
            _ => (Direction::Loosened, Direction::Tightened),
        };
        let list = |value: &Value| -> Option<BTreeSet<String>> {
            let Some(list) = value.get(field) else { return Some(BTreeSet::new()) };
            let list = list.as_array()?;
            list.iter().map(|group| group.as_str().map(str::to_owned)).collect()
        };
        let (Some(was), Some(is)) = (list(&before), list(&after)) else {
            if before.get(field) != after.get(field) {
                push(found, Direction::Unclear, "access", format!("`{field}` differs"));
            }
            continue;
        };
        for group in is.difference(&was) {
            push(found, more, "access", format!("group {group} is now among the {field}"));
        }
        for group in was.difference(&is) {
            push(found, less, "access", format!("group {group} is no longer among the {field}"));
        }
    }
}

/// A value as the policy writes it.
fn word(value: &impl serde::Serialize) -> String {
    match json(value) {
        Value::String(text) => text,
        other => other.to_string(),
    }
}
