//! A process that ends with whoever started it, and whose log can be read.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::StackError;
use super::place;

/// So many of a log's last lines stand in an error.
const TAIL: usize = 25;

/// A process under a guard.
#[derive(Debug)]
pub struct Process {
    name: &'static str,
    guard: Child,
    pid: Option<Pid>,
    log: PathBuf,
}

impl Process {
    /// Starts `program`; what it writes goes to `NAME.log` in `logs`, after what stands there.
    ///
    /// # Errors
    /// When the guard or the program cannot be started.
    pub fn start(
        name: &'static str,
        logs: &Path,
        program: &Path,
        arguments: &[String],
    ) -> Result<Self, StackError> {
        let log = logs.join(format!("{name}.log"));
        let file = File::options().create(true).append(true).open(&log).map_err(StackError::file(&log))?;
        let mut guard = Command::new(place::built("guard")?)
            .arg(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(file)
            // Ctrl-C in a terminal reaches the launcher alone; it ends the rest in order.
            .process_group(0)
            .spawn()
            .map_err(|error| StackError::Start { name, reason: error.to_string() })?;
        let mut line = String::new();
        if let Some(stdout) = guard.stdout.take() {
            BufReader::new(stdout).read_line(&mut line).map_err(StackError::file(&log))?;
        }
        let pid = line.trim().parse().ok().and_then(Pid::from_raw);
        let process = Self { name, guard, pid, log };
        if pid.is_none() {
            return Err(process.failed("it did not start"));
        }
        Ok(process)
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.guard.try_wait(), Ok(None))
    }

    /// Ends it as `kill -9` does, and waits until it is gone.
    pub fn kill(&mut self) {
        if let Some(pid) = self.pid {
            // It may be gone already.
            let _ = kill_process(pid, Signal::KILL);
        }
        let _ = self.guard.wait();
    }

    /// Sends it a signal, for example to stop it for a while.
    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid {
            // It may be gone already.
            let _ = kill_process(pid, signal);
        }
    }

    /// An error about this process, with the end of its log.
    pub fn failed(&self, what: &str) -> StackError {
        StackError::Process { name: self.name, what: what.to_owned(), tail: tail(&self.log) }
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        fs::read(&self.log).map(|log| String::from_utf8_lossy(&log).into_owned()).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

fn tail(log: &Path) -> String {
    let text = fs::read(log).map(|log| String::from_utf8_lossy(&log).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(TAIL);
    lines.iter().skip(from).map(|line| format!("    {line}\n")).collect()
}
