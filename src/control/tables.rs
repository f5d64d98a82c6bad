//! What was counted since the start, as tables: a source, a parser, a scenario each row.
//!
//! They are made of the exposition that Prometheus reads, so both always say the same.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::metrics::{Series, series};

/// Which tables are wanted, by name; all when there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tabling {
    /// Such as `buckets`; what is not known is passed over.
    #[serde(default)]
    pub tables: Vec<String>,
}

/// Makes rows that are told apart by some of their fields, and their sum.
macro_rules! rows {
    ($($(#[$about:meta])* $name:ident {
        by { $($(#[$by_about:meta])* $by:ident,)+ }
        $($(#[$count_about:meta])* $count:ident,)+
    })+) => {$(
        $(#[$about])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct $name {
            $($(#[$by_about])* pub $by: String,)+
            $($(#[$count_about])* pub $count: u64,)+
        }
    )+};
}

rows! {
    /// A source of lines.
    AcquisitionRow {
        by {
            /// Its name.
            source,
        }
        /// Lines received.
        read,
        /// Of those: dropped, and looked at by nobody.
        dropped,
        /// Lines that a rule understood.
        parsed,
        /// Lines that no rule did.
        unparsed,
        /// Lines about friends.
        allowlisted,
        /// Lines that a scenario took.
        poured,
    }
    /// A program.
    ProgramRow {
        by {
            /// The label of its lines; hostile.
            label,
            /// Its name; hostile.
            program,
        }
        /// Lines that a rule understood.
        parsed,
        /// Lines that no rule did.
        unparsed,
        /// Lines about friends.
        allowlisted,
        /// Lines that a scenario took.
        poured,
    }
    /// A parser.
    ParserRow {
        by {
            /// Its name.
            parser,
        }
        /// Events that its filter took.
        hits,
        /// Of those: understood.
        parsed,
        /// Of those: not understood.
        unparsed,
    }
    /// A scenario.
    BucketRow {
        by {
            /// Its name.
            scenario,
        }
        /// Buckets there are now.
        held,
        /// Buckets there have been.
        created,
        /// Events poured.
        poured,
        /// Buckets that overflowed.
        overflowed,
        /// Buckets that leaked dry.
        expired,
        /// Buckets that the scenario called off.
        cancelled,
        /// Buckets given up at the limit.
        evicted,
    }
    /// Decisions that were made for the same reason.
    DecisionRow {
        by {
            /// The scenario; `manual`, `list` or `merged` where it was none.
            scenario,
            /// `scenario`, `manual` or `list`.
            origin,
            /// `ban` or `observe`.
            action,
        }
        /// How many.
        count,
    }
    /// Decisions in force.
    ActiveRow {
        by {
            /// `scenario`, `manual` or `list`.
            origin,
            /// `ban` or `observe`.
            action,
            /// `ipv4` or `ipv6`.
            family,
        }
        /// How many.
        count,
    }
    /// What became of overflows and of requests to ban.
    OutcomeRow {
        by {
            /// `decided`, `prolonged`, `held`, `refused`, `limited`, `discarded` or `dropped`.
            outcome,
            /// Why, where there is more than one reason.
            reason,
        }
        /// How many.
        count,
    }
    /// The alerts of a scenario.
    AlertRow {
        by {
            /// Its name.
            scenario,
        }
        /// How often one of its buckets overflowed.
        count,
    }
    /// A backend and an address family.
    EnforcementRow {
        by {
            /// The backend's name.
            backend,
            /// `ipv4` or `ipv6`.
            family,
        }
        /// Elements that it holds.
        elements,
        /// Packets that it dropped.
        dropped_packets,
        /// Bytes of these packets.
        dropped_bytes,
    }
    /// A queue.
    QueueRow {
        by {
            /// Its name.
            queue,
        }
        /// What waits in it now.
        length,
        /// How much it has room for.
        capacity,
        /// Times that it was found full.
        full,
    }
}

/// The tables. Those that were not asked for are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tables {
    /// What became of the lines of each source.
    pub acquisition: Vec<AcquisitionRow>,
    /// What became of the lines of each program.
    pub programs: Vec<ProgramRow>,
    /// How often each parser was asked.
    pub parsers: Vec<ParserRow>,
    /// The buckets of each scenario.
    pub buckets: Vec<BucketRow>,
    /// How often each scenario raised an alert.
    pub alerts: Vec<AlertRow>,
    /// What became of alerts and of requests to ban.
    pub outcomes: Vec<OutcomeRow>,
    /// Decisions made.
    pub decisions: Vec<DecisionRow>,
    /// Decisions in force.
    pub active: Vec<ActiveRow>,
    /// The kernel.
    pub enforcement: Vec<EnforcementRow>,
    /// What waits.
    pub queues: Vec<QueueRow>,
}

impl Tables {
    /// The tables that an exposition speaks of, largest rows first.
    #[must_use]
    pub fn of(exposition: &str, asked: &Tabling) -> Self {
        let mut making = Making::default();
        for series in series(exposition) {
            making.add(&series);
        }
        let mut all = making.done();
        let wants = |name: &str| asked.tables.is_empty() || asked.tables.iter().any(|t| t == name);
        macro_rules! keep {
            ($($table:ident)+) => {
                $(if !wants(stringify!($table)) { all.$table.clear(); })+
            };
        }
        keep!(acquisition programs parsers buckets alerts outcomes decisions active enforcement queues);
        all
    }
}

/// The rows that were met, by what tells them apart.
#[derive(Default)]
struct Making {
    acquisition: BTreeMap<String, AcquisitionRow>,
    programs: BTreeMap<[String; 2], ProgramRow>,
    parsers: BTreeMap<String, ParserRow>,
    buckets: BTreeMap<String, BucketRow>,
    outcomes: BTreeMap<[String; 2], u64>,
    decisions: BTreeMap<[String; 3], u64>,
    active: Vec<ActiveRow>,
    enforcement: BTreeMap<[String; 2], EnforcementRow>,
    queues: BTreeMap<String, QueueRow>,
}

impl Making {
    fn add(&mut self, series: &Series<'_>) {
        let Some(name) = series.name.strip_prefix("weir_") else { return };
        let (count, label) = (series.count(), |name| series.label(name).to_owned());
        match name {
            "lines_received_total" => self.source(series).read = count,
            "lines_dropped_total" => self.source(series).dropped += count,
            "source_lines_matched_total" => self.source(series).poured = count,
            "source_lines_total" => match series.label("outcome") {
                "parsed" => self.source(series).parsed = count,
                "unparsed" => self.source(series).unparsed = count,
                _ => self.source(series).allowlisted = count,
            },
            "lines_total" => match series.label("outcome") {
                "parsed" => self.program(series).parsed = count,
                "unparsed" => self.program(series).unparsed = count,
                _ => self.program(series).allowlisted = count,
            },
            "lines_matched_total" => self.program(series).poured = count,
            "parser_hits_total" => self.parser(series).hits = count,
            "parser_failures_total" => self.parser(series).unparsed = count,
            "buckets" => self.bucket(series).held = count,
            "poured_total" => self.bucket(series).poured = count,
            "overflowed_total" => self.bucket(series).overflowed = count,
            "underflowed_total" => self.bucket(series).expired = count,
            "cancelled_total" => self.bucket(series).cancelled = count,
            "buckets_evicted_total" => self.bucket(series).evicted = count,
            "decisions_total" => {
                let by = ["scenario", "origin", "action"].map(label);
                *self.decisions.entry(by).or_default() += count;
                if series.label("origin") == "scenario" {
                    self.outcome("decided", String::new(), count);
                }
            }
            "decisions_extended_total" => self.outcome("prolonged", String::new(), count),
            "decisions_held_total" => self.outcome("held", String::new(), count),
            "refused_total" => self.outcome("refused", label("reason"), count),
            "bans_limited_total" => self.outcome("limited", label("reason"), count),
            "overflows_discarded_total" => self.outcome("discarded", label("reason"), count),
            "overflows_dropped_total" => self.outcome("dropped", label("reason"), count),
            "active_decisions" => self.active.push(ActiveRow {
                origin: label("origin"),
                action: label("action"),
                family: label("family"),
                count,
            }),
            "enforce_elements" => self.enforced(series).elements = count,
            "dropped_packets_total" => self.enforced(series).dropped_packets = count,
            "dropped_bytes_total" => self.enforced(series).dropped_bytes = count,
            "queue_length" => self.queue(series).length = count,
            "queue_capacity" => self.queue(series).capacity = count,
            "queue_full_total" => self.queue(series).full = count,
            _ => {}
        }
    }

    fn source(&mut self, series: &Series<'_>) -> &mut AcquisitionRow {
        self.acquisition.entry(series.label("source").to_owned()).or_default()
    }

    fn program(&mut self, series: &Series<'_>) -> &mut ProgramRow {
        self.programs.entry(["label", "program"].map(|by| series.label(by).to_owned())).or_default()
    }

    fn parser(&mut self, series: &Series<'_>) -> &mut ParserRow {
        self.parsers.entry(series.label("parser").to_owned()).or_default()
    }

    fn bucket(&mut self, series: &Series<'_>) -> &mut BucketRow {
        self.buckets.entry(series.label("scenario").to_owned()).or_default()
    }

    fn enforced(&mut self, series: &Series<'_>) -> &mut EnforcementRow {
        let by = ["backend", "family"].map(|by| series.label(by).to_owned());
        self.enforcement.entry(by).or_default()
    }

    fn queue(&mut self, series: &Series<'_>) -> &mut QueueRow {
        self.queues.entry(series.label("queue").to_owned()).or_default()
    }

    fn outcome(&mut self, outcome: &str, reason: String, count: u64) {
        *self.outcomes.entry([outcome.to_owned(), reason]).or_default() += count;
    }

    fn done(self) -> Tables {
        let alerts = self.buckets.iter().filter(|(_, row)| row.overflowed > 0);
        let alerts =
            alerts.map(|(name, row)| AlertRow { scenario: name.clone(), count: row.overflowed });
        let alerts = sorted(alerts, |row| row.count);
        let acquisition =
            self.acquisition.into_iter().map(|(source, row)| AcquisitionRow { source, ..row });
        let programs = self.programs.into_iter().map(|([label, program], row)| ProgramRow {
            label,
            program,
            ..row
        });
        let parsers = self.parsers.into_iter().map(|(parser, row)| ParserRow {
            parser,
            parsed: row.hits.saturating_sub(row.unparsed),
            ..row
        });
        let buckets = self.buckets.into_iter().map(|(scenario, row)| BucketRow {
            scenario,
            // Each bucket that there was is there still, or ended in one of these ways.
            created: row.held + row.overflowed + row.expired + row.cancelled + row.evicted,
            ..row
        });
        let outcomes = self.outcomes.into_iter().map(|([outcome, reason], count)| OutcomeRow {
            outcome,
            reason,
            count,
        });
        let decisions = self.decisions.into_iter().map(|([scenario, origin, action], count)| {
            DecisionRow { scenario, origin, action, count }
        });
        let enforcement = self
            .enforcement
            .into_iter()
            .map(|([backend, family], row)| EnforcementRow { backend, family, ..row });
        Tables {
            acquisition: sorted(acquisition, |row| row.read),
            programs: sorted(programs, |row| row.parsed + row.unparsed + row.allowlisted),
            parsers: sorted(parsers, |row| row.hits),
            buckets: sorted(buckets, |row| row.poured),
            alerts,
            outcomes: sorted(outcomes, |row| row.count),
            decisions: sorted(decisions, |row| row.count),
            active: sorted(self.active.into_iter(), |row| row.count),
            enforcement: enforcement.collect(),
            queues: self.queues.into_iter().map(|(queue, row)| QueueRow { queue, ..row }).collect(),
        }
    }
}

/// The largest first, those that are equal by name.
fn sorted<R>(rows: impl Iterator<Item = R>, size: fn(&R) -> u64) -> Vec<R> {
    let mut rows: Vec<R> = rows.collect();
    rows.sort_by_key(|row| std::cmp::Reverse(size(row)));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPOSITION: &str = "\
# TYPE weir_lines_received counter
weir_lines_received_total{source=\"udp\"} 100
weir_lines_received_total{source=\"tcp\"} 300
weir_lines_dropped_total{source=\"udp\",reason=\"queue_full\"} 7
weir_lines_dropped_total{source=\"udp\",reason=\"bad_frame\"} 3
weir_source_lines_total{source=\"udp\",outcome=\"parsed\"} 60
weir_source_lines_total{source=\"udp\",outcome=\"unparsed\"} 20
weir_source_lines_total{source=\"udp\",outcome=\"allowlisted\"} 10
weir_source_lines_matched_total{source=\"udp\"} 50
weir_parser_hits_total{parser=\"sshd\"} 9
weir_parser_failures_total{parser=\"sshd\"} 2
weir_buckets{scenario=\"ssh-bf\"} 4
weir_poured_total{scenario=\"ssh-bf\"} 40
weir_overflowed_total{scenario=\"ssh-bf\"} 3
weir_underflowed_total{scenario=\"ssh-bf\"} 2
weir_decisions_total{scenario=\"ssh-bf\",origin=\"scenario\",family=\"ipv4\",action=\"ban\"} 2
weir_decisions_total{scenario=\"ssh-bf\",origin=\"scenario\",family=\"ipv6\",action=\"ban\"} 1
weir_decisions_total{scenario=\"manual\",origin=\"manual\",family=\"ipv4\",action=\"ban\"} 5
weir_refused_total{reason=\"allowlisted\"} 6
weir_enforce_elements{backend=\"nftables\",family=\"ipv4\"} 7
weir_dropped_packets_total{backend=\"nftables\",family=\"ipv4\"} 70
weir_dropped_bytes_total{backend=\"nftables\",family=\"ipv4\"} 7000
weir_queue_length{queue=\"lines\"} 1
weir_queue_capacity{queue=\"lines\"} 64
process_resident_memory_bytes 1
# EOF
";

    #[test]
    fn an_exposition_becomes_tables() {
        let tables = Tables::of(EXPOSITION, &Tabling::default());
        let sources: Vec<_> = tables.acquisition.iter().map(|row| &*row.source).collect();
        assert_eq!(sources, ["tcp", "udp"], "the largest first");
        let udp = AcquisitionRow {
            source: "udp".into(),
            read: 100,
            dropped: 10,
            parsed: 60,
            unparsed: 20,
            allowlisted: 10,
            poured: 50,
        };
        assert_eq!(tables.acquisition[1], udp);
        let parser = ParserRow { parser: "sshd".into(), hits: 9, parsed: 7, unparsed: 2 };
        assert_eq!(tables.parsers, [parser]);
        let bucket = &tables.buckets[0];
        assert_eq!((bucket.held, bucket.created, bucket.expired), (4, 9, 2));
        let decisions: Vec<_> = tables.decisions.iter().map(|r| (&*r.scenario, r.count)).collect();
        assert_eq!(decisions, [("manual", 5), ("ssh-bf", 3)], "both families together");
        let outcomes: Vec<_> =
            tables.outcomes.iter().map(|r| (&*r.outcome, &*r.reason, r.count)).collect();
        assert_eq!(outcomes, [("refused", "allowlisted", 6), ("decided", "", 3)]);
        assert_eq!(tables.alerts, [AlertRow { scenario: "ssh-bf".into(), count: 3 }]);
        let kernel = &tables.enforcement[0];
        assert_eq!((kernel.elements, kernel.dropped_packets, kernel.dropped_bytes), (7, 70, 7000));
        assert_eq!((tables.queues[0].length, tables.queues[0].capacity), (1, 64));
    }

    #[test]
    fn only_what_was_asked_for_is_told() {
        let asked = Tabling { tables: vec!["buckets".into(), "moons".into()] };
        let tables = Tables::of(EXPOSITION, &asked);
        assert_eq!(tables.buckets.len(), 1);
        let buckets = tables.buckets.clone();
        assert_eq!(tables, Tables { buckets, ..Tables::default() });
    }
}
