//! United Kingdom (pack `uk`), Spain (`es`), Italy (`it`), Poland (`pl`), Germany (`de`), France (`fr`).

use super::super::number::{Number, closes_whole, opens};
use super::super::{Found, found};
use super::{compact, value};
use crate::mask::check::weighted;
use crate::mask::text::Text;
use crate::mask::words::{Words, context};

/// NHS number: ten digits, weights 10 to 2, modulo 11 (NHS Data Dictionary); in groups 3-3-4 or after a word.
pub(super) fn nhs(text: &Text<'_>, number: &Number) -> Option<Found> {
    static WORDS: Words = Words::new(&["nhs", "patient"]);
    let grouped = number.shape(&[3, 3, 4], |s| s == b' ' || s == b'-');
    let plain = || number.shape(&[10], |_| true).filter(|_| context(text, number.start, 48, &WORDS));
    let end = grouped.or_else(plain)?.end;
    let digits = number.digits(10);
    let valid = weighted(digits, &[10, 9, 8, 7, 6, 5, 4, 3, 2, 1], 11, 0) && !Number::is_filler(digits);
    if valid && ends(text, number, end) { found("uk_nhs_number", number.start, end) } else { None }
}

/// National insurance number: two prefix letters, six digits, A to D (HMRC, NIM39110).
pub(super) fn nino(text: &Text<'_>, at: usize) -> Option<Found> {
    let (id, end) = compact(text, at, b"AA999999A")?;
    let [first, second, .., last] = id;
    let prefix = [first, second];
    let valid = !b"DFIQUV".contains(&first)
        && !b"DFIQUVO".contains(&second)
        && !matches!(&prefix, b"BG" | b"GB" | b"KN" | b"NK" | b"NT" | b"TN" | b"ZZ")
        && (b'A'..=b'D').contains(&last);
    if valid { found("uk_nino", at, end) } else { None }
}

const SPANISH: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";

fn spanish_letter(number: u64) -> Option<u8> {
    SPANISH.get(usize::try_from(number % 23).ok()?).copied()
}

/// Spanish NIF: eight digits and the letter of their rest modulo 23 (Real Decreto 1553/2005).
pub(super) fn nif(text: &Text<'_>, at: usize) -> Option<Found> {
    let (id, end) = compact(text, at, b"99999999A")?;
    if spanish_letter(value(&id)) == id.last().copied() { found("es_nif", at, end) } else { None }
}

/// Spanish NIE: X, Y or Z for 0, 1 or 2, seven digits and the same letter (Orden INT/2058/2008).
pub(super) fn nie(text: &Text<'_>, at: usize) -> Option<Found> {
    let (id, end) = compact(text, at, b"A9999999A")?;
    let lead = match id.first() {
        Some(b'X') => 0,
        Some(b'Y') => 10_000_000,
        Some(b'Z') => 20_000_000,
        _ => return None,
    };
    if spanish_letter(lead + value(&id)) == id.last().copied() { found("es_nie", at, end) } else { None }
}

/// Codice fiscale: sixteen characters with a control letter (Decreto Ministeriale 23 dicembre 1976).
pub(super) fn codice_fiscale(text: &Text<'_>, at: usize) -> Option<Found> {
    const ODD: [u32; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let (id, end) = compact(text, at, b"AAAAAA**A**A***A")?;
    // Digits may be letters L to V where two people would have the same code (omocodia).
    let (control, body) = id.split_last()?;
    let sum: u32 = body
        .iter()
        .enumerate()
        .map(|(i, b)| {
            let place = if b.is_ascii_digit() { b - b'0' } else { b - b'A' };
            if i % 2 == 0 { ODD.get(usize::from(place)).copied().unwrap_or(0) } else { u32::from(place) }
        })
        .sum();
    if u32::from(control - b'A') == sum % 26 { found("it_codice_fiscale", at, end) } else { None }
}

/// PESEL: eleven digits that start with a date of birth, weights 1, 3, 7, 9 (ustawa o ewidencji ludności).
pub(super) fn pesel(text: &Text<'_>, number: &Number) -> Option<Found> {
    let end = number.shape(&[11], |_| true)?.end;
    let digits = number.digits(11);
    let two = |at: usize| digits.iter().skip(at).take(2).fold(0_u32, |v, d| v * 10 + u32::from(*d));
    let valid = weighted(digits, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1], 10, 0)
        && (1..=12).contains(&(two(2) % 20))
        && (1..=31).contains(&two(4));
    if valid && ends(text, number, end) { found("pl_pesel", number.start, end) } else { None }
}

/// German tax identification number: eleven digits, ISO 7064 mod 11,10, exactly one digit two or three times among
/// the first ten (Abgabenordnung section 139b; BZSt).
pub(super) fn steuer_id(text: &Text<'_>, number: &Number) -> Option<Found> {
    static WORDS: Words =
        Words::new(&["steuer", "steuerid", "steuer-id", "idnr", "identifikationsnummer", "tax", "tin"]);
    let grouped = number.shape(&[2, 3, 3, 3], |s| s == b' ');
    let plain = || number.shape(&[11], |_| true).filter(|_| context(text, number.start, 48, &WORDS));
    let end = grouped.or_else(plain)?.end;
    let digits = number.digits(11);
    let (control, body) = digits.split_last()?;
    let rest = body.iter().fold(10_u32, |product, digit| {
        let sum = (u32::from(*digit) + product) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    let times = |digit: u8| body.iter().filter(|b| **b == digit).count();
    let mut repeated = (0..10).map(times).filter(|count| *count > 1);
    let once = matches!((repeated.next(), repeated.next()), (Some(2 | 3), None));
    let valid = (11 - rest) % 10 == u32::from(*control) && digits.first() != Some(&0) && once;
    if valid && ends(text, number, end) { found("de_tax_id", number.start, end) } else { None }
}

/// French NIR (numéro de sécurité sociale): thirteen digits and a key of 97 less their rest (INSEE). Corsica's
/// letters are out of scope.
pub(super) fn nir(text: &Text<'_>, number: &Number) -> Option<Found> {
    let end = number
        .shape(&[15], |_| true)
        .or_else(|| number.shape(&[1, 2, 2, 2, 3, 3, 2], |s| s == b' '))
        .or_else(|| number.shape(&[13, 2], |s| s == b' ' || s == b'-'))?
        .end;
    let digits = number.digits(15);
    let (body, key) = digits.split_at_checked(13)?;
    let number_of = |digits: &[u8]| digits.iter().fold(0_u64, |v, d| v * 10 + u64::from(*d));
    let month = number_of(body.get(3..5)?);
    let valid = matches!(digits.first(), Some(1 | 2 | 7 | 8))
        && matches!(month, 1..=12 | 20 | 30..=42 | 50..=99)
        && 97 - number_of(body) % 97 == number_of(key);
    if valid && ends(text, number, end) { found("fr_nir", number.start, end) } else { None }
}

fn ends(text: &Text<'_>, number: &Number, end: usize) -> bool {
    opens(text, number.start) && closes_whole(text, end)
}
