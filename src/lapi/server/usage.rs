//! What bouncers tell of themselves: taken when it has the usual form, and not kept.

use std::io::Read as _;

use axum::body::to_bytes;
use axum::extract::{Extension, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::read::GzDecoder;
use serde_json::Value;

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
    if api.who(request.method(), request.headers(), peer).is_none() {
        return forbidden();
    }
    let encoding = request.headers().get(header::CONTENT_ENCODING).cloned();
    let Ok(bytes) = to_bytes(request.into_body(), LONGEST).await else {
        return said(StatusCode::BAD_REQUEST, "the body cannot be read, or is longer than 1 MiB");
    };
    let text = match encoding.as_ref().map(|value| value.as_bytes()) {
        None => bytes.to_vec(),
        Some(b"gzip") => match unpacked(&bytes) {
            Ok(text) => text,
            Err(message) => return said(StatusCode::BAD_REQUEST, &message),
        },
        Some(_) => return said(StatusCode::BAD_REQUEST, "expected gzip as content encoding"),
    };
    match look_at(&text) {
        Ok(()) => StatusCode::CREATED.into_response(),
        Err((status, message)) => said(status, &message),
    }
}

/// What was packed by gzip, if that is not too much.
fn unpacked(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    let limit = LONGEST as u64 + 1;
    let read = GzDecoder::new(bytes).take(limit).read_to_end(&mut text);
    read.map_err(|error| format!("the body is no gzip: {error}"))?;
    match text.len() > LONGEST {
        true => Err("the body unpacks to more than 1 MiB".to_owned()),
        false => Ok(text),
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
    use std::io::Write as _;

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

    #[test]
    fn a_small_body_that_unpacks_to_much_is_refused() {
        let pack = |text: &[u8]| {
            let mut pack = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            pack.write_all(text).unwrap();
            pack.finish().unwrap()
        };
        assert_eq!(unpacked(&pack(b"{}")).unwrap(), b"{}");
        assert!(unpacked(&pack(&vec![b' '; 100 << 20])).unwrap_err().contains("1 MiB"));
        assert!(unpacked(b"no gzip").is_err());
    }
}
