//! Definitions of the tools of MCP servers.

use sluice_engine::wire::{HoldAsk, HoldDecision, ToolsSeen};

use super::{NOW, On, approval, kept};
use crate::holds::tests::ask;
use crate::store::{Addition, Decided, Decision};

on_both! {
    a_definition_that_changed_is_held_until_approved_and_then_for_everyone,
    of_one_tool_one_definition_waits_and_a_hold_keeps_the_time_it_was_made,
    without_trust_the_first_definition_waits_and_an_unlisted_tool_is_refused,
}

/// A list of one tool, as this definition of it reads.
fn listed(definition: &str, trust: bool) -> ToolsSeen {
    let tool = sluice_engine::wire::ToolDefinition {
        tool: "read".into(),
        digest: format!("digest of {definition}"),
        definition: definition.into(),
    };
    ToolsSeen { server: "notes".into(), trust, tools: vec![tool], ask: ask("", "e1") }
}

fn calling(exchange: &str, trust: bool) -> Addition {
    let definition = sluice_engine::wire::ToolKey {
        server: "notes".into(),
        tool: "read".into(),
        digest: None,
        trust,
        text: String::new(),
    };
    Addition {
        ask: Some(HoldAsk { definition: Some(definition), ..ask("call", exchange) }),
        ..Addition::default()
    }
}

async fn a_definition_that_changed_is_held_until_approved_and_then_for_everyone(on: On) {
    let kept = kept(on).await;
    let called = async |exchange: &str| kept.store.add(calling(exchange, true), NOW).await.unwrap().unwrap();
    assert_eq!(called("e0").await.state, HoldDecision::Approved, "never listed, and trusted");
    assert!(kept.store.tools_seen(listed("reads", true), NOW).await.unwrap().is_empty());
    assert_eq!((called("e1").await.state, called("e1").await.id), (HoldDecision::Approved, String::new()));
    for _ in 0..2 {
        assert_eq!(kept.store.tools_seen(listed("reads and mails", true), NOW + 1).await.unwrap(), ["read"]);
    }
    let held = called("e2").await;
    assert_eq!(held.state, HoldDecision::Waiting);
    assert_eq!(held.ask.preview, "- reads\n+ reads and mails");
    assert_eq!(called("e3").await.id, held.id);
    // The server goes back: what was approved counts again, and then the new one waits again, as the same hold.
    assert!(kept.store.tools_seen(listed("reads", true), NOW + 2).await.unwrap().is_empty());
    assert_eq!(called("e4").await.state, HoldDecision::Approved);
    assert_eq!(kept.store.tools_seen(listed("reads and mails", true), NOW + 3).await.unwrap(), ["read"]);
    assert_eq!(called("e5").await.id, held.id);
    kept.store.decide(approval(&held.id), NOW + 4).await.unwrap();
    for exchange in ["e5", "e6", "e7"] {
        let claimed = kept.store.claim(&held.id, exchange, NOW + 5).await.unwrap().unwrap();
        assert_eq!((claimed.state, claimed.id), (HoldDecision::Approved, held.id.clone()), "{exchange}");
        assert_eq!(called(exchange).await.state, HoldDecision::Approved);
    }
    assert!(kept.store.tools_seen(listed("reads and mails", true), NOW + 6).await.unwrap().is_empty());
    kept.store.close().await;
    let again = kept.place.open(&kept.key).await;
    assert_eq!(
        again.tools_seen(listed("worse", true), NOW + 7).await.unwrap(),
        ["read"],
        "a restart keeps it"
    );
    assert!(again.tools_seen(listed("reads", true), NOW + 8).await.unwrap().is_empty());
}

async fn of_one_tool_one_definition_waits_and_a_hold_keeps_the_time_it_was_made(on: On) {
    let kept = kept(on).await;
    let seen = async |definition: &str, at: u64| {
        kept.store.tools_seen(listed(definition, true), NOW + at).await.unwrap();
        kept.store.add(calling("e1", true), NOW + at).await.unwrap().unwrap()
    };
    seen("reads", 0).await;
    // All within a millisecond: what was listed last counts.
    let first = seen("a", 0).await;
    let second = seen("b", 0).await;
    let waiting = async || kept.store.holds(Some(HoldDecision::Waiting), 10).await.unwrap();
    assert_eq!((waiting().await.len(), &waiting().await[0].id), (1, &second.id));
    assert_eq!(kept.store.hold(&first.id).await.unwrap().unwrap().state, HoldDecision::Expired);
    let again = seen("a", 0).await;
    assert_eq!((again.state, again.ask.preview.as_str()), (HoldDecision::Waiting, "- reads\n+ a"));
    assert_eq!((waiting().await.len(), waiting().await[0].id == again.id), (1, true));
    assert_eq!(seen("reads", 7).await.state, HoldDecision::Approved);
    assert_eq!(seen("a", 9).await.id, again.id);
    let all = kept.store.holds(None, 10).await.unwrap();
    assert!(all.len() == 4 && all.iter().all(|hold| hold.created_ms == NOW), "{all:?}");
    // Whoever approves what was replaced comes too late.
    let late = kept.store.decide(approval(&second.id), NOW + 9).await.unwrap();
    assert!(matches!(late, Decided::TooLate(_)));
}

async fn without_trust_the_first_definition_waits_and_an_unlisted_tool_is_refused(on: On) {
    let kept = kept(on).await;
    let unlisted = kept.store.add(calling("e0", false), NOW).await.unwrap().unwrap();
    assert_eq!(unlisted.state, HoldDecision::Denied);
    assert!(unlisted.decided.unwrap().reason.unwrap().contains("never seen"));
    assert_eq!(kept.store.tools_seen(listed("reads", false), NOW).await.unwrap(), ["read"]);
    let held = kept.store.add(calling("e1", false), NOW).await.unwrap().unwrap();
    assert_eq!((held.state, held.ask.preview.as_str()), (HoldDecision::Waiting, "reads"));
    let refusal = Decision { approve: false, ..approval(&held.id) };
    kept.store.decide(refusal, NOW).await.unwrap();
    let denied = kept.store.add(calling("e2", false), NOW + 1).await.unwrap().unwrap();
    assert_eq!((denied.state, denied.id), (HoldDecision::Denied, held.id));
}
