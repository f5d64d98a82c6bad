//! Arguments that several commands take.

use std::time::Duration;

use ipnet::IpNet;

use crate::decision::{Origin, parse_net};
use crate::diagnostic::similar;
use crate::value::{Zone, parse_duration_with_days};

/// An address or a prefix, in canonical form.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub(super) fn net(text: &str) -> Result<IpNet, String> {
    parse_net(text).map_err(|error| error.to_string())
}

/// A span of time above zero.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let nanos = parse_duration_with_days(text).and_then(|nanos| u64::try_from(nanos).ok());
    match nanos {
        Some(0) => Err("it must be longer than nothing".to_owned()),
        Some(nanos) => Ok(Duration::from_nanos(nanos)),
        None => Err("expected a span of time such as `90m`, `24h` or `7d`".to_owned()),
    }
}

/// Who asked for a decision.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub(super) fn origin(text: &str) -> Result<String, String> {
    match Origin::named(text) {
        Some(origin) => Ok(origin.name().to_owned()),
        None => Err("expected `scenario`, `manual` or `list`".to_owned()),
    }
}

/// A time zone.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub(super) fn zone(text: &str) -> Result<Zone, String> {
    Zone::named(text).map_err(|_| {
        let known = Zone::all_names();
        match similar(text, known.iter().map(String::as_str)) {
            Some(meant) => format!("there is no such zone; did you mean `{meant}`?"),
            None => {
                "expected a zone such as `Europe/Berlin`, `UTC`, `+01:00` or `local`".to_owned()
            }
        }
    })
}

const LONGEST_REASON: usize = 200;

/// A reason: a line that is fit to be shown.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub(super) fn reason(text: &str) -> Result<String, String> {
    if text.chars().any(char::is_control) {
        return Err("it must be one line of text".to_owned());
    }
    if text.chars().count() > LONGEST_REASON {
        return Err(format!("it must be at most {LONGEST_REASON} characters long"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments() {
        assert_eq!(
            net("::ffff:192.0.2.7").map(|net| net.to_string()),
            Ok("192.0.2.7/32".to_owned())
        );
        assert!(net("nobody").is_err());
        assert_eq!(duration("1d").map(|d| d.as_secs()), Ok(86_400));
        assert!(duration("0s").is_err() && duration("-1h").is_err() && duration("7").is_err());
        assert_eq!(
            zone("Europe/Berlin").map(|zone| zone.name().to_owned()),
            Ok("Europe/Berlin".into())
        );
        let error = zone("Europe/Berlni").unwrap_err();
        assert!(error.ends_with("did you mean `Europe/Berlin`?"), "{error}");
        assert!(reason("port scans").is_ok());
        assert!(reason("a\nb").is_err() && reason(&"a".repeat(201)).is_err());
    }
}
