//! What a channel in Microsoft Teams receives: an Adaptive Card with a link.

use serde_json::{Value, json};

use super::Notice;

/// The message that a workflow "When a Teams webhook request is received" posts. Texts stand in runs of rich text, which
/// know no Markdown: a name cannot become a link.
pub fn body(notice: &Notice, public_url: &str) -> String {
    let run = |text: &str, bold: bool| {
        let weight = if bold { "Bolder" } else { "Default" };
        json!({"type": "TextRun", "text": text, "weight": weight})
    };
    let block = |runs: Vec<Value>| json!({"type": "RichTextBlock", "inlines": runs});
    let mut body = vec![block(vec![run(&notice.headline(), true)])];
    for (name, value) in notice.facts() {
        body.push(block(vec![run(&format!("{name}: "), true), run(&value, false)]));
    }
    let open = |path: String| json!({"type": "Action.OpenUrl", "title": "Open", "url": format!("{public_url}{path}")});
    let actions: Vec<Value> = notice.path().map(open).into_iter().collect();
    json!({"type": "message", "attachments": [{
        "contentType": "application/vnd.microsoft.card.adaptive",
        "content": {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4",
            "msteams": {"width": "Full"}, "body": body, "actions": actions,
        },
    }]})
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notices::news::tests::opened;

    #[test]
    fn a_card_shows_texts_as_texts_and_links_to_the_hold() {
        let hostile =
            Notice { rule: Some("[free](https://evil.example) <at>all</at>\n**x**".into()), ..opened() };
        let body: Value = serde_json::from_str(&body(&hostile, "https://sluice.example")).unwrap();
        let card = &body["attachments"][0]["content"];
        assert_eq!(card["actions"][0]["url"], "https://sluice.example/holds/h1");
        let blocks = card["body"].as_array().unwrap();
        assert!(blocks.iter().all(|block| block["type"] == "RichTextBlock"), "Markdown would make a link");
        assert!(card["msteams"].get("entities").is_none(), "nobody is mentioned");
        let rule = blocks.iter().find(|block| block["inlines"][0]["text"] == "Rule: ").unwrap();
        assert_eq!(rule["inlines"][1]["text"], "[free](https://evil.example) <at>all</at> **x**");
    }
}
