//! Alert rules: each says what to do, and is tested both ways.
//!
//! That the tests pass is up to promtool, end to end; here nobody forgets to write them.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

fn read(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards/prometheus").join(name);
    let text = std::fs::read_to_string(&path).expect("a readable file");
    yaml_serde::from_str(&text).unwrap_or_else(|why| panic!("{name}: {why}"))
}

fn list<'j>(json: &'j Value, key: &str) -> impl Iterator<Item = &'j Value> {
    json[key].as_array().into_iter().flatten()
}

fn text<'j>(json: &'j Value, key: &str) -> &'j str {
    json[key].as_str().unwrap_or_default()
}

fn alerts() -> Vec<Value> {
    let file = read("alerts.yml");
    list(&file, "groups").flat_map(|group| list(group, "rules")).cloned().collect()
}

#[test]
fn every_alert_says_what_is_wrong_and_what_to_do() {
    let mut names = BTreeSet::new();
    for alert in alerts() {
        let name = text(&alert, "alert").to_owned();
        assert!(name.starts_with("Weir") && names.insert(name.clone()), "`{name}`");
        let severity = text(&alert["labels"], "severity");
        assert!(["critical", "warning", "info"].contains(&severity), "{name}: `{severity}`");
        let notes = &alert["annotations"];
        assert!(text(notes, "summary").contains("{{ $labels.instance }}"), "{name}: which host?");
        assert!(text(notes, "description").len() > 40, "{name} says what to do");
    }
    assert!(names.len() >= 30, "{names:?}");
}

#[test]
fn every_alert_fires_in_a_test_and_stays_quiet_in_another() {
    let mut tested = BTreeSet::new();
    for file in ["works.yml", "lines.yml", "bans.yml", "kernel.yml"] {
        let file = read(&format!("tests/{file}"));
        for test in list(&file, "tests") {
            assert!(list(test, "input_series").count() > 0, "{test}");
            for asked in list(test, "alert_rule_test") {
                let fires = list(asked, "exp_alerts").count() > 0;
                assert!(asked["exp_alerts"].is_array(), "{test}");
                tested.insert((text(asked, "alertname").to_owned(), fires));
            }
        }
    }
    let mut wanted = BTreeSet::new();
    for alert in alerts() {
        wanted.extend([true, false].map(|fires| (text(&alert, "alert").to_owned(), fires)));
    }
    assert_eq!(tested, wanted, "the tests, then the alerts; whether each fires");
}
