//! How our table differs from what the kernel has, and what mends it. Pure.

#![forbid(unsafe_code)]

use super::super::netlink::expression::Expression;
use super::super::netlink::nft::Batch;
use super::super::netlink::objects::{Chain, Rule, Set, TABLE_DORMANT, TABLE_OWNER, TABLE_PERSIST};
use super::super::per_family::{Counts, PerFamily};
use super::Options;
use super::layout::{BANS, HOOKS, KINDS, all_kinds, bans_chain, chain};

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
        let same_sets = all_kinds().all(|kind| {
            let set = kind.set(options);
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
    for (id, kind) in (1..).zip(all_kinds()) {
        if !found.sets.iter().any(|set| set.name == kind.name) {
            batch.new_set(table, &kind.set(options), id);
        }
    }
    // A chain is there before rules go to it, and goes after them.
    let bans = bans_chain(options);
    if let Some(bans) = &bans {
        mend_chain(table, BANS, Some(bans), found, batch);
    }
    for hook in HOOKS {
        let wanted = options.hooks.contains(&hook).then(|| chain(options, hook));
        mend_chain(table, hook.name(), wanted.as_ref(), found, batch);
    }
    if bans.is_none() {
        mend_chain(table, BANS, None, found, batch);
    }
}

fn mend_chain(
    table: &str,
    name: &str,
    wanted: Option<&(Chain, Vec<Rule>)>,
    found: &Found,
    batch: &mut Batch,
) {
    let present = found.chains.iter().find(|chain| chain.name == name);
    let Some((wanted, rules)) = wanted else {
        if present.is_some() {
            batch.flush_chain(table, name);
            batch.delete_chain(table, name);
        }
        return;
    };
    let same_chain = present == Some(wanted);
    let same_rules = found.rules.iter().filter(|rule| rule.chain == name).eq(rules);
    if same_chain && same_rules {
        return;
    }
    if present.is_some() {
        batch.flush_chain(table, name);
        if !same_chain {
            batch.delete_chain(table, name);
        }
    }
    if !same_chain {
        batch.new_chain(table, wanted);
    }
    for rule in rules {
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
    use super::super::layout::RAW;
    use super::*;
    use crate::settings;

    fn options() -> Options {
        Options::from(&settings::Enforce::default())
    }

    /// The table as [`mend`] makes it.
    fn ours(options: &Options) -> Found {
        let hooked = options.hooks.iter().map(|hook| chain(options, *hook));
        let (chains, rules): (Vec<_>, Vec<_>) =
            bans_chain(options).into_iter().chain(hooked).unzip();
        Found {
            flags: 0,
            sets: all_kinds().map(|kind| kind.set(options)).collect(),
            rules: rules.concat(),
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
        check(&o, None, "TSSSSSSCRRRRRRCRRRRRR");
        check(&o, Some(ours(&o)), "");
        check(&o, Some(Found::default()), "SSSSSSCRRRRRRCRRRRRR");
        // Counters are no difference, a missing, moved or foreign rule is.
        check(
            &o,
            with(|f| f.rules[2].expressions[4] = Expression::Counter { packets: 9, bytes: 900 }),
            "",
        );
        check(&o, with(|f| drop(f.rules.remove(0))), "rRRRRRR");
        check(&o, with(|f| f.rules.swap(3, 4)), "rRRRRRR");
        check(&o, with(|f| f.rules[2].expressions[5] = Expression::Verdict(1)), "rRRRRRR");
        check(
            &o,
            with(|f| f.rules[2].expressions.insert(0, Expression::Other("limit".into()))),
            "rRRRRRR",
        );
        let added =
            |f: &mut Found| f.rules.push(Rule { chain: "input".into(), expressions: vec![] });
        check(&o, with(added), "rRRRRRR");
        // Somebody else's chain stays.
        check(&o, with(|f| f.chains.push(Chain { name: "mine".into(), hook: None })), "");
        // Sets, chains, the table.
        check(&o, with(|f| drop(f.sets.pop())), "S");
        check(&o, with(|f| f.sets[0].flags = 0), "tTSSSSSSCRRRRRRCRRRRRR");
        check(&o, with(|f| f.chains.remove(0).name.clear()), "CRRRRRR");
        check(&o, with(|f| f.chains[1].hook = None), "rcCRRRRRR");
        check(&o, with(|f| f.flags = TABLE_DORMANT), "T");
        check(&o, with(|f| f.flags = TABLE_PERSIST), "tTSSSSSSCRRRRRRCRRRRRR");
    }

    #[test]
    fn options_that_change_are_carried_out() {
        let found = || Some(ours(&options()));
        let o = Options { priority: -5, ..options() };
        check(&o, found(), "rcCRRRRRRrcCRRRRRR");
        let o = Options { hooks: vec![settings::Hook::Input], ..options() };
        check(&o, found(), "rc");
        let o = Options { hooks: vec![settings::Hook::Prerouting], ..options() };
        check(&o, found(), "CRRRRRRrcrc");
        assert_eq!(chain(&o, settings::Hook::Prerouting).0.hook.unwrap().priority, RAW);
        let o = Options { is_owned: true, ..options() };
        check(&o, found(), "tTSSSSSSCRRRRRRCRRRRRR");
        let owned = |flags| Some(Found { flags, ..ours(&options()) });
        check(&o, owned(TABLE_OWNER | TABLE_PERSIST), "");
        check(&o, owned(TABLE_PERSIST), "T");
        let o = Options { counts_elements: true, ..options() };
        check(&o, found(), "tTSSSSSSCRRRRRRCRRRRRR");
        check(&o, Some(ours(&o)), "");
        let o = Options { verdict: settings::Verdict::Reject, ..options() };
        check(&o, found(), "rRRRRRRrRRRRRR");
        let o = Options { verdict: settings::Verdict::Reset, ..options() };
        check(&o, found(), "rRRRRRRRRRRrRRRRRRRRRR");
        // For some ports: a chain that is there before others go to it, and goes after them.
        let ports = settings::Ports { tcp: vec![22, 25], udp: vec![53] };
        let o = Options { ports, ..options() };
        check(&o, None, "TSSSSSSCRRRRCRRRRRCRRRRR");
        check(&o, found(), "CRRRRrRRRRRrRRRRR");
        check(&o, Some(ours(&o)), "");
        check(&options(), Some(ours(&o)), "rRRRRRRrRRRRRRrc");
    }

    /// Older versions of Weir knew no friends.
    #[test]
    fn a_table_without_friends_gets_them() {
        let mut old = ours(&options());
        old.sets.retain(|set| !set.name.starts_with("allow"));
        old.rules.retain(|rule| rule.expressions.len() == 6);
        check(&options(), Some(old), "SSrRRRRRRrRRRRRR");
    }

    #[test]
    fn counters_are_summed_by_family() {
        let mut found = ours(&options());
        let is_counting = |rule: &&mut Rule| rule.expressions.len() == 6;
        for (number, rule) in (1..).zip(found.rules.iter_mut().filter(is_counting)) {
            rule.expressions[4] = Expression::Counter { packets: number, bytes: number * 100 };
        }
        let sum = counted(&found.rules);
        assert_eq!(sum.v4, Counts { packets: 1 + 3 + 5 + 7, bytes: 1600 });
        assert_eq!(sum.v6, Counts { packets: 2 + 4 + 6 + 8, bytes: 2000 });
    }
}
