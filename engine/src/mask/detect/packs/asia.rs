//! India (pack `in`), Singapore (`sg`) and Australia (`au`).

use super::super::number::{Number, closes_whole, opens};
use super::super::{Found, found};
use super::compact;
use crate::mask::check::{verhoeff, weighted};
use crate::mask::text::Text;
use crate::mask::words::{Words, context};

/// Aadhaar: twelve digits with Verhoeff's check, not starting with 0 or 1 (UIDAI).
pub(super) fn aadhaar(text: &Text<'_>, number: &Number) -> Option<Found> {
    static WORDS: Words = Words::new(&["aadhaar", "aadhar", "uidai", "uid"]);
    let grouped = number.shape(&[4, 4, 4], |s| s == b' ' || s == b'-');
    let plain = || number.shape(&[12], |_| true).filter(|_| context(text, number.start, 48, &WORDS));
    let end = grouped.or_else(plain)?.end;
    let digits = number.digits(12);
    let valid = digits.first() > Some(&1) && verhoeff(digits);
    if valid && ends(text, number, end) { found("in_aadhaar", number.start, end) } else { None }
}

/// Permanent account number: five letters of which the fourth tells the holder's kind, four digits, a letter (Income
/// Tax Department).
pub(super) fn pan(text: &Text<'_>, at: usize) -> Option<Found> {
    let (id, end) = compact(text, at, b"AAAAA9999A")?;
    let valid = id.get(3).is_some_and(|b| b"ABCFGHJLPT".contains(b))
        && text.get(at, at + 5).iter().all(u8::is_ascii_uppercase);
    if valid { found("in_pan", at, end) } else { None }
}

/// NRIC and FIN: S, T, F, G or M, seven digits, a letter (Immigration & Checkpoints Authority; weights 2, 7, 6, 5, 4,
/// 3, 2).
pub(super) fn nric(text: &Text<'_>, at: usize) -> Option<Found> {
    let (id, end) = compact(text, at, b"A9999999A")?;
    let sum: usize = id
        .iter()
        .skip(1)
        .zip([2_usize, 7, 6, 5, 4, 3, 2])
        .map(|(b, w)| usize::from(b.saturating_sub(b'0')) * w)
        .sum();
    let (letters, add): (&[u8; 11], usize) = match id.first()? {
        b'S' => (b"JZIHGFEDCBA", 0),
        b'T' => (b"JZIHGFEDCBA", 4),
        b'F' => (b"XWUTRQPNMLK", 0),
        b'G' => (b"XWUTRQPNMLK", 4),
        b'M' => (b"XWUTRQPNJLK", 3),
        _ => return None,
    };
    let expected = letters.get((sum + add) % 11);
    if expected == id.last() { found("sg_nric", at, end) } else { None }
}

/// Australian business number: eleven digits, one taken from the first, weights 10, 1, 3 to 19, modulo 89 (ABR).
pub(super) fn abn(text: &Text<'_>, number: &Number) -> Option<Found> {
    static WORDS: Words = Words::new(&["abn", "business number"]);
    let grouped = number.shape(&[2, 3, 3, 3], |s| s == b' ');
    let plain = || number.shape(&[11], |_| true).filter(|_| context(text, number.start, 48, &WORDS));
    let end = grouped.or_else(plain)?.end;
    let mut digits = number.digits(11).to_vec();
    let first = digits.first_mut()?;
    *first = first.checked_sub(1)?;
    let valid = weighted(&digits, &[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19], 89, 0);
    if valid && ends(text, number, end) { found("au_abn", number.start, end) } else { None }
}

/// Australian tax file number: nine digits, weights 1, 4, 3, 7, 5, 8, 6, 9, 10, modulo 11 (ATO); after a word.
pub(super) fn tfn(text: &Text<'_>, number: &Number) -> Option<Found> {
    static WORDS: Words = Words::new(&["tfn", "tax file", "tax file number"]);
    let end = number.shape(&[9], |_| true).or_else(|| number.shape(&[3, 3, 3], |s| s == b' '))?.end;
    let valid = weighted(number.digits(9), &[1, 4, 3, 7, 5, 8, 6, 9, 10], 11, 0)
        && context(text, number.start, 48, &WORDS);
    if valid && ends(text, number, end) { found("au_tfn", number.start, end) } else { None }
}

/// Medicare card of Australia: ten digits, weights 1, 3, 7, 9, the ninth is the check (Services Australia).
pub(super) fn medicare(text: &Text<'_>, number: &Number) -> Option<Found> {
    static WORDS: Words = Words::new(&["medicare"]);
    let grouped = number.shape(&[4, 5, 1], |s| s == b' ');
    let plain = || number.shape(&[10], |_| true).filter(|_| context(text, number.start, 48, &WORDS));
    let end = grouped.or_else(plain)?.end;
    let digits = number.digits(10);
    let sum: u32 =
        digits.iter().take(8).zip([1_u32, 3, 7, 9, 1, 3, 7, 9]).map(|(d, w)| u32::from(*d) * w).sum();
    let valid = (2..=6).contains(digits.first()?) && digits.get(8).is_some_and(|d| u32::from(*d) == sum % 10);
    if valid && ends(text, number, end) { found("au_medicare", number.start, end) } else { None }
}

fn ends(text: &Text<'_>, number: &Number, end: usize) -> bool {
    opens(text, number.start) && closes_whole(text, end)
}
