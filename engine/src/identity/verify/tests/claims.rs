//! What a token must say.

use super::*;

#[test]
fn a_token_that_is_bound_to_a_key_is_no_bearer_token() {
    for cnf in [
        json!({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}),
        json!({"x5t#S256": "bwcK0esc3ACC3DB2Y5"}),
        json!(null),
    ] {
        assert_eq!(verify(&with(json!({ "cnf": cnf }))), "bound", "{cnf}");
    }
}

#[test]
fn a_good_token_becomes_its_principal() {
    let claims = with(json!({"scope": "openid messages.create batches.*"}));
    assert_eq!(
        usual().verify(&token(&claims), NOW * 1000),
        Ok(Principal {
            issuer: "corp".into(),
            subject: "ann".into(),
            groups: vec!["readers".into()],
            scopes: Some(vec!["messages.create".into(), "batches.*".into()]),
            actor: None,
            expires_ms: (NOW + 600) * 1000,
        })
    );
}

#[test]
fn the_times_of_a_token_are_checked_with_30_seconds_of_grace() {
    for (changes, expected) in [
        (json!({"exp": NOW - 29}), "ok"),
        (json!({"exp": NOW - 30}), "expired"),
        (json!({"exp": 0}), "expired"),
        (json!({"exp": NOW as f64 + 0.5}), "ok"),
        (json!({"exp": NOW + 86_400 + 30}), "ok"),
        (json!({"exp": NOW + 86_400 + 31}), "too_long_lived"),
        (json!({"exp": 1e11}), "too_long_lived"),
        (json!({"exp": 1e300}), "malformed"),
        (json!({"exp": (NOW + 600).to_string()}), "malformed"),
        (json!({"exp": null}), "malformed"),
        (json!({"exp": -1}), "malformed"),
        (json!({"nbf": NOW + 30}), "ok"),
        (json!({"nbf": NOW + 31}), "not_yet_valid"),
        (json!({"nbf": "soon"}), "malformed"),
        (json!({"iat": NOW + 30}), "ok"),
        (json!({"iat": NOW + 31}), "not_yet_valid"),
        (json!({"iat": []}), "malformed"),
    ] {
        assert_eq!(verify(&with(changes.clone())), expected, "{changes}");
    }
    assert_eq!(verify(&without("exp")), "no_expiry");
    assert_eq!(verify(&without("iat")), "ok");
}

#[test]
fn issuer_and_audience_must_be_the_policys() {
    for (claims, expected) in [
        (with(json!({"iss": "https://evil.example.com"})), "issuer"),
        (with(json!({"iss": format!("{ISS}/")})), "issuer"),
        (with(json!({"iss": [ISS]})), "issuer"),
        (without("iss"), "issuer"),
        (with(json!({"aud": "other"})), "audience"),
        (with(json!({"aud": ["other", "gateway"]})), "ok"),
        (with(json!({"aud": ["other"]})), "audience"),
        (with(json!({"aud": []})), "audience"),
        (with(json!({"aud": "sluice gateway"})), "audience"),
        (with(json!({"aud": {"sluice": true}})), "audience"),
        (without("aud"), "audience"),
    ] {
        assert_eq!(verify(&claims), expected, "{claims}");
    }
}

#[test]
fn issuers_that_share_an_iss_are_told_apart_by_audience_and_keep_their_own_keys() {
    let issuers = [issuer("people", ISS, &["people"]), issuer("jobs", ISS, &["jobs"])];
    let keys = [
        IssuerKeys { issuer: "people".into(), keys: vec![p256_jwk(json!({}))] },
        IssuerKeys { issuer: "jobs".into(), keys: vec![ed25519_jwk(json!({}))] },
    ];
    let (verifier, problems) = Verifier::new(&issuers, &keys, &[]);
    assert_eq!(problems, []);
    let verify = |audience: &str| verifier.verify(&token(&with(json!({"aud": audience}))), NOW * 1000);
    assert_eq!(verify("jobs").map(|p| p.issuer), Ok("jobs".into()));
    assert_eq!(rule(verify("people")), "unknown_key", "the other issuer's key does not count");
    assert_eq!(rule(verify("nobody")), "unknown_key");
}

#[test]
fn a_subject_is_required_and_may_stand_elsewhere() {
    for changes in
        [json!({"sub": ""}), json!({"sub": 7}), json!({"sub": "a\nb"}), json!({"sub": "x".repeat(257)})]
    {
        assert_eq!(verify(&with(changes.clone())), "malformed", "{changes}");
    }
    assert_eq!(verify(&without("sub")), "malformed");

    let mut corp = issuer("corp", ISS, &["sluice"]);
    corp.claims.subject = "identity.mail".into();
    let keys = [IssuerKeys { issuer: "corp".into(), keys: vec![ed25519_jwk(json!({}))] }];
    let (verifier, _) = Verifier::new(&[corp], &keys, &[]);
    let claims = with(json!({"identity": {"mail": "ann@example.com"}}));
    let found = verifier.verify(&token(&claims), NOW * 1000).map(|p| p.subject);
    assert_eq!(found, Ok("ann@example.com".into()));
}

#[test]
fn groups_or_scopes_that_cannot_be_read_refuse_the_token() {
    assert_eq!(verify(&with(json!({"groups": [1]}))), "malformed");
    assert_eq!(verify(&with(json!({"scope": {}}))), "malformed");
}

#[test]
fn what_is_not_exactly_a_signed_token_is_malformed() {
    let good = token(&claims());
    let [head, body, signature] = good.split('.').collect::<Vec<_>>().try_into().expect("three parts");
    let text = claims().to_string();
    let signed = |header: &str, claims: &str| raw(&Ed25519, &ed25519(), header, claims);
    let eddsa = r#"{"alg":"EdDSA","kid":"d1"}"#;
    for bad in [
        String::new(),
        "sk-ant-api03-abc".into(),
        "..".into(),
        format!("{head}.{body}"),
        format!("{good}.{signature}"),
        format!("{head}.{body}.{signature}.."),
        format!("{head}=.{body}.{signature}"),
        format!("{head}.{body}.{signature}="),
        format!("{head}.{body}.***"),
        format!("{}.{body}.{signature}", part("[]")),
        format!("{}.{body}.{signature}", part("{")),
        format!("{}.{body}.{signature}", part("{}")),
        format!("{}.{body}.{signature}", part(r#"{"alg":1}"#)),
        signed(r#"{"alg":"EdDSA","kid":7}"#, &text),
        signed(r#"{"alg":"EdDSA","kid":""}"#, &text),
        signed(r#"{"alg":"EdDSA","kid":"a\nb"}"#, &text),
        signed(&format!(r#"{{"alg":"EdDSA","kid":"{}"}}"#, "k".repeat(257)), &text),
        signed(r#"{"alg":"EdDSA","kid":"d1","crit":["exp"]}"#, &text),
        signed(r#"{"alg":"EdDSA","kid":"d1","b64":false,"crit":["b64"]}"#, &text),
        signed(r#"{"alg":"none","alg":"EdDSA","kid":"d1"}"#, &text),
        signed(eddsa, "7"),
        signed(eddsa, &text.replacen('{', r#"{"sub":"root","#, 1)),
        signed(eddsa, &text.replacen('{', r#"{"x":{"a":1,"\u0061":2},"#, 1)),
        signed(eddsa, &text.replacen('{', &format!(r#"{{"x":{}{},"#, "[".repeat(200), "]".repeat(200)), 1)),
        token(&with(json!({"pad": "x".repeat(MAX_TOKEN)}))),
    ] {
        assert_eq!(rule(usual().verify(&bad, NOW * 1000)), "malformed", "{bad}");
    }
}

#[test]
fn a_token_that_lives_too_long_from_its_start_is_refused_at_its_end_too() {
    let day = 24 * 3600;
    let long = |issued: u64| with(json!({"iat": issued, "exp": NOW + 60}));
    let verify =
        |claims: &Value| rule(verifier(vec![ed25519_jwk(json!({}))]).verify(&token(claims), NOW * 1000));
    assert_eq!(verify(&long(NOW - day + 60)), "ok");
    assert_eq!(verify(&long(NOW - 90 * day)), "too_long_lived");
}

#[test]
fn no_error_carries_the_token() {
    let good = token(&claims());
    for error in [
        TokenError::Malformed("its header has no `alg`"),
        usual().verify(&good.replace('.', "!"), NOW * 1000).expect_err("malformed"),
        usual().verify(&good, 0).expect_err("from the future"),
        usual().verify(&good, NOW * 2000).expect_err("expired"),
    ] {
        for part in good.split('.') {
            assert!(!format!("{error} {error:?}").contains(part), "{error}");
        }
    }
}
