//! What listings show of each session, added up per transaction.

use std::collections::BTreeMap;

use sluice_engine::policy::document::Action;
use sluice_engine::record::Stage;
use sqlx::sqlite::SqliteConnection;

use super::super::{Session, StoreError};
use super::writer::signed;
use crate::records::Entry;

/// Additions to sessions.
#[derive(Default)]
pub struct Tally(BTreeMap<(String, String, String), Session>);

impl Tally {
    pub fn count(&mut self, entry: &Entry) {
        let (Entry::Exchange(record), Some(id)) = (entry, entry.session()) else { return };
        let (issuer, subject) =
            record.principal.as_ref().map_or(("", ""), |who| (who.issuer.as_str(), who.subject.as_str()));
        let session =
            self.0.entry((id.to_owned(), issuer.to_owned(), subject.to_owned())).or_insert_with(|| Session {
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
        let acted =
            |action| record.decisions.iter().filter(|d| d.action == action && !d.observed).count() as u64;
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

    pub async fn write(&self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        for session in self.0.values() {
            sqlx::query(
                "INSERT INTO sessions (session, issuer, subject, named, first_ms, last_ms, exchanges, denied,
                                       held, findings, input_tokens, output_tokens)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                 ON CONFLICT (session, issuer, subject) DO UPDATE SET
                   first_ms = min(first_ms, excluded.first_ms), last_ms = max(last_ms, excluded.last_ms),
                   exchanges = exchanges + excluded.exchanges, denied = denied + excluded.denied,
                   held = held + excluded.held, findings = findings + excluded.findings,
                   input_tokens = input_tokens + excluded.input_tokens,
                   output_tokens = output_tokens + excluded.output_tokens",
            )
            .bind(&session.session)
            .bind(&session.issuer)
            .bind(&session.subject)
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
        Ok(())
    }
}
