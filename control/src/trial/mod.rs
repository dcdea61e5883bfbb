//! Trying a policy without a proxy: on the engine that the sidecar runs, with nothing in between.
//!
//! ```text
//!  policy files ─► runtime ─┐
//!  a principal, a request ──┴─► exchange ─► steps and verdict ─► explain
//!  cases (`*.test.yaml`) ─► cases ─┘ │
//!  recorded exchanges ─► simulate ───┘
//!  two policies ─► diff: who may now do what they could not
//! ```

pub mod cases;
pub mod diff;
pub mod exchange;
mod message;
mod runtime;
pub mod simulate;

pub use runtime::{TrialError, compile, compile_with, issuer_keys, runtime};
