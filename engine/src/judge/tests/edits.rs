//! Requests that were approved with more masked.

use serde_json::{Value, json};

use super::*;
use crate::judge::{Edited, Judged, Refusal};
use crate::record::Stage;
use crate::wire::HoldAsk;

/// A policy that holds prompts and results with a word in them, and records.
fn policy() -> Value {
    json!({
        "rules":[
            {"name":"plans","when":{"part":["prompt","toolResult"],"text":"(?i)plan"},"action":"hold",
             "approval":{"groups":["approvers"]}},
            {"name":"calls","when":{"tools":["Bash"],"input":"deploy"},"action":"hold",
             "approval":{"groups":["approvers"]}}],
        "recording":{"mode":"background"},
    })
}

fn masked(texts: &[&str]) -> HoldState {
    let masked = texts.iter().map(|text| (*text).to_owned()).collect();
    HoldState { masked, ..state(HoldDecision::Edited) }
}

fn user(text: &str) -> Value {
    json!({"role":"user","content":text})
}

fn model(text: &str) -> Value {
    json!({"role":"assistant","content":text})
}

fn body(messages: &[Value]) -> String {
    json!({"model":"m","max_tokens":9,"messages":messages}).to_string()
}

/// What a body becomes that is judged, whose holds are all settled in this way, and that is edited.
fn edit(body: &str, texts: &[&str]) -> (Case, Judged, Result<Edited, Refusal>) {
    let mut case = case(policy());
    let judged = case.request(body.as_bytes(), &[]);
    assert!(!judged.holds.is_empty(), "{body}");
    case.record(Stage::Open, 1, "n");
    for ask in &judged.holds {
        case.settle(ask, &masked(texts));
        assert_eq!(case.refused(&ask.key, &ask.rule), None);
    }
    assert!(case.is_edited());
    let sent = judged.body.clone().unwrap_or_else(|| body.as_bytes().to_vec());
    let edited = case.edit(&sent);
    (case, judged, edited)
}

fn sent(body: &str, texts: &[&str]) -> String {
    let edited = edit(body, texts).2.unwrap();
    String::from_utf8(edited.body).unwrap()
}

#[test]
fn what_a_reviewer_names_is_masked_wherever_it_stands_and_all_else_is_as_it_was() {
    let body = r#"{ "model":"m", "max_tokens":9, "future":1e400,
        "system":"You know of Falcon.","tools":[{"name":"Falcon_tool","description":"Falcon","input_schema":{"type":"object"}}],
        "messages":[{"role":"user","content":"The plan: \u0046alcon, caf\u00e9 and \"Falcon\""},
          {"role":"assistant","content":[{"type":"thinking","thinking":"Falcon","signature":"Falcon="},
            {"type":"tool_use","id":"Falcon_1","name":"Falcon_tool","input":{"Falcon":["x Falcon"]}}]},
          {"role":"user","content":[{"type":"tool_result","tool_use_id":"Falcon_1","content":"{\"plan\":\"caf\\u00e9 Falcon\"}"},
            {"type":"document","source":{"type":"base64","media_type":"text/plain","data":"VGhlIHBsYW4gRmFsY29uIQ=="}}]}]}"#;
    let mask = "[redacted:reviewer]";
    let left = sent(body, &["Falcon", "café"]);
    let expected = body
        .replace("of Falcon", &format!("of {mask}"))
        .replace(r#"description":"Falcon""#, &format!(r#"description":"{mask}""#))
        .replace(r"\u0046alcon", mask)
        .replace(r#"caf\u00e9 and \"Falcon"#, &format!(r#"{mask} and \"{mask}"#))
        .replace(r#"{"Falcon":["x Falcon"]}"#, &format!(r#"{{"{mask}":["x {mask}"]}}"#))
        .replace(r"caf\\u00e9 Falcon", &format!("{mask} {mask}"))
        .replace("VGhlIHBsYW4gRmFsY29uIQ==", &BASE64.encode(format!("The plan {mask}!")));
    assert_eq!(left, expected);
}

#[test]
fn what_is_recorded_is_what_was_sent_and_who_edited_it() {
    let (mut case, _, edited) =
        edit(&body(&[user("The plan: mail jane@example.com about Falcon")]), &["Falcon"]);
    let edited = edited.unwrap();
    let recorded = edited.recorded.unwrap();
    let sent = String::from_utf8(edited.body).unwrap();
    assert_eq!(recorded, sent);
    assert!(recorded.contains("<email:") && recorded.contains("about [redacted:reviewer]"), "{recorded}");
    let record = case.record(Stage::Edited, 2, "n");
    assert_eq!(record.findings.get("reviewer"), Some(&1));
    let decision = record.decisions.last().unwrap();
    assert_eq!((decision.edited_by.as_deref(), decision.hold.as_deref()), (Some("bob"), Some("h1")));
    // Once is enough.
    assert!(!case.is_edited());
    let held = sent.replace("[redacted:reviewer]", "Falcon");
    assert_eq!(case.edit(held.as_bytes()).unwrap().body, held.as_bytes());
    assert_eq!(case.record(Stage::Close, 3, "n").findings.get("reviewer"), None);
}

#[test]
fn what_a_reviewer_names_is_what_the_preview_shows() {
    let body = body(&[user("The plan: mail jane@example.com at once")]);
    let (_, judged, _) = edit(&body, &["at once"]);
    let preview = &judged.holds[0].preview;
    let mask = preview.split(' ').nth(3).unwrap();
    assert!(mask.starts_with("<email:"), "{preview}");
    assert!(sent(&body, &[&format!("mail {mask}")]).contains("The plan: [redacted:reviewer] at once"));
    assert!(edit(&body, &["jane@example.com"]).2.is_err(), "nobody learns what a mask stands for");
}

#[test]
fn a_text_that_is_not_there_lets_nothing_go() {
    for texts in [vec!["Merlin"], vec!["Falcon", "Merlin"]] {
        let (mut case, _, edited) = edit(&body(&[user("The plan: Falcon")]), &texts);
        let refusal = edited.unwrap_err();
        assert_eq!((refusal.rule.as_str(), refusal.kind.status()), ("plans", 403));
        assert!(refusal.message.contains("nothing was sent"), "{}", refusal.message);
        assert!(!refusal.message.contains("Merlin"), "{}", refusal.message);
        let record = case.record(Stage::Close, 2, "n");
        assert_eq!(record.decisions.last().unwrap().action, crate::policy::document::Action::Deny);
    }
    let many = body(&[user(&format!("The plan: {}", "abcd ".repeat(10_001)))]);
    assert!(edit(&many, &["abcd"]).2.unwrap_err().message.contains("more places"));
}

#[test]
fn changes_that_cannot_be_made_are_no_approval() {
    let held = |texts: &[&str], change: fn(&mut HoldAsk), state: fn(&mut HoldState)| {
        let mut case = case(policy());
        let mut ask = case.request(body(&[user("The plan: Falcon")]).as_bytes(), &[]).holds.remove(0);
        assert!(ask.editable);
        change(&mut ask);
        let mut edited = masked(texts);
        state(&mut edited);
        case.settle(&ask, &edited);
        case.refused(&ask.key, &ask.rule)
    };
    assert_eq!(held(&["Falcon"], |_| {}, |_| {}), None);
    assert!(held(&["Falcon"], |ask| ask.editable = false, |_| {}).is_some());
    // Also where the word says that it was approved as it is.
    let plain = |state: &mut HoldState| state.decision = HoldDecision::Approved;
    assert!(held(&["Falcon"], |ask| ask.editable = false, plain).is_some());
    let nameless =
        |state: &mut HoldState| (state.id, state.decision) = (String::new(), HoldDecision::Approved);
    assert!(held(&["Falcon"], |ask| ask.editable = false, nameless).is_some());
    for texts in [vec![], vec!["abc"], vec!["Falcon", ""]] {
        assert!(held(&texts, |_| {}, |_| {}).is_some(), "{texts:?}");
    }
    let many: Vec<String> = (0..257).map(|n| format!("text {n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(held(&many, |_| {}, |_| {}).is_some());
}

#[test]
fn a_call_is_approved_as_it_is_or_not_at_all() {
    let reply = json!({"type":"message","role":"assistant","model":"m","stop_reason":"tool_use","usage":{},
        "content":[{"type":"tool_use","id":"a","name":"Bash","input":{"command":"make deploy --dry-run"}}]});
    let mut case = case(policy());
    let crate::judge::Replied::Hold(ask) = case.reply(reply.to_string().as_bytes(), 200, None) else {
        panic!("not held")
    };
    assert!(!ask.editable);
    case.settle(&ask, &masked(&["--dry-run"]));
    let crate::judge::Replied::Ready { body, .. } = case.reply(reply.to_string().as_bytes(), 200, None)
    else {
        panic!("still held")
    };
    let text = String::from_utf8(body.unwrap()).unwrap();
    assert!(text.contains("cannot be made to it") && !text.contains("tool_use\","), "{text}");
}

#[test]
fn later_turns_say_which_earlier_messages_were_held_before_the_last() {
    let held = |messages: &[Value]| case(policy()).request(body(messages).as_bytes(), &[]).holds;
    let first = [user("The plan: Falcon")];
    let second = [&first[..], &[model("ok"), user("no more")]].concat();
    let third = [&second[..], &[model("ok"), user("Another plan: Merlin")]].concat();
    let fourth = [&third[..], &[model("ok"), user("and now?")]].concat();
    let one = held(&first);
    assert!(!one[0].history && one[0].earlier.is_empty());
    let two = held(&second);
    assert!(two[0].history && two[0].thread == one[0].thread && two[0].earlier.is_empty());
    // What was held before is asked about by itself, and what is new says what was.
    let three = held(&third);
    assert_eq!(three.iter().map(|ask| ask.history).collect::<Vec<_>>(), [true, false]);
    assert_eq!((&three[0].thread, &three[1].earlier), (&one[0].thread, &vec![one[0].thread.clone()]));
    // Then the last of them is asked about, and it says which were before it.
    let four = held(&fourth);
    assert_eq!(four.len(), 1);
    assert_eq!((&four[0].thread, &four[0].earlier), (&three[1].thread, &vec![one[0].thread.clone()]));
    assert!(four[0].history);
}
