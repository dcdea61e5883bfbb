//! Who may decide what waits, and when their voices are enough: one set of rules, for holds and for grants.
//!
//! - The requester never decides, by whatever issuer and in whatever spelling; nor, where policy says so, does their
//!   team. Nobody is excepted: there is no administrator here.
//! - One who denies is enough. Approvals count by person: nobody counts twice, and whoever speaks for somebody else
//!   ([`Delegation`]) uses up that person's voice, too.

mod delegation;
mod pass;
mod vouched;

use serde::{Deserialize, Serialize};
pub use sluice_engine::identity::same_person;
use sluice_engine::policy::document::{Approval, Policy};
use sluice_engine::record::Who;

pub use delegation::{Delegated, Delegation};
pub use pass::{Pass, Span};
pub use vouched::{Heard, Vouched};

/// A person's decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DecidedBy {
    /// The issuer's name in the policy.
    pub issuer: String,
    /// Their subject.
    pub subject: String,
    /// When, in Unix milliseconds.
    pub at_ms: u64,
    /// What they said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whose right they used.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub on_behalf: Option<Delegated>,
}

impl DecidedBy {
    /// What somebody says at a moment.
    pub fn new(who: &Who, at_ms: u64, reason: Option<String>) -> Self {
        Self { issuer: who.issuer.clone(), subject: who.subject.clone(), at_ms, reason, on_behalf: None }
    }

    /// Whether this voice is a person's: spoken by them, or for them.
    fn is_of(&self, subject: &str) -> bool {
        let giver = self.on_behalf.as_ref().map(|given| given.subject.as_str());
        [Some(self.subject.as_str()), giver].into_iter().flatten().any(|own| same_person(own, subject))
    }
}

/// What one person said about something that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Voice {
    /// Whether it may go on.
    pub approve: bool,
    /// Who said so.
    #[serde(flatten)]
    pub by: DecidedBy,
    /// For a time, and not only this once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<Span>,
    /// How many texts they had masked.
    #[serde(default, skip_serializing_if = "is_none")]
    pub masked: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_none(number: &u32) -> bool {
    *number == 0
}

/// Under which terms something waits.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// Who asked.
    pub requester: &'a Who,
    /// Who acted on their behalf.
    pub actor: Option<&'a str>,
    /// Groups whose members may decide.
    pub groups: &'a [String],
    /// Groups whose members may not, whatever their other groups.
    pub teams: &'a [String],
    /// How many must approve; nobody at all is never enough.
    pub quorum: u32,
    /// What was said so far.
    pub voices: &'a [Voice],
}

/// Why someone may not decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bar {
    /// They asked for it.
    Requester,
    /// They are in a team with who asked for it.
    Team(String),
    /// What would give them the right was handed to them by who asked for it, or by somebody of the same team.
    Giver(String),
    /// They, or the person for whom they would speak, have approved already.
    Spoken,
    /// They are in none of its groups.
    Group(Vec<String>),
}

impl Terms<'_> {
    /// Whether the person is in a group that may decide, or somebody who is has handed them the right.
    pub fn is_for(&self, who: &Who, delegations: &[Delegation], now_ms: u64) -> bool {
        shares(self.groups, &who.groups) || self.handed(who, delegations, now_ms).next().is_some()
    }

    /// By whose right a person decides: their own (`None`), or one that was handed to them.
    ///
    /// # Errors
    /// Why they may not.
    pub fn standing(
        &self,
        who: &Who,
        approve: bool,
        delegations: &[Delegation],
        now_ms: u64,
    ) -> Result<Option<Delegated>, Bar> {
        if self.asked(&who.subject) {
            return Err(Bar::Requester);
        }
        if let Some(team) = self.teams.iter().find(|team| who.groups.contains(team)) {
            return Err(Bar::Team(team.clone()));
        }
        // Whoever has approved may still come to know better and refuse.
        let has_spoken = |subject: &str| approve && self.voices.iter().any(|voice| voice.by.is_of(subject));
        if has_spoken(&who.subject) {
            return Err(Bar::Spoken);
        }
        if shares(self.groups, &who.groups) {
            return Ok(None);
        }
        let mut bar = Bar::Group(self.groups.to_vec());
        for given in self.handed(who, delegations, now_ms) {
            let giver = &given.from;
            if self.asked(&giver.subject) || shares(self.teams, &giver.groups) {
                bar = Bar::Giver(giver.subject.clone());
            } else if has_spoken(&giver.subject) {
                bar = Bar::Spoken;
            } else {
                return Ok(Some(given.named()));
            }
        }
        Err(bar)
    }

    /// Whether they asked: themselves, or on another's behalf.
    fn asked(&self, subject: &str) -> bool {
        [Some(self.requester.subject.as_str()), self.actor]
            .into_iter()
            .flatten()
            .any(|own| same_person(own, subject))
    }

    /// What the voices come to; `None`: more must approve.
    pub fn verdict(&self) -> Option<bool> {
        if self.voices.iter().any(|voice| !voice.approve) {
            return Some(false);
        }
        (self.missing() == 0).then_some(true)
    }

    /// How many must still approve.
    pub fn missing(&self) -> u32 {
        let approvals = self.voices.iter().filter(|voice| voice.approve).count();
        self.quorum.max(1).saturating_sub(u32::try_from(approvals).unwrap_or(u32::MAX))
    }

    fn handed<'d>(
        &self,
        who: &Who,
        delegations: &'d [Delegation],
        now_ms: u64,
    ) -> impl Iterator<Item = &'d Delegation> {
        delegations.iter().filter(move |given| {
            given.is_live(now_ms) && given.is_to(who) && shares(self.groups, &given.groups)
        })
    }
}

/// All that a policy says of who may approve: of holds, of grants, of definitions.
pub fn everywhere(policy: &Policy) -> impl Iterator<Item = &Approval> {
    let rules = policy.rules.iter().filter_map(|rule| rule.approval.as_ref());
    let grants = policy.grants.iter().filter_map(|grant| grant.approval.as_ref());
    let servers = policy.mcp.iter().filter_map(|server| Some(&server.definitions.as_ref()?.approval));
    rules.chain(&policy.masking.media_approval).chain(grants).chain(servers)
}

fn shares(some: &[String], others: &[String]) -> bool {
    some.iter().any(|group| others.contains(group))
}

#[cfg(test)]
pub(crate) mod tests;
