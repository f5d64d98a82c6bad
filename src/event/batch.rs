//! Lines as they were received, several to a batch: batches, not lines, cross the queues.

use std::net::IpAddr;

use crate::value::Time;

/// Which of the configured sources a line came from: its index in the settings' list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SourceId(pub u16);

/// Lines that one source received at one moment, in one buffer.
#[derive(Debug)]
pub struct Batch {
    /// The source of all its lines.
    pub source: SourceId,
    /// When the last byte of the batch was received.
    pub received_at: Time,
    bytes: Vec<u8>,
    lines: Vec<Extent>,
}

#[derive(Clone, Copy, Debug)]
struct Extent {
    start: u32,
    end: u32,
    cut: bool,
    sender: Option<IpAddr>,
}

/// One line of a batch: hostile bytes, bounded in length by the source that received it.
#[derive(Clone, Copy, Debug)]
pub struct Line<'b> {
    /// The line without its framing.
    pub bytes: &'b [u8],
    /// The same as text, if that is known to be valid UTF-8.
    pub text: Option<&'b str>,
    /// When it arrived.
    pub received_at: Time,
    /// Where it came from.
    pub source: SourceId,
    /// Whether the source cut it to its longest length.
    pub cut: bool,
    /// The network address it was received from, when it came over a network.
    pub sender: Option<IpAddr>,
}

impl<'b> Line<'b> {
    /// A whole line that came over no network.
    #[must_use]
    pub fn new(bytes: &'b [u8], received_at: Time, source: SourceId) -> Self {
        Self { bytes, text: None, received_at, source, cut: false, sender: None }
    }
}

impl Batch {
    /// An empty batch.
    #[must_use]
    pub fn new(source: SourceId, received_at: Time) -> Self {
        Self { source, received_at, bytes: Vec::new(), lines: Vec::new() }
    }

    /// Makes it empty again; its memory is kept.
    pub fn clear(&mut self, received_at: Time) {
        self.bytes.clear();
        self.lines.clear();
        self.received_at = received_at;
    }

    /// Makes room for so many more lines and bytes.
    pub fn reserve(&mut self, lines: usize, bytes: usize) {
        self.lines.reserve(lines);
        self.bytes.reserve(bytes);
    }

    /// Appends a line.
    pub fn push(&mut self, line: &[u8], cut: bool, sender: Option<IpAddr>) {
        let start = u32::try_from(self.bytes.len()).expect("a batch is far below 4 GiB");
        self.bytes.extend_from_slice(line);
        let end = u32::try_from(self.bytes.len()).expect("a batch is far below 4 GiB");
        self.lines.push(Extent { start, end, cut, sender });
    }

    /// The number of lines.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// The number of bytes of all lines together.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there is no line.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The lines in the order they were received.
    pub fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        // All at once is much cheaper than line by line, and nearly all logs are valid UTF-8.
        let text = std::str::from_utf8(&self.bytes).ok();
        self.lines.iter().map(move |extent| {
            let place = extent.start as usize..extent.end as usize;
            Line {
                bytes: &self.bytes[place.clone()],
                text: text.and_then(|text| text.get(place)),
                received_at: self.received_at,
                source: self.source,
                cut: extent.cut,
                sender: extent.sender,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(lines: &[&[u8]], texts: &[Option<&str>]) {
        let mut batch = Batch::new(SourceId(0), Time::from_seconds(0));
        for line in lines {
            batch.push(line, false, None);
        }
        assert_eq!(batch.lines().map(|line| line.bytes).collect::<Vec<_>>(), lines);
        assert_eq!(batch.lines().map(|line| line.text).collect::<Vec<_>>(), texts);
    }

    #[test]
    fn lines_are_text_where_that_is_sure() {
        check(&[b"a", "\u{e9}".as_bytes(), b""], &[Some("a"), Some("\u{e9}"), Some("")]);
        check(&[b"a", b"\xff"], &[None, None]);
        // Two halves of a character make no line whole.
        check(&[b"\xc3", b"\xa9"], &[None, None]);
    }
}
