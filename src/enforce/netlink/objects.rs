//! The objects of nf_tables as the kernel stores them: tables, chains, rules, sets, elements.
//!
//! Each can be written into a request and read from what the kernel tells; which ones there are to
//! be is not known here. Numbers are from `linux/netfilter/nf_tables.h`.

#![forbid(unsafe_code)]

use std::net::IpAddr;

use super::expression::{self, Expression};
use super::message::{Attribute, Attributes, Message, Writer};

/// Length of `struct nfgenmsg`.
const FIXED: usize = 4;
/// `NFTA_LIST_ELEM`.
pub(crate) const LIST_ELEMENT: u16 = 1;
/// `NFT_TABLE_F_DORMANT`: the chains are not hooked.
pub(crate) const TABLE_DORMANT: u32 = 1;
/// `NFT_TABLE_F_OWNER`: only the socket that made it may change it.
pub(crate) const TABLE_OWNER: u32 = 2;
/// `NFT_TABLE_F_PERSIST`: it outlives its owner.
pub(crate) const TABLE_PERSIST: u32 = 4;
/// `NFT_SET_INTERVAL`.
pub(crate) const SET_INTERVAL: u32 = 0x4;
/// `NFT_SET_TIMEOUT`.
pub(crate) const SET_TIMEOUT: u32 = 0x10;
/// `NFT_SET_EXPR`: each element has an expression of its own.
pub(crate) const SET_EXPRESSION: u32 = 0x100;
/// `NFT_SET_ELEM_INTERVAL_END`.
const ELEMENT_END: u32 = 1;

fn find<'a>(message: &Message<'a>, kind: u16) -> Option<Attribute<'a>> {
    message.attributes(FIXED).find(|attribute| attribute.kind == kind)
}

/// The table that a message names, whatever it is about: it is attribute 1 of all kinds.
pub(crate) fn table_of<'a>(message: &Message<'a>) -> Option<&'a [u8]> {
    find(message, 1).map(|attribute| attribute.text_bytes())
}

/// The flags of the table that a message tells about.
pub(crate) fn table_flags(message: &Message<'_>) -> Option<u32> {
    find(message, 2)?.be32()
}

/// A chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chain {
    /// Its name.
    pub(crate) name: String,
    /// Where it is hooked in; `None` when it is not a base chain.
    pub(crate) hook: Option<Hook>,
}

/// Where a base chain is hooked in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hook {
    /// `filter` here.
    pub(crate) kind: String,
    /// `enum nf_inet_hooks`.
    pub(crate) number: u32,
    /// Lower comes first.
    pub(crate) priority: i32,
    /// 1 accepts what no rule decided.
    pub(crate) policy: u32,
}

impl Chain {
    /// Reads a message that tells about a chain.
    pub(crate) fn read(message: &Message<'_>) -> Option<Self> {
        let name = find(message, 3)?.text();
        let hook = (|| {
            let mut number = None;
            let mut priority = None;
            for attribute in find(message, 4)?.nested() {
                match attribute.kind {
                    1 => number = attribute.be32(),
                    2 => priority = attribute.payload.try_into().ok().map(i32::from_be_bytes),
                    _ => {}
                }
            }
            Some(Hook {
                kind: find(message, 7)?.text(),
                number: number?,
                priority: priority?,
                policy: find(message, 5)?.be32()?,
            })
        })();
        Some(Self { name, hook })
    }
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// The chain it is in.
    pub(crate) chain: String,
    /// What it does, in order.
    pub(crate) expressions: Vec<Expression>,
}

impl Rule {
    /// Reads a message that tells about a rule.
    pub(crate) fn read(message: &Message<'_>) -> Option<Self> {
        let expressions = find(message, 4)?.nested().map(|e| expression::read(e.nested()));
        Some(Self { chain: find(message, 2)?.text(), expressions: expressions.collect() })
    }
}

/// A set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Set {
    /// Its name.
    pub(crate) name: String,
    /// `enum nft_set_flags`.
    pub(crate) flags: u32,
    /// The number that `nft` knows the key's type by: it is shown by it, the kernel ignores it.
    pub(crate) key_kind: u32,
    /// Bytes of a key.
    pub(crate) key_length: u32,
    /// Whether each element counts the packets that match it; goes with [`SET_EXPRESSION`].
    pub(crate) is_counting: bool,
}

impl Set {
    /// Reads a message that tells about a set.
    pub(crate) fn read(message: &Message<'_>) -> Option<Self> {
        Some(Self {
            name: find(message, 2)?.text(),
            flags: find(message, 3)?.be32()?,
            key_kind: find(message, 4)?.be32()?,
            key_length: find(message, 5)?.be32()?,
            is_counting: find(message, 17).is_some_and(|set| counts(set.nested()).is_some()),
        })
    }
}

/// An element of a set of addresses.
///
/// An interval is two elements: its first address, which carries the time, and the address behind
/// its last with `is_end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Element {
    /// The address.
    pub(crate) key: IpAddr,
    /// Whether an interval ends before it, in place of one that starts at it.
    // Invariant: the order of the fields puts a start behind an end at the same address.
    pub(crate) is_start: bool,
    /// Milliseconds: to live when written, left when read; `None` lives for ever.
    pub(crate) milliseconds: Option<u64>,
    /// Packets and bytes, where the set counts them; only read.
    pub(crate) counts: Option<(u64, u64)>,
}

/// What a counter in these attributes of an expression counted.
fn counts(attributes: Attributes<'_>) -> Option<(u64, u64)> {
    match expression::read(attributes) {
        Expression::Counter { packets, bytes } => Some((packets, bytes)),
        _ => None,
    }
}

impl Element {
    /// The start of an element at this address, which says nothing of its time.
    pub(crate) fn at(key: IpAddr) -> Self {
        Self { key, is_start: true, milliseconds: None, counts: None }
    }

    /// Writes it as an item of a list of elements.
    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.nest(1, |writer| match self.key {
            IpAddr::V4(address) => writer.attribute(1, &address.octets()),
            IpAddr::V6(address) => writer.attribute(1, &address.octets()),
        });
        if !self.is_start {
            writer.be32(3, ELEMENT_END);
        }
        if let Some(milliseconds) = self.milliseconds {
            writer.be64(4, milliseconds);
        }
    }

    /// Reads the elements in a message; those whose key is not an address are left out.
    pub(crate) fn read_all<'a>(message: &Message<'a>) -> impl Iterator<Item = Self> + use<'a> {
        let list = find(message, 3).map(|list| list.nested());
        list.into_iter().flatten().filter_map(|element| {
            let mut read = (None, true, None, None);
            for attribute in element.nested() {
                match attribute.kind {
                    1 => {
                        let value = attribute.nested().find(|value| value.kind == 1)?.payload;
                        read.0 = match value.len() {
                            4 => Some(IpAddr::from(*value.first_chunk::<4>()?)),
                            16 => Some(IpAddr::from(*value.first_chunk::<16>()?)),
                            _ => None,
                        };
                    }
                    3 => read.1 = attribute.be32()? & ELEMENT_END == 0,
                    5 => read.2 = attribute.be64(),
                    7 => read.3 = counts(attribute.nested()).or(read.3),
                    11 => {
                        for item in attribute.nested() {
                            read.3 = counts(item.nested()).or(read.3);
                        }
                    }
                    _ => {}
                }
            }
            let (key, is_start, milliseconds, counts) = read;
            Some(Self { key: key?, is_start, milliseconds, counts })
        })
    }
}
