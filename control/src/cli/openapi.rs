//! `sluice openapi`.

use clap::Args;

use super::print::say;
use super::{Failure, Outcome};
use crate::openapi::document;

/// Print the description of the service's HTTP API (OpenAPI 3.1). It is in control/openapi.json, too.
#[derive(Debug, Args)]
pub struct OpenApi {}

impl OpenApi {
    pub fn run(self) -> Outcome {
        say(&serde_json::to_string_pretty(&document()).map_err(Failure::cannot)?);
        Ok(())
    }
}
