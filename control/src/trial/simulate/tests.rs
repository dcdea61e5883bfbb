use serde_json::{Value, json};
use sluice_engine::policy::document::Policy;

use super::*;
use crate::policies::Loaded;
use crate::trial::runtime;

fn compiled(rules: Value, scopes: &str) -> Arc<Runtime> {
    let policy: Policy = serde_json::from_value(json!({
        "issuers": [{"name": "idp", "issuer": "https://idp", "audiences": ["sluice"]}],
        "roles": [{"name": "all", "scopes": [scopes], "models": ["*"]}],
        "bindings": [{"name": "staff", "groups": ["staff"], "roles": ["all"]}],
        "rules": rules,
    }))
    .unwrap();
    runtime(&Loaded { policy, version: "v".into(), files: Vec::new(), warnings: Vec::new() }, Vec::new(), 0)
        .unwrap()
}

fn recorded(id: &str, command: &str) -> Recorded {
    let request = json!({"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "hello"}]});
    let call = json!({"type": "tool_use", "id": "t", "name": "Bash", "input": {"command": command}});
    let reply = json!({"content": [call], "stop_reason": "tool_use"});
    Recorded {
        session: "s1".into(),
        id: id.into(),
        who: Some(Who { issuer: "idp".into(), subject: "ann".into(), groups: vec!["staff".into()] }),
        route: "messages.create".into(),
        request: Some(request.to_string().into()),
        reply: Some((200, reply.to_string().into())),
        decisions: Vec::new(),
        findings: BTreeMap::new(),
        lost: false,
        at_ms: 0,
    }
}

fn decision(rule: &str, action: Action, part: Option<Part>, hold: Option<&str>) -> Decision {
    let (tool, effects, hold) = (None, Vec::new(), hold.map(str::to_owned));
    Decision {
        rule: rule.into(),
        action,
        part,
        tool,
        effects,
        hold,
        edited_by: None,
        role: None,
        observed: false,
        left_out: false,
    }
}

fn simulated(rules: Value, exchanges: &[Recorded]) -> Simulation {
    let compiled = compiled(rules, "messages.*");
    let mut simulation = Simulation::default();
    exchanges.iter().for_each(|one| simulation.add(&compiled, one));
    simulation.sort();
    simulation
}

fn rule(name: &str, effect: &str, action: &str) -> Value {
    json!({"name": name, "when": {"effects": [effect]}, "action": action, "approval": {"groups": ["approvers"]}})
}

#[test]
fn what_changes_is_grouped_by_the_rule_with_examples() {
    let exchanges: Vec<Recorded> = ["rm x", "touch x", "rm y", "ls", "rm z", "rm w"]
        .iter()
        .enumerate()
        .map(|(n, c)| recorded(&format!("e{n}"), c))
        .collect();
    let found = simulated(
        json!([rule("no-destruction", "destroy", "deny"), rule("writes", "write", "hold")]),
        &exchanges,
    );
    assert_eq!((found.exchanges, found.unchanged, found.groups.len()), (6, 1, 2));
    let [denied, held] = found.groups.as_slice() else { panic!() };
    assert_eq!(
        (denied.was, denied.now, denied.rule.as_str(), denied.count),
        (Verdict::Allow, Verdict::Deny, "no-destruction", 4)
    );
    assert_eq!(denied.examples.len(), EXAMPLES);
    assert_eq!(
        (denied.examples[0].tool.as_deref(), &denied.examples[0].effects[..]),
        (Some("Bash"), &[Effect::Destroy][..])
    );
    assert_eq!((held.now, held.rule.as_str(), held.count), (Verdict::Hold, "writes", 1));
    assert_eq!(held.examples[0].exchange, "e1");
    assert_eq!(held.examples[0].effects, [Effect::Write]);
}

#[test]
fn what_was_held_is_compared_with_hold_whoever_answered_it() {
    let mut approved = recorded("e1", "touch x");
    approved.decisions = vec![
        decision("writes", Action::Hold, Some(Part::ToolCall), None),
        decision("writes", Action::Allow, None, Some("h1")),
    ];
    let same = simulated(json!([rule("writes", "write", "hold")]), &[approved.clone()]);
    assert_eq!((same.unchanged, same.groups), (1, Vec::new()));
    let freed = simulated(json!([]), &[approved]);
    assert_eq!(
        (freed.groups[0].was, freed.groups[0].now, freed.groups[0].rule.as_str()),
        (Verdict::Hold, Verdict::Allow, "writes")
    );
}

#[test]
fn a_refused_request_may_now_go_on() {
    let mut refused = recorded("e1", "ls");
    refused.reply = None;
    refused.decisions = vec![decision("model", Action::Deny, None, None)];
    let found = simulated(json!([]), &[refused]);
    assert_eq!(
        (found.groups[0].was, found.groups[0].now, found.groups[0].rule.as_str()),
        (Verdict::Deny, Verdict::Allow, "model")
    );
}

#[test]
fn what_the_record_does_not_hold_is_not_guessed() {
    let mut call = recorded("e1", "ls");
    call.decisions = vec![decision("no-destruction", Action::Deny, Some(Part::ToolCall), None)];
    let mut held = recorded("e5", "ls");
    held.decisions = vec![decision("writes", Action::Hold, Some(Part::ToolCall), None)];
    let mut turned_down = held.clone();
    turned_down.decisions.push(decision("writes", Action::Deny, None, Some("h1")));
    let mut nobody = recorded("e2", "ls");
    nobody.who = None;
    let mut bodiless = recorded("e3", "ls");
    (bodiless.request, bodiless.reply) = (None, None);
    let mut unreadable = recorded("e4", "ls");
    unreadable.request = Some(b"(the body cannot be shown)".to_vec());
    let found = simulated(json!([]), &[call, held, turned_down, nobody, bodiless.clone(), unreadable]);
    assert_eq!((found.exchanges, found.unchanged, found.untold.values().sum()), (6, 0, 6), "{found:?}");
    // The scope can be judged without a body.
    let mut simulation = Simulation::default();
    simulation.add(&compiled(json!([]), "files.*"), &bodiless);
    assert_eq!((simulation.groups[0].now, simulation.groups[0].rule.as_str()), (Verdict::Deny, "scope"));
}

#[test]
fn a_call_that_was_refused_and_another_that_would_be_is_a_denial_as_before() {
    let mut one = recorded("e1", "rm x");
    one.decisions = vec![decision("other", Action::Deny, Some(Part::ToolCall), None)];
    let found = simulated(json!([rule("no-destruction", "destroy", "deny")]), &[one]);
    assert_eq!(found.unchanged, 1);
}
