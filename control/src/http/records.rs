//! Records: in from filters, out to auditors.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use sluice_engine::record::Piece;
use sluice_engine::record::checkpoint::Checkpoint;
use sluice_engine::wire::{self, Batch, BatchReply, Open, OpenReply};

use super::auth::Person;
use super::search::{self, Searched};
use super::sidecars::DataPlane;
use super::{Control, Problem, Query, area, limit, number};
use crate::calendar;
use crate::records::lines::Line;
use crate::records::session::{Exchange, read};
use crate::records::{
    Bounds, Entry, Report, SessionReport, batch_key, fold, missing, open_kept, verify_session,
};
use crate::records::{csv, ocsf};
use crate::store::{Addition, Mark, Session, StoreError, Verdicts, Which, WhichSessions};

/// The largest wish for a verification: a hundred thousand checkpoints.
const VERIFY_BYTES: usize = 32 << 20;

/// Entries that an export reads at a time.
const PAGE: u32 = 100;

/// Entries of a session that are put together at a time.
const ENTRIES: u32 = 2000;

/// Bytes of text of one exchange that are put together.
const BYTES: usize = 32 << 20;

/// Bytes of text of a session that are put together at a time: as many as a page of it can have in well under 100 ms.
const SESSION_BYTES: usize = 8 << 20;

/// The routes of this area.
pub fn routes() -> Router<Arc<Control>> {
    let filters =
        Router::new().route(wire::EXCHANGES, post(open)).route(wire::RECORDS, post(batch).get(export));
    let people = Router::new()
        .route("/v1/sessions", get(sessions))
        .route("/v1/sessions/{id}", get(replay))
        .route("/v1/sessions/{id}/chain", get(chain))
        .route("/v1/exchanges/{id}", get(exchange))
        .route("/v1/records/verify", post(verify).layer(DefaultBodyLimit::max(VERIFY_BYTES)));
    area(filters, people)
}

/// `POST /v1/exchanges`.
pub async fn open(
    _: DataPlane,
    State(control): State<Arc<Control>>,
    body: Bytes,
) -> Result<Json<OpenReply>, Problem> {
    let mut open: Open = serde_json::from_slice(&body).map_err(|e| Problem::unreadable("an exchange", &e))?;
    let lacking = missing(&*control.store, open.record.as_slice(), &open.blocks).await?;
    if !lacking.is_empty() {
        return Ok(Json(OpenReply { missing: lacking, ..OpenReply::default() }));
    }
    if open.hold.as_ref().is_some_and(|ask| ask.key.is_empty() || ask.exchange.is_empty()) {
        return Err(Problem::bad_request("a hold needs a `key` and the `exchange` that asks"));
    }
    fold(open.record.as_mut_slice(), &mut open.blocks);
    let entries = open.record.map(|record| Entry::Exchange(Box::new(record))).into_iter().collect();
    let addition = Addition { batch: None, entries, blocks: open.blocks, ask: open.hold };
    let hold = control.store.add(addition, (control.clock)()).await?;
    if hold.is_some() {
        control.waiters.opened();
    }
    let unapproved = match open.tools {
        Some(seen) => control.store.tools_seen(*seen, (control.clock)()).await?,
        None => Vec::new(),
    };
    Ok(Json(OpenReply { hold: hold.map(|hold| hold.state()), missing: Vec::new(), unapproved }))
}

/// `POST /v1/records`.
pub async fn batch(
    _: DataPlane,
    State(control): State<Arc<Control>>,
    body: Bytes,
) -> Result<Json<BatchReply>, Problem> {
    let mut batch: Batch = serde_json::from_slice(&body).map_err(|e| Problem::unreadable("a batch", &e))?;
    let lacking = missing(&*control.store, &batch.records, &batch.blocks).await?;
    if !lacking.is_empty() {
        return Ok(Json(BatchReply { missing: lacking }));
    }
    let key = batch_key(&batch.id, &batch.records);
    fold(&mut batch.records, &mut batch.blocks);
    let entries = batch.records.into_iter().map(|record| Entry::Exchange(Box::new(record))).collect();
    let addition = Addition { batch: Some(key), entries, blocks: batch.blocks, ask: None };
    control.store.add(addition, (control.clock)()).await?;
    Ok(Json(BatchReply::default()))
}

/// Sessions as they are listed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sessions {
    /// The latest first.
    pub sessions: Vec<Session>,
    /// Where the next page starts (`before`); absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Where texts were searched: what for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub searched: Option<Searched>,
}

/// `GET /v1/sessions?subject=&person=&group=&model=&tool=&rule=&finding=&verdict=&text=&since=&until=&before=&limit=`.
pub async fn sessions(
    person: Person,
    State(control): State<Arc<Control>>,
    query: Query,
) -> Result<Json<Sessions>, Problem> {
    person.needs_auditor(&control)?;
    search::find(&control, &query).await.map(Json)
}

/// What a search asks for.
pub(super) fn which_sessions(query: &Query) -> Result<WhichSessions, Problem> {
    let before = query.get("before").map(|text| {
        let (ms, id) = text.split_once(':')?;
        Some((ms.parse().ok()?, id.to_owned()))
    });
    if before == Some(None) {
        return Err(Problem::bad_request("`before` takes what `next` said on the page before"));
    }
    let text =
        |name: &str| query.get(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let verdicts = match text("verdict").as_deref() {
        None => None,
        Some("denied") => Some(Verdicts::Denied),
        Some("held") => Some(Verdicts::Held),
        Some("allowed") => Some(Verdicts::Allowed),
        Some(_) => return Err(Problem::bad_request("`verdict` takes denied, held or allowed")),
    };
    Ok(WhichSessions {
        subject: query.get("subject").cloned(),
        person: text("person"),
        texts: Vec::new(),
        marks: Mark::ALL.into_iter().filter_map(|mark| Some((mark, text(mark.word())?))).collect(),
        verdicts,
        since_ms: moment(query, "since")?,
        until_ms: moment(query, "until")?,
        before: before.flatten(),
        limit: limit(query)?,
    })
}

/// A moment among what follows `?`: Unix milliseconds, or a day in UTC, of which `since` is the beginning and `until` the
/// end.
fn moment(query: &Query, name: &str) -> Result<Option<u64>, Problem> {
    let Some(text) = query.get(name).map(|text| text.trim()).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    if let Ok(ms) = text.parse() {
        return Ok(Some(ms));
    }
    let day = calendar::day(text).ok_or_else(|| {
        Problem::bad_request(format!("`{name}` takes a day (`2026-11-22`) or Unix milliseconds"))
    })?;
    Ok(Some((day + u64::from(name == "until")) * 86_400_000))
}

/// The exchanges of a session, put together: as far as [`ENTRIES`] and [`SESSION_BYTES`] go, and where the rest begins.
pub async fn exchanges(
    person: Person,
    control: &Control,
    id: &str,
    after: i64,
) -> Result<(Vec<Exchange>, Option<i64>), Problem> {
    person.needs_auditor(control)?;
    let which = Which { session: Some(id.to_owned()), after, ..Which::default() };
    let (exchanges, more) = read(&*control.store, which, ENTRIES, SESSION_BYTES).await?;
    if exchanges.is_empty() {
        return Err(no_session());
    }
    Ok((exchanges, more))
}

/// `GET /v1/exchanges/{id}`: an exchange, put together.
pub async fn exchange(
    person: Person,
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
) -> Result<Json<Exchange>, Problem> {
    person.needs_auditor(&control)?;
    let which = Which { exchange: Some(id), ..Which::default() };
    let (exchanges, _) = read(&*control.store, which, ENTRIES, BYTES).await?;
    let detail = "there is no exchange with this id";
    exchanges.into_iter().next().map(Json).ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, detail))
}

/// `GET /v1/sessions/{id}`: the session's entries and their blocks, as [`Line`]s.
pub async fn replay(
    person: Person,
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    person.needs_auditor(&control)?;
    let which = Which { session: Some(id), limit: 1, ..Which::default() };
    if control.store.entries(which.clone()).await?.is_empty() {
        return Err(no_session());
    }
    Ok(stream(Export::new(control, which, u64::MAX, true)))
}

/// `GET /v1/sessions/{id}/chain`: whether the session is what was written.
pub async fn chain(
    person: Person,
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
) -> Result<Json<SessionReport>, Problem> {
    person.needs_auditor(&control)?;
    let writers = control.writers.keys(&*control.store).await?;
    let report = verify_session(&*control.store, &writers, &id, Bounds::default()).await?;
    report.map(Json).ok_or_else(no_session)
}

fn no_session() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is no session with this id; `sluice sessions ls` lists them")
}

/// `GET /v1/records?after=CURSOR&limit=N&blocks=true&format=ndjson`: the log as [`Line`]s, as events of OCSF, one a
/// line, or as CSV, whose first line names the columns where the export starts at the beginning.
pub async fn export(
    person: Person,
    State(control): State<Arc<Control>>,
    query: Query,
) -> Result<Response, Problem> {
    person.needs_auditor(&control)?;
    let after = number(&query, "after")?.unwrap_or(0);
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let most = number(&query, "limit")?.unwrap_or(u64::MAX);
    let format = match query.get("format").map(String::as_str) {
        None | Some("ndjson") => Format::Ndjson,
        Some("ocsf") => Format::Ocsf,
        Some("csv") => Format::Csv,
        Some(_) => return Err(Problem::bad_request("`format` takes ndjson, ocsf or csv")),
    };
    let blocks = format == Format::Ndjson && query.get("blocks").is_some_and(|value| value == "true");
    let which = Which { after, ..Which::default() };
    Ok(stream(Export { format, ..Export::new(control, which, most, blocks) }))
}

/// What a verification is asked with.
#[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct VerifyAsk {
    /// Checkpoints that were kept elsewhere, one note after the other: the log must still contain what they say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
}

/// `POST /v1/records/verify`.
pub async fn verify(
    person: Person,
    State(control): State<Arc<Control>>,
    body: Bytes,
) -> Result<Json<Report>, Problem> {
    person.needs_auditor(&control)?;
    let ask: VerifyAsk = if body.is_empty() {
        VerifyAsk::default()
    } else {
        serde_json::from_slice(&body).map_err(|e| Problem::unreadable("a wish for verification", &e))?
    };
    let writers = control.writers.keys(&*control.store).await?;
    let open = |text: &String| {
        open_kept(text, &writers).map_err(|at| {
            Problem::bad_request(format!(
                "checkpoint {at} was not signed by a writer of this log, or was altered, or is none"
            ))
        })
    };
    let against = ask.checkpoint.as_ref().map(open).transpose()?.unwrap_or_default();
    let report = crate::records::verify(&*control.store, &writers, &against).await?;
    Ok(Json(report))
}

/// How entries are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Ndjson,
    Ocsf,
    Csv,
}

/// An export on its way.
struct Export {
    format: Format,
    control: Arc<Control>,
    which: Which,
    left: u64,
    blocks: bool,
    sent: HashSet<String>,
    over: bool,
}

fn stream(export: Export) -> Response {
    let kind = match export.format {
        Format::Csv => "text/csv; charset=utf-8",
        Format::Ndjson | Format::Ocsf => "application/x-ndjson",
    };
    let pages = futures_util::stream::unfold(export, async |mut export| {
        if export.over {
            return None;
        }
        let page = export.page().await.unwrap_or_else(|error| {
            // The answer has begun: the last line says that it is not whole.
            tracing::error!(%error, "an export broke off");
            export.over = true;
            let error = Some("the store failed; go on later from the last cursor".to_owned());
            Line { error, ..Line::default() }.to_text()
        });
        Some((Ok::<_, std::convert::Infallible>(page), export))
    });
    ([(header::CONTENT_TYPE, kind)], Body::from_stream(pages)).into_response()
}

impl Export {
    fn new(control: Arc<Control>, which: Which, left: u64, blocks: bool) -> Self {
        let format = Format::Ndjson;
        Self { format, control, which, left, blocks, sent: HashSet::new(), over: false }
    }

    async fn page(&mut self) -> Result<String, StoreError> {
        let store = Arc::clone(&self.control.store);
        self.which.limit = u32::try_from(self.left.min(u64::from(PAGE))).unwrap_or(PAGE);
        let heads = store.heads().await?;
        let page = store.entries(self.which.clone()).await?;
        self.left = self.left.saturating_sub(page.len() as u64);
        let begins = self.format == Format::Csv && self.which.after == 0;
        let mut text = if begins { csv::head() } else { String::new() };
        if page.is_empty() {
            self.over = true;
            let writers = self.control.writers.keys(&*store).await?;
            // The head covers everything before it only where everything was exported.
            let whole = self.format == Format::Ndjson && self.which.session.is_none() && self.left > 0;
            for head in heads.into_iter().filter(|_| whole) {
                let key = writers.iter().find(|key| crate::records::writer_name(key) == head.writer);
                let signature = <[u8; 64]>::try_from(head.signature.as_slice()).ok();
                if let Some((key, signature)) = key.zip(signature) {
                    let at = Checkpoint { writer: head.writer, seq: head.seq, hash: head.hash };
                    let checkpoint = Some(at.note(&signature, key));
                    text.push_str(&Line { checkpoint, ..Line::default() }.to_text());
                }
            }
        }
        for stored in page {
            self.which.after = stored.cursor;
            if self.blocks {
                self.push_blocks(&stored.entry, &mut text).await?;
            }
            match self.format {
                Format::Ndjson => text.push_str(&Line::entry(stored).to_text()),
                Format::Ocsf => text.extend(ocsf::event(&stored).map(|event| format!("{event}\n"))),
                Format::Csv => text.extend(csv::row(&stored)),
            }
        }
        self.over |= self.left == 0;
        Ok(text)
    }

    /// Every block that the entry's body needs and that was not sent yet.
    async fn push_blocks(&mut self, entry: &str, text: &mut String) -> Result<(), StoreError> {
        let Ok(Entry::Exchange(record)) = serde_json::from_str(entry) else { return Ok(()) };
        let Some(body) = record.body else { return Ok(()) };
        let mut wanted: VecDeque<Piece> = body.pieces.into();
        while !wanted.is_empty() {
            let digests = wanted.drain(..).filter_map(|piece| match piece {
                Piece::Block(digest) if self.sent.insert(digest.clone()) => Some(digest),
                _ => None,
            });
            let digests: Vec<String> = digests.collect();
            if digests.is_empty() {
                break;
            }
            for block in self.control.store.blocks(digests).await? {
                wanted.extend(block.pieces().unwrap_or_default());
                text.push_str(&Line { block: Some(block), ..Line::default() }.to_text());
            }
        }
        Ok(())
    }
}
