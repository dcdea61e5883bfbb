//! Recorded exchanges against another policy: which would now be refused, held or let through that were not.
//!
//! A record keeps less than the filter saw, and what is missing cannot be judged again:
//!
//! * Bodies are masked: conditions on findings see the masks and not the values.
//! * Calls that were refused are not in the recorded reply; a text stands in their place.
//! * Headers and the scopes of tokens are not recorded: `anthropic-beta` counts where the body has it, and no token
//!   narrows.
//! * A request that was refused before its body was read has none in the record; nor has one whose texts retention has
//!   removed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sluice_engine::claude::routes::{self, Route};
use sluice_engine::command::Effect;
use sluice_engine::judge::Runtime;
use sluice_engine::policy::document::{Action, Part};
use sluice_engine::record::{Decision, Who};

use super::exchange::{Answer, Outcome, Reply, Request, Verdict, exchange, principal};
use crate::records::session::Exchange;

/// Examples that a group keeps.
const EXAMPLES: usize = 3;

/// An exchange as it was recorded.
#[derive(Debug, Clone, Default)]
pub struct Recorded {
    /// Its session, or its own id.
    pub session: String,
    /// Its id.
    pub id: String,
    /// Who called; `None`: nobody who was verified.
    pub who: Option<Who>,
    /// The route's name.
    pub route: String,
    /// The masked request.
    pub request: Option<Vec<u8>>,
    /// The masked reply as the caller got it, with its status.
    pub reply: Option<(u16, Vec<u8>)>,
    /// What was decided, in both stages.
    pub decisions: Vec<Decision>,
    /// What was found and masked then: kinds, and how many.
    pub findings: BTreeMap<String, u32>,
    /// Whether texts of it are no longer in the record.
    pub lost: bool,
    /// When, in Unix milliseconds.
    pub at_ms: u64,
}

/// What a policy says of an exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Judgement {
    /// The verdict. Of the record it is `hold` also where a person has approved or denied it since.
    pub verdict: Verdict,
    /// The rule that decided, or the built-in reason; absent: nothing spoke against it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The part that the rule is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    /// The tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// What its commands would do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<Effect>,
    /// What was masked, by kind. Of the policy that is tried: what it would mask beside the masks that stand in the
    /// record.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub masks: BTreeMap<String, u32>,
    /// Rules that matched and only observe.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub observed: Vec<String>,
}

/// An exchange under two policies: the one that decided then, and another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Compared {
    /// The exchange.
    pub exchange: String,
    /// When it was, in Unix milliseconds.
    pub at_ms: u64,
    /// What was decided then.
    pub was: Judgement,
    /// What the other policy says; absent: that cannot be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<Judgement>,
    /// Why it cannot be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untold: Option<String>,
}

impl Compared {
    /// Whether the other policy comes to something else: another verdict, the same by another rule, or more to mask.
    pub fn differs(&self) -> bool {
        self.now.as_ref().is_some_and(|now| {
            let same_rule = now.verdict == Verdict::Allow || now.rule == self.was.rule;
            now.verdict != self.was.verdict || !same_rule || !now.masks.is_empty()
        })
    }
}

impl Recorded {
    /// An exchange of a session, as it was put together from the log.
    pub fn of(session: &str, exchange: &Exchange) -> Self {
        let body = |body: &Option<Box<RawValue>>| {
            body.as_ref().map(|body| {
                // A string: a body that was no JSON, or could not be put together.
                let text = serde_json::from_str(body.get()).unwrap_or_else(|_| body.get().to_owned());
                text.into_bytes()
            })
        };
        let stages = || exchange.open.iter().chain(&exchange.close);
        let status = exchange.close.as_ref().and_then(|close| close.status).unwrap_or(200);
        let mut findings = BTreeMap::new();
        for (kind, times) in stages().flat_map(|record| &record.findings) {
            *findings.entry(kind.clone()).or_default() += times;
        }
        Self {
            session: session.to_owned(),
            who: stages().find_map(|record| record.principal.clone()),
            route: stages().next().map(|record| record.route.clone()).unwrap_or_default(),
            decisions: stages().flat_map(|record| record.decisions.clone()).collect(),
            findings,
            lost: exchange.lost,
            at_ms: stages().map(|record| record.at_ms).next().unwrap_or_default(),
            request: body(&exchange.request),
            reply: body(&exchange.reply).map(|body| (status, body)),
            id: exchange.id.clone(),
        }
    }
}

/// What came of a simulation.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Simulation {
    /// How many exchanges were looked at.
    pub exchanges: usize,
    /// How many come to the same verdict.
    pub unchanged: usize,
    /// How many cannot be told, by the reason.
    pub untold: BTreeMap<String, usize>,
    /// The others, by how the verdict changes and by the rule.
    pub groups: Vec<Group>,
}

/// Exchanges that change in the same way by the same rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// The verdict in the record. `hold` also where a person has approved or denied it since.
    pub was: Verdict,
    /// The verdict of the policy that is tried.
    pub now: Verdict,
    /// The rule that decides now; for what is now allowed, the one that decided then.
    pub rule: String,
    /// How many exchanges.
    pub count: usize,
    /// Some of them.
    pub examples: Vec<Example>,
}

/// An exchange of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Example {
    /// The session.
    pub session: String,
    /// The exchange.
    pub exchange: String,
    /// The caller.
    pub subject: String,
    /// The part that the rule is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    /// The tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// What its commands would do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<Effect>,
}

/// A verdict, with the decision by which it is what it is.
struct Decided {
    verdict: Verdict,
    by: Option<Decision>,
}

/// Puts an exchange to the policy, and what comes of it beside what came of it then.
pub fn compare(runtime: &Arc<Runtime>, recorded: &Recorded) -> Compared {
    let was = then(&recorded.decisions);
    let told = now(runtime, recorded).and_then(|now| {
        if was.verdict > now.verdict && lost_a_call(&recorded.decisions) {
            return Err("a call did not get through, and its input is not in the record");
        }
        Ok(now)
    });
    let observed = recorded.decisions.iter().filter(|one| one.observed).map(|one| one.rule.clone());
    let was = Judgement { observed: sorted(observed), ..judgement(was, recorded.findings.clone()) };
    let (now, untold) = match told {
        Ok(now) => (Some(now), None),
        Err(why) => (None, Some(why.to_owned())),
    };
    Compared { exchange: recorded.id.clone(), at_ms: recorded.at_ms, was, now, untold }
}

fn judgement(decided: Decided, masks: BTreeMap<String, u32>) -> Judgement {
    let Decided { verdict, by } = decided;
    let (rule, part, tool, effects) =
        by.map_or_else(|| (None, None, None, Vec::new()), |by| (Some(by.rule), by.part, by.tool, by.effects));
    Judgement { verdict, rule, part, tool, effects, masks, observed: Vec::new() }
}

fn sorted(names: impl Iterator<Item = String>) -> Vec<String> {
    names.collect::<BTreeSet<_>>().into_iter().collect()
}

impl Simulation {
    /// Puts an exchange to the policy.
    pub fn add(&mut self, runtime: &Arc<Runtime>, recorded: &Recorded) {
        self.exchanges += 1;
        let Compared { was, now, untold, .. } = compare(runtime, recorded);
        let Some(now) = now else { return self.cannot_tell(untold.unwrap_or_default()) };
        if was.verdict == now.verdict {
            self.unchanged += 1;
            return;
        }
        let change = (was.verdict, now.verdict);
        let by = if now.verdict == Verdict::Allow { was } else { now };
        let rule = by.rule.clone().unwrap_or_default();
        let place =
            self.groups.iter().position(|group| (group.was, group.now) == change && group.rule == rule);
        let group = Group { was: change.0, now: change.1, rule, count: 0, examples: Vec::new() };
        let place = place.unwrap_or_else(|| {
            self.groups.push(group);
            self.groups.len() - 1
        });
        let Some(group) = self.groups.get_mut(place) else { return };
        group.count += 1;
        if group.examples.len() < EXAMPLES {
            group.examples.push(Example {
                session: recorded.session.clone(),
                exchange: recorded.id.clone(),
                subject: recorded.who.as_ref().map(|who| who.subject.clone()).unwrap_or_default(),
                part: by.part,
                tool: by.tool,
                effects: by.effects,
            });
        }
    }

    fn cannot_tell(&mut self, why: String) {
        *self.untold.entry(why).or_default() += 1;
    }

    /// Puts the groups in order: what is stricter now first, the largest first.
    pub fn sort(&mut self) {
        self.groups.sort_by_key(|group| {
            (group.now < group.was, std::cmp::Reverse(group.now), std::cmp::Reverse(group.count))
        });
    }
}

/// What policy said then. A person's answer to a hold is not policy's: it said hold.
fn then(decisions: &[Decision]) -> Decided {
    let policy = || decisions.iter().filter(|one| one.did(one.action));
    let denied = policy().find(|one| one.action == Action::Deny && one.hold.is_none());
    let held = policy().find(|one| one.action == Action::Hold || one.hold.is_some());
    match (denied, held) {
        // Somebody who denies a held call leaves a decision without a hold's id on the call itself.
        (Some(by), Some(hold)) if by.rule == hold.rule => {
            Decided { verdict: Verdict::Hold, by: Some(hold.clone()) }
        }
        (Some(by), _) => Decided { verdict: Verdict::Deny, by: Some(by.clone()) },
        (None, Some(by)) => Decided { verdict: Verdict::Hold, by: Some(by.clone()) },
        (None, None) => Decided { verdict: Verdict::Allow, by: None },
    }
}

/// Whether a call of the reply never reached the caller, and so the record: it was refused, or held and not approved.
fn lost_a_call(decisions: &[Decision]) -> bool {
    let policy = || decisions.iter().filter(|one| one.did(one.action));
    let held = policy().any(|one| one.action == Action::Hold && one.part == Some(Part::ToolCall));
    let approved = policy().any(|one| one.action == Action::Allow && one.hold.is_some());
    policy().any(|one| {
        let of_call = one.part == Some(Part::ToolCall) || one.rule == "unreadable_call";
        one.action == Action::Deny && (of_call || held && one.hold.is_some())
    }) || held && !approved
}

/// What the policy says now; the error says why that cannot be told.
fn now(runtime: &Arc<Runtime>, recorded: &Recorded) -> Result<Judgement, &'static str> {
    let who = recorded.who.as_ref().ok_or("nobody was verified")?;
    let route = routes::all().find(|route| route.name == recorded.route).ok_or("the route is not known")?;
    let caller = principal(&who.issuer, &who.subject, who.groups.clone(), None);
    if recorded.lost {
        return Err("its texts are no longer in the record, or too large to be put together");
    }
    let has_body = matches!(route.method, "POST" | "PUT" | "PATCH");
    let body = match &recorded.request {
        Some(body) => body.clone(),
        None if !has_body => Vec::new(),
        None => return without_body(runtime, route, &caller, recorded),
    };
    let request = request(route, body);
    let reply =
        recorded.reply.as_ref().map(|(status, body)| Reply::Whole { status: *status, body: body.clone() });
    // With all that is held approved, what comes behind it is judged too.
    let outcome = exchange(runtime, &caller, &request, reply.as_ref(), Answer::Approve, recorded.at_ms);
    if matches!(outcome.rule.as_deref(), Some("body" | "reply")) && outcome.verdict == Verdict::Deny {
        return Err("the recorded body cannot be read again");
    }
    Ok(said(&outcome))
}

/// The scope alone can be judged again.
fn without_body(
    runtime: &Arc<Runtime>,
    route: &'static Route,
    caller: &sluice_engine::identity::Principal,
    recorded: &Recorded,
) -> Result<Judgement, &'static str> {
    let outcome =
        exchange(runtime, caller, &request(route, Vec::new()), None, Answer::Approve, recorded.at_ms);
    match outcome.rule.as_deref() {
        Some("scope") => Ok(said(&outcome)),
        _ => Err("no body was recorded"),
    }
}

fn request(route: &Route, body: Vec<u8>) -> Request {
    let path = route.path.replace("{}", "recorded");
    Request { method: route.method.to_owned(), path, headers: Vec::new(), body }
}

fn said(outcome: &Outcome) -> Judgement {
    let observed = sorted(outcome.observed().into_iter().map(str::to_owned));
    let said = judgement(decided(outcome), outcome.masks());
    let rule = said.rule.clone().or_else(|| outcome.rule.clone().filter(|_| said.verdict != Verdict::Allow));
    Judgement { rule, observed, ..said }
}

fn decided(outcome: &Outcome) -> Decided {
    let denied = outcome.decisions.iter().find(|one| one.did(Action::Deny));
    if outcome.verdict == Verdict::Deny {
        return Decided { verdict: Verdict::Deny, by: denied.cloned() };
    }
    let Some(hold) = outcome.holds.first() else { return Decided { verdict: Verdict::Allow, by: None } };
    // The hold tells its effects in words; the decision on the same tool has them as they are.
    let effects = outcome.effects().into_iter().collect();
    let by = Decision {
        rule: hold.rule.clone(),
        action: Action::Hold,
        part: Some(hold.part),
        tool: hold.tool.clone(),
        effects,
        hold: None,
        edited_by: None,
        role: None,
        observed: false,
        left_out: false,
    };
    Decided { verdict: Verdict::Hold, by: Some(by) }
}

#[cfg(test)]
mod tests;
