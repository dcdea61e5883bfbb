//! Access reviews: what people may do beside what they did, kept or taken back.
//!
//! ```text
//!  records ──► usage ──┐
//!  policy, grants ─────┴─► access ─► items of a review ─► decisions ─► withheld ─► bundle
//!                                                              └─────► evidence
//! ```
//!
//! * [`Usage`]: what an identity has used, added up with the records.
//! * [`Access`]: what it has, beside that.

mod access;
mod catch_up;
mod conduct;
mod usage;

pub use access::{Access, Known, Right, Through, UNUSED};
pub use conduct::conduct;
pub use usage::{Names, Usage, Use};

#[cfg(test)]
pub(crate) use {catch_up::catch_up, usage::tests::record};
