//! Recorded exchanges against another policy: which would now be refused, held or let through that were not.
//!
//! A record keeps less than the filter saw, and what is missing cannot be judged again:
//!
//! * Bodies are masked: conditions on findings see the masks and not the values.
//! * Calls that were refused are not in the recorded reply; a text stands in their place.
//! * Headers and the scopes of tokens are not recorded: `anthropic-beta` counts where the body has it, and no token
//!   narrows.
//! * A request that was refused before its body was read has none in the record.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use sluice_engine::claude::routes::{self, Route};
use sluice_engine::command::Effect;
use sluice_engine::judge::Runtime;
use sluice_engine::policy::document::{Action, Part};
use sluice_engine::record::{Decision, Who};

use super::exchange::{Answer, Outcome, Reply, Request, Verdict, exchange, principal};

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
    /// When, in Unix milliseconds.
    pub at_ms: u64,
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
    pub untold: BTreeMap<&'static str, usize>,
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

impl Simulation {
    /// Puts an exchange to the policy.
    pub fn add(&mut self, runtime: &Arc<Runtime>, recorded: &Recorded) {
        self.exchanges += 1;
        let was = then(&recorded.decisions);
        let now = match now(runtime, recorded) {
            Ok(now) => now,
            Err(why) => return self.cannot_tell(why),
        };
        if was.verdict > now.verdict && lost_a_call(&recorded.decisions) {
            return self.cannot_tell("a call did not get through, and its input is not in the record");
        }
        if was.verdict == now.verdict {
            self.unchanged += 1;
            return;
        }
        let by = if now.verdict == Verdict::Allow { was.by } else { now.by };
        let rule = by.as_ref().map(|one| one.rule.clone()).unwrap_or_default();
        let place = self
            .groups
            .iter()
            .position(|group| (group.was, group.now, &group.rule) == (was.verdict, now.verdict, &rule));
        let group = Group { was: was.verdict, now: now.verdict, rule, count: 0, examples: Vec::new() };
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
                part: by.as_ref().and_then(|one| one.part),
                tool: by.as_ref().and_then(|one| one.tool.clone()),
                effects: by.map(|one| one.effects).unwrap_or_default(),
            });
        }
    }

    fn cannot_tell(&mut self, why: &'static str) {
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
fn now(runtime: &Arc<Runtime>, recorded: &Recorded) -> Result<Decided, &'static str> {
    let who = recorded.who.as_ref().ok_or("nobody was verified")?;
    let route = routes::all().find(|route| route.name == recorded.route).ok_or("the route is not known")?;
    let caller = principal(&who.issuer, &who.subject, who.groups.clone(), None);
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
    Ok(decided(&outcome))
}

/// The scope alone can be judged again.
fn without_body(
    runtime: &Arc<Runtime>,
    route: &'static Route,
    caller: &sluice_engine::identity::Principal,
    recorded: &Recorded,
) -> Result<Decided, &'static str> {
    let outcome =
        exchange(runtime, caller, &request(route, Vec::new()), None, Answer::Approve, recorded.at_ms);
    match outcome.rule.as_deref() {
        Some("scope") => Ok(decided(&outcome)),
        _ => Err("no body was recorded"),
    }
}

fn request(route: &Route, body: Vec<u8>) -> Request {
    let path = route.path.replace("{}", "recorded");
    Request { method: route.method.to_owned(), path, headers: Vec::new(), body }
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
