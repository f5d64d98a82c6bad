//! The dashboards keep the rules of the house. That their queries answer is shown end to end, with a
//! real Prometheus.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;
use weir::metrics::{Metrics, exposition};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards").join(name)
}

/// All dashboards, each with its file's name.
fn dashboards() -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for file in std::fs::read_dir(folder("grafana")).expect("a folder").flatten() {
        let path = file.path();
        if path.extension().is_some_and(|ending| ending == "json") {
            let text = std::fs::read_to_string(&path).expect("a readable file");
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let json = serde_json::from_str(&text).unwrap_or_else(|why| panic!("{name}: {why}"));
            found.push((name, json));
        }
    }
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    assert_eq!(found.len(), 3, "the dashboards that there are");
    found
}

fn list<'j>(json: &'j Value, key: &str) -> &'j [Value] {
    json[key].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text<'j>(json: &'j Value, key: &str) -> &'j str {
    json[key].as_str().unwrap_or_default()
}

/// Panels that show something.
fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    list(dashboard, "panels").iter().filter(|panel| panel["type"] != "row")
}

/// Every expression, with where it stands.
fn expressions(dashboard: &Value) -> Vec<(String, &str)> {
    let mut found = Vec::new();
    for panel in panels(dashboard) {
        for target in list(panel, "targets") {
            found.push((text(panel, "title").to_owned(), text(target, "expr")));
        }
    }
    for annotation in list(&dashboard["annotations"], "list") {
        found.push((text(annotation, "name").to_owned(), text(annotation, "expr")));
    }
    found
}

/// The names of all series that a scrape may show.
fn series() -> BTreeSet<String> {
    let mut names = BTreeSet::from(["up".to_owned()]);
    for line in exposition(&Metrics::default().registry_of_examples()).lines() {
        let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
        else {
            continue;
        };
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

/// The words of a text that look like series of ours.
fn mentioned(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'))
        .filter(|word| word.starts_with("weir_") || word.starts_with("process_"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn what_dashboards_and_rules_ask_for_exists() {
    let known = series();
    let mut asked = BTreeSet::new();
    for (_, dashboard) in dashboards() {
        for (_, expression) in expressions(&dashboard) {
            asked.extend(mentioned(expression));
        }
    }
    for file in ["alerts.yml", "recording.yml"] {
        let path = folder("prometheus").join(file);
        asked.extend(mentioned(&std::fs::read_to_string(path).unwrap_or_default()));
    }
    assert!(asked.len() > 40, "{asked:?}");
    let unknown: Vec<_> = asked.difference(&known).collect();
    assert!(unknown.is_empty(), "somebody asks for what no scrape shows: {unknown:?}");
}

/// A metric that no page shows and no alert asks for is one that nobody looks at.
#[test]
fn every_metric_is_shown_somewhere() {
    let mut asked = BTreeSet::new();
    for (_, dashboard) in dashboards() {
        for (_, expression) in expressions(&dashboard) {
            asked.extend(mentioned(expression));
        }
    }
    asked.extend(mentioned(
        &std::fs::read_to_string(folder("prometheus/alerts.yml")).unwrap_or_default(),
    ));
    let is_ours = |name: &&String| name.starts_with("weir_");
    let is_part = |name: &&String| !(name.ends_with("_sum") || name.ends_with("_count"));
    let known = series();
    let unseen: Vec<_> = known.difference(&asked).filter(is_ours).filter(is_part).collect();
    let meant = [
        "weir_accept_errors_total",
        "weir_connections_accepted_total",
        "weir_enforce_batches_total",
        "weir_enforce_reconciles_total",
        "weir_http_connections_dropped_total",
        "weir_lapi_connections_dropped_total",
        "weir_parser_hits_total",
        "weir_received_bytes_total",
    ];
    assert_eq!(unseen, meant, "metrics for those who look closer; all others have a panel");
}

#[test]
fn data_sources_and_hosts_are_variables() {
    for (file, dashboard) in dashboards() {
        let names: Vec<_> =
            list(&dashboard["templating"], "list").iter().map(|v| text(v, "name")).collect();
        assert_eq!(names, ["datasource", "job", "instance"], "{file}");
        let own = dashboard.to_string();
        assert_eq!(
            own.matches("\"uid\":").count(),
            own.matches("\"uid\":\"${datasource}\"").count() + 1
        );
        for (place, expression) in expressions(&dashboard) {
            for part in expression.split("weir_").skip(1) {
                let selector = part.split_once('{').map_or("", |(_, rest)| rest);
                assert!(
                    selector.starts_with("job=~\"$job\",instance=~\"$instance\""),
                    "{file}, {place}: `{expression}` asks hosts that were not chosen"
                );
            }
        }
        for panel in panels(&dashboard) {
            for target in list(panel, "targets") {
                let (title, expression) = (text(panel, "title"), text(target, "expr"));
                let spans = expression.matches("rate(").count();
                let right = expression.matches("[$__rate_interval]").count();
                assert_eq!(spans, right, "{file}, {title}: rates are over `$__rate_interval`");
            }
        }
    }
}

#[test]
fn every_panel_says_what_it_shows_and_what_to_do() {
    for (file, dashboard) in dashboards() {
        assert!(text(&dashboard, "description").len() > 20, "{file}");
        assert!(!text(&dashboard, "uid").is_empty() && dashboard["id"].is_null(), "{file}");
        let mut titles = BTreeSet::new();
        for panel in panels(&dashboard) {
            let title = text(panel, "title");
            assert!(titles.insert(title), "{file}: `{title}` is there twice");
            assert!(text(panel, "description").len() > 8, "{file}: `{title}` has no description");
            let unit = text(&panel["fieldConfig"]["defaults"], "unit");
            assert!(!unit.is_empty(), "{file}: `{title}` has no unit");
            let references: BTreeSet<_> =
                list(panel, "targets").iter().map(|target| text(target, "refId")).collect();
            assert!(!references.is_empty(), "{file}: `{title}` asks nothing");
            assert_eq!(references.len(), list(panel, "targets").len(), "{file}: `{title}`");
        }
    }
}

#[test]
fn panels_have_numbers_and_places_of_their_own() {
    let mut uids = BTreeSet::new();
    for (file, dashboard) in dashboards() {
        assert!(uids.insert(text(&dashboard, "uid").to_owned()), "{file}: its uid is another's");
        let mut ids = BTreeSet::new();
        let mut taken = BTreeSet::new();
        for panel in list(&dashboard, "panels") {
            let title = text(panel, "title");
            assert!(ids.insert(panel["id"].as_u64().expect("a number")), "{file}: `{title}`");
            let at = |key: &str| panel["gridPos"][key].as_u64().expect("a place");
            assert!(at("x") + at("w") <= 24, "{file}: `{title}` is beyond the edge");
            for x in at("x")..at("x") + at("w") {
                for y in at("y")..at("y") + at("h") {
                    assert!(taken.insert((x, y)), "{file}: `{title}` lies on another panel");
                }
            }
        }
    }
}

/// Reloads, foreign changes and the brake are marked on all of them.
#[test]
fn what_happened_is_marked() {
    for (file, dashboard) in dashboards() {
        let names: Vec<_> =
            list(&dashboard["annotations"], "list").iter().map(|a| text(a, "name")).collect();
        assert_eq!(names, ["Reload", "Failed reload", "Foreign change", "Brake"], "{file}");
    }
}
