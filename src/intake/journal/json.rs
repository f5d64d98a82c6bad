//! `journalctl -o json`: an object a line, one for each entry.
//!
//! A field's text is a string; an array of numbers where it is not valid UTF-8 or holds control
//! characters; an array of these when the entry has the field more than once; and `null` when
//! `journalctl` found it too long to show. Nothing is kept but the few fields of an [`Entry`].

#![forbid(unsafe_code)]

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::entry::{Entry, Field};

/// Reads an object into `entry`, in place of what it holds. A message that was too long to be
/// shown is none.
///
/// # Errors
/// When it is no such object.
pub fn read(line: &[u8], entry: &mut Entry) -> Result<(), serde_json::Error> {
    entry.clear();
    let mut json = serde_json::Deserializer::from_slice(line);
    Object(entry).deserialize(&mut json)?;
    json.end()
}

/// Whether a line looks like an entry: an object with a field that every entry has.
#[must_use]
pub fn is_entry(line: &[u8]) -> bool {
    let mut entry = Entry::new(0);
    line.first() == Some(&b'{') && read(line, &mut entry).is_ok() && entry.has(Field::Received)
}

struct Object<'e>(&'e mut Entry);

impl<'de> DeserializeSeed<'de> for Object<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object, an entry of the journal")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            if Field::of(name.as_bytes()).is_some() {
                map.next_value_seed(Text { entry: self.0, name: name.as_bytes(), depth: 0 })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// The text of a field.
struct Text<'e> {
    entry: &'e mut Entry,
    name: &'e [u8],
    depth: u8,
}

impl<'de> DeserializeSeed<'de> for Text<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Text<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, an array of bytes, or `null`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.entry.set(self.name, text.as_bytes());
        Ok(())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.visit_str(&number.to_string())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Self { entry, name, depth } = self;
        let mut field = None;
        let mut is_begun = false;
        loop {
            let item = Item { entry: &mut *entry, name, depth };
            match items.next_element_seed(item)? {
                None => return Ok(()),
                Some(Some(byte)) => {
                    if !is_begun {
                        field = entry.begin(name);
                        is_begun = true;
                    }
                    if let Some(field) = field {
                        entry.append(field, &[byte]);
                    }
                }
                Some(None) => {}
            }
        }
    }
}

/// What an array holds: a byte, or one of several texts, which is taken at once.
struct Item<'e> {
    entry: &'e mut Entry,
    name: &'e [u8],
    depth: u8,
}

impl<'de> DeserializeSeed<'de> for Item<'_> {
    type Value = Option<u8>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Option<u8>, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Item<'_> {
    type Value = Option<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a byte or a text")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Option<u8>, E> {
        u8::try_from(number).map(Some).map_err(|_| E::custom("a byte is expected, 0 to 255"))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Option<u8>, E> {
        self.entry.set(self.name, text.as_bytes());
        Ok(None)
    }

    fn visit_unit<E: Error>(self) -> Result<Option<u8>, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Option<u8>, A::Error> {
        let Self { entry, name, depth } = self;
        if depth > 0 {
            return Err(A::Error::custom("a byte or a text is expected"));
        }
        Text { entry, name, depth: 1 }.visit_seq(items)?;
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(line: &str, expected: &str) {
        let mut entry = Entry::new(64);
        entry.set(b"MESSAGE", b"what was there before");
        let shown = match read(line.as_bytes(), &mut entry) {
            Ok(()) if !entry.is_line() => "no message".to_owned(),
            Ok(()) => entry.get(Field::Message).escape_ascii().to_string(),
            Err(_) => "wrong".to_owned(),
        };
        assert_eq!(shown, expected, "{line}");
    }

    #[test]
    fn entries() {
        check(r#"{"MESSAGE":"a\nb","X":{"y":[1,{}]},"_PID":"1"}"#, r"a\nb");
        check(r#"{"MESSAGE":[97,255,0]}"#, r"a\xff\x00");
        check(r#"{"MESSAGE":[]}"#, "no message");
        check(r#"{"MESSAGE":null}"#, "no message");
        check(r#"{"MESSAGE":["one","two"]}"#, "one");
        check(r#"{"MESSAGE":[[97,10],"two"]}"#, r"a\n");
        check(r#"{"MESSAGE":7}"#, "7");
        check("{}", "no message");
        for wrong in [
            "",
            "[]",
            "{",
            r#"{"MESSAGE":"a"} x"#,
            r#"{"MESSAGE":[256]}"#,
            r#"{"MESSAGE":[[[1]]]}"#,
        ] {
            check(wrong, "wrong");
        }
    }

    #[test]
    fn what_looks_like_an_entry() {
        assert!(is_entry(br#"{"_X":"y","__REALTIME_TIMESTAMP":"1"}"#));
        assert!(!is_entry(br#"{"time":"1","MESSAGE":"x"}"#));
        assert!(!is_entry(b"Nov 22 10:00:00 host sshd[1]: x"));
    }

    proptest! {
        #[test]
        fn any_message_is_read_as_it_was_written(
            message in prop::collection::vec(any::<u8>(), 1..60),
            line in ".{0,40}",
        ) {
            let mut entry = Entry::new(64);
            let written = serde_json::json!({"MESSAGE": message, "_EXE": line}).to_string();
            prop_assert!(read(written.as_bytes(), &mut entry).is_ok());
            prop_assert_eq!(entry.get(Field::Message), &*message);
            // Any line at all is looked at without harm.
            let _ = read(line.as_bytes(), &mut entry);
        }
    }
}
