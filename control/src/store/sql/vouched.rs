//! What issuers said last of people, and what ends with it. The functions that change it run inside the writer's transaction.

use async_trait::async_trait;
use sluice_engine::budget::utc;
use sluice_engine::identity::same_person;
use sluice_engine::policy::bundle::Revocation;
use sluice_engine::record::Who;
use sqlx::Row as _;

use super::super::Connection;
use super::Database;
use super::approvals::end_delegations;
use super::columns::{column, signed, unsigned};
use super::turn::{Turn, Write};
use crate::approvals::Vouched;
use crate::store::{StoreError, Vouches};

#[async_trait]
impl Vouches for Database {
    async fn hear(&self, vouched: Vouched, now_ms: u64) -> Result<(), StoreError> {
        self.write(Hear { vouched, now_ms }).await
    }

    async fn vouched(&self, issuer: &str, subject: &str) -> Result<Option<Vouched>, StoreError> {
        let mut connection = self.readers.acquire().await?;
        let found = find(&mut connection, issuer, subject).await?;
        let who = |groups| Who { issuer: issuer.to_owned(), subject: subject.to_owned(), groups };
        Ok(found.map(|(said_ms, groups)| Vouched { who: who(groups), said_ms }))
    }
}

struct Hear {
    vouched: Vouched,
    now_ms: u64,
}

impl Write for Hear {
    type Answer = ();

    async fn run(&self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        hear(turn, &self.vouched, self.now_ms).await
    }
}

/// What an issuer says of a person, in the turn of a write that rests on it.
pub async fn hear(turn: &mut Turn<'_>, vouched: &Vouched, now_ms: u64) -> Result<(), StoreError> {
    let Who { issuer, subject, groups } = &vouched.who;
    let before = find(turn.connection, issuer, subject).await?;
    if before.as_ref().is_some_and(|(said_ms, _)| *said_ms >= vouched.said_ms) {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO vouched (issuer, subject, said_ms, detail) VALUES ($1, $2, $3, $4)
         ON CONFLICT (issuer, subject) DO UPDATE SET said_ms = excluded.said_ms, detail = excluded.detail",
    )
    .bind(column(issuer))
    .bind(column(subject))
    .bind(signed(vouched.said_ms))
    .bind(serde_json::to_string(groups).map_err(|e| unreadable(&e))?)
    .execute(&mut *turn.connection)
    .await?;
    if before.is_some_and(|(_, known)| known == *groups) {
        return Ok(());
    }
    end_delegations(turn, now_ms, |given| {
        let left = given.groups.iter().find(|group| !groups.contains(group))?;
        let said = utc(vouched.said_ms);
        given
            .is_from(&vouched.who)
            .then(|| format!("{subject} is not in {left} any more, by what {issuer} said at {said} UTC"))
    })
    .await
}

/// Delegations that somebody gave before everything of theirs was revoked: it may not have been them.
pub async fn end_of_revoked(turn: &mut Turn<'_>, what: &Revocation, now_ms: u64) -> Result<(), StoreError> {
    let Revocation::Subject { issuer, subject, before_ms } = what else { return Ok(()) };
    end_delegations(turn, now_ms, |given| {
        let theirs = given.from.issuer == *issuer && same_person(&given.from.subject, subject);
        (theirs && given.created_ms < *before_ms).then(|| format!("the tokens of {subject} were revoked"))
    })
    .await
}

async fn find(
    connection: &mut Connection,
    issuer: &str,
    subject: &str,
) -> Result<Option<(u64, Vec<String>)>, StoreError> {
    let query = sqlx::query("SELECT said_ms, detail FROM vouched WHERE issuer = $1 AND subject = $2");
    let row = query.bind(column(issuer)).bind(column(subject)).fetch_optional(connection).await?;
    let Some(row) = row else { return Ok(None) };
    let groups = serde_json::from_str(&row.try_get::<String, _>("detail")?).map_err(|e| unreadable(&e))?;
    Ok(Some((unsigned(row.try_get("said_ms")?), groups)))
}

fn unreadable(why: &serde_json::Error) -> StoreError {
    StoreError::Unreadable { what: "what an issuer said".into(), why: why.to_string() }
}
