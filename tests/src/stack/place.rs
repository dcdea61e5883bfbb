//! Where the built parts are.

use std::path::{Path, PathBuf};

use super::StackError;

/// The repository.
pub fn repository() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_owned()
}

/// The folder in which this build's programs are (`target/debug`, `target/release`).
fn programs() -> Result<PathBuf, StackError> {
    let missing = || StackError::Missing {
        what: "the folder of built programs".to_owned(),
        remedy: "run it by cargo or make".to_owned(),
    };
    let this = std::env::current_exe().map_err(|_| missing())?;
    let folder = this.parent().ok_or_else(missing)?;
    // Tests run from `deps` below it.
    let folder = if folder.ends_with("deps") { folder.parent().ok_or_else(missing)? } else { folder };
    Ok(folder.to_owned())
}

/// A program of this workspace, built in the same way as the one that runs.
///
/// # Errors
/// [`StackError::Missing`] with the command that builds it.
pub fn built(name: &str) -> Result<PathBuf, StackError> {
    let folder = programs()?;
    let package = if name == "sluice" { "sluice-control" } else { "sluice-tests" };
    let release = if folder.ends_with("release") { " --release" } else { "" };
    existing(folder.join(name), &format!("cargo build{release} -p {package}"))
}

/// The control binary: `SLUICE`, or the one of this build.
///
/// # Errors
/// [`StackError::Missing`] with the command that builds it.
pub fn sluice() -> Result<PathBuf, StackError> {
    match std::env::var_os("SLUICE") {
        Some(path) => existing(path.into(), "let SLUICE name the control binary, or unset it"),
        None => built("sluice"),
    }
}

/// The filter: `SLUICE_MODULE`, or the one of this build.
///
/// # Errors
/// [`StackError::Missing`] with the command that builds it.
pub fn module() -> Result<PathBuf, StackError> {
    if let Some(path) = std::env::var_os("SLUICE_MODULE") {
        return existing(path.into(), "let SLUICE_MODULE name the filter's wasm file, or unset it");
    }
    let target = programs()?.parent().map(Path::to_owned).unwrap_or_default();
    existing(target.join("wasm32-wasip1/wasm/sluice_filter.wasm"), "make wasm")
}

/// Envoy: `ENVOY`, or the one of the repository's virtual environment.
///
/// # Errors
/// [`StackError::Missing`] with the command that sets it up.
pub fn envoy() -> Result<PathBuf, StackError> {
    match std::env::var_os("ENVOY").filter(|path| !path.is_empty()) {
        Some(path) => existing(path.into(), "let ENVOY name an Envoy binary, or unset it"),
        None => existing(repository().join(".venv/bin/envoy"), "make envoy"),
    }
}

/// The certificates that this machine trusts; `SSL_CERT_FILE`, or where the common systems keep them.
///
/// # Errors
/// [`StackError::Missing`] when none of the known places has them.
pub fn certificates() -> Result<PathBuf, StackError> {
    const PLACES: [&str; 4] = [
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/cert.pem",
        "/etc/ssl/ca-bundle.pem",
    ];
    let named = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let found = named.into_iter().chain(PLACES.map(PathBuf::from)).find(|path| path.is_file());
    found.ok_or_else(|| StackError::Missing {
        what: "a file of trusted certificates".to_owned(),
        remedy: "install ca-certificates, or let SSL_CERT_FILE name such a file".to_owned(),
    })
}

fn existing(path: PathBuf, remedy: &str) -> Result<PathBuf, StackError> {
    if path.is_file() {
        return Ok(path);
    }
    Err(StackError::Missing { what: path.display().to_string(), remedy: remedy.to_owned() })
}
