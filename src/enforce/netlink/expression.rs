//! The expressions that rules are made of, as far as the rules here use them.
//!
//! What is read back is compared with what was written, so each expression keeps all that the
//! kernel tells about it; the values of a counter alone are no part of the comparison.

#![forbid(unsafe_code)]

use super::message::{Attributes, Writer};

/// `NFT_META_NFPROTO`: which IP family the packet is of.
pub(crate) const META_FAMILY: u32 = 15;
/// `NFT_META_L4PROTO`: which protocol is above IP.
pub(crate) const META_PROTOCOL: u32 = 16;
/// `NFT_PAYLOAD_NETWORK_HEADER`.
pub(crate) const NETWORK_HEADER: u32 = 1;
/// `NFT_PAYLOAD_TRANSPORT_HEADER`.
pub(crate) const TRANSPORT_HEADER: u32 = 2;
/// `NF_DROP`.
pub(crate) const DROP: u32 = 0;
/// `NFT_RETURN`: of a base chain, to its policy.
pub(crate) const RETURN: u32 = (-5_i32).cast_unsigned();
/// `NFT_GOTO`.
const GOTO: u32 = (-4_i32).cast_unsigned();
/// `NFT_REJECT_ICMPX_ADMIN_PROHIBITED`.
pub(crate) const ADMIN_PROHIBITED: u8 = 3;
/// `NFT_REJECT_TCP_RST`.
const REJECT_RESET: u32 = 1;
/// `NFT_REJECT_ICMPX_UNREACH`: ICMP or ICMPv6, as the packet is.
const REJECT_UNREACHABLE: u32 = 2;
/// `NFT_REG_1`.
const REGISTER: u32 = 1;
/// `NFT_REG_VERDICT`.
const VERDICT_REGISTER: u32 = 0;
/// `NFT_CMP_EQ`.
const EQUAL: u32 = 0;

/// One step of a rule; all of them work on the first register.
#[derive(Clone, Debug)]
pub(crate) enum Expression {
    /// Loads a fact about the packet.
    Meta {
        /// `enum nft_meta_keys`.
        key: u32,
    },
    /// Goes on only when the register equals this.
    Equal(Vec<u8>),
    /// Loads bytes of the packet.
    Payload {
        /// `enum nft_payload_bases`.
        base: u32,
        /// From where.
        offset: u32,
        /// How many.
        length: u32,
    },
    /// Goes on only when the register is in this set.
    Lookup {
        /// The set's name.
        set: String,
    },
    /// Counts.
    Counter {
        /// Packets so far.
        packets: u64,
        /// Their bytes.
        bytes: u64,
    },
    /// Ends with a verdict.
    Verdict(u32),
    /// Ends, going on in another chain.
    GoTo(String),
    /// Ends, dropping the packet and answering that its destination is unreachable.
    Reject {
        /// `enum nft_reject_inet_code`.
        code: u8,
    },
    /// Ends, dropping the packet and answering with a TCP reset.
    Reset,
    /// Something else, by name: it is in no rule made here.
    Other(String),
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Meta { key }, Self::Meta { key: other }) => key == other,
            (Self::Equal(value), Self::Equal(other)) => value == other,
            (
                Self::Payload { base, offset, length },
                Self::Payload { base: other_base, offset: other_offset, length: other_length },
            ) => (base, offset, length) == (other_base, other_offset, other_length),
            (Self::Lookup { set }, Self::Lookup { set: other }) => set == other,
            (Self::Counter { .. }, Self::Counter { .. }) => true,
            (Self::Verdict(code), Self::Verdict(other)) => code == other,
            (Self::GoTo(chain), Self::GoTo(other)) => chain == other,
            (Self::Reject { code }, Self::Reject { code: other }) => code == other,
            (Self::Reset, Self::Reset) => true,
            // Something unknown is never what was written here.
            _ => false,
        }
    }
}

impl Eq for Expression {}

impl Expression {
    fn name(&self) -> &str {
        match self {
            Self::Meta { .. } => "meta",
            Self::Equal(_) => "cmp",
            Self::Payload { .. } => "payload",
            Self::Lookup { .. } => "lookup",
            Self::Counter { .. } => "counter",
            Self::Verdict(_) | Self::GoTo(_) => "immediate",
            Self::Reject { .. } | Self::Reset => "reject",
            Self::Other(name) => name,
        }
    }

    /// Writes `NFTA_EXPR_NAME` and `NFTA_EXPR_DATA`.
    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.text(1, self.name());
        writer.nest(2, |writer| match self {
            Self::Meta { key } => {
                writer.be32(1, REGISTER);
                writer.be32(2, *key);
            }
            Self::Equal(value) => {
                writer.be32(1, REGISTER);
                writer.be32(2, EQUAL);
                writer.nest(3, |writer| writer.attribute(1, value));
            }
            Self::Payload { base, offset, length } => {
                writer.be32(1, REGISTER);
                writer.be32(2, *base);
                writer.be32(3, *offset);
                writer.be32(4, *length);
            }
            Self::Lookup { set } => {
                writer.text(1, set);
                writer.be32(2, REGISTER);
            }
            Self::Counter { packets, bytes } => {
                writer.be64(1, *bytes);
                writer.be64(2, *packets);
            }
            Self::Verdict(code) => {
                writer.be32(1, VERDICT_REGISTER);
                writer.nest(2, |writer| writer.nest(2, |writer| writer.be32(1, *code)));
            }
            Self::GoTo(chain) => {
                writer.be32(1, VERDICT_REGISTER);
                writer.nest(2, |writer| {
                    writer.nest(2, |writer| {
                        writer.be32(1, GOTO);
                        writer.text(2, chain);
                    });
                });
            }
            Self::Reject { code } => {
                writer.be32(1, REJECT_UNREACHABLE);
                writer.attribute(2, &[*code]);
            }
            Self::Reset => {
                writer.be32(1, REJECT_RESET);
                writer.attribute(2, &[0]);
            }
            Self::Other(_) => {}
        });
    }
}

/// Reads what [`Expression::write`] writes and the kernel tells; anything else becomes
/// [`Expression::Other`].
pub(crate) fn read(attributes: Attributes<'_>) -> Expression {
    let mut name = String::new();
    let mut data = None;
    for attribute in attributes {
        match attribute.kind {
            1 => name = attribute.text(),
            2 => data = Some(attribute.nested()),
            _ => {}
        }
    }
    data.and_then(|data| read_data(&name, data)).unwrap_or(Expression::Other(name))
}

fn read_data(name: &str, data: Attributes<'_>) -> Option<Expression> {
    let find = |kind| data.clone().find(|attribute| attribute.kind == kind);
    let number = |kind| find(kind).and_then(|attribute| attribute.be32());
    let register = |kind| (number(kind)? == REGISTER).then_some(());
    match name {
        "meta" => {
            register(1)?;
            Some(Expression::Meta { key: number(2)? })
        }
        "cmp" => {
            register(1)?;
            let value = find(3)?.nested().find(|value| value.kind == 1)?.payload.to_vec();
            (number(2)? == EQUAL).then_some(Expression::Equal(value))
        }
        "payload" => {
            register(1)?;
            Some(Expression::Payload { base: number(2)?, offset: number(3)?, length: number(4)? })
        }
        "lookup" => {
            register(2)?;
            // A flag inverts it, a destination register makes it a map.
            let is_plain = number(5).unwrap_or(0) == 0 && find(3).is_none();
            is_plain.then_some(Expression::Lookup { set: find(1)?.text() })
        }
        "counter" => {
            Some(Expression::Counter { bytes: find(1)?.be64()?, packets: find(2)?.be64()? })
        }
        "immediate" => {
            let verdict = find(2)?.nested().find(|data| data.kind == 2)?;
            let code = verdict.nested().find(|code| code.kind == 1)?.be32()?;
            let chain = verdict.nested().find(|chain| chain.kind == 2);
            (number(1)? == VERDICT_REGISTER).then_some(())?;
            match (code, chain) {
                (GOTO, Some(chain)) => Some(Expression::GoTo(chain.text())),
                (_, None) => Some(Expression::Verdict(code)),
                _ => None,
            }
        }
        "reject" => match number(1)? {
            REJECT_RESET => Some(Expression::Reset),
            REJECT_UNREACHABLE => Some(Expression::Reject { code: *find(2)?.payload.first()? }),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::attributes;
    use super::*;

    #[track_caller]
    fn check(expression: &Expression) {
        let mut writer = Writer::default();
        expression.write(&mut writer);
        let read = read(attributes(writer.bytes()));
        assert_eq!(format!("{read:?}"), format!("{expression:?}"));
        assert_eq!(read == *expression, !matches!(expression, Expression::Other(_)));
    }

    #[test]
    fn what_is_written_is_read() {
        check(&Expression::Meta { key: META_FAMILY });
        check(&Expression::Equal(vec![2]));
        check(&Expression::Payload { base: NETWORK_HEADER, offset: 12, length: 4 });
        check(&Expression::Lookup { set: "ban4".into() });
        check(&Expression::Counter { packets: 3, bytes: 1 << 40 });
        check(&Expression::Verdict(DROP));
        check(&Expression::Verdict(RETURN));
        check(&Expression::GoTo("bans".into()));
        check(&Expression::Reject { code: ADMIN_PROHIBITED });
        check(&Expression::Reset);
        check(&Expression::Other("limit".into()));
    }

    #[test]
    fn counters_compare_equal_whatever_they_count() {
        let (some, none) = ((5, 300), (0, 0));
        assert_eq!(
            Expression::Counter { packets: some.0, bytes: some.1 },
            Expression::Counter { packets: none.0, bytes: none.1 }
        );
        assert_ne!(Expression::Verdict(DROP), Expression::Verdict(1));
    }

    #[test]
    fn an_inverted_lookup_is_not_ours() {
        let mut writer = Writer::default();
        writer.text(1, "lookup");
        writer.nest(2, |writer| {
            writer.text(1, "ban4");
            writer.be32(2, REGISTER);
            writer.be32(5, 1);
        });
        assert_ne!(read(attributes(writer.bytes())), Expression::Lookup { set: "ban4".into() });
    }
}
