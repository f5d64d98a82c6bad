//! Friends over HTTP, for machines: lists of them, and whether somebody is one.

use axum::extract::{Extension, Path, Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json as object;

use super::sent::sent;
use super::{Api, Peer, json, said};
use crate::decision::parse_net;
use crate::lapi::query::Pairs;

/// The longest body, packed and unpacked.
const LONGEST: usize = 1 << 20;
/// The greatest number of targets in one question.
const MOST_TARGETS: usize = 10_000;

/// What is asked about several.
#[derive(Deserialize)]
struct Targets {
    targets: Vec<String>,
}

#[derive(Serialize)]
struct Found<'a> {
    allowlists: Vec<String>,
    target: &'a str,
}

/// `/v1/allowlists`.
pub(super) async fn all(
    State(api): State<Api>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Response {
    if let Err(answer) = api.lets_in(&request, &peer, &[Method::GET]) {
        return *answer;
    }
    shown(&api.friends.lists().all(wants_content(&request)))
}

/// `/v1/allowlists/{name}`.
pub(super) async fn named(
    State(api): State<Api>,
    Extension(peer): Extension<Peer>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    if let Err(answer) = api.lets_in(&request, &peer, &[Method::GET]) {
        return *answer;
    }
    one(&api, &name, &request)
}

/// `/v1/allowlists/check`: somebody's question about several; or a list of that name.
pub(super) async fn check(
    State(api): State<Api>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Response {
    if let Err(answer) = api.lets_in(&request, &peer, &[Method::GET, Method::POST]) {
        return *answer;
    }
    if request.method() == Method::GET {
        return one(&api, "check", &request);
    }
    let bad = |message: &str| said(StatusCode::BAD_REQUEST, message);
    let (head, body) = request.into_parts();
    let text = match sent(&head.headers, body, LONGEST).await {
        Ok(text) => text,
        Err(message) => return bad(&message),
    };
    let asked: Targets = match serde_json::from_slice(&text) {
        Ok(asked) => asked,
        Err(error) => return bad(&error.to_string()),
    };
    if asked.targets.is_empty() || asked.targets.len() > MOST_TARGETS {
        let found = asked.targets.len();
        return bad(&format!("expected 1 to {MOST_TARGETS} targets, found {found}"));
    }
    let lists = api.friends.lists();
    let mut results = Vec::new();
    for target in &asked.targets {
        match parse_net(target) {
            Ok(net) => results.push(Found { allowlists: lists.reasons(net), target }),
            Err(error) => return said(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        }
    }
    results.retain(|found| !found.allowlists.is_empty());
    shown(&object!({ "results": results }))
}

/// `/v1/allowlists/check/{target}`.
pub(super) async fn check_one(
    State(api): State<Api>,
    Extension(peer): Extension<Peer>,
    Path(target): Path<String>,
    request: Request,
) -> Response {
    if let Err(answer) = api.lets_in(&request, &peer, &[Method::GET, Method::HEAD]) {
        return *answer;
    }
    let net = match parse_net(&target) {
        Ok(net) => net,
        Err(error) => return said(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    };
    let reason = api.friends.lists().reasons(net).into_iter().next();
    if request.method() == Method::HEAD {
        let status = if reason.is_some() { StatusCode::OK } else { StatusCode::NO_CONTENT };
        return status.into_response();
    }
    match reason {
        Some(reason) => shown(&object!({ "allowlisted": true, "reason": reason })),
        None => shown(&object!({ "allowlisted": false, "reason": "" })),
    }
}

fn one(api: &Api, name: &str, request: &Request) -> Response {
    match api.friends.lists().named(name, wants_content(request)) {
        Some(list) => shown(&list),
        None => said(StatusCode::NOT_FOUND, &format!("no allowlist is called `{name}`")),
    }
}

fn wants_content(request: &Request) -> bool {
    let pairs = Pairs::of(request.uri().query().unwrap_or_default());
    pairs.get("with_content") == Some("true")
}

fn shown(what: &impl Serialize) -> Response {
    let body = serde_json::to_string(what).expect("it is plain data");
    json(StatusCode::OK, body)
}

impl Api {
    /// The answer to whoever asks in another way than these, or is no machine.
    fn lets_in(
        &self,
        request: &Request,
        peer: &Peer,
        methods: &[Method],
    ) -> Result<(), Box<Response>> {
        if !methods.contains(request.method()) {
            return Err(Box::new(StatusCode::METHOD_NOT_ALLOWED.into_response()));
        }
        self.machine(request.headers(), peer).map(drop)
    }
}
