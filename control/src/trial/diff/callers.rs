//! What callers get out of their roles.

use std::collections::{BTreeMap, BTreeSet};

use sluice_engine::claude::routes;
use sluice_engine::mask::Masker;
use sluice_engine::policy::document::{AllowDeny, Offered, Policy, Role};
use sluice_engine::policy::rights::role_masks;

use super::language::{Beyond, Set};
use super::{Change, Direction, fields, json};

/// Names that are tried first, since they say more than the shortest example.
const TOOLS: &[&str] = &[
    "Bash",
    "Read",
    "Write",
    "Edit",
    "MultiEdit",
    "NotebookEdit",
    "Glob",
    "Grep",
    "WebFetch",
    "WebSearch",
    "Task",
];
const SERVER_TOOLS: &[&str] =
    &["web_search", "web_fetch", "code_execution", "tool_search_tool_regex", "advisor"];
const MODELS: &[&str] = &["claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5"];

/// Fields of a role that are compared by meaning.
const KNOWN: &[&str] = &[
    "name",
    "scopes",
    "models",
    "tools",
    "serverTools",
    "mcpServers",
    "betas",
    "maxTokens",
    "thinkingBudget",
    "unmasked",
    "offered",
];

/// A kind of caller: all of a group, one subject, or whoever is granted a role that no binding gives.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Group(String),
    Subject(String),
    Role(String),
}

/// Changes of rights. The same change for several callers is one change.
pub(super) fn changes(old: &Policy, new: &Policy) -> Vec<Change> {
    let mut merged: BTreeMap<(Direction, String), Vec<String>> = BTreeMap::new();
    let mut all: BTreeSet<Who> = [old, new].into_iter().flat_map(callers).collect();
    let bound =
        |role: &Role| [old, new].iter().flat_map(|p| &p.bindings).any(|b| b.roles.contains(&role.name));
    let roles = [old, new].into_iter().flat_map(|policy| &policy.roles).filter(|role| !bound(role));
    all.extend(roles.map(|role| Who::Role(role.name.clone())));
    for who in &all {
        let issuers: BTreeSet<&str> =
            [old, new].iter().flat_map(|policy| &policy.issuers).map(|issuer| issuer.name.as_str()).collect();
        let found: Vec<(&str, Vec<(Direction, String)>)> = issuers
            .iter()
            .map(|issuer| (*issuer, compared(&View::new(old, who, issuer), &View::new(new, who, issuer))))
            .collect();
        let same = found.windows(2).all(|pair| matches!(pair, [(_, a), (_, b)] if a == b));
        let named = match who {
            Who::Group(name) => format!("group {name}"),
            Who::Subject(name) => format!("subject {name}"),
            Who::Role(name) => format!("role {name}, where it is granted"),
        };
        for (issuer, changes) in found.iter().take(if same { 1 } else { usize::MAX }) {
            let of = if same { String::new() } else { format!(" (issuer {issuer})") };
            for change in changes {
                merged.entry(change.clone()).or_default().push(format!("{named}{of}"));
            }
        }
    }
    let change = |((direction, what), who)| Change { direction, area: "rights".into(), who, what };
    merged.into_iter().map(change).collect()
}

fn callers(policy: &Policy) -> BTreeSet<Who> {
    let mut all = BTreeSet::new();
    for binding in &policy.bindings {
        all.extend(binding.groups.iter().cloned().map(Who::Group));
        all.extend(binding.subjects.iter().cloned().map(Who::Subject));
    }
    all
}

/// What a caller gets out of a policy.
struct View<'p> {
    roles: Vec<&'p Role>,
    masker: Option<Masker>,
}

impl<'p> View<'p> {
    fn new(policy: &'p Policy, who: &Who, issuer: &str) -> Self {
        // Nobody comes from an issuer that the policy does not have.
        let known = policy.issuers.iter().any(|own| own.name == issuer);
        let bound = |role: &&Role| {
            let (name, subjects) = match who {
                Who::Role(name) => return known && role.name == *name,
                Who::Group(name) => (name, false),
                Who::Subject(name) => (name, true),
            };
            known
                && policy.bindings.iter().any(|binding| {
                    let list = if subjects { &binding.subjects } else { &binding.groups };
                    list.contains(name)
                        && binding.issuer.as_ref().is_none_or(|own| own == issuer)
                        && binding.roles.contains(&role.name)
                })
        };
        let roles = policy.roles.iter().filter(bound).collect();
        // The key makes masks; which kinds are masked does not depend on it.
        Self { roles, masker: Masker::new(&policy.masking, &[0; 32]).ok() }
    }

    fn scopes(&self) -> BTreeSet<&'static str> {
        let given = Set::new(self.roles.iter().flat_map(|role| &role.scopes).map(String::as_str), []);
        routes::scopes().into_iter().filter(|scope| given.has(scope)).collect()
    }

    fn models(&self) -> Set {
        Set::new(self.roles.iter().flat_map(|role| &role.models).map(String::as_str), [])
    }

    fn lists(&self, of: impl Fn(&Role) -> &AllowDeny, all_by_default: bool) -> (Vec<&str>, Vec<&str>) {
        let of = &of;
        let mut allow = Vec::new();
        let mut deny = Vec::new();
        for role in &self.roles {
            let lists: &'p AllowDeny = of(role);
            match &lists.allow {
                Some(list) => allow.extend(list.iter().map(String::as_str)),
                None if all_by_default => allow.push("*"),
                None => {}
            }
            deny.extend(lists.deny.iter().map(String::as_str));
        }
        (allow, deny)
    }

    /// The largest; `None`: no limit.
    fn limit(&self, of: impl Fn(&Role) -> Option<u64>) -> Option<u64> {
        self.roles.iter().try_fold(0, |largest, role| of(role).map(|limit| limit.max(largest)))
    }

    /// The kinds of findings that reach the model as they are, among those that are looked for.
    fn unmasked(&self) -> BTreeSet<String> {
        let Some(masker) = &self.masker else { return BTreeSet::new() };
        let masks: Vec<_> = self.roles.iter().map(|role| role_masks(role)).collect();
        let profile = masker.profile(&masks);
        let nobody = masker.profile(&[]);
        let kinds = masker.kinds().map(|(kind, _)| kind);
        kinds
            .filter(|kind| masker.masks(kind, &nobody) && !masker.masks(kind, &profile))
            .map(str::to_owned)
            .collect()
    }
}

fn compared(old: &View<'_>, new: &View<'_>) -> Vec<(Direction, String)> {
    let mut found = Vec::new();
    if old.roles.is_empty() && new.roles.is_empty() {
        return found;
    }
    let (before, after) = (old.scopes(), new.scopes());
    names("may now use the scopes", Direction::Loosened, after.difference(&before).copied(), &mut found);
    names(
        "may no longer use the scopes",
        Direction::Tightened,
        before.difference(&after).copied(),
        &mut found,
    );
    sets("models", &old.models(), &new.models(), MODELS, &mut found);
    lists(
        "tools",
        old.lists(|role| &role.tools, true),
        new.lists(|role| &role.tools, true),
        TOOLS,
        &mut found,
    );
    lists(
        "tools that run at the provider",
        old.lists(|role| &role.server_tools, false),
        new.lists(|role| &role.server_tools, false),
        SERVER_TOOLS,
        &mut found,
    );
    lists(
        "MCP servers",
        old.lists(|role| &role.mcp_servers, false),
        new.lists(|role| &role.mcp_servers, false),
        &[],
        &mut found,
    );
    // Of somebody who had nothing, or has nothing now, enough is said.
    if !old.roles.is_empty() && !new.roles.is_empty() {
        bounds(old, new, &mut found);
    }
    let (before, after) = (old.unmasked(), new.unmasked());
    let kinds = |one: &BTreeSet<String>, other: &BTreeSet<String>| -> Vec<String> {
        one.difference(other).cloned().collect()
    };
    let (more, fewer) = (kinds(&after, &before), kinds(&before, &after));
    names("is no longer masked for", Direction::Loosened, more.iter().map(String::as_str), &mut found);
    names("is now masked for", Direction::Tightened, fewer.iter().map(String::as_str), &mut found);
    rest(old, new, &mut found);
    found
}

/// What bounds the requests of a caller who has roles.
fn bounds(old: &View<'_>, new: &View<'_>, found: &mut Vec<(Direction, String)>) {
    lists("betas", old.lists(|role| &role.betas, true), new.lists(|role| &role.betas, true), &[], found);
    let refuses = |view: &View<'_>| view.roles.iter().any(|role| role.offered == Offered::Refuse);
    match (refuses(old), refuses(new)) {
        (false, true) => found.push((
            Direction::Tightened,
            "requests that offer more than is allowed are refused, no longer filtered".into(),
        )),
        (true, false) => found.push((
            Direction::Loosened,
            "requests that offer more than is allowed are filtered, no longer refused".into(),
        )),
        _ => {}
    }
    limits("max_tokens", old.limit(|role| role.max_tokens), new.limit(|role| role.max_tokens), found);
    limits(
        "thinking.budget_tokens",
        old.limit(|role| role.thinking_budget),
        new.limit(|role| role.thinking_budget),
        found,
    );
}

/// Fields of roles that are not known here.
fn rest(old: &View<'_>, new: &View<'_>, found: &mut Vec<(Direction, String)>) {
    let others = |view: &View<'_>| -> Vec<serde_json::Value> {
        let plain = json(&Role::default());
        let of = |role: &&Role| {
            let mut rest = fields::without(json(*role), KNOWN);
            if let Some(map) = rest.as_object_mut() {
                map.retain(|field, value| plain.get(field) != Some(value));
            }
            rest
        };
        view.roles.iter().map(of).filter(|rest| rest.as_object().is_some_and(|map| !map.is_empty())).collect()
    };
    let (before, after) = (others(old), others(new));
    if before != after {
        let fields = fields::differing(&before, &after).join(", ");
        found.push((Direction::Unclear, format!("other fields of the roles differ ({fields})")));
    }
}

fn names<'n>(
    what: &str,
    direction: Direction,
    names: impl Iterator<Item = &'n str>,
    found: &mut Vec<(Direction, String)>,
) {
    let names: Vec<&str> = names.collect();
    if !names.is_empty() {
        found.push((direction, format!("{what} {}", names.join(", "))));
    }
}

fn lists(
    what: &str,
    (old_allow, old_deny): (Vec<&str>, Vec<&str>),
    (new_allow, new_deny): (Vec<&str>, Vec<&str>),
    known: &[&str],
    found: &mut Vec<(Direction, String)>,
) {
    let make = |allow: &[&str], deny: &[&str]| {
        let (allow, deny) = (allow.iter().copied(), deny.iter().copied());
        if what == "MCP servers" { Set::of_servers(allow, deny) } else { Set::new(allow, deny) }
    };
    let before = found.len();
    sets(what, &make(&old_allow, &old_deny), &make(&new_allow, &new_deny), known, found);
    if found.len() > before {
        return;
    }
    // A deny counts for whatever the caller's other groups give.
    let (old, new) = (make(&old_deny, &[]), make(&new_deny, &[]));
    for (direction, word, beyond) in [
        (Direction::Loosened, "no longer denied, whatever other roles give", old.beyond(&new)),
        (Direction::Tightened, "now denied, whatever other roles give", new.beyond(&old)),
    ] {
        if let Beyond::Such(name) = beyond {
            found.push((direction, format!("{what} are {word}, for example `{name}`")));
        }
    }
}

fn sets(what: &str, old: &Set, new: &Set, known: &[&str], found: &mut Vec<(Direction, String)>) {
    for (direction, word, more, less) in [
        (Direction::Loosened, "may now use", new, old),
        (Direction::Tightened, "may no longer use", old, new),
    ] {
        match more.beyond(less) {
            Beyond::Nothing => {}
            Beyond::Unknown => found.push((Direction::Unclear, format!("{what}: too many globs to compare"))),
            Beyond::Such(name) => {
                let known: Vec<&str> =
                    known.iter().copied().filter(|name| more.has(name) && !less.has(name)).collect();
                let example = if known.is_empty() { format!("`{name}`") } else { known.join(", ") };
                found.push((direction, format!("{word} further {what}, for example {example}")));
            }
        }
    }
}

fn limits(what: &str, old: Option<u64>, new: Option<u64>, found: &mut Vec<(Direction, String)>) {
    // Without a limit is the most of all.
    let rank = |limit: Option<u64>| limit.unwrap_or(u64::MAX);
    let told = |limit: Option<u64>| limit.map_or_else(|| "no limit".into(), |limit| limit.to_string());
    let direction = match rank(new).cmp(&rank(old)) {
        std::cmp::Ordering::Equal => return,
        std::cmp::Ordering::Greater => Direction::Loosened,
        std::cmp::Ordering::Less => Direction::Tightened,
    };
    found.push((direction, format!("{what}: {} became {}", told(old), told(new))));
}
