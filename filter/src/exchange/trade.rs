//! `POST /v1/oauth/token` and its like: a token is exchanged, given to a device or revoked at control. What the caller sends
//! goes there and nowhere else, and control's answer goes back as it is.

use sluice_engine::claude::error::ErrorKind;
use sluice_engine::claude::routes::Route;
use sluice_engine::judge::Refusal;

use super::refusal::unavailable;
use super::{Exchange, State, Step};
use crate::host::{Call, Host, Metric, Side};

/// The largest request: control's own limit. SDKs send at most 16 kB.
const LARGEST: usize = 64 << 10;

const TIMEOUT_MS: u64 = 10_000;

/// An exchange of tokens.
pub(super) struct Trade {
    method: &'static str,
    /// The path, at control as here; a `GET` says in its query under which base URL its client knows us.
    path: String,
    /// The body is a form, not JSON.
    form: bool,
    /// The call under way.
    token: Option<u32>,
}

impl Trade {
    /// One of this route, whose body has this content type. `base`: where its client knows us.
    pub fn new(route: &Route, content_type: Option<&str>, base: Option<&str>) -> Self {
        let kind = content_type.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
        let form = kind.eq_ignore_ascii_case("application/x-www-form-urlencoded");
        // What needs an escape in a query is in no address; control answers for its own then.
        let plain = |base: &&str| base.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.:[]/".contains(&b));
        let base = base.filter(plain).filter(|_| route.method == "GET");
        let path = base.map_or_else(|| route.path.to_owned(), |base| format!("{}?base={base}", route.path));
        Self { method: route.method, path, form, token: None }
    }

    /// Whether this is the answer that is waited for.
    pub fn awaits(&self, token: u32) -> bool {
        self.token == Some(token)
    }
}

impl Exchange {
    /// Asks control once the body is whole.
    pub(super) fn trade(&mut self, size: usize, end: bool, host: &dyn Host) -> Step {
        if size > LARGEST {
            let message = format!("a request for a token has at most {LARGEST} bytes");
            return self.turn_away(&Refusal::new(ErrorKind::TooLarge, "size", message), None, host);
        }
        let State::Trading(trade) = &mut self.state else { return Step::Wait };
        if !end || trade.token.is_some() {
            return Step::Wait;
        }
        let body = if size == 0 { Ok(Vec::new()) } else { host.body(Side::Request) };
        let asked = body.and_then(|body| {
            host.call(&Call {
                method: trade.method,
                path: trade.path.clone(),
                body,
                form: trade.form,
                timeout_ms: TIMEOUT_MS,
            })
        });
        match asked {
            Ok(token) => {
                trade.token = Some(token);
                Step::Wait
            }
            Err(_) => self.no_trade(host),
        }
    }

    /// Control has answered: so it is answered here.
    pub(super) fn traded(&mut self, status: u16, body: &[u8], host: &dyn Host) {
        if !matches!(status, 200..500) {
            self.no_trade(host);
            return;
        }
        self.state = State::Done;
        let headers = [("content-type", "application/json"), ("cache-control", "no-store")];
        if let Err(why) = host.reply(status, &headers, body) {
            log::error!("sluice: the answer to a request for a token could not be sent: {why}");
        }
    }

    fn no_trade(&mut self, host: &dyn Host) -> Step {
        host.count(Metric::ControlFailed, 1);
        let message =
            "the gateway cannot exchange tokens at the moment, since its control service is away; try again";
        self.turn_away(&unavailable("token", message), Some("1"), host)
    }
}
