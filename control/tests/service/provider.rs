//! An identity provider in the test itself, which can do what no honest one does; and a browser to go there with.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sluice_control::client::Client;

/// An identity provider.
#[derive(Clone)]
pub struct Provider {
    pub url: String,
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    key: SigningKey,
    /// What the next sign-ins say.
    who: Value,
    /// Claims that are put over what an honest provider would say; null takes one away.
    claims: Value,
    /// Codes that are out, with what was asked for them.
    codes: BTreeMap<String, HashMap<String, String>>,
    /// The secret that it wants of the client.
    secret: Option<&'static str>,
    /// What it answers at its token endpoint in the place of tokens.
    answer: Option<Value>,
    /// What it sends people back with in the place of a code.
    back: Option<String>,
}

pub fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

impl Provider {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let inner = Inner {
            key: SigningKey::from_bytes(&[5; 32]),
            who: json!({"sub": "ana", "groups": ["staff"]}),
            claims: json!({}),
            codes: BTreeMap::new(),
            secret: None,
            answer: None,
            back: None,
        };
        let provider = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            inner: Arc::new(Mutex::new(inner)),
        };
        let app = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        provider
    }

    fn change(&self, change: impl FnOnce(&mut Inner)) {
        change(&mut self.inner.lock().unwrap());
    }

    /// Who signs in next.
    pub fn knows(&self, subject: &str, groups: &[&str]) {
        self.change(|inner| inner.who = json!({"sub": subject, "groups": groups}));
    }

    /// What the next ID tokens say beside or in the place of the truth.
    pub fn lies(&self, claims: Value) {
        self.change(|inner| inner.claims = claims);
    }

    pub fn wants(&self, secret: &'static str) {
        self.change(|inner| inner.secret = Some(secret));
    }

    pub fn answers(&self, answer: Option<Value>) {
        self.change(|inner| inner.answer = answer);
    }

    pub fn sends_back(&self, query: Option<&str>) {
        self.change(|inner| inner.back = query.map(str::to_owned));
    }

    /// Signs with another key from now on.
    pub fn changes_key(&self) {
        self.change(|inner| inner.key = SigningKey::from_bytes(&[6; 32]));
    }

    /// The issuer and the way in, as the policy has them.
    pub fn policy(&self) -> String {
        super::harness::POLICY.replace("issuers:\n", &format!(
            "issuers:\n  - name: corp\n    issuer: {}\n    audiences: [web, cli]\n    claims: {{ groups: groups }}\n",
            self.url
        )) + "  signIn: { issuer: corp, clientId: web, commandLineClientId: cli, scopes: [groups] }\n"
    }
}

async fn discovery(State(provider): State<Provider>) -> String {
    let url = &provider.url;
    json!({
        "issuer": url, "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"), "jwks_uri": format!("{url}/keys"),
    })
    .to_string()
}

fn kid(key: &SigningKey) -> String {
    format!("{:x}", key.verifying_key().as_bytes()[0])
}

async fn keys(State(provider): State<Provider>) -> String {
    let inner = provider.inner.lock().unwrap();
    let x = URL_SAFE_NO_PAD.encode(inner.key.verifying_key().as_bytes());
    json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": kid(&inner.key), "x": x}]})
        .to_string()
}

async fn authorize(
    State(provider): State<Provider>,
    Query(asked): Query<HashMap<String, String>>,
) -> Response {
    let mut inner = provider.inner.lock().unwrap();
    for (name, value) in [("response_type", "code"), ("code_challenge_method", "S256")] {
        assert_eq!(asked.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert!(asked["scope"].split(' ').any(|scope| scope == "openid"), "{asked:?}");
    let (to, state) = (asked["redirect_uri"].clone(), asked["state"].clone());
    if let Some(query) = &inner.back {
        return Redirect::to(&format!("{to}?state={state}&{query}")).into_response();
    }
    let code = format!("code{}", inner.codes.len());
    inner.codes.insert(code.clone(), asked);
    Redirect::to(&format!("{to}?code={code}&state={state}")).into_response()
}

async fn token(
    State(provider): State<Provider>,
    headers: HeaderMap,
    Form(asked): Form<HashMap<String, String>>,
) -> Response {
    let mut inner = provider.inner.lock().unwrap();
    if let Some(answer) = &inner.answer {
        return axum::Json(answer.clone()).into_response();
    }
    let refuse = |error: &str| (StatusCode::BAD_REQUEST, axum::Json(json!({"error": error}))).into_response();
    let basic = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let secret = basic.and_then(|basic| STANDARD.decode(basic.strip_prefix("Basic ")?).ok());
    let secret = secret.and_then(|both| String::from_utf8(both).ok());
    if secret != inner.secret.map(|secret| format!("web:{secret}")) {
        return refuse("invalid_client");
    }
    let Some(begun) = asked.get("code").and_then(|code| inner.codes.remove(code)) else {
        return refuse("invalid_grant");
    };
    let verifier = asked.get("code_verifier").cloned().unwrap_or_default();
    let proven = URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier)) == begun["code_challenge"];
    if !proven || asked.get("redirect_uri") != begun.get("redirect_uri") {
        return refuse("invalid_grant");
    }
    let mut claims = inner.who.clone();
    let now = seconds();
    let honest = json!({
        "iss": provider.url, "aud": begun["client_id"], "nonce": begun["nonce"], "iat": now, "exp": now + 300, "jti": begun["nonce"],
    });
    for (name, value) in honest.as_object().unwrap().iter().chain(inner.claims.as_object().unwrap()) {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", encode(&json!({"alg": "EdDSA", "kid": kid(&inner.key)})), encode(&claims));
    let signature = URL_SAFE_NO_PAD.encode(inner.key.sign(signed.as_bytes()).to_bytes());
    axum::Json(json!({
        "access_token": "opaque", "token_type": "Bearer", "expires_in": 300, "id_token": format!("{signed}.{signature}"),
    }))
    .into_response()
}

/// An answer, as a browser gets it.
#[derive(Debug)]
pub struct Seen {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Seen {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    pub fn location(&self) -> &str {
        self.header("location")
    }
}

/// A browser, as far as cookies and what it says of itself go. Follows no redirect by itself.
#[derive(Clone)]
pub struct Browser {
    /// The service's address, and the URL that it is known under.
    base: String,
    known_as: &'static str,
    client: Client,
    pub jar: BTreeMap<String, String>,
}

impl Browser {
    pub fn new(base: &str) -> Self {
        Self {
            base: base.to_owned(),
            known_as: "http://sluice.test",
            client: Client::new(),
            jar: BTreeMap::new(),
        }
    }

    pub async fn get(&mut self, url: &str) -> Seen {
        self.send("GET", url, &[], "").await
    }

    /// A form of our own page.
    pub async fn post(&mut self, url: &str, form: &str) -> Seen {
        self.send("POST", url, &[("sec-fetch-site", "same-origin")], form).await
    }

    pub async fn send(&mut self, method: &str, url: &str, headers: &[(&str, &str)], form: &str) -> Seen {
        let url = url.strip_prefix(self.known_as).unwrap_or(url);
        let ours = url.starts_with('/');
        let url = if ours { format!("{}{url}", self.base) } else { url.to_owned() };
        let mut request = Request::builder().method(method).uri(url);
        if ours && !self.jar.is_empty() {
            let all: Vec<_> = self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header("cookie", all.join("; "));
        }
        if !form.is_empty() {
            request = request.header("content-type", "application/x-www-form-urlencoded");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(form.as_bytes().to_vec()).unwrap();
        let answer = self.client.send(request, Duration::from_secs(20), 1 << 20).await.unwrap();
        for cookie in answer.headers.get_all("set-cookie").iter().filter(|_| ours) {
            let cookie = cookie.to_str().unwrap();
            assert!(cookie.contains("; HttpOnly; SameSite=Lax") && cookie.contains("; Path=/;"), "{cookie}");
            let (name, value) = cookie.split_once(';').unwrap().0.split_once('=').unwrap();
            if cookie.contains("Max-Age=0;") {
                self.jar.remove(name);
            } else {
                self.jar.insert(name.to_owned(), value.to_owned());
            }
        }
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        Seen { status: answer.status, headers: answer.headers, body }
    }

    /// The whole way to the provider and back; the last answer.
    pub async fn sign_in(&mut self, place: &str) -> Seen {
        let begun = self.get(&format!("/signin?to={place}")).await;
        assert_eq!(begun.status, 303, "{begun:?}");
        let asked = self.get(begun.location()).await;
        assert_eq!(asked.status, 303, "{asked:?}");
        self.get(asked.location()).await
    }
}
