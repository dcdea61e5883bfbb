//! Why a stack does not run, in words for whoever started it.

use std::io;
use std::path::Path;

/// Why the stack does not run.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// Something that must be there first is not.
    #[error("{what} is missing: {remedy}")]
    Missing {
        /// What.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// A setting that cannot be.
    #[error("{name}: {reason}")]
    Setting {
        /// The setting, as it is called in the environment.
        name: &'static str,
        /// Why not, and what to write.
        reason: String,
    },
    /// A file that cannot be read or written.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: String,
        /// What the system says.
        error: io::Error,
    },
    /// A program that cannot be run at all.
    #[error("{name} cannot be started: {reason}")]
    Start {
        /// Which.
        name: &'static str,
        /// What the system says.
        reason: String,
    },
    /// A process that did not do what it should, with the end of its log.
    #[error("{name}: {what}; the end of its log:\n{tail}")]
    Process {
        /// Which.
        name: &'static str,
        /// What is wrong.
        what: String,
        /// The last lines of its log.
        tail: String,
    },
    /// A command of `sluice` that failed.
    #[error("`sluice {command}` failed: {output}")]
    Command {
        /// The command.
        command: String,
        /// What it wrote.
        output: String,
    },
    /// A word in the bootstrap that nothing fills.
    #[error("the bootstrap has an unknown word: {0}")]
    Template(String),
}

impl StackError {
    pub(super) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.display().to_string();
        move |error| Self::File { path, error }
    }
}
