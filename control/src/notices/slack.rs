//! What a channel in Slack receives, what its buttons say, and what becomes of the message.

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::Notice;
use super::news::line;
use super::signature::{is_marked, mark};
use sluice_engine::policy::document::Event;

/// Name of the field for a reason, as block and as action.
const REASON: &str = "reason";

/// The longest reason that Slack's field takes.
const LONGEST_REASON: usize = 1000;

/// Characters of a section's text, of which Slack takes 3000, and of a field's, of which it takes 2000; an escaped one becomes
/// up to five.
const SECTION: usize = 600;
const FIELD: usize = 400;

/// A button that somebody pressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Button {
    /// Whether it approves.
    pub approve: bool,
    /// The hold.
    pub hold: String,
    /// What stood in the field for a reason.
    pub reason: Option<String>,
}

/// A message in Block Kit. All texts of others are plain text: nothing in them mentions, links or formats. With `secret`, the
/// app's signing secret, a hold that waits has buttons, marked so that nobody else's message can have them.
pub fn body(notice: &Notice, public_url: &str, channel: &str, secret: Option<&str>) -> String {
    let mut blocks = texts(notice);
    let link = notice.path().map(|path| {
        json!({"type": "button", "action_id": "open", "text": plain("Open", SECTION), "url": format!("{public_url}{path}")})
    });
    let mut elements: Vec<Value> = Vec::new();
    let marked = |word: &str| Some(format!("{}:{}", notice.id, mark(secret?, &[channel, word, &notice.id])?));
    if notice.event == Some(Event::HoldOpened)
        && let (Some(approve), Some(deny)) = (marked("approve"), marked("deny"))
    {
        let label = if notice.needs_reason { "Reason (needed)" } else { "Reason" };
        blocks.push(json!({
            "type": "input", "block_id": REASON, "optional": !notice.needs_reason, "label": plain(label, SECTION),
            "element": {"type": "plain_text_input", "action_id": REASON, "max_length": LONGEST_REASON},
        }));
        elements.push(json!({
            "type": "button", "action_id": "approve", "style": "primary", "text": plain("Approve", SECTION), "value": approve,
        }));
        elements.push(json!({
            "type": "button", "action_id": "deny", "style": "danger", "text": plain("Deny", SECTION), "value": deny,
        }));
    }
    elements.extend(link);
    if !elements.is_empty() {
        blocks.push(json!({"type": "actions", "elements": elements}));
    }
    message(&notice.headline(), blocks).to_string()
}

/// What takes the message's place once the hold is decided.
pub fn decided(said: &str) -> String {
    reply(said, json!({"replace_original": true}))
}

/// What the person alone is told who pressed a button.
pub fn answer(said: &str) -> String {
    reply(said, json!({"replace_original": false, "response_type": "ephemeral"}))
}

fn reply(said: &str, how: Value) -> String {
    let mut reply = message(said, vec![json!({"type": "section", "text": plain(said, SECTION)})]);
    if let (Value::Object(reply), Value::Object(how)) = (&mut reply, how) {
        reply.extend(how);
    }
    reply.to_string()
}

impl Button {
    /// The button in an interaction; `None`: it is none of ours, or another message has it.
    pub fn read(payload: &Value, channel: &str, secrets: &[Zeroizing<String>]) -> Option<Self> {
        if payload.get("type")?.as_str()? != "block_actions" {
            return None;
        }
        let [action] = payload.get("actions")?.as_array()?.as_slice() else { return None };
        let word = action.get("action_id")?.as_str()?;
        let approve = match word {
            "approve" => true,
            "deny" => false,
            _ => return None,
        };
        let (hold, mark) = action.get("value")?.as_str()?.split_once(':')?;
        if !is_marked(secrets, &[channel, word, hold], mark) {
            return None;
        }
        let reason = payload.pointer(&format!("/state/values/{REASON}/{REASON}/value"));
        let reason = reason.and_then(Value::as_str).map(str::to_owned);
        Some(Self { approve, hold: hold.to_owned(), reason })
    }
}

fn texts(notice: &Notice) -> Vec<Value> {
    let mut blocks = vec![json!({"type": "section", "text": plain(&notice.headline(), SECTION)})];
    let fields: Vec<Value> =
        notice.facts().iter().map(|(name, value)| plain(&format!("{name}: {value}"), FIELD)).collect();
    // A section has ten fields at the most.
    blocks.extend(fields.chunks(10).map(|some| json!({"type": "section", "fields": some})));
    blocks
}

/// `text` is what notifications show: Slack reads it as its own markup, so that it is escaped, and nothing in it is parsed.
fn message(text: &str, blocks: Vec<Value>) -> Value {
    json!({
        "text": escape(&line(text, SECTION)), "mrkdwn": false, "parse": "none", "link_names": false, "unfurl_links": false,
        "unfurl_media": false, "blocks": blocks,
    })
}

/// Text without markup.
fn plain(text: &str, most: usize) -> Value {
    json!({"type": "plain_text", "text": escape(&line(text, most)), "emoji": false})
}

/// The three characters that Slack's markup is made of ("Escaping text" in Slack's reference).
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notices::news::tests::opened;

    fn secrets(secret: &str) -> Vec<Zeroizing<String>> {
        vec![Zeroizing::new(secret.to_owned())]
    }

    fn sent(notice: &Notice, secret: Option<&str>) -> Value {
        serde_json::from_str(&body(notice, "https://sluice.example", "owners", secret)).unwrap()
    }

    fn button(message: &Value, word: &str) -> Option<Value> {
        let blocks = message["blocks"].as_array().unwrap();
        let actions = blocks.iter().find(|block| block["type"] == "actions")?;
        let found = actions["elements"].as_array()?.iter().find(|element| element["action_id"] == word);
        found.cloned()
    }

    fn pressed(button: &Value, reason: Option<&str>) -> Value {
        json!({"type": "block_actions", "actions": [button],
            "state": {"values": {"reason": {"reason": {"type": "plain_text_input", "value": reason}}}}})
    }

    #[test]
    fn a_hostile_name_pings_nobody_and_links_nowhere() {
        let hostile = "<!channel> <@U1> <https://evil.example|free> @here & *x*";
        let who = Some(("corp".to_owned(), hostile.to_owned()));
        let message = sent(&Notice { who, rule: Some(hostile.into()), ..opened() }, None);
        let text = message.to_string();
        assert!(!text.contains('<') && !text.contains('>'), "{text}");
        assert!(text.contains("&lt;!channel&gt;") && text.contains("&amp; *x*"), "{text}");
        assert!(!text.contains("\"type\":\"mrkdwn\""), "{text}");
        assert_eq!((&message["parse"], &message["link_names"]), (&json!("none"), &json!(false)));
    }

    #[test]
    fn long_texts_stay_below_slacks_limits() {
        let long = "<".repeat(5000);
        let notice = Notice {
            rule: Some(long.clone()),
            message: Some(long.clone()),
            wish: Some(long.clone()),
            effects: vec![long; 20],
            ..opened()
        };
        let message = sent(&notice, Some("s"));
        for block in message["blocks"].as_array().unwrap() {
            for text in block["fields"].as_array().into_iter().flatten() {
                assert!(text["text"].as_str().unwrap().len() <= 2000);
            }
            assert!(block["fields"].as_array().is_none_or(|fields| fields.len() <= 10));
        }
    }

    #[test]
    fn a_button_says_what_its_message_was_about() {
        let message = sent(&opened(), Some("secret"));
        for (word, approve) in [("approve", true), ("deny", false)] {
            let button = button(&message, word).unwrap();
            let read = Button::read(&pressed(&button, Some("fine")), "owners", &secrets("secret"));
            assert_eq!(read, Some(Button { approve, hold: "h1".into(), reason: Some("fine".into()) }));
            let read = Button::read(&pressed(&button, None), "owners", &secrets("secret")).unwrap();
            assert_eq!(read.reason, None);
        }
    }

    #[test]
    fn a_button_of_another_message_is_none_of_ours() {
        let button = button(&sent(&opened(), Some("secret")), "deny").unwrap();
        let mut turned = button.clone();
        turned["action_id"] = "approve".into();
        let mut other = button.clone();
        other["value"] = button["value"].as_str().unwrap().replace("h1:", "h2:").into();
        let mut bare = button.clone();
        bare["value"] = "h1".into();
        let own = secrets("secret");
        for (pressed, channel, secrets) in [
            (pressed(&turned, None), "owners", &own),
            (pressed(&other, None), "owners", &own),
            (pressed(&bare, None), "owners", &own),
            (pressed(&button, None), "others", &own),
            (pressed(&button, None), "owners", &secrets("another")),
            (json!({"type": "view_submission", "actions": [button]}), "owners", &own),
            (json!({"type": "block_actions", "actions": [button, button]}), "owners", &own),
            (json!({}), "owners", &own),
        ] {
            assert_eq!(Button::read(&pressed, channel, secrets), None, "{pressed}");
        }
    }

    #[test]
    fn without_a_secret_and_for_what_does_not_wait_there_is_only_a_link() {
        let link = |message: &Value| button(message, "open").map(|button| button["url"].clone());
        let message = sent(&opened(), None);
        assert_eq!(button(&message, "approve"), None);
        assert_eq!(link(&message), Some(json!("https://sluice.example/holds/h1")));
        let asked = Notice { event: Some(Event::GrantAsked), ..opened() };
        assert_eq!(button(&sent(&asked, Some("secret")), "approve"), None);
        assert_eq!(button(&sent(&Notice::test(1), Some("secret")), "open"), None);
    }

    #[test]
    fn a_needed_reason_is_asked_for_in_the_message() {
        let field = |needs_reason| {
            let message = sent(&Notice { needs_reason, ..opened() }, Some("secret"));
            message["blocks"]
                .as_array()
                .unwrap()
                .iter()
                .find(|block| block["type"] == "input")
                .cloned()
                .unwrap()
        };
        assert_eq!((&field(true)["optional"], &field(false)["optional"]), (&json!(false), &json!(true)));
    }
}
