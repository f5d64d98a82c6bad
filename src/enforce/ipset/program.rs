//! Runs `ipset` and the programs of iptables.
//!
//! The only programs that the enforcer ever runs, because nothing else speaks to old tables and
//! sets in one way on all systems: no shell, arguments that cannot be taken for options, an
//! environment of our own, bounded in time and in what is read of them, killed and waited for at
//! the end. They write into sockets, so that reading can be bounded in time.

#![forbid(unsafe_code)]

use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::system::clock;

/// How long a program may take; 100,000 elements take a quarter of a second.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes that are read of it at most: those of a million elements.
const MOST: usize = 128 << 20;
/// The longest line that is read whole.
const LINE: usize = 4096;
const BUFFER: usize = 64 * 1024;
/// What is kept of its complaints.
const WORDS: usize = 500;
/// How soon it is seen that a program has ended.
const LATENCY: Duration = Duration::from_millis(1);
/// Where programs of the system are; nothing of our own environment counts.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// Why a program did not do what it was run for.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It is not there.
    #[error(
        "`{program}` is not installed: install the package `{package}`, or choose another backend"
    )]
    Missing {
        /// The program.
        program: &'static str,
        /// The package that has it, as most distributions call it.
        package: &'static str,
    },
    /// The system does not run it, or not to its end.
    #[error("cannot run `{program}`: {source}")]
    System {
        /// The program.
        program: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// It took too long, and was killed.
    #[error("`{program}` did not end within {} seconds", PATIENCE.as_secs())]
    Silent {
        /// The program.
        program: &'static str,
    },
    /// It wrote more than is believable, and was killed.
    #[error("`{program}` does not stop writing")]
    TooMuch {
        /// The program.
        program: &'static str,
    },
    /// It ended with a complaint.
    #[error("`{program}` failed ({status}): {words}")]
    Refused {
        /// The program.
        program: &'static str,
        /// How it ended.
        status: String,
        /// What it wrote about it, escaped and cut.
        words: String,
    },
}

/// A program that runs; killed when this goes.
struct Running {
    program: &'static str,
    child: Child,
    deadline: Instant,
}

/// Runs a program with this input and gives every line that it writes to `each`.
///
/// # Errors
/// When it cannot be run, fails, hangs, or writes without end; lines may have been given by then.
pub(super) fn run(
    program: &'static str,
    arguments: &[&str],
    input: &[u8],
    each: &mut dyn FnMut(&str),
) -> Result<(), Failure> {
    run_for(PATIENCE, program, arguments, input, each)
}

fn run_for(
    patience: Duration,
    program: &'static str,
    arguments: &[&str],
    input: &[u8],
    each: &mut dyn FnMut(&str),
) -> Result<(), Failure> {
    let system = |source: io::Error| match source.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Failure::Silent { program },
        _ => Failure::System { program, source },
    };
    let pair = || UnixStream::pair().map_err(system);
    let ((to, its_input), (output, its_output), (words, its_words)) = (pair()?, pair()?, pair()?);
    words.set_nonblocking(true).map_err(system)?;
    let child = start(program, arguments, [its_input, its_output, its_words])?;
    let running = Running { program, child, deadline: clock::instant() + patience };
    let fed = running.feed(to, input);
    let read = if fed.is_ok() { running.read(output, each) } else { Ok(()) };
    match (fed, read) {
        // Whoever does not read on to the end says why when it ends.
        (Err(error), _) | (_, Err(error)) if !is_broken(&error) => return Err(error),
        _ => {}
    }
    running.end(words)
}

fn is_broken(failure: &Failure) -> bool {
    matches!(failure, Failure::System { source, .. } if source.kind() == io::ErrorKind::BrokenPipe)
}

#[expect(
    clippy::disallowed_methods,
    reason = "these programs are how a host without nftables is told"
)]
fn start(
    program: &'static str,
    arguments: &[&str],
    [input, output, words]: [UnixStream; 3],
) -> Result<Child, Failure> {
    Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", PATH)
        .env("LC_ALL", "C")
        .current_dir("/")
        .stdin(Stdio::from(OwnedFd::from(input)))
        .stdout(Stdio::from(OwnedFd::from(output)))
        .stderr(Stdio::from(OwnedFd::from(words)))
        .spawn()
        .map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => Failure::Missing { program, package: package(program) },
            _ => Failure::System { program, source },
        })
}

fn package(program: &'static str) -> &'static str {
    if program == "ipset" { "ipset" } else { "iptables" }
}

impl Running {
    fn system(&self, source: io::Error) -> Failure {
        let program = self.program;
        match source.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Failure::Silent { program },
            _ => Failure::System { program, source },
        }
    }

    fn left(&self) -> Result<Duration, Failure> {
        let left = self.deadline.saturating_duration_since(clock::instant());
        if left.is_zero() { Err(Failure::Silent { program: self.program }) } else { Ok(left) }
    }

    fn feed(&self, mut to: UnixStream, mut input: &[u8]) -> Result<(), Failure> {
        while !input.is_empty() {
            to.set_write_timeout(Some(self.left()?)).map_err(|error| self.system(error))?;
            match to.write(input) {
                Ok(count) => input = input.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.system(error)),
            }
        }
        // It is dropped here: the program sees the end of its input.
        Ok(())
    }

    fn read(&self, mut from: UnixStream, each: &mut dyn FnMut(&str)) -> Result<(), Failure> {
        let mut lines = Lines::default();
        let (mut buffer, mut total) = (vec![0; BUFFER], 0);
        loop {
            from.set_read_timeout(Some(self.left()?)).map_err(|error| self.system(error))?;
            let count = match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.system(error)),
            };
            total += count;
            if total > MOST {
                return Err(Failure::TooMuch { program: self.program });
            }
            lines.take(buffer.get(..count).unwrap_or_default(), each);
        }
        lines.finish(each);
        Ok(())
    }

    /// Waits for its end.
    fn end(mut self, mut words: UnixStream) -> Result<(), Failure> {
        let program = self.program;
        let status = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) => {
                    self.left()?;
                    std::thread::sleep(LATENCY);
                }
                Err(source) => return Err(Failure::System { program, source }),
            }
        };
        if status.success() {
            return Ok(());
        }
        let mut buffer = [0; WORDS];
        let count = words.read(&mut buffer).unwrap_or(0);
        let words = String::from_utf8_lossy(buffer.get(..count).unwrap_or_default());
        let words = words.trim().escape_debug().to_string();
        Err(Failure::Refused { program, status: status.to_string(), words })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Cuts what is read into lines. Lines that are too long or no UTF-8 are none of ours, and passed
/// over.
#[derive(Default)]
struct Lines {
    begun: Vec<u8>,
    is_too_long: bool,
}

impl Lines {
    fn take(&mut self, mut bytes: &[u8], each: &mut dyn FnMut(&str)) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let (line, rest) = bytes.split_at(end);
            self.grow(line);
            self.finish(each);
            bytes = rest.get(1..).unwrap_or_default();
        }
        self.grow(bytes);
    }

    fn grow(&mut self, bytes: &[u8]) {
        self.is_too_long |= self.begun.len() + bytes.len() > LINE;
        if !self.is_too_long {
            self.begun.extend_from_slice(bytes);
        }
    }

    fn finish(&mut self, each: &mut dyn FnMut(&str)) {
        if !self.is_too_long
            && let Ok(line) = std::str::from_utf8(&self.begun)
            && !line.is_empty()
        {
            each(line);
        }
        self.begun.clear();
        self.is_too_long = false;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(program: &'static str, arguments: &[&str], input: &str, expected: &str) {
        let mut lines = Vec::new();
        let patience = Duration::from_millis(300);
        let mut each = |line: &str| lines.push(line.to_owned());
        match run_for(patience, program, arguments, input.as_bytes(), &mut each) {
            Ok(()) => assert_eq!(lines.join("|"), expected),
            Err(failure) => assert!(failure.to_string().contains(expected), "{failure}"),
        }
    }

    #[test]
    fn what_programs_do() {
        check("cat", &[], "", "");
        check("cat", &[], "one\n\ntwo\nthree", "one|two|three");
        check("env", &[], "", "LC_ALL=C|PATH=/usr/sbin:/usr/bin:/sbin:/bin");
        check("true", &[], &"x\n".repeat(1_000_000), "");
        check("false", &[], "", "`false` failed (exit status: 1): ");
        check("ls", &["--", "/no\x1bwhere"], "", "No such file");
        check("sleep", &["100"], "", "`sleep` did not end within");
        check("sleep", &["100"], &"x".repeat(10_000_000), "`sleep` did not end within");
        let missing = "`no-such-program` is not installed: install the package `iptables`";
        check("no-such-program", &[], "", missing);
    }

    #[test]
    fn one_that_writes_without_end_is_stopped() {
        let mut count = 0;
        let failure = run("yes", &[], b"", &mut |_| count += 1).unwrap_err();
        assert!(matches!(failure, Failure::TooMuch { program: "yes" }), "{failure}");
        assert!(count > MOST / 4, "{count}");
    }

    proptest! {
        #[test]
        fn lines_do_not_depend_on_how_they_are_chopped(
            text in "[a\n]{0,80}|[a-c\n]{4090,4110}\nb\n",
            most in 1_usize..50,
        ) {
            let read = |most| {
                let (mut lines, mut read) = (Lines::default(), Vec::new());
                for piece in text.as_bytes().chunks(most) {
                    lines.take(piece, &mut |line| read.push(line.to_owned()));
                }
                lines.finish(&mut |line| read.push(line.to_owned()));
                read
            };
            let expected: Vec<_> =
                text.split('\n').filter(|line| (1..=LINE).contains(&line.len())).collect();
            prop_assert_eq!(read(usize::MAX), expected.clone());
            prop_assert_eq!(read(most), expected);
        }
    }
}
