//! Checkpoints in a ConfigMap. The API server here is ours: it does what Kubernetes documents of reading and patching one
//! (Bearer token, resourceVersion, RFC 7396, `Status`), over TLS with a CA of its own.

use std::collections::BTreeMap;
use std::fs;
use std::process::Output;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::IntoResponse;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};
use sluice_control::http::listener;
use sluice_control::tls::{Files, Tls};
use sqlx::{Connection as _, SqliteConnection};
use tempfile::TempDir;

use super::harness::{Service, record, sluice};

const PATH: &str = "/api/v1/namespaces/audit/configmaps/checkpoints";

/// What the API server has, and whom it knows.
#[derive(Default)]
struct Cluster {
    token: String,
    version: u64,
    data: BTreeMap<String, String>,
    /// So often somebody else writes between our reading and our writing.
    meddling: u32,
    patches: u32,
    refused: u32,
}

type Shared = Arc<Mutex<Cluster>>;

fn status(code: StatusCode, message: &str) -> (StatusCode, String) {
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code.as_u16()});
    (code, status.to_string())
}

fn object(cluster: &Cluster) -> (StatusCode, String) {
    let mut object = json!({
        "kind": "ConfigMap", "apiVersion": "v1",
        "metadata": {"name": "checkpoints", "namespace": "audit", "resourceVersion": cluster.version.to_string()},
    });
    // One that is empty has no `data`.
    if !cluster.data.is_empty() {
        object["data"] = json!(cluster.data);
    }
    (StatusCode::OK, object.to_string())
}

fn answer(
    cluster: &mut Cluster,
    method: &Method,
    path: &str,
    headers: &HeaderMap,
    body: &Bytes,
) -> (StatusCode, String) {
    if headers.get("authorization").is_none_or(|own| *own != *format!("Bearer {}", cluster.token)) {
        cluster.refused += 1;
        return status(StatusCode::UNAUTHORIZED, "Unauthorized");
    }
    if path != PATH {
        return status(StatusCode::NOT_FOUND, "configmaps \"other\" not found");
    }
    match *method {
        Method::GET => {
            let found = object(cluster);
            if cluster.meddling > 0 {
                cluster.meddling -= 1;
                cluster.version += 1;
            }
            found
        }
        Method::PATCH if headers["content-type"] != "application/merge-patch+json" => {
            status(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body of the request was in an unknown format")
        }
        Method::PATCH => {
            let patch: Value = serde_json::from_slice(body).unwrap();
            if patch["metadata"]["resourceVersion"].as_str() != Some(&cluster.version.to_string()) {
                return status(StatusCode::CONFLICT, "the object has been modified");
            }
            for (key, value) in patch["data"].as_object().unwrap() {
                cluster.data.insert(key.clone(), value.as_str().unwrap().to_owned());
            }
            cluster.version += 1;
            cluster.patches += 1;
            object(cluster)
        }
        _ => status(
            StatusCode::METHOD_NOT_ALLOWED,
            "the server does not allow this method on the requested resource",
        ),
    }
}

/// A cluster, and the files that a pod of it finds.
struct World {
    cluster: Shared,
    url: String,
    account: TempDir,
}

impl World {
    async fn new() -> Self {
        let account = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let leaf =
            CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
        let file = |name: &str, text: &str| {
            let path = account.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        file("ca.crt", &ca.pem());
        file("namespace", "audit");
        file("token", "first");
        let files = Files {
            certificate: file("s.crt", &leaf.pem()),
            key: file("s.key", &key.serialize_pem()),
            client_ca: None,
        };
        let (tls, watching) = Tls::open(files).unwrap();
        tokio::spawn(watching);
        let cluster = Shared::default();
        cluster.lock().unwrap().token = "first".into();
        let own = Arc::clone(&cluster);
        let app =
            Router::new().fallback(async move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
                answer(&mut own.lock().unwrap(), &method, uri.path(), &headers, &body).into_response()
            });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        tokio::spawn(listener::serve(listener, Some(tls), app, std::future::pending()));
        Self { cluster, url, account }
    }

    async fn service(&self, name: &str) -> Service {
        Service::start_set(vec![
            ("SLUICE_CHECKPOINT_CONFIG_MAP", name.to_owned()),
            ("SLUICE_KUBERNETES_URL", self.url.clone()),
            ("SLUICE_SERVICE_ACCOUNT", self.account.path().display().to_string()),
            ("SLUICE_CHECKPOINT_EVERY", "1s".to_owned()),
        ])
        .await
    }

    fn data(&self) -> BTreeMap<String, String> {
        self.cluster.lock().unwrap().data.clone()
    }

    /// Until the one checkpoint there is of this entry.
    async fn has(&self, seq: u64) -> String {
        let mark = format!("\n{seq}\n");
        until(&format!("no checkpoint of entry {seq}"), || {
            self.data().into_values().find(|note| note.contains(&mark))
        })
        .await
    }
}

async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn says(service: &Service, text: &str) {
    until(&format!("the log does not say: {text}"), || service.log().contains(text).then_some(())).await;
}

async fn write(service: &Service, exchange: &str) {
    let body = json!({"record": record(exchange, "s1", "open")});
    let (status, said) = service.filter(Method::POST, "/v1/exchanges", Some(&body)).await;
    assert_eq!(status, 200, "{said}");
}

fn verify(service: &Service, notes: &str) -> Output {
    let file = service.dir.path().join("notes");
    fs::write(&file, notes).unwrap();
    sluice()
        .args(["records", "verify", "--checkpoints"])
        .arg(&file)
        .arg("--state")
        .arg(service.state())
        .output()
        .unwrap()
}

#[tokio::test]
async fn the_last_checkpoint_moves_forward_also_when_others_write_and_tokens_change() {
    let world = World::new().await;
    world.cluster.lock().unwrap().data.insert("of-others".into(), "stays".into());
    let service = world.service("checkpoints").await;
    // The log's first entry is the policy in force.
    world.has(1).await;
    world.cluster.lock().unwrap().meddling = 2;
    write(&service, "e1").await;
    world.has(2).await;
    // The token is replaced, as the kubelet does.
    world.cluster.lock().unwrap().token = "second".into();
    write(&service, "e2").await;
    says(&service, "the service account's token was not accepted").await;
    fs::write(world.account.path().join("token"), "second\n").unwrap();
    let note = world.has(3).await;
    assert_eq!(world.data()["of-others"], "stays");
    assert_eq!(world.data().len(), 2, "one key for each replica: {:?}", world.data());
    let patches = world.cluster.lock().unwrap().patches;
    let out = verify(&service, &note);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stdout));
    assert!(patches >= 3 && world.cluster.lock().unwrap().refused > 0);
    assert!(!service.log().contains("second"), "a token is not for the log");
}

#[tokio::test]
async fn a_checkpoint_ahead_of_the_log_is_evidence_and_stays() {
    let world = World::new().await;
    let mut service = world.service("audit/checkpoints").await;
    for n in 0..4 {
        write(&service, &format!("e{n}")).await;
    }
    let note = world.has(5).await;
    service.kill();
    // Somebody cuts the log off, with an older signed head in place.
    let url = format!("sqlite://{}", service.state().join("sluice.db").display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    let cut = "DELETE FROM entries WHERE seq > 2;
               UPDATE heads SET seq = 2, hash = (SELECT hash FROM entries WHERE seq = 2),
                 signature = (SELECT signature FROM entries WHERE seq = 2)";
    sqlx::raw_sql(cut).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    service.run().await;
    says(&service, "THE END OF THE LOG WAS CUT OFF").await;
    // It goes on writing, past the place: what was kept is not written over then either.
    for n in 10..15 {
        write(&service, &format!("e{n}")).await;
    }
    says(&service, "THE LOG WAS REWRITTEN").await;
    assert_eq!(world.data().into_values().collect::<Vec<_>>(), [note.clone()]);
    assert_eq!(verify(&service, &note).status.code(), Some(1), "and it proves what happened");
}

#[tokio::test]
async fn what_others_have_written_in_its_place_is_left_and_a_config_map_that_is_not_there_is_named() {
    let world = World::new().await;
    let service = world.service("checkpoints").await;
    let note = world.has(1).await;
    let key = world.data().into_keys().next().unwrap();
    let forged = note.replace("\n1\n", "\n0\n");
    world.cluster.lock().unwrap().data.insert(key.clone(), forged.clone());
    write(&service, "e1").await;
    says(&service, "somebody has changed it").await;
    assert_eq!(world.data()[&key], forged);
    world.cluster.lock().unwrap().data.remove(&key);
    world.has(2).await;
    let other = world.service("other").await;
    says(&other, "make it: the service only writes to one that is there").await;
    let named = sluice()
        .args(["serve", "--policy", "nowhere", "--checkpoint-config-map", "../secrets/x"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&named.stderr).into_owned();
    assert!(named.status.code() == Some(2) && said.contains("NAMESPACE/NAME"), "{said}");
}
