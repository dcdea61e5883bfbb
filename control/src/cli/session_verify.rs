//! `sluice sessions verify`: is one session what was written?

use axum::http::Method;
use clap::Args;

use super::api::escape;
use super::print::{Paint, clean_line, say};
use super::{Failure, Outcome, Output, Service};
use crate::records::SessionReport;

/// Say whether a session is what was written: nothing of it altered, removed, moved or added.
///
/// Its entries are followed through the log to the signatures of those who wrote them, and its texts are compared with
/// their digests. What was cut off before its beginning or behind its end shows in `sluice records verify`, which reads
/// the whole log.
#[derive(Debug, Args)]
pub struct VerifySession {
    #[command(flatten)]
    service: Service,
    /// The session's id; `sluice sessions ls` lists them.
    session: String,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

impl VerifySession {
    pub async fn run(self) -> Outcome {
        let path = format!("/v1/sessions/{}/chain", escape(&self.session));
        let report: SessionReport = self.service.json(Method::GET, &path, None).await?;
        if self.output == Output::Json {
            say(&serde_json::to_string(&report).map_err(Failure::cannot)?);
        } else {
            tell(&report);
        }
        if report.sound { Ok(()) } else { Err(Failure::No("the session's chain is broken".into())) }
    }
}

fn tell(report: &SessionReport) {
    let paint = Paint::detect();
    for span in &report.writers {
        say(&format!("writer {}: entries {} to {}", clean_line(&span.writer), span.from, span.to));
    }
    say(&format!("{} entries of the session, {} blocks", report.entries, report.blocks));
    if report.removed > 0 {
        say(&format!("{} blocks were removed by retention", report.removed));
    }
    for fault in &report.problems {
        let place = match (fault.number, &fault.exchange) {
            (Some(number), Some(id)) => {
                let next_to = if fault.between { "next to " } else { "" };
                format!("{next_to}exchange {number} ({}): ", clean_line(id))
            }
            _ => String::new(),
        };
        say(&format!("  {place}{}", paint.red(&clean_line(&fault.what.to_string()))));
    }
    for unread in &report.unread {
        say(&format!("not read, since it is too much: {unread}; `sluice records verify` reads all"));
    }
    if report.sound {
        let what = if report.whole { "the session is" } else { "what was read of the session is" };
        say(&paint.green(&format!("{what} what was written")));
    }
}
