//! The identity provider that people sign in at: OpenID Connect Core 1.0, authorization code (section 3.1) with PKCE.
//!
//! `oauth2` speaks the protocol. Who the ID token speaks for is decided where all tokens are: by the engine's
//! [`Verifier`](sluice_engine::identity::Verifier), with the keys that control has of the issuer.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oauth2::basic::{BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenType};
use oauth2::{
    AccessToken, AsyncHttpClient, AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken,
    EndpointNotSet, EndpointSet, ExtraTokenFields, HttpRequest, HttpResponse, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope, StandardRevocableToken,
    StandardTokenIntrospectionResponse, StandardTokenResponse, TokenUrl,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sluice_engine::identity::TokenError;
use subtle::ConstantTimeEq as _;
use tokio::sync::Mutex;

use crate::client::{CallError, Client};
use crate::issuers::Document;

/// How long the provider may take, and how much it may say.
const TIMEOUT: Duration = Duration::from_secs(10);
const LIMIT: usize = 1 << 20;

/// How long the provider's endpoints are taken for known, and how long a failure to find them out is.
const FRESH: Duration = Duration::from_secs(300);
const SPOILT: Duration = Duration::from_secs(2);

/// Why nobody was let in. None of them carries a token or a code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    /// The answer belongs to no attempt that this browser has under way.
    #[error("this sign-in was not begun in this browser, is over, or took longer than ten minutes")]
    Lost,
    /// The policy names no provider.
    #[error("nobody can sign in here in a browser: the policy names no provider in `access.signIn`")]
    NotOffered,
    /// Something of our own is not to be had.
    #[error("the service cannot do this now; see its log, and try again later")]
    Unable,
    /// The provider is away, or not what it should be.
    #[error("the identity provider cannot be asked now: {0}")]
    Provider(String),
    /// The provider refused.
    #[error("the identity provider refused the sign-in: {0}")]
    Refused(String),
    /// What the provider gave is not good for a sign-in here.
    #[error("what the identity provider gave cannot be accepted: {0}")]
    Token(String),
    /// The ID token speaks for nobody here.
    #[error("what the identity provider gave cannot be accepted: {0}")]
    Unverified(TokenError),
}

impl SignInError {
    /// In one word, for the log.
    pub fn word(&self) -> String {
        match self {
            Self::Lost => "lost".into(),
            Self::NotOffered => "not_offered".into(),
            Self::Unable => "unable".into(),
            Self::Provider(_) => "provider_away".into(),
            Self::Refused(said) => format!("provider_refused: {said}"),
            Self::Token(_) => "token".into(),
            Self::Unverified(why) => format!("token_{}", why.rule()),
        }
    }
}

/// What is known of the provider.
#[derive(Default)]
pub struct Provider {
    client: Client,
    known: Mutex<Option<Known>>,
}

struct Known {
    issuer: String,
    at: Instant,
    endpoints: Result<Arc<Endpoints>, SignInError>,
}

impl Provider {
    /// The endpoints of an issuer, found out once for all who sign in at the same time.
    ///
    /// # Errors
    /// [`SignInError::Provider`].
    pub async fn endpoints(&self, issuer: &str) -> Result<Arc<Endpoints>, SignInError> {
        let mut known = self.known.lock().await;
        if let Some(known) = known.as_ref().filter(|known| known.issuer == issuer) {
            let good_for = if known.endpoints.is_ok() { FRESH } else { SPOILT };
            if known.at.elapsed() < good_for {
                return known.endpoints.clone();
            }
        }
        let endpoints = Endpoints::discover(&self.client, issuer).await.map(Arc::new);
        *known = Some(Known { issuer: issuer.to_owned(), at: Instant::now(), endpoints: endpoints.clone() });
        endpoints
    }

    /// Where an issuer lets people sign out, as far as it is known; nobody is asked.
    pub async fn end_session(&self, issuer: &str) -> Option<String> {
        let known = self.known.lock().await;
        let known = known.as_ref().filter(|known| known.issuer == issuer)?;
        known.endpoints.as_ref().ok()?.end_session.clone()
    }

    /// What calls it.
    pub fn client(&self) -> &Client {
        &self.client
    }
}

/// Where a provider takes what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    authorize: AuthUrl,
    token: TokenUrl,
    /// Where people sign out there (OpenID Connect RP-Initiated Logout 1.0), if they can.
    end_session: Option<String>,
    /// Whether a client's secret goes into the body, as the provider does not take it in a header.
    in_body: bool,
}

impl Endpoints {
    /// As the provider's discovery document names them.
    ///
    /// # Errors
    /// [`SignInError::Provider`].
    pub async fn discover(client: &Client, issuer: &str) -> Result<Self, SignInError> {
        let document = Document::fetch(client, issuer).await.map_err(SignInError::Provider)?;
        let url = |name: &str| document.url(name).map_err(SignInError::Provider);
        let bad = |name: &str| SignInError::Provider(format!("its `{name}` is not a URL"));
        let authorize = "authorization_endpoint";
        let token = "token_endpoint";
        // OpenID Connect Discovery 1.0, section 3: `client_secret_basic` where nothing is said.
        let ways = document.list("token_endpoint_auth_methods_supported");
        let in_body = ways.is_some_and(|ways| {
            !ways.contains(&"client_secret_basic") && ways.contains(&"client_secret_post")
        });
        Ok(Self {
            authorize: AuthUrl::new(url(authorize)?).map_err(|_| bad(authorize))?,
            token: TokenUrl::new(url(token)?).map_err(|_| bad(token))?,
            end_session: document.url("end_session_endpoint").ok(),
            in_body,
        })
    }
}

/// What a token response has beside the access token, which is not used for anything.
#[derive(Debug, Deserialize, Serialize)]
struct WithIdToken {
    /// `AccessToken` keeps it out of debug output.
    id_token: Option<AccessToken>,
}

impl ExtraTokenFields for WithIdToken {}

type Tokens = StandardTokenResponse<WithIdToken, BasicTokenType>;
type OAuth = oauth2::Client<
    BasicErrorResponse,
    Tokens,
    StandardTokenIntrospectionResponse<WithIdToken, BasicTokenType>,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// A client at a provider: the service, or the command line.
pub struct Relying {
    oauth: OAuth,
    client_id: String,
    scopes: Vec<String>,
}

impl Relying {
    /// Who asks, for which scopes beside `openid`, and where people come back to.
    ///
    /// # Errors
    /// [`SignInError::Provider`] where `callback` is no URL.
    pub fn new(
        endpoints: &Endpoints,
        client_id: &str,
        secret: Option<String>,
        scopes: &[String],
        callback: String,
    ) -> Result<Self, SignInError> {
        let callback = RedirectUrl::new(callback)
            .map_err(|_| SignInError::Provider("the service's own URL is not a URL".into()))?;
        let oauth = oauth2::Client::new(ClientId::new(client_id.to_owned()))
            .set_auth_uri(endpoints.authorize.clone())
            .set_token_uri(endpoints.token.clone())
            .set_redirect_uri(callback)
            .set_auth_type(if endpoints.in_body { AuthType::RequestBody } else { AuthType::BasicAuth });
        let oauth = match secret {
            Some(secret) => oauth.set_client_secret(ClientSecret::new(secret)),
            None => oauth,
        };
        Ok(Self { oauth, client_id: client_id.to_owned(), scopes: scopes.to_owned() })
    }

    /// Where the browser is sent to. `anew`: the provider shall ask who it is, though it may know the browser.
    pub fn page(&self, state: &str, nonce: &str, verifier: &str, anew: bool) -> String {
        let verifier = PkceCodeVerifier::new(verifier.to_owned());
        let scopes = self.scopes.iter().filter(|scope| *scope != "openid").cloned();
        let asked = self
            .oauth
            .authorize_url(|| CsrfToken::new(state.to_owned()))
            .add_scope(Scope::new("openid".into()))
            .add_scopes(scopes.map(Scope::new))
            .add_extra_param("nonce", nonce)
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
        // OpenID Connect Core 1.0, section 3.1.2.1.
        let asked = if anew { asked.add_extra_param("prompt", "login") } else { asked };
        let (url, _) = asked.url();
        url.into()
    }

    /// A code becomes an ID token, whose signature nobody has looked at yet.
    ///
    /// # Errors
    /// See [`SignInError`].
    pub async fn redeem(&self, client: &Client, code: &str, verifier: &str) -> Result<String, SignInError> {
        let asked = self
            .oauth
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(verifier.to_owned()))
            .request_async(&Http(client.clone()))
            .await;
        let tokens = asked.map_err(|error| match error {
            // The error's code is the provider's, printable and short; its description may be anything.
            RequestTokenError::ServerResponse(said) => SignInError::Refused(shown(said.error().as_ref())),
            RequestTokenError::Request(error) => SignInError::Provider(error.to_string()),
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
                SignInError::Provider("its token endpoint did not answer as OAuth 2.0 wants".into())
            }
        })?;
        let token = tokens.extra_fields().id_token.as_ref();
        let lacks = || SignInError::Token("it gave no ID token; is this an OpenID Connect provider?".into());
        Ok(token.ok_or_else(lacks)?.secret().clone())
    }

    /// Checks what is special to an ID token (OpenID Connect Core 1.0, section 3.1.3.7): that it answers this attempt, of
    /// this client. Its signature, issuer and times were checked before.
    ///
    /// # Errors
    /// [`SignInError::Token`].
    pub fn check(&self, verified: &str, nonce: &str) -> Result<IdClaims, SignInError> {
        let wrong = |why: &str| SignInError::Token(why.to_owned());
        let payload = verified.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
        let claims = payload.and_then(|payload| serde_json::from_slice::<IdClaims>(&payload).ok());
        let claims = claims.ok_or_else(|| wrong("the claims of the ID token cannot be read"))?;
        let given = claims.nonce.as_deref().unwrap_or_default();
        if !bool::from(given.as_bytes().ct_eq(nonce.as_bytes())) {
            return Err(wrong("the ID token answers another sign-in (its `nonce` differs)"));
        }
        let for_us = match &claims.aud {
            Value::String(audience) => *audience == self.client_id,
            Value::Array(audiences) => audiences.iter().any(|a| a.as_str() == Some(&self.client_id)),
            _ => false,
        };
        if !for_us || claims.azp.as_ref().is_some_and(|azp| *azp != self.client_id) {
            return Err(wrong("the ID token is for another client (its `aud` or `azp`)"));
        }
        Ok(claims)
    }
}

/// What an ID token says beside who it is for.
#[derive(Deserialize)]
pub struct IdClaims {
    nonce: Option<String>,
    aud: Value,
    azp: Option<String>,
    iat: Option<f64>,
    /// Its id, by which it can be revoked.
    pub jti: Option<String>,
}

impl IdClaims {
    /// When it was made, in Unix milliseconds.
    pub fn made_ms(&self) -> Option<u64> {
        self.iat.filter(|iat| *iat >= 0.0).map(|iat| (iat * 1000.0) as u64)
    }
}

/// A word of the provider's, as it may stand in our answers: short and printable.
pub fn shown(text: &str) -> String {
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    text.chars().filter(plain).take(64).collect()
}

/// Our client, which follows no redirects, as `oauth2` calls it.
pub struct Http(pub Client);

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = CallError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, CallError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let answer = self.0.send(request, TIMEOUT, LIMIT).await?;
            let mut response = http::Response::new(answer.body.to_vec());
            *response.status_mut() = answer.status;
            *response.headers_mut() = answer.headers;
            Ok(response)
        })
    }
}
