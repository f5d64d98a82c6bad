//! The journal's entries out of a file: in the export format, or as JSON.

#![forbid(unsafe_code)]

use std::io::{self, Read};

use super::super::journal::entry::Entry;
use super::super::journal::export::Export;
use super::super::journal::json;
use super::FileLines;
use crate::event::{Batch, Origin};

/// The longest object: a message of a megabyte as an array of numbers.
pub(super) const LONGEST_OBJECT: usize = 8 << 20;

const BUFFER: usize = 64 * 1024;

/// Reads entries; each with a message becomes a line.
pub(super) struct Entries<R> {
    form: Form<R>,
    line: Vec<u8>,
    origin: Origin,
    /// Entries whose message could not be read.
    unread: u64,
    cut: u64,
}

enum Form<R> {
    Export { export: Export, reader: R, buffer: Box<[u8]>, from: usize, to: usize, ended: bool },
    Json { lines: FileLines<R>, entry: Entry },
}

impl<R: Read> Entries<R> {
    /// Of a file in the export format.
    pub(super) fn export(reader: R, limit: usize) -> Self {
        let buffer = vec![0; BUFFER].into_boxed_slice();
        let export = Export::new(limit);
        Self::new(Form::Export { export, reader, buffer, from: 0, to: 0, ended: false })
    }

    /// Of a file of JSON objects.
    pub(super) fn json(reader: R, limit: usize) -> Self {
        let lines = FileLines::new(reader, LONGEST_OBJECT);
        Self::new(Form::Json { lines, entry: Entry::new(limit) })
    }

    fn new(form: Form<R>) -> Self {
        Self { form, line: Vec::new(), origin: Origin::default(), unread: 0, cut: 0 }
    }

    /// The next lines into a batch, after what it holds; gives whether it holds anything.
    pub(super) fn fill(&mut self, batch: &mut Batch, lines: usize) -> io::Result<bool> {
        while batch.len() < lines {
            let entry = match &mut self.form {
                Form::Export { export, reader, buffer, from, to, ended } => {
                    if !next(export, reader, buffer, from, to, ended)? {
                        break;
                    }
                    export.entry()
                }
                Form::Json { lines, entry } => {
                    let Some((line, cut)) = lines.next_line()? else { break };
                    if cut || json::read(line, entry).is_err() || !entry.is_line() {
                        self.unread += 1;
                        continue;
                    }
                    &*entry
                }
            };
            if entry.is_line() {
                let cut = entry.write_line(&mut self.line);
                self.cut += u64::from(cut);
                entry.tell_origin(&mut self.origin);
                batch.push_from(&self.line, cut, &self.origin);
            }
        }
        Ok(!batch.is_empty())
    }

    /// How many entries could not be read so far.
    pub(super) fn unread(&self) -> u64 {
        self.unread
    }

    /// How many lines were cut so far.
    pub(super) fn cut(&self) -> u64 {
        self.cut
    }
}

/// Reads to the end of the next entry; gives whether there is one.
fn next(
    export: &mut Export,
    reader: &mut impl Read,
    buffer: &mut [u8],
    from: &mut usize,
    to: &mut usize,
    ended: &mut bool,
) -> io::Result<bool> {
    let damaged = |damage| io::Error::new(io::ErrorKind::InvalidData, damage);
    while !*ended {
        let mut bytes = &buffer[*from..*to];
        let is_entry = export.advance(&mut bytes).map_err(damaged)?;
        *from = *to - bytes.len();
        if is_entry {
            return Ok(true);
        }
        *to = read(reader, buffer)?;
        *from = 0;
        *ended = *to == 0;
    }
    export.finish().map_err(damaged)
}

fn read(reader: &mut impl Read, space: &mut [u8]) -> io::Result<usize> {
    loop {
        match reader.read(space) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
