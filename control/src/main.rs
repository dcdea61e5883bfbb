//! `sluice`: the control service and its command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    sluice_control::cli::parse_and_run()
}
