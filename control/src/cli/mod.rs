//! The command line.
//!
//! Ends with 0 when all is well, 1 when the answer is no (a policy that is not in order, a log that is not sound, a
//! decision that was refused), and 2 when it could not be asked (wrong arguments, no connection).

mod access;
mod api;
mod approvals;
mod backup;
mod budgets;
mod compact;
mod compare;
mod device;
mod documents;
mod effect;
mod grants;
mod holds;
mod keys;
mod login;
mod mask;
mod notices;
mod openapi;
mod otlp;
mod overview;
mod policy;
mod print;
mod records;
mod replay;
mod reviews;
mod saved;
mod service;
mod session_verify;
mod settings;
mod tokens;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};

use crate::keys::Keys;

/// The enforcement point for AI agents: policy, records, and holds for Claude APIs.
#[derive(Debug, Parser)]
#[command(name = "sluice", version, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = "Exit status: 0 all is well, 1 the answer is no, 2 it could not be asked.\n\
    Flags come before the environment (SLUICE_URL, SLUICE_TOKEN, SLUICE_STATE), that before the file of\n\
    `sluice serve --config`, and the file before the defaults.\n\
    NO_COLOR turns colours off.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the control service: bundles, records, holds.
    Serve(Box<service::Serve>),
    Login(login::Login),
    Logout(login::Logout),
    Whoami(login::Who),
    /// Make tokens of control's own issuer, revoke tokens, see what is revoked.
    #[command(subcommand, visible_alias = "tokens")]
    Token(keys::Token),
    /// Look at the service's keys.
    #[command(subcommand)]
    Keys(keys::ShowKeys),
    /// Work on policy: files, and what is in force.
    #[command(subcommand)]
    Policy(policy::Policy),
    Mask(mask::Mask),
    /// Say what a command would do: the effect of SQL or shell text, as the filter reads it.
    #[command(subcommand)]
    Effect(effect::Effect),
    /// See what waits for a person, and decide it.
    #[command(subcommand)]
    Holds(holds::Holds),
    /// Ask for rights with an end, decide such wishes, take them back.
    #[command(subcommand)]
    Grants(grants::Grants),
    /// See who has which rights, beside what they used; give back what a review has taken.
    #[command(subcommand)]
    Access(access::Access),
    /// Look at what people may do beside what they did, and keep it or take it back.
    #[command(subcommand)]
    Reviews(reviews::Reviews),
    /// See who used what of which budget.
    #[command(subcommand)]
    Budgets(budgets::Budgets),
    /// See which notices reached their channels, send dead ones again, test a channel.
    #[command(subcommand)]
    Notices(notices::Notices),
    Usage(overview::Used),
    #[command(subcommand)]
    Fleet(overview::Fleet),
    /// See the sessions in the record.
    #[command(subcommand)]
    Sessions(records::Sessions),
    /// Show a session step by step: who said what, which tools were called, what was masked, what was decided.
    Replay(replay::Replay),
    /// Verify and export the record.
    #[command(subcommand)]
    Records(records::Records),
    Backup(backup::Backup),
    Restore(backup::Restore),
    #[command(name = "openapi")]
    OpenApi(openapi::OpenApi),
}

/// Where the service is, and who asks.
#[derive(Debug, Clone, Args)]
struct Service {
    /// The control service's URL.
    #[arg(long, env = "SLUICE_URL", default_value = "http://127.0.0.1:9901", value_name = "URL")]
    url: String,
    /// Your token, from an issuer in the policy. Best given as SLUICE_TOKEN: arguments are seen by other processes.
    /// Default: the one of `sluice login`.
    #[arg(long, env = "SLUICE_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    token: Option<String>,
}

/// The service's state directory.
#[derive(Debug, Clone, Args)]
struct State {
    /// The state directory: keys and database. Only its owner may reach it.
    #[arg(long, env = "SLUICE_STATE", default_value = "var", value_name = "DIR")]
    state: PathBuf,
    /// A directory with what all replicas share, as `sluice keys make` makes it: a mounted secret. Default: the state
    /// directory has all keys.
    #[arg(long, env = "SLUICE_SHARED_KEYS", value_name = "DIR")]
    shared_keys: Option<PathBuf>,
}

impl State {
    fn keys(&self) -> Result<Keys, Failure> {
        Keys::open(&self.state, self.shared_keys.as_deref()).map_err(Failure::cannot)
    }
}

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Why a command did not end well.
#[derive(Debug)]
enum Failure {
    /// The answer is no: 1.
    No(String),
    /// It could not be asked: 2.
    Cannot(String),
}

impl Failure {
    fn cannot(error: impl std::fmt::Display) -> Self {
        Self::Cannot(error.to_string())
    }
}

type Outcome = Result<(), Failure>;

/// Reads the arguments, does what they say, and says how it ended.
pub fn parse_and_run() -> ExitCode {
    let cli = match settings::matches(Cli::command(), std::env::args_os().collect()) {
        Ok(matches) => Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit()),
        Err(why) => return end(Err(Failure::Cannot(why))),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return end(Err(Failure::cannot(error))),
    };
    end(runtime.block_on(run(cli.command)))
}

async fn run(command: Command) -> Outcome {
    match command {
        Command::Serve(serve) => serve.run().await,
        Command::Login(login) => login.run().await,
        Command::Logout(logout) => logout.run(),
        Command::Whoami(who) => who.run().await,
        Command::Token(token) => token.run().await,
        Command::Keys(keys) => keys.run(),
        Command::Policy(policy) => policy.run().await,
        Command::Mask(mask) => mask.run(),
        Command::Effect(effect) => effect.run(),
        Command::Holds(holds) => holds.run().await,
        Command::Grants(grants) => grants.run().await,
        Command::Reviews(reviews) => reviews.run().await,
        Command::Access(access) => access.run().await,
        Command::Budgets(budgets) => budgets.run().await,
        Command::Notices(notices) => notices.run().await,
        Command::Usage(used) => used.run().await,
        Command::Fleet(fleet) => fleet.run().await,
        Command::Sessions(sessions) => sessions.run().await,
        Command::Replay(replay) => replay.run().await,
        Command::Records(records) => records.run().await,
        Command::Backup(backup) => backup.run().await,
        Command::Restore(restore) => restore.run().await,
        Command::OpenApi(openapi) => openapi.run(),
    }
}

fn end(outcome: Outcome) -> ExitCode {
    let (code, why) = match outcome {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::No(why)) => (1, why),
        Err(Failure::Cannot(why)) => (2, why),
    };
    if !why.is_empty() {
        eprintln!("sluice: {why}");
    }
    ExitCode::from(code)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_fit_together() {
        Cli::command().debug_assert();
    }
}
