//! The table of metrics that operators read says what a scrape shows, no more and no less.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use weir::metrics::{Metrics, exposition};

/// A metric as one of the two knows it.
#[derive(Debug, PartialEq, Eq)]
struct Known {
    kind: String,
    labels: BTreeSet<String>,
}

/// What the table says: by the name of a series.
fn documented() -> BTreeMap<String, Known> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards/METRICS.md");
    let text = std::fs::read_to_string(path).expect("the table");
    let mut found = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, kind, labels, says, _what_to_do] = cells[..] else {
            panic!("a row has five cells: {line}");
        };
        assert!(says.len() > 3, "{name} says nothing");
        // `a`, `b`; `c`: `value`, `value`
        let mut names = BTreeSet::new();
        for part in labels.split(';').map(str::trim) {
            match part.split_once(": ") {
                Some((name, _values)) => {
                    names.insert(name.trim_matches('`').to_owned());
                }
                None => {
                    let each = part.split(", ").filter(|name| !name.is_empty());
                    names.extend(each.map(|name| name.trim_matches('`').to_owned()));
                }
            }
        }
        let name = name.trim_matches('`').to_owned();
        let known = Known { kind: kind.to_owned(), labels: names };
        assert!(found.insert(name.clone(), known).is_none(), "{name} is there twice");
    }
    found
}

/// What a scrape shows, by the name that the table has.
fn exposed() -> BTreeMap<String, Known> {
    let text = exposition(&Metrics::default().registry_of_examples());
    let mut found = BTreeMap::new();
    for line in text.lines() {
        let Some((family, kind)) = line.strip_prefix("# TYPE ").and_then(|l| l.split_once(' '))
        else {
            continue;
        };
        let ending = match kind {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        let series = match kind {
            "histogram" => format!("{family}_count"),
            _ => format!("{family}{ending}"),
        };
        let example = text
            .lines()
            .find(|line| line.strip_prefix(&*series).is_some_and(|l| l.starts_with(['{', ' '])))
            .unwrap_or_else(|| panic!("{family} has no example"));
        let within = example.split_once('{').and_then(|(_, rest)| rest.split_once('}'));
        let labels = within.map_or("", |(labels, _)| labels).split(',');
        let labels = labels.filter_map(|label| Some(label.split_once('=')?.0.to_owned())).collect();
        let known = Known { kind: kind.to_owned(), labels };
        found.insert(format!("{family}{ending}"), known);
    }
    found
}

#[test]
fn the_table_of_metrics_is_what_a_scrape_shows() {
    let (documented, exposed) = (documented(), exposed());
    assert!(exposed.len() > 70, "{exposed:?}");
    let names = |map: &BTreeMap<String, Known>| map.keys().cloned().collect::<BTreeSet<_>>();
    let (told, shown) = (names(&documented), names(&exposed));
    let missing: Vec<_> = shown.difference(&told).collect();
    assert!(missing.is_empty(), "dashboards/METRICS.md does not tell of {missing:?}");
    let gone: Vec<_> = told.difference(&shown).collect();
    assert!(gone.is_empty(), "dashboards/METRICS.md tells of what does not exist: {gone:?}");
    for (name, known) in &exposed {
        assert_eq!(Some(known), documented.get(name), "{name}: a scrape, then the table");
    }
}

/// What strangers send must not become a label.
#[test]
fn no_label_is_an_address_a_user_or_a_path() {
    for (name, known) in exposed() {
        for label in &known.labels {
            let is_known = [
                "action", "backend", "family", "kind", "label", "list", "origin", "outcome",
                "news", "remote", "route", "status", "parser", "program", "queue", "reason",
                "result", "scenario", "source", "stage", "state", "version",
            ]
            .contains(&&**label);
            assert!(is_known, "{name}: is `{label}` bounded, and no address, user or path?");
        }
    }
}
