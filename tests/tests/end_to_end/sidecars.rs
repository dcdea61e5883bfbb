//! How control knows a sidecar: by a certificate of its own, or by its projected token.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};
use serde_json::json;
use sluice_tests::issuer::{Issuer, now};
use sluice_tests::prompt::Prompt;
use sluice_tests::stack::{ControlTls, DEFAULT_POLICY, Policy, Settings, Stack, StackError, sidecar_token};
use tempfile::TempDir;

/// An authority, and what it has issued, as files.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "an authority of the test");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn write(&self, file: PathBuf) -> PathBuf {
        std::fs::write(&file, self.0.pem()).unwrap();
        file
    }

    fn issue(&self, directory: &Path, dns: &[&str], uri: Option<&str>) -> (PathBuf, PathBuf) {
        let names: Vec<_> = dns.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        // Envoy takes a certificate whose subject is its issuer's for one that signs itself.
        params.distinguished_name.push(DnType::CommonName, "a certificate of the test");
        params.subject_alt_names.extend(uri.map(|uri| SanType::URI(uri.try_into().unwrap())));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let place =
            |what: &str| directory.join(format!("{}.{what}", dns.first().copied().unwrap_or("sidecar")));
        std::fs::write(place("crt"), certificate.pem()).unwrap();
        std::fs::write(place("key"), key.serialize_pem()).unwrap();
        (place("crt"), place("key"))
    }
}

/// A stack whose Envoy shows a certificate with this SPIFFE id.
async fn stack(directory: &Path, id: &str) -> Result<Stack, StackError> {
    let authority = Authority::new();
    let ca = authority.write(directory.join("ca.crt"));
    let (certificate, key) = authority.issue(directory, &["localhost"], None);
    let own = authority.issue(directory, &[], Some(id));
    let named = "access:\n  sidecars: { certificates: ['spiffe://cluster.test/ns/*/sa/agent'] }";
    let policy = DEFAULT_POLICY.replace("\naccess:", &format!("\n{named}"));
    assert_ne!(policy, DEFAULT_POLICY);
    let text = |path: &Path| path.display().to_string();
    let (certificate, key) = (text(&certificate), text(&key));
    let serve = ["--tls-cert", &certificate, "--tls-key", &key, "--client-ca", &text(&ca)];
    Stack::start(Settings {
        policy: Policy::Text(policy),
        serve: serve.map(str::to_owned).to_vec(),
        control_tls: Some(ControlTls { authority: ca, own: Some(own) }),
        ..Settings::default()
    })
    .await
}

/// An exchange passes, and its record reaches control.
async fn works(stack: &Stack, mark: &str) {
    let token = stack.token(mark, &["readers"]).unwrap();
    let reply = Prompt::new("hello").ask(&stack.url, &token).send().await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    let mut sessions = String::new();
    for _ in 0..100 {
        sessions = stack.control().unwrap().sluice(&["sessions", "ls"]).unwrap();
        if sessions.contains(mark) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("nothing was recorded: {sessions}");
}

#[tokio::test]
async fn envoy_gets_its_bundle_and_records_by_its_certificate() {
    let directory = TempDir::new().unwrap();
    let stack = stack(directory.path(), "spiffe://cluster.test/ns/shop/sa/agent").await.unwrap();
    works(&stack, "mutual-tls").await;
}

/// The address of a cluster's own issuer, whose keys stand in the policy.
const CLUSTER: &str = "https://kubernetes.default.svc";

fn service_account(issuer: &Issuer, name: &str) -> String {
    let claims = json!({
        "iss": CLUSTER, "aud": ["sluice-control"], "sub": format!("system:serviceaccount:shop:{name}"),
        "iat": now(), "exp": now() + 3600,
    });
    issuer.sign(&claims)
}

/// Writes a token as the kubelet does: a new directory, and one rename of the link to it.
fn project(volume: &Path, generation: u32, token: &str) {
    let name = format!("..gen{generation}");
    std::fs::create_dir_all(volume.join(&name)).unwrap();
    std::fs::write(volume.join(&name).join("token"), token).unwrap();
    std::os::unix::fs::symlink(&name, volume.join("..data_tmp")).unwrap();
    std::fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
    if !volume.join("token").exists() {
        std::os::unix::fs::symlink("..data/token", volume.join("token")).unwrap();
    }
}

#[tokio::test]
async fn envoy_shows_its_projected_token_which_rotates() {
    let issuer = Issuer::new("cluster", 9);
    let volume = TempDir::new().unwrap();
    project(volume.path(), 1, &service_account(&issuer, "agent"));
    let secret = volume.path().join("secret.yaml");
    std::fs::write(&secret, sidecar_token(&volume.path().join("token")).unwrap()).unwrap();
    let cluster = json!({
        "name": "cluster", "issuer": CLUSTER, "audiences": ["sluice-control"], "keys": {"jwks": issuer.jwks()},
    });
    let named = "access:\n  sidecars: { issuer: cluster, subjects: ['system:serviceaccount:*:agent'] }";
    let policy = DEFAULT_POLICY
        .replace("\nissuers:\n", &format!("\nissuers:\n- {cluster}\n"))
        .replace("\naccess:", &format!("\n{named}"));
    let settings = Settings {
        policy: Policy::Text(policy),
        control_token: Some(secret),
        workers: 1,
        ..Settings::default()
    };
    let stack = Stack::start(settings).await.unwrap();
    works(&stack, "projected").await;

    // A token of somebody else's: from now on control gets no record, and nothing goes to the model.
    let ask = async || {
        let token = stack.token("rotated", &["readers"]).unwrap();
        Prompt::new("hello").ask(&stack.url, &token).send().await.unwrap().status
    };
    for (generation, name, status) in [(2, "web", 503), (3, "agent", 200)] {
        project(volume.path(), generation, &service_account(&issuer, name));
        let mut last = 0;
        for _ in 0..100 {
            last = ask().await;
            if last == status {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(last, status, "{name}");
    }
}
