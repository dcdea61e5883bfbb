//! Decisions, and everything else that happens, as log records.

use serde_json::{Map, Value, json};
use sluice_engine::policy::document::Action;
use sluice_engine::record::{Decision, Record};

use super::place::Place;
use super::spans::{opening, person};
use super::value::{Attributes, nanos};
use crate::records::Entry;
use crate::store::{Store, StoreError, Stored};

/// Severities, and the words for them.
const INFO: (u8, &str) = (9, "INFO");
const WARN: (u8, &str) = (13, "WARN");

/// What a log record says, before it is written down.
struct Said {
    name: String,
    at_ms: u64,
    severity: (u8, &'static str),
    body: String,
    attributes: Attributes,
    place: Option<Place>,
}

/// The log records of these entries: of exchanges, one for each decision that is not plainly to allow; of others one each.
pub async fn records(store: &dyn Store, entries: &[Stored]) -> Result<Vec<Value>, StoreError> {
    let mut records = Vec::new();
    for stored in entries {
        // What cannot be read any more is for verification to tell.
        let Ok(entry) = serde_json::from_str::<Entry>(&stored.entry) else { continue };
        let said = match &entry {
            Entry::Exchange(record) => decisions(record),
            other => vec![event(store, other, &stored.entry).await?],
        };
        let uid = format!("{}/{}", stored.writer, stored.seq);
        records.extend(said.into_iter().enumerate().map(|(n, said)| said.into_value(&format!("{uid}/{n}"))));
    }
    Ok(records)
}

impl Said {
    /// `uid`: the same for the same record each time it is sent.
    fn into_value(mut self, uid: &str) -> Value {
        self.attributes.set("log.record.uid", uid);
        let (number, word) = self.severity;
        let mut record = json!({
            "timeUnixNano": nanos(self.at_ms),
            "observedTimeUnixNano": nanos(self.at_ms),
            "severityNumber": number,
            "severityText": word,
            "eventName": self.name,
            "body": {"stringValue": self.body},
            "attributes": self.attributes.into_value(),
        });
        if let (Some(place), Some(record)) = (self.place, record.as_object_mut()) {
            record.insert("traceId".into(), place.trace.into());
            record.insert("spanId".into(), place.span.into());
        }
        record
    }
}

fn decisions(record: &Record) -> Vec<Said> {
    // What was held and then approved is more than allowed.
    let told = |one: &&Decision| one.action != Action::Allow || one.hold.is_some();
    record.decisions.iter().filter(told).map(|one| decision(record, one)).collect()
}

fn decision(record: &Record, one: &Decision) -> Said {
    let (word, severity) = match one.action {
        Action::Deny if one.did(Action::Deny) => ("denied", WARN),
        Action::Deny => ("would deny", INFO),
        Action::Hold if one.did(Action::Hold) => ("held", INFO),
        Action::Hold => ("would hold", INFO),
        Action::Allow => ("allowed", INFO),
    };
    let word = if one.left_out { "left out" } else { word };
    let what =
        one.tool.as_deref().map_or_else(|| "this exchange".to_owned(), |tool| format!("tool `{tool}`"));
    let mut all = Attributes::default();
    all.set("sluice.rule", one.rule.as_str());
    all.set("sluice.action", json!(one.action));
    all.set("sluice.observed", one.observed.then_some(true));
    all.set("sluice.left_out", one.left_out.then_some(true));
    all.set("sluice.part", json!(one.part));
    all.set("sluice.role", one.role.as_deref());
    all.set("sluice.effects", json!(one.effects));
    all.set("sluice.hold.id", one.hold.as_deref());
    all.set("gen_ai.tool.name", one.tool.as_deref());
    all.set("gen_ai.request.model", record.model.as_deref());
    all.set("gen_ai.conversation.id", record.session.as_deref());
    all.set("gen_ai.agent.id", record.agent.as_deref());
    person(&mut all, record);
    all.set("sluice.exchange.id", record.exchange.as_str());
    all.set("sluice.route", record.route.as_str());
    all.set("sluice.node", record.node.as_str());
    all.set("sluice.policy.version", record.policy_version.as_str());
    Said {
        name: "sluice.decision".into(),
        at_ms: record.at_ms,
        severity,
        body: format!("rule `{}` {word} {what}", one.rule),
        attributes: all,
        place: Some(Place::of(&record.exchange, record.traceparent.as_deref())),
    }
}

/// Anything but an exchange: its fields become attributes, `sluice.hold.rule` and so on.
async fn event(store: &dyn Store, entry: &Entry, text: &str) -> Result<Said, StoreError> {
    let kind = entry.kind();
    let fields: Map<String, Value> = serde_json::from_str::<Value>(text)
        .ok()
        .and_then(|entry| entry.get(kind)?.as_object().cloned())
        .unwrap_or_default();
    let word =
        |name: &str| fields.get(name).and_then(Value::as_str).map(|word| snake(word).replace('_', " "));
    let change = word("change").or(word("state"));
    let place = match entry.exchange() {
        None => None,
        Some(exchange) => {
            let open = opening(store, exchange).await?;
            Some(Place::of(exchange, open.and_then(|open| open.traceparent).as_deref()))
        }
    };
    let mut all = Attributes::default();
    for (name, value) in &fields {
        all.set(&format!("sluice.{kind}.{}", snake(name)), value.clone());
    }
    all.set("gen_ai.conversation.id", place.as_ref().and(entry.session()));
    let alarming = fields.get("breakGlass") == Some(&Value::Bool(true))
        || matches!(change.as_deref(), Some("denied" | "expired"))
        || kind == "restore";
    Ok(Said {
        name: format!("sluice.{kind}"),
        at_ms: fields.get("atMs").and_then(Value::as_u64).unwrap_or_default(),
        severity: if alarming { WARN } else { INFO },
        body: change.map_or_else(|| kind.to_owned(), |change| format!("{kind} {change}")),
        attributes: all,
        place,
    })
}

/// `policyVersion` as `policy_version`.
fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests;
