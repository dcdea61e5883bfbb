//! Why nobody was signed in: in words for the person who wanted in, and in the log.

use axum::http::StatusCode;
use sluice_engine::budget::utc;
use sluice_engine::identity::TokenError;

use super::super::address::Address;
use super::super::limits::caller;
use super::super::visitor::sign_in_at;
use super::super::{Control, Guidance, Problem};
use crate::records::{Entry, SignInChange, SignInEvent};
use crate::store::Addition;
use crate::visits::SignInError;

/// What a person is told who wanted to go to a place. Programs get the same without the advice.
pub fn failed(error: &SignInError, place: &str, now_ms: u64) -> Problem {
    tracing::warn!(%error, "nobody was signed in");
    let status = match error {
        SignInError::Lost => StatusCode::BAD_REQUEST,
        SignInError::NotOffered => StatusCode::NOT_FOUND,
        SignInError::Unable => StatusCode::SERVICE_UNAVAILABLE,
        SignInError::Provider(_) => StatusCode::BAD_GATEWAY,
        SignInError::Refused(_) | SignInError::Token(_) | SignInError::Unverified(_) => StatusCode::FORBIDDEN,
    };
    let (heading, advice) = words(error, now_ms);
    let (href, label) = match error {
        SignInError::NotOffered => ("/".to_owned(), "Back to the start"),
        _ => (sign_in_at(place), "Try again"),
    };
    let detail = error.to_string();
    let told = match error {
        SignInError::NotOffered | SignInError::Unable => detail.clone(),
        _ => format!("{detail}; begin again at /signin"),
    };
    Problem::new(status, told).guided(Guidance { heading, detail, advice, href, label })
}

/// What happened in few words, and what to do about it.
fn words(error: &SignInError, now_ms: u64) -> (&'static str, String) {
    let operator = "Tell whoever runs this service: trying again does not help until they, or those who run the identity \
                    provider, have changed something.";
    match error {
        SignInError::Lost => (
            "This sign-in cannot go on",
            "It may be an old page, one of another window, or one that was used already. If a new try ends here, too, the \
             browser keeps no cookies of this site: allow them."
                .into(),
        ),
        SignInError::NotOffered => (
            "Nobody can sign in here",
            "Ask whoever writes the policy. With a token, the command line works without: `sluice whoami`.".into(),
        ),
        SignInError::Unable => ("Not at the moment", "It is not your fault. Try again in a minute.".into()),
        SignInError::Provider(_) => (
            "The identity provider is away",
            "It is not your fault, and nothing was changed. Try again in a minute; if it stays so, tell whoever runs \
             this service."
                .into(),
        ),
        SignInError::Refused(said) => match said.as_str() {
            "access_denied" => (
                "The identity provider said no",
                "Either you cancelled there, or your account may not use Sluice: then ask whoever looks after accounts."
                    .into(),
            ),
            "temporarily_unavailable" | "server_error" => {
                ("The identity provider has trouble", "Try again in a minute.".into())
            }
            "login_required" | "interaction_required" | "consent_required" | "account_selection_required" => {
                ("The identity provider wants to ask you", "Try again, and answer what it asks.".into())
            }
            "invalid_grant" => (
                "This sign-in cannot go on",
                "The provider takes each answer once, and only for a short time. A new try gets a new one.".into(),
            ),
            _ => ("The identity provider refused", operator.into()),
        },
        SignInError::Unverified(TokenError::Expired | TokenError::NotYetValid) => (
            "The clocks do not agree",
            format!("It is {} UTC here. If that is wrong, tell whoever runs this service.", utc(now_ms)),
        ),
        SignInError::Unverified(TokenError::Revoked) => (
            "You are shut out",
            "An operator has revoked your sign-ins. A new try counts from now on; if it ends here, too, talk to them."
                .into(),
        ),
        SignInError::Unverified(TokenError::UnknownKey { .. }) => (
            "The identity provider has new keys",
            "They are fetched now. Try again in some seconds; if it stays so, tell whoever runs this service.".into(),
        ),
        SignInError::Token(_) | SignInError::Unverified(_) => ("That was no good sign-in", operator.into()),
    }
}

/// Writes down that nobody was let in, as long as the log takes it.
pub async fn refuse(control: &Control, address: Address, error: &SignInError) {
    let now = (control.clock)();
    let Some(left_out) = control.sign_ins.refusals.take(address.0.map(caller), now) else { return };
    let mut event = refused(control, now, left_out);
    event.address = address.text();
    event.why = Some(error.word());
    write(control, event, now).await;
}

/// Writes down how many were refused of which the log has nothing, once nobody comes after them.
pub async fn tell_overdue(control: &Control) {
    let now = (control.clock)();
    if let Some(left_out) = control.sign_ins.refusals.overdue(now) {
        write(control, SignInEvent { why: Some("many".into()), ..refused(control, now, left_out) }, now)
            .await;
    }
}

fn refused(control: &Control, now_ms: u64, left_out: u64) -> SignInEvent {
    let by = control.bundle.borrow().policy.access.sign_in.as_ref().map(|sign_in| sign_in.issuer.clone());
    SignInEvent { left_out, ..SignInEvent::new(SignInChange::Refused, &by.unwrap_or_default(), now_ms) }
}

async fn write(control: &Control, event: SignInEvent, now_ms: u64) {
    let entries = vec![Entry::SignIn(Box::new(event))];
    // Nobody is let in either way.
    if let Err(error) = control.store.add(Addition { entries, ..Addition::default() }, now_ms).await {
        tracing::error!(%error, "a refused sign-in was not written down");
    }
}
