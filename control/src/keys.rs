//! The service's own keys: files in the state directory that only their owner may read.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD};
use ed25519_dalek::SigningKey;
use zeroize::Zeroizing;

use crate::records::Writers;
use crate::tokens::Issuer;

/// Files of the keys that all replicas have: bundle, issuer, tenant.
const SHARED: [&str; 3] = ["bundle.key", "issuer.key", "tenant.key"];

/// All files of keys, and the data-plane token.
pub const FILES: [&str; 5] = ["bundle.key", "issuer.key", "tenant.key", "record.key", DATA_TOKEN];

/// File of the data-plane token within the state directory.
pub const DATA_TOKEN: &str = "data.token";

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Others may read it.
    #[error("{path} has mode {mode:o}, so others than its owner can reach it; run `chmod {wanted:o} {path}`")]
    Wide {
        /// The file or directory.
        path: String,
        /// Its mode.
        mode: u32,
        /// What it should be.
        wanted: u32,
    },
    /// Not readable or writable.
    #[error("{path}: {why}")]
    File {
        /// The file.
        path: String,
        /// Why.
        why: String,
    },
    /// Not a key.
    #[error(
        "{path} does not hold a key: expected {expected}. Restore it from a backup; removing it makes a new key"
    )]
    Content {
        /// The file.
        path: String,
        /// What should be in it.
        expected: &'static str,
    },
    /// Not there.
    #[error(
        "{path} is not there: `sluice serve --state` makes it on its first start, `sluice keys make` for several replicas"
    )]
    Absent {
        /// The file.
        path: String,
    },
    /// Another service uses the directory.
    #[error("{0} is in use by another `sluice serve`; two services cannot share a state directory")]
    InUse(String),
    /// No randomness.
    #[error("the system gives no random bytes: {0}")]
    Random(String),
}

/// The service's own keys.
pub struct Keys {
    /// Signs bundles.
    pub bundle: SigningKey,
    /// Signs the tokens of control's own issuer.
    pub issuer: SigningKey,
    /// Signs the heads of the chain.
    pub record: SigningKey,
    /// Keys of masks are derived from it.
    pub tenant: Zeroizing<[u8; 32]>,
}

impl Keys {
    /// Reads the keys, and makes those that are not there yet. The directory is made when it is missing.
    ///
    /// With `shared`, a mounted secret, the keys that all replicas have come from there, and are never made. The
    /// record key stays each replica's own.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn open_or_make(state: &Path, shared: Option<&Path>) -> Result<Self, KeyError> {
        open_state(state)?;
        Self::read(state, shared, true)
    }

    /// Reads the keys of a service that has run before.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn open(state: &Path, shared: Option<&Path>) -> Result<Self, KeyError> {
        check_mode(state, 0o700)?;
        Self::read(state, shared, false)
    }

    fn read(state: &Path, shared: Option<&Path>, make: bool) -> Result<Self, KeyError> {
        let own = |name| seed(&state.join(name), make);
        let all = |name| match shared {
            // A file that someone else provides has the modes that its volume gives it.
            Some(shared) => read_seed(&shared.join(name), read),
            None => own(name),
        };
        let [bundle, issuer, tenant] = SHARED;
        Ok(Self {
            bundle: SigningKey::from_bytes(&*all(bundle)?),
            issuer: SigningKey::from_bytes(&*all(issuer)?),
            record: SigningKey::from_bytes(&*own("record.key")?),
            tenant: all(tenant)?,
        })
    }

    /// Makes a directory with the keys and the data-plane token that replicas share.
    ///
    /// # Errors
    /// See [`KeyError`]; what is there already is kept.
    pub fn make_shared(directory: &Path) -> Result<(), KeyError> {
        open_state(directory)?;
        for name in SHARED {
            seed(&directory.join(name), true)?;
        }
        data_token(directory, None).map(|_| ())
    }

    /// Whose keys verify the log.
    pub fn writers(&self) -> Writers {
        Writers { own: self.record.verifying_key(), voucher: self.bundle.verifying_key() }
    }

    /// The bundle key's public half, as plugin configurations have it: base64 of 32 bytes.
    pub fn bundle_public(&self) -> String {
        BASE64.encode(self.bundle.verifying_key().as_bytes())
    }

    /// Control's own issuer under this URL.
    pub fn issuer_at(&self, url: &str) -> Issuer {
        Issuer { url: url.to_owned(), key: self.issuer.clone() }
    }
}

/// Keeps other services out of a state directory for as long as it lives.
#[derive(Debug)]
pub struct StateLock(#[allow(dead_code, reason = "the open file is the lock")] File);

impl StateLock {
    /// Takes the directory.
    ///
    /// # Errors
    /// [`KeyError::InUse`].
    pub fn take(state: &Path) -> Result<Self, KeyError> {
        let path = state.join("lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(|e| file_error(&path, &e))?;
        file.try_lock().map_err(|_| KeyError::InUse(state.display().to_string()))?;
        Ok(Self(file))
    }
}

/// The data-plane token: from `file` where one is given, else from the state directory, made when missing.
///
/// # Errors
/// See [`KeyError`].
pub fn data_token(state: &Path, file: Option<&Path>) -> Result<Zeroizing<String>, KeyError> {
    let own = state.join(DATA_TOKEN);
    if file.is_none() && !own.exists() {
        write_new(&own, &URL_SAFE_NO_PAD.encode(random::<32>()?))?;
    }
    let path = file.unwrap_or(&own);
    // A file that someone else provides (a mounted secret) has the modes that its volume gives it.
    let token = if file.is_some() { read(path) } else { read_private(path) }?;
    let token = Zeroizing::new(token.trim().to_owned());
    if token.len() < 16 || !token.bytes().all(|b| b.is_ascii_graphic()) {
        let expected = "a token of at least 16 printable characters";
        return Err(KeyError::Content { path: path.display().to_string(), expected });
    }
    Ok(token)
}

/// Random bytes from the system.
///
/// # Errors
/// [`KeyError::Random`].
pub fn random<const N: usize>() -> Result<[u8; N], KeyError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|e| KeyError::Random(e.to_string()))?;
    Ok(bytes)
}

/// An id that a person can type: ten letters and digits (50 bits), none of which looks like another. The id names
/// a hold and gives no right to it; one that is taken already is refused by the store's primary key.
pub fn random_id() -> String {
    // Crockford's base 32, lower case.
    const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let bytes = random::<10>().unwrap_or_default();
    bytes.iter().filter_map(|b| LETTERS.get(usize::from(b & 31))).map(|b| char::from(*b)).collect()
}

/// Makes a directory that only its owner may reach, or checks that it is one.
///
/// # Errors
/// See [`KeyError`].
pub(crate) fn open_state(state: &Path) -> Result<(), KeyError> {
    if !state.exists() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(state).map_err(|e| file_error(state, &e))?;
    }
    check_mode(state, 0o700)
}

fn seed(path: &Path, make: bool) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    if !path.exists() {
        if !make {
            return Err(KeyError::Absent { path: path.display().to_string() });
        }
        write_new(path, &BASE64.encode(random::<32>()?))?;
    }
    read_seed(path, read_private)
}

fn read_seed(
    path: &Path,
    read: impl Fn(&Path) -> Result<String, KeyError>,
) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let text = Zeroizing::new(read(path)?);
    let bytes = BASE64.decode(text.trim()).map(Zeroizing::new).ok();
    let seed = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok());
    let expected = "32 bytes in base64";
    seed.map(Zeroizing::new).ok_or_else(|| KeyError::Content { path: path.display().to_string(), expected })
}

/// Writes a new file whole: under another name first, so that a crash leaves no half of a key.
pub(crate) fn write_new(path: &Path, text: &str) -> Result<(), KeyError> {
    let draft = path.with_extension("new");
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(text.as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        if let Some(parent) = path.parent() {
            File::open(parent)?.sync_all()?;
        }
        Ok(())
    };
    write().map_err(|e| file_error(path, &e))
}

/// Reads a file that only its owner may reach.
///
/// # Errors
/// See [`KeyError`].
pub(crate) fn read_private(path: &Path) -> Result<String, KeyError> {
    check_mode(path, 0o600)?;
    read(path)
}

fn read(path: &Path) -> Result<String, KeyError> {
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(64 * 1024).read_to_string(&mut text))
        .map_err(|e| file_error(path, &e))?;
    Ok(text)
}

fn check_mode(path: &Path, wanted: u32) -> Result<(), KeyError> {
    let mode = fs::metadata(path).map_err(|e| file_error(path, &e))?.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Wide { path: path.display().to_string(), mode, wanted });
    }
    Ok(())
}

fn file_error(path: &Path, error: &std::io::Error) -> KeyError {
    KeyError::File { path: path.display().to_string(), why: error.to_string() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn keys_are_made_once_and_only_their_owner_reads_them() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let made = Keys::open_or_make(&state, None).unwrap();
        let token = data_token(&state, None).unwrap();
        let again = Keys::open(&state, None).unwrap();
        assert_eq!(made.bundle.to_bytes(), again.bundle.to_bytes());
        assert_eq!(data_token(&state, None).unwrap(), token);
        for file in ["bundle.key", "issuer.key", "record.key", "tenant.key", DATA_TOKEN] {
            assert_eq!(fs::metadata(state.join(file)).unwrap().mode() & 0o777, 0o600, "{file}");
        }
        assert_ne!(made.bundle.to_bytes(), made.issuer.to_bytes());
    }

    #[test]
    fn a_state_directory_or_a_key_that_others_can_reach_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        Keys::open_or_make(&state, None).unwrap();
        fs::set_permissions(state.join("issuer.key"), fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Keys::open(&state, None), Err(KeyError::Wide { mode: 0o640, .. })));
        fs::set_permissions(&state, fs::Permissions::from_mode(0o755)).unwrap();
        let said = Keys::open_or_make(&state, None).err().unwrap().to_string();
        assert!(said.contains("chmod 700"), "{said}");
    }

    #[test]
    fn one_service_has_a_state_directory() {
        let dir = tempfile::tempdir().unwrap();
        let first = StateLock::take(dir.path()).unwrap();
        assert!(matches!(StateLock::take(dir.path()), Err(KeyError::InUse(_))));
        drop(first);
        StateLock::take(dir.path()).unwrap();
    }
}
