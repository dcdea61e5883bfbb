//! The export: one JSON object a line. Lines of entries carry what the chain needs, so that a file can be verified
//! away from the service; a block comes before the first entry that needs it; the signed head comes last.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sluice_engine::record::Block;

use crate::store::Stored;

/// A line. Which fields are there says what it is.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Line {
    /// Of an entry: where the next export goes on (`after`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<i64>,
    /// Of an entry: its writer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub writer: Option<String>,
    /// Of an entry: its number in the writer's chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// Of an entry: the chain's hash at it, hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// Of an entry that ended a commit: the writer's signature, base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// Of an entry: its exact text ([`super::Entry`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<Box<RawValue>>,
    /// A block.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block: Option<Block>,
    /// A signed head, as a note ([`sluice_engine::record::checkpoint`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
    /// Why the export ends before its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Line {
    /// The line of an entry. One whose text is no JSON any more was tampered with: it becomes a JSON string, so
    /// that the export goes on and its verification finds it.
    pub fn entry(stored: Stored) -> Self {
        let text = RawValue::from_string(stored.entry)
            .or_else(|_| RawValue::from_string("\"this entry is not JSON any more\"".to_owned()));
        Self {
            cursor: Some(stored.cursor),
            writer: Some(stored.writer),
            seq: Some(stored.seq),
            hash: Some(stored.hash.to_string()),
            signature: stored.signature.map(|bytes| BASE64.encode(bytes)),
            entry: text.ok(),
            ..Self::default()
        }
    }

    /// The line's text, with its end.
    pub fn to_text(&self) -> String {
        // Strings and numbers: they always serialise.
        let mut text = serde_json::to_string(self).unwrap_or_default();
        text.push('\n');
        text
    }
}
