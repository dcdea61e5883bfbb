//! Everything Sluice knows, as plain functions over bytes and values.
//!
//! Nothing here performs I/O, reads a clock or draws randomness: time and random bytes are arguments. So the
//! command line says exactly what the sidecar will do, and every rule can be tested without a proxy.
//!
//! ```text
//!  token ──► identity ──► principal ─┐
//!  bundle ─► policy ───► compiled ───┼──► judge ──► verdict
//!  body ───► json ──► claude ──► mask, command ─┘      │
//!                                                      └──► record ──► wire ──► control
//! ```

pub mod budget;
pub mod claude;
pub mod command;
pub mod identity;
pub mod json;
pub mod judge;
pub mod mask;
pub mod mcp;
pub mod policy;
pub mod record;
pub mod target;
pub mod wire;
