//! What an identity has, beside what it has used.
//!
//! An identity is an issuer and a subject. Which there are is known from the record (whoever was seen), from bindings
//! that name subjects, and from live grants. Groups are those of the token that was seen last: whoever has never come
//! has no groups that anybody here could know of.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sluice_engine::claude::routes;
use sluice_engine::identity::{Principal, same_person};
use sluice_engine::policy::bundle::{Grant, Part, Withheld};
use sluice_engine::policy::compile::given;
use sluice_engine::policy::document::{Duration, Policy, Role};
use sluice_engine::policy::glob::Glob;
use sluice_engine::policy::mcp;

use super::usage::{Usage, Use};

/// What was not used for so long is called unused.
pub const UNUSED: Duration = Duration::hours(90 * 24);

/// An identity with what it has and what it has used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Access {
    /// The issuer's name in the policy.
    pub issuer: String,
    /// The subject.
    pub subject: String,
    /// What it has.
    pub rights: Vec<Right>,
    /// What it has used; absent: it was never seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Usage>,
}

/// A role that an identity has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Right {
    /// The role, by name.
    pub role: String,
    /// Through what.
    pub through: Vec<Through>,
    /// Scopes that the role gives, as globs.
    pub scopes: Vec<String>,
    /// Models that it gives, as globs.
    pub models: Vec<String>,
    /// Tools that it gives, as globs; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<String>>,
    /// How often and when last it was used; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Use>,
    /// What of it was not used in the last ninety days, as far as that can be told.
    #[serde(default)]
    pub unused: Part,
    /// What reviews have taken back of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<Withheld>,
}

/// Through what an identity has a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Through {
    /// A binding names one of its groups.
    Group {
        /// The binding.
        binding: String,
        /// The group.
        group: String,
    },
    /// A binding names its subject.
    Subject {
        /// The binding.
        binding: String,
    },
    /// A grant gives it.
    #[serde(rename_all = "camelCase")]
    Grant {
        /// The grant.
        grant: String,
        /// Its end, in Unix milliseconds.
        until_ms: u64,
    },
}

impl Right {
    /// Whether a review has taken all of it back, and no grant gives it.
    pub fn is_gone(&self) -> bool {
        let granted = self.through.iter().any(|through| matches!(through, Through::Grant { .. }));
        !granted && self.withheld.iter().any(|withheld| withheld.part.is_none())
    }
}

/// What is known of who may do what, at a moment.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The policy in force.
    pub policy: &'a Policy,
    /// Live grants.
    pub grants: &'a [Grant],
    /// What reviews have taken back.
    pub withheld: &'a [Withheld],
    /// The moment, in Unix milliseconds.
    pub now_ms: u64,
}

impl Known<'_> {
    /// Identities that the policy or a grant names. A binding that names no issuer means the subject of each.
    pub fn named(&self) -> BTreeSet<(String, String)> {
        let mut named = BTreeSet::new();
        for binding in &self.policy.bindings {
            for subject in &binding.subjects {
                let issuers = self.policy.issuers.iter().map(|issuer| &issuer.name);
                let meant = issuers.filter(|issuer| binding.issuer.as_ref().is_none_or(|own| own == *issuer));
                named.extend(meant.map(|issuer| (issuer.clone(), subject.clone())));
            }
        }
        let live = self.grants.iter().filter(|grant| (grant.from_ms..grant.until_ms).contains(&self.now_ms));
        named.extend(live.map(|grant| (grant.issuer.clone(), grant.subject.clone())));
        named
    }

    /// What an identity has, by the groups that it was seen with last. `used`: what it has used, where it was seen.
    pub fn access(&self, issuer: &str, subject: &str, used: Option<Usage>) -> Access {
        let groups = used.as_ref().map(|used| used.groups.clone()).unwrap_or_default();
        self.access_of(issuer, subject, groups, used)
    }

    /// The same by groups that are known now.
    pub fn access_of(&self, issuer: &str, subject: &str, groups: Vec<String>, used: Option<Usage>) -> Access {
        let principal = Principal {
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
            groups,
            scopes: None,
            actor: None,
            expires_ms: u64::MAX,
        };
        let given = given(&self.policy.bindings, self.grants, &principal, self.now_ms);
        let mut rights = Vec::new();
        for role in &self.policy.roles {
            let own = given.iter().filter(|given| given.role == role.name);
            let through = own.filter_map(|given| {
                let binding = given.binding.map(str::to_owned);
                match (binding, given.group, given.grant) {
                    (Some(binding), Some(group), _) => {
                        Some(Through::Group { binding, group: group.to_owned() })
                    }
                    (Some(binding), None, _) => Some(Through::Subject { binding }),
                    (None, _, Some(grant)) => {
                        Some(Through::Grant { grant: grant.id.clone(), until_ms: grant.until_ms })
                    }
                    (None, _, None) => None,
                }
            });
            let through = through.collect::<Vec<_>>();
            if !through.is_empty() {
                rights.push(self.right(role, through, &principal, used.as_ref()));
            }
        }
        Access { issuer: principal.issuer, subject: principal.subject, rights, used }
    }

    fn right(&self, role: &Role, through: Vec<Through>, who: &Principal, used: Option<&Usage>) -> Right {
        let withheld = self.withheld.iter().filter(|withheld| {
            withheld.role == role.name
                && withheld.issuer == who.issuer
                && same_person(&withheld.subject, &who.subject)
        });
        Right {
            role: role.name.clone(),
            through,
            scopes: role.scopes.clone(),
            models: role.models.clone(),
            tools: role.tools.allow.clone(),
            used: used.and_then(|used| used.roles.names.get(&role.name).copied()),
            unused: self.unused(role, used),
            withheld: withheld.cloned().collect(),
        }
    }

    /// Entries of the role that fit nothing that was used of late. A list that is not whole tells nothing.
    fn unused(&self, role: &Role, used: Option<&Usage>) -> Part {
        let since = self.now_ms.saturating_sub(UNUSED.as_millis());
        let none = Usage::default();
        let used = used.unwrap_or(&none);
        let unused = |entries: &[String], names: Vec<String>, whole: bool| -> Vec<String> {
            let fits = |entry: &&String| {
                let glob = Glob::new(entry);
                !whole || glob.map_or(true, |glob| names.iter().any(|name| glob.matches(name)))
            };
            entries.iter().filter(|entry| !fits(entry)).cloned().collect()
        };
        let names = |names: &super::Names| names.since(since).map(str::to_owned).collect::<Vec<_>>();
        let mut scopes: Vec<String> = used
            .routes
            .since(since)
            .flat_map(|name| routes::all().filter(move |route| route.name == name))
            .filter_map(|route| route.scope.map(str::to_owned))
            .collect();
        scopes.extend(used.servers.since(since).map(mcp::scope));
        // Which server a message went to stands in the record only with a call of its tools.
        let opened = used.routes.since(since).any(|name| name.starts_with("mcp."));
        let scopes_whole = used.routes.is_whole_since(since) && used.servers.is_whole_since(since);
        let asked: Vec<String> =
            role.scopes.iter().filter(|scope| !(opened && scope.starts_with("mcp."))).cloned().collect();
        Part {
            scopes: unused(&asked, scopes, scopes_whole),
            models: unused(&role.models, names(&used.models), used.models.is_whole_since(since)),
            tools: unused(
                role.tools.allow.as_deref().unwrap_or_default(),
                names(&used.tools),
                used.tools.is_whole_since(since),
            ),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::reviews::record;

    pub const NOW: u64 = 1_800_000_000_000;
    pub const DAY: u64 = 24 * 3600 * 1000;

    pub fn policy() -> Policy {
        serde_json::from_value(json!({
            "issuers": [{"name": "own", "issuer": "https://own", "audiences": ["a"]},
                        {"name": "other", "issuer": "https://other", "audiences": ["a"]}],
            "roles": [
                {"name": "reader", "scopes": ["messages.create", "models.read"], "models": ["claude-sonnet-*", "claude-opus-*"],
                 "tools": {"allow": ["Read", "Bash"]}},
                {"name": "writer", "scopes": ["messages.create"], "models": ["claude-*"]},
                {"name": "robot", "scopes": ["mcp.notes"]},
            ],
            "bindings": [
                {"name": "staff", "groups": ["staff"], "roles": ["reader", "writer"]},
                {"name": "machines", "subjects": ["ci"], "roles": ["robot"]},
                {"name": "own-only", "subjects": ["bot"], "issuer": "other", "roles": ["robot"]},
            ],
        }))
        .unwrap()
    }

    pub fn used(records: &[(&str, u64, Value)]) -> Usage {
        let mut all =
            records.iter().map(|(stage, at, more)| Usage::of(&record(stage, *at, more.clone())).unwrap());
        let mut usage = all.next().unwrap();
        all.for_each(|other| usage.merge(&other));
        usage
    }

    pub fn known<'a>(policy: &'a Policy, grants: &'a [Grant], withheld: &'a [Withheld]) -> Known<'a> {
        Known { policy, grants, withheld, now_ms: NOW }
    }

    pub fn grant() -> Grant {
        Grant {
            id: "g1".into(),
            issuer: "own".into(),
            subject: "ana".into(),
            role: "robot".into(),
            from_ms: 0,
            until_ms: NOW + 1,
        }
    }

    #[test]
    fn who_there_is_comes_from_bindings_and_live_grants() {
        let policy = policy();
        let over = Grant { subject: "gone".into(), until_ms: NOW, ..grant() };
        let grants = [grant(), over];
        let named = known(&policy, &grants, &[]).named();
        let named: Vec<_> = named.iter().map(|(issuer, subject)| format!("{issuer}/{subject}")).collect();
        assert_eq!(named, ["other/bot", "other/ci", "own/ana", "own/ci"]);
    }

    #[test]
    fn what_is_granted_stands_beside_what_was_used() {
        let policy = policy();
        let grants = [grant()];
        let usage = used(&[
            ("open", NOW - DAY, json!({"roles": ["reader", "writer"], "model": "claude-sonnet-4-5"})),
            ("open", NOW - 91 * DAY, json!({"roles": ["reader"], "model": "claude-opus-4-5"})),
            ("close", NOW - DAY, json!({"calls": {"Read": 2}})),
        ]);
        let access = known(&policy, &grants, &[]).access("own", "ana", Some(usage));
        let rights: Vec<_> = access.rights.iter().map(|right| right.role.as_str()).collect();
        assert_eq!(rights, ["reader", "writer", "robot"]);
        let reader = &access.rights[0];
        assert_eq!(reader.through, [Through::Group { binding: "staff".into(), group: "staff".into() }]);
        assert_eq!(reader.used, Some(Use { count: 2, last_ms: NOW - DAY }));
        assert_eq!(reader.unused.models, ["claude-opus-*"], "not for ninety days");
        assert_eq!(
            (&reader.unused.tools[..], &reader.unused.scopes[..]),
            (&["Bash".to_owned()][..], &["models.read".to_owned()][..])
        );
        assert_eq!(access.rights[1].unused, Part::default(), "what allows all tools has no entry to name");
        assert_eq!(access.rights[2].through, [Through::Grant { grant: "g1".into(), until_ms: NOW + 1 }]);
        assert_eq!(access.rights[2].used, None);
    }

    #[test]
    fn a_list_that_is_not_whole_calls_nothing_unused() {
        let policy = policy();
        let mut usage = used(&[("open", NOW - DAY, json!({"roles": ["reader"], "model": "other"}))]);
        usage.models.more = Some(Use { count: 1, last_ms: NOW });
        let access = known(&policy, &[], &[]).access("own", "ana", Some(usage));
        assert_eq!(access.rights[0].unused.models, [""; 0]);
    }

    #[test]
    fn what_was_taken_back_is_shown_for_who_it_was_taken_from() {
        let policy = policy();
        let taken = |subject: &str, role: &str| Withheld {
            id: "w".into(),
            issuer: "own".into(),
            subject: subject.into(),
            role: role.into(),
            part: None,
        };
        let withheld = [taken("Ana ", "writer"), taken("eve", "reader")];
        let usage = used(&[("open", NOW, json!({}))]);
        let access = known(&policy, &[], &withheld).access("own", "ana", Some(usage));
        assert!(access.rights[1].is_gone() && !access.rights[0].is_gone());
    }
}
