//! What decisions on holds and grants have in common; delegations and passes.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use sluice_engine::identity::same_person;
use sluice_engine::policy::document::Duration;

use super::auth::Person;
use super::{Control, Problem, Query, area, limit, reason};
use crate::approvals::{Bar, DecidedBy, Delegation, Pass, Span};
use crate::keys::random_id;
use crate::reviews::Use;

/// Delegations of one person that may be live at once.
const LIVE: usize = 20;

/// Delegations and passes that are looked through for those that a person may see.
const LOOKED_AT: u32 = 5000;

/// A person's decision as it is sent.
#[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ruling {
    /// Whether it goes on.
    pub approve: bool,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// A hold's approval for a time: the same person goes on under the same rule without asking again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pass: Option<Span>,
    /// With a hold's approval: texts of the request that are masked before it goes on, as they are shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub masked: Vec<String>,
}

/// Why something is taken back, as it is sent.
#[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Taking {
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A right that somebody would hand over, as it is sent.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Handing {
    /// The issuer of who gets it, by its name in the policy. Absent: one's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Who gets it.
    pub subject: String,
    /// The groups as whose member they may decide; all must be one's own.
    pub groups: Vec<String>,
    /// For how long, in seconds.
    pub seconds: u64,
    /// Why.
    pub reason: String,
}

/// Delegations as they are listed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ShownDelegations {
    /// The newest first.
    pub delegations: Vec<Delegation>,
}

/// Passes as they are listed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ShownPasses {
    /// The newest first.
    pub passes: Vec<ShownPass>,
}

/// A pass as it is shown.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ShownPass {
    /// The pass.
    #[serde(flatten)]
    pub pass: Pass,
    /// What went on by it without asking; absent: nothing so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Use>,
}

/// The routes of this area.
pub fn routes() -> Router<Arc<Control>> {
    let people = Router::new()
        .route("/v1/delegations", get(delegations).post(delegate))
        .route("/v1/delegations/{id}/end", post(end))
        .route("/v1/passes", get(passes))
        .route("/v1/passes/{id}", get(pass))
        .route("/v1/passes/{id}/revoke", post(revoke));
    area(Router::new(), people)
}

impl Ruling {
    /// Reads one.
    pub fn read(body: &[u8]) -> Result<Self, Problem> {
        serde_json::from_slice(body)
            .map_err(|e| Problem::unreadable("a decision (`{\"approve\": true, \"reason\": \"...\"}`)", &e))
    }

    /// The time for which it approves. `longest`: what policy offers, in seconds; `None`: nothing.
    pub fn span(&self, longest: Option<u64>) -> Result<Option<Span>, Problem> {
        let Some(span) = self.pass else { return Ok(None) };
        let Some(longest) = longest else {
            return Err(Problem::bad_request(
                "this cannot be approved for a time: the policy offers it for holds alone, by `approval.grantFor` of \
                 their rule; approve it without `pass`",
            ));
        };
        if !self.approve || span.seconds == 0 || span.seconds > longest {
            let longest = Duration::seconds(longest);
            return Err(Problem::bad_request(format!(
                "a pass comes with an approval, and is for at most {longest} and more than nothing"
            )));
        }
        Ok(Some(span))
    }

    /// Nothing can be masked in a wish for a grant.
    pub fn masks_nothing(&self) -> Result<(), Problem> {
        if self.masked.is_empty() {
            return Ok(());
        }
        Err(Problem::bad_request("a grant has no text that could be masked; decide it without `masked`"))
    }
}

impl Taking {
    /// Reads one; no body at all is no reason.
    pub fn read(body: &[u8]) -> Result<Self, Problem> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_slice(body).map_err(|e| Problem::unreadable("a reason", &e))
    }
}

/// Why somebody may not decide, in words for them.
pub fn barred(bar: &Bar) -> Problem {
    match bar {
        Bar::Requester => Problem::forbidden("you asked for this yourself; someone else must decide it"),
        Bar::Team(team) => Problem::forbidden(format!(
            "you are in {team} with the person who asked, and the policy wants somebody of another team to decide this"
        )),
        Bar::Giver(giver) => Problem::forbidden(format!(
            "{giver} handed you the right to decide, but may not decide this: who asks, or is in their team, has no \
             voice through others either"
        )),
        Bar::Spoken => Problem::new(
            StatusCode::CONFLICT,
            "you have approved this already, or somebody has in your place; another person must",
        ),
        Bar::Group(groups) => {
            let groups = groups.join(", ");
            Problem::forbidden(format!("this is for members of {groups} to decide; ask one of them"))
        }
    }
}

/// `POST /v1/delegations`.
pub async fn delegate(
    person: Person,
    State(control): State<Arc<Control>>,
    body: Bytes,
) -> Result<(StatusCode, Json<Delegation>), Problem> {
    person.needs("holds.decide")?;
    let handing: Handing = serde_json::from_slice(&body)
        .map_err(|e| Problem::unreadable("a delegation (`subject`, `groups`, `seconds`, `reason`)", &e))?;
    let (who, now) = (person.who(), (control.clock)());
    if handing.groups.is_empty() {
        return Err(Problem::bad_request("name the `groups` as whose member they may decide"));
    }
    // Only what stands in the token: what was handed to somebody cannot be handed on.
    if let Some(group) = handing.groups.iter().find(|group| !who.groups.contains(group)) {
        return Err(Problem::forbidden(format!(
            "you are not in {group} yourself; only one's own right to decide can be handed over"
        )));
    }
    // A token that is not the newest may say more than its issuer would by now.
    let vouched = control.store.vouched(&who.issuer, &who.subject).await?;
    if let Some(left) =
        vouched.and_then(|said| handing.groups.iter().find(|group| !said.who.groups.contains(group)).cloned())
    {
        return Err(Problem::forbidden(format!(
            "your newest token or sign-in says that you are not in {left} any more; sign in anew if you are"
        )));
    }
    let subject = handing.subject.trim().to_owned();
    if subject.is_empty() || same_person(&subject, &who.subject) {
        return Err(Problem::bad_request("`subject` names another person, as their tokens do"));
    }
    let issuer = handing.issuer.unwrap_or_else(|| who.issuer.clone());
    if !control.bundle.borrow().policy.issuers.iter().any(|own| own.name == issuer) {
        return Err(Problem::bad_request(
            "`issuer` names an issuer of the policy; leave it out for your own",
        ));
    }
    if handing.seconds == 0 || handing.seconds > Delegation::LONGEST {
        let longest = Duration::seconds(Delegation::LONGEST);
        return Err(Problem::bad_request(format!("`seconds` is more than nothing and at most {longest}")));
    }
    let reason = reason(Some(handing.reason), true)?.unwrap_or_default();
    let all = control.store.delegations(LOOKED_AT).await?;
    if all.iter().filter(|given| given.is_from(&who) && given.is_live(now)).count() >= LIVE {
        let detail = format!(
            "{LIVE} delegations of yours are live already; end one (`sluice holds undelegate ID`), or wait for its end"
        );
        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, detail));
    }
    let delegation = Delegation {
        id: random_id(),
        groups: handing.groups,
        from: who,
        issuer,
        subject,
        reason,
        created_ms: now,
        ends_ms: now.saturating_add(handing.seconds.saturating_mul(1000)),
        ended: None,
    };
    control.store.delegate(delegation.clone()).await?;
    tracing::info!(delegation = delegation.id, by = person.0.subject, "a right to decide was handed over");
    Ok((StatusCode::CREATED, Json(delegation)))
}

/// `GET /v1/delegations?limit=100`.
pub async fn delegations(
    person: Person,
    State(control): State<Arc<Control>>,
    query: Query,
) -> Result<Json<ShownDelegations>, Problem> {
    person.needs("holds.read")?;
    let all = control.store.delegations(LOOKED_AT).await?.into_iter();
    let seen = all.filter(|given| has_part(&control, &person, given) || person.is_auditor(&control));
    Ok(Json(ShownDelegations { delegations: seen.take(limit(&query)? as usize).collect() }))
}

/// `POST /v1/delegations/{id}/end`.
pub async fn end(
    person: Person,
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Delegation>, Problem> {
    person.needs("holds.decide")?;
    let taking = Taking::read(&body)?;
    let unknown = || {
        let detail =
            "there is no delegation with this id that you may end; `sluice holds delegations` lists yours";
        Problem::new(StatusCode::NOT_FOUND, detail)
    };
    let given = control.store.delegation(&id).await?.filter(|given| has_part(&control, &person, given));
    given.ok_or_else(unknown)?;
    let by = DecidedBy::new(&person.who(), (control.clock)(), reason(taking.reason, false)?);
    let ended = control.store.end_delegation(&id, by).await?.ok_or_else(unknown)?;
    tracing::info!(delegation = id, by = person.0.subject, "a delegation was ended");
    Ok(Json(ended))
}

/// `GET /v1/passes?limit=100`.
pub async fn passes(
    person: Person,
    State(control): State<Arc<Control>>,
    query: Query,
) -> Result<Json<ShownPasses>, Problem> {
    person.needs("holds.read")?;
    let given = control.store.delegations_to(&person.who(), (control.clock)()).await?;
    let all = control.store.passes(LOOKED_AT).await?.into_iter();
    let seen = all.filter(|pass| sees(&control, &person, pass, &given)).take(limit(&query)? as usize);
    Ok(Json(ShownPasses { passes: with_uses(&control, seen.collect()).await? }))
}

/// `GET /v1/passes/{id}`.
pub async fn pass(
    person: Person,
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
) -> Result<Json<ShownPass>, Problem> {
    person.needs("holds.read")?;
    let given = control.store.delegations_to(&person.who(), (control.clock)()).await?;
    let pass = control.store.pass(&id).await?.filter(|pass| sees(&control, &person, pass, &given));
    let shown = with_uses(&control, pass.into_iter().collect()).await?.pop();
    shown.map(Json).ok_or_else(|| {
        let detail =
            "there is no pass with this id that you may see; `sluice holds passes` lists those that you may";
        Problem::new(StatusCode::NOT_FOUND, detail)
    })
}

async fn with_uses(control: &Control, passes: Vec<Pass>) -> Result<Vec<ShownPass>, Problem> {
    let uses = control.store.pass_uses(&passes).await?;
    let shown = passes.into_iter().map(|pass| ShownPass { used: uses.get(&pass.id).copied(), pass });
    Ok(shown.collect())
}

/// `POST /v1/passes/{id}/revoke`.
pub async fn revoke(
    person: Person,
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Pass>, Problem> {
    person.needs("holds.decide")?;
    let taking = Taking::read(&body)?;
    let unknown = || {
        let detail =
            "there is no pass with this id that you may take back; `sluice holds passes` lists those you may";
        Problem::new(StatusCode::NOT_FOUND, detail)
    };
    let given = control.store.delegations_to(&person.who(), (control.clock)()).await?;
    let pass = control.store.pass(&id).await?.filter(|pass| may_end(&control, &person, pass, &given));
    pass.ok_or_else(unknown)?;
    let by = DecidedBy::new(&person.who(), (control.clock)(), reason(taking.reason, false)?);
    let pass = control.store.revoke_pass(&id, by).await?.ok_or_else(unknown)?;
    tracing::info!(pass = id, by = person.0.subject, "a pass was taken back");
    Ok(Json(pass))
}

/// Whether somebody gave a delegation, may use it, or operates the service: they see it, and may end it.
pub fn has_part(control: &Control, person: &Person, given: &Delegation) -> bool {
    let who = person.who();
    given.is_from(&who) || given.is_to(&who) || person.is_operator(control)
}

fn sees(control: &Control, person: &Person, pass: &Pass, given: &[Delegation]) -> bool {
    may_end(control, person, pass, given) || person.is_auditor(control)
}

/// Whether somebody has a pass, may decide what it approves, or operates the service: they see it, and may take it back.
/// `given`: what was handed to them.
pub fn may_end(control: &Control, person: &Person, pass: &Pass, given: &[Delegation]) -> bool {
    let who = person.who();
    pass.is_of(&who) || pass.terms().is_for(&who, given, (control.clock)()) || person.is_operator(control)
}
