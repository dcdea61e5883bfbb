//! A request as a whole: its size, and what it asks for.

use std::borrow::Cow;

use super::follow::{About, Covers, Held};
use super::{Case, Refusal};
use crate::claude::units;
use crate::json::Value;
use crate::policy::document::Part;
use crate::policy::rule::{CompiledRule, Facts, Offer};

impl Case {
    /// Judges one request of a body by the rules on requests; adds to `held`, or refuses. `betas`: of the headers.
    pub(super) fn judge_whole(
        &mut self,
        root: Value<'_, '_>,
        betas: &[String],
        held: &mut Held,
    ) -> Option<Refusal> {
        let runtime = self.runtime.clone();
        if !runtime.compiled.watches(Part::Request) {
            return None;
        }
        let offer = offer(root, betas);
        let model = root.str("model");
        let facts = Facts {
            part: Part::Request,
            route: self.route.name,
            groups: &self.principal.groups,
            model: model.as_deref(),
            text: None,
            tool: None,
            input_strings: &[],
            findings: &[],
            effects: &[],
            targets: None,
            offer: Some(&offer),
            size: root.raw().len(),
        };
        self.asked(Some(root), &facts);
        let outcome = runtime.compiled.decide(&facts);
        let about = About { part: Part::Request, root, tool: None, message: None };
        let preview = |case: &Self| case.recorded_text(&told(&offer, root));
        let covers = |case: &Self, rule: &CompiledRule| Covers::Offer {
            key: case.offer_key(rule, root, &offer, true),
            thread: case.offer_key(rule, root, &offer, rule.asks_for_size()),
        };
        self.follow(&outcome, &about, held, preview, covers)
    }

    /// `whole`: one key for this very request; else one for what the same person sends with the same offer to the same
    /// model in the conversation that begins as this one does, so that an approval holds for the turns that follow.
    fn offer_key(&self, rule: &CompiledRule, root: Value<'_, '_>, offer: &Offer, whole: bool) -> String {
        let mut digest = self.hold_digest("sluice hold: offer", &rule.name);
        for list in [&offer.tools, &offer.servers, &offer.betas] {
            digest.text(&list.len().to_string());
            list.iter().for_each(|name| digest.text(name));
        }
        if whole {
            digest.value(root, &["stream", "max_tokens"]);
            return digest.hex();
        }
        digest.text(self.session.as_deref().unwrap_or_default());
        digest.text(&root.str("model").unwrap_or_default());
        let first = root.get("messages").into_iter().flat_map(Value::items).next();
        for part in [root.get("tools"), first].into_iter().flatten() {
            digest.value(part, &[]);
        }
        digest.hex()
    }
}

/// What a request asks for: each list sorted, since its order means nothing.
fn offer(root: Value<'_, '_>, betas: &[String]) -> Offer {
    let own = |list: &str, fields: &[&str]| {
        let entries = root.get(list).into_iter().flat_map(Value::items);
        entries
            .flat_map(|entry| fields.iter().filter_map(move |field| entry.str(field)))
            .map(Cow::into_owned)
            .collect::<Vec<_>>()
    };
    let mut offer = Offer {
        tools: own("tools", &["name", "type"]),
        servers: own("mcp_servers", &["url"]),
        betas: betas.iter().flat_map(|header| header.split(',')).map(|beta| beta.trim().to_owned()).collect(),
    };
    for field in ["betas", "anthropic_beta"] {
        let strings = root.get(field).into_iter().flat_map(units::all_strings);
        offer.betas.extend(strings.filter_map(|beta| beta.text()).map(Cow::into_owned));
    }
    for list in [&mut offer.tools, &mut offer.servers, &mut offer.betas] {
        list.retain(|name| !name.is_empty());
        list.sort_unstable();
        list.dedup();
    }
    offer
}

/// What a reviewer reads.
fn told(offer: &Offer, root: Value<'_, '_>) -> String {
    let mut lines = vec![format!("A request of {} bytes.", root.raw().len())];
    for (what, list) in [("Tools", &offer.tools), ("MCP servers", &offer.servers), ("Betas", &offer.betas)] {
        if !list.is_empty() {
            lines.push(format!("{what}: {}", list.join(", ")));
        }
    }
    let last = root.get("messages").into_iter().flat_map(Value::items).last();
    let words = last.and_then(|message| message.get("content")).into_iter().flat_map(units::all_strings);
    lines.extend(words.filter_map(|word| word.text()).map(Cow::into_owned));
    lines.join("\n")
}
