//! Reviews, their items, and what they have taken back. `detail` is all of each; the other columns find it.

mod course;
mod withheld;

use async_trait::async_trait;
use sqlx::{AssertSqlSafe, Row as _};

use super::super::{Connection, Row};
use super::Database;
use super::columns::{ROWS, column, is_usual, signed, unsigned};
use super::turn::{Turn, Write};
use crate::approvals::DecidedBy;
use crate::records::{Entry, ReviewChange, ReviewEvent};
use crate::reviews::{Choice, HeadThen, Item, Progress, Review, ReviewState, Ruling, Withholding};
use crate::store::numbers::rows_of;
use crate::store::{Closed, Lifted, Reviews, Ruled, Started, StoreError, WhichItems};

#[async_trait]
impl Reviews for Database {
    async fn start_review(
        &self,
        review: Review,
        items: Vec<Item>,
        every_ms: Option<u64>,
    ) -> Result<Started, StoreError> {
        self.write(Start { review, items, every_ms }).await
    }

    async fn reviews(&self, limit: u32) -> Result<Vec<(Review, Progress)>, StoreError> {
        let connection = &mut *self.readers.acquire().await?;
        let sql = "SELECT detail FROM reviews ORDER BY started_ms DESC, id LIMIT $1";
        let rows = sqlx::query(sql).bind(i64::from(limit)).fetch_all(&mut *connection).await?;
        let mut all = Vec::with_capacity(rows.len());
        for row in &rows {
            let review: Review = read(row)?;
            let progress = progress(connection, &review.id).await?;
            all.push((review, progress));
        }
        Ok(all)
    }

    async fn review(&self, id: &str) -> Result<Option<(Review, Progress)>, StoreError> {
        with_progress(&mut *self.readers.acquire().await?, id).await
    }

    async fn last_review(&self, name: &str) -> Result<Option<Review>, StoreError> {
        last(&mut *self.readers.acquire().await?, name).await
    }

    async fn review_items(&self, which: WhichItems) -> Result<Vec<Item>, StoreError> {
        items(&mut *self.readers.acquire().await?, &which).await
    }

    async fn rule(&self, ruling: Ruling, now_ms: u64) -> Result<Ruled, StoreError> {
        self.write(course::Rule { ruling, now_ms }).await
    }

    async fn close_review(&self, id: &str, by: DecidedBy) -> Result<Closed, StoreError> {
        self.write(course::Close { id: id.to_owned(), by }).await
    }

    async fn end_reviews(&self, now_ms: u64) -> Result<Vec<Review>, StoreError> {
        let mut closed = Vec::new();
        // Asking is cheap and happens all the time; writing is neither. One transaction takes a part of the items.
        while course::is_overdue(&mut *self.readers.acquire().await?, now_ms).await? {
            closed.extend(self.write(course::End { now_ms }).await?);
        }
        Ok(closed)
    }

    async fn remind(&self, now_ms: u64) -> Result<Vec<(Review, Progress)>, StoreError> {
        if !course::has_reminders(&mut *self.readers.acquire().await?, now_ms).await? {
            return Ok(Vec::new());
        }
        self.write(course::Remind { now_ms }).await
    }

    async fn withheld(&self) -> Result<Vec<Withholding>, StoreError> {
        withheld::live(&mut *self.readers.acquire().await?).await
    }

    async fn lift(&self, id: &str, by: DecidedBy) -> Result<Lifted, StoreError> {
        self.write(withheld::Lift { id: id.to_owned(), by }).await
    }
}

struct Start {
    review: Review,
    items: Vec<Item>,
    every_ms: Option<u64>,
}

impl Write for Start {
    type Answer = Started;

    async fn run(&self, turn: &mut Turn<'_>) -> Result<Started, StoreError> {
        if let Some(last) = last(turn.connection, &self.review.name).await? {
            let due = |every: u64| last.started_ms.saturating_add(every) <= self.review.started_ms;
            if last.state == ReviewState::Open {
                return Ok(Started::Running(last));
            }
            if !self.every_ms.is_none_or(due) {
                return Ok(Started::NotDue(last));
            }
        }
        let heads_at_start = heads(turn.connection).await?;
        let review = Review { heads_at_start, ..self.review.clone() };
        sqlx::query(
            "INSERT INTO reviews (id, name, state, started_ms, deadline_ms, remind_ms, detail)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(&review.id)
        .bind(column(&review.name))
        .bind(review.state.word())
        .bind(signed(review.started_ms))
        .bind(signed(review.deadline_ms))
        .bind(review.reminders_ms.first().copied().map(signed))
        .bind(json(&review)?)
        .execute(&mut *turn.connection)
        .await?;
        for some in self.items.chunks(ROWS) {
            let rows = rows_of(some.len(), 3);
            let sql = format!("INSERT INTO review_items (review, n, detail) VALUES {rows}");
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for item in some {
                query = query.bind(&review.id).bind(i64::from(item.n)).bind(json(item)?);
            }
            query.persistent(is_usual(some.len())).execute(&mut *turn.connection).await?;
        }
        turn.log.push(Entry::Review(Box::new(ReviewEvent::of(
            &review,
            ReviewChange::Started,
            review.started_ms,
        ))));
        Ok(Started::Done(review))
    }
}

/// A review, and how far it is.
pub async fn with_progress(
    connection: &mut Connection,
    id: &str,
) -> Result<Option<(Review, Progress)>, StoreError> {
    let Some(review) = by_id(connection, id).await? else { return Ok(None) };
    let progress = progress(connection, id).await?;
    Ok(Some((review, progress)))
}

async fn by_id(connection: &mut Connection, id: &str) -> Result<Option<Review>, StoreError> {
    let query = sqlx::query("SELECT detail FROM reviews WHERE id = $1").bind(column(id));
    query.fetch_optional(connection).await?.as_ref().map(read).transpose()
}

async fn last(connection: &mut Connection, name: &str) -> Result<Option<Review>, StoreError> {
    let sql = "SELECT detail FROM reviews WHERE name = $1 ORDER BY started_ms DESC, id LIMIT 1";
    let query = sqlx::query(sql).bind(column(name));
    query.fetch_optional(connection).await?.as_ref().map(read).transpose()
}

/// Writes a review that has changed.
async fn update(connection: &mut Connection, review: &Review) -> Result<(), StoreError> {
    sqlx::query("UPDATE reviews SET state = $1, remind_ms = $2, detail = $3 WHERE id = $4")
        .bind(review.state.word())
        .bind(review.reminders_ms.first().copied().map(signed))
        .bind(json(review)?)
        .bind(&review.id)
        .execute(connection)
        .await?;
    Ok(())
}

async fn progress(connection: &mut Connection, review: &str) -> Result<Progress, StoreError> {
    let sql = "SELECT decided, count(*) FROM review_items WHERE review = $1 GROUP BY decided";
    let mut progress = Progress::default();
    for row in sqlx::query(sql).bind(review).fetch_all(connection).await? {
        let (decided, count) = (row.try_get::<String, _>(0)?, unsigned(row.try_get(1)?));
        match decided.as_str() {
            "certified" => progress.certified = count,
            "revoked" => progress.revoked = count,
            "reduced" => progress.reduced = count,
            _ => progress.open = progress.open.saturating_add(count),
        }
    }
    Ok(progress)
}

async fn items(connection: &mut Connection, which: &WhichItems) -> Result<Vec<Item>, StoreError> {
    let decided = which.decided.map(|choice| choice.map_or("", Choice::word));
    let sql = "SELECT detail FROM review_items WHERE review = $1 AND n > $2
               AND (CAST($3 AS TEXT) IS NULL OR decided = $3) ORDER BY n LIMIT $4";
    let query = sqlx::query(sql)
        .bind(column(&which.review))
        .bind(i64::from(which.after))
        .bind(decided)
        .bind(i64::from(which.limit));
    query.fetch_all(connection).await?.iter().map(read).collect()
}

/// Where the chains stand, without what this transaction adds.
async fn heads(connection: &mut Connection) -> Result<Vec<HeadThen>, StoreError> {
    let rows =
        sqlx::query("SELECT writer, seq, hash FROM heads ORDER BY writer").fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            let hash: Vec<u8> = row.try_get(2)?;
            let hash = hash.iter().map(|byte| format!("{byte:02x}")).collect();
            Ok(HeadThen { writer: row.try_get(0)?, seq: unsigned(row.try_get(1)?), hash })
        })
        .collect()
}

fn json(value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|e| unreadable(&e))
}

fn read<T: serde::de::DeserializeOwned>(row: &Row) -> Result<T, StoreError> {
    serde_json::from_str(&row.try_get::<String, _>("detail")?).map_err(|e| unreadable(&e))
}

fn unreadable(why: &serde_json::Error) -> StoreError {
    StoreError::Unreadable { what: "a row of a review".into(), why: why.to_string() }
}
