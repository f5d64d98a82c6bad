//! The pages in JSON, under `/api/`: the replies of the control socket, to requests that change
//! nothing.
//!
//! Whoever asks waits a bounded time and is told that the daemon is busy then. Of all who ask one at a
//! time is let through to the judge, and not at once after another: however many pages are open,
//! deciding goes on.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, body, routing::get};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::Shown;
use super::access::Sight;
use super::search::{Meant, meant};
use crate::control::Covering;
use crate::control::message::{FailureKind, Listing, Reply, Request};
use crate::control::server::{Calls, ask};

/// How long a question may wait for its turn, and then for its answer.
const PATIENCE: Duration = Duration::from_secs(2);
const ANSWER: Duration = Duration::from_secs(8);
/// How long the judge is left alone between two questions.
const PAUSE: Duration = Duration::from_millis(10);
/// Decisions in an answer, unless fewer are asked for.
const MOST: usize = 200;
/// What keeps log lines from those who may not see them.
const NO_LINES: &str =
    "what the log says is for those who have the token: `weir page` prints a link with it";

/// The way of all pages to those who answer.
#[derive(Clone, Debug)]
pub(super) struct Questions {
    calls: Calls,
    judge: Arc<Semaphore>,
    daemon: Arc<Semaphore>,
}

impl Questions {
    pub(super) fn new(calls: Calls) -> Self {
        let turn = || Arc::new(Semaphore::new(1));
        Self { calls, judge: turn(), daemon: turn() }
    }

    /// Asks and waits, both within bounds.
    pub(super) async fn ask(&self, request: Request) -> Reply {
        let is_for_judge = request.is_for_judge();
        let turns = if is_for_judge { &self.judge } else { &self.daemon };
        let busy = || Reply::failed(FailureKind::Unavailable, "the daemon is too busy to answer");
        let Ok(turn) = timeout(PATIENCE, turns.acquire()).await else { return busy() };
        let turn = turn.expect("the semaphore is never closed");
        let reply = ask(request, &self.calls, PATIENCE, ANSWER).await;
        if is_for_judge {
            sleep(PAUSE).await;
        }
        drop(turn);
        reply
    }
}

pub(super) fn router() -> Router<Shown> {
    Router::new()
        .route("/sight", get(sight))
        .route("/status", get(status))
        .route("/decisions", get(decisions))
        .route("/why", get(why))
        .route("/coverage", get(coverage))
        .route("/events", get(events))
}

/// How much the asker may see.
#[derive(Debug, Serialize)]
struct Seen {
    lines: bool,
}

async fn sight(Extension(sight): Extension<Sight>) -> Json<Seen> {
    Json(Seen { lines: sight == Sight::All })
}

async fn status(State(shown): State<Shown>) -> Response {
    answered(shown.questions.ask(Request::Status).await)
}

/// What becomes of the lines of each program; without examples for those who may not see lines, for
/// what the nearest rule did not like is a piece of the line.
async fn coverage(State(shown): State<Shown>, Extension(sight): Extension<Sight>) -> Response {
    let asked = Covering { examples: sight == Sight::All };
    answered(shown.questions.ask(Request::Coverage(asked)).await)
}

/// Which decisions are to be seen.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Wanted {
    /// An address, the beginning of one, a prefix, or a part of a reason.
    search: String,
    action: Option<String>,
    origin: Option<String>,
    after: u64,
    before: Option<u64>,
    newest: bool,
    limit: Option<usize>,
}

impl Wanted {
    fn listing(self) -> Listing {
        let (target, reason) = match meant(&self.search) {
            Meant::All => (None, None),
            Meant::Net(net) => (Some(net), None),
            Meant::Reason(text) => (None, Some(text)),
        };
        let said = |word: Option<String>| word.filter(|word| !word.is_empty());
        Listing {
            target,
            reason,
            action: said(self.action),
            origin: said(self.origin),
            after: self.after,
            before: self.before,
            newest: self.newest,
            limit: Some(self.limit.unwrap_or(MOST).min(MOST)),
        }
    }
}

async fn decisions(
    State(shown): State<Shown>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Response {
    match wanted {
        Ok(Query(wanted)) => answered(shown.questions.ask(Request::List(wanted.listing())).await),
        Err(error) => usage(&error),
    }
}

/// Whose story is to be told.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Whose {
    target: String,
}

async fn why(
    State(shown): State<Shown>,
    Extension(sight): Extension<Sight>,
    whose: Result<Query<Whose>, QueryRejection>,
) -> Response {
    match whose {
        _ if sight < Sight::All => answered(Reply::failed(FailureKind::Permission, NO_LINES)),
        Ok(Query(Whose { target })) => answered(shown.questions.ask(Request::Why { target }).await),
        Err(error) => usage(&error),
    }
}

async fn events(State(shown): State<Shown>) -> Response {
    const STREAM: &str = "text/event-stream; charset=utf-8";
    match shown.audience.join() {
        Some(listener) => {
            ([(header::CONTENT_TYPE, STREAM)], body::Body::new(listener)).into_response()
        }
        None => {
            let message = "too many pages listen to events; close one";
            answered(Reply::failed(FailureKind::Unavailable, message))
        }
    }
}

fn usage(error: &QueryRejection) -> Response {
    answered(Reply::failed(FailureKind::Usage, error.body_text()))
}

/// A reply, with the status of HTTP that fits.
fn answered(reply: Reply) -> Response {
    let status = match &reply {
        Reply::Failed(failure) => match failure.kind {
            FailureKind::Usage => StatusCode::BAD_REQUEST,
            FailureKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            FailureKind::Permission => StatusCode::FORBIDDEN,
            FailureKind::Configuration | FailureKind::Other => StatusCode::INTERNAL_SERVER_ERROR,
        },
        _ => StatusCode::OK,
    };
    (status, Json(reply)).into_response()
}
