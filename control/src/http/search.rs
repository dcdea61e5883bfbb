//! The search for sessions: by what is counted of them, and by words in what was said.

use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};

use super::records::{Sessions, which_sessions};
use super::{Control, Problem, Query};
use crate::search::{Term, terms};
use crate::store::{Session, WhichSessions};

/// The longest text that is searched for, in bytes.
const LONGEST: usize = 500;

/// Words and phrases of one search.
const TERMS: usize = 16;

/// What was searched for in texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Searched {
    /// The words and phrases as they were looked for; none: nothing in the text is a word, and nothing is found.
    pub terms: Vec<String>,
    /// Those of them that stand in so many texts that only the latest count: five thousand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub common: Vec<String>,
    /// Entries of the log that the index has not taken in yet: about so many.
    pub behind: u64,
}

/// The sessions that fit.
pub async fn find(control: &Control, query: &Query) -> Result<Sessions, Problem> {
    let which = which_sessions(query)?;
    let text = query.get("text").map(|text| text.trim()).filter(|text| !text.is_empty());
    let Some(text) = text else { return found(control, which, None).await };
    if text.len() > LONGEST {
        return Err(Problem::bad_request(format!("`text` takes at most {LONGEST} bytes")));
    }
    let terms = terms(text);
    if terms.len() > TERMS {
        return Err(Problem::bad_request(format!("`text` takes at most {TERMS} words and phrases")));
    }
    let indexed = control.store.indexed().await?;
    let behind = u64::try_from(indexed.last.saturating_sub(indexed.done)).unwrap_or_default();
    let standing = try_join_all(terms.iter().map(|term| control.store.texts_with(term))).await?;
    let (mut texts, mut common) = (Vec::new(), Vec::new());
    for (term, standing) in terms.iter().zip(standing) {
        texts.push(standing.texts);
        common.extend(standing.common.then(|| shown(term)));
    }
    let searched = Searched { terms: terms.iter().map(shown).collect(), common, behind };
    if terms.is_empty() {
        return Ok(Sessions { sessions: Vec::new(), next: None, searched: Some(searched) });
    }
    found(control, WhichSessions { texts, ..which }, Some(searched)).await
}

/// A term, as it could be asked for again.
fn shown(term: &Term) -> String {
    let words = term.words.join(" ");
    let words = if term.words.len() > 1 { format!("\"{words}\"") } else { words };
    if term.begins { format!("{words}*") } else { words }
}

async fn found(
    control: &Control,
    which: WhichSessions,
    searched: Option<Searched>,
) -> Result<Sessions, Problem> {
    let limit = which.limit as usize;
    let sessions = control.store.sessions(which).await?;
    let full = sessions.len() >= limit;
    let next = sessions.last().filter(|_| full).map(cursor);
    Ok(Sessions { sessions, next, searched })
}

fn cursor(session: &Session) -> String {
    format!("{}:{}", session.last_ms, session.session)
}
