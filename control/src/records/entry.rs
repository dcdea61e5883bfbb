use serde::{Deserialize, Serialize};
use sluice_engine::identity::TokenId;
use sluice_engine::record::{Record, Who};
use sluice_engine::wire::HoldDecision;

use super::{DelegationEvent, PassEvent, PolicyEvent, ReviewEvent, SignInEvent};
use crate::approvals::{DecidedBy, Delegated};
use crate::grants::{Grant, GrantState};
use crate::holds::{Comment, Hold};
use crate::tokens::revocation::Revoked;

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Entry {
    /// A stage of an exchange.
    Exchange(Box<Record>),
    /// Something happened to a hold.
    Hold(Box<HoldEvent>),
    /// Something happened to a grant.
    Grant(Box<GrantEvent>),
    /// A token was exchanged for one of control's own.
    Token(Box<TokenEvent>),
    /// Somebody signed in or out in a browser, or was refused.
    SignIn(Box<SignInEvent>),
    /// Something happened to an approval for a time.
    Pass(Box<PassEvent>),
    /// Something happened to a delegation.
    Delegation(Box<DelegationEvent>),
    /// Something happened to policy.
    Policy(Box<PolicyEvent>),
    /// A token or a subject was shut out.
    Revocation(Box<Revoked>),
    /// Something happened in an access review.
    Review(Box<ReviewEvent>),
    /// The log goes on from a backup.
    Restore(Box<RestoreEvent>),
    /// Texts are removed, since they are older than the policy keeps them.
    Retention(Box<RetentionEvent>),
}

/// Texts of these entries are removed, since they are older than the policy keeps them. The entries stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RetentionEvent {
    /// When, in Unix milliseconds.
    pub at_ms: u64,
    /// What is older than this goes, in Unix milliseconds.
    pub before_ms: u64,
    /// How far, in each writer's chain.
    pub through: Vec<Through>,
}

/// How far in a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Through {
    /// The writer.
    pub writer: String,
    /// The number of the last entry.
    pub seq: u64,
}

/// The log goes on from a backup: what was written after it is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoreEvent {
    /// When, in Unix milliseconds.
    pub at_ms: u64,
    /// When the backup was made, in Unix milliseconds.
    pub backup_at_ms: u64,
    /// Where the chains stood in it, as signed notes.
    pub checkpoints: Vec<String>,
}

/// A token was exchanged for one of control's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenEvent {
    /// The new token's `jti`.
    pub id: String,
    /// The tokens that were given for it, the first one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<TokenId>,
    /// When, in Unix milliseconds.
    pub at_ms: u64,
    /// Who it speaks for.
    pub who: Who,
    /// Who acts on their behalf.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// The scopes that it is narrowed to; absent: not narrowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// What the device says that it is which a person let in with it; absent: no device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// When it ends.
    pub expires_ms: u64,
}

/// Something that happened to a grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GrantEvent {
    /// The grant.
    pub id: String,
    /// Where it stands now.
    pub state: GrantState,
    /// When, in Unix milliseconds, by control's clock.
    pub at_ms: u64,
    /// What was asked for, by its name in the policy.
    pub name: String,
    /// The roles that it gives.
    pub roles: Vec<String>,
    /// Who asked, and has it.
    pub who: Who,
    /// Why they asked.
    pub wish: String,
    /// Whether it was given without an approval.
    pub break_glass: bool,
    /// When it, or the wish for it, ends.
    pub ends_ms: u64,
    /// Who brought it there, as issuer and subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<(String, String)>,
    /// The reason given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whose right they used.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub on_behalf: Option<Delegated>,
}

/// Something that happened to a hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HoldEvent {
    /// The hold.
    pub id: String,
    /// What happened.
    pub change: HoldChange,
    /// When, in Unix milliseconds, by control's clock.
    pub at_ms: u64,
    /// The key of what is held.
    pub key: String,
    /// The rule that holds.
    pub rule: String,
    /// Who asked.
    pub requester: Who,
    /// The session, where the client sends one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The exchange that asked first; for [`HoldChange::Used`], the one that used the approval.
    pub exchange: String,
    /// Who decided or spoke, as issuer and subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<(String, String)>,
    /// The reason given, or the comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whose right they used.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub on_behalf: Option<Delegated>,
    /// The pass that it opened, or that approved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pass: Option<String>,
    /// How many texts they had masked, with an approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub masked: Option<u32>,
}

/// What happened to a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum HoldChange {
    /// It waits.
    Opened,
    /// A person approved it, and more must.
    Agreed,
    /// Somebody said something about it.
    Commented,
    /// It may go on: a person let it, the last of those who must, or a pass did.
    Approved,
    /// A person refused it.
    Denied,
    /// Nobody decided in time.
    Expired,
    /// An exchange used the approval.
    Used,
}

impl HoldChange {
    /// The word for it, in exports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Agreed => "agreed",
            Self::Commented => "commented",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Used => "used",
        }
    }
}

impl Entry {
    /// The session that it belongs to; the exchange where the client sends none.
    pub fn session(&self) -> Option<&str> {
        match self {
            Self::Exchange(record) => record.session.as_deref().or(Some(&record.exchange)),
            Self::Hold(event) => event.session.as_deref().or(Some(&event.exchange)),
            _ => None,
        }
    }

    /// The exchange that it is about.
    pub fn exchange(&self) -> Option<&str> {
        match self {
            Self::Exchange(record) => Some(&record.exchange),
            Self::Hold(event) => Some(&event.exchange),
            _ => None,
        }
    }

    /// What it is, in the word by which its text begins.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Exchange(_) => "exchange",
            Self::Hold(_) => "hold",
            Self::Grant(_) => "grant",
            Self::Token(_) => "token",
            Self::SignIn(_) => "signIn",
            Self::Pass(_) => "pass",
            Self::Delegation(_) => "delegation",
            Self::Policy(_) => "policy",
            Self::Revocation(_) => "revocation",
            Self::Review(_) => "review",
            Self::Restore(_) => "restore",
            Self::Retention(_) => "retention",
        }
    }

    /// The text that is stored and chained.
    pub fn to_json(&self) -> String {
        // Strings, numbers and lists of them: they always serialise.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl GrantEvent {
    /// Somebody asked, or broke the glass.
    pub fn opened(grant: &Grant) -> Self {
        Self::new(grant, grant.created_ms)
    }

    /// It stands where it stands now since this moment.
    pub fn changed(grant: &Grant, at_ms: u64) -> Self {
        let by = match grant.state {
            GrantState::Live | GrantState::Denied => grant.decided.as_ref(),
            GrantState::Revoked => grant.revoked.as_ref(),
            // Somebody approved, and more must.
            GrantState::Waiting => grant.voices.last().map(|voice| &voice.by),
            GrantState::Expired | GrantState::Ended => None,
        };
        Self {
            by: by.map(|by| (by.issuer.clone(), by.subject.clone())),
            reason: by.and_then(|by| by.reason.clone()),
            on_behalf: by.and_then(|by| by.on_behalf.clone()),
            ..Self::new(grant, at_ms)
        }
    }

    fn new(grant: &Grant, at_ms: u64) -> Self {
        Self {
            id: grant.id.clone(),
            state: grant.state,
            at_ms,
            name: grant.name.clone(),
            roles: grant.roles.clone(),
            who: grant.who.clone(),
            wish: grant.reason.clone(),
            break_glass: grant.break_glass,
            ends_ms: grant.ends_ms,
            by: None,
            reason: None,
            on_behalf: None,
        }
    }
}

impl HoldEvent {
    /// The hold waits.
    pub fn opened(hold: &Hold) -> Self {
        Self::new(hold, HoldChange::Opened, hold.created_ms)
    }

    /// Somebody has spoken, and the hold stands as it then does: decided, or still waiting.
    pub fn heard(hold: &Hold, by: &DecidedBy) -> Self {
        let change = match hold.state {
            HoldDecision::Approved | HoldDecision::Edited => HoldChange::Approved,
            HoldDecision::Waiting => HoldChange::Agreed,
            HoldDecision::Denied | HoldDecision::Expired => HoldChange::Denied,
        };
        Self {
            by: Some((by.issuer.clone(), by.subject.clone())),
            reason: by.reason.clone(),
            on_behalf: by.on_behalf.clone(),
            pass: hold.pass.clone(),
            masked: hold.voices.last().map(|voice| voice.masked).filter(|masked| *masked > 0),
            ..Self::new(hold, change, by.at_ms)
        }
    }

    /// Somebody said something about the hold.
    pub fn commented(hold: &Hold, comment: &Comment) -> Self {
        Self {
            by: Some((comment.issuer.clone(), comment.subject.clone())),
            reason: Some(comment.text.clone()),
            ..Self::new(hold, HoldChange::Commented, comment.at_ms)
        }
    }

    /// The hold's time ran out.
    pub fn expired(hold: &Hold, at_ms: u64) -> Self {
        Self::new(hold, HoldChange::Expired, at_ms)
    }

    /// An exchange used the approval.
    pub fn used(hold: &Hold, exchange: &str, at_ms: u64) -> Self {
        Self { exchange: exchange.to_owned(), ..Self::new(hold, HoldChange::Used, at_ms) }
    }

    fn new(hold: &Hold, change: HoldChange, at_ms: u64) -> Self {
        Self {
            id: hold.id.clone(),
            change,
            at_ms,
            key: hold.ask.key.clone(),
            rule: hold.ask.rule.clone(),
            requester: hold.ask.who.clone(),
            session: hold.ask.session.clone(),
            exchange: hold.ask.exchange.clone(),
            by: None,
            reason: None,
            on_behalf: None,
            pass: None,
            masked: None,
        }
    }
}
