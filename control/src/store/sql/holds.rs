//! Holds. The functions that change one run inside the writer's transaction.

mod definitions;
mod writes;

use std::collections::BTreeSet;

use sluice_engine::wire::{HoldAsk, HoldDecision};
use sqlx::{AssertSqlSafe, Row as _};

use super::super::{Connection, Row, announce};
use super::approvals::{delegations_to, json, open_pass, pass_for};
use super::columns::{column, signed, unsigned};
use crate::approvals::{DecidedBy, Pass, Voice};
use crate::holds::{Course, Hold, Used, course};
use crate::keys::random_id;
use crate::records::{Entry, HoldEvent};
use crate::store::numbers::numbers;
use crate::store::{Decided, Decision, News, StoreError};

const COLUMNS: &str = "id, state, ask, created_ms, expires_ms, decided_ms, decided_by, decided_issuer, reason, \
                       used_by, used_ms, voices, pass, masked";

/// Threads that are looked for at a time.
const LOOKED_FOR: usize = 500;

/// How many earlier holds of a key are looked at.
const LOOKED_AT: i64 = 100;

/// Opens or joins the hold of a key, and uses an approval that waits for it.
pub async fn ask(
    connection: &mut Connection,
    ask: &HoldAsk,
    now_ms: u64,
    log: &mut Vec<Entry>,
) -> Result<Hold, StoreError> {
    if let Some(tool) = ask.definition.as_ref().filter(|tool| tool.digest.is_none()) {
        return definitions::called(connection, ask, tool, now_ms, log).await;
    }
    if ask.history
        && let Some(hold) = covering(connection, &ask.thread).await?
    {
        return with_earlier(connection, hold, ask).await;
    }
    let sql =
        format!("SELECT {COLUMNS} FROM holds WHERE key = $1 ORDER BY created_ms DESC, rowid DESC LIMIT $2");
    let rows =
        sqlx::query(AssertSqlSafe(sql)).bind(&ask.key).bind(LOOKED_AT).fetch_all(&mut *connection).await?;
    let mut holds = Vec::with_capacity(rows.len());
    for row in &rows {
        holds.push(read(row)?.at(now_ms));
    }
    match course(&holds, &ask.exchange, ask.editable, now_ms) {
        Course::Tell(hold) => Ok(hold.clone()),
        Course::Use(hold) => use_up(connection, hold.clone(), &ask.exchange, now_ms, log).await,
        Course::Open => {
            // One may wait for a key; the newest, when it is over and not marked so, makes room.
            expire_where(connection, "key = $1 AND state = 'waiting'", Some(&ask.key), now_ms, log).await?;
            let hold = open(connection, ask, now_ms, log).await?;
            // What somebody had parts of masked before does not go on as it is without a look.
            let edited = holds.iter().any(|hold| hold.state == HoldDecision::Edited);
            match pass_for(connection, ask, now_ms).await?.filter(|_| !edited) {
                Some(pass) => let_pass(connection, hold, &pass, now_ms, log).await,
                None => Ok(hold),
            }
        }
    }
}

/// A new hold that a pass approves: its asker goes on at once.
async fn let_pass(
    connection: &mut Connection,
    mut hold: Hold,
    pass: &Pass,
    now_ms: u64,
    log: &mut Vec<Entry>,
) -> Result<Hold, StoreError> {
    hold.state = HoldDecision::Approved;
    hold.pass = Some(pass.id.clone());
    hold.decided = pass.by.last().map(|by| DecidedBy { at_ms: now_ms, ..by.clone() });
    settle(connection, &hold).await?;
    log.extend(hold.decided.iter().map(|by| Entry::Hold(Box::new(HoldEvent::heard(&hold, by)))));
    let exchange = hold.ask.exchange.clone();
    use_up(connection, hold, &exchange, now_ms, log).await
}

/// The approval that covers later turns of a conversation: it was used for the same thread, and nobody has refused
/// the thread since.
async fn covering(connection: &mut Connection, thread: &str) -> Result<Option<Hold>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM holds WHERE thread = $1 AND (state = 'denied' OR used_by IS NOT NULL) \
         ORDER BY decided_ms DESC, rowid DESC LIMIT 1"
    );
    let row = sqlx::query(AssertSqlSafe(sql)).bind(thread).fetch_optional(connection).await?;
    let hold = row.as_ref().map(read).transpose()?;
    Ok(hold.filter(|hold| hold.state.goes_on()))
}

/// An approval that covers a conversation, with what was masked in the messages before the one that it is about. Who
/// asks names those, and so did who asked for the approval.
async fn with_earlier(
    connection: &mut Connection,
    mut hold: Hold,
    ask: &HoldAsk,
) -> Result<Hold, StoreError> {
    let earlier: BTreeSet<String> = ask.earlier.iter().chain(&hold.ask.earlier).cloned().collect();
    let earlier: Vec<String> = earlier.into_iter().collect();
    for some in earlier.chunks(LOOKED_FOR) {
        let sql = format!(
            "SELECT DISTINCT thread FROM holds WHERE masked IS NOT NULL AND thread IN ({})",
            numbers(1, some.len())
        );
        let asked = some.iter().fold(sqlx::query(AssertSqlSafe(sql)), |query, thread| query.bind(thread));
        for row in asked.fetch_all(&mut *connection).await? {
            match covering(connection, row.try_get("thread")?).await? {
                // Retention has taken its texts: nobody knows any more what to mask.
                Some(before) if before.state == HoldDecision::Edited && before.masked.is_empty() => {
                    return Ok(Hold { state: HoldDecision::Edited, masked: Vec::new(), ..hold });
                }
                Some(before) => hold = hold.with_masked(before),
                None => {}
            }
        }
    }
    Ok(hold)
}

/// Asks on behalf of an exchange for the approval of a hold that it knows by id.
pub async fn claim(
    connection: &mut Connection,
    id: &str,
    exchange: &str,
    now_ms: u64,
    log: &mut Vec<Entry>,
) -> Result<Option<Hold>, StoreError> {
    let Some(hold) = by_id(connection, id).await? else { return Ok(None) };
    let hold = hold.at(now_ms);
    if !hold.state.goes_on() || hold.used.as_ref().is_some_and(|u| u.exchange == exchange) {
        return Ok(Some(hold));
    }
    let asked = HoldAsk { exchange: exchange.to_owned(), history: false, ..hold.ask };
    ask(connection, &asked, now_ms, log).await.map(Some)
}

/// Takes in what somebody says; decides where that is enough.
pub async fn decide(
    connection: &mut Connection,
    decision: &Decision,
    now_ms: u64,
    log: &mut Vec<Entry>,
) -> Result<Decided, StoreError> {
    let Some(hold) = by_id(connection, &decision.hold).await? else { return Ok(Decided::Unknown) };
    let mut hold = hold.at(now_ms);
    if hold.state != HoldDecision::Waiting {
        return Ok(Decided::TooLate(hold));
    }
    let given = delegations_to(connection, &decision.by, now_ms).await?;
    let on_behalf = match hold.terms().standing(&decision.by, decision.approve, &given, now_ms) {
        Ok(on_behalf) => on_behalf,
        Err(bar) => return Ok(Decided::Barred(bar)),
    };
    let by = DecidedBy { on_behalf, ..DecidedBy::new(&decision.by, now_ms, decision.reason.clone()) };
    let masked = u32::try_from(decision.masked.len()).unwrap_or(u32::MAX);
    let voice = Voice { approve: decision.approve, by: by.clone(), span: decision.span, masked };
    hold.hear(voice, decision.masked.clone());
    if hold.state == HoldDecision::Approved
        && let Some(pass) = Pass::of(random_id(), &hold.id, &hold.ask, &hold.voices, now_ms)
    {
        open_pass(connection, &pass, log).await?;
        hold.pass = Some(pass.id);
    }
    settle(connection, &hold).await?;
    announce(connection, News::Hold(&hold.id)).await?;
    log.push(Entry::Hold(Box::new(HoldEvent::heard(&hold, &by))));
    Ok(Decided::Done(hold))
}

/// Writes down what was said and decided.
async fn settle(connection: &mut Connection, hold: &Hold) -> Result<(), StoreError> {
    let decided = hold.decided.as_ref();
    sqlx::query(
        "UPDATE holds SET state = $1, decided_ms = $2, decided_by = $3, decided_issuer = $4, reason = $5, voices = $6,
                          pass = $7, masked = $8 WHERE id = $9",
    )
    .bind(hold.state.word())
    .bind(decided.map(|by| signed(by.at_ms)))
    .bind(decided.map(|by| column(&by.subject)))
    .bind(decided.map(|by| column(&by.issuer)))
    .bind(decided.and_then(|by| by.reason.as_deref()).map(column))
    .bind(json(&hold.voices)?)
    .bind(&hold.pass)
    .bind(if hold.masked.is_empty() { None } else { Some(json(&hold.masked)?) })
    .bind(&hold.id)
    .execute(connection)
    .await?;
    Ok(())
}

/// Marks the holds whose time is over.
pub async fn expire(
    connection: &mut Connection,
    now_ms: u64,
    log: &mut Vec<Entry>,
) -> Result<Vec<String>, StoreError> {
    let condition = "state = 'waiting' AND expires_ms <= $1";
    let sql = format!("SELECT {COLUMNS} FROM holds WHERE {condition} LIMIT 1000");
    let rows = sqlx::query(AssertSqlSafe(sql)).bind(signed(now_ms)).fetch_all(&mut *connection).await?;
    mark_expired(connection, &rows, now_ms, log).await
}

async fn expire_where(
    connection: &mut Connection,
    condition: &str,
    value: Option<&str>,
    now_ms: u64,
    log: &mut Vec<Entry>,
) -> Result<Vec<String>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM holds WHERE {condition}");
    let rows = sqlx::query(AssertSqlSafe(sql)).bind(value).fetch_all(&mut *connection).await?;
    mark_expired(connection, &rows, now_ms, log).await
}

async fn mark_expired(
    connection: &mut Connection,
    rows: &[Row],
    now_ms: u64,
    log: &mut Vec<Entry>,
) -> Result<Vec<String>, StoreError> {
    let mut ids = Vec::with_capacity(rows.len());
    for row in rows {
        let hold = read(row)?.at(now_ms);
        sqlx::query("UPDATE holds SET state = 'expired' WHERE id = $1")
            .bind(&hold.id)
            .execute(&mut *connection)
            .await?;
        announce(connection, News::Hold(&hold.id)).await?;
        log.push(Entry::Hold(Box::new(HoldEvent::expired(&hold, now_ms))));
        ids.push(hold.id);
    }
    Ok(ids)
}

async fn open(
    connection: &mut Connection,
    ask: &HoldAsk,
    now_ms: u64,
    log: &mut Vec<Entry>,
) -> Result<Hold, StoreError> {
    let hold = Hold {
        id: random_id(),
        state: HoldDecision::Waiting,
        created_ms: now_ms,
        expires_ms: now_ms.saturating_add(ask.expires_seconds.saturating_mul(1000)),
        ask: ask.clone(),
        decided: None,
        voices: Vec::new(),
        masked: Vec::new(),
        pass: None,
        used: None,
    };
    sqlx::query(
        "INSERT INTO holds (id, key, thread, state, ask, created_ms, expires_ms) VALUES ($1, $2, $3, 'waiting', $4, $5, $6)",
    )
    .bind(&hold.id)
    .bind(&ask.key)
    .bind(&ask.thread)
    .bind(json(ask)?)
    .bind(signed(hold.created_ms))
    .bind(signed(hold.expires_ms))
    .execute(connection)
    .await?;
    log.push(Entry::Hold(Box::new(HoldEvent::opened(&hold))));
    Ok(hold)
}

async fn use_up(
    connection: &mut Connection,
    mut hold: Hold,
    exchange: &str,
    now_ms: u64,
    log: &mut Vec<Entry>,
) -> Result<Hold, StoreError> {
    // The condition repeats what the caller has seen: an approval is used once, whatever else goes wrong.
    let done = sqlx::query(
        "UPDATE holds SET used_by = $1, used_ms = $2 WHERE id = $3 AND state IN ('approved', 'edited') \
         AND used_by IS NULL",
    )
    .bind(column(exchange))
    .bind(signed(now_ms))
    .bind(&hold.id)
    .execute(connection)
    .await?;
    if done.rows_affected() != 1 {
        return Err(StoreError::Unreadable {
            what: format!("hold {}", hold.id),
            why: "its approval was used while it was being used".into(),
        });
    }
    hold.used = Some(Used { exchange: exchange.to_owned(), at_ms: now_ms });
    log.push(Entry::Hold(Box::new(HoldEvent::used(&hold, exchange, now_ms))));
    Ok(hold)
}

/// How many holds wait beyond their end.
pub async fn overdue(connection: &mut Connection, now_ms: u64) -> Result<i64, StoreError> {
    let row = sqlx::query("SELECT count(*) FROM holds WHERE state = 'waiting' AND expires_ms <= $1")
        .bind(signed(now_ms))
        .fetch_one(connection)
        .await?;
    Ok(row.try_get(0)?)
}

/// A hold by its id.
pub async fn by_id(connection: &mut Connection, id: &str) -> Result<Option<Hold>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM holds WHERE id = $1");
    let row = sqlx::query(AssertSqlSafe(sql)).bind(id).fetch_optional(connection).await?;
    row.as_ref().map(read).transpose()
}

/// Holds, the newest first.
pub async fn list(
    connection: &mut Connection,
    state: Option<HoldDecision>,
    limit: u32,
) -> Result<Vec<Hold>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM holds WHERE CAST($1 AS TEXT) IS NULL OR state = $1 OR (state = 'edited' AND $1 = 'approved') \
         ORDER BY created_ms DESC, rowid DESC LIMIT $2"
    );
    let rows = sqlx::query(AssertSqlSafe(sql))
        .bind(state.map(HoldDecision::word))
        .bind(i64::from(limit))
        .fetch_all(connection)
        .await?;
    rows.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Hold, StoreError> {
    let id: String = row.try_get("id")?;
    let unreadable = |why: String| StoreError::Unreadable { what: format!("hold {id}"), why };
    let state = match row.try_get::<String, _>("state")?.as_str() {
        "waiting" => HoldDecision::Waiting,
        "approved" => HoldDecision::Approved,
        "edited" => HoldDecision::Edited,
        "denied" => HoldDecision::Denied,
        "expired" => HoldDecision::Expired,
        other => return Err(unreadable(format!("unknown state `{other}`"))),
    };
    let ask =
        serde_json::from_str(&row.try_get::<String, _>("ask")?).map_err(|e| unreadable(e.to_string()))?;
    let voices: Vec<Voice> = match row.try_get::<Option<String>, _>("voices")? {
        None => Vec::new(),
        Some(voices) => serde_json::from_str(&voices).map_err(|e| unreadable(e.to_string()))?,
    };
    let masked: Vec<String> = match row.try_get::<Option<String>, _>("masked")? {
        None => Vec::new(),
        Some(masked) => serde_json::from_str(&masked).map_err(|e| unreadable(e.to_string()))?,
    };
    let decided = match row.try_get::<Option<i64>, _>("decided_ms")? {
        None => None,
        Some(at) => Some(DecidedBy {
            issuer: row.try_get("decided_issuer")?,
            subject: row.try_get("decided_by")?,
            at_ms: unsigned(at),
            reason: row.try_get("reason")?,
            on_behalf: voices.last().and_then(|voice| voice.by.on_behalf.clone()),
        }),
    };
    let used = match row.try_get::<Option<String>, _>("used_by")? {
        None => None,
        Some(exchange) => Some(Used {
            exchange,
            at_ms: unsigned(row.try_get::<Option<i64>, _>("used_ms")?.unwrap_or_default()),
        }),
    };
    Ok(Hold {
        state,
        created_ms: unsigned(row.try_get("created_ms")?),
        expires_ms: unsigned(row.try_get("expires_ms")?),
        ask,
        decided,
        voices,
        masked,
        pass: row.try_get("pass")?,
        used,
        id,
    })
}
