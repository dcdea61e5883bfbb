//! What reviews have taken back.

use sluice_engine::identity::same_person;
use sluice_engine::policy::bundle::Withheld;
use sqlx::Row as _;

use super::super::super::{Connection, Row, announce};
use super::super::columns::{column, signed};
use super::super::turn::{Turn, Write};
use super::{json, read};
use crate::approvals::DecidedBy;
use crate::records::{Entry, ReviewEvent};
use crate::reviews::{Item, Withholding, withheld_id};
use crate::store::{Lifted, News, StoreError};

/// Puts what an item's decision takes back in the place of what an earlier one did.
pub async fn put(connection: &mut Connection, review: &str, item: &Item) -> Result<(), StoreError> {
    let Some(taken) = item.withholding(review) else {
        sqlx::query("DELETE FROM withheld WHERE id = $1")
            .bind(withheld_id(review, item.n))
            .execute(connection)
            .await?;
        return Ok(());
    };
    sqlx::query(
        "INSERT INTO withheld (id, state, issuer, subject, role, at_ms, detail) VALUES ($1, 'live', $2, $3, $4, $5, $6)
         ON CONFLICT (id) DO UPDATE SET state = 'live', at_ms = excluded.at_ms, detail = excluded.detail",
    )
    .bind(&taken.withheld.id)
    .bind(column(&taken.withheld.issuer))
    .bind(column(&taken.withheld.subject))
    .bind(column(&taken.withheld.role))
    .bind(signed(taken.at_ms))
    .bind(json(&taken)?)
    .execute(connection)
    .await?;
    Ok(())
}

/// All that is withheld, in an order of its own: the same makes the same bundle.
pub async fn live(connection: &mut Connection) -> Result<Vec<Withholding>, StoreError> {
    let sql =
        "SELECT id, issuer, subject, role, at_ms, detail FROM withheld WHERE state = 'live' ORDER BY id";
    sqlx::query(sql).fetch_all(connection).await?.iter().map(whatever).collect()
}

/// A row that cannot be read takes back the whole role: a right must not come back by a broken row.
fn whatever(row: &Row) -> Result<Withholding, StoreError> {
    let (id, issuer, subject, role): (String, String, String, String) =
        (row.try_get("id")?, row.try_get("issuer")?, row.try_get("subject")?, row.try_get("role")?);
    match read::<Withholding>(row) {
        Ok(taken) if taken.withheld.id == id => Ok(taken),
        _ => {
            tracing::error!(
                withheld = id,
                "what a review took back cannot be read; the whole role is withheld"
            );
            Ok(Withholding {
                review: String::new(),
                at_ms: super::unsigned(row.try_get("at_ms")?),
                by: None,
                reason: "the row cannot be read".into(),
                lifted: None,
                withheld: Withheld { id, issuer, subject, role, part: None },
            })
        }
    }
}

pub struct Lift {
    pub id: String,
    pub by: DecidedBy,
}

impl Write for Lift {
    type Answer = Lifted;

    async fn run(&self, turn: &mut Turn<'_>) -> Result<Lifted, StoreError> {
        let sql =
            "SELECT id, issuer, subject, role, at_ms, detail FROM withheld WHERE state = 'live' AND id = $1";
        let row = sqlx::query(sql).bind(column(&self.id)).fetch_optional(&mut *turn.connection).await?;
        let Some(taken) = row.as_ref().map(whatever).transpose()? else { return Ok(Lifted::Unknown) };
        if same_person(&taken.withheld.subject, &self.by.subject) {
            return Ok(Lifted::Own);
        }
        let taken = Withholding { lifted: Some(self.by.clone()), ..taken };
        sqlx::query("UPDATE withheld SET state = 'lifted', detail = $1 WHERE id = $2")
            .bind(json(&taken)?)
            .bind(&taken.withheld.id)
            .execute(&mut *turn.connection)
            .await?;
        announce(turn.connection, News::Withheld).await?;
        turn.log.push(Entry::Review(Box::new(ReviewEvent::lifted(&taken, &self.by))));
        Ok(Lifted::Done(taken))
    }
}
