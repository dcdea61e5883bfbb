//! Opaque tokens: control asks the issuer whose they are, and the exchange begins anew with the answer at hand.
//!
//! The request's headers stay where they are meanwhile, and what comes of its body waits in Envoy.

use sluice_engine::claude::error::ErrorKind;
use sluice_engine::identity::Digest;
use sluice_engine::judge::Refusal;
use sluice_engine::wire::{self, Introspect, Introspected};

use super::refusal::unavailable;
use super::{Exchange, State, Step};
use crate::host::{Call, Host};
use crate::metrics::Counter;

/// Longer than control gives the issuer.
const TIMEOUT_MS: u64 = 8_000;

/// A question about an opaque token.
pub(super) struct Inquiry {
    digest: Digest,
    /// The call under way.
    call: u32,
    /// When the bundle in force was made: another one may have revoked what the answer says.
    issued_at_ms: u64,
    /// The request has no body.
    bodiless: bool,
    /// What of the body has come meanwhile: its size, and whether it was all.
    body: Option<(usize, bool)>,
}

impl Inquiry {
    /// Whether this is the answer that is waited for.
    pub fn awaits(&self, token: u32) -> bool {
        self.call == token
    }

    /// A part of the body has come.
    pub fn note_body(&mut self, size: usize, end: bool) {
        self.body = Some((size, end));
    }
}

impl Exchange {
    /// Asks control about a token.
    pub(super) fn inquire(&mut self, token: &str, digest: Digest, bodiless: bool, host: &dyn Host) -> Step {
        let ask = Introspect { token: token.to_owned() };
        let call = serde_json::to_vec(&ask).ok().map(|body| Call {
            method: "POST",
            path: wire::INTROSPECT.into(),
            body,
            form: false,
            timeout_ms: TIMEOUT_MS,
        });
        let issued_at_ms = self.bundle_made_ms();
        match call.map(|call| host.call(&call)) {
            Some(Ok(call)) => {
                self.state = State::Inquiring(Inquiry { digest, call, issued_at_ms, bodiless, body: None });
                Step::Wait
            }
            _ => self.no_inquiry(host),
        }
    }

    /// Control has answered, or failed to.
    pub(super) fn inquired(&mut self, status: u16, body: &[u8], host: &dyn Host) -> Step {
        let inquiry = match std::mem::replace(&mut self.state, State::Start) {
            State::Inquiring(inquiry) => inquiry,
            other => {
                self.state = other;
                return Step::Wait;
            }
        };
        let now_ms = host.now_ms();
        if inquiry.issued_at_ms != self.bundle_made_ms() {
            return self.no_inquiry(host);
        }
        match serde_json::from_slice(body).ok().filter(|_| status == 200) {
            // One that is over already would be asked about for ever.
            Some(Introspected::Active(principal)) if principal.expires_ms > now_ms => {
                self.shared.tokens.borrow_mut().put(inquiry.digest, principal);
            }
            Some(Introspected::Refused { rule, message }) => {
                let refusal = Refusal::new(ErrorKind::Authentication, &rule, message);
                self.shared.refuse_token(inquiry.digest, refusal.clone(), now_ms);
                return self.turn_away(&refusal, None, host);
            }
            _ => return self.no_inquiry(host),
        }
        let step = self.read_head(inquiry.bodiless, host);
        match (&self.state, inquiry.body) {
            (State::Reading(..), Some((size, end))) => self.read_body(size, end, host),
            _ => step,
        }
    }

    fn bundle_made_ms(&self) -> u64 {
        self.shared.runtime.borrow().as_ref().map_or(0, |own| own.issued_at_ms)
    }

    fn no_inquiry(&mut self, host: &dyn Host) -> Step {
        host.count(Counter::ControlFailed, 1);
        let message = "the gateway cannot find out whose token this is, since its control service or the token's issuer is away; try again";
        self.turn_away(&unavailable("introspection", message), Some("1"), host)
    }
}
