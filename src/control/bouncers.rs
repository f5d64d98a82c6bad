//! The bouncers that may ask whom to keep out, as operators manage them.

use serde::{Deserialize, Serialize};

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case", deny_unknown_fields)]
pub enum AskedOfBouncers {
    /// Make one known, and its key.
    Add {
        /// Its name.
        name: String,
        /// Its key, where it has one already; a new one when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
    },
    /// Name all.
    List,
    /// Take a key away.
    Delete {
        /// The bouncer's name.
        name: String,
    },
}

/// What is answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ToldOfBouncers {
    /// Where they are to ask; none where the API is off.
    pub listen: Option<String>,
    /// The key of the one that was added, if it was made then. It is told this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The one that was added, or all.
    pub bouncers: Vec<BouncerRow>,
    /// The names of those that were deleted.
    pub deleted: Vec<String>,
}

/// A bouncer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BouncerRow {
    /// Its name.
    pub name: String,
    /// From where it asks.
    pub address: Option<String>,
    /// What it says it is; hostile.
    pub kind: String,
    /// Which version of that; hostile.
    pub version: String,
    /// When it was made known, RFC 3339.
    pub created_at: String,
    /// When it asked last, RFC 3339.
    pub last_pull: Option<String>,
}

impl AskedOfBouncers {
    /// Whether it changes anything.
    #[must_use]
    pub const fn is_change(&self) -> bool {
        !matches!(self, Self::List)
    }
}
