//! The API over HTTP, as the programs that use it know it.
//!
//! Hostile until a key was shown; after it, whoever has the key is bounded in the answers that it
//! takes at the same time. What is wrong is said as `{"message": ".."}`, with the status that the
//! clients know.

mod access;
mod alerts;
mod allowlists;
mod body;
mod login;
mod refusals;
mod routes;
mod sent;
mod usage;
mod watchers;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use ipnet::IpNet;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::accounts::{Accounts, Certificate};
use super::allowlists::Friends;
use super::bouncers::Bouncers;
use super::keys::KeyHash;
use super::listing::Listing;
use super::machines::Machines;
use super::orders::Orders;
use super::query::{Filter, Pairs};
use super::stream::Answer;
use crate::ledger::Feed;
use crate::metrics;
use crate::value::Time;
use body::{Pieces, Source};
use refusals::{Kind, Refusals};

/// Answers that are written for one bouncer at the same time. Further ones wait: whoever reads slowly
/// holds up nobody else.
const MOST_ANSWERS: usize = 2;
/// Pieces of answers that are made at the same time, for all together. A piece takes milliseconds.
const MOST_WRITERS: usize = 4;
/// The scopes that a stream is of unless it says otherwise.
const USUAL_SCOPES: &[&str] = &["ip", "range"];

/// Who is at the other end of a connection.
#[derive(Clone, Debug)]
pub struct Peer {
    address: IpAddr,
    certificate: Option<Arc<Certificate>>,
}

/// What a bouncer asks about decisions.
struct Question {
    /// Who asks.
    name: String,
    pairs: Pairs,
    filter: Filter,
}

/// What the API answers from.
#[derive(Clone)]
pub struct Api {
    feed: Arc<Feed>,
    bouncers: Arc<Mutex<Bouncers>>,
    accounts: Arc<Accounts>,
    /// By the names of bouncers.
    seats: Arc<Mutex<HashMap<String, Arc<Semaphore>>>>,
    writers: Arc<Semaphore>,
    friends: Friends,
    refusals: Arc<Refusals>,
    clock: fn() -> Time,
    counted: metrics::Lapi,
    /// The way to whoever decides.
    orders: Orders,
    /// Who may delete alerts, beside those on this host.
    trusted: Arc<[IpNet]>,
    /// Bodies with alerts that are being taken in.
    bodies: Arc<Semaphore>,
}

impl Peer {
    /// Whoever asks from this address.
    #[must_use]
    pub fn at(address: IpAddr) -> Self {
        Self { address: address.to_canonical(), certificate: None }
    }
}

impl Api {
    /// An API that reads this ledger and knows these bouncers and machines.
    #[must_use]
    pub fn new(
        feed: Feed,
        bouncers: Arc<Mutex<Bouncers>>,
        accounts: Accounts,
        clock: fn() -> Time,
        counted: metrics::Lapi,
    ) -> Self {
        Self {
            feed: Arc::new(feed),
            bouncers,
            accounts: Arc::new(accounts),
            seats: Arc::default(),
            writers: Arc::new(Semaphore::new(MOST_WRITERS)),
            friends: Friends::default(),
            refusals: Arc::default(),
            clock,
            counted,
            orders: Orders::default(),
            trusted: Arc::default(),
            bodies: Arc::new(Semaphore::new(alerts::MOST_BODIES)),
        }
    }

    /// The same, and what machines ask for goes there; those in the `trusted` networks may delete
    /// alerts.
    #[must_use]
    pub fn with_orders(self, orders: Orders, trusted: &[IpNet]) -> Self {
        Self { orders, trusted: trusted.into(), ..self }
    }

    /// The same, which also tells who is never banned.
    #[must_use]
    pub fn with_friends(self, friends: Friends) -> Self {
        Self { friends, ..self }
    }

    fn machines(&self) -> MutexGuard<'_, Machines> {
        self.accounts.machines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bouncers(&self) -> MutexGuard<'_, Bouncers> {
        self.bouncers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The routes. The connection's [`Peer`] must be among the extensions of each request,
    /// and where a good certificate was shown, an [`Arc`] of that [`Certificate`].
    pub fn router(self) -> Router {
        Router::new()
            .route("/health", any(health))
            .route("/v1/decisions", any(decisions))
            .route("/v1/decisions/stream", any(stream))
            .route("/v1/decisions/{id}", any(alerts::end_one))
            .route("/v1/alerts", any(alerts::all))
            .route("/v1/alerts/{id}", any(alerts::one))
            .route("/v1/usage-metrics", any(usage::take))
            .route("/v1/watchers", any(watchers::register))
            .route("/v1/watchers/self", any(watchers::leave))
            .route("/v1/watchers/login", any(login::login))
            .route("/v1/refresh_token", any(login::refresh))
            .route("/v1/heartbeat", any(watchers::heartbeat))
            .route("/v1/allowlists", any(allowlists::all))
            .route("/v1/allowlists/check", any(allowlists::check))
            .route("/v1/allowlists/check/{target}", any(allowlists::check_one))
            .route("/v1/allowlists/{name}", any(allowlists::named))
            .fallback(elsewhere)
            .layer(middleware::from_fn_with_state(self.counted.clone(), count))
            .layer(middleware::from_fn(introduce))
            .with_state(self)
    }

    /// Somebody was not let in.
    fn refuse(&self, kind: Kind, peer: &Peer) {
        self.refusals.note(kind, peer.address, (self.clock)(), &self.counted);
    }

    /// Who asks, by the key or the certificate that is shown; `None` where neither is good.
    fn who(&self, method: &Method, headers: &HeaderMap, peer: &Peer) -> Option<String> {
        let name = self.found(method, headers, peer);
        if name.is_none() {
            self.refuse(Kind::Key, peer);
        }
        name
    }

    fn found(&self, method: &Method, headers: &HeaderMap, peer: &Peer) -> Option<String> {
        if let Some(certificate) = certified_as(peer, &self.accounts.admission.bouncer_units) {
            if method == Method::HEAD {
                return Some(String::new());
            }
            let agent = said_to_be(headers);
            let now = (self.clock)();
            return self.bouncers().meet_certified(&certificate.name, peer.address, &agent, now);
        }
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let key = text("x-api-key").filter(|key| !key.is_empty())?;
        let key = KeyHash::of(key);
        if method == Method::HEAD {
            // It only asks whether the key is good.
            return self.bouncers().knows(&key).then(String::new);
        }
        let agent = said_to_be(headers);
        self.bouncers().meet(&key, peer.address, &agent, (self.clock)())
    }

    /// What a bouncer asks about decisions; or the answer, where nothing has to be looked up for it.
    fn question(
        &self,
        request: &Request,
        peer: &Peer,
        scopes: Option<&[&str]>,
    ) -> Result<Question, Box<Response>> {
        let method = request.method();
        if !matches!(*method, Method::GET | Method::HEAD) {
            return Err(Box::new(StatusCode::METHOD_NOT_ALLOWED.into_response()));
        }
        let Some(name) = self.who(method, request.headers(), peer) else {
            return Err(Box::new(forbidden()));
        };
        if method == Method::HEAD {
            return Err(Box::new(StatusCode::OK.into_response()));
        }
        let pairs = Pairs::of(request.uri().query().unwrap_or_default());
        match Filter::of(&pairs, scopes) {
            Ok(filter) => Ok(Question { name, pairs, filter }),
            Err(wrong) => {
                let answer = said(StatusCode::INTERNAL_SERVER_ERROR, &wrong.to_string());
                Err(Box::new(answer))
            }
        }
    }

    async fn seat(&self, name: &str) -> OwnedSemaphorePermit {
        let seats = {
            let mut all = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
            // Bouncers are few; those that were deleted go when nobody waits for them.
            all.retain(|known, seats| known == name || Arc::strong_count(seats) > 1);
            let seats = all.entry(name.to_owned());
            Arc::clone(seats.or_insert_with(|| Arc::new(Semaphore::new(MOST_ANSWERS))))
        };
        seats.acquire_owned().await.expect("the semaphore is never closed")
    }
}

/// The certificate that was shown, if it is of one of these units.
fn certified_as<'p>(peer: &'p Peer, units: &[String]) -> Option<&'p Certificate> {
    peer.certificate.as_deref().filter(|certificate| certificate.is_of(units))
}

/// What somebody calls themselves, whatever bytes that is.
fn said_to_be(headers: &HeaderMap) -> std::borrow::Cow<'_, str> {
    let agent = headers.get(header::USER_AGENT).map(HeaderValue::as_bytes).unwrap_or_default();
    String::from_utf8_lossy(agent)
}

/// Joins what the handshake told of the other side to what the connection tells.
async fn introduce(mut request: Request, next: Next) -> Response {
    let certificate = request.extensions().get::<Arc<Certificate>>().cloned();
    if let Some(peer) = request.extensions_mut().get_mut::<Peer>() {
        peer.certificate = certificate;
    }
    next.run(request).await
}

fn forbidden() -> Response {
    said(StatusCode::FORBIDDEN, "access forbidden")
}

/// Counts what was asked and how it was answered.
async fn count(State(counted): State<metrics::Lapi>, request: Request, next: Next) -> Response {
    let route = routes::counted_as(request.uri().path());
    let response = next.run(request).await;
    counted.answered(route, response.status().as_u16());
    response
}

/// A sentence for whoever asked.
fn said(status: StatusCode, message: &str) -> Response {
    json(status, json!({ "message": message }).to_string())
}

fn json(status: StatusCode, body: String) -> Response {
    const JSON: &str = "application/json; charset=utf-8";
    (status, [(header::CONTENT_TYPE, JSON)], body).into_response()
}

async fn health(method: Method) -> Response {
    match method {
        Method::GET => json(StatusCode::OK, r#"{"status":"up"}"#.to_owned()),
        _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
    }
}

/// A path that is none of ours, or one of ours with a slash too many.
async fn elsewhere(method: Method, request: Request) -> Response {
    let path = request.uri().path();
    let without = path.strip_suffix('/').unwrap_or_default();
    if method == Method::GET && routes::is_known(without) {
        return (StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, without)]).into_response();
    }
    StatusCode::NOT_FOUND.into_response()
}

async fn decisions(
    State(api): State<Api>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Response {
    if request.method() == Method::DELETE {
        return alerts::end(api, peer, request).await;
    }
    let Question { name, filter, .. } = match api.question(&request, &peer, None) {
        Ok(question) => question,
        Err(answer) => return *answer,
    };
    let now = (api.clock)();
    api.bouncers().seen(&name, now);
    let seat = api.seat(&name).await;
    let listing = Source::List(Listing::begin(filter, now));
    let counted = api.counted.clone();
    let finish = move |source: &Source| {
        if let Source::List(listing) = source {
            counted.told("found", listing.n_told());
        }
        drop(seat);
    };
    let pieces =
        Pieces::new(Arc::clone(&api.feed), Arc::clone(&api.writers), listing, Box::new(finish));
    const JSON: &str = "application/json; charset=utf-8";
    ([(header::CONTENT_TYPE, JSON)], Body::new(pieces)).into_response()
}

async fn stream(
    State(api): State<Api>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Response {
    let Question { name, pairs, filter } = match api.question(&request, &peer, Some(USUAL_SCOPES)) {
        Ok(question) => question,
        Err(answer) => return *answer,
    };
    let seat = api.seat(&name).await;
    let (feed, now) = (Arc::clone(&api.feed), (api.clock)());
    let is_beginning = pairs.get("startup") == Some("true");
    let has = (!is_beginning).then(|| api.bouncers().told(&name, now));
    let begun = tokio::task::spawn_blocking(move || Answer::begin(&feed, filter, has, now)).await;
    let answer = match begun {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => {
            return said(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string());
        }
        // The runtime ends.
        Err(_) => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
    };
    let version = answer.version();
    let (bouncers, counted) = (Arc::clone(&api.bouncers), api.counted.clone());
    let finish = move |source: &Source| {
        if let Source::Stream(answer) = source {
            let [new, deleted] = answer.n_told();
            counted.told("new", new);
            counted.told("deleted", deleted);
        }
        let mut bouncers = bouncers.lock().unwrap_or_else(PoisonError::into_inner);
        bouncers.tell(&name, version, is_beginning, now);
        drop(seat);
    };
    let pieces = Pieces::new(
        Arc::clone(&api.feed),
        Arc::clone(&api.writers),
        Source::Stream(answer),
        Box::new(finish),
    );
    ([(header::CONTENT_TYPE, "application/json")], Body::new(pieces)).into_response()
}

#[cfg(test)]
mod tests;
