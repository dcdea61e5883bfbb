//! The policy document: the YAML that people write, as types.
//!
//! Every list of named things merges by name when a policy spans several files. Field names are camelCase in
//! YAML. Unknown fields are errors: a misspelt restriction must not silently vanish.

mod access;
mod approval;
mod budgets;
mod duration;
mod grants;
mod masking;
mod mcp;
mod notices;
mod reviews;
mod rules;
mod usd;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use access::{Sidecars, SignIn};
pub use approval::Approval;
pub use budgets::{Budget, Per, Price};
pub use duration::Duration;
pub use grants::Grantable;
pub use masking::{CustomPattern, MaskMode, MaskStyle, Masking, MediaAction, ToolInputMasking, Validator};
pub use mcp::{Definitions, FirstSeen, McpServer, ServerAsk};
pub use notices::{Channel, Event, Receiver, SlackPerson};
pub use reviews::{Review, ReviewScope};
pub use rules::{Action, CommandField, Language, Part, Rule, ToolFields, When};
pub use usd::Usd;

/// What agents may do through Sluice: a file, or a directory of files that are put together.
///
/// Every field may be left out. A field that is not known is an error: a misspelt restriction must not silently vanish.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Policy {
    /// Who may issue the tokens that callers present. At least one.
    pub issuers: Vec<Issuer>,
    /// What callers with a role may do. What no role gives is refused.
    pub roles: Vec<Role>,
    /// Which groups and subjects have which roles.
    pub bindings: Vec<Binding>,
    /// Rights with an end that people may ask for.
    pub grants: Vec<Grantable>,
    /// What is masked in requests and replies, and how.
    pub masking: Masking,
    /// What is denied or held beyond what roles say. Of the rules that match, the most restrictive decides: deny, then
    /// hold, then allow; among equals the first one written gives its name. Several files: in the order of their names.
    pub rules: Vec<Rule>,
    /// Which fields of which tools hold commands; looked at before the built-in ones. Built in: `command` of Bash and the
    /// other shell tools, and `query`, `sql`, `statement`, `command`, `cmd`, `script` of MCP tools and of tools with `sql`,
    /// `query` or `database` in their names.
    pub commands: Vec<CommandField>,
    /// Which fields of which tools hold paths of files, beside the built-in ones: for every tool `path`, `file_path`,
    /// `filename`, `notebook_path`, `source`, `destination`, `directory`, `cwd` and the like.
    pub paths: Vec<ToolFields>,
    /// Which fields of which tools hold URLs or hosts, beside the built-in ones: for every tool `url`, `uri`, `href`,
    /// `endpoint`, `host`, `domain`, `webhook_url` and the like.
    pub urls: Vec<ToolFields>,
    /// What models cost, for budgets and records; the first entry that fits a model holds.
    pub prices: Vec<Price>,
    /// How many requests, tokens and dollars may be used in a window of time.
    pub budgets: Vec<Budget>,
    /// MCP servers that callers reach through the filter.
    pub mcp: Vec<McpServer>,
    /// Where people are told what waits and what was decided. Control alone has it: it is not in bundles.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<Channel>,
    /// Who may decide holds from Slack. Control alone has it: it is not in bundles.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<SlackPerson>,
    /// Access reviews: what people have beside what they used, kept or taken back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reviews: Vec<Review>,
    /// What is recorded, and when.
    pub recording: Recording,
    /// Sizes and ages that the enforcement point itself keeps to.
    pub limits: Limits,
    /// Who may use the control service itself. Who may approve a hold stands in each rule.
    pub access: Access,
}

/// Which groups may use what in control. No right includes another; who may approve stands in each rule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Access {
    /// Groups (exact) whose members may read sessions and records, replay, verify and export them.
    ///
    /// Example: `[security-audit]`
    pub auditors: Vec<String>,
    /// Groups whose members may see the state of the service and its sidecars.
    ///
    /// Example: `[platform-on-call]`
    pub operators: Vec<String>,
    /// Groups whose members may propose policy, and accept what another of them has proposed.
    ///
    /// Example: `[policy-authors]`
    pub authors: Vec<String>,
    /// How people sign in in a browser. Absent: only with tokens, as `sluice` does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sign_in: Option<SignIn>,
    /// Which sidecars may call. Absent: those with the data-plane token (`sluice keys show`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sidecars: Option<Sidecars>,
    /// Groups that are teams, as globs. They give nothing: `approval.excludeTeam` keeps whoever shares one with the
    /// requester from deciding.
    ///
    /// Example: `["team-*"]`
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<String>,
}

/// An issuer of tokens: an OIDC provider, or control itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Issuer {
    /// Name by which bindings, records and messages call it. Given once.
    ///
    /// Example: `corp`
    pub name: String,
    /// The exact `iss` claim of its tokens; also the base of OIDC discovery.
    ///
    /// Example: `https://login.example.com`
    pub issuer: String,
    /// Accepted `aud` values; a token must carry at least one of them.
    ///
    /// Example: `[sluice]`
    pub audiences: Vec<String>,
    /// Where its public keys come from.
    ///
    /// Example: `{ jwksUri: https://login.example.com/keys }`
    #[serde(default)]
    pub keys: KeySource,
    /// Where subject, groups and scopes stand among the claims.
    #[serde(default)]
    pub claims: ClaimPaths,
    /// The longest that a token may still live (`exp` seen from now); at most `30d`. Tokens without an end are always
    /// refused.
    ///
    /// Example: `12h`
    #[serde(default = "Issuer::default_max_lifetime")]
    pub max_lifetime: Duration,
    /// How long a sign-in with a token of this issuer may be refreshed at control before the person signs in again; at most
    /// `30d`. Groups stay what they were at the sign-in, so keep it short. Absent: no refresh tokens.
    ///
    /// Example: `8h`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh: Option<Duration>,
    /// Where control asks what an opaque token of this issuer is (RFC 7662): a token that is no JWT. At most one issuer of a
    /// policy has it.
    ///
    /// Example: `{ url: https://pam.example.com/introspect, clientId: sluice }`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introspection: Option<Introspection>,
    /// What signs the SAML assertions of this issuer (`issuer` is then its entity ID). Control gives a token of its own for one
    /// (RFC 7522). Control alone has it: it is not in bundles.
    ///
    /// Example: `{ certificates: ["-----BEGIN CERTIFICATE-----\n..."] }`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saml: Option<Saml>,
}

/// An issuer of SAML 2.0 assertions. As claims, `sub` is the NameID, and each attribute is one under its `Name`: the issuer's
/// `claims` say which are subject, groups and scopes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Saml {
    /// The certificates, as PEM, whose keys sign its assertions; one to four, so that the next one can be there before it is
    /// used. No other key counts, whatever an assertion carries. Their own dates do not count: remove one that is over.
    ///
    /// Example: `["-----BEGIN CERTIFICATE-----\n..."]`
    pub certificates: Vec<String>,
}

/// An introspection endpoint (RFC 7662). Its answer must say `active` and `exp`; subject, groups and scopes are found in it as
/// the issuer's `claims` say, and `iss` and `aud`, where it has them, must be the issuer's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Introspection {
    /// The endpoint.
    ///
    /// Example: `https://pam.example.com/introspect`
    pub url: String,
    /// The client that control is there; its secret is in the file of the issuer's name below `--introspection-secrets`.
    ///
    /// Example: `sluice`
    pub client_id: String,
    /// How long a gateway goes by an answer, where the token does not end before; at most `5m`. As long may a token be taken
    /// that was ended at the issuer.
    ///
    /// Example: `30s`
    #[serde(default = "Introspection::default_longest")]
    pub longest: Duration,
}

impl Introspection {
    /// One minute.
    pub fn default_longest() -> Duration {
        Duration::seconds(60)
    }
}

impl Issuer {
    /// 24 hours.
    pub fn default_max_lifetime() -> Duration {
        Duration::hours(24)
    }
}

/// Where an issuer's public keys come from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
    /// It has none: its tokens are opaque (`introspection`), or assertions (`saml`).
    None,
}

/// Where things stand among a token's claims: dotted paths, as in `realm_access.roles`. A path is tried as the name of
/// one claim first, so that names with dots (`https://example.com/groups`) work as they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ClaimPaths {
    /// Who it is.
    ///
    /// Example: `email`
    pub subject: String,
    /// The groups: a list of texts, or one text.
    ///
    /// Example: `realm_access.roles`
    pub groups: String,
    /// The scopes: a list, or one text with spaces between. Where a token carries any, they narrow what the roles give;
    /// where it carries none, or only those of OpenID Connect itself (`openid`, `profile`, `email`, ...), the roles alone
    /// decide.
    ///
    /// Example: `scp`
    pub scopes: String,
}

impl Default for ClaimPaths {
    fn default() -> Self {
        Self { subject: "sub".into(), groups: "groups".into(), scopes: "scope".into() }
    }
}

/// What a caller may do. The roles of a caller add up; any `deny` among them wins.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Role {
    /// Name by which bindings call it. Given once.
    ///
    /// Example: `analyst`
    pub name: String,
    /// API endpoints, as globs over scope names. An endpoint that no role of the caller gives is refused.
    ///
    /// Example: `[messages.create, models.read, "batches.*"]`
    pub scopes: Vec<String>,
    /// Models, as globs over their names. Empty: none.
    ///
    /// Example: `["claude-sonnet-*", "claude-haiku-*"]`
    pub models: Vec<String>,
    /// Tools that may be offered to the model and called by it, by name; those of MCP servers are called
    /// `mcp__SERVER__TOOL`. No `allow`: all.
    ///
    /// Example: `{ allow: [Read, Grep, "mcp__warehouse__*"], deny: [mcp__warehouse__admin] }`
    pub tools: AllowDeny,
    /// Tools that run at the provider, by type, with or without its date. No `allow`: none.
    ///
    /// Example: `{ allow: [web_search, web_fetch] }`
    pub server_tools: AllowDeny,
    /// MCP servers that the provider may call, as globs over their URLs. A `*` in the host does not reach over a slash;
    /// without a path any path fits. No `allow`: none.
    ///
    /// Example: `{ allow: ["https://*.example.com/mcp"] }`
    pub mcp_servers: AllowDeny,
    /// `anthropic-beta` values. No `allow`: all; clients send new ones every week, so prefer `deny`.
    ///
    /// Example: `{ deny: ["computer-use-*"] }`
    pub betas: AllowDeny,
    /// Largest `max_tokens`. Absent: no limit. Of several roles the largest counts.
    ///
    /// Example: `32000`
    pub max_tokens: Option<u64>,
    /// Largest `thinking.budget_tokens`. Absent: no limit. Adaptive thinking has no budget of its own; `maxTokens` bounds
    /// it.
    ///
    /// Example: `16000`
    pub thinking_budget: Option<u64>,
    /// Finding kinds (globs) that holders of this role see and send as they are.
    ///
    /// Example: `[email, phone]`
    pub unmasked: Vec<String>,
    /// Per finding kind (name or glob): another mask for holders of this role than policy's. What is most specific
    /// counts: a name before a glob, a longer glob before a shorter one. Where several roles say something about a
    /// kind, here or in `unmasked`, the safest counts: redaction, then pseudonym, then none.
    ///
    /// Example: `{ email: redact }`
    pub masks: BTreeMap<String, MaskStyle>,
    /// What happens to a request that offers the model a tool, server tool or MCP server that is not allowed.
    /// Default: filter. Of several roles, one that refuses wins.
    ///
    /// Example: `refuse`
    pub offered: Offered,
}

/// What happens to a request that offers the model something that no role allows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Offered {
    /// The entry is taken out of the request, the rest goes on: agents offer all of their tools every time.
    #[default]
    Filter,
    /// Refused with 403.
    Refuse,
}

/// Two lists of globs. Something is allowed when an `allow` matches and no `deny` does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AllowDeny {
    /// What is allowed, as globs. Absent: what the field says. Empty: nothing.
    ///
    /// Example: `[Read, "mcp__warehouse__*"]`
    pub allow: Option<Vec<String>>,
    /// What is not, as globs. Wins over `allow`, also over that of other roles.
    ///
    /// Example: `["mcp__production__*"]`
    pub deny: Vec<String>,
}

/// Gives roles to groups and subjects.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Binding {
    /// Name for merging and messages. Given once.
    ///
    /// Example: `analysts`
    pub name: String,
    /// Groups that get the roles, exactly as the token names them.
    ///
    /// Example: `[data-analysts]`
    pub groups: Vec<String>,
    /// Subjects that get the roles, exactly as the token names them.
    ///
    /// Example: `[ci@example.com]`
    pub subjects: Vec<String>,
    /// Only for tokens of this issuer (by its name here). Absent: of any.
    ///
    /// Example: `corp`
    pub issuer: Option<String>,
    /// The roles, by name. A caller's roles add up; any `deny` among them wins.
    ///
    /// Example: `[analyst]`
    pub roles: Vec<String>,
}

/// What is recorded, and when.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Recording {
    /// When the record of an exchange is written.
    ///
    /// Example: `before-forward`
    pub mode: RecordMode,
    /// How long the masked texts of requests and replies are kept, in days. The log itself stays, and can be verified.
    ///
    /// Example: `90d`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention: Option<Duration>,
}

/// When the record of an exchange is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum RecordMode {
    /// Durably before the request goes to the model; while control is away, requests are refused (503).
    BeforeForward,
    /// Queued in the filter and sent in batches; when the queue is full, requests are refused (503).
    #[default]
    Background,
    /// Not at all.
    Off,
}

/// Sizes and ages that the enforcement point itself keeps to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    /// Largest request body, in bytes; a larger one is refused (413). The default is the API's own limit.
    ///
    /// Example: `8388608`
    pub body_bytes: u64,
    /// Deepest nesting of a body; a deeper one is refused (400). At most 512.
    ///
    /// Example: `64`
    pub depth: u32,
    /// How long a filter goes on with a policy that control has not renewed. After that it refuses (503).
    ///
    /// Example: `12h`
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
