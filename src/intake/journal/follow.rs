//! Follows a journal through the library.
//!
//! An entry is in the file as soon as it is logged; that the file changed the journal tells at most
//! every quarter of a second. So while entries come the file is looked at every few milliseconds,
//! which takes a moment, and only when none has come for a while it waits to be told.

#![forbid(unsafe_code)]

use std::ffi::CString;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::access::{self, Access};
use super::entry::Entry;
use super::libsystemd::{Journal, Libsystemd};
use super::matches::matches;
use super::sink::Sink;
use super::{Following, Trouble};
use crate::intake::spec::Since;
use crate::system::clock;

/// How often the journal is looked at while entries come.
const POLL: Duration = Duration::from_millis(5);
/// For how long after the last entry it is.
const BUSY: Duration = Duration::from_secs(30);
/// How soon an idle thread sees that it is to stop.
const STOP_LATENCY: Duration = Duration::from_millis(200);

/// Reads until told to stop.
///
/// # Errors
/// What keeps it from going on.
pub(super) fn follow(
    library: &Arc<Libsystemd>,
    following: &Following,
    sink: &mut Sink,
) -> Result<(), Trouble> {
    let mut reading = Reading::open(library, following, sink)?;
    let mut last_entry = clock::instant();
    while !following.stop.is_cancelled() {
        let more = reading.read(sink)?;
        if more != More::None {
            last_entry = clock::instant();
        }
        if more == More::Some {
            continue;
        }
        if is_busy(last_entry) {
            std::thread::sleep(POLL);
            reading.journal.process()?;
        } else {
            reading.journal.wait(STOP_LATENCY)?;
        }
    }
    Ok(())
}

fn is_busy(last_entry: Instant) -> bool {
    last_entry.elapsed() < BUSY
}

/// What was found in one go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum More {
    /// Nothing new.
    None,
    /// All there was.
    All,
    /// Some, and there may be more.
    Some,
}

struct Reading {
    journal: Journal,
    entry: Entry,
    /// The last entry that an earlier reading has seen, which the first one may be.
    seen: Option<CString>,
}

impl Reading {
    fn open(
        library: &Arc<Libsystemd>,
        following: &Following,
        sink: &Sink,
    ) -> Result<Self, Trouble> {
        let folder = following.journal.folder.as_deref();
        let open = || -> io::Result<Journal> {
            let mut journal = Journal::open(library, folder)?;
            for field in matches(&following.journal) {
                journal.add_match(field.as_bytes())?;
            }
            Ok(journal)
        };
        let mut journal = open().map_err(|error| access::refused(folder, &error))?;
        let trouble = match access::look(folder) {
            Access::Nothing(trouble) => return Err(trouble),
            Access::Part(trouble) => Some(trouble.to_string()),
            Access::Whole => None,
        };
        following.statistics.set_trouble(trouble);
        let place = sink.bookmark().place().and_then(|place| CString::new(&*place).ok());
        if let Some(place) = &place {
            match journal.seek_cursor(place) {
                Ok(()) => {}
                // What was saved is no cursor of this library.
                Err(error) => {
                    tracing::warn!(
                        source = following.name,
                        %error,
                        "the saved place in the journal is not understood; going on from now"
                    );
                    go_to_end(&mut journal, sink)?;
                }
            }
        } else {
            match following.journal.since {
                Since::Now => go_to_end(&mut journal, sink)?,
                Since::Oldest => journal.seek_head()?,
                Since::Boot => match first_of_boot(open()?)? {
                    Some(cursor) => journal.seek_cursor(&cursor)?,
                    None => go_to_end(&mut journal, sink)?,
                },
            }
        }
        let entry = Entry::new(following.limit);
        Ok(Self { journal, entry, seen: place })
    }

    /// Reads what there is, as much as makes a batch.
    fn read(&mut self, sink: &mut Sink) -> Result<More, Trouble> {
        let mut any = false;
        while !sink.is_full() {
            if !self.journal.next()? {
                if any {
                    sink.flush(&self.journal.cursor()?)?;
                }
                return Ok(if any { More::All } else { More::None });
            }
            if let Some(seen) = self.seen.take()
                && self.journal.is_at(&seen)?
            {
                continue;
            }
            any = true;
            match self.journal.read(&mut self.entry) {
                Ok(()) => sink.take(&self.entry)?,
                Err(error) => sink.lose(&error),
            }
        }
        sink.flush(&self.journal.cursor()?)?;
        Ok(More::Some)
    }
}

/// Goes behind the last entry there is, and remembers that: whatever comes while Weir is away is
/// read at its next start.
fn go_to_end(journal: &mut Journal, sink: &Sink) -> io::Result<()> {
    journal.seek_tail()?;
    // From the end itself the library finds only the last one of those that come.
    if journal.previous()? {
        sink.bookmark().begin_behind(&journal.cursor()?);
        Ok(())
    } else {
        journal.seek_head()
    }
}

/// The first of the wanted entries since the machine was started.
fn first_of_boot(mut journal: Journal) -> io::Result<Option<CString>> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    let boot = boot.trim().replace('-', "");
    journal.add_match(format!("_BOOT_ID={boot}").as_bytes())?;
    journal.seek_head()?;
    Ok(if journal.next()? { Some(CString::new(journal.cursor()?)?) } else { None })
}
