//! Where channels' URLs and secrets come from: files of a mounted secret, read anew each time, so that a change counts at
//! once.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use axum::http::Uri;
use sluice_engine::policy::document::{Channel, Receiver};
use zeroize::Zeroizing;

use super::signature::webhook_key;

/// The largest file that is read.
const LARGEST: u64 = 8192;

/// The files of `sluice serve --notices`. What is said of them never repeats what is in them.
#[derive(Debug, Clone, Default)]
pub struct Channels(Option<PathBuf>);

impl Channels {
    /// The files of a directory; `None`: there are none.
    pub fn new(directory: Option<PathBuf>) -> Self {
        Self(directory)
    }

    /// `NAME.url`: https, or http on this machine.
    ///
    /// # Errors
    /// What is wrong with it, in words for the operator.
    pub async fn url(&self, name: &str) -> Result<Uri, String> {
        let lines = self.lines(name, "url").await?;
        let [url] = lines.as_slice() else { return Err(format!("`{name}.url` is not one line with a URL")) };
        safe_url(url).ok_or_else(|| {
            format!("`{name}.url` is not an https URL without user and password (http only on this machine)")
        })
    }

    /// `NAME.secret`: one a line, of which each counts, so that a secret can be changed without a gap.
    ///
    /// # Errors
    /// What is wrong with it, in words for the operator.
    pub async fn secrets(&self, name: &str) -> Result<Vec<Zeroizing<String>>, String> {
        let lines = self.lines(name, "secret").await?;
        if lines.is_empty() { Err(format!("`{name}.secret` is empty")) } else { Ok(lines) }
    }

    /// The keys of a webhook's secrets.
    ///
    /// # Errors
    /// What is wrong with them, in words for the operator.
    pub async fn keys(&self, name: &str) -> Result<Vec<Zeroizing<Vec<u8>>>, String> {
        let secrets = self.secrets(name).await?;
        let keys = secrets.iter().map(|secret| webhook_key(secret)).collect::<Result<_, _>>();
        keys.map_err(|form| format!("`{name}.secret` cannot sign: {form}"))
    }

    /// What keeps a channel from being told; `None`: nothing that can be seen from here.
    pub async fn fault(&self, channel: &Channel) -> Option<String> {
        let url = self.url(&channel.name).await.err();
        let secret = match channel.to {
            Receiver::Webhook => self.keys(&channel.name).await.err(),
            // A Slack channel without a secret has no buttons, and works; one that cannot be read is a mistake.
            Receiver::Slack if self.has(&channel.name, "secret") => self.secrets(&channel.name).await.err(),
            Receiver::Slack | Receiver::Teams => None,
        };
        url.or(secret)
    }

    fn has(&self, name: &str, kind: &str) -> bool {
        self.0.as_ref().is_some_and(|directory| directory.join(format!("{name}.{kind}")).exists())
    }

    /// The lines of a file that say something.
    async fn lines(&self, name: &str, kind: &str) -> Result<Vec<Zeroizing<String>>, String> {
        let directory = self.0.as_ref().ok_or(
            "`sluice serve` was started without `--notices DIR`, the directory with URLs and secrets of channels",
        )?;
        let file = format!("{name}.{kind}");
        let path = directory.join(&file);
        // A slow mount must not hold up others.
        let read = tokio::task::spawn_blocking(move || read(&path)).await;
        let text = read.map_err(|_| "the service is ending".to_owned())?;
        let text = text.map_err(|error| format!("`{file}` in the directory of `--notices`: {error}"))?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        Ok(lines.map(|line| Zeroizing::new(line.to_owned())).collect())
    }
}

fn read(path: &Path) -> std::io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    File::open(path)?.take(LARGEST).read_to_string(&mut text)?;
    Ok(text)
}

/// A URL that may be called: https, or http where nobody stands between; without a user, which would hide the host.
fn safe_url(url: &str) -> Option<Uri> {
    let uri: Uri = url.parse().ok()?;
    let authority = uri.authority()?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let here =
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    let safe = uri.scheme_str() == Some("https") || uri.scheme_str() == Some("http") && here;
    (safe && !host.is_empty() && !authority.as_str().contains('@')).then_some(uri)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn channel(to: Receiver) -> Channel {
        Channel { name: "soc".into(), to, on: vec![], groups: vec![] }
    }

    #[test]
    fn only_https_leaves_the_machine() {
        for url in [
            "https://hooks.slack.com/services/T/B/x",
            "https://example.com:8443/a?b=c",
            "http://127.0.0.1:9/x",
            "http://localhost/x",
            "http://[::1]:9/x",
        ] {
            assert!(safe_url(url).is_some(), "{url}");
        }
        for url in [
            "http://example.com/",
            "http://127.0.0.1.example.com/",
            "http://localhost@example.com/",
            "https://user:password@example.com/",
            "ftp://example.com/",
            "file:///etc/passwd",
            "/etc/passwd",
            "example.com",
            "https://",
            "",
        ] {
            assert!(safe_url(url).is_none(), "{url}");
        }
    }

    #[tokio::test]
    async fn a_changed_secret_counts_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let channels = Channels::new(Some(dir.path().into()));
        fs::write(dir.path().join("soc.secret"), "one\n").unwrap();
        assert_eq!(channels.secrets("soc").await.unwrap().len(), 1);
        fs::write(dir.path().join("soc.secret"), "two\r\n\none\n").unwrap();
        let now = channels.secrets("soc").await.unwrap();
        assert_eq!(now.iter().map(|secret| secret.as_str()).collect::<Vec<_>>(), ["two", "one"]);
    }

    #[tokio::test]
    async fn what_is_wrong_is_said_without_what_is_secret() {
        let dir = tempfile::tempdir().unwrap();
        let channels = Channels::new(Some(dir.path().into()));
        let write = |kind: &str, text: &str| fs::write(dir.path().join(format!("soc.{kind}")), text).unwrap();
        assert!(Channels::default().fault(&channel(Receiver::Teams)).await.unwrap().contains("--notices"));
        assert!(channels.fault(&channel(Receiver::Teams)).await.unwrap().contains("soc.url"));
        write("url", "http://evil.example/hushhush");
        let said = channels.fault(&channel(Receiver::Teams)).await.unwrap();
        assert!(said.contains("https") && !said.contains("hushhush"), "{said}");
        write("url", "https://good.example/hushhush\n");
        assert_eq!(channels.fault(&channel(Receiver::Teams)).await, None);
        assert_eq!(channels.fault(&channel(Receiver::Slack)).await, None, "without buttons");
        assert!(channels.fault(&channel(Receiver::Webhook)).await.unwrap().contains("soc.secret"));
        write("secret", "hushhush");
        let said = channels.fault(&channel(Receiver::Webhook)).await.unwrap();
        assert!(said.contains("whsec_") && !said.contains("hushhush"), "{said}");
        write("secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        assert_eq!(channels.fault(&channel(Receiver::Webhook)).await, None);
        write("secret", "\n");
        assert!(channels.fault(&channel(Receiver::Slack)).await.unwrap().contains("empty"));
    }
}
