//! What a service of one's own receives: an event as Standard Webhooks has it.

use serde_json::{Value, json};

use super::Notice;

/// `type`, `timestamp` and `data`; `data` has the notice's fields, and `url` of the page about it.
pub fn body(notice: &Notice, public_url: &str) -> String {
    // Strings, numbers and lists of them: they always serialise.
    let mut data = serde_json::to_value(notice).unwrap_or_default();
    if let Value::Object(fields) = &mut data {
        fields.remove("event");
        fields.remove("atMs");
        for name in ["who", "by"] {
            if let Some((issuer, subject)) = party(notice, name) {
                fields.insert(name.into(), json!({"issuer": issuer, "subject": subject}));
            }
        }
        if let Some(path) = notice.path() {
            fields.insert("url".into(), format!("{public_url}{path}").into());
        }
    }
    let at = format!("{}Z", sluice_engine::budget::utc(notice.at_ms).replace(' ', "T"));
    json!({"type": notice.kind(), "timestamp": at, "data": data}).to_string()
}

fn party<'n>(notice: &'n Notice, name: &str) -> Option<&'n (String, String)> {
    if name == "who" { notice.who.as_ref() } else { notice.by.as_ref() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notices::news::tests::opened;

    #[test]
    fn an_event_has_type_timestamp_and_data() {
        let body: Value = serde_json::from_str(&body(&opened(), "https://sluice.example")).unwrap();
        assert_eq!(
            body,
            json!({"type": "hold.opened", "timestamp": "1970-01-01T00:00:01Z", "data": {
                "id": "h1", "who": {"issuer": "corp", "subject": "ana@example.com"}, "rule": "writes",
                "message": "writes need approval", "tool": "Bash", "effects": ["write: INSERT"],
                "approvers": ["approvers"], "needsReason": true, "endsMs": 61_000,
                "url": "https://sluice.example/holds/h1",
            }})
        );
    }
}
