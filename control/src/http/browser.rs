//! What is special to browsers: cookies, and whether a page of our own has sent a request.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::{Control, Problem};
use crate::records::{SignInChange, SignInEvent};
use crate::visits::{SignIns, Visit, VisitId};

/// The value of a cookie; of several with one name, which only somebody else can have set, none.
pub fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut named = all
        .flat_map(|all| all.split(';'))
        .filter_map(|one| one.trim().split_once('='))
        .filter(|(own, _)| *own == name);
    match (named.next(), named.next()) {
        (Some((_, value)), None) => Some(value),
        _ => None,
    }
}

/// A cookie that scripts cannot read and other sites' forms do not send; no seconds: one that is taken back.
pub fn set_cookie(sign_ins: &SignIns, name: &str, value: &str, seconds: u64) -> Option<HeaderValue> {
    let secure = if sign_ins.secure() { "; Secure" } else { "" };
    HeaderValue::try_from(format!(
        "{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"
    ))
    .ok()
}

/// The visit whose id the browser sent, as long as it stands. One that does not is forgotten.
pub async fn visit(headers: &HeaderMap, control: &Arc<Control>) -> Result<Option<(VisitId, Visit)>, Problem> {
    let Some(id) = cookie(headers, control.sign_ins.cookie()).and_then(VisitId::read) else {
        return Ok(None);
    };
    let digest = id.digest();
    let Some(visit) = control.store.visit(&digest).await? else { return Ok(None) };
    let now = (control.clock)();
    let over = {
        let bundle = control.bundle.borrow();
        visit.over(&control.sign_ins, &bundle.policy, &bundle.people, now)
    };
    if let Some(why) = over {
        end(control, &id, &visit, None, Some(why)).await?;
        return Ok(None);
    }
    if visit.is_news(now)
        && let Err(error) = control.store.see_visit(digest, now).await
    {
        // The visit ends earlier than it need: no reason to refuse.
        tracing::warn!(%error, "the use of a visit was not written down");
    }
    Ok(Some((id, visit)))
}

/// Ends a visit, which the log says.
pub async fn end(
    control: &Control,
    id: &VisitId,
    visit: &Visit,
    address: Option<String>,
    why: Option<&str>,
) -> Result<(), Problem> {
    let digest = id.digest();
    let event = SignInEvent {
        address,
        why: why.map(str::to_owned),
        ..SignInEvent::of(SignInChange::SignedOut, &digest, visit, (control.clock)())
    };
    Ok(control.store.end_visit(digest, event).await?)
}

/// Whether a method changes nothing (RFC 9110, section 9.2.1).
pub fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// Refuses what a page of another site has sent: by what the browser says of it (Fetch Metadata), which no script can
/// forge; by `Origin` where a browser does not say it. A request with neither comes from no browser that we know.
pub fn own_page(headers: &HeaderMap, sign_ins: &SignIns) -> Result<(), Problem> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let own = match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => site == "same-origin",
        (None, origin) => origin == Some(sign_ins.origin()),
    };
    if own {
        return Ok(());
    }
    Err(Problem::forbidden(format!(
        "this was sent by a page of another site; open {} and do it there",
        sign_ins.public_url
    )))
}

/// The path of our own page that a form was sent from, as far as the browser says it.
pub fn own_referrer<'h>(headers: &'h HeaderMap, sign_ins: &SignIns) -> Option<&'h str> {
    let referrer = headers.get(header::REFERER)?.to_str().ok()?;
    referrer.strip_prefix(sign_ins.origin()).filter(|path| path.starts_with('/'))
}

/// Refuses a request without the token that forms of this visit carry.
pub fn csrf(control: &Control, id: &VisitId, given: Option<&str>) -> Result<(), Problem> {
    if given.is_some_and(|given| control.sign_ins.key.is_csrf(id, given)) {
        return Ok(());
    }
    Err(Problem::forbidden(
        "the form does not belong to this visit; load the page again and repeat what you did (a form has the field \
         `csrf`, a script sends `x-csrf-token`)",
    ))
}

/// Sends the browser elsewhere. `to` is an address of our own, or the provider's.
pub fn go(to: &str) -> Result<Response, Problem> {
    let to = HeaderValue::try_from(to)
        .map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "there is no way to go on"))?;
    let mut response = StatusCode::SEE_OTHER.into_response();
    response.headers_mut().insert(header::LOCATION, to);
    Ok(unkept(response))
}

/// An answer that nobody keeps, and whose address goes nowhere.
pub fn unkept(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}
