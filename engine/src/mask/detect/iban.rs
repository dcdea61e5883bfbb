//! International bank account numbers: length per country and the check modulo 97.
//!
//! Source: ISO 13616-1; the lengths are those of SWIFT's IBAN registry (release 99, 2025).

use super::{Found, found};
use crate::mask::check::mod97_step;
use crate::mask::text::Text;

/// The finding kind.
pub(in crate::mask) const KIND: &str = "iban";

/// Country and length.
pub(in crate::mask) const COUNTRIES: [([u8; 2], usize); 89] = [
    (*b"AD", 24),
    (*b"AE", 23),
    (*b"AL", 28),
    (*b"AT", 20),
    (*b"AZ", 28),
    (*b"BA", 20),
    (*b"BE", 16),
    (*b"BG", 22),
    (*b"BH", 22),
    (*b"BI", 27),
    (*b"BR", 29),
    (*b"BY", 28),
    (*b"CH", 21),
    (*b"CR", 22),
    (*b"CY", 28),
    (*b"CZ", 24),
    (*b"DE", 22),
    (*b"DJ", 27),
    (*b"DK", 18),
    (*b"DO", 28),
    (*b"EE", 20),
    (*b"EG", 29),
    (*b"ES", 24),
    (*b"FI", 18),
    (*b"FK", 18),
    (*b"FO", 18),
    (*b"FR", 27),
    (*b"GB", 22),
    (*b"GE", 22),
    (*b"GI", 23),
    (*b"GL", 18),
    (*b"GR", 27),
    (*b"GT", 28),
    (*b"HN", 28),
    (*b"HR", 21),
    (*b"HU", 28),
    (*b"IE", 22),
    (*b"IL", 23),
    (*b"IQ", 23),
    (*b"IS", 26),
    (*b"IT", 27),
    (*b"JO", 30),
    (*b"KW", 30),
    (*b"KZ", 20),
    (*b"LB", 28),
    (*b"LC", 32),
    (*b"LI", 21),
    (*b"LT", 20),
    (*b"LU", 20),
    (*b"LV", 21),
    (*b"LY", 25),
    (*b"MC", 27),
    (*b"MD", 24),
    (*b"ME", 22),
    (*b"MK", 19),
    (*b"MN", 20),
    (*b"MR", 27),
    (*b"MT", 31),
    (*b"MU", 30),
    (*b"NI", 28),
    (*b"NL", 18),
    (*b"NO", 15),
    (*b"OM", 23),
    (*b"PK", 24),
    (*b"PL", 28),
    (*b"PS", 29),
    (*b"PT", 25),
    (*b"QA", 29),
    (*b"RO", 24),
    (*b"RS", 22),
    (*b"RU", 33),
    (*b"SA", 24),
    (*b"SC", 31),
    (*b"SD", 18),
    (*b"SE", 24),
    (*b"SI", 19),
    (*b"SK", 24),
    (*b"SM", 27),
    (*b"SO", 23),
    (*b"ST", 25),
    (*b"SV", 28),
    (*b"TL", 23),
    (*b"TN", 24),
    (*b"TR", 26),
    (*b"UA", 29),
    (*b"VA", 22),
    (*b"VG", 24),
    (*b"XK", 20),
    (*b"YE", 30),
];

/// An IBAN that starts at `at`, whole or with single spaces, hyphens or ends of lines between its characters, in either case.
pub(in crate::mask) fn find(text: &Text<'_>, at: usize) -> Option<Found> {
    if !text.at(at + 2).is_ascii_digit() || !text.at(at + 3).is_ascii_digit() || text.word_before(at) {
        return None;
    }
    let country = [text.at(at).to_ascii_uppercase(), text.at(at + 1).to_ascii_uppercase()];
    let index = COUNTRIES.binary_search_by(|(c, _)| c.cmp(&country)).ok()?;
    let (_, length) = COUNTRIES.get(index)?;
    // The check has country and digits behind the account.
    let (mut rest, mut left, mut place, mut apart) = (0, length - 4, at + 4, false);
    for byte in text.get(place, text.len()) {
        if byte.is_ascii_alphanumeric() {
            rest = mod97_step(rest, *byte);
            (left, apart) = (left - 1, false);
        } else if apart || !matches!(byte, b' ' | b'-' | b'\n') {
            return None;
        } else {
            apart = true;
        }
        place += 1;
        if left == 0 {
            break;
        }
    }
    if left > 0 || text.word_at(place) {
        text.reaches(place);
        return None;
    }
    let rest = text.get(at, at + 4).iter().fold(rest, |rest, byte| mod97_step(rest, *byte));
    if rest % 97 == 1 { found(KIND, at, place) } else { None }
}
