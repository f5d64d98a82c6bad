//! Unbanning against the plain set of addresses that are banned.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;
use crate::decide::{Observe, Policy, Profiles};
use crate::decision::{Action, Allowlist, parse_net};
use crate::ledger::{Ledger, Options};

pub(in crate::decide) struct Court {
    pub(in crate::decide) judge: Judge,
    _folder: tempfile::TempDir,
}

pub(in crate::decide) fn at(seconds: i64) -> Time {
    Time::from_seconds(seconds)
}

pub(in crate::decide) fn net(text: &str) -> IpNet {
    parse_net(text).unwrap()
}

fn hours(hours: i64) -> Option<i64> {
    Some(hours * 3_600_000_000_000)
}

impl Court {
    pub(in crate::decide) fn new() -> Self {
        Self::open(tempfile::tempdir().unwrap(), at(0))
    }

    /// Another process with the same ledger.
    pub(in crate::decide) fn restart(self, now: Time) -> Self {
        let Self { judge, _folder: folder } = self;
        drop(judge);
        Self::open(folder, now)
    }

    fn open(folder: tempfile::TempDir, now: Time) -> Self {
        let path = folder.path().join("ledger.db");
        let allowlist = Allowlist::default();
        let ledger = Ledger::open(&path, Options::default(), &allowlist, now).unwrap().0;
        let policy = Policy {
            measures: crate::decide::Measures::default(),
            allowlist,
            profiles: Profiles::standard(1),
            observe: Observe::Nothing,
            duration: 1,
        };
        Self { judge: Judge::new(policy, ledger), _folder: folder }
    }

    pub(in crate::decide) fn ban(&mut self, nets: &[&str]) {
        let nets: Vec<IpNet> = nets.iter().map(|text| net(text)).collect();
        self.judge.ban(&nets, hours(1), "by hand", at(1));
    }

    pub(in crate::decide) fn banned(&self) -> Vec<String> {
        self.judge.ledger().active(at(2)).map(|decision| decision.target.to_string()).collect()
    }
}

fn these(nets: &[&str], inside: bool) -> Whose {
    Whose::These { nets: nets.iter().map(|text| net(text)).collect(), inside }
}

/// What ends, what is split into what, what is missing, what still holds.
fn shown(unbanned: &Unbanned) -> Vec<String> {
    let all = |nets: &[IpNet]| nets.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let ended = unbanned.decisions.iter().map(|decision| format!("ends {}", decision.target));
    let split = unbanned.split.iter();
    let split = split.map(|(decision, rest)| format!("{} to {}", decision.target, all(rest)));
    let missing = unbanned.missing.iter().map(|net| format!("missing {net}"));
    let still = unbanned.still.iter().map(|(net, held)| format!("{net} has {}", held.target));
    ended.chain(split).chain(missing).chain(still).collect()
}

#[track_caller]
fn check(court: &mut Court, whose: &Whose, expected: &[&str], left: &[&str]) {
    let would = court.judge.would_unban(whose, at(2)).unwrap();
    assert_eq!(shown(&would), expected);
    assert_eq!(would.changes, []);
    let done = court.judge.unban(whose, at(2)).unwrap();
    assert_eq!(shown(&done), expected);
    assert_eq!(court.banned(), left);
}

#[test]
fn an_address_in_a_prefix_is_freed_by_a_hole() {
    let mut court = Court::new();
    court.ban(&["203.0.113.0/29", "203.0.113.5", "198.51.100.1", "2001:db8::/126"]);
    check(
        &mut court,
        &these(&["203.0.113.5", "203.0.113.99"], false),
        &[
            "ends 203.0.113.5",
            "203.0.113.0/29 to 203.0.113.0/30 203.0.113.6/31 203.0.113.4/32",
            "missing 203.0.113.99/32",
        ],
        &["198.51.100.1", "203.0.113.0/30", "203.0.113.4", "203.0.113.6/31", "2001:db8::/126"],
    );
    check(
        &mut court,
        &these(&["2001:db8::1"], false),
        &["2001:db8::/126 to 2001:db8::2/127 2001:db8::/128"],
        &[
            "198.51.100.1",
            "203.0.113.0/30",
            "203.0.113.4",
            "203.0.113.6/31",
            "2001:db8::",
            "2001:db8::2/127",
        ],
    );
    let piece = court.judge.ledger().inside(net("203.0.113.6/31")).next().unwrap();
    assert_eq!((&*piece.reason, piece.until), ("by hand", at(3_601)));
    assert_eq!(court.judge.statistics().ended, [("split", 2), ("unbanned", 1)].into());
}

/// The kernel has the pieces before it lets go of the whole.
#[test]
fn bans_are_told_before_unbans() {
    let mut court = Court::new();
    court.ban(&["203.0.113.0/30", "203.0.113.1"]);
    let done = court.judge.unban(&these(&["203.0.113.1"], false), at(2)).unwrap();
    let [Change::Ban(bans), Change::Unban(unbans)] = &done.changes[..] else {
        panic!("{:?}", done.changes)
    };
    let names = |targets: Vec<Target>| targets.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        names(bans.iter().map(|ban| ban.target).collect()),
        ["203.0.113.0", "203.0.113.2/31"]
    );
    assert_eq!(names(unbans.clone()), ["203.0.113.1", "203.0.113.0/30"]);
}

#[test]
fn a_prefix_frees_what_is_in_it_when_asked_to() {
    let mut court = Court::new();
    let all = ["203.0.113.0/24", "203.0.113.7", "203.0.113.8", "203.0.0.0/16"];
    court.ban(&all);
    let would = court.judge.would_unban(&these(&["203.0.113.0/24"], false), at(2)).unwrap();
    assert_eq!(would.decisions.len(), 1);
    assert_eq!((would.split.len(), would.split[0].1.len()), (1, 8));
    let still: Vec<_> = would.still.iter().map(|(_, held)| held.target.to_string()).collect();
    assert_eq!(still, ["203.0.113.7", "203.0.113.8"]);
    check(
        &mut court,
        &these(&["203.0.0.0/16", "203.0.113.0/24"], true),
        &["ends 203.0.0.0/16", "ends 203.0.113.0/24", "ends 203.0.113.7", "ends 203.0.113.8"],
        &[],
    );
}

#[test]
fn those_that_fit_end_a_thousand_at_a_time() {
    let mut court = Court::new();
    let nets: Vec<IpNet> =
        (0..1500_u32).map(|n| IpAddr::from(Ipv4Addr::from(0x0B00_0000 + n)).into()).collect();
    court.judge.ban(&nets, hours(1), "x", at(1));
    court.ban(&["203.0.113.7"]);
    let mut end = |fitting: Fitting, now| {
        let done = court.judge.unban(&Whose::Fitting(fitting), at(now)).unwrap();
        (done.decisions.len(), done.remaining)
    };
    let of = |origin| Fitting { origin: Some(origin), ..Fitting::default() };
    assert_eq!(end(of(Origin::Scenario), 2), (0, 0));
    assert_eq!(end(Fitting { since: Some(at(2)), ..Fitting::default() }, 2), (0, 0));
    let named = Fitting { scenario: Some("x".to_owned()), ..Fitting::default() };
    assert_eq!(end(named, 2), (0, 0), "it is no scenario");
    assert_eq!(end(of(Origin::Manual), 2), (1000, 501));
    assert_eq!(end(Fitting::default(), 2), (501, 0));
}

#[test]
fn a_scenario_is_named_whole_or_short() {
    let named = |name: &str| Fitting { scenario: Some(name.to_owned()), ..Fitting::default() };
    let decision = |reason: &str| Decision {
        id: 1,
        target: Allowlist::default().admit(net("203.0.113.7")).unwrap(),
        action: Action::Ban,
        origin: Origin::Scenario,
        reason: reason.to_owned(),
        created_at: at(0),
        until: at(1),
        events: 1,
    };
    assert!(named("ssh-bf").fits(&decision("weir/ssh-bf")));
    assert!(named("weir/ssh-bf").fits(&decision("weir/ssh-bf")));
    assert!(!named("bf").fits(&decision("weir/ssh-bf")));
    assert!(!named("weir").fits(&decision("weir/ssh-bf")));
}

#[test]
fn too_much_is_not_cut() {
    let mut court = Court::new();
    court.ban(&["2001:db8::/32"]);
    let many: Vec<IpNet> = (0..100_u128)
        .map(|n| IpAddr::from(Ipv6Addr::from((0x2001_0db8_u128 << 96) | (n << 89))).into())
        .collect();
    let whose = Whose::These { nets: many, inside: false };
    assert!(court.judge.unban(&whose, at(2)).is_err());
    assert_eq!(court.banned(), ["2001:db8::/32"]);
}

/// Addresses of two small prefixes.
fn universe() -> Vec<IpAddr> {
    let v4 = (0..64).map(|n| IpAddr::from(Ipv4Addr::new(203, 0, 113, n)));
    let v6 = (0..64_u128).map(|n| IpAddr::from(Ipv6Addr::from((0x2001_0db8_u128 << 96) | n)));
    v4.chain(v6).collect()
}

fn any_net() -> impl Strategy<Value = IpNet> {
    (any::<bool>(), 0_u8..64, 0_u8..=6).prop_map(|(is_v4, low, wide)| {
        let (address, longest) = if is_v4 {
            (IpAddr::from(Ipv4Addr::new(203, 0, 113, low)), 32)
        } else {
            let bits = (0x2001_0db8_u128 << 96) | u128::from(low);
            (IpAddr::from(Ipv6Addr::from(bits)), 128)
        };
        IpNet::new(address, longest - wide).unwrap().trunc()
    })
}

/// The addresses that one of these holds.
fn covered<'n>(nets: impl Iterator<Item = &'n IpNet> + Clone) -> BTreeSet<IpAddr> {
    universe().into_iter().filter(|address| nets.clone().any(|net| net.contains(address))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is banned and whatever is freed: exactly the rest stays banned, and what narrower
    /// decisions hold unless they are asked for, too; the kernel never lets go of anybody in
    /// between who is banned before and after.
    #[test]
    fn exactly_what_is_named_is_freed(
        bans in prop::collection::vec(any_net(), 1..8),
        frees in prop::collection::vec(any_net(), 1..4),
        inside: bool,
    ) {
        let mut court = Court::new();
        court.judge.ban(&bans, hours(1), "", at(1));
        // A ban lets go of an address that is freed by a prefix in it, or by one around it if asked.
        let lets_go = |ban: &IpNet, address: &IpAddr| {
            frees.iter().any(|free| free.contains(address) && (inside || ban.contains(free)))
        };
        let keeps = |ban: &IpNet, address: &IpAddr| ban.contains(address) && !lets_go(ban, address);
        let wanted: BTreeSet<IpAddr> = universe()
            .into_iter()
            .filter(|address| bans.iter().any(|ban| keeps(ban, address)))
            .collect();
        let mut kernel: BTreeSet<IpNet> =
            court.judge.ledger().active(at(2)).map(|held| held.target.net()).collect();
        let whose = Whose::These { nets: frees.clone(), inside };
        let done = court.judge.unban(&whose, at(2)).unwrap();
        for change in &done.changes {
            match change {
                Change::Ban(bans) => kernel.extend(bans.iter().map(|ban| ban.target.net())),
                Change::Unban(targets) => {
                    targets.iter().for_each(|target| {
                        kernel.remove(&target.net());
                    });
                }
                other => prop_assert!(false, "{other:?}"),
            }
            prop_assert!(covered(kernel.iter()).is_superset(&wanted), "somebody went free");
        }
        let active: BTreeSet<IpNet> =
            court.judge.ledger().active(at(2)).map(|held| held.target.net()).collect();
        prop_assert_eq!(covered(active.iter()), wanted);
        prop_assert_eq!(kernel, active);
    }
}
