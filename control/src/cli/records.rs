//! `sluice sessions` and `sluice records`.

use std::collections::HashMap;
use std::path::PathBuf;

use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use clap::{Args, Subcommand, ValueEnum};
use ed25519_dalek::VerifyingKey;
use serde_json::Value;
use sluice_engine::policy::bundle::verifying_key;
use sluice_engine::record::chain::{Hash, Problem, Verifier};
use sluice_engine::record::checkpoint::Checkpoint;

use super::api::escape;
use super::compact::Compact;
use super::compare::Compare;
use super::print::{Paint, clean_line, say, short, table, time};
use super::replay::Recorded;
use super::session_verify::VerifySession;
use super::{Failure, Outcome, Output, Service};
use crate::http::VerifyAsk;
use crate::keys::Keys;
use crate::records::lines::Line;
use crate::records::{Kept, Report, WriterReport, open_kept, verify, writer_name};
use crate::serve::DATABASE;
use crate::store::{Session, sqlite::Sqlite};

/// See the sessions in the record.
#[derive(Debug, Subcommand)]
pub enum Sessions {
    /// List sessions, the latest first. Exchanges of clients that send no session stand for themselves.
    Ls(List),
    Compare(Compare),
    Verify(VerifySession),
}

/// Which sessions, and how.
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    service: Service,
    /// Only this caller's.
    #[arg(long, value_name = "NAME")]
    subject: Option<String>,
    /// Only callers in whose names this stands, in whatever case.
    #[arg(long, value_name = "PART")]
    person: Option<String>,
    /// Only callers with this group.
    #[arg(long)]
    group: Option<String>,
    /// Only where this model answered.
    #[arg(long)]
    model: Option<String>,
    /// Only where this tool was called or decided about.
    #[arg(long)]
    tool: Option<String>,
    /// Only where this rule decided.
    #[arg(long)]
    rule: Option<String>,
    /// Only where this kind was found.
    #[arg(long, value_name = "KIND")]
    finding: Option<String>,
    /// Only with such decisions: denied, held, allowed.
    #[arg(long)]
    verdict: Option<String>,
    /// Only where these were said, as recorded and masked: words, "phrases" between quotes, `begin*`.
    #[arg(long)]
    text: Option<String>,
    /// Only those seen on this day (UTC) or later; or Unix milliseconds.
    #[arg(long, value_name = "DAY")]
    since: Option<String>,
    /// Only those that began on this day or before.
    #[arg(long, value_name = "DAY")]
    until: Option<String>,
    /// How many.
    #[arg(long, default_value_t = 50)]
    limit: u32,
    /// The page after this point: what `next` said.
    #[arg(long, value_name = "NEXT")]
    before: Option<String>,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

/// Verify and export the record.
#[derive(Debug, Subcommand)]
pub enum Records {
    /// Say whether the log is what was written: nothing altered, removed, moved or cut off.
    Verify(Verify),
    /// Write the log: itself, with the signed head as its last line, or as events for a SIEM, or as a table.
    Export(Export),
    /// Show one exchange step by step, as it was recorded and so masked.
    Exchange(Recorded),
    /// Make SQLite's file as small as what is in it: what retention has removed leaves room that only new records use.
    Compact(Compact),
}

/// What is verified.
#[derive(Debug, Args)]
pub struct Verify {
    #[command(flatten)]
    service: Service,
    /// Read this state directory's database instead of asking the service. The service may be running.
    #[arg(long, value_name = "DIR", conflicts_with = "file")]
    state: Option<PathBuf>,
    /// Read an export instead of asking the service; needs --key.
    #[arg(long, value_name = "FILE", requires = "keys")]
    file: Option<PathBuf>,
    /// The record key that signs heads, as `sluice keys show` prints it; of each replica. For --file.
    #[arg(long = "key", value_name = "BASE64")]
    keys: Vec<String>,
    /// A file with checkpoints that were kept elsewhere (`sluice serve --checkpoint-file`): the log must still contain
    /// what they say.
    #[arg(long, alias = "checkpoint", value_name = "FILE")]
    checkpoints: Option<PathBuf>,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

/// What is exported.
#[derive(Debug, Args)]
pub struct Export {
    #[command(flatten)]
    service: Service,
    /// Go on behind this cursor: the last one of an earlier export.
    #[arg(long, default_value_t = 0, value_name = "CURSOR")]
    after: u64,
    /// At most this many entries.
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// With the (masked) texts that records name, each once, before the first record that needs it. For ndjson.
    #[arg(long)]
    blocks: bool,
    /// How to write it.
    #[arg(long, default_value = "ndjson")]
    format: Format,
}

/// How entries are exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The log itself, one JSON object a line; can be verified (`sluice records verify --file`).
    Ndjson,
    /// Events of OCSF 1.3, one a line, for a SIEM: without texts.
    Ocsf,
    /// A table, for a spreadsheet: without texts.
    Csv,
}

impl Sessions {
    pub async fn run(self) -> Outcome {
        let asked = match self {
            Self::Ls(asked) => asked,
            Self::Compare(compare) => return compare.run().await,
            Self::Verify(verify) => return verify.run().await,
        };
        let mut path = format!("/v1/sessions?limit={}", asked.limit);
        for (name, value) in [
            ("subject", &asked.subject),
            ("person", &asked.person),
            ("group", &asked.group),
            ("model", &asked.model),
            ("tool", &asked.tool),
            ("rule", &asked.rule),
            ("finding", &asked.finding),
            ("verdict", &asked.verdict),
            ("text", &asked.text),
            ("since", &asked.since),
            ("until", &asked.until),
            ("before", &asked.before),
        ] {
            if let Some(value) = value {
                path.push_str(&format!("&{name}={}", escape(value)));
            }
        }
        let answer: Value = asked.service.json(Method::GET, &path, None).await?;
        if asked.output == Output::Json {
            say(&answer.to_string());
            return Ok(());
        }
        if let Some(searched) = answer.get("searched") {
            let behind = searched.get("behind").and_then(Value::as_u64).unwrap_or_default();
            if behind > 0 {
                say(&format!("the index is {behind} entries of the log behind"));
            }
        }
        let sessions = answer.get("sessions").cloned().unwrap_or_default();
        let sessions: Vec<Session> = serde_json::from_value(sessions).map_err(Failure::cannot)?;
        if sessions.is_empty() {
            say("nothing here");
            return Ok(());
        }
        let rows: Vec<Vec<String>> = sessions.iter().map(row).collect();
        let head =
            ["SESSION", "WHO", "LAST (UTC)", "EXCHANGES", "DENIED", "HELD", "FINDINGS", "TOKENS IN", "OUT"];
        say(&table(&head, &rows, Paint::detect()));
        if let Some(next) = answer.get("next").and_then(Value::as_str) {
            say(&format!("more: --before {}", clean_line(next)));
        }
        Ok(())
    }
}

fn row(session: &Session) -> Vec<String> {
    let who = if session.subject.is_empty() { "(not verified)" } else { &session.subject };
    vec![
        clean_line(&session.session),
        short(&clean_line(who), 32),
        time(session.last_ms),
        session.exchanges.to_string(),
        session.denied.to_string(),
        session.held.to_string(),
        session.findings.to_string(),
        session.input_tokens.to_string(),
        session.output_tokens.to_string(),
    ]
}

impl Records {
    pub async fn run(self) -> Outcome {
        match self {
            Self::Verify(asked) => asked.run().await,
            Self::Exchange(asked) => asked.exchange().await,
            Self::Compact(compact) => compact.run().await,
            Self::Export(asked) => {
                if asked.blocks && asked.format != Format::Ndjson {
                    let why = "--blocks goes with --format ndjson alone: events and tables carry no texts";
                    return Err(Failure::cannot(why));
                }
                let mut path = format!("/v1/records?after={}&blocks={}", asked.after, asked.blocks);
                if let Some(limit) = asked.limit {
                    path.push_str(&format!("&limit={limit}"));
                }
                let format = asked.format.to_possible_value();
                path.extend(format.map(|format| format!("&format={}", format.get_name())));
                say(asked.service.text(Method::GET, &path, None).await?.trim_end());
                Ok(())
            }
        }
    }
}

impl Verify {
    async fn run(self) -> Outcome {
        let note = match &self.checkpoints {
            None => None,
            Some(path) => {
                let read = std::fs::read_to_string(path);
                Some(read.map_err(|e| Failure::cannot(format!("{}: {e}", path.display())))?)
            }
        };
        let report = match (&self.state, &self.file) {
            (Some(state), _) => {
                let keys = Keys::open(state, None).map_err(Failure::cannot)?;
                let store = Sqlite::open_to_read(&state.join(DATABASE)).await.map_err(Failure::cannot)?;
                let keys = keys.writers().keys(&store).await.map_err(Failure::cannot)?;
                let against = open_notes(note.as_deref(), &keys)?;
                verify(&store, &keys, &against).await.map_err(Failure::cannot)?
            }
            (None, Some(file)) => {
                let keys: Result<Vec<_>, _> = self.keys.iter().map(|key| verifying_key(key)).collect();
                let keys = keys.map_err(Failure::cannot)?;
                let against = open_notes(note.as_deref(), &keys)?;
                let text = std::fs::read_to_string(file)
                    .map_err(|e| Failure::cannot(format!("{}: {e}", file.display())))?;
                verify_file(&text, &keys, &against)?
            }
            (None, None) => {
                let ask = serde_json::to_string(&VerifyAsk { checkpoint: note }).map_err(Failure::cannot)?;
                self.service.json(Method::POST, "/v1/records/verify", Some(ask)).await?
            }
        };
        if self.output == Output::Json {
            say(&serde_json::to_string(&report).map_err(Failure::cannot)?);
        } else {
            tell(&report);
        }
        if report.sound { Ok(()) } else { Err(Failure::No("the log is not what was written".into())) }
    }
}

fn open_notes(notes: Option<&str>, keys: &[VerifyingKey]) -> Result<Vec<Checkpoint>, Failure> {
    let Some(notes) = notes else { return Ok(Vec::new()) };
    open_kept(notes, keys).map_err(|at| {
        let which = if at == 0 {
            "there is no checkpoint in the file; each".into()
        } else {
            format!("checkpoint {at}")
        };
        Failure::cannot(format!("{which} must be a note that was signed by a writer of this log"))
    })
}

fn tell(report: &Report) {
    let paint = Paint::detect();
    for writer in &report.writers {
        say(&format!("writer {}: {} entries", clean_line(&writer.writer), writer.entries));
        for problem in &writer.problems {
            say(&format!("  {}", paint.red(&problem.to_string())));
        }
        if let Some(note) = &writer.checkpoint {
            say(&format!("\n{}", note.trim_end()));
        }
    }
    say(&format!("\n{} blocks", report.blocks));
    for problem in &report.block_problems {
        say(&format!("  {}", paint.red(&clean_line(&problem.to_string()))));
    }
    if let Some(retention) = &report.retention {
        let through: Vec<String> =
            retention.through.iter().map(|at| format!("{} of {}", at.seq, clean_line(&at.writer))).collect();
        say(&format!(
            "{} blocks last named before {} were removed by retention, up to entry {}",
            retention.blocks,
            time(retention.before_ms),
            through.join(", ")
        ));
    }
    if report.sound {
        say(&paint.green("the log is what was written"));
    }
}

/// A writer's chain in an export.
struct Chain<'k> {
    name: String,
    kept: Kept<'k>,
    key: &'k VerifyingKey,
    verifier: Verifier,
    entries: u64,
    head: Option<(Checkpoint, String)>,
}

/// Verifies an export without the service: each writer's chain from its first entry on, against its head in the
/// last lines.
fn verify_file<'k>(
    text: &str,
    keys: &'k [VerifyingKey],
    against: &'k [Checkpoint],
) -> Result<Report, Failure> {
    let chain = |key| {
        let name = writer_name(key);
        let kept = Kept::of(&name, against);
        Chain { verifier: Verifier::new(&name), name, key, kept, entries: 0, head: None }
    };
    let mut chains: Vec<Chain> = keys.iter().map(chain).collect();
    let mut report = Report::default();
    let mut strangers: HashMap<String, u64> = HashMap::new();
    for (at, text) in text.lines().enumerate() {
        let line: Line = serde_json::from_str(text)
            .map_err(|e| Failure::cannot(format!("line {} is no line of an export: {e}", at + 1)))?;
        if let Some(note) = &line.checkpoint {
            for chain in &mut chains {
                if let Ok(opened) = Checkpoint::open(note, chain.key) {
                    chain.head = Some((opened, note.clone()));
                }
            }
        }
        if let Some(block) = line.block {
            report.blocks += 1;
            if !block.is_sound() {
                report.block_problems.push(crate::records::BlockProblem::Altered { digest: block.digest });
            }
        }
        let (Some(writer), Some(seq), Some(hash), Some(entry)) =
            (line.writer, line.seq, line.hash, line.entry)
        else {
            continue;
        };
        let Some(chain) = chains.iter_mut().find(|chain| chain.name == writer) else {
            *strangers.entry(writer).or_default() += 1;
            continue;
        };
        chain.entries += 1;
        let verifier = &mut chain.verifier;
        verifier.entry(seq, Hash::parse(&hash).unwrap_or(Hash([0; 32])), entry.get().as_bytes());
        if let Some(signature) = line.signature {
            let signature = BASE64.decode(signature).unwrap_or_default();
            verifier.signed(verifier.here().is_signed(&signature, chain.key));
        }
        if !chain.kept.fit(&verifier.here()) {
            verifier.signed(false);
        }
    }
    for chain in chains {
        let reached = chain.verifier.here().seq;
        let mut problems = chain.verifier.finish(chain.head.as_ref().map(|(head, _)| head));
        problems.extend(chain.kept.cut_off(reached));
        let checkpoint = chain.head.map(|(_, note)| note);
        report.writers.push(WriterReport {
            writer: chain.name,
            entries: chain.entries,
            checkpoint,
            problems,
        });
    }
    for (writer, entries) in strangers {
        let problems = vec![Problem::Unsigned { from: 1, to: entries }];
        report.writers.push(WriterReport { writer, entries, checkpoint: None, problems });
    }
    report.sound = report.block_problems.is_empty() && report.writers.iter().all(|w| w.problems.is_empty());
    Ok(report)
}
