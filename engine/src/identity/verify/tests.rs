use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_compact::alg::{Ed25519, Es256, ModulusBits, Rsa, RsaPrivateKey};
use jwt_compact::jwk::JsonWebKey;
use jwt_compact::{Algorithm, AlgorithmSignature};
use serde_json::{Value, json};

use super::*;
use sha2::{Digest as _, Sha256};

use crate::identity::{MAX_LINEAGE, MAX_TOKEN, TokenId};
use crate::policy::document::{Duration, KeySource};

const NOW: u64 = 1_800_000_000;
const ISS: &str = "https://login.example.com";

/// One RSA key for all tests: making one takes a second.
fn rsa() -> &'static RsaPrivateKey {
    static KEY: OnceLock<RsaPrivateKey> = OnceLock::new();
    KEY.get_or_init(|| {
        Rsa::generate(&mut rand_core::OsRng, ModulusBits::TwoKibibytes).expect("an RSA key").0.into_inner()
    })
}

fn p256() -> <Es256 as Algorithm>::SigningKey {
    jwt_compact::alg::SigningKey::from_slice(&[7; 32]).expect("a P-256 key")
}

fn ed25519() -> <Ed25519 as Algorithm>::SigningKey {
    ed25519_dalek::SigningKey::from_bytes(&[9; 32])
}

fn jwk(key: JsonWebKey<'_>, more: Value) -> Value {
    let mut jwk = serde_json::to_value(&key).expect("a JWK");
    for (name, value) in more.as_object().expect("an object") {
        jwk[name] = value.clone();
    }
    jwk
}

fn rsa_jwk(more: Value) -> Value {
    jwk((&rsa().to_public_key()).into(), more)
}

fn p256_jwk(more: Value) -> Value {
    jwk(p256().verifying_key().into(), more)
}

fn ed25519_jwk(more: Value) -> Value {
    jwk((&ed25519().verifying_key()).into(), more)
}

fn issuer(name: &str, iss: &str, audiences: &[&str]) -> Issuer {
    Issuer {
        name: name.into(),
        issuer: iss.into(),
        audiences: audiences.iter().map(|a| (*a).into()).collect(),
        keys: KeySource::Discovery,
        claims: ClaimPaths::default(),
        max_lifetime: Duration::hours(24),
        refresh: None,
        introspection: None,
        saml: None,
    }
}

fn verifier(keys: Vec<Value>) -> Verifier {
    revoking(keys, &[])
}

fn revoking(keys: Vec<Value>, revocations: &[Revocation]) -> Verifier {
    let keys = [IssuerKeys { issuer: "corp".into(), keys }];
    Verifier::new(&[issuer("corp", ISS, &["sluice", "gateway"])], &keys, revocations).0
}

/// The usual issuer, with a key of each kind.
fn usual() -> Verifier {
    verifier(vec![
        rsa_jwk(json!({"kid": "r1", "alg": "RS256", "use": "sig"})),
        rsa_jwk(json!({"kid": "r2"})),
        p256_jwk(json!({"kid": "e1", "alg": "ES256"})),
        ed25519_jwk(json!({"kid": "d1"})),
    ])
}

fn claims() -> Value {
    json!({"iss": ISS, "aud": "sluice", "sub": "ann", "groups": ["readers"], "iat": NOW, "exp": NOW + 600})
}

fn with(changes: Value) -> Value {
    let mut claims = claims();
    for (name, value) in changes.as_object().expect("an object") {
        claims[name] = value.clone();
    }
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().expect("an object").remove(name);
    claims
}

fn part(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

fn raw<A: Algorithm>(algorithm: &A, key: &A::SigningKey, header: &str, claims: &str) -> String {
    let signed = format!("{}.{}", part(header), part(claims));
    let signature = algorithm.sign(key, signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_bytes()))
}

/// A token of the Ed25519 key.
fn token(claims: &Value) -> String {
    raw(&Ed25519, &ed25519(), r#"{"alg":"EdDSA","kid":"d1"}"#, &claims.to_string())
}

fn rule(result: Result<Principal, TokenError>) -> &'static str {
    result.as_ref().map_or_else(TokenError::rule, |_| "ok")
}

fn verify(claims: &Value) -> &'static str {
    rule(usual().verify(&token(claims), NOW * 1000))
}

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
            expires_ms: (NOW + 600) * 1000,
        })
    );
}

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
fn a_token_that_lives_too_long_from_its_start_is_refused_at_its_end_too() {
    let day = 24 * 3600;
    let long = |issued: u64| with(json!({"iat": issued, "exp": NOW + 60}));
    let verify =
        |claims: &Value| rule(verifier(vec![ed25519_jwk(json!({}))]).verify(&token(claims), NOW * 1000));
    assert_eq!(verify(&long(NOW - day + 60)), "ok");
    assert_eq!(verify(&long(NOW - 90 * day)), "too_long_lived");
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
