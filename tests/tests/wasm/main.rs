//! The built filter on wasmtime: what only a host in hand can do to it. Splits at every byte, calls that fail in every
//! way, races, two VMs over one shared memory.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod broken_waits;
mod budgets;
mod bundles;
mod calls;
mod heads;
mod holds;
mod mcp;
mod opaque;
mod patience;
mod queue;
mod races;
mod splits;
mod unknown_keys;
mod world;
