//! What can go wrong with the file, and with the disk it is on.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::super::*;
use super::{Folder, at, open, record, target};
use crate::decision::Allowlist;

#[test]
fn only_its_owner_may_read_it() {
    let folder = Folder::new();
    std::fs::write(folder.path(), "").unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o644)).unwrap();
    let mut ledger = folder.open(0);
    ledger.record(vec![record("203.0.113.7", 100)], at(1));
    for file in std::fs::read_dir(folder.0.path()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", file.file_name());
    }
}

#[test]
fn a_full_disk_sets_nobody_free() {
    let folder = Folder::new();
    let mut ledger = folder.open(0);
    ledger.disk.limit(1);
    let long =
        |n: u32| Record { reason: "x".repeat(2000), ..record(&format!("203.0.113.{n}"), 100) };
    let recorded = ledger.record((0..200).map(long).collect(), at(1));
    assert!(matches!(&recorded.changes[..], [Change::Ban(bans)] if bans.len() == 200));
    let health = ledger.health();
    assert_eq!((health.unsaved, health.failures), (200, 1));
    assert!(health.trouble.unwrap().contains("full"));
    ledger.end(&[target("203.0.113.0")], Cause::Unbanned, at(1));
    assert_eq!(ledger.health().failures, 1, "no second try within the pause");
    ledger.expire(at(3));
    assert_eq!(ledger.health().failures, 2);
    ledger.disk.limit(1_000_000);
    ledger.expire(at(5));
    assert_eq!(ledger.health(), Health { failures: 2, ..Health::default() });
    drop(ledger);
    let (ledger, opened) = open(&folder.path(), 6);
    assert_eq!(opened.active, 199);
    assert_eq!(ledger.ended_since(at(0), 9).unwrap().len(), 1);
}

#[test]
fn a_file_that_is_no_database_is_set_aside() {
    let folder = Folder::new();
    std::fs::write(folder.path(), "not a database at all, but long enough to look at\n".repeat(99))
        .unwrap();
    let (mut ledger, opened) = open(&folder.path(), 7);
    let damage = opened.damage.unwrap();
    assert_eq!(damage.why, "file is not a database");
    assert_eq!(damage.set_aside, folder.0.path().join("ledger.db.damaged-7"));
    assert!(!damage.is_complete);
    assert!(std::fs::read_to_string(&damage.set_aside).unwrap().starts_with("not a database"));
    ledger.record(vec![record("203.0.113.7", 100)], at(8));
    drop(ledger);
    assert_eq!(open(&folder.path(), 9).1.active, 1);
}

#[test]
fn what_can_be_read_of_a_damaged_ledger_is_taken_over() {
    use std::os::unix::fs::FileExt;
    let folder = Folder::new();
    let mut ledger = folder.open(0);
    ledger.record((0..250).map(|n| record(&format!("203.0.113.{n}"), 100)).collect(), at(1));
    drop(ledger);
    // The page of the index by target, found by the number of its root.
    let root: u64 = rusqlite::Connection::open(folder.path())
        .unwrap()
        .query_row(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'decisions_target'",
            [],
            |row| row.get::<_, i64>(0),
        )
        .map(|page| page as u64)
        .unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(folder.path()).unwrap();
    file.write_all_at(&[0xAA; 4096], (root - 1) * 4096).unwrap();
    drop(file);
    let (mut ledger, opened) = open(&folder.path(), 7);
    assert!(opened.damage.unwrap().is_complete);
    assert_eq!(opened.active, 250);
    let next = ledger.record(vec![record("198.51.100.1", 100)], at(8));
    assert_eq!(next.kept, [(251, Kept::Begun)]);
    drop(ledger);
    let (_, opened) = open(&folder.path(), 9);
    assert_eq!((opened.active, opened.damage), (251, None));
}

#[test]
fn a_row_that_nobody_understands_ends_and_is_told() {
    let folder = Folder::new();
    let mut ledger = folder.open(0);
    ledger.record(vec![record("203.0.113.7", 100), record("203.0.113.8", 100)], at(1));
    drop(ledger);
    rusqlite::Connection::open(folder.path())
        .unwrap()
        .execute_batch(
            "UPDATE decisions SET target = 'example.com' WHERE id = 1;
             INSERT INTO decisions VALUES (9, '203.0.113.9/32', 'hug', 'manual', '', 0, 9, 0, NULL, NULL, 0);",
        )
        .unwrap();
    let (ledger, opened) = open(&folder.path(), 2);
    assert_eq!((opened.active, opened.unreadable.len()), (1, 2), "{:?}", opened.unreadable);
    assert!(opened.unreadable[1].contains("unknown word `hug`"), "{:?}", opened.unreadable);
    drop(ledger);
    assert_eq!(open(&folder.path(), 3).1.unreadable, [""; 0]);
}

#[track_caller]
fn check_refused(prepare: &str, expected: &str) {
    let folder = Folder::new();
    rusqlite::Connection::open(folder.path()).unwrap().execute_batch(prepare).unwrap();
    let refused =
        Ledger::open(&folder.path(), Options::default(), &Allowlist::default(), at(0)).err();
    let message = refused.unwrap().to_string().replace(&folder.path().display().to_string(), "F");
    assert_eq!(message, expected);
}

#[test]
fn the_databases_of_others_are_left_alone() {
    check_refused(
        "CREATE TABLE foo (bar)",
        "`F` is a database of another program: name another file for the ledger",
    );
    check_refused(
        "PRAGMA application_id = 0x57656972; PRAGMA user_version = 9",
        &format!(
            "the ledger `F` was written by a newer Weir (schema 9, this one knows {}): \
             start that one, or move the file away",
            super::super::schema::VERSION
        ),
    );
    let nowhere = Path::new("/nonexistent/ledger.db");
    let error = Ledger::open(nowhere, Options::default(), &Allowlist::default(), at(0)).err();
    assert_eq!(
        error.unwrap().to_string(),
        "cannot use the ledger `/nonexistent/ledger.db`: No such file or directory (os error 2)"
    );
}
