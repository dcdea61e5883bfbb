//! The control service of Sluice and its command line.
//!
//! ```text
//!  policy files ─► policies ─┐                         ┌─► filters: bundle, records, holds
//!  issuers' keys ► issuers ──┴─► bundle ─► http ───────┤
//!                 keys ──────────┘    │                └─► people: decisions, replay, export
//!                                     └─► holds, records ─► store
//! ```
//!
//! [`serve`] puts it together; [`app`] is the service as a router, so that tests can drive it without a socket.

pub mod anchors;
pub mod approvals;
pub mod backup;
mod calendar;
pub mod cli;
pub mod client;
mod fleet;
pub mod grants;
pub mod holds;
pub mod http;
pub mod issuers;
pub mod keys;
pub mod metrics;
pub mod notices;
pub mod openapi;
pub mod otlp;
mod pages;
pub mod policies;
pub mod proposals;
pub mod records;
pub mod retention;
pub mod reviews;
pub mod search;
pub mod serve;
pub mod store;
pub mod tls;
pub mod tokens;
pub mod trial;
pub mod visits;

pub use http::{Control, app};
