//! What was revoked, and who may speak for whom.

use super::*;

#[test]
fn what_is_revoked_stays_out() {
    let key = || vec![ed25519_jwk(json!({}))];
    let subject = |subject: &str, before_ms| Revocation::Subject {
        issuer: "corp".into(),
        subject: subject.into(),
        before_ms,
    };
    let verify = |revocations: &[Revocation], claims: &Value| {
        rule(revoking(key(), revocations).verify(&token(claims), NOW * 1000))
    };
    let id = |issuer: &str, id: &str| [Revocation::Token { issuer: issuer.into(), id: id.into() }];
    let jti = id("corp", "t1");
    assert_eq!(verify(&jti, &with(json!({"jti": "t1"}))), "revoked");
    assert_eq!(verify(&jti, &with(json!({"jti": "t2"}))), "ok");
    assert_eq!(verify(&jti, &claims()), "ok");
    assert_eq!(verify(&id("other", "t1"), &with(json!({"jti": "t1"}))), "ok", "ids are each issuer's own");
    let nameless = token(&claims());
    let digest = format!("sha256:{:x}", Sha256::digest(nameless.rsplit_once('.').expect("three parts").0));
    assert_eq!(verify(&id("corp", &digest), &claims()), "revoked", "a token without an id has its digest");

    assert_eq!(verify(&[subject("ann", NOW * 1000)], &claims()), "ok", "made at that moment, not before");
    assert_eq!(verify(&[subject("ann", NOW * 1000 + 1)], &claims()), "revoked");
    assert_eq!(verify(&[subject("ann", NOW * 1000 + 1), subject("ann", 5)], &claims()), "revoked");
    assert_eq!(verify(&[subject("ann", 5)], &without("iat")), "revoked", "it may have been made before");
    assert_eq!(verify(&[subject("bob", NOW * 2000)], &claims()), "ok");
    assert_eq!(verify(&[subject(" ANN", NOW * 2000)], &claims()), "revoked", "whatever the case of letters");
}

#[test]
fn what_was_exchanged_for_a_revoked_token_is_revoked_too_and_only_control_may_say_so() {
    let control = Issuer { keys: KeySource::Control, ..issuer("own", "http://sluice.test", &["sluice"]) };
    let issuers = [issuer("corp", ISS, &["sluice"]), control];
    let keys =
        ["corp", "own"].map(|name| IssuerKeys { issuer: name.into(), keys: vec![ed25519_jwk(json!({}))] });
    let read = |revocations: &[Revocation], claims: &Value| {
        Verifier::new(&issuers, &keys, revocations).0.read(&token(claims), NOW * 1000)
    };
    let own = |change: Value| {
        let mut own = with(json!({
            "iss": "http://sluice.test", "via": "corp", "jti": "c2", "since": NOW - 100,
            "from": [["corp", "t1"], ["own", "c1"]],
        }));
        own.as_object_mut().expect("an object").extend(change.as_object().expect("an object").clone());
        own
    };
    let out = |issuer: &str, id: &str| [Revocation::Token { issuer: issuer.into(), id: id.into() }];
    let verified = read(&[], &own(json!({}))).expect("verified");
    assert_eq!(verified.lineage.tokens.len(), 3);
    assert!(verified.is_own && verified.lineage.issued_ms == Some((NOW - 100) * 1000));
    for (issuer, id) in [("corp", "t1"), ("own", "c1"), ("own", "c2")] {
        assert_eq!(read(&out(issuer, id), &own(json!({}))).err(), Some(TokenError::Revoked), "{id}");
    }
    assert!(read(&out("own", "t1"), &own(json!({}))).is_ok());

    let before = |before_s: u64| {
        [Revocation::Subject { issuer: "corp".into(), subject: "ann".into(), before_ms: before_s * 1000 }]
    };
    let late = "a token that was made for one from before is from before";
    assert_eq!(read(&before(NOW - 99), &own(json!({}))).err(), Some(TokenError::Revoked), "{late}");
    assert!(read(&before(NOW - 100), &own(json!({}))).is_ok());

    let many: Vec<_> = (0..=MAX_LINEAGE).map(|n| ["own".to_owned(), n.to_string()]).collect();
    for from in [json!("t1"), json!([["corp"]]), json!([["corp", 1]]), json!(many)] {
        assert_eq!(
            read(&[], &own(json!({"from": from}))).map(|_| ()).map_err(|e| e.rule()),
            Err("malformed")
        );
    }
    // Another issuer's word on such things is nothing.
    let theirs =
        read(&out("own", "c1"), &with(json!({"from": [["own", "c1"]], "since": 1}))).expect("verified");
    assert_eq!((theirs.lineage.tokens.len(), theirs.lineage.issued_ms), (1, Some(NOW * 1000)));
}

#[test]
fn a_token_of_controls_own_issuer_may_speak_for_another_issuers_principal_and_no_other_token_may() {
    let own = Issuer { keys: KeySource::Control, ..issuer("control", ISS, &["sluice"]) };
    let corp = issuer("corp", "https://corp.example", &["sluice"]);
    let keys = ["control", "corp"]
        .map(|issuer| IssuerKeys { issuer: issuer.into(), keys: vec![ed25519_jwk(json!({"kid": "d1"}))] });
    let verifier = Verifier::new(&[own, corp], &keys, &[]).0;
    let issuer_of = |changes: Value| {
        let header = r#"{"alg":"EdDSA","kid":"d1"}"#;
        let token = raw(&Ed25519, &ed25519(), header, &with(changes).to_string());
        verifier.verify(&token, NOW * 1000).map(|principal| principal.issuer)
    };
    assert_eq!(issuer_of(json!({})).as_deref(), Ok("control"));
    assert_eq!(issuer_of(json!({"via": "corp"})).as_deref(), Ok("corp"));
    assert_eq!(
        issuer_of(json!({"via": "gone"})),
        Err(TokenError::Issuer),
        "an issuer that the policy has no more"
    );
    assert_eq!(issuer_of(json!({"via": 1})), Err(TokenError::Issuer));
    let foreign = json!({"iss": "https://corp.example", "via": "control"});
    assert_eq!(
        issuer_of(foreign).as_deref(),
        Ok("corp"),
        "anybody may write the claim; only control is believed"
    );
}

#[test]
fn what_an_issuer_asserted_in_another_form_than_a_token_is_held_to_the_same() {
    let idp = Issuer { keys: KeySource::None, ..issuer("idp", ISS, &["sluice"]) };
    let revoked = Revocation::Token { issuer: "idp".into(), id: "_out".into() };
    let (verifier, problems) = Verifier::new(&[idp], &[], &[revoked]);
    assert_eq!(problems, [], "it needs no key");
    let good = json!({"sub": "ana", "aud": ["sluice"], "exp": NOW + 300, "iat": NOW, "jti": "_a1", "groups": "staff"});
    let asserted = |name: &str, value: Value| {
        let mut claims = good.as_object().unwrap().clone();
        claims.insert(name.to_owned(), value);
        verifier.asserted("idp", &claims, NOW * 1000)
    };
    let verified = asserted("groups", json!("staff")).unwrap();
    assert_eq!((verified.principal.subject.as_str(), verified.is_own), ("ana", false));
    assert_eq!(verified.lineage.tokens, [TokenId("idp".into(), "_a1".into())]);
    assert_eq!(verified.lineage.issued_ms, Some(NOW * 1000));
    for (name, value, rule) in [
        ("aud", json!(["other"]), "audience"),
        ("exp", json!(NOW - 31), "expired"),
        ("exp", json!(NOW + 90_000), "too_long_lived"),
        ("nbf", json!(NOW + 31), "not_yet_valid"),
        ("iat", json!(NOW + 31), "not_yet_valid"),
        ("sub", json!(["ana", "eve"]), "malformed"),
        ("groups", json!(["a", {}]), "malformed"),
        ("jti", json!("_out"), "revoked"),
    ] {
        assert_eq!(asserted(name, value.clone()).unwrap_err().rule(), rule, "{name}: {value}");
    }
    assert_eq!(verifier.asserted("other", good.as_object().unwrap(), NOW * 1000), Err(TokenError::Issuer));
}
