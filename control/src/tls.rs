//! TLS of the service's own: its certificate, and those that sidecars show.
//!
//! The files are read again when they change, as those of cert-manager and of mounted secrets do; what cannot be used
//! leaves the last good ones in force. Connections that are open keep what they began with.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(5);

/// How long a client may take to shake hands.
const PATIENCE: Duration = Duration::from_secs(10);

/// The largest file of certificates, in bytes.
const LARGEST: u64 = 1 << 20;

/// Where certificates and the key are, as PEM.
#[derive(Debug, Clone)]
pub struct Files {
    /// The service's certificate, and those between it and a root.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Who issues the certificates of sidecars. Absent: nobody is asked for one.
    pub client_ca: Option<PathBuf>,
}

impl Files {
    /// What is in them now, and a digest of it.
    fn read(&self) -> Result<(Contents, [u8; 32]), String> {
        let contents = Contents {
            certificate: read(&self.certificate)?,
            key: zeroize::Zeroizing::new(read(&self.key)?),
            client_ca: self.client_ca.as_deref().map(read).transpose()?,
        };
        let mut digest = Sha256::new();
        for part in
            [&contents.certificate, &*contents.key, contents.client_ca.as_ref().unwrap_or(&Vec::new())]
        {
            digest.update(Sha256::digest(part));
        }
        Ok((contents, digest.finalize().into()))
    }

    fn describe(&self, what: &str, file: &Path, why: &dyn std::fmt::Display) -> String {
        format!("{what} in {} cannot be used: {why}", file.display())
    }

    fn config(&self, contents: &Contents) -> Result<ServerConfig, String> {
        let chain = certificates(&contents.certificate)
            .map_err(|why| self.describe("the certificate", &self.certificate, &why))?;
        let key = PrivateKeyDer::from_pem_slice(&contents.key)
            .map_err(|why| self.describe("the private key", &self.key, &why))?;
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|why| why.to_string())?;
        let builder = match (&self.client_ca, &contents.client_ca) {
            (Some(file), Some(pem)) => {
                let wrong =
                    |why: &dyn std::fmt::Display| self.describe("the certificate authority", file, why);
                let mut roots = rustls::RootCertStore::empty();
                for root in certificates(pem).map_err(|why| wrong(&why))? {
                    roots.add(root).map_err(|why| wrong(&why))?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                // People come without a certificate; who must show one is said where sidecars are let in.
                let verifier = verifier.allow_unauthenticated().build().map_err(|why| wrong(&why))?;
                builder.with_client_cert_verifier(verifier)
            }
            _ => builder.with_no_client_auth(),
        };
        let mut config = builder
            .with_single_cert(chain, key)
            .map_err(|why| self.describe("the certificate and key", &self.certificate, &why))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

struct Contents {
    certificate: Vec<u8>,
    key: zeroize::Zeroizing<Vec<u8>>,
    client_ca: Option<Vec<u8>>,
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    let read = std::fs::File::open(file).and_then(|file| file.take(LARGEST).read_to_end(&mut bytes));
    read.map_err(|why| format!("{}: {why}", file.display()))?;
    Ok(bytes)
}

/// The CA certificates in a file, as PEM.
///
/// # Errors
/// What is wrong with the file, in words.
pub fn roots(file: &Path) -> Result<rustls::RootCertStore, String> {
    let wrong = |why: &dyn std::fmt::Display| format!("{}: {why}", file.display());
    let mut roots = rustls::RootCertStore::empty();
    for root in certificates(&read(file)?).map_err(|why| wrong(&why))? {
        roots.add(root).map_err(|why| wrong(&why))?;
    }
    Ok(roots)
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let all = all.map_err(|why| why.to_string())?;
    if all.is_empty() { Err("there is no certificate in it".to_owned()) } else { Ok(all) }
}

/// What TLS is done with, as it changes.
pub struct Tls {
    config: watch::Receiver<Arc<ServerConfig>>,
}

impl Tls {
    /// Reads the files, and goes on looking at them for as long as the task runs that comes with it.
    ///
    /// # Errors
    /// What is wrong with the files, in words for whoever starts the service.
    pub fn open(files: Files) -> Result<(Self, impl Future<Output = ()> + Send), String> {
        let (contents, mut digest) = files.read()?;
        let (sender, config) = watch::channel(Arc::new(files.config(&contents)?));
        let watch = async move {
            loop {
                tokio::time::sleep(EVERY).await;
                let changed = match files.read() {
                    Ok((contents, now)) if now != digest => {
                        digest = now;
                        files.config(&contents)
                    }
                    Ok(_) => continue,
                    Err(why) => Err(why),
                };
                match changed {
                    Ok(config) => {
                        sender.send_replace(Arc::new(config));
                        tracing::info!(file = %files.certificate.display(), "certificates were read anew");
                    }
                    Err(why) => tracing::error!(why, "the last good certificates stay in force"),
                }
            }
        };
        Ok((Self { config }, watch))
    }
}

/// Who is at the other end of a connection, as its certificate says.
#[derive(Debug, Clone, Default)]
pub struct Peer {
    /// The URIs and DNS names among the subject alternative names of a certificate that was verified; without one none.
    pub names: Arc<[String]>,
}

impl Peer {
    fn of(stream: &TlsStream<TcpStream>) -> Self {
        let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let Some(certificate) = certificate.and_then(|der| webpki::EndEntityCert::try_from(der).ok()) else {
            return Self::default();
        };
        let dns = certificate.valid_dns_names().map(str::to_ascii_lowercase);
        Self { names: certificate.valid_uri_names().map(str::to_owned).chain(dns).collect() }
    }
}

impl Tls {
    /// Shakes hands, with what is in force now; a client that cannot, or takes too long, is named in the log.
    pub fn accept(
        &self,
        stream: TcpStream,
    ) -> impl Future<Output = Option<(TlsStream<TcpStream>, Peer)>> + use<> {
        let acceptor = TlsAcceptor::from(Arc::clone(&self.config.borrow()));
        async move {
            match tokio::time::timeout(PATIENCE, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => {
                    let peer = Peer::of(&stream);
                    Some((stream, peer))
                }
                Ok(Err(error)) => {
                    tracing::debug!(%error, "a client did not speak TLS with us");
                    None
                }
                Err(_) => {
                    tracing::debug!("a client took too long to begin");
                    None
                }
            }
        }
    }
}
