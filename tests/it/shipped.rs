//! What is shipped beside the program is valid, and speaks of things that exist.

use std::path::{Path, PathBuf};

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(project(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
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
