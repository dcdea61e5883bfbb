//! What people write, its checks, and what the filter runs on.
//!
//! * [`document`]: the policy as people write it.
//! * [`bundle`]: the policy with keys, grants and revocations, signed, as the filter gets it.

pub mod bundle;
pub mod document;
