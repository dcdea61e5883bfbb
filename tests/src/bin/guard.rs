//! Runs a command and ends it when whoever started the guard is gone: `guard COMMAND ARGUMENT...`.
//!
//! The starter holds the other end of the guard's standard input. However the starter ends, by a signal that cannot
//! be caught too, that pipe closes, and the guard ends the command's whole process group. The first line of its
//! standard output is the command's process id.

use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// How long a command may take to end by itself.
const GRACE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(10);

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let Some(command) = arguments.next() else {
        eprintln!("guard: say what to run");
        return ExitCode::from(2);
    };
    let started = Command::new(&command)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .process_group(0)
        .spawn();
    let child = match started {
        Ok(child) => child,
        Err(error) => {
            eprintln!("guard: cannot run {}: {error}", command.display());
            return ExitCode::FAILURE;
        }
    };
    println!("{}", child.id());
    // Whoever started the guard may not read the line; the command runs all the same.
    let _ = std::io::stdout().flush();
    match attend(child) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("guard: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Waits for the command or for the starter, whichever ends first.
fn attend(mut child: Child) -> std::io::Result<bool> {
    let orphaned = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&orphaned);
    thread::spawn(move || {
        let mut nothing = [0; 64];
        while matches!(std::io::stdin().read(&mut nothing), Ok(n) if n > 0) {}
        seen.store(true, Ordering::Relaxed);
    });
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        if orphaned.load(Ordering::Relaxed) {
            break;
        }
        thread::sleep(POLL);
    }
    signal(group, Signal::TERM);
    let end = Instant::now() + GRACE;
    while Instant::now() < end && child.try_wait()?.is_none() {
        thread::sleep(POLL);
    }
    signal(group, Signal::KILL);
    Ok(child.wait()?.success())
}

fn signal(group: Option<Pid>, signal: Signal) {
    if let Some(group) = group {
        // The group may be gone already.
        let _ = kill_process_group(group, signal);
    }
}
