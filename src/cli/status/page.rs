//! The page of `weir status`: pure, from what the daemon told to text of a given width.

use super::advice::advice;
use crate::cli::asking::span;
use crate::cli::figures::{grouped, rate, share, spark};
use crate::cli::grid::{Cell, Room, Style, number, paragraph, table, text};
use crate::control::{
    self, BackendStatus, Coverage, PerMinute, SenderStatus, SourceStatus, Tables,
};
use crate::value::Time;

/// What was told, and when.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct Seen<'s> {
    pub(in crate::cli) status: &'s control::Status,
    pub(in crate::cli) coverage: &'s [Coverage],
    pub(in crate::cli) tables: &'s Tables,
    pub(in crate::cli) now: Time,
}

/// Clocks that are off by fewer seconds are right.
const SKEW: u64 = 5;
/// Senders of a source, programs and scenarios that are shown, so that it stays one screen.
const SENDERS: usize = 5;
const PROGRAMS: usize = 5;
const SCENARIOS: usize = 5;
/// Remarks that are shown.
const REMARKS: usize = 10;
/// How wide the picture of the last minute is, at most.
const SPARK: usize = 30;

impl Seen<'_> {
    /// All of it.
    pub(in crate::cli) fn page(&self, width: usize) -> String {
        let mut page = self.head();
        page.push_str(&self.troubles(width));
        page.push_str(&self.receiving(width));
        page.push_str(&self.understanding(width));
        page.push_str(&self.banning(width));
        page.push_str(&self.kernel(width));
        page.push_str(&self.health(width));
        page
    }

    /// Who it is, and in a word how.
    pub(in crate::cli) fn head(&self) -> String {
        let status = self.status;
        let (style, word) = match status.problems.len() {
            0 if status.enforce.is_enforcing => (Style::Good, "all is well".to_owned()),
            0 => (Style::Doubtful, "works, and drops nothing (observe mode)".to_owned()),
            1 => (Style::Bad, "1 PROBLEM".to_owned()),
            n => (Style::Bad, format!("{n} PROBLEMS")),
        };
        format!(
            "{} up {}, process {}: {}\n",
            Style::Strong.paint(&format!("weir {}", status.version)),
            span(status.uptime_seconds),
            status.pid,
            style.paint(&word)
        )
    }

    /// What keeps it from its work, with what to do; then what is worth knowing.
    pub(in crate::cli) fn troubles(&self, width: usize) -> String {
        let mut page = String::new();
        for problem in &self.status.problems {
            page.push_str(&paragraph("PROBLEM  ", Style::Bad, problem, width));
            if let Some(advice) = advice(problem) {
                page.push_str(&paragraph("to do    ", Style::Strong, advice, width));
            }
        }
        for remark in self.status.remarks.iter().take(REMARKS) {
            page.push_str(&paragraph("note     ", Style::Doubtful, remark, width));
        }
        if let Some(more) = self.status.remarks.len().checked_sub(REMARKS + 1) {
            page.push_str(&format!("note     and {} more (--output json)\n", more + 1));
        }
        page
    }

    fn receiving(&self, width: usize) -> String {
        let lines = &self.status.rates.lines;
        let total: u64 = self.status.sources.iter().map(|source| source.lines).sum();
        let mut page = heading(
            "RECEIVING",
            &format!(
                "{} lines/s, {}/s over a minute, {} in all",
                rate(lines.last_10s),
                rate(lines.last_1m),
                grouped(total)
            ),
            width,
        );
        page.push_str(&sources(self.status, self.now, width));
        for source in self.status.sources.iter().filter(|source| source.n_senders > 1) {
            page.push_str(&senders(source, self.now, width));
        }
        page
    }

    fn understanding(&self, width: usize) -> String {
        let lines = &self.status.lines;
        let all = lines.parsed + lines.unparsed + lines.allowlisted;
        if all == 0 {
            return heading("UNDERSTANDING", "no line came yet", width);
        }
        let mut page = heading(
            "UNDERSTANDING",
            &format!(
                "{} of {} lines understood; {} not, {} about friends",
                share(all - lines.unparsed, all),
                grouped(all),
                grouped(lines.unparsed),
                grouped(lines.allowlisted)
            ),
            width,
        );
        let mut lacking: Vec<&Coverage> =
            self.coverage.iter().filter(|program| program.unparsed > 0).collect();
        if lacking.is_empty() {
            return page;
        }
        lacking.sort_by_key(|program| std::cmp::Reverse(program.unparsed));
        let columns = [
            text("NOT UNDERSTOOD", Room::Cut(14)),
            number("LINES", Room::Keep),
            number("OF ITS", Room::Keep),
            text("NEAREST RULE, AND WHY NOT", Room::Cut(25)),
        ];
        let rows: Vec<_> = lacking.iter().take(PROGRAMS).map(|program| row_of(program)).collect();
        page.push_str(&table(&columns, &rows, width));
        let more = lacking.len().saturating_sub(PROGRAMS);
        let more = if more > 0 { format!("and {more} more programs; ") } else { String::new() };
        let hint = format!("{more}the lines: weir explain --last; rules for them: weir discover");
        page.push_str(&paragraph("  ", Style::Plain, &hint, width));
        page
    }

    fn banning(&self, width: usize) -> String {
        let status = self.status;
        let count = |action: &str, family: &str| -> u64 {
            let fits = |active: &&control::ActiveStatus| {
                active.action == action && active.family == family
            };
            status.active.iter().filter(fits).map(|active| active.count).sum()
        };
        let (v4, v6) = (count("ban", "ipv4"), count("ban", "ipv6"));
        let observed = count("observe", "ipv4") + count("observe", "ipv6");
        let mut words = match v4 + v6 {
            0 => "nobody is banned".to_owned(),
            all => format!("{} banned: {} IPv4, {} IPv6", grouped(all), grouped(v4), grouped(v6)),
        };
        if observed > 0 {
            words.push_str(&format!("; {} only observed", grouped(observed)));
        }
        let mut origins: Vec<(&str, u64)> = Vec::new();
        for row in self.tables.active.iter().filter(|row| row.action == "ban" && row.count > 0) {
            match origins.iter_mut().find(|(origin, _)| *origin == row.origin) {
                Some((_, count)) => *count += row.count,
                None => origins.push((&row.origin, row.count)),
            }
        }
        if !origins.is_empty() {
            let origins = origins.iter().map(|(origin, n)| match *origin {
                "scenario" => format!("{} by scenarios", grouped(*n)),
                "manual" => format!("{} by hand", grouped(*n)),
                "list" => format!("{} by lists", grouped(*n)),
                "remote" => format!("{} by remotes", grouped(*n)),
                other => format!("{} by {other}", grouped(*n)),
            });
            words.push_str(&format!(" ({})", origins.collect::<Vec<_>>().join(", ")));
        }
        let mut page = heading("BANNING", &words, width);
        let columns = [
            text("A MINUTE", Room::Keep),
            number("LAST", Room::Keep),
            number("OF 5", Room::Keep),
            number("OF 15", Room::Keep),
            text("LAST HOUR", Room::Go),
            number("IN ALL", Room::Go),
        ];
        let rows = [
            per_minute("bans", &status.rates.bans, Cell::default(), width),
            per_minute(
                "overflows",
                &status.rates.overflows,
                grouped(status.overflows).into(),
                width,
            ),
        ];
        page.push_str(&table(&columns, &rows, width));
        page.push_str(&self.scenarios(width));
        page
    }

    /// The scenarios that found most.
    fn scenarios(&self, width: usize) -> String {
        let mut found: Vec<_> =
            self.tables.buckets.iter().filter(|row| row.overflowed > 0).collect();
        if found.is_empty() {
            return String::new();
        }
        found.sort_by_key(|row| std::cmp::Reverse(row.overflowed));
        let columns = [
            text("SCENARIO", Room::Cut(16)),
            number("OVERFLOWS", Room::Keep),
            number("EVENTS", Room::Go),
            number("BUCKETS", Room::Go),
        ];
        let rows: Vec<Vec<Cell>> = found
            .iter()
            .take(SCENARIOS)
            .map(|row| {
                vec![
                    row.scenario.as_str().into(),
                    grouped(row.overflowed).into(),
                    grouped(row.poured).into(),
                    grouped(row.held).into(),
                ]
            })
            .collect();
        table(&columns, &rows, width)
    }

    fn kernel(&self, width: usize) -> String {
        let enforce = &self.status.enforce;
        let dropped = &self.status.rates.dropped_packets;
        let words = match enforce.is_enforcing {
            true => format!(
                "{} packets/s dropped, {} in all",
                rate(dropped.last_10s),
                grouped(enforce.dropped_packets)
            ),
            false => "nothing is enforced".to_owned(),
        };
        let mut page = heading("KERNEL", &words, width);
        let columns = [
            text("BACKEND", Room::Keep),
            number("ELEMENTS", Room::Keep),
            number("DRIFT", Room::Keep),
            number("DROPPED", Room::Keep),
            text("LAST TROUBLE", Room::Cut(16)),
        ];
        let row = |backend: &BackendStatus| {
            let drift = if backend.drift > 0 { Style::Bad } else { Style::Plain };
            vec![
                backend.name.as_str().into(),
                grouped(backend.elements).into(),
                Cell::new(grouped(backend.drift), drift),
                grouped(backend.dropped_packets).into(),
                backend.trouble.as_deref().unwrap_or("none").into(),
            ]
        };
        let rows: Vec<_> = enforce.backends.iter().map(row).collect();
        if !rows.is_empty() {
            page.push_str(&table(&columns, &rows, width));
        }
        page
    }

    fn health(&self, width: usize) -> String {
        let status = self.status;
        let rules = &status.rules;
        let mut page = heading("HEALTH", "", width);
        let left_out = match rules.rejected {
            0 => String::new(),
            1 => "; 1 file left out, weir check tells why".to_owned(),
            n => format!("; {n} files left out, weir check tells why"),
        };
        let rules = format!(
            "{} parsers, {} scenarios, {} postoverflows, loaded {}{left_out}",
            grouped(rules.parsers),
            grouped(rules.scenarios),
            grouped(rules.postoverflows),
            ago(&rules.loaded_at, self.now)
        );
        page.push_str(&paragraph("  rules    ", Style::Faint, &rules, width));
        let buckets = format!("{} held", grouped(status.buckets));
        page.push_str(&paragraph("  buckets  ", Style::Faint, &buckets, width));
        let ledger = match (&status.ledger.trouble, status.ledger.unsaved) {
            (None, 0) => format!("{}, all is saved", status.ledger.path),
            (_, unsaved) => format!("{}, {} not saved", status.ledger.path, grouped(unsaved)),
        };
        page.push_str(&paragraph("  ledger   ", Style::Faint, &ledger, width));
        for list in &status.lists {
            let mut facts = format!(
                "{}: {} entries, {} refused",
                list.name,
                grouped(list.entries),
                grouped(list.refused)
            );
            for (count, what) in
                [(list.freed, "freed"), (list.no_room, "without room"), (list.mistakes, "mistakes")]
            {
                if count > 0 {
                    facts.push_str(&format!(", {} {what}", grouped(count)));
                }
            }
            facts.push_str(&format!(", read {} ({})", ago(&list.last_read, self.now), list.path));
            page.push_str(&paragraph("  list     ", Style::Faint, &facts, width));
            if let Some(trouble) = &list.trouble {
                page.push_str(&paragraph("           ", Style::Plain, trouble, width));
            }
        }
        for remote in &status.remotes {
            page.push_str(&self.remote(remote, width));
        }
        page
    }

    /// A remote: what it asks for, what it is told, and what keeps it from either.
    fn remote(&self, remote: &control::RemoteStatus, width: usize) -> String {
        let mut facts = remote.name.clone();
        if remote.is_followed {
            facts.push_str(&format!(": {} asked for", grouped(remote.asked)));
            for (count, what) in [
                (remote.refused, "refused"),
                (remote.freed, "freed"),
                (remote.no_room, "without room"),
                (remote.skipped, "passed over"),
            ] {
                if count > 0 {
                    facts.push_str(&format!(", {} {what}", grouped(count)));
                }
            }
            match &remote.last_pull {
                Some(at) => facts.push_str(&format!(", asked {}", ago(at, self.now))),
                None => facts.push_str(", never answered"),
            }
        }
        if remote.is_told {
            facts.push_str(&format!("; {} told", grouped(remote.told)));
            for (count, what) in [(remote.waiting, "waiting"), (remote.untold, "lost")] {
                if count > 0 {
                    facts.push_str(&format!(", {} {what}", grouped(count)));
                }
            }
        }
        facts.push_str(&format!(" ({})", remote.url));
        let mut lines = paragraph("  remote   ", Style::Faint, &facts, width);
        if let Some(trouble) = &remote.trouble {
            let remedy = remote.remedy.as_deref().unwrap_or_default();
            let words = format!("{trouble}; {remedy}");
            lines.push_str(&paragraph("           ", Style::Plain, &words, width));
        }
        lines
    }
}

/// A heading, behind an empty line.
pub(in crate::cli) fn heading(name: &str, words: &str, width: usize) -> String {
    let gap = if words.is_empty() { "" } else { "  " };
    format!("\n{}", paragraph(&format!("{name}{gap}"), Style::Strong, words, width))
}

/// The sources, each in a line.
pub(in crate::cli) fn sources(status: &control::Status, now: Time, width: usize) -> String {
    let columns = [
        text("SOURCE", Room::Cut(8)),
        number("LINES/S", Room::Keep),
        text("LAST MINUTE", Room::Go),
        number("LINES", Room::Keep),
        number("DROPPED", Room::Keep),
        text("LAST LINE", Room::Go),
        text("STATE", Room::Cut(11)),
        text("AT", Room::Go),
    ];
    let rows = status.sources.iter().enumerate().map(|(at, source)| {
        let rates = status.rates.sources.get(at).cloned().unwrap_or_default();
        let state = match (&source.trouble, source.silent, &source.last_line) {
            (Some(trouble), ..) => Cell::new(trouble, Style::Bad),
            (None, true, _) => Cell::new("silent", Style::Doubtful),
            _ if rates.dropped.last_1m > 0.0 => Cell::new("drops lines", Style::Bad),
            (None, false, None) => Cell::new("no line yet", Style::Faint),
            (None, false, Some(_)) => Cell::new("receives", Style::Good),
        };
        let dropped = if source.dropped > 0 { Style::Doubtful } else { Style::Plain };
        let last = source.last_line.as_deref().map_or("never".to_owned(), |at| ago(at, now));
        vec![
            source.name.as_str().into(),
            rate(rates.lines.last_10s).into(),
            spark(&rates.lines.series, (width / 4).min(SPARK)).into(),
            grouped(source.lines).into(),
            Cell::new(grouped(source.dropped), dropped),
            last.into(),
            state,
            source.at.as_str().into(),
        ]
    });
    table(&columns, &rows.collect::<Vec<_>>(), width)
}

/// The senders of a source that has several.
fn senders(source: &SourceStatus, now: Time, width: usize) -> String {
    let columns = [
        text("FROM", Room::Keep),
        text("TO", Room::Go),
        number("LINES", Room::Keep),
        text("LAST LINE", Room::Keep),
        text("CLOCK", Room::Go),
    ];
    let row = |sender: &SenderStatus| {
        let silent = if sender.silent { Style::Doubtful } else { Style::Plain };
        let clock = match sender.skew_seconds {
            Some(off) if off.unsigned_abs() >= SKEW => {
                let side = if off > 0 { "ahead" } else { "behind" };
                Cell::new(format!("{} {side}", span(off.unsigned_abs())), Style::Doubtful)
            }
            _ => Cell::default(),
        };
        let silence = if sender.silent { ", silent" } else { "" };
        vec![
            sender.address.as_str().into(),
            source.name.as_str().into(),
            grouped(sender.lines).into(),
            Cell::new(format!("{}{silence}", ago(&sender.last_line, now)), silent),
            clock,
        ]
    };
    let rows: Vec<_> = source.senders.iter().take(SENDERS).map(row).collect();
    let mut page = table(&columns, &rows, width);
    if let Some(more) = source.n_senders.checked_sub(SENDERS as u64).filter(|more| *more > 0) {
        page.push_str(&format!("  and {} more (--output json)\n", grouped(more)));
    }
    page
}

/// A program of whose lines some are not understood, and why.
fn row_of(program: &Coverage) -> Vec<Cell> {
    let mut name = match program.program.as_str() {
        "" => "(no program)".to_owned(),
        name => name.to_owned(),
    };
    if program.label != "syslog" {
        name.push_str(&format!(" ({})", program.label));
    }
    let none = program.parsed + program.allowlisted == 0;
    let why = match (&program.nearest, &program.example) {
        (Some(nearest), _) => format!("{}: {}", nearest.rule, nearest.why),
        (None, Some(example)) => format!("such as: {}", example.text),
        (None, None) if none => "no rule takes this program".to_owned(),
        (None, None) => "no rule takes these lines".to_owned(),
    };
    vec![
        name.into(),
        grouped(program.unparsed).into(),
        Cell::new(
            share(program.unparsed, program.lines()),
            if none { Style::Doubtful } else { Style::Plain },
        ),
        why.into(),
    ]
}

fn per_minute(name: &str, rates: &PerMinute, total: Cell, width: usize) -> Vec<Cell> {
    vec![
        name.into(),
        rate(rates.last_1m).into(),
        rate(rates.last_5m).into(),
        rate(rates.last_15m).into(),
        spark(&rates.series, (width / 4).min(SPARK)).into(),
        total,
    ]
}

/// `3m ago`, `now`, `never`; the text itself where it is no time.
pub(in crate::cli) fn ago(at: &str, now: Time) -> String {
    if at.is_empty() {
        return "never".to_owned();
    }
    let Some(at) = Time::from_rfc3339(at) else { return at.to_owned() };
    match now.seconds() - at.seconds() {
        ..2 => "now".to_owned(),
        // The greater of two units is enough, but for days.
        seconds => {
            let shown = span(seconds.unsigned_abs());
            format!(
                "{} ago",
                if seconds < 86_400 { shown.split(' ').next().unwrap_or(&shown) } else { &shown }
            )
        }
    }
}

#[cfg(test)]
mod tests;
