//! What filter and control say to each other: JSON over HTTP/1.1 or 2, each call with `authorization: Bearer`
//! and the data-plane token of the plugin configuration.
//!
//! | call | what it does |
//! |---|---|
//! | `GET /v1/bundle?after=VERSION&issued=MS&wait=SECONDS&node=ID&filter=VERSION&trouble=TEXT&troubled=MS&queued=N` | 200 [`SignedBundle`](crate::policy::bundle::SignedBundle), or 304 when the wait ended without a new one. New is one of another version, or (with `issued`, the `issuedAtMs` in hand) one that was renewed since. `trouble`: what went wrong last and when; `queued`: records that wait |
//! | `POST /v1/exchanges` [`Open`] | writes the record durably, opens or joins the hold; [`OpenReply`] |
//! | `POST /v1/holds/{id}/wait?seconds=N` | [`HoldState`] once it is decided or the wait ends. Uses nothing up: whoever waits may be gone when the answer comes |
//! | `POST /v1/holds/{id}/use?exchange=ID` | [`HoldState`]; `approved` or `edited` uses the approval up for this exchange, which may ask again. Where another exchange was faster, the answer carries the id of the hold to wait for instead |
//! | `POST /v1/records` [`Batch`] | writes records durably; [`BatchReply`] |
//! | `POST /v1/budgets` [`Spending`] | adds up durably what was used of budgets; [`SpendingReply`] says what others have used |
//! | `POST /v1/introspect` [`Introspect`] | [`Introspected`]: who an opaque token speaks for, by its issuer |
//! | `POST /v1/issuers/refresh` [`Refresh`] | 202; the issuer's keys are fetched again (rate-limited) |

use serde::{Deserialize, Serialize};

use crate::budget::Counter;
use crate::identity::Principal;
use crate::policy::document::Part;
use crate::record::{Block, Record, Who};

/// Path of the bundle.
pub const BUNDLE: &str = "/v1/bundle";
/// Path on which an exchange is opened.
pub const EXCHANGES: &str = "/v1/exchanges";
/// Path of records in batches.
pub const RECORDS: &str = "/v1/records";
/// Path below which holds live.
pub const HOLDS: &str = "/v1/holds";
/// Path on which filters say what was used of budgets.
pub const BUDGETS: &str = "/v1/budgets";
/// Path on which control is asked about an opaque token.
pub const INTROSPECT: &str = "/v1/introspect";
/// Path on which a fresh look at an issuer's keys is asked for.
pub const REFRESH: &str = "/v1/issuers/refresh";

/// Most texts that reviewers may have masked in one request, those of its earlier turns included. An approval with more is
/// none.
pub const MOST_MASKED: usize = 256;

/// Asks for a record to be written before its request is forwarded, and for a hold where a rule says so.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Open {
    /// The record. Absent where policy does not record before forwarding and this is only about a hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Record>,
    /// Blocks that the record names and that control has not acknowledged to this VM.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocks: Vec<Block>,
    /// What must be approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<HoldAsk>,
    /// Definitions of tools that an MCP server has listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Box<ToolsSeen>>,
}

/// The definitions in a list of tools, for control to compare with those that are approved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolsSeen {
    /// The MCP server, as the policy names it.
    pub server: String,
    /// Whether the first definition of a tool counts as approved.
    pub trust: bool,
    /// The definitions.
    pub tools: Vec<ToolDefinition>,
    /// The hold that is opened for each that is not approved, but for its key, tool and preview.
    pub ask: HoldAsk,
}

/// How a server defines a tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolDefinition {
    /// The tool, as the server names it.
    pub tool: String,
    /// Hexadecimal SHA-256 of the definition, whatever its spelling, without `_meta` and `icons`.
    pub digest: String,
    /// The definition, masked, for reviewers.
    pub definition: String,
}

/// The tool that a hold is about, when it is about the tool's definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolKey {
    /// The MCP server, as the policy names it.
    pub server: String,
    /// The tool, as the server names it.
    pub tool: String,
    /// The definition that is to be approved. Absent: the one that was listed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Whether a tool that was never listed may be called.
    pub trust: bool,
    /// The definition, masked; empty in a question.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}

/// Something that must be approved by a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HoldAsk {
    /// Hexadecimal SHA-256 that a retry of the same thing comes up with again: principal, rule, and the digest of
    /// the request (without `stream`, `max_tokens` and cache marks) or of the tool call. One decision belongs to it.
    pub key: String,
    /// Hexadecimal SHA-256 of principal, rule and the conversation up to what is held.
    pub thread: String,
    /// The same for each earlier message that the rule holds, of the turns before. What reviewers had masked in them stays
    /// masked, whatever becomes of this.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<String>,
    /// Whether it may be approved with more masked ([`HoldDecision::Edited`]): it is no call of a tool, and who asks knows
    /// how. A filter that is older does not say so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub editable: bool,
    /// Whether what is held stands in an earlier turn of the conversation: an approval that was used for the same
    /// `thread` covers it, so that a conversation goes on after its approval.
    #[serde(default)]
    pub history: bool,
    /// The exchange that asks.
    pub exchange: String,
    /// The rule that holds.
    pub rule: String,
    /// The rule's message.
    pub message: String,
    /// Who asks. Can never be the one who decides.
    pub who: Who,
    /// Who acts on their behalf ([`crate::identity::Principal::actor`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// The sidecar that asks, by its node id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The session, where the client sends one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// What is held.
    pub part: Part,
    /// The model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The tool that would be called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// What a reviewer sees, masked: the prompt's text, or the tool's input as JSON.
    pub preview: String,
    /// What the command would do, one entry a statement (`destroy: DROP TABLE orders`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<String>,
    /// Groups of which the approver must be a member.
    pub approvers: Vec<String>,
    /// How many different people must approve; one who denies is enough to deny.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub quorum: u32,
    /// Groups whose members may not decide, whatever their other groups: the requester's teams, where policy keeps them
    /// out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<String>,
    /// The longest time, in seconds, for which the same person may be let go on under the same rule. Absent: an approval
    /// is for what was asked and nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant_seconds: Option<u64>,
    /// Whether a reason must be given.
    pub reason: bool,
    /// After this many seconds without a decision it is denied.
    pub expires_seconds: u64,
    /// The policy in force.
    pub policy_version: String,
    /// The tool whose definition is to be approved. Such an approval counts for everyone, until the definition changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<ToolKey>,
}

/// Control's answer to [`Open`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenReply {
    /// The hold's state. Absent when none was asked for: go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<HoldState>,
    /// Digests that the record names and that control does not have. Not empty: nothing was written or held; ask
    /// again with these blocks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// The tools of [`Open::tools`] whose definitions are not approved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unapproved: Vec<String>,
}

/// Where a hold stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HoldState {
    /// The hold's id, short enough to be typed. Empty: it was decided without one, since the definition of a tool is
    /// approved already or was never seen.
    pub id: String,
    /// What was decided.
    pub decision: HoldDecision,
    /// The reason that the reviewer gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who decided; of what was [`HoldDecision::Edited`], who had texts masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// With [`HoldDecision::Edited`]: the texts that are masked, as a reviewer reads them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub masked: Vec<String>,
}

/// What was decided on a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum HoldDecision {
    /// Nobody has decided.
    Waiting,
    /// Go on, once the approval is used (`POST /v1/holds/{id}/use`); in an [`OpenReply`] it has been.
    Approved,
    /// Go on as [`HoldDecision::Approved`] says, with [`HoldState::masked`] masked before. A filter that is older than
    /// this word cannot read it, and so has no approval.
    Edited,
    /// Refused, by a person.
    Denied,
    /// Nobody decided in time: refused.
    Expired,
}

impl HoldDecision {
    /// Whether it goes on, as it is or with more masked.
    pub fn goes_on(self) -> bool {
        matches!(self, Self::Approved | Self::Edited)
    }

    /// The word for it, in stores and messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Approved => "approved",
            Self::Edited => "edited",
            Self::Denied => "denied",
            Self::Expired => "expired",
        }
    }
}

/// Records in the order in which they happened in one VM.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Batch {
    /// Identifies the batch, so that one sent twice is written once.
    pub id: String,
    /// The records.
    pub records: Vec<Record>,
    /// Blocks that they name and that control has not acknowledged to this VM.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocks: Vec<Block>,
}

/// Control's answer to [`Batch`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchReply {
    /// Digests that control does not have. Not empty: nothing was written; send again with these blocks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

/// What one Envoy has counted of budgets, and the wish to know what others have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spending {
    /// Who counts: drawn anew when an Envoy starts, since its counters start anew then.
    pub reporter: String,
    /// Where the last answer ended; 0: tell all.
    #[serde(default)]
    pub after: u64,
    /// Counters that have changed since the last report. Each is what this reporter has counted in all, not an addition:
    /// one that is told twice, or late, changes nothing.
    #[serde(default)]
    pub counters: Vec<Counter>,
}

/// Control's answer to [`Spending`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SpendingReply {
    /// Where this answer ends.
    pub after: u64,
    /// Of each counter of which another reporter has told something new: what all others together have counted.
    pub counters: Vec<Counter>,
}

/// Asks who an opaque token speaks for.
#[derive(Clone, Serialize, Deserialize)]
pub struct Introspect {
    /// The token. Never logged.
    pub token: String,
}

/// Control's answer to [`Introspect`], by what the token's issuer said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Introspected {
    /// This principal, until the end of the token or of the time that the policy lets an answer count.
    Active(Principal),
    /// Nobody.
    Refused {
        /// A short code for records and metrics.
        rule: String,
        /// Why, and what to do.
        message: String,
    },
}

/// Asks control to look at an issuer's keys again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refresh {
    /// The issuer's name in the policy.
    pub issuer: String,
    /// The key id that a token named and no bundle has.
    pub kid: String,
}

fn one() -> u32 {
    1
}

fn is_one(number: &u32) -> bool {
    *number == one()
}
