//! What is masked, and how.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Approval;

/// What is masked in requests and replies, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Masking {
    /// Whether findings change the traffic.
    ///
    /// Example: `observe`
    pub mode: MaskMode,
    /// What stands in a value's place where `kinds` says nothing else.
    ///
    /// Example: `redact`
    pub mask: MaskStyle,
    /// Per finding kind another mask, or none. Names of kinds, or globs over them.
    ///
    /// Example: `{ "*_key": redact, phone: off }`
    pub kinds: BTreeMap<String, MaskStyle>,
    /// Detector packs that are turned on beside the default detectors: `us`, `ca`, `uk`, `de`, `fr`, `es`, `it`, `pl`, `in`,
    /// `sg`, `au`, `documents`, `network`, `crypto`.
    ///
    /// Example: `[uk, crypto]`
    pub packs: Vec<String>,
    /// Your own patterns.
    pub custom: Vec<CustomPattern>,
    /// Put the caller's own values back where a reply repeats their pseudonyms.
    ///
    /// Example: `false`
    pub restore: bool,
    /// What happens to values in tool calls.
    ///
    /// Example: `mask`
    pub tool_inputs: ToolInputMasking,
    /// What happens to media that cannot be read: images, PDFs, files by id or URL.
    ///
    /// Example: `deny`
    pub media: MediaAction,
    /// Who may approve media, for `media: hold`.
    ///
    /// Example: `{ groups: [privacy] }`
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum MediaAction {
    /// Passes.
    #[default]
    Allow,
    /// Refused with 403.
    Deny,
    /// Waits for a person, where it stands in messages. Files by themselves, and media in MCP, are refused.
    Hold,
}

/// A pattern of the organisation's own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CustomPattern {
    /// The finding kind: lower-case letters, digits and `_`. Given once.
    ///
    /// Example: `ticket`
    pub name: String,
    /// A regular expression (syntax of the Rust crate `regex`, classes in ASCII); at most 512 bytes can match.
    ///
    /// Example: `ACME-[0-9]{6}`
    pub pattern: String,
    /// A further check on what matched.
    ///
    /// Example: `luhn`
    pub validator: Option<Validator>,
    /// Words of which one must stand within 64 bytes before the match (case ignored). Empty: none needed.
    ///
    /// Example: `[ticket, case]`
    pub context: Vec<String>,
    /// Texts that must give a finding; checked when the policy loads.
    ///
    /// Example: `["see ACME-004711"]`
    pub matches: Vec<String>,
    /// Texts that must give none; checked when the policy loads.
    ///
    /// Example: `["ACME-47"]`
    pub misses: Vec<String>,
}

/// A further check on what a custom pattern matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Validator {
    /// The digits satisfy Luhn's check.
    Luhn,
    /// The characters satisfy ISO 7064 mod 97-10.
    Mod97,
    /// At least 3 bits of Shannon entropy a character.
    Entropy,
}
