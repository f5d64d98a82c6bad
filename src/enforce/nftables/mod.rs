//! Bans as elements of nftables sets, in a table of our own, spoken by netlink.
//!
//! Single addresses live in hash sets, ranges in interval sets (see [`ruleset`]). Both outlive the
//! process. Changes go in transactions; each is done whole or not at all. What is wanted is not
//! kept here: the backend is told edits and tells what there is.

#![forbid(unsafe_code)]

mod elements;
mod ruleset;
#[cfg(test)]
pub(in crate::enforce) mod tests;

use std::os::fd::{AsFd as _, BorrowedFd};

use super::backend::{Backend, Error};
use super::element::{Edit, Element, Held};
use super::netlink::nft::{self, Batch, Verb};
use super::netlink::objects::{self, Chain, Element as Raw, Rule, Set};
use super::netlink::{self, Protocol, Socket, message::Message};
use super::per_family::{Counts, PerFamily};
use crate::decision::Family;
use crate::settings;
use crate::system::clock;
use crate::value::Time;
use ruleset::{Found, KINDS, Kind};

/// Elements in one message: its list must stay below 64 KiB, and an IPv6 element that ends takes
/// 52 bytes.
const PER_MESSAGE: usize = 400;
/// Edits in one transaction: a later ban waits for it, about 30 ms.
const PER_TRANSACTION: usize = 20_000;

/// What the table is to be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Its name, in the family `inet`.
    pub table: String,
    /// The priority of the chains on input and forward; the one on prerouting is at -300 (raw) or
    /// below, before connection tracking.
    pub priority: i32,
    /// Where packets are looked at.
    pub hooks: Vec<settings::Hook>,
    /// Whether the table may be changed by this process only (`NFT_TABLE_F_OWNER` and
    /// `NFT_TABLE_F_PERSIST`, Linux 6.9): others cannot flush it, and cannot unban by `nft` either.
    pub is_owned: bool,
}

impl From<&settings::Enforce> for Options {
    fn from(settings: &settings::Enforce) -> Self {
        Self {
            table: settings.table.clone(),
            priority: settings.priority,
            hooks: settings.hooks.clone(),
            is_owned: false,
        }
    }
}

/// The backend.
#[derive(Debug)]
pub struct Nftables {
    options: Options,
    socket: Socket,
    /// Hears what other sockets change.
    monitor: Socket,
    /// How this kernel takes elements away; `None` until tried.
    removal: Option<Verb>,
    /// What rules that are gone had counted, and what the present ones had at the last look.
    gone: PerFamily<Counts>,
    counted: PerFamily<Counts>,
}

impl Nftables {
    /// Opens the sockets in the calling thread's network namespace. Nothing is changed yet.
    ///
    /// # Errors
    /// [`Error::NotPermitted`] without `CAP_NET_ADMIN`, [`Error::Unsupported`] without nf_tables
    /// in the kernel, else what failed.
    pub fn open(options: Options) -> Result<Self, Error> {
        let refused = |source: netlink::Error| match source.errno() {
            Some(libc::EPERM) => Error::NotPermitted,
            Some(libc::EPROTONOSUPPORT | libc::EAFNOSUPPORT | libc::EINVAL | libc::EOPNOTSUPP) => {
                Error::Unsupported
            }
            _ => Error::Kernel { what: "open nf_tables", source },
        };
        let mut socket = Socket::open(Protocol::Netfilter).map_err(refused)?;
        socket.ask(nft::generation).map_err(refused)?;
        let monitor = Socket::open(Protocol::Netfilter).map_err(refused)?;
        monitor.hear_nftables(socket.port()).map_err(refused)?;
        Ok(Self {
            options,
            socket,
            monitor,
            removal: None,
            gone: PerFamily::default(),
            counted: PerFamily::default(),
        })
    }

    fn commit(&mut self, what: &'static str, batch: Batch) -> Result<(), Error> {
        if batch.is_empty() {
            return Ok(());
        }
        self.socket.commit(&batch.finish()).map_err(|source| Error::Kernel { what, source })
    }

    /// Everything of one kind in our table, read from the kernel.
    fn read<T>(
        &mut self,
        what: &'static str,
        verb: Verb,
        read: impl Fn(&Message<'_>) -> Option<T>,
    ) -> Result<Vec<T>, Error> {
        let table = self.options.table.as_str();
        let items = self.socket.list(
            |writer, sequence| nft::list(writer, sequence, verb, table, None),
            |message, items| {
                // Older kernels list the whole family, whatever table was asked for.
                if nft::is_nft(message.kind) && objects::table_of(message) == Some(table.as_bytes())
                {
                    items.extend(read(message));
                }
            },
        );
        match items {
            Ok(items) => Ok(items),
            // The table, which the filter names, is not there.
            Err(error) if error.errno() == Some(libc::ENOENT) => Ok(Vec::new()),
            Err(source) => Err(Error::Kernel { what, source }),
        }
    }

    fn rules(&mut self) -> Result<Vec<Rule>, Error> {
        let rules = self.read("list the rules", Verb::GetRule, Rule::read)?;
        let now = ruleset::counted(&rules);
        for family in [Family::V4, Family::V6] {
            let (before, now) = (self.counted.of_mut(family), *now.of(family));
            if now.packets < before.packets {
                // These are other rules than the last time: ours or a stranger's new ones.
                let gone = self.gone.of_mut(family);
                gone.packets = gone.packets.saturating_add(before.packets);
                gone.bytes = gone.bytes.saturating_add(before.bytes);
            }
            *before = now;
        }
        Ok(rules)
    }

    fn find(&mut self) -> Result<Option<Found>, Error> {
        let flags = self.read("list the tables", Verb::GetTable, objects::table_flags)?;
        let Some(flags) = flags.first().copied() else { return Ok(None) };
        Ok(Some(Found {
            flags,
            sets: self.read("list the sets", Verb::GetSet, Set::read)?,
            chains: self.read("list the chains", Verb::GetChain, Chain::read)?,
            rules: self.rules()?,
        }))
    }

    /// Finds out how this kernel takes elements away without an error for those that ended in the
    /// meantime.
    fn removal(&mut self) -> Result<Verb, Error> {
        if let Some(verb) = self.removal {
            return Ok(verb);
        }
        let unspecified = Raw { key: [0; 4].into(), is_start: true, milliseconds: None };
        let mut batch = Batch::new(self.socket.sequence());
        // No ban can be of 0.0.0.0, as the first element of a hash set or otherwise.
        batch.elements(Verb::DestroyElements, &self.options.table, KINDS[0].name, &[unspecified]);
        let verb = match self.commit("try out the kernel", batch) {
            Ok(()) => Verb::DestroyElements,
            Err(Error::Kernel { source, .. }) if source.errno() == Some(libc::EINVAL) => {
                Verb::DeleteElements
            }
            Err(error) => return Err(error),
        };
        self.removal = Some(verb);
        Ok(verb)
    }

    fn held(&mut self, kind: Kind) -> Result<Vec<Held>, Error> {
        let table = &self.options.table;
        let mut found = self
            .socket
            .list(
                |writer, sequence| {
                    nft::list(writer, sequence, Verb::GetElements, table, Some(kind.name));
                },
                |message, found| {
                    if message.kind == Verb::NewElements.kind() {
                        // The kernel fills a message when it is received: what it says is left,
                        // is left now.
                        let now = clock::now();
                        found.extend(Raw::read_all(message).map(|raw| (raw, now)));
                    }
                },
            )
            .map_err(|source| Error::Kernel { what: "list elements", source })?;
        elements::pair(kind, &mut found)
    }

    fn transact(&mut self, edits: &[Edit], removal: Verb) -> Result<(), Error> {
        let mut batch = Batch::new(self.socket.sequence());
        edit(&mut batch, &self.options.table, edits, removal, clock::now());
        self.commit("change elements", batch)
    }
}

/// Writes edits as they are sent.
fn edit(batch: &mut Batch, table: &str, edits: &[Edit], removal: Verb, now: Time) {
    for kind in KINDS {
        let mine = || edits.iter().filter(move |edit| kind.has(edit.element()));
        // An update takes the element away first: kernels before 6.12 keep the old end of an
        // element that is added again.
        let removed = mine().filter(|edit| !matches!(edit, Edit::Add(..)));
        let removed = removed.flat_map(|edit| elements::removed(edit.element()));
        push(batch, removal, table, kind, removed);
        let added = mine().filter_map(|edit| match *edit {
            Edit::Add(element, until) | Edit::Update(element, until) => Some((element, until)),
            Edit::Remove(_) => None,
        });
        let added = added.flat_map(|(element, until)| elements::added(element, until, now));
        push(batch, Verb::NewElements, table, kind, added);
    }
}

fn push(batch: &mut Batch, verb: Verb, table: &str, kind: Kind, raw: impl Iterator<Item = Raw>) {
    let mut raw = raw.peekable();
    let mut message = Vec::with_capacity(raw.size_hint().0.clamp(2, PER_MESSAGE));
    while raw.peek().is_some() {
        message.clear();
        message.extend(raw.by_ref().take(PER_MESSAGE));
        batch.elements(verb, table, kind.name, &message);
    }
}

/// The transaction that carries these edits, made and thrown away: for benchmarks. Gives its size
/// in bytes.
#[doc(hidden)]
#[must_use]
pub fn encoded(edits: &[Edit], now: Time) -> usize {
    let mut batch = Batch::new(1);
    edit(&mut batch, "weir", edits, Verb::DestroyElements, now);
    batch.finish().bytes().len()
}

impl Backend for Nftables {
    fn name(&self) -> &'static str {
        "nftables"
    }

    fn prepare(&mut self) -> Result<bool, Error> {
        let found = self.find()?;
        let mut batch = Batch::new(self.socket.sequence());
        ruleset::mend(&self.options, found.as_ref(), &mut batch);
        let is_mended = !batch.is_empty();
        self.commit("make the table", batch).map_err(|error| match error {
            Error::Kernel { source, .. } if source.errno() == Some(libc::EPERM) => {
                Error::Taken { table: self.options.table.clone() }
            }
            error => error,
        })?;
        Ok(is_mended)
    }

    fn list(&mut self) -> Result<Vec<Held>, Error> {
        let mut held = Vec::new();
        for kind in KINDS {
            held.extend(self.held(kind)?);
        }
        held.sort_unstable_by_key(|held| held.element);
        Ok(held)
    }

    fn apply(&mut self, edits: &[Edit]) -> Result<u64, Error> {
        if edits.is_empty() {
            return Ok(0);
        }
        let removal = self.removal()?;
        let mut transactions = 0;
        for part in elements::parts(edits, PER_TRANSACTION) {
            self.transact(part, removal)?;
            transactions += 1;
        }
        Ok(transactions)
    }

    fn rebuild(
        &mut self,
        elements: &mut dyn Iterator<Item = (Element, Time)>,
    ) -> Result<(), Error> {
        let now = clock::now();
        let elements: Vec<_> = elements.collect();
        let mut batch = Batch::new(self.socket.sequence());
        for kind in KINDS {
            batch.elements(Verb::DeleteElements, &self.options.table, kind.name, &[]);
            let mine = elements.iter().filter(|(element, _)| kind.has(*element));
            let raw = mine.flat_map(|(element, until)| elements::added(*element, *until, now));
            push(&mut batch, Verb::NewElements, &self.options.table, kind, raw);
        }
        self.commit("rebuild the sets", batch)
    }

    fn dropped(&mut self) -> Result<PerFamily<Counts>, Error> {
        self.rules()?;
        let sum = |family| {
            let (gone, counted): (&Counts, &Counts) =
                (self.gone.of(family), self.counted.of(family));
            Counts {
                packets: gone.packets.saturating_add(counted.packets),
                bytes: gone.bytes.saturating_add(counted.bytes),
            }
        };
        Ok(PerFamily { v4: sum(Family::V4), v6: sum(Family::V6) })
    }

    fn watched(&self) -> Option<BorrowedFd<'_>> {
        Some(self.monitor.as_fd())
    }

    fn disturbed(&mut self) -> Result<bool, Error> {
        let table = self.options.table.as_bytes();
        let mut is_ours = false;
        let heard = self.monitor.drain(&mut |message| {
            is_ours |= nft::is_nft(message.kind) && objects::table_of(message) == Some(table);
        });
        match heard {
            Ok(()) => Ok(is_ours),
            // Something was missed: perhaps it was about us.
            Err(netlink::Error::Overrun) => Ok(true),
            Err(source) => Err(Error::Kernel { what: "listen to nf_tables events", source }),
        }
    }
}
