//! What is masked, and how.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Approval;

/// What is masked, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Masking {
    /// Whether findings change the traffic.
    pub mode: MaskMode,
    /// What stands in a value's place where `kinds` says nothing else. Default: pseudonym.
    pub mask: MaskStyle,
    /// Per finding kind: another style, or off. Keys are kind names or globs (`*_key`).
    pub kinds: BTreeMap<String, MaskStyle>,
    /// Detector packs that are turned on beside the default ones (`us`, `uk`, `crypto`, ...).
    pub packs: Vec<String>,
    /// The organisation's own patterns.
    pub custom: Vec<CustomPattern>,
    /// Put originals back, in replies, where the model repeats a pseudonym of this very request. Default: true.
    pub restore: bool,
    /// What happens to values that the model itself writes into tool calls. Default: restore only.
    pub tool_inputs: ToolInputMasking,
    /// What happens to media that cannot be read (images, PDFs, files by id). Default: allow.
    pub media: MediaAction,
    /// Who may approve media, for `media: hold`.
    pub media_approval: Option<Approval>,
}

impl Default for Masking {
    fn default() -> Self {
        Self {
            mode: MaskMode::Enforce,
            mask: MaskStyle::Pseudonym,
            kinds: BTreeMap::new(),
            packs: Vec::new(),
            custom: Vec::new(),
            restore: true,
            tool_inputs: ToolInputMasking::Restore,
            media: MediaAction::Allow,
            media_approval: None,
        }
    }
}

/// Whether findings change the traffic.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MaskMode {
    /// Findings are masked.
    #[default]
    Enforce,
    /// Findings are counted and recorded; nothing changes.
    Observe,
    /// Nothing is looked for.
    Off,
}

/// What stands in a value's place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MaskStyle {
    /// `<email:k3v9q2>`: typed and stable, so that two mentions of one person stay one person.
    #[default]
    Pseudonym,
    /// `[redacted:email]`.
    Redact,
    /// Not masked.
    Off,
}

impl MaskStyle {
    /// How much it hides, more being safer.
    pub fn safety(self) -> u8 {
        match self {
            Self::Off => 0,
            Self::Pseudonym => 1,
            Self::Redact => 2,
        }
    }
}

/// What happens to values that the model itself writes into tool calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ToolInputMasking {
    /// Pseudonyms of the request are restored so that the tool works on real values; nothing is masked.
    #[default]
    Restore,
    /// Values found are masked, as in text; pseudonyms stay.
    Mask,
}

/// What happens to media that cannot be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MediaAction {
    /// Passes.
    #[default]
    Allow,
    /// Refused with 403.
    Deny,
    /// Waits for a person, where it stands in messages. Files that are uploaded or fetched by themselves are refused.
    Hold,
}

/// A pattern of the organisation's own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CustomPattern {
    /// The finding kind: lower-case letters, digits and `_`.
    pub name: String,
    /// A regular expression in the syntax of the `regex` crate, ASCII classes; at most 512 bytes can match.
    pub pattern: String,
    /// A further check on what matched.
    pub validator: Option<Validator>,
    /// Words of which one must stand within 64 bytes before the match (case ignored). Empty: none needed.
    pub context: Vec<String>,
    /// Texts that must give a finding; checked when the policy loads.
    pub matches: Vec<String>,
    /// Texts that must give none; checked when the policy loads.
    pub misses: Vec<String>,
}

/// A further check on what a custom pattern matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Validator {
    /// The digits satisfy Luhn's check.
    Luhn,
    /// The characters satisfy ISO 7064 mod 97-10.
    Mod97,
    /// At least 3 bits of Shannon entropy a character.
    Entropy,
}
