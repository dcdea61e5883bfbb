//! What the rules said about a part of a request is done: it goes on, is refused, or waits.

use std::collections::{BTreeSet, HashMap};

use super::calls::lengthen;
use super::{Case, Refusal, Settled, decision};
use crate::claude::error::ErrorKind;
use crate::json::Value;
use crate::policy::document::{Action, Part};
use crate::policy::rule::{CompiledRule, Outcome};
use crate::record::Decision;
use crate::wire::HoldAsk;

/// What is held of one request, while its parts are judged.
#[derive(Default)]
pub(super) struct Held {
    /// Index of the last message that the model wrote.
    pub last_reply: Option<usize>,
    /// The request's key under each rule that holds something of it: a digest of the whole request, made once.
    pub keys: HashMap<String, String>,
    pub waiting: Vec<Waiting>,
}

/// A question about one or more units, or about the request as a whole.
pub(super) struct Waiting {
    pub ask: HoldAsk,
    /// The messages that the units stand in.
    pub messages: BTreeSet<usize>,
    /// The thread, where it is not the conversation.
    pub thread: Option<String>,
}

/// The part of a request that was judged.
pub(super) struct About<'d, 'a, 't> {
    pub part: Part,
    pub root: Value<'d, 'a>,
    pub tool: Option<&'t str>,
    /// Index of the message that it stands in.
    pub message: Option<usize>,
}

/// What an approval covers.
pub(super) enum Covers {
    /// This request, and the conversation up to the part in later turns.
    Conversation { key: String },
    /// This request, and what is known by the same thread in later turns.
    Offer { key: String, thread: String },
}

impl Case {
    /// Notes what was decided; refuses, or adds to what waits.
    pub(super) fn follow(
        &mut self,
        outcome: &Outcome<'_>,
        about: &About<'_, '_, '_>,
        held: &mut Held,
        preview: impl Fn(&Self) -> String,
        covers: impl Fn(&Self, &CompiledRule) -> Covers,
    ) -> Option<Refusal> {
        let noted = |rule: &CompiledRule, action, observed| Decision {
            part: Some(about.part),
            tool: about.tool.map(str::to_owned),
            observed,
            ..decision(&rule.name, action)
        };
        self.decisions.extend(outcome.observed.iter().map(|rule| noted(rule, rule.action, true)));
        let rule = outcome.rule?;
        match outcome.action {
            Action::Allow => self.decisions.push(noted(rule, Action::Allow, false)),
            Action::Deny => {
                let message = format!("rule `{}` refused this request: {}", rule.name, rule.message);
                return Some(Refusal::new(ErrorKind::Permission, &rule.name, message));
            }
            Action::Hold => {
                for rule in &outcome.holds {
                    let (key, thread) = match held.keys.get(&rule.name) {
                        Some(key) if about.part != Part::Request => (key.clone(), None),
                        _ => match covers(self, rule) {
                            Covers::Conversation { key } => {
                                held.keys.insert(rule.name.clone(), key.clone());
                                (key, None)
                            }
                            Covers::Offer { key, thread } => (key, Some(thread)),
                        },
                    };
                    match self.settled.get(&key) {
                        Some(Settled::Approved) => {}
                        Some(Settled::Refused(_)) => return self.refused(&key, &rule.name),
                        None => {
                            let mut ask = self.ask(rule, about.part, key, preview(self));
                            ask.model = about.root.str("model").map(|model| self.recorded_text(&model));
                            ask.tool = about.tool.map(|tool| self.recorded_text(tool));
                            if held.add(ask, about.message, thread) {
                                self.decisions.push(noted(rule, Action::Hold, false));
                            }
                        }
                    }
                }
            }
        }
        None
    }
}

impl Held {
    /// What is asked about, in order.
    pub fn into_asks(self) -> impl Iterator<Item = HoldAsk> {
        self.waiting.into_iter().map(|waiting| waiting.ask)
    }

    /// The request's key under a rule, made once.
    pub fn key(&mut self, rule: &str, make: impl FnOnce() -> String) -> String {
        self.keys.entry(rule.to_owned()).or_insert_with(make).clone()
    }

    /// The messages of earlier turns that the rule holds of which this question is.
    pub fn history(&self, waiting: &Waiting) -> BTreeSet<usize> {
        let same = |other: &&Waiting| other.ask.history && other.ask.rule == waiting.ask.rule;
        self.waiting.iter().filter(same).flat_map(|other| other.messages.iter().copied()).collect()
    }

    /// Adds what a rule holds; says whether it is a question of its own.
    ///
    /// One approval of the request covers all that is new in it, so its reviewer sees all of it. An approval of an
    /// earlier turn covers what stood there and nothing else; it is looked up by the last message held, whose
    /// thread has those before it in it, and apart from it by the system text, which may have changed since.
    pub fn add(&mut self, mut ask: HoldAsk, message: Option<usize>, thread: Option<String>) -> bool {
        ask.history = self.last_reply.is_some_and(|reply| message.is_none_or(|own| own < reply));
        let same = |other: &&mut Waiting| {
            let (one, two) = (&other.ask, &ask);
            let place = !ask.history || other.messages.is_empty() == message.is_none();
            one.key == two.key && one.history == two.history && place
        };
        match self.waiting.iter_mut().find(same) {
            Some(other) => {
                other.messages.extend(message);
                lengthen(&mut other.ask.preview, &ask.preview);
                false
            }
            None => {
                self.waiting.push(Waiting { ask, messages: message.into_iter().collect(), thread });
                true
            }
        }
    }
}
