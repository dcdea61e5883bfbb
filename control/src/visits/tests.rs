use serde_json::json;
use sluice_engine::policy::bundle::Revocation;

use super::*;

const NOW: u64 = 1_795_000_000_000;

fn sign_ins(public_url: &str, dev: bool) -> SignIns {
    SignIns {
        public_url: public_url.into(),
        secret: None,
        provider: Provider::default(),
        refusals: Refusals::default(),
        dev,
        key: VisitKey::new(&[7; 32]),
    }
}

fn policy(change: serde_json::Value) -> Policy {
    let mut policy = json!({
        "issuers": [{"name": "corp", "issuer": "https://login.test", "audiences": ["web"], "maxLifetime": "8h"}],
        "access": {"signIn": {"issuer": "corp", "clientId": "web", "idle": "30m"}, "auditors": ["a"]},
    });
    for (pointer, value) in change.as_object().unwrap() {
        *policy.pointer_mut(pointer).unwrap() = value.clone();
    }
    serde_json::from_value(policy).unwrap()
}

fn visit(sign_ins: &SignIns) -> Visit {
    Visit {
        principal: Principal {
            issuer: "corp".into(),
            subject: "ana".into(),
            groups: vec!["staff".into()],
            scopes: None,
            actor: None,
            expires_ms: NOW + 8 * 3_600_000,
        },
        basis: sign_ins.basis(&policy(json!({}))).unwrap(),
        made_ms: Some(NOW - 1000),
        token: Some("t1".into()),
        seen_ms: NOW,
    }
}

fn verifier(revocations: &[Revocation]) -> Verifier {
    Verifier::new(&[], &[], revocations).0
}

#[test]
fn a_visit_stands_until_it_idles_or_ends() {
    let sign_ins = sign_ins("https://sluice.test", false);
    let (policy, people) = (policy(json!({})), verifier(&[]));
    let mut visit = visit(&sign_ins);
    let stands = |visit: &Visit, at| visit.over(&sign_ins, &policy, &people, at).is_none();
    assert!(stands(&visit, NOW));
    assert!(stands(&visit, NOW + 1_799_999));
    assert!(!stands(&visit, NOW + 1_800_000), "idle for half an hour");
    visit.seen_ms = NOW + 8 * 3_600_000 - 1;
    assert!(stands(&visit, NOW + 8 * 3_600_000 - 1));
    assert!(!stands(&visit, NOW + 8 * 3_600_000), "however busy");
    let hours = sign_ins.limits(&policy).unwrap().1;
    assert_eq!(hours, Duration::hours(8), "never longer than the issuer's tokens");
}

#[test]
fn another_way_in_ends_the_visits_of_the_old_one_and_other_changes_do_not() {
    let sign_ins = sign_ins("https://sluice.test", false);
    let (visit, people) = (visit(&sign_ins), verifier(&[]));
    for (change, stands) in [
        (json!({"/access/auditors": ["b"]}), true),
        (json!({"/access/signIn": {"issuer": "corp", "clientId": "web", "idle": "31m"}}), false),
        (json!({"/issuers/0/issuer": "https://other.test"}), false),
        (json!({"/issuers/0/audiences": ["web", "more"]}), false),
        (json!({"/issuers/0/name": "crop"}), false),
        (json!({"/access": {}}), false),
    ] {
        let over = visit.over(&sign_ins, &policy(change.clone()), &people, NOW);
        assert_eq!(over.is_none(), stands, "{change}: {over:?}");
    }
    let dev = self::sign_ins("http://127.0.0.1", true);
    assert!(visit.over(&dev, &policy(json!({})), &people, NOW).is_some());
    let mine = Visit { basis: dev.basis(&policy(json!({}))).unwrap(), ..visit };
    assert!(
        mine.over(&sign_ins, &policy(json!({})), &people, NOW).is_some(),
        "a visit of --dev is worth nothing without"
    );
}

#[test]
fn whoever_is_revoked_is_out_and_may_come_in_anew_where_the_revocation_allows_it() {
    let sign_ins = sign_ins("https://sluice.test", false);
    let visit = visit(&sign_ins);
    let subject = |name: &str, before_ms| Revocation::Subject {
        issuer: "corp".into(),
        subject: name.into(),
        before_ms,
    };
    let token = |id: &str| Revocation::Token { issuer: "corp".into(), id: id.into() };
    for (revocation, stands) in [
        (subject("ana", NOW), false),
        (subject("ana", NOW - 2000), true),
        (subject("ben", NOW), true),
        (token("t1"), false),
        (token("t2"), true),
    ] {
        let people = verifier(std::slice::from_ref(&revocation));
        let over = visit.over(&sign_ins, &policy(json!({})), &people, NOW);
        assert_eq!(over.is_none(), stands, "{revocation:?}: {over:?}");
    }
    let timeless = Visit { made_ms: None, ..visit };
    assert!(timeless.over(&sign_ins, &policy(json!({})), &verifier(&[subject("ana", 1)]), NOW).is_some());
}

#[test]
fn an_attempt_goes_on_in_its_own_browser_for_ten_minutes() {
    let key = VisitKey::new(&[7; 32]);
    let begun = Attempt::begin(&key, "/holds?a=1", NOW).unwrap();
    let other = Attempt::begin(&key, "/holds?a=1", NOW).unwrap();
    assert_ne!(begun.state, begun.nonce);
    assert_ne!(begun.state, begun.verifier);
    let resume = |cookie: &str, state: &str, at| Attempt::resume(&key, cookie, state, at);
    let resumed = resume(&begun.cookie, &begun.state, NOW + Attempt::LIFE_MS - 1).unwrap();
    assert_eq!(
        (resumed.place, resumed.nonce, resumed.verifier),
        (begun.place.clone(), begun.nonce.clone(), begun.verifier.clone())
    );
    assert!(resume(&begun.cookie, &begun.state, NOW + Attempt::LIFE_MS).is_none(), "too late");
    assert!(resume(&begun.cookie, &other.state, NOW).is_none(), "somebody else's state");
    assert!(resume(&begun.cookie, "", NOW).is_none());
    assert!(resume("", &begun.state, NOW).is_none());
    assert!(Attempt::resume(&VisitKey::new(&[8; 32]), &begun.cookie, &begun.state, NOW).is_none());
    // Neither the time nor the place can be altered.
    let [random, _, place] = begun.cookie.split('.').collect::<Vec<_>>()[..] else { panic!() };
    for altered in [
        format!("{random}.{}.{place}", NOW + 1),
        format!("{random}.{NOW}.{}", URL_SAFE_NO_PAD.encode("/elsewhere")),
        format!("{random}.{NOW}.{place}."),
        format!("{random}.{NOW}"),
    ] {
        assert!(resume(&altered, &begun.state, NOW).is_none(), "{altered}");
    }
}

#[test]
fn one_goes_on_only_to_a_path_of_our_own() {
    for own in ["/", "/holds", "/holds/1?a=b&c=%2F%2Fevil", "/a//b", "/?to=//evil.test", "/sessions"] {
        assert_eq!(own_place(own), own);
    }
    let long = format!("/{}", "a".repeat(1000));
    for other in [
        "",
        "//evil.test",
        "///evil.test",
        "/\\evil.test",
        "/a\\b",
        "\\\\evil.test",
        "https://evil.test",
        "evil.test",
        "javascript:alert(1)",
        "/\t/evil.test",
        "/\n/evil.test",
        "/a b",
        " /a",
        "/\u{e9}",
        "/signin",
        "/signin?to=/",
        "/signin/callback",
        "/signout",
        &long,
    ] {
        assert_eq!(own_place(other), "/", "{other:?}");
    }
}

#[test]
fn a_form_belongs_to_one_visit() {
    let key = VisitKey::new(&[7; 32]);
    let (one, two) = (VisitId::make().unwrap(), VisitId::make().unwrap());
    assert!(key.is_csrf(&one, &key.csrf(&one)));
    assert!(!key.is_csrf(&one, &key.csrf(&two)));
    assert!(!key.is_csrf(&one, ""));
    assert!(!VisitKey::new(&[8; 32]).is_csrf(&one, &key.csrf(&one)));
    assert_ne!(one.digest(), two.digest());
    assert!(!one.digest().contains(one.secret()));
    assert_eq!(VisitId::read(one.secret()).unwrap().digest(), one.digest());
    for text in ["", "short", &"a".repeat(44), &"=".repeat(43), &"%".repeat(43)] {
        assert!(VisitId::read(text).is_none(), "{text}");
    }
}

#[test]
fn cookies_are_bound_to_the_host_where_browsers_talk_https() {
    let secure = sign_ins("https://sluice.test/pages", false);
    assert_eq!((secure.cookie(), secure.origin()), ("__Host-sluice", "https://sluice.test"));
    let plain = sign_ins("http://127.0.0.1:9901", false);
    assert_eq!((plain.cookie(), plain.origin()), ("sluice", "http://127.0.0.1:9901"));
}
