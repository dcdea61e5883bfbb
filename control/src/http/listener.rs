//! The listener: how many connections there may be, and how long one may take to say what it wants.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tower::ServiceExt as _;

use crate::tls::{Peer, Tls};

/// Connections at once. Each sidecar that polls or waits for a hold has one.
const CONNECTIONS: usize = 20_000;

/// Connections of one address at once: a cluster's egress or an ingress may bring many callers.
const OF_ONE: usize = 4096;

/// How long the head of a request may take, and how long a connection may idle before the next one: HTTP/1 of the library
/// counts both together. Longer than Envoy lets one lie idle between two polls.
const HEAD: Duration = Duration::from_secs(75);

/// HTTP/2 pings at this pace find connections whose other end is gone.
const PING: Duration = Duration::from_secs(30);

/// Requests at once on one HTTP/2 connection.
const STREAMS: u32 = 1024;

/// After an error of the listener itself, as when there are no file descriptors left.
const PAUSE: Duration = Duration::from_millis(100);

/// Connections by address.
type Peers = Arc<Mutex<HashMap<IpAddr, usize>>>;

/// A connection that is counted for as long as it lives.
struct Counted {
    peers: Peers,
    peer: IpAddr,
}

impl Counted {
    fn new(peers: &Peers, peer: IpAddr) -> Option<Self> {
        let mut all = peers.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(peer).or_default();
        if *count >= OF_ONE {
            return None;
        }
        *count += 1;
        Some(Self { peers: Arc::clone(peers), peer })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut all = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.peer);
            }
        }
    }
}

/// Answers until `ended`, and then until every answer that is on its way is out. Who calls stands in the extensions of
/// each request, as [`ConnectInfo`]: the address, and under TLS what the certificate says.
pub async fn serve(listener: TcpListener, tls: Option<Tls>, app: Router, ended: impl Future<Output = ()>) {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
    let http2 = &mut builder.http2();
    http2.timer(TokioTimer::new()).keep_alive_interval(PING).max_concurrent_streams(STREAMS);
    let (graceful, slots, peers) =
        (GracefulShutdown::new(), Arc::new(Semaphore::new(CONNECTIONS)), Peers::default());
    tokio::pin!(ended);
    loop {
        let accepted = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            listener.accept().await.map(|accepted| (accepted, slot))
        };
        let ((stream, address), slot) = tokio::select! {
            accepted = accepted => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            },
            () = &mut ended => break,
        };
        let Some(counted) = Counted::new(&peers, address.ip()) else {
            tracing::warn!(peer = %address.ip(), "an address has {OF_ONE} connections; another one of it was refused");
            continue;
        };
        // Small answers must not wait for the other side's acknowledgement of the one before.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps Nagle's algorithm");
        }
        let (app, builder, watcher) = (app.clone(), builder.clone(), graceful.watcher());
        let begun = match &tls {
            Some(tls) => Begun::Tls(Box::pin(tls.accept(stream))),
            None => Begun::Plain(stream),
        };
        tokio::spawn(async move {
            let _held = (slot, counted);
            let answered = match begun {
                Begun::Plain(stream) => answer(&builder, watcher, stream, app, address, None).await,
                Begun::Tls(shaking) => match shaking.await {
                    Some((stream, peer)) => answer(&builder, watcher, stream, app, address, Some(peer)).await,
                    None => Ok(()),
                },
            };
            if let Err(error) = answered {
                tracing::debug!(%error, "a connection ended badly");
            }
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

/// A connection that has come.
enum Begun<F> {
    Plain(TcpStream),
    /// Hands are being shaken.
    Tls(F),
}

/// Answers the requests of one connection.
async fn answer(
    builder: &Builder<TokioExecutor>,
    watcher: Watcher,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    app: Router,
    address: SocketAddr,
    peer: Option<Peer>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo::<SocketAddr>(address));
        if let Some(peer) = &peer {
            request.extensions_mut().insert(ConnectInfo(peer.clone()));
        }
        app.clone().oneshot(request)
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
    watcher.watch(connection).await
}
