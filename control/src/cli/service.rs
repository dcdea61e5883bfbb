//! `sluice serve`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tracing_subscriber::filter::LevelFilter;

use super::{Failure, Outcome, State};
use crate::serve::{Options, serve};
use crate::tls::Files;

/// Run the control service.
///
/// On its first start it makes its keys and database in the state directory. It ends on SIGTERM or SIGINT, lets
/// those who wait for holds go (they come back), and loses nothing that it acknowledged.
#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    state: State,
    /// The policy: a YAML file, or a directory of them (a mounted ConfigMap). Followed while the service runs.
    #[arg(long, env = "SLUICE_POLICY", value_name = "PATH")]
    policy: PathBuf,
    /// Policy lives in the database: --policy is only the first one, and is not looked at again. Authors propose changes
    /// and others accept them (`sluice policy propose`); all replicas follow. Without it, the files rule.
    #[arg(long, env = "SLUICE_POLICY_FROM_STORE")]
    policy_from_store: bool,
    /// Where to listen.
    #[arg(long, env = "SLUICE_LISTEN", default_value = "127.0.0.1:9901", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// A file with the token that sidecars call with. Default: `data.token` among the shared keys, or in the state
    /// directory, where the service makes it.
    #[arg(long, env = "SLUICE_DATA_TOKEN_FILE", value_name = "FILE")]
    data_token_file: Option<PathBuf>,
    /// A PostgreSQL database, 15 or newer, for several replicas: postgres://user@host/name. Default: a file in the
    /// state directory. Best given in the environment or as --database-file: arguments are seen by other processes.
    #[arg(long, env = "SLUICE_DATABASE", hide_env_values = true, value_name = "URL")]
    database: Option<String>,
    /// A file with the database's URL.
    #[arg(long, env = "SLUICE_DATABASE_FILE", value_name = "FILE", conflicts_with = "database")]
    database_file: Option<PathBuf>,
    /// A directory with `NAME.url` and `NAME.secret` of each channel of the policy's `notices`: a mounted secret. Read when
    /// needed, so that a change counts at once.
    #[arg(long, env = "SLUICE_NOTICES", value_name = "DIR")]
    notices: Option<PathBuf>,
    /// The URL that others reach the service under; its tokens carry it as `iss`. Default: http://ADDRESS.
    #[arg(long, env = "SLUICE_PUBLIC_URL", value_name = "URL")]
    public_url: Option<String>,
    /// The service's certificate, as PEM, with those between it and a root. Followed while the service runs, as are the
    /// other two. Without it the service speaks plain HTTP, for this machine or behind a proxy.
    #[arg(long, env = "SLUICE_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key, as PEM.
    #[arg(long, env = "SLUICE_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Who issues the client certificates of sidecars, as PEM. Which of them may call stands in the policy:
    /// `access.sidecars.certificates`.
    #[arg(long, env = "SLUICE_CLIENT_CA", value_name = "FILE", requires = "tls_cert")]
    client_ca: Option<PathBuf>,
    /// A file with the secret of the client that people sign in by (`access.signIn` in the policy), where the provider gave
    /// it one. Read at each sign-in, so that it can be rotated.
    #[arg(long, env = "SLUICE_SIGN_IN_SECRET_FILE", value_name = "FILE")]
    sign_in_secret_file: Option<PathBuf>,
    /// For trying things out on this machine: people sign in by saying who they are, sidecars need no token. Refused
    /// where others than this machine could call.
    #[arg(long)]
    dev: bool,
    /// A directory with the secrets of the clients that control is at introspection endpoints (`introspection` in the policy),
    /// each in a file of its issuer's name. Read at each use.
    #[arg(long, env = "SLUICE_INTROSPECTION_SECRETS", value_name = "DIR")]
    introspection_secrets: Option<PathBuf>,
    /// How the log is written.
    #[arg(long, env = "SLUICE_LOG_FORMAT", default_value = "text")]
    log_format: LogFormat,
    /// How much is logged: error, warn, info or debug. Never bodies or tokens.
    #[arg(long, env = "SLUICE_LOG", default_value = "info", value_name = "LEVEL")]
    log: LevelFilter,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Serve {
    pub async fn run(self) -> Outcome {
        let log =
            tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(self.log).with_ansi(false);
        match self.log_format {
            LogFormat::Text => log.init(),
            LogFormat::Json => log.json().flatten_event(true).init(),
        }
        let database = match &self.database_file {
            Some(file) => {
                let read = std::fs::read_to_string(file);
                Some(read.map_err(|e| Failure::cannot(format!("{}: {e}", file.display())))?.trim().to_owned())
            }
            None => self.database,
        };
        let tls = self.tls_cert.zip(self.tls_key).map(|(certificate, key)| Files {
            certificate,
            key,
            client_ca: self.client_ca,
        });
        let options = Options {
            tls,
            database,
            shared_keys: self.state.shared_keys,
            state: self.state.state,
            policy: self.policy,
            policy_from_store: self.policy_from_store,
            listen: self.listen,
            data_token: self.data_token_file,
            notices: self.notices,
            public_url: self.public_url,
            introspection_secrets: self.introspection_secrets,
            sign_in_secret: self.sign_in_secret_file,
            dev: self.dev,
        };
        serve(options).await.map_err(Failure::Cannot)
    }
}
