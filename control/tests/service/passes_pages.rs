//! The pages of passes and delegations, by forms alone: who sees what, who gives and takes back what, and hostile text that
//! stays text.

use axum::http::Method;
use serde_json::{Value, json};

use super::harness::ask;
use super::scene::{HOSTILE, Scene, Somebody, is_form};

const PASSES: &str = "/access/passes";
const DELEGATIONS: &str = "/access/delegations";

/// Opens a hold of `who`, with these fields beside the usual ones; its id and how it stands.
async fn open(scene: &Scene, key: &str, who: &str, more: &Value) -> (String, String) {
    let mut body = ask(key, &format!("e of {key}"));
    let hold = body["hold"].as_object_mut().unwrap();
    hold.insert("who".into(), json!({"issuer": "corp", "subject": who, "groups": ["writers"]}));
    hold.extend(more.as_object().unwrap().clone());
    let (status, reply) = scene.service.filter(Method::POST, "/v1/exchanges", Some(&body)).await;
    assert_eq!(status, 200, "{reply}");
    let text = |name: &str| reply["hold"][name].as_str().unwrap().to_owned();
    (text("id"), text("decision"))
}

/// Approves it for a time, in the form of its page; the id of the pass that came of it.
async fn approve_for_a_time(by: &mut Somebody, hold: &str, reason: &str) -> String {
    let fields = [("verdict", "approve"), ("reason", reason), ("span", "900"), ("sure", "yes")];
    let decided = by.post(&format!("/holds/{hold}/decision"), &fields).await;
    assert_eq!(decided.status, 303, "{}", decided.body);
    let shown = by.get(&format!("/holds/{hold}")).await;
    let link = shown.body.split("href=\"/access/passes/").nth(1).unwrap();
    link.split('"').next().unwrap().to_owned()
}

fn offered() -> Value {
    json!({"grantSeconds": 3600})
}

#[tokio::test]
async fn a_pass_is_shown_with_its_uses_to_those_whom_it_concerns_and_taken_back() {
    let scene = Scene::start(&[]).await;
    let mut ben = scene.signs_in("ben", &["approvers"]).await;
    let empty = ben.get(PASSES).await;
    assert!(empty.body.contains("Nothing goes on without asking"), "{}", empty.body);
    assert!(
        empty.body.contains("<code>grantFor: 1h</code>"),
        "no rule of this policy offers it: {}",
        empty.body
    );
    assert!(!empty.body.contains("/policy/proposals/new"), "he is no author");

    let (hold, _) = open(&scene, "k", "ana", &offered()).await;
    let pass = approve_for_a_time(&mut ben, &hold, "a migration").await;
    let revoke = format!("{PASSES}/{pass}/revoke");
    let shown = ben.get(PASSES).await;
    for part in
        ["ana</strong> goes on under", "Bash: write", "Not used yet", "approved by ben", ": a migration"]
    {
        assert!(shown.body.contains(part), "{part}: {}", shown.body);
    }
    assert!(is_form(&shown, &revoke) && shown.body.contains(&format!("href=\"/holds/{hold}\"")));
    let mut through = String::new();
    for key in ["next", "another"] {
        let (id, decision) = open(&scene, key, "ana", &offered()).await;
        assert_eq!(decision, "approved");
        through = id;
    }
    let one = ben.get(&format!("{PASSES}/{pass}")).await;
    assert!(one.body.contains("Used 2×") && one.body.contains("All passes"), "{}", one.body);
    let by_pass = ben.get(&format!("/holds/{through}")).await;
    assert!(by_pass.body.contains("Nobody was asked") && by_pass.body.contains(&format!("{PASSES}/{pass}")));
    let listed = scene.service.cli(&scene.service.token("opa", "operators"), &["holds", "passes"]);
    assert!(String::from_utf8_lossy(&listed.stdout).contains("2x"), "{listed:?}");

    // Whoever has it may give it back, and does not see the hold; auditors look; others learn nothing.
    let mut ana = scene.signs_in("ana", &["writers"]).await;
    let own = ana.get(PASSES).await;
    assert!(is_form(&own, &revoke) && !own.body.contains(&format!("/holds/{hold}")), "{}", own.body);
    let mut opa = scene.signs_in("opa", &["operators"]).await;
    let all = opa.get(PASSES).await;
    assert!(is_form(&all, &revoke) && !all.body.contains(&format!("/holds/{hold}")), "{}", all.body);
    let mut auditor = scene.signs_in("eve", &["auditors"]).await;
    let looked = auditor.get(PASSES).await;
    assert!(looked.body.contains("Used 2×") && !looked.body.contains("/revoke\""), "{}", looked.body);
    assert!(looked.body.contains(&format!("href=\"/holds/{hold}\"")));
    assert_eq!(auditor.post(&revoke, &[]).await.status, 404);
    let mut cat = scene.signs_in("cat", &["writers"]).await;
    assert!(cat.get(PASSES).await.body.contains("Nothing goes on without asking"));
    assert_eq!(cat.get(&format!("{PASSES}/{pass}")).await.status, 404);
    assert_eq!(cat.post(&revoke, &[]).await.status, 404);

    let another = format!("reason=r&csrf={}x", ben.csrf);
    assert_eq!(ben.browser.post(&revoke, &another).await.status, 403, "another token");
    assert!(is_form(&ben.get(PASSES).await, &revoke), "nothing has happened so far");
    let taken = ben.post(&revoke, &[("reason", "done with it")]).await;
    assert_eq!((taken.status.as_u16(), taken.location()), (303, PASSES), "{}", taken.body);
    let over = ben.get(PASSES).await;
    assert!(!is_form(&over, &revoke), "{}", over.body);
    for part in ["taken back</span> by ben: done with it", "2×", "Nothing goes on without asking"] {
        assert!(over.body.contains(part), "{part}: {}", over.body);
    }
    assert_eq!(open(&scene, "after", "ana", &offered()).await.1, "waiting");
}

#[tokio::test]
async fn a_right_to_decide_is_handed_over_used_for_a_time_and_ended_in_the_pages() {
    let scene = Scene::start(&[]).await;
    let (mut ben, mut eve) =
        (scene.signs_in("ben", &["approvers", "staff"]).await, scene.signs_in("eve", &["staff"]).await);
    let form = ben.get(DELEGATIONS).await;
    assert!(form.body.contains("Everybody decides for themselves") && is_form(&form, DELEGATIONS));
    assert!(form.body.contains("value=\"approvers\" checked"), "{}", form.body);
    assert!(!form.body.contains("value=\"staff\""), "that group decides nothing");
    let none = eve.get(DELEGATIONS).await;
    assert!(!is_form(&none, DELEGATIONS) && none.body.contains("You have none to hand over"));

    let give = [("group-1", "approvers"), ("subject", "eve"), ("for", "8h"), ("reason", "away")];
    for (name, value, why) in [
        ("group-1", "owners", "not in owners"),
        ("subject", "ben", "another person"),
        ("for", "31d", "at most 30d"),
        ("for", "soon", "a number with a unit"),
        ("for", "", "more than nothing"),
        ("reason", " ", "needs a reason"),
    ] {
        let fields = give.map(|field| if field.0 == name { (name, value) } else { field });
        let refused = ben.post(DELEGATIONS, &fields).await;
        assert!(refused.status.is_client_error(), "{name} {value}: {refused:?}");
        assert!(refused.body.contains(why), "{name} {value}: {}", refused.body);
    }
    let refused = ben.post(DELEGATIONS, &give[1..]).await;
    assert!(refused.status == 400 && refused.body.contains("<code>groups</code>"), "{}", refused.body);
    let another = format!("{}&csrf={}x", serde_urlencoded::to_string(give).unwrap(), ben.csrf);
    assert_eq!(ben.browser.post(DELEGATIONS, &another).await.status, 403, "another token");
    assert!(ben.get(DELEGATIONS).await.body.contains("Everybody decides for themselves"));

    let given = ben.post(DELEGATIONS, &give).await;
    assert_eq!((given.status.as_u16(), given.location()), (303, DELEGATIONS), "{}", given.body);
    let shown = ben.get(DELEGATIONS).await;
    assert!(shown.body.contains("yours</span> <strong>eve</strong> decides for"), "{}", shown.body);
    let end =
        shown.body.split("action=\"").find_map(|rest| rest.strip_prefix("/access/delegations/")).unwrap();
    let end = format!("{DELEGATIONS}/{}", end.split('"').next().unwrap());
    let got = eve.get(DELEGATIONS).await;
    assert!(got.body.contains("to you</span>") && is_form(&got, &end), "{}", got.body);

    // She approves for a time in his name, and may take back what she has approved.
    let (hold, _) = open(&scene, "k", "ana", &offered()).await;
    let pass = approve_for_a_time(&mut eve, &hold, "seen").await;
    let passes = eve.get(PASSES).await;
    assert!(passes.body.contains("approved by eve for ben"), "{}", passes.body);
    assert_eq!(eve.post(&format!("{PASSES}/{pass}/revoke"), &[]).await.status, 303);
    assert!(eve.get(PASSES).await.body.contains("taken back</span> by eve"));

    let mut auditor = scene.signs_in("aud", &["auditors"]).await;
    let looked = auditor.get(DELEGATIONS).await;
    assert!(looked.body.contains("in the name of <strong>ben") && !looked.body.contains("/end\""));
    assert_eq!(auditor.post(&end, &[]).await.status, 404);
    let mut cat = scene.signs_in("cat", &["approvers"]).await;
    assert!(!cat.get(DELEGATIONS).await.body.contains("in the name of <strong>ben"), "no part of hers");
    assert_eq!(cat.post(&end, &[]).await.status, 404);
    let mut opa = scene.signs_in("opa", &["operators"]).await;
    assert!(is_form(&opa.get(DELEGATIONS).await, &end));
    assert_eq!(opa.post(&end, &[("reason", "has left")]).await.status, 303);
    for who in [&mut ben, &mut eve] {
        let over = who.get(DELEGATIONS).await;
        assert!(
            over.body.contains("ended</span> by opa: has left") && !is_form(&over, &end),
            "{}",
            over.body
        );
    }
    assert!(!eve.get(PASSES).await.body.contains("for ben"), "what she had through it is gone with it");
}

#[tokio::test]
async fn hostile_names_rules_and_reasons_stand_in_passes_and_delegations_as_text() {
    let scene = Scene::start(&[]).await;
    let mut ben = scene.signs_in("ben", &["approvers"]).await;
    let hostile = json!({"grantSeconds": 3600, "rule": HOSTILE, "tool": HOSTILE, "effects": [HOSTILE]});
    for key in ["live", "over"] {
        let (hold, _) = open(&scene, key, &format!("{HOSTILE}{key}"), &hostile).await;
        let pass = approve_for_a_time(&mut ben, &hold, HOSTILE).await;
        if key == "over" {
            let taken = ben.post(&format!("{PASSES}/{pass}/revoke"), &[("reason", HOSTILE)]).await;
            assert_eq!(taken.status, 303, "{}", taken.body);
        }
    }
    let shown = ben.get(PASSES).await;
    assert!(shown.body.matches("&#60;script&#62;alert(1)").count() > 8, "{}", shown.body);
    for end in [false, true] {
        let fields = [("group-1", "approvers"), ("subject", HOSTILE), ("for", "8h"), ("reason", HOSTILE)];
        assert_eq!(ben.post(DELEGATIONS, &fields).await.status, 303);
        if end {
            let shown = ben.get(DELEGATIONS).await;
            let action =
                shown.body.split("action=\"").find(|rest| rest.starts_with("/access/delegations/")).unwrap();
            let action = action.split('"').next().unwrap().to_owned();
            assert_eq!(ben.post(&action, &[("reason", HOSTILE)]).await.status, 303);
        }
    }
    let shown = ben.get(DELEGATIONS).await;
    assert!(shown.body.matches("&#60;script&#62;alert(1)").count() > 5, "{}", shown.body);
}
