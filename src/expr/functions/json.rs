//! JSON: values out of it and into it.

use super::{Call, Fault, Function, LIST, Type, Value, map, option, text};

mod extract;
mod read;
mod write;

const ANY: Type = Type::Unknown;
const TEXT: Type = Type::Text;

pub(super) const TABLE: &[Function] = &[
    Function::new("JsonExtract", &[TEXT, TEXT], TEXT, extract_text),
    Function::new("JsonExtractUnescape", &[TEXT, TEXT], TEXT, extract_unescaped).with_rest(TEXT),
    Function::new("JsonExtractLib", &[TEXT, TEXT], TEXT, extract_library).with_rest(TEXT),
    Function::new("JsonExtractSlice", &[TEXT, TEXT], LIST, extract_list),
    Function::new("JsonExtractObject", &[TEXT, TEXT], Type::Map(&ANY), extract_map),
    Function::new("ToJsonString", &[ANY], TEXT, to_json_compact),
    Function::new("toJSON", &[ANY], TEXT, to_json),
    Function::new("fromJSON", &[TEXT], ANY, from_json),
    Function::new("UnmarshalJSON", &[TEXT, ANY, TEXT], ANY, unmarshal)
        .with_check(super::maps::open_map_second),
];

fn extract_text<'a>(_: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let found = extract::find(text(arguments, 0)?, extract::steps(text(arguments, 1)?));
    Ok(Value::Text(found.map(extract::Raw::text).unwrap_or_default()))
}

/// One level deep: further keys have no meaning.
fn extract_unescaped<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let step = extract::Step::Key(text(arguments, 1)?);
    let found = match extract::find(text(arguments, 0)?, [step].into_iter()) {
        Some(extract::Raw::Text(raw)) => read::unescape(raw, call.arena).unwrap_or_default(),
        _ => "",
    };
    Ok(Value::Text(found))
}

/// Rules have only ever got an error from it, so that is what they rely on.
fn extract_library<'a>(_: Call<'a>, _: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    Err(Fault::new("`JsonExtractLib` cannot be called from rules: use `JsonExtract`"))
}

fn extract_value<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    match extract::find(text(arguments, 0)?, extract::steps(text(arguments, 1)?)) {
        Some(extract::Raw::Other(raw)) => Ok(read::parse(raw, call.arena).unwrap_or(Value::Nil)),
        _ => Ok(Value::Nil),
    }
}

fn extract_list<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let found = extract_value(call, arguments)?;
    Ok(if matches!(found, Value::List(_)) { found } else { Value::Nil })
}

fn extract_map<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let found = extract_value(call, arguments)?;
    Ok(if matches!(found, Value::Map(_)) { found } else { Value::Nil })
}

/// A value as JSON on one line, as `ToJsonString` writes it.
///
/// # Errors
/// When it is nested too deeply, too long, or no number that JSON knows.
pub fn json_text(value: Value<'_>) -> Result<String, Fault> {
    write::compact(value)
}

fn to_json_compact<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let text = write::compact(option(arguments, 0)).unwrap_or_default();
    Ok(Value::Text(call.arena.alloc_str(&text)))
}

fn to_json<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    Ok(Value::Text(call.arena.alloc_str(&write::indented(option(arguments, 0))?)))
}

fn from_json<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    read::parse(text(arguments, 0)?, call.arena)
}

/// Sets `map[key]` and gives nil.
fn unmarshal<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let value = read::parse(text(arguments, 0)?, call.arena)?;
    let key = text(arguments, 2)?;
    if !map(arguments, 1)?.set(key, value) {
        return Err(Fault::new(format!("the map cannot hold {} for `{key:.64}`", value.kind())));
    }
    Ok(Value::Nil)
}

#[cfg(test)]
mod tests {
    use crate::expr::functions::tests::{call_with, check, fault, faults};
    use crate::value::{Arena, Entries, Map, Type, Value};

    #[track_caller]
    fn extracts(function: &str, json: &str, path: &str, expected: &str) {
        let arena = Arena::new();
        let found = call_with(&arena, function, &[Value::Text(json), Value::Text(path)]);
        assert_eq!(format!("{:?}", found.expect("no fault")), expected, "{json} {path}");
    }

    #[test]
    fn extraction() {
        let check = |json, path, expected: &str| {
            extracts("JsonExtract", json, path, &format!("{expected:?}"));
        };
        check(r#"{"test" : {"a": "b"}}"#, "test.a", "b");
        check(r#"{"test" : {"a": "b"}}"#, "test", r#"{"a": "b"}"#);
        check(r#"{"test" : {"a": "b"}}"#, "a", "");
        check(r#"{"a": {"b": [{"c": 1.50}, [2, null]]}}"#, "a.b[0].c", "1.50");
        check(r#"{"a": {"b": [{"c": 1}, [2, null]]}}"#, "a.b[1][1]", "null");
        check(r#"{"a": {"b": [{"c": 1}, [2, null]]}}"#, "a.b[2]", "");
        check(r#"{"a": "say \"x\" \u0041"}"#, "a", r#"say \"x\" \u0041"#);
        check(r#"{"a\u0062": true}"#, "ab", "true");
        check(r#"{"x": "}{\"a\":", "a": 7} trailing"#, "a", "7");
        check(r#"head {"a": 7, "b": broken"#, "a", "7");
        check(r#"{"a": 7, "b": broken"#, "b", "");
        check(r#"{"a": "open"#, "a", "");
        check(r#"{"a": {"b": 1"#, "a", "");
        check(r#"[{"a": 1}]"#, "[0].a", "1");
        check(r#"[{"a": 1}]"#, "a", "");
        check(r#"[{"a": 1}] {"a": 2}"#, "a", "2");
        check(r#"{"a": [1]}"#, "[0]", "");
        check(r#""a": {"a": 1}"#, "a", "");
        check(r#"at 12:00 {"a": 1}"#, "a", "");
        check(r#"} {"a": 1}"#, "a", "");
        check(r#"say "x", {"a": 1}"#, "a", "1");
        check("", "a", "");
        check("{", "a", "");
        check(r#"{"a": 1}"#, "", "");
        check(r#"{"a": 1}"#, "a.", "");
        check(r#"{"é": "ü"}"#, "é", "ü");
    }

    #[test]
    fn extraction_of_other_kinds() {
        extracts("JsonExtractSlice", r#"{"test": ["1234"]}"#, "test", r#"["1234"]"#);
        extracts("JsonExtractSlice", r#"{"test": {}}"#, "test", "nil");
        extracts(
            "JsonExtractObject",
            r#"{"test": {"foo": [{"a": 1}]}}"#,
            "test.foo[0]",
            r#"{"a": 1.0}"#,
        );
        extracts("JsonExtractObject", r#"{"test": []}"#, "test", "nil");
        extracts(
            "JsonExtractUnescape",
            r#"{"log" : "\"GET /x\" 200"}"#,
            "log",
            r#""\"GET /x\" 200""#,
        );
        extracts("JsonExtractUnescape", r#"{"log" : 5}"#, "log", r#""""#);
        extracts("JsonExtractUnescape", r#"{"log" : "\q"}"#, "log", r#""""#);
        assert!(fault("JsonExtractLib", "['{}', 'a']").contains("cannot be called from rules"));
    }

    #[test]
    fn writing() {
        check(
            "ToJsonString",
            "[{'b': [1, 2.5, nil, true], 'a': '<\\'>'}]",
            "'{\\\"a\\\":\\\"\\\\u003c\\'\\\\u003e\\\",\\\"b\\\":[1,2.5,null,true]}'",
        );
        check("ToJsonString", "['x']", "'\\\"x\\\"'");
        check(
            "toJSON",
            "[{'a': [1], 'b': {}}]",
            "'{\\n  \\\"a\\\": [\\n    1\\n  ],\\n  \\\"b\\\": {}\\n}'",
        );
        check("fromJSON", "['[1, null]']", "[1.0, nil]");
    }

    #[test]
    fn into_the_event() {
        let arena = Arena::new();
        let map = arena.alloc(Entries::new(&arena, Type::Unknown));
        let unmarshal = |json: &'static str| {
            call_with(
                &arena,
                "UnmarshalJSON",
                &[Value::Text(json), Value::Map(map), Value::Text("x")],
            )
        };
        assert!(unmarshal(r#"{"a": {"b": [1]}}"#).expect("valid").is_nil());
        assert_eq!(format!("{:?}", map.get("x")), r#"Some({"a": {"b": [1.0]}})"#);
        assert!(unmarshal(r#"{"a": 1} x"#).is_err());
        faults("UnmarshalJSON", "['{}', 5, 'x']", "argument 2: expected map, found int");
    }
}
