//! United States social security numbers.
//!
//! Source: Social Security Administration, "Social Security Number Randomization" (2011): area is not 000, 666 or
//! 900 to 999, group is not 00, serial is not 0000.

use super::number::{Number, closes_whole, opens};
use super::{Found, found};
use crate::mask::text::Text;
use crate::mask::words::{Words, context};

/// The finding kind.
pub(in crate::mask) const KIND: &str = "us_ssn";

static WORDS: Words = Words::new(&["ssn", "ssns", "ss#", "social", "social security", "itin", "taxpayer"]);

/// `123-45-6789`; with other separators or none when a word in front says what it is.
pub(in crate::mask) fn find(text: &Text<'_>, number: &Number) -> Option<Found> {
    if !opens(text, number.start) {
        return None;
    }
    let end = match number.shape(&[3, 2, 4], |s| matches!(s, b'-' | b' ' | b'.' | b'/' | b'_' | b'\t')) {
        Some(last) => {
            let dashed = number.groups().iter().skip(1).take(2).all(|g| g.separator == b'-');
            let goes_on = number.groups().get(3).is_some();
            if !dashed && (goes_on || !context(text, number.start, 64, &WORDS)) && !plain_spaced(text, number)
            {
                return None;
            }
            if goes_on && number.groups().get(3).is_some_and(|g| g.separator != b' ' && g.separator != b'\t')
            {
                return None;
            }
            last.end
        }
        None => {
            let last = number.shape(&[9], |_| true)?;
            if !context(text, number.start, 64, &WORDS) {
                return None;
            }
            last.end
        }
    };
    let digits = number.digits(9);
    let value = |from: usize, to: usize| {
        digits.get(from..to).unwrap_or_default().iter().fold(0_u32, |v, d| v * 10 + u32::from(*d))
    };
    let (area, group, serial) = (value(0, 3), value(3, 5), value(5, 9));
    let valid = area != 0 && area != 666 && area < 900 && group != 0 && serial != 0;
    if valid && closes_whole(text, end) { found(KIND, number.start, end) } else { None }
}

/// `123 45 6789` alone, with no number in front of it or behind.
fn plain_spaced(text: &Text<'_>, number: &Number) -> bool {
    let before = text.behind(number.start, 2);
    number.groups().len() == 3
        && number.groups().iter().skip(1).all(|g| g.separator == b' ')
        && !before.first().is_some_and(u8::is_ascii_digit)
}
