//! Reading JSON (RFC 8259) into an arena. Texts without escapes are borrowed, not copied.
//!
//! The grammar is held to strictly, with one exception: half a surrogate pair, which some
//! programs write, reads as the replacement character. Who could make a logger write one would
//! otherwise make its lines unreadable.

use bumpalo::collections::Vec as ArenaVec;

use crate::expr::functions::{LONGEST_LIST, too_large};
use crate::value::{Arena, Entries, Fault, Type, Value};

/// Hostile: arrays and objects may be nested only so deep, because reading them recurses.
const DEEPEST: u32 = 256;

/// The value that `text` is, numbers as floats.
pub(super) fn parse<'a>(text: &'a str, arena: &'a Arena) -> Result<Value<'a>, Fault> {
    let mut reader = Reader { text, at: 0, arena };
    reader.space();
    let value = reader.value(DEEPEST)?;
    reader.space();
    if reader.at < text.len() { Err(reader.wrong("the end")) } else { Ok(value) }
}

/// The text that a string's inside stands for; `None` when an escape is wrong.
pub(super) fn unescape<'a>(raw: &'a str, arena: &'a Arena) -> Option<&'a str> {
    if !raw.contains('\\') {
        return Some(raw);
    }
    Some(arena.alloc_str(&unescape_owned(raw)?))
}

/// As [`unescape`], not in an arena.
pub(super) fn unescape_owned(raw: &str) -> Option<String> {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        let (plain, escape) = rest.split_at(at);
        out.push_str(plain);
        let kind = *escape.as_bytes().get(1)?;
        let mut length = 2;
        out.push(match kind {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let (decoded, used) = unicode(escape)?;
                length = used;
                decoded
            }
            _ => return None,
        });
        rest = escape.get(length..)?;
    }
    out.push_str(rest);
    Some(out)
}

/// The character of a `\u` escape or of a surrogate pair, and the length of the escape.
fn unicode(escape: &str) -> Option<(char, usize)> {
    let unit = |from: usize| {
        let escape = escape.get(from..from + 6)?;
        let digits = escape.strip_prefix("\\u")?;
        // `from_str_radix` would take a sign.
        digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(())?;
        u32::from_str_radix(digits, 16).ok()
    };
    let high = unit(0)?;
    if (0xd800..0xdc00).contains(&high)
        && let Some(low) = unit(6).filter(|low| (0xdc00..0xe000).contains(low))
    {
        let code = 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00);
        return Some((char::from_u32(code)?, 12));
    }
    Some((char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER), 6))
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    arena: &'a Arena,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn wrong(&self, expected: &str) -> Fault {
        Fault::new(format!("the text is not JSON: expected {expected} at byte {}", self.at))
    }

    fn value(&mut self, depth: u32) -> Result<Value<'a>, Fault> {
        match self.peek() {
            Some(b'"') => self.string().map(Value::Text),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Nil),
            _ => Err(self.wrong("a value")),
        }
    }

    fn word(&mut self, word: &str, value: Value<'a>) -> Result<Value<'a>, Fault> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word) {
            return Err(self.wrong("a value"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn number(&mut self) -> Result<Value<'a>, Fault> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if !self.take(b'+') {
                self.take(b'-');
            }
            self.digits()?;
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Value::Float(number)),
            _ => Err(Fault::new(format!("the number at byte {start} is too large"))),
        }
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { Err(self.wrong("a digit")) } else { Ok(()) }
    }

    fn string(&mut self) -> Result<&'a str, Fault> {
        let start = self.at + 1;
        let mut at = start;
        loop {
            match self.text.as_bytes().get(at) {
                Some(b'"') => break,
                Some(b'\\') => at += 2,
                Some(0x20..) => at += 1,
                Some(_) | None => {
                    self.at = at.min(self.text.len());
                    return Err(self.wrong("the end of a string"));
                }
            }
        }
        let raw = self.text.get(start..at).unwrap_or_default();
        let text = unescape(raw, self.arena).ok_or_else(|| self.wrong("a string"))?;
        self.at = at + 1;
        Ok(text)
    }

    fn array(&mut self, depth: u32) -> Result<Value<'a>, Fault> {
        let depth = depth.checked_sub(1).ok_or_else(too_deep)?;
        self.at += 1;
        let mut items = ArenaVec::new_in(self.arena);
        self.space();
        if self.take(b']') {
            return Ok(Value::List(&[]));
        }
        loop {
            self.space();
            let item = self.value(depth)?;
            if items.len() == LONGEST_LIST {
                return Err(too_large("list"));
            }
            items.push(item);
            self.space();
            if self.take(b']') {
                return Ok(Value::List(items.into_bump_slice()));
            }
            if !self.take(b',') {
                return Err(self.wrong("`,` or `]`"));
            }
        }
    }

    fn object(&mut self, depth: u32) -> Result<Value<'a>, Fault> {
        let depth = depth.checked_sub(1).ok_or_else(too_deep)?;
        self.at += 1;
        let mut entries = ArenaVec::new_in(self.arena);
        self.space();
        if !self.take(b'}') {
            loop {
                self.space();
                if self.peek() != Some(b'"') {
                    return Err(self.wrong("a key"));
                }
                let key = self.string()?;
                self.space();
                if !self.take(b':') {
                    return Err(self.wrong("`:`"));
                }
                self.space();
                entries.push((key, self.value(depth)?));
                self.space();
                if self.take(b'}') {
                    break;
                }
                if !self.take(b',') {
                    return Err(self.wrong("`,` or `}`"));
                }
            }
        }
        let map = Entries::collect(self.arena, Type::Unknown, entries);
        Ok(Value::Map(self.arena.alloc(map)))
    }
}

fn too_deep() -> Fault {
    Fault::new("the JSON is nested too deeply")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let arena = Arena::new();
        let found = parse(arena.alloc_str(text), &arena).ok().map(|value| format!("{value:?}"));
        assert_eq!(found.as_deref(), expected, "{text}");
    }

    #[test]
    fn values() {
        check(
            " [1, -0.5e+1, true, false, null, \"a\"] ",
            Some("[1.0, -5.0, true, false, nil, \"a\"]"),
        );
        check(r#"{"a": {"b": []}, "a": 2}"#, Some(r#"{"a": 2.0}"#));
        check(r#""\u0041\n\/\ud83d\ude00""#, Some("\"A\\n/\u{1f600}\""));
        check(r#""\ud83d x""#, Some("\"\u{fffd} x\""));
        check(r#""\ude00\ud83d\u0041""#, Some("\"\u{fffd}\u{fffd}A\""));
        check("\"é\"", Some("\"é\""));
    }

    #[test]
    fn what_is_not_json() {
        for text in [
            "",
            " ",
            "{",
            "[",
            "[1",
            "[1,",
            "[1,]",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{a:1}",
            "01",
            "1.",
            ".5",
            "-",
            "+1",
            "1e",
            "1e999",
            "nul",
            "truex",
            "'a'",
            "\"a",
            "\"\\q\"",
            "\"\\u12\"",
            "\"\\u+123\"",
            "\"a\nb\"",
            "1 2",
            "\"\\",
            "NaN",
        ] {
            check(text, None);
        }
        check(
            &format!("{}1{}", "[".repeat(256), "]".repeat(256)),
            Some(&format!("{}1.0{}", "[".repeat(256), "]".repeat(256))),
        );
        check(&"[".repeat(100_000), None);
    }

    proptest! {
        #[test]
        fn as_another_reader_has_it(text in "[\\[\\]{}:,\"\\\\u0-9a-f.eE+ -]{0,24}") {
            let arena = Arena::new();
            let ours = parse(arena.alloc_str(&text), &arena);
            let theirs = serde_json::from_str::<serde_json::Value>(&text);
            // Half surrogate pairs are the one thing that differs.
            if !text.contains("\\ud") {
                prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{}", text);
            }
        }
    }
}
