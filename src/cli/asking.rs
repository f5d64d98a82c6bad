//! Speaking to the running daemon.

use std::path::PathBuf;

use super::{Exit, Failed, Global, output};
use crate::control::{Client, ClientError, FailureKind, Reply, Request, Row};
use crate::diagnostic::Diagnostic;
use crate::settings::{self, Settings};

/// The settings, read as the daemon reads them. Mistakes are shown.
///
/// # Errors
/// With exit code 78 when they cannot be used.
pub(super) fn settings(global: &Global) -> anyhow::Result<(Settings, Option<PathBuf>)> {
    let path = settings::find(global.config.as_deref());
    let (settings, diagnostics) = settings::load(path.as_deref());
    if diagnostics.iter().any(Diagnostic::is_error) {
        output::show(&diagnostics);
        return Err(Failed::new(Exit::Configuration, "the configuration is wrong").into());
    }
    Ok((settings, path))
}

/// A connection to the daemon of this configuration.
///
/// # Errors
/// With exit code 69 when there is none.
pub(super) fn client(global: &Global) -> anyhow::Result<Client> {
    let (settings, _) = settings(global)?;
    let folders = crate::daemon::folders::choose(&settings)?;
    let settings = settings.place(&folders);
    Client::open(&settings.control).map_err(failed)
}

/// Asks one thing.
///
/// # Errors
/// With the exit code that fits the daemon's answer.
pub(super) fn ask(global: &Global, request: &Request) -> anyhow::Result<Reply> {
    client(global)?.ask(request).map_err(failed)
}

/// Asks the daemon, even if the configuration is wrong by now: what could be read of it says where
/// the socket is.
///
/// # Errors
/// With the exit code that fits the daemon's answer.
pub(super) fn ask_leniently(global: &Global, request: &Request) -> anyhow::Result<Reply> {
    let (_, client) = client_leniently(global)?;
    client.and_then(|mut client| client.ask(request)).map_err(failed)
}

/// A connection to the daemon, if there is one, and what could be read of the configuration, however
/// wrong it is by now.
///
/// # Errors
/// When there is no folder in which the daemon could have its socket.
pub(super) fn client_leniently(
    global: &Global,
) -> anyhow::Result<(Settings, Result<Client, ClientError>)> {
    let path = settings::find(global.config.as_deref());
    let (settings, _) = settings::load(path.as_deref());
    let folders = crate::daemon::folders::choose(&settings)?;
    let settings = settings.place(&folders);
    let client = Client::open(&settings.control);
    Ok((settings, client))
}

/// The error with its exit code.
pub(super) fn failed(error: ClientError) -> anyhow::Error {
    let exit = match error.kind() {
        FailureKind::Usage => Exit::Usage,
        FailureKind::Unavailable => Exit::Unavailable,
        FailureKind::Permission => Exit::Permission,
        FailureKind::Configuration => Exit::Configuration,
        FailureKind::Other => Exit::Failure,
    };
    if let ClientError::Failed(failure) = &error
        && !failure.detail.is_empty()
    {
        output::remark(&format!("{}\n", failure.detail));
    }
    Failed::new(exit, error.to_string()).into()
}

/// An answer that does not fit the question.
pub(super) fn strange(reply: &Reply) -> anyhow::Error {
    anyhow::anyhow!("the daemon answered something else: is it of another version? ({reply:?})")
}

/// `3h 12m`: a span as people say it, the two greatest units.
pub(super) fn span(seconds: u64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (size, unit) in units {
        let count = rest / size;
        rest %= size;
        if count > 0 {
            parts.push(format!("{count}{unit}"));
        } else if !parts.is_empty() {
            break;
        }
        if parts.len() == 2 {
            break;
        }
    }
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

/// Decisions as a table.
pub(super) fn table(rows: &[Row]) -> String {
    let mut table =
        super::output::table(&["TARGET", "ACTION", "LEFT", "REASON", "EVENTS", "SINCE"]);
    for row in rows {
        let events = if row.events == 0 { String::new() } else { row.events.to_string() };
        table.add_row(vec![
            row.target.clone(),
            match &row.limited {
                Some(by) => format!("{} ({by})", row.action),
                None => row.action.clone(),
            },
            span(row.remaining_seconds),
            row.reason.clone(),
            events,
            row.created_at.clone(),
        ]);
    }
    format!("{table}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(seconds: u64, text: &str) {
        assert_eq!(span(seconds), text);
    }

    #[test]
    fn spans_have_two_units() {
        check(0, "0s");
        check(59, "59s");
        check(60, "1m");
        check(3_661, "1h 1m");
        check(3_601, "1h");
        check(14_400, "4h");
        check(90_061, "1d 1h");
    }
}
