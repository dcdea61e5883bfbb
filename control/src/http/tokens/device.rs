//! Devices (RFC 8628): one asks for a code, a person looks at what asks, and lets it in or not.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sluice_engine::identity::Lineage;
use sluice_engine::record::Who;

use super::super::address::Address;
use super::super::auth::{Person, bearer};
use super::super::introspect::of_person;
use super::super::visitor::visitor;
use super::super::{Control, Problem};
use super::give::{life, own_issuer};
use super::token::narrowed;
use super::{Refused, read, unable, unkept};
use crate::records::{SignInChange, SignInEvent};
use crate::tokens::device::{Device, LIFE_MS, PAUSE_MS, typed, user_code};
use crate::tokens::source::{Secret, Source};

/// By what device codes are known.
const PREFIX: &str = "sld_";

/// The longest text in which a device says what it is, in bytes.
const CLIENT: usize = 64;

/// The longest list of scopes that a device asks for, in bytes.
const SCOPES: usize = 2000;

/// What a device sends; all of it may be left out. `surface` is how Claude Code says what it is.
#[derive(Deserialize, Default)]
struct Ask {
    client_id: Option<String>,
    surface: Option<String>,
    scope: Option<String>,
}

/// A device as a person sees it who is about to decide.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShownDevice {
    /// The code.
    pub user_code: String,
    /// What the device says that it is. Nobody has checked it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The scopes that it asks for; absent: whatever the person may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// The address that asked: its own, or that of the gateway or proxy in between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// When it asked, in Unix milliseconds.
    pub created_ms: u64,
    /// Until when it may be let in.
    pub expires_ms: u64,
    /// What it would get from this person; absent: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gets: Option<Gets>,
    /// Why it would get nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub barred: Option<String>,
}

/// What a device would get.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Gets {
    /// Who it would act as: the issuer's name in the policy.
    pub issuer: String,
    /// Their subject.
    pub subject: String,
    /// Their groups.
    pub groups: Vec<String>,
    /// The scopes that its tokens are narrowed to; absent: whatever the groups may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// How long one token lives, in seconds.
    pub token_seconds: u64,
    /// How long it gets new ones without asking again, in seconds; absent: it gets one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign_in_seconds: Option<u64>,
}

/// A decision on a device, as it is sent.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Allowing {
    /// Whether it is let in.
    pub approve: bool,
}

/// Somebody who shows a token or is signed in in a browser: what a device gets rests on that.
pub struct Approver {
    person: Person,
    source: Source,
}

impl Approver {
    /// Somebody who is signed in in a browser.
    pub fn visitor(person: Person, lineage: Lineage) -> Self {
        let source = Source::of(person.0.clone(), lineage);
        Self { person, source }
    }
}

impl FromRequestParts<Arc<Control>> for Approver {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, control: &Arc<Control>) -> Result<Self, Problem> {
        let person = Person::from_request_parts(parts, control).await?;
        let refused = |why: String| Problem::new(StatusCode::UNAUTHORIZED, why);
        let source = match bearer(&parts.headers) {
            Some(token) => of_person(control, token).await?.into(),
            None => match visitor(&parts.method, &parts.headers, control).await? {
                Some(visitor) => Source::of(visitor.person.0, visitor.lineage),
                None => return Err(refused("sign in at /signin, or send a token".into())),
            },
        };
        Ok(Self { person, source })
    }
}

/// `POST /v1/oauth/device`.
pub async fn ask(
    State(control): State<Arc<Control>>,
    address: Address,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Response> {
    open(&control, address, &headers, &body).await.map(unkept).map_err(IntoResponse::into_response)
}

async fn open(
    control: &Control,
    address: Address,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Value, Refused> {
    // Better now than after a person has let it in.
    own_issuer(control)?;
    let ask: Ask = if body.is_empty() { Ask::default() } else { read(headers, body)? };
    if ask.scope.as_ref().is_some_and(|scope| scope.len() > SCOPES) {
        return Err(Refused::new("invalid_scope", format!("`scope` is longer than {SCOPES} bytes")));
    }
    let scopes: Vec<String> =
        ask.scope.unwrap_or_default().split_ascii_whitespace().map(str::to_owned).collect();
    let now = (control.clock)();
    let code = Secret::draw(PREFIX).map_err(unable)?;
    let device = Device {
        user_code: user_code().map_err(unable)?,
        client: ask
            .surface
            .or(ask.client_id)
            .map(|client| named(&client))
            .filter(|client| !client.is_empty()),
        scopes: Some(scopes).filter(|scopes| !scopes.is_empty()),
        address: address.text(),
        created_ms: now,
        expires_ms: now.saturating_add(LIFE_MS),
        source: None,
    };
    let user_code = device.user_code.clone();
    if !control.store.open_device(device, code.hash()).await.map_err(unable)? {
        let why = "too many devices wait to be let in; try again in a few minutes".to_owned();
        return Err(Refused { status: StatusCode::TOO_MANY_REQUESTS, error: "slow_down", why });
    }
    let place = format!("{}/device", control.issuer.url);
    Ok(json!({
        "device_code": code.expose(), "user_code": user_code, "verification_uri": place,
        "verification_uri_complete": format!("{place}?user_code={user_code}"),
        "expires_in": LIFE_MS / 1000, "interval": PAUSE_MS / 1000,
    }))
}

/// What a stranger calls itself, so that it fits on a line.
fn named(client: &str) -> String {
    let mut name = String::new();
    for c in client.trim().chars().filter(|c| c.is_ascii_graphic() || *c == ' ') {
        if name.len() >= CLIENT {
            break;
        }
        name.push(c);
    }
    name
}

/// `GET /v1/devices/{code}`.
pub async fn show(
    approver: Approver,
    State(control): State<Arc<Control>>,
    Path(code): Path<String>,
) -> Result<Json<ShownDevice>, Problem> {
    look(&control, &approver, &code).await.map(Json)
}

/// `POST /v1/devices/{code}/decision`.
pub async fn decide(
    approver: Approver,
    State(control): State<Arc<Control>>,
    Path(code): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let allowing: Allowing =
        serde_json::from_slice(&body).map_err(|e| Problem::unreadable("a decision on a device", &e))?;
    rule(&control, approver, &code, allowing.approve).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What asks with a code, and what it would get.
pub async fn look(control: &Control, approver: &Approver, code: &str) -> Result<ShownDevice, Problem> {
    let device = waiting(control, &approver.person, code).await?;
    let (gets, barred) = match would_get(control, approver, &device) {
        Ok(gets) => (Some(gets), None),
        Err(refused) => (None, Some(refused.why)),
    };
    let Device { user_code, client, scopes, address, created_ms, expires_ms, .. } = device;
    Ok(ShownDevice { user_code, client, scopes, address, created_ms, expires_ms, gets, barred })
}

/// Lets a device in, or refuses it, and says which one it was.
pub async fn rule(
    control: &Control,
    approver: Approver,
    code: &str,
    approve: bool,
) -> Result<Device, Problem> {
    let device = waiting(control, &approver.person, code).await?;
    if approve {
        would_get(control, &approver, &device)?;
    }
    let change = if approve { SignInChange::DeviceLetIn } else { SignInChange::DeviceRefused };
    let who = approver.source.who.clone();
    tracing::info!(by = who.subject, approve, "a device is decided on");
    let client = device.client.as_deref().unwrap_or("(nothing)");
    let event = SignInEvent {
        device: Some(format!("{} ({client})", device.user_code)),
        // That of the device, which is what is let in.
        address: device.address.clone(),
        ..SignInEvent::new(change, &who.issuer.clone(), (control.clock)())
    };
    let event = SignInEvent { who: Some(who), ..event };
    let source = approve.then_some(approver.source);
    if !control.store.decide_device(device.user_code.clone(), source, event).await? {
        return Err(unknown());
    }
    Ok(device)
}

fn would_get(control: &Control, approver: &Approver, device: &Device) -> Result<Gets, Refused> {
    let source = &approver.source;
    let asked = device.scopes.as_ref().map(|scopes| scopes.join(" "));
    let (scopes, _) = narrowed(source.scopes.as_deref(), asked.as_deref())?;
    let life = life(control, source, true, (control.clock)())?;
    let Who { issuer, subject, groups } = source.who.clone();
    let sign_in_seconds = life.sign_in.map(|ms| ms / 1000);
    Ok(Gets { issuer, subject, groups, scopes, token_seconds: life.token, sign_in_seconds })
}

/// The device that waits with a code; whoever types wrong ones too often waits.
async fn waiting(control: &Control, person: &Person, code: &str) -> Result<Device, Problem> {
    person.needs("devices.decide")?;
    let who = person.who();
    let key = (who.issuer.as_str(), who.subject.as_str());
    let now = (control.clock)();
    if !control.attempts.may(key, now) {
        return Err(Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "you have typed ten codes that are none; wait ten minutes, and let the device show a new one",
        ));
    }
    let device = match typed(code) {
        Some(code) => control.store.device(&code, now).await?,
        None => None,
    };
    device.ok_or_else(|| {
        control.attempts.wrong(key, now);
        unknown()
    })
}

fn unknown() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "no device waits with this code: it is good for ten minutes and once; look at the device, it shows eight letters",
    )
}
