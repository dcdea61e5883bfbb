//! Who gets into control.

use super::issuers::is_http;
use super::{Found, nearest};
use crate::policy::document::{Duration, Issuer, KeySource, Policy, Sidecars, SignIn};

/// The bounds of how long a browser stays signed in.
const SHORTEST_IDLE: Duration = Duration::seconds(300);
const LONGEST: Duration = Duration::hours(24);

pub(super) fn check(policy: &Policy, found: &mut Found) {
    if let Some(sign_in) = &policy.access.sign_in {
        check_sign_in(policy, sign_in, found);
    }
    if let Some(sidecars) = &policy.access.sidecars {
        check_sidecars(policy, sidecars, found);
    }
}

fn check_sign_in(policy: &Policy, sign_in: &SignIn, found: &mut Found) {
    let issuer = issuer(policy, "access.signIn.issuer", &sign_in.issuer, found);
    if let Some(issuer) = issuer {
        if issuer.keys == KeySource::Control {
            let why = "control's own issuer has no page to sign in at; name an OIDC provider";
            found.add("access.signIn.issuer", why);
        } else if issuer.keys == KeySource::None {
            let why = format!(
                "issuer `{}` has `keys: none`, and an ID token is checked by a key; say where its keys are",
                issuer.name
            );
            found.add("access.signIn.issuer", why);
        } else if !is_http(&issuer.issuer) {
            let why =
                format!("`{}` is no https (or http) URL, so that nobody could sign in there", issuer.issuer);
            found.add("access.signIn.issuer", why);
        }
        let clients = [
            ("clientId", Some(&sign_in.client_id)),
            ("commandLineClientId", sign_in.command_line_client_id.as_ref()),
        ];
        for (field, client) in clients {
            if let Some(client) = client.filter(|client| !issuer.audiences.contains(client)) {
                let why = format!(
                    "ID tokens for client `{client}` carry it as `aud`, and issuer `{}` does not accept that: add it to its `audiences`",
                    issuer.name
                );
                found.add(format!("access.signIn.{field}"), why);
            }
        }
    }
    for (n, scope) in sign_in.scopes.iter().enumerate() {
        if scope.is_empty() || !scope.bytes().all(|b| b.is_ascii_graphic()) {
            found.add(format!("access.signIn.scopes[{n}]"), "a scope is printable ASCII without spaces");
        }
    }
    if !(SHORTEST_IDLE..=LONGEST).contains(&sign_in.idle) {
        found.add("access.signIn.idle", format!("it is {SHORTEST_IDLE} to {LONGEST}"));
    }
    if sign_in.longest.as_seconds() == 0 || sign_in.longest > LONGEST {
        found.add("access.signIn.longest", format!("it is more than nothing and at most {LONGEST}"));
    }
}

fn check_sidecars(policy: &Policy, sidecars: &Sidecars, found: &mut Found) {
    found.globs("access.sidecars.certificates", &sidecars.certificates);
    found.globs("access.sidecars.subjects", &sidecars.subjects);
    if sidecars.certificates.is_empty() && sidecars.issuer.is_none() {
        let why = "no sidecar could call: name `certificates`, or an `issuer` and `subjects`";
        found.add("access.sidecars", why);
    }
    match &sidecars.issuer {
        Some(name) => {
            issuer(policy, "access.sidecars.issuer", name, found);
            if sidecars.subjects.is_empty() {
                let why = "it is empty, so that no token of the issuer is a sidecar's";
                found.add("access.sidecars.subjects", why);
            }
        }
        None if !sidecars.subjects.is_empty() => {
            found.add("access.sidecars.issuer", "say whose tokens `subjects` are about");
        }
        None => {}
    }
}

fn issuer<'p>(policy: &'p Policy, field: &str, name: &str, found: &mut Found) -> Option<&'p Issuer> {
    let issuer = policy.issuers.iter().find(|issuer| issuer.name == name);
    if issuer.is_none() {
        let names: Vec<_> = policy.issuers.iter().map(|issuer| issuer.name.as_str()).collect();
        found.suggest(field, format!("there is no issuer `{name}`"), nearest(name, &names));
    }
    issuer
}
