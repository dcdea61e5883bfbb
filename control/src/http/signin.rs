//! People sign in in a browser, and out.
//!
//! | path | what |
//! |---|---|
//! | `GET /signin?to=/path` | on to the identity provider; under `--dev` a form that asks who you are |
//! | `GET /signin/callback` | back from the provider: a visit begins |
//! | `POST /signin` | the form; only under `--dev` |
//! | `POST /signout` | the visit is gone |
//! | `GET /v1/signin` | where `sluice login` signs in |
//! | `GET /v1/whoami` | who you are to the service, and what the policy lets you see of it |

mod failed;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Form, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use sluice_engine::identity::{Principal, TokenError};
use sluice_engine::policy::document::{KeySource, SignIn};
use sluice_engine::wire::Refresh;

use super::address::Address;
use super::auth::Person;
use super::visitor::{Submitted, visitor};
pub use failed::tell_overdue;
use failed::{failed, refuse};

use super::{Control, Problem, Query, area, browser};
use crate::records::{SignInChange, SignInEvent};
use crate::visits::{Attempt, IdClaims, Relying, SignInError, Visit, VisitId, own_place, shown};

/// How long a sign-in waits for a key that the issuer has just begun to use.
const NEW_KEY: Duration = Duration::from_secs(5);

/// The word in the query of `/signin` by which somebody who has signed out wants in again.
const AGAIN: &str = "again";

/// How long it is remembered that somebody has signed out, in seconds: longer than a provider knows a browser.
const LEFT: u64 = 30 * 24 * 3600;

/// The longest code that is passed on, in bytes.
const LONGEST_CODE: usize = 4096;

/// The routes.
pub fn routes() -> Router<Arc<Control>> {
    let people = Router::new()
        .route("/signin", get(begin).post(say_who))
        .route("/signin/callback", get(come_back))
        .route("/signout", post(sign_out))
        .route("/v1/signin", get(offer))
        .route("/v1/whoami", get(whoami));
    area(Router::new(), people)
}

/// `GET /signin?to=/path`.
async fn begin(
    State(control): State<Arc<Control>>,
    headers: HeaderMap,
    query: Query,
) -> Result<Response, Problem> {
    let sign_ins = &control.sign_ins;
    let place = own_place(query.get("to").map_or("/", String::as_str));
    // Who has signed out stays so, also where the provider still knows the browser, until they want in again.
    let left = browser::cookie(&headers, sign_ins.left_cookie()).is_some();
    if left && !query.contains_key(AGAIN) {
        return Ok(browser::unkept(signed_out(&control, &headers, &place).await));
    }
    if sign_ins.dev {
        return Ok(browser::unkept(crate::pages::who_are_you(&headers)));
    }
    let begun = async {
        let (_, relying) = relying(&control).await?;
        let attempt = Attempt::begin(&sign_ins.key, &place, (control.clock)()).map_err(unable)?;
        Ok((relying.page(&attempt.state, &attempt.nonce, &attempt.verifier, left), attempt))
    };
    let (page, attempt) = begun.await.map_err(|error| failed(&error, &place, (control.clock)()))?;
    let mut response = browser::go(&page)?;
    keep(&mut response, &control, sign_ins.attempt_cookie(), &attempt.cookie, Attempt::LIFE_MS / 1000);
    Ok(response)
}

/// `GET /signin/callback`.
async fn come_back(
    State(control): State<Arc<Control>>,
    address: Address,
    headers: HeaderMap,
    query: Query,
) -> Response {
    let (sign_ins, now) = (&control.sign_ins, (control.clock)());
    let state = query.get("state").map(String::as_str).unwrap_or_default();
    let attempt = browser::cookie(&headers, sign_ins.attempt_cookie())
        .and_then(|cookie| Attempt::resume(&sign_ins.key, cookie, state, now));
    let place = attempt.as_ref().map_or("/", |attempt| &attempt.place).to_owned();
    let has_attempt = attempt.is_some();
    let let_in = async {
        let (principal, claims) = who(&control, &query, &attempt.ok_or(SignInError::Lost)?).await?;
        open(&control, &headers, address, principal, Some(&claims), &place).await
    };
    let mut response = match let_in.await {
        Ok(response) => response,
        Err(error) => {
            refuse(&control, address, &error).await;
            failed(&error, &place, now).into_response()
        }
    };
    if has_attempt {
        // It is used once; one of which this was not the answer goes on.
        keep(&mut response, &control, sign_ins.attempt_cookie(), "", 0);
    }
    browser::unkept(response)
}

/// Who the provider says it is.
async fn who(
    control: &Arc<Control>,
    query: &Query,
    attempt: &Attempt,
) -> Result<(Principal, IdClaims), SignInError> {
    if let Some(error) = query.get("error") {
        return Err(SignInError::Refused(shown(error)));
    }
    let (sign_in, relying) = relying(control).await?;
    let issuer_url = issuer_url(control, &sign_in);
    // RFC 9207: an answer of another issuer's is not for this attempt.
    if query.get("iss").is_some_and(|iss| Some(iss) != issuer_url.as_ref()) {
        return Err(SignInError::Token("the answer is from another issuer".into()));
    }
    let code = query.get("code").filter(|code| (1..=LONGEST_CODE).contains(&code.len()));
    let code = code.ok_or_else(|| SignInError::Refused("it sent no code".into()))?;
    let provider = &control.sign_ins.provider;
    let token = relying.redeem(provider.client(), code, &attempt.verifier).await?;
    let principal = verify(control, &token).await?;
    let claims = relying.check(&token, &attempt.nonce)?;
    if principal.issuer != sign_in.issuer {
        return Err(SignInError::Token("the ID token is of another issuer".into()));
    }
    Ok((principal, claims))
}

/// By the issuer's keys; one that is not known yet is waited for.
async fn verify(control: &Control, token: &str) -> Result<Principal, SignInError> {
    let wrong = SignInError::Unverified;
    let mut bundle = control.bundle.clone();
    let verify =
        |bundle: &crate::policies::Publisher| bundle.borrow().people.verify(token, (control.clock)());
    let deadline = tokio::time::Instant::now() + NEW_KEY;
    loop {
        bundle.mark_unchanged();
        match verify(&bundle) {
            Err(TokenError::UnknownKey { issuer, kid }) => {
                // A queue that is full has this wish already, or another that fetches the same keys.
                let _full = control.refresh.try_send(Refresh { issuer: issuer.clone(), kid: kid.clone() });
                let changed = tokio::time::timeout_at(deadline, bundle.changed()).await;
                if !matches!(changed, Ok(Ok(()))) {
                    return Err(wrong(TokenError::UnknownKey { issuer, kid }));
                }
            }
            verdict => return verdict.map_err(wrong),
        }
    }
}

/// `POST /signin`: under `--dev`, whoever they say they are.
async fn say_who(
    State(control): State<Arc<Control>>,
    address: Address,
    headers: HeaderMap,
    query: Query,
    Form(said): Form<SaidWho>,
) -> Result<Response, Problem> {
    if !control.sign_ins.dev {
        return Err(Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "people sign in at the identity provider: GET /signin leads there",
        ));
    }
    browser::own_page(&headers, &control.sign_ins)?;
    let subject = said.subject.trim();
    if subject.is_empty() || subject.len() > 256 || subject.chars().any(char::is_control) {
        return Err(Problem::bad_request("say who you are, in 1 to 256 bytes: the field `subject`"));
    }
    let groups = said.groups.split([' ', ',']).filter(|group| !group.is_empty()).map(str::to_owned).collect();
    // As `sluice token mint` would name them, so that both ways they are one person.
    let issuer = {
        let bundle = control.bundle.borrow();
        let own = bundle.policy.issuers.iter().find(|issuer| issuer.keys == KeySource::Control);
        own.map_or_else(|| "dev".to_owned(), |own| own.name.clone())
    };
    let principal =
        Principal { issuer, subject: subject.to_owned(), groups, scopes: None, actor: None, expires_ms: 0 };
    let place = own_place(query.get("to").map_or("/", String::as_str));
    let opened = open(&control, &headers, address, principal, None, &place).await;
    opened.map_err(|error| failed(&error, &place, (control.clock)()))
}

/// The form of `--dev`.
#[derive(Deserialize)]
struct SaidWho {
    subject: String,
    #[serde(default)]
    groups: String,
}

/// A visit begins, under a new id whatever the browser had; the one before is over.
async fn open(
    control: &Arc<Control>,
    headers: &HeaderMap,
    address: Address,
    principal: Principal,
    claims: Option<&IdClaims>,
    place: &str,
) -> Result<Response, SignInError> {
    let sign_ins = &control.sign_ins;
    if principal.actor.is_some() {
        let why = "somebody acts on another's behalf there (`act`), and people sign in here themselves";
        return Err(SignInError::Token(why.into()));
    }
    let now = (control.clock)();
    let (basis, limits) = {
        let bundle = control.bundle.borrow();
        (sign_ins.basis(&bundle.policy), sign_ins.limits(&bundle.policy))
    };
    let (Some(basis), Some((_, longest))) = (basis, limits) else { return Err(SignInError::NotOffered) };
    let before = browser::visit(headers, control).await.map_err(|problem| unable(problem.detail))?;
    if let Some((id, visit)) = before {
        let ended = browser::end(control, &id, &visit, address.text(), Some("signed in anew")).await;
        ended.map_err(|problem| unable(problem.detail))?;
    }
    let id = VisitId::make().map_err(unable)?;
    let visit = Visit {
        principal: Principal { expires_ms: now.saturating_add(longest.as_millis()), ..principal },
        basis,
        made_ms: claims.map_or(Some(now), IdClaims::made_ms),
        token: claims.and_then(|claims| claims.jti.clone()),
        seen_ms: now,
    };
    let (issuer, subject) = (visit.principal.issuer.clone(), visit.principal.subject.clone());
    let digest = id.digest();
    let event = SignInEvent {
        address: address.text(),
        ..SignInEvent::of(SignInChange::SignedIn, &digest, &visit, now)
    };
    control.store.open_visit(digest, visit, event).await.map_err(unable)?;
    tracing::info!(issuer, subject, "somebody signed in");
    let mut response = browser::go(place).map_err(|problem| unable(problem.detail))?;
    keep(&mut response, control, sign_ins.cookie(), id.secret(), longest.as_seconds());
    if browser::cookie(headers, sign_ins.left_cookie()).is_some() {
        keep(&mut response, control, sign_ins.left_cookie(), "", 0);
    }
    Ok(response)
}

/// `POST /signout`.
async fn sign_out(
    State(control): State<Arc<Control>>,
    address: Address,
    headers: HeaderMap,
    submitted: Submitted<()>,
) -> Result<Response, Problem> {
    if let Some((id, visit)) = browser::visit(&headers, &control).await? {
        browser::end(&control, &id, &visit, address.text(), None).await?;
    }
    tracing::info!(subject = submitted.visitor.person.0.subject, "somebody signed out");
    let mut response = browser::unkept(signed_out(&control, &headers, "/").await);
    keep(&mut response, &control, control.sign_ins.cookie(), "", 0);
    keep(&mut response, &control, control.sign_ins.left_cookie(), "1", LEFT);
    Ok(response)
}

/// Nobody is signed in here any more; the provider may still know the browser.
async fn signed_out(control: &Control, headers: &HeaderMap, place: &str) -> Response {
    let sign_in = control.bundle.borrow().policy.access.sign_in.clone().filter(|_| !control.sign_ins.dev);
    let mut provider = None;
    if let Some(sign_in) = sign_in
        && let Some(issuer) = issuer_url(control, &sign_in)
    {
        let page = control.sign_ins.provider.end_session(&issuer).await;
        let client = serde_urlencoded::to_string([("client_id", &sign_in.client_id)]).unwrap_or_default();
        provider = page.map(|page| format!("{page}{}{client}", if page.contains('?') { '&' } else { '?' }));
    }
    let mut query = vec![(AGAIN, "yes")];
    query.extend((place != "/").then_some(("to", place)));
    let again = format!("/signin?{}", serde_urlencoded::to_string(query).unwrap_or_default());
    crate::pages::signed_out(headers, again, provider)
}

/// Where `sluice login` signs in.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignInOffer {
    /// The provider's issuer URL.
    pub issuer: String,
    /// The public client that the command line is there.
    pub client_id: String,
    /// Scopes that are asked for beside `openid`.
    pub scopes: Vec<String>,
}

/// `GET /v1/signin`, for anyone: it says nothing that the provider's own page does not.
async fn offer(State(control): State<Arc<Control>>) -> Result<Json<SignInOffer>, Problem> {
    let sign_in = control.bundle.borrow().policy.access.sign_in.clone().filter(|_| !control.sign_ins.dev);
    let offer = sign_in.and_then(|sign_in| {
        let issuer = issuer_url(&control, &sign_in)?;
        Some(SignInOffer { issuer, client_id: sign_in.command_line_client_id?, scopes: sign_in.scopes })
    });
    offer.map(Json).ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "nobody can sign in here from the command line: the policy has no `access.signIn.commandLineClientId`; set \
             SLUICE_TOKEN to a token of an issuer in the policy",
        )
    })
}

/// Who somebody is to the service.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Whoami {
    /// The issuer's name in the policy.
    pub issuer: String,
    /// Who it is.
    pub subject: String,
    /// Their groups.
    pub groups: Vec<String>,
    /// Scopes that the token is narrowed to; absent: not narrowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// When the token or the visit ends, in Unix milliseconds.
    pub expires_ms: u64,
    /// What of `access` in the policy their groups are in: `auditors`, `operators`, `authors`.
    pub access: Vec<String>,
    /// For scripts of our own pages: what they send as `x-csrf-token`. Absent for tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csrf: Option<String>,
}

/// `GET /v1/whoami`.
async fn whoami(
    State(control): State<Arc<Control>>,
    headers: HeaderMap,
    person: Person,
) -> Result<Response, Problem> {
    let csrf = match headers.contains_key(header::AUTHORIZATION) {
        true => None,
        false => visitor(&Method::GET, &headers, &control).await?.map(|visitor| visitor.csrf),
    };
    let access = {
        let bundle = control.bundle.borrow();
        let access = &bundle.policy.access;
        let lists =
            [("auditors", &access.auditors), ("operators", &access.operators), ("authors", &access.authors)];
        let among = |(name, list): (&str, &Vec<String>)| {
            list.iter().any(|group| person.0.groups.contains(group)).then(|| name.to_owned())
        };
        lists.into_iter().filter_map(among).collect()
    };
    let Person(Principal { issuer, subject, groups, scopes, expires_ms, .. }) = person;
    let me = Whoami { issuer, subject, groups, scopes, expires_ms, access, csrf };
    Ok(browser::unkept(Json(me).into_response()))
}

/// Control as a client of the provider that the policy names.
async fn relying(control: &Control) -> Result<(SignIn, Relying), SignInError> {
    let sign_ins = &control.sign_ins;
    let sign_in = control.bundle.borrow().policy.access.sign_in.clone();
    let sign_in = sign_in.filter(|_| !sign_ins.dev).ok_or(SignInError::NotOffered)?;
    let issuer = issuer_url(control, &sign_in).ok_or(SignInError::NotOffered)?;
    let endpoints = sign_ins.provider.endpoints(&issuer).await?;
    let secret = match &sign_ins.secret {
        Some(file) => Some(tokio::fs::read_to_string(file).await.map_err(|error| {
            tracing::error!(%error, file = %file.display(), "the client's secret cannot be read");
            SignInError::Unable
        })?),
        None => None,
    };
    let secret = secret.map(|secret| secret.trim().to_owned());
    let relying = Relying::new(&endpoints, &sign_in.client_id, secret, &sign_in.scopes, sign_ins.callback())?;
    Ok((sign_in, relying))
}

fn issuer_url(control: &Control, sign_in: &SignIn) -> Option<String> {
    let bundle = control.bundle.borrow();
    let issuer = bundle.policy.issuers.iter().find(|issuer| issuer.name == sign_in.issuer)?;
    Some(issuer.issuer.clone())
}

fn keep(response: &mut Response, control: &Control, name: &str, value: &str, seconds: u64) {
    if let Some(cookie) = browser::set_cookie(&control.sign_ins, name, value, seconds) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

fn unable(why: impl std::fmt::Display) -> SignInError {
    tracing::error!(%why, "a sign-in could not be done");
    SignInError::Unable
}
