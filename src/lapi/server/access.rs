//! Which machine a request is from, by the token that it shows.
//!
//! An account counts as it is now: a token of one that was deleted, or that is validated no more,
//! opens nothing.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;

use super::refusals::Kind;
use super::{Api, Peer, json};
use crate::lapi::machines::Machine;

/// What clients are told to log in to.
const REALM: HeaderValue = HeaderValue::from_static("JWT realm=Crowdsec API local");

impl Api {
    /// The name of the machine that a request with these headers is from; or the answer, where it is
    /// from none.
    pub(super) fn machine(
        &self,
        headers: &HeaderMap,
        peer: &Peer,
    ) -> Result<String, Box<Response>> {
        let refused = |message: &str| {
            self.refuse(Kind::Token, peer);
            Err(Box::new(unauthorized(message)))
        };
        let token = match shown(headers) {
            Ok(token) => token,
            Err(message) => return refused(message),
        };
        let now = (self.clock)();
        let claims = match self.accounts.secret.read(token, now) {
            Ok(claims) => claims,
            Err(bad) => return refused(&bad.to_string()),
        };
        let mut machines = self.machines();
        let is_it =
            |machine: &&Machine| machine.is_validated && machine.created_at.nanos == claims.account;
        if machines.get(&claims.id).filter(is_it).is_none() {
            // Its name was signed by us, and is plain therefore.
            return refused(&format!("machine {} has no access any more", claims.id));
        }
        machines.seen(&claims.id, peer.address, now);
        Ok(claims.id)
    }

    /// A machine pushed.
    pub(super) fn pushed(&self, machine: &str) {
        self.machines().pushed(machine, (self.clock)());
    }
}

/// The token that headers show.
fn shown(headers: &HeaderMap) -> Result<&str, &'static str> {
    if let Some(said) = headers.get(header::AUTHORIZATION) {
        let (scheme, token) = said.to_str().unwrap_or_default().split_once(' ').unwrap_or_default();
        let is_bearer = scheme.eq_ignore_ascii_case("bearer");
        return if is_bearer { Ok(token.trim()) } else { Err("auth header is invalid") };
    }
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|all| all.split(';')).filter_map(|one| one.split_once('='));
    let token = pairs.find(|(name, _)| name.trim() == "jwt").map(|(_, token)| token.trim());
    token.filter(|token| !token.is_empty()).ok_or("cookie token is empty")
}

/// Tells somebody to log in.
pub(super) fn unauthorized(message: &str) -> Response {
    let mut answer = coded(StatusCode::UNAUTHORIZED, message);
    answer.headers_mut().insert(header::WWW_AUTHENTICATE, REALM);
    answer
}

/// A sentence for whoever logs in or should.
pub(super) fn coded(status: StatusCode, message: &str) -> Response {
    json(status, serde_json::json!({ "code": status.as_u16(), "message": message }).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: header::HeaderName, value: &'static str, expected: Result<&str, &str>) {
        let headers = HeaderMap::from_iter([(name, HeaderValue::from_static(value))]);
        assert_eq!(shown(&headers), expected, "{value}");
    }

    #[test]
    fn tokens_are_in_a_header_or_a_cookie() {
        const NONE: Result<&str, &str> = Err("cookie token is empty");
        const INVALID: Result<&str, &str> = Err("auth header is invalid");
        check(header::AUTHORIZATION, "Bearer a.b.c", Ok("a.b.c"));
        check(header::AUTHORIZATION, "bearer  a.b.c ", Ok("a.b.c"));
        check(header::AUTHORIZATION, "Basic a.b.c", INVALID);
        check(header::AUTHORIZATION, "a.b.c", INVALID);
        check(header::AUTHORIZATION, "", INVALID);
        check(header::COOKIE, "x=1; jwt=a.b.c; y", Ok("a.b.c"));
        check(header::COOKIE, "jwt=", NONE);
        check(header::COOKIE, "xjwt=a", NONE);
        check(header::ACCEPT, "jwt=a", NONE);
    }
}
