//! Values of the kinds in packs: drawn until they satisfy the rules of those who issue them, or until they do not.

use sha2::{Digest as _, Sha256};

use super::values::{BASE62, DIGITS, Draw, Sample, sample};

/// Draws for one value, at most. The rarest rule holds for one in three hundred.
const DRAWS: usize = 100_000;

/// Kind, what stands in front, form (`9` a digit, `A` a capital, others themselves), and the rule.
type Row = (&'static str, &'static str, &'static str, fn(&[u8]) -> bool);

const NUMBERS: [Row; 19] = [
    ("us_itin", "", "999-99-9999", |v| {
        v.first() == Some(&b'9') && matches!(number(v, 3, 2), 50..=65 | 70..=88 | 90..=92 | 94..=99)
    }),
    ("us_npi", "NPI ", "9999999999", |v| {
        let whole: Vec<u8> = b"80840".iter().chain(v).copied().collect();
        number(v, 0, 1) >= 1 && number(v, 0, 1) <= 2 && luhn(&whole)
    }),
    ("us_aba", "routing number ", "999999999", |v| {
        matches!(number(v, 0, 2), 1..=12 | 21..=32 | 61..=72 | 80) && sum(v, &[3, 7, 1]).is_multiple_of(10)
    }),
    ("us_mbi", "", "9AA9AA9AA99", |v| v.first() != Some(&b'0') && !v.iter().any(|b| b"SLOIBZ".contains(b))),
    ("ca_sin", "", "999-999-999", |v| !matches!(v.first(), Some(b'0' | b'8')) && luhn(v)),
    ("uk_nhs_number", "", "999 999 9999", |v| sum(v, &[10, 9, 8, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11)),
    ("uk_nino", "", "AA999999A", |v| match v {
        [a, b, .., last] => {
            !b"DFIQUV".contains(a)
                && !b"DFIQUVO".contains(b)
                && !["BG", "GB", "KN", "NK", "NT", "TN", "ZZ"].iter().any(|no| no.as_bytes() == [*a, *b])
                && last <= &b'D'
        }
        _ => false,
    }),
    ("de_tax_id", "", "99 999 999 999", |v| {
        let times = |d: u8| v.iter().take(10).filter(|b| **b == d).count();
        let repeated: Vec<usize> = (b'0'..=b'9').map(times).filter(|n| *n > 1).collect();
        let product = v.iter().take(10).fold(10, |product, b| match (product + value(*b)) % 10 {
            0 => 20 % 11,
            rest => rest * 2 % 11,
        });
        v.first() != Some(&b'0')
            && matches!(repeated.as_slice(), [2 | 3])
            && (11 - product) % 10 == number(v, 10, 1)
    }),
    ("fr_nir", "", "9 99 99 99 999 999 99", |v| {
        matches!(v.first(), Some(b'1' | b'2'))
            && matches!(number(v, 3, 2), 1..=12)
            && 97 - number(v, 0, 13) % 97 == number(v, 13, 2)
    }),
    ("es_nif", "", "99999999A", |v| v.last() == spanish(number(v, 0, 8))),
    ("es_nie", "", "A9999999A", |v| {
        let lead = v.first().and_then(|b| b"XYZ".iter().position(|letter| letter == b));
        lead.is_some_and(|lead| v.last() == spanish(lead as u64 * 10_000_000 + number(v, 1, 7)))
    }),
    ("it_codice_fiscale", "", "AAAAAA99A99A999A", |v| {
        const ODD: &[u8; 26] = b"BAFHJNPRTVCESULDGIMOQKWZYX";
        let odd = |b: &u8| {
            let place = if b.is_ascii_digit() { b - b'0' } else { b - b'A' };
            ODD.get(usize::from(place)).map_or(0, |letter| u64::from(letter - b'A'))
        };
        let rest: u64 = v
            .iter()
            .take(15)
            .enumerate()
            .map(|(i, b)| match (i % 2, b.is_ascii_digit()) {
                (0, _) => odd(b),
                (_, true) => u64::from(b - b'0'),
                (_, false) => u64::from(b - b'A'),
            })
            .sum();
        v.last().is_some_and(|b| u64::from(b - b'A') == rest % 26)
    }),
    ("pl_pesel", "", "99999999999", |v| {
        matches!(number(v, 2, 2) % 20, 1..=12)
            && matches!(number(v, 4, 2), 1..=31)
            && sum(v.get(..10).unwrap_or_default(), &[1, 3, 7, 9]) % 10 == (10 - number(v, 10, 1)) % 10
    }),
    ("in_aadhaar", "", "9999 9999 9999", |v| !matches!(v.first(), Some(b'0' | b'1')) && verhoeff(v)),
    ("in_pan", "", "AAAAA9999A", |v| v.get(3).is_some_and(|b| b"ABCFGHJLPT".contains(b))),
    ("sg_nric", "", "A9999999A", |v| {
        let rest = sum(v.get(1..8).unwrap_or_default(), &[2, 7, 6, 5, 4, 3, 2]);
        let (letters, add) = match v.first() {
            Some(b'S') => ("JZIHGFEDCBA", 0),
            Some(b'T') => ("JZIHGFEDCBA", 4),
            Some(b'F') => ("XWUTRQPNMLK", 0),
            Some(b'G') => ("XWUTRQPNMLK", 4),
            _ => return false,
        };
        v.last() == letters.as_bytes().get(((rest + add) % 11) as usize)
    }),
    ("au_abn", "", "99 999 999 999", |v| {
        v.first() != Some(&b'0') && (sum(v, &[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]) - 10).is_multiple_of(89)
    }),
    ("au_medicare", "", "9999 99999 9", |v| {
        matches!(v.first(), Some(b'2'..=b'6'))
            && sum(v.get(..8).unwrap_or_default(), &[1, 3, 7, 9]) % 10 == number(v, 8, 1)
    }),
    ("au_tfn", "TFN ", "999 999 999", |v| sum(v, &[1, 4, 3, 7, 5, 8, 6, 9, 10]).is_multiple_of(11)),
];

/// Kind, what stands in front, form, and what stands there at other times: kinds that only a word gives away.
const NAMED: [(&str, &str, &str, [&str; 3]); 5] = [
    ("passport", "passport ", "A99999999", ["office", "photo 45 mm", "of 2019"]),
    ("driver_licence", "driver licence ", "A9999999", ["of my son", "class B1", "since 1998"]),
    ("bank_account", "account number ", "99999999", ["is 12", "missing", "of 2 banks"]),
    ("date_of_birth", "born ", "1980-11-29", ["in 1980", "free", "3 weeks early"]),
    ("mac_address", "", "0a:1b:9C:99:9f:99", ["0a:1b:2c", "12:34:56", "ff:ff:ff:ff:ff:ff"]),
];

/// One sample a kind.
pub fn samples() -> Vec<Sample> {
    let mut list: Vec<Sample> = NUMBERS
        .into_iter()
        .map(|(kind, context, form, rule)| {
            sample(kind, context, move |d| drawn(d, form, rule, true), move |d| drawn(d, form, rule, false))
        })
        .collect();
    list.extend(NAMED.into_iter().map(|(kind, context, form, others)| {
        sample(kind, context, move |d| filled(d, form), move |d| d.pick(&others, "").to_owned())
    }));
    list.push(sample("ip_address", "", |d| address(d, 31), |d| address(d, 10)));
    list.push(sample("crypto_wallet", "", |d| wallet(d, 0), |d| wallet(d, 1)));
    list
}

fn filled(d: &mut Draw, form: &str) -> String {
    form.chars()
        .map(|c| match c {
            '9' => d.text(DIGITS, 1),
            'A' => d.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 1),
            other => other.to_string(),
        })
        .collect()
}

/// A value of this form that satisfies the rule, or, `valid` being false, does not.
fn drawn(d: &mut Draw, form: &str, rule: fn(&[u8]) -> bool, valid: bool) -> String {
    let fits = |value: &String| {
        let compact: Vec<u8> = value.bytes().filter(u8::is_ascii_alphanumeric).collect();
        rule(&compact) == valid
    };
    (0..DRAWS).map(|_| filled(d, form)).find(fits).unwrap_or_default()
}

fn value(digit: u8) -> u64 {
    u64::from(digit.saturating_sub(b'0'))
}

fn number(digits: &[u8], from: usize, count: usize) -> u64 {
    digits.iter().skip(from).take(count).fold(0, |sum, b| sum * 10 + value(*b))
}

/// The digits, each by its weight; weights start over where they end.
fn sum(digits: &[u8], weights: &[u64]) -> u64 {
    digits.iter().zip(weights.iter().cycle()).map(|(b, weight)| value(*b) * weight).sum()
}

fn luhn(digits: &[u8]) -> bool {
    let double = |d: u64| if d > 4 { 2 * d - 9 } else { 2 * d };
    let one = |(i, b): (usize, &u8)| if i % 2 == 0 { value(*b) } else { double(value(*b)) };
    digits.iter().rev().enumerate().map(one).sum::<u64>() % 10 == 0
}

/// Verhoeff's check, by the rules of the dihedral group instead of its table.
fn verhoeff(digits: &[u8]) -> bool {
    const STEP: [u64; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let multiply = |a: u64, b: u64| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => 5 + (a + b) % 5,
        (false, true) => 5 + (a + 5 - b) % 5,
        (false, false) => (a + 5 - b) % 5,
    };
    let permuted = |times: usize, digit: u64| {
        (0..times % 8).fold(digit, |digit, _| STEP.get(digit as usize).copied().unwrap_or(0))
    };
    digits.iter().rev().enumerate().fold(0, |state, (i, b)| multiply(state, permuted(i, value(*b)))) == 0
}

fn spanish(number: u64) -> Option<&'static u8> {
    b"TRWAGMYFPDXBNJZSQVHLCKE".get((number % 23) as usize)
}

/// An IPv4 address in a network that starts with this number: 31 is public, 10 is not.
fn address(d: &mut Draw, first: u8) -> String {
    format!("{first}.{}.{}.{}", d.below(256), d.below(256), 1 + d.below(254))
}

/// A Bitcoin address whose checksum is off by `off`.
fn wallet(d: &mut Draw, off: u8) -> String {
    const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut bytes = vec![0];
    bytes.extend(d.text(BASE62, 20).bytes().map(|b| b.wrapping_mul(7)));
    let check = Sha256::digest(Sha256::digest(&bytes));
    bytes.extend(check.iter().take(4).map(|b| b.wrapping_add(off)));
    let mut digits: Vec<u32> = Vec::new();
    for byte in bytes {
        let mut carry = u32::from(byte);
        for digit in &mut digits {
            carry += *digit * 256;
            *digit = carry % 58;
            carry /= 58;
        }
        while carry > 0 {
            digits.push(carry % 58);
            carry /= 58;
        }
    }
    // The version byte of nothing but zeros is one `1`.
    let letter = |digit: &u32| ALPHABET.get(*digit as usize).copied().map_or('1', char::from);
    std::iter::once('1').chain(digits.iter().rev().map(letter)).collect()
}
