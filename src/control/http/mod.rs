//! The pages over HTTP: metrics, health, readiness, and what an operator looks at in a browser.
//!
//! Read-only: nothing that changes a decision is served here. Metrics and readiness are asked of the
//! two functions in [`Pages`], which must not wait for anything; all else goes the way of the control
//! socket (`api`). Who may see what is said in `access`. Hostile: log lines, program names and
//! reasons are an attacker's words, so the page puts each in as text, and the policy in its headers
//! keeps a browser from running anything but the script that comes with it.

mod access;
mod api;
mod door;
mod events;
mod patient;
mod search;
mod serve;
mod timed;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request as Received, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

pub use access::Access;
pub use door::{Door, Dropped};
pub use serve::{Handshaking, Secure, Secured, Stream, serve};

use access::{Asked, Refusal};
use api::Questions;
use events::Audience;

use super::message::{Reply, Request};
use super::server::Calls;
use crate::metrics;

/// Where it is said that the process lives, to anybody.
const HEALTHY: &str = "/-/healthy";

/// Whether the daemon does its work, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// What keeps it from its work; empty when it is ready.
    pub problems: Vec<String>,
    /// What an operator should know though the daemon works, such as observe mode.
    pub remarks: Vec<String>,
}

/// What the pages show, and to whom.
#[derive(Clone)]
pub struct Pages {
    /// The exposition of all metrics.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// Whether the daemon does its work.
    pub readiness: Arc<dyn Fn() -> Readiness + Send + Sync>,
    /// Those who answer.
    pub calls: Calls,
    /// Who may see what.
    pub access: Access,
    /// What is counted.
    pub counted: metrics::Pages,
}

/// What every page can get at.
#[derive(Clone)]
struct Shown {
    pages: Arc<Pages>,
    questions: Questions,
    audience: Arc<Audience>,
}

/// Serves the pages until `stop` is cancelled; over TLS where connections are to be secured.
pub async fn run(
    listener: TcpListener,
    secure: Option<Secure>,
    pages: Pages,
    stop: CancellationToken,
) {
    let audience = Arc::new(Audience::new(pages.counted.clone()));
    let questions = Questions::new(pages.calls.clone());
    let shown = Shown { pages: Arc::new(pages), questions, audience };
    let telling = tell(shown.clone());
    let serving = async {
        let stopped = async {
            stop.cancelled().await;
            shown.audience.close();
        };
        let router = router(shown.clone());
        let counted = shown.pages.counted.clone();
        let door = Door::new("http", move |reason| counted.dropped(reason));
        let serving = serve(listener, secure, move |_| router.clone(), door, stop.clone());
        tokio::join!(serving, stopped);
    };
    tokio::select! {
        () = serving => {}
        () = telling => {}
    }
}

/// Tells all who listen how the daemon is, for ever.
async fn tell(shown: Shown) {
    loop {
        shown.audience.somebody().await;
        let reply = shown.questions.ask(Request::Status).await;
        if let Reply::Status(status) = &reply {
            let data = serde_json::to_string(status).expect("a status is plain data");
            shown.audience.tell("status", &data);
        }
        sleep(events::PERIOD).await;
    }
}

fn router(shown: Shown) -> Router {
    Router::new()
        .route("/", get(|| asset("text/html; charset=utf-8", include_str!("../page/page.html"))))
        .route(
            "/page.css",
            get(|| asset("text/css; charset=utf-8", include_str!("../page/page.css"))),
        )
        .route(
            "/page.js",
            get(|| asset("text/javascript; charset=utf-8", include_str!("../page/page.js"))),
        )
        .route("/icon.svg", get(|| asset("image/svg+xml", include_str!("../page/icon.svg"))))
        .route("/metrics", get(metrics))
        .route(HEALTHY, get(|| async { "healthy\n" }))
        .route("/-/ready", get(ready))
        .nest("/api", api::router())
        .layer(middleware::from_fn_with_state(shown.clone(), admit))
        .with_state(shown)
}

/// Looks at who asks before anything is answered, and says in the headers of every answer what a
/// browser may do with it.
async fn admit(State(shown): State<Shown>, mut request: Received, next: Next) -> Response {
    let access = &shown.pages.access;
    let sight = access.sight(&asked(&request));
    let mut response = match sight {
        Ok(sight) => {
            request.extensions_mut().insert(sight);
            next.run(request).await
        }
        Err(refusal) => refused(refusal, access.is_local, &shown.pages.counted),
    };
    const HEADERS: [(&str, &str); 9] = [
        (
            "content-security-policy",
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
             connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
             require-trusted-types-for 'script'; trusted-types 'none'",
        ),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-embedder-policy", "require-corp"),
        ("cross-origin-resource-policy", "same-origin"),
        ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
        ("cache-control", "no-store"),
    ];
    for (name, value) in HEADERS {
        let value = header::HeaderValue::from_static(value);
        response.headers_mut().insert(HeaderName::from_static(name), value);
    }
    response
}

/// What a request says of itself; a header that is no text is none that we know.
fn asked(request: &Received) -> Asked<'_> {
    let said = |name: HeaderName| {
        request.headers().get(name).map(|value| value.to_str().unwrap_or("unreadable"))
    };
    Asked {
        path: request.uri().path(),
        host: said(header::HOST),
        site: said(HeaderName::from_static("sec-fetch-site")),
        mode: said(HeaderName::from_static("sec-fetch-mode")),
        authorization: said(header::AUTHORIZATION),
    }
}

fn refused(refusal: Refusal, is_local: bool, counted: &metrics::Pages) -> Response {
    match refusal {
        Refusal::Token => {
            counted.refused("token");
            // Elsewhere the page itself is closed, and the browser has to ask for the token. Here it
            // is open, and asks by itself.
            let scheme = match is_local {
                true => "Bearer realm=\"weir\"",
                false => "Basic realm=\"weir\", charset=\"UTF-8\"",
            };
            let why = "expected the token: as `Authorization: Bearer TOKEN`, or as the password of \
                       any user; `weir page` says what it is\n";
            (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, scheme)], why).into_response()
        }
        Refusal::Host => {
            counted.refused("host");
            let why = "expected an address or `localhost` in the URL, found another name\n";
            (StatusCode::MISDIRECTED_REQUEST, why).into_response()
        }
        Refusal::Site => {
            counted.refused("site");
            (StatusCode::FORBIDDEN, "a page of another site may not ask this\n").into_response()
        }
    }
}

async fn asset(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

async fn metrics(State(shown): State<Shown>, headers: HeaderMap) -> Response {
    const OPEN_METRICS: &str = "application/openmetrics-text";
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let is_open = accepted.into_iter().any(|value| value.contains(OPEN_METRICS));
    // On a thread of its own: those here serve sockets, and must not stand still for it.
    let metrics = Arc::clone(&shown.pages.metrics);
    let text = tokio::task::spawn_blocking(move || {
        let text = metrics();
        if is_open { text } else { crate::metrics::classic(&text) }
    });
    let Ok(text) = text.await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let kind = match is_open {
        true => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        false => "text/plain; version=0.0.4; charset=utf-8",
    };
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

async fn ready(State(shown): State<Shown>) -> Response {
    let readiness = (shown.pages.readiness)();
    if readiness.problems.is_empty() {
        let mut text = "ready\n".to_owned();
        for remark in readiness.remarks {
            text.push_str(&remark);
            text.push('\n');
        }
        return text.into_response();
    }
    let text = readiness.problems.join("\n") + "\n";
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

#[cfg(test)]
mod tests;
