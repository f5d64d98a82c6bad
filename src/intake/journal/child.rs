//! Follows a journal through `journalctl`, where its library cannot be opened.
//!
//! The one program that Weir ever runs: no shell, no input, arguments that cannot be taken for
//! options, killed and waited for at the end. It writes into a socket, so that reading can be bounded in time.

#![forbid(unsafe_code)]

use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::entry::Field;
use super::export::Export;
use super::matches::matches;
use super::sink::Sink;
use super::{Following, Trouble};
use crate::intake::spec::Since;
use crate::value::Time;

/// How soon the reader sees that it is to stop.
const STOP_LATENCY: Duration = Duration::from_millis(200);
const BUFFER: usize = 64 * 1024;
/// What is kept of its last words.
const WORDS: usize = 500;

/// Reads until told to stop.
///
/// # Errors
/// Why it ended.
pub(super) fn follow(following: &Following, sink: &mut Sink) -> Result<(), Trouble> {
    let place = sink.bookmark().place();
    let arguments = arguments(following, place.as_deref());
    let mut running = Running::start(&arguments)?;
    let mut export = Export::new(following.limit);
    let mut cursor = String::new();
    // Asked to begin with the entry that was seen last, which may be gone: asked to begin behind
    // it, some versions pass over another one then.
    let mut seen = place;
    let mut buffer = vec![0; BUFFER];
    while !following.stop.is_cancelled() {
        let mut bytes = match running.output.read(&mut buffer) {
            Ok(0) => return Err(running.end()),
            Ok(count) => buffer.get(..count).unwrap_or_default(),
            Err(error) if is_pause(&error) => continue,
            Err(error) => return Err(error.into()),
        };
        following.statistics.set_trouble(None);
        while export.advance(&mut bytes).map_err(|damage| Trouble::new(damage.to_string()))? {
            let entry = export.entry();
            if let Some(at) = entry.text(Field::Cursor) {
                at.clone_into(&mut cursor);
            }
            if seen.take().is_some_and(|seen| is_same(&seen, &cursor)) {
                continue;
            }
            sink.take(entry)?;
            if sink.is_full() {
                sink.flush(&cursor)?;
            }
        }
        if !cursor.is_empty() {
            sink.flush(&cursor)?;
        }
    }
    Ok(())
}

/// What `journalctl` is told.
fn arguments(following: &Following, place: Option<&str>) -> Vec<String> {
    let mut arguments: Vec<String> =
        ["--output=export", "--follow", "--no-pager", "--quiet"].map(str::to_owned).into();
    if let Some(folder) = &following.journal.folder {
        arguments.push(format!("--directory={}", folder.display()));
    }
    match (place, following.journal.since) {
        (Some(place), _) => {
            arguments.extend(["--no-tail".to_owned(), format!("--cursor={place}")]);
        }
        (None, Since::Now) => {
            arguments.extend(["--no-tail".to_owned(), since(following.begun_at)]);
        }
        (None, Since::Boot) => arguments.extend(["--no-tail".to_owned(), "--boot".to_owned()]),
        (None, Since::Oldest) => arguments.push("--no-tail".to_owned()),
    }
    arguments.extend(matches(&following.journal));
    arguments
}

fn since(at: Time) -> String {
    format!("--since=@{}", at.seconds())
}

/// Whether two cursors are of one entry: of the same writer (`s`) with the same number (`i`).
fn is_same(one: &str, other: &str) -> bool {
    let key = |cursor: &str| -> Vec<String> {
        let parts = cursor.split(';');
        parts
            .filter(|part| part.starts_with("s=") || part.starts_with("i="))
            .map(str::to_owned)
            .collect()
    };
    key(one) == key(other)
}

fn is_pause(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | Interrupted)
}

/// A `journalctl` that runs.
struct Running {
    child: Child,
    output: UnixStream,
    words: UnixStream,
}

impl Running {
    #[expect(
        clippy::disallowed_methods,
        reason = "where the library is missing, nothing but this program reads a journal"
    )]
    fn start(arguments: &[String]) -> Result<Self, Trouble> {
        let (output, its_output) = UnixStream::pair()?;
        let (words, its_words) = UnixStream::pair()?;
        output.set_read_timeout(Some(STOP_LATENCY))?;
        words.set_nonblocking(true)?;
        let child = Command::new("journalctl")
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(OwnedFd::from(its_output))
            .stderr(OwnedFd::from(its_words))
            .spawn()
            .map_err(|error| {
                Trouble::new(format!(
                    "cannot read the journal: neither `libsystemd.so.0` nor `journalctl` can be \
                     had ({error}); install systemd's library (Debian: `libsystemd0`)"
                ))
            })?;
        Ok(Self { child, output, words })
    }

    /// Why it ended.
    fn end(mut self) -> Trouble {
        let status = self.stop();
        let mut words = [0; WORDS];
        let count = self.words.read(&mut words).unwrap_or(0);
        let words = String::from_utf8_lossy(words.get(..count).unwrap_or_default());
        let words = words.trim().escape_debug().to_string();
        Trouble::new(format!("`journalctl` ended ({status}): {words}"))
    }

    fn stop(&mut self) -> String {
        // It may have ended before.
        let _ = self.child.kill();
        self.child.wait().map_or_else(|error| error.to_string(), |status| status.to_string())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::spec::Journal;

    #[track_caller]
    fn check(journal: Journal, place: Option<&str>, expected: &str) {
        let following = Following::of_test(journal);
        let shown = arguments(&following, place).join(" ");
        let always = "--output=export --follow --no-pager --quiet";
        assert_eq!(shown, format!("{always} {expected}"));
    }

    #[test]
    fn what_it_is_told() {
        let plain = Journal::default();
        check(plain.clone(), None, "--no-tail --since=@7");
        check(plain.clone(), Some("s=1;i=2"), "--no-tail --cursor=s=1;i=2");
        check(Journal { since: Since::Boot, ..plain.clone() }, None, "--no-tail --boot");
        check(Journal { since: Since::Oldest, ..plain.clone() }, None, "--no-tail");
        check(
            Journal {
                folder: Some("/srv/logs".into()),
                units: vec!["ssh.service".into()],
                since: Since::Oldest,
                ..plain
            },
            None,
            "--directory=/srv/logs --no-tail _SYSTEMD_UNIT=ssh.service",
        );
    }

    #[test]
    fn cursors_of_one_entry() {
        assert!(is_same("s=a;i=1;b=2;m=3;t=4;x=5", "s=a;i=1;b=2;m=9"));
        assert!(!is_same("s=a;i=1;b=2", "s=a;i=2;b=2"));
        assert!(!is_same("s=a;i=1;b=2", "s=b;i=1;b=2"));
    }
}
