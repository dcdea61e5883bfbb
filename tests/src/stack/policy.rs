//! Where a stack's policy comes from.

use std::fs;
use std::path::{Path, PathBuf};

use super::{StackError, made};

/// The policy that `make run` starts with, and that tests start from.
pub const DEFAULT_POLICY: &str = include_str!("../../../envoy/policy/policy.yaml");

/// What stands in a policy's text for control's own address.
const CONTROL: &str = "http://127.0.0.1:9901";

/// A policy.
#[derive(Debug, Clone)]
pub enum Policy {
    /// A file or a directory, used where it is.
    At(PathBuf),
    /// Text. It is written to `policy/policy.yaml` in the state directory at each start; control's usual address in
    /// it becomes the one that control has.
    Text(String),
    /// Text that is written to `policy/policy.yaml` in the state directory once, at the first start; from then on
    /// the file is its reader's to change.
    First(String),
}

impl Policy {
    /// Puts the policy in place for a control on `port`, and says where it is.
    pub(super) fn place(&self, state: &Path, port: u16) -> Result<PathBuf, StackError> {
        let folder = state.join("policy");
        let file = folder.join("policy.yaml");
        match self {
            Self::At(path) => return path.canonicalize().map_err(StackError::file(path)),
            Self::Text(text) => {
                made(&folder)?;
                write(&file, text, port)?;
            }
            Self::First(_) if file.exists() => check(&file, port)?,
            Self::First(text) => {
                made(&folder)?;
                write(&file, text, port)?;
            }
        }
        Ok(folder)
    }
}

fn address(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// Writes a policy as an editor does: beside, then renamed over.
fn write(file: &Path, text: &str, port: u16) -> Result<(), StackError> {
    let next = file.with_extension("next");
    fs::write(&next, text.replace(CONTROL, &address(port))).map_err(StackError::file(&next))?;
    fs::rename(&next, file).map_err(StackError::file(file))
}

/// A policy from an earlier start may name a control on another port, whose tokens nobody would take.
fn check(file: &Path, port: u16) -> Result<(), StackError> {
    let text = fs::read_to_string(file).map_err(StackError::file(file))?;
    if text.contains(&address(port)) {
        return Ok(());
    }
    Err(StackError::Setting {
        name: "CONTROL_PORT",
        reason: format!(
            "control would be {}, which {} does not name as an issuer; use the port of the first start, or \
             change the issuer in that file",
            address(port),
            file.display()
        ),
    })
}

/// Writes another policy over the one of a running stack.
pub(super) fn rewrite(folder: &Path, text: &str, port: u16) -> Result<(), StackError> {
    write(&folder.join("policy.yaml"), text, port)
}
