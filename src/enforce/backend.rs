//! What a backend must be able to do.

#![forbid(unsafe_code)]

use std::net::IpAddr;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use ipnet::IpNet;

use super::element::{Edit, Element, Held};
use super::ipset::Failure;
use super::netlink;
use super::per_family::{Counts, PerFamily};
use crate::value::Time;

/// Which ranges a backend can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Any.
    Ranges,
    /// Those that are a prefix; others are cut into such.
    Prefixes,
}

/// How exactly a backend keeps the ends of elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Precision {
    /// Ends that differ by no more are equal.
    pub tolerance: Duration,
    /// The longest time that it takes. What shall last longer is renewed when half of it is over.
    pub longest: Duration,
}

impl Default for Precision {
    /// The kernel counts in ticks, and reading takes a moment; 292 years.
    fn default() -> Self {
        let longest = Duration::from_nanos(i64::MAX.unsigned_abs());
        Self { tolerance: Duration::from_millis(500), longest }
    }
}

/// An element that holds an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The element.
    pub element: Element,
    /// When the backend will drop it; `None` is never.
    pub until: Option<Time>,
    /// What was dropped for it, where that is counted for each.
    pub dropped: Option<Counts>,
}

/// Something that can hold elements and drop packets from them.
///
/// A backend belongs to one thread and keeps no copy of what is wanted.
pub trait Backend {
    /// The word for it in settings, logs and metrics.
    fn name(&self) -> &'static str;

    /// Which ranges it can hold.
    fn shape(&self) -> Shape {
        Shape::Ranges
    }

    /// Whether it drops elements by itself when their time is over.
    fn expires(&self) -> bool {
        true
    }

    /// How exactly it keeps ends, if it does.
    fn precision(&self) -> Precision {
        Precision::default()
    }

    /// Makes what elements live in where it is missing, and repairs it where it is not as it was
    /// made. Elements that are there stay. Says whether there was anything to do.
    ///
    /// # Errors
    /// When the kernel refuses or does not answer.
    fn prepare(&mut self) -> Result<bool, Error>;

    /// Makes the kernel let through whatever comes from these prefixes, and from no others, whoever
    /// is banned. They may lie in one another. Belongs to preparing: what it needs is there. Says
    /// whether there was anything to do.
    ///
    /// # Errors
    /// When the kernel refuses or does not answer.
    fn befriend(&mut self, friends: &[IpNet]) -> Result<bool, Error>;

    /// Begins to list all elements; a listing that was begun before is given up.
    ///
    /// # Errors
    /// When the kernel refuses or does not answer.
    fn begin_list(&mut self) -> Result<(), Error>;

    /// Goes on listing for a moment, so that bans need not wait for the end: adds to `held` in any
    /// order; what changes meanwhile may be missing or be there twice. Says whether that was all.
    ///
    /// # Errors
    /// [`Error::Torn`] when what is there makes no sense; [`Backend::rebuild`] cures it.
    fn list_some(&mut self, held: &mut Vec<Held>) -> Result<bool, Error>;

    /// All elements, each once, in their order, without a pause.
    ///
    /// # Errors
    /// As [`Backend::list_some`].
    fn list(&mut self) -> Result<Vec<Held>, Error> {
        let mut held = Vec::new();
        self.begin_list()?;
        while !self.list_some(&mut held)? {}
        held.sort_unstable_by_key(|held| held.element);
        held.dedup_by_key(|held| held.element);
        Ok(held)
    }

    /// Which of these elements there are now. `None` when a listing tells it no worse.
    ///
    /// # Errors
    /// When the kernel refuses or does not answer.
    fn recheck(&mut self, elements: &[Element]) -> Result<Option<Vec<Held>>, Error> {
        let _ = elements;
        Ok(None)
    }

    /// The elements that hold this address now.
    ///
    /// # Errors
    /// When the kernel refuses or does not answer.
    fn look_up(&mut self, address: IpAddr) -> Result<Vec<Hit>, Error>;

    /// Carries edits out, given in the order of elements; returns how many transactions it took.
    ///
    /// An address that is banned before and after is banned all the time between.
    ///
    /// # Errors
    /// Some of the edits may be done then.
    fn apply(&mut self, edits: &[Edit]) -> Result<u64, Error>;

    /// Does a moment's worth of what can wait until there is nothing else to do; says whether there
    /// is more of it.
    fn idle(&mut self) -> bool {
        false
    }

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

    /// Removes all that is ours: elements, and what they live in.
    ///
    /// # Errors
    /// When the kernel refuses or does not answer.
    fn flush(&mut self) -> Result<(), Error>;

    /// A descriptor that can be read when [`Backend::disturbed`] is worth asking.
    fn watched(&self) -> Option<BorrowedFd<'_>>;

    /// When [`Backend::disturbed`] is worth asking although no descriptor says so.
    fn look_again(&self) -> Option<Instant> {
        None
    }

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
        "not permitted to change the firewall: give the process `CAP_NET_ADMIN`, or set the backend to `observe`"
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
    /// A program that the backend needs did not do it.
    #[error(transparent)]
    Program(#[from] Failure),
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
