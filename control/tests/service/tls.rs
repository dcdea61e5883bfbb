//! The service speaks TLS, and knows sidecars by their certificates.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioExecutor;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;

use super::harness::{POLICY, Service};

type Authority = CertifiedIssuer<'static, KeyPair>;

/// A certificate and its key.
struct Leaf {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

fn authority() -> Authority {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn leaf(authority: &Authority, dns: &[&str], uris: &[&str]) -> Leaf {
    let names: Vec<_> = dns.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.subject_alt_names.extend(uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap())));
    let key = KeyPair::generate().unwrap();
    Leaf { certificate: params.signed_by(&key, authority).unwrap(), key }
}

struct Secured {
    service: Service,
    files: TempDir,
    server: Authority,
    clients: Authority,
}

fn write(directory: &Path, leaf: &Leaf) -> (PathBuf, PathBuf) {
    let (certificate, key) = (directory.join("tls.crt"), directory.join("tls.key"));
    std::fs::write(&certificate, leaf.certificate.pem()).unwrap();
    std::fs::write(&key, leaf.key.serialize_pem()).unwrap();
    (certificate, key)
}

async fn secured(policy: &str) -> Secured {
    let files = tempfile::tempdir().unwrap();
    let (server, clients) = (authority(), authority());
    let (certificate, key) = write(files.path(), &leaf(&server, &["localhost"], &[]));
    let ca = files.path().join("ca.crt");
    std::fs::write(&ca, clients.pem()).unwrap();
    let args = ["--tls-cert", certificate.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
    let args = [&args[..], &["--client-ca", ca.to_str().unwrap()]].concat();
    let service = Service::start_as(policy, &args).await;
    Secured { service, files, server, clients }
}

/// Calls over TLS, perhaps with a certificate; what came of it.
async fn call(secured: &Secured, root: &Authority, own: Option<&Leaf>, token: &str) -> Result<u16, String> {
    let mut roots = RootCertStore::empty();
    roots.add(root.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots);
    let config = match own {
        None => config.with_no_client_auth(),
        Some(own) => {
            let key = PrivateKeyDer::try_from(own.key.serialize_der()).unwrap();
            config.with_client_auth_cert(vec![own.certificate.der().clone()], key).unwrap()
        }
    };
    let connector = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(config)
        .https_only()
        .enable_http1()
        .build();
    let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build(connector);
    let port = secured.service.url.rsplit(':').next().unwrap();
    let request = axum::http::Request::get(format!("https://localhost:{port}/v1/bundle"))
        .header("authorization", format!("Bearer {token}"))
        .body(Full::<Bytes>::default())
        .unwrap();
    let answer = client.request(request).await.map_err(|error| format!("{error:?}"))?;
    let status = answer.status().as_u16();
    answer.into_body().collect().await.map_err(|error| error.to_string())?;
    Ok(status)
}

#[tokio::test]
async fn sidecars_call_with_a_certificate_that_the_policy_names() {
    let named = "  sidecars: { certificates: ['spiffe://cluster.test/ns/*/sa/agent', agent.test] }\n";
    let secured = secured(&format!("{POLICY}{named}")).await;
    let of = |dns: &[&str], uris: &[&str]| leaf(&secured.clients, dns, uris);
    let foreign = leaf(&authority(), &["agent.test"], &[]);
    let refused = None;
    for (what, own, outcome) in [
        ("a SPIFFE id", Some(of(&[], &["spiffe://cluster.test/ns/shop/sa/agent"])), Some(200)),
        ("a DNS name", Some(of(&["agent.test"], &[])), Some(200)),
        ("a DNS name in capitals", Some(of(&["AGENT.test"], &[])), Some(200)),
        ("another id", Some(of(&[], &["spiffe://cluster.test/ns/shop/sa/web"])), Some(401)),
        ("another trust domain", Some(of(&[], &["spiffe://evil.test/ns/shop/sa/agent"])), Some(401)),
        ("no name", Some(of(&[], &[])), Some(401)),
        ("no certificate", None, Some(401)),
        ("a certificate of somebody else", Some(foreign), refused),
    ] {
        let token = secured.service.data_token();
        let got = call(&secured, &secured.server, own.as_ref(), &token).await;
        assert_eq!(got.clone().ok(), outcome, "{what}: {got:?}");
    }
    assert!(
        call(&secured, &secured.clients, None, "").await.is_err(),
        "the service shows its own certificate"
    );
}

#[tokio::test]
async fn without_named_sidecars_the_token_is_enough_and_a_certificate_is_not() {
    let secured = secured(POLICY).await;
    let own = leaf(&secured.clients, &["agent.test"], &[]);
    let token = secured.service.data_token();
    assert_eq!(call(&secured, &secured.server, None, &token).await, Ok(200));
    assert_eq!(call(&secured, &secured.server, Some(&own), "").await, Ok(401));
}

#[tokio::test]
async fn a_certificate_that_is_renewed_is_shown_without_a_restart_and_a_broken_one_is_not() {
    let secured = secured(POLICY).await;
    let token = secured.service.data_token();
    std::fs::write(secured.files.path().join("tls.crt"), "no certificate").unwrap();
    until(&secured, "the last good certificates stay in force").await;
    assert_eq!(call(&secured, &secured.server, None, &token).await, Ok(200));
    let renewed = authority();
    write(secured.files.path(), &leaf(&renewed, &["localhost"], &[]));
    until(&secured, "certificates were read anew").await;
    assert_eq!(call(&secured, &renewed, None, &token).await, Ok(200));
    assert!(call(&secured, &secured.server, None, &token).await.is_err());
}

async fn until(secured: &Secured, said: &str) {
    let start = Instant::now();
    while !secured.service.log().contains(said) {
        assert!(start.elapsed() < Duration::from_secs(30), "{}", secured.service.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_client_that_is_slow_to_begin_keeps_no_other_waiting() {
    let secured = secured(POLICY).await;
    let port = secured.service.url.rsplit(':').next().unwrap();
    let mut slow = Vec::new();
    for _ in 0..100 {
        slow.push(tokio::net::TcpStream::connect(format!("127.0.0.1:{port}")).await.unwrap());
    }
    let token = secured.service.data_token();
    let waited = tokio::time::timeout(Duration::from_secs(5), call(&secured, &secured.server, None, &token));
    assert_eq!(waited.await.unwrap(), Ok(200));
}
