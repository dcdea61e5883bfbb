//! News, from the write that they come from to what became of each delivery.

use std::collections::BTreeSet;
use std::sync::Arc;

use sluice_engine::policy::document::{Channel, Event, Receiver};
use sluice_engine::wire::{HoldAsk, HoldDecision};

use super::policies::{proposal, signed};
use super::{Kept, NOW, On, approval, asking, kept, with_body};
use crate::approvals::Span;
use crate::approvals::tests::who;
use crate::grants::Step;
use crate::grants::tests::{change, wish};
use crate::holds::tests::ask;
use crate::notices::{Delivery, DeliveryState, Notice, Outcome, TRIES};
use crate::proposals::{Act, Proposal};
use crate::reviews::{Choice, Review, review_item, review_open, review_ruling};
use crate::store::{Addition, Decided, Decision, Retried, Store, Taking, Tried};

on_both! {
    news_become_deliveries_for_the_channels_that_are_told_of_them_once,
    what_did_not_happen_is_told_to_nobody,
    what_was_approved_for_a_time_is_told_once,
    reviews_are_told_to_their_reviewers_and_proposals_to_authors,
    each_delivery_is_with_one_taker_and_comes_back_when_that_one_is_gone,
    what_fails_is_tried_again_and_is_dead_after_the_last_try_until_somebody_says_so,
    a_try_that_another_has_overtaken_says_nothing,
    a_receiver_that_is_gone_is_left_alone_at_once,
    rows_that_cannot_be_read_keep_no_others_back,
    what_came_to_its_end_goes_after_its_time_and_the_dead_stay_longer,
    the_same_thing_is_said_once,
}

const HOUR: u64 = 3_600_000;

fn channel(name: &str, on: &[Event], groups: &[&str]) -> Channel {
    let groups = groups.iter().map(|group| (*group).to_owned()).collect();
    Channel { name: name.into(), to: Receiver::Webhook, on: on.to_vec(), groups }
}

async fn all(store: &dyn Store) -> Vec<Delivery> {
    store.deliveries(None, 1000).await.unwrap()
}

async fn told(store: &dyn Store, channel: &str) -> Vec<&'static str> {
    let mut told: Vec<_> =
        all(store).await.iter().filter(|own| own.channel == channel).map(|own| own.notice.kind()).collect();
    told.sort_unstable();
    told
}

async fn take(store: &dyn Store, channel: &str, most: u32, now_ms: u64) -> Vec<Delivery> {
    let taking = Taking { channel: channel.into(), most, until_ms: now_ms + 60_000 };
    store.take_deliveries(taking, now_ms).await.unwrap()
}

async fn end(store: &dyn Store, taken: &Delivery, outcome: Outcome, now_ms: u64) -> Delivery {
    let tried = Tried { delivery: taken.id.clone(), tries: taken.tries, outcome, random: 0 };
    store.tried(tried, now_ms).await.unwrap().unwrap()
}

fn failed(after_ms: Option<u64>, gone: bool) -> Outcome {
    Outcome::Failed { why: "answered 503".into(), after_ms, gone }
}

async fn one(store: &dyn Store) -> Delivery {
    store.add_delivery("c", Notice::test(NOW), NOW).await.unwrap()
}

async fn news_become_deliveries_for_the_channels_that_are_told_of_them_once(on: On) {
    let Kept { store, place: _place, .. } = kept(on).await;
    let hold = store.add(asking("k", "e0"), NOW).await.unwrap().unwrap();
    store.decide(approval(&hold.id), NOW).await.unwrap();
    store.claim(&hold.id, "e0", NOW).await.unwrap();
    store.open_grant(wish("g", false, NOW)).await.unwrap();
    store.change_grant(change("g", Step::Approve), NOW).await.unwrap();
    store.change_grant(change("g", Step::Revoke), NOW).await.unwrap();
    store.open_grant(wish("glass", true, NOW)).await.unwrap();
    store.add(with_body("e1", "hello"), NOW).await.unwrap();
    let late = store.add(asking("late", "e2"), NOW).await.unwrap().unwrap();
    store.expire(late.expires_ms).await.unwrap();

    let channels = vec![
        channel("all", &[], &[]),
        channel("opened", &[Event::HoldOpened], &["approvers"]),
        channel("others", &[], &["others"]),
    ];
    let routed = store.route_news(channels.clone(), vec![], NOW).await.unwrap();
    assert_eq!(store.route_news(channels, vec![], NOW).await.unwrap(), 0, "routed once");
    assert_eq!(routed, 8);
    assert_eq!(
        told(&*store, "all").await,
        [
            "grant.asked",
            "grant.breakGlass",
            "grant.decided",
            "grant.revoked",
            "hold.decided",
            "hold.expired",
            "hold.opened",
            "hold.opened"
        ]
    );
    assert_eq!(told(&*store, "opened").await, ["grant.breakGlass", "hold.opened", "hold.opened"]);
    assert_eq!(told(&*store, "others").await, ["grant.breakGlass"]);
    let opened = all(&*store).await.into_iter().find(|own| own.notice.id == hold.id).unwrap();
    assert_eq!(opened.notice.tool.as_deref(), Some("Bash"));
    assert!(!serde_json::to_string(&opened).unwrap().contains("psql"), "a preview was kept");
}

async fn what_did_not_happen_is_told_to_nobody(on: On) {
    let kept = kept(on).await;
    let hold = kept.store.add(asking("k", "e0"), NOW).await.unwrap().unwrap();
    kept.store.decide(approval(&hold.id), NOW).await.unwrap();
    assert_eq!(kept.store.route_news(vec![], vec![], NOW).await.unwrap(), 2);
    assert!(matches!(kept.store.decide(approval(&hold.id), NOW).await.unwrap(), Decided::TooLate(_)));
    // A write that the database refuses at its end takes its news with it.
    kept.tamper("ALTER TABLE heads RENAME TO gone").await;
    assert!(kept.store.open_grant(wish("g", true, NOW)).await.is_err());
    kept.tamper("ALTER TABLE gone RENAME TO heads").await;
    assert_eq!(kept.store.route_news(vec![channel("all", &[], &[])], vec![], NOW).await.unwrap(), 0);
    kept.store.open_grant(wish("g", true, NOW)).await.unwrap();
    assert_eq!(kept.store.route_news(vec![channel("all", &[], &[])], vec![], NOW).await.unwrap(), 1);
}

async fn what_was_approved_for_a_time_is_told_once(on: On) {
    let Kept { store, place: _place, .. } = kept(on).await;
    let asking = |key: &str| {
        let ask = HoldAsk { grant_seconds: Some(3600), ..ask(key, "e") };
        Addition { ask: Some(ask), ..Addition::default() }
    };
    let hold = store.add(asking("k"), NOW).await.unwrap().unwrap();
    let decision = Decision { span: Some(Span { seconds: 600, anything: false }), ..approval(&hold.id) };
    store.decide(decision, NOW).await.unwrap();
    let through = store.add(asking("other"), NOW).await.unwrap().unwrap();
    assert_eq!(through.state, HoldDecision::Approved, "the pass lets it go on");
    store.route_news(vec![channel("all", &[], &[])], vec![], NOW).await.unwrap();
    assert_eq!(told(&*store, "all").await, ["hold.decided", "hold.opened"], "nobody was asked again");
}

async fn reviews_are_told_to_their_reviewers_and_proposals_to_authors(on: On) {
    let Kept { store, place: _place, .. } = kept(on).await;
    let items = vec![review_item(1, "ana"), review_item(2, "bob"), review_item(3, "cat")];
    let begun = Review { items: 3, ..review_open("r", NOW) };
    store.start_review(begun, items, None).await.unwrap();
    store.rule(review_ruling("r", &[1], Choice::Certify), NOW + 1).await.unwrap();
    store.rule(review_ruling("r", &[2], Choice::Reduce), NOW + 1).await.unwrap();
    store.remind(NOW + 500_000).await.unwrap();
    store.end_reviews(NOW + 1_000_000).await.unwrap();
    store.begin_policy(signed(1, "first"), "v1".into()).await.unwrap();
    store.propose(Proposal { loosened: true, ..proposal("p1", 1, "second") }).await.unwrap();
    for id in ["p2", "p3"] {
        store.propose(proposal(id, 1, "third")).await.unwrap();
    }
    let (bea, ana) = (who("bea", &["authors"]), who("ana", &["authors"]));
    store.act("p2", Act::Withdraw, ana, None, NOW).await.unwrap();
    store.act("p3", Act::Reject, bea.clone(), Some("too wide".into()), NOW).await.unwrap();
    store.act("p1", Act::Accept(signed(2, "second")), bea, None, NOW).await.unwrap();
    let channels = vec![
        channel("all", &[], &[]),
        channel("leads", &[Event::ReviewDue, Event::ReviewClosed], &["leads"]),
        channel("authors", &[], &["authors"]),
    ];
    store.route_news(channels, vec!["authors".into()], NOW + 1_000_000).await.unwrap();
    let proposals =
        ["proposal.accepted", "proposal.made", "proposal.made", "proposal.made", "proposal.rejected"];
    let reviews = ["review.closed", "review.due", "review.started"];
    assert_eq!(told(&*store, "all").await, [&proposals[..], &reviews[..]].concat());
    assert_eq!(told(&*store, "leads").await, reviews[..2]);
    assert_eq!(told(&*store, "authors").await, proposals);
    let all = all(&*store).await;
    let of = |channel: &str, event: Event| {
        let found = |own: &&Delivery| own.channel == channel && own.notice.event == Some(event);
        all.iter().find(found).unwrap().notice.clone()
    };
    let due = of("leads", Event::ReviewDue);
    assert_eq!((due.items, due.ends_ms), (Some(1), Some(NOW + 1_000_000)), "one is left");
    assert_eq!(due.path().as_deref(), Some("/access/reviews/r"));
    let closed = of("leads", Event::ReviewClosed);
    assert_eq!((closed.items, closed.revoked, closed.reduced), (Some(3), Some(1), Some(1)));
    assert!(closed.headline().contains("quarterly of 3 rights is over"), "{}", closed.headline());
    let rejected = of("authors", Event::ProposalRejected);
    assert_eq!((rejected.id.as_str(), rejected.reason.as_deref()), ("p3", Some("too wide")));
    assert!(
        rejected.headline().contains("ana") && rejected.headline().contains("by bea"),
        "{}",
        rejected.headline()
    );
    let accepted = of("authors", Event::ProposalAccepted);
    assert_eq!((accepted.loosened, accepted.path().as_deref()), (true, Some("/policy/proposals/p1")));
    let texts = serde_json::to_string(&all.iter().map(|own| &own.notice).collect::<Vec<_>>()).unwrap();
    assert!(!texts.contains("second") && !texts.contains("third"), "the text of a policy was told: {texts}");
}

async fn each_delivery_is_with_one_taker_and_comes_back_when_that_one_is_gone(on: On) {
    let kept = kept(on).await;
    let key = ed25519_dalek::SigningKey::from_bytes(&[9; 32]);
    let replicas: Arc<[Box<dyn Store>; 2]> =
        Arc::new([kept.place.open(&key).await, kept.place.open(&kept.key).await]);
    for _ in 0..40 {
        one(&*kept.store).await;
    }
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..20_usize {
        let replicas = Arc::clone(&replicas);
        tasks.spawn(async move { take(&*replicas[n % 2], "c", 3, NOW).await });
    }
    let mut taken = BTreeSet::new();
    let mut times = 0;
    while let Some(some) = tasks.join_next().await {
        for delivery in some.unwrap() {
            times += 1;
            taken.insert(delivery.id);
        }
    }
    assert_eq!((times, taken.len()), (40, 40), "nobody has what another has");
    assert_eq!(kept.store.due_channels(NOW + 59_999).await.unwrap(), Vec::<String>::new());
    // Whoever took them was killed.
    assert_eq!(kept.store.due_channels(NOW + 60_000).await.unwrap(), ["c"]);
    let again = take(&*replicas[1], "c", 100, NOW + 60_000).await;
    assert_eq!(again.len(), 40);
    assert!(again.iter().all(|delivery| delivery.tries == 2 && taken.contains(&delivery.id)));
}

async fn what_fails_is_tried_again_and_is_dead_after_the_last_try_until_somebody_says_so(on: On) {
    let Kept { store, place: _place, .. } = kept(on).await;
    let made = one(&*store).await;
    let mut now = NOW;
    for n in 1..=TRIES {
        let [taken] = take(&*store, "c", 9, now).await.try_into().unwrap();
        assert_eq!((taken.tries, &taken.id), (n, &made.id));
        let stands = end(&*store, &taken, failed(None, false), now).await;
        assert_eq!(stands.trouble.as_deref(), Some("answered 503"));
        assert_eq!(stands.state == DeliveryState::Dead, n == TRIES, "try {n}");
        assert!(n == TRIES || take(&*store, "c", 9, stands.due_ms - 1).await.is_empty(), "too early");
        now = stands.due_ms;
    }
    assert!(now - NOW >= 75 * HOUR, "three days of tries");
    assert!(take(&*store, "c", 9, now + 1000 * HOUR).await.is_empty(), "the dead rest");
    assert_eq!(store.deliveries(Some(DeliveryState::Dead), 9).await.unwrap().len(), 1, "and are kept");

    assert!(matches!(store.retry_delivery("none", now).await.unwrap(), Retried::Unknown));
    assert!(matches!(store.retry_delivery(&made.id, now).await.unwrap(), Retried::Done(_)));
    assert!(matches!(store.retry_delivery(&made.id, now).await.unwrap(), Retried::NotDead(_)));
    let [taken] = take(&*store, "c", 9, now).await.try_into().unwrap();
    assert_eq!((taken.tries, &taken.id), (1, &made.id), "the receiver knows it by its id");
    let stands = end(&*store, &taken, Outcome::Delivered, now).await;
    assert_eq!((stands.state, stands.trouble), (DeliveryState::Delivered, None));
    assert!(matches!(store.retry_delivery(&made.id, now).await.unwrap(), Retried::NotDead(_)));
}

async fn a_try_that_another_has_overtaken_says_nothing(on: On) {
    let Kept { store, place: _place, .. } = kept(on).await;
    one(&*store).await;
    let [first] = take(&*store, "c", 9, NOW).await.try_into().unwrap();
    let [second] = take(&*store, "c", 9, NOW + 60_000).await.try_into().unwrap();
    let stands = end(&*store, &first, failed(None, true), NOW + 60_001).await;
    assert_eq!((stands.state, stands.tries), (DeliveryState::Waiting, 2));
    let stands = end(&*store, &second, Outcome::Delivered, NOW + 60_002).await;
    assert_eq!(stands.state, DeliveryState::Delivered);
    let stands = end(&*store, &second, failed(None, false), NOW + 60_003).await;
    assert_eq!(stands.state, DeliveryState::Delivered, "it came to its end");

    // Killed in the middle of each try, it does not go on for ever.
    one(&*store).await;
    let mut now = NOW;
    for _ in 0..TRIES {
        assert_eq!(take(&*store, "c", 9, now).await.len(), 1);
        now += 60_000;
    }
    assert!(take(&*store, "c", 9, now).await.is_empty());
    assert_eq!(store.deliveries(Some(DeliveryState::Dead), 9).await.unwrap().len(), 1);
}

async fn a_receiver_that_is_gone_is_left_alone_at_once(on: On) {
    let Kept { store, place: _place, .. } = kept(on).await;
    one(&*store).await;
    let [taken] = take(&*store, "c", 9, NOW).await.try_into().unwrap();
    assert_eq!(end(&*store, &taken, failed(None, true), NOW).await.state, DeliveryState::Dead);
    one(&*store).await;
    let [taken] = take(&*store, "c", 9, NOW).await.try_into().unwrap();
    let stands = end(&*store, &taken, failed(Some(HOUR), false), NOW).await;
    assert_eq!(stands.due_ms, NOW + HOUR, "and one that asks for time gets it");
}

async fn rows_that_cannot_be_read_keep_no_others_back(on: On) {
    let kept = kept(on).await;
    let bad = one(&*kept.store).await;
    kept.tamper(&format!("UPDATE deliveries SET notice = '[]' WHERE id = '{}'", bad.id)).await;
    kept.tamper("INSERT INTO outbox (entry) VALUES ('{}')").await;
    kept.store.open_grant(wish("g", true, NOW)).await.unwrap();
    assert_eq!(kept.store.route_news(vec![channel("c", &[], &[])], vec![], NOW).await.unwrap(), 2);
    let taken = take(&*kept.store, "c", 9, NOW).await;
    assert_eq!(taken.iter().map(|own| own.notice.kind()).collect::<Vec<_>>(), ["grant.breakGlass"]);
    assert_eq!(
        kept.store.due_channels(NOW).await.unwrap(),
        Vec::<String>::new(),
        "nor are they tried for ever"
    );
}

async fn what_came_to_its_end_goes_after_its_time_and_the_dead_stay_longer(on: On) {
    let Kept { store, place: _place, .. } = kept(on).await;
    for outcome in [Outcome::Delivered, failed(None, true)] {
        one(&*store).await;
        let [taken] = take(&*store, "c", 9, NOW).await.try_into().unwrap();
        end(&*store, &taken, outcome, NOW).await;
    }
    for (days, left) in [(6, 2), (8, 1), (89, 1), (91, 0)] {
        store.open_grant(wish(&format!("g{days}"), true, NOW)).await.unwrap();
        store.route_news(vec![], vec![], NOW + days * 24 * HOUR).await.unwrap();
        assert_eq!(all(&*store).await.len(), left, "after {days} days");
    }
}

async fn the_same_thing_is_said_once(on: On) {
    let kept = kept(on).await;
    let other = kept.place.open(&ed25519_dalek::SigningKey::from_bytes(&[9; 32])).await;
    assert!(kept.store.is_first([1; 32], NOW).await.unwrap());
    assert!(!kept.store.is_first([1; 32], NOW + 600_000).await.unwrap());
    assert!(!other.is_first([1; 32], NOW).await.unwrap(), "on whichever replica");
    assert!(other.is_first([2; 32], NOW).await.unwrap());
}
