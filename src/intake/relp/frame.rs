//! RELP frames out of a byte stream, and into one. Pure.
//!
//! A frame is `TXNR SP COMMAND SP DATALEN [SP DATA] LF`: transaction number and length of up to
//! nine digits, a command of up to 32 letters. What must hold:
//! * the frames depend on the bytes alone, never on how they were chopped into reads;
//! * the buffer holds at most one frame with data of the longest length plus a few KiB; of longer
//!   data the beginning is kept and the rest skipped;
//! * a frame is shown only when it is known to be whole, its final LF included;
//! * after the first byte that cannot be there nothing is shown any more: a stream that is out of
//!   step may hold anything.

#![forbid(unsafe_code)]

use crate::intake::buffer::Buffer;

/// Cuts a byte stream into frames.
#[derive(Debug)]
pub struct Frames {
    buffer: Buffer,
    limit: usize,
    /// Bytes of the frame at `start` that are skipped behind its kept data, when it is too long.
    skip: Option<usize>,
    bad: Option<BadFrame>,
}

/// A frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'b> {
    /// The number of its transaction; 0 for a hint, which wants no answer.
    pub txnr: u32,
    /// What it asks for: letters.
    pub command: &'b str,
    /// What it says.
    pub data: &'b [u8],
    /// Whether the data was longer than the limit and is cut.
    pub cut: bool,
}

/// A stream that holds something else than frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFrame {
    /// At the place of a transaction number.
    #[error("expected a transaction number of up to nine digits and a space")]
    Txnr,
    /// At the place of a command.
    #[error("expected a command of up to 32 letters and a space")]
    Command,
    /// At the place of a length.
    #[error("expected a length of up to nine digits and a space")]
    Length,
    /// At the end of a frame.
    #[error("expected a line feed at the end of the frame")]
    Trailer,
}

const DIGITS: usize = 9;
const LETTERS: usize = 32;
/// The longest header, with its three spaces.
const HEADER: usize = DIGITS + 1 + LETTERS + 1 + DIGITS + 1;
/// Room in the buffer beside the longest frame.
const SLACK: usize = 4096;

/// Where the parts of a header end, and what its numbers are.
#[derive(Clone, Copy, Debug)]
struct Header {
    txnr: u32,
    command: (usize, usize),
    /// Where the data begins.
    data: usize,
    length: usize,
}

/// A frame by its place in the buffer.
struct Place {
    header: Header,
    start: usize,
    kept: usize,
    cut: bool,
}

/// The most bytes of memory for frames with data of at most `limit`.
fn most(limit: usize) -> usize {
    HEADER.saturating_add(limit).saturating_add(SLACK)
}

impl Frames {
    /// For a stream of frames with data of at most `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        let limit = limit.max(1);
        let buffer = Buffer::new(most(limit), false);
        Self { buffer, limit, skip: None, bad: None }
    }

    /// Where the next bytes are to be written; never empty once [`Self::next_frame`] has given
    /// `None`. [`Self::filled`] must follow.
    pub fn space(&mut self) -> &mut [u8] {
        self.buffer.space()
    }

    /// `count` bytes were written into [`Self::space`].
    pub fn filled(&mut self, count: usize) {
        self.buffer.filled(count);
    }

    /// The next whole frame; `None` when more bytes are needed.
    ///
    /// # Errors
    /// When the stream holds something else; it does so for good.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, BadFrame> {
        let Some(place) = self.locate()? else { return Ok(None) };
        let Place { header, start, kept, cut } = place;
        let command = &self.buffer.bytes[start + header.command.0..start + header.command.1];
        let command = std::str::from_utf8(command).expect("letters");
        let data = &self.buffer.bytes[start + header.data..start + header.data + kept];
        Ok(Some(Frame { txnr: header.txnr, command, data, cut }))
    }

    /// Whether the stream stands inside a frame, given that [`Self::next_frame`] gave `None`.
    #[must_use]
    pub fn is_inside(&self) -> bool {
        self.buffer.start != self.buffer.end
    }

    /// Gives back memory that a quiet stream does not need.
    pub fn shrink(&mut self) {
        self.buffer.shrink();
    }

    /// The bytes of memory held.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.buffer.bytes.capacity()
    }

    /// The most bytes of memory that are ever held.
    pub(super) fn most(&self) -> usize {
        most(self.limit)
    }

    fn locate(&mut self) -> Result<Option<Place>, BadFrame> {
        if let Some(bad) = self.bad {
            return Err(bad);
        }
        let found = self.try_locate();
        self.bad = found.as_ref().err().copied();
        found
    }

    fn try_locate(&mut self) -> Result<Option<Place>, BadFrame> {
        let Some(header) = header(&self.buffer.bytes[self.buffer.start..self.buffer.end])? else {
            return Ok(None);
        };
        let kept = header.length.min(self.limit);
        let behind = self.buffer.start + header.data + kept;
        if self.buffer.end <= behind {
            return Ok(None);
        }
        // What is too long is skipped where it arrives.
        let skip = self.skip.unwrap_or(header.length - kept);
        let skipped = skip.min(self.buffer.end - behind);
        if skipped > 0 {
            self.buffer.bytes.copy_within(behind + skipped..self.buffer.end, behind);
            self.buffer.end -= skipped;
        }
        self.skip = Some(skip - skipped);
        if self.buffer.end == behind {
            return Ok(None);
        }
        if self.buffer.bytes[behind] != b'\n' {
            return Err(BadFrame::Trailer);
        }
        let start = std::mem::replace(&mut self.buffer.start, behind + 1);
        self.skip = None;
        Ok(Some(Place { header, start, kept, cut: header.length > kept }))
    }
}

/// The header at the start of `bytes`; `None` when it is not whole.
fn header(bytes: &[u8]) -> Result<Option<Header>, BadFrame> {
    let Some((txnr, at)) = number(bytes, BadFrame::Txnr)? else { return Ok(None) };
    if bytes.get(at).is_none() {
        return Ok(None);
    }
    if bytes[at] != b' ' {
        return Err(BadFrame::Txnr);
    }
    let from = at + 1;
    let letters =
        bytes[from..].iter().take(LETTERS + 1).take_while(|b| b.is_ascii_alphabetic()).count();
    let to = from + letters;
    match bytes.get(to) {
        None if letters <= LETTERS => return Ok(None),
        Some(b' ') if (1..=LETTERS).contains(&letters) => {}
        _ => return Err(BadFrame::Command),
    }
    let Some((length, end)) = number(&bytes[to + 1..], BadFrame::Length)? else { return Ok(None) };
    let end = to + 1 + end;
    let data = match bytes.get(end) {
        None => return Ok(None),
        Some(b' ') => end + 1,
        Some(b'\n') if length == 0 => end,
        Some(_) => return Err(BadFrame::Length),
    };
    let length = usize::try_from(length).expect("nine digits");
    Ok(Some(Header { txnr, command: (from, to), data, length }))
}

/// The number at the start of `bytes`, and where it ends; `None` when there is nothing yet.
fn number(bytes: &[u8], bad: BadFrame) -> Result<Option<(u32, usize)>, BadFrame> {
    let digits = bytes.iter().take(DIGITS + 1).take_while(|b| b.is_ascii_digit()).count();
    if digits > DIGITS || (digits == 0 && !bytes.is_empty()) {
        return Err(bad);
    }
    let value = bytes[..digits].iter().fold(0, |n, digit| n * 10 + u32::from(digit - b'0'));
    Ok((digits > 0).then_some((value, digits)))
}

/// Appends a frame.
pub fn write(out: &mut Vec<u8>, txnr: u32, command: &str, data: &[u8]) {
    out.extend_from_slice(txnr.to_string().as_bytes());
    out.push(b' ');
    out.extend_from_slice(command.as_bytes());
    out.push(b' ');
    out.extend_from_slice(data.len().to_string().as_bytes());
    if !data.is_empty() {
        out.push(b' ');
        out.extend_from_slice(data);
    }
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All frames of a stream, as `txnr command data` with `…` for what is cut, then the mistake.
    fn read(limit: usize, stream: &[u8], most: usize) -> (Vec<String>, Option<BadFrame>) {
        let mut frames = Frames::new(limit);
        let mut found = Vec::new();
        for mut piece in stream.chunks(most) {
            while !piece.is_empty() {
                let space = frames.space();
                let count = space.len().min(piece.len());
                space[..count].copy_from_slice(&piece[..count]);
                frames.filled(count);
                piece = &piece[count..];
                loop {
                    match frames.next_frame() {
                        Ok(Some(Frame { txnr, command, data, cut })) => {
                            let cut = if cut { "…" } else { "" };
                            found.push(format!("{txnr} {command} {}{cut}", data.escape_ascii()));
                        }
                        Ok(None) => break,
                        Err(bad) => return (found, Some(bad)),
                    }
                }
            }
        }
        (found, None)
    }

    #[track_caller]
    fn check(stream: &str, frames: &[&str], bad: Option<BadFrame>) {
        let expected = (frames.iter().map(|&frame| frame.to_owned()).collect(), bad);
        for most in [1, 2, 3, usize::MAX] {
            assert_eq!(read(8, stream.as_bytes(), most), expected, "{stream:?} by {most}");
        }
    }

    #[test]
    fn frames() {
        check("1 open 3 a=b\n2 syslog 4 text\n", &["1 open a=b", "2 syslog text"], None);
        check("3 close 0\n4 close 0 \n", &["3 close ", "4 close "], None);
        check("0 serverclose 0\n", &["0 serverclose "], None);
        check("999999999 x 3 \n\n\n\n", &["999999999 x \\n\\n\\n"], None);
        check("1 syslog 8 12345678\n", &["1 syslog 12345678"], None);
        check("1 syslog 4 tex", &[], None);
        check("1 syslog 4 text", &[], None);
        check("", &[], None);
    }

    #[test]
    fn what_is_too_long_is_cut_and_skipped() {
        check("1 syslog 9 123456789\n2 x 1 y\n", &["1 syslog 12345678…", "2 x y"], None);
        let long = "z".repeat(99_990);
        check(&format!("1 syslog 99990 {long}\n2 x 1 y\n"), &["1 syslog zzzzzzzz…", "2 x y"], None);
        // Nothing of it is shown before it is known to be whole.
        check(&format!("1 syslog 99990 {long}"), &[], None);
        check(&format!("1 syslog 99990 {long}x"), &[], Some(BadFrame::Trailer));
        check("1 syslog 999999999 123456789", &[], None);
    }

    #[test]
    fn what_is_no_frame() {
        check("<13>plain syslog\n", &[], Some(BadFrame::Txnr));
        check("GET / HTTP/1.1\r\n", &[], Some(BadFrame::Txnr));
        check("1234567890 x 0\n", &[], Some(BadFrame::Txnr));
        check("1\tx 0\n", &[], Some(BadFrame::Txnr));
        check("1  0\n", &[], Some(BadFrame::Command));
        check("1 a1 0\n", &[], Some(BadFrame::Command));
        check(&format!("1 {} 0\n", "a".repeat(33)), &[], Some(BadFrame::Command));
        check(&format!("1 {} 0\n", "a".repeat(32)), &[&format!("1 {} ", "a".repeat(32))], None);
        check("1 a -1 \n", &[], Some(BadFrame::Length));
        check("1 a 1234567890 ", &[], Some(BadFrame::Length));
        check("1 a 1\nx\n", &[], Some(BadFrame::Length));
        check("1 a 1 xy", &[], Some(BadFrame::Trailer));
        check("1 a 0 x", &[], Some(BadFrame::Trailer));
        check("1 a 1 x\n13 garbage", &["1 a x"], None);
        check("1 a 1 x\n13 garbage!", &["1 a x"], Some(BadFrame::Command));
    }

    #[test]
    fn frames_that_are_written() {
        let mut out = Vec::new();
        write(&mut out, 7, "rsp", b"200 OK");
        write(&mut out, 0, "serverclose", b"");
        assert_eq!(out, b"7 rsp 6 200 OK\n0 serverclose 0\n");
    }
}
