//! Definitions of MCP servers' tools, kept as holds: what is approved is an approved hold, what changed is one that
//! waits. All definitions of one tool share a thread; the one that was listed last is its newest.

use sha2::{Digest as _, Sha256};
use sluice_engine::record::Who;
use sluice_engine::wire::{HoldAsk, HoldDecision, ToolDefinition, ToolKey, ToolsSeen};
use sqlx::AssertSqlSafe;

use super::super::writer::signed;
use super::{COLUMNS, Connection, decide, open, read};
use crate::holds::Hold;
use crate::records::Entry;
use crate::store::{Decision, StoreError};

/// Compares a list of tools with what is approved; opens a hold for each definition that is not. Gives the names of
/// those tools.
pub async fn seen(
    connection: &mut Connection,
    seen: &ToolsSeen,
    now_ms: u64,
    log: &mut Vec<Entry>,
) -> Result<Vec<String>, StoreError> {
    let mut unapproved = Vec::new();
    for tool in &seen.tools {
        let hold = settle(connection, seen, tool, now_ms, log).await?;
        if hold.state != HoldDecision::Approved {
            unapproved.push(tool.tool.clone());
        }
    }
    Ok(unapproved)
}

/// The hold of the definition of a tool that is called: that which was listed last.
pub async fn called(
    connection: &mut Connection,
    ask: &HoldAsk,
    tool: &ToolKey,
    now_ms: u64,
    log: &mut Vec<Entry>,
) -> Result<Hold, StoreError> {
    let thread = digest(&[&tool.server, &tool.tool]);
    let Some(hold) = newest(connection, "thread", &thread).await?.map(|hold| hold.at(now_ms)) else {
        return Ok(unlisted(ask, tool, now_ms));
    };
    match hold.state {
        HoldDecision::Approved if hold.ask.definition.is_some() => Ok(passed(hold)),
        HoldDecision::Denied | HoldDecision::Expired if !hold.is_remembered(now_ms) => {
            let asked = HoldAsk { exchange: ask.exchange.clone(), who: ask.who.clone(), ..hold.ask };
            open(connection, &asked, now_ms, log).await
        }
        _ => Ok(hold),
    }
}

/// An approval that needs no word in anybody's record: its hold goes unnamed.
fn passed(hold: Hold) -> Hold {
    Hold { id: String::new(), ..hold }
}

/// A tool that was never listed: called, or refused, as policy trusts.
fn unlisted(ask: &HoldAsk, tool: &ToolKey, now_ms: u64) -> Hold {
    let state = if tool.trust { HoldDecision::Approved } else { HoldDecision::Denied };
    let decided = crate::holds::DecidedBy {
        issuer: "sluice".into(),
        subject: "Sluice".into(),
        at_ms: now_ms,
        reason: Some("its definition was never seen; list the server's tools first".into()),
    };
    Hold {
        id: String::new(),
        state,
        created_ms: now_ms,
        expires_ms: now_ms,
        ask: ask.clone(),
        decided: Some(decided),
        used: None,
    }
}

async fn settle(
    connection: &mut Connection,
    seen: &ToolsSeen,
    tool: &ToolDefinition,
    now_ms: u64,
    log: &mut Vec<Entry>,
) -> Result<Hold, StoreError> {
    let thread = digest(&[&seen.server, &tool.tool]);
    let key = digest(&[&seen.server, &tool.tool, &tool.digest]);
    let latest = newest(connection, "thread", &thread).await?;
    if let Some(hold) = newest(connection, "key", &key).await?.map(|hold| hold.at(now_ms)) {
        let counts = matches!(hold.state, HoldDecision::Approved | HoldDecision::Waiting);
        if counts || hold.is_remembered(now_ms) {
            if latest.is_some_and(|latest| latest.id != hold.id) {
                // The server went back to it: it is what a call meets now.
                sqlx::query("UPDATE holds SET created_ms = $1 WHERE id = $2")
                    .bind(signed(now_ms))
                    .bind(&hold.id)
                    .execute(connection)
                    .await?;
            }
            return Ok(hold);
        }
    }
    let approved = last_approved(connection, &thread).await?;
    let before = approved.and_then(|hold| hold.ask.definition).map(|definition| definition.text);
    let ask = HoldAsk {
        key,
        thread,
        tool: Some(format!("mcp__{}__{}", seen.server, tool.tool)),
        preview: before.map_or_else(|| tool.definition.clone(), |before| change(&before, &tool.definition)),
        definition: Some(ToolKey {
            server: seen.server.clone(),
            tool: tool.tool.clone(),
            digest: Some(tool.digest.clone()),
            trust: seen.trust,
            text: tool.definition.clone(),
        }),
        ..seen.ask.clone()
    };
    let hold = open(connection, &ask, now_ms, log).await?;
    if !seen.trust || latest.is_some() {
        return Ok(hold);
    }
    let by = Who { issuer: "sluice".into(), subject: "first seen".into(), groups: Vec::new() };
    let reason = Some("policy trusts the first definition of a tool".to_owned());
    decide(connection, &Decision { hold: hold.id.clone(), approve: true, by, reason }, now_ms, log).await?;
    Ok(Hold { state: HoldDecision::Approved, ..hold })
}

/// The newest hold with this value in a column of digests.
async fn newest(
    connection: &mut Connection,
    column: &'static str,
    value: &str,
) -> Result<Option<Hold>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM holds WHERE {column} = $1 ORDER BY created_ms DESC, rowid DESC LIMIT 1"
    );
    let row = sqlx::query(AssertSqlSafe(sql)).bind(value).fetch_optional(connection).await?;
    row.as_ref().map(read).transpose()
}

async fn last_approved(connection: &mut Connection, thread: &str) -> Result<Option<Hold>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM holds WHERE thread = $1 AND state = 'approved' \
         ORDER BY created_ms DESC, rowid DESC LIMIT 1"
    );
    let row = sqlx::query(AssertSqlSafe(sql)).bind(thread).fetch_optional(connection).await?;
    row.as_ref().map(read).transpose()
}

/// What is gone and what is new, line by line, for reviewers.
fn change(before: &str, after: &str) -> String {
    let only = |own: &str, other: &str, sign: char| -> Vec<String> {
        let missing = own.lines().filter(|line| !other.lines().any(|known| known == *line));
        missing.map(|line| format!("{sign} {line}")).collect()
    };
    let mut lines = only(before, after, '-');
    lines.extend(only(after, before, '+'));
    lines.join("\n")
}

/// Hexadecimal SHA-256 of parts, each with its length.
fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    hash.update(b"sluice tool definition");
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_shows_what_is_gone_and_what_is_new() {
        let before = "description: Reads a note.\nname: read";
        let after = "description: Reads a note.\nThen mail it.\nname: read\ntitle: Read";
        assert_eq!(change(before, after), "+ Then mail it.\n+ title: Read");
        assert_eq!(change(after, before), "- Then mail it.\n- title: Read");
    }
}
