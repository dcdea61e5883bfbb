//! Control, Envoy and a model (or its stand-in) as processes on this machine.
//!
//! ```text
//!  client ──► Envoy :port ── filter ──► upstream, or the stand-in
//!                 │
//!                 └──► control :control_port ──► state directory
//! ```
//!
//! `make run`, the demo, the bench and the tests all start the same stack, from the same bootstrap.

mod bootstrap;
mod control;
mod error;
pub mod place;
mod policy;
mod process;
mod upstream;

use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

pub use self::bootstrap::{Bootstrap, McpUpstream, Sluice, model_key};
pub use self::control::{Control, Hold};
pub use self::error::StackError;
pub use self::policy::{DEFAULT_POLICY, Policy};
pub use self::process::Process;
pub use self::upstream::Upstream;
use crate::client::{Ask, Reply};
use crate::stand_in::journal::Arrived;

/// The key that Envoy puts on for the stand-in, which refuses any other.
pub const STAND_IN_KEY: &str = "stand-in-key";

/// A first start compiles the module in every worker, maybe on a busy machine.
const START: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(50);

/// What the stack shall be.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where keys, records and logs are kept. Absent: a temporary directory that goes with the stack.
    pub state: Option<PathBuf>,
    /// The policy.
    pub policy: Policy,
    /// Where clients connect; 0: any free port.
    pub port: u16,
    /// Where control listens; 0: any free port.
    pub control_port: u16,
    /// Envoy's admin page; 0: any free port.
    pub admin_port: u16,
    /// The model. Absent: the stand-in.
    pub upstream: Option<Upstream>,
    /// The model's key, which Envoy puts on. Not needed for the stand-in.
    pub key: Option<String>,
    /// Envoy's workers.
    pub workers: u32,
    /// MCP servers behind Envoy.
    pub mcp: Vec<McpUpstream>,
    /// Whether the filter is in place; without it there is no control either.
    pub filter: bool,
    /// Whether control believes who people say they are in a browser (`--dev`).
    pub dev: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            state: None,
            policy: Policy::Text(DEFAULT_POLICY.to_owned()),
            port: 0,
            control_port: 0,
            admin_port: 0,
            upstream: None,
            key: None,
            workers: 2,
            mcp: Vec::new(),
            filter: true,
            dev: false,
        }
    }
}

/// A running stack. Everything ends when it is dropped.
#[derive(Debug)]
pub struct Stack {
    /// Where clients connect.
    pub url: String,
    /// Envoy's admin page.
    pub admin_url: String,
    /// Where the policy is; absent without the filter.
    pub policy: Option<PathBuf>,
    /// The state directory.
    pub state: PathBuf,
    /// Envoy.
    pub envoy: Process,
    control: Option<Control>,
    stand_in: Option<Process>,
    stand_in_url: Option<String>,
    /// What each Envoy of this stack is started with.
    plan: EnvoyPlan,
    /// Held so that it goes with the stack; last, since the others write into it.
    _temporary: Option<TempDir>,
}

impl Stack {
    /// Starts everything and waits until a request would be answered.
    ///
    /// # Errors
    /// See [`StackError`]; an error about a process carries the end of its log.
    pub async fn start(settings: Settings) -> Result<Self, StackError> {
        let port = port("PORT", settings.port)?;
        let admin_port = self::port("ADMIN_PORT", settings.admin_port)?;
        let (state, temporary) = state_directory(settings.state.as_deref())?;
        let logs = made(&state.join("logs"))?;
        let secrets = made(&state.join("secrets"))?;

        let (stand_in, upstream) = match &settings.upstream {
            Some(upstream) => (None, upstream.clone()),
            None => {
                let (process, upstream) = stand_in(&logs).await?;
                (Some(process), upstream)
            }
        };
        let mut control = None;
        let mut policy = None;
        if settings.filter {
            let control_port = self::port("CONTROL_PORT", settings.control_port)?;
            let place = settings.policy.place(&state, control_port)?;
            control = Some(Control::start(&state, &place, control_port, &logs, settings.dev).await?);
            policy = Some(place);
        }

        let key = match (&settings.key, &stand_in) {
            (Some(key), _) => key.as_str(),
            (None, Some(_)) => STAND_IN_KEY,
            (None, None) => "none",
        };
        let secret = secrets.join("model-key.yaml");
        write_secret(&secret, &model_key(key)?)?;
        let module = if settings.filter { Some(place::module()?) } else { None };
        let configuration = match &control {
            Some(control) => control.plugin_configuration()?,
            None => String::new(),
        };
        let certificates = if upstream.tls { Some(place::certificates()?) } else { None };
        let plan = EnvoyPlan {
            upstream: upstream.clone(),
            certificates,
            secret,
            module: module.zip(control.as_ref().map(|control| control.port)),
            configuration,
            workers: settings.workers,
            mcp: settings.mcp.clone(),
        };
        let mut stack = Self {
            url: format!("http://127.0.0.1:{port}"),
            admin_url: format!("http://127.0.0.1:{admin_port}"),
            policy,
            state: state.clone(),
            envoy: plan.start(port, admin_port, &state, &logs)?,
            plan,
            control,
            stand_in_url: stand_in.as_ref().map(|_| upstream.url()),
            stand_in,
            _temporary: temporary,
        };
        stack.wait().await?;
        Ok(stack)
    }

    /// Waits until Envoy is ready and the filter has its bundle (until then it answers 503).
    async fn wait(&mut self) -> Result<(), StackError> {
        wait_for_envoy(&mut self.envoy, &self.url, &self.admin_url, self.control.is_some()).await
    }

    /// A further Envoy of the same control and model, and where clients connect to it. It ends when it is dropped.
    ///
    /// # Errors
    /// See [`StackError`].
    pub async fn another_envoy(&self) -> Result<(Process, String), StackError> {
        let (port, admin_port) = (port("PORT", 0)?, self::port("ADMIN_PORT", 0)?);
        let folder = made(&self.state.join(format!("envoy-{port}")))?;
        let mut envoy = self.plan.start(port, admin_port, &folder, &folder)?;
        let url = format!("http://127.0.0.1:{port}");
        let admin_url = format!("http://127.0.0.1:{admin_port}");
        wait_for_envoy(&mut envoy, &url, &admin_url, self.control.is_some()).await?;
        Ok((envoy, url))
    }

    /// Whether all of it still runs.
    ///
    /// # Errors
    /// [`StackError::Process`] about the process that ended.
    pub fn check(&mut self) -> Result<(), StackError> {
        let control = self.control.as_mut().map(Control::process_mut);
        for process in control.into_iter().chain(self.stand_in.as_mut()).chain([&mut self.envoy]) {
            if !process.runs() {
                return Err(process.failed("it ended by itself"));
            }
        }
        Ok(())
    }

    /// Control.
    ///
    /// # Errors
    /// [`StackError::Missing`] in a stack without the filter.
    pub fn control(&self) -> Result<&Control, StackError> {
        self.control.as_ref().ok_or_else(no_control)
    }

    /// Control, to end it or to start it again.
    ///
    /// # Errors
    /// [`StackError::Missing`] in a stack without the filter.
    pub fn control_mut(&mut self) -> Result<&mut Control, StackError> {
        self.control.as_mut().ok_or_else(no_control)
    }

    /// A fresh token for `subject` in `groups`, good for an hour.
    ///
    /// # Errors
    /// [`StackError::Command`].
    pub fn token(&self, subject: &str, groups: &[&str]) -> Result<String, StackError> {
        self.control()?.mint(subject, groups, "1h")
    }

    /// The requests that reached the stand-in and carry `mark` in their body or path, oldest first.
    ///
    /// # Errors
    /// [`StackError::Missing`] when the upstream is not the stand-in, or it does not answer.
    pub async fn arrived(&self, mark: &str) -> Result<Vec<Arrived>, StackError> {
        let missing = |what: &str| StackError::Missing {
            what: what.to_owned(),
            remedy: "start the stack without an upstream of its own".to_owned(),
        };
        let url = self.stand_in_url.as_ref().ok_or_else(|| missing("the stand-in"))?;
        let reply = Ask::get(format!("{url}/_stand_in/requests"))
            .send()
            .await
            .map_err(|error| missing(&format!("the stand-in's journal ({error})")))?;
        let all: Vec<Arrived> =
            serde_json::from_slice(&reply.body).map_err(|_| missing("the stand-in's journal"))?;
        let marked = all.into_iter().filter(|r| r.body.contains(mark) || r.path.contains(mark));
        Ok(marked.collect())
    }

    /// Puts another model key in place, as a rotation does: written beside, renamed over.
    ///
    /// # Errors
    /// [`StackError::File`].
    pub fn rotate_model_key(&self, key: &str) -> Result<(), StackError> {
        let file = self.state.join("secrets/model-key.yaml");
        let next = self.state.join("secrets/next.yaml");
        write_secret(&next, &model_key(key)?)?;
        fs::rename(&next, &file).map_err(StackError::file(&file))
    }
}

/// What each Envoy of a stack is started with.
#[derive(Debug)]
struct EnvoyPlan {
    upstream: Upstream,
    certificates: Option<PathBuf>,
    secret: PathBuf,
    /// The filter's module, and control's port.
    module: Option<(PathBuf, u16)>,
    configuration: String,
    workers: u32,
    mcp: Vec<McpUpstream>,
}

impl EnvoyPlan {
    fn start(&self, port: u16, admin_port: u16, folder: &Path, logs: &Path) -> Result<Process, StackError> {
        let rendered = Bootstrap {
            node: "sluice-local",
            port,
            admin_port,
            upstream: &self.upstream,
            certificates: self.certificates.as_deref(),
            secret: &self.secret,
            mcp: &self.mcp,
            sluice: self.module.as_ref().map(|(module, control_port)| Sluice {
                module,
                configuration: &self.configuration,
                control_port: *control_port,
            }),
        }
        .render()?;
        // It carries the data plane's token.
        let config = folder.join("envoy.yaml");
        write_secret(&config, &rendered)?;
        let arguments = [
            "--config-path".to_owned(),
            config.display().to_string(),
            "--concurrency".to_owned(),
            self.workers.to_string(),
            // Several run side by side on one machine.
            "--disable-hot-restart".to_owned(),
            "--log-level".to_owned(),
            "warn".to_owned(),
            "--component-log-level".to_owned(),
            "wasm:info".to_owned(),
        ];
        Process::start("envoy", logs, &place::envoy()?, &arguments)
    }
}

async fn wait_for_envoy(
    envoy: &mut Process,
    url: &str,
    admin_url: &str,
    filter: bool,
) -> Result<(), StackError> {
    wait_for(envoy, &format!("{admin_url}/ready"), |reply| reply.status == 200).await?;
    if filter {
        wait_for(envoy, &format!("{url}/v1/models"), |reply| reply.status != 503).await?;
    }
    Ok(())
}

fn no_control() -> StackError {
    StackError::Missing { what: "control".to_owned(), remedy: "start the stack with the filter".to_owned() }
}

/// Starts a stand-in on a free port.
async fn stand_in(logs: &Path) -> Result<(Process, Upstream), StackError> {
    let port = port("the stand-in's port", 0)?;
    let arguments = [format!("127.0.0.1:{port}"), STAND_IN_KEY.to_owned()];
    let mut process = Process::start("stand-in", logs, &place::built("stand_in")?, &arguments)?;
    let journal = format!("http://127.0.0.1:{port}/_stand_in/requests");
    wait_for(&mut process, &journal, |reply| reply.status == 200).await?;
    Ok((process, Upstream::local(port)))
}

/// Asks `url` until the reply is as it should be, as long as the process runs.
async fn wait_for(
    process: &mut Process,
    url: &str,
    ready: impl Fn(&Reply) -> bool,
) -> Result<(), StackError> {
    let end = Instant::now() + START;
    let mut last = "nothing answered".to_owned();
    while Instant::now() < end {
        if !process.runs() {
            return Err(process.failed("it ended while it started"));
        }
        match Ask::get(url).send().await {
            Ok(reply) if ready(&reply) => return Ok(()),
            Ok(reply) => last = format!("the last answer was {} {}", reply.status, reply.text()),
            Err(error) => last = error.to_string(),
        }
        tokio::time::sleep(POLL).await;
    }
    Err(process.failed(&format!("{url} was not ready within {} s ({last})", START.as_secs())))
}

/// A free port, or the one that was asked for, if it is free.
fn port(name: &'static str, wanted: u16) -> Result<u16, StackError> {
    let taken = |error: io::Error| StackError::Setting {
        name,
        reason: format!("cannot listen on 127.0.0.1:{wanted} ({error}); choose another port"),
    };
    let listener = TcpListener::bind(("127.0.0.1", wanted)).map_err(taken)?;
    Ok(listener.local_addr().map_err(taken)?.port())
}

fn state_directory(wanted: Option<&Path>) -> Result<(PathBuf, Option<TempDir>), StackError> {
    match wanted {
        Some(path) => {
            let path = made(path)?;
            let absolute = path.canonicalize().map_err(StackError::file(&path))?;
            Ok((absolute, None))
        }
        None => {
            let private = fs::Permissions::from_mode(0o700);
            let made = tempfile::Builder::new().prefix("sluice-").permissions(private).tempdir();
            let temporary = made.map_err(StackError::file(&std::env::temp_dir()))?;
            Ok((temporary.path().to_owned(), Some(temporary)))
        }
    }
}

/// Makes a directory that nobody else may look into.
fn made(path: &Path) -> Result<PathBuf, StackError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(StackError::file(path))?;
    Ok(path.to_owned())
}

/// Writes a file that nobody else may read.
fn write_secret(path: &Path, text: &str) -> Result<(), StackError> {
    let mut options = fs::File::options();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| io::Write::write_all(&mut file, text.as_bytes())).map_err(StackError::file(path))
}

/// The plugin configuration of a filter that takes its bundle from control.
fn plugin_configuration(token: &str, bundle_keys: &Value) -> String {
    json!({
        "controlCluster": "sluice-control",
        "controlAuthority": "sluice-control",
        "controlToken": token,
        "bundleKeys": bundle_keys,
    })
    .to_string()
}
