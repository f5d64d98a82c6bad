//! `weir metrics`: what was counted since the start, as tables.

use anyhow::Context as _;
use clap::ValueEnum;
use serde_json::{Map, Value};

use super::figures::{bytes, grouped};
use super::grid::{self, Cell, Column, Room, Style, number, text};
use super::{Exit, Global, Output, asking, complete, status};
use crate::control::Tables;
use crate::system::terminal;

/// Show what was counted since the daemon started, as tables
///
/// What became of the lines of each source and program, how often each parser was asked and
/// understood, the buckets of each scenario, the alerts and what became of them, the decisions, and
/// what the kernel holds and drops. The same figures are at /metrics for Prometheus. Rows of which
/// nothing was counted are left out unless --all is given.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weir metrics                           all tables
  weir metrics acquisition parsers       some of them
  weir metrics buckets --all             scenarios that nothing was poured into, too
  weir metrics --list                    which tables there are
  weir metrics decisions --output json | jq '.decisions[] | select(.count > 100)'")]
pub struct MetricsArgs {
    /// The tables; all when none is named
    #[arg(value_name = "TABLE")]
    pub tables: Vec<TableName>,
    /// Show rows of which nothing was counted, too
    #[arg(long)]
    pub all: bool,
    /// Name the tables and say what they hold; asks nobody
    #[arg(long, conflicts_with_all = ["tables", "all"])]
    pub list: bool,
    /// The form of the answer
    #[arg(long, value_name = "FORM", default_value = "human")]
    pub output: Output,
}

/// A table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TableName {
    /// What became of the lines of each source
    Acquisition,
    /// What became of the lines of each program
    Programs,
    /// How often each parser was asked, and understood
    Parsers,
    /// The buckets of each scenario
    Buckets,
    /// How often each scenario raised an alert
    Alerts,
    /// What became of alerts and of requests to ban
    Outcomes,
    /// Decisions made, by scenario, origin and action
    Decisions,
    /// Decisions in force now
    Active,
    /// Elements in the kernel, and what it dropped
    Enforcement,
    /// What waits between the stages
    Queues,
}

impl TableName {
    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    fn about(self) -> String {
        let value = self.to_possible_value();
        let help = value.as_ref().and_then(|value| value.get_help());
        help.map(ToString::to_string).unwrap_or_default()
    }
}

impl MetricsArgs {
    pub(super) fn run(self, global: &Global) -> anyhow::Result<Exit> {
        if self.list {
            return self.name_tables();
        }
        let mut wanted = self.tables.clone();
        if wanted.is_empty() {
            wanted = TableName::value_variants().to_vec();
        }
        let mut client = asking::client(global)?;
        let names: Vec<String> = wanted.iter().map(|table| table.name()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let tables = status::tables(&mut client, &names)?;
        match self.output {
            Output::Json => {
                let picked = Value::Object(picked(&tables, &wanted)?);
                complete(&format!("{picked:#}\n"))?;
            }
            Output::Human => {
                let width = terminal::size().map_or(grid::ANY_WIDTH, |(columns, _)| columns);
                complete(&page(&picked(&tables, &wanted)?, &wanted, self.all, width))?;
            }
        }
        Ok(Exit::Success)
    }

    fn name_tables(&self) -> anyhow::Result<Exit> {
        let all = TableName::value_variants();
        match self.output {
            Output::Json => {
                let all = all.iter().map(|table| (table.name(), Value::String(table.about())));
                complete(&format!("{:#}\n", Value::Object(all.collect())))?;
            }
            Output::Human => {
                let columns = [text("TABLE", Room::Keep), text("WHAT IT HOLDS", Room::Keep)];
                let rows = all.iter().map(|table| vec![table.name().into(), table.about().into()]);
                let rows: Vec<_> = rows.collect();
                complete(&grid::table(&columns, &rows, grid::ANY_WIDTH))?;
            }
        }
        Ok(Exit::Success)
    }
}

/// The tables that were asked for, in that order.
fn picked(tables: &Tables, wanted: &[TableName]) -> anyhow::Result<Map<String, Value>> {
    let Value::Object(mut all) = serde_json::to_value(tables).context("cannot show the tables")?
    else {
        return Ok(Map::new());
    };
    let pick = |table: &TableName| {
        let name = table.name();
        let rows = all.remove(&name)?;
        Some((name, rows))
    };
    Ok(wanted.iter().filter_map(pick).collect())
}

fn page(tables: &Map<String, Value>, wanted: &[TableName], all: bool, width: usize) -> String {
    let mut page = String::new();
    for table in wanted {
        let name = table.name();
        let Some(Value::Array(rows)) = tables.get(&name) else { continue };
        if !page.is_empty() {
            page.push('\n');
        }
        let about = table.about();
        page.push_str(&grid::paragraph(
            &format!("{}  ", name.to_uppercase()),
            Style::Strong,
            &about,
            width,
        ));
        page.push_str(&body(rows, all, width));
    }
    page
}

/// The rows of a table.
fn body(rows: &[Value], all: bool, width: usize) -> String {
    let rows: Vec<&Map<String, Value>> = rows.iter().filter_map(Value::as_object).collect();
    let is_empty = |row: &Map<String, Value>| row.values().all(|v| v.as_u64().unwrap_or(0) == 0);
    let shown: Vec<&Map<String, Value>> =
        rows.iter().copied().filter(|row| all || !is_empty(row)).collect();
    let left_out = rows.len() - shown.len();
    let Some(first) = shown.first() else {
        return match left_out {
            0 => "  nothing yet\n".to_owned(),
            n => format!("  nothing was counted in {} (--all)\n", rows_of(n)),
        };
    };
    let columns: Vec<Column> = first.iter().map(|(name, value)| column(name, value)).collect();
    let cells = |row: &&Map<String, Value>| -> Vec<Cell> {
        first.keys().map(|name| cell(name, row.get(name))).collect()
    };
    let cells: Vec<Vec<Cell>> = shown.iter().map(cells).collect();
    let mut text = grid::table(&columns, &cells, width);
    if left_out > 0 {
        text.push_str(&format!("  nothing was counted in {} (--all)\n", rows_of(left_out)));
    }
    text
}

fn rows_of(count: usize) -> String {
    if count == 1 { "1 more row".to_owned() } else { format!("{count} more rows") }
}

/// The head of a column; texts can be cut, numbers cannot.
fn column(name: &str, value: &Value) -> Column {
    const HEADS: [(&str, &str); 31] = [
        ("source", "SOURCE"),
        ("read", "READ"),
        ("dropped", "DROPPED"),
        ("parsed", "PARSED"),
        ("unparsed", "UNPARSED"),
        ("allowlisted", "FRIENDS"),
        ("poured", "POURED"),
        ("label", "LABEL"),
        ("program", "PROGRAM"),
        ("parser", "PARSER"),
        ("hits", "HITS"),
        ("scenario", "SCENARIO"),
        ("held", "HELD"),
        ("created", "CREATED"),
        ("overflowed", "OVERFLOWED"),
        ("expired", "EXPIRED"),
        ("cancelled", "CANCELLED"),
        ("evicted", "EVICTED"),
        ("origin", "ORIGIN"),
        ("action", "ACTION"),
        ("family", "FAMILY"),
        ("count", "COUNT"),
        ("outcome", "OUTCOME"),
        ("reason", "REASON"),
        ("backend", "BACKEND"),
        ("elements", "ELEMENTS"),
        ("dropped_packets", "PACKETS"),
        ("dropped_bytes", "BYTES"),
        ("queue", "QUEUE"),
        ("length", "LENGTH"),
        ("capacity", "ROOM"),
    ];
    let head = HEADS.iter().find(|(key, _)| *key == name).map_or("FULL", |(_, head)| head);
    match (value.is_number(), name) {
        (true, "poured" | "overflowed" | "count" | "read" | "parsed" | "unparsed" | "hits")
        | (true, "elements" | "dropped_packets" | "length") => number(head, Room::Keep),
        (true, _) => number(head, Room::Go),
        (false, _) => text(head, Room::Cut(24)),
    }
}

fn cell(name: &str, value: Option<&Value>) -> Cell {
    match value {
        Some(Value::String(text)) if text.is_empty() && name == "program" => "(no program)".into(),
        Some(Value::String(text)) => text.as_str().into(),
        Some(value) => {
            let count = value.as_u64().unwrap_or(0);
            let shown = if name == "dropped_bytes" { bytes(count) } else { grouped(count) };
            let is_loss = matches!(name, "dropped" | "evicted" | "full") && count > 0;
            let style = match count {
                0 => Style::Faint,
                _ if is_loss => Style::Doubtful,
                _ => Style::Plain,
            };
            Cell::new(shown, style)
        }
        None => Cell::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::{AcquisitionRow, BucketRow};

    fn shown(tables: &Tables, wanted: &[TableName], all: bool, width: usize) -> String {
        let picked = picked(tables, wanted).expect("tables");
        anstream::adapter::strip_str(&page(&picked, wanted, all, width)).to_string()
    }

    fn bucket(scenario: &str, poured: u64) -> BucketRow {
        let scenario = scenario.to_owned();
        BucketRow { scenario, poured, created: poured / 1000, ..BucketRow::default() }
    }

    #[test]
    fn tables_are_shown_as_asked_for() {
        let tables = Tables {
            acquisition: vec![AcquisitionRow {
                source: "udp".into(),
                read: 1_234_567,
                parsed: 1_000_000,
                unparsed: 234_567,
                poured: 7,
                ..AcquisitionRow::default()
            }],
            buckets: vec![bucket("crowdsecurity/ssh-bf", 12_345), bucket("crowdsecurity/none", 0)],
            ..Tables::default()
        };
        use TableName::{Acquisition, Buckets, Queues};
        assert_eq!(
            shown(&tables, &[Buckets, Acquisition, Queues], false, 80),
            "\
BUCKETS  The buckets of each scenario
  SCENARIO              HELD  CREATED  POURED  OVERFLOWED  EXPIRED  CANCELLED
  crowdsecurity/ssh-bf     0       12  12,345           0        0          0
  nothing was counted in 1 more row (--all)

ACQUISITION  What became of the lines of each source
  SOURCE       READ  DROPPED     PARSED  UNPARSED  FRIENDS  POURED
  udp     1,234,567        0  1,000,000   234,567        0       7

QUEUES  What waits between the stages
  nothing yet
"
        );
        let narrow = shown(&tables, &[Buckets], true, 60);
        assert_eq!(
            narrow,
            "\
BUCKETS  The buckets of each scenario
  SCENARIO              HELD  CREATED  POURED  OVERFLOWED
  crowdsecurity/ssh-bf     0       12  12,345           0
  crowdsecurity/none       0        0       0           0
"
        );
    }

    /// Each field of each row has a head of its own.
    #[test]
    fn every_table_and_column_has_a_name() {
        let tables = Tables::of(
            "weir_lines_received_total{source=\"a\"} 1\n\
             weir_lines_total{label=\"a\",program=\"b\",outcome=\"parsed\"} 1\n\
             weir_parser_hits_total{parser=\"a\"} 1\nweir_overflowed_total{scenario=\"a\"} 1\n\
             weir_decisions_total{scenario=\"a\",origin=\"scenario\",action=\"ban\"} 1\n\
             weir_active_decisions{origin=\"scenario\"} 1\n\
             weir_enforce_elements{backend=\"a\"} 1\nweir_queue_full_total{queue=\"a\"} 1\n",
            &crate::control::Tabling::default(),
        );
        let all = picked(&tables, TableName::value_variants()).expect("tables");
        let Value::Object(made) = serde_json::to_value(&tables).expect("tables") else {
            panic!("an object")
        };
        assert_eq!(all.keys().collect::<Vec<_>>(), made.keys().collect::<Vec<_>>());
        let page = shown(&tables, TableName::value_variants(), false, 200);
        assert!(!page.contains("nothing"), "each has a row: {page}");
        assert_eq!(page.matches("FULL").count(), 1, "{page}");
    }
}
