//! The connections of the pages: bounded in number, and each in the time that it may take.
//!
//! Hostile: whoever reaches the port may open connections, send headers a byte at a time, and read
//! no answer.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Extensions, StatusCode};
use axum::middleware::{self, Next};
use axum::response::Response;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::door::{Door, Dropped};
use super::patient::{Mood, Patient};
use super::timed::Timed;
use crate::system::places::{Entry, Place, Places};

/// A connection, secured or not.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A secure connection.
pub struct Secured {
    /// What is read and written.
    pub stream: Box<dyn Stream>,
    /// What the handshake told of the other side: it is among the extensions of each request.
    pub known: Extensions,
}

/// What comes of a handshake: `None` where it failed, of which whoever made it has told.
pub type Handshaking = Pin<Box<dyn Future<Output = Option<Secured>> + Send>>;

/// Makes a secure connection of a plain one, in bounded time.
pub type Secure = Arc<dyn Fn(TcpStream, SocketAddr) -> Handshaking + Send + Sync>;

/// Connections served at the same time. When there are more, those make room who have asked nothing,
/// or from whom there are most.
const MOST_CONNECTIONS: usize = 256;
/// How long a request's headers may take, and how long a connection may be idle: twice as long as it
/// takes Prometheus to come back by default.
const HEADERS: Duration = Duration::from_secs(30);
/// Bytes that headers may have; more are answered with status 431.
const MOST_HEADERS: usize = 16 * 1024;
/// How long a request's body may take: the longest has 50 MiB.
const BODY: Duration = Duration::from_secs(60);
/// How long nothing of an answer may be taken.
const STALLED: Duration = Duration::from_secs(10);
/// How long the connections have when the daemon stops.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// What anybody is told who asks.
const ANYBODY: [&str; 3] = ["/health", "/-/healthy", "/-/ready"];

/// Serves until `stop` is cancelled, each connection by the router for whoever is at its other end.
pub async fn serve(
    listener: TcpListener,
    secure: Option<Secure>,
    router: impl Fn(SocketAddr) -> Router,
    door: Door,
    stop: CancellationToken,
) {
    let door = Arc::new(door);
    let places = Places::new(MOST_CONNECTIONS);
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((stream, peer)) => {
                let place = match places.enter(Some(peer.ip().to_canonical())) {
                    Entry::Free(place) => place,
                    Entry::InsteadOf(place) => {
                        door.dropped(Dropped::TooMany, peer.ip());
                        place
                    }
                    Entry::Refused => {
                        door.dropped(Dropped::TooMany, peer.ip());
                        continue;
                    }
                };
                let (secure, router, stop) = (secure.clone(), router(peer), stop.clone());
                let door = Arc::clone(&door);
                connections.spawn(async move {
                    if let Some(reason) = converse(stream, peer, secure, router, place, stop).await
                    {
                        door.dropped(reason, peer.ip());
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection for HTTP");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
    let ended = async { while connections.join_next().await.is_some() {} };
    let _ = timeout(LAST_WORDS, ended).await;
    connections.shutdown().await;
}

/// Whoever got what they asked for keeps the place longer than those who were refused, or asked for
/// what anybody is told.
async fn keep_place(
    State(place): State<Arc<Mutex<Place>>>,
    request: Request,
    next: Next,
) -> Response {
    let is_for_anybody = ANYBODY.contains(&request.uri().path());
    let response = next.run(request.map(|body| Body::new(Timed::new(body, BODY)))).await;
    let status = response.status();
    if (status.is_success() || status == StatusCode::NOT_MODIFIED) && !is_for_anybody {
        place.lock().unwrap_or_else(PoisonError::into_inner).spoke();
    }
    response
}

/// What is known of the other side is known of each of its requests.
async fn introduce(State(known): State<Extensions>, mut request: Request, next: Next) -> Response {
    request.extensions_mut().extend(known);
    next.run(request).await
}

/// Answers the requests of one connection; gives why it was dropped, if it was.
async fn converse(
    stream: TcpStream,
    peer: SocketAddr,
    secure: Option<Secure>,
    router: Router,
    place: Place,
    stop: CancellationToken,
) -> Option<Dropped> {
    let close = place.close.clone();
    let place = Arc::new(Mutex::new(place));
    let router = router.layer(middleware::from_fn_with_state(place, keep_place));
    // Events are small, and are to be seen when they happen.
    let _ = stream.set_nodelay(true);
    let Secured { stream, known } = match secure {
        None => Secured { stream: Box::new(stream), known: Extensions::new() },
        Some(secure) => {
            let secured = tokio::select! {
                secured = secure(stream, peer) => secured,
                () = close.cancelled() => return None,
            };
            secured?
        }
    };
    let router = router.layer(middleware::from_fn_with_state(known, introduce));
    let (stream, mood) = Patient::new(stream, STALLED);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADERS).max_buf_size(MOST_HEADERS);
    let service = TowerToHyperService::new(router);
    let mut served = pin!(http.serve_connection(TokioIo::new(stream), service));
    // Whoever hangs up or stalls has had their turn.
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        // Whoever came instead was told of.
        () = close.cancelled() => return None,
        () = stop.cancelled() => {
            served.as_mut().graceful_shutdown();
            let _ = served.await;
            return None;
        }
    };
    let error = ended.err()?;
    match mood.now() {
        Mood::Stalled => Some(Dropped::Stalled),
        _ if error.is_parse() => Some(Dropped::Malformed),
        // One that is idle may come back.
        Mood::Asking if error.is_timeout() => Some(Dropped::Slow),
        _ => None,
    }
}
