//! Lists of whom to ban, as files have them: an address on each line, JSON, or CSV with a header.
//!
//! [`read`] is pure and takes any bytes: what it understands becomes entries, what it does not
//! becomes mistakes with their lines, bounded in number and all counted. [`Folder`] says which
//! files of a folder are worth reading; [`look`] asks the disk.
//!
//! Whether an entry may be banned is not known here, nor who asks.

#![forbid(unsafe_code)]

mod csv;
mod folder;
mod fuzz;
mod json;
mod nets;
mod plain;
mod row;
#[cfg(test)]
mod tests;

use ipnet::IpNet;

pub use folder::{Facts, Folder, Seen, Step, look, name_of};
#[doc(hidden)]
pub use fuzz::fuzz_list;
pub use nets::Nets;

/// The greatest number of entries that are taken from one list.
pub const MOST_ENTRIES: usize = 1_000_000;
/// The longest list in bytes.
pub const LONGEST: usize = 256 << 20;
/// Mistakes that are told one by one.
const MOST_TOLD: usize = 20;
/// The longest reason of an entry, in characters.
const LONGEST_REASON: usize = 160;

/// How a list is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// An address or a prefix on each line; `#` and `;` begin comments.
    Plain,
    /// An array of texts or of objects, as `weir export` and CrowdSec's tools write it; or such
    /// values one after the other.
    Json,
    /// Columns under a header; RFC 4180.
    Csv,
}

impl Format {
    /// The word of the command line, which is also the usual ending of such a file's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Format::Plain => "txt",
            Format::Json => "json",
            Format::Csv => "csv",
        }
    }

    /// The format of files whose name ends so.
    #[must_use]
    pub fn of_ending(ending: &str) -> Option<Self> {
        [Self::Plain, Self::Json, Self::Csv].into_iter().find(|format| format.name() == ending)
    }
}

/// Somebody to ban.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whom, in canonical form.
    pub net: IpNet,
    /// For how many nanoseconds, above 0; `None` when the list does not say.
    pub duration: Option<i64>,
    /// Why, on one line; `None` when the list does not say.
    pub reason: Option<Box<str>>,
    /// On which line it stands, from 1.
    pub line: u32,
}

/// What could not be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct Mistake {
    /// On which line, from 1.
    pub line: u32,
    /// What was expected and what is there, escaped and cut.
    pub message: String,
}

/// What a list says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// How it is written.
    pub format: Format,
    /// Whom it names, in its order; somebody may be there twice.
    pub entries: Vec<Entry>,
    /// The first mistakes.
    pub mistakes: Vec<Mistake>,
    /// How many mistakes there are.
    pub n_mistakes: usize,
}

impl List {
    fn new(format: Format) -> Self {
        Self { format, entries: Vec::new(), mistakes: Vec::new(), n_mistakes: 0 }
    }

    /// Takes what was made of a row.
    fn add(&mut self, line: u32, entry: Result<Entry, String>) {
        match entry {
            Ok(entry) if self.entries.len() < MOST_ENTRIES => self.entries.push(entry),
            Ok(_) => self.mistake(line, format!("there are more than {MOST_ENTRIES} entries")),
            Err(message) => self.mistake(line, message),
        }
    }

    fn mistake(&mut self, line: u32, message: String) {
        self.n_mistakes += 1;
        if self.mistakes.len() < MOST_TOLD {
            self.mistakes.push(Mistake { line, message });
        }
    }
}

/// Reads a list; without a format, its beginning tells how it is written.
#[must_use]
pub fn read(bytes: &[u8], format: Option<Format>) -> List {
    // Hostile: lists come from anywhere.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let format = format.unwrap_or_else(|| recognised(bytes));
    let mut list = List::new(format);
    match format {
        Format::Plain => plain::read(bytes, &mut list),
        Format::Json => json::read(bytes, &mut list),
        Format::Csv => csv::read(bytes, &mut list),
    }
    list
}

/// How a list is written, by its first line that says something.
fn recognised(bytes: &[u8]) -> Format {
    let mut lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let first = lines.find(|line| !matches!(line.first(), None | Some(b'#' | b';')));
    match first {
        Some([b'[' | b'{' | b'"', ..]) => Format::Json,
        Some(line) if csv::is_header(line) => Format::Csv,
        _ => Format::Plain,
    }
}

/// Which line the byte at `offset` is on, from 1.
fn line_at(bytes: &[u8], offset: usize) -> u32 {
    let before = bytes.get(..offset).unwrap_or(bytes);
    let count = memchr::memchr_iter(b'\n', before).count();
    u32::try_from(count + 1).unwrap_or(u32::MAX)
}
