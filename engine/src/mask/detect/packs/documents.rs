//! Pack `documents`: numbers without a check of their own, each only right behind a word that says what it is.

use super::super::number::{Number, closes_whole, opens};
use super::super::{Found, found};
use crate::mask::text::{Text, is_word};
use crate::mask::words::{Words, context};

static PASSPORT: Words = Words::new(&["passport", "passport number", "passeport", "reisepass", "pasaporte"]);
static LICENCE: Words = Words::new(&[
    "driver license",
    "driver licence",
    "drivers license",
    "driving licence",
    "driver's license",
    "dl number",
    "führerschein",
]);
static ACCOUNT: Words =
    Words::new(&["account number", "account no", "bank account", "acct", "kontonummer", "iban"]);
static BIRTH: Words =
    Words::new(&["dob", "date of birth", "born", "birthday", "birthdate", "geburtsdatum", "nacimiento"]);

/// A bank account number of 6 to 17 digits.
pub(super) fn bank_account(text: &Text<'_>, number: &Number) -> Option<Found> {
    let len = number.all().len();
    let ok = (6..=17).contains(&len)
        && number.groups().iter().skip(1).all(|g| g.separator == b' ' || g.separator == b'-')
        && context(text, number.start, 32, &ACCOUNT);
    if ok { whole(text, number, "bank_account") } else { None }
}

/// A date after a word for birth: `31/12/1980`, `1980-12-31`.
pub(super) fn date_of_birth(text: &Text<'_>, number: &Number) -> Option<Found> {
    let separator = |s: u8| matches!(s, b'/' | b'-' | b'.' | b' ');
    let shapes: [&[usize]; 6] = [&[4, 2, 2], &[2, 2, 4], &[1, 2, 4], &[2, 1, 4], &[1, 1, 4], &[2, 2, 2]];
    let end = shapes.iter().find_map(|shape| number.shape(shape, separator))?.end;
    let ok = context(text, number.start, 32, &BIRTH) && opens(text, number.start) && closes_whole(text, end);
    if ok { found("date_of_birth", number.start, end) } else { None }
}

/// A passport number of eight or nine digits.
pub(super) fn passport_number(text: &Text<'_>, number: &Number) -> Option<Found> {
    number.shape(&[9], |_| true).or_else(|| number.shape(&[8], |_| true))?;
    if context(text, number.start, 32, &PASSPORT) { whole(text, number, "passport") } else { None }
}

/// A passport number with letters: one or two of them and six to eight digits or more letters.
pub(super) fn passport(text: &Text<'_>, at: usize) -> Option<Found> {
    after(text, at, "passport", &PASSPORT, 8..=10)
}

/// A driver's licence number of seven to sixteen digits.
pub(super) fn licence_number(text: &Text<'_>, number: &Number) -> Option<Found> {
    let ok = (7..=16).contains(&number.all().len()) && context(text, number.start, 40, &LICENCE);
    if ok { whole(text, number, "driver_licence") } else { None }
}

/// A driver's licence number with letters.
pub(super) fn licence(text: &Text<'_>, at: usize) -> Option<Found> {
    after(text, at, "driver_licence", &LICENCE, 7..=18)
}

fn whole(text: &Text<'_>, number: &Number, kind: &'static str) -> Option<Found> {
    let end = number.end();
    if number.is_whole() && opens(text, number.start) && closes_whole(text, end) {
        found(kind, number.start, end)
    } else {
        None
    }
}

fn after(
    text: &Text<'_>,
    at: usize,
    kind: &'static str,
    words: &Words,
    lengths: std::ops::RangeInclusive<usize>,
) -> Option<Found> {
    let end = text.run(at, 20, |b| b.is_ascii_uppercase() || b.is_ascii_digit());
    let digits = text.get(at, end).iter().filter(|b| b.is_ascii_digit()).count();
    let ok = lengths.contains(&(end - at))
        && digits >= 5
        && !is_word(text.before(at))
        && !is_word(text.at(end))
        && context(text, at, 40, words);
    if ok { found(kind, at, end) } else { None }
}
