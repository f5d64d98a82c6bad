//! The configuration: what the file says ([`file`]) and what it means (`settings`).
//!
//! `weir.yaml` is read first, then `conf.d/*.yaml` beside it in the order of their names. Lists
//! (sources, rule folders, allowlist entries, profiles) and `classify` grow with each file; any
//! other value is the last one given. All mistakes of all files are found at once, each in its own
//! file. Without any file everything has a default.
//!
//! Nothing here opens a socket or starts anything; folders that do not exist yet are not made.

#![forbid(unsafe_code)]

mod classify;
mod enforce;
mod file;
mod folders;
mod friends;
mod journal;
mod load;
mod quantity;
mod section;
#[expect(clippy::module_inception, reason = "the settings as meant, beside the file as typed")]
mod settings;
mod sources;

#[cfg(test)]
mod tests;

pub use enforce::{Backend, Enforce, Hook};
pub use folders::{Facts as FoldersFacts, Folders};
pub use friends::Friends;
pub use load::{DEFAULT_PATH, find, from_files, load};
pub use section::At;
pub use settings::{Ledger, Limits, Log, Observe, Profile, Rules, Settings};
