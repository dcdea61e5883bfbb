//! An attempt to sign in, between the two requests of a browser.
//!
//! Nothing of it is stored: a cookie has a random value, the time, and where the person wanted to go. The state, the nonce
//! and the PKCE verifier are derived from all of that by a key that only control has. So an attempt is bound to the browser
//! that began it, cannot be altered, and goes on at any replica.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq as _;

use super::VisitKey;
use crate::keys::{KeyError, random};

/// The longest place to go to, in bytes.
const LONGEST_PLACE: usize = 1000;

/// An attempt to sign in.
pub struct Attempt {
    /// What the cookie has.
    pub cookie: String,
    /// Where the person wanted to go: a path of our own.
    pub place: String,
    /// RFC 6749, section 10.12.
    pub state: String,
    /// OpenID Connect Core 1.0, section 15.5.2.
    pub nonce: String,
    /// RFC 7636, section 4.1.
    pub verifier: String,
}

impl Attempt {
    /// How long a person may take at the provider, in milliseconds.
    pub const LIFE_MS: u64 = 600_000;

    /// Begins one.
    ///
    /// # Errors
    /// [`KeyError::Random`].
    pub fn begin(key: &VisitKey, place: &str, now_ms: u64) -> Result<Self, KeyError> {
        let random = URL_SAFE_NO_PAD.encode(random::<32>()?);
        let place = own_place(place);
        let cookie = format!("{random}.{now_ms}.{}", URL_SAFE_NO_PAD.encode(&place));
        Ok(Self::of(key, cookie, place))
    }

    /// Goes on with the one that a cookie has; `None`: there is none, or it took too long, or `state` is of another.
    pub fn resume(key: &VisitKey, cookie: &str, state: &str, now_ms: u64) -> Option<Self> {
        let mut parts = cookie.split('.');
        let (_, begun, place, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else {
            return None;
        };
        let begun: u64 = begun.parse().ok()?;
        let place = String::from_utf8(URL_SAFE_NO_PAD.decode(place).ok()?).ok()?;
        let attempt = Self::of(key, cookie.to_owned(), own_place(&place));
        let same = bool::from(attempt.state.as_bytes().ct_eq(state.as_bytes()));
        (same && now_ms < begun.saturating_add(Self::LIFE_MS)).then_some(attempt)
    }

    fn of(key: &VisitKey, cookie: String, place: String) -> Self {
        let derive = |purpose| key.derive(purpose, &cookie);
        let (state, nonce, verifier) = (derive("state"), derive("nonce"), derive("verifier"));
        Self { cookie, place, state, nonce, verifier }
    }
}

/// A place to go to after the sign-in: a path of our own, or the first page. Whatever a browser might read as another host
/// (`//host`, `/\host`, a tab in between) is none; nor is the sign-in itself, which would go round in circles.
pub fn own_place(text: &str) -> String {
    let own = text.starts_with('/')
        && !text.starts_with("//")
        && text.len() <= LONGEST_PLACE
        && text.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    let path = text.split(['?', '#']).next().unwrap_or_default();
    let circle = path.starts_with("/signin") || path.starts_with("/signout");
    if own && !circle { text.to_owned() } else { "/".to_owned() }
}
