//! Devices that wait for a person to let them in (RFC 8628).
//!
//! ```text
//!   device ─► waiting ── a person, signed in, types the code and confirms ─► approved ── polled once ─► a token
//!                └────────────────────────────────────────────────────────► denied
//! ```

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::source::Source;
use crate::keys::{KeyError, random};

/// How long a code is good, in milliseconds.
pub const LIFE_MS: u64 = 600_000;

/// The pause between polls, in milliseconds, and what a poll that came too early adds (RFC 8628, section 3.5).
pub const PAUSE_MS: u64 = 5000;

/// Devices that may wait at once. Anyone may ask, and each that waits makes guessing easier.
pub const WAITING: i64 = 1000;

/// Codes that one person may type wrong within [`LIFE_MS`]. Of 20^8 codes a thousand at most are good, so that such a person
/// finds one by chance once in two million times.
const WRONG: u32 = 10;

/// People whose wrong codes are remembered; beyond it all are forgotten, which costs little.
const PEOPLE: usize = 10_000;

/// RFC 8628, section 6.1: consonants alone, so that no words come up; none looks like another.
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

/// A device that asks for a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    /// What a person types, as in `BCDF-GHJK`.
    pub user_code: String,
    /// What the device says that it is. Nobody has checked it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The scopes that it asks for; absent: whatever the person may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// The address that asked: its own, or that of the gateway or proxy in between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// When it asked, in Unix milliseconds.
    pub created_ms: u64,
    /// Until when it may be let in.
    pub expires_ms: u64,
    /// What the person showed who let it in. Kept by control alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

/// What a device that polls is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Poll {
    /// Nobody has decided.
    Pending,
    /// It polls too often.
    SlowDown,
    /// A person refused it.
    Denied,
    /// There is no such code, or not any more.
    Gone,
    /// A person let it in; this is told once.
    Approved(Box<Device>),
}

/// A new code for a person to type. 34 bits.
///
/// # Errors
/// [`KeyError::Random`].
pub fn user_code() -> Result<String, KeyError> {
    let mut code = String::new();
    while code.len() < 9 {
        for byte in random::<16>()? {
            // 240 is the largest multiple of 20 that fits: no letter is likelier than another.
            let letter = (byte < 240).then(|| LETTERS.get(usize::from(byte % 20))).flatten();
            if let Some(letter) = letter.filter(|_| code.len() < 9) {
                code.extend((code.len() == 4).then_some('-'));
                code.push(char::from(*letter));
            }
        }
    }
    Ok(code)
}

/// A code as a person typed it, in the form in which it is kept: small letters, spaces and other dashes are forgiven.
pub fn typed(code: &str) -> Option<String> {
    let letters: Vec<u8> =
        code.bytes().filter(u8::is_ascii_alphabetic).map(|b| b.to_ascii_uppercase()).collect();
    let good =
        letters.len() == 8 && code.len() <= 32 && letters.iter().all(|letter| LETTERS.contains(letter));
    let text = String::from_utf8(letters).ok().filter(|_| good)?;
    let (first, last) = text.split_at_checked(4)?;
    Some(format!("{first}-{last}"))
}

/// Who has typed how many wrong codes, so that nobody tries them all.
#[derive(Debug, Default)]
pub struct Attempts(Mutex<HashMap<(String, String), (u64, u32)>>);

impl Attempts {
    /// Whether a person may try another code.
    pub fn may(&self, who: (&str, &str), now_ms: u64) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (who.0.to_owned(), who.1.to_owned());
        all.get(&key).is_none_or(|(since_ms, count)| now_ms >= since_ms + LIFE_MS || *count < WRONG)
    }

    /// A code was wrong.
    pub fn wrong(&self, who: (&str, &str), now_ms: u64) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= PEOPLE {
            all.clear();
        }
        let (since_ms, count) = all.entry((who.0.to_owned(), who.1.to_owned())).or_insert((now_ms, 0));
        if now_ms >= *since_ms + LIFE_MS {
            (*since_ms, *count) = (now_ms, 0);
        }
        *count = count.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_code_has_eight_letters_that_spell_nothing() {
        for _ in 0..200 {
            let code = user_code().unwrap();
            assert_eq!((code.len(), code.as_bytes()[4]), (9, b'-'), "{code}");
            assert_eq!(typed(&code).as_deref(), Some(code.as_str()));
        }
    }

    #[test]
    fn a_code_is_read_as_people_type_it_and_nothing_else_is_one() {
        for text in ["BCDF-GHJK", "bcdfghjk", " bcdf ghjk ", "BCDF\u{2013}GHJK"] {
            assert_eq!(typed(text).as_deref(), Some("BCDF-GHJK"), "{text}");
        }
        for text in ["", "BCDF-GHJ", "BCDF-GHJKL", "ACDF-GHJK", "BCDF-GHJ\u{212a}", &"-".repeat(100)] {
            assert_eq!(typed(text), None, "{text}");
        }
    }

    #[test]
    fn who_types_ten_wrong_codes_waits_and_others_do_not() {
        let attempts = Attempts::default();
        for n in 0..10 {
            assert!(attempts.may(("corp", "ana"), n), "{n}");
            attempts.wrong(("corp", "ana"), n);
        }
        assert!(!attempts.may(("corp", "ana"), 11) && !attempts.may(("corp", "ana"), LIFE_MS - 1));
        assert!(attempts.may(("corp", "ben"), 11) && attempts.may(("corp", "ana"), LIFE_MS));
    }
}
