//! People who call: by a token of an issuer in the policy, or signed in in a browser. What pages are built on stands in
//! [`super::visitor`], who of the machines may call in [`super::sidecars`].

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use sluice_engine::identity::{Principal, covers};
use sluice_engine::record::Who;

use super::introspect::of_person;
use super::visitor::visitor;
use super::{Control, Problem};

/// A person, by a token or signed in in a browser. Where a token is sent it alone counts.
#[derive(Debug, Clone)]
pub struct Person(
    /// Who it is.
    pub Principal,
);

impl FromRequestParts<Arc<Control>> for Person {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, control: &Arc<Control>) -> Result<Self, Problem> {
        let refused = |why: String| Problem::new(StatusCode::UNAUTHORIZED, why);
        if !parts.headers.contains_key(header::AUTHORIZATION)
            && let Some(visitor) = visitor(&parts.method, &parts.headers, control).await?
        {
            let Principal { issuer, subject, .. } = &visitor.person.0;
            control.limits.person(issuer, subject)?;
            return Ok(visitor.person);
        }
        let token = bearer(&parts.headers).ok_or_else(|| {
            refused(
                "send `authorization: Bearer` and a token of an issuer in the policy, or sign in at /signin"
                    .into(),
            )
        })?;
        let person = Self(of_person(control, token).await?.principal);
        // What a person decides here, no agent decides in their name.
        if person.0.actor.is_some() {
            return Err(Problem::forbidden(
                "this token lets somebody act on another's behalf (`act`), which opens nothing here; use a token of your own",
            ));
        }
        control.limits.person(&person.0.issuer, &person.0.subject)?;
        Ok(person)
    }
}

impl Person {
    /// As records name them.
    pub fn who(&self) -> Who {
        let Principal { issuer, subject, groups, .. } = &self.0;
        Who { issuer: issuer.clone(), subject: subject.clone(), groups: groups.clone() }
    }

    /// Refuses a token that was narrowed to scopes without this one.
    pub fn needs(&self, scope: &str) -> Result<(), Problem> {
        match &self.0.scopes {
            Some(scopes) if !scopes.iter().any(|own| covers(own, scope)) => Err(Problem::forbidden(format!(
                "the token is narrowed to other scopes; get one with the scope `{scope}`, or without scopes"
            ))),
            _ => Ok(()),
        }
    }

    /// Whether they are in a group of auditors.
    pub fn is_auditor(&self, control: &Control) -> bool {
        let bundle = control.bundle.borrow();
        bundle.policy.access.auditors.iter().any(|group| self.0.groups.contains(group))
    }

    /// Whether they are in a group of operators.
    pub fn is_operator(&self, control: &Control) -> bool {
        let bundle = control.bundle.borrow();
        bundle.policy.access.operators.iter().any(|group| self.0.groups.contains(group))
    }

    /// Whether they are in a group of authors of policy.
    pub fn is_author(&self, control: &Control) -> bool {
        let bundle = control.bundle.borrow();
        bundle.policy.access.authors.iter().any(|group| self.0.groups.contains(group))
    }

    /// Refuses everyone but auditors and operators.
    pub fn needs_auditor_or_operator(&self, control: &Control) -> Result<(), Problem> {
        if self.is_operator(control) || self.is_auditor(control) {
            return Ok(());
        }
        Err(Problem::forbidden(
            "this is for auditors and operators: the policy names their groups in `access`, and you are in none",
        ))
    }

    /// Refuses everyone but auditors.
    pub fn needs_auditor(&self, control: &Control) -> Result<(), Problem> {
        self.needs("records.read")?;
        if self.is_auditor(control) {
            return Ok(());
        }
        Err(Problem::forbidden(
            "records are for auditors: the policy names their groups in `access.auditors`, and you are in none",
        ))
    }
}

/// The one bearer token; two of them are none.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (one, None) = (all.next()?, all.next()) else { return None };
    let (scheme, token) = one.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}
