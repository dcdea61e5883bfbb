//! What becomes of a review's items, and of the review.

use sqlx::Row as _;

use super::super::super::{Connection, announce};
use super::super::columns::signed;
use super::super::grants;
use super::super::turn::{Turn, Write};
use super::{by_id, heads, items, json, progress, read, update, withheld};
use crate::approvals::DecidedBy;
use crate::grants::{Change, Step};
use crate::records::{Entry, ReviewChange, ReviewEvent};
use crate::reviews::{Attestation, Bar, Choice, Item, Progress, Review, ReviewState, Ruling};
use crate::store::{Closed, News, Ruled, StoreError, WhichItems};

/// Items that one transaction revokes at a deadline: others wait for their turn meanwhile.
const ENDED: u32 = 500;

pub struct Rule {
    pub ruling: Ruling,
    pub now_ms: u64,
}

impl Write for Rule {
    type Answer = Ruled;

    async fn run(&self, turn: &mut Turn<'_>) -> Result<Ruled, StoreError> {
        let Self { ruling, now_ms } = self;
        let Some(review) = by_id(turn.connection, &ruling.review).await? else { return Ok(Ruled::Unknown) };
        if !review.is_open(*now_ms) {
            return Ok(Ruled::Over(review));
        }
        // All are looked at before one is changed.
        let mut decided: Vec<(Item, Attestation)> = Vec::with_capacity(ruling.items.len());
        for n in &ruling.items {
            let Some(item) = by_number(turn.connection, &review.id, *n).await? else {
                return Ok(Ruled::Barred(Bar::NoItem(*n)));
            };
            match item.ruled(ruling, *now_ms) {
                Ok(decision) => decided.push((item, decision)),
                Err(bar) => return Ok(Ruled::Barred(bar)),
            }
        }
        let mut items = Vec::with_capacity(decided.len());
        for (item, decision) in decided {
            items.push(decide(turn, &review, item, decision).await?);
        }
        announce(turn.connection, News::Withheld).await?;
        Ok(Ruled::Done(items))
    }
}

/// Writes a decision, with its effect.
async fn decide(
    turn: &mut Turn<'_>,
    review: &Review,
    item: Item,
    decision: Attestation,
) -> Result<Item, StoreError> {
    let (choice, at_ms) = (decision.choice, decision.at_ms);
    let item = Item { decision: Some(decision), ..item };
    sqlx::query("UPDATE review_items SET decided = $1, detail = $2 WHERE review = $3 AND n = $4")
        .bind(choice.word())
        .bind(json(&item)?)
        .bind(&review.id)
        .bind(i64::from(item.n))
        .execute(&mut *turn.connection)
        .await?;
    match (&item.grant, choice) {
        (Some(grant), Choice::Revoke) => revoke_grant(turn, review, grant, &item, at_ms).await?,
        (Some(_), _) => {}
        (None, _) => withheld::put(turn.connection, &review.id, &item).await?,
    }
    turn.log.push(Entry::Review(Box::new(ReviewEvent::decided(review, &item, at_ms))));
    Ok(item)
}

/// Takes the grant of an item back; one that is over is left alone.
async fn revoke_grant(
    turn: &mut Turn<'_>,
    review: &Review,
    grant: &str,
    item: &Item,
    at_ms: u64,
) -> Result<(), StoreError> {
    let decision = item.decision.as_ref();
    let by_itself = || ("control".to_owned(), format!("review {}", review.id));
    let (issuer, subject) = decision.and_then(|decision| decision.by.clone()).unwrap_or_else(by_itself);
    let by = sluice_engine::record::Who { issuer, subject, groups: Vec::new() };
    let reason = decision.map(|decision| decision.reason.clone());
    let change = Change { grant: grant.to_owned(), step: Step::Revoke, by, reason };
    grants::change(turn.connection, &change, at_ms, &mut turn.log).await.map(drop)
}

async fn by_number(connection: &mut Connection, review: &str, n: u32) -> Result<Option<Item>, StoreError> {
    let query = sqlx::query("SELECT detail FROM review_items WHERE review = $1 AND n = $2");
    let row = query.bind(review).bind(i64::from(n)).fetch_optional(connection).await?;
    row.as_ref().map(read).transpose()
}

pub struct Close {
    pub id: String,
    pub by: DecidedBy,
}

impl Write for Close {
    type Answer = Closed;

    async fn run(&self, turn: &mut Turn<'_>) -> Result<Closed, StoreError> {
        let Some(review) = by_id(turn.connection, &self.id).await? else { return Ok(Closed::Unknown) };
        if review.state == ReviewState::Closed {
            return Ok(Closed::Over(review));
        }
        let open = progress(turn.connection, &review.id).await?.open;
        if open > 0 {
            return Ok(Closed::Undecided(open));
        }
        Ok(Closed::Done(close(turn, review, self.by.at_ms, Some(&self.by)).await?))
    }
}

async fn close(
    turn: &mut Turn<'_>,
    mut review: Review,
    now_ms: u64,
    by: Option<&DecidedBy>,
) -> Result<Review, StoreError> {
    review.state = ReviewState::Closed;
    review.closed_ms = Some(now_ms);
    review.reminders_ms.clear();
    review.heads_at_end = heads(turn.connection).await?;
    update(turn.connection, &review).await?;
    let event = ReviewEvent::of(&review, ReviewChange::Closed, now_ms);
    turn.log.push(Entry::Review(Box::new(match by {
        None => event,
        Some(by) => {
            let who = Some((by.issuer.clone(), by.subject.clone()));
            ReviewEvent { by: who, reason: by.reason.clone(), ..event }
        }
    })));
    Ok(review)
}

/// Revokes some of what nobody has decided; closes the review once there is nothing left.
pub struct End {
    pub now_ms: u64,
}

impl Write for End {
    type Answer = Option<Review>;

    async fn run(&self, turn: &mut Turn<'_>) -> Result<Option<Review>, StoreError> {
        let sql = "SELECT detail FROM reviews WHERE state = 'open' AND deadline_ms <= $1 ORDER BY deadline_ms, id LIMIT 1";
        let row = sqlx::query(sql).bind(signed(self.now_ms)).fetch_optional(&mut *turn.connection).await?;
        let Some(review) = row.as_ref().map(read::<Review>).transpose()? else { return Ok(None) };
        let which = WhichItems { review: review.id.clone(), decided: Some(None), after: 0, limit: ENDED };
        let left = items(turn.connection, &which).await?;
        let all = left.len() < ENDED as usize;
        for item in left {
            decide(turn, &review, item, Item::unattested(self.now_ms)).await?;
        }
        announce(turn.connection, News::Withheld).await?;
        if all { Ok(Some(close(turn, review, self.now_ms, None).await?)) } else { Ok(None) }
    }
}

/// Takes the reminders that are due.
pub struct Remind {
    pub now_ms: u64,
}

impl Write for Remind {
    type Answer = Vec<(Review, Progress)>;

    async fn run(&self, turn: &mut Turn<'_>) -> Result<Self::Answer, StoreError> {
        let sql = "SELECT detail FROM reviews WHERE state = 'open' AND remind_ms <= $1";
        let rows = sqlx::query(sql).bind(signed(self.now_ms)).fetch_all(&mut *turn.connection).await?;
        let mut reminded = Vec::new();
        for row in &rows {
            let mut review: Review = read(row)?;
            let due = review.take_reminders(self.now_ms);
            update(turn.connection, &review).await?;
            let progress = progress(turn.connection, &review.id).await?;
            if due && progress.open > 0 && review.is_open(self.now_ms) {
                let event = ReviewEvent::of(&review, ReviewChange::Reminded, self.now_ms);
                let items = u32::try_from(progress.open).unwrap_or(u32::MAX);
                turn.log.push(Entry::Review(Box::new(ReviewEvent { items: Some(items), ..event })));
                reminded.push((review, progress));
            }
        }
        Ok(reminded)
    }
}

/// Whether a review is open beyond its deadline.
pub async fn is_overdue(connection: &mut Connection, now_ms: u64) -> Result<bool, StoreError> {
    let sql = "SELECT count(*) FROM reviews WHERE state = 'open' AND deadline_ms <= $1";
    let row = sqlx::query(sql).bind(signed(now_ms)).fetch_one(connection).await?;
    Ok(row.try_get::<i64, _>(0)? > 0)
}

/// Whether a reminder is due.
pub async fn has_reminders(connection: &mut Connection, now_ms: u64) -> Result<bool, StoreError> {
    let sql = "SELECT count(*) FROM reviews WHERE state = 'open' AND remind_ms <= $1";
    let row = sqlx::query(sql).bind(signed(now_ms)).fetch_one(connection).await?;
    Ok(row.try_get::<i64, _>(0)? > 0)
}
