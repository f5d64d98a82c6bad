//! The terminal that a command runs on: how wide it is, and taking it over for a live view
//! (termios(3), tty_ioctl(4), signalfd(2)).
//!
//! Whoever takes it over gives it back: when [`Screen`] is dropped, when a signal ends the program,
//! and when the program panics. Signals are read as values, so no handler interrupts anything.

use std::collections::VecDeque;
use std::io::{self, IsTerminal, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::{Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

/// Columns and rows of the terminal that standard output is; none where it is none, or where it does
/// not say.
#[must_use]
pub fn size() -> Option<(usize, usize)> {
    size_of(&io::stdout())
}

/// Columns of the terminal that standard error is.
#[must_use]
pub fn error_width() -> Option<usize> {
    size_of(&io::stderr()).map(|(columns, _)| columns)
}

fn size_of(output: &(impl IsTerminal + AsRawFd)) -> Option<(usize, usize)> {
    if !output.is_terminal() {
        return None;
    }
    // SAFETY: winsize is four integers, for which all zeroes is a value.
    let mut size: libc::winsize = unsafe { std::mem::zeroed() };
    // SAFETY: the call writes one winsize, to which the pointer leads.
    let done = unsafe { libc::ioctl(output.as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) };
    let is_told = done == 0 && size.ws_col > 0 && size.ws_row > 0;
    is_told.then(|| (size.ws_col.into(), size.ws_row.into()))
}

/// Whether somebody sits there who sees a live view and presses keys.
#[must_use]
pub fn is_interactive() -> bool {
    io::stdin().is_terminal() && size().is_some()
}

/// What happened at the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Nothing, for as long as was waited.
    Nothing,
    /// A key that is one byte.
    Key(u8),
    /// The terminal has another size, or was given back after a stop: all must be drawn again.
    Resized,
    /// Somebody wants the program to end, or the terminal is gone.
    End,
}

/// Signals that are read as values while a screen is held.
const SIGNALS: [libc::c_int; 6] =
    [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT, libc::SIGWINCH, libc::SIGTSTP];

/// To the other page, without cursor, without turning long lines around.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J\x1b[H";
const LEAVE: &[u8] = b"\x1b[?7h\x1b[?25h\x1b[?1049l";

const ESCAPE: u8 = 0x1b;

/// How the terminal was before it was taken over; none when it is not.
static BEFORE: Mutex<Option<libc::termios>> = Mutex::new(None);
static HOOK: Once = Once::new();

/// A terminal that was taken over; one at a time.
#[derive(Debug)]
pub struct Screen {
    signals: OwnedFd,
    blocked_before: libc::sigset_t,
    has_input: bool,
    /// Keys that were pressed together with the one before.
    pressed: VecDeque<u8>,
}

impl Screen {
    /// Takes the terminal over: another page, no echo, keys one by one.
    ///
    /// # Errors
    /// When standard input or output is no terminal, or the kernel refuses.
    pub fn take() -> io::Result<Self> {
        HOOK.call_once(|| {
            let told = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                // Before the message, so that it stays readable.
                leave();
                told(panic);
            }));
        });
        let set = signal_set();
        let mut before = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: both point to signal sets that outlive the call, the second one to be written.
        let failed =
            unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, before.as_mut_ptr()) };
        if failed != 0 {
            return Err(io::Error::from_raw_os_error(failed));
        }
        // SAFETY: the call succeeded, so it wrote the set.
        let blocked_before = unsafe { before.assume_init() };
        // SAFETY: the set outlives the call; -1 asks for a new descriptor.
        let signals =
            unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        if signals < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just made and nobody else owns it.
        let signals = unsafe { OwnedFd::from_raw_fd(signals) };
        let pressed = VecDeque::new();
        let screen = Self { signals, blocked_before, has_input: true, pressed };
        enter()?;
        Ok(screen)
    }

    /// Waits for a key or a signal, until `deadline` at most.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn wait(&mut self, deadline: Instant, now: Instant) -> io::Result<Event> {
        if let Some(key) = self.pressed.pop_front() {
            return Ok(Event::Key(key));
        }
        let left = deadline.saturating_duration_since(now).min(Duration::from_secs(3600));
        // Rounded up: not a turn without a wait at the end.
        let left = i32::try_from(left.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
        let input = if self.has_input { libc::STDIN_FILENO } else { -1 };
        let wanted = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        let mut polled = [wanted(self.signals.as_raw_fd()), wanted(input)];
        // SAFETY: the pointer leads to as many pollfds as is said; a negative descriptor is passed over.
        let ready = unsafe { libc::poll(polled.as_mut_ptr(), 2, left) };
        if ready < 0 {
            let error = io::Error::last_os_error();
            return match error.kind() {
                io::ErrorKind::Interrupted => Ok(Event::Nothing),
                _ => Err(error),
            };
        }
        if polled[0].revents != 0 {
            return self.signal();
        }
        if polled[1].revents != 0 {
            return Ok(self.key());
        }
        Ok(Event::Nothing)
    }

    fn signal(&mut self) -> io::Result<Event> {
        // SAFETY: signalfd_siginfo is integers, for which all zeroes is a value.
        let mut info: libc::signalfd_siginfo = unsafe { std::mem::zeroed() };
        let size = size_of_val(&info);
        // SAFETY: the pointer leads to `size` bytes that may be written; any bytes are integers.
        let got = unsafe { libc::read(self.signals.as_raw_fd(), (&raw mut info).cast(), size) };
        if usize::try_from(got) != Ok(size) {
            return Ok(Event::Nothing);
        }
        match i32::try_from(info.ssi_signo).unwrap_or(0) {
            libc::SIGWINCH => Ok(Event::Resized),
            libc::SIGTSTP => {
                leave();
                // SAFETY: raise takes a number; the process stops here until it is continued.
                unsafe { libc::raise(libc::SIGSTOP) };
                enter()?;
                Ok(Event::Resized)
            }
            _ => Ok(Event::End),
        }
    }

    fn key(&mut self) -> Event {
        // An arrow key sends several bytes behind an escape: of those the first one counts.
        let mut bytes = [0_u8; 64];
        // SAFETY: the pointer leads to as many bytes as is said, which may be written.
        let got = unsafe { libc::read(libc::STDIN_FILENO, bytes.as_mut_ptr().cast(), bytes.len()) };
        match got {
            1.. => {
                let got = usize::try_from(got).unwrap_or(0).min(bytes.len());
                if bytes[0] != ESCAPE {
                    self.pressed.extend(&bytes[1..got]);
                }
                Event::Key(bytes[0])
            }
            // Nobody is there any more.
            0 => Event::End,
            _ => {
                self.has_input = false;
                Event::Nothing
            }
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
        // SAFETY: the set was written by the call that blocked the signals; nothing is written back.
        unsafe {
            libc::pthread_sigmask(
                libc::SIG_SETMASK,
                &raw const self.blocked_before,
                std::ptr::null_mut(),
            );
        }
    }
}

fn signal_set() -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset makes a set of the place that the pointer leads to.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: it was made just before.
    let mut set = unsafe { set.assume_init() };
    for signal in SIGNALS {
        // SAFETY: the pointer leads to a set, the number is that of a signal.
        unsafe { libc::sigaddset(&raw mut set, signal) };
    }
    set
}

fn enter() -> io::Result<()> {
    let mut now = MaybeUninit::<libc::termios>::uninit();
    // SAFETY: the call writes one termios, to which the pointer leads, or fails.
    if unsafe { libc::tcgetattr(libc::STDIN_FILENO, now.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so it wrote all of it.
    let before = unsafe { now.assume_init() };
    let mut raw = before;
    // Signals stay keys' work (ISIG): they are read from their descriptor.
    raw.c_lflag &= !(libc::ICANON | libc::ECHO);
    raw.c_cc[libc::VMIN] = 1;
    raw.c_cc[libc::VTIME] = 0;
    *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
    // SAFETY: the pointer leads to a termios that the kernel gave, with flags changed.
    if unsafe { libc::tcsetattr(libc::STDIN_FILENO, libc::TCSADRAIN, &raw const raw) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut output = io::stdout().lock();
    output.write_all(ENTER).and_then(|()| output.flush())
}

/// Gives the terminal back; does nothing when it was not taken.
fn leave() {
    // A panic may come from anywhere: nobody is waited for.
    let Ok(mut before) = BEFORE.try_lock() else { return };
    let Some(before) = before.take() else { return };
    // Straight to the descriptor: who panicked may hold the lock of standard output.
    // SAFETY: the pointer leads to as many bytes as is said.
    unsafe { libc::write(libc::STDOUT_FILENO, LEAVE.as_ptr().cast(), LEAVE.len()) };
    // SAFETY: the pointer leads to a termios that the kernel gave.
    unsafe { libc::tcsetattr(libc::STDIN_FILENO, libc::TCSADRAIN, &raw const before) };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tests run without a terminal, or must leave it alone: what is looked at is that nothing
    /// happens. With one, `top` is tried in `tests/e2e/terminal.rs`.
    #[test]
    fn what_was_not_taken_is_not_given_back() {
        assert!(BEFORE.lock().unwrap().is_none());
        leave();
        assert!(size().is_none_or(|(columns, rows)| columns > 0 && rows > 0));
    }

    #[test]
    fn the_signals_are_those_that_end_stop_or_resize() {
        let set = signal_set();
        for signal in 1..32 {
            // SAFETY: the pointer leads to a set, and the number is that of a signal.
            let is_in = unsafe { libc::sigismember(&raw const set, signal) } == 1;
            assert_eq!(is_in, SIGNALS.contains(&signal), "signal {signal}");
        }
    }
}
