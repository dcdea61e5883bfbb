//! The control service of a stack, and its command line.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{POLL, Process, START, StackError, place, plugin_configuration, policy, wait_for};

/// A hold, as `sluice holds ls` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Its id.
    pub id: String,
    /// The rule that holds.
    pub rule: String,
    /// Who asks.
    pub subject: String,
    /// What a reviewer sees.
    pub preview: String,
}

/// A running control service.
#[derive(Debug)]
pub struct Control {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    /// Its base URL, which is also its issuer.
    pub url: String,
    /// Where it tells of itself to Prometheus.
    pub metrics_url: String,
    metrics_port: u16,
    program: PathBuf,
    state: PathBuf,
    policy: PathBuf,
    logs: PathBuf,
    arguments: Vec<String>,
    /// Who has issued its certificate, where it speaks TLS.
    authority: Option<PathBuf>,
    process: Process,
}

impl Control {
    /// Starts control and waits until it is ready.
    pub(super) async fn start(
        state: &Path,
        policy: &Path,
        port: u16,
        logs: &Path,
        arguments: Vec<String>,
        authority: Option<PathBuf>,
    ) -> Result<Self, StackError> {
        let program = place::sluice()?;
        let metrics_port = super::port("the metrics port", 0)?;
        let process = serve(&program, state, policy, [port, metrics_port], logs, &arguments)?;
        let url = match &authority {
            Some(_) => format!("https://localhost:{port}"),
            None => format!("http://127.0.0.1:{port}"),
        };
        let mut control = Self {
            port,
            url,
            metrics_url: format!("http://127.0.0.1:{metrics_port}/metrics"),
            metrics_port,
            arguments,
            authority,
            program,
            state: state.to_owned(),
            policy: policy.to_owned(),
            logs: logs.to_owned(),
            process,
        };
        control.wait().await?;
        Ok(control)
    }

    async fn wait(&mut self) -> Result<(), StackError> {
        if self.authority.is_some() {
            return self.wait_for_log("sluice control serves").await;
        }
        let ready = format!("{}/readyz", self.url);
        wait_for(&mut self.process, &ready, |reply| reply.status == 200).await
    }

    async fn wait_for_log(&mut self, said: &str) -> Result<(), StackError> {
        let end = Instant::now() + START;
        while Instant::now() < end {
            if self.process.log().contains(said) {
                return Ok(());
            }
            if !self.process.runs() {
                return Err(self.process.failed("it ended while it started"));
            }
            tokio::time::sleep(POLL).await;
        }
        Err(self.process.failed("it was not ready in time"))
    }

    /// Ends it as `kill -9` does.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again, on the same state and port.
    ///
    /// # Errors
    /// See [`StackError`].
    pub async fn restart(&mut self) -> Result<(), StackError> {
        self.process.kill();
        let (state, policy, logs) = (&self.state, &self.policy, &self.logs);
        let ports = [self.port, self.metrics_port];
        self.process = serve(&self.program, state, policy, ports, logs, &self.arguments)?;
        self.wait().await
    }

    /// Its process, to stop it for a while or to read its log.
    pub fn process(&self) -> &Process {
        &self.process
    }

    pub(super) fn process_mut(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Writes another policy over the one that it watches.
    ///
    /// # Errors
    /// [`StackError::File`].
    pub fn write_policy(&self, text: &str) -> Result<(), StackError> {
        policy::rewrite(&self.policy, text, self.port)
    }

    /// Runs a command of `sluice` as an auditor and returns what it wrote to its standard output.
    ///
    /// # Errors
    /// [`StackError::Command`] with what it wrote, when it fails.
    pub fn sluice(&self, arguments: &[&str]) -> Result<String, StackError> {
        let auditor = self.mint("an auditor", &["auditors"], "15m")?;
        self.run(arguments, &auditor)
    }

    /// Runs a command of `sluice` as the holder of `token`; an empty one for those that need none.
    pub fn run(&self, arguments: &[&str], token: &str) -> Result<String, StackError> {
        let output = Command::new(&self.program)
            .envs(self.authority.iter().map(|file| ("SSL_CERT_FILE", file)))
            .args(arguments)
            .env("SLUICE_URL", &self.url)
            .env("SLUICE_STATE", &self.state)
            .env("SLUICE_TOKEN", token)
            .env("NO_COLOR", "1")
            .output()
            .map_err(|error| StackError::Start { name: "sluice", reason: error.to_string() })?;
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(stdout);
        }
        let stderr = String::from_utf8_lossy(&output.stderr);
        Err(StackError::Command { command: arguments.join(" "), output: format!("{stdout}{stderr}") })
    }

    /// A fresh token of control's own issuer.
    ///
    /// # Errors
    /// [`StackError::Command`].
    pub fn mint(&self, subject: &str, groups: &[&str], ttl: &str) -> Result<String, StackError> {
        let mut arguments = vec!["token", "mint", "--subject", subject, "--ttl", ttl];
        for group in groups {
            arguments.extend(["--group", group]);
        }
        Ok(self.run(&arguments, "")?.trim().to_owned())
    }

    /// The plugin configuration with this control's key and token.
    pub(super) fn plugin_configuration(&self) -> Result<String, StackError> {
        let keys = json("keys show", &self.run(&["keys", "show", "--output", "json"], "")?)?;
        let missing = |name: &str| StackError::Command {
            command: "keys show".to_owned(),
            output: format!("it does not say `{name}`"),
        };
        let file =
            keys.get("dataTokenFile").and_then(Value::as_str).ok_or_else(|| missing("dataTokenFile"))?;
        let bundle_keys = keys.get("bundleKeys").ok_or_else(|| missing("bundleKeys"))?;
        let file = self.state.join(file);
        let token = std::fs::read_to_string(&file).map_err(StackError::file(&file))?;
        Ok(plugin_configuration(self.port, token.trim(), bundle_keys))
    }

    /// The holds that wait.
    ///
    /// # Errors
    /// [`StackError::Command`].
    pub fn holds(&self) -> Result<Vec<Hold>, StackError> {
        let holds = json("holds ls", &self.sluice(&["holds", "ls", "--output", "json"])?)?;
        let text = |hold: &Value, path: &str| {
            hold.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let holds = holds.get("holds").and_then(Value::as_array).into_iter().flatten().map(|hold| Hold {
            id: text(hold, "/id"),
            rule: text(hold, "/ask/rule"),
            subject: text(hold, "/ask/who/subject"),
            preview: text(hold, "/ask/preview"),
        });
        Ok(holds.collect())
    }

    /// Waits for a hold whose preview has `mark` in it.
    ///
    /// # Errors
    /// [`StackError::Missing`] when none appears within 30 s.
    pub async fn wait_for_hold(&self, mark: &str) -> Result<Hold, StackError> {
        let end = Instant::now() + Duration::from_secs(30);
        while Instant::now() < end {
            if let Some(hold) = self.holds()?.into_iter().find(|hold| hold.preview.contains(mark)) {
                return Ok(hold);
            }
            tokio::time::sleep(POLL).await;
        }
        Err(StackError::Missing {
            what: format!("a hold that shows `{mark}`"),
            remedy: "see the logs of Envoy and control".to_owned(),
        })
    }

    /// Decides a hold (`approve` or `deny`) as the holder of `token`.
    ///
    /// # Errors
    /// [`StackError::Command`], for example when they may not.
    pub fn decide(
        &self,
        decision: &str,
        hold: &str,
        reason: &str,
        token: &str,
    ) -> Result<String, StackError> {
        self.run(&["holds", decision, hold, "--reason", reason], token)
    }
}

fn json(command: &str, output: &str) -> Result<Value, StackError> {
    serde_json::from_str(output).map_err(|error| StackError::Command {
        command: command.to_owned(),
        output: format!("not JSON ({error}): {output}"),
    })
}

fn serve(
    program: &Path,
    state: &Path,
    policy: &Path,
    [port, metrics]: [u16; 2],
    logs: &Path,
    more: &[String],
) -> Result<Process, StackError> {
    let mut arguments = vec![
        "serve".to_owned(),
        "--state".to_owned(),
        state.display().to_string(),
        "--policy".to_owned(),
        policy.display().to_string(),
        "--listen".to_owned(),
        format!("127.0.0.1:{port}"),
        "--metrics-listen".to_owned(),
        format!("127.0.0.1:{metrics}"),
        // What policies of stacks call it, also where it speaks TLS.
        "--public-url".to_owned(),
        format!("http://127.0.0.1:{port}"),
    ];
    arguments.extend_from_slice(more);
    Process::start("control", logs, program, &arguments)
}
