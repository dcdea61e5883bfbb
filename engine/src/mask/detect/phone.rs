//! Telephone numbers: `+` and a country code, North American numbers with separators, national numbers with a
//! trunk zero in the groups that people write, and other groups when a word in front says what they are.
//!
//! Sources: ITU-T E.164 (length, structure) and its list of assigned country codes (2024); North American
//! Numbering Plan (area code and exchange are N11-free and start with 2 to 9); Ofcom, Arcep and Bundesnetzagentur
//! number formats.

use super::number::{Number, closes, closes_whole, opens};
use super::{Found, found};
use crate::mask::text::Text;
use crate::mask::words::{Words, context};

/// The finding kind.
pub(in crate::mask) const KIND: &str = "phone";

static WORDS: Words = Words::new(&[
    "phone",
    "phones",
    "tel",
    "telephone",
    "mobile",
    "cell",
    "fax",
    "call",
    "sms",
    "text",
    "whatsapp",
    "ring",
    "dial",
    "telefon",
    "téléphone",
    "telefono",
    "teléfono",
    "móvil",
    "handy",
    "mobil",
    "number is",
    "contact",
]);

/// Assigned country codes of one and two digits.
const SHORT_CODES: [u32; 47] = [
    1, 7, 20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49, 51, 52, 53, 54, 55, 56, 57,
    58, 60, 61, 62, 63, 64, 65, 66, 81, 82, 84, 86, 90, 91, 92, 93, 94, 95, 98, 0,
];

/// Assigned country codes of three digits, as ranges.
const LONG_CODES: [(u32, u32); 16] = [
    (211, 213),
    (216, 218),
    (220, 258),
    (260, 269),
    (290, 291),
    (297, 299),
    (350, 359),
    (370, 383),
    (385, 389),
    (420, 423),
    (500, 509),
    (590, 599),
    (670, 692),
    (850, 856),
    (880, 888),
    (960, 998),
];

/// A phone number whose first digit is the number's first.
pub(in crate::mask) fn find(text: &Text<'_>, number: &Number) -> Option<Found> {
    let at = number.start;
    let before = text.before(at);
    if before == b'+' {
        return international(text, number, at - 1, 0);
    }
    if !opens(text, at) {
        return None;
    }
    // A bracket belongs to the number when it closes behind the first group.
    let area = number.groups().first().is_some_and(|g| text.at(g.end) == b')');
    let start = if before == b'(' && area && !text.word_before(at - 1) { at - 1 } else { at };
    if number.digits(2) == [0, 0] && number.all().len() >= 11 {
        return international(text, number, start, 2);
    }
    north_american(text, number, start).or_else(|| trunk(text, number, start)).or_else(|| named(text, number))
}

/// `+CC` or `00CC` and the rest, 8 to 15 digits after the prefix of `skip` digits.
fn international(text: &Text<'_>, number: &Number, start: usize, skip: usize) -> Option<Found> {
    let plus = skip == 0;
    if plus && (text.word_before(start) || text.before(start) == b'+' || text.before(start) == b')') {
        return None;
    }
    let joined = number.groups().len() == 1;
    let country = country(number.all().get(skip..)?)?;
    if !plus && joined && !context(text, start, 32, &WORDS) {
        return None;
    }
    // Numbers may follow that do not belong: the longest start of the groups that is a number of its country.
    let up_to = |count: usize, separators: &[u8]| {
        let last = number.groups().get(count - 1)?;
        let national = number.total(count).checked_sub(skip + country.code)?;
        let ends = || match number.group_after(count) {
            None => closes(text, last.end),
            Some(next) => separators.contains(&next.separator) && count > 1,
        };
        if country.national.contains(&national) && ends() { found(KIND, start, last.end) } else { None }
    };
    let counts = 1..=number.groups().len();
    let spaced = counts.clone().rev().find_map(|count| up_to(count, b" \t"));
    spaced.or_else(|| counts.rev().find_map(|count| up_to(count, b"/-(")))
}

/// What numbers of a country look like.
struct Country {
    /// Digits of its code.
    code: usize,
    /// How many follow.
    national: std::ops::RangeInclusive<usize>,
}

/// The country whose code these digits start with, if one can have such numbers.
fn country(digits: &[u8]) -> Option<Country> {
    let lead = |count: usize| digits.iter().take(count).fold(0_u32, |v, d| v * 10 + u32::from(*d));
    // A trunk zero in brackets, as in `+44 (0)20`, is one digit more.
    let (code, national) = match lead(1) {
        0 => return None,
        1 if !digits.get(1..11).is_some_and(plan) => return None,
        1 | 7 => (1, 10..=10),
        _ if SHORT_CODES.contains(&lead(2)) => match lead(2) {
            33 | 34 | 48 | 31 | 32 | 41 | 61 => (2, 8..=10),
            44 | 91 | 52 | 82 | 62 | 81 | 90 => (2, 8..=11),
            55 | 86 => (2, 10..=12),
            45 | 47 | 65 => (2, 8..=8),
            _ => (2, 7..=12),
        },
        _ if LONG_CODES.iter().any(|(from, to)| (*from..=*to).contains(&lead(3))) => (3, 6..=11),
        _ => return None,
    };
    Some(Country { code, national })
}

/// Whether ten digits are of the North American Numbering Plan.
fn plan(digits: &[u8]) -> bool {
    let part = |at: usize| {
        let (n, x, y) = (digits.get(at), digits.get(at + 1), digits.get(at + 2));
        n.is_some_and(|n| *n >= 2) && (x, y) != (Some(&1), Some(&1))
    };
    digits.len() == 10 && part(0) && part(3)
}

/// `415-555-0100`, `(415) 555-0100`, `1.415.555.0100`; `415 555 0100` alone or after a word.
fn north_american(text: &Text<'_>, number: &Number, start: usize) -> Option<Found> {
    let any = |s: u8| s != 0;
    let (digits, last) = match number.shape(&[1, 3, 3, 4], any) {
        Some(last) if number.digits(1) == [1] => (number.digits(11).get(1..)?, last),
        _ => (number.digits(10), number.shape(&[3, 3, 4], any)?),
    };
    let count = number.groups().iter().position(|g| g.end == last.end)? + 1;
    let mut separators = number.groups().iter().take(count).skip(1).map(|g| g.separator);
    let spaced = separators.all(|s| s == b' ' || s == b'\t' || s == b'_' || s == b'/');
    let followed = number.group_after(count);
    let alone = followed.is_none() && !text.behind(start, 2).first().is_some_and(u8::is_ascii_digit);
    if spaced && !alone && !context(text, start, 32, &WORDS) {
        return None;
    }
    if !plan(digits)
        || followed.is_some_and(|g| g.separator != b' ' && g.separator != b'\t' && g.separator != b'/')
    {
        return None;
    }
    if closes_whole(text, last.end) || followed.is_some() { found(KIND, start, last.end) } else { None }
}

/// National numbers with a trunk zero: French pairs, British 3-4-4, 4-3-4, 5-6 and 5-3-3, German area/number.
fn trunk(text: &Text<'_>, number: &Number, start: usize) -> Option<Found> {
    if number.digits(1) != [0] || number.digits(2) == [0, 0] {
        return None;
    }
    let separator = number.groups().get(1)?.separator;
    let same = |s: u8| s == separator && matches!(s, b' ' | b'-' | b'.');
    let spaced = |s: u8| matches!(s, b' ' | b'-' | b'(');
    let area = |s: u8| matches!(s, b'/' | b'(');
    let last = number
        .shape(&[2, 2, 2, 2, 2], same)
        .or_else(|| number.shape(&[3, 4, 4], spaced))
        .or_else(|| number.shape(&[4, 3, 4], spaced))
        .or_else(|| number.shape(&[5, 3, 3], spaced))
        .or_else(|| number.shape(&[5, 6], spaced))
        .or_else(|| [6, 7, 8].iter().find_map(|n| number.shape(&[3, *n], area)))
        .or_else(|| [6, 7, 8].iter().find_map(|n| number.shape(&[4, *n], area)))
        .or_else(|| [5, 6, 7].iter().find_map(|n| number.shape(&[5, *n], area)))?;
    let whole = number.group_after(number.groups().iter().position(|g| g.end == last.end)? + 1).is_none();
    if whole && closes_whole(text, last.end) { found(KIND, start, last.end) } else { None }
}

/// 7 to 15 digits, in groups or nine or more at once, after a word that says what they are.
fn named(text: &Text<'_>, number: &Number) -> Option<Found> {
    let digits = number.all();
    let joined = number.groups().len() == 1;
    let least = if joined { 9 } else { 7 };
    let ok = (least..=15).contains(&digits.len())
        && number.is_whole()
        && !Number::is_filler(digits)
        && number.groups().iter().skip(1).all(|g| g.len >= 2)
        && closes_whole(text, number.end())
        && context(text, number.start, 32, &WORDS);
    if ok { found(KIND, number.start, number.end()) } else { None }
}
