//! Records, block digests, the chain.
//!
//! A record says what happened in one stage of an exchange. The bodies that it names are masked, cut into
//! content-addressed blocks: a conversation that is resent every turn costs its growth.
//!
//! * [`cut`](mod@cut): a body becomes pieces and blocks, and [`assemble`](mod@assemble)d its exact bytes again.
//! * [`chain`]: what makes the log tamper-evident, and [`checkpoint`]: its signed head.

pub mod assemble;
pub mod chain;
pub mod checkpoint;
pub mod cut;
mod trace;

pub use assemble::{AssembleError, assemble};
pub use cut::{cut, cut_unless};
pub use trace::traceparent;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::command::Effect;
use crate::policy::document::{Action, Part};

/// Names of tools that one record counts calls of.
pub const TOOLS: usize = 64;

/// What happened in one stage of an exchange.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The exchange: 32 hexadecimal digits, drawn by the filter.
    pub exchange: String,
    /// Which stage this is about.
    pub stage: Stage,
    /// When, in Unix milliseconds, by the filter's clock.
    pub at_ms: u64,
    /// Which sidecar wrote it (Envoy's node id).
    pub node: String,
    /// The verified caller; absent when there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<Who>,
    /// The session, where the client sends one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The subagent, where the client names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The span of the caller's that it is part of, where they send one ([`traceparent`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// The route's name (`messages.create`), or `unknown`.
    pub route: String,
    /// The model asked for, or that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Whether the client asked for a stream.
    #[serde(default)]
    pub stream: bool,
    /// Who acted on the caller's behalf ([`crate::identity::Principal::actor`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// The policy in force ([`crate::policy::bundle::Bundle::policy_version`]).
    pub policy_version: String,
    /// At [`Stage::Open`]: the caller's roles that allow the route and the model
    /// ([`crate::policy::rights::Rights::used`]).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// Tools that were called and not refused, and how often; of more than [`TOOLS`] names the first.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub calls: BTreeMap<String, u32>,
    /// What was decided, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decisions: Vec<Decision>,
    /// How many findings of each kind were seen.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub findings: BTreeMap<String, u32>,
    /// The masked body: of the request at [`Stage::Open`], and at [`Stage::Edited`] as it was sent; of the reply (a whole message, also when it was
    /// streamed) at [`Stage::Close`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Body>,
    /// HTTP status that the client got.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Tokens used, from the reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// The reply's stop reason as the client got it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_reason: Option<String>,
    /// From the request's first byte to this stage, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
}

/// A stage of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Stage {
    /// The request was judged; it went upstream unless the decisions say otherwise.
    Open,
    /// Reviewers had more of the request masked when they approved it; so it goes upstream.
    Edited,
    /// The exchange ended: the reply is complete, or was refused, or the client left.
    Close,
}

/// Who called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Who {
    /// The issuer's name in the policy.
    pub issuer: String,
    /// The subject.
    pub subject: String,
    /// Groups at that time.
    pub groups: Vec<String>,
}

/// One decision within an exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// The rule's name, or one of the built-in reasons (`token`, `scope`, `model`, `tool`, ...).
    pub rule: String,
    /// What it decided.
    pub action: Action,
    /// About which part; absent: the request as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    /// The tool concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// The role whose deny list decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The effects that were read out of a command.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<Effect>,
    /// The hold that came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<String>,
    /// Who had more of the request masked when they approved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_by: Option<String>,
    /// The rule only observes: nothing was done.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub observed: bool,
    /// Something was left out of what was offered, and the exchange went on without it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub left_out: bool,
}

impl Decision {
    /// Whether this was done to the exchange itself: not only observed, nor to an offer that it goes on without.
    pub fn did(&self, action: Action) -> bool {
        self.action == action && !self.observed && !self.left_out
    }
}

/// Tokens used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Usage {
    /// Tokens of the prompt that were neither read from nor written to the cache.
    pub input_tokens: u64,
    /// Tokens written by the model.
    pub output_tokens: u64,
    /// Tokens read from the cache.
    pub cache_read_input_tokens: u64,
    /// Tokens written to the cache.
    pub cache_creation_input_tokens: u64,
    /// Of those, tokens that stay for an hour.
    #[serde(rename = "cacheCreation1hInputTokens", skip_serializing_if = "is_zero")]
    pub cache_creation_1h_input_tokens: u64,
    /// What they cost, in millionths of a US dollar, where the policy has a price for the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_micro_usd: Option<u64>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A masked body, as pieces that put together give its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Body {
    /// In order.
    pub pieces: Vec<Piece>,
}

/// A piece of a body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Piece {
    /// Short text, as it is.
    Text(String),
    /// A block, by the hexadecimal SHA-256 of its content.
    Block(String),
}

/// A block of text that records refer to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Block {
    /// Hexadecimal SHA-256 of `text`; of a list, with the byte 0xFF before it. No text has that byte, so that no
    /// text can take the place of a list.
    pub digest: String,
    /// The content: text, or (`list`) the JSON of a list of [`Piece`]s that stands for what they give.
    pub text: String,
    /// Whether `text` is a list of pieces.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub list: bool,
}

impl Block {
    /// A block of `text`, with its digest.
    pub fn new(text: String, list: bool) -> Self {
        Self { digest: digest(&text, list), text, list }
    }

    /// Whether [`Block::digest`] is the digest of the text. A block from elsewhere is checked before it is kept.
    pub fn is_sound(&self) -> bool {
        digest(&self.text, self.list) == self.digest
    }

    /// The pieces of a `list` block; `None` when its text is not a list of pieces. A block of plain text has none.
    pub fn pieces(&self) -> Option<Vec<Piece>> {
        if self.list { serde_json::from_str(&self.text).ok() } else { Some(Vec::new()) }
    }
}

/// What a block is named by ([`Block::digest`]).
pub fn digest(text: &str, list: bool) -> String {
    let mut sha = Sha256::new();
    if list {
        sha.update([0xff]);
    }
    sha.update(text.as_bytes());
    hex(&sha.finalize())
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |n: u8| char::from(if n < 10 { b'0' + n } else { b'a' - 10 + n });
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect()
}
