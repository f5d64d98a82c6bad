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
use axum::extract::{Request, State};
use axum::http::StatusCode;
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

use super::patient::Patient;
use crate::system::places::{Entry, Place, Places};

/// A connection, secured or not.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// What comes of a handshake: `None` where it failed, of which whoever made it has told.
pub type Handshaking = Pin<Box<dyn Future<Output = Option<Box<dyn Stream>>> + Send>>;

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
/// How long nothing of an answer may be taken.
const STALLED: Duration = Duration::from_secs(10);
/// How long the connections have when the daemon stops.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Serves until `stop` is cancelled, each connection by the router for whoever is at its other end.
pub async fn serve(
    listener: TcpListener,
    secure: Option<Secure>,
    router: impl Fn(SocketAddr) -> Router,
    stop: CancellationToken,
) {
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
                    Entry::Free(place) | Entry::InsteadOf(place) => place,
                    Entry::Refused => continue,
                };
                let (secure, router, stop) = (secure.clone(), router(peer), stop.clone());
                connections.spawn(converse(stream, peer, secure, router, place, stop));
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

/// Whoever was answered, rather than refused, keeps the place longer than one who was not.
async fn keep_place(
    State(place): State<Arc<Mutex<Place>>>,
    request: Request,
    next: Next,
) -> Response {
    let response = next.run(request).await;
    let refusals = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::NOT_FOUND];
    if !refusals.contains(&response.status()) {
        place.lock().unwrap_or_else(PoisonError::into_inner).spoke();
    }
    response
}

/// Answers the requests of one connection.
async fn converse(
    stream: TcpStream,
    peer: SocketAddr,
    secure: Option<Secure>,
    router: Router,
    place: Place,
    stop: CancellationToken,
) {
    let close = place.close.clone();
    let place = Arc::new(Mutex::new(place));
    let router = router.layer(middleware::from_fn_with_state(place, keep_place));
    // Events are small, and are to be seen when they happen.
    let _ = stream.set_nodelay(true);
    let stream: Box<dyn Stream> = match secure {
        None => Box::new(stream),
        Some(secure) => {
            let secured = tokio::select! {
                secured = secure(stream, peer) => secured,
                () = close.cancelled() => return,
            };
            match secured {
                None => return,
                Some(stream) => stream,
            }
        }
    };
    let stream = TokioIo::new(Patient::new(stream, STALLED));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADERS).max_buf_size(MOST_HEADERS);
    let mut served = pin!(http.serve_connection(stream, TowerToHyperService::new(router)));
    // Whoever hangs up or stalls has had their turn.
    tokio::select! {
        _ = served.as_mut() => return,
        () = close.cancelled() => return,
        () = stop.cancelled() => served.as_mut().graceful_shutdown(),
    }
    let _ = served.await;
}
