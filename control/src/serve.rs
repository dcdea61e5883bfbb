//! The service put together: state directory, store, policy, issuers, HTTP; and its end.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sluice_engine::policy::document::KeySource;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, mpsc, watch};

use crate::anchors::Anchors;
use crate::approvals::Heard;
use crate::client::Client;
use crate::grants::now_live;
use crate::http::{Control, Limits, Rates, app, is_local, listener, tell_overdue};
use crate::issuers::{Keyring, Statuses};
use crate::keys::{DATA_TOKEN, Keys, StateLock, data_token};
use crate::metrics::{self, Metrics};
use crate::notices::{Channels, Dispatcher};
use crate::otlp::Otlp;
use crate::policies::{Loaded, Sources, Status, follow, load, publish, watch as watch_policy};
use crate::proposals::{Origin, begin, follow as follow_policy, record};
use crate::records::{enrolment, writer_name};
use crate::reviews;
use crate::store::{News, Store, StoreError, postgres::Postgres, sqlite::Sqlite};
use crate::tls::{Files, Tls};
use crate::tokens::device::Attempts;
use crate::tokens::introspection::Introspector;
use crate::tokens::revocation::now_revoked;
use crate::tokens::saml::{self, Signatures};
use crate::visits::{Provider, Refusals, SignIns, VisitKey};

/// How often holds are looked over for those whose time is over.
const SWEEP: Duration = Duration::from_secs(2);

/// How long answers that are on their way may take at the end.
const GRACE: Duration = Duration::from_secs(20);

/// File in the state directory that says which URL control's tokens carry, for `sluice token mint`.
pub const ISSUER_FILE: &str = "issuer.url";

/// The database's file in the state directory.
pub const DATABASE: &str = "sluice.db";

/// How the service is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// The state directory.
    pub state: PathBuf,
    /// The policy: a file or a directory.
    pub policy: PathBuf,
    /// Whether policy lives in the store, where proposals change it, and the files are only the first.
    pub policy_from_store: bool,
    /// Where to listen.
    pub listen: SocketAddr,
    /// A file with the data-plane token; absent: the one in the state directory.
    pub data_token: Option<PathBuf>,
    /// The URL of a PostgreSQL database; absent: a file in the state directory.
    pub database: Option<String>,
    /// A directory with the keys that all replicas share; absent: the state directory.
    pub shared_keys: Option<PathBuf>,
    /// A directory with URLs and secrets of the channels in the policy.
    pub notices: Option<PathBuf>,
    /// The URL under which others reach the service, and which its tokens carry as `iss`.
    pub public_url: Option<String>,
    /// How often one caller may call.
    pub rates: Rates,
    /// Where Prometheus asks; absent: nowhere.
    pub metrics: Option<SocketAddr>,
    /// Where checkpoints are kept.
    pub anchors: Anchors,
    /// Where spans and log records go; absent: nowhere.
    pub otlp: Option<Otlp>,
    /// A file with the secret of the client that people sign in by.
    pub sign_in_secret: Option<PathBuf>,
    /// The service's own TLS; absent: it speaks plain HTTP.
    pub tls: Option<Files>,
    /// A directory with the secrets of the clients that control is at introspection endpoints, each in a file of its issuer's
    /// name.
    pub introspection_secrets: Option<PathBuf>,
    /// The program that checks the signatures of SAML assertions.
    pub xmlsec1: PathBuf,
    /// Whether people may say themselves who they are, and sidecars need no token.
    pub dev: bool,
}

/// The time, in Unix milliseconds.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Runs the service until it is told to end.
///
/// # Errors
/// What kept it from starting, in words for whoever started it.
pub async fn serve(options: Options) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let shared = options.shared_keys.as_deref();
    let keys = Keys::open_or_make(&options.state, shared).map_err(|e| text(&e))?;
    let _lock = StateLock::take(&options.state).map_err(|e| text(&e))?;
    let data_token = match &options.data_token {
        Some(file) => data_token(&options.state, Some(file)),
        None => data_token(&options.state, shared.map(|shared| shared.join(DATA_TOKEN)).as_deref()),
    };
    let data_token = data_token.map_err(|e| text(&e))?;
    let from_files = match options.policy_from_store {
        true => None,
        false => Some(load(&options.policy).map_err(|faults| {
            let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
            format!(
                "the policy is not in order, and there is no earlier one to go on with:\n{}",
                lines.join("\n")
            )
        })?),
    };
    let tls = options.tls.clone().map(Tls::open).transpose()?;
    let listener = TcpListener::bind(options.listen)
        .await
        .map_err(|e| format!("cannot listen on {}: {e}; choose another with --listen", options.listen))?;
    let address = listener.local_addr().map_err(|e| text(&e))?;
    let metrics_listener = match options.metrics {
        None => None,
        Some(address) => {
            let listener = TcpListener::bind(address).await.map_err(|e| {
                format!(
                    "cannot listen on {address} for Prometheus: {e}; choose another with --metrics-listen"
                )
            })?;
            let address = listener.local_addr().map_err(|e| text(&e))?;
            tracing::info!(metrics = %address, "Prometheus is answered");
            Some(listener)
        }
    };
    let url = options.public_url.clone().unwrap_or_else(|| {
        let scheme = if options.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{address}")
    });
    let url = url.trim_end_matches('/').to_owned();
    if options.dev {
        check_dev(address, &url)?;
    }
    let issuer_file = options.state.join(ISSUER_FILE);
    std::fs::write(&issuer_file, &url).map_err(|e| format!("{}: {e}", issuer_file.display()))?;
    let issuer = keys.issuer_at(&url);

    let store = open_store(&options, &keys).await.map_err(|e| text(&e))?;
    let (origin, (number, loaded)) = match from_files {
        Some(loaded) => (Origin::Files, (0, loaded)),
        None => (
            Origin::Store { key: keys.bundle.clone(), changed: Arc::new(Notify::new()) },
            begin(&*store, &options.policy, &keys.bundle, now_ms()).await?,
        ),
    };
    warn_of_other_issuer(&loaded, &url);
    if let Some(lacking) = saml::lacking(&loaded.policy, &options.xmlsec1) {
        tracing::warn!("{lacking}");
    }
    let clock: Arc<dyn Fn() -> u64 + Send + Sync> = Arc::new(now_ms);
    let status = Arc::new(Mutex::new(Status {
        version: loaded.version.clone(),
        since_ms: now_ms(),
        files: loaded.files.clone(),
        ..Status::default()
    }));
    let statuses = Statuses::default();
    let loaded = Arc::new(loaded);
    let (keyring, issuer_keys) = Keyring::new(issuer.jwk(), &loaded, Arc::clone(&statuses));
    let (policy, policy_seen) = watch::channel(loaded);
    let (refresh, asked) = mpsc::channel(64);
    let (live, grants) = watch::channel(now_live(&*store, now_ms()).await.map_err(|e| text(&e))?);
    let grants_changed = Arc::new(Notify::new());
    let metrics = Metrics::new(store.meter());
    let (shut_out, revocations) = watch::channel(now_revoked(&*store, now_ms()).await.map_err(|e| text(&e))?);
    let revocations_changed = Arc::new(Notify::new());
    let (held_back, withheld) = watch::channel(reviews::now_withheld(&*store).await.map_err(|e| text(&e))?);
    let withheld_changed = Arc::new(Notify::new());
    let sources = Sources {
        faults: metrics.signing_faults.clone(),
        grants,
        revocations,
        withheld,
        policy: policy_seen.clone(),
        keys: issuer_keys,
        key: keys.bundle.clone(),
        tenant: keys.tenant.clone(),
        clock: Arc::clone(&clock),
    };
    let (bundle, publishing) = publish(sources).map_err(|e| text(&e))?;
    let (close, closing) = watch::channel(false);
    let channels = Channels::new(options.notices.clone());
    let dispatcher = Dispatcher {
        store: Arc::clone(&store),
        bundle: bundle.clone(),
        channels: channels.clone(),
        client: Client::new(),
        public_url: url.clone(),
        clock: Arc::clone(&clock),
    };
    let control = Arc::new(Control {
        channels,
        store: Arc::clone(&store),
        waiters: crate::holds::Waiters::default(),
        grants_changed: Arc::clone(&grants_changed),
        revocations_changed: Arc::clone(&revocations_changed),
        introspector: Introspector::new(options.introspection_secrets.clone()),
        heard: Heard::default(),
        signatures: Signatures::new(&options.xmlsec1, &options.state),
        attempts: Attempts::default(),
        withheld_changed: Arc::clone(&withheld_changed),
        bundle,
        origin: origin.clone(),
        policy: Arc::clone(&status),
        issuers: statuses,
        refresh,
        data_token,
        evidence: reviews::EvidenceKey(keys.bundle.clone()),
        writers: keys.writers(),
        issuer,
        sign_ins: SignIns {
            public_url: url.clone(),
            secret: options.sign_in_secret.clone(),
            provider: Provider::default(),
            dev: options.dev,
            refusals: Refusals::default(),
            key: VisitKey::new(&keys.issuer.to_bytes()),
        },
        clock: Arc::clone(&clock),
        fleet: Arc::default(),
        limits: Limits::new(options.rates),
        metrics,
        closing,
    });
    let mut tasks = vec![
        tokio::spawn(publishing),
        tokio::spawn(record(store.clone(), policy_seen.clone(), Arc::clone(&control.clock))),
        tokio::spawn(keyring.run(policy_seen, asked)),
        match origin {
            Origin::Files => tokio::spawn(watch_policy(options.policy.clone(), policy, status, clock)),
            Origin::Store { .. } => {
                tokio::spawn(follow_policy(store.clone(), origin, number, policy, status, clock))
            }
        },
        tokio::spawn(sweep(Arc::clone(&control))),
        tokio::spawn(dispatcher.run()),
        tokio::spawn(probe(Arc::clone(&control))),
        tokio::spawn(crate::retention::run(Arc::clone(&control))),
        tokio::spawn(crate::search::run(Arc::clone(&control))),
        tokio::spawn(listen(Arc::clone(&control))),
        tokio::spawn(Arc::clone(&control.fleet).keep(Arc::clone(&store))),
        tokio::spawn(reviews::conduct(Arc::clone(&control))),
    ];
    if let Some(otlp) = options.otlp.clone() {
        otlp.begin(&*store).await.map_err(|e| text(&e))?;
        let (instance, sending) = (writer_name(&control.writers.own), control.metrics.otlp.clone());
        let clock = Arc::clone(&control.clock);
        tasks.push(tokio::spawn(otlp.run(Arc::clone(&store), instance, sending, clock)));
    }
    let reader = Arc::clone(&control);
    tasks.push(tokio::spawn(follow(
        grants_changed,
        live,
        "grants cannot be read; those that are out stay until their ends",
        move || {
            let control = Arc::clone(&reader);
            async move { now_live(&*control.store, (control.clock)()).await }
        },
    )));
    let reader = Arc::clone(&control);
    tasks.push(tokio::spawn(follow(
        revocations_changed,
        shut_out,
        "revocations cannot be read; those that are out stay",
        move || {
            let control = Arc::clone(&reader);
            async move { now_revoked(&*control.store, (control.clock)()).await }
        },
    )));
    let reader = Arc::clone(&control);
    tasks.push(tokio::spawn(follow(
        withheld_changed,
        held_back,
        "what reviews took back cannot be read; what is out stays so",
        move || {
            let control = Arc::clone(&reader);
            async move { reviews::now_withheld(&*control.store).await }
        },
    )));
    tracing::info!(
        %address, url, bundle_key = keys.bundle_public(), state = %options.state.display(),
        policy = %options.policy.display(), "sluice control serves"
    );

    if let Some(listener) = metrics_listener {
        tokio::spawn(metrics::serve(listener, Arc::clone(&control)));
    }
    let anchoring = tokio::spawn(options.anchors.clone().run(Arc::clone(&control)));
    let ended = {
        let mut closing = control.closing.clone();
        async move {
            let _closed = closing.wait_for(|closing| *closing).await;
        }
    };
    let tls = tls.map(|(tls, watching)| {
        tasks.push(tokio::spawn(watching));
        tls
    });
    let server = tokio::spawn(listener::serve(listener, tls, app(control), ended));
    wait_for_signal().await?;
    tracing::info!("ending: those who wait are let go, answers on their way are finished");
    close.send_replace(true);
    if tokio::time::timeout(GRACE, server).await.is_err() {
        tracing::warn!("some connections did not end in time and are cut");
    }
    // What was acknowledged until now is in the last checkpoint.
    if tokio::time::timeout(GRACE, anchoring).await.is_err() {
        tracing::warn!("the last checkpoint could not be kept elsewhere in time");
    }
    for task in tasks {
        task.abort();
    }
    store.close().await;
    tracing::info!("ended; everything that was acknowledged is on disk");
    Ok(())
}

async fn open_store(options: &Options, keys: &Keys) -> Result<Arc<dyn Store>, StoreError> {
    let record = keys.record.clone();
    let store: Arc<dyn Store> = match &options.database {
        Some(url) => Arc::new(Postgres::connect(url, record).await?),
        None => Arc::new(Sqlite::open(&options.state.join(DATABASE), record).await?),
    };
    store.enrol(enrolment(&keys.record.verifying_key(), &keys.bundle)).await?;
    Ok(store)
}

/// `--dev` believes everyone: nobody but this machine may call.
fn check_dev(address: SocketAddr, url: &str) -> Result<(), String> {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest).split('/').next().unwrap_or_default();
    if !address.ip().is_loopback() || !is_local(host) {
        return Err(format!(
            "--dev lets everyone in as whoever they say they are, so it is for this machine alone: listen on 127.0.0.1, \
             with a --public-url on it (not {address}, {url})"
        ));
    }
    tracing::warn!(
        "--dev: THIS SERVICE IS OPEN. Whoever reaches it is whoever they say they are, and may call as a sidecar \
         without a token. Never run it like this where others can reach it."
    );
    Ok(())
}

/// Tokens whose `iss` no issuer of the policy has would all be refused; better to say so at once.
fn warn_of_other_issuer(loaded: &Loaded, url: &str) {
    for issuer in &loaded.policy.issuers {
        if issuer.keys == KeySource::Control && issuer.issuer != url {
            tracing::warn!(
                issuer = issuer.name,
                in_policy = issuer.issuer,
                public_url = url,
                "tokens of `sluice token mint` will not be accepted: the policy's issuer with `keys: control` has \
                 another URL than this service; give it with --public-url, or change the policy"
            );
        }
    }
}

/// Ends the holds whose time is over, so that the log says so even when nobody waits; forgets sign-ins that have ended.
async fn sweep(control: Arc<Control>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        if let Err(error) = control.store.forget_tokens((control.clock)()).await {
            tracing::error!(%error, "sign-ins whose time is over could not be forgotten");
        }
        match control.store.expire((control.clock)()).await {
            Ok(ids) => ids.iter().for_each(|id| control.waiters.wake(id)),
            Err(error) => tracing::error!(%error, "holds whose time is over could not be ended"),
        }
        if let Err(error) = control.store.end_visits((control.clock)()).await {
            tracing::error!(%error, "visits whose time is over could not be forgotten");
        }
        tell_overdue(&control).await;
    }
}

/// While the store takes no writes, tries one again and again: a service that is not ready gets no others.
async fn probe(control: Arc<Control>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        if control.store.trouble().is_some() && control.store.probe((control.clock)()).await.is_ok() {
            tracing::info!("the store takes writes again");
        }
    }
}

/// Passes on what other replicas have changed: wakes those who wait for a hold, and has grants read again.
async fn listen(control: Arc<Control>) {
    const AGAIN: Duration = Duration::from_secs(1);
    loop {
        let waking = Arc::clone(&control);
        let error = control.store.listen(Box::new(move |news| match news {
            News::Hold(hold) => waking.waiters.wake(hold),
            News::Grants => waking.grants_changed.notify_one(),
            News::Policy => waking.origin.changed(),
            News::Revocations => waking.revocations_changed.notify_one(),
            News::Withheld => waking.withheld_changed.notify_one(),
            News::Missed => {
                waking.waiters.wake_all();
                waking.grants_changed.notify_one();
                waking.revocations_changed.notify_one();
                waking.withheld_changed.notify_one();
                waking.origin.changed();
            }
        }));
        let error = error.await;
        tracing::warn!(%error, "what other replicas decide is not heard of at the moment");
        tokio::time::sleep(AGAIN).await;
    }
}

async fn wait_for_signal() -> Result<(), String> {
    let listen = |kind| signal(kind).map_err(|e| format!("signals cannot be received: {e}"));
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
