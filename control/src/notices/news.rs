//! Which entries of the log are news, and what is told of them.

use serde::{Deserialize, Serialize};
use sluice_engine::policy::bundle::Revocation;
use sluice_engine::policy::document::Event;

use crate::approvals::DecidedBy;
use crate::grants::{Grant, GrantState};
use crate::holds::Hold;
use crate::proposals::Proposal;
use crate::records::{
    Entry, GrantEvent, HoldChange, HoldEvent, PolicyChange, PolicyEvent, ReviewChange, ReviewEvent,
};
use crate::reviews::{Progress, Review};
use crate::tokens::revocation::Revoked;

/// What is told: who, what and by which rule. Never a preview, nor any text of a prompt.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    /// What happened; absent: nothing, this is a test of the channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Event>,
    /// When, in Unix milliseconds.
    pub at_ms: u64,
    /// The hold, the grant, the review or the proposal.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// Who asked, as issuer and subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<(String, String)>,
    /// The rule that holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The rule's message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The tool that would be called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// What the command would do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<String>,
    /// The grant, by its name in the policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<String>,
    /// The roles that it gives.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// The access review, by its name in the policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<String>,
    /// How many rights it looks at; with a reminder, how many nobody has decided on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<u32>,
    /// How many of them it took back, at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<u64>,
    /// Of how many of them it took back a part, at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reduced: Option<u64>,
    /// How many changes a proposal would make.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<usize>,
    /// Whether one of them would allow more, or may.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub loosened: bool,
    /// Why they ask for it, or propose it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wish: Option<String>,
    /// Groups of which whoever approves, reviews or accepts it must be a member.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvers: Vec<String>,
    /// How many must approve; 0 where one is enough.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub quorum: u32,
    /// Whether a decision needs a reason.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub needs_reason: bool,
    /// When it ends, in Unix milliseconds: undecided, or the grant, or the review.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_ms: Option<u64>,
    /// What was decided: `approved` or `denied`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<String>,
    /// Who did it, as issuer and subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<(String, String)>,
    /// The reason that they gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The event that people are told when this is written; `None`: it is no news.
pub fn told(entry: &Entry) -> Option<Event> {
    match entry {
        Entry::Hold(event) => match event.change {
            HoldChange::Opened => Some(Event::HoldOpened),
            HoldChange::Approved | HoldChange::Denied => Some(Event::HoldDecided),
            HoldChange::Expired => Some(Event::HoldExpired),
            HoldChange::Agreed | HoldChange::Commented | HoldChange::Used => None,
        },
        Entry::Grant(event) => match event.state {
            // With somebody's name it waits on for others to approve.
            GrantState::Waiting => event.by.is_none().then_some(Event::GrantAsked),
            GrantState::Live if event.break_glass => Some(Event::BreakGlass),
            GrantState::Live | GrantState::Denied => Some(Event::GrantDecided),
            GrantState::Revoked => Some(Event::GrantRevoked),
            GrantState::Expired | GrantState::Ended => None,
        },
        // Who gives a token of their own back signs out.
        Entry::Revocation(revoked) => (!revoked.is_by_holder()).then_some(Event::TokenRevoked),
        Entry::Review(event) => match event.change {
            ReviewChange::Started => Some(Event::ReviewStarted),
            ReviewChange::Reminded => Some(Event::ReviewDue),
            ReviewChange::Closed => Some(Event::ReviewClosed),
            ReviewChange::Certified | ReviewChange::Revoked | ReviewChange::Reduced => None,
            ReviewChange::Unattested | ReviewChange::Lifted => None,
        },
        // The first policy of a store was proposed by nobody.
        Entry::Policy(event) if event.proposal.is_none() => None,
        Entry::Policy(event) => match event.change {
            PolicyChange::Proposed => Some(Event::ProposalMade),
            PolicyChange::Accepted => Some(Event::ProposalAccepted),
            PolicyChange::Rejected => Some(Event::ProposalRejected),
            PolicyChange::InForce | PolicyChange::Withdrawn | PolicyChange::Stale => None,
        },
        Entry::Exchange(_) | Entry::Token(_) | Entry::Pass(_) | Entry::Delegation(_) => None,
        Entry::Restore(_) | Entry::Retention(_) | Entry::SignIn(_) => None,
    }
}

impl Notice {
    /// What is told of a hold. Where it cannot be read any more, what the log says must do.
    pub fn of_hold(event: Event, happened: &HoldEvent, hold: Option<&Hold>) -> Self {
        let decision = match happened.change {
            HoldChange::Approved => Some("approved"),
            HoldChange::Denied => Some("denied"),
            _ => None,
        };
        let ask = hold.map(|hold| &hold.ask);
        Self {
            event: Some(event),
            at_ms: happened.at_ms,
            id: happened.id.clone(),
            who: Some((happened.requester.issuer.clone(), happened.requester.subject.clone())),
            rule: Some(happened.rule.clone()),
            message: ask.map(|ask| ask.message.clone()),
            tool: ask.and_then(|ask| ask.tool.clone()),
            effects: ask.map(|ask| ask.effects.clone()).unwrap_or_default(),
            approvers: ask.map(|ask| ask.approvers.clone()).unwrap_or_default(),
            quorum: ask.map_or(0, |ask| several(ask.quorum)),
            needs_reason: ask.is_some_and(|ask| ask.reason),
            ends_ms: hold.map(|hold| hold.expires_ms).filter(|_| event == Event::HoldOpened),
            decision: decision.map(str::to_owned),
            by: happened.by.clone(),
            reason: happened.reason.clone(),
            ..Self::default()
        }
    }

    /// What is told of a grant.
    pub fn of_grant(event: Event, happened: &GrantEvent, grant: Option<&Grant>) -> Self {
        let decision = match (event, happened.state) {
            (Event::GrantDecided, GrantState::Live) => Some("approved"),
            (Event::GrantDecided, GrantState::Denied) => Some("denied"),
            _ => None,
        };
        Self {
            event: Some(event),
            at_ms: happened.at_ms,
            id: happened.id.clone(),
            who: Some((happened.who.issuer.clone(), happened.who.subject.clone())),
            grant: Some(happened.name.clone()),
            roles: happened.roles.clone(),
            wish: Some(happened.wish.clone()),
            approvers: grant.map(|grant| grant.approvers.clone()).unwrap_or_default(),
            quorum: grant.map_or(0, |grant| several(grant.quorum)),
            needs_reason: grant.is_some_and(|grant| grant.needs_reason),
            ends_ms: Some(happened.ends_ms),
            decision: decision.map(str::to_owned),
            by: happened.by.clone(),
            reason: happened.reason.clone(),
            ..Self::default()
        }
    }

    /// What is told of a revocation.
    pub fn of_revocation(event: Event, revoked: &Revoked) -> Self {
        let subject = match &revoked.what {
            Revocation::Subject { issuer, subject, .. } => Some((issuer.clone(), subject.clone())),
            Revocation::Token { .. } => None,
        };
        let holder = revoked.holder.as_ref().map(|who| (who.issuer.clone(), who.subject.clone()));
        Self {
            event: Some(event),
            at_ms: revoked.at_ms,
            who: subject.or(holder),
            by: Some((revoked.by.issuer.clone(), revoked.by.subject.clone())),
            reason: revoked.reason.clone(),
            ..Self::default()
        }
    }

    /// What is told of an access review, to those who decide in it.
    pub fn of_review(event: Event, happened: &ReviewEvent, review: Option<&(Review, Progress)>) -> Self {
        let (review, progress) = review.map(|(review, progress)| (review, progress)).unzip();
        let over = progress.filter(|_| event == Event::ReviewClosed);
        Self {
            event: Some(event),
            at_ms: happened.at_ms,
            id: happened.review.clone(),
            review: Some(happened.name.clone()),
            items: happened.items,
            revoked: over.map(|progress| progress.revoked),
            reduced: over.map(|progress| progress.reduced),
            approvers: review.map(|review| review.reviewers.clone()).unwrap_or_default(),
            ends_ms: review.map(|review| review.deadline_ms).filter(|_| event != Event::ReviewClosed),
            by: happened.by.clone(),
            reason: happened.reason.clone(),
            ..Self::default()
        }
    }

    /// What is told of a proposal, to those who may accept it and to whoever made it. It says nothing of its texts.
    pub fn of_proposal(
        event: Event,
        happened: &PolicyEvent,
        proposal: Option<&Proposal>,
        authors: &[String],
    ) -> Self {
        let of = |by: &DecidedBy| (by.issuer.clone(), by.subject.clone());
        let made = event == Event::ProposalMade;
        let by = happened.by.as_ref();
        Self {
            event: Some(event),
            at_ms: happened.at_ms,
            id: happened.proposal.clone().unwrap_or_default(),
            who: proposal.map(|proposal| of(&proposal.by)).or_else(|| by.filter(|_| made).map(of)),
            wish: proposal.and_then(|proposal| proposal.by.reason.clone()),
            changes: proposal.map(|proposal| proposal.changes.len()),
            loosened: proposal.is_some_and(|proposal| proposal.loosened),
            approvers: authors.to_vec(),
            by: by.filter(|_| !made).map(of),
            reason: by.filter(|_| !made).and_then(|by| by.reason.clone()),
            ..Self::default()
        }
    }

    /// A test of a channel.
    pub fn test(at_ms: u64) -> Self {
        Self { at_ms, ..Self::default() }
    }

    /// The word for what happened.
    pub fn kind(&self) -> &'static str {
        self.event.map_or("test", Event::word)
    }

    /// The page about it, below the service's own URL.
    pub fn path(&self) -> Option<String> {
        match self.event? {
            Event::HoldOpened | Event::HoldDecided | Event::HoldExpired => {
                Some(format!("/holds/{}", self.id))
            }
            Event::GrantAsked
            | Event::GrantDecided
            | Event::GrantRevoked
            | Event::BreakGlass
            | Event::TokenRevoked => Some("/access".into()),
            Event::ReviewStarted | Event::ReviewDue | Event::ReviewClosed => {
                Some(format!("/access/reviews/{}", self.id))
            }
            Event::ProposalMade | Event::ProposalAccepted | Event::ProposalRejected => {
                Some(format!("/policy/proposals/{}", self.id))
            }
        }
    }

    /// What happened, in one line.
    pub fn headline(&self) -> String {
        let who = self.who.as_ref().map_or("somebody", |(_, subject)| subject.as_str());
        let by = self.by.as_ref().map_or("somebody", |(_, subject)| subject.as_str());
        let grant = self.grant.as_deref().unwrap_or_default();
        let decision = self.decision.as_deref().unwrap_or("decided");
        let review = self.review.as_deref().unwrap_or_default();
        let items = self.items.unwrap_or_default();
        let said = match self.event {
            None => "This is a test: notices of Sluice arrive here.".into(),
            Some(Event::HoldOpened) => format!("{who} waits for an approval."),
            Some(Event::HoldDecided) => format!("What {who} asked for was {decision} by {by}."),
            Some(Event::HoldExpired) => format!("Nobody decided in time what {who} asked for."),
            Some(Event::GrantAsked) => format!("{who} asks for the grant {grant}."),
            Some(Event::GrantDecided) => format!("The grant {grant} for {who} was {decision} by {by}."),
            Some(Event::GrantRevoked) => format!("The grant {grant} of {who} was taken back by {by}."),
            Some(Event::TokenRevoked) => format!("{by} shut out tokens of {who}."),
            Some(Event::BreakGlass) => format!("{who} broke the glass: they have the grant {grant} now."),
            Some(Event::ReviewStarted) => {
                format!("The access review {review} has begun: {items} rights to look at.")
            }
            Some(Event::ReviewDue) => {
                format!("The access review {review} waits for its reviewers: {items} rights are not decided.")
            }
            Some(Event::ReviewClosed) => format!("The access review {review} of {items} rights is over."),
            Some(Event::ProposalMade) if self.loosened => {
                format!("{who} proposes a change of the policy that may allow more.")
            }
            Some(Event::ProposalMade) => format!("{who} proposes a change of the policy."),
            Some(Event::ProposalAccepted) => {
                format!("The policy that {who} proposed was accepted by {by}, and is in force.")
            }
            Some(Event::ProposalRejected) => format!("The policy that {who} proposed was rejected by {by}."),
        };
        line(&said, 300)
    }

    /// The rest, each with its name; safe to be shown on one line.
    pub fn facts(&self) -> Vec<(&'static str, String)> {
        let who = self.who.as_ref().map(|(issuer, subject)| format!("{subject} ({issuer})"));
        let by = self.by.as_ref().map(|(issuer, subject)| format!("{subject} ({issuer})"));
        let ends = self.ends_ms.map(|ms| format!("{} UTC", sluice_engine::budget::utc(ms)));
        let many = |list: &[String]| (!list.is_empty()).then(|| list.join(", "));
        let id = (!self.id.is_empty()).then(|| self.id.clone());
        let decides = match (&self.review, self.changes) {
            (Some(_), _) => "Reviewers",
            (_, Some(_)) => "Authors",
            _ => "Approvers",
        };
        let facts = [
            ("Who", who),
            ("Rule", self.rule.clone()),
            ("Message", self.message.clone()),
            ("Tool", self.tool.clone()),
            ("Effect", many(&self.effects)),
            ("Roles", many(&self.roles)),
            ("Wanted for", self.wish.clone()),
            ("Revoked", self.revoked.map(|revoked| revoked.to_string())),
            ("Reduced", self.reduced.map(|reduced| reduced.to_string())),
            ("Changes", self.changes.map(|changes| changes.to_string())),
            (decides, many(&self.approvers)),
            ("Must approve", (self.quorum > 0).then(|| format!("{} people", self.quorum))),
            ("By", by),
            ("Reason", self.reason.clone()),
            ("Ends", ends),
            ("Id", id),
        ];
        facts.into_iter().filter_map(|(name, value)| Some((name, line(&value?, 300)))).collect()
    }
}

fn several(quorum: u32) -> u32 {
    if quorum > 1 { quorum } else { 0 }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A text of others on one line: no control characters, no marks that turn the direction of writing, of a bounded length.
pub fn line(text: &str, most: usize) -> String {
    let turns =
        |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let blank = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let shown = text.chars().filter(|c| !turns(*c)).map(|c| if blank(c) { ' ' } else { c });
    let mut shown: Vec<char> = shown.take(most + 1).collect();
    if shown.len() > most {
        shown.truncate(most.saturating_sub(1));
        shown.push('…');
    }
    shown.into_iter().collect()
}

#[cfg(test)]
pub mod tests {
    use sluice_engine::wire::HoldDecision;

    use super::*;
    use crate::grants::tests::wish;
    use crate::holds::tests::ask;

    pub fn hold() -> Hold {
        Hold {
            id: "h1".into(),
            state: HoldDecision::Waiting,
            created_ms: 1000,
            expires_ms: 61_000,
            ask: ask("k", "e"),
            decided: None,
            voices: vec![],
            masked: vec![],
            pass: None,
            used: None,
        }
    }

    pub fn opened() -> Notice {
        let hold = hold();
        Notice::of_hold(Event::HoldOpened, &HoldEvent::opened(&hold), Some(&hold))
    }

    #[test]
    fn what_is_told_of_a_hold_has_no_preview() {
        let told = opened();
        assert_eq!(told.approvers, ["approvers"]);
        assert_eq!((told.tool.as_deref(), told.ends_ms), (Some("Bash"), Some(61_000)));
        assert_eq!(told.path().as_deref(), Some("/holds/h1"));
        let all = format!("{}{}{:?}", serde_json::to_string(&told).unwrap(), told.headline(), told.facts());
        assert!(all.contains("write: INSERT") && all.contains("writes need approval"), "{all}");
        assert!(!all.contains("psql"), "{all}");
    }

    #[test]
    fn steps_of_holds_and_grants_are_news_and_exchanges_are_not() {
        let hold = hold();
        let of_hold = |event: HoldEvent| told(&Entry::Hold(Box::new(event)));
        assert_eq!(of_hold(HoldEvent::opened(&hold)), Some(Event::HoldOpened));
        let by = DecidedBy::new(&hold.ask.who, 1, None);
        let agreed = HoldEvent::heard(&hold, &by);
        assert_eq!(of_hold(agreed), None, "others must approve, too");
        let denied = Hold { state: HoldDecision::Denied, ..hold.clone() };
        assert_eq!(of_hold(HoldEvent::heard(&denied, &by)), Some(Event::HoldDecided));
        assert_eq!(of_hold(HoldEvent::expired(&hold, 1)), Some(Event::HoldExpired));
        assert_eq!(of_hold(HoldEvent::used(&hold, "e", 1)), None);
        let of_grant = |grant: &Grant| told(&Entry::Grant(Box::new(GrantEvent::changed(grant, 1))));
        assert_eq!(of_grant(&wish("g", false, 0)), Some(Event::GrantAsked));
        assert_eq!(of_grant(&wish("g", true, 0)), Some(Event::BreakGlass));
        for (state, event) in [
            (GrantState::Live, Some(Event::GrantDecided)),
            (GrantState::Denied, Some(Event::GrantDecided)),
            (GrantState::Revoked, Some(Event::GrantRevoked)),
            (GrantState::Ended, None),
        ] {
            assert_eq!(of_grant(&Grant { state, ..wish("g", false, 0) }), event, "{state:?}");
        }
        let record = serde_json::json!({
            "exchange": "e", "stage": "open", "atMs": 1, "node": "n", "route": "messages.create", "policyVersion": "p",
        });
        assert_eq!(told(&Entry::Exchange(Box::new(serde_json::from_value(record).unwrap()))), None);
    }

    #[test]
    fn that_tokens_were_shut_out_is_news_and_that_somebody_signed_out_is_not() {
        let who = |subject: &str| crate::grants::tests::who(subject);
        let revoked = |by: &str| Revoked {
            what: Revocation::Subject { issuer: "corp".into(), subject: "ana".into(), before_ms: 1 },
            holder: Some(who("ana")),
            by: who(by),
            reason: None,
            at_ms: 1,
            until_ms: 2,
        };
        let event = |by: &str| told(&Entry::Revocation(Box::new(revoked(by))));
        assert_eq!((event("ana"), event("opal")), (None, Some(Event::TokenRevoked)));
        let notice = Notice::of_revocation(Event::TokenRevoked, &revoked("opal"));
        assert_eq!(notice.headline(), "opal shut out tokens of ana.");
    }

    #[test]
    fn a_text_of_others_stays_on_its_line() {
        assert_eq!(line("a\nb\r\u{0}c\u{202e}d\u{2028}e", 99), "a b  cd e");
        assert_eq!(line("abcdef", 4), "abc…");
        assert_eq!(line("abcd", 4), "abcd");
    }
}
