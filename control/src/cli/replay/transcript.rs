//! A session as a person reads it.

use std::fmt::Write;

use sluice_engine::policy::document::Action;
use sluice_engine::policy::document::Usd;
use sluice_engine::record::{Decision, Record};

use super::super::print::{Paint, clean, clean_line, short, time};
use crate::records::session::Exchange;
use crate::records::steps::{Step, What, call, steps};
use crate::records::{HoldChange, HoldEvent};

/// How much of a text is shown, unless all of it is asked for.
const LINES: usize = 24;
const CHARS: usize = 4000;

/// Writes sessions.
pub struct Transcript {
    paint: Paint,
    full: bool,
    out: String,
}

impl Transcript {
    pub fn new(paint: Paint, full: bool) -> Self {
        Self { paint, full, out: String::new() }
    }

    pub fn write(mut self, session: &str, exchanges: &[Exchange]) -> String {
        let title = format!("session {}, {} exchanges", clean_line(session), exchanges.len());
        self.line(0, &self.paint.bold(&title));
        self.write_steps(exchanges)
    }

    /// The steps alone.
    pub fn write_steps(mut self, exchanges: &[Exchange]) -> String {
        for step in steps(exchanges) {
            self.step(&step);
        }
        self.out
    }

    fn line(&mut self, indent: usize, text: &str) {
        // Writing into a string does not fail.
        let _written = writeln!(self.out, "{:indent$}{text}", "");
    }

    fn step(&mut self, step: &Step<'_>) {
        match &step.what {
            What::Begin(record) => self.head(step.exchange + 1, record),
            What::System(text) => self.text("system", text),
            What::Said { role, text } => self.text(role, text),
            What::Thinking => self.text("thinking", "(kept as it was, not shown)"),
            What::Call { name, input, .. } => {
                self.text(&format!("→ {}", clean_line(name)), &call(input));
            }
            What::Result { name, failed, text, .. } => {
                let failed = if *failed { " (error)" } else { "" };
                self.text(&format!("← {}{failed}", clean_line(name)), text);
            }
            What::Part { role, kind } => self.text(role, &format!("({})", clean_line(kind))),
            What::Other { label, text } => self.text(&clean_line(label), text),
            What::Found(findings) => {
                let kinds: Vec<String> = findings.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
                let text = self.paint.dim(&format!("found and masked: {}", clean_line(&kinds.join(", "))));
                self.line(2, &text);
            }
            What::Decided(decision) => {
                let text = self.decision(decision);
                self.line(2, &text);
            }
            What::Hold(event) => self.hold(event),
            What::End(record) => self.foot(record),
        }
    }

    fn head(&mut self, number: usize, record: &Record) {
        let who = record.principal.as_ref().map_or("(not verified)", |who| &who.subject);
        let who = match &record.actor {
            Some(actor) => format!("{} for {}", clean_line(actor), clean_line(who)),
            None => clean_line(who),
        };
        let mut head = format!("{number}  {} UTC  {who}  {}", time(record.at_ms), record.route);
        for part in [record.model.as_deref(), record.agent.as_deref()].into_iter().flatten() {
            let _written = write!(head, "  {}", clean_line(part));
        }
        let _written = write!(head, "  policy {}", short(&record.policy_version, 9));
        let head = self.paint.dim(&format!("── {head}"));
        self.line(0, "");
        self.line(0, &head);
    }

    fn text(&mut self, label: &str, text: &str) {
        let label = match label {
            "user" => self.paint.blue(label),
            "assistant" => self.paint.green(label),
            label if label.starts_with(['→', '←']) => self.paint.yellow(label),
            label => self.paint.dim(label),
        };
        self.line(0, &label);
        let text = clean(text.trim_end());
        let mut shown = text.clone();
        if !self.full {
            shown = short(&text, CHARS);
            if shown.lines().count() > LINES {
                shown = shown.lines().take(LINES).collect::<Vec<_>>().join("\n");
            }
        }
        for line in shown.lines() {
            let line = self.paint.masks(line);
            self.line(2, &line);
        }
        let hidden = text.len().saturating_sub(shown.len());
        if hidden > 0 {
            let more = self.paint.dim(&format!("({hidden} more bytes; --full shows them)"));
            self.line(2, &more);
        }
    }

    fn decision(&self, decision: &Decision) -> String {
        let mut about: Vec<String> = Vec::new();
        about.extend(decision.part.map(|part| word(&part)));
        about.extend(decision.tool.clone());
        about.extend(decision.role.as_ref().map(|role| format!("role {role}")));
        about.extend(decision.effects.iter().map(word));
        about.extend(decision.hold.as_ref().map(|id| format!("hold {id}")));
        about.extend(decision.edited_by.as_ref().map(|who| format!("more was masked, as {who} wanted")));
        let mut text = format!("{} by {}", word(&decision.action), decision.rule);
        if !about.is_empty() {
            let _written = write!(text, " ({})", about.join(", "));
        }
        let text = clean_line(&text);
        match decision.action {
            _ if decision.observed => self.paint.dim(&format!("would {text}")),
            _ if decision.left_out => self.paint.dim(&format!("left out: {text}")),
            Action::Deny => self.paint.red(&text),
            Action::Hold => self.paint.yellow(&text),
            Action::Allow => self.paint.dim(&text),
        }
    }

    fn hold(&mut self, event: &HoldEvent) {
        let by = event.by.as_ref().map(|(_, subject)| format!(" by {subject}")).unwrap_or_default();
        let behalf =
            event.on_behalf.as_ref().map(|given| format!(" for {}", given.subject)).unwrap_or_default();
        let pass = event.pass.as_ref().map(|pass| format!(" (pass {pass})")).unwrap_or_default();
        let masked = event.masked.map(|masked| format!(", with {masked} texts masked")).unwrap_or_default();
        let reason = event.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        let (change, at) = (event.change.word(), time(event.at_ms));
        let text = format!("hold {} {change}{by}{behalf}{pass}{masked}{reason}  {at} UTC", event.id);
        let text = clean_line(&text);
        let text = match event.change {
            HoldChange::Approved => self.paint.green(&text),
            HoldChange::Denied | HoldChange::Expired => self.paint.red(&text),
            HoldChange::Opened | HoldChange::Agreed | HoldChange::Used => self.paint.yellow(&text),
            HoldChange::Commented => text,
        };
        self.line(2, &text);
    }

    fn foot(&mut self, record: &Record) {
        let mut parts = Vec::new();
        parts.extend(record.status.map(|status| format!("status {status}")));
        parts.extend(record.stop_reason.clone());
        parts.extend(record.usage.map(|usage| {
            let cached = usage.cache_read_input_tokens;
            let sent =
                usage.input_tokens.saturating_add(cached).saturating_add(usage.cache_creation_input_tokens);
            let cost = usage.cost_micro_usd.map(|micros| format!(", {} USD", Usd::micros(micros)));
            let cost = cost.unwrap_or_default();
            format!("{sent} tokens in ({cached} from cache), {} out{cost}", usage.output_tokens)
        }));
        parts.extend(record.duration_ms.map(|ms| format!("{ms} ms")));
        let text = self.paint.dim(&clean_line(&parts.join(", ")));
        self.line(2, &text);
    }
}

/// The word that JSON has for a value of an enum.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
