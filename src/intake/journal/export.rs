//! The Journal Export Format: entries out of a byte stream.
//!
//! An entry is a run of fields that an empty line ends. A field is `NAME=text` and a line feed, or,
//! when its text is no plain one, `NAME`, a line feed, the length as 64 bits (little endian), so
//! many bytes, and a line feed (systemd's JOURNAL_EXPORT_FORMATS).
//!
//! What must hold:
//! * the entries depend on the bytes alone, never on how they were chopped into reads;
//! * nothing is kept but the few fields of an [`Entry`], each bounded, whatever a length says;
//! * behind the first byte that cannot be right nothing is believed any more: wherever reading
//!   began again, a message could hold what looks like another entry.

#![forbid(unsafe_code)]

mod fuzz;

use super::entry::{Entry, Field};

#[doc(hidden)]
pub use fuzz::fuzz_journal_export;

/// The longest name of a field. The journal takes 64 bytes.
const LONGEST_NAME: usize = 256;
/// The greatest believable length of a field. The journal takes 768 MiB.
const MOST_BYTES: u64 = 1 << 30;

/// Reads entries out of a stream.
#[derive(Debug)]
pub struct Export {
    entry: Entry,
    state: State,
    /// The beginning of a name that the last piece of the stream ended in.
    name: Vec<u8>,
    /// Bytes read so far.
    read: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At the beginning of an entry; the one before was given away.
    Fresh,
    /// In a name.
    Name,
    /// In a text that ends with its line.
    Text(Option<Field>),
    /// In a length, of which so many bytes were read.
    Length(Option<Field>, u32, u64),
    /// In a text of which so many bytes are left.
    Bytes(Option<Field>, u64),
    /// Before the line feed behind such a text.
    Behind,
    /// Behind what cannot be right.
    Damaged,
}

/// A stream that is not, or no more, in the export format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// Something else than what must be there.
    #[error("not in the journal's export format from byte {at} on: {what}")]
    Wrong {
        /// Where, counted from the beginning.
        at: u64,
        /// What is wrong there.
        what: &'static str,
    },
    /// The stream ends within an entry.
    #[error("ends within an entry of the journal, after {at} bytes: the end is missing")]
    Truncated {
        /// Its length.
        at: u64,
    },
}

impl Export {
    /// For lines of at most `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { entry: Entry::new(limit), state: State::Name, name: Vec::new(), read: 0 }
    }

    /// The entry that was read last.
    #[must_use]
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Reads on in `bytes`, which lose what was read, to the end of an entry; gives whether there
    /// is one. If there is none all bytes were read.
    ///
    /// # Errors
    /// When the stream is damaged; from then on always.
    pub fn advance(&mut self, bytes: &mut &[u8]) -> Result<bool, Damage> {
        if self.state == State::Fresh {
            self.entry.clear();
            self.state = State::Name;
        }
        while !bytes.is_empty() {
            let before = bytes.len();
            let next = self.read_piece(bytes);
            self.read += (before - bytes.len()) as u64;
            match next {
                Ok(State::Fresh) if self.entry.is_empty() => self.state = State::Name,
                Ok(State::Fresh) => {
                    self.state = State::Fresh;
                    return Ok(true);
                }
                Ok(state) => self.state = state,
                Err(what) => {
                    self.state = State::Damaged;
                    return Err(Damage::Wrong { at: self.read, what });
                }
            }
        }
        Ok(false)
    }

    /// The stream has ended; gives whether what stands before the end is an entry: its last field is
    /// whole.
    ///
    /// # Errors
    /// When it is not.
    pub fn finish(&mut self) -> Result<bool, Damage> {
        let ended = std::mem::replace(&mut self.state, State::Damaged);
        match ended {
            State::Name if self.name.is_empty() && self.entry.is_empty() => Ok(false),
            State::Name if self.name.is_empty() => Ok(true),
            State::Fresh | State::Damaged => Ok(false),
            _ => Err(Damage::Truncated { at: self.read }),
        }
    }

    /// Reads one piece of at least one byte.
    fn read_piece(&mut self, bytes: &mut &[u8]) -> Result<State, &'static str> {
        Ok(match self.state {
            State::Fresh | State::Name => return self.name(bytes),
            State::Text(field) => {
                let end = memchr::memchr(b'\n', bytes);
                let text = take(bytes, end.unwrap_or(bytes.len()));
                self.append(field, text);
                if end.is_none() {
                    return Ok(State::Text(field));
                }
                take(bytes, 1);
                State::Name
            }
            State::Length(field, count, length) => {
                let Some(&byte) = take(bytes, 1).first() else { return Ok(self.state) };
                let length = length | u64::from(byte) << (8 * count);
                match count + 1 {
                    8 if length > MOST_BYTES => return Err("a field longer than any can be"),
                    8 if length == 0 => State::Behind,
                    8 => State::Bytes(field, length),
                    count => State::Length(field, count, length),
                }
            }
            State::Bytes(field, left) => {
                let most = usize::try_from(left).unwrap_or(usize::MAX);
                let text = take(bytes, most);
                self.append(field, text);
                match left - text.len() as u64 {
                    0 => State::Behind,
                    left => State::Bytes(field, left),
                }
            }
            State::Behind => match take(bytes, 1) {
                b"\n" => State::Name,
                _ => return Err("a field that is not as long as it says"),
            },
            State::Damaged => return Err("what stood before it was wrong"),
        })
    }

    fn name(&mut self, bytes: &mut &[u8]) -> Result<State, &'static str> {
        let end = bytes.iter().take(LONGEST_NAME + 1).position(|byte| matches!(byte, b'=' | b'\n'));
        let piece = take(bytes, end.unwrap_or(bytes.len()));
        if self.name.len() + piece.len() > LONGEST_NAME {
            return Err("the name of a field does not end");
        }
        if !piece.iter().all(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_')) {
            return Err("the name of a field is expected");
        }
        if end.is_none() {
            self.name.extend_from_slice(piece);
            return Ok(State::Name);
        }
        let mark = take(bytes, 1);
        let name = if self.name.is_empty() {
            piece
        } else {
            self.name.extend_from_slice(piece);
            &self.name
        };
        let is_text = mark == b"=";
        if name.is_empty() {
            return if is_text { Err("the name of a field is expected") } else { Ok(State::Fresh) };
        }
        let field = self.entry.begin(name);
        self.name.clear();
        Ok(if is_text { State::Text(field) } else { State::Length(field, 0, 0) })
    }

    fn append(&mut self, field: Option<Field>, text: &[u8]) {
        if let Some(field) = field {
            self.entry.append(field, text);
        }
    }
}

/// Takes at most so many bytes from the front.
fn take<'b>(bytes: &mut &'b [u8], most: usize) -> &'b [u8] {
    let (front, rest) = bytes.split_at(most.min(bytes.len()));
    *bytes = rest;
    front
}

/// A field in the export format.
#[cfg(test)]
pub(in crate::intake) fn field(stream: &mut Vec<u8>, name: &str, text: &[u8], plain: bool) {
    stream.extend_from_slice(name.as_bytes());
    if plain && !text.contains(&b'\n') {
        stream.push(b'=');
    } else {
        stream.push(b'\n');
        stream.extend_from_slice(&(text.len() as u64).to_le_bytes());
    }
    stream.extend_from_slice(text);
    stream.push(b'\n');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The messages of a stream, and how it ended.
    fn read(stream: &[u8], most: usize) -> (Vec<Vec<u8>>, Option<Damage>) {
        let mut export = Export::new(64);
        let mut messages = Vec::new();
        let mut keep = |entry: &Entry| messages.push(entry.get(Field::Message).to_vec());
        let mut read = || {
            for mut piece in stream.chunks(most) {
                while export.advance(&mut piece)? {
                    keep(export.entry());
                }
            }
            if export.finish()? {
                keep(export.entry());
            }
            Ok(())
        };
        let end: Result<(), Damage> = read();
        (messages, end.err())
    }

    #[track_caller]
    fn check(stream: &[u8], expected: &[&str], end: &str) {
        let (messages, damage) = read(stream, usize::MAX);
        let shown: Vec<_> = messages.iter().map(|m| m.escape_ascii().to_string()).collect();
        assert_eq!(shown, expected);
        assert_eq!(damage.map_or_else(String::new, |damage| damage.to_string()), end);
    }

    #[test]
    fn entries() {
        check(b"", &[], "");
        check(b"\n\n", &[], "");
        check(b"__CURSOR=c\nMESSAGE=a\n_PID=1\n\nMESSAGE=b\n\n\nMESSAGE=\n\n", &["a", "b", ""], "");
        check(b"MESSAGE\n\x03\0\0\0\0\0\0\0a\nb\n\n", &[r"a\nb"], "");
        check(b"MESSAGE\n\0\0\0\0\0\0\0\0\n_PID=7\n\n", &[""], "");
        check(b"OTHER\n\x02\0\0\0\0\0\0\0\n\n\nMESSAGE=a=b\n\n", &["a=b"], "");
        check(b"MESSAGE=whole\n", &["whole"], "");
    }

    #[test]
    fn damage() {
        check(
            b"MESSAGE=a\n\nMESSAGE=half",
            &["a"],
            "ends within an entry of the journal, after 23 bytes: the end is missing",
        );
        check(
            b"MESSAGE=a\n\nMESSAGE\n\x09\0\0\0\0\0\0\0short\n\n",
            &["a"],
            "ends within an entry of the journal, after 34 bytes: the end is missing",
        );
        check(
            b"MESSAGE\n\x01\0\0\0\0\0\0\0ab\n\nMESSAGE=forged\n\n",
            &[],
            "not in the journal's export format from byte 18 on: a field that is not as long as \
             it says",
        );
        check(
            b"MESSAGE\n\0\0\0\0\x01\0\0\0a\n\n",
            &[],
            "not in the journal's export format from byte 16 on: a field longer than any can be",
        );
        let wrong = "not in the journal's export format from byte 15 on: the name of a field is \
                     expected";
        check(b"Nov 22 10:00:00 host sshd[1]: x\n", &[], &wrong.replace("15", "31"));
        check(b"=x\n", &[], &wrong.replace("15", "1"));
        let (messages, damage) = read(&[b'A'; 3000], 10);
        assert_eq!(
            (messages.len(), damage),
            (0, Some(Damage::Wrong { at: 260, what: "the name of a field does not end" }))
        );
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(
            entries in prop::collection::vec(
                (prop::collection::vec(any::<u8>(), 0..60), any::<bool>(),
                 prop::collection::vec(any::<u8>(), 0..90)),
                0..6,
            ),
            most in 1_usize..40,
        ) {
            let mut stream = Vec::new();
            for (message, plain, other) in &entries {
                field(&mut stream, "OTHER", other, *plain);
                field(&mut stream, "MESSAGE", message, *plain);
                field(&mut stream, "MESSAGE", b"a second one", true);
                stream.push(b'\n');
            }
            let expected: Vec<_> = entries.into_iter().map(|(message, ..)| message).collect();
            prop_assert_eq!(read(&stream, most), (expected, None));
        }
    }
}
