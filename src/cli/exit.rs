//! How a command ended, as an exit code.

use std::process::ExitCode;

use crate::daemon::Rejected;
use crate::intake::tls::TlsError;

/// The exit codes, those of sysexits(3) where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All is well.
    Success,
    /// The answer is no, or something failed that has no code of its own.
    Failure,
    /// The command line is wrong (`EX_USAGE`).
    Usage,
    /// The daemon cannot be reached (`EX_UNAVAILABLE`).
    Unavailable,
    /// Permission is missing (`EX_NOPERM`).
    Permission,
    /// The configuration or a rule is wrong (`EX_CONFIG`).
    Configuration,
}

impl Exit {
    /// The code for an error: the one it was [`Failed`] with, that of wrong rules, that of the
    /// first I/O error behind it that has one, else that of wrong certificates.
    #[must_use]
    pub fn of(error: &anyhow::Error) -> Self {
        if let Some(failed) = error.downcast_ref::<Failed>() {
            return failed.exit;
        }
        if error.downcast_ref::<Rejected>().is_some() {
            return Exit::Configuration;
        }
        let kinds = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
        for error in kinds {
            match error.kind() {
                std::io::ErrorKind::PermissionDenied => return Exit::Permission,
                std::io::ErrorKind::ConnectionRefused => return Exit::Unavailable,
                _ => {}
            }
        }
        if error.chain().any(|cause| cause.downcast_ref::<TlsError>().is_some()) {
            return Exit::Configuration;
        }
        Exit::Failure
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(match exit {
            Exit::Success => 0,
            Exit::Failure => 1,
            Exit::Usage => 64,
            Exit::Unavailable => 69,
            Exit::Permission => 77,
            Exit::Configuration => 78,
        })
    }
}

/// An error that says how the command ends: used as the context of its cause.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failed {
    /// The exit code.
    pub exit: Exit,
    /// What failed: lower case, no full stop.
    pub message: String,
}

impl Failed {
    /// A failure with this code.
    #[must_use]
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use anyhow::Context as _;

    use super::*;

    #[test]
    fn codes() {
        let denied = || Error::from(ErrorKind::PermissionDenied);
        let wrapped = Err::<(), _>(denied()).context("cannot open").expect_err("an error");
        assert_eq!(Exit::of(&wrapped), Exit::Permission);
        let told = Err::<(), _>(denied())
            .context(Failed::new(Exit::Configuration, "cannot read"))
            .expect_err("an error");
        assert_eq!(Exit::of(&told), Exit::Configuration);
        assert_eq!(Exit::of(&Rejected(1).into()), Exit::Configuration);
        assert_eq!(Exit::of(&anyhow::anyhow!("no")), Exit::Failure);
    }
}
