//! Columns on a terminal: aligned, within its width, with a little colour.
//!
//! Pure: text in, text out. Colours are always written; the stream takes them away where they are
//! not wanted. What comes from outside is made printable here.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::diagnostic::printable;

/// How wide a page is where there is no terminal to say it: nothing is cut.
pub(super) const ANY_WIDTH: usize = 10_000;

/// Between two columns.
const GAP: &str = "  ";
/// The longest text of a cell, in characters.
const LONGEST: usize = 400;

/// How a text stands out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Style {
    /// Not at all.
    #[default]
    Plain,
    /// Of little importance.
    Faint,
    /// A heading.
    Strong,
    /// As it should be.
    Good,
    /// Worth a look.
    Doubtful,
    /// Wrong.
    Bad,
}

impl Style {
    /// The text in this style.
    pub(super) fn paint(self, text: &str) -> String {
        let code = match self {
            _ if text.is_empty() => return String::new(),
            Self::Plain => return text.to_owned(),
            Self::Faint => "2",
            Self::Strong => "1",
            Self::Good => "32",
            Self::Doubtful => "33",
            Self::Bad => "1;31",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

/// What stands in one place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// A text in a style; it may come from outside.
    pub(super) fn new(text: impl AsRef<str>, style: Style) -> Self {
        Self { text: printable(text.as_ref(), LONGEST).into_owned(), style }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::new(text, Style::Plain)
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::new(text, Style::Plain)
    }
}

/// What a column does when there is too little room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// It stays as it is.
    Keep,
    /// Its texts are cut, to this width at the least.
    Cut(usize),
    /// It goes; of several the last one first.
    Go,
}

/// A column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    name: &'static str,
    is_number: bool,
    room: Room,
}

/// A column of texts.
pub(super) const fn text(name: &'static str, room: Room) -> Column {
    Column { name, is_number: false, room }
}

/// A column of numbers, which stand at its right end.
pub(super) const fn number(name: &'static str, room: Room) -> Column {
    Column { name, is_number: true, room }
}

/// A table of at most so many columns of the terminal, two of which it is indented by; each line ends
/// with a line feed. Rows have as many cells as there are columns.
pub(super) fn table(columns: &[Column], rows: &[Vec<Cell>], width: usize) -> String {
    let natural = |at: usize| {
        let texts = rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.text.width());
        texts.max().unwrap_or(0).max(columns[at].name.width())
    };
    let mut shown: Vec<(usize, usize)> = (0..columns.len()).map(|at| (at, natural(at))).collect();
    fit(columns, &mut shown, width.saturating_sub(GAP.len()));
    let mut page = String::new();
    let heads = shown.iter().map(|&(at, wide)| {
        (columns[at], Cell { text: columns[at].name.to_owned(), style: Style::Faint }, wide)
    });
    line(&mut page, heads);
    for row in rows {
        let cells = shown
            .iter()
            .map(|&(at, wide)| (columns[at], row.get(at).cloned().unwrap_or_default(), wide));
        line(&mut page, cells);
    }
    page
}

/// Cuts columns; where that is not enough lets one go, and cuts the others anew.
fn fit(columns: &[Column], shown: &mut Vec<(usize, usize)>, width: usize) {
    loop {
        let gaps = shown.len().saturating_sub(1) * GAP.len();
        let total = shown.iter().map(|(_, wide)| wide).sum::<usize>() + gaps;
        let excess = total.saturating_sub(width);
        let least = |at: usize, wide: usize| match columns[at].room {
            Room::Cut(least) => least.max(columns[at].name.width()).min(wide),
            _ => wide,
        };
        let spare: usize = shown.iter().map(|&(at, wide)| wide - least(at, wide)).sum();
        let last = shown.iter().rposition(|(at, _)| columns[*at].room == Room::Go);
        if let Some(last) = last.filter(|_| spare < excess) {
            shown.remove(last);
            continue;
        }
        for _ in 0..excess {
            // The widest of those that can be cut.
            let cut = shown.iter_mut().filter(|(at, wide)| *wide > least(*at, *wide));
            let Some((_, wide)) = cut.max_by_key(|(_, wide)| *wide) else { return };
            *wide -= 1;
        }
        return;
    }
}

fn line(page: &mut String, cells: impl Iterator<Item = (Column, Cell, usize)>) {
    let mut text = String::new();
    for (column, cell, wide) in cells {
        let cut = clipped(&cell.text, wide);
        let pad = " ".repeat(wide.saturating_sub(cut.width()));
        text.push_str(GAP);
        if column.is_number {
            text.push_str(&pad);
            text.push_str(&cell.style.paint(&cut));
        } else {
            text.push_str(&cell.style.paint(&cut));
            text.push_str(&pad);
        }
    }
    page.push_str(text.trim_end());
    page.push('\n');
}

/// How many columns of the terminal a text takes that may have colours.
pub(super) fn wide(text: &str) -> usize {
    anstream::adapter::strip_str(text).to_string().width()
}

/// The text in at most so many columns of the terminal; what is cut ends in `…`.
pub(super) fn clipped(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut cut = String::new();
    let mut used = 1;
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide > width {
            break;
        }
        used += wide;
        cut.push(c);
    }
    if width > 0 {
        cut.push('…');
    }
    cut
}

/// The text broken between words: a first line behind `head`, which is in `style`, the others indented
/// as far. Each line ends with a line feed.
pub(super) fn paragraph(head: &str, style: Style, text: &str, width: usize) -> String {
    let indent = head.width();
    let room = width.saturating_sub(indent).max(20);
    let text = printable(text, 2_000);
    let mut page = style.paint(head);
    let mut used = 0;
    for word in text.split(' ') {
        if used > 0 && used + 1 + word.width() > room {
            page.push('\n');
            page.push_str(&" ".repeat(indent));
            used = 0;
        } else if used > 0 {
            page.push(' ');
            used += 1;
        }
        page.push_str(word);
        used += word.width();
    }
    page.push('\n');
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[track_caller]
    fn check(width: usize, expected: &str) {
        let columns = [
            text("NAME", Room::Cut(6)),
            number("LINES", Room::Keep),
            text("AT", Room::Go),
            number("CUT", Room::Go),
        ];
        let row = |name: &str, lines: &str, at: &str| {
            vec![Cell::new(name, Style::Bad), lines.into(), at.into(), "0".into()]
        };
        let rows = [
            row("udp", "1,234", "udp 127.0.0.1:5514"),
            row("a\u{1b}[2J\u{202e}long name", "7", "日本"),
        ];
        let shown = table(&columns, &rows, width);
        assert_eq!(plain(&shown), expected);
        assert!(shown.lines().all(|line| plain(line).width() <= width || width < 20), "{shown}");
    }

    #[test]
    fn tables_fit() {
        check(
            80,
            "  NAME                         LINES  AT                  CUT\n\
             \x20 udp                          1,234  udp 127.0.0.1:5514    0\n\
             \x20 a\\u{1b}[2J\\u{202e}long name      7  日本                  0\n",
        );
        check(
            40,
            "  NAME    LINES  AT                  CUT\n\
             \x20 udp     1,234  udp 127.0.0.1:5514    0\n\
             \x20 a\\u{1…      7  日本                  0\n",
        );
        check(
            38,
            "  NAME       LINES  AT\n\
             \x20 udp        1,234  udp 127.0.0.1:5514\n\
             \x20 a\\u{1b}[…      7  日本\n",
        );
        check(15, "  NAME    LINES\n  udp     1,234\n  a\\u{1…      7\n");
        check(3, "  NAME    LINES\n  udp     1,234\n  a\\u{1…      7\n");
    }

    #[test]
    fn texts_are_cut_where_a_character_ends() {
        assert_eq!(clipped("日本語", 6), "日本語");
        assert_eq!(clipped("日本語", 5), "日本…");
        assert_eq!(clipped("日本語", 4), "日…");
        assert_eq!(clipped("ab", 1), "…");
        assert_eq!(clipped("ab", 0), "");
    }

    #[test]
    fn paragraphs_are_broken_between_words() {
        let shown = paragraph("note  ", Style::Plain, "one two three four five six", 26);
        assert_eq!(shown, "note  one two three four\n      five six\n");
        let long = paragraph("x ", Style::Bad, &"y".repeat(50), 30);
        assert_eq!(
            plain(&long),
            format!("x {}\n", "y".repeat(50)),
            "what has no end is not broken"
        );
        assert!(long.starts_with("\u{1b}[1;31m"), "{long}");
    }
}
