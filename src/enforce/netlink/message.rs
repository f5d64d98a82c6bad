//! The bytes of netlink: messages and their attributes, written and read.
//!
//! Pure: no socket, no meaning. Reading never panics and never loops on any bytes; what cannot be
//! read as a message or attribute ends the iteration, and a caller that misses something it needs
//! says so.
//!
//! ```text
//!  0       4     6      8          12     16
//!  │length │kind │flags │sequence  │port  │payload ... padded to 4
//!
//!  0     2     4
//!  │len  │kind │payload ... padded to 4         an attribute; kinds may carry the bit NESTED
//! ```

#![forbid(unsafe_code)]

/// Length of a message's header.
pub(crate) const HEADER: usize = 16;
const ATTRIBUTE_HEADER: usize = 4;
/// `NLA_F_NESTED`.
const NESTED: u16 = 0x8000;
/// `NLA_TYPE_MASK`: without `NLA_F_NESTED` and `NLA_F_NET_BYTEORDER`.
const KIND_MASK: u16 = 0x3fff;

/// `NLM_F_REQUEST`.
pub(crate) const REQUEST: u16 = 0x01;
/// `NLM_F_ACK`.
pub(crate) const ACK: u16 = 0x04;
/// `NLM_F_DUMP_INTR`: the dumped state changed meanwhile.
pub(crate) const DUMP_INTERRUPTED: u16 = 0x10;
/// `NLM_F_DUMP`: `NLM_F_ROOT | NLM_F_MATCH`.
pub(crate) const DUMP: u16 = 0x300;
/// `NLM_F_CREATE`.
pub(crate) const CREATE: u16 = 0x400;
/// `NLM_F_APPEND`.
pub(crate) const APPEND: u16 = 0x800;
/// `NLM_F_CAPPED`, in an answer: the request is echoed as a header only.
const CAPPED: u16 = 0x100;
/// `NLM_F_ACK_TLVS`, in an answer: attributes explain it.
const EXPLAINED: u16 = 0x200;

/// `NLMSG_ERROR`: an acknowledgement, good or bad.
pub(crate) const ERROR: u16 = 2;
/// `NLMSG_DONE`: the end of a dump.
pub(crate) const DONE: u16 = 3;
/// `NLMSG_OVERRUN`: data lost.
pub(crate) const OVERRUN: u16 = 4;

const fn padded(length: usize) -> usize {
    length.div_ceil(4) * 4
}

/// Messages being written, one behind the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// All that was written.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Adds a message whose payload `fill` writes; returns where it starts.
    pub(crate) fn message(
        &mut self,
        kind: u16,
        flags: u16,
        sequence: u32,
        fill: impl FnOnce(&mut Self),
    ) -> usize {
        let start = self.bytes.len();
        self.bytes.extend([0; 4]);
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend(flags.to_ne_bytes());
        self.bytes.extend(sequence.to_ne_bytes());
        // The kernel fills in the sender's port.
        self.bytes.extend([0; 4]);
        fill(self);
        let length = u32::try_from(self.bytes.len() - start)
            .expect("batches are cut long before a message has 4 GiB");
        self.bytes[start..start + 4].copy_from_slice(&length.to_ne_bytes());
        self.pad();
        start
    }

    /// Sets further flags of the message that starts at `start`.
    pub(crate) fn add_flags(&mut self, start: usize, flags: u16) {
        let at = start + 6;
        let present = u16::from_ne_bytes([self.bytes[at], self.bytes[at + 1]]);
        self.bytes[at..at + 2].copy_from_slice(&(present | flags).to_ne_bytes());
    }

    /// Adds bytes that are not an attribute: the fixed header of a message family.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
        self.pad();
    }

    /// Adds an attribute.
    pub(crate) fn attribute(&mut self, kind: u16, payload: &[u8]) {
        self.enclose(kind, |writer| writer.bytes.extend(payload));
    }

    /// Adds an attribute of text with the closing NUL that the kernel expects.
    pub(crate) fn text(&mut self, kind: u16, text: &str) {
        self.enclose(kind, |writer| {
            writer.bytes.extend(text.as_bytes());
            writer.bytes.push(0);
        });
    }

    /// Adds a 32-bit number in network order, as all of netfilter's numbers are.
    pub(crate) fn be32(&mut self, kind: u16, number: u32) {
        self.attribute(kind, &number.to_be_bytes());
    }

    /// Adds a 64-bit number in network order.
    pub(crate) fn be64(&mut self, kind: u16, number: u64) {
        self.attribute(kind, &number.to_be_bytes());
    }

    /// Adds an attribute made of the attributes that `fill` writes.
    pub(crate) fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) {
        self.enclose(kind | NESTED, fill);
    }

    fn enclose(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) {
        let start = self.bytes.len();
        self.bytes.extend([0; 2]);
        self.bytes.extend(kind.to_ne_bytes());
        fill(self);
        let length = u16::try_from(self.bytes.len() - start)
            .expect("callers cut lists so that an attribute stays below 64 KiB");
        self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(padded(self.bytes.len()), 0);
    }
}

/// One message, borrowed from what was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    /// The kind: of netlink itself below 16, of the message family above.
    pub(crate) kind: u16,
    /// Flags.
    pub(crate) flags: u16,
    /// The request's number, in an answer.
    pub(crate) sequence: u32,
    /// The port of the socket whose request made it.
    pub(crate) port: u32,
    /// What follows the header.
    pub(crate) payload: &'a [u8],
}

impl<'a> Message<'a> {
    /// The attributes that follow a fixed header of `skip` bytes.
    pub(crate) fn attributes(&self, skip: usize) -> Attributes<'a> {
        attributes(self.payload.get(padded(skip)..).unwrap_or_default())
    }

    /// What an [`ERROR`] or [`DONE`] message says: 0 or a positive errno, and the kernel's words.
    pub(crate) fn verdict(&self) -> Option<Verdict> {
        let code = i32::from_ne_bytes(*self.payload.first_chunk::<4>()?);
        let mut at = 4;
        if self.kind == ERROR {
            let echoed = self.payload.get(4..8)?.first_chunk::<4>()?;
            let echoed = usize::try_from(u32::from_ne_bytes(*echoed)).ok()?;
            let length = if self.flags & CAPPED != 0 { HEADER } else { echoed.max(HEADER) };
            at = padded(length.saturating_add(at));
        }
        let words = (self.flags & EXPLAINED != 0)
            .then(|| self.payload.get(at..))
            .flatten()
            .and_then(|rest| attributes(rest).find(|attribute| attribute.kind == 1))
            .map(|attribute| attribute.text());
        Some(Verdict { errno: code.checked_neg().unwrap_or(i32::MAX), words })
    }
}

/// The kernel's answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// 0 for success.
    pub(crate) errno: i32,
    /// The extended acknowledgement's message.
    pub(crate) words: Option<String>,
}

/// The messages in `bytes`.
pub(crate) fn messages(bytes: &[u8]) -> Messages<'_> {
    Messages { rest: bytes }
}

/// Iterator of [`messages`].
#[derive(Clone, Debug)]
pub(crate) struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let header = self.rest.first_chunk::<HEADER>()?;
        let [l0, l1, l2, l3, k0, k1, f0, f1, s0, s1, s2, s3, p0, p1, p2, p3] = *header;
        let length = usize::try_from(u32::from_ne_bytes([l0, l1, l2, l3])).ok()?;
        let payload = self.rest.get(HEADER..length)?;
        self.rest = self.rest.get(padded(length)..).unwrap_or_default();
        Some(Message {
            kind: u16::from_ne_bytes([k0, k1]),
            flags: u16::from_ne_bytes([f0, f1]),
            sequence: u32::from_ne_bytes([s0, s1, s2, s3]),
            port: u32::from_ne_bytes([p0, p1, p2, p3]),
            payload,
        })
    }
}

/// One attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attribute<'a> {
    /// The kind, without flag bits.
    pub(crate) kind: u16,
    /// The payload, without padding.
    pub(crate) payload: &'a [u8],
}

impl<'a> Attribute<'a> {
    /// The attributes it is made of.
    pub(crate) fn nested(&self) -> Attributes<'a> {
        attributes(self.payload)
    }

    /// A 32-bit number in network order.
    pub(crate) fn be32(&self) -> Option<u32> {
        self.payload.try_into().ok().map(u32::from_be_bytes)
    }

    /// A 64-bit number in network order.
    pub(crate) fn be64(&self) -> Option<u64> {
        self.payload.try_into().ok().map(u64::from_be_bytes)
    }

    /// The bytes of text up to its NUL.
    pub(crate) fn text_bytes(&self) -> &'a [u8] {
        self.payload.split(|byte| *byte == 0).next().unwrap_or_default()
    }

    /// Text up to its NUL; bytes that are not UTF-8 are replaced.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(self.text_bytes()).into_owned()
    }
}

/// The attributes in `bytes`.
pub(crate) fn attributes(bytes: &[u8]) -> Attributes<'_> {
    Attributes { rest: bytes }
}

/// Iterator of [`attributes`].
#[derive(Clone, Debug)]
pub(crate) struct Attributes<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        let [l0, l1, k0, k1] = *self.rest.first_chunk::<ATTRIBUTE_HEADER>()?;
        let length = usize::from(u16::from_ne_bytes([l0, l1]));
        let payload = self.rest.get(ATTRIBUTE_HEADER..length)?;
        self.rest = self.rest.get(padded(length)..).unwrap_or_default();
        Some(Attribute { kind: u16::from_ne_bytes([k0, k1]) & KIND_MASK, payload })
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Walks everything that can be walked in some bytes, as deep as it goes.
    fn walk(bytes: &[u8], depth: usize) -> usize {
        let mut seen = 0;
        for attribute in attributes(bytes) {
            seen += 1;
            let _ = (attribute.be32(), attribute.be64(), attribute.text());
            if depth > 0 {
                seen += walk(attribute.payload, depth - 1);
            }
        }
        seen
    }

    #[derive(Clone, Debug)]
    enum Tree {
        Leaf(u16, Vec<u8>),
        Nest(u16, Vec<Tree>),
    }

    fn tree() -> impl Strategy<Value = Tree> {
        let leaf = (0..0x3fff_u16, vec(any::<u8>(), 0..9))
            .prop_map(|(kind, bytes)| Tree::Leaf(kind, bytes));
        leaf.prop_recursive(3, 24, 4, |inner| {
            (0..0x3fff_u16, vec(inner, 0..4)).prop_map(|(kind, inner)| Tree::Nest(kind, inner))
        })
    }

    fn write(writer: &mut Writer, tree: &Tree) {
        match tree {
            Tree::Leaf(kind, bytes) => writer.attribute(*kind, bytes),
            Tree::Nest(kind, inner) => writer.nest(*kind, |writer| {
                for tree in inner {
                    write(writer, tree);
                }
            }),
        }
    }

    #[track_caller]
    fn same(mut read: Attributes<'_>, written: &[Tree]) {
        for tree in written {
            let attribute = read.next().expect("an attribute is missing");
            match tree {
                Tree::Leaf(kind, bytes) => {
                    assert_eq!((attribute.kind, attribute.payload), (*kind, &bytes[..]));
                }
                Tree::Nest(kind, inner) => {
                    assert_eq!(attribute.kind, *kind);
                    same(attribute.nested(), inner);
                }
            }
        }
        assert_eq!(read.next(), None);
    }

    proptest! {
        #[test]
        fn reading_never_panics_and_ends(bytes in vec(any::<u8>(), 0..400)) {
            let mut seen = 0;
            for message in messages(&bytes) {
                seen += 1;
                let _ = message.verdict();
                for skip in [0, 3, 4, 12, 1000] {
                    let _ = message.attributes(skip).count();
                }
            }
            prop_assert!(seen <= bytes.len());
            prop_assert!(walk(&bytes, 4) <= bytes.len() * 5);
        }

        #[test]
        fn what_is_written_is_read(
            trees in vec(vec(tree(), 0..4), 1..4),
            kind in any::<u16>(),
            sequence in any::<u32>(),
        ) {
            let mut writer = Writer::default();
            for trees in &trees {
                let start = writer.message(kind, REQUEST, sequence, |writer| {
                    writer.raw(&[1, 2, 3]);
                    for tree in trees {
                        write(writer, tree);
                    }
                });
                writer.add_flags(start, ACK);
            }
            let mut read = messages(writer.bytes());
            for trees in &trees {
                let message = read.next().expect("a message is missing");
                prop_assert_eq!((message.kind, message.flags), (kind, REQUEST | ACK));
                prop_assert_eq!(message.sequence, sequence);
                same(message.attributes(3), trees);
            }
            prop_assert_eq!(read.next(), None);
        }
    }

    #[track_caller]
    fn check(flags: u16, fill: impl FnOnce(&mut Writer), expected: Option<(i32, Option<&str>)>) {
        let mut writer = Writer::default();
        writer.message(ERROR, flags, 7, fill);
        let message = messages(writer.bytes()).next().expect("one message");
        let verdict = message.verdict();
        let verdict = verdict.as_ref().map(|verdict| (verdict.errno, verdict.words.as_deref()));
        assert_eq!(verdict, expected);
    }

    #[test]
    fn verdicts() {
        let answer = |code: i32, echoed: u32| {
            let mut bytes = code.to_ne_bytes().to_vec();
            bytes.extend(echoed.to_ne_bytes());
            bytes.extend([0; 12]);
            bytes
        };
        check(0, |w| w.raw(&answer(0, 16)), Some((0, None)));
        check(0, |w| w.raw(&answer(-17, 16)), Some((17, None)));
        check(0, |w| w.raw(&answer(i32::MIN, 16)), Some((i32::MAX, None)));
        check(0, |w| w.raw(&[1, 2]), None);
        let explain = |w: &mut Writer| {
            w.raw(&answer(-2, 200));
            w.text(1, "no such set");
        };
        check(CAPPED | EXPLAINED, explain, Some((2, Some("no such set"))));
        check(EXPLAINED, explain, Some((2, None)));
        check(CAPPED, explain, Some((2, None)));
    }
}
