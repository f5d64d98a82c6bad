//! Machines make themselves known, say that they live, and take their leave.
//!
//! Hostile: whoever may register can do nothing by that but wait for an operator.

use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::login::{LONGEST, busy};
use super::sent::sent;
use super::{Api, Peer, said};
use crate::lapi::logins::Busy;
use crate::lapi::machines::UnfitMachine;

/// What is said to register. Nobody is validated by a `registration_token`: an operator does that.
#[derive(Deserialize)]
struct Registration {
    #[serde(default)]
    machine_id: String,
    #[serde(default)]
    password: String,
}

pub(super) async fn register(
    State(api): State<Api>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Response {
    if request.method() != Method::POST {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    if !api.accounts.admission.register_from.iter().any(|net| net.contains(&peer.address)) {
        let message = format!(
            "machines may not register themselves from {}: `register_from` of `lapi` in the \
             configuration says from where, `weir machines add NAME` makes one known",
            peer.address
        );
        return said(StatusCode::FORBIDDEN, &message);
    }
    let (head, body) = request.into_parts();
    let text = match sent(&head.headers, body, LONGEST).await {
        Ok(text) => text,
        Err(message) => return said(StatusCode::BAD_REQUEST, &message),
    };
    let wanted: Registration = match serde_json::from_slice(&text) {
        Ok(wanted) => wanted,
        Err(error) => return said(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    if wanted.password.is_empty() {
        return said(StatusCode::UNPROCESSABLE_ENTITY, "expected a `password`, found none");
    }
    let may = api.machines().may_register(&wanted.machine_id);
    if let Err(unfit) = may {
        return refused(&unfit);
    }
    let password = match api.accounts.logins.hash(wanted.password, peer.address).await {
        Ok(Ok(password)) => password,
        Ok(Err(error)) => return said(StatusCode::BAD_REQUEST, &error.to_string()),
        Err(Busy) => return busy(),
    };
    let now = (api.clock)();
    let registered = api.machines().register(&wanted.machine_id, password, now).map(|_| ());
    match registered {
        Ok(()) => {
            tracing::info!(
                machine = wanted.machine_id,
                peer = %peer.address,
                "a machine registered itself; `weir machines validate NAME` lets it in"
            );
            StatusCode::CREATED.into_response()
        }
        Err(unfit) => refused(&unfit),
    }
}

fn refused(unfit: &UnfitMachine) -> Response {
    let status = match unfit {
        UnfitMachine::Known(_) | UnfitMachine::Waiting => StatusCode::FORBIDDEN,
        UnfitMachine::Name(_) => StatusCode::UNPROCESSABLE_ENTITY,
    };
    said(status, &unfit.to_string())
}

pub(super) async fn leave(
    State(api): State<Api>,
    Extension(peer): Extension<Peer>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    if method != Method::DELETE {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    match api.machine(&headers, &peer) {
        Ok(machine) => {
            api.machines().delete(&machine);
            tracing::info!(machine, peer = %peer.address, "a machine took its leave");
            StatusCode::NO_CONTENT.into_response()
        }
        Err(refused) => *refused,
    }
}

/// `GET /v1/heartbeat`: that it was seen is noted with every request.
pub(super) async fn heartbeat(
    State(api): State<Api>,
    Extension(peer): Extension<Peer>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    if method != Method::GET {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    match api.machine(&headers, &peer) {
        Ok(_) => StatusCode::OK.into_response(),
        Err(refused) => *refused,
    }
}
