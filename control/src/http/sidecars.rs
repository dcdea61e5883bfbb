//! Who of the machines may call: sidecars.

use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use sluice_engine::policy::glob::Glob;
use subtle::ConstantTimeEq as _;

use super::auth::bearer;
use super::{Control, Problem};
use crate::tls::Peer;

/// A sidecar: by its certificate, or a token of the issuer, that the policy names (`access.sidecars`); where it names none, by the
/// data-plane token. Under `--dev` by nothing, as long as no page in a browser sends it.
pub struct DataPlane;

impl FromRequestParts<Arc<Control>> for DataPlane {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, control: &Arc<Control>) -> Result<Self, Problem> {
        let peer = parts.extensions.get::<ConnectInfo<Peer>>();
        Self::check(&parts.headers, peer.map(|peer| &peer.0), control)
    }
}

impl DataPlane {
    /// Whether the caller is a sidecar; `peer`: what its certificate says.
    ///
    /// # Errors
    /// Why not.
    pub fn check(headers: &HeaderMap, peer: Option<&Peer>, control: &Control) -> Result<Self, Problem> {
        if control.sign_ins.dev && !comes_from_browser(headers) {
            return Ok(Self);
        }
        let names = peer.map(|peer| &*peer.names).unwrap_or_default();
        let given = bearer(headers).unwrap_or_default();
        let bundle = control.bundle.borrow();
        let Some(sidecars) = &bundle.policy.access.sidecars else {
            return match bool::from(given.as_bytes().ct_eq(control.data_token.as_bytes())) {
                true => Ok(Self),
                false => Err(refused(
                    "this is for sidecars: send `authorization: Bearer` and the data-plane token (`sluice keys show` says \
                     where it is)",
                )),
            };
        };
        if names.iter().any(|name| fits(&sidecars.certificates, name)) {
            return Ok(Self);
        }
        if sidecars.issuer.is_none() {
            return Err(refused(
                "this is for sidecars: call by TLS with a client certificate that `access.sidecars.certificates` in the \
                 policy names, of the authority that control was started with (--client-ca)",
            ));
        }
        match bundle.people.verify(given, (control.clock)()) {
            Ok(caller)
                if Some(&caller.issuer) == sidecars.issuer.as_ref()
                    && fits(&sidecars.subjects, &caller.subject) =>
            {
                Ok(Self)
            }
            Ok(_) => Err(refused(
                "the token's issuer and subject are not a sidecar's: see `access.sidecars` in the policy",
            )),
            Err(why) => Err(refused(&format!(
                "this is for sidecars, as `access.sidecars` in the policy names them: {why}"
            ))),
        }
    }
}

fn refused(why: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, why)
}

/// Whether one of the globs fits a name. They were checked when the policy was read.
fn fits(globs: &[String], name: &str) -> bool {
    globs.iter().filter_map(|glob| Glob::new(glob).ok()).any(|glob| glob.matches(name))
}

/// Whether a page in a browser sent it: filters send neither.
fn comes_from_browser(headers: &HeaderMap) -> bool {
    headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site")
}
