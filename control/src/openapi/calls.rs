//! The table of calls, in the order of their paths. Every route that is no page stands here.

use schemars::SchemaGenerator;
use serde_json::{Value, json};
use sluice_engine::wire;

use super::Caller::{Anyone, Person, Sidecar};
use super::{Call, Kind, call};
use crate::http::{Allowing, Handing, Other, Ruling, Said, Shut, Taking, VerifyAsk, Wish};

/// How grants and holds stand.
const HOLDS: [&str; 5] = ["all", "waiting", "approved", "denied", "expired"];
const GRANTS: [&str; 7] = ["all", "waiting", "live", "denied", "expired", "revoked", "ended"];

/// A message between sidecar and control: its form is `sluice_engine::wire`'s, and changes with it.
fn message() -> Value {
    json!({"type": "object"})
}

/// All of them.
pub fn calls(schemas: &mut SchemaGenerator) -> Vec<Call> {
    let mut calls = of_anyone();
    calls.extend(of_sidecars());
    calls.extend(of_records(schemas));
    calls.extend(of_holds_and_grants(schemas));
    calls.extend(of_approvals(schemas));
    calls.extend(of_tokens(schemas));
    calls.extend(super::governance::calls(schemas));
    calls
}

fn of_anyone() -> Vec<Call> {
    let form = json!({
        "type": "object", "required": ["grant_type"],
        "properties": {
            "grant_type": {"type": "string", "enum": [
                "urn:ietf:params:oauth:grant-type:jwt-bearer", "urn:ietf:params:oauth:grant-type:saml2-bearer",
                "urn:ietf:params:oauth:grant-type:token-exchange",
            ]},
            "assertion": {"type": "string"}, "subject_token": {"type": "string"},
            "subject_token_type": {"type": "string"}, "scope": {"type": "string"},
        },
    });
    vec![
        call("get", "/livez", Anyone, "Whether the service runs.").gives(&[(200, Kind::Text)]),
        call("get", "/readyz", Anyone, "Whether bundles can be served and records written, and why not.")
            .gives(&[(200, Kind::Json), (503, Kind::Json)]),
        call("get", "/.well-known/openid-configuration", Anyone, "Control's own issuer."),
        call("get", "/.well-known/jwks.json", Anyone, "The public keys of control's own issuer."),
        call("get", "/.well-known/oauth-authorization-server", Anyone, "Where tokens are given (RFC 8414).")
            .text("base", "For a gateway: the URL by which its clients reach it."),
        Call {
            refusals: vec![400, 401, 403, 503],
            ..call(
                "post",
                "/v1/oauth/token",
                Anyone,
                "A token for a token or a SAML assertion (RFC 7522, 7523, 8693).",
            )
        }
        .body("application/x-www-form-urlencoded", form),
        call("get", "/v1/signin", Anyone, "How people sign in here, for the command line.").refuses(&[404]),
        call(
            "get",
            "/v1/whoami",
            Person,
            "Who you are to the service, and what the policy lets you see of it.",
        ),
    ]
}

fn of_sidecars() -> Vec<Call> {
    let json = "application/json";
    vec![
        call("get", wire::BUNDLE, Sidecar, "The bundle, once it is another than the caller's.")
            .text("after", "The version that the caller has.")
            .number("issued", "When the caller's was signed, in Unix milliseconds.")
            .number("wait", "How long to wait for another, in seconds; at most 60.")
            .text("trouble", "What went wrong last between the sidecar and control.")
            .number("troubled", "When that was, in Unix milliseconds.")
            .number("queued", "Records that wait in the sidecar.")
            .gives(&[(200, Kind::Json), (304, Kind::Empty)]),
        call("post", wire::EXCHANGES, Sidecar, "Write the beginning of an exchange, or open a hold.")
            .body(json, message()),
        call("post", wire::RECORDS, Sidecar, "Write a batch of records.").body(json, message()),
        call("post", "/v1/holds/{id}/wait", Sidecar, "Wait for a decision.")
            .number("seconds", "How long; at most 60."),
        call("post", "/v1/holds/{id}/use", Sidecar, "Use an approval up.")
            .text("exchange", "The exchange that goes on."),
        call("post", wire::BUDGETS, Sidecar, "Tell what was used of budgets, and hear what others used.")
            .body(json, message()),
        call("post", wire::INTROSPECT, Sidecar, "Whose an opaque token is (RFC 7662).").body(json, message()),
        call("post", wire::REFRESH, Sidecar, "Have an issuer's keys fetched.")
            .body(json, message())
            .gives(&[(202, Kind::Empty)]),
    ]
}

fn of_records(schemas: &mut SchemaGenerator) -> Vec<Call> {
    vec![
        call("get", wire::BUDGETS, Person, "Who used what of which budget."),
        call("get", "/v1/access", Person, "What identities may do, beside what they did.")
            .text("issuer", "Only of this issuer.")
            .text("subject", "Only this one.")
            .text("search", "Only those with this in their name.")
            .text("group", "Only members.")
            .text("role", "Only who has it.")
            .text("afterIssuer", "Where the page before ended.")
            .text("afterSubject", "Where the page before ended.")
            .number("limit", "How many; at most 1000."),
        call("get", "/v1/sessions", Person, "Sessions in the record, the latest first.")
            .text("subject", "Only this caller's.")
            .text("person", "Only callers with this in their name.")
            .text("group", "Only members.")
            .text("model", "Only where it was asked.")
            .text("tool", "Only where it was called.")
            .text("rule", "Only where it decided.")
            .text("finding", "Only where this kind was found.")
            .word("verdict", &["denied", "held", "allowed"], "Only where something was decided so.")
            .text("text", "Only where these were said: words, phrases between quotes, `begin*`.")
            .text("since", "A day (`2026-11-22`), or Unix milliseconds.")
            .text("until", "A day, its end, or Unix milliseconds.")
            .text("before", "What `next` said on the page before.")
            .number("limit", "How many; at most 1000."),
        call("get", "/v1/exchanges/{id}", Person, "An exchange, with its texts."),
        call(
            "get",
            "/v1/usage",
            Person,
            "Requests, tokens, cost, verdicts and findings by day, group and model.",
        )
        .number("days", "How many days; at most 366."),
        call("get", "/v1/sidecars", Person, "The sidecars that ask for their bundle."),
        call("get", "/v1/sessions/{id}", Person, "A session's entries and their texts.")
            .gives(&[(200, Kind::Lines)]),
        call("get", "/v1/sessions/{id}/chain", Person, "Whether a session is what was written."),
        call(
            "post",
            "/v1/sessions/{id}/comparison",
            Person,
            "What was decided in a session, beside what another policy decides.",
        )
        .takes::<Other>(schemas)
        .refuses(&[409, 422]),
        call("get", wire::RECORDS, Person, "The log, from a cursor on.")
            .number("after", "The last cursor of an export before.")
            .number("limit", "At most so many entries.")
            .word("blocks", &["true", "false"], "With the texts that entries name; for ndjson.")
            .word("format", &["ndjson", "ocsf", "csv"], "The log itself, events of OCSF 1.3, or a table.")
            .gives(&[(200, Kind::Lines)]),
        call("post", "/v1/records/verify", Person, "Whether the log is what was written.")
            .takes::<VerifyAsk>(schemas),
    ]
}

fn of_holds_and_grants(schemas: &mut SchemaGenerator) -> Vec<Call> {
    vec![
        call("get", wire::HOLDS, Person, "Holds that you may see, the newest first.")
            .word("state", &HOLDS, "Only those that stand so.")
            .number("limit", "How many; at most 1000."),
        call("get", "/v1/holds/{id}", Person, "A hold."),
        call("get", "/v1/holds/{id}/conversation", Person, "What was said before a hold, masked."),
        call("post", "/v1/holds/{id}/decision", Person, "Decide a hold.")
            .takes::<Ruling>(schemas)
            .refuses(&[409]),
        call("get", "/v1/grants/offered", Person, "What you may ask for."),
        call("get", "/v1/grants", Person, "Grants that you may see, the newest first.")
            .word("state", &GRANTS, "Only those that stand so.")
            .number("limit", "How many; at most 1000."),
        call("post", "/v1/grants", Person, "Ask for a grant.")
            .takes::<Wish>(schemas)
            .refuses(&[404, 409])
            .gives(&[(200, Kind::Json), (201, Kind::Json)]),
        call("get", "/v1/grants/{id}", Person, "A grant."),
        call("post", "/v1/grants/{id}/decision", Person, "Decide a wish for a grant.")
            .takes::<Ruling>(schemas)
            .refuses(&[409]),
        call("post", "/v1/grants/{id}/revoke", Person, "Take a grant back.")
            .takes::<Taking>(schemas)
            .refuses(&[409]),
    ]
}

fn of_approvals(schemas: &mut SchemaGenerator) -> Vec<Call> {
    let created = [(201, Kind::Json)];
    vec![
        call("get", "/v1/holds/{id}/comments", Person, "What was said about a hold."),
        call("post", "/v1/holds/{id}/comments", Person, "Say something about a hold.")
            .takes::<Said>(schemas)
            .refuses(&[409])
            .gives(&[(200, Kind::Json), (201, Kind::Json)]),
        call("get", "/v1/delegations", Person, "Rights to decide that were handed over, the newest first.")
            .number("limit", "How many; at most 1000."),
        call("post", "/v1/delegations", Person, "Hand a right to decide over, for a time.")
            .takes::<Handing>(schemas)
            .refuses(&[404, 409])
            .gives(&created),
        call("post", "/v1/delegations/{id}/end", Person, "End a delegation.")
            .takes::<Taking>(schemas)
            .refuses(&[409]),
        call("get", "/v1/passes", Person, "Approvals for a time, the newest first.")
            .number("limit", "How many; at most 1000."),
        call("get", "/v1/passes/{id}", Person, "An approval for a time."),
        call("post", "/v1/passes/{id}/revoke", Person, "End an approval for a time.")
            .takes::<Taking>(schemas)
            .refuses(&[409]),
    ]
}

fn of_tokens(schemas: &mut SchemaGenerator) -> Vec<Call> {
    let form = "application/x-www-form-urlencoded";
    let revoked = json!({
        "type": "object", "required": ["token"],
        "properties": {"token": {"type": "string"}, "token_type_hint": {"type": "string"}},
    });
    let device = json!({
        "type": "object", "properties": {"client_id": {"type": "string"}, "scope": {"type": "string"}},
    });
    vec![
        call("get", "/v1/revocations", Person, "Tokens and subjects that are shut out, the newest first.")
            .number("limit", "How many; at most 1000."),
        call("post", "/v1/revocations", Person, "Shut a token or a subject out.")
            .takes::<Shut>(schemas)
            .gives(&[(201, Kind::Json)]),
        call("post", "/v1/oauth/revoke", Anyone, "Take one's own token back (RFC 7009).")
            .body(form, revoked)
            .refuses(&[503]),
        call("post", "/v1/oauth/device", Anyone, "A code for a device (RFC 8628).")
            .body(form, device)
            .refuses(&[503]),
        call("get", "/v1/devices/{code}", Person, "A device that waits for a person."),
        call("post", "/v1/devices/{code}/decision", Person, "Let a device in, or not.")
            .takes::<Allowing>(schemas)
            .refuses(&[409])
            .gives(&[(204, Kind::Empty)]),
    ]
}
