//! How it stands between what is wanted and what the backend has, for readiness.
//!
//! Written by the enforcer alone, read by any. Numbers are metrics; this has the words.

#![forbid(unsafe_code)]

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// The ledger's bans have not been compared with the backend yet.
    #[default]
    Starting,
    /// The backend has what is wanted.
    InSync,
    /// The backend was found to differ in so many elements and is being repaired.
    Drifted(usize),
    /// An operator emptied the backend; nothing is enforced until that is undone.
    Flushed,
    /// The last try failed, for this reason; another follows.
    Failed(String),
}

impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Starting => f.write_str("starting"),
            Self::InSync => f.write_str("in sync"),
            Self::Drifted(count) => write!(f, "drift of {count} elements"),
            Self::Flushed => f.write_str(
                "off: emptied by `weir flush`, until `weir flush --undo` or the next start",
            ),
            Self::Failed(reason) => write!(f, "failed: {reason}"),
        }
    }
}

/// A shared view of the enforcer's condition. Cheap to clone: clones show the same.
#[derive(Clone, Debug, Default)]
pub struct Status {
    words: Arc<Mutex<Words>>,
}

#[derive(Debug, Default)]
struct Words {
    condition: Condition,
    last_error: Option<String>,
}

impl Status {
    fn lock(&self) -> MutexGuard<'_, Words> {
        self.words.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Of an enforcer that could not even begin.
    #[must_use]
    pub fn failed(reason: String) -> Self {
        let status = Self::default();
        status.set(Condition::Failed(reason));
        status
    }

    /// How it stands.
    #[must_use]
    pub fn condition(&self) -> Condition {
        self.lock().condition.clone()
    }

    /// Whether the backend has what is wanted.
    #[must_use]
    pub fn is_in_sync(&self) -> bool {
        self.lock().condition == Condition::InSync
    }

    /// Why the last failed try failed, however long ago.
    #[must_use]
    pub fn last_error(&self) -> Option<String> {
        self.lock().last_error.clone()
    }

    pub(super) fn set(&self, condition: Condition) {
        let mut words = self.lock();
        if let Condition::Failed(reason) = &condition {
            words.last_error = Some(reason.clone());
        }
        words.condition = condition;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_error_outlives_the_failure() {
        let status = Status::default();
        assert_eq!(status.condition(), Condition::Starting);
        assert_eq!((status.is_in_sync(), status.last_error()), (false, None));
        status.clone().set(Condition::Failed("no".into()));
        assert_eq!(status.condition().to_string(), "failed: no");
        status.set(Condition::InSync);
        assert_eq!((status.is_in_sync(), status.last_error()), (true, Some("no".into())));
    }
}
