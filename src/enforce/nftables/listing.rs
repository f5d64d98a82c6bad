//! What the kernel's sets hold: all of it, bit by bit, or the elements around some address.

#![forbid(unsafe_code)]

use super::super::backend::{Error, Hit};
use super::super::element::{Element, Held, successor};
use super::super::netlink::message::Message;
use super::super::netlink::nft::{self, Verb};
use super::super::netlink::objects::Element as Raw;
use super::super::netlink::{self, Protocol, Socket};
use super::super::per_family::Counts;
use super::elements;
use super::layout::{KINDS, Kind};
use crate::system::clock;
use crate::value::Time;

/// A listing of all sets of bans, on a socket of its own: whoever gives it up leaves nothing behind
/// that the next answer could be mistaken for.
#[derive(Debug)]
pub(super) struct Listing {
    socket: Socket,
    /// The set that is being read.
    at: usize,
    /// What was read of an interval set; its ends are matched when all is there.
    found: Vec<(Raw, Time)>,
}

/// Reads what a message lists, with the time.
pub(super) fn read(message: &Message<'_>, found: &mut Vec<(Raw, Time)>) {
    if message.kind == Verb::NewElements.kind() {
        // The kernel fills a message when it is received: what it says is left, is left now.
        let now = clock::now();
        found.extend(Raw::read_all(message).map(|raw| (raw, now)));
    }
}

fn failed(source: netlink::Error) -> Error {
    Error::Kernel { what: "list elements", source }
}

impl Listing {
    pub(super) fn begin(table: &str) -> Result<Self, Error> {
        let mut listing = Self {
            socket: Socket::open(Protocol::Netfilter).map_err(failed)?,
            at: 0,
            found: Vec::new(),
        };
        listing.ask(table)?;
        Ok(listing)
    }

    fn ask(&mut self, table: &str) -> Result<(), Error> {
        let Some(kind) = KINDS.get(self.at) else { return Ok(()) };
        let set = Some(kind.name);
        let request = |writer: &mut _, sequence| {
            nft::list(writer, sequence, Verb::GetElements, table, set);
        };
        self.socket.begin_list(request).map_err(failed)
    }

    /// Reads what the kernel tells at a time; says whether that was the end.
    pub(super) fn some(&mut self, table: &str, held: &mut Vec<Held>) -> Result<bool, Error> {
        let Some(kind) = KINDS.get(self.at).copied() else { return Ok(true) };
        let found = &mut self.found;
        let is_done = self.socket.list_some(&mut |message| read(message, found)).map_err(failed)?;
        if !kind.is_interval {
            let hosts = self.found.drain(..).filter(|(raw, _)| raw.is_start);
            held.extend(hosts.map(|(raw, read_at)| elements::single(&raw, read_at)));
        } else if is_done {
            held.extend(elements::pair(kind, &mut self.found)?);
            self.found.clear();
        }
        if is_done {
            self.at += 1;
            self.ask(table)?;
        }
        Ok(self.at == KINDS.len())
    }
}

/// The set that holds elements like this one.
fn kind_of(element: Element) -> Option<Kind> {
    KINDS.into_iter().find(|kind| kind.has(element))
}

/// The elements that hold these single addresses, and the intervals that hold the first addresses of
/// these ranges, if there are such.
pub(super) fn get(
    socket: &mut Socket,
    table: &str,
    elements: &[Element],
) -> Result<Vec<Option<Hit>>, Error> {
    // Of an interval both ends are asked for, each by itself. Where another interval ends right
    // before its first address, the kernel takes that one's end for the answer: it is asked by the
    // second address too, at which no interval of several addresses begins or ends.
    let mut questions = Vec::with_capacity(elements.len());
    for (index, element) in elements.iter().enumerate() {
        let Some(kind) = kind_of(*element) else { continue };
        questions.push((index, kind, Raw::at(element.first())));
        if kind.is_interval {
            for key in [Some(element.first()), successor(element.first())].into_iter().flatten() {
                questions.push((index, kind, Raw { is_start: false, ..Raw::at(key) }));
            }
        }
    }
    let answers = socket
        .ask_each(
            questions.len(),
            |writer, at, sequence| {
                let (_, kind, raw) = questions[at];
                nft::get(writer, sequence, table, kind.name, raw);
            },
            |message| Raw::read_all(message).next(),
        )
        .map_err(|source| Error::Kernel { what: "look an element up", source })?;
    let now = clock::now();
    let mut found = vec![None; elements.len()];
    let mut ends = vec![None; elements.len()];
    for ((index, _, asked), answer) in questions.iter().zip(answers) {
        let start: Option<Raw> = found[*index];
        if asked.is_start {
            found[*index] = answer;
        } else if ends[*index].is_none() {
            ends[*index] = answer.filter(|end| start.is_none_or(|start| end.key > start.key));
        }
    }
    let hits = elements.iter().zip(found.into_iter().zip(ends)).map(|(element, (start, end))| {
        let start = start.filter(|start| start.is_start)?;
        let held = match element {
            Element::Host(_) => Element::Host(start.key),
            Element::Range(..) => elements::interval(&start, end.as_ref())?,
        };
        Some(Hit {
            element: held,
            until: elements::until(&start, now),
            dropped: start.counts.map(|(packets, bytes)| Counts { packets, bytes }),
        })
    });
    Ok(hits.collect())
}
