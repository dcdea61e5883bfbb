//! Who is told what waits and what was decided, outside of Sluice.

use serde::{Deserialize, Serialize};

/// Where news go: a channel in Slack or Teams, or a service of your own. Its URL and secret are not in the policy, but in files
/// of its name in the directory of `sluice serve --notices`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Channel {
    /// Name, given once; also that of its files `NAME.url` and `NAME.secret`. Small letters, digits, `-` and `_`.
    ///
    /// Example: `data-owners`
    pub name: String,
    /// What receives them there.
    ///
    /// Example: `slack`
    pub to: Receiver,
    /// What is told. Empty: everything. That somebody broke the glass is told on every channel.
    ///
    /// Example: `[hold.opened, grant.asked]`
    #[serde(default)]
    pub on: Vec<Event>,
    /// Only what members of these groups may approve, review or accept. Empty: whoever may. What nobody approves is told all
    /// the same.
    ///
    /// Example: `[data-owners]`
    #[serde(default)]
    pub groups: Vec<String>,
}

/// What receives notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Receiver {
    /// A service of your own: JSON, signed as Standard Webhooks has it.
    Webhook,
    /// A channel in Slack, by an incoming webhook of an app of your own. With the app's signing secret as `NAME.secret`,
    /// holds can be approved and denied there by `people`.
    Slack,
    /// A channel in Microsoft Teams, by a workflow that posts what a webhook receives.
    Teams,
}

/// Something that people are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Event {
    /// Something waits for an approval.
    #[serde(rename = "hold.opened")]
    HoldOpened,
    /// It was approved or denied.
    #[serde(rename = "hold.decided")]
    HoldDecided,
    /// Nobody decided it in time.
    #[serde(rename = "hold.expired")]
    HoldExpired,
    /// Somebody asks for a grant.
    #[serde(rename = "grant.asked")]
    GrantAsked,
    /// A grant was approved or denied.
    #[serde(rename = "grant.decided")]
    GrantDecided,
    /// A grant was taken back.
    #[serde(rename = "grant.revoked")]
    GrantRevoked,
    /// Somebody took a grant that needs no approval.
    #[serde(rename = "grant.breakGlass")]
    BreakGlass,
    /// Somebody shut out a token, or all tokens of a person up to now.
    #[serde(rename = "token.revoked")]
    TokenRevoked,
    /// An access review has begun.
    #[serde(rename = "review.started")]
    ReviewStarted,
    /// Not all of it is decided, and a reminder is due.
    #[serde(rename = "review.due")]
    ReviewDue,
    /// It is over, with what it has taken back.
    #[serde(rename = "review.closed")]
    ReviewClosed,
    /// Somebody proposes another policy.
    #[serde(rename = "proposal.made")]
    ProposalMade,
    /// Another author has accepted it: it is in force.
    #[serde(rename = "proposal.accepted")]
    ProposalAccepted,
    /// Another author has refused it.
    #[serde(rename = "proposal.rejected")]
    ProposalRejected,
}

impl Event {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::HoldOpened => "hold.opened",
            Self::HoldDecided => "hold.decided",
            Self::HoldExpired => "hold.expired",
            Self::GrantAsked => "grant.asked",
            Self::GrantDecided => "grant.decided",
            Self::GrantRevoked => "grant.revoked",
            Self::BreakGlass => "grant.breakGlass",
            Self::TokenRevoked => "token.revoked",
            Self::ReviewStarted => "review.started",
            Self::ReviewDue => "review.due",
            Self::ReviewClosed => "review.closed",
            Self::ProposalMade => "proposal.made",
            Self::ProposalAccepted => "proposal.accepted",
            Self::ProposalRejected => "proposal.rejected",
        }
    }
}

impl Channel {
    /// Whether an event is told here that members of these groups may approve; of no group: that nobody approves.
    pub fn tells(&self, event: Event, approvers: &[String]) -> bool {
        let wanted = self.on.is_empty() || self.on.contains(&event);
        let concerned = self.groups.is_empty()
            || approvers.is_empty()
            || approvers.iter().any(|group| self.groups.contains(group));
        event == Event::BreakGlass || wanted && concerned
    }
}

/// Who somebody in Slack is. Slack vouches for the account, and says nothing of groups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SlackPerson {
    /// The member ID in Slack. Given once.
    ///
    /// Example: `U0123ABCD`
    pub slack: String,
    /// The issuer of their tokens, by its name here.
    ///
    /// Example: `corp`
    pub issuer: String,
    /// Their subject, exactly as in their tokens: nobody approves their own.
    ///
    /// Example: `ben@example.com`
    pub subject: String,
    /// Groups in which they decide from Slack.
    ///
    /// Example: `[data-owners]`
    pub groups: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(on: &[Event], groups: &[&str]) -> Channel {
        Channel {
            name: "c".into(),
            to: Receiver::Webhook,
            on: on.to_vec(),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        }
    }

    #[test]
    fn a_channel_is_told_what_it_lists_for_its_groups() {
        let (owners, others) = (["owners".to_owned()], ["others".to_owned()]);
        let all = channel(&[], &[]);
        let some = channel(&[Event::HoldOpened], &["owners"]);
        assert!(all.tells(Event::HoldExpired, &others));
        assert!(some.tells(Event::HoldOpened, &owners));
        assert!(!some.tells(Event::HoldOpened, &others), "not for its groups");
        assert!(!some.tells(Event::HoldDecided, &owners), "not listed");
        assert!(some.tells(Event::HoldOpened, &[]), "what nobody approves is for everyone");
    }

    #[test]
    fn that_somebody_broke_the_glass_is_told_everywhere() {
        let some = channel(&[Event::HoldOpened], &["owners"]);
        assert!(some.tells(Event::BreakGlass, &[]));
        assert!(some.tells(Event::BreakGlass, &["others".to_owned()]));
    }

    #[test]
    fn an_event_has_the_same_word_in_policy_and_notices() {
        for event in [
            Event::HoldOpened,
            Event::HoldDecided,
            Event::HoldExpired,
            Event::GrantAsked,
            Event::GrantDecided,
            Event::GrantRevoked,
            Event::BreakGlass,
            Event::TokenRevoked,
            Event::ReviewStarted,
            Event::ReviewDue,
            Event::ReviewClosed,
            Event::ProposalMade,
            Event::ProposalAccepted,
            Event::ProposalRejected,
        ] {
            assert_eq!(serde_json::to_value(event).unwrap(), event.word());
        }
    }
}
