//! How people sign in to control, and how sidecars show who they are.

use serde::{Deserialize, Serialize};

use super::Duration;

/// How people sign in to control in a browser, and with `sluice login`: OIDC, authorization code with PKCE.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignIn {
    /// The issuer, by its name above, whose provider people sign in at. Subject and groups come from the ID token, as its
    /// `claims` say.
    ///
    /// Example: `corp`
    pub issuer: String,
    /// The client that control is at the provider, with the redirect URI `PUBLIC_URL/signin/callback`; one of the issuer's
    /// `audiences`, since ID tokens carry it as `aud`. A secret, where it has one, is a file: `sluice serve
    /// --sign-in-secret-file`.
    ///
    /// Example: `sluice`
    pub client_id: String,
    /// The client that `sluice login` is at the provider: a public one, with the redirect URI
    /// `http://127.0.0.1/callback` on any port (RFC 8252); one of the issuer's `audiences`. Absent: there is no `sluice login`.
    ///
    /// Example: `sluice-cli`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command_line_client_id: Option<String>,
    /// OIDC scopes that are asked for beside `openid`, where the provider wants one for the claims that name groups.
    ///
    /// Example: `[profile, groups]`
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// A browser that has not called for so long is signed out; 5 minutes to 24 hours.
    ///
    /// Example: `15m`
    #[serde(default = "SignIn::default_idle")]
    pub idle: Duration,
    /// After so long a person signs in again, whatever they did meanwhile; at most 24 hours, and never longer than the
    /// issuer's `maxLifetime`.
    ///
    /// Example: `8h`
    #[serde(default = "SignIn::default_longest")]
    pub longest: Duration,
}

impl SignIn {
    /// One hour.
    pub fn default_idle() -> Duration {
        Duration::hours(1)
    }

    /// Ten hours: a working day.
    pub fn default_longest() -> Duration {
        Duration::hours(10)
    }
}

/// Which sidecars may fetch bundles and tell control what happened. Where this stands, the shared data-plane token is not
/// accepted any more. Either of the two ways is enough.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Sidecars {
    /// Client certificates of sidecars, as globs over their names: URIs (SPIFFE ids) and DNS names among the subject
    /// alternative names. For `sluice serve --client-ca`.
    ///
    /// Example: `["spiffe://cluster.local/ns/*/sa/agent"]`
    pub certificates: Vec<String>,
    /// The issuer, by its name above, whose tokens sidecars call with; its `audiences` should name control alone.
    ///
    /// Example: `cluster`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Subjects of those tokens, as globs.
    ///
    /// Example: `["system:serviceaccount:*:agent"]`
    pub subjects: Vec<String>,
}
