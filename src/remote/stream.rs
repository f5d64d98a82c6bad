//! The entries of an answer of the stream, cut out of it as it arrives: `{"new": [..], "deleted":
//! [..]}` in either order, `null` for a list, other keys passed over.
//!
//! Must hold: no entry is longer than [`LONGEST`], an answer of any length takes the memory of one,
//! and what is cut off or no such answer is never taken for one that says nothing. Pure.

/// The longest entry, in bytes.
pub(super) const LONGEST: usize = 64 * 1024;
/// The longest key, and the deepest value of one that is passed over.
const LONGEST_KEY: usize = 128;

/// What an entry is said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    New,
    Deleted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start,
    /// Before a key, or the end.
    Key,
    InKey {
        is_escaped: bool,
    },
    Colon,
    /// Before a value.
    Value,
    /// In a word: `null`.
    Null(usize),
    /// Between entries.
    Entries(News),
    Entry(News, Depth),
    /// In a value that nobody wants.
    Passing(Depth),
    End,
}

/// How deep in brackets, and whether in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Depth {
    brackets: u32,
    is_text: bool,
    is_escaped: bool,
}

impl Depth {
    fn step(&mut self, byte: u8) {
        if self.is_text {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' => self.is_escaped = true,
                b'"' => self.is_text = false,
                _ => {}
            }
            return;
        }
        match byte {
            b'"' => self.is_text = true,
            b'{' | b'[' => self.brackets = self.brackets.saturating_add(1),
            b'}' | b']' => self.brackets = self.brackets.saturating_sub(1),
            _ => {}
        }
    }
}

/// Cuts entries out.
#[derive(Debug)]
pub(super) struct Scanner {
    state: State,
    /// The key or the entry so far.
    held: Vec<u8>,
    seen: [bool; 2],
}

impl Scanner {
    pub(super) fn new() -> Self {
        Self { state: State::Start, held: Vec::new(), seen: [false; 2] }
    }

    /// Takes the next bytes; `take` gets each whole entry.
    ///
    /// # Errors
    /// What is not as it must be, in words.
    pub(super) fn push(
        &mut self,
        bytes: &[u8],
        take: &mut impl FnMut(News, &[u8]) -> Result<(), String>,
    ) -> Result<(), String> {
        for &byte in bytes {
            self.step(byte, take)?;
        }
        Ok(())
    }

    /// Nothing more arrives.
    ///
    /// # Errors
    /// When the answer is not whole.
    pub(super) fn finish(&self) -> Result<(), String> {
        match (self.state, self.seen) {
            (State::End, [true, true]) => Ok(()),
            (State::End, _) => Err("expected an object with `new` and `deleted`".to_owned()),
            (State::Start, _) => Err("the answer is empty".to_owned()),
            _ => Err("the answer is cut off".to_owned()),
        }
    }

    fn step(
        &mut self,
        byte: u8,
        take: &mut impl FnMut(News, &[u8]) -> Result<(), String>,
    ) -> Result<(), String> {
        let is_space = matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        let unexpected = |expected: &str| {
            Err(format!("expected {expected}, found `{}`", char::from(byte).escape_debug()))
        };
        self.state = match self.state {
            State::Start if is_space => State::Start,
            State::Start if byte == b'{' => State::Key,
            State::Start => return unexpected("`{`"),
            State::Key if is_space || byte == b',' => State::Key,
            State::Key if byte == b'"' => {
                self.held.clear();
                State::InKey { is_escaped: false }
            }
            State::Key if byte == b'}' => State::End,
            State::Key => return unexpected("a key"),
            State::InKey { is_escaped: false } if byte == b'"' => State::Colon,
            State::InKey { is_escaped } => {
                if self.held.len() >= LONGEST_KEY {
                    return Err(format!("a key is longer than {LONGEST_KEY} bytes"));
                }
                self.held.push(byte);
                State::InKey { is_escaped: !is_escaped && byte == b'\\' }
            }
            State::Colon if is_space => State::Colon,
            State::Colon if byte == b':' => State::Value,
            State::Colon => return unexpected("`:`"),
            State::Value if is_space => State::Value,
            State::Value => {
                let news = match &*self.held {
                    b"new" => Some(News::New),
                    b"deleted" => Some(News::Deleted),
                    _ => None,
                };
                if let Some(news) = news {
                    self.seen[usize::from(news == News::Deleted)] = true;
                }
                match (news, byte) {
                    (Some(news), b'[') => State::Entries(news),
                    (Some(_), b'n') => State::Null(1),
                    (Some(_), _) => return unexpected("a list"),
                    (None, b',' | b'}' | b']') => return unexpected("a value"),
                    (None, _) => {
                        let mut depth = Depth::default();
                        depth.step(byte);
                        State::Passing(depth)
                    }
                }
            }
            State::Null(n) if b"null".get(n) == Some(&byte) => match n {
                3 => State::Key,
                _ => State::Null(n + 1),
            },
            State::Null(_) => return unexpected("a list or `null`"),
            State::Entries(news) if is_space || byte == b',' => State::Entries(news),
            State::Entries(_) if byte == b']' => State::Key,
            State::Entries(news) if byte == b'{' => {
                self.held.clear();
                self.held.push(byte);
                State::Entry(news, Depth { brackets: 1, ..Depth::default() })
            }
            State::Entries(_) => return unexpected("a decision"),
            State::Entry(news, mut depth) => {
                if self.held.len() >= LONGEST {
                    return Err(format!("a decision is longer than {LONGEST} bytes"));
                }
                self.held.push(byte);
                depth.step(byte);
                if depth.brackets == 0 {
                    take(news, &self.held)?;
                    State::Entries(news)
                } else {
                    State::Entry(news, depth)
                }
            }
            State::Passing(mut depth) => {
                let is_plain = depth.brackets == 0 && !depth.is_text;
                match byte {
                    b',' if is_plain => State::Key,
                    b'}' if is_plain => State::End,
                    _ => {
                        depth.step(byte);
                        State::Passing(depth)
                    }
                }
            }
            State::End if is_space => State::End,
            State::End => return unexpected("the end"),
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// What is found: `+` and `-` before each entry; or what is wrong.
    fn scan(text: &[u8], chunk: usize) -> Result<Vec<String>, String> {
        let mut found = Vec::new();
        let mut scanner = Scanner::new();
        for part in text.chunks(chunk.max(1)) {
            scanner.push(part, &mut |news, entry| {
                let sign = if news == News::New { '+' } else { '-' };
                found.push(format!("{sign}{}", String::from_utf8_lossy(entry)));
                Ok(())
            })?;
        }
        scanner.finish()?;
        Ok(found)
    }

    #[track_caller]
    fn check(text: &str, expected: Result<&[&str], &str>) {
        let found = scan(text.as_bytes(), 1);
        let found = found.as_ref().map(|all| all.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(found.as_deref().map_err(|error| error.as_str()), expected, "{text}");
    }

    #[test]
    fn answers_of_every_kind_that_was_seen() {
        check(r#"{"new": [], "deleted": []}"#, Ok(&[]));
        check(r#"{"deleted":null,"new":null}"#, Ok(&[]));
        check(
            r#"{"new": [{"a":1},{"b":"}]\"{"}], "deleted": [{}]}"#,
            Ok(&[r#"+{"a":1}"#, r#"+{"b":"}]\"{"}"#, "-{}"]),
        );
        check(r#"{"x":{"new":[{}]},"y":"],}","z":12,"new":[{}],"deleted":null} "#, Ok(&["+{}"]));
    }

    #[test]
    fn what_is_no_answer_is_told_apart_from_one_that_says_nothing() {
        check("", Err("the answer is empty"));
        check("null", Err("expected `{`, found `n`"));
        check("{}", Err("expected an object with `new` and `deleted`"));
        check(
            r#"{"message":"access forbidden"}"#,
            Err("expected an object with `new` and `deleted`"),
        );
        check(r#"{"new":[]}"#, Err("expected an object with `new` and `deleted`"));
        check(r#"{"new":[{"a":1"#, Err("the answer is cut off"));
        check(r#"{"new":[{}],"deleted":[]"#, Err("the answer is cut off"));
        check(r#"{"new":7,"deleted":[]}"#, Err("expected a list, found `7`"));
        check(r#"{"new":[7],"deleted":[]}"#, Err("expected a decision, found `7`"));
        check(r#"{"new":nil,"deleted":[]}"#, Err("expected a list or `null`, found `i`"));
        check(r#"{"new":[],"deleted":[]}{"#, Err("expected the end, found `{`"));
        check(r#"{"new" []}"#, Err("expected `:`, found `[`"));
        check("<html>", Err("expected `{`, found `<`"));
        let long = format!(r#"{{"new":[{{"a":"{}"}}]}}"#, "x".repeat(LONGEST));
        assert_eq!(
            scan(long.as_bytes(), 999).unwrap_err(),
            "a decision is longer than 65536 bytes"
        );
        let long = format!(r#"{{"{}":1}}"#, "x".repeat(200));
        assert_eq!(scan(long.as_bytes(), 7).unwrap_err(), "a key is longer than 128 bytes");
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[ -~\\n\"\\\\{}\\[\\]éß]{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::vec(("[a-z\"\\\\]{1,6}", inner), 0..4)
                    .prop_map(|all| Value::Object(all.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn entries_are_those_of_the_whole_text(
            new in proptest::collection::vec(value(), 0..5),
            deleted in proptest::collection::vec(value(), 0..5),
            other in value(),
            pretty in any::<bool>(),
            chunk in 1..64_usize,
            end in any::<prop::sample::Index>(),
        ) {
            let objects = |all: Vec<Value>| -> Vec<Value> {
                all.into_iter().filter(Value::is_object).collect()
            };
            let (new, deleted) = (objects(new), objects(deleted));
            let all = serde_json::json!({"new": new, "other": other, "deleted": deleted});
            let text = if pretty { serde_json::to_vec_pretty(&all) } else { serde_json::to_vec(&all) };
            let text = text.unwrap();
            let mut found = Vec::new();
            let mut scanner = Scanner::new();
            for part in text.chunks(chunk) {
                scanner.push(part, &mut |news, entry| {
                    found.push((news, serde_json::from_slice::<Value>(entry).unwrap()));
                    Ok(())
                }).unwrap();
            }
            prop_assert_eq!(scanner.finish(), Ok(()));
            let expected = new.into_iter().map(|one| (News::New, one));
            let expected = expected.chain(deleted.into_iter().map(|one| (News::Deleted, one)));
            prop_assert_eq!(found, expected.collect::<Vec<_>>());
            // Whatever is cut off is no answer.
            let cut = &text[..end.index(text.len())];
            prop_assert!(scan(cut, chunk).is_err());
        }

        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = scan(&bytes, 7);
        }
    }
}
