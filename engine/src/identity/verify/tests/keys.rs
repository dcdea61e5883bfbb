//! Which key checks a token.

use super::*;

#[test]
fn every_supported_algorithm_is_verified_and_a_tampered_token_is_not() {
    let text = claims().to_string();
    let header = |alg: &str, kid: &str| format!(r#"{{"alg":"{alg}","kid":"{kid}","typ":"at+jwt"}}"#);
    let keys = |alg: &str| vec![rsa_jwk(json!({"kid": "k", "alg": alg}))];
    let mut cases = vec![
        (usual(), raw(&Es256, &p256(), &header("ES256", "e1"), &text)),
        (usual(), raw(&Ed25519, &ed25519(), &header("EdDSA", "d1"), &text)),
        (usual(), raw(&Ed25519, &ed25519(), &header("Ed25519", "d1"), &text)),
        (usual(), raw(&Rsa::rs256(), rsa(), &header("RS256", "r2"), &text)),
        (usual(), raw(&Rsa::ps256(), rsa(), &header("PS256", "r2"), &text)),
    ];
    for alg in ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"] {
        cases.push((verifier(keys(alg)), raw(&Rsa::with_name(alg), rsa(), &header(alg, "k"), &text)));
    }
    for (verifier, good) in cases {
        assert_eq!(rule(verifier.verify(&good, NOW * 1000)), "ok", "{good}");
        let [head, body, signature] = good.split('.').collect::<Vec<_>>().try_into().expect("three parts");
        let other = part(&with(json!({"sub": "bob"})).to_string());
        let mut bytes = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
        bytes[10] ^= 1;
        let flipped = URL_SAFE_NO_PAD.encode(&bytes);
        let shorter = URL_SAFE_NO_PAD.encode(&bytes[1..]);
        for forged in [
            format!("{head}.{other}.{signature}"),
            format!("{head}.{body}.{flipped}"),
            format!("{head}.{body}.{shorter}"),
            format!("{head}.{body}."),
        ] {
            assert_eq!(rule(verifier.verify(&forged, NOW * 1000)), "signature", "{forged}");
        }
    }
}

#[test]
fn the_algorithm_belongs_to_the_key_and_not_to_the_token() {
    let text = claims().to_string();
    // HS256 with the public key's bytes as the secret: the classic confusion.
    let secret = jwt_compact::alg::Hs256Key::new(rsa_jwk(json!({}))["n"].as_str().expect("n").as_bytes());
    for (forged, expected) in [
        (raw(&jwt_compact::alg::Hs256, &secret, r#"{"alg":"HS256","kid":"r1"}"#, &text), "algorithm"),
        (raw(&jwt_compact::alg::Hs256, &secret, r#"{"alg":"HS256","kid":"new"}"#, &text), "algorithm"),
        (format!("{}.{}.", part(r#"{"alg":"none"}"#), part(&text)), "algorithm"),
        (format!("{}.{}.", part(r#"{"alg":"None","kid":"r1"}"#), part(&text)), "algorithm"),
        (raw(&Es256, &p256(), r#"{"alg":"ES256","kid":"r1"}"#, &text), "algorithm"),
        (raw(&Rsa::rs256(), rsa(), r#"{"alg":"RS256","kid":"e1"}"#, &text), "algorithm"),
        (raw(&Rsa::ps256(), rsa(), r#"{"alg":"PS256","kid":"r1"}"#, &text), "algorithm"),
        (raw(&Rsa::rs512(), rsa(), r#"{"alg":"RS512","kid":"r2"}"#, &text), "algorithm"),
        (raw(&Rsa::rs256(), rsa(), r#"{"alg":"rs256","kid":"r1"}"#, &text), "algorithm"),
    ] {
        assert_eq!(rule(usual().verify(&forged, NOW * 1000)), expected, "{forged}");
    }
}

#[test]
fn the_kid_picks_the_key_and_without_one_all_that_fit_are_tried() {
    let text = claims().to_string();
    let signed = |header: &str| raw(&Ed25519, &ed25519(), header, &text);
    let (by_kid, nameless) = (signed(r#"{"alg":"EdDSA","kid":"d1"}"#), signed(r#"{"alg":"EdDSA"}"#));
    assert_eq!(rule(usual().verify(&nameless, NOW * 1000)), "ok");

    let stranger = signed(r#"{"alg":"EdDSA","kid":"d2"}"#);
    let error = usual().verify(&stranger, NOW * 1000);
    assert_eq!(error, Err(TokenError::UnknownKey { issuer: "corp".into(), kid: "d2".into() }));

    let same_kid = verifier(vec![p256_jwk(json!({"kid": "d1"})), ed25519_jwk(json!({"kid": "d1"}))]);
    assert_eq!(rule(same_kid.verify(&by_kid, NOW * 1000)), "ok", "two keys may share a kid");

    let unnamed = verifier(vec![ed25519_jwk(json!({}))]);
    assert_eq!(rule(unnamed.verify(&by_kid, NOW * 1000)), "ok", "a key without a kid may be any");
    let only_p256 = verifier(vec![p256_jwk(json!({"kid": "e1"}))]);
    assert_eq!(rule(only_p256.verify(&nameless, NOW * 1000)), "algorithm");

    let mut many: Vec<_> = (1..=MAX_TRIES as u8)
        .map(|seed| ed25519_dalek::SigningKey::from_bytes(&[seed; 32]).verifying_key())
        .map(|key| jwk((&key).into(), json!({})))
        .collect();
    many.push(ed25519_jwk(json!({})));
    assert_eq!(rule(verifier(many).verify(&nameless, NOW * 1000)), "signature", "tries are bounded");
}

#[test]
fn a_key_that_cannot_be_used_is_left_out_and_reported() {
    let short = URL_SAFE_NO_PAD.encode([0xff; 128]);
    let leading_zeros = URL_SAFE_NO_PAD.encode([[0; 128], [0xff; 128]].concat());
    for (key, why) in [
        (json!({"kty": "RSA", "n": short, "e": "AQAB"}), "1024 bits is too short"),
        (json!({"kty": "RSA", "n": leading_zeros, "e": "AQAB"}), "1024 bits is too short"),
        (json!({"kty": "RSA", "n": "!", "e": "AQAB"}), "not base64url"),
        (json!({"kty": "RSA", "e": "AQAB"}), "not base64url"),
        (json!({"kty": "oct", "k": "c2VjcmV0"}), "shared secret"),
        (json!({"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA"}), "P-384 is not supported"),
        (json!({"kty": "OKP", "crv": "X25519", "x": "AA"}), "X25519 is not supported"),
        (json!({"kty": "PQ"}), "PQ is not supported"),
        (json!({}), "no `kty`"),
        (json!("key"), "no `kty`"),
        (rsa_jwk(json!({"alg": "RSA-OAEP"})), "RSA-OAEP is not supported"),
        (rsa_jwk(json!({"alg": "ES256"})), "ES256 is not supported"),
        (p256_jwk(json!({"alg": "HS256"})), "HS256 is not supported"),
        (p256_jwk(json!({"use": "other"})), "neither"),
        (p256_jwk(json!({"x": URL_SAFE_NO_PAD.encode([1; 32])})), "do not make a public key"),
    ] {
        let published = vec![key.clone(), ed25519_jwk(json!({"kid": "d1"}))];
        let keys = [IssuerKeys { issuer: "corp".into(), keys: published }];
        let (verifier, problems) = Verifier::new(&[issuer("corp", ISS, &["sluice"])], &keys, &[]);
        assert_eq!(problems.len(), 1, "{key}");
        assert!(problems[0].to_string().contains(why), "{key}: {}", problems[0]);
        assert_eq!(rule(verifier.verify(&token(&claims()), NOW * 1000)), "ok", "the good key still counts");
    }
}

#[test]
fn keys_that_are_for_encryption_or_signing_are_left_out_in_silence() {
    for key in [ed25519_jwk(json!({"use": "enc"})), ed25519_jwk(json!({"key_ops": ["sign"]}))] {
        let keys = [IssuerKeys { issuer: "corp".into(), keys: vec![key.clone()] }];
        let (verifier, problems) = Verifier::new(&[issuer("corp", ISS, &["sluice"])], &keys, &[]);
        assert_eq!(problems.len(), 1, "only that no key is left: {problems:?}");
        assert!(problems[0].why.contains("no key"), "{key}");
        assert_eq!(rule(verifier.verify(&token(&claims()), NOW * 1000)), "unknown_key");
    }
}
