//! United States (pack `us`) and Canada (pack `ca`).

use super::super::number::{Number, closes_whole, continues, opens};
use super::super::{Found, found};
use super::compact;
use crate::mask::check::{luhn, weighted};
use crate::mask::text::Text;
use crate::mask::words::{Words, context};

/// Individual taxpayer identification number: 9XX, then 50-65, 70-88, 90-92 or 94-99 (IRS, Publication 1915).
pub(super) fn itin(text: &Text<'_>, number: &Number) -> Option<Found> {
    static WORDS: Words = Words::new(&["itin", "taxpayer"]);
    let dashed = number.shape(&[3, 2, 4], |s| s == b'-' || s == b' ');
    let plain = || number.shape(&[9], |_| true).filter(|_| context(text, number.start, 48, &WORDS));
    let end = dashed.or_else(plain)?.end;
    let digits = number.digits(5);
    let group = digits.iter().skip(3).fold(0_u32, |v, d| v * 10 + u32::from(*d));
    let valid = digits.first() == Some(&9) && matches!(group, 50..=65 | 70..=88 | 90..=92 | 94..=99);
    if valid && ends(text, number, end) { found("us_itin", number.start, end) } else { None }
}

/// National provider identifier: ten digits, Luhn's check with 80840 in front (45 CFR 162.406); after a word.
pub(super) fn npi(text: &Text<'_>, number: &Number) -> Option<Found> {
    static WORDS: Words = Words::new(&["npi", "provider", "physician", "prescriber"]);
    let end = number.shape(&[10], |_| true)?.end;
    let digits = number.digits(10);
    let mut whole = vec![8, 0, 8, 4, 0];
    whole.extend_from_slice(digits);
    let valid = matches!(digits.first(), Some(1 | 2)) && luhn(&whole);
    let named = context(text, number.start, 48, &WORDS);
    if valid && named && ends(text, number, end) { found("us_npi", number.start, end) } else { None }
}

/// ABA routing number: nine digits with weights 3, 7, 1 (American Bankers Association); after a word.
pub(super) fn aba(text: &Text<'_>, number: &Number) -> Option<Found> {
    static WORDS: Words = Words::new(&["routing", "aba", "rtn", "transit", "bank"]);
    let end = number.shape(&[9], |_| true)?.end;
    let digits = number.digits(9);
    let lead = digits.iter().take(2).fold(0_u32, |v, d| v * 10 + u32::from(*d));
    let valid = matches!(lead, 1..=12 | 21..=32 | 61..=72 | 80)
        && weighted(digits, &[3, 7, 1, 3, 7, 1, 3, 7, 1], 10, 0);
    let named = context(text, number.start, 48, &WORDS);
    if valid && named && ends(text, number, end) { found("us_aba", number.start, end) } else { None }
}

/// Medicare beneficiary identifier: eleven characters, form `9A*9A*9AA99` without S, L, O, I, B, Z (CMS, 2017).
pub(super) fn mbi(text: &Text<'_>, at: usize) -> Option<Found> {
    let (id, end) = compact(text, at, b"9A*9A*9AA99")?;
    let letters = id.iter().all(|b| !b"SLOIBZ".contains(b));
    if id.first() != Some(&b'0') && letters { found("us_mbi", at, end) } else { None }
}

/// Social insurance number of Canada: nine digits with Luhn's check; first digit not 0 or 8 (Service Canada).
pub(super) fn sin(text: &Text<'_>, number: &Number) -> Option<Found> {
    static WORDS: Words = Words::new(&["sin", "social insurance", "nas"]);
    // In a row of numbers, three groups of three are nothing by themselves.
    let alone = number.group_after(3).is_none() && !continues(text, number.start);
    let grouped = number.shape(&[3, 3, 3], |s| s == b'-' || s == b' ').filter(|_| alone);
    let plain = || number.shape(&[9], |_| true).filter(|_| context(text, number.start, 48, &WORDS));
    let end = grouped.or_else(plain)?.end;
    let digits = number.digits(9);
    let valid = !matches!(digits.first(), Some(0 | 8)) && luhn(digits);
    if valid && ends(text, number, end) { found("ca_sin", number.start, end) } else { None }
}

fn ends(text: &Text<'_>, number: &Number, end: usize) -> bool {
    opens(text, number.start) && closes_whole(text, end)
}
