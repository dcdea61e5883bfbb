//! Visits. What is in `detail` never changes; when a visit was last used stands beside it.

use async_trait::async_trait;
use sqlx::Row as _;

use super::super::Row;
use super::Database;
use super::columns::signed;
use super::turn::{Turn, Write};
use crate::records::{Entry, SignInEvent};
use crate::store::{StoreError, Visits};
use crate::visits::Visit;

#[async_trait]
impl Visits for Database {
    async fn open_visit(&self, digest: String, visit: Visit, event: SignInEvent) -> Result<(), StoreError> {
        self.write(Open { digest, visit, event }).await
    }

    async fn visit(&self, digest: &str) -> Result<Option<Visit>, StoreError> {
        let query = sqlx::query("SELECT seen_ms, detail FROM visits WHERE digest = $1").bind(digest);
        query.fetch_optional(&mut *self.readers.acquire().await?).await?.as_ref().map(read).transpose()
    }

    async fn see_visit(&self, digest: String, now_ms: u64) -> Result<(), StoreError> {
        self.write(See { digest, now_ms }).await
    }

    async fn end_visit(&self, digest: String, event: SignInEvent) -> Result<(), StoreError> {
        self.write(End { digest, event }).await
    }

    async fn end_visits(&self, now_ms: u64) -> Result<usize, StoreError> {
        let query = sqlx::query("SELECT count(*) FROM visits WHERE ends_ms <= $1").bind(signed(now_ms));
        let over: i64 = query.fetch_one(&mut *self.readers.acquire().await?).await?.try_get(0)?;
        if over == 0 { Ok(0) } else { self.write(EndAll { now_ms }).await }
    }
}

struct Open {
    digest: String,
    visit: Visit,
    event: SignInEvent,
}

impl Write for Open {
    type Answer = ();

    async fn run(&self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        let detail = serde_json::to_string(&self.visit).map_err(|e| unreadable(&e))?;
        sqlx::query("INSERT INTO visits (digest, seen_ms, ends_ms, detail) VALUES ($1, $2, $3, $4)")
            .bind(&self.digest)
            .bind(signed(self.visit.seen_ms))
            .bind(signed(self.visit.principal.expires_ms))
            .bind(detail)
            .execute(&mut *turn.connection)
            .await?;
        turn.log.push(Entry::SignIn(Box::new(self.event.clone())));
        Ok(())
    }
}

struct See {
    digest: String,
    now_ms: u64,
}

impl Write for See {
    type Answer = ();

    async fn run(&self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        sqlx::query("UPDATE visits SET seen_ms = $1 WHERE digest = $2 AND seen_ms < $1")
            .bind(signed(self.now_ms))
            .bind(&self.digest)
            .execute(&mut *turn.connection)
            .await?;
        Ok(())
    }
}

struct End {
    digest: String,
    event: SignInEvent,
}

impl Write for End {
    type Answer = ();

    async fn run(&self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        let query = sqlx::query("DELETE FROM visits WHERE digest = $1").bind(&self.digest);
        if query.execute(&mut *turn.connection).await?.rows_affected() > 0 {
            turn.log.push(Entry::SignIn(Box::new(self.event.clone())));
        }
        Ok(())
    }
}

struct EndAll {
    now_ms: u64,
}

impl Write for EndAll {
    type Answer = usize;

    async fn run(&self, turn: &mut Turn<'_>) -> Result<usize, StoreError> {
        let query = sqlx::query("DELETE FROM visits WHERE ends_ms <= $1").bind(signed(self.now_ms));
        let over = query.execute(&mut *turn.connection).await?.rows_affected();
        Ok(usize::try_from(over).unwrap_or(usize::MAX))
    }
}

fn read(row: &Row) -> Result<Visit, StoreError> {
    let visit: Visit =
        serde_json::from_str(&row.try_get::<String, _>("detail")?).map_err(|e| unreadable(&e))?;
    let seen_ms = u64::try_from(row.try_get::<i64, _>("seen_ms")?).unwrap_or_default();
    Ok(Visit { seen_ms, ..visit })
}

fn unreadable(why: &serde_json::Error) -> StoreError {
    StoreError::Unreadable { what: "a visit".into(), why: why.to_string() }
}
