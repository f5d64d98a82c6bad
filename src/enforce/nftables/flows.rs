//! Flows of the newly banned, taken out of connection tracking.
//!
//! Packets of the banned are dropped whatever is tracked; this is for what else goes by tracked
//! flows, such as address translation and offloading. Bans need not wait for it: it is done when
//! there is nothing else to do, and what is too much is left to time out.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::net::IpAddr;

use super::super::backend::Error;
use super::super::element::{Edit, Element};
use super::super::netlink::conntrack::{self, Flow};
use super::super::netlink::{self, Protocol, Socket};

/// Bans whose flows wait to be looked for; those beyond are let be.
const MOST_WAITING: usize = 1024;
/// Flows of one ban that are deleted at most, and that are looked through for one.
const MOST_FOUND: usize = 1000;
const MOST_SEEN: usize = 1 << 20;

/// What waits, and what is looked for.
#[derive(Debug, Default)]
pub(super) struct Flows {
    waiting: VecDeque<Element>,
    search: Option<Search>,
    /// This kernel cannot list by source.
    is_unfiltered: bool,
    /// This kernel has no connection tracking, or does not let us.
    is_impossible: bool,
}

#[derive(Debug)]
struct Search {
    socket: Socket,
    element: Element,
    found: Vec<Flow>,
    seen: usize,
}

fn failed(source: netlink::Error) -> Error {
    Error::Kernel { what: "take flows out of connection tracking", source }
}

impl Flows {
    /// These edits were carried out.
    pub(super) fn note(&mut self, edits: &[Edit]) {
        for edit in edits {
            if let Edit::Add(element, _) = edit
                && self.waiting.len() < MOST_WAITING
                && !self.is_impossible
            {
                self.waiting.push_back(*element);
            }
        }
    }

    /// Does a moment's worth; says whether there is more to do.
    pub(super) fn step(&mut self) -> bool {
        if let Err(error) = self.try_step() {
            tracing::warn!(%error, "flows of the banned stay in connection tracking until they end");
            *self = Self { is_impossible: true, ..Self::default() };
        }
        self.search.is_some() || !self.waiting.is_empty()
    }

    fn try_step(&mut self) -> Result<(), Error> {
        let Some(mut search) = self.search.take() else {
            if let Some(element) = self.waiting.pop_front() {
                self.search = Some(self.begin(element)?);
            }
            return Ok(());
        };
        let (element, found, seen) = (search.element, &mut search.found, &mut search.seen);
        let listed = search.socket.list_some(&mut |message| {
            *seen += 1;
            found.extend(
                conntrack::read(message)
                    .filter(|flow| (element.first()..=element.last()).contains(&flow.source)),
            );
        });
        let is_done = match listed {
            Ok(is_done) => is_done,
            Err(error) if !self.is_unfiltered && is_refusal(&error) => {
                self.is_unfiltered = true;
                self.search = Some(self.begin(element)?);
                return Ok(());
            }
            Err(error) => return Err(failed(error)),
        };
        if is_done || search.found.len() >= MOST_FOUND {
            search.found.truncate(MOST_FOUND);
            return delete(&search.found);
        }
        if search.seen < MOST_SEEN {
            self.search = Some(search);
        }
        Ok(())
    }

    fn begin(&self, element: Element) -> Result<Search, Error> {
        let mut socket = Socket::open(Protocol::Netfilter).map_err(failed)?;
        // Of IPv6 Linux 6.18 lists by source exactly those that are of another.
        let is_only = matches!(element, Element::Host(IpAddr::V4(_))) && !self.is_unfiltered;
        let request = |writer: &mut _, sequence| {
            conntrack::list(writer, sequence, element.first(), is_only);
        };
        socket.begin_list(request).map_err(failed)?;
        Ok(Search { socket, element, found: Vec::new(), seen: 0 })
    }
}

fn is_refusal(error: &netlink::Error) -> bool {
    matches!(error.errno(), Some(libc::EINVAL | libc::EOPNOTSUPP))
}

/// Deletes flows, on a socket where no list is under way. Those that ended meanwhile are no mistake.
fn delete(flows: &[Flow]) -> Result<(), Error> {
    if flows.is_empty() {
        return Ok(());
    }
    let mut socket = Socket::open(Protocol::Netfilter).map_err(failed)?;
    let question = |writer: &mut _, at: usize, sequence| {
        conntrack::delete(writer, sequence, &flows[at]);
    };
    socket.ask_each(flows.len(), question, |_| None::<()>).map_err(failed)?;
    tracing::debug!(flows = flows.len(), "flows of the banned are gone");
    Ok(())
}
