//! Policy in the store, and proposals. The functions that change them run inside the writer's transaction.

use async_trait::async_trait;
use sluice_engine::record::Who;
use sqlx::{AssertSqlSafe, Row as _};

use super::super::{Connection, Row, announce};
use super::Database;
use super::approvals::json;
use super::columns::{signed, unsigned};
use super::turn::{Turn, Write};
use crate::approvals::DecidedBy;
use crate::proposals::{Act, Documents, Proposal, ProposalState, StoredPolicy};
use crate::records::{Entry, PolicyChange, PolicyEvent};
use crate::store::{Acted, News, Policies, Proposed, StoreError};

/// Proposals that may be open at once.
const OPEN: i64 = 50;

#[async_trait]
impl Policies for Database {
    async fn policy_after(&self, number: u64) -> Result<Option<StoredPolicy>, StoreError> {
        let sql = "SELECT number, at_ms, documents, signature FROM policies WHERE number > $1
                   ORDER BY number DESC LIMIT 1";
        let row = sqlx::query(sql).bind(signed(number)).fetch_optional(&self.readers).await?;
        row.as_ref().map(stored).transpose()
    }

    async fn policy(&self, number: u64) -> Result<Option<StoredPolicy>, StoreError> {
        let sql = "SELECT number, at_ms, documents, signature FROM policies WHERE number = $1";
        let row = sqlx::query(sql).bind(signed(number)).fetch_optional(&self.readers).await?;
        row.as_ref().map(stored).transpose()
    }

    async fn policies(&self, limit: u32) -> Result<Vec<(u64, u64)>, StoreError> {
        let sql = "SELECT number, at_ms FROM policies ORDER BY number DESC LIMIT $1";
        let rows = sqlx::query(sql).bind(i64::from(limit)).fetch_all(&self.readers).await?;
        rows.iter().map(|row| Ok((unsigned(row.try_get(0)?), unsigned(row.try_get(1)?)))).collect()
    }

    async fn begin_policy(&self, policy: StoredPolicy, version: String) -> Result<(), StoreError> {
        self.write(Begin { policy, version }).await
    }

    async fn propose(&self, proposal: Proposal) -> Result<Proposed, StoreError> {
        self.write(Propose(proposal)).await
    }

    async fn act(
        &self,
        proposal: &str,
        act: Act,
        by: Who,
        reason: Option<String>,
        now_ms: u64,
    ) -> Result<Acted, StoreError> {
        self.write(Decide { id: proposal.to_owned(), act, by, reason, now_ms }).await
    }

    async fn proposal(&self, id: &str) -> Result<Option<Proposal>, StoreError> {
        by_id(&mut *self.readers.acquire().await?, id).await
    }

    async fn proposals(&self, state: Option<ProposalState>, limit: u32) -> Result<Vec<Proposal>, StoreError> {
        let sql = "SELECT detail FROM proposals WHERE CAST($1 AS TEXT) IS NULL OR state = $1
                   ORDER BY created_ms DESC, id LIMIT $2";
        let query = sqlx::query(sql).bind(state.map(ProposalState::word)).bind(i64::from(limit));
        query.fetch_all(&self.readers).await?.iter().map(detail).collect()
    }
}

struct Begin {
    policy: StoredPolicy,
    version: String,
}

impl Write for Begin {
    type Answer = ();

    async fn run(&self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        if in_force(turn.connection).await? > 0 {
            return Ok(());
        }
        store(turn.connection, &self.policy).await?;
        let event = PolicyEvent {
            change: PolicyChange::Accepted,
            at_ms: self.policy.at_ms,
            version: self.version.clone(),
            files: self.policy.documents.keys().cloned().collect(),
            proposal: None,
            by: None,
        };
        turn.log.push(Entry::Policy(Box::new(event)));
        Ok(())
    }
}

struct Propose(Proposal);

impl Write for Propose {
    type Answer = Proposed;

    async fn run(&self, turn: &mut Turn<'_>) -> Result<Proposed, StoreError> {
        let proposal = &self.0;
        let number = in_force(turn.connection).await?;
        if number != proposal.base {
            return Ok(Proposed::Stale(number));
        }
        let open = sqlx::query("SELECT count(*) FROM proposals WHERE state = 'open'");
        if open.fetch_one(&mut *turn.connection).await?.try_get::<i64, _>(0)? >= OPEN {
            return Ok(Proposed::Full);
        }
        sqlx::query(
            "INSERT INTO proposals (id, state, created_ms, documents, detail) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(&proposal.id)
        .bind(proposal.state.word())
        .bind(signed(proposal.by.at_ms))
        .bind(json(&proposal.documents)?)
        .bind(bare(proposal)?)
        .execute(&mut *turn.connection)
        .await?;
        turn.log.push(event(proposal, PolicyChange::Proposed, Some(&proposal.by), proposal.by.at_ms));
        Ok(Proposed::Done)
    }
}

struct Decide {
    id: String,
    act: Act,
    by: Who,
    reason: Option<String>,
    now_ms: u64,
}

impl Write for Decide {
    type Answer = Acted;

    async fn run(&self, turn: &mut Turn<'_>) -> Result<Acted, StoreError> {
        let Some(mut proposal) = by_id(turn.connection, &self.id).await? else { return Ok(Acted::Unknown) };
        if proposal.state != ProposalState::Open {
            return Ok(Acted::TooLate(proposal));
        }
        if let Some(bar) = proposal.bars(&self.act, &self.by) {
            return Ok(Acted::Barred(bar));
        }
        let (state, change) = match &self.act {
            Act::Accept(policy) => {
                let next = in_force(turn.connection).await?.saturating_add(1);
                // What was accepted is what was proposed, for the policy that is in force.
                let fits = policy.documents == proposal.documents && policy.number == next;
                if !fits || proposal.base.saturating_add(1) != next {
                    return Ok(Acted::TooLate(Proposal { state: ProposalState::Stale, ..proposal }));
                }
                store(turn.connection, policy).await?;
                announce(turn.connection, News::Policy).await?;
                (ProposalState::Accepted, PolicyChange::Accepted)
            }
            Act::Reject => (ProposalState::Rejected, PolicyChange::Rejected),
            Act::Withdraw => (ProposalState::Withdrawn, PolicyChange::Withdrawn),
        };
        let by = DecidedBy::new(&self.by, self.now_ms, self.reason.clone());
        proposal.state = state;
        proposal.decided = Some(by);
        update(turn.connection, &proposal).await?;
        turn.log.push(event(&proposal, change, proposal.decided.as_ref(), self.now_ms));
        if state == ProposalState::Accepted {
            for mut other in still_open(turn.connection).await? {
                other.state = ProposalState::Stale;
                update(turn.connection, &other).await?;
                turn.log.push(event(&other, PolicyChange::Stale, None, self.now_ms));
            }
        }
        Ok(Acted::Done(proposal))
    }
}

/// The number of the policy in force; 0: none.
async fn in_force(connection: &mut Connection) -> Result<u64, StoreError> {
    let row = sqlx::query("SELECT coalesce(max(number), 0) FROM policies").fetch_one(connection).await?;
    Ok(unsigned(row.try_get(0)?))
}

async fn store(connection: &mut Connection, policy: &StoredPolicy) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO policies (number, at_ms, documents, signature) VALUES ($1, $2, $3, $4)")
        .bind(signed(policy.number))
        .bind(signed(policy.at_ms))
        .bind(json(&policy.documents)?)
        .bind(policy.signature.clone())
        .execute(connection)
        .await?;
    Ok(())
}

async fn by_id(connection: &mut Connection, id: &str) -> Result<Option<Proposal>, StoreError> {
    let query = sqlx::query("SELECT documents, detail FROM proposals WHERE id = $1").bind(id);
    let Some(row) = query.fetch_optional(connection).await? else { return Ok(None) };
    Ok(Some(Proposal { documents: documents(&row)?, ..detail(&row)? }))
}

/// Those that are open, without their documents.
async fn still_open(connection: &mut Connection) -> Result<Vec<Proposal>, StoreError> {
    let rows = sqlx::query(AssertSqlSafe(
        "SELECT detail FROM proposals WHERE state = 'open' ORDER BY created_ms, id",
    ));
    rows.fetch_all(connection).await?.iter().map(detail).collect()
}

async fn update(connection: &mut Connection, proposal: &Proposal) -> Result<(), StoreError> {
    sqlx::query("UPDATE proposals SET state = $1, detail = $2 WHERE id = $3")
        .bind(proposal.state.word())
        .bind(bare(proposal)?)
        .bind(&proposal.id)
        .execute(connection)
        .await?;
    Ok(())
}

/// A proposal as its column holds it: its documents have one of their own.
fn bare(proposal: &Proposal) -> Result<String, StoreError> {
    json(&Proposal { documents: Documents::new(), ..proposal.clone() })
}

fn stored(row: &Row) -> Result<StoredPolicy, StoreError> {
    Ok(StoredPolicy {
        number: unsigned(row.try_get("number")?),
        documents: documents(row)?,
        at_ms: unsigned(row.try_get("at_ms")?),
        signature: row.try_get("signature")?,
    })
}

fn documents(row: &Row) -> Result<Documents, StoreError> {
    serde_json::from_str(&row.try_get::<String, _>("documents")?).map_err(|e| unreadable(&e))
}

fn detail(row: &Row) -> Result<Proposal, StoreError> {
    serde_json::from_str(&row.try_get::<String, _>("detail")?).map_err(|e| unreadable(&e))
}

fn unreadable(why: &serde_json::Error) -> StoreError {
    StoreError::Unreadable { what: "a policy or proposal".into(), why: why.to_string() }
}

fn event(proposal: &Proposal, change: PolicyChange, by: Option<&DecidedBy>, at_ms: u64) -> Entry {
    Entry::Policy(Box::new(PolicyEvent {
        change,
        at_ms,
        version: proposal.version.clone(),
        files: Vec::new(),
        proposal: Some(proposal.id.clone()),
        by: by.cloned(),
    }))
}
