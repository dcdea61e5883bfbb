//! Whether a pinned certificate signed a document, by the program `xmlsec1` (<https://www.aleksey.com/xmlsec/>).
//!
//! It is the standard implementation, in C, and so it gets a process of its own: no environment, bounded memory and time, the
//! document through a pipe, and nothing of it counts but whether it ended with 0. The key comes from a file that holds the
//! pinned certificate alone; of what a document may say of its key only a name is looked at, and [`Document`] has seen to it
//! that this is ours (CVE-2021-21239 is about those that left this open). References lead nowhere but into the document.

use std::ffi::OsStr;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;

use super::document::{Document, KEY, SAML};

/// Where Debian puts the program.
pub const PROGRAM: &str = "/usr/bin/xmlsec1";

/// How long the look at one assertion may take, with the wait for a place.
const PATIENCE: Duration = Duration::from_secs(5);

/// Programs at once. Strangers can send what must be looked at; each takes about 20 ms.
const AT_ONCE: usize = 2;

/// Memory of the program, in bytes; it needs some 40 MB, most of it libraries.
const MEMORY: u64 = 512 << 20;

/// Its time on a processor, in seconds: the end that it meets even if this process dies.
const PROCESSOR: u64 = 5;

/// Checks signatures.
pub struct Signatures {
    program: PathBuf,
    /// Where the certificate stands while it is used.
    scratch: PathBuf,
    patience: Duration,
    places: Semaphore,
}

/// Why it is not known that a document is signed.
#[derive(Debug, PartialEq, Eq)]
pub enum Unproved {
    /// None of the keys has signed it.
    Forged,
    /// Nobody can say now; why, for the log.
    Unable(String),
}

impl Signatures {
    /// By this program; files stand in a directory for the moment in which they are used.
    pub fn new(program: &Path, scratch: &Path) -> Self {
        Self::patient(program, scratch, PATIENCE)
    }

    fn patient(program: &Path, scratch: &Path, patience: Duration) -> Self {
        let (program, scratch) = (program.to_owned(), scratch.to_owned());
        Self { program, scratch, patience, places: Semaphore::new(AT_ONCE) }
    }

    /// Whether one of the certificates (PEM) signed the document.
    ///
    /// # Errors
    /// See [`Unproved`].
    pub async fn check(&self, document: &Document, certificates: &[String]) -> Result<(), Unproved> {
        match tokio::time::timeout(self.patience, self.try_each(document, certificates)).await {
            Ok(proved) => proved,
            Err(_) => Err(Unproved::Unable(format!(
                "{} did not end within {:?}, or was busy for so long",
                self.program.display(),
                self.patience
            ))),
        }
    }

    async fn try_each(&self, document: &Document, certificates: &[String]) -> Result<(), Unproved> {
        let unable = |why: &dyn std::fmt::Display| Unproved::Unable(why.to_string());
        let _place = self.places.acquire().await.map_err(|e| unable(&e))?;
        for certificate in certificates {
            let file = self.file_of(certificate).map_err(|e| unable(&e))?;
            if self.run(document, file.path()).await.map_err(|e| Unproved::Unable(self.words(&e)))? {
                return Ok(());
            }
        }
        Err(Unproved::Forged)
    }

    /// Only this user can read and write it; it is gone with the value.
    fn file_of(&self, certificate: &str) -> std::io::Result<NamedTempFile> {
        let mut file = tempfile::Builder::new().prefix("saml-").suffix(".pem").tempfile_in(&self.scratch)?;
        file.write_all(certificate.as_bytes())?;
        Ok(file)
    }

    /// Whether the program says that the key of this certificate signed the document.
    async fn run(&self, document: &Document, certificate: &Path) -> std::io::Result<bool> {
        let key = format!("--pubkey-cert-pem:{KEY}");
        let assertion = format!("{SAML}:Assertion");
        let arguments: [&OsStr; 10] = [
            "--verify".as_ref(),
            "--enabled-key-data".as_ref(),
            "key-name".as_ref(),
            "--enabled-reference-uris".as_ref(),
            "same-doc".as_ref(),
            key.as_ref(),
            certificate.as_os_str(),
            "--id-attr:ID".as_ref(),
            assertion.as_ref(),
            "-".as_ref(),
        ];
        let mut child = Command::new(&self.program)
            .args(arguments)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        // It has read nothing yet.
        bound(&child)?;
        if let Some(mut input) = child.stdin.take() {
            match input.write_all(document.text().as_bytes()).await {
                Ok(()) => drop(input),
                // It ended before it had read all; how, its status says.
                Err(e) if e.kind() == ErrorKind::BrokenPipe => {}
                Err(e) => return Err(e),
            }
        }
        let status = child.wait().await?;
        match status.code() {
            Some(0) => Ok(true),
            Some(_) => Ok(false),
            None => Err(std::io::Error::other(format!("it was ended by {status}"))),
        }
    }

    fn words(&self, error: &std::io::Error) -> String {
        let program = self.program.display();
        match error.kind() {
            ErrorKind::NotFound => {
                format!("{program} is not there: install Debian's xmlsec1, or name it with --xmlsec1")
            }
            _ => format!("{program}: {error}"),
        }
    }
}

/// Limits of the process (setrlimit(2)): it writes no file, starts nothing, and ends by itself.
fn bound(child: &Child) -> std::io::Result<()> {
    let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let Some(id) = id else { return Ok(()) };
    for (resource, most) in [
        (Resource::As, MEMORY),
        (Resource::Cpu, PROCESSOR),
        (Resource::Fsize, 0),
        (Resource::Core, 0),
        (Resource::Nofile, 32),
    ] {
        let limit = Rlimit { current: Some(most), maximum: Some(most) };
        match prlimit(Some(id), resource, limit) {
            // It has ended already.
            Ok(_) | Err(rustix::io::Errno::SRCH) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::super::tests::{RSA, assertion};
    use super::*;

    /// A program of another kind: a script.
    fn script(directory: &Path, text: &str) -> PathBuf {
        let path = directory.join("program");
        // Written by another process: a file that this one had open for writing could not be run while a thread forks.
        let write = r#"printf '#!/bin/sh\n%s\n' "$1" >"$2"; chmod 700 "$2""#;
        let status = std::process::Command::new("sh").args(["-c", write, "sh", text]).arg(&path).status();
        assert!(status.unwrap().success());
        path
    }

    async fn tried(program: &Path, scratch: &Path, patience: Duration) -> Result<(), Unproved> {
        let document = Document::take(assertion().as_bytes()).unwrap();
        Signatures::patient(program, scratch, patience)
            .check(&document, std::slice::from_ref(&RSA.certificate))
            .await
    }

    #[tokio::test]
    async fn a_program_that_is_away_slow_or_dies_proves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let here = directory.path();
        let long = Duration::from_secs(30);
        let missing = tried(&here.join("none"), here, long).await;
        assert!(
            matches!(&missing, Err(Unproved::Unable(why)) if why.contains("install Debian's xmlsec1")),
            "{missing:?}"
        );
        let died = tried(&script(here, "kill -9 $$"), here, long).await;
        assert!(matches!(died, Err(Unproved::Unable(_))), "{died:?}");

        let begun = Instant::now();
        let slow = tried(&script(here, "exec sleep 600"), here, Duration::from_millis(500)).await;
        assert!(matches!(&slow, Err(Unproved::Unable(why)) if why.contains("did not end")), "{slow:?}");
        assert!(begun.elapsed() < Duration::from_secs(300), "it was not waited for");
    }

    #[tokio::test]
    async fn it_gets_no_environment_one_key_and_the_document_and_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let program = script(
            directory.path(),
            r#"[ -z "$HOME$SLUICE_DATABASE$LD_PRELOAD" ] && [ "$PWD" = / ] || exit 3
            grep -q 'BEGIN CERTIFICATE' "$7" || exit 4
            grep -q '<KeyName>sluice</KeyName>' || exit 5"#,
        );
        assert_eq!(tried(&program, directory.path(), PATIENCE).await, Ok(()));
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "only the script");
        let no = script(directory.path(), "echo OK; echo OK >&2; exit 1");
        assert_eq!(tried(&no, directory.path(), PATIENCE).await, Err(Unproved::Forged), "words do not count");
    }
}
