//! Texts that a reviewer named.

use super::{apply, masked, masker, masker_with_custom};
use crate::mask::{Direction, Masker, Memory, Named, NamedError, SHORTEST_NAMED};

/// The text with the named ones masked, and whether each was found.
fn edited(masker: &Masker, text: &str, texts: &[&str]) -> (String, Vec<bool>) {
    let mut named = Named::new(texts.iter().copied()).unwrap();
    let edits = masker.edits_named(text, &mut named, &mut Memory::default());
    (apply(text, &edits), named.found().collect())
}

fn one(text: &str, named: &str) -> String {
    edited(&masker(), text, &[named]).0
}

#[test]
fn a_named_text_is_masked_wherever_it_stands_and_nothing_else_is() {
    for (text, named, left) in [
        (
            "Project Falcon ships. Falcon!",
            "Falcon",
            "Project [redacted:reviewer] ships. [redacted:reviewer]!",
        ),
        ("falcon Falco n Falcon", "Falcon", "falcon Falco n [redacted:reviewer]"),
        ("two\nlines here", "two\nlines", "[redacted:reviewer] here"),
        ("aaaaaaa b", "aaaa", "[redacted:reviewer] b"),
        ("Größe: 漢字漢字 km", "漢字漢字", "Größe: [redacted:reviewer] km"),
    ] {
        assert_eq!(one(text, named), left, "{text}");
    }
}

#[test]
fn the_spelling_of_nested_json_and_disguises_hide_nothing() {
    let left = |text: &str| one(text, "Café \"Nord\"");
    for (text, expected) in [
        (r#"{"name":"Café \"Nord\"","n":1}"#, r#"{"name":"[redacted:reviewer]","n":1}"#),
        (r#"{"name":"Caf\u00e9 \u0022Nord\"","n":1}"#, r#"{"name":"[redacted:reviewer]","n":1}"#),
        (r#"{\"name\":\"Caf\\u00E9 \\\"Nord\\\"\"}"#, r#"{\"name\":\"[redacted:reviewer]\"}"#),
        ("Café\u{a0}“Nord” Café\u{200b} &quot;Nord&quot;!", "Café\u{a0}“Nord” [redacted:reviewer]!"),
    ] {
        assert_eq!(left(text), expected, "{text}");
    }
    assert_eq!(one(r"a \ud83d\ude00\uD83D\uDE00 Café b", "😀😀 Café"), "a [redacted:reviewer] b");
    // A reviewer who copies the escape out of what is shown names the same.
    assert_eq!(one("a Café! b", r"Caf\u00e9!"), "a [redacted:reviewer] b");
    // What ends in a backslash is found letter by letter, although it looks otherwise with what follows.
    assert_eq!(one(r"in C:\temp now", r"in C:\"), "[redacted:reviewer]temp now");
}

#[test]
fn what_is_named_is_what_the_record_shows() {
    let masker = masker();
    let text = "Write to jane.doe@example.com about Falcon.";
    let shown = masked(&masker, text, Direction::Record);
    let mask = shown.split(' ').nth(2).unwrap();
    assert!(mask.starts_with("<email:"), "{shown}");
    let (left, found) = edited(&masker, text, &[&format!("to {mask} about")]);
    assert_eq!((left.as_str(), found), ("Write [redacted:reviewer] Falcon.", vec![true]));
    // Nobody learns by guessing what a mask stands for.
    let (left, found) = edited(&masker, text, &["jane.doe", "jane.doe@example.com"]);
    assert_eq!((left.as_str(), found), (text, vec![false, false]));
    // A part of a mask takes all of it with it, where it stood for something and where it is one.
    assert_eq!(edited(&masker, text, &[&mask[..12]]).0, "Write to [redacted:reviewer] about Falcon.");
    assert_eq!(edited(&masker, &shown, &["email:"]).0, "Write to [redacted:reviewer] about Falcon.");
}

#[test]
fn texts_that_overlap_become_one_mask_and_each_counts_as_found() {
    let (left, found) =
        edited(&masker_with_custom(), "the Project Falcon plan", &["Falcon plan", "Falcon", "nowhere"]);
    // `Project Falcon` is one of the patterns of this policy: of its mask no part is named, so it is not found.
    assert_eq!(found, [false, false, false], "{left}");
    let (left, found) =
        edited(&masker(), "the Project Falcon plan", &["Falcon plan", "Project Falcon", "nowhere"]);
    assert_eq!((left.as_str(), found), ("the [redacted:reviewer]", vec![true, true, false]));
}

#[test]
fn what_would_shred_a_document_is_refused() {
    let refused = |text: &str| Named::new([text]).err();
    let long = "x".repeat(4097);
    for (text, why) in [
        ("", Some(NamedError::Short)),
        ("abc", Some(NamedError::Short)),
        ("a b c \n\t ", Some(NamedError::Short)),
        ("&amp;&#65;", Some(NamedError::Short)),
        ("\u{200b}\u{200b}\u{200b}\u{200b}", Some(NamedError::Short)),
        (r"\u00e9\u00e9", Some(NamedError::Short)),
        (long.as_str(), Some(NamedError::Long)),
        ("abcd", None),
        (&long[1..], None),
    ] {
        assert_eq!(refused(text), why, "{text:.20}");
    }
    assert_eq!(SHORTEST_NAMED, 4);
    let mut named = Named::new(["abcd"]).unwrap();
    masker().edits_named(&"abcd ".repeat(10_000), &mut named, &mut Memory::default());
    assert!(!named.are_everywhere());
    masker().edits_named("abcd", &mut named, &mut Memory::default());
    assert!(named.are_everywhere());
}
