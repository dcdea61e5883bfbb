//! End to end, on real parts.
//!
//! * [`stack`]: control, Envoy and the stand-in as processes, for `make run`, the demo, the bench and the tests.
//! * [`stand_in`]: a local stand-in for the model.
//! * [`host`]: the built filter on wasmtime, with a host that behaves as Envoy does.
//! * [`client`], [`prompt`], [`reply`]: an HTTP client that hides nothing, what is asked, and what a reply says.
//! * [`load`], [`quick`]: many requests and how long they took, and an upstream that costs little, for the bench.
//! * [`issuer`]: an issuer of tokens that can sign what no honest one would.

pub mod client;
#[cfg(feature = "host")]
pub mod host;
pub mod issuer;
pub mod load;
pub mod prompt;
pub mod quick;
pub mod reply;
pub mod stack;
pub mod stand_in;
