//! Spans of time and sizes, as people write them.

use std::time::Duration;

use super::section::{At, at};
use crate::intake::spec::Trust;
use crate::value::parse_duration_with_days;
use crate::yaml::Fields;

/// A span of time above zero: `90s`, `1h30m`, `7d`, `1d12h`.
pub(super) fn duration(fields: &mut Fields<'_, '_>, key: &'static str) -> Option<At<Duration>> {
    let found = fields.parsed(key, "a span of time such as `30s`, `4h` or `7d`", read_duration)?;
    Some(at(fields, found))
}

/// The same, no shorter than `least`, which is written like `1m`. One that is too short is told of.
pub(super) fn duration_from(
    fields: &mut Fields<'_, '_>,
    key: &'static str,
    least: &str,
) -> Option<At<Duration>> {
    let found = duration(fields, key)?;
    if parse(least).is_some_and(|least| found.value < least) {
        let message = format!("`{key}` must be at least `{least}`");
        fields.diagnostics().push(found.error("out-of-range", message));
    }
    Some(found)
}

/// The same, or the word `never`, which is none.
pub(super) fn duration_or_never(
    fields: &mut Fields<'_, '_>,
    key: &'static str,
) -> Option<Option<Duration>> {
    let read = |text: &str| match text {
        "never" => Ok(None),
        _ => read_duration(text).map(Some),
    };
    Some(fields.parsed(key, "a span of time such as `4h`, or `never`", read)?.value)
}

fn read_duration(text: &str) -> Result<Duration, String> {
    match parse(text) {
        Some(Duration::ZERO) => Err("must be longer than nothing".to_owned()),
        Some(duration) => Ok(duration),
        None if text.bytes().all(|b| b.is_ascii_digit()) => {
            Err(format!("without a unit: `{text}s`?"))
        }
        None => Err(String::new()),
    }
}

fn parse(text: &str) -> Option<Duration> {
    let nanos = u64::try_from(parse_duration_with_days(text)?).ok()?;
    Some(Duration::from_nanos(nanos))
}

/// A part of a whole such as `20%`, from 0 to 100.
pub(super) fn percent(fields: &mut Fields<'_, '_>, key: &'static str) -> Option<At<f64>> {
    let found = fields.parsed(key, "a part such as `20%`", |text| {
        let number = text.strip_suffix('%').unwrap_or_default().trim_end();
        let is_plain = number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        match number.parse::<f64>() {
            Ok(part) if is_plain && part <= 100.0 => Ok(part / 100.0),
            Ok(_) => Err("from `0%` to `100%`".to_owned()),
            Err(_) if text.parse::<f64>().is_ok() => Err(format!("`{text}%`?")),
            Err(_) => Err(String::new()),
        }
    })?;
    Some(at(fields, found))
}

/// What may follow from a line: `all`, `observe`, or the span of the longest ban.
pub(super) fn trust(text: &str) -> Result<Trust, String> {
    match text {
        "all" => Ok(Trust::FULL),
        "observe" => Ok(Trust::OBSERVE),
        _ => read_duration(text).map(|longest| Trust::seconds(longest.as_secs())),
    }
}

/// What is expected there.
pub(super) const TRUST: &str = "`all`, `observe`, or the longest ban such as `10m`";

/// A size in bytes within the range: `65536`, `64k`, `16M`, `1G` (powers of 1024).
pub(super) fn size(
    fields: &mut Fields<'_, '_>,
    key: &'static str,
    least: usize,
    most: usize,
) -> Option<At<usize>> {
    let found = fields.parsed(key, "a size such as `8192`, `64k` or `16M`", |text| {
        let size = bytes(text).ok_or_else(String::new)?;
        if (least..=most).contains(&size) {
            return Ok(size);
        }
        Err(format!("must be from {least} to {most} bytes"))
    })?;
    Some(at(fields, found))
}

fn bytes(text: &str) -> Option<usize> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit: usize = match text.strip_prefix(digits)? {
        "" => 1,
        "k" | "K" | "KiB" => 1 << 10,
        "M" | "MiB" => 1 << 20,
        "G" | "GiB" => 1 << 30,
        _ => return None,
    };
    digits.parse::<usize>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_time(text: &str, seconds: Option<f64>) {
        assert_eq!(parse(text).map(|d| d.as_secs_f64()), seconds, "{text}");
    }

    #[track_caller]
    fn check_size(text: &str, size: Option<usize>) {
        assert_eq!(bytes(text), size, "{text}");
    }

    #[test]
    fn spans_of_time() {
        check_time("4h", Some(14_400.0));
        check_time("1h30m", Some(5400.0));
        check_time("0.5s", Some(0.5));
        check_time("7d", Some(604_800.0));
        check_time("1d12h", Some(129_600.0));
        check_time("0", Some(0.0));
        check_time("", None);
        check_time("-1h", None);
        check_time("12", None);
        check_time("d", None);
        check_time("4 hours", None);
        check_time("200000d", None);
        check_time("99999999999999999999d", None);
    }

    #[test]
    fn what_lines_may_do() {
        assert_eq!(trust("all"), Ok(Trust::FULL));
        assert_eq!(trust("observe"), Ok(Trust::OBSERVE));
        assert_eq!(trust("10m"), Ok(Trust::seconds(600)));
        assert_eq!(trust("10"), Err("without a unit: `10s`?".to_owned()));
        assert!(trust("some").is_err());
    }

    #[test]
    fn sizes() {
        check_size("8192", Some(8192));
        check_size("64k", Some(65_536));
        check_size("16M", Some(16 << 20));
        check_size("k", None);
        check_size("1T", None);
        check_size("-1", None);
        check_size("99999999999999999999", None);
        check_size("99999999999999999G", None);
    }
}
