//! Runs `sluice` with a state directory and a policy of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use sluice_control::client::{Call, Client};
use tempfile::TempDir;

pub const POLICY: &str = r#"
issuers:
  - name: own
    issuer: http://sluice.test
    audiences: [sluice]
    keys: control
roles:
  - name: writer
    scopes: [messages.create]
bindings:
  - name: writers
    groups: [writers]
    roles: [writer]
grants:
  - name: writing
    roles: [writer]
    groups: [staff]
    longest: 4h
    approval:
      groups: [approvers]
  - name: paired
    roles: [writer]
    groups: [staff]
    approval:
      groups: [approvers]
      quorum: 2
      excludeTeam: true
  - name: glass
    roles: [writer]
    groups: [oncall]
    longest: 2s
    breakGlass: true
access:
  auditors: [auditors]
  operators: [operators]
  authors: [authors]
  teams: ["team-*"]
"#;

pub struct Service {
    child: Option<Child>,
    pub dir: TempDir,
    pub url: String,
    client: Client,
    /// What replicas share: the database and the keys.
    shared: Option<(String, PathBuf)>,
    /// Arguments of `sluice serve` beside the usual ones.
    args: Vec<String>,
}

pub fn sluice() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
    for name in
        ["SLUICE_URL", "SLUICE_TOKEN", "SLUICE_STATE", "SLUICE_POLICY", "SLUICE_LISTEN", "SLUICE_DATABASE"]
    {
        command.env_remove(name);
    }
    command
}

impl Service {
    pub async fn start() -> Self {
        Self::start_with(None).await
    }

    /// With policy that lives in the store; of several replicas where there is a database with keys.
    pub async fn from_store(shared: Option<(String, PathBuf)>) -> Self {
        Self::start_all(shared, POLICY, &["--policy-from-store"]).await
    }

    /// With a policy and arguments of its own.
    pub async fn start_as(policy: &str, args: &[&str]) -> Self {
        Self::start_all(None, policy, args).await
    }

    /// One of several on a database, with the keys that `sluice keys make` has made.
    pub async fn replica(database: &str, keys: &Path) -> Self {
        Self::start_with(Some((database.to_owned(), keys.to_owned()))).await
    }

    async fn start_with(shared: Option<(String, PathBuf)>) -> Self {
        Self::start_all(shared, POLICY, &[]).await
    }

    /// All of it.
    pub async fn start_all(shared: Option<(String, PathBuf)>, policy: &str, args: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("policy")).unwrap();
        fs::write(dir.path().join("policy/base.yaml"), policy).unwrap();
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        let mut service = Self { child: None, dir, url: String::new(), client: Client::new(), shared, args };
        service.run().await;
        service
    }

    /// Starts the binary, on a port that the system picks.
    pub async fn run(&mut self) {
        let log = fs::File::create(self.log_file()).unwrap();
        let child = self.command().stderr(log).stdout(Stdio::null()).spawn().unwrap();
        self.child = Some(child);
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let log = self.log();
            if let Some((_, rest)) = log.split_once("address=127.0.0.1:") {
                let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
                self.url = format!("http://127.0.0.1:{port}");
                break;
            }
            assert!(Instant::now() < deadline, "the service did not start:\n{log}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub fn command(&self) -> Command {
        let mut command = sluice();
        command.args(["serve", "--listen", "127.0.0.1:0"]);
        if !self.args.iter().any(|arg| arg == "--public-url") {
            command.args(["--public-url", "http://sluice.test"]);
        }
        command.arg("--state").arg(self.state()).arg("--policy").arg(self.policy());
        command.arg("--notices").arg(self.notices());
        if let Some((database, keys)) = &self.shared {
            command.env("SLUICE_DATABASE", database).arg("--shared-keys").arg(keys);
        }
        command.args(&self.args);
        command
    }

    pub fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    pub fn policy(&self) -> PathBuf {
        self.dir.path().join("policy")
    }

    /// URLs and secrets of channels; not there until a test makes it.
    pub fn notices(&self) -> PathBuf {
        self.dir.path().join("notices")
    }

    /// The keys that replicas share.
    pub fn keys(&self) -> &Path {
        self.shared.as_ref().map_or(Path::new(""), |(_, keys)| keys)
    }

    fn log_file(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// The running process.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// SIGTERM; how it ended.
    pub async fn terminate(&mut self) -> Option<i32> {
        let mut child = self.child.take().unwrap();
        Command::new("kill").arg(child.id().to_string()).status().unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "it did not end");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A token of a person in these groups, given with commas between.
    pub fn token(&self, subject: &str, groups: &str) -> String {
        let out = sluice()
            .args(["token", "mint", "--subject", subject])
            .args(groups.split(',').flat_map(|group| ["--group", group]))
            .arg("--state")
            .arg(self.state())
            .args(self.shared.iter().flat_map(|(_, keys)| ["--shared-keys".as_ref(), keys.as_os_str()]))
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    }

    /// Runs the command line as a person.
    pub fn cli(&self, token: &str, args: &[&str]) -> Output {
        sluice().args(args).env("SLUICE_URL", &self.url).env("SLUICE_TOKEN", token).output().unwrap()
    }

    pub fn data_token(&self) -> String {
        let place = self.shared.as_ref().map_or_else(|| self.state(), |(_, keys)| keys.clone());
        fs::read_to_string(place.join("data.token")).unwrap().trim().to_owned()
    }

    pub async fn call(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Option<&Value>,
    ) -> (StatusCode, Value) {
        let url = format!("{}{path}", self.url);
        let body = body.map(ToString::to_string);
        let timeout = Duration::from_secs(30);
        let call = Call { method, url: &url, token: Some(token), body, timeout, limit: 1 << 26 };
        match self.client.call(call).await {
            Ok(answer) => (answer.status, serde_json::from_slice(&answer.body).unwrap_or(Value::Null)),
            Err(error) => (StatusCode::IM_A_TEAPOT, json!({"error": error.to_string()})),
        }
    }

    /// A form, as somebody without credentials sends it; or JSON.
    pub async fn post(&self, path: &str, kind: &str, body: &str) -> (StatusCode, Value) {
        let request = axum::http::Request::post(format!("{}{path}", self.url)).header("content-type", kind);
        let request = request.body(http_body_util::Full::<axum::body::Bytes>::from(body.to_owned())).unwrap();
        let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new());
        let answer = client.build_http().request(request).await.unwrap();
        let status = answer.status();
        let body = http_body_util::BodyExt::collect(answer.into_body()).await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    /// As a filter.
    pub async fn filter(&self, method: Method, path: &str, body: Option<&Value>) -> (StatusCode, Value) {
        self.call(method, path, &self.data_token(), body).await
    }

    pub async fn ready(&self) -> Value {
        self.call(Method::GET, "/readyz", "", None).await.1
    }

    /// The bundle in force, opened.
    pub async fn bundle(&self) -> Value {
        let (status, signed) = self.filter(Method::GET, "/v1/bundle", None).await;
        assert_eq!(status, 200, "{signed}");
        serde_json::from_str(signed["payload"].as_str().unwrap()).unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Writes a policy the way a ConfigMap mount does: a new directory, and one rename of the link to it.
pub fn swap(mount: &Path, generation: u32, policy: &str) {
    let name = format!("..gen{generation}");
    fs::create_dir(mount.join(&name)).unwrap();
    fs::write(mount.join(&name).join("policy.yaml"), policy).unwrap();
    std::os::unix::fs::symlink(&name, mount.join("..data_tmp")).unwrap();
    fs::rename(mount.join("..data_tmp"), mount.join("..data")).unwrap();
    if !mount.join("policy.yaml").exists() {
        std::os::unix::fs::symlink("..data/policy.yaml", mount.join("policy.yaml")).unwrap();
    }
}

pub fn ask(key: &str, exchange: &str) -> Value {
    json!({"hold": {
        "key": key, "thread": format!("thread of {key}"), "exchange": exchange, "rule": "writes", "message": "writes need approval",
        "who": {"issuer": "own", "subject": "ana", "groups": ["writers"]}, "session": "s1", "part": "toolCall",
        "tool": "Bash", "preview": "{\"command\":\"psql -c 'INSERT'\"}", "effects": ["write: INSERT"],
        "approvers": ["approvers"], "reason": true, "expiresSeconds": 600, "policyVersion": "p",
    }})
}

pub fn record(exchange: &str, session: &str, stage: &str) -> Value {
    json!({
        "exchange": exchange, "stage": stage, "atMs": 1_795_000_000_000_u64, "node": "n", "session": session,
        "route": "messages.create", "policyVersion": "p",
        "principal": {"issuer": "own", "subject": "ana", "groups": ["writers"]},
    })
}
