//! Live grants on their way into the bundle.

use sluice_engine::policy::bundle;

use super::{Grant, GrantState};
use crate::store::{Store, StoreError};

/// Live grants in a bundle at the most, the newest first: it stays small, whatever people ask for.
const LIVE: u32 = 10_000;

/// The live grants, as the bundle has them, in an order of their own: the same grants make the same bundle.
pub async fn now_live(store: &dyn Store, now_ms: u64) -> Result<Vec<bundle::Grant>, StoreError> {
    store.end_grants(now_ms).await?;
    let live = store.grants(Some(GrantState::Live), LIVE + 1).await?;
    if live.len() > LIVE as usize {
        tracing::error!("more than {LIVE} grants are live; the oldest are left out of the bundle");
    }
    let mut grants: Vec<_> =
        live.into_iter().take(LIVE as usize).map(|grant| grant.at(now_ms)).flat_map(in_bundle).collect();
    grants.sort_by(|a, b| (&a.id, &a.role).cmp(&(&b.id, &b.role)));
    Ok(grants)
}

fn in_bundle(grant: Grant) -> Vec<bundle::Grant> {
    let (GrantState::Live, Some(from_ms)) = (grant.state, grant.from_ms) else { return Vec::new() };
    let one = |role: String| bundle::Grant {
        id: grant.id.clone(),
        issuer: grant.who.issuer.clone(),
        subject: grant.who.subject.clone(),
        role,
        from_ms,
        until_ms: grant.ends_ms,
    };
    grant.roles.iter().cloned().map(one).collect()
}
