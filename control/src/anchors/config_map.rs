//! A Kubernetes ConfigMap with the last checkpoint of each replica, written over the API server's own REST interface.
//!
//! What stands there is only ever moved forward: it is read first, and one that is not part of the log as it is now is left
//! alone. It is the evidence. Between reading and writing nobody else gets in, since the patch names the version that was
//! read (`resourceVersion`).

use std::path::PathBuf;
use std::time::Duration;

use axum::http::{Method, Request, StatusCode, header};
use ed25519_dalek::VerifyingKey;
use serde_json::{Value, json};
use sluice_engine::record::checkpoint::Checkpoint;
use zeroize::Zeroizing;

use crate::client::{Answer, Client};
use crate::store::{Store, Which};

/// Where a pod finds its own token (`token`), the API server's CA (`ca.crt`) and its namespace (`namespace`).
pub const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// How long the API server may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How large its answer may be: a ConfigMap has at most 1 MiB, which JSON writes longer.
const LIMIT: usize = 8 << 20;

/// How often it is tried when others write at the same time.
const TRIES: usize = 5;

/// A ConfigMap.
#[derive(Debug, Clone)]
pub struct ConfigMap {
    /// Its namespace; absent: the pod's own.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// The API server's URL; absent: as pods are told (`KUBERNETES_SERVICE_HOST`).
    pub server: Option<String>,
    /// Where the pod's token, CA and namespace are, which are read each time.
    pub account: PathBuf,
}

/// Why a checkpoint was not kept.
#[derive(Debug, PartialEq, Eq)]
pub enum NotKept {
    /// It could not be written now.
    Failed(String),
    /// What stands there says that the log was changed.
    Contradicted(String),
}

impl ConfigMap {
    /// Reads `NAME` or `NAMESPACE/NAME`; `None` where it is neither.
    pub fn parse(text: &str, server: Option<String>, account: PathBuf) -> Option<Self> {
        let (namespace, name) = match text.split_once('/') {
            Some((namespace, name)) => (Some(namespace), name),
            None => (None, text),
        };
        let named = |name: &str| {
            let letter = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
            !name.is_empty() && name.len() <= 253 && name.bytes().all(letter) && !name.starts_with('.')
        };
        let good = named(name) && namespace.is_none_or(named);
        let server = server.map(|server| server.trim_end_matches('/').to_owned());
        good.then(|| Self { namespace: namespace.map(str::to_owned), name: name.to_owned(), server, account })
    }

    /// Keeps a checkpoint with its note, unless what stands there contradicts it. `key`: of the writer.
    pub async fn keep(
        &self,
        store: &dyn Store,
        at: &Checkpoint,
        note: &str,
        key: &VerifyingKey,
    ) -> Result<(), NotKept> {
        let api = self.api().await.map_err(NotKept::Failed)?;
        let field = format!("checkpoint-{}", at.writer);
        for _ in 0..TRIES {
            let found = api.get().await.map_err(NotKept::Failed)?;
            if let Some(kept) = found.pointer(&format!("/data/{field}")).and_then(Value::as_str) {
                let kept = Checkpoint::open(kept, key).map_err(|why| {
                    NotKept::Contradicted(format!(
                        "`{field}` there is not what this service has written ({why}): somebody has changed it. Find out \
                         who; once it is removed, the next checkpoint is written"
                    ))
                })?;
                if is_part(store, &kept, at).await? {
                    return Ok(());
                }
            }
            let version = found.pointer("/metadata/resourceVersion").and_then(Value::as_str);
            let patch = json!({"metadata": {"resourceVersion": version}, "data": {field.as_str(): note}});
            if api.patch(&patch).await.map_err(NotKept::Failed)? {
                return Ok(());
            }
        }
        Err(NotKept::Failed(format!("others wrote to it {TRIES} times at the same time")))
    }

    async fn api(&self) -> Result<Api, String> {
        let own = self.clone();
        let read = tokio::task::spawn_blocking(move || own.read()).await;
        read.map_err(|_| "the service is ending".to_owned())?
    }

    /// What the pod's files say now: tokens end, and are replaced.
    fn read(&self) -> Result<Api, String> {
        let text = |name: &str| {
            let path = self.account.join(name);
            let text = std::fs::read_to_string(&path).map(Zeroizing::new);
            text.map_err(|why| format!("{}: {why}", path.display()))
        };
        let server = match &self.server {
            Some(server) => server.clone(),
            None => in_cluster()?,
        };
        let namespace = match &self.namespace {
            Some(namespace) => namespace.clone(),
            None => text("namespace")?.trim().to_owned(),
        };
        let ca = self.account.join("ca.crt");
        let client = if server.starts_with("https://") { Client::trusting(&ca)? } else { Client::new() };
        Ok(Api {
            url: format!("{server}/api/v1/namespaces/{namespace}/configmaps/{}", self.name),
            token: Zeroizing::new(text("token")?.trim().to_owned()),
            client,
        })
    }
}

/// The API server as pods are told of it.
fn in_cluster() -> Result<String, String> {
    let told = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let host = told("KUBERNETES_SERVICE_HOST").ok_or(
        "this is no pod of Kubernetes (there is no KUBERNETES_SERVICE_HOST); name its API server with --kubernetes-url",
    )?;
    let port = told("KUBERNETES_SERVICE_PORT_HTTPS").unwrap_or_else(|| "443".to_owned());
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    Ok(format!("https://{host}:{port}"))
}

/// Whether the kept checkpoint is this very one. One that is behind it must be part of the log as it is now.
async fn is_part(store: &dyn Store, kept: &Checkpoint, at: &Checkpoint) -> Result<bool, NotKept> {
    let contradicted = |what: String| {
        Err(NotKept::Contradicted(format!(
            "{what}. The checkpoint there is left as it is, and proves it: `sluice records verify --checkpoints`"
        )))
    };
    if kept.seq > at.seq {
        return contradicted(format!(
            "the log ends at entry {}, and a checkpoint of entry {} was kept: THE END OF THE LOG WAS CUT OFF, or an older \
             database was put in its place",
            at.seq, kept.seq
        ));
    }
    let hash = if kept.seq == at.seq {
        Some(at.hash)
    } else {
        let which =
            Which { writer: Some(at.writer.clone()), after: below(kept.seq), limit: 1, ..Which::default() };
        let found = store.entries(which).await.map_err(|why| NotKept::Failed(why.to_string()))?;
        found.into_iter().find(|entry| entry.seq == kept.seq).map(|entry| entry.hash)
    };
    if hash != Some(kept.hash) {
        let seq = kept.seq;
        return contradicted(format!(
            "entry {seq} is not the one that a checkpoint was kept of: THE LOG WAS REWRITTEN"
        ));
    }
    Ok(kept.seq == at.seq)
}

/// The place before an entry.
fn below(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX).saturating_sub(1)
}

/// The API server, and who we are to it.
struct Api {
    url: String,
    token: Zeroizing<String>,
    client: Client,
}

impl Api {
    async fn get(&self) -> Result<Value, String> {
        let answer = self.send(Method::GET, "application/json", None).await?;
        if !answer.status.is_success() {
            return Err(Self::words(&answer, "get"));
        }
        serde_json::from_slice(&answer.body)
            .map_err(|why| format!("the API server's answer is no JSON: {why}"))
    }

    /// A JSON merge patch (RFC 7396). Says whether it was made; not, when the ConfigMap has changed since it was read.
    async fn patch(&self, patch: &Value) -> Result<bool, String> {
        let answer = self.send(Method::PATCH, "application/merge-patch+json", Some(patch)).await?;
        match answer.status {
            StatusCode::CONFLICT => Ok(false),
            status if status.is_success() => Ok(true),
            _ => Err(Self::words(&answer, "patch")),
        }
    }

    async fn send(&self, method: Method, kind: &str, body: Option<&Value>) -> Result<Answer, String> {
        let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let bearer = Zeroizing::new(format!("Bearer {}", self.token.as_str()));
        let request = Request::builder()
            .method(method)
            .uri(&self.url)
            .header(header::AUTHORIZATION, bearer.as_str())
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, kind)
            .body(body)
            .map_err(|why| format!("the API server cannot be called: {why}"))?;
        self.client.send(request, TIMEOUT, LIMIT).await.map_err(|why| why.to_string())
    }

    /// What the API server says, and what to do.
    fn words(answer: &Answer, verb: &str) -> String {
        let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let said = said.get("message").and_then(Value::as_str).unwrap_or_default();
        let advice = match answer.status {
            StatusCode::NOT_FOUND => "; make it: the service only writes to one that is there",
            StatusCode::FORBIDDEN => "; the service account needs the verbs get and patch on it",
            StatusCode::UNAUTHORIZED => "; the service account's token was not accepted",
            _ => "",
        };
        format!("the API server answered {} to {verb}: {said}{advice}", answer.status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_map_is_named_with_its_namespace_or_without_and_nothing_else_gets_into_the_path() {
        let parse = |text: &str| {
            let map = ConfigMap::parse(text, None, ACCOUNT.into())?;
            Some((map.namespace, map.name))
        };
        assert_eq!(parse("checkpoints"), Some((None, "checkpoints".into())));
        assert_eq!(parse("audit/checkpoints.v1"), Some((Some("audit".into()), "checkpoints.v1".into())));
        for bad in ["", "/", "a/", "/a", "a/b/c", "..", "a/..", "A", "a?x", "a%2fb", "a b"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
