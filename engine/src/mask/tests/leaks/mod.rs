//! Nothing leaks: values of every kind in every disguise and in every place, as a whole and at every split.
//!
//! A character leaks when it belongs to a run of six characters of the value, or of five of its digits, that is
//! still readable in what leaves. Readable means: after folding by rules of this test's own.

mod disguises;
mod places;

use super::{apply, masker};
use crate::mask::{Direction, Masker, Memory, Profile, StreamMasker};

/// Which disguises and places make sense for a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Email,
    /// Digits in groups.
    Number,
    Iban,
    /// Told by its prefix.
    Key,
}

/// One value as people write it.
struct Value {
    kind: &'static str,
    family: Family,
    text: &'static str,
}

const fn value(kind: &'static str, family: Family, text: &'static str) -> Value {
    Value { kind, family, text }
}

const VALUES: [Value; 18] = [
    value("email", Family::Email, "jonathan.doe@example.com"),
    value("email", Family::Email, "maria_lopez-91+news@mail.acme-labs.co.uk"),
    value("payment_card", Family::Number, "4111 1111 1111 1111"),
    value("payment_card", Family::Number, "5500-0055-5555-5559"),
    value("payment_card", Family::Number, "4012888888881881"),
    value("payment_card", Family::Number, "3782 822463 10005"),
    value("us_ssn", Family::Number, "536-22-8726"),
    value("phone", Family::Number, "+1 415 555 0132"),
    value("phone", Family::Number, "415-555-0132"),
    value("phone", Family::Number, "(415) 555-0132"),
    value("phone", Family::Number, "+44 20 7946 0958"),
    value("iban", Family::Iban, "DE89 3704 0044 0532 0130 00"),
    value("iban", Family::Iban, "GB82WEST12345698765432"),
    value("anthropic_key", Family::Key, "sk-ant-api03-k3v9Qa0Lm2xR7bTzWp5sYnC4dJ6fGh8K"),
    value("aws_access_key", Family::Key, "AKIAZ3MSDX5QW7RT2UVB"),
    value("github_token", Family::Key, "ghp_k3v9Qa0Lm2xR7bTzWp5sYnC4dJ6fGh8KqZ1x"),
    value("slack_token", Family::Key, "xoxb-263594206564-FGqddMF8t08v8N7Oq4i57vs1"),
    value(
        "jwt",
        Family::Key,
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiI4MTY0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    ),
];

/// A value in its text.
struct Case {
    kind: &'static str,
    name: String,
    value: String,
    text: String,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for value in &VALUES {
        let mut add = |name: String, text: String| {
            cases.push(Case { kind: value.kind, name, value: value.text.to_owned(), text });
        };
        for (name, text) in disguises::of(value.family, value.text) {
            add(name.clone(), format!("so {text} then"));
            add(format!("{name}, in JSON"), format!("{{\"v\":\"{text}\"}}"));
        }
        for place in places::PLACES {
            add(format!("in {place:?}"), place.replace("{}", value.text));
        }
    }
    cases.extend(places::named().into_iter().map(|(kind, name, value, text)| Case {
        kind,
        name,
        value,
        text,
    }));
    cases
}

/// The characters that say something, in the form that a reader sees: letters and digits, small, without masks.
fn readable(text: &str) -> Vec<char> {
    let mut out = Vec::new();
    let text = disguises::plain(text);
    let mut rest = text.as_str();
    while let Some(char) = rest.chars().next() {
        if let Some(end) = mask_end(rest) {
            rest = &rest[end..];
            out.push('|');
            continue;
        }
        if char.is_alphanumeric() {
            out.extend(char.to_lowercase());
        }
        rest = &rest[char.len_utf8()..];
    }
    out
}

fn mask_end(text: &str) -> Option<usize> {
    let close = if text.starts_with("[redacted:") {
        ']'
    } else if text.starts_with('<') {
        '>'
    } else {
        return None;
    };
    let end = text.find(close)?;
    let ok = text[1..end].chars().all(|c| c.is_ascii_alphanumeric() || "_:~".contains(c));
    (ok && text[..end].contains(':')).then_some(end + 1)
}

/// How many characters of the value are still readable.
fn leaked(value: &str, out: &str) -> usize {
    let (value, out) = (readable(value), readable(out));
    let holds = |run: &[char]| out.windows(run.len()).any(|w| w == run);
    let mut marked = vec![false; value.len()];
    for length in [5, 6] {
        for at in 0..value.len().saturating_sub(length - 1) {
            let run = &value[at..at + length];
            if (length == 6 || run.iter().all(char::is_ascii_digit)) && holds(run) {
                marked[at..at + length].fill(true);
            }
        }
    }
    marked.iter().filter(|m| **m).count()
}

fn streamed(masker: &Masker, text: &str, cuts: &[usize]) -> String {
    let (mut stream, mut memory, mut out) = (StreamMasker::new(), Memory::default(), String::new());
    let mut from = 0;
    for to in cuts.iter().copied().chain([text.len()]) {
        stream.push(masker, Direction::Response, &Profile::default(), &mut memory, &text[from..to], &mut out);
        from = to;
    }
    stream.finish(masker, Direction::Response, &Profile::default(), &mut memory, &mut out);
    out
}

#[test]
fn no_character_of_a_value_leaks_in_any_disguise_or_place_at_any_split() {
    let masker = masker();
    let cases = cases();
    assert!(cases.len() >= 500, "only {} cases", cases.len());
    let mut leaks = Vec::new();
    for case in &cases {
        assert!(
            leaked(&case.value, &case.text) > 0,
            "{}: the text does not hold {:?}: {:?}",
            case.name,
            case.value,
            case.text
        );
        for direction in [Direction::Request, Direction::Response] {
            let edits = masker.edits(&case.text, direction, &Profile::default(), &mut Memory::default());
            let out = apply(&case.text, &edits);
            let count = leaked(&case.value, &out);
            if count > 0 {
                leaks.push(format!("{count} of {} {}: {:?} -> {out:?}", case.kind, case.name, case.text));
                break;
            }
            if direction == Direction::Response {
                let places: Vec<usize> =
                    (1..case.text.len()).filter(|at| case.text.is_char_boundary(*at)).collect();
                for cuts in places.iter().map(|at| vec![*at]).chain([places.clone()]) {
                    assert_eq!(streamed(&masker, &case.text, &cuts), out, "{:?} cut at {cuts:?}", case.text);
                }
            }
        }
    }
    assert!(leaks.is_empty(), "{} of {} cases leak:\n{}", leaks.len(), cases.len(), leaks.join("\n"));
}

#[test]
fn the_measure_sees_what_is_left_of_a_value() {
    assert_eq!(leaked("jonathan.doe@example.com", "mail <email:k3v9q2m8x0ta> now"), 0);
    assert_eq!(leaked("jonathan.doe@example.com", "mail jona <email:k3v9q2m8x0ta> now"), 0);
    assert_eq!(leaked("jonathan.doe@example.com", "j\u{200b}onathan&#46;<email:k3v9q2m8x0ta>"), 8);
    assert_eq!(leaked("4111 1111 1111 1234", "[redacted:payment_card] 1 12-3４"), 5);
    assert_eq!(leaked("4111 1111 1111 1234", "1234"), 0);
}
