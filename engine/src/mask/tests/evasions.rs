//! Values in disguise.

use super::{masker, seen, unmark};

const EVASIONS: &[(&str, &str)] = &[
    ("email", "⟦john＠example.com⟧"),
    ("email", "⟦john\u{200b}.doe@exa\u{200b}mple.com⟧"),
    ("email", "⟦john&#64;example.com⟧ ⟦john&commat;example&period;com⟧ ⟦john&#x40;example&#46;com⟧"),
    ("email", "?to=⟦john%40example.com⟧&x ⟦john%2Bx%40example%2Ecom⟧"),
    ("email", r"⟦john\u0040example.com⟧ x\n⟦a@example.com⟧\t⟦b@example.com⟧ \\n⟦c@example.com⟧"),
    ("email", "{\\\"email\\\":\\\"⟦ann@example.com⟧\\\"}"),
    ("email", "⟦ｊｏｈｎ@ｅｘａｍｐｌｅ．ｃｏｍ⟧"),
    ("email", "⟦𝐣𝐨𝐡𝐧@example.com⟧"),
    ("email", "[x](mailto:⟦a@example.com⟧) | ⟦b@example.com⟧ | ~~⟦c@example.com⟧~~"),
    ("email", "\u{ad}⟦jo\u{ad}hn@example.com⟧"),
    ("payment_card", "⟦4111\u{a0}1111\u{a0}1111\u{a0}1111⟧"),
    ("payment_card", "⟦4111\u{2009}1111\u{202f}1111\u{3000}1111⟧"),
    ("payment_card", "⟦4111–1111–1111–1111⟧ ⟦4111‑1111‑1111‑1111⟧ ⟦4111−1111−1111−1111⟧"),
    ("payment_card", "⟦４１１１１１１１１１１１１１１１⟧"),
    ("payment_card", "⟦4\u{200b}1\u{200b}1\u{200b}1\u{200b}1111\u{200d}11111111⟧"),
    ("payment_card", "⟦4111%201111%201111%201111⟧"),
    ("payment_card", "⟦4111&nbsp;1111&nbsp;1111&nbsp;1111⟧"),
    ("payment_card", "⟦4111 - 1111 - 1111 - 1111⟧ ⟦4111  1111  1111  1111⟧"),
    ("payment_card", "**⟦4111111111111111⟧** `⟦4111111111111111⟧`"),
    ("payment_card", "⟦٤١١١١١١١١١١١١١١١⟧"),
    ("us_ssn", "⟦123‑45‑6789⟧ ⟦123–45–6789⟧ ⟦１２３-４５-６７８９⟧"),
    ("phone", "⟦+1\u{a0}415\u{a0}555\u{a0}0100⟧ ⟦415‑555‑0100⟧"),
    ("iban", "⟦DE89\u{a0}3704\u{a0}0044\u{a0}0532\u{a0}0130\u{a0}00⟧"),
    ("anthropic_key", "⟦sk-ant-\u{200b}api03-k3v9Qa0Lm2xR7bTzWp5s⟧"),
    ("anthropic_key", r#"{\"key\":\"⟦sk-ant-api03-k3v9Qa0Lm2xR7bTzWp5s⟧\"}"#),
    ("password", r#"{\"password\":\"⟦Tr0ub4dor&3⟧\"}"#),
];

#[test]
fn values_in_disguise_are_found() {
    let masker = masker();
    let mut wrong = Vec::new();
    for (kind, marked) in EVASIONS {
        let (text, values) = unmark(marked);
        let expected: Vec<_> = values.into_iter().map(|v| ((*kind).to_owned(), v)).collect();
        if seen(&masker, &text) != expected {
            wrong.push(format!("{text:?}\n   expected {expected:?}\n   found    {:?}", seen(&masker, &text)));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
