//! End to end, by behaviour: a client, Envoy with the filter, control, and a stand-in for the model.
//!
//! Tests that change nothing share one stack; those that end, stop or reconfigure something have their own.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod budgets;
mod bundle;
mod clients;
mod edits;
mod failures;
mod grants;
mod holds;
mod identity;
mod login;
mod masking;
mod mcp;
mod metrics;
mod opaque;
mod pages;
mod passes;
mod plain_envoy;
mod records;
mod reviews;
mod rules;
mod scopes;
mod sidecars;
mod signin;
mod streams;
mod tokens;
mod trial;

use sluice_tests::stack::{Settings, Stack};
use tokio::sync::OnceCell;

static STACK: OnceCell<Stack> = OnceCell::const_new();

/// The stack that tests share, with the default policy. It ends with the test process.
async fn stack() -> &'static Stack {
    STACK.get_or_init(|| async { Stack::start(Settings::default()).await.unwrap() }).await
}
