//! Notices: the outbox, and deliveries. The functions that change something run inside the writer's transaction.

use async_trait::async_trait;
use sluice_engine::policy::document::{Channel, Event};
use sqlx::{AssertSqlSafe, Row as _};

use super::super::{Connection, Row};
use super::columns::{ROWS, column, is_usual, signed, unsigned};
use super::turn::{Turn, Write};
use super::{Database, grants, holds, policies, reviews};
use crate::holds::Hold;
use crate::keys::random_id;
use crate::notices::{Delivery, DeliveryState, Notice, Outcome, TRIES, next, told};
use crate::records::Entry;
use crate::store::numbers::rows_of;
use crate::store::{Notices, Retried, StoreError, Taking, Tried};

const COLUMNS: &str = "id, channel, state, notice, created_ms, tries, due_ms, trouble";

/// News that are routed in one go.
const ROUTED: i64 = 200;

/// How long a delivery is kept after its end: one that arrived for a week, a dead one for a quarter.
const DELIVERED_MS: u64 = 7 * 24 * 3600 * 1000;
const DEAD_MS: u64 = 90 * 24 * 3600 * 1000;

/// How long it is remembered that something was said.
const SAID_MS: u64 = 3600 * 1000;

#[async_trait]
impl Notices for Database {
    async fn route_news(
        &self,
        channels: Vec<Channel>,
        authors: Vec<String>,
        now_ms: u64,
    ) -> Result<usize, StoreError> {
        // Asking is cheap and happens all the time; writing is neither.
        let waiting = sqlx::query("SELECT 1 FROM outbox LIMIT 1").fetch_optional(&self.readers).await?;
        if waiting.is_none() {
            return Ok(0);
        }
        self.write(Route { channels, authors, now_ms }).await
    }

    async fn due_channels(&self, now_ms: u64) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT DISTINCT channel FROM deliveries WHERE state = 'waiting' AND due_ms <= $1";
        let rows = sqlx::query(sql).bind(signed(now_ms)).fetch_all(&self.readers).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    async fn take_deliveries(&self, taking: Taking, now_ms: u64) -> Result<Vec<Delivery>, StoreError> {
        self.write(Take { taking, now_ms }).await
    }

    async fn tried(&self, tried: Tried, now_ms: u64) -> Result<Option<Delivery>, StoreError> {
        self.write(Try { tried, now_ms }).await
    }

    async fn add_delivery(&self, channel: &str, notice: Notice, now_ms: u64) -> Result<Delivery, StoreError> {
        self.write(Make(new(channel, notice, now_ms))).await
    }

    async fn retry_delivery(&self, id: &str, now_ms: u64) -> Result<Retried, StoreError> {
        self.write(Retry { id: id.to_owned(), now_ms }).await
    }

    async fn delivery(&self, id: &str) -> Result<Option<Delivery>, StoreError> {
        by_id(&mut *self.readers.acquire().await?, id).await
    }

    async fn deliveries(
        &self,
        state: Option<DeliveryState>,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM deliveries WHERE CAST($1 AS TEXT) IS NULL OR state = $1
             ORDER BY created_ms DESC, id LIMIT $2"
        );
        let query = sqlx::query(AssertSqlSafe(sql)).bind(state.map(DeliveryState::word));
        readable(&query.bind(i64::from(limit)).fetch_all(&self.readers).await?)
    }

    async fn is_first(&self, key: [u8; 32], now_ms: u64) -> Result<bool, StoreError> {
        self.write(Say { key, now_ms }).await
    }
}

/// Puts what is news among these entries into the outbox.
pub async fn note(connection: &mut Connection, entries: &[Entry]) -> Result<(), StoreError> {
    let news: Vec<&Entry> = entries.iter().filter(|entry| told(entry).is_some()).collect();
    for some in news.chunks(ROWS) {
        let sql = format!("INSERT INTO outbox (entry) VALUES {}", rows_of(some.len(), 1));
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for entry in some {
            query = query.bind(entry.to_json());
        }
        query.persistent(is_usual(some.len())).execute(&mut *connection).await?;
    }
    Ok(())
}

struct Route {
    channels: Vec<Channel>,
    /// Who may accept proposals.
    authors: Vec<String>,
    now_ms: u64,
}

impl Write for Route {
    type Answer = usize;

    async fn run(&self, turn: &mut Turn<'_>) -> Result<usize, StoreError> {
        let Self { channels, authors, now_ms } = self;
        let connection = &mut *turn.connection;
        prune(connection, *now_ms).await?;
        let rows = sqlx::query("SELECT id, entry FROM outbox ORDER BY id LIMIT $1").bind(ROUTED);
        let rows = rows.fetch_all(&mut *connection).await?;
        for row in &rows {
            let id: i64 = row.try_get(0)?;
            match notice(connection, &row.try_get::<String, _>(1)?, authors).await? {
                Routed::News(event, notice) => {
                    let telling = |channel: &&Channel| channel.tells(event, &notice.approvers);
                    for channel in channels.iter().filter(telling) {
                        insert(connection, &new(&channel.name, Notice::clone(&notice), *now_ms)).await?;
                    }
                }
                Routed::Nothing => {}
                // It must not keep the others from being told.
                Routed::Unreadable => {
                    tracing::error!(outbox = id, "news that cannot be read are told to nobody")
                }
            }
            sqlx::query("DELETE FROM outbox WHERE id = $1").bind(id).execute(&mut *connection).await?;
        }
        Ok(rows.len())
    }
}

struct Take {
    taking: Taking,
    now_ms: u64,
}

impl Write for Take {
    type Answer = Vec<Delivery>;

    async fn run(&self, turn: &mut Turn<'_>) -> Result<Vec<Delivery>, StoreError> {
        let Self { taking, now_ms } = self;
        let sql = format!(
            "SELECT {COLUMNS} FROM deliveries WHERE state = 'waiting' AND channel = $1 AND due_ms <= $2
             ORDER BY due_ms LIMIT $3"
        );
        let query = sqlx::query(AssertSqlSafe(sql)).bind(&taking.channel).bind(signed(*now_ms));
        let rows = query.bind(i64::from(taking.most)).fetch_all(&mut *turn.connection).await?;
        let mut taken = Vec::with_capacity(rows.len());
        for row in &rows {
            let mut delivery = match read(row) {
                Ok(delivery) => delivery,
                Err(error) => {
                    bury(turn.connection, row, &error, *now_ms).await?;
                    continue;
                }
            };
            if delivery.tries >= TRIES {
                delivery.state = DeliveryState::Dead;
                delivery.due_ms = *now_ms;
                delivery.trouble = Some("the service ended in the middle of the last try".into());
                update(turn.connection, &delivery).await?;
                continue;
            }
            delivery.tries += 1;
            delivery.due_ms = taking.until_ms;
            update(turn.connection, &delivery).await?;
            taken.push(delivery);
        }
        Ok(taken)
    }
}

struct Try {
    tried: Tried,
    now_ms: u64,
}

impl Write for Try {
    type Answer = Option<Delivery>;

    async fn run(&self, turn: &mut Turn<'_>) -> Result<Option<Delivery>, StoreError> {
        let Self { tried, now_ms } = self;
        let Some(mut delivery) = by_id(turn.connection, &tried.delivery).await? else { return Ok(None) };
        if delivery.state != DeliveryState::Waiting || delivery.tries != tried.tries {
            return Ok(Some(delivery));
        }
        match &tried.outcome {
            Outcome::Delivered => {
                delivery.state = DeliveryState::Delivered;
                delivery.due_ms = *now_ms;
                delivery.trouble = None;
            }
            Outcome::Failed { why, after_ms, gone } => {
                let again = next(delivery.tries, *after_ms, tried.random).filter(|_| !gone);
                if again.is_none() {
                    delivery.state = DeliveryState::Dead;
                }
                delivery.due_ms = now_ms.saturating_add(again.unwrap_or_default());
                delivery.trouble = Some(why.clone());
            }
        }
        update(turn.connection, &delivery).await?;
        Ok(Some(delivery))
    }
}

struct Make(Delivery);

impl Write for Make {
    type Answer = Delivery;

    async fn run(&self, turn: &mut Turn<'_>) -> Result<Delivery, StoreError> {
        insert(turn.connection, &self.0).await?;
        Ok(self.0.clone())
    }
}

struct Retry {
    id: String,
    now_ms: u64,
}

impl Write for Retry {
    type Answer = Retried;

    async fn run(&self, turn: &mut Turn<'_>) -> Result<Retried, StoreError> {
        let Some(mut delivery) = by_id(turn.connection, &self.id).await? else { return Ok(Retried::Unknown) };
        if delivery.state != DeliveryState::Dead {
            return Ok(Retried::NotDead(delivery));
        }
        delivery.state = DeliveryState::Waiting;
        delivery.tries = 0;
        delivery.due_ms = self.now_ms;
        update(turn.connection, &delivery).await?;
        Ok(Retried::Done(delivery))
    }
}

struct Say {
    key: [u8; 32],
    now_ms: u64,
}

impl Write for Say {
    type Answer = bool;

    async fn run(&self, turn: &mut Turn<'_>) -> Result<bool, StoreError> {
        sqlx::query("DELETE FROM said WHERE at_ms < $1")
            .bind(signed(self.now_ms.saturating_sub(SAID_MS)))
            .execute(&mut *turn.connection)
            .await?;
        let done = sqlx::query("INSERT INTO said (key, at_ms) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(self.key.to_vec())
            .bind(signed(self.now_ms))
            .execute(&mut *turn.connection)
            .await?;
        Ok(done.rows_affected() == 1)
    }
}

/// What stands in the outbox.
enum Routed {
    News(Event, Box<Notice>),
    /// No news after all.
    Nothing,
    Unreadable,
}

/// What is told of an entry, with what the hold, grant, review or proposal says that it is about.
async fn notice(connection: &mut Connection, entry: &str, authors: &[String]) -> Result<Routed, StoreError> {
    let Ok(entry) = serde_json::from_str::<Entry>(entry) else { return Ok(Routed::Unreadable) };
    let Some(event) = told(&entry) else { return Ok(Routed::Nothing) };
    let notice = match &entry {
        Entry::Hold(happened) => {
            let hold = known(holds::by_id(connection, &happened.id).await)?;
            if hold.as_ref().is_some_and(Hold::is_by_pass) {
                return Ok(Routed::Nothing);
            }
            Notice::of_hold(event, happened, hold.as_ref())
        }
        Entry::Grant(happened) => {
            let grant = known(grants::by_id(connection, &happened.id).await)?;
            Notice::of_grant(event, happened, grant.as_ref())
        }
        Entry::Revocation(revoked) => Notice::of_revocation(event, revoked),
        Entry::Review(happened) => {
            let review = known(reviews::with_progress(connection, &happened.review).await)?;
            Notice::of_review(event, happened, review.as_ref())
        }
        Entry::Policy(happened) => {
            let proposal = match &happened.proposal {
                Some(id) => known(policies::proposal(connection, id).await)?,
                None => None,
            };
            Notice::of_proposal(event, happened, proposal.as_ref(), authors)
        }
        _ => return Ok(Routed::Nothing),
    };
    Ok(Routed::News(event, Box::new(notice)))
}

/// A row that cannot be read is as good as none: what the log says is told all the same.
fn known<T>(found: Result<Option<T>, StoreError>) -> Result<Option<T>, StoreError> {
    match found {
        Err(StoreError::Unreadable { .. }) => Ok(None),
        found => found,
    }
}

fn new(channel: &str, notice: Notice, now_ms: u64) -> Delivery {
    Delivery {
        // Two of them: receivers know deliveries by it, and there may be many.
        id: format!("msg_{}{}", random_id(), random_id()),
        channel: channel.to_owned(),
        state: DeliveryState::Waiting,
        notice,
        created_ms: now_ms,
        tries: 0,
        due_ms: now_ms,
        trouble: None,
    }
}

/// A delivery that cannot be read is dead: it must not be tried for ever.
async fn bury(
    connection: &mut Connection,
    row: &Row,
    error: &StoreError,
    now_ms: u64,
) -> Result<(), StoreError> {
    let id: String = row.try_get("id")?;
    tracing::error!(delivery = id, %error, "a delivery is dead, since it cannot be read");
    let query = sqlx::query("UPDATE deliveries SET state = 'dead', due_ms = $1, trouble = $2 WHERE id = $3");
    query
        .bind(signed(now_ms))
        .bind("it cannot be read from the database")
        .bind(id)
        .execute(connection)
        .await?;
    Ok(())
}

async fn prune(connection: &mut Connection, now_ms: u64) -> Result<(), StoreError> {
    sqlx::query(
        "DELETE FROM deliveries WHERE state = 'delivered' AND due_ms < $1 OR state = 'dead' AND due_ms < $2",
    )
    .bind(signed(now_ms.saturating_sub(DELIVERED_MS)))
    .bind(signed(now_ms.saturating_sub(DEAD_MS)))
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert(connection: &mut Connection, delivery: &Delivery) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO deliveries (id, channel, state, notice, created_ms, tries, due_ms, trouble)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(&delivery.id)
    .bind(&delivery.channel)
    .bind(delivery.state.word())
    .bind(serde_json::to_string(&delivery.notice).map_err(|e| unreadable(&e.to_string()))?)
    .bind(signed(delivery.created_ms))
    .bind(i64::from(delivery.tries))
    .bind(signed(delivery.due_ms))
    .bind(delivery.trouble.as_deref().map(column))
    .execute(connection)
    .await?;
    Ok(())
}

async fn update(connection: &mut Connection, delivery: &Delivery) -> Result<(), StoreError> {
    sqlx::query("UPDATE deliveries SET state = $1, tries = $2, due_ms = $3, trouble = $4 WHERE id = $5")
        .bind(delivery.state.word())
        .bind(i64::from(delivery.tries))
        .bind(signed(delivery.due_ms))
        .bind(delivery.trouble.as_deref().map(column))
        .bind(&delivery.id)
        .execute(connection)
        .await?;
    Ok(())
}

async fn by_id(connection: &mut Connection, id: &str) -> Result<Option<Delivery>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM deliveries WHERE id = $1");
    let row = sqlx::query(AssertSqlSafe(sql)).bind(id).fetch_optional(connection).await?;
    row.as_ref().map(read).transpose()
}

/// Those that can be read.
fn readable(rows: &[Row]) -> Result<Vec<Delivery>, StoreError> {
    let mut all = Vec::with_capacity(rows.len());
    for row in rows {
        match read(row) {
            Ok(delivery) => all.push(delivery),
            Err(error) => tracing::error!(%error, "a delivery is not listed, since it cannot be read"),
        }
    }
    Ok(all)
}

fn read(row: &Row) -> Result<Delivery, StoreError> {
    let state: String = row.try_get("state")?;
    let notice: String = row.try_get("notice")?;
    Ok(Delivery {
        id: row.try_get("id")?,
        channel: row.try_get("channel")?,
        state: DeliveryState::read(&state).ok_or_else(|| unreadable("its state is none"))?,
        notice: serde_json::from_str(&notice).map_err(|e| unreadable(&e.to_string()))?,
        created_ms: unsigned(row.try_get("created_ms")?),
        tries: u32::try_from(row.try_get::<i64, _>("tries")?).unwrap_or(u32::MAX),
        due_ms: unsigned(row.try_get("due_ms")?),
        trouble: row.try_get("trouble")?,
    })
}

fn unreadable(why: &str) -> StoreError {
    StoreError::Unreadable { what: "a delivery".into(), why: why.to_owned() }
}
