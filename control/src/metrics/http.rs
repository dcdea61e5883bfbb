//! Requests: how many, how they ended, how long they took, and how many are being answered.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::CALLS;
use crate::http::Control;

/// Where a request went.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    method: &'static str,
    /// As the router has it, with the places of its parts: `/v1/holds/{id}`. `none`: nothing is there.
    route: String,
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    method: &'static str,
    route: String,
    status: u16,
}

/// Requests.
#[derive(Debug, Clone)]
pub struct Http {
    requests: Family<Ended, Counter>,
    duration: Family<Route, Histogram, fn() -> Histogram>,
    under_way: Family<Route, Gauge>,
}

fn calls() -> Histogram {
    Histogram::new(CALLS)
}

impl Http {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let own = Self {
            requests: Family::default(),
            duration: Family::new_with_constructor(calls as fn() -> Histogram),
            under_way: Family::default(),
        };
        registry.register("http_requests", "Requests that were answered", own.requests.clone());
        let help = "Until the answer begins; long polls wait for up to a minute";
        registry.register_with_unit("http_request_duration", help, Unit::Seconds, own.duration.clone());
        let help = "Requests that are being answered: of /v1/bundle, the sidecars that wait for a new one";
        registry.register("http_requests_under_way", help, own.under_way.clone());
        own
    }
}

/// One less when it goes, also when the caller has left.
struct UnderWay(Gauge);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Counts a request.
pub async fn measure(State(control): State<Arc<Control>>, request: Request, next: Next) -> Response {
    let own = &control.metrics.http;
    let matched = request.extensions().get::<MatchedPath>();
    let route = matched.map_or("none", MatchedPath::as_str).to_owned();
    let method = method(request.method());
    let at = Route { method, route: route.clone() };
    let gauge = own.under_way.get_or_create(&at).clone();
    gauge.inc();
    let under_way = UnderWay(gauge);
    let began = Instant::now();
    let response = next.run(request).await;
    drop(under_way);
    own.duration.get_or_create(&at).observe(began.elapsed().as_secs_f64());
    let status = response.status().as_u16();
    own.requests.get_or_create(&Ended { method, route, status }).inc();
    response
}

/// A method may be any word; as a label it is one of few.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}
