//! Access reviews, and what they take back.

use serde_json::json;

use super::{NOW, On, kept};
use crate::approvals::DecidedBy;
use crate::grants::tests::wish;
use crate::grants::{GrantState, now_live};
use crate::reviews::{Bar, Choice, Item, Progress, ReviewState, now_withheld};
use crate::reviews::{review_item as item, review_open as review, review_ruling as ruling};
use crate::store::{Addition, Closed, Lifted, Ruled, Started, Store, WhichItems};

on_both! {
    a_review_that_is_due_starts_once_however_many_find_it_so,
    a_decision_takes_back_and_a_changed_mind_gives_back_until_the_end,
    a_decision_is_on_all_items_or_on_none,
    what_nobody_decided_by_the_deadline_is_revoked_and_the_review_is_over,
    a_grant_is_revoked_and_not_withheld,
    a_review_closes_early_once_all_is_decided,
    a_reminder_comes_once,
    what_was_taken_back_is_given_back_by_someone_else_and_a_broken_row_gives_nothing_back,
}

const DAY: u64 = 24 * 3600 * 1000;

fn by(subject: &str) -> DecidedBy {
    let who = sluice_engine::record::Who { issuer: "own".into(), subject: subject.into(), groups: vec![] };
    DecidedBy::new(&who, NOW, Some("why".into()))
}

async fn started(store: &dyn Store, items: Vec<Item>) {
    let begun = store.start_review(review("r", NOW), items, None).await.unwrap();
    assert!(matches!(begun, Started::Done(_)), "{begun:?}");
}

async fn taken(store: &dyn Store) -> Vec<(String, String, bool)> {
    let withheld = now_withheld(store).await.unwrap();
    withheld.into_iter().map(|taken| (taken.id, taken.subject, taken.part.is_none())).collect()
}

async fn a_review_that_is_due_starts_once_however_many_find_it_so(on: On) {
    let kept = kept(on).await;
    let start =
        |id: &'static str, at, every| kept.store.start_review(review(id, at), vec![item(1, "ana")], every);
    let (one, two, three) =
        tokio::join!(start("a", NOW, Some(DAY)), start("b", NOW + 1, Some(DAY)), start("c", NOW, Some(DAY)));
    let begun = [one, two, three].into_iter().filter(|s| matches!(s, Ok(Started::Done(_)))).count();
    assert_eq!(begun, 1);
    assert!(matches!(start("d", NOW + 2, None).await, Ok(Started::Running(_))), "one is open");
    kept.store.end_reviews(NOW + 2_000_000).await.unwrap();
    assert!(matches!(start("e", NOW + DAY - 1, Some(DAY)).await, Ok(Started::NotDue(_))));
    assert!(matches!(start("f", NOW + 3_000_000, None).await, Ok(Started::Done(_))), "an operator may");
    kept.store.end_reviews(NOW + DAY).await.unwrap();
    assert!(matches!(start("g", NOW + 3_000_000 + DAY, Some(DAY)).await, Ok(Started::Done(_))));
    assert_eq!(kept.store.reviews(10).await.unwrap().len(), 3);
    assert!(kept.verify().await.sound);
}

async fn a_decision_takes_back_and_a_changed_mind_gives_back_until_the_end(on: On) {
    let kept = kept(on).await;
    kept.store.add(Addition { entries: vec![], ..Addition::default() }, NOW).await.unwrap();
    started(&*kept.store, vec![item(1, "ana"), item(2, "bob")]).await;
    for (choice, after) in [
        (Choice::Revoke, vec![("r-1".to_owned(), "ana".to_owned(), true)]),
        (Choice::Reduce, vec![("r-1".to_owned(), "ana".to_owned(), false)]),
        (Choice::Certify, vec![]),
        (Choice::Revoke, vec![("r-1".to_owned(), "ana".to_owned(), true)]),
    ] {
        let ruled = kept.store.rule(ruling("r", &[1], choice), NOW + 1).await.unwrap();
        assert!(matches!(ruled, Ruled::Done(_)), "{ruled:?}");
        assert_eq!(taken(&*kept.store).await, after, "{choice:?}");
    }
    let (_, progress) = kept.store.review("r").await.unwrap().unwrap();
    assert_eq!(progress, Progress { open: 1, revoked: 1, ..Progress::default() });
    let open = WhichItems { review: "r".into(), decided: Some(None), after: 0, limit: 10 };
    let open = kept.store.review_items(open).await.unwrap();
    assert_eq!(open.iter().map(|item| item.n).collect::<Vec<_>>(), [2]);
    let late = kept.store.rule(ruling("r", &[1], Choice::Certify), NOW + 1_000_000).await.unwrap();
    assert!(matches!(late, Ruled::Over(_)), "{late:?}");
    assert!(matches!(kept.store.rule(ruling("x", &[1], Choice::Certify), NOW).await, Ok(Ruled::Unknown)));
}

async fn a_decision_is_on_all_items_or_on_none(on: On) {
    let kept = kept(on).await;
    started(&*kept.store, vec![item(1, "ana"), item(2, "Lea"), item(3, "bob")]).await;
    for (items, bar) in [(vec![1, 2, 3], Bar::Own(2)), (vec![1, 9], Bar::NoItem(9))] {
        let ruled = kept.store.rule(ruling("r", &items, Choice::Revoke), NOW).await.unwrap();
        assert!(matches!(ruled, Ruled::Barred(why) if why == bar), "{ruled:?}");
    }
    assert_eq!(taken(&*kept.store).await, []);
    assert_eq!(kept.store.review("r").await.unwrap().unwrap().1.open, 3);
}

async fn what_nobody_decided_by_the_deadline_is_revoked_and_the_review_is_over(on: On) {
    let kept = kept(on).await;
    let items = (1..=1100).map(|n| item(n, &format!("s{n}"))).collect();
    started(&*kept.store, items).await;
    kept.store.rule(ruling("r", &[7], Choice::Certify), NOW).await.unwrap();
    assert_eq!(kept.store.end_reviews(NOW + 999_999).await.unwrap(), []);
    let (one, two) =
        tokio::join!(kept.store.end_reviews(NOW + 1_000_000), kept.store.end_reviews(NOW + 1_000_000));
    assert_eq!(one.unwrap().len() + two.unwrap().len(), 1, "it ends once");
    let (review, progress) = kept.store.review("r").await.unwrap().unwrap();
    assert_eq!(progress, Progress { certified: 1, revoked: 1099, ..Progress::default() });
    assert_eq!((review.state, review.closed_ms), (ReviewState::Closed, Some(NOW + 1_000_000)));
    assert!(review.heads_at_start.is_empty() && review.heads_at_end.len() == 1);
    let taken = kept.store.withheld().await.unwrap();
    assert_eq!(taken.len(), 1099);
    assert!(taken.iter().all(|taken| taken.by.is_none() && taken.reason.contains("deadline")));
    assert!(kept.verify().await.sound);
}

async fn a_grant_is_revoked_and_not_withheld(on: On) {
    let kept = kept(on).await;
    kept.store.open_grant(wish("g1", true, NOW)).await.unwrap();
    kept.store.open_grant(wish("g2", true, NOW)).await.unwrap();
    let of_grant = |n, grant: &str| Item { grant: Some(grant.into()), ..item(n, "ana") };
    started(&*kept.store, vec![of_grant(1, "g1"), of_grant(2, "g2")]).await;
    kept.store.rule(ruling("r", &[1], Choice::Revoke), NOW + 1).await.unwrap();
    assert_eq!(taken(&*kept.store).await, []);
    let live = now_live(&*kept.store, NOW + 1).await.unwrap();
    assert_eq!(live.iter().map(|grant| grant.id.as_str()).collect::<Vec<_>>(), ["g2"]);
    let mind = kept.store.rule(ruling("r", &[1], Choice::Certify), NOW + 2).await.unwrap();
    assert!(matches!(mind, Ruled::Barred(Bar::Final(1))));
    kept.store.end_reviews(NOW + 1_000_000).await.unwrap();
    let revoked = kept.store.grants(Some(GrantState::Revoked), 10).await.unwrap();
    assert_eq!(revoked.len(), 2);
    let by_itself = revoked.iter().find(|grant| grant.id == "g2").unwrap().revoked.clone().unwrap();
    assert_eq!((by_itself.issuer.as_str(), by_itself.subject.as_str()), ("control", "review r"));
}

async fn a_review_closes_early_once_all_is_decided(on: On) {
    let kept = kept(on).await;
    started(&*kept.store, vec![item(1, "ana")]).await;
    assert!(matches!(kept.store.close_review("r", by("opa")).await, Ok(Closed::Undecided(1))));
    kept.store.rule(ruling("r", &[1], Choice::Revoke), NOW).await.unwrap();
    assert!(matches!(kept.store.close_review("r", by("opa")).await, Ok(Closed::Done(_))));
    assert!(matches!(kept.store.close_review("r", by("opa")).await, Ok(Closed::Over(_))));
    assert!(matches!(kept.store.close_review("x", by("opa")).await, Ok(Closed::Unknown)));
    assert!(matches!(kept.store.rule(ruling("r", &[1], Choice::Certify), NOW).await, Ok(Ruled::Over(_))));
    assert_eq!(taken(&*kept.store).await.len(), 1, "what was decided stands");
}

async fn a_reminder_comes_once(on: On) {
    let kept = kept(on).await;
    started(&*kept.store, vec![item(1, "ana")]).await;
    assert_eq!(kept.store.remind(NOW + 499_999).await.unwrap().len(), 0);
    let (one, two) = tokio::join!(kept.store.remind(NOW + 500_000), kept.store.remind(NOW + 500_000));
    let told = [one.unwrap(), two.unwrap()].concat();
    assert_eq!(
        told.iter().map(|(review, progress)| (review.id.as_str(), progress.open)).collect::<Vec<_>>(),
        [("r", 1)]
    );
    assert_eq!(kept.store.remind(NOW + 600_000).await.unwrap().len(), 0);
}

async fn what_was_taken_back_is_given_back_by_someone_else_and_a_broken_row_gives_nothing_back(on: On) {
    let kept = kept(on).await;
    started(&*kept.store, vec![item(1, "ana"), item(2, "bob")]).await;
    kept.store.rule(ruling("r", &[1, 2], Choice::Reduce), NOW).await.unwrap();
    kept.tamper("UPDATE withheld SET detail = '{}' WHERE id = 'r-2'").await;
    let after = vec![("r-1".to_owned(), "ana".to_owned(), false), ("r-2".to_owned(), "bob".to_owned(), true)];
    assert_eq!(taken(&*kept.store).await, after, "what cannot be read withholds the role");
    assert!(matches!(kept.store.lift("r-1", by(" ANA")).await, Ok(Lifted::Own)));
    assert!(matches!(kept.store.lift("r-9", by("opa")).await, Ok(Lifted::Unknown)));
    assert!(matches!(kept.store.lift("r-2", by("BOB")).await, Ok(Lifted::Own)));
    let lifted = kept.store.lift("r-1", by("opa")).await.unwrap();
    assert!(
        matches!(&lifted, Lifted::Done(taken) if taken.lifted.as_ref().is_some_and(|by| by.subject == "opa"))
    );
    assert!(matches!(kept.store.lift("r-1", by("opa")).await, Ok(Lifted::Unknown)), "once");
    assert!(
        matches!(kept.store.lift("r-2", by("opa")).await, Ok(Lifted::Done(_))),
        "a broken row can be lifted"
    );
    assert_eq!(taken(&*kept.store).await, []);
    let log = kept.store.entries(crate::store::Which { limit: 100, ..Default::default() }).await.unwrap();
    let last = serde_json::from_str::<serde_json::Value>(&log[log.len() - 2].entry).unwrap();
    assert_eq!(last["review"]["change"], json!("lifted"));
    assert_eq!(last["review"]["by"], json!(["own", "opa"]));
}
