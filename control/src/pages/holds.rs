//! What waits for a person: the queue, and one hold beside it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Redirect, Response};
use futures_util::Stream;
use sha2::{Digest, Sha256};
use sluice_engine::policy::document::Part;
use sluice_engine::wire::HoldDecision;

use super::effect::{Effects, preview};
use super::failure::{Failure, sentence};
use super::form::Sent;
use super::page;
use super::shell::{Shell, Visitor};
use super::text::{Markup, marked, named};
use super::voice::Ruled;
use super::when::{When, span};
use crate::holds::Hold;
use crate::http::{self, Control, Problem, Query};
use crate::records::steps::{What, call, steps};
use crate::records::text::{clean, clean_line, short};

/// Holds of a queue.
const QUEUE: &str = "200";

/// What was said before, as far as a page shows it.
const SAID: usize = 14;

/// Holds that were like this one, as far as a page shows them.
const SIMILAR: usize = 8;

/// A page asks again whether anything has changed, for holds that another replica has opened.
const LOOK: Duration = Duration::from_secs(4);

/// A page's connection ends after this long; the browser makes another, and so shows again who it is for.
const CONNECTED: Duration = Duration::from_secs(600);

/// A hold in the queue.
struct Row {
    id: String,
    here: bool,
    who: String,
    what: Markup,
    tool: Option<String>,
    state: &'static str,
    tone: &'static str,
    opened: When,
    ends: Option<When>,
}

/// Holds of one state.
struct Queue {
    state: &'static str,
    tabs: Vec<(&'static str, &'static str, bool)>,
    rows: Vec<Row>,
    here: String,
    waiting: usize,
}

#[derive(Template)]
#[template(path = "holds.html")]
struct Page {
    shell: Shell,
    queue: Queue,
    hold: Option<Detail>,
    one: bool,
}

#[derive(Template)]
#[template(path = "holds_queue.html")]
struct QueuePart {
    queue: Queue,
}

#[derive(Template)]
#[template(path = "hold_state.html")]
struct StatePart {
    hold: Detail,
}

/// A hold, as it is shown.
struct Detail {
    id: String,
    csrf: String,
    headline: Markup,
    title: String,
    state: &'static str,
    tone: &'static str,
    opened: When,
    ends: When,
    who: String,
    groups: String,
    /// Who acts on their behalf.
    actor: Option<String>,
    /// The sidecar that asks.
    node: Option<String>,
    session: Option<String>,
    replay: bool,
    rule: String,
    message: String,
    part: &'static str,
    tool: Option<String>,
    model: Option<String>,
    approvers: String,
    policy: String,
    effects: Effects,
    preview: Markup,
    decided: Option<Ruled>,
    used: Option<When>,
    /// The pass that it opened, or that approved it.
    pass: Option<String>,
    by_pass: bool,
    /// Why this person may not decide; absent: they may, while it waits.
    barred: Option<String>,
    needs_reason: bool,
    /// `waiting-1`: what a page that is open compares.
    standing: String,
    /// How many different people must approve.
    quorum: u32,
    /// Who has approved so far, where more must.
    voices: Vec<Ruled>,
    /// Times for which it can be approved, where policy offers that.
    spans: Vec<(u64, String)>,
    /// Whether it can be approved with more masked.
    editable: bool,
    /// Texts that are masked, and whether each stands in what is shown.
    masked: Vec<(String, bool)>,
    comments: Vec<Ruled>,
    said: Vec<Said>,
    similar: Vec<Like>,
    counted: String,
}

/// Something that was said before.
struct Said {
    by: String,
    text: Markup,
    code: bool,
}

/// A hold that was like this one.
struct Like {
    id: String,
    who: String,
    state: &'static str,
    tone: &'static str,
    at: When,
    by: String,
    reason: String,
}

/// `GET /holds?state=`: the queue, and beside it the first hold.
pub async fn queue(visitor: Visitor, state: State<Arc<Control>>, query: Query) -> Result<Response, Failure> {
    let queue = gather(&visitor, &state, &query, "").await?;
    let first = queue.rows.first().map(|row| row.id.clone());
    let hold = match &first {
        Some(id) => Some(detail(&visitor, &state, id).await?),
        None => None,
    };
    let mut queue = queue;
    for row in &mut queue.rows {
        row.here = Some(&row.id) == first.as_ref();
    }
    let shell = visitor.shell(&state, "Holds", "/holds");
    Ok(page(&Page { shell, queue, hold, one: false }))
}

/// `GET /holds/{id}`: a hold, beside the queue.
pub async fn show(
    visitor: Visitor,
    state: State<Arc<Control>>,
    Path(id): Path<String>,
    query: Query,
) -> Result<Response, Failure> {
    let hold = detail(&visitor, &state, &id).await?;
    let queue = gather(&visitor, &state, &query, &id).await?;
    let shell = visitor.shell(&state, hold.title.clone(), "/holds");
    Ok(page(&Page { shell, queue, hold: Some(hold), one: true }))
}

/// `GET /holds/queue?state=&at=`: the queue alone, for a page that is open.
pub async fn queue_part(
    visitor: Visitor,
    state: State<Arc<Control>>,
    query: Query,
) -> Result<Response, Failure> {
    let at = query.get("at").cloned().unwrap_or_default();
    Ok(page(&QueuePart { queue: gather(&visitor, &state, &query, &at).await? }))
}

/// `GET /holds/{id}/state?was=STANDING`: how a hold stands, for a page that is open; nothing while it stands as it was, so
/// that no form is taken from under somebody's hands.
pub async fn state_part(
    visitor: Visitor,
    state: State<Arc<Control>>,
    Path(id): Path<String>,
    query: Query,
) -> Result<Response, Failure> {
    let hold = detail(&visitor, &state, &id).await?;
    if query.get("was") == Some(&hold.standing) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Ok(page(&StatePart { hold }))
}

/// `POST /holds/{id}/decision`.
pub async fn decide(
    state: State<Arc<Control>>,
    Path(id): Path<String>,
    Sent { visitor, form }: Sent,
) -> Result<Redirect, Failure> {
    let approve = match form.text("verdict") {
        Some("approve") => true,
        Some("deny") => false,
        _ => return Err(Problem::bad_request("choose to approve or to deny").into()),
    };
    if approve && form.text("sure").is_none() {
        let hold = detail(&visitor, &state, &id).await?;
        if hold.effects.grave {
            return Err(Problem::bad_request(
                "what this would do cannot be taken back: go back, read it, and tick the box that says so",
            )
            .into());
        }
    }
    let mut ruling = serde_json::json!({"approve": approve, "reason": form.text("reason")});
    let seconds = form.text("span").filter(|_| approve).and_then(|text| text.parse::<u64>().ok());
    if let (Some(fields), Some(seconds)) = (ruling.as_object_mut(), seconds) {
        let pass = serde_json::json!({"seconds": seconds, "anything": form.text("anything").is_some()});
        fields.insert("pass".into(), pass);
    }
    if let (Some(fields), Some(lines)) = (ruling.as_object_mut(), form.text("masked").filter(|_| approve)) {
        let masked: Vec<&str> = lines.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        fields.insert("masked".into(), masked.into());
    }
    let body = Bytes::from(ruling.to_string());
    let Json(hold) = http::holds::decide(visitor.person, state, Path(id), body).await?;
    Ok(Redirect::to(&format!("/holds/{}", hold.id)))
}

/// `POST /holds/{id}/comments`.
pub async fn comment(
    state: State<Arc<Control>>,
    Path(id): Path<String>,
    Sent { visitor, form }: Sent,
) -> Result<Redirect, Failure> {
    // An id that is none is refused before anybody is sent anywhere.
    let said = serde_json::json!({"text": form.text("text").unwrap_or_default()}).to_string();
    let _said = http::holds::comment(visitor.person, state, Path(id.clone()), Bytes::from(said)).await?;
    Ok(Redirect::to(&format!("/holds/{id}")))
}

/// `GET /holds/changes`: an event each time that what this person sees of holds has changed. It says nothing of what
/// has.
pub async fn changes(
    visitor: Visitor,
    State(control): State<Arc<Control>>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Failure> {
    let seen = fingerprint(&visitor, &control).await?;
    let until = tokio::time::Instant::now() + CONNECTED;
    let changes = control.waiters.changes();
    let start = (visitor, control, changes, seen, until);
    let events = futures_util::stream::unfold(start, async |(visitor, control, mut changes, seen, until)| {
        let mut closing = control.closing.clone();
        loop {
            tokio::select! {
                changed = changes.changed() => changed.ok()?,
                () = tokio::time::sleep(LOOK) => {}
                () = tokio::time::sleep_until(until) => return None,
                _ = closing.wait_for(|closing| *closing) => return None,
            }
            let now = fingerprint(&visitor, &control).await.ok()?;
            if now != seen {
                let event = Event::default().event("changed").data("holds");
                return Some((Ok(event), (visitor, control, changes, now, until)));
            }
        }
    });
    Ok(Sse::new(events))
}

/// Which holds this person sees, and how they stand.
async fn fingerprint(visitor: &Visitor, control: &Arc<Control>) -> Result<[u8; 32], Problem> {
    let mut hash = Sha256::new();
    for hold in listed(visitor, control, "all").await? {
        hash.update(hold.id);
        hash.update(hold.state.word());
        hash.update(hold.voices.len().to_string());
    }
    Ok(hash.finalize().into())
}

async fn listed(visitor: &Visitor, control: &Arc<Control>, state: &str) -> Result<Vec<Hold>, Problem> {
    let query = http::query([("state", state), ("limit", QUEUE)]);
    let Json(shown) = http::holds::list(visitor.person.clone(), State(Arc::clone(control)), query).await?;
    Ok(shown.holds)
}

async fn gather(
    visitor: &Visitor,
    control: &Arc<Control>,
    query: &Query,
    here: &str,
) -> Result<Queue, Problem> {
    const TABS: [(&str, &str); 4] =
        [("waiting", "Waiting"), ("approved", "Approved"), ("denied", "Denied"), ("all", "All")];
    let asked = query.get("state").map(String::as_str);
    let state = TABS.iter().find(|(state, _)| Some(*state) == asked).map_or("waiting", |(state, _)| state);
    let now = (control.clock)();
    let mut holds = listed(visitor, control, state).await?;
    // Who has waited longest comes first; what is over, the latest first.
    if state == "waiting" {
        holds.reverse();
    }
    let runtime = control.bundle.borrow().trial().ok();
    let compiled = runtime.as_ref().map(|runtime| &runtime.compiled);
    let waiting = holds.iter().filter(|hold| hold.state == HoldDecision::Waiting).count();
    let rows = holds.iter().map(|hold| Row {
        id: hold.id.clone(),
        here: hold.id == here,
        who: clean_line(&hold.ask.who.subject),
        what: named(&Effects::headline(&hold.ask, compiled)),
        tool: hold.ask.tool.as_deref().map(|tool| short(&clean_line(tool), 40)),
        state: hold.state.word(),
        tone: tone(hold.state),
        opened: When::new(hold.created_ms, now),
        ends: (hold.state == HoldDecision::Waiting).then(|| When::new(hold.expires_ms, now)),
    });
    let tabs = TABS.map(|(own, label)| (own, label, own == state)).to_vec();
    Ok(Queue { state, tabs, rows: rows.collect(), here: here.to_owned(), waiting })
}

async fn detail(visitor: &Visitor, control: &Arc<Control>, id: &str) -> Result<Detail, Problem> {
    let state = || State(Arc::clone(control));
    let shown = http::holds::show(visitor.person.clone(), state(), Path(id.to_owned())).await?;
    let Json(hold) = shown;
    let now = (control.clock)();
    let said = http::conversation(visitor.person.clone(), state(), Path(id.to_owned())).await?.0;
    let all = listed(visitor, control, "all").await?;
    let runtime = control.bundle.borrow().trial().ok();
    let compiled = runtime.as_ref().map(|runtime| &runtime.compiled);
    let ask = &hold.ask;
    let who = visitor.person.who();
    let given = control.store.delegations_to(&who, now).await?;
    let standing = hold.terms().standing(&who, true, &given, now);
    let barred = standing.err().map(|bar| sentence(&clean_line(&http::barred(&bar).detail)));
    let Json(comments) = http::holds::comments(visitor.person.clone(), state(), Path(id.to_owned())).await?;
    let like = |other: &&Hold| {
        other.id != hold.id
            && other.ask.rule == ask.rule
            && other.ask.tool == ask.tool
            && other.state != HoldDecision::Waiting
    };
    let similar: Vec<&Hold> = all.iter().filter(like).collect();
    let count = |state| similar.iter().filter(|hold| hold.state == state).count();
    let counted = format!(
        "{} approved, {} denied, {} expired",
        similar.iter().filter(|hold| hold.state.goes_on()).count(),
        count(HoldDecision::Denied),
        count(HoldDecision::Expired)
    );
    let headline = Effects::headline(ask, compiled);
    Ok(Detail {
        id: hold.id.clone(),
        csrf: visitor.csrf.clone(),
        title: headline.replace('`', ""),
        headline: named(&headline),
        state: hold.state.word(),
        tone: tone(hold.state),
        opened: When::new(hold.created_ms, now),
        ends: When::new(hold.expires_ms, now),
        who: clean_line(&ask.who.subject),
        groups: clean_line(&ask.who.groups.join(", ")),
        actor: ask.actor.as_deref().map(clean_line),
        node: ask.node.as_deref().map(clean_line),
        session: ask.session.clone(),
        replay: visitor.person.is_auditor(control),
        rule: clean_line(&ask.rule),
        message: clean_line(&ask.message),
        part: part(ask.part),
        tool: ask.tool.as_deref().map(clean_line),
        model: ask.model.as_deref().map(clean_line),
        approvers: clean_line(&ask.approvers.join(", ")),
        policy: ask.policy_version.chars().take(12).collect(),
        effects: Effects::of(ask, compiled),
        preview: preview(ask),
        decided: hold.decided.as_ref().map(|by| Ruled::new(by, now)),
        used: hold.used.as_ref().map(|used| When::new(used.at_ms, now)),
        pass: hold.pass.clone(),
        by_pass: hold.is_by_pass(),
        barred,
        needs_reason: ask.reason,
        standing: format!("{}-{}", hold.state.word(), hold.voices.len()),
        quorum: ask.quorum,
        voices: hold.voices.iter().map(|voice| Ruled::new(&voice.by, now)).collect(),
        spans: ask.grant_seconds.map(spans).unwrap_or_default(),
        editable: ask.editable,
        masked: hold.masked.iter().map(|text| (clean(text), hold.shows(text))).collect(),
        comments: comments.comments.iter().map(|comment| Ruled::comment(comment, now)).collect(),
        said: before(&said.exchanges),
        similar: similar.iter().take(SIMILAR).map(|hold| of_like(hold, now)).collect(),
        counted,
    })
}

/// Times to choose from, up to the longest.
fn spans(longest: u64) -> Vec<(u64, String)> {
    let usual = [900, 3600, 4 * 3600, 8 * 3600].into_iter().filter(|seconds| *seconds < longest);
    usual.chain([longest]).map(|seconds| (seconds, span(seconds * 1000))).collect()
}

fn of_like(hold: &Hold, now: u64) -> Like {
    let decided = hold.decided.as_ref();
    Like {
        id: hold.id.clone(),
        who: clean_line(&hold.ask.who.subject),
        state: hold.state.word(),
        tone: tone(hold.state),
        at: When::new(decided.map_or(hold.expires_ms, |by| by.at_ms), now),
        by: decided.map(|by| clean_line(&by.subject)).unwrap_or_default(),
        reason: decided.and_then(|by| by.reason.as_deref()).map(clean_line).unwrap_or_default(),
    }
}

/// The last of what was said before, the way it was recorded.
fn before(exchanges: &[crate::records::session::Exchange]) -> Vec<Said> {
    let mut said: Vec<Said> = Vec::new();
    for step in steps(exchanges) {
        let (by, text, code) = match step.what {
            What::Said { role, text } => (role, text, false),
            What::Call { name, input, .. } => (format!("calls {name}"), call(&input), true),
            What::Result { name, text, .. } => (format!("{name} gave"), text, true),
            What::Other { label, text } => (label, text, true),
            _ => continue,
        };
        said.push(Said { by: clean_line(&by), text: marked(&short(&text, 6000)), code });
    }
    said.drain(..said.len().saturating_sub(SAID));
    said
}

/// The class of a state's colour.
pub fn tone(state: HoldDecision) -> &'static str {
    match state {
        HoldDecision::Waiting => "hold",
        HoldDecision::Approved | HoldDecision::Edited => "allow",
        HoldDecision::Denied => "deny",
        HoldDecision::Expired => "",
    }
}

fn part(part: Part) -> &'static str {
    match part {
        Part::ToolCall => "a tool call",
        Part::ToolResult => "what a tool gave back",
        _ => "the request",
    }
}

/// How many holds wait that this person sees.
pub async fn waiting(visitor: &Visitor, control: &Arc<Control>) -> Result<usize, Problem> {
    listed(visitor, control, "waiting").await.map(|holds| holds.len())
}
