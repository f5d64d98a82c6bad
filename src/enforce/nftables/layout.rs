//! What our table is made of: sets, chains and rules, as the options want them. Pure.
//!
//! ```text
//!  table inet weir {
//!    set ban4     { type ipv4_addr; flags timeout }            single addresses: a hash, 5 µs a ban
//!    set ban6     { type ipv6_addr; flags timeout }
//!    set ban4_net { type ipv4_addr; flags interval,timeout }   ranges: a tree, slower with its size
//!    set ban6_net { type ipv6_addr; flags interval,timeout }
//!    set allow4   { type ipv4_addr; flags interval }           friends, who always come through
//!    set allow6   { type ipv6_addr; flags interval }
//!    chain input  { type filter hook input priority -10        before others accept what is
//!      ip saddr @allow4 return                                 established
//!      ip saddr @ban4 counter drop
//!      ...
//! ```
//!
//! Where bans hold for some ports only, the rules that drop are in a chain of their own, `bans`, to
//! which packets for those ports go.

#![forbid(unsafe_code)]

use super::super::element::Element;
use super::super::netlink::expression::{
    ADMIN_PROHIBITED, DROP, Expression, META_FAMILY, META_PROTOCOL, NETWORK_HEADER, RETURN,
    TRANSPORT_HEADER,
};
use super::super::netlink::objects::{
    Chain, Hook, Rule, SET_EXPRESSION, SET_INTERVAL, SET_TIMEOUT, Set,
};
use super::Options;
use crate::decision::Family;
use crate::settings::{self, Verdict};

/// `NF_IP_PRI_RAW`: before connection tracking, so that dropped packets cost no entry there.
pub(super) const RAW: i32 = -300;
/// `NF_ACCEPT`: packets that no rule dropped go on.
const ACCEPT: u32 = 1;
/// `IPPROTO_TCP` and `IPPROTO_UDP`.
const TCP: u8 = 6;
const UDP: u8 = 17;
/// The chain with the rules that drop, where not all packets come to them.
pub(super) const BANS: &str = "bans";

/// One of the sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) family: Family,
    pub(super) is_interval: bool,
    /// Whether it holds friends, for ever.
    pub(super) is_friendly: bool,
}

const fn bans(name: &'static str, family: Family, is_interval: bool) -> Kind {
    Kind { name, family, is_interval, is_friendly: false }
}

/// The sets of friends; packets meet them before the others.
pub(super) const FRIENDS: [Kind; 2] = [
    Kind { name: "allow4", family: Family::V4, is_interval: true, is_friendly: true },
    Kind { name: "allow6", family: Family::V6, is_interval: true, is_friendly: true },
];

/// The sets of bans, in the order in which packets meet them.
pub(super) const KINDS: [Kind; 4] = [
    bans("ban4", Family::V4, false),
    bans("ban6", Family::V6, false),
    bans("ban4_net", Family::V4, true),
    bans("ban6_net", Family::V6, true),
];

/// All sets.
pub(super) fn all_kinds() -> impl Iterator<Item = Kind> {
    FRIENDS.into_iter().chain(KINDS)
}

impl Kind {
    /// Whether an element lives in this set.
    pub(super) fn has(&self, element: Element) -> bool {
        self.family == element.family() && self.is_interval == matches!(element, Element::Range(..))
    }

    pub(super) fn set(&self, options: &Options) -> Set {
        let (key_kind, key_length) = match self.family {
            Family::V4 => (7, 4),
            Family::V6 => (8, 16),
        };
        let is_counting = options.counts_elements && !self.is_friendly;
        let mut flags = 0;
        for (flag, is_set) in [
            (SET_INTERVAL, self.is_interval),
            (SET_TIMEOUT, !self.is_friendly),
            (SET_EXPRESSION, is_counting),
        ] {
            flags |= if is_set { flag } else { 0 };
        }
        Set { name: self.name.to_owned(), flags, key_kind, key_length, is_counting }
    }

    /// What decides that a packet is of this family, from an address in this set.
    fn conditions(&self) -> Vec<Expression> {
        // `NFPROTO_IPV4`, `NFPROTO_IPV6`; the source address in the header.
        let (protocol, offset, length) = match self.family {
            Family::V4 => (2, 12, 4),
            Family::V6 => (10, 8, 16),
        };
        vec![
            Expression::Meta { key: META_FAMILY },
            Expression::Equal(vec![protocol]),
            Expression::Payload { base: NETWORK_HEADER, offset, length },
            Expression::Lookup { set: self.name.to_owned() },
        ]
    }
}

/// The rules that let friends through to other chains.
fn friendly_rules(chain: &str) -> impl Iterator<Item = Rule> {
    FRIENDS.into_iter().map(move |kind| {
        let mut expressions = kind.conditions();
        expressions.push(Expression::Verdict(RETURN));
        Rule { chain: chain.to_owned(), expressions }
    })
}

/// The rules that keep the banned out.
fn banning_rules(chain: &str, verdict: Verdict) -> Vec<Rule> {
    let counter = || Expression::Counter { packets: 0, bytes: 0 };
    let mut rules = Vec::new();
    for kind in KINDS {
        let mut push = |before: Vec<Expression>, last: Expression| {
            let expressions = [before, kind.conditions(), vec![counter(), last]].concat();
            rules.push(Rule { chain: chain.to_owned(), expressions });
        };
        match verdict {
            Verdict::Drop => push(vec![], Expression::Verdict(DROP)),
            Verdict::Reject => push(vec![], Expression::Reject { code: ADMIN_PROHIBITED }),
            Verdict::Reset => {
                push(is_of(TCP), Expression::Reset);
                push(vec![], Expression::Reject { code: ADMIN_PROHIBITED });
            }
        }
    }
    rules
}

/// Goes on only with packets of this protocol.
fn is_of(protocol: u8) -> Vec<Expression> {
    vec![Expression::Meta { key: META_PROTOCOL }, Expression::Equal(vec![protocol])]
}

/// The rules that bring packets for the ports in question to the chain with the bans.
fn port_rules(chain: &str, ports: &settings::Ports) -> Vec<Rule> {
    let mut rules = Vec::new();
    for (protocol, ports) in [(TCP, &ports.tcp), (UDP, &ports.udp)] {
        for port in ports {
            // The destination port is at the same place in both headers.
            let mut expressions = is_of(protocol);
            expressions.extend([
                Expression::Payload { base: TRANSPORT_HEADER, offset: 2, length: 2 },
                Expression::Equal(port.to_be_bytes().to_vec()),
                Expression::GoTo(BANS.to_owned()),
            ]);
            rules.push(Rule { chain: chain.to_owned(), expressions });
        }
    }
    rules
}

/// All chains that a configuration can ask for.
pub(super) const HOOKS: [settings::Hook; 3] =
    [settings::Hook::Prerouting, settings::Hook::Input, settings::Hook::Forward];

/// The chain at a hook, with its rules.
pub(super) fn chain(options: &Options, hook: settings::Hook) -> (Chain, Vec<Rule>) {
    // `enum nf_inet_hooks`.
    let (number, priority) = match hook {
        settings::Hook::Prerouting => (0, options.priority.min(RAW)),
        settings::Hook::Input => (1, options.priority),
        settings::Hook::Forward => (2, options.priority),
    };
    let hook_in = Hook { kind: "filter".to_owned(), number, priority, policy: ACCEPT };
    let name = hook.name();
    let mut rules: Vec<_> = friendly_rules(name).collect();
    if options.ports.is_all() {
        rules.extend(banning_rules(name, options.verdict));
    } else {
        rules.extend(port_rules(name, &options.ports));
    }
    (Chain { name: name.to_owned(), hook: Some(hook_in) }, rules)
}

/// The chain that packets for some ports go to, where not all do.
pub(super) fn bans_chain(options: &Options) -> Option<(Chain, Vec<Rule>)> {
    let chain = Chain { name: BANS.to_owned(), hook: None };
    (!options.ports.is_all()).then(|| (chain, banning_rules(BANS, options.verdict)))
}
