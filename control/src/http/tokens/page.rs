//! `/device`: where a person who is signed in types the code of a device, sees what asks, and confirms.
//!
//! A code in the address only fills in the field: nothing is let in before the person has seen what it is about and
//! pressed the button (RFC 8628, section 5.4). The form carries the proof of the visit that the page was made for.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use sluice_engine::budget::utc;

use super::super::browser::unkept;
use super::super::{Control, Problem, Query, Submitted, Visitor};
use super::device::{settle as settle_device, waiting};
use crate::tokens::device::Device;
use crate::tokens::source::Source;

/// What the page may load and do: its own style, and send its form to us.
const POLICY: &str = "default-src 'none'; style-src 'sha256-q1aeIVoIysp05fNGCDBnQSln250THW9TcPcn/tRIWow='; form-action 'self'; \
                      frame-ancestors 'none'; base-uri 'none'";

/// The form that [`confirm`] shows.
#[derive(Deserialize)]
pub struct Verdict {
    user_code: String,
    /// `allow`, or anything else.
    verdict: String,
}

/// `GET /device`, with `user_code` once it is known.
pub async fn confirm(visitor: Visitor, State(control): State<Arc<Control>>, query: Query) -> Response {
    let Some(code) = query.get("user_code").filter(|code| !code.trim().is_empty()) else {
        return page(StatusCode::OK, "Let a device in", &ask_for_code(None));
    };
    match waiting(&control, &visitor.person, code).await {
        Ok(device) => page(StatusCode::OK, "Let this device in?", &shown(&device, &visitor)),
        Err(problem) => refused(&problem),
    }
}

/// `POST /device`.
pub async fn settle(
    State(control): State<Arc<Control>>,
    Submitted { visitor, form }: Submitted<Verdict>,
) -> Response {
    let approve = form.verdict == "allow";
    let device = match waiting(&control, &visitor.person, &form.user_code).await {
        Ok(device) => device,
        Err(problem) => return refused(&problem),
    };
    let source = Source::of(visitor.person.0, visitor.lineage);
    match settle_device(&control, device, source, approve).await {
        Ok(()) if approve => page(
            StatusCode::OK,
            "The device is in",
            "<p>It goes on by itself within seconds. You may close this page.</p>",
        ),
        Ok(()) => {
            page(StatusCode::OK, "The device was refused", "<p>It gets nothing. You may close this page.</p>")
        }
        Err(problem) => refused(&problem),
    }
}

fn refused(problem: &Problem) -> Response {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    page(status, "Let a device in", &ask_for_code(Some(&problem.detail)))
}

fn ask_for_code(why: Option<&str>) -> String {
    let why = why.map(|why| format!("<p role=alert>{}</p>", escaped(why))).unwrap_or_default();
    format!(
        "{why}<p>Type the code that the device shows.</p>\
         <form method=get action=/device><label>Code <input name=user_code required maxlength=32 autocomplete=off \
         autocapitalize=characters spellcheck=false placeholder=BCDF-GHJK></label> <button>Go on</button></form>"
    )
}

fn shown(device: &Device, visitor: &Visitor) -> String {
    let who = visitor.person.who();
    let scopes = device.scopes.as_ref().map_or("whatever you may do".to_owned(), |scopes| scopes.join(", "));
    let rows = [
        ("Code", device.user_code.clone()),
        ("It says that it is", device.client.clone().unwrap_or_else(|| "(nothing)".into())),
        ("It asks for", scopes),
        ("It asked at", format!("{} UTC", utc(device.created_ms))),
        ("You are", format!("{} ({})", who.subject, who.issuer)),
    ];
    let rows: String =
        rows.iter().map(|(name, value)| format!("<dt>{name}</dt><dd>{}</dd>", escaped(value))).collect();
    let (code, csrf) = (escaped(&device.user_code), escaped(&visitor.csrf));
    format!(
        "<dl>{rows}</dl><p>If you let it in, it gets tokens in your name. Do so only if you have begun to sign in on it \
         yourself, a moment ago, and it shows this very code. Whoever sent you a code or a link means harm.</p>\
         <form method=post action=/device><input type=hidden name=csrf value=\"{csrf}\"><input type=hidden \
         name=user_code value=\"{code}\"><button name=verdict value=deny>Refuse</button> <button name=verdict \
         value=allow>Let it in</button></form>"
    )
}

const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:3rem auto;padding:0 1rem}\
dt{font-weight:600}dd{margin:0 0 .5rem}button,input{font:inherit;padding:.3rem .7rem}[role=alert]{color:#a00}";

fn page(status: StatusCode, title: &str, body: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>{title} - Sluice</title><style>{STYLE}</style><main><h1>{title}</h1>{body}</main></html>"
    );
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    unkept((status, headers, html).into_response())
}

/// Text of others inside of HTML.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use sha2::{Digest as _, Sha256};

    use super::*;

    #[test]
    fn the_page_may_use_its_own_style_and_no_other() {
        let hash = STANDARD.encode(Sha256::digest(STYLE));
        assert!(POLICY.contains(&format!("'sha256-{hash}'")), "{hash}");
    }

    #[test]
    fn text_of_others_is_no_markup() {
        assert_eq!(escaped("<a href='x'>\"&"), "&lt;a href=&#39;x&#39;&gt;&quot;&amp;");
    }
}
