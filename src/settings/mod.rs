//! The configuration: what the file says ([`file`]) and what it means (`settings`).
//!
//! `weir.yaml` is read first, then `conf.d/*.yaml` beside it in the order of their names. Lists
//! (sources, rule folders, allowlist entries, profiles) and `classify` grow with each file; any
//! other value is the last one given. All mistakes of all files are found at once, each in its own
//! file. Without any file everything has a default.
//!
//! Nothing here opens a socket or starts anything; folders that do not exist yet are not made.

#![forbid(unsafe_code)]

mod backends;
mod brake;
mod classify;
mod enforce;
mod escalation;
mod file;
mod folders;
mod friends;
mod guard;
pub mod http;
mod journal;
mod lapi;
mod lists;
mod load;
mod prefixes;
mod quantity;
mod remote;
mod route;
mod section;
#[expect(clippy::module_inception, reason = "the settings as meant, beside the file as typed")]
mod settings;
mod sources;
mod spoofable;

#[cfg(test)]
mod tests;

pub use backends::Backend;
pub use brake::Brake;
pub use enforce::{Enforce, Hook, LONGEST_FOR_IPSET, Ports, Verdict};
pub use escalation::Escalation;
pub use folders::{Facts as FoldersFacts, Folders};
pub use friends::Friends;
pub use guard::Guard;
pub use http::Http;
pub use lapi::Lapi;
pub use lists::Lists;
pub use load::{DEFAULT_PATH, find, from_files, load};
pub use prefixes::{Level, Merge, Prefixes};
pub use remote::{Machine, Remote, RemoteSecret, RemoteTls, RemoteUrl, SECRET, is_secret};
pub use route::{Route, RouteKind};
pub use section::At;
pub use settings::{Ledger, Limits, Log, Observe, Profile, Rules, Settings};
