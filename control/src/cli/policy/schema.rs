//! `sluice policy schema` and `sluice policy reference`.

use clap::Args;
use sluice_engine::policy::schema::schema;

use crate::cli::{Failure, Outcome, print};
use crate::policies::reference;

/// Print the JSON Schema of policy files, for editors. It is in docs/policy.schema.json, too.
///
/// An editor that speaks YAML (the YAML language server) uses it when a policy file begins with
///
///   # yaml-language-server: $schema=PATH-OR-URL
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Schema {}

/// Print the reference of every field of a policy, in Markdown. It is in docs/policy.md, too.
#[derive(Debug, Args)]
pub struct Reference {}

impl Schema {
    pub fn run(self) -> Outcome {
        let text = serde_json::to_string_pretty(&schema()).map_err(Failure::cannot)?;
        print::say(&text);
        Ok(())
    }
}

impl Reference {
    pub fn run(self) -> Outcome {
        print::say(reference(&schema()).trim_end());
        Ok(())
    }
}
