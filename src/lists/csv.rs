//! Columns under a header, as RFC 4180 has them: fields in quotes may hold separators, line feeds
//! and, doubled, quotes.
//!
//! The separator is the one that the header uses: a comma, a semicolon or a tab.

use std::borrow::Cow;

use super::List;
use super::row::{Column, Row, shown};

/// Columns that are looked at; what is behind them is passed over.
const MOST_COLUMNS: usize = 64;

const SEPARATORS: [u8; 3] = [b',', b';', b'\t'];

/// Whether a first line is a header of a table that names whom to ban.
pub(super) fn is_header(line: &[u8]) -> bool {
    let columns = header(line);
    columns.len() > 1 && columns.contains(&Some(Column::Value))
        || matches!(columns.as_slice(), [Some(Column::Value)])
}

/// What the columns of a header hold.
fn header(line: &[u8]) -> Vec<Option<Column>> {
    let mut fields = Fields { rest: line, separator: separator(line) };
    let mut columns = Vec::new();
    while let Some((field, ends)) = fields.next() {
        columns.push(Column::named(&field));
        if ends || columns.len() >= MOST_COLUMNS {
            break;
        }
    }
    columns
}

fn separator(line: &[u8]) -> u8 {
    SEPARATORS.into_iter().find(|separator| line.contains(separator)).unwrap_or(b',')
}

pub(super) fn read(bytes: &[u8], list: &mut List) {
    let mut line = 1;
    let mut rest = bytes;
    let mut columns: Option<(Vec<Option<Column>>, u8)> = None;
    while !rest.is_empty() {
        let first = rest.split(|byte| *byte == b'\n').next().unwrap_or(rest);
        let is_passed_over = matches!(first.trim_ascii().first(), None | Some(b'#'));
        match &columns {
            _ if is_passed_over => {
                rest = rest.get(first.len() + 1..).unwrap_or_default();
                line += 1;
            }
            None => {
                let found = header(first.trim_ascii());
                if !found.contains(&Some(Column::Value)) {
                    let text = String::from_utf8_lossy(first);
                    return list.mistake(
                        line,
                        format!(
                            "expected a header with a column `value` (or `ip`, `target`, \
                             `range`), found `{}`",
                            shown(text.trim())
                        ),
                    );
                }
                columns = Some((found, separator(first)));
                rest = rest.get(first.len() + 1..).unwrap_or_default();
                line += 1;
            }
            Some((columns, separator)) => {
                let mut fields = Fields { rest, separator: *separator };
                let entry = record(columns, &mut fields, line);
                let taken = rest.len() - fields.rest.len();
                let lines = memchr::memchr_iter(b'\n', &rest[..taken]).count();
                rest = fields.rest;
                list.add(line, entry);
                line = line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
            }
        }
    }
}

/// One record, to the end of its line.
fn record(
    columns: &[Option<Column>],
    fields: &mut Fields<'_>,
    line: u32,
) -> Result<super::Entry, String> {
    let mut texts: Vec<(Column, Cow<'_, str>)> = Vec::new();
    let mut columns = columns.iter();
    while let Some((text, ends)) = fields.next() {
        if let Some(Some(column)) = columns.next() {
            texts.push((*column, text));
        }
        if ends {
            break;
        }
    }
    let mut row = Row::default();
    for (column, text) in &texts {
        row.set(*column, text);
    }
    row.entry(line)
}

/// The fields of records, one after the other.
struct Fields<'b> {
    rest: &'b [u8],
    separator: u8,
}

impl<'b> Fields<'b> {
    /// The next field, and whether its record ends behind it.
    fn next(&mut self) -> Option<(Cow<'b, str>, bool)> {
        let rest = self.rest;
        if rest.is_empty() {
            return None;
        }
        let blank = |byte: &u8| matches!(byte, b' ') || (*byte == b'\t' && self.separator != b'\t');
        let lead = rest.iter().take_while(|byte| blank(byte)).count();
        let (field, end) = match rest.get(lead) {
            Some(b'"') => quoted(&rest[lead + 1..], lead + 1),
            _ => (None, 0),
        };
        // Behind the closing quote nothing but the separator counts.
        let from = &rest[end..];
        let stop = from.iter().position(|byte| *byte == self.separator || *byte == b'\n');
        let stop = end + stop.unwrap_or(from.len());
        let text = match field {
            Some(field) => field,
            None => String::from_utf8_lossy(rest[..stop].trim_ascii()),
        };
        let ends = rest.get(stop) != Some(&self.separator);
        self.rest = rest.get(stop + 1..).unwrap_or_default();
        // A separator at the very end has an empty field behind it that nobody misses.
        Some((text, ends || self.rest.is_empty()))
    }
}

/// The longest field in quotes that is read as one, so that stray quotes cost little time.
const LONGEST_QUOTED: usize = 4096;

/// What stands between quotes, and where it ends in the whole, of which `bytes` begins at `at`.
/// One that is never closed goes to the end of its line, so that one stray quote costs one record.
fn quoted(bytes: &[u8], at: usize) -> (Option<Cow<'_, str>>, usize) {
    let all = bytes;
    let bytes = bytes.get(..LONGEST_QUOTED).unwrap_or(bytes);
    let mut text: Vec<u8> = Vec::new();
    let mut from = 0;
    while let Some(quote) = memchr::memchr(b'"', bytes.get(from..).unwrap_or_default()) {
        let quote = from + quote;
        text.extend_from_slice(&bytes[from..quote]);
        if bytes.get(quote + 1) != Some(&b'"') {
            let text = String::from_utf8_lossy(&text).into_owned();
            return (Some(Cow::Owned(text)), at + quote + 1);
        }
        text.push(b'"');
        from = quote + 2;
    }
    let end = memchr::memchr(b'\n', all).unwrap_or(all.len());
    (Some(String::from_utf8_lossy(&all[..end])), at + end)
}
