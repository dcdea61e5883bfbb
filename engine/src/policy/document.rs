//! The policy document: the YAML that people write, as types.
//!
//! Every list of named things merges by name when a policy spans several files. Field names are camelCase in
//! YAML. Unknown fields are errors: a misspelt restriction must not silently vanish.

mod duration;
mod masking;
mod rules;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use duration::Duration;
pub use masking::{CustomPattern, MaskMode, MaskStyle, Masking, MediaAction, ToolInputMasking, Validator};
pub use rules::{Action, Approval, CommandField, Language, Part, Rule, When};

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
    /// Largest `thinking.budget_tokens`. Absent: no limit. Adaptive thinking has no budget of its own; `maxTokens` bounds it.
    pub thinking_budget: Option<u64>,
    /// Finding kinds (globs) that are not masked for holders of this role.
    pub unmasked: Vec<String>,
    /// Per finding kind (name or glob): another mask for holders of this role than policy's. What is most specific
    /// counts: a name before a glob, a longer glob before a shorter one. Where several roles say something about a
    /// kind, here or in `unmasked`, the safest counts: redaction, then pseudonym, then none.
    pub masks: BTreeMap<String, MaskStyle>,
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
