//! Payment cards: issuer range, length and Luhn's check.
//!
//! Sources: ISO/IEC 7812-1 (structure and check digit); the issuers' published identification ranges as of 2025
//! (Visa, Mastercard with the 2-series, American Express, Discover, Diners Club, JCB, UnionPay, Maestro, Mir,
//! RuPay, Elo, Hipercard, Verve, Troy, Dankort, InterPayment).

use super::number::{Group, Number, closes, opens};
use super::{Found, found};
use crate::mask::check::luhn;
use crate::mask::text::Text;
use crate::mask::words::{Words, context};

/// The finding kind.
pub(in crate::mask) const KIND: &str = "payment_card";

/// First and last value of the leading digits, how many digits those are, shortest and longest number.
const ISSUERS: [(u32, u32, usize, usize, usize); 36] = [
    (4, 4, 1, 13, 13),
    (4, 4, 1, 16, 16),
    (4, 4, 1, 19, 19),
    (51, 55, 2, 16, 16),
    (2221, 2720, 4, 16, 16),
    (34, 34, 2, 15, 15),
    (37, 37, 2, 15, 15),
    (300, 305, 3, 14, 19),
    (3095, 3095, 4, 14, 19),
    (36, 36, 2, 14, 19),
    (38, 39, 2, 14, 19),
    (6011, 6011, 4, 16, 19),
    (644, 649, 3, 16, 19),
    (65, 65, 2, 16, 19),
    (622126, 622925, 6, 16, 19),
    (62, 62, 2, 16, 19),
    (81, 82, 2, 16, 19),
    (3528, 3589, 4, 16, 19),
    (3088, 3094, 4, 16, 19),
    (5018, 5018, 4, 12, 19),
    (5019, 5020, 4, 12, 19),
    (5038, 5038, 4, 12, 19),
    (5612, 5612, 4, 12, 19),
    (5893, 5893, 4, 12, 19),
    (6304, 6304, 4, 12, 19),
    (6390, 6390, 4, 12, 19),
    (6759, 6763, 4, 12, 19),
    (2200, 2205, 4, 16, 19),
    (508, 509, 3, 16, 16),
    (5060, 5067, 4, 16, 19),
    (6062, 6062, 4, 16, 16),
    (60, 60, 2, 16, 16),
    (636, 636, 3, 16, 19),
    (6500, 6507, 4, 16, 19),
    (9792, 9792, 4, 16, 16),
    (357111, 357111, 6, 16, 16),
];

/// Lengths that are common enough in other numbers (barcodes, article numbers) to need a word in front.
const NEEDS_CONTEXT: usize = 14;
static WORDS: Words = Words::new(&[
    "card",
    "cards",
    "visa",
    "maestro",
    "mastercard",
    "amex",
    "credit",
    "debit",
    "pan",
    "cc",
    "karte",
    "tarjeta",
]);

/// A card whose first digit is the number's first.
pub(in crate::mask) fn find(text: &Text<'_>, number: &Number) -> Option<Found> {
    let first = number.digits(1).first()?;
    if !(2..=9).contains(first) || *first == 7 || !opens(text, number.start) {
        return None;
    }
    let groups = number.groups();
    // Small groups are a card only where nothing follows them.
    let small = groups.first().is_some_and(|first| matches!(first.len, 1 | 2 | 3 | 5));
    let least = if small { groups.len() } else { 1 };
    if small && !number.is_whole() {
        return None;
    }
    (least..=groups.len()).rev().find_map(|count| {
        let (last, total) = (groups.get(count - 1)?, number.total(count));
        if !(12..=19).contains(&total) || !grouped(groups.get(..count)?) {
            return None;
        }
        let digits = number.digits(total);
        let ok = luhn(digits)
            && issued(digits)
            && !Number::is_filler(digits)
            && ends(text, number, count, last)
            && (total >= NEEDS_CONTEXT || context(text, number.start, 48, &WORDS));
        if ok { found(KIND, number.start, last.end) } else { None }
    })
}

/// Whether nothing follows that makes it a part of something longer. A date or a check number may follow.
fn ends(text: &Text<'_>, number: &Number, count: usize, last: &Group) -> bool {
    match number.group_after(count) {
        None => closes(text, last.end),
        Some(next) => next.len <= 4 && next.separator != b'.',
    }
}

/// Whether people write cards in such groups: whole, in fours, 4-6-5, 4-6-4, 6-13, 8-8, or in equal small
/// groups.
fn grouped(groups: &[Group]) -> bool {
    let lens =
        |shape: &[usize]| groups.len() == shape.len() && groups.iter().zip(shape).all(|(g, l)| g.len == *l);
    let (Some(first), Some((last, rest))) = (groups.first(), groups.split_last()) else { return false };
    let even = || rest.iter().all(|g| g.len == first.len) && last.len <= first.len;
    let separator = groups.get(1).map_or(0, |g| g.separator);
    match first.len {
        _ if rest.is_empty() => true,
        4 => even() || lens(&[4, 6, 5]) || lens(&[4, 6, 4]),
        6 => lens(&[6, 13]),
        8 => lens(&[8, 8]),
        1 | 2 | 3 | 5 => {
            separator != b'.' && even() && groups.iter().skip(1).all(|g| g.separator == separator)
        }
        _ => false,
    }
}

/// Whether an issuer gives numbers that start so and are this long.
fn issued(digits: &[u8]) -> bool {
    let mut leads = [0_u32; 7];
    let mut lead = 0;
    for (slot, digit) in leads.iter_mut().skip(1).zip(digits) {
        lead = lead * 10 + u32::from(*digit);
        *slot = lead;
    }
    ISSUERS.iter().any(|(from, to, count, shortest, longest)| {
        leads.get(*count).is_some_and(|lead| (from..=to).contains(&lead))
            && (*shortest..=*longest).contains(&digits.len())
    })
}
