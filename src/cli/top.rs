//! `weir top`: what goes on, as it goes on.
//!
//! The daemon is asked on a thread of its own, so that keys work while it does not answer. On
//! something that is no terminal a page is printed at each interval.

mod page;
mod watch;

use std::io::Write;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::time::Duration;

use anyhow::Context as _;

use super::{Exit, Failed, Global, Output, arguments, asking, grid};
use crate::control::Client;
use crate::system::clock;
use crate::system::terminal::{self, Event, Screen};

use page::{Sort, View};
use watch::{Snapshot, Watch};

/// Show what goes on, as it goes on
///
/// Sources with their rates, programs with what the rules make of their lines, the latest bans, the
/// scenarios that take most, what waits in queues and what the kernel drops; again every second.
/// Keys: `q` ends it, `p` lets it stand still, `s` sorts programs by lines or by what is not
/// understood. Where the output is no terminal, it prints a page each time. When the daemon goes
/// away, it waits until it is back.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weir top
  weir top --interval 5s
  weir top -n 3 | cat                 three pages, one a second
  weir top --output json | jq .status.rates.lines.last_10s")]
pub struct Top {
    /// How often to look
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = interval)]
    pub interval: Duration,
    /// End after so many looks
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// The form of the answer: for programs an object on each line
    #[arg(long, value_name = "FORM", default_value = "human")]
    pub output: Output,
}

fn interval(text: &str) -> Result<Duration, String> {
    let interval = arguments::duration(text).or_else(|wrong| match text.parse::<u64>() {
        Ok(seconds @ 1..) => Ok(Duration::from_secs(seconds)),
        _ => Err(wrong),
    })?;
    if (LEAST..=MOST).contains(&interval) {
        return Ok(interval);
    }
    Err("expected between 100ms and 1h".to_owned())
}

const LEAST: Duration = Duration::from_millis(100);
const MOST: Duration = Duration::from_secs(3600);
/// How long a key may wait.
const KEYS: Duration = Duration::from_millis(50);

/// What a look at the daemon gave: what it told, or why it told nothing.
type Look = Result<Snapshot, String>;

impl Top {
    pub(super) fn run(self, global: &Global) -> anyhow::Result<Exit> {
        let (settings, client) = asking::client_leniently(global)?;
        let client = client.map_err(asking::failed)?;
        let socket = settings.control;
        if self.output == Output::Human && terminal::is_interactive() {
            self.live(client, socket)
        } else {
            self.printed(client, socket)
        }
    }

    /// A page, or an object on a line, at each interval.
    fn printed(&self, client: Client, socket: PathBuf) -> anyhow::Result<Exit> {
        let (begun, mut watch) = (clock::instant(), Watch::default());
        let mut asker = Asker { client: Some(client), socket };
        if let Ok(first) = asker.look() {
            // So that the first page knows rates.
            watch.see(begun.elapsed(), &first);
            std::thread::sleep(self.interval.min(Duration::from_secs(1)));
        }
        let mut next = clock::instant();
        let mut shown = 0;
        loop {
            let look = asker.look();
            if let Ok(snapshot) = &look {
                watch.see(begun.elapsed(), snapshot);
            }
            let now = clock::now();
            let text = match (&look, self.output) {
                (Ok(snapshot), Output::Human) => {
                    let view = View::new(snapshot, &watch, now);
                    format!("{}\n", view.page(grid::ANY_WIDTH, usize::MAX))
                }
                (Err(trouble), Output::Human) => format!("{}\n", page::gone(trouble, now)),
                (Ok(snapshot), Output::Json) => format!("{}\n", watch.json(snapshot, now)?),
                (Err(trouble), Output::Json) => {
                    format!("{}\n", serde_json::json!({ "at": now.rfc3339(), "trouble": trouble }))
                }
            };
            if !written(&text)? {
                return Ok(Exit::Success);
            }
            shown += 1;
            if self.count.is_some_and(|count| shown >= count) {
                return match look {
                    Ok(_) => Ok(Exit::Success),
                    Err(trouble) => Err(Failed::new(Exit::Unavailable, trouble).into()),
                };
            }
            next += self.interval;
            std::thread::sleep(next.saturating_duration_since(clock::instant()));
            next = next.max(clock::instant());
        }
    }

    /// On a terminal of its own, until somebody has seen enough.
    fn live(&self, client: Client, socket: PathBuf) -> anyhow::Result<Exit> {
        // Before any thread starts: it must not take the signals.
        let mut screen = Screen::take().context("cannot take the terminal over")?;
        let looks = ask_on(Asker { client: Some(client), socket }, self.interval)?;
        let has_colour =
            anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never;
        let (begun, mut watch) = (clock::instant(), Watch::default());
        let mut last: Option<Snapshot> = None;
        let mut trouble: Option<String> = None;
        let (mut is_paused, mut sort, mut shown) = (false, Sort::Lines, 0);
        let mut is_stale = true;
        loop {
            match looks.try_recv() {
                Ok(_) if is_paused => {}
                Ok(Ok(snapshot)) => {
                    watch.see(begun.elapsed(), &snapshot);
                    (last, trouble, is_stale) = (Some(snapshot), None, true);
                    shown += 1;
                }
                Ok(Err(why)) => {
                    // Whoever comes back counts from the beginning.
                    watch = Watch::default();
                    (trouble, is_stale) = (Some(why), true);
                    shown += 1;
                }
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => anyhow::bail!("the asking thread has ended"),
            }
            if is_stale {
                let (width, height) = terminal::size().unwrap_or((80, 24));
                let now = clock::now();
                let text = match &last {
                    Some(snapshot) => {
                        let mut view = View::new(snapshot, &watch, now);
                        view.keys = true;
                        (view.is_paused, view.sort) = (is_paused, sort);
                        view.trouble = trouble.as_deref();
                        view.page(width, height)
                    }
                    None => match &trouble {
                        Some(trouble) => page::gone(trouble, now),
                        None => "asking the daemon".to_owned(),
                    },
                };
                draw(&text, has_colour)?;
                is_stale = false;
            }
            if self.count.is_some_and(|count| shown >= count) {
                return Ok(Exit::Success);
            }
            let now = clock::instant();
            match screen.wait(now + KEYS, now)? {
                Event::End | Event::Key(b'q' | b'Q') => return Ok(Exit::Success),
                Event::Key(b'p' | b'P' | b' ') => (is_paused, is_stale) = (!is_paused, true),
                Event::Key(b's' | b'S') => (sort, is_stale) = (sort.next(), true),
                Event::Resized => is_stale = true,
                Event::Key(_) | Event::Nothing => {}
            }
        }
    }
}

/// Who asks the daemon, and looks for it again when it was gone.
struct Asker {
    client: Option<Client>,
    socket: PathBuf,
}

impl Asker {
    fn look(&mut self) -> Look {
        let mut client = match self.client.take() {
            Some(client) => client,
            None => Client::open(&self.socket).map_err(|error| error.to_string())?,
        };
        let snapshot = Snapshot::ask(&mut client).map_err(|error| format!("{error:#}"))?;
        self.client = Some(client);
        Ok(snapshot)
    }
}

/// Asks at each interval on a thread of its own, which ends with who listens.
fn ask_on(mut asker: Asker, interval: Duration) -> anyhow::Result<Receiver<Look>> {
    let (looks, receiver) = sync_channel(1);
    let thread = std::thread::Builder::new().name("weir-top".to_owned());
    thread
        .spawn(move || {
            while looks.send(asker.look()).is_ok() {
                std::thread::sleep(interval);
            }
        })
        .context("cannot start a thread")?;
    Ok(receiver)
}

/// Writes a page; `false` when the reader went away.
fn written(text: &str) -> anyhow::Result<bool> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(anyhow::Error::new(error).context("cannot write to standard output")),
    }
}

/// Draws over what is there, without a flicker: each line is cleared behind its end.
fn draw(text: &str, has_colour: bool) -> anyhow::Result<()> {
    let text = match has_colour {
        true => text.to_owned(),
        false => anstream::adapter::strip_str(text).to_string(),
    };
    let mut page = String::from("\u{1b}[H");
    let text = text.trim_end_matches('\n');
    for (at, line) in text.split('\n').enumerate() {
        if at > 0 {
            page.push_str("\r\n");
        }
        page.push_str(line);
        page.push_str("\u{1b}[K");
    }
    page.push_str("\u{1b}[J");
    let mut out = std::io::stdout().lock();
    out.write_all(page.as_bytes())
        .and_then(|()| out.flush())
        .context("cannot write to the terminal")
}
