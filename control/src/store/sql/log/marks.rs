//! What sessions can be found by, gathered per transaction.

use std::collections::BTreeSet;

use sqlx::AssertSqlSafe;

use super::super::super::Connection;
use super::super::columns::{ROWS, column, is_usual};
use crate::records::Entry;
use crate::store::numbers::rows_of;
use crate::store::{Mark, StoreError};

/// The longest value that is kept, in characters: some come from callers.
const VALUE: usize = 120;

/// Marks of sessions.
#[derive(Default)]
pub struct Marks(BTreeSet<(Mark, String, String)>);

impl Marks {
    /// Takes in an entry.
    pub fn count(&mut self, entry: &Entry) {
        let (Entry::Exchange(record), Some(session)) = (entry, entry.session()) else { return };
        let groups = record.principal.iter().flat_map(|who| &who.groups).map(|group| (Mark::Group, group));
        // A model that was only asked for is a name that a caller made up.
        let model = record.model.iter().filter(|_| record.usage.is_some()).map(|model| (Mark::Model, model));
        let decided = record.decisions.iter().filter(|one| !one.left_out);
        let rules = decided.clone().map(|one| (Mark::Rule, &one.rule));
        let tools = decided.filter_map(|one| Some((Mark::Tool, one.tool.as_ref()?)));
        let kinds = record.findings.keys().map(|kind| (Mark::Finding, kind));
        let called = record.calls.keys().map(|tool| (Mark::Tool, tool));
        for (mark, value) in groups.chain(model).chain(rules).chain(tools).chain(called).chain(kinds) {
            let value = column(&value.chars().take(VALUE).collect::<String>());
            self.0.insert((mark, value, column(session)));
        }
    }

    /// Writes them; one that is there already is left alone.
    pub async fn write(&self, connection: &mut Connection) -> Result<(), StoreError> {
        let rows: Vec<_> = self.0.iter().collect();
        for some in rows.chunks(ROWS) {
            let values = rows_of(some.len(), 3);
            let sql = format!(
                "INSERT INTO session_marks (kind, value, session) VALUES {values} ON CONFLICT DO NOTHING"
            );
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for (mark, value, session) in some {
                query = query.bind(mark.word()).bind(value.clone()).bind(session.clone());
            }
            query.persistent(is_usual(some.len())).execute(&mut *connection).await?;
        }
        Ok(())
    }
}
