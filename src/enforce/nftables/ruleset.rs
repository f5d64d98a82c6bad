//! What our table looks like, and how it differs from what the kernel has. Pure.
//!
//! ```text
//!  table inet weir {
//!    set ban4     { type ipv4_addr; flags timeout }            single addresses: a hash, 5 µs a ban
//!    set ban6     { type ipv6_addr; flags timeout }
//!    set ban4_net { type ipv4_addr; flags interval,timeout }   ranges: a tree, slower with its size
//!    set ban6_net { type ipv6_addr; flags interval,timeout }
//!    chain input  { type filter hook input priority -10        before others accept what is
//!      ip saddr @ban4 counter drop                             established
//!      ...
//! ```

#![forbid(unsafe_code)]

use super::super::element::Element;
use super::super::netlink::expression::{DROP, Expression, META_FAMILY, NETWORK_HEADER};
use super::super::netlink::nft::Batch;
use super::super::netlink::objects::{
    Chain, Hook, Rule, SET_INTERVAL, SET_TIMEOUT, Set, TABLE_DORMANT, TABLE_OWNER, TABLE_PERSIST,
};
use super::super::per_family::{Counts, PerFamily};
use super::Options;
use crate::decision::Family;
use crate::settings;

/// `NF_IP_PRI_RAW`: before connection tracking, so that dropped packets cost no entry there.
const RAW: i32 = -300;
/// `NF_ACCEPT`: packets that no rule dropped go on.
const ACCEPT: u32 = 1;

/// One of the four sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) family: Family,
    pub(super) is_interval: bool,
}

/// The sets, in the order in which packets meet them.
pub(super) const KINDS: [Kind; 4] = [
    Kind { name: "ban4", family: Family::V4, is_interval: false },
    Kind { name: "ban6", family: Family::V6, is_interval: false },
    Kind { name: "ban4_net", family: Family::V4, is_interval: true },
    Kind { name: "ban6_net", family: Family::V6, is_interval: true },
];

impl Kind {
    /// Whether an element lives in this set.
    pub(super) fn has(&self, element: Element) -> bool {
        self.family == element.family() && self.is_interval == matches!(element, Element::Range(..))
    }

    fn set(&self) -> Set {
        let (key_kind, key_length) = match self.family {
            Family::V4 => (7, 4),
            Family::V6 => (8, 16),
        };
        let interval = if self.is_interval { SET_INTERVAL } else { 0 };
        Set { name: self.name.to_owned(), flags: SET_TIMEOUT | interval, key_kind, key_length }
    }

    fn rule(&self, chain: &str) -> Rule {
        // `NFPROTO_IPV4`, `NFPROTO_IPV6`; the source address in the header.
        let (protocol, offset, length) = match self.family {
            Family::V4 => (2, 12, 4),
            Family::V6 => (10, 8, 16),
        };
        let expressions = vec![
            Expression::Meta { key: META_FAMILY },
            Expression::Equal(vec![protocol]),
            Expression::Payload { base: NETWORK_HEADER, offset, length },
            Expression::Lookup { set: self.name.to_owned() },
            Expression::Counter { packets: 0, bytes: 0 },
            Expression::Verdict(DROP),
        ];
        Rule { chain: chain.to_owned(), expressions }
    }
}

/// All chains that a configuration can ask for.
const HOOKS: [settings::Hook; 3] =
    [settings::Hook::Prerouting, settings::Hook::Input, settings::Hook::Forward];

fn chain(options: &Options, hook: settings::Hook) -> Chain {
    // `enum nf_inet_hooks`.
    let (number, priority) = match hook {
        settings::Hook::Prerouting => (0, options.priority.min(RAW)),
        settings::Hook::Input => (1, options.priority),
        settings::Hook::Forward => (2, options.priority),
    };
    let hook_in = Hook { kind: "filter".to_owned(), number, priority, policy: ACCEPT };
    Chain { name: hook.name().to_owned(), hook: Some(hook_in) }
}

/// Our table as the kernel has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Its flags.
    pub(super) flags: u32,
    /// Its sets.
    pub(super) sets: Vec<Set>,
    /// Its chains.
    pub(super) chains: Vec<Chain>,
    /// Its rules, in the order of their chains.
    pub(super) rules: Vec<Rule>,
}

/// Writes into `batch` what makes `found` into our table. Where nothing differs, nothing is
/// written; sets that are as they should be keep their elements.
pub(super) fn mend(options: &Options, found: Option<&Found>, batch: &mut Batch) {
    let table = &options.table;
    let flags = if options.is_owned { TABLE_OWNER | TABLE_PERSIST } else { 0 };
    // A set of another shape, or a table that would have to change hands, cannot be mended.
    let sound = found.filter(|found| {
        let same_sets = KINDS.iter().all(|kind| {
            let set = kind.set();
            found.sets.iter().filter(|other| other.name == set.name).all(|other| *other == set)
        });
        // Without its owner a table that persists keeps only that flag, and can be taken over.
        let without_owner = flags & !TABLE_OWNER;
        same_sets && [flags, without_owner].contains(&(found.flags & !TABLE_DORMANT))
    });
    if found.is_some() && sound.is_none() {
        batch.delete_table(table);
    }
    let empty = Found::default();
    let found = match sound {
        Some(found) => {
            if found.flags != flags {
                batch.new_table(table, flags);
            }
            found
        }
        None => {
            batch.new_table(table, flags);
            &empty
        }
    };
    for (id, kind) in (1..).zip(KINDS) {
        if !found.sets.iter().any(|set| set.name == kind.name) {
            batch.new_set(table, &kind.set(), id);
        }
    }
    for hook in HOOKS {
        mend_chain(options, hook, found, batch);
    }
}

fn mend_chain(options: &Options, hook: settings::Hook, found: &Found, batch: &mut Batch) {
    let table = &options.table;
    let wanted = chain(options, hook);
    let present = found.chains.iter().find(|chain| chain.name == wanted.name);
    if !options.hooks.contains(&hook) {
        if present.is_some() {
            batch.flush_chain(table, &wanted.name);
            batch.delete_chain(table, &wanted.name);
        }
        return;
    }
    let rules = KINDS.map(|kind| kind.rule(&wanted.name));
    let same_chain = present == Some(&wanted);
    let same_rules = found.rules.iter().filter(|rule| rule.chain == wanted.name).eq(rules.iter());
    if same_chain && same_rules {
        return;
    }
    if present.is_some() {
        batch.flush_chain(table, &wanted.name);
        if !same_chain {
            batch.delete_chain(table, &wanted.name);
        }
    }
    if !same_chain {
        batch.new_chain(table, &wanted);
    }
    for rule in &rules {
        batch.new_rule(table, rule);
    }
}

/// What the rules have counted, by family.
pub(super) fn counted<'a>(rules: impl IntoIterator<Item = &'a Rule>) -> PerFamily<Counts> {
    let mut sum = PerFamily::<Counts>::default();
    for rule in rules {
        let mut kind = None;
        for expression in &rule.expressions {
            match (expression, kind) {
                (Expression::Lookup { set }, _) => {
                    kind = KINDS.iter().find(|kind| kind.name == set);
                }
                (Expression::Counter { packets, bytes }, Some(kind)) => {
                    let counts = sum.of_mut(kind.family);
                    counts.packets = counts.packets.saturating_add(*packets);
                    counts.bytes = counts.bytes.saturating_add(*bytes);
                }
                _ => {}
            }
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::super::super::netlink::message::messages;
    use super::super::super::netlink::nft::is_nft;
    use super::*;

    fn options() -> Options {
        Options::from(&settings::Enforce::default())
    }

    /// The table as [`mend`] makes it.
    fn ours(options: &Options) -> Found {
        let chains: Vec<_> = options.hooks.iter().map(|hook| chain(options, *hook)).collect();
        let rules = chains.iter().flat_map(|chain| KINDS.map(|kind| kind.rule(&chain.name)));
        Found {
            flags: 0,
            sets: KINDS.map(|kind| kind.set()).to_vec(),
            rules: rules.collect(),
            chains,
        }
    }

    /// The kinds of the messages that mend `found`: T table, S set, C chain, R rule; lower case
    /// deletes.
    #[track_caller]
    fn check(options: &Options, found: Option<Found>, expected: &str) {
        let mut batch = Batch::new(1);
        mend(options, found.as_ref(), &mut batch);
        let batch = batch.finish();
        let steps: String = messages(batch.bytes())
            .filter(|message| is_nft(message.kind))
            .map(|message| match message.kind & 0xff {
                0 => 'T',
                2 => 't',
                3 => 'C',
                5 => 'c',
                6 => 'R',
                8 => 'r',
                9 => 'S',
                other => panic!("message {other}"),
            })
            .collect();
        assert_eq!(steps, expected);
    }

    #[test]
    fn what_differs_is_mended() {
        let o = options();
        let with = |change: fn(&mut Found)| {
            let mut found = ours(&options());
            change(&mut found);
            Some(found)
        };
        check(&o, None, "TSSSSCRRRRCRRRR");
        check(&o, Some(ours(&o)), "");
        check(&o, Some(Found::default()), "SSSSCRRRRCRRRR");
        // Counters are no difference, a missing, moved or foreign rule is.
        check(
            &o,
            with(|f| f.rules[0].expressions[4] = Expression::Counter { packets: 9, bytes: 900 }),
            "",
        );
        check(&o, with(|f| drop(f.rules.remove(0))), "rRRRR");
        check(&o, with(|f| f.rules.swap(5, 6)), "rRRRR");
        check(&o, with(|f| f.rules[2].expressions[5] = Expression::Verdict(1)), "rRRRR");
        check(
            &o,
            with(|f| f.rules[2].expressions.insert(0, Expression::Other("limit".into()))),
            "rRRRR",
        );
        let added =
            |f: &mut Found| f.rules.push(Rule { chain: "input".into(), expressions: vec![] });
        check(&o, with(added), "rRRRR");
        // Somebody else's chain stays.
        check(&o, with(|f| f.chains.push(Chain { name: "mine".into(), hook: None })), "");
        // Sets, chains, the table.
        check(&o, with(|f| drop(f.sets.pop())), "S");
        check(&o, with(|f| f.sets[0].flags = 0), "tTSSSSCRRRRCRRRR");
        check(&o, with(|f| f.chains.remove(0).name.clear()), "CRRRR");
        check(&o, with(|f| f.chains[1].hook = None), "rcCRRRR");
        check(&o, with(|f| f.flags = TABLE_DORMANT), "T");
        check(&o, with(|f| f.flags = TABLE_PERSIST), "tTSSSSCRRRRCRRRR");
    }

    #[test]
    fn options_that_change_are_carried_out() {
        let found = || Some(ours(&options()));
        let o = Options { priority: -5, ..options() };
        check(&o, found(), "rcCRRRRrcCRRRR");
        let o = Options { hooks: vec![settings::Hook::Input], ..options() };
        check(&o, found(), "rc");
        let o = Options { hooks: vec![settings::Hook::Prerouting], ..options() };
        check(&o, found(), "CRRRRrcrc");
        assert_eq!(chain(&o, settings::Hook::Prerouting).hook.unwrap().priority, RAW);
        let o = Options { is_owned: true, ..options() };
        check(&o, found(), "tTSSSSCRRRRCRRRR");
        let owned = |flags| Some(Found { flags, ..ours(&options()) });
        check(&o, owned(TABLE_OWNER | TABLE_PERSIST), "");
        check(&o, owned(TABLE_PERSIST), "T");
    }

    #[test]
    fn counters_are_summed_by_family() {
        let mut found = ours(&options());
        for (number, rule) in (1..).zip(&mut found.rules) {
            rule.expressions[4] = Expression::Counter { packets: number, bytes: number * 100 };
        }
        let sum = counted(&found.rules);
        assert_eq!(sum.v4, Counts { packets: 1 + 3 + 5 + 7, bytes: 1600 });
        assert_eq!(sum.v6, Counts { packets: 2 + 4 + 6 + 8, bytes: 2000 });
    }
}
