//! What bouncers and machines tell of themselves: taken when it has the usual form, and not kept.

use axum::extract::{Extension, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::sent::sent;
use super::{Api, Peer, forbidden, said};

/// The longest body, packed and unpacked. A bouncer tells of a few dozen numbers.
const LONGEST: usize = 1 << 20;
/// The longest version, in bytes.
const LONGEST_VERSION: usize = 255;

pub(super) async fn take(
    State(api): State<Api>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Response {
    if request.method() != Method::POST {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let headers = request.headers();
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    let is_processor = agent.is_some_and(|agent| agent.starts_with("crowdsec/"));
    // Whoever shows a key is a bouncer, whatever else is shown.
    let is_machine = !headers.contains_key("x-api-key")
        && (headers.contains_key(header::AUTHORIZATION) || is_processor);
    if is_machine {
        if let Err(refused) = api.machine(headers, &peer) {
            return *refused;
        }
    } else if api.who(request.method(), headers, &peer).is_none() {
        return forbidden();
    }
    let (head, body) = request.into_parts();
    let text = match sent(&head.headers, body, LONGEST).await {
        Ok(text) => text,
        Err(message) => return said(StatusCode::BAD_REQUEST, &message),
    };
    match look_at(&text) {
        Ok(()) => StatusCode::CREATED.into_response(),
        Err((status, message)) => said(status, &message),
    }
}

/// Whether it has the form that it must have.
fn look_at(text: &[u8]) -> Result<(), (StatusCode, String)> {
    let bad = |message: String| (StatusCode::BAD_REQUEST, message);
    let unfit = |message: &str| (StatusCode::UNPROCESSABLE_ENTITY, message.to_owned());
    let told: Value = serde_json::from_slice(text).map_err(|error| bad(error.to_string()))?;
    let list = |name: &str| match told.get(name) {
        None | Some(Value::Null) => Ok(&[][..]),
        Some(Value::Array(list)) => Ok(&list[..]),
        Some(_) => Err(bad(format!("expected a list as `{name}`"))),
    };
    let (components, processors) = (list("remediation_components")?, list("log_processors")?);
    let [one] = [components, processors].concat().try_into().map_err(|_: Vec<Value>| {
        bad("expected exactly one remediation component or log processor".to_owned())
    })?;
    match one.get("version").and_then(Value::as_str) {
        Some(version) if version.len() <= LONGEST_VERSION => {}
        _ => return Err(unfit("expected a `version` of at most 255 bytes")),
    }
    match one.get("utc_startup_timestamp").and_then(Value::as_f64) {
        Some(_) => Ok(()),
        None => Err(unfit("expected a number as `utc_startup_timestamp`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<(), u16>) {
        let looked = look_at(text.as_bytes()).map_err(|(status, _)| status.as_u16());
        assert_eq!(looked, expected, "{text}");
    }

    #[test]
    fn what_bouncers_tell_is_taken() {
        check(r#"{"remediation_components":[{"version":"1","utc_startup_timestamp":1}]}"#, Ok(()));
        check(
            "{\"remediation_components\":[{\"version\":\"1\",\"utc_startup_timestamp\":1.5,\
             \"feature_flags\":{},\"metrics\":[]}],\"log_processors\":null}\n",
            Ok(()),
        );
        check(r#"{"log_processors":[{"version":"1","utc_startup_timestamp":1}]}"#, Ok(()));
    }

    #[test]
    fn what_has_another_form_is_refused() {
        check("", Err(400));
        check("{}", Err(400));
        check("[]", Err(400));
        check(r#"{"remediation_components":{}}"#, Err(400));
        check(r#"{"remediation_components":[{},{}]}"#, Err(400));
        check(r#"{"remediation_components":[{}],"log_processors":[{}]}"#, Err(400));
        check(r#"{"remediation_components":[{"utc_startup_timestamp":1}]}"#, Err(422));
        check(r#"{"remediation_components":[{"version":"1"}]}"#, Err(422));
    }
}
