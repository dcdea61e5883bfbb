//! Grants: rights with an end, asked for, approved, live, gone.
//!
//! ```text
//!                    approve                 the end
//!   wish ─► waiting ─────────► live ───────────────────► ended
//!              ├─ deny ──────► denied  └─ revoke ──────► revoked
//!              ├─ withdrawn ─► revoked
//!              └─ nobody ────► expired
//! ```
//!
//! A live grant travels in the bundle with its end, so that the filter ends it by itself, also while control is away.
//! A break-glass grant is live at once.

mod live;

use serde::{Deserialize, Serialize};
use sluice_engine::policy::document::{Approval, Grantable};
use sluice_engine::policy::glob::Glob;
use sluice_engine::record::Who;

use crate::approvals::{DecidedBy, Terms, Voice};

pub use live::now_live;

/// Where a grant stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum GrantState {
    /// Nobody has decided.
    Waiting,
    /// It gives its roles.
    Live,
    /// Refused.
    Denied,
    /// Nobody decided in time.
    Expired,
    /// Taken back before its end.
    Revoked,
    /// Its time is over.
    Ended,
}

impl GrantState {
    /// The word for it, in stores and messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Live => "live",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Ended => "ended",
        }
    }
}

/// A right with an end, or the wish for one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// Its id.
    pub id: String,
    /// Where it stands.
    pub state: GrantState,
    /// What was asked for, by its name in the policy.
    pub name: String,
    /// The roles that it gives.
    pub roles: Vec<String>,
    /// Who asked, and has it.
    pub who: Who,
    /// Why they asked.
    pub reason: String,
    /// How long it is live, in seconds.
    pub seconds: u64,
    /// Whether it was given without an approval.
    pub break_glass: bool,
    /// Groups whose members may approve it.
    pub approvers: Vec<String>,
    /// How many of them must.
    #[serde(default = "Approval::default_quorum")]
    pub quorum: u32,
    /// Teams of the requester whose members may not decide, whatever their other groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<String>,
    /// Whether the decision needs a reason.
    pub needs_reason: bool,
    /// When it was asked for, in Unix milliseconds.
    pub created_ms: u64,
    /// When it starts: with the approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_ms: Option<u64>,
    /// When it ends; while it waits, when the wish does.
    pub ends_ms: u64,
    /// Who approved or refused it, the last of them where there were several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<DecidedBy>,
    /// What each said, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub voices: Vec<Voice>,
    /// Who took it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<DecidedBy>,
}

/// What a person does to a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Lets it begin.
    Approve,
    /// Refuses it.
    Deny,
    /// Takes it back, or withdraws the wish.
    Revoke,
}

/// A step by somebody.
#[derive(Debug, Clone)]
pub struct Change {
    /// The grant's id.
    pub grant: String,
    /// What is done.
    pub step: Step,
    /// By whom.
    pub by: Who,
    /// Why.
    pub reason: Option<String>,
}

impl Grant {
    /// A wish for what the policy offers. What breaks the glass is live at once. `teams`: those of the policy, as globs.
    pub fn wish(
        offer: &Grantable,
        teams: &[String],
        id: String,
        who: Who,
        reason: String,
        seconds: u64,
        now_ms: u64,
    ) -> Self {
        let approval = offer.approval.as_ref().filter(|_| !offer.break_glass);
        let waits = approval.map_or(seconds, |approval| approval.expires.as_seconds());
        Self {
            id,
            state: if offer.break_glass { GrantState::Live } else { GrantState::Waiting },
            name: offer.name.clone(),
            roles: offer.roles.clone(),
            teams: approval.map(|approval| kept_out(approval, teams, &who)).unwrap_or_default(),
            quorum: approval.map_or_else(Approval::default_quorum, |approval| approval.quorum),
            who,
            reason,
            seconds,
            break_glass: offer.break_glass,
            approvers: approval.map(|approval| approval.groups.clone()).unwrap_or_default(),
            needs_reason: approval.is_some_and(|approval| approval.reason),
            created_ms: now_ms,
            from_ms: offer.break_glass.then_some(now_ms),
            ends_ms: now_ms.saturating_add(waits.saturating_mul(1000)),
            decided: None,
            voices: Vec::new(),
            revoked: None,
        }
    }

    /// The grant as it stands at a moment, whether or not that was written down yet.
    pub fn at(mut self, now_ms: u64) -> Self {
        if now_ms >= self.ends_ms {
            self.state = match self.state {
                GrantState::Waiting => GrantState::Expired,
                GrantState::Live => GrantState::Ended,
                over => over,
            };
        }
        self
    }

    /// Under which terms the wish waits.
    pub fn terms(&self) -> Terms<'_> {
        Terms {
            requester: &self.who,
            actor: None,
            groups: &self.approvers,
            teams: &self.teams,
            quorum: self.quorum,
            voices: &self.voices,
        }
    }

    /// Takes a step; `false`: as it stands, the step has no place any more. A wish of which more must approve goes on
    /// waiting.
    pub fn take(&mut self, step: &Step, by: DecidedBy) -> bool {
        let now_ms = by.at_ms;
        match (self.state, step) {
            (GrantState::Waiting, Step::Approve | Step::Deny) => {
                self.voices.push(Voice {
                    approve: *step == Step::Approve,
                    by: by.clone(),
                    span: None,
                    masked: 0,
                });
                let Some(approved) = self.terms().verdict() else { return true };
                self.decided = Some(by);
                if approved {
                    self.state = GrantState::Live;
                    self.from_ms = Some(now_ms);
                    self.ends_ms = now_ms.saturating_add(self.seconds.saturating_mul(1000));
                } else {
                    self.state = GrantState::Denied;
                }
            }
            (GrantState::Waiting | GrantState::Live, Step::Revoke) => {
                self.state = GrantState::Revoked;
                self.revoked = Some(by);
            }
            _ => return false,
        }
        true
    }

    /// Whether this is who asked for it, as the issuer says. It gives the right to see it and to take it back.
    pub fn is_of(&self, who: &Who) -> bool {
        (&self.who.issuer, &self.who.subject) == (&who.issuer, &who.subject)
    }

    /// Whether the policy still offers what was asked for, to be approved by the same people, as many and no more.
    pub fn still_stands(&self, offer: Option<&Grantable>, teams: &[String]) -> bool {
        let Some((offer, approval)) = offer.and_then(|offer| Some((offer, offer.approval.as_ref()?))) else {
            return false;
        };
        offer.roles == self.roles
            && self.seconds <= offer.longest.as_seconds()
            && !offer.break_glass
            && self.approvers.iter().all(|group| approval.groups.contains(group))
            && approval.quorum <= self.quorum
            && kept_out(approval, teams, &self.who).iter().all(|team| self.teams.contains(team))
    }
}

/// The teams of a person whose members an approval keeps from deciding. `teams`: those of the policy, as globs.
fn kept_out(approval: &Approval, teams: &[String], who: &Who) -> Vec<String> {
    let is_team =
        |group: &&String| teams.iter().any(|team| Glob::new(team).is_ok_and(|team| team.matches(group)));
    who.groups.iter().filter(|_| approval.exclude_team).filter(is_team).cloned().collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    pub fn offer(break_glass: bool) -> Grantable {
        let approval = json!({"groups": ["approvers"], "expires": "30m"});
        serde_json::from_value(json!({
            "name": "writer", "roles": ["writer"], "groups": ["staff"], "breakGlass": break_glass,
            "approval": if break_glass { json!(null) } else { approval },
        }))
        .unwrap()
    }

    pub fn who(subject: &str) -> Who {
        Who { issuer: "corp".into(), subject: subject.into(), groups: vec![] }
    }

    pub fn wish(id: &str, break_glass: bool, now_ms: u64) -> Grant {
        Grant::wish(&offer(break_glass), &[], id.into(), who("ana"), "a fix".into(), 3600, now_ms)
    }

    pub fn change(grant: &str, step: Step) -> Change {
        let by = Who { groups: vec!["approvers".into()], ..who("ben") };
        Change { grant: grant.into(), step, by, reason: Some("seen".into()) }
    }

    fn by(subject: &str, at_ms: u64) -> DecidedBy {
        DecidedBy::new(&who(subject), at_ms, Some("seen".into()))
    }

    #[test]
    fn a_grant_begins_with_its_approval_and_ends_by_itself() {
        let mut grant = wish("g", false, 1000);
        assert_eq!((grant.state, grant.from_ms), (GrantState::Waiting, None));
        assert_eq!(
            grant.clone().at(1000 + 1_800_000).state,
            GrantState::Expired,
            "nobody decided in 30 minutes"
        );
        assert!(grant.take(&Step::Approve, by("ben", 5000)));
        assert_eq!((grant.state, grant.from_ms, grant.ends_ms), (GrantState::Live, Some(5000), 3_605_000));
        assert_eq!(grant.clone().at(3_604_999).state, GrantState::Live);
        assert_eq!(grant.at(3_605_000).state, GrantState::Ended);
    }

    #[test]
    fn a_step_has_its_place_once() {
        use GrantState::{Denied, Ended, Expired, Live, Revoked, Waiting};
        for (state, step, after) in [
            (Waiting, Step::Deny, Some(Denied)),
            (Waiting, Step::Revoke, Some(Revoked)),
            (Live, Step::Revoke, Some(Revoked)),
            (Live, Step::Approve, None),
            (Live, Step::Deny, None),
            (Denied, Step::Approve, None),
            (Expired, Step::Approve, None),
            (Revoked, Step::Approve, None),
            (Ended, Step::Revoke, None),
        ] {
            let mut grant = Grant { state, ..wish("g", false, 0) };
            assert_eq!(grant.take(&step, by("ben", 1)).then_some(grant.state), after, "{state:?} {step:?}");
        }
    }

    #[test]
    fn what_breaks_the_glass_is_live_at_once() {
        let grant = wish("g", true, 1000);
        assert_eq!((grant.state, grant.from_ms, grant.ends_ms), (GrantState::Live, Some(1000), 3_601_000));
        assert!(grant.break_glass && grant.approvers.is_empty());
    }

    #[test]
    fn a_wish_of_which_two_must_approve_begins_with_the_second() {
        let mut grant = Grant { quorum: 2, ..wish("g", false, 0) };
        assert!(grant.take(&Step::Approve, by("ben", 1)));
        assert_eq!((grant.state, grant.voices.len(), &grant.decided), (GrantState::Waiting, 1, &None));
        let mut denied = grant.clone();
        assert!(grant.take(&Step::Approve, by("bea", 2)));
        assert_eq!((grant.state, grant.from_ms), (GrantState::Live, Some(2)));
        assert!(denied.take(&Step::Deny, by("bea", 2)));
        assert_eq!(denied.state, GrantState::Denied, "one who denies is enough");
    }

    #[test]
    fn a_wish_stands_as_long_as_the_policy_asks_for_nothing_more() {
        let team = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let ana = Who { groups: vec!["team-a".into()], ..who("ana") };
        let grant = Grant::wish(&offer(false), &[], "g".into(), ana, "a fix".into(), 3600, 0);
        let changed = |field: &str, value: serde_json::Value| {
            let mut offer = serde_json::to_value(offer(false)).unwrap();
            offer["approval"][field] = value;
            serde_json::from_value::<Grantable>(offer).unwrap()
        };
        let teams = team(&["team-*"]);
        for (field, value, stands) in [
            ("groups", json!(["approvers", "more"]), true),
            ("groups", json!(["others"]), false),
            ("quorum", json!(2), false),
            ("excludeTeam", json!(true), false),
            ("reason", json!(false), true),
        ] {
            assert_eq!(grant.still_stands(Some(&changed(field, value)), &teams), stands, "{field}");
        }
        assert!(grant.still_stands(Some(&changed("excludeTeam", json!(true))), &team(&["squad-*"])));
        assert!(!grant.still_stands(None, &[]));
    }
}
