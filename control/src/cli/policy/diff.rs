//! `sluice policy diff`.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::faults;
use crate::cli::print::{Paint, clean_line, say};
use crate::cli::{Failure, Outcome, Output};
use crate::policies::{Loaded, load};
use crate::trial::diff::{Change, Direction, diff, is_loosened};

/// Say who may do what they could not, and who may no longer do what they could.
///
/// Rights are compared by what callers of each group and subject get out of their roles, however the policy is
/// written; roles that no binding names, since they may be granted, by themselves. A caller in several groups adds
/// their rights up. Rules, approvals, masking, issuers, limits and the rest are compared field by field. Each change
/// is marked:
///
///   loosened    something is possible that was not
///   unclear     it cannot be told, as with a pattern that was rewritten: look at it
///   tightened   something is no longer possible
///   same        nothing of what is possible changes
///
/// Ends with 0, whatever changes; with --fail-on-loosened it ends with 1 when anything is loosened or unclear. With 2
/// when a policy is not in order.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Diff {
    /// The policy as it was: a file, or a directory of them.
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The policy as it would be.
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// End with 1 when something is loosened, or may be.
    #[arg(long)]
    fail_on_loosened: bool,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

impl Diff {
    pub fn run(self) -> Outcome {
        let (old, new) = (read(&self.old)?, read(&self.new)?);
        let changes = diff(&old.policy, &new.policy);
        let loosened = is_loosened(&changes);
        match self.output {
            Output::Json => {
                let whole =
                    json!({"old": old.version, "new": new.version, "loosened": loosened, "changes": changes});
                say(&whole.to_string());
            }
            Output::Text => tell_changes(&changes, Paint::detect()),
        }
        if loosened && self.fail_on_loosened {
            return Err(Failure::No("the new policy loosens the old one, or may".into()));
        }
        Ok(())
    }
}

fn read(path: &Path) -> Result<Loaded, Failure> {
    load(path).map_err(|wrong| Failure::Cannot(faults("the policy is not in order", &wrong)))
}

/// Writes what changes, one a line.
pub fn tell_changes(changes: &[Change], paint: Paint) {
    if changes.is_empty() {
        say("nothing changes");
    }
    changes.iter().for_each(|change| tell(change, paint));
}

fn tell(change: &Change, paint: Paint) {
    let direction = match change.direction {
        Direction::Loosened => paint.red("loosened "),
        Direction::Unclear => paint.yellow("unclear  "),
        Direction::Tightened => paint.green("tightened"),
        Direction::Same => paint.dim("same     "),
    };
    let who = if change.who.is_empty() { change.area.clone() } else { change.who.join(", ") };
    say(&format!("{direction}  {}: {}", clean_line(&who), clean_line(&change.what)));
}
