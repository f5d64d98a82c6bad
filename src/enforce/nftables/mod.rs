//! Bans as elements of nftables sets, in a table of our own, spoken by netlink.
//!
//! Single addresses live in hash sets, ranges in interval sets (see [`layout`]). Both outlive the
//! process. Changes go in transactions; each is done whole or not at all. What is wanted is not
//! kept here: the backend is told edits and tells what there is.

#![forbid(unsafe_code)]

mod elements;
mod flows;
mod layout;
mod listing;
mod ruleset;
#[cfg(test)]
pub(in crate::enforce) mod tests;

use std::net::IpAddr;
use std::os::fd::{AsFd as _, BorrowedFd};

use ipnet::IpNet;

use super::backend::{Backend, Error, Hit};
use super::element::{Edit, Element, Held};
use super::friends;
use super::netlink::message::{Message, Writer};
use super::netlink::nft::{self, Batch, Verb};
use super::netlink::objects::{self, Chain, Element as Raw, Rule, Set};
use super::netlink::{self, Protocol, Socket};
use super::per_family::{Counts, PerFamily};
use super::total::Total;
use crate::settings;
use crate::system::clock;
use crate::value::Time;
use flows::Flows;
use layout::{FRIENDS, KINDS, Kind};
use listing::Listing;
use ruleset::Found;

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
    /// What becomes of packets of the banned.
    pub verdict: settings::Verdict,
    /// The ports of this host that the banned do not reach.
    pub ports: settings::Ports,
    /// Whether packets are counted for each element.
    pub counts_elements: bool,
    /// Whether the flows of the newly banned are taken out of connection tracking.
    pub cuts_flows: bool,
}

impl From<&settings::Enforce> for Options {
    fn from(settings: &settings::Enforce) -> Self {
        Self {
            table: settings.table.clone(),
            priority: settings.priority,
            hooks: settings.hooks.clone(),
            is_owned: settings.owner,
            verdict: settings.verdict,
            ports: settings.ports.clone(),
            counts_elements: settings.count_elements,
            cuts_flows: settings.conntrack,
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
    flows: Flows,
    /// The listing under way.
    listing: Option<Listing>,
    /// How this kernel takes elements away; `None` until tried.
    removal: Option<Verb>,
    /// What rules have counted, with those that are gone.
    totals: PerFamily<Total>,
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
            flows: Flows::default(),
            listing: None,
            removal: None,
            totals: PerFamily::default(),
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
        self.totals.v4.show(now.v4);
        self.totals.v6.show(now.v6);
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
        let unspecified = Raw::at([0; 4].into());
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

    /// The elements of a small set, at once.
    fn held(&mut self, kind: Kind) -> Result<Vec<Held>, Error> {
        let table = &self.options.table;
        let request = |writer: &mut Writer, sequence| {
            nft::list(writer, sequence, Verb::GetElements, table, Some(kind.name));
        };
        let mut found = self
            .socket
            .list(request, listing::read)
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
        let errno = |error: &Error| match error {
            Error::Kernel { source, .. } => source.errno(),
            _ => None,
        };
        match self.commit("make the table", batch) {
            Ok(()) => Ok(is_mended),
            Err(error) if errno(&error) == Some(libc::EPERM) => {
                Err(Error::Taken { table: self.options.table.clone() })
            }
            Err(error) if self.options.is_owned && errno(&error) == Some(libc::EOPNOTSUPP) => {
                tracing::warn!(
                    "this kernel cannot keep a table from other programs and in being without its \
                     owner (Linux 6.9 can): going on without `owner`"
                );
                self.options.is_owned = false;
                self.prepare()
            }
            Err(error) => Err(error),
        }
    }

    fn befriend(&mut self, friends: &[IpNet]) -> Result<bool, Error> {
        let friends = friends::joined(friends);
        let mut batch = Batch::new(self.socket.sequence());
        for kind in FRIENDS {
            let mine = friends.iter().map(|(first, last)| Element::Range(*first, *last));
            let mine: Vec<_> = mine.filter(|element| kind.has(*element)).collect();
            let held = match self.held(kind) {
                Ok(held) => held,
                Err(Error::Torn { .. }) => Vec::new(),
                Err(error) => return Err(error),
            };
            if held.iter().map(|held| held.element).eq(mine.iter().copied()) {
                continue;
            }
            batch.elements(Verb::DeleteElements, &self.options.table, kind.name, &[]);
            let raw = mine.into_iter().flat_map(|element| elements::both_ends(element, None));
            push(&mut batch, Verb::NewElements, &self.options.table, kind, raw);
        }
        let is_changed = !batch.is_empty();
        self.commit("let friends through", batch)?;
        Ok(is_changed)
    }

    fn begin_list(&mut self) -> Result<(), Error> {
        self.listing = Some(Listing::begin(&self.options.table)?);
        Ok(())
    }

    fn list_some(&mut self, held: &mut Vec<Held>) -> Result<bool, Error> {
        let Some(listing) = &mut self.listing else { return Ok(true) };
        let is_last = listing.some(&self.options.table, held)?;
        if is_last {
            self.listing = None;
        }
        Ok(is_last)
    }

    fn recheck(&mut self, elements: &[Element]) -> Result<Option<Vec<Held>>, Error> {
        let found = listing::get(&mut self.socket, &self.options.table, elements)?;
        let same = elements.iter().zip(found).filter_map(|(element, found)| {
            let found = found?;
            (found.element == *element).then_some(Held { element: *element, until: found.until })
        });
        Ok(Some(same.collect()))
    }

    fn look_up(&mut self, address: IpAddr) -> Result<Vec<Hit>, Error> {
        let asked = [Element::Host(address), Element::Range(address, address)];
        let found = listing::get(&mut self.socket, &self.options.table, &asked)?;
        Ok(found.into_iter().flatten().collect())
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
            if self.options.cuts_flows {
                self.flows.note(part);
            }
        }
        Ok(transactions)
    }

    fn idle(&mut self) -> bool {
        self.flows.step()
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
        Ok(PerFamily { v4: self.totals.v4.sum(), v6: self.totals.v6.sum() })
    }

    fn flush(&mut self) -> Result<(), Error> {
        let mut batch = Batch::new(self.socket.sequence());
        batch.delete_table(&self.options.table);
        match self.commit("delete the table", batch) {
            // It is not there.
            Err(Error::Kernel { source, .. }) if source.errno() == Some(libc::ENOENT) => Ok(()),
            done => done,
        }
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
