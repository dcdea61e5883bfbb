//! The service's HTTP API: routes, who may call them, and what they answer.
//!
//! | path | who |
//! |---|---|
//! | `/livez`, `/readyz`, `/.well-known/*` | anyone |
//! | [`sluice_engine::wire`] | filters, by the data-plane token |
//! | `GET /v1/holds`, `GET /v1/holds/{id}`, `/v1/holds/{id}/comments` | approvers of the hold, auditors |
//! | `GET /v1/holds/{id}/conversation` | the same |
//! | `POST /v1/holds/{id}/decision` | approvers of the hold, never the requester |
//! | `POST /v1/delegations` | whoever is in the groups that they hand over |
//! | `GET /v1/delegations`, `POST /v1/delegations/{id}/end` | who gave it, who may use it, operators; auditors read |
//! | `GET /v1/passes`, `GET /v1/passes/{id}`, `POST /v1/passes/{id}/revoke` | who has it, approvers of the rule, operators; auditors read |
//! | `POST /v1/oauth/token` | whoever has a token of an issuer in the policy to exchange |
//! | `GET /v1/grants/offered`, `POST /v1/grants` | whoever the policy lets ask |
//! | `GET /v1/grants`, `GET /v1/grants/{id}` | who asked, approvers of the grant, auditors |
//! | `POST /v1/grants/{id}/decision` | approvers of the grant, never who asked |
//! | `POST /v1/grants/{id}/revoke` | who has it, its approvers, operators |
//! | `GET /v1/policy`, `GET /v1/policy/proposals`, `/{id}` and `/{id}/text` | authors, auditors, operators |
//! | `POST /v1/policy/proposals` and `/{id}/reject`, `/{id}/accept` | authors; nobody decides their own |
//! | `POST /v1/policy/proposals/{id}/withdraw` | who proposed it |
//! | `POST /v1/oauth/revoke` | whoever has the token |
//! | `POST /v1/oauth/device` | anyone |
//! | `GET /v1/devices/{code}`, `POST /v1/devices/{code}/decision` | whoever has the code and a token |
//! | `/device` | the same people, in a browser |
//! | `POST /v1/revocations`, `GET /v1/revocations` | operators |
//! | `/signin`, `/signin/callback`, `POST /signout` | people in a browser |
//! | `GET /v1/whoami` | whoever is somebody |
//! | `GET /v1/budgets` | auditors, operators |
//! | `GET /v1/usage`, `GET /v1/sidecars` | auditors, operators |
//! | `POST /v1/policy/trial` | authors of policy, auditors, operators |
//! | `GET /v1/sessions`, `GET /v1/sessions/{id}`, `GET /v1/sessions/{id}/chain`, `GET /v1/exchanges/{id}`, `GET /v1/records`, `POST /v1/records/verify` | auditors |
//! | `POST /v1/sessions/{id}/comparison` | auditors |
//! | `GET /v1/policy/versions` | authors of policy, auditors, operators |
//! | `GET /v1/access`, `GET /v1/access/withheld` | auditors, operators; everyone their own |
//! | `POST /v1/access/withheld/{id}/lift` | operators, never for themselves |
//! | `GET /v1/reviews`, `GET /v1/reviews/{id}`, `.../items`, `.../evidence` | reviewers of the review, auditors, operators |
//! | `POST /v1/reviews/{id}/decisions` | reviewers of the review, never on themselves |
//! | `POST /v1/reviews`, `POST /v1/reviews/{id}/close` | operators |
//! | `GET /v1/notices`, `GET /v1/notices/{id}`, `POST /v1/notices/{id}/retry`, `POST /v1/notices/{id}/test` | operators |
//! | `POST /v1/notices/{id}/slack` | Slack, by its signature |

pub(crate) mod access;
mod address;
pub mod approvals;
mod auth;
mod browser;
mod budgets;
mod bundle;
pub(crate) mod compare;
mod conversation;
mod dev;
pub(crate) mod fleet;
pub(crate) mod grants;
mod health;
pub(crate) mod holds;
mod introspect;
mod limits;
pub mod listener;
mod notices;
pub(crate) mod policy;
mod problem;
pub(crate) mod proposals;
pub(crate) mod records;
pub(crate) mod reviews;
pub(crate) mod revocations;
mod search;
mod sidecars;
mod signin;
mod slack;
pub(crate) mod tokens;
pub(crate) mod usage;
mod visitor;
pub(crate) mod withheld;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use sluice_engine::wire::Refresh;
use tokio::sync::{Notify, mpsc, watch};
use zeroize::Zeroizing;

pub use access::Accesses;
pub(crate) use approvals::barred;
pub use approvals::{Handing, Ruling, ShownDelegations, ShownPass, ShownPasses, Taking};
pub use auth::Person;
pub use budgets::{Use, Uses};
pub use compare::{Comparison, Other, Versions};
pub use conversation::Conversation;
pub(crate) use conversation::conversation;
pub use dev::is_local;
pub use fleet::Sidecars;
pub use grants::{Offered, ShownGrants, Wish};
pub use holds::{Said, Shown, ShownComments};
pub use limits::{Limits, Rates};
pub use notices::{ChannelState, Listed, ShownNotices};
pub use policy::Trial;
pub use problem::{Guidance, Problem};
pub use proposals::{Acceptance, InForce, ShownProposals, Wanted};
pub use records::{Sessions, VerifyAsk};
pub use reviews::{Begin, ShownItem, ShownItems, ShownReview, ShownReviews, Verdict};
pub use revocations::{ShownRevocations, Shut};
pub use search::Searched;
pub use signin::{SignInOffer, Whoami, tell_overdue};
pub use tokens::{Allowing, ShownDevice};
pub use usage::Usage;
pub(crate) use visitor::visitor;
pub use visitor::{CSRF_HEADER, NoVisitor, Submitted, Visitor};
pub use withheld::ShownWithheld;

use crate::approvals::Heard;
use crate::fleet::Fleet;
use crate::holds::Waiters;
use crate::issuers::Statuses;
use crate::metrics::{Metrics, measure};
use crate::notices::Channels;
use crate::policies::{Publisher, Status};
use crate::proposals::Origin;
use crate::records::Writers;
use crate::reviews::EvidenceKey;
use crate::store::Store;
use crate::tokens::Issuer;
use crate::tokens::device::Attempts;
use crate::tokens::introspection::Introspector;
use crate::tokens::saml::Signatures;
use crate::visits::SignIns;

/// The largest call by a filter: a body of 32 MB that JSON escapes to twice its size, and the record around it.
const FILTER_BYTES: usize = 80 << 20;

/// The largest call by a person.
const PERSON_BYTES: usize = 64 << 10;

/// The longest reason or comment, in bytes.
const LONGEST_REASON: usize = 4000;

/// The longest that a long poll waits, in seconds: below what proxies in between cut.
const LONGEST_WAIT: u64 = 60;

/// Everything that requests are answered from.
pub struct Control {
    /// What is kept.
    pub store: Arc<dyn Store>,
    /// Who waits for which hold.
    pub waiters: Waiters,
    /// Notified when a grant has changed here.
    pub grants_changed: Arc<Notify>,
    /// Notified when something was shut out here.
    pub revocations_changed: Arc<Notify>,
    /// Asks issuers about opaque tokens.
    pub introspector: Introspector,
    /// What was written of what issuers say of people.
    pub heard: Heard,
    /// Checks the signatures of SAML assertions.
    pub signatures: Signatures,
    /// Who has typed wrong codes of devices.
    pub attempts: Attempts,
    /// Notified when what reviews have taken back has changed here.
    pub withheld_changed: Arc<Notify>,
    /// The bundle that is out.
    pub bundle: Publisher,
    /// Where policy comes from.
    pub origin: Origin,
    /// How the policy stands.
    pub policy: Arc<Mutex<Status>>,
    /// How the issuers' keys stand.
    pub issuers: Statuses,
    /// Where filters' wishes for fresh keys go.
    pub refresh: mpsc::Sender<Refresh>,
    /// What filters call with.
    pub data_token: Zeroizing<String>,
    /// Signs the evidence of reviews.
    pub evidence: EvidenceKey,
    /// Those who write the log.
    pub writers: Writers,
    /// Where URLs and secrets of channels are.
    pub channels: Channels,
    /// Control's own issuer.
    pub issuer: Issuer,
    /// How people sign in in a browser.
    pub sign_ins: SignIns,
    /// The time, in Unix milliseconds.
    pub clock: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// Which sidecars ask for their bundle.
    pub fleet: Arc<Fleet>,
    /// Who called how often.
    pub limits: Limits,
    /// What the service tells of itself.
    pub metrics: Metrics,
    /// Turns true when the service is ending, so that those who wait are let go.
    pub closing: watch::Receiver<bool>,
}

/// What follows `?`.
pub(crate) type Query = axum::extract::Query<HashMap<String, String>>;

/// The same, as a page asks it.
pub(crate) fn query<N: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (N, V)>) -> Query {
    axum::extract::Query(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
}

/// The routes of one area: calls by filters and calls by people, each with its limit of size.
fn area(filters: Router<Arc<Control>>, people: Router<Arc<Control>>) -> Router<Arc<Control>> {
    let filters = filters.layer(DefaultBodyLimit::max(FILTER_BYTES));
    filters.merge(people.layer(DefaultBodyLimit::max(PERSON_BYTES)))
}

/// The service as a router.
pub fn app(control: Arc<Control>) -> Router {
    let dev = control.sign_ins.dev;
    let app = Router::new()
        .merge(access::routes())
        .merge(approvals::routes())
        .merge(bundle::routes())
        .merge(budgets::routes())
        .merge(grants::routes())
        .merge(health::routes())
        .merge(holds::routes())
        .merge(compare::routes())
        .merge(conversation::routes())
        .merge(introspect::routes())
        .merge(proposals::routes())
        .merge(notices::routes())
        .merge(records::routes())
        .merge(revocations::routes())
        .merge(slack::routes())
        .merge(signin::routes())
        .merge(tokens::routes())
        .merge(fleet::routes())
        .merge(policy::routes())
        .merge(usage::routes())
        .merge(area(Router::new(), crate::pages::routes()))
        .merge(reviews::routes())
        .merge(withheld::routes())
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "there is nothing at this path"))
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this path takes another method")
        })
        .layer(from_fn_with_state(Arc::clone(&control), limits::guard))
        .layer(from_fn_with_state(Arc::clone(&control), crate::pages::readable))
        .layer(from_fn_with_state(Arc::clone(&control), measure))
        .with_state(Arc::clone(&control));
    if dev { app.layer(from_fn_with_state(control, dev::only_local)) } else { app }
}

/// A number among what follows `?`.
fn number(query: &Query, name: &str) -> Result<Option<u64>, Problem> {
    let parse = |text: &String| {
        text.parse()
            .map_err(|_| Problem::bad_request(format!("`{name}` takes a whole number, as in `{name}=30`")))
    };
    query.get(name).map(parse).transpose()
}

/// A size of page among what follows `?`: 100 when not given, at most 1000.
fn limit(query: &Query) -> Result<u32, Problem> {
    let limit = number(query, "limit")?.unwrap_or(100).clamp(1, 1000);
    Ok(u32::try_from(limit).unwrap_or(1000))
}

/// A reason as it is kept: without the spaces around it, in 4000 bytes at the most.
fn reason(given: Option<String>, needed: bool) -> Result<Option<String>, Problem> {
    match bounded("reason", given)? {
        None if needed => Err(Problem::bad_request("this needs a reason: send `reason`")),
        reason => Ok(reason),
    }
}

/// What a person writes, as it is kept; `None`: nothing.
fn bounded(field: &str, given: Option<String>) -> Result<Option<String>, Problem> {
    let given = given.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    if given.as_ref().is_some_and(|text| text.len() > LONGEST_REASON) {
        return Err(Problem::bad_request(format!("`{field}` is longer than {LONGEST_REASON} bytes")));
    }
    Ok(given)
}
