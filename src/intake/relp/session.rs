//! What a frame means in a session, and how it is answered. Pure.
//!
//! A session is opened before anything else; to open it again changes nothing, since some clients
//! repeat what was not answered, the opening included. Offers that we do not know are passed over.
//! A hint (transaction 0) is never answered.

#![forbid(unsafe_code)]

use super::frame::{self, Frame};
use crate::intake::framing::trimmed;

/// Where a session stands.
#[derive(Debug, Default)]
pub struct Session {
    is_open: bool,
}

/// What is to be done about a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'b> {
    /// A line: it is answered once it is safe.
    Line {
        /// The transaction to answer.
        txnr: u32,
        /// The line without CR, LF and NUL at its end; may be empty.
        line: &'b [u8],
        /// Whether it was longer than the limit and is cut.
        cut: bool,
    },
    /// To be answered in its turn.
    Answer(Answer),
    /// To be answered in its turn; then the session is over.
    Close(Answer),
    /// Nothing.
    Pass,
}

/// The answer to a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The transaction.
    pub txnr: u32,
    /// What is said.
    pub word: Word,
}

/// What may be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// It is done.
    Done,
    /// The session is open; our offers.
    Opened,
    /// The offers of a client do not say that it speaks RELP.
    NoVersion,
    /// There is no such command.
    Unknown,
}

/// Something other than `open` at the start of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected the command `open` first")]
pub struct NotOpen;

/// The version that clients are answered with: that of librelp, which calls it 0, and in its
/// specification 1.
const OFFERS: &str = concat!(
    "200 OK\nrelp_version=0\nrelp_software=weir,",
    env!("CARGO_PKG_VERSION"),
    "\ncommands=syslog"
);

impl Answer {
    /// Appends it as a frame.
    pub fn write(self, out: &mut Vec<u8>) {
        let said = match self.word {
            Word::Done => "200 OK",
            Word::Opened => OFFERS,
            Word::NoVersion => "500 expected the offer relp_version",
            Word::Unknown => "500 unknown command",
        };
        frame::write(out, self.txnr, "rsp", said.as_bytes());
    }
}

/// Appends the hint that we end the session.
pub fn write_farewell(out: &mut Vec<u8>) {
    frame::write(out, 0, "serverclose", b"");
}

impl Session {
    /// What a frame asks for.
    ///
    /// # Errors
    /// When the session was not opened.
    pub fn take<'b>(&mut self, frame: &Frame<'b>) -> Result<Step<'b>, NotOpen> {
        let &Frame { txnr, command, data, cut } = frame;
        let answer = |word| Answer { txnr, word };
        match command {
            "open" if txnr == 0 => Err(NotOpen),
            "open" if has_version(data) => {
                self.is_open = true;
                Ok(Step::Answer(answer(Word::Opened)))
            }
            "open" => Ok(Step::Close(answer(Word::NoVersion))),
            _ if !self.is_open => Err(NotOpen),
            _ if txnr == 0 => Ok(Step::Pass),
            "syslog" => Ok(Step::Line { txnr, line: trimmed(data), cut }),
            "close" => Ok(Step::Close(answer(Word::Done))),
            _ => Ok(Step::Answer(answer(Word::Unknown))),
        }
    }
}

/// Whether the offers name a version; all that there are speak alike.
fn has_version(offers: &[u8]) -> bool {
    offers.split(|byte| *byte == b'\n').any(|offer| offer.starts_with(b"relp_version="))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What follows from frames, as `txnr command data`, one after the other.
    #[track_caller]
    fn check(frames: &[&str], steps: &[Result<Step<'_>, NotOpen>]) {
        let mut session = Session::default();
        let found: Vec<_> = frames
            .iter()
            .map(|frame| {
                let mut parts = frame.splitn(3, ' ');
                let txnr = parts.next().and_then(|txnr| txnr.parse().ok()).expect("a number");
                let command = parts.next().expect("a command");
                let data = parts.next().unwrap_or_default().as_bytes();
                session.take(&Frame { txnr, command, data, cut: false })
            })
            .collect();
        assert_eq!(found, steps);
    }

    fn answer(txnr: u32, word: Word) -> Result<Step<'static>, NotOpen> {
        Ok(Step::Answer(Answer { txnr, word }))
    }

    fn line(txnr: u32, line: &str) -> Result<Step<'_>, NotOpen> {
        Ok(Step::Line { txnr, line: line.as_bytes(), cut: false })
    }

    const OPEN: &str = "1 open relp_version=0\nrelp_software=librelp,1.11.0\ncommands=syslog";

    #[test]
    fn a_session() {
        check(
            &[OPEN, "2 syslog <13>a\n", "3 syslog <13>b c", "4 close"],
            &[
                answer(1, Word::Opened),
                line(2, "<13>a"),
                line(3, "<13>b c"),
                Ok(Step::Close(Answer { txnr: 4, word: Word::Done })),
            ],
        );
        // A second opening, a hint and a command that we do not know.
        check(
            &[OPEN, "2 open relp_version=1", "0 syslog x", "3 starttls", "4 syslog \r\n"],
            &[
                answer(1, Word::Opened),
                answer(2, Word::Opened),
                Ok(Step::Pass),
                answer(3, Word::Unknown),
                line(4, ""),
            ],
        );
    }

    #[test]
    fn what_is_no_session() {
        check(&["1 syslog <13>a"], &[Err(NotOpen)]);
        check(&["1 close"], &[Err(NotOpen)]);
        let refused = Ok(Step::Close(Answer { txnr: 1, word: Word::NoVersion }));
        check(&["1 open commands=syslog", "2 syslog x"], &[refused, Err(NotOpen)]);
    }

    #[test]
    fn answers() {
        let mut out = Vec::new();
        for (txnr, word) in [(1, Word::Opened), (2, Word::Done), (3, Word::Unknown)] {
            Answer { txnr, word }.write(&mut out);
        }
        write_farewell(&mut out);
        let offers = format!(
            "200 OK\nrelp_version=0\nrelp_software=weir,{}\ncommands=syslog",
            env!("CARGO_PKG_VERSION")
        );
        let expected = format!(
            "1 rsp {} {offers}\n2 rsp 6 200 OK\n3 rsp 19 500 unknown command\n0 serverclose 0\n",
            offers.len()
        );
        assert_eq!(String::from_utf8(out).expect("text"), expected);
    }
}
