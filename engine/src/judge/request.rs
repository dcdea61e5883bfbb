//! A request body: read, limited, masked, judged.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::digest::Digest;
use super::follow::{About, Covers, Held, Waiting};
use super::marks::decoded;
use super::{Case, Refusal};
use crate::claude::error::ErrorKind;
use crate::claude::routes::Kind as BodyKind;
use crate::claude::units::{self, Unit};
use crate::json::{self, Doc, Kind, Splices, Value};
use crate::mask::Direction;
use crate::policy::document::{MaskMode, RecordMode};
use crate::policy::rule::{CompiledRule, Facts};
use crate::wire::HoldAsk;

/// What was found about a request.
#[derive(Debug, Default)]
pub struct Judged {
    /// Refused, with this.
    pub refusal: Option<Refusal>,
    /// What must be approved first, one after the other. Empty: nothing.
    pub holds: Vec<HoldAsk>,
    /// The body to forward; `None`: as it came.
    pub body: Option<Vec<u8>>,
    /// The masked body for the record; `None` when nothing is recorded, or nothing could be read.
    pub recorded: Option<String>,
}

impl Judged {
    pub(super) fn refused(refusal: Refusal) -> Self {
        Self { refusal: Some(refusal), ..Self::default() }
    }
}

/// The body of a request, or of each request in a batch.
pub(super) struct Params<'d, 'a> {
    root: Value<'d, 'a>,
    /// Whether this is what stands around the requests of a batch, and no request itself.
    around: bool,
    pub units: Vec<Unit<'d, 'a>>,
}

impl Case {
    /// Judges the body of a request. `betas`: every value of the `anthropic-beta` headers.
    pub fn request(&mut self, body: &[u8], betas: &[String]) -> Judged {
        let judged =
            if self.mcp.is_some() { self.mcp_request(body) } else { self.judge_request(body, betas) };
        if let Some(refusal) = &judged.refusal {
            self.note(refusal);
        }
        judged
    }

    fn judge_request(&mut self, body: &[u8], betas: &[String]) -> Judged {
        if let Err(refusal) = self.check_betas(betas) {
            return Judged::refused(refusal);
        }
        if matches!(self.route.kind, BodyKind::Upload | BodyKind::Download) {
            return self.media_only();
        }
        if body.is_empty() && (takes_no_body(self.route.method) || may_be_empty(self.route.kind)) {
            return Judged::default();
        }
        if takes_no_body(self.route.method) {
            return Judged::refused(unreadable("this method takes no body; leave it out"));
        }
        let doc = match json::parse(body, self.runtime.limits.depth) {
            Ok(doc) if doc.root().kind() == Kind::Object => doc,
            Ok(_) => return Judged::refused(unreadable("the body is not a JSON object")),
            Err(why) => return Judged::refused(unreadable(&format!("the body cannot be read: {why}"))),
        };
        self.judge_doc(&doc, body, betas)
    }

    fn judge_doc(&mut self, doc: &Doc<'_>, body: &[u8], betas: &[String]) -> Judged {
        let mut params = self.params(doc.root());
        self.read_demands(params.iter().filter(|request| !request.around).map(|request| request.root));
        let mut left_out = Splices::new();
        for request in params.iter().filter(|request| !request.around) {
            if let Err(refusal) = self.check_limits(request.root, &mut left_out) {
                return Judged { recorded: self.recorded(&params, body, false), ..Judged::refused(refusal) };
            }
        }
        let mut splices = Splices::new();
        for unit in params.iter_mut().flat_map(|request| &mut request.units) {
            self.mask(unit, Direction::Request, &mut splices);
        }
        let recorded = self.recorded(&params, body, true);
        let media: usize = params.iter().flat_map(|request| &request.units).map(|unit| unit.media).sum();
        let mut refusal = self.check_media(media).err();
        let mut holds = Vec::new();
        for request in &params {
            let mut held = Held { last_reply: last_reply(request.root), ..Held::default() };
            if refusal.is_none() && !request.around {
                refusal = self.judge_whole(request.root, betas, &mut held);
            }
            for unit in &request.units {
                if refusal.is_none() {
                    refusal = self.hold_media(request.root, unit, &mut held);
                }
                if refusal.is_none() {
                    refusal = self.judge_unit(request.root, unit, &mut held);
                }
            }
            holds.extend(held.waiting.iter().map(|waiting| {
                let (thread, earlier) = match &waiting.thread {
                    Some(thread) => (thread.clone(), Vec::new()),
                    None => self.threads(request.root, waiting, held.history(waiting)),
                };
                HoldAsk { thread, earlier, ..waiting.ask.clone() }
            }));
        }
        splices.put_over(left_out);
        let body = (!splices.is_empty()).then(|| splices.apply(body));
        Judged { refusal, holds, body, recorded }
    }

    /// The parts of the body that are Messages requests, with their units, and facts about them for the record.
    pub(super) fn params<'d, 'a>(&mut self, root: Value<'d, 'a>) -> Vec<Params<'d, 'a>> {
        match self.route.kind {
            BodyKind::Messages | BodyKind::CountTokens => {
                self.read_facts(root);
                vec![Params { root, around: false, units: units::of_request(root) }]
            }
            BodyKind::BatchCreate => {
                let requests = root.get("requests").into_iter().flat_map(Value::items);
                let mut params: Vec<_> = requests
                    .filter_map(|request| request.get("params"))
                    .map(|root| Params { root, around: false, units: units::of_request(root) })
                    .collect();
                if let Some(first) = params.first() {
                    self.read_facts(first.root);
                }
                // What stands around the requests is read too.
                let mut rest = vec![units::around(root, "requests")];
                rest.extend(root.get("requests").into_iter().flat_map(|requests| match requests.kind() {
                    Kind::Array => requests.items().map(|request| units::around(request, "params")).collect(),
                    _ => vec![units::of_any(requests)],
                }));
                params.push(Params { root, around: true, units: rest });
                params
            }
            _ => vec![Params { root, around: false, units: vec![units::of_any(root)] }],
        }
    }

    fn read_facts(&mut self, root: Value<'_, '_>) {
        self.model = root.str("model").map(Cow::into_owned);
        self.stream = root.get("stream").and_then(Value::as_bool).unwrap_or(false);
        if self.session.is_none() {
            let session =
                root.get("metadata").and_then(|metadata| metadata.str("user_id")).and_then(|user| {
                    let doc = json::parse(user.as_bytes(), 4).ok()?;
                    doc.root().str("session_id").map(Cow::into_owned)
                });
            self.session = session.map(|session| self.recorded_text(&session));
        }
    }

    /// The masked copy for the record. `masked`: the units were masked for the wire.
    pub(super) fn recorded(&self, params: &[Params<'_, '_>], body: &[u8], masked: bool) -> Option<String> {
        if self.runtime.recording == RecordMode::Off {
            return None;
        }
        let mut splices = Splices::new();
        let everyone = self.runtime.masking.mode == MaskMode::Enforce && self.profile.is_empty();
        for unit in params.iter().flat_map(|request| &request.units) {
            if everyone && masked {
                self.mask_touched_for_record(unit, &mut splices);
            } else {
                self.mask_for_record(unit, &mut splices);
            }
        }
        String::from_utf8(splices.apply(body)).ok()
    }

    fn check_betas(&self, betas: &[String]) -> Result<(), Refusal> {
        let values =
            betas.iter().flat_map(|header| header.split(',')).map(str::trim).filter(|beta| !beta.is_empty());
        for beta in values {
            self.checked("beta", beta, self.rights.beta(beta)).map_err(|denied| Refusal::denied(&denied))?;
        }
        Ok(())
    }

    /// What the caller's roles allow of a Messages request.
    fn check_limits(&mut self, root: Value<'_, '_>, splices: &mut Splices) -> Result<(), Refusal> {
        if !matches!(self.route.kind, BodyKind::Messages | BodyKind::CountTokens | BodyKind::BatchCreate) {
            return Ok(());
        }
        let model =
            root.str("model").ok_or_else(|| unreadable("`model` is missing; name the model to use"))?;
        self.check_model(&model)?;
        self.check_offered(root, splices)?;
        for field in ["betas", "anthropic_beta"] {
            let betas = all_strings_of(root.get(field));
            self.check_betas(&betas)?;
        }
        let budget = root.get("thinking").and_then(|thinking| thinking.get("budget_tokens"));
        let (most, role) = (self.rights.max_tokens(), || self.rights.max_tokens_role());
        self.within("max_tokens", "max_tokens", root.get("max_tokens"), most, role)?;
        let (most, role) = (self.rights.thinking_budget(), || self.rights.thinking_budget_role());
        self.within("thinking_budget", "thinking.budget_tokens", budget, most, role)
    }

    pub(super) fn check_model(&self, model: &str) -> Result<(), Refusal> {
        self.checked("model", model, self.rights.model(model)).map_err(|denied| Refusal::denied(&denied))
    }

    /// Compares a number in the body with what the roles allow; `role`: the one that gives the limit.
    fn within<'c>(
        &'c self,
        rule: &str,
        field: &'static str,
        value: Option<Value<'_, '_>>,
        limit: Option<u64>,
        role: impl Fn() -> Option<&'c str>,
    ) -> Result<(), Refusal> {
        let answer = within(rule, field, value, limit);
        if let Some(value) = value {
            self.limited(field, value, limit, role, answer.is_ok());
        }
        answer
    }

    /// Judges what rules look at in one unit; adds to `holds`, or refuses.
    pub(super) fn judge_unit(
        &mut self,
        root: Value<'_, '_>,
        unit: &Unit<'_, '_>,
        held: &mut Held,
    ) -> Option<Refusal> {
        let part = unit.part?;
        let runtime = self.runtime.clone();
        if !runtime.compiled.watches(part) {
            return None;
        }
        let mut texts: Vec<String> =
            unit.leaves.iter().filter_map(|leaf| leaf.text()).map(Cow::into_owned).collect();
        texts.extend(unit.encoded.iter().filter_map(|document| decoded(*document)));
        let text = texts.join("\n");
        let findings = self.kinds(texts.iter().map(String::as_str));
        // Each request of a batch names its own model.
        let model = root.str("model");
        let facts = Facts {
            part,
            route: self.route.name,
            groups: &self.principal.groups,
            model: model.as_deref(),
            text: Some(&text),
            tool: unit.tool.as_deref(),
            input_strings: &[],
            findings: &findings.iter().map(String::as_str).collect::<Vec<_>>(),
            effects: &[],
            targets: None,
            offer: None,
            size: text.len(),
        };
        self.asked(unit.leaves.first().or(unit.encoded.first()).copied(), &facts);
        let outcome = runtime.compiled.decide(&facts);
        let about = About { part, root, tool: unit.tool.as_deref(), message: unit.message };
        let preview = |case: &Self| case.recorded_text(&text);
        let covers = |case: &Self, rule: &CompiledRule| Covers::Conversation {
            key: case.request_key(&rule.name, root),
        };
        self.follow(&outcome, &about, held, preview, covers)
    }

    /// One key for the same request by the same person, whatever `stream`, `max_tokens` and cache marks say:
    /// Claude Code's fallback without streaming differs in just those.
    pub(super) fn request_key(&self, rule: &str, root: Value<'_, '_>) -> String {
        let mut digest = self.hold_digest("sluice hold: request", rule);
        digest.value(root, &["stream", "max_tokens"]);
        digest.hex()
    }

    /// One key for the conversation up to the last message held, by which later turns know that it was approved; the
    /// system text has its own. And the keys for the conversation up to each held message before it: `history`, and
    /// what is held with it.
    fn threads(
        &self,
        root: Value<'_, '_>,
        waiting: &Waiting,
        history: BTreeSet<usize>,
    ) -> (String, Vec<String>) {
        let mut digest = self.hold_digest("sluice hold: thread", &waiting.ask.rule);
        let Some(last) = waiting.messages.last() else {
            root.get("system").into_iter().for_each(|system| digest.value(system, &[]));
            return (digest.hex(), Vec::new());
        };
        let mut earlier = Vec::new();
        let messages = root.get("messages").into_iter().flat_map(Value::items);
        for (index, message) in messages.enumerate().take(last + 1) {
            digest.value(message, &[]);
            if index < *last && (history.contains(&index) || waiting.messages.contains(&index)) {
                earlier.push(digest.clone().hex());
            }
        }
        (digest.hex(), earlier)
    }

    pub(super) fn hold_digest(&self, purpose: &str, rule: &str) -> Digest {
        let mut digest = Digest::of(purpose);
        let actor = self.principal.actor.as_deref().unwrap_or_default();
        for text in [self.route.name, &self.principal.issuer, &self.principal.subject, actor, rule] {
            digest.text(text);
        }
        digest
    }
}

/// The index of the last message that the model wrote.
fn last_reply(root: Value<'_, '_>) -> Option<usize> {
    let messages = root.get("messages").into_iter().flat_map(Value::items);
    messages
        .enumerate()
        .filter(|(_, message)| message.get("role").is_some_and(|role| role.is("assistant")))
        .map(|(n, _)| n)
        .last()
}

fn takes_no_body(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "DELETE")
}

/// Calls such as `POST /v1/messages/batches/{}/cancel` say all in their path.
fn may_be_empty(kind: BodyKind) -> bool {
    matches!(kind, BodyKind::Json | BodyKind::Batch)
}

pub(super) fn unreadable(why: &str) -> Refusal {
    Refusal::new(ErrorKind::InvalidRequest, "body", why)
}

fn all_strings_of(value: Option<Value<'_, '_>>) -> Vec<String> {
    let strings = value.into_iter().flat_map(units::all_strings);
    strings.filter_map(|string| string.text()).map(Cow::into_owned).collect()
}

/// Compares a number in the body with what the roles allow. Where there is a limit, only plain integers will do:
/// `1e9` may be an integer to somebody else.
fn within(rule: &str, field: &str, value: Option<Value<'_, '_>>, limit: Option<u64>) -> Result<(), Refusal> {
    let (Some(value), Some(limit)) = (value, limit) else { return Ok(()) };
    match value.as_u64() {
        Some(number) if number <= limit => Ok(()),
        Some(number) => Err(Refusal::new(
            ErrorKind::Permission,
            rule,
            format!(
                "`{field}` is {number}, your roles allow {limit}; lower it, or ask for a role that allows more"
            ),
        )),
        None => Err(unreadable(&format!("`{field}` must be a plain integer"))),
    }
}
