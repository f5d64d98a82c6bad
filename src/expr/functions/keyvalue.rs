//! `key=value` texts into maps.

use super::{Arena, Call, Fault, Function, Type, Value, map, text};
use crate::value::Entries;

pub(super) const TABLE: &[Function] = &[
    Function::new("ParseKV", &[Type::Text, Type::Unknown, Type::Text], Type::Unknown, parse)
        .with_check(super::maps::open_map_second),
    Function::new("ParseKVLax", &[Type::Text, Type::Unknown, Type::Text], Type::Unknown, parse_lax)
        .with_check(super::maps::open_map_second),
];

fn parse<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    store(call.arena, arguments, strict(text(arguments, 0)?))
}

fn parse_lax<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    store(call.arena, arguments, lax(text(arguments, 0)?, call.arena))
}

/// Merges the pairs into the map of texts at `map[key]`, which is made if there is none; nil.
fn store<'a>(
    arena: &'a Arena,
    arguments: &[Value<'a>],
    pairs: Vec<(&'a str, &'a str)>,
) -> Result<Value<'a>, Fault> {
    let (target, key) = (map(arguments, 1)?, text(arguments, 2)?);
    if pairs.is_empty() {
        return Err(Fault::new("there is no `key=value` in the text"));
    }
    let mut merged: Vec<(&'a str, Value<'a>)> = Vec::new();
    match target.get(key) {
        None | Some(Value::Nil) => {}
        Some(Value::Map(old)) if matches!(old.element(), Type::Text) => {
            old.each(&mut |key, value| merged.push((key, value)));
        }
        Some(other) => {
            return Err(Fault::new(format!(
                "`{key:.64}` holds {}, not a map of strings",
                other.kind()
            )));
        }
    }
    merged.extend(pairs.into_iter().map(|(key, value)| (key, Value::Text(value))));
    let map = arena.alloc(Entries::collect(arena, Type::Text, merged));
    if !target.set(key, Value::Map(map)) {
        return Err(Fault::new(format!("the map cannot hold a map for `{key:.64}`")));
    }
    Ok(Value::Nil)
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0c)
}

/// Whether a byte can stand in a key or in a value without quotes.
const fn is_plain(byte: u8) -> bool {
    byte != b'=' && !is_space(byte)
}

/// The length of the run of plain bytes that begins at `at`.
fn plain_run(bytes: &[u8], at: usize) -> usize {
    bytes.iter().skip(at).take_while(|byte| is_plain(**byte)).count()
}

/// Every `k=v`: a key is a run without `=` and white space; its value is in quotes, or another
/// such run, or nothing.
fn strict(text: &str) -> Vec<(&str, &str)> {
    let bytes = text.as_bytes();
    let mut pairs = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let length = plain_run(bytes, at);
        let equals = at + length;
        if length == 0 || bytes.get(equals) != Some(&b'=') {
            at = equals.max(at + 1);
            continue;
        }
        let start = equals + 1;
        let (value, end) = match quoted(bytes, start) {
            Some(close) => (start + 1..close, close + 1),
            None => {
                let end = start + plain_run(bytes, start);
                let spaces = bytes.iter().skip(end).take_while(|byte| is_space(**byte)).count();
                (start..end, if end == start { end + spaces } else { end })
            }
        };
        pairs.push((text.get(at..equals).unwrap_or_default(), text.get(value).unwrap_or_default()));
        at = end;
    }
    pairs
}

/// The place of the quote that closes the one at `start`; a backslash keeps the next character,
/// which must not be a line break.
fn quoted(bytes: &[u8], start: usize) -> Option<usize> {
    if bytes.get(start) != Some(&b'"') {
        return None;
    }
    let mut at = start + 1;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at),
            b'\\' if bytes.get(at + 1) == Some(&b'\n') => return None,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// Keys are names outside of quotes; a value goes on to the next key.
fn lax<'a>(text: &'a str, arena: &'a Arena) -> Vec<(&'a str, &'a str)> {
    let bytes = text.as_bytes();
    // Where keys begin and end.
    let mut keys: Vec<(usize, usize)> = Vec::new();
    let mut at = 0;
    let mut inside = false;
    let mut backslashes = 0usize;
    while let Some(&byte) = bytes.get(at) {
        if byte == b'\\' {
            backslashes += 1;
            at += 1;
            continue;
        }
        if byte == b'"' && backslashes.is_multiple_of(2) {
            inside = !inside;
        }
        backslashes = 0;
        if !byte.is_ascii_alphabetic() && byte != b'_' {
            at += 1;
            continue;
        }
        let end = at
            + bytes
                .iter()
                .skip(at)
                .take_while(|byte| {
                    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-')
                })
                .count();
        if bytes.get(end) == Some(&b'=') && !inside {
            keys.push((at, end));
        }
        at = end;
    }
    let ends = keys.iter().skip(1).map(|(start, _)| *start).chain([bytes.len()]);
    keys.iter()
        .zip(ends)
        .map(|((start, equals), end)| {
            let key = text.get(*start..*equals).unwrap_or_default();
            let value = text.get(equals + 1..end).unwrap_or_default().trim();
            (key, unquoted(value, arena))
        })
        .collect()
}

/// A value without its quotes; within both quotes `\\` and `\"` stand for the character.
fn unquoted<'a>(value: &'a str, arena: &'a Arena) -> &'a str {
    let Some(inner) = value.strip_prefix('"') else { return value };
    let Some(inner) = inner.strip_suffix('"') else { return inner };
    if !inner.contains('\\') {
        return inner;
    }
    arena.alloc_str(&inner.replace("\\\\", "\\").replace("\\\"", "\""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::expr::functions::tests::call_with;
    use crate::value::Map;

    #[track_caller]
    fn check(text: &str, expected: &[(&str, &str)]) {
        assert_eq!(strict(text), expected, "{text}");
    }

    #[track_caller]
    fn check_lax(text: &str, expected: &[(&str, &str)]) {
        assert_eq!(lax(text, &Arena::new()), expected, "{text}");
    }

    #[test]
    fn pairs() {
        check("foo=bar toto=titi", &[("foo", "bar"), ("toto", "titi")]);
        check("head a=\"b c\" d", &[("a", "b c")]);
        check("a=\"b \\\"c\\\" \" x=1", &[("a", "b \\\"c\\\" "), ("x", "1")]);
        check("foo= bar=toto", &[("foo", ""), ("bar", "toto")]);
        check("a=b=c d=e", &[("a", "b"), ("d", "e")]);
        check("a=\"open b=c", &[("a", "\"open"), ("b", "c")]);
        check("a=\"x\"b=1", &[("a", "x"), ("b", "1")]);
        check("a=", &[("a", "")]);
        check("=a", &[]);
        check("nothing here", &[]);
        check("é=ü", &[("é", "ü")]);
    }

    #[test]
    fn lax_pairs() {
        check_lax("host=My Server name=test", &[("host", "My Server"), ("name", "test")]);
        check_lax("foo= bar=toto", &[("foo", ""), ("bar", "toto")]);
        check_lax("RES=0x00 SYN URGP=0", &[("RES", "0x00 SYN"), ("URGP", "0")]);
        check_lax(
            "error=user_not_found, code_id=1",
            &[("error", "user_not_found,"), ("code_id", "1")],
        );
        check_lax(
            "msg=\"say \\\"fake=val\\\" here\" real=value",
            &[("msg", "say \"fake=val\" here"), ("real", "value")],
        );
        check_lax("a=\"open b c", &[("a", "open b c")]);
        check_lax("a.b-c=1 2=3 _d=é", &[("a.b-c", "1 2=3"), ("_d", "é")]);
        check_lax("a=\"\\\\\" b=1", &[("a", "\\"), ("b", "1")]);
        check_lax("=x", &[]);
    }

    #[test]
    fn into_the_event() {
        let arena = Arena::new();
        let map = arena.alloc(Entries::new(&arena, Type::Unknown));
        let parse = |text: &'static str, key: &'static str| {
            let arguments = [Value::Text(text), Value::Map(map), Value::Text(key)];
            call_with(&arena, "ParseKV", &arguments)
        };
        assert!(parse("a=1 b=2", "x").expect("two pairs").is_nil());
        assert!(parse("b=3 c=4", "x").expect("two pairs").is_nil());
        assert_eq!(format!("{:?}", map.get("x")), r#"Some({"a": "1", "b": "3", "c": "4"})"#);
        assert!(parse("none", "x").is_err());
        map.set("y", Value::Int(1));
        assert_eq!(
            parse("a=1", "y").expect_err("another type").message,
            "`y` holds int, not a map of strings"
        );
    }

    #[test]
    fn very_many_pairs_are_quick() {
        let arena = Arena::new();
        let text: String = (0..50_000).map(|n| format!("k{n}=v ")).collect();
        let map = arena.alloc(Entries::new(&arena, Type::Unknown));
        let arguments = [Value::Text(arena.alloc_str(&text)), Value::Map(map), Value::Text("x")];
        assert!(call_with(&arena, "ParseKV", &arguments).is_ok());
    }

    proptest! {
        #[test]
        fn as_the_expression_has_it(text in "[ab=\"\\\\ \n]{0,16}") {
            let regex = regex::Regex::new(
                r#"(?P<key>[^=\s]+)=(?:"(?P<quoted>[^"\\]*(?:\\.[^"\\]*)*)"|(?P<value>[^=\s]+)|\s*)"#,
            ).expect("valid");
            let expected: Vec<(&str, &str)> = regex
                .captures_iter(&text)
                .map(|found| {
                    let value = found.name("quoted").or_else(|| found.name("value"));
                    let key = found.name("key").map_or("", |key| key.as_str());
                    (key, value.map_or("", |value| value.as_str()))
                })
                .collect();
            prop_assert_eq!(strict(&text), expected);
        }

        #[test]
        fn any_text(text in ".{0,40}") {
            let _ = strict(&text);
            let _ = lax(&text, &Arena::new());
        }
    }
}
