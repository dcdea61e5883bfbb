//! The policy document: the YAML that people write, as types.
//!
//! Every list of named things merges by name when a policy spans several files. Field names are camelCase in
//! YAML. Unknown fields are errors: a misspelt restriction must not silently vanish.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A whole policy, possibly merged from several files.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Policy {
    /// Who may issue the tokens that callers present.
    pub issuers: Vec<Issuer>,
    /// What a caller with the role may do.
    pub roles: Vec<Role>,
    /// Which groups and subjects have which roles.
    pub bindings: Vec<Binding>,
    /// What is masked, and how.
    pub masking: Masking,
    /// What is denied or held beyond what roles say, in order of writing.
    pub rules: Vec<Rule>,
    /// Which fields of which tools hold commands; added in front of the defaults.
    pub commands: Vec<CommandField>,
    /// What is recorded, and when.
    pub recording: Recording,
    /// Settings of the enforcement point itself.
    pub limits: Limits,
    /// Who may use control itself.
    pub access: Access,
}

/// Which groups may use what in control. No right includes another; who may approve stands in each rule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Access {
    /// May read sessions and records, replay and export them.
    pub auditors: Vec<String>,
    /// May see the state of the service and its sidecars.
    pub operators: Vec<String>,
    /// May propose policy.
    pub authors: Vec<String>,
}

/// An issuer of tokens: an OIDC provider, or control itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Issuer {
    /// Name used in rules, records and messages.
    pub name: String,
    /// The exact `iss` claim; also the base of OIDC discovery.
    pub issuer: String,
    /// Accepted `aud` values; a token must carry at least one of them.
    pub audiences: Vec<String>,
    /// Where the keys come from. Absent: OIDC discovery below `issuer`.
    #[serde(default)]
    pub keys: KeySource,
    /// Where subject, groups and scopes stand among the claims.
    #[serde(default)]
    pub claims: ClaimPaths,
    /// The longest life (`exp` seen from now) that a token may have. Tokens without an end are always refused.
    #[serde(default = "Issuer::default_max_lifetime")]
    pub max_lifetime: Duration,
}

impl Issuer {
    /// 24 hours.
    pub fn default_max_lifetime() -> Duration {
        Duration::hours(24)
    }
}

/// Where an issuer's public keys come from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum KeySource {
    /// `{issuer}/.well-known/openid-configuration`, fetched by control.
    #[default]
    Discovery,
    /// A JWK Set at this URL, fetched by control.
    JwksUri(String),
    /// A JWK Set written in the policy itself.
    Jwks(serde_json::Value),
    /// Control's own issuer (`sluice token mint`).
    Control,
}

/// Dotted paths into the claims, for example `realm_access.roles`. A path is tried as one literal claim name
/// first, so that names with dots (`https://example.com/groups`) work as they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ClaimPaths {
    /// Who it is. Default `sub`.
    pub subject: String,
    /// The groups: an array of strings, or one string. Default `groups`.
    pub groups: String,
    /// The scopes: an array, or a space-separated string. Default `scope`. Absent from the token: no narrowing.
    /// The scopes of OpenID Connect itself (`openid`, `profile`, `email`, ...) are passed over, and a token that
    /// carries only those is not narrowed.
    pub scopes: String,
}

impl Default for ClaimPaths {
    fn default() -> Self {
        Self { subject: "sub".into(), groups: "groups".into(), scopes: "scope".into() }
    }
}

/// What a caller may do. The roles of a caller add up; any `deny` among them wins.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Role {
    /// Name used in bindings.
    pub name: String,
    /// Scopes, as globs over scope names (`messages.create`, `batches.*`).
    pub scopes: Vec<String>,
    /// Model names, as globs. Empty: none.
    pub models: Vec<String>,
    /// Tools that may be offered to the model and called by it.
    pub tools: AllowDeny,
    /// Tools that run at the provider (`web_search`, `code_execution`, ...), by type name, with or without its date.
    /// Default: none.
    pub server_tools: AllowDeny,
    /// MCP servers, as globs over their URLs (`https://*.example.com/mcp`); a `*` in the host does not reach over
    /// a slash, and without a path any path fits. Default: none.
    pub mcp_servers: AllowDeny,
    /// `anthropic-beta` values. Default: all.
    pub betas: AllowDeny,
    /// Largest `max_tokens`. Absent: no limit.
    pub max_tokens: Option<u64>,
    /// Largest `thinking.budget_tokens`. Absent: no limit.
    pub thinking_budget: Option<u64>,
    /// Finding kinds that are not masked for holders of this role.
    pub unmasked: Vec<String>,
}

/// Two lists of globs. Something is allowed when an `allow` matches and no `deny` does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AllowDeny {
    /// Absent: the field's default (see where it is used). Empty: nothing.
    pub allow: Option<Vec<String>>,
    /// Wins over `allow`, also over that of other roles.
    pub deny: Vec<String>,
}

/// Gives roles to groups and subjects.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Binding {
    /// Name, for merging and messages.
    pub name: String,
    /// Groups that get the roles (exact).
    pub groups: Vec<String>,
    /// Subjects that get the roles (exact).
    pub subjects: Vec<String>,
    /// Only principals of this issuer (by name). Absent: of any.
    pub issuer: Option<String>,
    /// Roles by name.
    pub roles: Vec<String>,
}

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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
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

/// A rule: when all of `when` holds for some part of an exchange, the action is taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// Name that denials, holds and records carry.
    pub name: String,
    /// The conditions; all of those given must hold.
    #[serde(default)]
    pub when: When,
    /// What happens. The most restrictive action among the rules that match wins: deny, then hold, then allow.
    pub action: Action,
    /// What the caller reads. Absent: a sentence made from the rule's name.
    #[serde(default)]
    pub message: Option<String>,
    /// Who may approve, for `hold`.
    #[serde(default)]
    pub approval: Option<Approval>,
    /// Only record that the rule would have acted.
    #[serde(default)]
    pub observe: bool,
}

/// The conditions of a rule. A list holds when one of its entries does; an absent condition always holds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct When {
    /// Which part of an exchange is looked at. Absent: tool calls when `tool`, `input` or `effects` is given,
    /// else prompts and tool results.
    pub part: Vec<Part>,
    /// Route names, as globs.
    pub routes: Vec<String>,
    /// Groups of the principal (exact).
    pub groups: Vec<String>,
    /// Model names, as globs.
    pub models: Vec<String>,
    /// A regular expression searched for in the part's text.
    pub text: Option<String>,
    /// Tool names, as globs. For a tool call; for a tool result, the tool that gave it.
    pub tools: Vec<String>,
    /// A regular expression searched for in every string of the tool's input.
    pub input: Option<String>,
    /// Finding kinds (globs) in the part.
    pub findings: Vec<String>,
    /// Effects of the commands in the tool's input. A command that was not understood has the effect `unknown`
    /// alone: list `unknown` too where it should count as the worst.
    pub effects: Vec<crate::command::Effect>,
}

/// A part of an exchange that rules look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Part {
    /// System text and what user messages say.
    Prompt,
    /// What tools gave back, on its way to the model.
    ToolResult,
    /// A tool call by the model, on its way to the agent.
    ToolCall,
    /// Text by the model, on its way to the agent.
    Reply,
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// Nothing; recorded.
    Allow,
    /// Waits for a person.
    Hold,
    /// Refused.
    Deny,
}

/// Who may approve a hold, and within what time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Approval {
    /// Groups of which an approver must be a member. Never the requester, whatever the groups.
    pub groups: Vec<String>,
    /// After this the hold is denied. Default 1 h.
    #[serde(default = "Approval::default_expires")]
    pub expires: Duration,
    /// Whether a reason must be given. Default true.
    #[serde(default = "yes")]
    pub reason: bool,
}

impl Approval {
    /// One hour.
    pub fn default_expires() -> Duration {
        Duration::hours(1)
    }
}

/// Which field of a tool's input holds a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CommandField {
    /// Tool names, as globs.
    pub tools: Vec<String>,
    /// Field names; found at any depth of the input.
    pub fields: Vec<String>,
    /// How the field's text is read.
    pub language: Language,
}

/// How a command is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Language {
    /// SQL of PostgreSQL, MySQL, SQLite or T-SQL.
    Sql,
    /// POSIX shell and bash.
    Shell,
}

/// What is recorded, and when.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Recording {
    /// When the record is written.
    pub mode: RecordMode,
}

/// When the record of an exchange is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordMode {
    /// Durably before the request goes upstream; control away: 503.
    BeforeForward,
    /// Queued in the filter and sent in batches; the queue full: 503.
    #[default]
    Background,
    /// Not at all.
    Off,
}

/// Settings of the enforcement point itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    /// Largest request body. Default 32 MB, the API's own limit.
    pub body_bytes: u64,
    /// Deepest nesting of a body. Default 128.
    pub depth: u32,
    /// How long a filter may work with a bundle that control has not renewed. Default 24 h.
    pub bundle_age: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { body_bytes: 32 * 1024 * 1024, depth: 128, bundle_age: Duration::hours(24) }
    }
}

/// A length of time, written `90s`, `15m`, `24h` or `7d`. Whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(u64);

impl Duration {
    /// From seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(seconds)
    }

    /// From hours.
    pub const fn hours(hours: u64) -> Self {
        Self(hours * 3600)
    }

    /// In seconds.
    pub const fn as_seconds(self) -> u64 {
        self.0
    }

    /// In milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.0.saturating_mul(1000)
    }

    /// Reads `90s`, `15m`, `24h`, `7d`.
    pub fn parse(text: &str) -> Option<Self> {
        let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let unit = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            _ => return None,
        };
        if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        number.parse::<u64>().ok()?.checked_mul(unit).map(Self)
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            s if s > 0 && s % 86_400 == 0 => write!(f, "{}d", s / 86_400),
            s if s > 0 && s % 3600 == 0 => write!(f, "{}h", s / 3600),
            s if s > 0 && s % 60 == 0 => write!(f, "{}m", s / 60),
            s => write!(f, "{s}s"),
        }
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            de::Error::custom(format!("`{text}` is not a duration; write 90s, 15m, 24h or 7d"))
        })
    }
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_whole_seconds_with_a_unit() {
        for (text, seconds) in [("90s", 90), ("15m", 900), ("24h", 86_400), ("7d", 604_800), ("0s", 0)] {
            assert_eq!(Duration::parse(text), Some(Duration::seconds(seconds)), "{text}");
        }
        for text in [
            "",
            "h",
            "24",
            "1.5h",
            "-1h",
            "+1h",
            "1 h",
            "1w",
            "é",
            "99999999999999999999s",
            "9999999999999999999d",
        ] {
            assert_eq!(Duration::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_duration_is_written_in_its_largest_whole_unit() {
        for (seconds, text) in [(0, "0s"), (90, "90s"), (900, "15m"), (7200, "2h"), (604_800, "7d")] {
            assert_eq!(Duration::seconds(seconds).to_string(), text);
            assert_eq!(Duration::parse(text), Some(Duration::seconds(seconds)));
        }
    }

    #[test]
    fn a_misspelt_restriction_is_an_error() {
        for text in [
            r#"{"rolls": []}"#,
            r#"{"roles": [{"name": "r", "modles": []}]}"#,
            r#"{"roles": [{"name": "r", "tools": {"denny": []}}]}"#,
            r#"{"rules": [{"name": "r", "action": "deny", "when": {"tool": []}}]}"#,
            r#"{"rules": [{"name": "r", "action": "refuse"}]}"#,
        ] {
            assert!(serde_json::from_str::<Policy>(text).is_err(), "{text}");
        }
    }
}
