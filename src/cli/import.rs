//! `weir import`: bans of whom a list names.

use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;

use super::progress::{Progress, Unit};
use super::{Exit, Failed, Global, Output, arguments, asking, complete, output};
use crate::control::{Client, Import, ImportEntry, Imported, Reply, Request};
use crate::lists::{self, Entry, List};

/// Ban whom a list names
///
/// Reads addresses and prefixes: one on each line, JSON (also what CrowdSec's tools write), or CSV
/// with a header. Mistakes are told with their lines, the rest is taken. Friends are refused; a
/// prefix that holds friends is banned without them. A ban that is there lasts until the later of
/// the two ends, so running it again is safe. Lists that change belong into the folder of `lists:`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weir import drop.txt --origin spamhaus --for 24h
  cscli decisions list -o json | weir import - --origin crowdsec
  weir import list.csv --strict --dry-run")]
pub struct ImportArgs {
    /// The list; `-` is standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The list's name [default: the file's]
    #[arg(long, value_name = "NAME", value_parser = arguments::reason)]
    pub origin: Option<String>,
    /// For how long, where the list does not say [default: `ban:` of the configuration]
    #[arg(long = "for", value_name = "DURATION", value_parser = arguments::duration)]
    pub duration: Option<Duration>,
    /// How the list is written [default: what its beginning looks like]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<ListFormat>,
    /// Take all or nothing: a mistake or a friend on the list keeps everything out
    #[arg(long)]
    pub strict: bool,
    /// Say what would be refused, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// The form of the answer
    #[arg(long, value_name = "FORM", default_value = "human")]
    pub output: Output,
}

/// How a list is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ListFormat {
    /// An address or prefix on each line
    Plain,
    /// Texts or objects
    Json,
    /// A table with a header
    Csv,
}

/// Entries in a request: a transaction of a few milliseconds.
const PAGE: usize = 500;
/// Refusals that are shown.
const SHOWN: usize = 20;

impl ImportArgs {
    pub(super) fn run(self, global: &Global) -> anyhow::Result<Exit> {
        let list = self.read()?;
        self.tell_mistakes(&list);
        if self.strict && list.n_mistakes > 0 {
            let message = format!("nothing was taken: {} mistakes in the list", list.n_mistakes);
            return Err(Failed::new(Exit::Failure, message).into());
        }
        let name = self.name()?;
        let mut client = asking::client(global)?;
        if self.strict || self.dry_run {
            let would = self.pages(&mut client, &name, &list.entries, true)?;
            if self.dry_run {
                return self.tell(&list, &would);
            }
            if !would.refused.is_empty() || !would.left_out.is_empty() {
                self.tell_refusals(&would);
                let count = would.refused.len() + would.left_out.len();
                let message = format!("nothing was taken: friends stand against {count} entries");
                return Err(Failed::new(Exit::Failure, message).into());
            }
        }
        let done = self.pages(&mut client, &name, &list.entries, false)?;
        self.tell(&list, &done)
    }

    fn read(&self) -> anyhow::Result<List> {
        let mut bytes = Vec::new();
        let most = lists::LONGEST as u64 + 1;
        let shown = self.file.display();
        if self.file.as_os_str() == "-" {
            std::io::stdin().lock().take(most).read_to_end(&mut bytes)
        } else {
            std::fs::File::open(&self.file).and_then(|file| file.take(most).read_to_end(&mut bytes))
        }
        .with_context(|| format!("cannot read `{shown}`"))?;
        if bytes.len() > lists::LONGEST {
            anyhow::bail!("`{shown}` is longer than {} MiB", lists::LONGEST >> 20);
        }
        let format = self.format.map(|format| match format {
            ListFormat::Plain => lists::Format::Plain,
            ListFormat::Json => lists::Format::Json,
            ListFormat::Csv => lists::Format::Csv,
        });
        Ok(lists::read(&bytes, format))
    }

    fn name(&self) -> anyhow::Result<String> {
        let stem = self.file.file_stem().and_then(|name| name.to_str()).filter(|name| *name != "-");
        match (&self.origin, stem) {
            (Some(name), _) => Ok(name.clone()),
            (None, Some(stem)) => Ok(stem.to_owned()),
            (None, None) => {
                let message = "standard input has no name: give the list one with `--origin`";
                Err(Failed::new(Exit::Usage, message).into())
            }
        }
    }

    /// Hands the entries over, page by page; what became of all of them.
    fn pages(
        &self,
        client: &mut Client,
        list: &str,
        entries: &[Entry],
        dry_run: bool,
    ) -> anyhow::Result<Imported> {
        let mut all = Imported::default();
        let what = if dry_run { "trying" } else { "importing" };
        let (total, is_wanted) = (entries.len() as u64, self.output == Output::Human);
        let progress = Progress::begin(what, Unit::Things("entries"), total, is_wanted);
        for (number, page) in entries.chunks(PAGE).enumerate() {
            let asked = Import {
                list: list.to_owned(),
                for_seconds: self.duration.map(|duration| duration.as_secs().max(1)),
                entries: page.iter().map(entry).collect(),
                dry_run,
            };
            let reply = client.ask(&Request::Import(asked)).map_err(|error| {
                let done = number * PAGE;
                asking::failed(error).context(format!(
                    "{done} of {} entries were taken before this; running it again is safe",
                    entries.len()
                ))
            })?;
            match reply {
                Reply::Imported(done) => add(&mut all, *done),
                other => return Err(asking::strange(&other)),
            }
            progress.add(page.len() as u64);
        }
        Ok(all)
    }

    fn tell_mistakes(&self, list: &List) {
        for mistake in &list.mistakes {
            output::remark(&format!("weir: {}, {mistake}\n", self.file.display()));
        }
        if let Some(more) = list.n_mistakes.checked_sub(list.mistakes.len()).filter(|n| *n > 0) {
            output::remark(&format!("weir: and {more} more mistakes\n"));
        }
    }

    fn tell_refusals(&self, done: &Imported) {
        for refused in done.refused.iter().take(SHOWN) {
            output::remark(&format!("weir: not banned: {}\n", refused.message));
        }
        for left_out in done.left_out.iter().take(SHOWN) {
            let friends: Vec<&str> = left_out.friends.iter().map(|friend| &*friend.net).collect();
            output::remark(&format!(
                "weir: `{}` is banned but for friends in it: {}\n",
                left_out.target,
                friends.join(", ")
            ));
        }
        let shown = done.refused.len().min(SHOWN) + done.left_out.len().min(SHOWN);
        let more = done.refused.len() + done.left_out.len() - shown;
        if more > 0 {
            output::remark(&format!("weir: friends stand against {more} more\n"));
        }
    }

    fn tell(&self, list: &List, done: &Imported) -> anyhow::Result<Exit> {
        self.tell_refusals(done);
        if done.no_room > 0 {
            output::remark(&format!(
                "weir: {} entries found no room: the ledger keeps some for what rules find\n",
                done.no_room
            ));
        }
        match self.output {
            Output::Json => complete(&format!(
                "{:#}\n",
                serde_json::json!({
                    "entries": list.entries.len(),
                    "mistakes": list.n_mistakes,
                    "imported": done,
                })
            ))?,
            Output::Human if self.dry_run => complete(&format!(
                "{} entries, {} mistakes, {} refused: nothing was changed\n",
                list.entries.len(),
                list.n_mistakes,
                done.refused.len()
            ))?,
            Output::Human => complete(&format!(
                "{} entries: {} banned, {} for longer than before, {} for long enough already, {} refused, {} mistakes\n",
                list.entries.len(),
                done.begun,
                done.extended,
                done.held,
                done.refused.len(),
                list.n_mistakes
            ))?,
        }
        let is_whole = list.n_mistakes == 0 && done.refused.is_empty() && done.no_room == 0;
        Ok(if is_whole { Exit::Success } else { Exit::Failure })
    }
}

fn entry(entry: &Entry) -> ImportEntry {
    const SECOND: i64 = 1_000_000_000;
    let seconds =
        entry.duration.map(|nanos| (nanos / SECOND + i64::from(nanos % SECOND > 0)).max(1));
    ImportEntry {
        target: entry.net.to_string(),
        for_seconds: seconds.and_then(|seconds| u64::try_from(seconds).ok()),
        reason: entry.reason.as_deref().map(str::to_owned),
    }
}

fn add(all: &mut Imported, page: Imported) {
    all.begun += page.begun;
    all.extended += page.extended;
    all.held += page.held;
    all.no_room += page.no_room;
    all.refused.extend(page.refused);
    all.left_out.extend(page.left_out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_rounded_up() {
        let of = |nanos| {
            let net = "203.0.113.7/32".parse().unwrap();
            entry(&Entry { net, duration: Some(nanos), reason: None, line: 1 }).for_seconds
        };
        assert_eq!([of(1), of(1_000_000_000), of(1_000_000_001)], [Some(1), Some(1), Some(2)]);
    }
}
