//! The page of `weir top`: pure, from what was told to so many lines of a given width.

use super::watch::{Snapshot, Watch};
use crate::cli::asking::span;
use crate::cli::figures::{grouped, rate, share, spark};
use crate::cli::grid::{self, Cell, Column, Room, Style, number, table, text};
use crate::cli::status::page::{Seen, ago, sources};
use crate::control::{Coverage, Row};
use crate::value::Time;

/// By what programs are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sort {
    /// Those that write most now.
    #[default]
    Lines,
    /// Those of which most is not understood.
    Unparsed,
}

impl Sort {
    pub(super) const fn next(self) -> Self {
        match self {
            Self::Lines => Self::Unparsed,
            Self::Unparsed => Self::Lines,
        }
    }
}

/// What is to be shown.
#[derive(Debug)]
pub(super) struct View<'v> {
    snapshot: &'v Snapshot,
    watch: &'v Watch,
    now: Time,
    pub(super) is_paused: bool,
    pub(super) sort: Sort,
    /// Why the daemon does not answer any more.
    pub(super) trouble: Option<&'v str>,
    /// Whether the keys are named.
    pub(super) keys: bool,
}

/// Rows of a list that are shown where there is no end to the page.
const ROWS: usize = 10;
/// Problems that are shown; all are in `weir status`.
const PROBLEMS: usize = 3;

/// What is shown when nothing was ever told.
pub(super) fn gone(trouble: &str, now: Time) -> String {
    let words = format!("{} {trouble}; waiting for it", clock(now));
    Style::Bad.paint(&grid::clipped(&words, 400))
}

/// A list of rows, of which some are shown.
struct List {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

impl<'v> View<'v> {
    pub(super) fn new(snapshot: &'v Snapshot, watch: &'v Watch, now: Time) -> Self {
        Self {
            snapshot,
            watch,
            now,
            is_paused: false,
            sort: Sort::default(),
            trouble: None,
            keys: false,
        }
    }

    /// At most `height` lines.
    pub(super) fn page(&self, width: usize, height: usize) -> String {
        let mut top = vec![self.head(width)];
        if let Some(trouble) = self.trouble {
            let words = format!("the daemon does not answer, waiting for it: {trouble}");
            top.push(Style::Bad.paint(&grid::clipped(&words, width)));
        }
        top.push(self.summary(width));
        let problems = &self.snapshot.status.problems;
        for problem in problems.iter().take(PROBLEMS) {
            let cut = grid::clipped(&format!("PROBLEM  {problem}"), width);
            top.push(Style::Bad.paint(&cut));
        }
        if problems.len() > PROBLEMS {
            top.push(format!("and {} more problems: weir status", problems.len() - PROBLEMS));
        }
        let mut bottom = self.inside(width);
        if self.keys {
            bottom.push(self.foot(width));
        }
        let lists = [self.programs(), self.scenarios(), self.latest()];
        let sources = sources(&self.snapshot.status, self.now, width);
        let n_sources = self.snapshot.status.sources.len();

        // A line for each head; then a row for each list in turn, as long as there is room.
        let airy = height >= 30;
        let fixed = top.len() + bottom.len() + usize::from(airy);
        let wants: Vec<usize> =
            std::iter::once(n_sources).chain(lists.iter().map(|list| list.rows.len())).collect();
        let room = height.saturating_sub(fixed);
        let given = share_out(room, &wants, if airy { 2 } else { 1 });

        let mut lines = top;
        let section = |lines: &mut Vec<String>, text: &str, rows: Option<usize>| {
            if let Some(rows) = rows {
                if airy {
                    lines.push(String::new());
                }
                lines.extend(text.lines().take(rows + 1).map(str::to_owned));
            }
        };
        section(&mut lines, &sources, given[0]);
        for (list, rows) in lists.iter().zip(&given[1..]) {
            let shown = &list.rows[..rows.unwrap_or(0).min(list.rows.len())];
            section(&mut lines, &table(&list.columns, shown, width), *rows);
        }
        if airy {
            lines.push(String::new());
        }
        if height < usize::MAX && self.keys {
            // The keys stand at the foot.
            while lines.len() + bottom.len() < height {
                lines.push(String::new());
            }
        }
        lines.extend(bottom);
        lines.truncate(height);
        lines.join("\n") + "\n"
    }

    fn head(&self, width: usize) -> String {
        let seen = Seen {
            status: &self.snapshot.status,
            coverage: &[],
            tables: &self.snapshot.tables,
            now: self.now,
        };
        let head = seen.head();
        let head = head.trim_end();
        let state = if self.is_paused { "  PAUSED" } else { "" };
        let right = format!("{}{state}", clock(self.now));
        let used = grid::wide(head) + right.len();
        if width == grid::ANY_WIDTH {
            return format!("{head}  {right}");
        }
        if used + 2 > width {
            return format!("{head}{state}");
        }
        format!("{head}{}{right}", " ".repeat(width - used))
    }

    fn summary(&self, width: usize) -> String {
        let status = &self.snapshot.status;
        let (rates, lines) = (&status.rates, &status.lines);
        let all = lines.parsed + lines.unparsed + lines.allowlisted;
        let banned: u64 =
            status.active.iter().filter(|active| active.action == "ban").map(|a| a.count).sum();
        let facts = [
            format!("{} lines/s", rate(rates.lines.last_10s)),
            spark(&rates.lines.series, (width / 5).min(30)),
            format!("{} understood", share(all - lines.unparsed, all)),
            format!("{} bans/min", rate(rates.bans.last_1m)),
            format!("{} banned", grouped(banned)),
            format!("{} packets/s dropped", rate(rates.dropped_packets.last_10s)),
        ];
        let mut line = String::new();
        for fact in facts.iter().filter(|fact| !fact.is_empty()) {
            // What has no room is left out whole.
            if grid::wide(&line) + 2 + grid::wide(fact) > width {
                continue;
            }
            if !line.is_empty() {
                line.push_str("  ");
            }
            line.push_str(fact);
        }
        line
    }

    fn programs(&self) -> List {
        let mut programs: Vec<(&Coverage, Option<f64>)> = self
            .snapshot
            .coverage
            .iter()
            .map(|program| (program, self.watch.lines(program)))
            .collect();
        match self.sort {
            Sort::Lines => programs.sort_by(|(a, a_rate), (b, b_rate)| {
                let by_rate = b_rate.unwrap_or(0.0).total_cmp(&a_rate.unwrap_or(0.0));
                by_rate.then_with(|| b.lines().cmp(&a.lines()))
            }),
            Sort::Unparsed => {
                programs.sort_by_key(|(program, _)| std::cmp::Reverse(program.unparsed));
            }
        }
        let rows = programs.into_iter().take(MOST).map(|(program, rate)| {
            let name = if program.program.is_empty() { "(no program)" } else { &program.program };
            let all = program.lines();
            let style = match program.unparsed {
                0 => Style::Plain,
                n if n == all => Style::Bad,
                _ => Style::Doubtful,
            };
            vec![
                name.into(),
                program.label.as_str().into(),
                rated(rate),
                grouped(all).into(),
                Cell::new(share(all - program.unparsed, all), style),
                share(program.parsed - program.uncounted.min(program.parsed), all).into(),
            ]
        });
        let columns = vec![
            text("PROGRAM", Room::Cut(12)),
            text("LABEL", Room::Go),
            number("LINES/S", Room::Keep),
            number("LINES", Room::Keep),
            number("UNDERSTOOD", Room::Keep),
            number("COUNTED", Room::Go),
        ];
        List { columns, rows: rows.collect() }
    }

    fn scenarios(&self) -> List {
        let mut found: Vec<_> = self
            .snapshot
            .tables
            .buckets
            .iter()
            .filter(|row| row.poured > 0)
            .map(|row| (row, self.watch.poured(row)))
            .collect();
        found.sort_by(|(a, a_rate), (b, b_rate)| {
            let by_rate = b_rate.unwrap_or(0.0).total_cmp(&a_rate.unwrap_or(0.0));
            by_rate.then_with(|| b.poured.cmp(&a.poured))
        });
        let rows = found.into_iter().take(MOST).map(|(row, rate)| {
            vec![
                row.scenario.as_str().into(),
                rated(rate),
                grouped(row.poured).into(),
                grouped(row.overflowed).into(),
                grouped(row.held).into(),
            ]
        });
        let columns = vec![
            text("SCENARIO", Room::Cut(16)),
            number("EVENTS/S", Room::Keep),
            number("EVENTS", Room::Go),
            number("OVERFLOWS", Room::Keep),
            number("BUCKETS", Room::Go),
        ];
        List { columns, rows: rows.collect() }
    }

    fn latest(&self) -> List {
        let row = |row: &Row| {
            let action = match &row.limited {
                Some(by) => format!("{} ({by})", row.action),
                None => row.action.clone(),
            };
            let style = if row.action == "ban" { Style::Plain } else { Style::Faint };
            vec![
                row.target.as_str().into(),
                Cell::new(action, style),
                ago(&row.created_at, self.now).into(),
                span(row.remaining_seconds).into(),
                row.reason.as_str().into(),
            ]
        };
        let columns = vec![
            text("LATEST", Room::Cut(18)),
            text("ACTION", Room::Go),
            text("SINCE", Room::Keep),
            text("LEFT", Room::Go),
            text("REASON", Room::Cut(12)),
        ];
        List { columns, rows: self.snapshot.latest.iter().map(row).collect() }
    }

    /// What waits between the stages, and the kernel.
    fn inside(&self, width: usize) -> Vec<String> {
        let mut lines = Vec::new();
        let queues = self.snapshot.tables.queues.iter().map(|queue| {
            let full = match queue.full {
                0 => String::new(),
                n => format!(", was full {} times", grouped(n)),
            };
            let of = match queue.capacity {
                0 => String::new(),
                room => format!(" of {}", grouped(room)),
            };
            format!("{} {}{of}{full}", queue.queue, grouped(queue.length))
        });
        let queues: Vec<String> = queues.collect();
        if !queues.is_empty() {
            lines.push(grid::clipped(&format!("  queues  {}", queues.join("; ")), width));
        }
        let backends = self.snapshot.status.enforce.backends.iter().map(|backend| {
            format!(
                "{} {} elements, drift {}, {} packets dropped",
                backend.name,
                grouped(backend.elements),
                grouped(backend.drift),
                grouped(backend.dropped_packets)
            )
        });
        let backends: Vec<String> = backends.collect();
        if !backends.is_empty() {
            lines.push(grid::clipped(&format!("  kernel  {}", backends.join("; ")), width));
        }
        lines
    }

    fn foot(&self, width: usize) -> String {
        let sort = match self.sort {
            Sort::Lines => "lines",
            Sort::Unparsed => "not understood",
        };
        let pause = if self.is_paused { "go on" } else { "pause" };
        let words = format!("q quit   p {pause}   s sort (programs by {sort})");
        Style::Faint.paint(&grid::clipped(&words, width))
    }
}

/// Rows of a list that are made at all.
const MOST: usize = 200;

fn rated(rate_now: Option<f64>) -> Cell {
    match rate_now {
        None => Cell::new("-", Style::Faint),
        Some(now) if now > 0.0 => rate(now).into(),
        Some(_) => Cell::new("0", Style::Faint),
    }
}

/// `23:51:02Z`.
fn clock(now: Time) -> String {
    let seconds = now.seconds().rem_euclid(86_400);
    format!("{:02}:{:02}:{:02}Z", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// How many rows each list gets of the lines that there are; none where it has no room, or wants no
/// row. `head` lines stand above each list.
fn share_out(room: usize, wants: &[usize], head: usize) -> Vec<Option<usize>> {
    let mut given = vec![None; wants.len()];
    let mut left = room;
    for (given, wanted) in given.iter_mut().zip(wants) {
        if *wanted > 0 && left > head {
            *given = Some(1);
            left -= head + 1;
        }
    }
    let most = |wanted: usize| if room >= usize::MAX / 2 { wanted.min(ROWS) } else { wanted };
    loop {
        let before = left;
        for (given, wanted) in given.iter_mut().zip(wants) {
            if let Some(rows) = given
                && *rows < most(*wanted)
                && left > 0
            {
                *rows += 1;
                left -= 1;
            }
        }
        if left == before {
            return given;
        }
    }
}

#[cfg(test)]
mod tests;
