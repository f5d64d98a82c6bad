//! Lines of a file or of standard input, once from beginning to end.
//!
//! [`open`] sees whether it is compressed and whether it holds entries of the journal; what is
//! plain lines is read as it is.

#![forbid(unsafe_code)]

mod compressed;
mod entries;
mod input;

use std::io::{self, Read};

use super::framing::{Framer, Place};
use crate::event::{Batch, SourceId};
use crate::value::Time;

pub use input::{Form, Input, open, open_counting};

/// Where bytes come from.
type Reader = Box<dyn Read + Send>;

/// Reads lines: LF or CRLF at their end, empty ones skipped, long ones cut.
pub struct FileLines<R> {
    reader: R,
    framer: Framer,
    cut: u64,
    ended: bool,
}

impl<R: Read> FileLines<R> {
    /// The lines of `reader`, each of at most `limit` bytes. The reader needs no buffer.
    pub fn new(reader: R, limit: usize) -> Self {
        Self { reader, framer: Framer::lines(limit), cut: 0, ended: false }
    }

    /// The next line, and whether it is cut; `None` at the end.
    ///
    /// # Errors
    /// When reading fails.
    pub fn next_line(&mut self) -> io::Result<Option<(&[u8], bool)>> {
        loop {
            if let Some(place) = self.framer.locate() {
                // A stream of lines drops nothing but what is behind the limit of a line.
                let Place::Message(from, to, cut) = place else { continue };
                self.cut += u64::from(cut);
                return Ok(Some((self.framer.bytes(from, to), cut)));
            }
            if self.ended {
                return Ok(None);
            }
            match self.reader.read(self.framer.space()) {
                Ok(0) => {
                    self.ended = true;
                    // The last line may come without a line feed.
                    self.framer.push(b"\n");
                }
                Ok(count) => self.framer.filled(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The next lines, at most `lines`, as if they had been received now; `None` at the end.
    ///
    /// # Errors
    /// When reading fails.
    pub fn next_batch(
        &mut self,
        source: SourceId,
        received_at: Time,
        lines: usize,
    ) -> io::Result<Option<Batch>> {
        let mut batch = Batch::new(source, received_at);
        Ok(self.fill(&mut batch, lines)?.then_some(batch))
    }

    /// The same into a batch that was used before, after what it holds; gives whether it holds
    /// anything.
    ///
    /// # Errors
    /// When reading fails.
    pub fn fill(&mut self, batch: &mut Batch, lines: usize) -> io::Result<bool> {
        while batch.len() < lines {
            let (bytes, mut whole) = self.framer.whole_lines();
            batch.push_lines(bytes, whole.by_ref().take(lines - batch.len()));
            let consumed = whole.consumed();
            self.framer.consume_lines(consumed);
            if batch.len() >= lines {
                break;
            }
            let Some((line, cut)) = self.next_line()? else { break };
            batch.push(line, cut, None);
        }
        Ok(!batch.is_empty())
    }

    /// How many lines were cut so far.
    #[must_use]
    pub fn cut(&self) -> u64 {
        self.cut
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let mut lines = FileLines::new(text.as_bytes(), 8);
        let mut shown = Vec::new();
        while let Some((line, cut)) = lines.next_line().expect("a readable text") {
            shown.push(line.escape_ascii().to_string() + if cut { "…" } else { "" });
        }
        assert_eq!(shown, expected);
        assert_eq!(lines.cut(), shown.iter().filter(|line| line.ends_with('…')).count() as u64);
    }

    #[test]
    fn lines() {
        check("a\nb\n", &["a", "b"]);
        check("a\r\n\r\n\nb", &["a", "b"]);
        check("5 <13>a\n", &["5 <13>a"]);
        check(
            "12345678\n123456789\n1234567890123456\nb",
            &["12345678", "12345678…", "12345678…", "b"],
        );
        check("", &[]);
    }

    /// A reader that gives at most so many bytes at once.
    struct Drops<'t>(&'t [u8], usize);

    impl Read for Drops<'_> {
        fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(space.len());
            self.0.read(&mut space[..count])
        }
    }

    proptest! {
        #[test]
        fn many_lines_at_once_are_the_lines_one_by_one(
            text in prop::collection::vec(prop::sample::select(b"ab\xc3\n\n\r\0".to_vec()), 0..200),
            limit in 1_usize..12,
            size in 1_usize..30,
            lines in 1_usize..20,
        ) {
            let mut one_by_one = FileLines::new(&*text, limit);
            let mut expected = Vec::new();
            while let Some((line, cut)) = one_by_one.next_line().expect("a readable text") {
                expected.push((line.to_vec(), cut));
            }
            let mut at_once = FileLines::new(Drops(&text, size), limit);
            let mut batch = Batch::new(SourceId(0), Time::from_seconds(0));
            let mut found = Vec::new();
            while at_once.fill(&mut batch, lines).expect("a readable text") {
                prop_assert!(batch.len() <= lines);
                for line in batch.lines() {
                    prop_assert!(!line.is_single || !line.bytes.contains(&b'\n'));
                    found.push((line.bytes.to_vec(), line.cut));
                }
                batch.clear(Time::from_seconds(0));
            }
            prop_assert_eq!(found, expected);
            prop_assert_eq!(at_once.cut(), one_by_one.cut());
        }
    }

    #[test]
    fn batches() {
        let text = "line\n".repeat(250_000);
        let mut lines = FileLines::new(text.as_bytes(), 64 * 1024);
        let mut sizes = Vec::new();
        let at = Time::from_seconds(1);
        while let Some(batch) = lines.next_batch(SourceId(1), at, 100_000).expect("a readable text")
        {
            assert!(batch.lines().all(|line| line.bytes == b"line" && line.received_at == at));
            sizes.push(batch.len());
        }
        assert_eq!(sizes, [100_000, 100_000, 50_000]);
    }
}
