//! The built filter on wasmtime: what only a host in hand can do to it. Splits at every byte, calls that fail in every
//! way, races, two VMs over one shared memory.
#![allow(clippy::panic, clippy::unwrap_used)]

mod bundles;
mod calls;
mod heads;
mod splits;
mod world;
