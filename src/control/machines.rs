//! The machines that may push alerts, as operators manage them.

use serde::{Deserialize, Serialize};

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case", deny_unknown_fields)]
pub enum AskedOfMachines {
    /// Make one known.
    Add {
        /// Its name.
        name: String,
        /// What is to be kept of its password. Whoever asks makes that, and the password does not
        /// travel.
        password_hash: String,
    },
    /// Name all.
    List,
    /// Let one in that registered itself.
    Validate {
        /// Its name.
        name: String,
    },
    /// Take one's access away.
    Delete {
        /// Its name.
        name: String,
    },
}

/// What is answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ToldOfMachines {
    /// Where they are to push; none where the API is off.
    pub listen: Option<String>,
    /// Whether TLS is spoken there.
    pub tls: bool,
    /// The one that was added or validated, or all.
    pub machines: Vec<MachineRow>,
    /// The name of the one that was deleted.
    pub deleted: Option<String>,
}

/// A machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MachineRow {
    /// Its name.
    pub name: String,
    /// From where it came last.
    pub address: Option<String>,
    /// What it says it is, with its version; hostile.
    pub version: String,
    /// Whether it may push.
    pub validated: bool,
    /// When it was made known, RFC 3339.
    pub created_at: String,
    /// When it was there last, RFC 3339.
    pub last_seen: Option<String>,
    /// When it pushed last, RFC 3339.
    pub last_push: Option<String>,
}

impl AskedOfMachines {
    /// Whether it changes anything.
    #[must_use]
    pub const fn is_change(&self) -> bool {
        !matches!(self, Self::List)
    }
}
