//! Expressions that ask nothing but which address a field holds.
//!
//! `"ip" in evt.Meta && not (IsIPV6(evt.Meta.ip) || IpInRange(evt.Meta.ip, "10.0.0.0/8"))` is true
//! for some texts of one field and false for all others. Whatever such an expression joins, negates
//! or gives a name to, it is a set of addresses and an answer for each text that is none. The set
//! is made when the expression is compiled: then one look finds what a walk through it would.

use std::net::IpAddr;

use ipnet::IpNet;

use super::functions::address;
use super::node::{CallNode, Literal, Node, Test};
use crate::value::{Ranges, Slot, merged};

/// For which texts of a field an expression is true.
pub(super) struct Addresses {
    slot: Slot,
    others: Others,
    ranges: Ranges,
}

/// The answers for what is no address.
#[derive(Clone, Copy)]
struct Others {
    /// For a field that was never set.
    unset: bool,
    /// For the empty text.
    empty: bool,
    /// For any other text.
    text: bool,
}

/// The same, as it is put together.
#[derive(Clone)]
struct Set {
    slot: Slot,
    others: Others,
    v4: Pairs,
    v6: Pairs,
    /// Whether a text must be read for it.
    asks: bool,
}

/// First and last addresses, in order; none overlaps the next.
type Pairs = Vec<(u128, u128)>;

const LAST_V4: u128 = u32::MAX as u128;
const LAST_V6: u128 = u128::MAX;

const NO_OTHERS: Others = Others { unset: false, empty: false, text: false };

impl Addresses {
    /// Those of an expression, if it asks for nothing else, and for an address at all.
    pub(super) fn of(node: &Node) -> Option<Self> {
        let Set { slot, others, v4, v6, asks } = Set::of(node, &mut Vec::new())?;
        if !asks {
            return None;
        }
        let v4 = v4.into_iter().filter_map(|(first, last)| {
            Some((u32::try_from(first).ok()?, u32::try_from(last).ok()?))
        });
        Some(Self { slot, others, ranges: Ranges::of_pairs(v4.collect(), v6) })
    }

    /// The field.
    #[inline]
    pub(super) fn slot(&self) -> Slot {
        self.slot
    }

    /// Whether the expression is true for this text of the field; `None` when it was never set.
    pub(super) fn contain(&self, text: Option<&str>) -> bool {
        match text {
            None => self.others.unset,
            Some("") => self.others.empty,
            Some(text) => match address::address(text) {
                Some(address) => self.ranges.contain(address),
                None => self.others.text,
            },
        }
    }
}

impl Set {
    /// The set of a part of an expression, where locals stand for known ones.
    fn of(node: &Node, locals: &mut Vec<(usize, Self)>) -> Option<Self> {
        match node {
            Node::Present(slot, negated) => {
                let all = Self::of_addresses(*slot, true, true);
                let others = Others { unset: false, empty: true, text: true };
                Some(Self { others, ..all }.negated_if(*negated))
            }
            Node::SlotTest(slot, negated, test) => match &**test {
                Test::Is(text) if text.is_empty() => {
                    let others = Others { unset: true, empty: true, text: false };
                    let none = Self::of_addresses(*slot, false, false);
                    Some(Self { others, ..none }.negated_if(*negated))
                }
                _ => None,
            },
            Node::Call(call) if call.total => Self::of_call(call),
            Node::Local(local) => {
                locals.iter().find(|(known, _)| known == local).map(|(_, set)| set.clone())
            }
            Node::Not(clause) => Some(Self::of(&clause.node, locals)?.negated_if(true)),
            // Not any of those that are not.
            Node::All(clauses) => {
                let sets = clauses.iter().map(|clause| Self::of(&clause.node, locals));
                let sets: Option<Vec<Self>> = sets.map(|set| Some(set?.negated_if(true))).collect();
                Some(Self::joined(sets?)?.negated_if(true))
            }
            Node::Any(any) => {
                let sets = any.clauses.iter().map(|clause| Self::of(&clause.node, locals));
                Self::joined(sets.collect::<Option<_>>()?)
            }
            Node::Block(block) if block.harmless => {
                for (local, value) in &block.statements {
                    let set = Self::of(value, locals)?;
                    locals.push(((*local)?, set));
                }
                Self::of(&block.value.node, locals)
            }
            _ => None,
        }
    }

    fn of_call(call: &CallNode) -> Option<Self> {
        let Some(Node::Slot(slot)) = call.arguments.first() else { return None };
        let set = match (call.function.name, &call.known) {
            ("IsIP", _) => Self::of_addresses(*slot, true, true),
            ("IsIPV4", _) => Self::of_addresses(*slot, true, false),
            ("IsIPV6", _) => Self::of_addresses(*slot, false, true),
            ("IpInRange", Literal::Range(range)) => {
                let none = Self::of_addresses(*slot, false, false);
                let pairs = vec![(number(range.network()), number(range.broadcast()))];
                match range {
                    IpNet::V4(_) => Self { v4: pairs, ..none },
                    IpNet::V6(_) => Self { v6: pairs, ..none },
                }
            }
            _ => return None,
        };
        Some(Self { asks: true, ..set })
    }

    /// All addresses of the versions that are asked for, and nothing else.
    fn of_addresses(slot: Slot, v4: bool, v6: bool) -> Self {
        let all = |wanted: bool, last| if wanted { vec![(0, last)] } else { Vec::new() };
        let (v4, v6) = (all(v4, LAST_V4), all(v6, LAST_V6));
        Self { slot, others: NO_OTHERS, v4, v6, asks: false }
    }

    fn negated_if(self, negated: bool) -> Self {
        if !negated {
            return self;
        }
        let Others { unset, empty, text } = self.others;
        let others = Others { unset: !unset, empty: !empty, text: !text };
        let (v4, v6) = (gaps(&self.v4, LAST_V4), gaps(&self.v6, LAST_V6));
        Self { others, v4, v6, ..self }
    }

    /// What is in one of them, if all are about the same field.
    fn joined(sets: Vec<Self>) -> Option<Self> {
        let slot = sets.first()?.slot;
        let mut all = Self::of_addresses(slot, false, false);
        for set in sets {
            if set.slot != slot {
                return None;
            }
            all.others.unset |= set.others.unset;
            all.others.empty |= set.others.empty;
            all.others.text |= set.others.text;
            all.asks |= set.asks;
            all.v4.extend(set.v4);
            all.v6.extend(set.v6);
        }
        (all.v4, all.v6) = (merged(all.v4), merged(all.v6));
        Some(all)
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}

/// What lies between the pairs, up to the last address of all.
fn gaps(pairs: &Pairs, last_of_all: u128) -> Pairs {
    let mut gaps = Vec::with_capacity(pairs.len() + 1);
    let mut from = Some(0);
    for (first, last) in pairs {
        if let Some(from) = from
            && from < *first
        {
            gaps.push((from, first - 1));
        }
        from = last.checked_add(1);
    }
    if let Some(from) = from
        && from <= last_of_all
    {
        gaps.push((from, last_of_all));
    }
    gaps
}
