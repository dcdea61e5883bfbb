//! What looks like a value and is none.

use super::{masker, seen};

/// Hard negatives: identifiers, digests, times, versions, code, logs and documentation as agents see them.
const PASSES: &str = include_str!("passes.txt");

/// A negative may be touched in fewer than this share of cases.
const MOST: f64 = 0.02;

#[test]
fn hard_negatives_pass() {
    let masker = masker();
    let lines: Vec<String> =
        PASSES.lines().filter(|l| !l.is_empty()).map(|l| l.replace("\\n", "\n")).collect();
    assert!(lines.len() >= 200, "only {} negatives", lines.len());
    let touched: Vec<_> = lines.iter().filter(|l| !masker.find(l).is_empty()).collect();
    let share = touched.len() as f64 / lines.len() as f64;
    let list: Vec<_> = touched.iter().map(|l| format!("{l:?}: {:?}", seen(&masker, l))).collect();
    assert!(share < MOST, "{} of {} touched:\n{}", touched.len(), lines.len(), list.join("\n"));
}

#[test]
fn a_wrong_check_digit_length_or_range_passes() {
    for text in [
        "4111111111111112",
        "4111 1111 1111 1112",
        "411111111111111",
        "9411111111111111",
        "000-12-3456",
        "666-12-3456",
        "900-12-3456",
        "123-00-4567",
        "123-45-0000",
        "123-456-7890",
        "+0 123 456 789",
        "+999 12345678",
        "DE89370400440532013001",
        "XX89370400440532013000",
        "a@b",
        "@b.com",
        "a@.com",
        "eyJhbGciOiJub3QganNvbg.eyJzdWIiOiIxIn0.aaaa",
        "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n-----END PUBLIC KEY-----",
        "-----BEGIN CERTIFICATE-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n-----END CERTIFICATE-----",
    ] {
        assert_eq!(seen(&masker(), text), [], "{text}");
    }
}
