//! How often somebody may call, and what every answer that is an error looks like.
//!
//! Buckets (<https://en.wikipedia.org/wiki/Token_bucket>): each call takes one, they fill up steadily. Peers are counted
//! by their address, people by who they are, whatever token they come with. Sidecars are never refused: they speak for all
//! agents, and bound themselves.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;

use super::sidecars::DataPlane;
use super::{Control, Problem};
use crate::tls::Peer;

/// A bucket holds this many seconds' worth of calls.
const BURST_SECONDS: u32 = 5;

/// Callers that are remembered at once. Beyond, those whose bucket is full are forgotten, which changes nothing for them.
const CALLERS: usize = 10_000;

/// What a call with a token that is none costs its peer, in calls: guessing is slow.
const REFUSED: u32 = 10;

/// How long the next part of a body may take to come.
const STALL: Duration = Duration::from_secs(30);

/// Paths that whoever looks after the service asks all the time.
const PROBES: [&str; 2] = ["/livez", "/readyz"];

/// How often one caller may call, in calls a second; 0: as often as they like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// From one address.
    pub peer: u32,
    /// One person.
    pub person: u32,
}

impl Default for Rates {
    fn default() -> Self {
        Self { peer: 200, person: 20 }
    }
}

/// Who called how often.
#[derive(Debug)]
pub struct Limits {
    peers: Buckets<IpAddr>,
    people: Buckets<(String, String)>,
}

impl Limits {
    /// With nobody having called yet.
    pub fn new(rates: Rates) -> Self {
        Self { peers: Buckets::new(rates.peer), people: Buckets::new(rates.person) }
    }

    /// A call of a person.
    ///
    /// # Errors
    /// 429, when they call too often.
    pub fn person(&self, issuer: &str, subject: &str) -> Result<(), Problem> {
        self.people.take((issuer.to_owned(), subject.to_owned()), 1, Instant::now()).map_err(too_often)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new(Rates::default())
    }
}

/// 429.
fn too_often(wait: Duration) -> Problem {
    let seconds = wait.as_secs().saturating_add(1);
    let detail = format!("too many calls; come again in {seconds} s");
    Problem { retry_after: Some(seconds), ..Problem::new(StatusCode::TOO_MANY_REQUESTS, detail) }
}

#[derive(Debug)]
struct Buckets<K> {
    /// Calls a second.
    rate: u32,
    buckets: Mutex<HashMap<K, Bucket>>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl<K: Eq + Hash> Buckets<K> {
    fn new(rate: u32) -> Self {
        Self { rate, buckets: Mutex::default() }
    }

    fn most(&self) -> f64 {
        f64::from(self.rate.saturating_mul(BURST_SECONDS))
    }

    fn filled(&self, bucket: Bucket, now: Instant) -> f64 {
        let since = now.saturating_duration_since(bucket.at).as_secs_f64();
        (bucket.left + since * f64::from(self.rate)).min(self.most())
    }

    /// Takes `calls`; or says how long until there is one again.
    fn take(&self, key: K, calls: u32, now: Instant) -> Result<(), Duration> {
        if self.rate == 0 {
            return Ok(());
        }
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= CALLERS && !buckets.contains_key(&key) {
            let most = self.most();
            buckets.retain(|_, bucket| self.filled(*bucket, now) < most);
            if buckets.len() >= CALLERS {
                // So many at once, and none of them idle: the oldest debts are forgotten before the service is.
                buckets.clear();
            }
        }
        let bucket = buckets.entry(key).or_insert(Bucket { left: self.most(), at: now });
        let left = self.filled(*bucket, now);
        let enough = left >= 1.0;
        *bucket = Bucket { left: if enough { (left - f64::from(calls)).max(0.0) } else { left }, at: now };
        if enough { Ok(()) } else { Err(Duration::from_secs_f64((1.0 - left) / f64::from(self.rate))) }
    }
}

/// One caller is one IPv4 address, or one /64 of IPv6, which is what one machine usually has.
pub fn caller(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
        v4 => v4,
    }
}

/// Keeps peers to their rate, and bodies to a pace.
pub async fn guard(State(control): State<Arc<Control>>, request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| caller(peer.0.ip()));
    let names = request.extensions().get::<ConnectInfo<Peer>>().map(|peer| peer.0.clone());
    let peer = peer.filter(|_| !PROBES.contains(&request.uri().path()));
    if let Some(Err(wait)) = peer.map(|peer| control.limits.peers.take(peer, 1, Instant::now()))
        && DataPlane::check(request.headers(), names.as_ref(), &control).is_err()
    {
        return too_often(wait).into_response();
    }
    let response = next.run(request.map(paced)).await;
    if let Some(peer) = peer.filter(|_| response.status() == StatusCode::UNAUTHORIZED) {
        let _debt = control.limits.peers.take(peer, REFUSED, Instant::now());
    }
    as_problem(response)
}

/// A body whose next part must come within [`STALL`].
fn paced(body: Body) -> Body {
    if axum::body::HttpBody::is_end_stream(&body) {
        return body;
    }
    let parts = futures_util::stream::unfold(Some(body), async |body| {
        let mut body = body?;
        match tokio::time::timeout(STALL, body.frame()).await {
            Ok(frame) => {
                let data = frame?.map(|frame| frame.into_data().unwrap_or_default());
                Some((data.map_err(std::io::Error::other), Some(body)))
            }
            Err(_) => {
                let slow = std::io::Error::new(std::io::ErrorKind::TimedOut, "the body came too slowly");
                Some((Err(slow), None))
            }
        }
    });
    Body::from_stream(parts)
}

/// What the framework refuses by itself is told in the words of everything else.
fn as_problem(response: Response) -> Response {
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    let plain = kind.is_none_or(|kind| kind.starts_with(b"text/plain"));
    if !(status.is_client_error() || status.is_server_error()) || !plain {
        return response;
    }
    let detail = match status {
        StatusCode::PAYLOAD_TOO_LARGE => "the body is larger than this path takes",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "this path takes another content type; send JSON",
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => {
            "the path, the query or the body cannot be read; see the description of this path in openapi.json"
        }
        _ if status.is_client_error() => "the request is not one that this path takes",
        _ => "the service failed; try again, and tell its operator",
    };
    let mut problem = Problem::new(status, detail).into_response();
    if let Some(allow) = response.headers().get(header::ALLOW).cloned() {
        problem.headers_mut().insert(header::ALLOW, allow);
    }
    problem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_calls_too_often_waits_and_others_do_not() {
        let buckets = Buckets::new(10);
        let start = Instant::now();
        for _ in 0..50 {
            buckets.take("a", 1, start).unwrap();
        }
        let wait = buckets.take("a", 1, start).unwrap_err();
        assert!(wait <= Duration::from_millis(100) && wait > Duration::ZERO, "{wait:?}");
        buckets.take("b", 1, start).unwrap();
        let later = start + Duration::from_millis(150);
        buckets.take("a", 1, later).unwrap();
        buckets.take("a", 1, later).unwrap_err();
    }

    #[test]
    fn a_costly_call_empties_the_bucket_and_never_leaves_a_debt() {
        let buckets = Buckets::new(1);
        let start = Instant::now();
        buckets.take("a", 1000, start).unwrap();
        buckets.take("a", 1, start).unwrap_err();
        buckets.take("a", 1, start + Duration::from_secs(1)).unwrap();
    }

    #[test]
    fn however_many_call_few_are_remembered() {
        let buckets = Buckets::new(1);
        let start = Instant::now();
        for n in 0..3 * CALLERS {
            buckets.take(n, 1, start).unwrap();
        }
        assert!(buckets.buckets.lock().unwrap().len() <= CALLERS);
    }

    #[test]
    fn a_machine_is_one_caller_whatever_address_of_its_network_it_takes() {
        let one = caller("2001:db8:1:2::1".parse().unwrap());
        assert_eq!(one, caller("2001:db8:1:2:ffff::9".parse().unwrap()));
        assert_ne!(one, caller("2001:db8:1:3::1".parse().unwrap()));
        assert_eq!(caller("::ffff:10.0.0.1".parse().unwrap()), caller("10.0.0.1".parse().unwrap()));
    }
}
