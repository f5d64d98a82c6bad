//! Machines log in, and ask for another token before theirs runs out.
//!
//! Hostile: anybody may try. What is wrong with a name or a password is not told apart.

use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::access::{coded, unauthorized};
use super::refusals::Kind;
use super::sent::sent;
use super::{Api, Peer, certified_as, json, said_to_be};
use crate::lapi::logins::Busy;

/// The longest body of those who did not log in: a name, a password, and the names of all scenarios
/// there are, four times over.
pub(super) const LONGEST: usize = 1 << 18;

/// What is said to log in; what else is said does not matter.
#[derive(Deserialize)]
struct Login {
    #[serde(default)]
    machine_id: String,
    #[serde(default)]
    password: String,
}

pub(super) async fn login(
    State(api): State<Api>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Response {
    if request.method() != Method::POST {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let (head, body) = request.into_parts();
    let text = match sent(&head.headers, body, LONGEST).await {
        Ok(text) => text,
        Err(message) => return unauthorized(&message),
    };
    if let Some(answer) = api.certified_log_in(&head.headers, &peer) {
        return answer.unwrap_or_else(|refused| *refused);
    }
    match api.log_in(&text, &head.headers, &peer).await {
        Ok(answer) => answer,
        Err(refused) => *refused,
    }
}

pub(super) async fn refresh(
    State(api): State<Api>,
    Extension(peer): Extension<Peer>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    if method != Method::GET {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    match api.machine(&headers, &peer).and_then(|machine| api.welcome(&machine)) {
        Ok(answer) => answer,
        Err(refused) => *refused,
    }
}

impl Api {
    async fn log_in(
        &self,
        text: &[u8],
        headers: &HeaderMap,
        peer: &Peer,
    ) -> Result<Response, Box<Response>> {
        let refused = |message: &str| Box::new(unauthorized(message));
        let Ok(Login { machine_id, password }) = serde_json::from_slice(text) else {
            return Err(refused("expected a JSON object with `machine_id` and `password`"));
        };
        if machine_id.is_empty() || password.is_empty() {
            return Err(refused("missing `machine_id` or `password`"));
        }
        let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
        let agent = agent.unwrap_or_default();
        if agent.split('/').count() != 2 {
            return Err(refused("bad user agent: expected one of the form `name/version`"));
        }
        let kept = self.machines().get(&machine_id).and_then(|machine| machine.password.clone());
        let is_good = self.accounts.logins.is_good(&machine_id, kept, password, peer.address).await;
        if !is_good.map_err(|Busy| Box::new(busy()))? {
            self.refuse(Kind::Password, peer);
            return Err(refused("incorrect Username or Password"));
        }
        // It may have been deleted meanwhile.
        let is_validated = self.machines().get(&machine_id).is_some_and(|one| one.is_validated);
        if !is_validated {
            return Err(refused(&format!("machine {machine_id} not validated")));
        }
        let now = (self.clock)();
        self.machines().logged_in(&machine_id, peer.address, agent, now);
        self.welcome(&machine_id)
    }

    /// The answer to a machine that shows a certificate; `None` where it shows none of a machine.
    fn certified_log_in(
        &self,
        headers: &HeaderMap,
        peer: &Peer,
    ) -> Option<Result<Response, Box<Response>>> {
        let certificate = certified_as(peer, &self.accounts.admission.machine_units)?;
        let now = (self.clock)();
        let mut machines = self.machines();
        let Some(machine) = machines.meet_certified(&certificate.name, peer.address, now) else {
            let message = "expected a certificate whose common name is of letters, digits, `-`, `_` \
                           and `.`, and fewer machines";
            return Some(Err(Box::new(unauthorized(message))));
        };
        machines.logged_in(&machine, peer.address, &said_to_be(headers), now);
        drop(machines);
        Some(self.welcome(&machine))
    }

    /// A token for a machine.
    fn welcome(&self, machine: &str) -> Result<Response, Box<Response>> {
        let made = self.machines().get(machine).map(|machine| machine.created_at);
        let Some(made) = made else {
            return Err(Box::new(unauthorized("incorrect Username or Password")));
        };
        let given = self.accounts.secret.give(machine, made, (self.clock)());
        let expire = given.until.rfc3339();
        let answer = serde_json::json!({ "code": 200, "expire": expire, "token": given.token });
        Ok(json(StatusCode::OK, answer.to_string()))
    }
}

/// Tells somebody to come again.
pub(super) fn busy() -> Response {
    coded(StatusCode::SERVICE_UNAVAILABLE, "too many log in at the same time; try again")
}
