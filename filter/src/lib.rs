//! How the engine meets Envoy: a proxy-wasm HTTP filter.
//!
//! ```text
//!  contexts (SDK) ─► root ────► shared ◄──── exchange ─► engine::judge
//!                      └─────────── host ───────┘
//! ```
//!
//! `exchange` and `root` know their host only by the trait in `host`; `envoy` is the real one.

pub mod budgets;
pub mod config;
#[cfg(target_arch = "wasm32")]
mod contexts;
#[cfg(target_arch = "wasm32")]
mod envoy;
pub mod exchange;
pub mod host;
pub mod metrics;
pub mod queue;
pub mod root;
pub mod shared;
pub mod spending;

#[cfg(target_arch = "wasm32")]
#[allow(unsafe_code, missing_docs, reason = "the SDK's macro exports the entry that the ABI demands")]
mod entry {
    proxy_wasm::main! {{
        proxy_wasm::set_log_level(proxy_wasm::types::LogLevel::Info);
        proxy_wasm::set_root_context(|context| Box::new(crate::contexts::RootPlugin::new(context)));
    }}
}
