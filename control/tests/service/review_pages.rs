//! The pages of reviews and identities, by forms alone: who sees what, who decides what, and hostile text that stays text.

use std::time::{Duration, Instant};

use axum::http::Method;
use serde_json::{Value, json};

use super::access::seen;
use super::scene::{HOSTILE, Scene, is_form};

const AT: u64 = 1_795_000_000_000;

#[tokio::test]
async fn a_review_goes_from_its_start_to_its_end_by_forms() {
    let scene = Scene::start(&[]).await;
    for subject in ["ana", "bob", "lea"] {
        seen(&scene.service, subject, &["writers"], AT, &json!({"roles": ["writer"]})).await;
    }
    let mut opa = scene.signs_in("opa", &["operators"]).await;
    assert!(opa.get("/access/reviews").await.body.contains("Start now"));
    let begun = opa.post("/access/reviews", &[("name", "quarterly")]).await;
    assert_eq!(begun.status, 303, "{begun:?}");
    let place = begun.location().to_owned();
    let decisions = format!("{place}/decisions");

    let mut lea = scene.signs_in("lea", &["leads"]).await;
    let listed = lea.get("/access/reviews").await;
    assert!(listed.body.contains("you decide") && listed.body.contains("0 of 3"), "{}", listed.body);
    assert!(!listed.body.contains("Start now"), "she is no operator");
    let shown = lea.get(&place).await;
    assert!(shown.body.contains("name=\"pick-1\"") && shown.body.contains("name=\"pick-2\""));
    assert!(!shown.body.contains("name=\"pick-3\""), "her own cannot be selected");
    assert!(shown.body.contains("It is about you: someone else of leads decides."), "{}", shown.body);
    assert!(!shown.body.contains("/access/identity?"), "she may not look at others");
    let picked = lea.get(&format!("{place}?select=all")).await;
    assert_eq!(picked.body.matches(" checked>").count(), 2, "all that she decides, without scripts");

    // What is missing or not hers is said above the same items, and nothing is decided.
    for (fields, status, why) in [
        (vec![("choice", "certify"), ("reason", "r")], 400, "nothing was selected"),
        (vec![("choice", "certify"), ("pick-1", "yes")], 400, "needs a reason"),
        (vec![("choice", "keep"), ("pick-1", "yes"), ("reason", "r")], 400, "choose to certify"),
        (vec![("choice", "certify"), ("pick-3", "yes"), ("reason", "r")], 403, "about yourself"),
        (
            vec![("choice", "certify"), ("pick-1", "yes"), ("pick-3", "yes"), ("reason", "r")],
            403,
            "about yourself",
        ),
        (vec![("choice", "revoke"), ("pick-1", "yes"), ("sure", "yes")], 400, "has no reason"),
        (
            vec![("choice", "reduce"), ("pick-1", "yes"), ("sure", "yes"), ("reason-1", "r")],
            400,
            "nothing was ticked",
        ),
        (
            vec![("choice", "revoke"), ("pick-3", "yes"), ("sure", "yes"), ("reason-3", "r")],
            403,
            "about yourself",
        ),
    ] {
        let refused = lea.post(&decisions, &fields).await;
        assert_eq!(refused.status, status, "{fields:?}");
        assert!(refused.body.to_lowercase().contains(why), "{fields:?}: {}", refused.body);
        assert!(
            refused.body.contains("0 of 3 decided") && refused.body.contains("id=\"review\""),
            "{fields:?}"
        );
    }
    let form = format!("choice=certify&pick-1=yes&reason=r&csrf={}x", lea.csrf);
    assert_eq!(lea.browser.post(&decisions, &form).await.status, 403, "another token");

    let done = lea.post(&decisions, &[("choice", "certify"), ("pick-1", "yes"), ("reason", HOSTILE)]).await;
    assert_eq!(done.status, 303, "{done:?}");
    let shown = lea.get(done.location()).await;
    assert!(shown.body.contains("1 item is certified") && shown.body.contains("33 %"), "{}", shown.body);
    let certified = lea.get(&format!("{place}?state=certified")).await;
    assert!(certified.body.contains("&#60;script&#62;alert(1)"), "the reason is shown as text");

    // What is taken back is asked for a second time, with a reason for each.
    let asked = lea.post(&decisions, &[("choice", "revoke"), ("pick-2", "yes"), ("reason", "ignored")]).await;
    assert_eq!(asked.status, 200);
    assert!(
        asked.body.contains("name=\"reason-2\"") && asked.body.contains("name=\"sure\""),
        "{}",
        asked.body
    );
    assert!(lea.get(&place).await.body.contains("1 of 3 decided"), "nothing is decided yet");
    let sure = [("choice", "revoke"), ("pick-2", "yes"), ("sure", "yes"), ("reason-2", "has left")];
    assert_eq!(lea.post(&decisions, &sure).await.status, 303);
    assert_eq!(scene.withheld().await, 1);

    // Her own item is for another; then an operator closes.
    assert!(!is_form(&opa.get(&place).await, &format!("{place}/close")), "not before everything is decided");
    assert_eq!(opa.post(&format!("{place}/close"), &[]).await.status, 409);
    let mut mia = scene.signs_in("mia", &["leads"]).await;
    let reduce = [
        ("choice", "reduce"),
        ("pick-3", "yes"),
        ("sure", "yes"),
        ("reason-3", "too much"),
        ("model-3", "claude-opus-*, claude-x"),
        ("scope-3-0", ""),
    ];
    assert_eq!(mia.post(&decisions, &reduce).await.status, 303);
    let reduced = mia.get(&format!("{place}?state=reduced")).await;
    assert!(reduced.body.contains("claude-opus-*"), "{}", reduced.body);
    assert!(is_form(&opa.get(&place).await, &format!("{place}/close")));
    assert_eq!(opa.post(&format!("{place}/close"), &[("reason", "done")]).await.status, 303);
    let over = lea.get(&place).await;
    assert!(over.body.contains("100 %") && !over.body.contains("name=\"pick-"), "{}", over.body);
    let late = lea.post(&decisions, &[("choice", "certify"), ("pick-1", "yes"), ("reason", "r")]).await;
    assert_eq!(late.status, 409);
    for (query, holds) in [("?format=csv", "has left"), ("", "signature")] {
        let evidence = lea.browser.get(&format!("/v1{}/evidence{query}", place.replace("/access", ""))).await;
        assert!(evidence.status == 200 && evidence.body.contains(holds), "{query}");
    }
    // A link brings no words of its own into the page.
    let link = lea.get(&format!("{place}?done=you+won&items=1")).await;
    assert!(!link.body.contains("you won"));
}

#[tokio::test]
async fn who_may_only_look_is_told_who_decides_and_who_may_not_sees_nothing_of_reviews() {
    let scene = Scene::start(&[]).await;
    seen(&scene.service, HOSTILE, &["writers", HOSTILE], AT, &json!({"roles": ["writer"], "model": HOSTILE}))
        .await;
    let mut opa = scene.signs_in("opa", &["operators"]).await;
    let place = opa.post("/access/reviews", &[("name", "quarterly")]).await.location().to_owned();
    let decisions = format!("{place}/decisions");
    let certify = [("choice", "certify"), ("pick-1", "yes"), ("reason", "r")];
    let mut auditor = scene.signs_in("eve", &["auditors"]).await;
    for looks in [&mut opa, &mut auditor] {
        let shown = looks.get(&place).await;
        assert!(shown.body.contains("You may look; members of leads decide."), "{}", shown.body);
        assert!(!shown.body.contains("name=\"pick-") && !is_form(&shown, &decisions));
        assert!(shown.body.contains("&#60;script&#62;"), "the name stands there as text");
        assert_eq!(looks.post(&decisions, &certify).await.status, 403);
    }
    assert_eq!(auditor.post("/access/reviews", &[("name", "quarterly")]).await.status, 403);
    let mut lea = scene.signs_in("lea", &["leads"]).await;
    let asked = lea.post(&decisions, &[("choice", "revoke"), ("pick-1", "yes")]).await;
    assert!(asked.status == 200 && asked.body.contains("&#60;script&#62;"), "{}", asked.body);

    let mut ana = scene.signs_in("ana", &["writers"]).await;
    assert!(!ana.get("/access").await.body.contains("/access/reviews"), "no link leads there");
    let (all, one) = (ana.get("/access/reviews").await, ana.get(&place).await);
    assert_eq!((all.status.as_u16(), one.status.as_u16()), (403, 404));
    assert!(all.body.contains("Not allowed"), "{}", all.body);
    assert_eq!(ana.post(&decisions, &certify).await.status, 404);
    assert_eq!(ana.post(&format!("{place}/close"), &[]).await.status, 403);
}

#[tokio::test]
async fn items_are_found_by_what_is_suggested_and_by_name_behind_any_number_of_others() {
    let scene = Scene::start(&[]).await;
    for n in 0..30 {
        let subject = format!("person-{n:02}");
        seen(&scene.service, &subject, &["writers"], AT, &json!({"roles": ["writer"]})).await;
    }
    let (opa, lea) = (scene.service.token("opa", "operators"), scene.service.token("lea", "leads"));
    let begin = json!({"name": "quarterly"});
    let (_, begun) = scene.service.call(Method::POST, "/v1/reviews", &opa, Some(&begin)).await;
    let id = begun["id"].as_str().unwrap();
    let path = |query: &str| format!("/v1/reviews/{id}/items?{query}");
    for (query, first, count, next) in [
        ("search=PERSON-2&limit=4", 21, 4, json!(24)),
        ("search=PERSON-2&limit=4&after=24", 25, 4, json!(28)),
        ("search=PERSON-2&limit=4&after=28", 29, 2, Value::Null),
        ("search=writer&limit=100", 1, 30, Value::Null),
        ("limit=30", 1, 30, Value::Null),
        ("limit=29", 1, 29, json!(29)),
        ("suggested=none&state=open", 0, 0, Value::Null),
        ("suggested=any&search=person-07", 8, 1, Value::Null),
    ] {
        let (status, found) = scene.service.call(Method::GET, &path(query), &lea, None).await;
        assert_eq!(status, 200, "{found}");
        let items = found["items"].as_array().unwrap();
        assert_eq!((items.len(), &found["next"]), (count, &next), "{query}");
        assert_eq!(items.first().map_or(0, |item| item["n"].as_u64().unwrap()), first, "{query}");
    }
    assert_eq!(scene.service.call(Method::GET, &path("suggested=keep"), &lea, None).await.0, 400);
    let shown = scene.service.cli(&lea, &["reviews", "show", id, "--search", "person-07"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("person-07") && !shown.contains("person-08"), "{shown}");
}

#[tokio::test]
async fn an_identity_is_shown_with_what_it_has_used_lost_and_can_get_back() {
    let scene = Scene::start(&[]).await;
    seen(&scene.service, "bob", &["writers"], AT, &json!({"roles": ["writer"], "model": "claude-x"})).await;
    let hostile = json!({"roles": ["writer"], "model": HOSTILE});
    seen(&scene.service, HOSTILE, &["writers", HOSTILE], AT, &hostile).await;
    let mut opa = scene.signs_in("opa", &["operators"]).await;
    let place = opa.post("/access/reviews", &[("name", "quarterly")]).await.location().to_owned();
    let mut lea = scene.signs_in("lea", &["leads"]).await;
    let revoke = |n: &str| {
        [
            ("choice".to_owned(), "revoke".to_owned()),
            ("sure".into(), "yes".into()),
            (format!("pick-{n}"), "yes".into()),
            (format!("reason-{n}"), format!("has left {HOSTILE}")),
        ]
    };
    for n in ["1", "2"] {
        let fields = revoke(n);
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(lea.post(&format!("{place}/decisions"), &fields).await.status, 303);
    }
    assert!(scene.withheld().await > 0);
    let token = scene.service.token("opa", "operators");
    let shut = json!({"issuer": "own", "subject": "bob", "reason": "laptop lost"});
    let (status, said) = scene.service.call(Method::POST, "/v1/revocations", &token, Some(&shut)).await;
    assert_eq!(status, 201, "{said}");

    let listed = opa.get("/access/identities").await;
    assert!(
        listed.body.contains("&#60;script&#62;") && listed.body.contains("subject=bob"),
        "{}",
        listed.body
    );
    let found = opa.get("/access/identities?search=BO").await;
    assert!(found.body.contains("subject=bob") && !found.body.contains("&#60;script&#62;"));
    let none = opa.get("/access/identities?search=nobody+is+called+so").await;
    assert!(none.body.contains("Nobody fits"));
    let path = "/access/identity?issuer=own&subject=bob";
    let start = Instant::now();
    let bob = loop {
        let bob = opa.get(path).await;
        if bob.body.contains("taken back") || start.elapsed() > Duration::from_secs(10) {
            break bob;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    for part in [
        "group writers",
        "claude-x",
        "Taken back by reviews",
        "has left",
        "by lea",
        "laptop lost",
        "everything issued",
    ] {
        assert!(bob.body.contains(part), "{part}: {}", bob.body);
    }
    assert!(!bob.body.contains("/sessions?"), "sessions are for auditors");
    let mut auditor = scene.signs_in("eve", &["auditors"]).await;
    let query = serde_urlencoded::to_string([("issuer", "own"), ("subject", HOSTILE)]).unwrap();
    let shown = auditor.get(&format!("/access/identity?{query}")).await;
    assert!(shown.status == 200 && shown.body.contains("/sessions?person="), "{}", shown.body);
    assert!(!shown.body.contains("/lift\""), "auditors give nothing back");
    assert_eq!(auditor.get("/access/identity?subject=who").await.status, 404);

    // What was taken back is given back by an operator, with a reason.
    let lift = bob.body.split("action=\"").find_map(|rest| rest.strip_prefix("/access/withheld/")).unwrap();
    let lift = format!("/access/withheld/{}", lift.split('"').next().unwrap());
    let back = [("reason", "is back"), ("back", path)];
    assert_eq!(auditor.post(&lift, &back).await.status, 403);
    assert_eq!(opa.post(&lift, &[("back", path)]).await.status, 400, "a reason");
    let lifted = opa.post(&lift, &back).await;
    assert_eq!((lifted.status.as_u16(), lifted.location()), (303, path), "{lifted:?}");
    assert!(!opa.get(path).await.body.contains("Taken back by reviews"));
    assert_eq!(opa.post(&lift, &[("reason", "x"), ("back", "//evil.test")]).await.status, 404);

    // Everyone else sees themselves alone.
    let mut cat = scene.signs_in("cat", &["writers"]).await;
    assert_eq!(cat.get("/access/identities").await.status, 403);
    assert_eq!(cat.get(path).await.status, 403);
    let own = cat.get("/access/identity").await;
    assert!(own.status == 200 && own.body.contains("group writers"), "{}", own.body);
    assert!(!own.body.contains("Tokens revoked") && !own.body.contains("/access/identities"), "{}", own.body);
}
