//! Load on an address: one request after the other on each of several connections, and how long they took.

use std::time::{Duration, Instant};

use crate::client::{Ask, ClientError, Connection};

/// What a run measured.
#[derive(Debug, Clone)]
pub struct Measured {
    /// How long each request took, in order of length.
    sorted: Vec<Duration>,
    /// How long the run took.
    whole: Duration,
}

/// What of a request is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timed {
    /// Until the whole reply is there.
    Whole,
    /// Until the first byte of the body is there.
    FirstByte,
}

/// Why a run is worth nothing.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A call failed.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A reply that was not asked for.
    #[error("HTTP {0}: {1}")]
    Status(u16, String),
    /// A task of the run ended.
    #[error("a connection's task ended: {0}")]
    Task(#[from] tokio::task::JoinError),
    /// Nothing was measured.
    #[error("no request was measured")]
    Nothing,
}

impl Measured {
    /// The `q`-th quantile (0 to 1) of the latency.
    pub fn quantile(&self, q: f64) -> Duration {
        let last = self.sorted.len().saturating_sub(1);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an index within the list"
        )]
        let at = (last as f64 * q.clamp(0.0, 1.0)).round() as usize;
        self.sorted.get(at).copied().unwrap_or_default()
    }

    /// Requests a second.
    pub fn rate(&self) -> f64 {
        self.sorted.len() as f64 / self.whole.as_secs_f64().max(f64::EPSILON)
    }

    /// How many requests were measured.
    pub fn count(&self) -> usize {
        self.sorted.len()
    }
}

/// Sends `ask` again and again on `connections` connections, a while to warm up (not counted), then for `time`.
///
/// # Errors
/// At the first reply that is not a 200; see [`LoadError`].
pub async fn run(
    ask: &Ask,
    url: &str,
    connections: usize,
    time: Duration,
    timed: Timed,
) -> Result<Measured, LoadError> {
    let warm = Instant::now() + time / 5;
    let end = warm + time;
    let mut tasks = Vec::new();
    for _ in 0..connections {
        let ask = ask.clone();
        let mut connection = Connection::open(url).await?;
        tasks.push(tokio::spawn(async move {
            let mut lengths = Vec::new();
            while Instant::now() < end {
                let started = Instant::now();
                let took = one(&mut connection, ask.clone(), timed).await?;
                if started >= warm {
                    lengths.push(took);
                }
            }
            Ok::<_, LoadError>(lengths)
        }));
    }
    let mut sorted = Vec::new();
    for task in tasks {
        sorted.extend(task.await??);
    }
    if sorted.is_empty() {
        return Err(LoadError::Nothing);
    }
    sorted.sort_unstable();
    Ok(Measured { sorted, whole: time })
}

async fn one(connection: &mut Connection, ask: Ask, timed: Timed) -> Result<Duration, LoadError> {
    let started = Instant::now();
    let mut opened = connection.open_reply(ask).await?;
    if opened.status != 200 {
        let status = opened.status;
        return Err(LoadError::Status(status, opened.rest().await?.text()));
    }
    let first = opened.next().await?.map(|_| started.elapsed());
    opened.rest().await?;
    match (timed, first) {
        (Timed::FirstByte, Some(first)) => Ok(first),
        _ => Ok(started.elapsed()),
    }
}
