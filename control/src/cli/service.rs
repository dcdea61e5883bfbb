//! `sluice serve`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use sluice_engine::policy::document::Duration;
use tracing_subscriber::filter::LevelFilter;
use zeroize::Zeroizing;

use super::otlp::OtlpSettings;
use super::{Failure, Outcome, State};
use crate::anchors::{ACCOUNT, Anchors, ConfigMap};
use crate::http::Rates;
use crate::serve::{Options, serve};
use crate::tls::Files;
use crate::tokens::saml::PROGRAM;

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
    /// Settings in a file: YAML, one key for each of these flags (`listen: 127.0.0.1:9901`). A flag comes before the
    /// environment, that before the file.
    #[arg(long, env = "SLUICE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where Prometheus asks for `/metrics`, over plain HTTP and without signing in: keep it where only Prometheus
    /// reaches it. Default: nowhere.
    #[arg(long, env = "SLUICE_METRICS_LISTEN", value_name = "ADDRESS")]
    metrics_listen: Option<SocketAddr>,
    /// Calls a second from one address; it may save up five seconds' worth. 0: any number. Sidecars are not limited.
    #[arg(long, env = "SLUICE_PEER_RATE", default_value_t = Rates::default().peer, value_name = "N")]
    peer_rate: u32,
    /// Calls a second by one person, from anywhere; they may save up five seconds' worth. 0: any number.
    #[arg(long, env = "SLUICE_PERSON_RATE", default_value_t = Rates::default().person, value_name = "N")]
    person_rate: u32,
    /// A file, elsewhere, that signed checkpoints of the log are added to: what is cut off later shows
    /// (`sluice records verify --checkpoints`).
    #[arg(long, env = "SLUICE_CHECKPOINT_FILE", value_name = "FILE")]
    checkpoint_file: Option<PathBuf>,
    /// A URL that signed checkpoints of the log are sent to by POST.
    #[arg(long, env = "SLUICE_CHECKPOINT_URL", value_name = "URL")]
    checkpoint_url: Option<String>,
    /// A file with a bearer token for --checkpoint-url.
    #[arg(long, env = "SLUICE_CHECKPOINT_TOKEN_FILE", value_name = "FILE", requires = "checkpoint_url")]
    checkpoint_token_file: Option<PathBuf>,
    /// A ConfigMap of Kubernetes, NAME or NAMESPACE/NAME, that has the last checkpoint of each replica. It must be there, and
    /// the pod's service account needs the verbs get and patch on it. One that the log contradicts is never written over.
    #[arg(long, env = "SLUICE_CHECKPOINT_CONFIG_MAP", value_name = "NAME")]
    checkpoint_config_map: Option<String>,
    /// The URL of Kubernetes's API server. Default: the one that pods are told of.
    #[arg(long, env = "SLUICE_KUBERNETES_URL", value_name = "URL")]
    kubernetes_url: Option<String>,
    /// Where the pod's token, CA and namespace are; read each time, since tokens are replaced.
    #[arg(long, env = "SLUICE_SERVICE_ACCOUNT", default_value = ACCOUNT, value_name = "DIR")]
    service_account: PathBuf,
    /// How often a checkpoint is kept, if something was written: `30s`, `5m`, `1h`.
    #[arg(long, env = "SLUICE_CHECKPOINT_EVERY", default_value = "5m", value_name = "TIME")]
    checkpoint_every: String,
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
    /// The program that checks the signatures of SAML assertions (`issuers[].saml` in the policy): Debian's xmlsec1.
    #[arg(long, env = "SLUICE_XMLSEC1", default_value = PROGRAM, value_name = "FILE")]
    xmlsec1: PathBuf,
    #[command(flatten)]
    otlp: OtlpSettings,
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
            Some(file) => Some(read(file)?),
            None => self.database,
        };
        let every = Duration::parse(&self.checkpoint_every).filter(|every| every.as_seconds() > 0);
        let every = every.ok_or_else(|| {
            Failure::cannot(format!(
                "--checkpoint-every {}: a time is written 30s, 5m or 1h",
                self.checkpoint_every
            ))
        })?;
        let token = self.checkpoint_token_file.as_deref().map(read).transpose()?;
        let config_map = self.checkpoint_config_map.map(|name| {
            ConfigMap::parse(&name, self.kubernetes_url, self.service_account).ok_or_else(|| {
                Failure::cannot(format!(
                    "--checkpoint-config-map {name}: a ConfigMap is named NAME or NAMESPACE/NAME"
                ))
            })
        });
        let anchors = Anchors {
            config_map: config_map.transpose()?,
            file: self.checkpoint_file,
            url: self.checkpoint_url,
            token: token.map(Zeroizing::new),
            every: std::time::Duration::from_secs(every.as_seconds()),
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
            xmlsec1: self.xmlsec1,
            rates: Rates { peer: self.peer_rate, person: self.person_rate },
            metrics: self.metrics_listen,
            anchors,
            otlp: self.otlp.read()?,
            sign_in_secret: self.sign_in_secret_file,
            dev: self.dev,
        };
        serve(options).await.map_err(Failure::Cannot)
    }
}

/// A secret in a file, without the line's end.
pub fn read(file: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(file);
    Ok(text.map_err(|e| Failure::cannot(format!("{}: {e}", file.display())))?.trim().to_owned())
}
