//! The tables, and the steps that bring an older database to them.
//!
//! Times are nanoseconds since 1970 in UTC; targets are prefixes in canonical form, or the
//! keys of what only bouncers carry out.

use rusqlite::Connection;

/// Marks the file as ours (`PRAGMA application_id`): "Weir" in ASCII.
pub(super) const APPLICATION: i32 = 0x5765_6972;

/// The steps: the one at index n brings schema n to schema n + 1. Steps that were released are
/// never changed.
const STEPS: [&str; 6] = [
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
    // What led to a step; what was not decided, and why; friends that are in no configuration: of
    // operators (prefixes and names), and those who logged in; what else outlives the process.
    "
    CREATE TABLE stories (
        id       INTEGER PRIMARY KEY,
        decision INTEGER NOT NULL REFERENCES decisions (id) ON DELETE CASCADE,
        at       INTEGER NOT NULL,
        what     TEXT    NOT NULL,
        story    TEXT    NOT NULL
    ) STRICT;
    CREATE INDEX stories_decision ON stories (decision, id);
    CREATE TABLE refusals (
        id       INTEGER PRIMARY KEY,
        target   TEXT    NOT NULL,
        at       INTEGER NOT NULL,
        reason   TEXT    NOT NULL,
        scenario TEXT    NOT NULL,
        story    TEXT
    ) STRICT;
    CREATE INDEX refusals_target ON refusals (target, id);
    CREATE TABLE friends (
        net        TEXT    NOT NULL,
        origin     TEXT    NOT NULL,
        comment    TEXT    NOT NULL,
        created_at INTEGER NOT NULL,
        until      INTEGER,
        PRIMARY KEY (net, origin)
    ) STRICT;
    CREATE TABLE marks (
        name     TEXT    PRIMARY KEY,
        value    TEXT    NOT NULL,
        saved_at INTEGER NOT NULL
    ) STRICT;
    ALTER TABLE steps ADD COLUMN action TEXT NOT NULL DEFAULT 'ban';
    CREATE INDEX decisions_begun ON decisions (created_at) WHERE origin = 'scenario';
",
    // When whoever follows the decisions must hear of one again: all that is written in one
    // transaction has the same version, and a later transaction a higher one. Who speaks the local
    // API: bouncers that follow, and machines with the alerts that they pushed. The numbers of
    // alerts and of decisions are drawn from the same count.
    "
    ALTER TABLE decisions ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX decisions_changed ON decisions (version, id) WHERE ended_at IS NULL;
    CREATE INDEX decisions_over ON decisions (version, id) WHERE ended_at IS NOT NULL;
    CREATE TABLE bouncers (
        name        TEXT    PRIMARY KEY,
        key         TEXT    NOT NULL,
        address     TEXT,
        kind        TEXT    NOT NULL,
        version     TEXT    NOT NULL,
        created_at  INTEGER NOT NULL,
        last_pull   INTEGER,
        told        INTEGER,
        told_before INTEGER
    ) STRICT;
    CREATE TABLE machines (
        name         TEXT    PRIMARY KEY,
        password     TEXT    NOT NULL,
        is_validated INTEGER NOT NULL,
        address      TEXT,
        version      TEXT    NOT NULL,
        created_at   INTEGER NOT NULL,
        last_seen    INTEGER,
        last_push    INTEGER
    ) STRICT;
    CREATE TABLE alerts (
        id         INTEGER PRIMARY KEY,
        machine    TEXT    NOT NULL,
        created_at INTEGER NOT NULL,
        start_at   INTEGER NOT NULL,
        stop_at    INTEGER NOT NULL,
        scenario   TEXT    NOT NULL,
        scope      TEXT    NOT NULL,
        value      TEXT    NOT NULL,
        kind       TEXT    NOT NULL,
        simulated  INTEGER NOT NULL,
        body       TEXT    NOT NULL
    ) STRICT;
    CREATE INDEX alerts_created ON alerts (created_at);
    CREATE TABLE alert_decisions (
        alert    INTEGER NOT NULL REFERENCES alerts (id) ON DELETE CASCADE,
        decision INTEGER NOT NULL REFERENCES decisions (id) ON DELETE CASCADE,
        PRIMARY KEY (alert, decision)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX alert_decisions_decision ON alert_decisions (decision);
",
    // Decisions that only bouncers carry out, by what is behind their type: who asks about an address
    // asks for those of all types.
    "
    CREATE INDEX decisions_others ON decisions (substr(target, instr(target, '/') + 1))
        WHERE ended_at IS NULL AND target GLOB '*/*/*';
",
    // Decisions that are no alerts of their own: a pushed alert began them, or somebody deleted that
    // alert.
    "
    CREATE TABLE reported (
        decision INTEGER PRIMARY KEY REFERENCES decisions (id) ON DELETE CASCADE
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
                "INSERT INTO decisions VALUES (1, 't', 'ban', 'o', 'r', 0, 0, 0, NULL, NULL, 0)",
            )
            .unwrap();
        assert_eq!(migrate(&mut connection).unwrap(), Found::Ours);
        let count: i64 =
            connection.query_row("SELECT count(*) FROM decisions", [], |row| row.get(0)).unwrap();
        assert_eq!(count, 1);
    }
}
