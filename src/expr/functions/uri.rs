//! Parts of URIs: percent-encoding and query parameters.

use std::borrow::Cow;
use std::collections::HashMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Arena, Call, Fault, Function, TEXTS, Type, Value, list_of, text};
use crate::value::Entries;

const TEXT: Type = Type::Text;

/// Names with the list of their values.
const PARAMETERS: Type = Type::Map(&TEXTS);

pub(super) const TABLE: &[Function] = &[
    Function::new("PathUnescape", &[TEXT], TEXT, path_unescape),
    Function::new("QueryUnescape", &[TEXT], TEXT, query_unescape),
    Function::new("PathEscape", &[TEXT], TEXT, path_escape),
    Function::new("QueryEscape", &[TEXT], TEXT, query_escape),
    Function::new("ParseUri", &[TEXT], PARAMETERS, parse_uri),
    Function::new("ParseQuery", &[TEXT], PARAMETERS, parse_query),
    Function::new("ExtractQueryParam", &[TEXT, TEXT], TEXTS, extract_parameter),
];

/// What stands for itself anywhere (RFC 3986 §2.3).
const UNRESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// What also stands for itself in a part of a path.
const IN_PATH: AsciiSet =
    UNRESERVED.remove(b'$').remove(b'&').remove(b'+').remove(b'=').remove(b':').remove(b'@');

/// Decodes `%XX`, and `+` to a space where `plus` says so. `None` when an escape is wrong, unless
/// `tolerant`: then it stays as it is. Bytes that are no UTF-8 become replacement characters.
fn unescape(text: &str, plus: bool, tolerant: bool) -> Option<Cow<'_, str>> {
    let encoded = text.contains('%') || (plus && text.contains('+'));
    if !encoded {
        return Some(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'+' if plus => decoded.push(b' '),
            b'%' => match escape(after) {
                Some(byte) => {
                    decoded.push(byte);
                    rest = after.get(2..).unwrap_or_default();
                }
                None if tolerant => decoded.push(b'%'),
                None => return None,
            },
            _ => decoded.push(byte),
        }
    }
    Some(Cow::Owned(match String::from_utf8(decoded) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    }))
}

/// The byte that two hexadecimal digits stand for.
fn escape(text: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*text.get(at)?).to_digit(16);
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

/// A text in the arena, unless it lies there already.
fn kept<'a>(text: Cow<'a, str>, arena: &'a Arena) -> &'a str {
    match text {
        Cow::Borrowed(text) => text,
        Cow::Owned(text) => arena.alloc_str(&text),
    }
}

fn path_unescape<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let source = text(arguments, 0)?;
    Ok(Value::Text(unescape(source, false, false).map_or(source, |text| kept(text, call.arena))))
}

fn query_unescape<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let source = text(arguments, 0)?;
    Ok(Value::Text(unescape(source, true, false).map_or(source, |text| kept(text, call.arena))))
}

fn path_escape<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let escaped: Cow<'a, str> = utf8_percent_encode(text(arguments, 0)?, &IN_PATH).into();
    Ok(Value::Text(kept(escaped, call.arena)))
}

fn query_escape<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let escaped: Cow<'a, str> = utf8_percent_encode(text(arguments, 0)?, &UNRESERVED).into();
    if escaped.contains("%20") {
        return Ok(Value::Text(call.arena.alloc_str(&escaped.replace("%20", "+"))));
    }
    Ok(Value::Text(kept(escaped, call.arena)))
}

/// The names and values of a query, in order; `None` when something in it is wrong, unless
/// `tolerant`.
fn pairs<'a>(query: &'a str, tolerant: bool, arena: &'a Arena) -> Option<Vec<(&'a str, &'a str)>> {
    let mut pairs = Vec::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        if !tolerant && part.contains(';') {
            return None;
        }
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let name = kept(unescape(name, true, tolerant)?, arena);
        let value = kept(unescape(value, true, tolerant)?, arena);
        pairs.push((name, value));
    }
    Some(pairs)
}

/// A map from each name to its values.
fn grouped<'a>(pairs: Vec<(&'a str, &'a str)>, arena: &'a Arena) -> Result<Value<'a>, Fault> {
    let mut order: Vec<&'a str> = Vec::new();
    let mut groups: HashMap<&'a str, Vec<Value<'a>>> = HashMap::new();
    for (name, value) in pairs {
        let group = groups.entry(name).or_default();
        if group.is_empty() {
            order.push(name);
        }
        group.push(Value::Text(value));
    }
    let mut entries = Vec::with_capacity(order.len());
    for name in order {
        let values = groups.remove(name).unwrap_or_default();
        entries.push((name, list_of(arena, values)?));
    }
    Ok(Value::Map(arena.alloc(Entries::collect(arena, TEXTS, entries))))
}

/// The query of a URI; `None` when the URI is wrong.
fn query_of(uri: &str) -> Option<&str> {
    if uri.bytes().any(|byte| byte.is_ascii_control()) {
        return None;
    }
    let (uri, fragment) = uri.split_once('#').unwrap_or((uri, ""));
    unescape(fragment, false, false)?;
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    unescape(path, false, false)?;
    // What stands before a colon in the first part of a path has to be a scheme.
    let first = path.split('/').next().unwrap_or_default();
    if let Some((scheme, _)) = first.split_once(':') {
        let well_formed = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
        if !well_formed {
            return None;
        }
    }
    Some(query)
}

fn parse_uri<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let query = query_of(text(arguments, 0)?);
    let pairs = query.and_then(|query| pairs(query, false, call.arena)).unwrap_or_default();
    grouped(pairs, call.arena)
}

fn parse_query<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let pairs = pairs(text(arguments, 0)?, true, call.arena).unwrap_or_default();
    grouped(pairs, call.arena)
}

fn extract_parameter<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let (uri, wanted) = (text(arguments, 0)?, text(arguments, 1)?);
    let query = uri.split_once('?').map_or("", |(_, query)| query);
    let pairs = pairs(query, true, call.arena).unwrap_or_default();
    let values = pairs.into_iter().filter(|(name, _)| *name == wanted);
    list_of(call.arena, values.map(|(_, value)| Value::Text(value)))
}

#[cfg(test)]
mod tests {
    use crate::expr::functions::tests::check;

    #[test]
    fn escapes() {
        check("PathUnescape", "['/a%20b+c']", "'/a b+c'");
        check("PathUnescape", "['/a%2']", "'/a%2'");
        check("PathUnescape", "['%20%zz']", "'%20%zz'");
        check("PathUnescape", "['%ff']", "'\u{fffd}'");
        check("QueryUnescape", "['a%20b+c']", "'a b c'");
        check("QueryUnescape", "['a+%']", "'a+%'");
        check("PathEscape", "['a b/c?d=e&\u{e9}~']", "'a%20b%2Fc%3Fd=e&%C3%A9~'");
        check("QueryEscape", "['a b+c&d']", "'a+b%2Bc%26d'");
    }

    #[test]
    fn parameters_of_uris() {
        check("ParseUri", "['/foo?a=1&b=2']", "{'a': ['1'], 'b': ['2']}");
        check("ParseUri", "['http://h/foo?a=1&a=2&c#f']", "{'a': ['1', '2'], 'c': ['']}");
        check("ParseUri", "['/foo?a=1;b=2']", "{}");
        check("ParseUri", "['/foo?a=%zz']", "{}");
        check("ParseUri", "['/%zz?a=1']", "{}");
        check("ParseUri", "['?']", "{}");
        check("ParseUri", "['1:2?a=1']", "{}");
        check("ParseUri", "[':?a=1']", "{}");
        check("ParseUri", "['/a:b?a=1']", "{'a': ['1']}");
        check("ParseUri", "['a\\u0001?a=1']", "{}");
    }

    #[test]
    fn parameters_of_queries() {
        check("ParseQuery", "['a=1;b&c=%zz+%41']", "{'a': ['1;b'], 'c': ['%zz A']}");
        check("ParseQuery", "['']", "{}");
        check("ParseQuery", "['&&=x&']", "{'': ['x']}");
        check("ExtractQueryParam", "['/p?id=1&x=2&id=a%20b', 'id']", "['1', 'a b']");
        check("ExtractQueryParam", "['/p?id=1', 'no']", "[]");
        check("ExtractQueryParam", "['id=1', 'id']", "[]");
    }
}
