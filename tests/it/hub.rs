//! Rule tests of a hub, where one is at hand: all must pass.

use std::path::{Path, PathBuf};

use weir::hubtest::{Hub, Options};
use weir::value::Time;

fn hub() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/hub");
    let hub = std::env::var_os("WEIR_HUB").map_or(beside, PathBuf::from);
    hub.join("tests").is_dir().then_some(hub)
}

#[test]
fn every_test_of_the_hub_passes() {
    let Some(hub) = hub() else { return };
    let hub = Hub::open(&hub).expect("a hub");
    // Some expect the year of the day they were written in dates that have none.
    let now = Time::from_rfc3339("2026-06-01T00:00:00Z").expect("a time");
    let names = hub.names().expect("names of tests");
    assert!(!names.is_empty());
    let reports = names.iter().map(|name| hub.run(name, Options { now, update: false }));
    let failed: Vec<_> = reports.filter(|report| !report.has_passed()).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}
