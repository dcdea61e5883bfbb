//! The pages of proposals, by forms alone: who sees what, who decides what, and hostile text that stays text.

use serde_json::json;

use super::scene::{HOSTILE, REVIEWS, Scene, Somebody};

/// The policy that is in force, with something in it replaced.
fn changed(scene: &Scene, from: &str, to: &str) -> String {
    let policy = format!("{}{REVIEWS}", scene.provider.policy());
    let changed = policy.replace(from, to);
    assert_ne!(policy, changed);
    changed
}

#[tokio::test]
async fn a_change_of_policy_is_proposed_in_a_form_read_and_accepted_by_another() {
    let scene = Scene::start(&["--policy-from-store"]).await;
    let mut ana = scene.signs_in("ana", &["authors"]).await;
    let empty = ana.get("/policy/proposals").await;
    assert!(empty.body.contains("No proposal is open") && empty.body.contains("/policy/proposals/new"));
    let form = ana.get("/policy/proposals/new").await;
    assert!(form.body.contains("name=\"name-0\" value=\"base.yaml\""), "{}", form.body);
    assert!(form.body.contains("name: writing\n") && form.body.contains("name=\"base\" value=\"1\""));

    // What is wrong is shown with its file, line and field, and nothing that was written is lost.
    let wrong = changed(&scene, "    longest: 4h\n", "    longst: 4h\n").replace('\n', "\r\n");
    let fields = |text: &str| {
        [
            ("base", "1"),
            ("reason", HOSTILE),
            ("name-0", "base.yaml"),
            ("text-0", text),
            ("name-1", ""),
            ("text-1", ""),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    let send = async |who: &mut Somebody, fields: &[(String, String)]| {
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        who.post("/policy/proposals", &fields).await
    };
    let refused = send(&mut ana, &fields(&wrong)).await;
    assert_eq!(refused.status, 422);
    for part in
        ["1 thing is wrong", "base.yaml, line ", "href=\"#text-0\"", "perhaps `longest`", "longst: 4h"]
    {
        assert!(refused.body.contains(part), "{part}: {}", refused.body);
    }
    assert!(refused.body.contains("&#60;script&#62;alert(1)"), "the reason is there still");
    let rule =
        format!("rules:\n- name: {}\n  when: {{text: hush}}\n  action: deny\naccess:\n", json!(HOSTILE));
    let hostile = changed(&scene, "access:\n", &rule);
    let cases = "policy: [base.yaml]\ncases:\n- name: nobody writes\n  principal: {groups: [writers]}\n  expect: {verdict: hold}\n";
    let mut failing = fields(&hostile).to_vec();
    failing.extend([("name-2".into(), "base.test.yaml".into()), ("text-2".into(), cases.into())]);
    let refused = send(&mut ana, &failing).await;
    assert!(refused.status == 422 && refused.body.contains("nobody writes"), "{}", refused.body);
    let mut twice = fields(&hostile).to_vec();
    twice.extend([("name-2".into(), "base.yaml".into()), ("text-2".into(), "roles: []".into())]);
    let refused = send(&mut ana, &twice).await;
    assert!(refused.status == 400 && refused.body.contains("Two files are called base.yaml"));
    let stale =
        fields(&hostile).map(|(name, value)| if name == "base" { (name, "7".into()) } else { (name, value) });
    let refused = send(&mut ana, &stale).await;
    assert!(refused.status == 400 && refused.body.contains("written for another"), "{}", refused.body);

    let good = hostile.replace("longest: 4h", "longest: 8h").replace('\n', "\r\n");
    let sent = send(&mut ana, &fields(&good)).await;
    assert_eq!(sent.status, 303, "{}", sent.body);
    let place = sent.location().to_owned();
    let decision = format!("{place}/decision");
    let own = ana.get(&place).await;
    assert!(
        own.body.contains("value=\"withdraw\"") && !own.body.contains("value=\"approve\""),
        "{}",
        own.body
    );
    let accept = |digest: &str, sure: &str| {
        [("verdict", "approve"), ("digest", digest), ("reason", "read it"), ("sure", sure)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    let decide = async |who: &mut Somebody, fields: &[(String, String)]| {
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        who.post(&decision, &fields).await
    };

    let mut bea = scene.signs_in("bea", &["authors"]).await;
    assert!(bea.get("/policy/proposals").await.body.contains("allows more, or may"));
    let shown = bea.get(&place).await;
    for part in [
        "Allows more",
        "4h became 8h",
        "no cases",
        "value=\"approve\"",
        "-    longest: 4h",
        "+    longest: 8h",
        "&#60;script&#62;alert(1)",
    ] {
        assert!(shown.body.contains(part), "{part}: {}", shown.body);
    }
    let digest = shown.body.split("name=\"digest\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(decide(&mut ana, &accept(digest, "yes")).await.status, 403, "her own");
    let mut aud = scene.signs_in("aud", &["auditors"]).await;
    let looked = aud.get(&place).await;
    assert!(
        looked.body.contains("members of authors") && !looked.body.contains("/decision\""),
        "{}",
        looked.body
    );
    assert_eq!(decide(&mut aud, &accept(digest, "yes")).await.status, 403);
    assert_eq!(aud.get("/policy/proposals/new").await.status, 403);
    for (fields, status) in [(accept(digest, ""), 400), (accept(&"0".repeat(64), "yes"), 409)] {
        assert_eq!(decide(&mut bea, &fields).await.status, status, "{fields:?}");
    }
    let text = bea.browser.get(&format!("/v1{place}/text")).await;
    assert!(
        text.status == 200 && text.body.contains("\n-    longest: 4h\n+    longest: 8h\n"),
        "{}",
        text.body
    );
    assert_eq!(text.header("content-type"), "text/plain; charset=utf-8");
    let accepted = decide(&mut bea, &accept(digest, "yes")).await;
    assert_eq!((accepted.status.as_u16(), accepted.location()), (303, place.as_str()), "{}", accepted.body);
    let over = bea.get(&place).await;
    assert!(over.body.contains("accepted") && !over.body.contains("value=\"approve\""));
    assert!(over.body.contains("+    longest: 8h"), "the change is still to be read");
    assert_eq!(decide(&mut bea, &accept(digest, "yes")).await.status, 409);

    let mut eve = scene.signs_in("eve", &["writers"]).await;
    assert!(!eve.get("/access").await.body.contains("/policy"), "no link leads there");
    for path in ["/policy/proposals", &place, "/policy/proposals/new"] {
        assert_eq!(eve.get(path).await.status, 403, "{path}");
    }
}

#[tokio::test]
async fn a_proposal_is_withdrawn_by_who_made_it_and_rejected_by_another() {
    let scene = Scene::start(&["--policy-from-store"]).await;
    let (mut ana, mut bea) =
        (scene.signs_in("ana", &["authors"]).await, scene.signs_in("bea", &["authors"]).await);
    let policy = changed(&scene, "longest: 4h", "longest: 1h");
    let fields = [("base", "1"), ("reason", "r"), ("name-0", "base.yaml"), ("text-0", policy.as_str())];
    let mut places = Vec::new();
    for _ in 0..2 {
        places.push(ana.post("/policy/proposals", &fields).await.location().to_owned());
    }
    let (first, second) = (format!("{}/decision", places[0]), format!("{}/decision", places[1]));
    assert_eq!(bea.post(&first, &[("verdict", "withdraw")]).await.status, 403);
    assert_eq!(bea.post(&first, &[("verdict", "deny")]).await.status, 400, "a reason");
    assert_eq!(ana.post(&first, &[("verdict", "deny"), ("reason", "r")]).await.status, 403);
    assert_eq!(bea.post(&first, &[("verdict", "deny"), ("reason", "too short")]).await.status, 303);
    assert_eq!(ana.post(&second, &[("verdict", "withdraw")]).await.status, 303);
    assert!(bea.get(&places[0]).await.body.contains("too short"));
    let all = bea.get("/policy/proposals?state=all").await;
    assert!(all.body.contains("rejected") && all.body.contains("withdrawn"));
    let form = format!("verdict=deny&reason=r&csrf={}x", bea.csrf);
    assert_eq!(bea.browser.post(&first, &form).await.status, 403, "another token");
}

#[tokio::test]
async fn where_files_rule_the_page_says_so() {
    let scene = Scene::start(&[]).await;
    let mut ana = scene.signs_in("ana", &["authors"]).await;
    let listed = ana.get("/policy/proposals").await;
    assert!(listed.body.contains("--policy-from-store") && !listed.body.contains("/policy/proposals/new"));
    assert_eq!(ana.get("/policy/proposals/new").await.status, 409);
}
