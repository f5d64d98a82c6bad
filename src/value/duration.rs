//! Spans of time as text in Go's notation, which rules are written in: `1h30m`, `0.5s`, `100ms`.

const UNITS: [(&str, i64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// The nanoseconds that a text such as `1h30m`, `-1.5s` or `0` names; there are no days. `None`
/// when it is no such text or does not fit.
#[must_use]
pub fn parse_duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut sum: i64 = 0;
    while !rest.is_empty() {
        let whole = digits(&mut rest);
        let fraction = match rest.strip_prefix('.') {
            Some(after) => {
                rest = after;
                digits(&mut rest)
            }
            None => "",
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let end = rest.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        rest = after;
        let unit = UNITS.iter().find(|(known, _)| *known == name)?.1;
        let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        sum = sum.checked_add(whole.checked_mul(unit)?)?.checked_add(part(fraction, unit))?;
    }
    Some(if negative { -sum } else { sum })
}

/// As Go prints a duration: `1h30m0s`, `1.5s`, `100ms`, `0s`.
#[must_use]
pub fn duration_text(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let size = nanos.unsigned_abs();
    match size {
        0 => "0s".into(),
        1..1_000 => format!("{sign}{size}ns"),
        1_000..1_000_000 => format!("{sign}{}µs", decimal(size, 1_000)),
        1_000_000..1_000_000_000 => format!("{sign}{}ms", decimal(size, 1_000_000)),
        _ => {
            let (minutes, rest) = (size / 60_000_000_000, size % 60_000_000_000);
            let seconds = decimal(rest, 1_000_000_000);
            match (minutes / 60, minutes % 60) {
                (0, 0) => format!("{sign}{seconds}s"),
                (0, minutes) => format!("{sign}{minutes}m{seconds}s"),
                (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}s"),
            }
        }
    }
}

fn digits<'t>(rest: &mut &'t str) -> &'t str {
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (head, after) = rest.split_at(end);
    *rest = after;
    head
}

/// The fraction of a unit, rounded towards zero. Digits beyond the eighteenth are below one
/// nanosecond in any unit.
fn part(fraction: &str, unit: i64) -> i64 {
    let (numerator, denominator) =
        fraction.bytes().take(18).fold((0i128, 1i128), |(sum, scale), digit| {
            (sum * 10 + i128::from(digit - b'0'), scale * 10)
        });
    i64::try_from(numerator * i128::from(unit) / denominator).unwrap_or(i64::MAX)
}

fn decimal(size: u64, unit: u64) -> String {
    let (whole, rest) = (size / unit, size % unit);
    if rest == 0 {
        return whole.to_string();
    }
    let width = unit.ilog10() as usize;
    let digits = format!("{rest:0width$}");
    format!("{whole}.{}", digits.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(text: &str, nanos: i64, shown: &str) {
        assert_eq!(parse_duration(text), Some(nanos), "{text}");
        assert_eq!(duration_text(nanos), shown, "{text}");
    }

    #[test]
    fn reads_and_writes() {
        check("0", 0, "0s");
        check("0s", 0, "0s");
        check("10s", 10_000_000_000, "10s");
        check("1m", 60_000_000_000, "1m0s");
        check("1h30m", 5_400_000_000_000, "1h30m0s");
        check("0.5s", 500_000_000, "500ms");
        check("1.5s", 1_500_000_000, "1.5s");
        check(".5h", 1_800_000_000_000, "30m0s");
        check("-100ms", -100_000_000, "-100ms");
        check("+1us", 1_000, "1µs");
        check("1µs500ns", 1_500, "1.5µs");
        check("7ns", 7, "7ns");
        check("0.333333333333333333333h", 1_199_999_999_999, "19m59.999999999s");
    }

    #[test]
    fn refuses() {
        for text in ["", "-", "1", "s", "1d", "1 s", "1s ", ".s", "1.s.", "1sm", "--1s"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
        assert_eq!(parse_duration("3000000h"), None);
        assert_eq!(parse_duration("99999999999999999999s"), None);
    }

    proptest! {
        #[test]
        fn every_span_comes_back(nanos in -i64::MAX..) {
            prop_assert_eq!(parse_duration(&duration_text(nanos)), Some(nanos));
        }

        #[test]
        fn hostile_text_is_only_refused(text in "[-+.0-9a-zµ]{0,30}") {
            let _ = parse_duration(&text);
        }
    }
}
