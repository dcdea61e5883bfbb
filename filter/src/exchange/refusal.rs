//! Answers that the filter gives itself.

use sluice_engine::claude::error::{ErrorKind, envelope};
use sluice_engine::judge::Refusal;

use super::{Exchange, State, Step};
use crate::host::Host;
use crate::metrics::Counter;

impl Exchange {
    /// Answers in the API's error envelope; with `retry-after` in seconds, the client is told to come again.
    /// Nothing of the exchange goes on after this.
    pub(super) fn answer(&mut self, refusal: &Refusal, retry_after: Option<&str>, host: &dyn Host) -> Step {
        let headers: Vec<_> = retry_after.map(|seconds| ("retry-after", seconds)).into_iter().collect();
        self.answer_with(refusal, retry_after.is_some(), &headers, host)
    }

    /// The same with headers of its own. `again`: whether a client should come again by itself.
    pub(super) fn answer_with(
        &mut self,
        refusal: &Refusal,
        again: bool,
        more: &[(&str, &str)],
        host: &dyn Host,
    ) -> Step {
        self.state = State::Done;
        let kind = refusal.kind;
        let status = self.answers.as_ref().map_or(kind.status(), |answers| answers.status(kind));
        self.status = Some(status);
        let metric = match refusal.kind {
            ErrorKind::Unavailable | ErrorKind::Api => Counter::Unavailable,
            _ => Counter::Denied,
        };
        host.count(metric, 1);
        let request_id = format!("req_sluice_{}", host.random_id());
        let body = match &self.answers {
            // A refused call says by itself who speaks.
            Some(answers) if refusal.message.starts_with("[Sluice]") => {
                answers.message(kind, &refusal.message)
            }
            Some(answers) => answers.message(kind, &format!("Sluice: {}", refusal.message)),
            None => envelope(kind, &format!("Sluice: {}", refusal.message), Some(&request_id)),
        };
        let mut headers = vec![
            ("content-type", "application/json"),
            ("request-id", request_id.as_str()),
            ("x-should-retry", if again { "true" } else { "false" }),
            ("x-sluice-rule", refusal.rule.as_str()),
        ];
        headers.extend_from_slice(more);
        if let Err(why) = host.reply(status, &headers, body.as_bytes()) {
            // An answer has begun; the stream stays paused and Envoy ends it.
            log::error!("sluice: a refusal could not be sent: {why}");
        }
        Step::Wait
    }

    /// A fault of our own or of the host: 500, and nothing goes on.
    pub(super) fn fault(&mut self, what: &str, host: &dyn Host) -> Step {
        log::error!("sluice: {what}");
        let refusal = Refusal::new(
            ErrorKind::Api,
            "fault",
            "the gateway failed to handle this request; try again, and tell its operator",
        );
        self.turn_away(&refusal, None, host)
    }
}

/// The `retry-after` of refusals that pass by themselves.
pub(super) fn comes_again(refusal: &Refusal) -> Option<&'static str> {
    refusal.kind.should_retry().then_some("1")
}

/// 503: come again.
pub(super) fn unavailable(rule: &str, message: &str) -> Refusal {
    Refusal::new(ErrorKind::Unavailable, rule, message)
}
