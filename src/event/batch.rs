//! Lines as they were received, several to a batch: batches, not lines, cross the queues.

use std::net::IpAddr;
use std::ops::Range;

use super::Receipt;
use crate::value::Time;

/// Which of the configured sources a line came from: its index in the settings' list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SourceId(pub u16);

/// What a source knows of whose line it is, beside its text. What it does not know is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The unit of the service manager, such as `ssh.service`.
    pub unit: Box<str>,
    /// The name of the container.
    pub container: Box<str>,
    /// The syslog facility, 0 to 23, of lines without a priority.
    pub facility: Option<u8>,
    /// The user of the local process that sent it, as the kernel says.
    pub user: Option<u32>,
}

/// Lines that one source received at one moment, in one buffer.
#[derive(Debug)]
pub struct Batch {
    /// The source of all its lines.
    pub source: SourceId,
    /// When the last byte of the batch was received.
    pub received_at: Time,
    /// Who is to know when all that follows from the lines is done.
    pub receipt: Option<Receipt>,
    bytes: Vec<u8>,
    lines: Vec<Extent>,
    /// Whether there are bytes beside those of the lines.
    is_apart: bool,
    /// Each of them once.
    origins: Vec<Origin>,
}

#[derive(Clone, Copy, Debug)]
struct Extent {
    start: u32,
    end: u32,
    cut: bool,
    is_single: bool,
    sender: Option<IpAddr>,
    /// One more than its place in the batch's list; 0 where nothing is known.
    origin: u32,
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
    /// Whether it is known to hold no line feed.
    pub is_single: bool,
    /// The network address it was received from, when it came over a network.
    pub sender: Option<IpAddr>,
    /// What else is known of whose line it is.
    pub origin: Option<&'b Origin>,
}

impl<'b> Line<'b> {
    /// A whole line that came over no network.
    #[must_use]
    pub fn new(bytes: &'b [u8], received_at: Time, source: SourceId) -> Self {
        Self {
            bytes,
            text: None,
            received_at,
            source,
            cut: false,
            is_single: false,
            sender: None,
            origin: None,
        }
    }
}

impl Batch {
    /// An empty batch.
    #[must_use]
    pub fn new(source: SourceId, received_at: Time) -> Self {
        Self {
            source,
            received_at,
            receipt: None,
            bytes: Vec::new(),
            lines: Vec::new(),
            is_apart: false,
            origins: Vec::new(),
        }
    }

    /// Makes it empty again; its memory is kept.
    pub fn clear(&mut self, received_at: Time) {
        self.bytes.clear();
        self.lines.clear();
        self.origins.clear();
        self.is_apart = false;
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
        self.lines.push(Extent { start, end, cut, is_single: false, sender, origin: 0 });
    }

    /// Appends a line of which more is known than its text says. Takes time in the number of
    /// different origins in the batch.
    pub fn push_from(&mut self, line: &[u8], cut: bool, origin: &Origin) {
        let known = self.origins.iter().rposition(|known| known == origin);
        let place = known.unwrap_or_else(|| {
            self.origins.push(origin.clone());
            self.origins.len() - 1
        });
        self.push(line, cut, None);
        if let Some(last) = self.lines.last_mut() {
            last.origin = u32::try_from(place + 1).expect("a batch is far below 4 GiB");
        }
    }

    /// Appends lines that lie in `bytes` one behind the other, none of them cut and none with a
    /// line feed. All are copied at once, with what is between them.
    pub fn push_lines(&mut self, bytes: &[u8], lines: impl Iterator<Item = Range<usize>>) {
        let before = self.bytes.len();
        assert!(u32::try_from(before + bytes.len()).is_ok(), "a batch is far below 4 GiB");
        let place = |at: usize| u32::try_from(before + at).unwrap_or(u32::MAX);
        let mut end = 0;
        self.lines.extend(lines.map(|line| {
            end = line.end.min(bytes.len());
            let start = place(line.start.min(end));
            let end = place(end);
            Extent { start, end, cut: false, is_single: true, sender: None, origin: 0 }
        }));
        self.bytes.extend_from_slice(&bytes[..end]);
        self.is_apart = true;
    }

    /// The number of lines.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// The number of bytes of all lines together, and of what is between them.
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
        let is_single = !self.is_apart && memchr::memchr(b'\n', &self.bytes).is_none();
        self.lines.iter().map(move |extent| {
            let place = extent.start as usize..extent.end as usize;
            Line {
                bytes: &self.bytes[place.clone()],
                text: text.and_then(|text| text.get(place)),
                received_at: self.received_at,
                source: self.source,
                cut: extent.cut,
                is_single: is_single || extent.is_single,
                sender: extent.sender,
                origin: match extent.origin {
                    0 => None,
                    place => self.origins.get(place as usize - 1),
                },
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
        let is_single = lines.iter().all(|line| !line.contains(&b'\n'));
        assert!(batch.lines().all(|line| line.is_single == is_single));
    }

    #[test]
    fn lines_are_text_where_that_is_sure() {
        check(&[b"a", "\u{e9}".as_bytes(), b""], &[Some("a"), Some("\u{e9}"), Some("")]);
        check(&[b"a", b"\xff"], &[None, None]);
        check(&[b"a\nb"], &[Some("a\nb")]);
        // Two halves of a character make no line whole.
        check(&[b"\xc3", b"\xa9"], &[None, None]);
    }

    #[test]
    fn lines_keep_what_is_known_of_them() {
        let origin = |unit: &str| Origin { unit: unit.into(), ..Origin::default() };
        let mut batch = Batch::new(SourceId(0), Time::from_seconds(0));
        batch.push(b"a", false, None);
        for unit in ["x", "x", "y", "x"] {
            batch.push_from(b"b", false, &origin(unit));
        }
        let units = |batch: &Batch| -> Vec<String> {
            let unit = |origin: &Origin| origin.unit.to_string();
            batch.lines().map(|line| line.origin.map_or("-".to_owned(), unit)).collect()
        };
        assert_eq!(units(&batch), ["-", "x", "x", "y", "x"]);
        assert_eq!(batch.origins.len(), 2);
        batch.clear(Time::from_seconds(1));
        batch.push_from(b"b", false, &origin("z"));
        assert_eq!(units(&batch), ["z"]);
    }

    #[test]
    fn lines_of_one_piece() {
        let mut batch = Batch::new(SourceId(0), Time::from_seconds(0));
        batch.push(b"a\nb", false, None);
        batch.push_lines(b"c\nd\r\n\nnot whole", [0..1, 2..3].into_iter());
        batch.push_lines(b"not whole", std::iter::empty());
        batch.push(b"e", true, None);
        let shown: Vec<_> = batch
            .lines()
            .map(|line| (line.text.unwrap_or("-"), line.is_single, line.cut))
            .collect();
        let expected =
            [("a\nb", false, false), ("c", true, false), ("d", true, false), ("e", false, true)];
        assert_eq!(shown, expected);
    }
}
