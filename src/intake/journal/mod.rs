//! systemd's journal as a source: what its entries hold, the lines that rules expect of them, and
//! how it is followed.
//!
//! [`entry`], [`export`], [`json`] and [`bookmark`] are pure. A journal is followed on a thread of
//! its own, through systemd's library when it can be opened, else through `journalctl`; whatever goes
//! wrong is told as the source's trouble, and tried again.

pub mod bookmark;
pub mod entry;
pub mod export;
pub mod json;

mod access;
mod child;
mod follow;
mod libsystemd;
mod matches;
mod sink;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use self::bookmark::Bookmark;
use self::libsystemd::Libsystemd;
use self::sink::Sink;
use super::spec::{Journal, Through};
use super::{Closed, LineSender, Statistics};
use crate::event::SourceId;
use crate::system::clock;
use crate::value::Time;

/// When a journal that cannot be read is tried again, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// What ran for so long had no lasting trouble.
const LASTING: Duration = Duration::from_secs(60);
/// How soon a pause sees that it is to end.
const STOP_LATENCY: Duration = Duration::from_millis(200);

/// What keeps a journal from being read, in words for the operator.
#[derive(Debug, PartialEq, Eq)]
enum Trouble {
    /// The words.
    Words(String),
    /// Nobody takes lines any more.
    Closed,
}

impl Trouble {
    fn new(words: String) -> Self {
        Self::Words(words)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Words(words) => f.write_str(words),
            Self::Closed => Closed.fmt(f),
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Words(format!("cannot read the journal: {error}"))
    }
}

impl From<Closed> for Trouble {
    fn from(Closed: Closed) -> Self {
        Self::Closed
    }
}

/// What is followed, and by whom it is stopped.
pub(super) struct Following {
    /// The name of the source.
    pub(super) name: String,
    /// What is wanted of which journal.
    pub(super) journal: Journal,
    /// The longest line.
    pub(super) limit: usize,
    pub(super) statistics: Arc<Statistics>,
    pub(super) stop: CancellationToken,
    /// When it began.
    pub(super) begun_at: Time,
}

impl Following {
    /// Reads into `queue` until told to stop, whatever goes wrong.
    pub(super) fn run(
        self,
        id: SourceId,
        queue: LineSender,
        runtime: Handle,
        bookmark: Arc<Bookmark>,
    ) {
        let mut sink = Sink::new(id, Arc::clone(&self.statistics), queue, runtime, bookmark);
        let library = self.library();
        let mut pause = FIRST_PAUSE;
        loop {
            let begun = clock::instant();
            let ended = match &library {
                Some(library) => follow::follow(library, &self, &mut sink),
                None => child::follow(&self, &mut sink),
            };
            // What was not sent is read again.
            sink.clear();
            let words = match ended {
                Ok(()) | Err(Trouble::Closed) => return,
                Err(Trouble::Words(words)) => words,
            };
            if self.statistics.trouble().as_ref() != Some(&words) {
                tracing::warn!(source = self.name, "{words}; it is tried again");
                self.statistics.set_trouble(Some(words));
            }
            if begun.elapsed() >= LASTING {
                pause = FIRST_PAUSE;
            }
            let until = clock::instant() + pause;
            while clock::instant() < until {
                if self.stop.is_cancelled() {
                    return;
                }
                std::thread::sleep(STOP_LATENCY);
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn library(&self) -> Option<Arc<Libsystemd>> {
        if self.journal.through == Through::Journalctl {
            return None;
        }
        match Libsystemd::load() {
            Ok(library) => Some(library),
            Err(error) => {
                tracing::warn!(
                    source = self.name,
                    %error,
                    "cannot open systemd's library; the journal is read through `journalctl`, \
                     which takes four times the processor time"
                );
                None
            }
        }
    }

    #[cfg(test)]
    fn of_test(journal: Journal) -> Self {
        Self {
            name: "journal".to_owned(),
            journal,
            limit: 1000,
            statistics: Arc::default(),
            stop: CancellationToken::new(),
            begun_at: Time::from_seconds(7),
        }
    }
}
