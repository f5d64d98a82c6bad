//! The tables, and the steps that bring an older database to them.
//!
//! Times are nanoseconds since 1970 in UTC; targets are prefixes in canonical form.

use rusqlite::Connection;

/// Marks the file as ours (`PRAGMA application_id`): "Weir" in ASCII.
pub(super) const APPLICATION: i32 = 0x5765_6972;

/// The steps: the one at index n brings schema n to schema n + 1. Steps that were released are
/// never changed.
const STEPS: [&str; 2] = [
    "
    CREATE TABLE decisions (
        id         INTEGER PRIMARY KEY AUTOINCREMENT,
        target     TEXT    NOT NULL,
        action     TEXT    NOT NULL,
        origin     TEXT    NOT NULL,
        reason     TEXT    NOT NULL,
        created_at INTEGER NOT NULL,
        until      INTEGER NOT NULL,
        events     INTEGER NOT NULL,
        ended_at   INTEGER,
        cause      TEXT
    ) STRICT;
    CREATE UNIQUE INDEX decisions_active ON decisions (target) WHERE ended_at IS NULL;
    CREATE INDEX decisions_ended ON decisions (ended_at) WHERE ended_at IS NOT NULL;
    CREATE INDEX decisions_target ON decisions (target);
    CREATE TABLE steps (
        id       INTEGER PRIMARY KEY,
        decision INTEGER NOT NULL REFERENCES decisions (id) ON DELETE CASCADE,
        at       INTEGER NOT NULL,
        what     TEXT    NOT NULL,
        origin   TEXT    NOT NULL,
        reason   TEXT    NOT NULL,
        until    INTEGER NOT NULL,
        events   INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX steps_decision ON steps (decision, id);
",
    "
    CREATE TABLE places (
        source   TEXT    PRIMARY KEY,
        cursor   TEXT    NOT NULL,
        saved_at INTEGER NOT NULL
    ) STRICT;
",
];

/// The schema that this program writes.
pub(super) const VERSION: usize = STEPS.len();

/// What a database turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Ours, now with the tables of [`VERSION`].
    Ours,
    /// Ours, written by a later program with this schema.
    Newer(i64),
    /// Some other program's.
    Foreign,
}

/// Looks whose database it is, and brings an empty or older one up to date in one transaction.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<Found> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let application = pragma("application_id")?;
    let version = pragma("user_version")?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application != i64::from(APPLICATION) && (application != 0 || version != 0 || tables != 0) {
        return Ok(Found::Foreign);
    }
    let Some(steps) = usize::try_from(version).ok().and_then(|version| STEPS.get(version..)) else {
        return Ok(Found::Newer(version));
    };
    if !steps.is_empty() {
        let transaction = connection.transaction()?;
        for step in steps {
            transaction.execute_batch(step)?;
        }
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", VERSION as i64)?;
        transaction.commit()?;
    }
    Ok(Found::Ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(prepare: &str, expected: Found) {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(prepare).unwrap();
        assert_eq!(migrate(&mut connection).unwrap(), expected, "{prepare}");
    }

    #[test]
    fn knows_its_own_database() {
        check("", Found::Ours);
        check("CREATE TABLE foo (bar)", Found::Foreign);
        check("PRAGMA user_version = 1", Found::Foreign);
        check("PRAGMA application_id = 7", Found::Foreign);
        check("PRAGMA application_id = 0x57656972; PRAGMA user_version = 99", Found::Newer(99));
        check("PRAGMA application_id = 0x57656972; PRAGMA user_version = -1", Found::Newer(-1));
    }

    #[test]
    fn migrating_twice_changes_nothing() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        connection
            .execute_batch(
                "INSERT INTO decisions VALUES (1, 't', 'ban', 'o', 'r', 0, 0, 0, NULL, NULL)",
            )
            .unwrap();
        assert_eq!(migrate(&mut connection).unwrap(), Found::Ours);
        let count: i64 =
            connection.query_row("SELECT count(*) FROM decisions", [], |row| row.get(0)).unwrap();
        assert_eq!(count, 1);
    }
}
