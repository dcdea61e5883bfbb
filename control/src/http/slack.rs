//! Buttons in Slack: somebody decides a hold there.
//!
//! Slack vouches for the account by its signature, policy (`people`) says whose it is; then the decision goes the way of every
//! other. Slack waits three seconds for an answer, so that it gets one at once, and the message is changed afterwards.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::routing::post;
use serde_json::Value;
use sha2::{Digest, Sha256};
use sluice_engine::identity::{Lineage, Principal};
use sluice_engine::policy::document::{Receiver, SlackPerson};
use sluice_engine::wire::HoldDecision;

use super::auth::Person;
use super::holds::decide_as;
use super::{Control, Problem, Ruling, area};
use crate::client::Client;
use crate::notices::{Button, Outcome, answer, decided, is_from_slack, post as send};

/// Where Slack wants to be answered, and nobody else: its own hosts, also of its cloud for governments.
const SLACK: &[&str] = &["https://hooks.slack.com", "https://hooks.slack-gov.com"];

/// The routes of this area.
pub fn routes() -> Router<Arc<Control>> {
    area(Router::new(), Router::new().route("/v1/notices/{id}/slack", post(interaction)))
}

/// `POST /v1/notices/{id}/slack`, where the id is a channel's name: the Request URL of the app's interactivity.
pub async fn interaction(
    State(control): State<Arc<Control>>,
    Path(channel): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let now = (control.clock)();
    // Whoever has no secret learns nothing, not even which channels there are.
    let refused = || {
        let detail = "this is for Slack: a request is signed with the signing secret of the channel's app, not older than five \
                      minutes, and sent once; see the log of the service";
        Problem::new(StatusCode::UNAUTHORIZED, detail)
    };
    let known = {
        let bundle = control.bundle.borrow();
        bundle.policy.notices.iter().any(|own| own.name == channel && own.to == Receiver::Slack)
    };
    if !known {
        return Err(refused());
    }
    let secrets = control.channels.secrets(&channel).await.map_err(|why| {
        tracing::warn!(channel, why, "a request to a Slack channel without a secret was refused");
        refused()
    })?;
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let signature = text("x-slack-signature");
    if let Err(why) = is_from_slack(&secrets, text("x-slack-request-timestamp"), signature, &body, now) {
        tracing::warn!(channel, %why, "a request that should be Slack's was refused");
        return Err(refused());
    }
    if !control.store.is_first(Sha256::digest(signature.to_ascii_lowercase()).into(), now).await? {
        tracing::warn!(channel, "a request of Slack came a second time and was refused");
        return Err(refused());
    }
    let payload =
        payload(&body).ok_or_else(|| Problem::bad_request("the body is no interaction of Slack"))?;
    // Links are buttons, too, and of other messages nobody knows what they said.
    if let Some(button) = Button::read(&payload, &channel, &secrets) {
        tokio::spawn(press(control, payload, button));
    }
    Ok(StatusCode::OK)
}

/// Decides, and says so in Slack.
async fn press(control: Arc<Control>, payload: Value, button: Button) {
    let text = |pointer: &str| payload.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let said = match person(&control, text("/user/id")).await {
        Ok(Some(person)) => rule(&control, &person, button).await,
        Err(problem) => {
            tracing::warn!(
                slack = text("/user/id"),
                why = problem.detail,
                "a button in Slack decided nothing"
            );
            answer(&problem.detail)
        }
        Ok(None) => {
            tracing::warn!(
                slack = text("/user/id"),
                "somebody whom the policy does not know pressed a button in Slack"
            );
            answer(
                "You cannot decide from Slack: the policy's `people` do not have your member ID. Decide on the page.",
            )
        }
    };
    let Some(url) = answer_url(text("/response_url"), SLACK) else {
        tracing::warn!("an interaction wanted to be answered elsewhere than at Slack, and was not");
        return;
    };
    let outcome = send(&Client::new(), url, HeaderMap::new(), said, (control.clock)()).await;
    if let Outcome::Failed { why, .. } = outcome {
        tracing::warn!(why, "what was decided stands, and its message in Slack is as it was");
    }
}

async fn rule(control: &Control, person: &Person, button: Button) -> String {
    let ruling = Ruling { approve: button.approve, reason: button.reason, ..Ruling::default() };
    match decide_as(control, person, &button.hold, ruling).await {
        Ok(hold) if hold.state == HoldDecision::Waiting => {
            answer("Your approval counts; others must approve, too.")
        }
        Ok(hold) => {
            let (asker, by) = (&hold.ask.who.subject, &person.0.subject);
            decided(&format!("What {asker} asked for was {} by {by}. ({})", hold.state.word(), hold.id))
        }
        Err(problem) => answer(&problem.detail),
    }
}

/// Who it is by the policy, for this one decision; `None`: nobody. Slack knows neither revocations nor groups: who was revoked
/// decides nothing here until they have signed in anew, and nobody as a member of a group that their issuer does not have
/// them in any more.
async fn person(control: &Control, member: &str) -> Result<Option<Person>, Problem> {
    let found = control.bundle.borrow().policy.people.iter().find(|person| person.slack == member).cloned();
    let Some(SlackPerson { issuer, subject, mut groups, .. }) = found else { return Ok(None) };
    let vouched = control.store.vouched(&issuer, &subject).await?;
    let lineage = Lineage { tokens: Vec::new(), issued_ms: vouched.as_ref().map(|vouched| vouched.said_ms) };
    if control.bundle.borrow().people.check_revoked(&issuer, &subject, &lineage).is_err() {
        return Err(Problem::forbidden(
            "Your sign-ins were revoked, and that holds for Slack, too. Sign in on the page, if you may, and decide then.",
        ));
    }
    groups.retain(|group| vouched.as_ref().is_none_or(|vouched| vouched.who.groups.contains(group)));
    let scopes = Some(vec!["holds.decide".to_owned()]);
    Ok(Some(Person(Principal {
        issuer,
        subject,
        groups,
        scopes,
        actor: None,
        expires_ms: (control.clock)(),
    })))
}

/// The JSON in the form's one field `payload`.
fn payload(body: &[u8]) -> Option<Value> {
    let fields: Vec<(String, String)> = serde_urlencoded::from_bytes(body).ok()?;
    let [(name, text)] = fields.as_slice() else { return None };
    (name == "payload").then(|| serde_json::from_str(text).ok())?
}

/// The address, where it is on one of these origins and nowhere else.
fn answer_url(url: &str, origins: &[&str]) -> Option<Uri> {
    let uri: Uri = url.parse().ok()?;
    let origin = format!("{}://{}", uri.scheme_str()?, uri.authority()?.as_str().to_ascii_lowercase());
    origins.contains(&origin.as_str()).then_some(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_goes_to_slack_alone() {
        for url in [
            "https://hooks.slack.com/actions/T1/2/x",
            "https://HOOKS.slack.com/actions/T1/2/x",
            "https://hooks.slack-gov.com/actions/T1/2/x",
        ] {
            assert!(answer_url(url, SLACK).is_some(), "{url}");
        }
        for url in [
            "http://hooks.slack.com/actions/x",
            "https://hooks.slack.com:8443/x",
            "https://hooks.slack.com@evil.example/x",
            "https://evil.example@hooks.slack.com/x",
            "https://hooks.slack.com.evil.example/x",
            "https://evil.example/hooks.slack.com",
            "https://evil.example#https://hooks.slack.com",
            "https://slack.com/x",
            "http://169.254.169.254/latest/meta-data",
            "http://127.0.0.1:9901/v1/bundle",
            "/actions/x",
            "",
        ] {
            assert!(answer_url(url, SLACK).is_none(), "{url}");
        }
        assert!(
            answer_url("http://127.0.0.1:9/x", &["http://127.0.0.1:9"]).is_some(),
            "the list is what counts"
        );
    }

    #[test]
    fn an_interaction_is_one_field_with_json() {
        assert_eq!(payload(b"payload=%7B%22type%22%3A1%7D").unwrap()["type"], 1);
        for bad in ["", "payload=", "payload={", "payload=%7B%7D&payload=%7B%7D", "other=%7B%7D", "{}"] {
            assert_eq!(payload(bad.as_bytes()), None, "{bad}");
        }
    }
}
