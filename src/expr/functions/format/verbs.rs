//! The verbs of `Sprintf`: `%v %d %s %q %x %f %t` and their kin, with flags, width and precision,
//! as Go's `fmt` prints them. What does not fit is printed as such (`%!d(string=x)`), never a
//! fault.

use super::{default_text, type_name};
use crate::expr::functions::{LONGEST_TEXT, too_large};
use crate::value::{Fault, Value};

/// The greatest width and precision.
const WIDEST: usize = 1_000_000;

/// What stands between `%` and the verb.
#[derive(Clone, Copy, Default)]
struct Spec {
    plus: bool,
    minus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// A format being filled with values.
pub(super) struct Printer<'v, 'a> {
    values: &'v [Value<'a>],
    next: usize,
    out: String,
}

impl<'v, 'a> Printer<'v, 'a> {
    pub(super) fn new(values: &'v [Value<'a>]) -> Self {
        Self { values, next: 0, out: String::new() }
    }

    pub(super) fn print(mut self, format: &str) -> Result<String, Fault> {
        let mut rest = format;
        while let Some(at) = rest.find('%') {
            let (plain, directive) = rest.split_at(at);
            self.out.push_str(plain);
            rest = self.directive(directive.get(1..).unwrap_or_default());
            if self.out.len() > LONGEST_TEXT {
                return Err(too_large("text"));
            }
        }
        self.out.push_str(rest);
        if let Some(extra) = self.values.get(self.next..).filter(|extra| !extra.is_empty()) {
            let shown: Vec<String> = extra.iter().map(|value| typed(*value)).collect();
            self.out.push_str(&format!("%!(EXTRA {})", shown.join(", ")));
        }
        Ok(self.out)
    }

    fn take(&mut self) -> Option<Value<'a>> {
        let value = self.values.get(self.next).copied();
        self.next += usize::from(value.is_some());
        value
    }

    /// Prints one directive, from behind its `%`; gives what follows it.
    fn directive<'f>(&mut self, text: &'f str) -> &'f str {
        let mut spec = Spec::default();
        let mut rest = text;
        while let Some(flag) = rest.chars().next() {
            match flag {
                '+' => spec.plus = true,
                '-' => spec.minus = true,
                '#' => spec.sharp = true,
                ' ' => spec.space = true,
                '0' => spec.zero = true,
                _ => break,
            }
            rest = rest.get(1..).unwrap_or_default();
        }
        if let Some(after) = rest.strip_prefix('*') {
            rest = after;
            self.width_argument(&mut spec);
        } else {
            (spec.width, rest) = count(rest);
        }
        if let Some(after) = rest.strip_prefix('.') {
            rest = after;
            if let Some(after) = rest.strip_prefix('*') {
                rest = after;
                match self.take() {
                    Some(Value::Int(number)) => spec.precision = usize::try_from(number).ok(),
                    _ => self.out.push_str("%!(BADPREC)"),
                }
                spec.precision = spec.precision.map(|precision| precision.min(WIDEST));
            } else {
                let (precision, after) = count(rest);
                spec.precision = Some(precision.unwrap_or(0));
                rest = after;
            }
        }
        let Some(verb) = rest.chars().next() else {
            self.out.push_str("%!(NOVERB)");
            return "";
        };
        let rest = rest.get(verb.len_utf8()..).unwrap_or_default();
        if verb == '%' {
            self.out.push('%');
            return rest;
        }
        // With `v` a plus asks for field names, which nothing here has.
        spec.plus &= verb != 'v';
        match self.take() {
            Some(value) => print_value(&mut self.out, spec, verb, value, super::DEEPEST),
            None => self.out.push_str(&format!("%!{verb}(MISSING)")),
        }
        rest
    }

    fn width_argument(&mut self, spec: &mut Spec) {
        match self.take() {
            Some(Value::Int(number)) => {
                spec.minus |= number < 0;
                let width = usize::try_from(number.unsigned_abs()).unwrap_or(WIDEST);
                spec.width = Some(width.min(WIDEST));
            }
            _ => self.out.push_str("%!(BADWIDTH)"),
        }
    }
}

/// A number at the front of the text, and what follows it.
fn count(text: &str) -> (Option<usize>, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    if digits.is_empty() {
        return (None, rest);
    }
    (Some(digits.parse().unwrap_or(WIDEST).min(WIDEST)), rest)
}

/// A value with its type, as in `string=x`.
fn typed(value: Value<'_>) -> String {
    match value {
        Value::Nil => "<nil>".to_owned(),
        _ => format!("{}={}", type_name(value), default_text(value)),
    }
}

fn print_value(out: &mut String, spec: Spec, verb: char, value: Value<'_>, depth: u32) {
    // Hostile: many wide elements; the caller finds the text too long.
    if out.len() > LONGEST_TEXT {
        return;
    }
    if verb == 'T' {
        return pad(out, spec, type_name(value));
    }
    match value {
        Value::Nil if verb == 'v' => pad(out, spec, "<nil>"),
        Value::Nil => out.push_str(&format!("%!{verb}(<nil>)")),
        Value::Bool(truth) if matches!(verb, 't' | 'v') => pad(out, spec, &truth.to_string()),
        Value::Int(number) => print_int(out, spec, verb, number, value),
        Value::Float(number) => print_float(out, spec, verb, number),
        Value::Text(text) => print_text(out, spec, verb, text, value),
        Value::Time(_) if matches!(verb, 'v' | 's' | 'q') => {
            print_text(out, spec, verb, &default_text(value), value);
        }
        Value::Duration(nanos) if !matches!(verb, 'v' | 's' | 'q') => {
            print_int(out, spec, verb, nanos, value);
        }
        Value::Duration(_) => print_text(out, spec, verb, &default_text(value), value),
        Value::List(items) if depth > 0 => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(' ');
                }
                print_value(out, spec, verb, *item, depth - 1);
            }
            out.push(']');
        }
        Value::Map(map) if depth > 0 => {
            let mut entries = Vec::new();
            map.each(&mut |key, value| entries.push((key, value)));
            entries.sort_unstable_by_key(|(key, _)| *key);
            out.push_str("map[");
            for (index, (key, value)) in entries.iter().enumerate() {
                if index > 0 {
                    out.push(' ');
                }
                print_value(out, spec, verb, Value::Text(key), depth - 1);
                out.push(':');
                print_value(out, spec, verb, *value, depth - 1);
            }
            out.push(']');
        }
        Value::Object(_) if verb == 'v' => pad(out, spec, &default_text(value)),
        Value::List(_) | Value::Map(_) => out.push_str("..."),
        Value::Bool(_) | Value::Time(_) | Value::Object(_) => mismatch(out, verb, value),
    }
}

fn mismatch(out: &mut String, verb: char, value: Value<'_>) {
    out.push_str(&format!("%!{verb}({})", typed(value)));
}

/// Writes `text` padded with spaces to the width.
fn pad(out: &mut String, spec: Spec, text: &str) {
    let missing = spec.width.unwrap_or(0).saturating_sub(text.chars().count());
    if spec.minus {
        out.push_str(text);
        out.extend(std::iter::repeat_n(' ', missing));
    } else {
        out.extend(std::iter::repeat_n(' ', missing));
        out.push_str(text);
    }
}

/// Writes a sign and digits, padded with zeros between them where the spec says so.
fn pad_number(out: &mut String, spec: Spec, negative: bool, digits: &str, zeros: bool) {
    let sign = match (negative, spec.plus, spec.space) {
        (true, ..) => "-",
        (false, true, _) => "+",
        (false, false, true) => " ",
        _ => "",
    };
    if zeros && spec.zero && !spec.minus {
        let length = sign.len() + digits.chars().count();
        let missing = spec.width.unwrap_or(0).saturating_sub(length);
        out.push_str(sign);
        out.extend(std::iter::repeat_n('0', missing));
        out.push_str(digits);
    } else {
        pad(out, spec, &format!("{sign}{digits}"));
    }
}

fn print_int(out: &mut String, spec: Spec, verb: char, number: i64, value: Value<'_>) {
    let size = number.unsigned_abs();
    let prefix = |prefix: &'static str| if spec.sharp { prefix } else { "" };
    let (before, digits) = match verb {
        'd' | 'v' => ("", size.to_string()),
        'x' => (prefix("0x"), format!("{size:x}")),
        'X' => (prefix("0X"), format!("{size:X}")),
        'o' => (prefix("0"), format!("{size:o}")),
        'O' => ("0o", format!("{size:o}")),
        'b' => (prefix("0b"), format!("{size:b}")),
        'c' | 'q' | 'U' => return print_character(out, spec, verb, number),
        _ => return mismatch(out, verb, value),
    };
    let zeros = spec.precision.unwrap_or(0).saturating_sub(digits.len());
    let digits = format!("{before}{}{digits}", "0".repeat(zeros));
    pad_number(out, spec, number < 0, &digits, spec.precision.is_none());
}

fn print_character(out: &mut String, spec: Spec, verb: char, number: i64) {
    let character =
        u32::try_from(number).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
    match verb {
        'U' => pad(out, spec, &format!("U+{number:04X}")),
        'q' => pad(out, spec, &format!("'{}'", escaped(character, '\''))),
        _ => pad(out, spec, &character.to_string()),
    }
}

fn print_float(out: &mut String, spec: Spec, verb: char, number: f64) {
    let size = number.abs();
    let digits = match verb {
        _ if number.is_nan() && matches!(verb, 'v' | 'g' | 'G' | 'f' | 'F' | 'e' | 'E') => {
            return pad(out, spec, "NaN");
        }
        _ if number.is_infinite() && matches!(verb, 'v' | 'g' | 'G' | 'f' | 'F' | 'e' | 'E') => {
            let signed = Spec { plus: spec.plus || matches!(verb, 'v'), ..spec };
            return pad_number(out, signed, number < 0.0, "Inf", false);
        }
        'v' | 'g' => general_form(size, spec.precision),
        'G' => general_form(size, spec.precision).to_uppercase(),
        'f' | 'F' => format!("{size:.*}", spec.precision.unwrap_or(6)),
        'e' | 'E' => exponent_form(size, Some(spec.precision.unwrap_or(6)), verb),
        _ => return mismatch(out, verb, Value::Float(number)),
    };
    pad_number(out, spec, number.is_sign_negative(), &digits, true);
}

fn print_text(out: &mut String, spec: Spec, verb: char, text: &str, value: Value<'_>) {
    let cut: String;
    let text = match spec.precision {
        Some(most) if !matches!(verb, 'x' | 'X') => {
            cut = text.chars().take(most).collect();
            &cut
        }
        _ => text,
    };
    match verb {
        's' | 'v' => pad(out, spec, text),
        'q' if spec.sharp && !text.contains(['`', '\n']) => pad(out, spec, &format!("`{text}`")),
        'q' => {
            let quoted: String = text.chars().map(|c| escaped(c, '"')).collect();
            pad(out, spec, &format!("\"{quoted}\""));
        }
        'x' | 'X' => {
            let most = spec.precision.unwrap_or(usize::MAX);
            let digit =
                |byte: u8| if verb == 'x' { format!("{byte:02x}") } else { format!("{byte:02X}") };
            let digits: String = text.bytes().take(most).map(digit).collect();
            pad(out, spec, &digits);
        }
        _ => mismatch(out, verb, value),
    }
}

/// A character as it stands between quotes.
fn escaped(c: char, quote: char) -> String {
    match c {
        '\u{7}' => "\\a".to_owned(),
        '\u{8}' => "\\b".to_owned(),
        '\u{c}' => "\\f".to_owned(),
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        '\u{b}' => "\\v".to_owned(),
        '\\' => "\\\\".to_owned(),
        _ if c == quote => format!("\\{c}"),
        '\0'..'\u{20}' | '\u{7f}' => format!("\\x{:02x}", u32::from(c)),
        '\u{80}'..'\u{a0}' | '\u{ad}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => {
            format!("\\u{:04x}", u32::from(c))
        }
        _ => c.to_string(),
    }
}

/// With an exponent of two digits at least: `1.7e+09`; as many digits as needed when no
/// precision is given.
pub(in crate::expr::functions) fn exponent_form(
    number: f64,
    precision: Option<usize>,
    verb: char,
) -> String {
    let text = match precision {
        Some(precision) => format!("{number:.precision$e}"),
        None => format!("{number:e}"),
    };
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) =
        exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    format!("{digits}{verb}{sign}{exponent:0>2}")
}

/// The shorter of both forms: with an exponent where that is below -4 or reaches the precision,
/// which is 6 for this purpose where none is given.
pub(super) fn general_form(number: f64, precision: Option<usize>) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    if number == 0.0 {
        return if number.is_sign_negative() { "-0" } else { "0" }.to_owned();
    }
    // More digits than this say nothing about a float.
    let digits = precision.map(|precision| precision.clamp(1, 800));
    let exponential = exponent_form(number, digits.map(|digits| digits - 1), 'e');
    let exponent: i32 = exponential
        .split_once('e')
        .and_then(|(_, exponent)| exponent.parse().ok())
        .unwrap_or_default();
    let written = exponential.bytes().take_while(|byte| *byte != b'e').filter(u8::is_ascii_digit);
    // As many digits as the number has are precision enough for it.
    let limit = match digits {
        None => 6,
        Some(digits) => {
            let needed = written
                .collect::<Vec<u8>>()
                .iter()
                .rposition(|digit| *digit != b'0')
                .map_or(1, |last| last + 1);
            let whole = i64::from(exponent) + 1;
            if digits > needed && i64::try_from(needed).is_ok_and(|needed| needed >= whole) {
                needed
            } else {
                digits
            }
        }
    };
    if exponent < -4 || i64::from(exponent) >= i64::try_from(limit).unwrap_or(i64::MAX) {
        let (mantissa, tail) = exponential.split_at(exponential.find('e').unwrap_or(0));
        return format!("{}{tail}", without_zeros(mantissa));
    }
    match digits {
        None => format!("{number}"),
        Some(digits) => {
            let places = i64::try_from(digits).unwrap_or(800) - 1 - i64::from(exponent);
            let places = usize::try_from(places).unwrap_or(0);
            without_zeros(&format!("{number:.places$}")).to_owned()
        }
    }
}

/// The number without zeros at the end of its fraction.
fn without_zeros(number: &str) -> &str {
    if !number.contains('.') {
        return number;
    }
    number.trim_end_matches('0').trim_end_matches('.')
}
