//! Identity numbers of countries, in packs that policy turns on: `us`, `uk`, `es`, `it`, `pl`, `de`, `fr`, `in`, `au`,
//! `sg`, `ca`, and `documents` (passport, driver licence, bank account, date of birth, each after a word that says
//! what it is).

mod americas;
mod asia;
mod documents;
mod europe;

use super::Found;
use super::number::Number;
use crate::mask::text::{Text, is_word};

/// A detector of numbers that start with a digit.
type OfNumber = fn(&Text<'_>, &Number) -> Option<Found>;
/// A detector of values that start with a letter or digit at a place.
type OfWord = fn(&Text<'_>, usize) -> Option<Found>;

/// Kinds that start with a digit: pack, kind, detector. Those with the strongest check come first.
pub(in crate::mask) const NUMBERS: [(&str, &str, OfNumber); 16] = [
    ("in", "in_aadhaar", asia::aadhaar),
    ("uk", "uk_nhs_number", europe::nhs),
    ("pl", "pl_pesel", europe::pesel),
    ("fr", "fr_nir", europe::nir),
    ("de", "de_tax_id", europe::steuer_id),
    ("au", "au_abn", asia::abn),
    ("au", "au_medicare", asia::medicare),
    ("au", "au_tfn", asia::tfn),
    ("ca", "ca_sin", americas::sin),
    ("us", "us_itin", americas::itin),
    ("us", "us_npi", americas::npi),
    ("us", "us_aba", americas::aba),
    ("documents", "bank_account", documents::bank_account),
    ("documents", "date_of_birth", documents::date_of_birth),
    ("documents", "passport", documents::passport_number),
    ("documents", "driver_licence", documents::licence_number),
];

/// Kinds of letters and digits: pack, kind, detector.
pub(in crate::mask) const WORDS: [(&str, &str, OfWord); 9] = [
    ("us", "us_mbi", americas::mbi),
    ("uk", "uk_nino", europe::nino),
    ("es", "es_nif", europe::nif),
    ("es", "es_nie", europe::nie),
    ("it", "it_codice_fiscale", europe::codice_fiscale),
    ("in", "in_pan", asia::pan),
    ("sg", "sg_nric", asia::nric),
    ("documents", "passport", documents::passport),
    ("documents", "driver_licence", documents::licence),
];

/// Reads letters and digits that follow a form from `at`, in upper case, with single spaces, hyphens or dots between
/// them; the place behind them, where no letter or digit follows. In a form `A` is a letter, `9` a digit, `*` either.
fn compact<const N: usize>(text: &Text<'_>, at: usize, form: &[u8; N]) -> Option<([u8; N], usize)> {
    let mut out = [0_u8; N];
    let mut place = at;
    for (slot, class) in out.iter_mut().zip(form) {
        let mut byte = text.at(place);
        if place > at && matches!(byte, b' ' | b'-' | b'.') {
            place += 1;
            byte = text.at(place);
        }
        let fits = match class {
            b'A' => byte.is_ascii_alphabetic(),
            b'9' => byte.is_ascii_digit(),
            _ => byte.is_ascii_alphanumeric(),
        };
        if !fits {
            return None;
        }
        *slot = byte.to_ascii_uppercase();
        place += 1;
    }
    if is_word(text.before(at)) || is_word(text.at(place)) { None } else { Some((out, place)) }
}

/// The digits among the bytes, as a number.
fn value(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .filter(|b| b.is_ascii_digit())
        .fold(0, |v, d| v.wrapping_mul(10).wrapping_add(u64::from(d - b'0')))
}
