//! What listings show of each session, added up per transaction.

use std::collections::BTreeMap;

use sluice_engine::policy::document::Action;
use sluice_engine::record::Stage;

use super::super::super::Connection;
use super::super::columns::{column, signed};
use super::super::usage::Used;
use crate::records::Entry;
use crate::store::{Session, StoreError};

/// Additions to sessions, and to what identities have used.
#[derive(Default)]
pub struct Tally {
    sessions: BTreeMap<(String, String, String), Session>,
    used: Used,
}

impl Tally {
    pub fn count(&mut self, entry: &Entry) {
        let (Entry::Exchange(record), Some(id)) = (entry, entry.session()) else { return };
        self.used.count(record);
        let (issuer, subject) =
            record.principal.as_ref().map_or(("", ""), |who| (who.issuer.as_str(), who.subject.as_str()));
        let session = self
            .sessions
            .entry((id.to_owned(), issuer.to_owned(), subject.to_owned()))
            .or_insert_with(|| Session {
                session: id.to_owned(),
                named: record.session.is_some(),
                issuer: issuer.to_owned(),
                subject: subject.to_owned(),
                first_ms: record.at_ms,
                last_ms: record.at_ms,
                exchanges: 0,
                denied: 0,
                held: 0,
                findings: 0,
                input_tokens: 0,
                output_tokens: 0,
            });
        session.first_ms = session.first_ms.min(record.at_ms);
        session.last_ms = session.last_ms.max(record.at_ms);
        session.exchanges += u64::from(record.stage == Stage::Open);
        let acted = |action| record.decisions.iter().filter(|d| d.did(action)).count() as u64;
        session.denied += acted(Action::Deny);
        session.held += acted(Action::Hold);
        session.findings += record.findings.values().map(|n| u64::from(*n)).sum::<u64>();
        if let Some(usage) = record.usage {
            // What a provider writes into a reply is no reason to overflow.
            for tokens in
                [usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens]
            {
                session.input_tokens = session.input_tokens.saturating_add(tokens);
            }
            session.output_tokens = session.output_tokens.saturating_add(usage.output_tokens);
        }
    }

    pub async fn write(self, connection: &mut Connection) -> Result<(), StoreError> {
        for session in self.sessions.values() {
            sqlx::query(
                "INSERT INTO sessions (session, issuer, subject, named, first_ms, last_ms, exchanges, denied,
                                       held, findings, input_tokens, output_tokens)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
                 ON CONFLICT (session, issuer, subject) DO UPDATE SET
                   first_ms = CASE WHEN excluded.first_ms < sessions.first_ms
                              THEN excluded.first_ms ELSE sessions.first_ms END,
                   last_ms = CASE WHEN excluded.last_ms > sessions.last_ms
                             THEN excluded.last_ms ELSE sessions.last_ms END,
                   exchanges = sessions.exchanges + excluded.exchanges,
                   denied = sessions.denied + excluded.denied,
                   held = sessions.held + excluded.held,
                   findings = sessions.findings + excluded.findings,
                   input_tokens = sessions.input_tokens + excluded.input_tokens,
                   output_tokens = sessions.output_tokens + excluded.output_tokens",
            )
            .bind(column(&session.session))
            .bind(column(&session.issuer))
            .bind(column(&session.subject))
            .bind(session.named)
            .bind(signed(session.first_ms))
            .bind(signed(session.last_ms))
            .bind(signed(session.exchanges))
            .bind(signed(session.denied))
            .bind(signed(session.held))
            .bind(signed(session.findings))
            .bind(signed(session.input_tokens))
            .bind(signed(session.output_tokens))
            .execute(&mut *connection)
            .await?;
        }
        self.used.write(connection).await
    }
}
