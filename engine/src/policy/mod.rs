//! What people write, its checks, and what the filter runs on.
//!
//! * [`document`]: the policy as people write it.
//! * [`merge`]: several files become one policy.
//! * [`check`]: what is wrong with a policy, where, and what to do.
//! * [`bundle`]: the policy with keys, grants and revocations, signed, as the filter gets it.
//! * [`compile`]: the bundle as requests are judged by it: [`rights`] of a principal, [`rule`]s on the parts of an
//!   exchange.
//! * `schema`: the document as JSON Schema, where the feature `schema` is on (control's command line).

pub mod bundle;
pub mod check;
mod command;
pub mod compile;
pub mod document;
mod field;
pub mod glob;
pub mod mcp;
pub mod merge;
mod pattern;
pub mod rights;
pub mod rule;
#[cfg(feature = "schema")]
pub mod schema;
mod server;
mod taken;
