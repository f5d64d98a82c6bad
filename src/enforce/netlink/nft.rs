//! Requests to nf_tables: to make, change and list objects, and the batches that requests go in.
//!
//! Only what the backend needs is known here. What the objects are made of is in
//! [`super::objects`]. Numbers are from `linux/netfilter/nf_tables.h`.

#![forbid(unsafe_code)]

use super::expression::Expression;
use super::message::{ACK, APPEND, CREATE, DUMP, REQUEST, Writer};
use super::objects::{Chain, Element, LIST_ELEMENT, Rule, Set};

/// `NFNL_SUBSYS_NFTABLES`.
const SUBSYSTEM: u16 = 10;
/// `NFPROTO_INET`: both IP families in one table.
const INET: u8 = 1;

const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;

/// What to do, or what was done: `enum nf_tables_msg_types`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Verb {
    NewTable = 0,
    GetTable = 1,
    DeleteTable = 2,
    NewChain = 3,
    GetChain = 4,
    DeleteChain = 5,
    NewRule = 6,
    GetRule = 7,
    DeleteRule = 8,
    NewSet = 9,
    GetSet = 10,
    NewElements = 12,
    GetElements = 13,
    DeleteElements = 14,
    GetGeneration = 16,
    /// Since Linux 6.3: as delete, but what is absent is no error.
    DestroyElements = 30,
}

impl Verb {
    /// The message kind.
    pub(crate) const fn kind(self) -> u16 {
        (SUBSYSTEM << 8) | self as u16
    }
}

/// Whether a message is of nf_tables.
pub(crate) const fn is_nft(kind: u16) -> bool {
    kind >> 8 == SUBSYSTEM
}

/// Messages that are carried out together or not at all.
#[derive(Debug)]
pub(crate) struct Batch {
    writer: Writer,
    first: u32,
    next: u32,
    last: Option<usize>,
}

impl Batch {
    /// An empty batch whose messages are numbered from `first`.
    pub(crate) fn new(first: u32) -> Self {
        let mut batch = Self { writer: Writer::default(), first, next: first, last: None };
        batch.bound(BATCH_BEGIN);
        batch
    }

    fn bound(&mut self, kind: u16) {
        let [high, low] = SUBSYSTEM.to_be_bytes();
        self.writer.message(kind, REQUEST, self.next, |w| w.raw(&[0, 0, high, low]));
        self.next = self.next.wrapping_add(1);
    }

    /// Adds a message.
    pub(crate) fn push(&mut self, verb: Verb, flags: u16, fill: impl FnOnce(&mut Writer)) {
        let start = self.writer.message(verb.kind(), REQUEST | flags, self.next, |writer| {
            writer.raw(&[INET, 0, 0, 0]);
            fill(writer);
        });
        self.last = Some(start);
        self.next = self.next.wrapping_add(1);
    }

    /// Whether there is nothing to do.
    pub(crate) fn is_empty(&self) -> bool {
        self.last.is_none()
    }

    /// Bytes so far.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.writer.bytes().len()
    }

    /// The finished bytes, and the number of the message that the kernel acknowledges.
    ///
    /// The acknowledgement is asked for on the last message and not on the batch's end, which
    /// older kernels do not acknowledge.
    pub(crate) fn finish(mut self) -> Finished {
        let acknowledged = self.next.wrapping_sub(1);
        if let Some(last) = self.last {
            self.writer.add_flags(last, ACK);
        }
        self.bound(BATCH_END);
        Finished { writer: self.writer, first: self.first, acknowledged }
    }

    /// Makes the table, or changes its flags.
    pub(crate) fn new_table(&mut self, name: &str, flags: u32) {
        self.push(Verb::NewTable, CREATE, |writer| {
            writer.text(1, name);
            writer.be32(2, flags);
        });
    }

    /// Deletes the table and all that is in it.
    pub(crate) fn delete_table(&mut self, name: &str) {
        self.push(Verb::DeleteTable, 0, |writer| writer.text(1, name));
    }

    /// Makes a base chain.
    pub(crate) fn new_chain(&mut self, table: &str, chain: &Chain) {
        self.push(Verb::NewChain, CREATE, |writer| {
            writer.text(1, table);
            writer.text(3, &chain.name);
            if let Some(hook) = &chain.hook {
                writer.nest(4, |writer| {
                    writer.be32(1, hook.number);
                    writer.attribute(2, &hook.priority.to_be_bytes());
                });
                writer.be32(5, hook.policy);
                writer.text(7, &hook.kind);
            }
        });
    }

    /// Deletes a chain, which must be empty by then.
    pub(crate) fn delete_chain(&mut self, table: &str, chain: &str) {
        self.push(Verb::DeleteChain, 0, |writer| {
            writer.text(1, table);
            writer.text(3, chain);
        });
    }

    /// Adds a rule at the end of a chain.
    pub(crate) fn new_rule(&mut self, table: &str, rule: &Rule) {
        self.push(Verb::NewRule, CREATE | APPEND, |writer| {
            writer.text(1, table);
            writer.text(2, &rule.chain);
            writer.nest(4, |writer| {
                for expression in &rule.expressions {
                    writer.nest(LIST_ELEMENT, |writer| expression.write(writer));
                }
            });
        });
    }

    /// Deletes all rules of a chain.
    pub(crate) fn flush_chain(&mut self, table: &str, chain: &str) {
        self.push(Verb::DeleteRule, 0, |writer| {
            writer.text(1, table);
            writer.text(2, chain);
        });
    }

    /// Makes a set; `id` is a number of the caller's choice, distinct in the batch.
    pub(crate) fn new_set(&mut self, table: &str, set: &Set, id: u32) {
        self.push(Verb::NewSet, CREATE, |writer| {
            writer.text(1, table);
            writer.text(2, &set.name);
            writer.be32(3, set.flags);
            writer.be32(4, set.key_kind);
            writer.be32(5, set.key_length);
            writer.be32(10, id);
            if set.is_counting {
                let counter = Expression::Counter { packets: 0, bytes: 0 };
                writer.nest(17, |writer| counter.write(writer));
            }
        });
    }

    /// Adds, deletes or destroys elements of a set. No elements with
    /// [`Verb::DeleteElements`] empties the set.
    pub(crate) fn elements(&mut self, verb: Verb, table: &str, set: &str, elements: &[Element]) {
        let flags = if verb == Verb::NewElements { CREATE } else { 0 };
        self.push(verb, flags, |writer| {
            writer.text(1, table);
            writer.text(2, set);
            if !elements.is_empty() {
                writer.nest(3, |writer| {
                    for element in elements {
                        writer.nest(LIST_ELEMENT, |writer| element.write(writer));
                    }
                });
            }
        });
    }
}

/// A batch ready to be sent.
#[derive(Debug)]
pub(crate) struct Finished {
    writer: Writer,
    first: u32,
    acknowledged: u32,
}

impl Finished {
    /// What to send.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.writer.bytes()
    }

    /// The number of the message that is acknowledged.
    pub(crate) fn acknowledged(&self) -> u32 {
        self.acknowledged
    }

    /// Whether an answer with this number answers this batch.
    pub(crate) fn covers(&self, sequence: u32) -> bool {
        sequence.wrapping_sub(self.first) <= self.end().wrapping_sub(self.first)
    }

    /// The number of the batch's end.
    pub(crate) fn end(&self) -> u32 {
        self.acknowledged.wrapping_add(1)
    }
}

/// Writes the request that lists all tables, chains, rules or sets of the family, or, with a set,
/// its elements.
pub(crate) fn list(writer: &mut Writer, sequence: u32, verb: Verb, table: &str, set: Option<&str>) {
    writer.message(verb.kind(), REQUEST | DUMP, sequence, |writer| {
        writer.raw(&[INET, 0, 0, 0]);
        // Listing tables takes no filter; elsewhere the table is attribute 1.
        if verb != Verb::GetTable {
            writer.text(1, table);
        }
        if let Some(set) = set {
            writer.text(2, set);
        }
    });
}

/// Writes the request for one element, which is acknowledged: the one that has this key or, in a set
/// of intervals, the one that starts (or ends, as the element says) the interval with this address.
/// An interval without an end has an acknowledgement only.
pub(crate) fn get(writer: &mut Writer, sequence: u32, table: &str, set: &str, element: Element) {
    writer.message(Verb::GetElements.kind(), REQUEST | ACK, sequence, |writer| {
        writer.raw(&[INET, 0, 0, 0]);
        writer.text(1, table);
        writer.text(2, set);
        writer.nest(3, |writer| {
            writer.nest(LIST_ELEMENT, |writer| element.write(writer));
        });
    });
}

/// Writes the request for the ruleset's generation, the cheapest question there is.
pub(crate) fn generation(writer: &mut Writer, sequence: u32) {
    writer.message(Verb::GetGeneration.kind(), REQUEST | ACK, sequence, |w| w.raw(&[0, 0, 0, 0]));
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use std::net::IpAddr;

    use super::super::message::messages;
    use super::super::objects::{Hook, SET_TIMEOUT, TABLE_OWNER, table_flags, table_of};
    use super::*;

    fn address() -> impl Strategy<Value = IpAddr> {
        prop_oneof![
            any::<[u8; 4]>().prop_map(IpAddr::from),
            any::<[u8; 16]>().prop_map(IpAddr::from)
        ]
    }

    fn read_everything(bytes: &[u8]) {
        for message in messages(bytes) {
            let _ = (table_of(&message), table_flags(&message), Chain::read(&message));
            let _ =
                (Rule::read(&message), Set::read(&message), Element::read_all(&message).count());
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(payload in vec(any::<u8>(), 0..300)) {
            let mut writer = Writer::default();
            writer.message(Verb::NewRule.kind(), 0, 0, |writer| writer.raw(&payload));
            read_everything(writer.bytes());
            read_everything(&payload);
        }

        #[test]
        fn a_damaged_message_does_not_panic(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut batch = Batch::new(1);
            let element = Element { key: IpAddr::from([1, 2, 3, 4]), is_start: false, milliseconds: Some(9), counts: None };
            batch.elements(Verb::NewElements, "weir", "ban4", &[element; 3]);
            let mut bytes = batch.finish().bytes().to_vec();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            read_everything(&bytes);
        }

        #[test]
        fn elements_are_read_as_written(keys in vec((address(), any::<bool>()), 0..40)) {
            let elements: Vec<_> = keys
                .into_iter()
                .map(|(key, is_start)| Element { key, is_start, milliseconds: None, counts: None })
                .collect();
            let mut batch = Batch::new(u32::MAX);
            batch.elements(Verb::NewElements, "weir", "ban4", &elements);
            let batch = batch.finish();
            let message = messages(batch.bytes()).nth(1).expect("the message");
            prop_assert_eq!(Element::read_all(&message).collect::<Vec<_>>(), elements);
            prop_assert_eq!(table_of(&message), Some(&b"weir"[..]));
            prop_assert_eq!(message.sequence, batch.acknowledged());
            prop_assert!(batch.covers(u32::MAX) && batch.covers(0) && batch.covers(1));
            prop_assert!(!batch.covers(2) && !batch.covers(u32::MAX - 1));
        }
    }

    #[test]
    fn chains_and_sets_are_read_as_written() {
        let hook = Hook { kind: "filter".into(), number: 1, priority: -10, policy: 1 };
        let chain = Chain { name: "input".into(), hook: Some(hook) };
        let set = |is_counting| Set {
            name: "ban4".into(),
            flags: SET_TIMEOUT,
            key_kind: 7,
            key_length: 4,
            is_counting,
        };
        let mut batch = Batch::new(5);
        assert!(batch.is_empty());
        batch.new_chain("weir", &chain);
        batch.new_set("weir", &set(false), 1);
        batch.new_set("weir", &set(true), 2);
        batch.new_table("weir", TABLE_OWNER);
        assert!(!batch.is_empty() && batch.len() > 100);
        let batch = batch.finish();
        let read: Vec<_> = messages(batch.bytes()).collect();
        let [begin, first, second, counting, third, end] = read[..] else { panic!("six messages") };
        assert_eq!((begin.kind, end.kind), (BATCH_BEGIN, BATCH_END));
        assert_eq!(Chain::read(&first), Some(chain));
        assert_eq!(Set::read(&second), Some(set(false)));
        assert_eq!(Set::read(&counting), Some(set(true)));
        assert_eq!(table_flags(&third), Some(TABLE_OWNER));
        assert_eq!(third.flags, REQUEST | CREATE | ACK);
        assert_eq!(first.flags, REQUEST | CREATE);
    }
}
