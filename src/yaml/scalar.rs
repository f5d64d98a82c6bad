//! What an unquoted scalar means where no type is asked for: the words and numbers of YAML 1.1.

/// The meaning of a scalar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Plain<'a> {
    /// Empty, `~` or `null`.
    Null,
    /// `true`, `yes`, `on` and their opposites.
    Bool(bool),
    /// A decimal, `0x`, `0o` or `0b` integer that fits 64 bits.
    Integer(i64),
    /// A decimal number with a point or an exponent, or an infinity.
    Float(f64),
    /// Anything else.
    Text(&'a str),
}

impl<'a> Plain<'a> {
    /// The meaning of unquoted text.
    #[must_use]
    pub fn of(text: &'a str) -> Self {
        if is_null(text) {
            return Plain::Null;
        }
        boolean(text)
            .map(Plain::Bool)
            .or_else(|| integer(text).map(Plain::Integer))
            .or_else(|| float(text).map(Plain::Float))
            .unwrap_or(Plain::Text(text))
    }
}

/// Whether unquoted text means nothing.
pub(super) fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// The truth value that YAML 1.1 sees in `text`.
///
/// `y` and `n` are left out, as most implementations do: they are names of things too often.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

/// An integer: decimal, `0x`, `0o`, `0b`, or `0755` (octal in YAML 1.1); `_` between digits.
pub(super) fn integer(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x', ..] => (16, &digits[2..]),
        [b'0', b'o', ..] => (8, &digits[2..]),
        [b'0', b'b', ..] => (2, &digits[2..]),
        [b'0', b'0'..=b'7' | b'_', ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    let first = digits.chars().next()?;
    if first == '_' || !digits.chars().all(|c| c == '_' || c.is_digit(radix)) {
        return None;
    }
    let mut value: i64 = 0;
    for digit in digits.chars().filter_map(|c| c.to_digit(radix)) {
        let digit = i64::from(digit);
        value = value.checked_mul(i64::from(radix))?;
        value = if negative { value.checked_sub(digit) } else { value.checked_add(digit) }?;
    }
    Some(value)
}

/// A number with a point or an exponent, `.inf` or `-.inf`; also whatever [`integer`] takes.
pub(super) fn float(text: &str) -> Option<f64> {
    if let Some(value) = integer(text) {
        #[expect(clippy::cast_precision_loss, reason = "a float was asked for")]
        return Some(value as f64);
    }
    match text {
        ".inf" | "+.inf" | ".Inf" => return Some(f64::INFINITY),
        "-.inf" | "-.Inf" => return Some(f64::NEG_INFINITY),
        _ => {}
    }
    // The standard parser also takes `inf`, `nan` and `infinity`, which are words here.
    let numeric = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
    if !text.chars().all(numeric) || !text.contains(|c: char| c.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, meaning: Plain<'_>) {
        assert_eq!(Plain::of(text), meaning, "{text}");
    }

    #[test]
    fn words_and_numbers() {
        check("", Plain::Null);
        check("~", Plain::Null);
        check("null", Plain::Null);
        check("yes", Plain::Bool(true));
        check("Off", Plain::Bool(false));
        check("y", Plain::Text("y"));
        check("oN", Plain::Text("oN"));
        check("12", Plain::Integer(12));
        check("-12", Plain::Integer(-12));
        check("+1_000", Plain::Integer(1000));
        check("0x1F", Plain::Integer(31));
        check("0o17", Plain::Integer(15));
        check("017", Plain::Integer(15));
        check("0b101", Plain::Integer(5));
        check("0", Plain::Integer(0));
        check("-9223372036854775808", Plain::Integer(i64::MIN));
        check("9223372036854775808", Plain::Float(9_223_372_036_854_775_808.0));
        check("0x", Plain::Text("0x"));
        check("-", Plain::Text("-"));
        check("_1", Plain::Text("_1"));
        check("1.5", Plain::Float(1.5));
        check("1e3", Plain::Float(1000.0));
        check(".inf", Plain::Float(f64::INFINITY));
        check("inf", Plain::Text("inf"));
        check("nan", Plain::Text("nan"));
        check("1.2.3.4", Plain::Text("1.2.3.4"));
        check("5s", Plain::Text("5s"));
        check("e", Plain::Text("e"));
    }
}
