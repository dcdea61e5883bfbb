//! Tokens of `sluice login`: one for each service, in a file that only its owner may read.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Failure;
use crate::keys;

/// The file in the configuration directory.
const FILE: &str = "tokens.json";

/// A token that somebody signed in for.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Saved {
    /// The token. Never shown.
    pub token: String,
    /// Who it speaks for.
    pub subject: String,
    /// When it ends, in Unix milliseconds.
    pub expires_ms: u64,
}

type All = BTreeMap<String, Saved>;

/// As services are told apart: by their URL, without a slash at its end.
fn key(url: &str) -> String {
    url.trim_end_matches('/').to_owned()
}

/// `$XDG_CONFIG_HOME/sluice`, else `~/.config/sluice` (XDG Base Directory Specification).
fn directory() -> Result<PathBuf, Failure> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")));
    let lacks = || Failure::Cannot("there is no place for tokens: set XDG_CONFIG_HOME or HOME".into());
    Ok(base.ok_or_else(lacks)?.join("sluice"))
}

fn read() -> Result<All, Failure> {
    let file = directory()?.join(FILE);
    if !file.exists() {
        return Ok(All::new());
    }
    let text = Zeroizing::new(keys::read_private(&file).map_err(Failure::cannot)?);
    serde_json::from_str(&text).map_err(|_| {
        Failure::Cannot(format!(
            "{} is not as `sluice login` writes it; remove it and sign in again",
            file.display()
        ))
    })
}

fn write(all: &All) -> Result<(), Failure> {
    let directory = directory()?;
    keys::open_state(&directory).map_err(Failure::cannot)?;
    let text = Zeroizing::new(serde_json::to_string(all).map_err(Failure::cannot)?);
    keys::write_new(&directory.join(FILE), &text).map_err(Failure::cannot)
}

/// The token for a service, if somebody signed in there.
pub fn token(url: &str) -> Result<Option<Saved>, Failure> {
    Ok(read()?.remove(&key(url)))
}

/// Keeps a token for a service, in the place of an earlier one.
pub fn keep(url: &str, saved: Saved) -> Result<(), Failure> {
    let mut all = read()?;
    all.insert(key(url), saved);
    write(&all)
}

/// Forgets the token for a service, or all of them; says how many there were.
pub fn forget(url: Option<&str>) -> Result<usize, Failure> {
    let mut all = read()?;
    let before = all.len();
    match url {
        Some(url) => drop(all.remove(&key(url))),
        None => all.clear(),
    }
    let forgotten = before - all.len();
    if forgotten > 0 {
        write(&all)?;
    }
    Ok(forgotten)
}
