//! The calls on policy, access, reviews and notices.

use schemars::SchemaGenerator;

use super::Caller::{Anyone, Person};
use super::{Call, Kind, call};
use crate::http::{Acceptance, Begin, Taking, Trial, Verdict, Wanted};

/// How proposals, items of reviews, and notices stand.
const PROPOSALS: [&str; 6] = ["all", "open", "accepted", "rejected", "withdrawn", "stale"];
const ITEMS: [&str; 5] = ["all", "open", "certified", "revoked", "reduced"];
const NOTICES: [&str; 4] = ["all", "waiting", "delivered", "dead"];

/// All of them.
pub fn calls(schemas: &mut SchemaGenerator) -> Vec<Call> {
    let mut calls = of_policy(schemas);
    calls.extend(of_reviews(schemas));
    calls.extend(of_notices());
    calls
}

fn of_policy(schemas: &mut SchemaGenerator) -> Vec<Call> {
    let step = |path, summary| call("post", path, Person, summary).refuses(&[409]);
    vec![
        call("get", "/v1/policy", Person, "The policy in force, and the documents that it comes from."),
        call("get", "/v1/policy/effective", Person, "The policy in force as one, with all defaults."),
        call("get", "/v1/policy/versions", Person, "Policies of the store, the latest first.")
            .number("limit", "How many; at most 1000."),
        call("post", "/v1/policy/trial", Person, "What would come of a request, step by step.")
            .takes::<Trial>(schemas)
            .refuses(&[422]),
        call(
            "get",
            "/v1/policy/proposals",
            Person,
            "Changes of policy that were proposed, the newest first.",
        )
        .word("state", &PROPOSALS, "Only those that stand so.")
        .number("limit", "How many; at most 1000."),
        call("post", "/v1/policy/proposals", Person, "Propose a change of policy.")
            .takes::<Wanted>(schemas)
            .refuses(&[409, 422])
            .gives(&[(201, Kind::Json)]),
        call("get", "/v1/policy/proposals/{id}", Person, "A proposal, with what it changes."),
        step("/v1/policy/proposals/{id}/accept", "Make a proposal the policy.")
            .takes::<Acceptance>(schemas)
            .refuses(&[422]),
        step("/v1/policy/proposals/{id}/reject", "Refuse a proposal.").takes::<Taking>(schemas),
        step("/v1/policy/proposals/{id}/withdraw", "Take one's own proposal back.").takes::<Taking>(schemas),
    ]
}

fn of_reviews(schemas: &mut SchemaGenerator) -> Vec<Call> {
    vec![
        call("get", "/v1/access/withheld", Person, "What reviews have taken back of what bindings give."),
        call("post", "/v1/access/withheld/{id}/lift", Person, "Give back what a review has taken.")
            .takes::<Taking>(schemas),
        call("get", "/v1/reviews", Person, "Access reviews that you may see, the newest first.")
            .number("limit", "How many; at most 1000."),
        call("post", "/v1/reviews", Person, "Begin a review of the policy now.")
            .takes::<Begin>(schemas)
            .refuses(&[404, 409])
            .gives(&[(201, Kind::Json)]),
        call("get", "/v1/reviews/{id}", Person, "A review, and how far it is."),
        call("get", "/v1/reviews/{id}/items", Person, "Who has what, and what of it they used.")
            .word("state", &ITEMS, "Only those that stand so.")
            .number("after", "The number of the last item of the page before.")
            .number("limit", "How many; at most 1000."),
        call("post", "/v1/reviews/{id}/decisions", Person, "Certify, revoke or reduce items: all or none.")
            .takes::<Verdict>(schemas)
            .refuses(&[409]),
        call(
            "post",
            "/v1/reviews/{id}/close",
            Person,
            "End a review: what nobody has decided is taken back.",
        )
        .takes::<Taking>(schemas)
        .refuses(&[409]),
        call("get", "/v1/reviews/{id}/evidence", Person, "The evidence of a review: signed, or as a table.")
            .word("format", &["json", "csv"], "A signed report, or a table.")
            .gives(&[(200, Kind::Lines)]),
    ]
}

fn of_notices() -> Vec<Call> {
    vec![
        call("get", "/v1/notices", Person, "Channels, and what was told over them.")
            .word("state", &NOTICES, "Only those that stand so.")
            .number("limit", "How many; at most 1000."),
        call("get", "/v1/notices/{id}", Person, "A notice."),
        call("post", "/v1/notices/{id}/retry", Person, "Send a dead notice again.").refuses(&[409]),
        call("post", "/v1/notices/{id}/test", Person, "Send a test over the channel of this name.")
            .gives(&[(202, Kind::Json)]),
        call("post", "/v1/notices/{id}/slack", Anyone, "Where Slack tells of a button; signed by Slack.")
            .refuses(&[401, 503])
            .gives(&[(200, Kind::Empty)]),
    ]
}
