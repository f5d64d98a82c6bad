//! What is asked of Prometheus: the expressions of dashboards, alerts and recording rules.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::weir::project;

/// An expression, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) place: String,
    pub(super) expression: String,
    /// Whether it is about one moment, not a span of time.
    pub(super) instant: bool,
}

fn list<'j>(json: &'j Value, key: &str) -> impl Iterator<Item = &'j Value> {
    json[key].as_array().into_iter().flatten()
}

fn text<'j>(json: &'j Value, key: &str) -> &'j str {
    json[key].as_str().unwrap_or_default()
}

/// The dashboards, by the name of the file.
pub(super) fn dashboards() -> BTreeMap<String, Value> {
    let files = std::fs::read_dir(project("dashboards/grafana")).unwrap().flatten();
    let files = files.map(|file| file.path());
    let boards = files.filter(|path| path.extension().is_some_and(|ending| ending == "json"));
    boards
        .map(|path| {
            let json = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
            (path.file_name().unwrap().to_string_lossy().into_owned(), json)
        })
        .collect()
}

/// The queries of the variables of a dashboard: `label_values(SERIES, LABEL)` by the variable's name,
/// in their order.
pub(super) fn variables(board: &Value) -> Vec<(String, String, String)> {
    let queries = list(&board["templating"], "list").filter(|v| v["type"] == "query");
    queries
        .map(|variable| {
            let query = text(&variable["query"], "query");
            let inner = query.strip_prefix("label_values(").and_then(|q| q.strip_suffix(')'));
            let (series, label) = inner.expect("label_values").rsplit_once(", ").expect("a label");
            (text(variable, "name").to_owned(), series.to_owned(), label.to_owned())
        })
        .collect()
}

/// Every panel's and every annotation's query of a dashboard.
pub(super) fn queries(file: &str, board: &Value) -> Vec<Asked> {
    let mut asked = Vec::new();
    for panel in list(board, "panels") {
        for target in list(panel, "targets") {
            asked.push(Asked {
                place: format!("{file}: {} {}", text(panel, "title"), text(target, "refId")),
                expression: text(target, "expr").to_owned(),
                instant: target["instant"] == true,
            });
        }
    }
    for annotation in list(&board["annotations"], "list") {
        asked.push(Asked {
            place: format!("{file}: annotation {}", text(annotation, "name")),
            expression: text(annotation, "expr").to_owned(),
            instant: false,
        });
    }
    asked
}

/// The alert rules, or those that record, of a file: name and expression.
pub(super) fn rules(file: &str, kind: &str) -> Vec<(String, String)> {
    let path = project("dashboards/prometheus").join(file);
    let yaml: Value = yaml_serde::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let rules = list(&yaml, "groups").flat_map(|group| list(group, "rules"));
    rules.map(|rule| (text(rule, kind).to_owned(), text(rule, "expr").to_owned())).collect()
}

/// What Grafana puts in the place of a variable of which several values may be chosen.
pub(super) fn chosen(values: &[String]) -> String {
    let escaped = values.iter().map(|value| {
        let mut escaped = String::new();
        for c in value.chars() {
            if "\\^$*+?.()|[]{}/".contains(c) {
                escaped.push_str("\\\\");
            }
            escaped.push(c);
        }
        escaped
    });
    match values.len() {
        1 => escaped.collect(),
        _ => format!("({})", escaped.collect::<Vec<_>>().join("|")),
    }
}

/// An expression with values in the place of its variables.
pub(super) fn fill(expression: &str, values: &BTreeMap<String, String>) -> String {
    let mut filled = expression.to_owned();
    // The longest first: one name may begin with another.
    let mut names: Vec<_> = values.keys().collect();
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    for name in names {
        filled = filled.replace(&format!("${name}"), &values[name]);
    }
    assert!(!filled.contains('$'), "a variable that nobody knows: {filled}");
    filled
}

/// The vectors that an alert's expression compares and joins: what must have data while all is well,
/// when nothing of the whole may be left. Numbers are left out.
pub(super) fn sides(expression: &str) -> Vec<String> {
    const JOINS: [&str; 3] = ["and", "or", "unless"];
    const MATCHING: [&str; 2] = ["on", "ignoring"];
    let (mut found, mut side) = (Vec::new(), String::new());
    let (mut depth, mut is_quoted, mut skipped) = (0_usize, false, None);
    let mut rest = expression;
    while let Some(c) = rest.chars().next() {
        let word: &str = match rest.find(|c: char| !(c.is_alphanumeric() || c == '_')) {
            Some(end) => &rest[..end],
            None => rest,
        };
        let is_top = depth == 0 && !is_quoted;
        let taken = if is_top && (JOINS.contains(&word) || MATCHING.contains(&word)) {
            // What stands in brackets behind `on` is no side.
            skipped = MATCHING.contains(&word).then_some(depth);
            found.push(std::mem::take(&mut side));
            word.len()
        } else if is_top && "<>=!".contains(c) {
            found.push(std::mem::take(&mut side));
            1
        } else {
            match c {
                '"' => is_quoted = !is_quoted,
                '(' | '{' | '[' if !is_quoted => depth += 1,
                ')' | '}' | ']' if !is_quoted => depth -= 1,
                _ => {}
            }
            let taken = if word.is_empty() { c.len_utf8() } else { word.len() };
            match skipped {
                None => side.push_str(&rest[..taken]),
                Some(at) if c == ')' && depth == at => skipped = None,
                Some(_) => {}
            }
            taken
        };
        rest = &rest[taken..];
    }
    found.push(side);
    let is_vector = |side: &String| side.contains(char::is_alphabetic);
    found.into_iter().map(|side| side.trim().to_owned()).filter(is_vector).collect()
}

#[track_caller]
fn check(expression: &str, expected: &[&str]) {
    assert_eq!(sides(expression), expected, "{expression}");
}

#[test]
fn comparisons_and_joins_fall_apart_into_their_sides() {
    check("weir_ready == 0", &["weir_ready"]);
    check("a{b=\"x > 1\",c!=\"d\"} - time() < 14 * 86400", &["a{b=\"x > 1\",c!=\"d\"} - time()"]);
    check("up == 0 and on (job, instance) last_over_time(b[1d])", &["up", "last_over_time(b[1d])"]);
    check(
        "sum by (a) (rate(b[5m])) > 0.2\n  unless sum by (a) (c) > 0 or order > 10 * only",
        &["sum by (a) (rate(b[5m]))", "sum by (a) (c)", "order", "10 * only"],
    );
}

#[test]
fn variables_are_filled_in_as_grafana_does() {
    let values = ["a.b:9".to_owned(), "c".to_owned()];
    assert_eq!(chosen(&values[..1]), "a\\\\.b:9");
    assert_eq!(chosen(&values), "(a\\\\.b:9|c)");
    let values = [("job", "x"), ("__rate_interval", "4s")];
    let values = values.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    assert_eq!(
        fill("rate(a{job=~\"$job\"}[$__rate_interval])", &values),
        "rate(a{job=~\"x\"}[4s])"
    );
}
