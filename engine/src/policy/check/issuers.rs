//! Issuers: whom we believe.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::Found;
use crate::policy::document::{ClaimPaths, Duration, Introspection, Issuer, KeySource, Policy, Saml};

/// A token that lives longer than this is a password.
const MAX_LIFETIME: Duration = Duration::hours(24 * 30);

pub(super) fn check(policy: &Policy, found: &mut Found) {
    if policy.issuers.is_empty() {
        found.add("issuers", "there is no issuer, so nobody could get in; name at least one");
    }
    found.names("issuers", policy.issuers.iter().map(|issuer| &issuer.name));
    let mut of_control =
        policy.issuers.iter().enumerate().filter(|(_, i)| i.keys == KeySource::Control).skip(1);
    if let Some((n, _)) = of_control.next() {
        found.add(
            format!("issuers[{n}].keys"),
            "control has one issuer; another entry already has `keys: control`",
        );
    }
    let asked = policy.issuers.iter().enumerate().filter(|(_, issuer)| issuer.introspection.is_some());
    for (n, _) in asked.skip(1) {
        let why = "another issuer has `introspection` already: an opaque token would be shown to both";
        found.add(format!("issuers[{n}].introspection"), why);
    }
    for (n, issuer) in policy.issuers.iter().enumerate() {
        check_one(&format!("issuers[{n}]"), issuer, found);
        let earlier = policy.issuers.iter().take(n).filter(|other| other.issuer == issuer.issuer);
        for other in earlier {
            if let Some(shared) = issuer.audiences.iter().find(|audience| other.audiences.contains(audience))
            {
                let why = format!(
                    "issuer `{}` has the same `issuer` and audience `{shared}`: a token would fit both; keep the audience in one",
                    other.name
                );
                found.add(format!("issuers[{n}].audiences"), why);
            }
        }
    }
}

fn check_one(place: &str, issuer: &Issuer, found: &mut Found) {
    if issuer.issuer.is_empty() {
        found.add(format!("{place}.issuer"), "it is empty; write the exact `iss` of the tokens");
    }
    let url = match &issuer.keys {
        KeySource::Discovery => Some(("issuer", &issuer.issuer)),
        KeySource::JwksUri(url) => Some(("keys.jwksUri", url)),
        KeySource::Jwks(_) | KeySource::Control | KeySource::None => None,
    };
    if let Some((field, url)) = url.filter(|(_, url)| !url.is_empty() && !is_http(url)) {
        let why =
            format!("keys are fetched from here, so it must be an https (or http) URL; `{url}` is none");
        found.add(format!("{place}.{field}"), why);
    }
    if let KeySource::Jwks(set) = &issuer.keys
        && set.get("keys").and_then(|keys| keys.as_array()).is_none_or(Vec::is_empty)
    {
        found.add(
            format!("{place}.keys.jwks"),
            "it is not a JWK Set: an object with a list `keys` that is not empty",
        );
    }
    if issuer.audiences.is_empty() {
        let why = "it is empty, so that no token would be accepted; name the audience that tokens for this gateway carry";
        found.add(format!("{place}.audiences"), why);
    }
    if issuer.audiences.iter().any(String::is_empty) {
        found.add(format!("{place}.audiences"), "an audience is empty");
    }
    if issuer.max_lifetime.as_seconds() == 0 {
        found.add(format!("{place}.maxLifetime"), "zero would refuse every token");
    } else if issuer.max_lifetime > MAX_LIFETIME {
        let why = format!("{} is too long: at most {MAX_LIFETIME}", issuer.max_lifetime);
        found.add(format!("{place}.maxLifetime"), why);
    }
    if let Some(introspection) = &issuer.introspection {
        check_introspection(&format!("{place}.introspection"), issuer, introspection, found);
    }
    if let Some(saml) = &issuer.saml {
        check_saml(&format!("{place}.saml"), issuer, saml, found);
    }
    if issuer.keys == KeySource::None && issuer.introspection.is_none() && issuer.saml.is_none() {
        let why = "without keys none of its tokens could be taken; say how it vouches otherwise (`introspection` or `saml`), or where its keys are";
        found.add(format!("{place}.keys"), why);
    }
    if let Some(refresh) = issuer.refresh {
        let why = if issuer.keys == KeySource::Control {
            Some(
                "a token of control's own is not refreshed; say it at the issuer where people sign in"
                    .to_owned(),
            )
        } else if refresh.as_seconds() == 0 {
            Some("zero would end a sign-in at once; leave it out for none".to_owned())
        } else {
            (refresh > MAX_LIFETIME).then(|| format!("{refresh} is too long: at most {MAX_LIFETIME}"))
        };
        if let Some(why) = why {
            found.add(format!("{place}.refresh"), why);
        }
    }
    if issuer.keys == KeySource::Control && issuer.claims != ClaimPaths::default() {
        let why =
            "control writes its own tokens, always with `sub`, `groups` and `scope`; leave `claims` out";
        found.add(format!("{place}.claims"), why);
    }
    for (field, path) in [
        ("subject", &issuer.claims.subject),
        ("groups", &issuer.claims.groups),
        ("scopes", &issuer.claims.scopes),
    ] {
        if path.is_empty() {
            found.add(format!("{place}.claims.{field}"), "it is empty; leave it out for the default");
        }
    }
}

/// An answer that is gone by for longer is a password, too.
const LONGEST: Duration = Duration::seconds(300);

fn check_introspection(place: &str, issuer: &Issuer, introspection: &Introspection, found: &mut Found) {
    if issuer.keys == KeySource::Control {
        found.add(place, "control has no opaque tokens; leave it out");
    }
    if !is_http(&introspection.url) {
        let why = format!(
            "control asks here, so it must be an https (or http) URL; `{}` is none",
            introspection.url
        );
        found.add(format!("{place}.url"), why);
    }
    if introspection.client_id.is_empty() {
        found.add(
            format!("{place}.clientId"),
            "it is empty; write the name of the client that control is there",
        );
    }
    if introspection.longest.as_seconds() == 0 || introspection.longest > LONGEST {
        found.add(format!("{place}.longest"), format!("more than nothing and at most {LONGEST}, please"));
    }
    let name = &issuer.name;
    if name.starts_with('.') || name.contains(['/', '\0']) {
        found.add(place, "the file of its secret is named after the issuer, and this name can be none");
    }
}

/// Certificates of one issuer: each costs a look at a signature that is none of theirs.
const MOST_CERTIFICATES: usize = 4;

fn check_saml(place: &str, issuer: &Issuer, saml: &Saml, found: &mut Found) {
    if issuer.keys == KeySource::Control {
        found.add(place, "control gives no assertions; leave it out");
    }
    if !(1..=MOST_CERTIFICATES).contains(&saml.certificates.len()) {
        let why = format!("one to {MOST_CERTIFICATES}, please: by them its assertions are believed");
        found.add(format!("{place}.certificates"), why);
    }
    for (n, certificate) in saml.certificates.iter().enumerate() {
        let place = format!("{place}.certificates[{n}]");
        if certificate.contains("PRIVATE KEY") {
            found.add(
                place,
                "it holds a private key: only the certificate belongs here; take the key to be known",
            );
        } else if !is_certificate(certificate) {
            let why = "it is not one certificate as PEM: `-----BEGIN CERTIFICATE-----`, lines of base64, `-----END CERTIFICATE-----`";
            found.add(place, why);
        }
    }
}

/// One PEM block (RFC 7468) that holds one DER SEQUENCE and nothing else. What is in it, the program that uses it sees.
fn is_certificate(pem: &str) -> bool {
    let body = pem.trim().strip_prefix("-----BEGIN CERTIFICATE-----");
    let Some(body) = body.and_then(|rest| rest.strip_suffix("-----END CERTIFICATE-----")) else {
        return false;
    };
    let body: String = body.split_ascii_whitespace().collect();
    // ITU-T X.690, section 8.1.3: certificates are longer than 255 bytes and shorter than 64 kB.
    BASE64.decode(body).is_ok_and(|der| match der.as_slice() {
        [0x30, 0x82, high, low, rest @ ..] => rest.len() == usize::from(u16::from_be_bytes([*high, *low])),
        _ => false,
    })
}

pub(super) fn is_http(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        !rest.is_empty()
            && !rest.starts_with(['/', ':', '?', '#'])
            && rest.bytes().all(|b| b.is_ascii_graphic())
    })
}
