//! However a text is cut, what leaves a stream is what the whole text becomes.

use super::{BASE62, Numbers, apply, corpora, hostile, masker, masker_with_custom, maskers};
use crate::mask::{Direction, Masker, Memory, Profile, StreamMasker};
use crate::policy::document::MaskStyle;

/// Cuts a text at these places and puts together what leaves.
fn streamed(
    masker: &Masker,
    direction: Direction,
    memory: &mut Memory,
    text: &str,
    cuts: &[usize],
) -> String {
    let mut stream = StreamMasker::new();
    let mut out = String::new();
    let profile = Profile::default();
    let mut from = 0;
    for to in cuts.iter().copied().chain([text.len()]) {
        let piece = &text[from..to];
        let before = out.len();
        if stream.push(masker, direction, &profile, memory, piece, &mut out) {
            assert_eq!(&out[before..], piece);
        }
        from = to;
    }
    stream.finish(masker, direction, &profile, memory, &mut out);
    out
}

/// The pseudonyms that a request with these values would have put into memory.
fn memory(masker: &Masker) -> Memory {
    let mut memory = Memory::default();
    masker.edits("ann@example.com 4111111111111111", Direction::Request, &Profile::default(), &mut memory);
    memory
}

fn check(masker: &Masker, text: &str, cuts: &[usize]) {
    for direction in [Direction::Request, Direction::Response] {
        let mut whole = memory(masker);
        let expected = apply(text, &masker.edits(text, direction, &Profile::default(), &mut whole));
        let mut split = memory(masker);
        let got = streamed(masker, direction, &mut split, text, cuts);
        assert_eq!(got, expected, "{direction:?} {text:?} cut at {cuts:?}");
        assert_eq!(split.findings(), whole.findings(), "{text:?} cut at {cuts:?}");
    }
}

fn places(text: &str) -> Vec<usize> {
    (1..text.len()).filter(|at| text.is_char_boundary(*at)).collect()
}

/// Every corpus text, cut at every place, at all places at once, and at random ones.
#[test]
fn corpora_give_the_same_however_they_are_cut() {
    let texts = corpora();
    let maskers = maskers();
    let mut numbers = Numbers(3);
    for text in &texts {
        let places = places(text);
        for masker in &maskers {
            for place in &places {
                check(masker, text, &[*place]);
            }
            check(masker, text, &places);
            for _ in 0..4 {
                let cuts: Vec<usize> = places.iter().copied().filter(|_| numbers.below(5) == 0).collect();
                check(masker, text, &cuts);
            }
        }
    }
}

/// Near the end of a text the first look says yes to everything.
#[test]
fn what_is_found_does_not_hang_on_how_much_follows() {
    let masker = super::masker_with_packs();
    for text in [
        "ba.ba.ba.ba.ba.ba.ba.ba.ba.ba.ba.ba.ba.ba.ba.ba.ba.ba.ba.ba",
        "dapicomsetcookie ".repeat(4).as_str(),
    ] {
        check(&masker, text, &places(text));
        for place in places(text) {
            check(&masker, text, &[place]);
        }
    }
}

#[test]
fn hostile_text_gives_the_same_however_it_is_cut() {
    let maskers = maskers();
    let rounds = std::env::var("MASK_ROUNDS").ok().and_then(|r| r.parse().ok()).unwrap_or(1500);
    let mut numbers = Numbers(0xBAD_5EED);
    for _ in 0..rounds {
        let masker = &maskers[numbers.below(3)];
        let text = hostile(&mut numbers, masker);
        let places = places(&text);
        check(masker, &text, &places);
        for _ in 0..6 {
            let cuts: Vec<usize> = places.iter().copied().filter(|_| numbers.below(6) == 0).collect();
            check(masker, &text, &cuts);
        }
    }
}

#[test]
fn values_longer_than_are_held_back_are_redacted_as_they_flow() {
    let mut numbers = Numbers(5);
    let masker = masker();
    let line = |n: &mut Numbers| n.text(BASE62, 64);
    let key: Vec<String> = (0..200).map(|_| line(&mut numbers)).collect();
    let texts = [
        format!(
            "a -----BEGIN PRIVATE KEY-----\n{}\nAb9=\n-----END PRIVATE KEY-----\nb ann@example.com c",
            key.join("\n")
        ),
        format!("a -----BEGIN PRIVATE KEY-----\\n{}\\n-----END PRIVATE KEY----- b", key.join("\\n")),
        format!("a -----BEGIN PRIVATE KEY----- {} and that was it", key.concat()),
        format!("x sk-ant-{} y ann@example.com", key.concat()),
        format!("x eyJhbGciOiJIUzI1NiJ9.eyJ{}.{}. Then", key.concat(), line(&mut numbers)),
        format!("password=\"{}\" next", key.join("-")),
        format!("password={} next", key.join("&")),
        format!("password={}&user=x next", key.join(",")),
        format!("x -----BEGIN PRIVATE KEY-----\n{}", key.join("\n     7→")),
    ];
    for text in texts {
        let whole = super::masked(&masker, &text, Direction::Response);
        assert!(whole.contains("[redacted:") && whole.len() < 250, "{whole}");
        for step in [1, 7, 64, 1000, 5000] {
            let cuts: Vec<usize> =
                (1..text.len()).filter(|at| at % step == 0 && text.is_char_boundary(*at)).collect();
            check(&masker, &text, &cuts);
        }
        let profile = masker.profile(&[vec![("*".into(), MaskStyle::Off)]]);
        let (mut stream, mut out) = (StreamMasker::new(), String::new());
        for char in text.chars() {
            stream.push(
                &masker,
                Direction::Response,
                &profile,
                &mut Memory::default(),
                char.encode_utf8(&mut [0; 4]),
                &mut out,
            );
        }
        stream.finish(&masker, Direction::Response, &profile, &mut Memory::default(), &mut out);
        assert_eq!(out, text, "exempt");
    }
}

#[test]
fn no_byte_of_a_value_leaves_before_the_verdict() {
    let masker = masker();
    for value in [
        "john.doe@example.com",
        "4111 1111 1111 1111",
        "sk-ant-api03-k3v9Qa0Lm2xR7bT",
        "123-45-6789",
        "+1 415 555 0100",
    ] {
        let text = format!("so: {value}");
        let (mut stream, mut out) = (StreamMasker::new(), String::new());
        for char in text.chars() {
            stream.push(
                &masker,
                Direction::Response,
                &Profile::default(),
                &mut Memory::default(),
                char.encode_utf8(&mut [0; 4]),
                &mut out,
            );
            assert!("so: ".starts_with(&out), "{out:?} left of {value:?}");
        }
    }
}

#[test]
fn prose_flows_but_for_its_last_word() {
    let masker = masker();
    let (mut stream, mut out) = (StreamMasker::new(), String::new());
    let text = "The quick brown fox jumps over the lazy dog, and so on.";
    for char in text.chars() {
        stream.push(
            &masker,
            Direction::Response,
            &Profile::default(),
            &mut Memory::default(),
            char.encode_utf8(&mut [0; 4]),
            &mut out,
        );
    }
    assert!(text.starts_with(&out) && text.len() - out.len() <= 4, "{out:?}");
    let mut pass = |piece: &str| {
        stream = StreamMasker::new();
        stream.push(
            &masker,
            Direction::Response,
            &Profile::default(),
            &mut Memory::default(),
            piece,
            &mut String::new(),
        )
    };
    assert!(pass("It ends here. ") && pass("Done!\n") && !pass("It ends") && !pass("ann@example.com "));
}

#[test]
fn what_is_held_back_is_bounded() {
    let masker = masker_with_custom();
    for unit in [
        "1", "1 ", "a", "a.", "\u{200b}", "-", "(", "\\", "&#", "eyJ", "sk-", "=", "\"", "<a:", "@", "A1",
        "+",
    ] {
        let (mut stream, mut out) = (StreamMasker::new(), String::new());
        let text = unit.repeat(3000);
        for piece in text.as_bytes().chunks(unit.len() * 5) {
            let piece = std::str::from_utf8(piece).unwrap();
            stream.push(
                &masker,
                Direction::Response,
                &Profile::default(),
                &mut Memory::default(),
                piece,
                &mut out,
            );
        }
        assert!(text.len() - out.len() < 5000, "{unit:?}: {} held", text.len() - out.len());
    }
}

/// Found by the fuzz targets.
#[test]
fn a_cut_never_stands_inside_a_character() {
    let masker = masker();
    let text = "⟦wJal\\u00}\u{fffd}----BEGIN PRIVATE KEY-----password=4111111111111\u{fffd}11 \u{fffd}\u{fffd}TE KEY-----password=4111111111111111 \u{fffd}\u{fffd}\\";
    for masker in [&masker, &maskers()[1], &maskers()[2]] {
        let places = places(text);
        for place in &places {
            check(masker, text, &[*place]);
        }
        check(masker, text, &places);
    }
}
