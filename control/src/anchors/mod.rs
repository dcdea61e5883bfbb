//! Checkpoints kept elsewhere: this replica's signed head, written to a file, sent to a webhook, and kept in a ConfigMap.
//!
//! Whoever can write to the database can cut off the end of the log with an older signed head in its place. A checkpoint
//! that stands somewhere else shows it: `sluice records verify --checkpoints FILE`. The longer the time between two, the
//! more can be cut off unseen.

mod config_map;
mod file;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use serde_json::json;
use sluice_engine::record::checkpoint::Checkpoint;
use zeroize::Zeroizing;

use crate::client::{Call, Client};
use crate::http::Control;
use crate::records::writer_name;

pub use config_map::{ACCOUNT, ConfigMap, NotKept};
pub use file::append;

/// How long a webhook may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How large its answer may be: only the status counts.
const LIMIT: usize = 64 << 10;

/// A webhook that fails is tried again after this, and twice as long each time, up to what lies between checkpoints.
const RETRY: Duration = Duration::from_secs(2);

/// Where checkpoints go.
#[derive(Debug, Clone, Default)]
pub struct Anchors {
    /// A file that each is added to.
    pub file: Option<PathBuf>,
    /// A URL that each is sent to by POST.
    pub url: Option<String>,
    /// A bearer token for it.
    pub token: Option<Zeroizing<String>>,
    /// A ConfigMap that has the last one of each replica.
    pub config_map: Option<ConfigMap>,
    /// How often it is looked whether there is a new one.
    pub every: Duration,
}

/// What became of checkpoints, for metrics and readiness.
#[derive(Debug, Clone, Default)]
pub struct Kept {
    /// Checkpoints that were kept, at each place.
    pub kept: prometheus_client::metrics::counter::Counter,
    /// Times that one could not be kept.
    pub failed: prometheus_client::metrics::counter::Counter,
    /// Times that one was found elsewhere that the log, as it is now, contradicts.
    pub contradicted: prometheus_client::metrics::counter::Counter,
}

/// The number of the last entry that each place has.
#[derive(Debug, Default, Clone, Copy)]
struct Sent {
    file: u64,
    url: u64,
    config_map: u64,
}

impl Anchors {
    /// Sends each new checkpoint, for ever, and the last one when the service ends.
    pub async fn run(self, control: Arc<Control>) {
        if self.file.is_none() && self.url.is_none() && self.config_map.is_none() {
            return;
        }
        let client = Client::new();
        let mut closing = control.closing.clone();
        let mut sent = Sent::default();
        let mut retry = RETRY;
        loop {
            let good = self.send(&control, &client, &mut sent).await;
            if *closing.borrow() {
                return;
            }
            retry = if good { RETRY } else { retry.saturating_mul(2) };
            let pause = if good { self.every } else { retry.min(self.every) };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = closing.wait_for(|closing| *closing) => {}
            }
        }
    }

    /// Says whether every place has the newest checkpoint.
    async fn send(&self, control: &Control, client: &Client, sent: &mut Sent) -> bool {
        let own = writer_name(&control.writers.own);
        let head = match control.store.heads().await {
            Ok(heads) => heads.into_iter().find(|head| head.writer == own),
            Err(error) => {
                tracing::error!(%error, "checkpoint: the head of the log cannot be read");
                control.metrics.checkpoints.failed.inc();
                return false;
            }
        };
        // Nothing is written yet.
        let Some(head) = head else { return true };
        let at = Checkpoint { writer: head.writer, seq: head.seq, hash: head.hash };
        let signature = <[u8; 64]>::try_from(head.signature.as_slice()).ok();
        let signature = signature.filter(|signature| at.is_signed(signature, &control.writers.own));
        let Some(signature) = signature else {
            tracing::error!(
                seq = at.seq,
                "checkpoint: the head of the log is not signed by this service's record key"
            );
            control.metrics.checkpoints.failed.inc();
            return false;
        };
        let note = at.note(&signature, &control.writers.own);
        let mut good = true;
        if let Some(path) = self.file.as_ref().filter(|_| at.seq > sent.file) {
            let (path, text) = (path.clone(), note.clone());
            let written = tokio::task::spawn_blocking(move || append(&path, &text)).await;
            let written = written.map_err(|e| e.to_string()).and_then(|done| done.map_err(|e| e.to_string()));
            good &= self.note_outcome(control, written, "file", at.seq, &mut sent.file);
        }
        if let Some(url) = self.url.as_ref().filter(|_| at.seq > sent.url) {
            let body = json!({"type": "checkpoint", "writer": at.writer, "seq": at.seq, "checkpoint": note});
            let token = self.token.as_ref().map(|token| token.as_str());
            let body = Some(body.to_string());
            let call = Call { method: Method::POST, url, token, body, timeout: TIMEOUT, limit: LIMIT };
            let outcome = match client.call(call).await {
                Ok(answer) if answer.status.is_success() => Ok(()),
                Ok(answer) => Err(format!("it answered {}", answer.status)),
                Err(error) => Err(error.to_string()),
            };
            good &= self.note_outcome(control, outcome, "webhook", at.seq, &mut sent.url);
        }
        if let Some(map) = self.config_map.as_ref().filter(|_| at.seq > sent.config_map) {
            let outcome = map.keep(&*control.store, &at, &note, &control.writers.own).await;
            if let Err(NotKept::Contradicted(_)) = &outcome {
                control.metrics.checkpoints.contradicted.inc();
            }
            let outcome = outcome.map_err(|(NotKept::Failed(why) | NotKept::Contradicted(why))| why);
            good &= self.note_outcome(control, outcome, "ConfigMap", at.seq, &mut sent.config_map);
        }
        good
    }

    fn note_outcome(
        &self,
        control: &Control,
        outcome: Result<(), String>,
        place: &'static str,
        seq: u64,
        sent: &mut u64,
    ) -> bool {
        match outcome {
            Ok(()) => {
                *sent = seq;
                control.metrics.checkpoints.kept.inc();
                true
            }
            Err(why) => {
                tracing::error!(place, "a checkpoint was not kept; it is tried again: {why}");
                control.metrics.checkpoints.failed.inc();
                false
            }
        }
    }
}
