//! Who has which rights, beside what they used.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use super::auth::Person;
use super::{Control, Problem, Query, area, limit};
use crate::reviews::{Access, Known, Usage};
use crate::store::WhichUsage;

/// Identities that are looked through for one page: filters may pass over many.
const LOOKED_AT: usize = 20_000;

/// Identities read in one go.
const PAGE: u32 = 500;

/// Identities with what they have and what they used.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Accesses {
    /// The first record, in Unix milliseconds: what was used before is not known. Absent: there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_ms: Option<u64>,
    /// In the order of issuer and subject.
    pub identities: Vec<Access>,
    /// Issuer and subject behind which the next page begins; absent: this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<(String, String)>,
}

pub fn routes() -> Router<Arc<Control>> {
    area(Router::new(), Router::new().route("/v1/access", get(list)))
}

/// `GET /v1/access?issuer=&subject=&search=&group=&role=&afterIssuer=&afterSubject=&limit=100`.
pub async fn list(
    person: Person,
    State(control): State<Arc<Control>>,
    query: Query,
) -> Result<Json<Accesses>, Problem> {
    person.needs("access.read")?;
    let given = |name: &str| query.get(name).filter(|text| !text.is_empty()).cloned();
    let since_ms = control.store.usage_since().await?;
    if person.needs_auditor_or_operator(&control).is_err() {
        // Everyone may see their own, as the issuer names them.
        let who = person.who();
        let other = given("subject").is_some_and(|subject| subject != who.subject)
            || given("issuer").is_some_and(|issuer| issuer != who.issuer);
        if other {
            person.needs_auditor_or_operator(&control)?;
        }
        let used = control.store.usage(&who.issuer, &who.subject).await?;
        let identities = vec![seen_now(&control, |known| {
            known.access_of(&who.issuer, &who.subject, who.groups.clone(), used)
        })];
        return Ok(Json(Accesses { since_ms, identities, next: None }));
    }
    let (issuer, subject) = (given("issuer"), given("subject"));
    let (group, role) = (given("group"), given("role"));
    let search = given("search").map(|text| text.trim().to_lowercase());
    let wanted = |access: &Access| {
        issuer.as_ref().is_none_or(|issuer| *issuer == access.issuer)
            && subject.as_ref().is_none_or(|subject| *subject == access.subject)
            && search.as_ref().is_none_or(|search| access.subject.to_lowercase().contains(search))
            && group
                .as_ref()
                .is_none_or(|group| access.used.as_ref().is_some_and(|used| used.groups.contains(group)))
            && role.as_ref().is_none_or(|role| access.rights.iter().any(|right| right.role == *role))
    };
    let most = limit(&query)? as usize;
    let mut after = given("afterSubject").map(|subject| (given("afterIssuer").unwrap_or_default(), subject));
    let mut identities = Vec::new();
    let mut looked = 0;
    loop {
        let (page, last) = page(&control, after.clone()).await?;
        for access in page {
            after = Some((access.issuer.clone(), access.subject.clone()));
            looked += 1;
            if wanted(&access) {
                identities.push(access);
            }
            if identities.len() >= most || looked >= LOOKED_AT {
                return Ok(Json(Accesses { since_ms, identities, next: after }));
            }
        }
        if last {
            return Ok(Json(Accesses { since_ms, identities, next: None }));
        }
    }
}

/// The identities behind one, in order: those seen, and those that policy and grants name. Whether they are the last.
async fn page(control: &Control, after: Option<(String, String)>) -> Result<(Vec<Access>, bool), Problem> {
    let which = WhichUsage { after: after.clone(), limit: PAGE };
    let seen = control.store.usages(which).await?;
    let last = seen.len() < PAGE as usize;
    let end = seen.last().map(|usage| (usage.issuer.clone(), usage.subject.clone())).filter(|_| !last);
    Ok((seen_now(control, |known| merged(known, seen, after.as_ref(), end.as_ref())), last))
}

/// Those seen, and those named between the ends of the page.
fn merged(
    known: Known<'_>,
    seen: Vec<Usage>,
    after: Option<&(String, String)>,
    end: Option<&(String, String)>,
) -> Vec<Access> {
    let mut named = known.named();
    named.retain(|name| after.is_none_or(|after| name > after) && end.is_none_or(|end| name <= end));
    let mut all: Vec<Access> = Vec::with_capacity(seen.len());
    for usage in seen {
        let (issuer, subject) = (usage.issuer.clone(), usage.subject.clone());
        named.remove(&(issuer.clone(), subject.clone()));
        all.push(known.access(&issuer, &subject, Some(usage)));
    }
    all.extend(named.iter().map(|(issuer, subject)| known.access(issuer, subject, None)));
    all.sort_by(|a, b| (&a.issuer, &a.subject).cmp(&(&b.issuer, &b.subject)));
    all
}

/// What the bundle that is out says.
fn seen_now<T>(control: &Control, look: impl FnOnce(Known<'_>) -> T) -> T {
    let bundle = control.bundle.borrow();
    look(Known {
        policy: &bundle.policy,
        grants: &bundle.grants,
        withheld: &bundle.withheld,
        now_ms: (control.clock)(),
    })
}
