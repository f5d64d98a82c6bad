//! What a backend must be able to do.

#![forbid(unsafe_code)]

use std::os::fd::BorrowedFd;

use super::element::{Edit, Element, Held};
use super::netlink;
use super::per_family::{Counts, PerFamily};
use crate::value::Time;

/// Something that can hold elements and drop packets from them.
///
/// A backend belongs to one thread and keeps no copy of what is wanted.
pub trait Backend {
    /// The word for it in settings, logs and metrics.
    fn name(&self) -> &'static str;

    /// Makes what elements live in where it is missing, and repairs it where it is not as it was
    /// made. Elements that are there stay. Says whether there was anything to do.
    ///
    /// # Errors
    /// When the kernel refuses or does not answer.
    fn prepare(&mut self) -> Result<bool, Error>;

    /// All elements, each once, in their order.
    ///
    /// # Errors
    /// [`Error::Torn`] when what is there makes no sense; [`Backend::rebuild`] cures it.
    fn list(&mut self) -> Result<Vec<Held>, Error>;

    /// Carries edits out, given in the order of elements; returns how many transactions it took.
    ///
    /// An address that is banned before and after is banned all the time between.
    ///
    /// # Errors
    /// Some of the edits may be done then.
    fn apply(&mut self, edits: &[Edit]) -> Result<u64, Error>;

    /// Replaces all elements by these, at once.
    ///
    /// # Errors
    /// Nothing has changed then.
    fn rebuild(&mut self, elements: &mut dyn Iterator<Item = (Element, Time)>)
    -> Result<(), Error>;

    /// What was dropped for being in an element; never falls.
    ///
    /// # Errors
    /// When the kernel refuses or does not answer.
    fn dropped(&mut self) -> Result<PerFamily<Counts>, Error>;

    /// A descriptor that can be read when [`Backend::disturbed`] is worth asking.
    fn watched(&self) -> Option<BorrowedFd<'_>>;

    /// Whether somebody else changed something of ours since the last call. Does not wait.
    ///
    /// # Errors
    /// When that cannot be told.
    fn disturbed(&mut self) -> Result<bool, Error>;
}

/// Why a backend failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// This process may not change the firewall.
    #[error(
        "not permitted to use nftables: give the process `CAP_NET_ADMIN`, or set the backend to `observe`"
    )]
    NotPermitted,
    /// This kernel has no nf_tables.
    #[error(
        "this kernel has no nf_tables: load the module `nf_tables`, or set the backend to `observe`"
    )]
    Unsupported,
    /// Another process owns the table.
    #[error("table `{table}` belongs to another process: stop it, or choose another table name")]
    Taken {
        /// The table.
        table: String,
    },
    /// The kernel refused or did not answer.
    #[error("cannot {what}: {source}")]
    Kernel {
        /// What was tried.
        what: &'static str,
        /// What came of it.
        source: netlink::Error,
    },
    /// The system does not let us wait.
    #[error("cannot wait for orders: {0}")]
    Wait(#[source] std::io::Error),
    /// A set holds an interval without an end.
    #[error("set `{set}` holds an interval without an end")]
    Torn {
        /// The set.
        set: &'static str,
    },
}
