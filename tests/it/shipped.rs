//! What is shipped beside the program is valid, and speaks of things that exist.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use prometheus_client::registry::Registry;
use weir::metrics::{self, Metrics};

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(project(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A family shows itself only when it has a series.
fn with_a_series_each() -> Metrics {
    let metrics = Metrics::default();
    let source = metrics::BySource { source: "udp".to_owned() };
    drop(metrics.lines_received.get_or_create(&source));
    drop(metrics.bytes_received.get_or_create(&source));
    drop(metrics.connections.get_or_create(&source));
    let dropped = metrics::Dropped { source: "udp".to_owned(), reason: "queue_full" };
    drop(metrics.lines_dropped.get_or_create(&dropped));
    drop(metrics.lines.get_or_create(&metrics::ByProgram {
        label: "syslog".to_owned(),
        program: "sshd".to_owned(),
        outcome: "parsed",
    }));
    let scenario = metrics::ByScenario { scenario: "weir/ssh-bf".to_owned() };
    drop(metrics.poured.get_or_create(&scenario));
    drop(metrics.overflowed.get_or_create(&scenario));
    drop(metrics.decisions.get_or_create(&metrics::ByDecision {
        scenario: "weir/ssh-bf".to_owned(),
        family: "ipv4",
        action: "ban",
    }));
    drop(metrics.refused.get_or_create(&metrics::ByReason { reason: "allowlisted" }));
    drop(metrics.active.get_or_create(&metrics::ByFamilyAction { family: "ipv4", action: "ban" }));
    let family = metrics::ByFamily { family: "ipv4" };
    drop(metrics.elements.get_or_create(&family));
    drop(metrics.dropped_packets.get_or_create(&family));
    drop(metrics.dropped_bytes.get_or_create(&family));
    drop(metrics.queued.get_or_create(&metrics::ByQueue { queue: "lines" }));
    drop(metrics.reloads.get_or_create(&metrics::ByResult { result: metrics::Ending::success }));
    drop(metrics.rules.get_or_create(&metrics::ByKind { kind: "parser" }));
    metrics
}

/// The names of all metrics, as a scrape shows them.
fn metric_names() -> BTreeSet<String> {
    let registry: Registry = with_a_series_each().registry();
    let mut names = BTreeSet::new();
    for line in metrics::exposition(&registry).lines() {
        let Some(rest) = line.strip_prefix("# TYPE ") else { continue };
        let (name, kind) = rest.split_once(' ').expect("a type line has a name and a type");
        let endings: &[&str] = match kind {
            "counter" => &["_total"],
            "histogram" => &["_bucket", "_sum", "_count"],
            "info" => &["_info"],
            _ => &[""],
        };
        names.extend(endings.iter().map(|ending| format!("{name}{ending}")));
    }
    names
}

/// The words of a text that look like metrics of ours.
fn mentioned(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| word.starts_with("weir_") || word.starts_with("process_"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_metric_of_a_dashboard_exists() {
    let known = metric_names();
    assert!(known.contains("weir_lines_received_total"), "{known:?}");
    let dashboard = read("dashboards/grafana/weir.json");
    let json: serde_json::Value = serde_json::from_str(&dashboard).expect("valid JSON");
    let mut wanted = BTreeSet::new();
    for panel in json["panels"].as_array().expect("panels") {
        for target in panel["targets"].as_array().expect("targets") {
            wanted.extend(mentioned(target["expr"].as_str().expect("an expression")));
        }
    }
    for annotation in json["annotations"]["list"].as_array().expect("annotations") {
        wanted.extend(mentioned(annotation["expr"].as_str().expect("an expression")));
    }
    assert!(wanted.len() > 10, "{wanted:?}");
    let unknown: Vec<_> = wanted.difference(&known).collect();
    assert!(unknown.is_empty(), "the dashboard asks for metrics that do not exist: {unknown:?}");
}

#[test]
fn the_dashboard_names_no_data_source_of_its_own() {
    let json: serde_json::Value =
        serde_json::from_str(&read("dashboards/grafana/weir.json")).expect("valid JSON");
    for panel in json["panels"].as_array().expect("panels") {
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
        for target in panel["targets"].as_array().expect("targets") {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
        }
    }
}

#[test]
fn the_unit_starts_what_exists_and_asks_for_no_more_than_it_needs() {
    let unit = read("packaging/weir.service");
    let value = |key: &str| {
        unit.lines()
            .filter_map(|line| line.strip_prefix(key)?.strip_prefix('='))
            .collect::<Vec<_>>()
    };
    assert_eq!(value("ExecStart"), ["/usr/bin/weir run"]);
    assert_eq!(value("Type"), ["notify"]);
    assert_eq!(value("RestartPreventExitStatus"), ["78"]);
    assert_eq!(value("CapabilityBoundingSet"), ["CAP_NET_ADMIN CAP_NET_BIND_SERVICE"]);
    assert_eq!(value("NoNewPrivileges"), ["yes"]);
}

#[test]
fn the_changelog_begins_with_the_current_version() {
    let changelog = read("CHANGELOG.md");
    let top = changelog.lines().find_map(|line| line.strip_prefix("## ")).expect("a version");
    assert!(top.starts_with(env!("CARGO_PKG_VERSION")), "{top}");
}

#[test]
fn the_readme_names_the_two_commands() {
    let readme = read("README.md");
    assert!(readme.contains("\ncargo run --release -- demo\n"));
    assert!(readme.contains("\ntests/run\n"));
    assert!(read(".ci/run").contains("exec tests/run"));
}
