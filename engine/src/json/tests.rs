use super::*;

fn read(text: &str) -> Result<Doc<'_>, JsonError> {
    parse(text.as_bytes(), 16)
}

/// Values as serde_json reads them, to compare with.
fn tree(value: Value<'_, '_>) -> serde_json::Value {
    use serde_json::Value as V;
    match value.kind() {
        Kind::String => V::String(value.text().unwrap().into_owned()),
        Kind::Array => V::Array(value.items().map(tree).collect()),
        Kind::Object => {
            V::Object(value.entries().map(|(k, v)| (k.text().unwrap().into_owned(), tree(v))).collect())
        }
        _ => serde_json::from_str(value.raw()).unwrap(),
    }
}

#[test]
fn reads_what_serde_json_reads() {
    for text in [
        "1",
        "-0.5e+10",
        "\"\"",
        "[]",
        "{}",
        " [ 1 , 2.5 , [ ] , { } ] ",
        r#"{"a":{"b":[true,false,null,"x\"y\\z\/\b\f\n\r\t\u00e9\ud83d\ude00 é 😀"]},"c":12345678901234567890}"#,
        r#"{"long string past eight bytes":"another one that is longer than a word of the machine"}"#,
    ] {
        let doc = read(text).unwrap();
        assert_eq!(tree(doc.root()), serde_json::from_str::<serde_json::Value>(text).unwrap(), "{text}");
    }
}

#[test]
fn refuses_what_is_not_json() {
    for text in [
        "",
        " ",
        "{",
        "[",
        "[1",
        "[1,",
        "[1,]",
        "{,}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "01",
        "1.",
        ".5",
        "1e",
        "+1",
        "tru",
        "nul",
        "'a'",
        "\"a",
        "\"\\x\"",
        "\"\\u12\"",
        "\"a\nb\"",
        "1 2",
        "[1}",
        "{\"a\":1]",
        "NaN",
        "{1:2}",
        "[] []",
        "\u{feff}1",
    ] {
        assert!(matches!(read(text), Err(JsonError::Syntax(_))), "{text:?}");
    }
    assert_eq!(parse(b"\"\xff\"", 4).unwrap_err(), JsonError::Utf8(1));
}

#[test]
fn refuses_a_key_that_stands_twice_however_it_is_written() {
    assert_eq!(read(r#"{"a":1,"a":2}"#).unwrap_err(), JsonError::DuplicateKey(7));
    assert_eq!(read(r#"{"model":1,"mod\u0065l":2}"#).unwrap_err(), JsonError::DuplicateKey(11));
    let many: String = (0..40).map(|n| format!("\"k{n}\":0,")).collect();
    assert!(read(&format!("{{{many}\"z\":0}}")).is_ok());
    assert!(matches!(read(&format!("{{{many}\"k7\":0}}")), Err(JsonError::DuplicateKey(_))));
    assert!(read(r#"{"a":{"a":{"a":1}}}"#).is_ok());
}

#[test]
fn refuses_half_a_surrogate_pair() {
    for text in [r#""\ud83d""#, r#""\ud83dx""#, r#""\ud83d\n""#, r#""\ude00""#, r#""\ud83d\ud83d""#] {
        assert!(matches!(read(text), Err(JsonError::Surrogate(_))), "{text}");
    }
}

#[test]
fn refuses_deep_nesting_without_recursion() {
    assert_eq!(parse("[".repeat(1_000_000).as_bytes(), 128).unwrap_err(), JsonError::Depth(128));
    assert!(parse(format!("{}{}", "[".repeat(128), "]".repeat(128)).as_bytes(), 128).is_ok());
}

#[test]
fn a_splice_changes_its_span_and_no_other_byte() {
    let text = r#"{"a" : "x\u0041\n\ud83d\ude00 bob \"q\"", "n": 1.50}"#;
    let doc = read(text).unwrap();
    let value = doc.root().get("a").unwrap();
    let said = value.text().unwrap();
    let at = said.find("bob").unwrap();
    let mut splices = Splices::new();
    value.splice([(at..at + 3, "A\"\n")], &mut splices);
    assert_eq!(
        String::from_utf8(splices.apply(text.as_bytes())).unwrap(),
        r#"{"a" : "x\u0041\n\ud83d\ude00 A\"\n \"q\"", "n": 1.50}"#
    );
}

#[test]
fn splices_in_escaped_strings_say_what_the_same_edits_say_in_the_text() {
    let inner = r#"a\tb\u00e9\ud83d\ude00\\c\"dé"#;
    let text = format!("[\"{inner}\"]");
    let doc = read(&text).unwrap();
    let value = doc.root().items().next().unwrap();
    let said = value.text().unwrap().into_owned();
    let cuts: Vec<usize> = (0..=said.len()).filter(|&n| said.is_char_boundary(n)).collect();
    for &from in &cuts {
        for &to in cuts.iter().filter(|&&to| to >= from) {
            let mut splices = Splices::new();
            value.splice([(from..to, "<>")], &mut splices);
            let spliced = splices.apply(text.as_bytes());
            let doc = parse(&spliced, 4).unwrap();
            let mut expected = said.clone();
            expected.replace_range(from..to, "<>");
            assert_eq!(doc.root().items().next().unwrap().text().unwrap(), expected, "{from}..{to}");
        }
    }
}

#[test]
fn quote_and_text_are_inverse() {
    for c in (0..0x250).filter_map(char::from_u32).chain(['\u{2028}', '😀']) {
        let text = format!("1234567{c}");
        let mut quoted = String::new();
        quote(&text, &mut quoted);
        assert_eq!(read(&quoted).unwrap().root().text().unwrap(), text);
    }
}

#[test]
fn replacements_within_those_that_are_put_over_give_way() {
    let mut splices = Splices::new();
    for (span, with) in [(0..1, "a"), (2..4, "b"), (4..6, "c"), (6..6, "d"), (7..9, "e")] {
        splices.replace(span, with.to_owned());
    }
    let mut over = Splices::new();
    over.replace(2..6, "X".to_owned());
    over.replace(8..8, "Y".to_owned());
    splices.put_over(over);
    // The insertion at 6 stands within what is replaced up to there; the one at 8 replaces nothing.
    let mut expected = Splices::new();
    for (span, with) in [(0..1, "a"), (7..9, "e"), (2..6, "X"), (8..8, "Y")] {
        expected.replace(span, with.to_owned());
    }
    assert_eq!(splices, expected);
}
