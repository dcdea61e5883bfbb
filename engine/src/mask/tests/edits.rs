//! What stands in a value's place, and what comes back.

use super::{KEY, apply, masked, masker, masker_with_custom, unmark};
use crate::mask::{Direction, MaskError, Masker, Memory, Profile, StreamMasker};
use crate::policy::document::{CustomPattern, MaskMode, MaskStyle, Masking, Validator};

fn with(change: impl FnOnce(&mut Masking)) -> Masker {
    let mut masking = Masking::default();
    change(&mut masking);
    Masker::new(&masking, KEY).unwrap()
}

#[test]
fn a_request_gets_stable_pseudonyms_and_its_reply_the_originals() {
    let masker = masker();
    let mut memory = Memory::default();
    let text = "from Ann@example.com to ann@example.com, card 4111-1111-1111-1111";
    let sent = apply(text, &masker.edits(text, Direction::Request, &Profile::default(), &mut memory));
    let masks: Vec<&str> = sent.split(['<', '>']).skip(1).step_by(2).collect();
    assert_eq!(masks.len(), 3, "{sent}");
    assert_eq!(masks[0], masks[1]);
    assert!(masks[2].starts_with("payment_card:"));
    assert_eq!(memory.findings().get("email"), Some(&2));
    let reply = format!("mail <{}> about <{}> and <email:000000000000>", masks[0], masks[2]);
    let back = apply(&reply, &masker.edits(&reply, Direction::Response, &Profile::default(), &mut memory));
    assert_eq!(back, "mail Ann@example.com about 4111-1111-1111-1111 and <email:000000000000>");
    assert_eq!(apply(&reply, &masker.restore(&reply, &mut memory)), back);
    assert_eq!(
        apply(&reply, &masker.edits(&reply, Direction::ToolInput, &Profile::default(), &mut memory)),
        reply
    );
    assert!(!format!("{memory:?}").contains("example.com"));
}

#[test]
fn what_the_model_wrote_is_sealed_and_comes_back_to_it() {
    let masker = masker();
    let written = "Write to support@example.org or call (415) 555-0100.";
    let shown = masked(&masker, written, Direction::Response);
    assert!(
        !shown.contains("support") && shown.contains("<email:~") && shown.contains("<phone:~"),
        "{shown}"
    );
    assert_eq!(masked(&masker, &shown, Direction::Request), written);
    let other = Masker::new(&Masking::default(), b"a key of another tenant here").unwrap();
    assert_eq!(masked(&other, &shown, Direction::Request), shown);
}

/// In every turn the model sees the turns before exactly as it saw and wrote them.
#[test]
fn a_conversation_of_twenty_turns_keeps_its_prefix() {
    let masker = masker();
    let profile = Profile::default();
    let mut client: Vec<String> = Vec::new();
    let mut upstream_before: Vec<String> = Vec::new();
    for turn in 0..20 {
        client.push(format!(
            "turn {turn}: user{turn}@example.com, key AKIAZ3MSDX5QW7RT2U{:02}, ssn 123-45-67{turn:02}",
            turn + 30
        ));
        let mut memory = Memory::default();
        let upstream: Vec<String> = client
            .iter()
            .map(|t| apply(t, &masker.edits(t, Direction::Request, &profile, &mut memory)))
            .collect();
        assert_eq!(upstream[..upstream_before.len()], upstream_before[..], "turn {turn}");
        let user = upstream.last().unwrap();
        assert!(!user.contains("@example.com") && !user.contains("AKIA"), "{user}");
        let pseudonym = &user[user.find('<').unwrap()..=user.find('>').unwrap()];
        let reply = format!("I will mail {pseudonym} and copy boss{turn}@example.net in {turn}");
        let (mut stream, mut shown) = (StreamMasker::new(), String::new());
        for char in reply.chars() {
            stream.push(
                &masker,
                Direction::Response,
                &profile,
                &mut memory,
                char.encode_utf8(&mut [0; 4]),
                &mut shown,
            );
        }
        stream.finish(&masker, Direction::Response, &profile, &mut memory, &mut shown);
        assert!(shown.contains(&format!("user{turn}@example.com")) && !shown.contains("boss"), "{shown}");
        client.push(shown);
        upstream_before = upstream;
        upstream_before.push(reply);
    }
}

#[test]
fn masking_what_is_masked_changes_nothing() {
    let maskers = [masker(), masker_with_custom()];
    let lines = include_str!("found.rs").lines().chain(include_str!("evasions.rs").lines());
    for text in lines.filter(|l| l.contains('⟦')).map(|l| unmark(l).0) {
        for masker in &maskers {
            let once = masked(masker, &text, Direction::Request);
            assert_eq!(masked(masker, &once, Direction::Request), once, "{text}");
            let once = masked(masker, &text, Direction::Response);
            assert_eq!(masked(masker, &once, Direction::Response), once, "{text}");
        }
    }
}

#[test]
fn policy_chooses_style_kinds_exemptions_and_mode() {
    let text = "ann@example.com 4111111111111111";
    let redacting = with(|m| m.mask = MaskStyle::Redact);
    for direction in [Direction::Request, Direction::Response] {
        assert_eq!(masked(&redacting, text, direction), "[redacted:email] [redacted:payment_card]");
    }
    let some = with(|m| {
        m.kinds.insert("email".into(), MaskStyle::Off);
        m.kinds.insert("payment_*".into(), MaskStyle::Redact);
    });
    assert_eq!(masked(&some, text, Direction::Request), "ann@example.com [redacted:payment_card]");
    let all = masker();
    let mut memory = Memory::default();
    let profile = all.profile(&[vec![("em*".into(), MaskStyle::Off)]]);
    let edits = all.edits(text, Direction::Request, &profile, &mut memory);
    assert!(apply(text, &edits).starts_with("ann@example.com <payment_card:"));
    assert_eq!(memory.findings().len(), 2);
    let observing = with(|m| m.mode = MaskMode::Observe);
    let mut memory = Memory::default();
    assert!(observing.edits(text, Direction::Request, &Profile::default(), &mut memory).is_empty());
    assert_eq!(memory.findings().get("payment_card"), Some(&1));
    let off = with(|m| m.mode = MaskMode::Off);
    assert!(off.find(text).is_empty() && masked(&off, text, Direction::Request) == text);
    let keeping = with(|m| m.restore = false);
    let mut memory = Memory::default();
    let sent = apply(text, &keeping.edits(text, Direction::Request, &Profile::default(), &mut memory));
    assert!(keeping.edits(&sent, Direction::Response, &Profile::default(), &mut memory).is_empty());
    assert!(keeping.restore(&sent, &mut memory).is_empty());
}

/// Of several roles the safest counts; of one role what is most specific; a role that says nothing changes nothing.
#[test]
fn roles_choose_their_own_masks_and_the_safest_of_them_counts() {
    use MaskStyle::{Off, Pseudonym, Redact};
    let masker = masker();
    let text = "ann@example.com";
    let says = |entries: &[(&str, MaskStyle)]| -> Vec<(String, MaskStyle)> {
        entries.iter().map(|(kind, style)| ((*kind).to_owned(), *style)).collect()
    };
    let pseudonym = masked(&masker, text, Direction::Request);
    for (roles, expected) in [
        (vec![], pseudonym.as_str()),
        (vec![says(&[])], &pseudonym),
        (vec![says(&[("email", Redact)])], "[redacted:email]"),
        (vec![says(&[("email", Off)])], text),
        (vec![says(&[("email", Off)]), says(&[])], text),
        (vec![says(&[("email", Off)]), says(&[("email", Pseudonym)])], &pseudonym),
        (
            vec![says(&[("email", Off)]), says(&[("e*", Redact)]), says(&[("*", Pseudonym)])],
            "[redacted:email]",
        ),
        (vec![says(&[("*", Off), ("email", Redact)])], "[redacted:email]"),
        (vec![says(&[("*", Redact), ("em*", Off)])], text),
        (vec![says(&[("email", Off), ("email", Redact)])], "[redacted:email]"),
        (vec![says(&[("phone", Redact)])], &pseudonym),
    ] {
        let profile = masker.profile(&roles);
        let through =
            |direction| apply(text, &masker.edits(text, direction, &profile, &mut Memory::default()));
        assert_eq!(through(Direction::Request), expected, "{roles:?}");
        // The record keeps to what policy says.
        assert_eq!(through(Direction::Record), pseudonym, "{roles:?}");
        if expected.starts_with('[') {
            assert_eq!(through(Direction::Response), expected, "{roles:?}");
        }
        assert_eq!(profile.is_empty(), roles.iter().all(Vec::is_empty), "{roles:?}");
    }
    let strict = with(|m| m.mask = Redact);
    let profile = strict.profile(&[says(&[("email", Pseudonym)])]);
    let edits = strict.edits(text, Direction::Request, &profile, &mut Memory::default());
    assert_eq!(apply(text, &edits), pseudonym, "one mask for a value under a key, whoever asks for it");
    let off = with(|m| {
        m.kinds.insert("email".into(), Off);
    });
    let profile = off.profile(&[says(&[("email", Redact)])]);
    assert!(off.edits(text, Direction::Request, &profile, &mut Memory::default()).is_empty());
}

fn custom(change: impl FnOnce(&mut CustomPattern)) -> Result<Masker, MaskError> {
    let mut pattern =
        CustomPattern { name: "employee".into(), pattern: r"EMP-\d{4,9}".into(), ..CustomPattern::default() };
    change(&mut pattern);
    Masker::new(&Masking { custom: vec![pattern], ..Masking::default() }, KEY)
}

#[test]
fn custom_patterns_are_found_with_validator_and_context() {
    let plain = custom(|_| ()).unwrap();
    assert_eq!(super::seen(&plain, "x EMP-12345 y"), [("employee".to_owned(), "EMP-12345".to_owned())]);
    let checked = custom(|p| p.validator = Some(Validator::Luhn)).unwrap();
    assert_eq!(checked.find("EMP-12345 EMP-12344 EMP-12346").len(), 1);
    let named = custom(|p| p.context = vec!["Badge".into()]).unwrap();
    assert!(named.find("EMP-12345").is_empty());
    assert_eq!(named.find("BADGE no. EMP-12345").len(), 1);
    assert!(named.find(&format!("badge {} EMP-12345", "x".repeat(80))).is_empty());
}

#[test]
fn a_custom_pattern_that_cannot_work_is_refused_with_its_name_and_the_reason() {
    type Change = fn(&mut CustomPattern);
    let cases: [(Change, &str); 10] = [
        (|p| p.name = "Employee".into(), "lower-case"),
        (|p| p.name = "email".into(), "already"),
        (|p| p.pattern = "(".into(), "unclosed"),
        (|p| p.pattern = r"\d*".into(), "empty"),
        (|p| p.pattern = r"EMP-\d+".into(), "without end"),
        (|p| p.pattern = r"\d{600}".into(), "600 bytes"),
        (|p| p.pattern = r"[ab]{0,100}a[ab]{200}".into(), "slow"),
        (|p| p.pattern = "[a-c]{1,500}|".repeat(60) + "x", "larger"),
        (|p| p.matches = vec!["EMP-1234".into(), "EMP-1".into()], "example 2 of `matches`"),
        (|p| p.misses = vec!["EMP-1234".into()], "example 1 of `misses`"),
    ];
    for (change, reason) in cases {
        let mut named = CustomPattern { name: "employee".into(), ..CustomPattern::default() };
        change(&mut named);
        let message = custom(change).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(
            message.contains(&format!("`{}`", named.name)) && message.contains(reason),
            "{reason}: {message}"
        );
    }
    assert!(matches!(Masker::new(&Masking::default(), b"short"), Err(MaskError::TenantKey(5))));
}

#[test]
fn fifty_patterns_are_found_beside_the_built_in_kinds() {
    let custom = (0..50)
        .map(|i| CustomPattern {
            name: format!("c{i}"),
            pattern: format!(r"\bC{i}-[A-Z0-9]{{4,12}}\b"),
            ..CustomPattern::default()
        })
        .collect();
    let masker = Masker::new(&Masking { custom, ..Masking::default() }, KEY).unwrap();
    let kinds: Vec<String> =
        masker.find("C7-ABCD ann@example.com C49-12X9 C50-ABCD").iter().map(|f| f.kind.to_string()).collect();
    assert_eq!(kinds, ["c7", "email", "c49"]);
}

/// Compiled once and shared: by worker threads where there are any.
#[test]
fn a_masker_can_be_shared() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&masker_with_custom());
}
