//! What reviews have taken back, on its way into the bundle.

use sluice_engine::policy::bundle::Withheld;

use crate::store::{Store, StoreError};

/// What is withheld, as the bundle has it. All of it, however much: what is left out would be given back.
///
/// # Errors
/// When the store cannot be read.
pub async fn now_withheld(store: &dyn Store) -> Result<Vec<Withheld>, StoreError> {
    Ok(store.withheld().await?.into_iter().map(|taken| taken.withheld).collect())
}
