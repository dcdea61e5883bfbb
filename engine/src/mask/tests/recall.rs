//! Recall over generated, well-formed values of each default kind.

use super::{BASE62, DIGITS, Numbers, masker, seen};
use crate::mask::check::luhn;
use crate::mask::detect::{iban, keys};

/// At least this share of valid values is found whole.
const LEAST: f64 = 0.99;
const ROUNDS: usize = 500;

const FRAMES: [&str; 8] =
    ["{}", "see {} here", "({})", "\"{}\"", "value: {}\n", "- {}.", "<b>{}</b>", "a,{},b"];

fn recall(kind: &str, mut value: impl FnMut(&mut Numbers) -> String) {
    let masker = masker();
    let mut numbers = Numbers(0x51CE);
    let mut missed = Vec::new();
    for round in 0..ROUNDS {
        let value = value(&mut numbers);
        let text = FRAMES[round % FRAMES.len()].replace("{}", &value);
        if !seen(&masker, &text).contains(&(kind.to_owned(), value.clone())) {
            missed.push(format!("{text:?} {:?}", seen(&masker, &text)));
        }
    }
    let share = 1.0 - missed.len() as f64 / ROUNDS as f64;
    assert!(
        share >= LEAST,
        "{kind}: {share}\n{}",
        missed.iter().take(12).cloned().collect::<Vec<_>>().join("\n")
    );
}

#[test]
fn valid_emails_are_found() {
    let tlds =
        ["com", "org", "net", "io", "de", "co.uk", "dev", "app", "gov", "edu", "fr", "com.br", "info", "ai"];
    recall("email", |n| {
        let len = 1 + n.below(12);
        let mut local = n.text("abcdefghijklmnopqrstuvwxyz0123456789", len);
        if n.below(2) == 0 {
            local = format!("{local}{}{}", n.pick(&['.', '_', '-', '+']), n.text("abcdefghij", 4));
        }
        let len = 2 + n.below(10);
        format!("{local}@{}.{}", n.text("abcdefghijklmnopqrstuvwxyz", len), n.pick(&tlds))
    });
}

#[test]
fn valid_cards_are_found() {
    let issuers = [
        ("4", 16),
        ("51", 16),
        ("55", 16),
        ("2221", 16),
        ("2720", 16),
        ("34", 15),
        ("37", 15),
        ("6011", 16),
        ("65", 16),
        ("3528", 16),
        ("36", 14),
        ("62", 16),
        ("4", 19),
    ];
    recall("payment_card", |n| {
        let (lead, len) = n.pick(&issuers);
        let body = format!("{lead}{}", n.text(DIGITS, len - lead.len() - 1));
        let digits = |text: &str| -> Vec<u8> { text.bytes().map(|b| b - b'0').collect() };
        let check = (0..10).find(|c| luhn(&digits(&format!("{body}{c}")))).unwrap();
        let whole = format!("{body}{check}");
        let separator = *n.pick(&["", " ", "-"]);
        let groups: &[usize] = match len {
            15 => &[4, 6, 5],
            14 => &[4, 6, 4],
            _ => &[4, 4, 4, 4, 3],
        };
        let mut rest = whole.as_str();
        let mut parts = Vec::new();
        for group in groups {
            let (part, after) = rest.split_at((*group).min(rest.len()));
            if !part.is_empty() {
                parts.push(part);
            }
            rest = after;
        }
        parts.join(separator)
    });
}

#[test]
fn valid_social_security_numbers_are_found() {
    recall("us_ssn", |n| {
        let area = loop {
            let area = 1 + n.below(898);
            if area != 666 {
                break area;
            }
        };
        format!("{area:03}-{:02}-{:04}", 1 + n.below(99), 1 + n.below(9999))
    });
}

#[test]
fn valid_phones_are_found() {
    recall("phone", |n| {
        let part = |n: &mut Numbers| loop {
            let part = 200 + n.below(800);
            if part % 100 != 11 {
                break part;
            }
        };
        let (area, exchange, line) = (part(n), part(n), n.below(10_000));
        match n.below(6) {
            0 => format!("({area}) {exchange}-{line:04}"),
            1 => format!("{area}-{exchange}-{line:04}"),
            2 => format!("+1 {area} {exchange} {line:04}"),
            3 => format!("+1{area}{exchange}{line:04}"),
            4 => format!("+44 20 {:04} {:04}", 1000 + n.below(9000), n.below(10_000)),
            _ => format!("+49 {} {:07}", 30 + n.below(60), 1_000_000 + n.below(9_000_000)),
        }
    });
}

#[test]
fn valid_ibans_are_found() {
    recall("iban", |n| {
        let (country, length) = n.pick(&iban::COUNTRIES);
        let country = std::str::from_utf8(country).unwrap();
        let account = n.text(DIGITS, length - 4);
        let rest = |check: usize| crate::mask::check::mod97(format!("{account}{country}{check:02}").bytes());
        let check = (2..99).find(|c| rest(*c)).unwrap();
        let whole = format!("{country}{check:02}{account}");
        if n.below(2) == 0 {
            return whole;
        }
        let bytes = whole.as_bytes();
        bytes.chunks(4).map(|c| std::str::from_utf8(c).unwrap()).collect::<Vec<_>>().join(" ")
    });
}

#[test]
fn valid_keys_of_every_format_are_found() {
    for (kind, prefix, alphabet, min, max) in keys::formats() {
        recall(kind, |n| {
            let len = if max == 0 { min + n.below(40) } else { min + n.below(max.min(min + 40) - min + 1) };
            format!("{prefix}{}", n.text(alphabet, len))
        });
    }
}

#[test]
fn valid_tokens_are_found() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
    recall("jwt", |n| {
        let header = format!(
            "{{\"alg\":\"{}\",\"kid\":\"{}\"}}",
            n.pick(&["RS256", "HS256", "EdDSA"]),
            n.text(BASE62, 8)
        );
        let payload = format!("{{\"sub\":\"{}\"}}", n.text(BASE62, 20));
        format!("{}.{}.{}", B64.encode(header), B64.encode(payload), n.text(BASE62, 43))
    });
}
