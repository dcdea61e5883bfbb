//! Events of people who sign in and out.

use serde_json::{Map, Value, json};

use super::{FAILURE, INFORMATIONAL, LOW, OTHER, SUCCESS, actor, base, user};
use crate::records::{SignInChange, SignInEvent};

/// Authentication: Logon, Logoff.
pub fn event(signed: &SignInEvent) -> Map<String, Value> {
    let (activity, severity, status) = match signed.change {
        SignInChange::SignedIn => (1, INFORMATIONAL, SUCCESS),
        SignInChange::SignedOut => (2, INFORMATIONAL, SUCCESS),
        SignInChange::Refused => (1, LOW, FAILURE),
        SignInChange::DeviceLetIn => (OTHER, LOW, SUCCESS),
        SignInChange::DeviceRefused => (OTHER, LOW, FAILURE),
    };
    let mut event = base(3002, activity, signed.at_ms, severity, status);
    if activity == OTHER {
        event.insert("activity_name".into(), signed.change.words().into());
    }
    let whoever = json!({"name": "(not verified)", "type_id": 0});
    event.insert("user".into(), signed.who.as_ref().map_or(whoever, user));
    event.insert("actor".into(), actor(signed.who.as_ref(), signed.visit.as_deref()));
    event.insert("auth_protocol".into(), if signed.by == "dev" { "None" } else { "OpenID Connect" }.into());
    event.insert("is_remote".into(), true.into());
    event.insert("service".into(), json!({"name": "Sluice"}));
    if let Some(address) = &signed.address {
        event.insert("src_endpoint".into(), json!({"ip": address}));
    }
    if let Some(visit) = &signed.visit {
        event.insert(
            "session".into(),
            json!({"uid": visit, "issuer": signed.by, "expiration_time": signed.ends_ms}),
        );
    }
    if let Some(why) = &signed.why {
        event.insert("status_detail".into(), why.clone().into());
    }
    event.insert(
        "unmapped".into(),
        json!({"by": signed.by, "device": signed.device, "left_out": signed.left_out}),
    );
    event
}
