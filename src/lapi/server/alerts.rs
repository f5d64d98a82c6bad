//! Alerts over HTTP: pushed, searched, deleted; and decisions that machines end.
//!
//! Only for machines that have logged in. What changes something becomes an [`Order`]; whoever
//! asked waits for what became of it, but not for ever.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Extension, Path, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::oneshot;

use super::body::{Pieces, Source};
use super::sent::sent;
use super::{Api, Peer, json, said};
use crate::lapi::alerts::{AlertFilter, AlertListing, Unfit, read, write};
use crate::lapi::endings::Fit;
use crate::lapi::orders::{Order, Told};
use crate::lapi::query::Pairs;
use crate::ledger::{Error, Feed};

/// The longest body, packed and unpacked.
pub(super) const LONGEST: usize = 50 << 20;
/// Bodies that are taken in at the same time; each may be some hundred megabytes in memory.
pub(super) const MOST_BODIES: usize = 2;
/// How long a body may take to arrive, and somebody to decide.
const PATIENCE: Duration = Duration::from_secs(60);
/// Alerts that are deleted at a time.
const SOME: usize = 200;

/// `/v1/alerts`.
pub(super) async fn all(
    State(api): State<Api>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Response {
    let method = request.method().clone();
    if !matches!(method, Method::GET | Method::HEAD | Method::POST | Method::DELETE) {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let machine = match api.machine(request.headers(), &peer) {
        Ok(machine) => machine,
        Err(answer) => return *answer,
    };
    let answered = match method {
        Method::POST => push(&api, machine, request).await,
        Method::DELETE => delete(&api, &peer, pairs(&request)).await,
        _ => search(&api, machine, &method, pairs(&request)).await,
    };
    answered.unwrap_or_else(|answer| *answer)
}

/// `/v1/alerts/{id}`.
pub(super) async fn one(
    State(api): State<Api>,
    Extension(peer): Extension<Peer>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let method = request.method().clone();
    if !matches!(method, Method::GET | Method::HEAD | Method::DELETE) {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    if let Err(answer) = api.machine(request.headers(), &peer) {
        return *answer;
    }
    let Ok(id) = id.parse::<i64>() else {
        return said(StatusCode::BAD_REQUEST, "alert_id must be valid integer");
    };
    let answered = match method {
        Method::DELETE => delete_one(&api, &peer, id).await,
        _ => show(&api, id).await,
    };
    answered.unwrap_or_else(|answer| *answer)
}

/// `DELETE /v1/decisions`.
pub(super) async fn end(api: Api, peer: Peer, request: Request) -> Response {
    if let Err(answer) = api.machine(request.headers(), &peer) {
        return *answer;
    }
    match Fit::of(&pairs(&request)) {
        Ok(fit) => match end_all(&api, fit).await {
            Ok(count) => deleted(count),
            Err(answer) => *answer,
        },
        Err(wrong) => said(StatusCode::INTERNAL_SERVER_ERROR, &wrong.to_string()),
    }
}

/// `DELETE /v1/decisions/{id}`.
pub(super) async fn end_one(
    State(api): State<Api>,
    Extension(peer): Extension<Peer>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    if request.method() != Method::DELETE {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    if let Err(answer) = api.machine(request.headers(), &peer) {
        return *answer;
    }
    let Ok(id) = id.parse::<i64>() else {
        return said(StatusCode::BAD_REQUEST, "decision_id must be valid integer");
    };
    let number = u64::try_from(id).unwrap_or(0);
    match api.look(move |feed| feed.has_decision(number)).await {
        Ok(true) => {}
        Ok(false) => {
            let message = format!("decision with id '{id}' doesn't exist: unable to delete");
            return said(StatusCode::INTERNAL_SERVER_ERROR, &message);
        }
        Err(answer) => return *answer,
    }
    match end_all(&api, Fit::numbered(number)).await {
        Ok(count) => deleted(count),
        Err(answer) => *answer,
    }
}

async fn push(api: &Api, machine: String, request: Request) -> Result<Response, Box<Response>> {
    let busy = || unavailable("other alerts are being taken: try again");
    let permit = tokio::time::timeout(PATIENCE, Arc::clone(&api.bodies).acquire_owned()).await;
    let _permit = permit.map_err(|_| busy())?.map_err(|_| busy())?;
    let (head, body) = request.into_parts();
    let arriving = tokio::time::timeout(PATIENCE, sent(&head.headers, body, LONGEST)).await;
    let arrived = arriving.unwrap_or_else(|_| Err("the body takes too long".to_owned()));
    let bad = |message: String| Box::new(said(StatusCode::BAD_REQUEST, &message));
    let body = arrived.map_err(bad)?;
    let alerts = tokio::task::spawn_blocking(move || read(&body)).await;
    let alerts = match alerts {
        Ok(Ok(alerts)) => alerts,
        Ok(Err(unfit)) => {
            let status = match unfit {
                Unfit::Undecodable(_) => StatusCode::BAD_REQUEST,
                Unfit::Alert { .. } => StatusCode::INTERNAL_SERVER_ERROR,
            };
            return Err(Box::new(said(status, &unfit.to_string())));
        }
        Err(_) => return Err(unavailable("the daemon ends")),
    };
    if alerts.is_empty() {
        return Ok(json(StatusCode::CREATED, "[]".to_owned()));
    }
    api.pushed(&machine);
    let numbers = api.ask(|reply| Order::Push { machine, alerts, reply }).await?;
    let numbers: Vec<String> = numbers.iter().map(u64::to_string).collect();
    Ok(json(StatusCode::CREATED, serde_json::json!(numbers).to_string()))
}

async fn search(
    api: &Api,
    machine: String,
    method: &Method,
    pairs: Pairs,
) -> Result<Response, Box<Response>> {
    let filter = filter(api, &pairs)?;
    if method == Method::HEAD {
        return Ok(StatusCode::OK.into_response());
    }
    let seat = api.seat(&format!("machine {machine}")).await;
    let listing = AlertListing::begin(filter, (api.clock)());
    let finish = move |_: &Source| drop(seat);
    let (feed, writers) = (Arc::clone(&api.feed), Arc::clone(&api.writers));
    let pieces = Pieces::new(feed, writers, Source::Alerts(listing), Box::new(finish));
    const JSON: &str = "application/json; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, JSON)], Body::new(pieces)).into_response())
}

async fn show(api: &Api, id: i64) -> Result<Response, Box<Response>> {
    let (now, number) = ((api.clock)(), u64::try_from(id).unwrap_or(0));
    match api.look(move |feed| feed.alert(number)).await? {
        Some(alert) => {
            let mut out = Vec::new();
            write(&mut out, &alert, true, now);
            Ok(json(StatusCode::OK, String::from_utf8(out).expect("JSON is text")))
        }
        None => Err(Box::new(said(StatusCode::NOT_FOUND, "object not found"))),
    }
}

async fn delete(api: &Api, peer: &Peer, pairs: Pairs) -> Result<Response, Box<Response>> {
    api.is_trusted(peer)?;
    let mut filter = filter(api, &pairs)?;
    filter.limit = None;
    let mut listing = AlertListing::begin(filter, (api.clock)());
    let mut count = 0;
    loop {
        let page = api.look(move |feed| listing.numbers(feed).map(|page| (listing, page))).await?;
        let alerts;
        (listing, alerts) = page;
        if alerts.is_empty() {
            return Ok(deleted(count));
        }
        for some in alerts.chunks(SOME) {
            let alerts = some.to_vec();
            count += api.ask(|reply| Order::DeleteAlerts { alerts, reply }).await?;
        }
    }
}

async fn delete_one(api: &Api, peer: &Peer, id: i64) -> Result<Response, Box<Response>> {
    api.is_trusted(peer)?;
    let alerts = vec![u64::try_from(id).unwrap_or(0)];
    match api.ask(|reply| Order::DeleteAlerts { alerts, reply }).await? {
        0 => {
            let message = format!("alert with id '{id}' doesn't exist: unable to delete");
            Err(Box::new(said(StatusCode::INTERNAL_SERVER_ERROR, &message)))
        }
        count => Ok(deleted(count)),
    }
}

/// Ends all that fit, a part at a time, so that attacks are answered in between.
async fn end_all(api: &Api, fit: Fit) -> Result<usize, Box<Response>> {
    let mut count = 0;
    loop {
        let fit = fit.clone();
        let ended = api.ask(|reply| Order::EndDecisions { fit, reply }).await?;
        count += ended.count;
        if !ended.has_more || ended.count == 0 {
            return Ok(count);
        }
    }
}

fn pairs(request: &Request) -> Pairs {
    Pairs::of(request.uri().query().unwrap_or_default())
}

fn filter(api: &Api, pairs: &Pairs) -> Result<AlertFilter, Box<Response>> {
    AlertFilter::of(pairs, (api.clock)())
        .map_err(|wrong| Box::new(said(StatusCode::INTERNAL_SERVER_ERROR, &wrong.to_string())))
}

fn deleted(count: usize) -> Response {
    json(StatusCode::OK, serde_json::json!({ "nbDeleted": count.to_string() }).to_string())
}

fn unavailable(message: &str) -> Box<Response> {
    Box::new(said(StatusCode::SERVICE_UNAVAILABLE, message))
}

impl Api {
    /// Asks whoever decides, and waits for what it says.
    async fn ask<T>(
        &self,
        order: impl FnOnce(oneshot::Sender<Told<T>>) -> Order,
    ) -> Result<T, Box<Response>> {
        let (reply, told) = oneshot::channel();
        if !self.orders.send(order(reply)) {
            return Err(unavailable("too much waits to be decided: try again"));
        }
        match tokio::time::timeout(PATIENCE, told).await {
            Ok(Ok(Ok(told))) => Ok(told),
            Ok(Ok(Err(message))) => {
                Err(Box::new(said(StatusCode::INTERNAL_SERVER_ERROR, &message)))
            }
            Ok(Err(_)) => Err(unavailable("the daemon ends")),
            Err(_) => Err(unavailable("no answer yet: it may still be done")),
        }
    }

    /// Reads the ledger on a thread that may wait for the disk.
    async fn look<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Feed) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Box<Response>> {
        let feed = Arc::clone(&self.feed);
        match tokio::task::spawn_blocking(move || read(&feed)).await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(error)) => {
                Err(Box::new(said(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string())))
            }
            Err(_) => Err(unavailable("the daemon ends")),
        }
    }

    /// Whether whoever is there may delete what others reported.
    fn is_trusted(&self, peer: &Peer) -> Result<(), Box<Response>> {
        let from = peer.address;
        if from.is_loopback() || self.trusted.iter().any(|net| net.contains(&from)) {
            return Ok(());
        }
        let message = format!("access forbidden from this IP ({from})");
        Err(Box::new(said(StatusCode::FORBIDDEN, &message)))
    }
}
