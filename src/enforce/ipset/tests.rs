//! The backend against the kernel, in a network namespace of each test's own, looked at through
//! `ipset` and `iptables`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::super::netlink::netns::{isolated, run};
use super::*;

const SECOND: i64 = 1_000_000_000;

fn options() -> Options {
    Options::from(&settings::Enforce::default())
}

/// Runs a test in a namespace, where the programs are installed.
fn guarded(test: impl FnOnce() + Send) {
    let missing: Vec<_> = ["ipset", "iptables", "ip6tables"]
        .into_iter()
        .filter(|program| !std::path::Path::new("/usr/sbin").join(program).exists())
        .collect();
    if missing.is_empty() {
        return isolated(test);
    }
    println!("SKIPPED: no {missing:?} here");
    #[expect(clippy::disallowed_methods, reason = "a switch of the test run, not a setting")]
    let is_required = std::env::var("WEIR_REQUIRE_KERNEL").is_ok_and(|value| value == "1");
    assert!(!is_required, "WEIR_REQUIRE_KERNEL=1, but {missing:?} are not installed");
}

fn open() -> Ipset {
    let mut ipset = Ipset::new(options());
    assert!(ipset.prepare().expect("sets and rules are made"));
    ipset
}

fn host(text: &str) -> Element {
    Element::Host(text.parse().unwrap())
}

fn range(text: &str) -> Element {
    let net: IpNet = text.parse().unwrap();
    Element::Range(net.network(), net.broadcast())
}

fn later(seconds: i64) -> Time {
    clock::now().plus(seconds * SECOND)
}

/// The elements of a set as `ipset` shows them, with the seconds left.
fn shown(set: &str) -> BTreeMap<String, u64> {
    let listing = run(&format!("ipset save {set}"));
    let elements = listing.lines().filter(|line| line.starts_with("add "));
    elements
        .map(|line| {
            let words: Vec<_> = line.split(' ').collect();
            (words[2].to_owned(), words.get(4).map_or(0, |left| left.parse().unwrap()))
        })
        .collect()
}

#[track_caller]
fn check(set: &str, expected: &[(&str, u64)]) {
    let shown = shown(set);
    let keys: Vec<_> = shown.keys().map(String::as_str).collect();
    assert_eq!(keys, expected.iter().map(|(key, _)| *key).collect::<Vec<_>>());
    for (key, seconds) in expected {
        let left = shown[*key];
        assert!((seconds.saturating_sub(5)..=*seconds).contains(&left), "{key}: {left} s left");
    }
}

#[test]
fn bans_are_made_changed_and_undone() {
    guarded(|| {
        let mut ipset = open();
        assert!(!ipset.prepare().unwrap());
        let first = [
            Edit::Add(host("192.0.2.1"), later(600)),
            Edit::Add(host("192.0.2.2"), later(100)),
            Edit::Add(host("2001:db8::1"), later(3_000_000_000)),
            Edit::Add(range("10.0.0.0/8"), later(50)),
            Edit::Add(range("2001:db8:1::/48"), later(70)),
        ];
        assert_eq!(ipset.apply(&first).unwrap(), 1);
        check("weir-ban4", &[("192.0.2.1", 600), ("192.0.2.2", 100)]);
        check("weir-ban6", &[("2001:db8::1", sets::LONGEST)]);
        check("weir-ban4-net", &[("10.0.0.0/8", 50)]);
        check("weir-ban6-net", &[("2001:db8:1::/48", 70)]);
        let second = [
            Edit::Update(host("192.0.2.1"), later(30)),
            Edit::Remove(host("192.0.2.2")),
            Edit::Remove(host("192.0.2.77")),
            Edit::Add(range("10.0.0.0/9"), later(40)),
            Edit::Remove(range("10.0.0.0/8")),
            Edit::Add(range("10.128.0.0/9"), later(400)),
        ];
        ipset.apply(&second).unwrap();
        check("weir-ban4", &[("192.0.2.1", 30)]);
        check("weir-ban4-net", &[("10.0.0.0/9", 40), ("10.128.0.0/9", 400)]);
        let held = ipset.list().unwrap();
        let listed: Vec<_> = held.iter().map(|held| held.element).collect();
        let expected = [
            host("192.0.2.1"),
            host("2001:db8::1"),
            range("10.0.0.0/9"),
            range("10.128.0.0/9"),
            range("2001:db8:1::/48"),
        ];
        assert_eq!(listed, expected);
        let off = held[3].until.unwrap().since(later(400)).abs();
        assert!(off <= 2 * SECOND, "{off} ns off");
        let hits = ipset.look_up("10.200.1.2".parse::<IpAddr>().unwrap()).unwrap();
        assert_eq!(hits.len(), 1);
        assert_eq!(hits[0].element, range("10.128.0.0/9"));
        let all = range("0.0.0.0/0");
        ipset.rebuild(&mut [(host("192.0.2.9"), later(60)), (all, later(60))].into_iter()).unwrap();
        let listed: Vec<_> = ipset.list().unwrap().iter().map(|held| held.element).collect();
        assert_eq!(listed, [host("192.0.2.9"), all]);
        assert!(!run("ipset list -name").contains("-new"));
    });
}

#[test]
fn friends_come_first() {
    guarded(|| {
        let mut ipset = open();
        let friends = ["10.9.0.0/16", "192.0.2.7/32", "10.0.0.0/8", "2001:db8::/56"];
        let friends = friends.map(|net| net.parse().unwrap());
        assert!(ipset.befriend(&friends).unwrap());
        assert!(!ipset.befriend(&friends).unwrap());
        check("weir-friends4", &[("10.0.0.0/8", 0), ("10.9.0.0/16", 0), ("192.0.2.7", 0)]);
        check("weir-friends6", &[("2001:db8::/56", 0)]);
        assert!(ipset.befriend(&friends[1..3]).unwrap());
        check("weir-friends4", &[("10.0.0.0/8", 0), ("192.0.2.7", 0)]);
        check("weir-friends6", &[]);
        let rules = run("iptables -S WEIR");
        let friends = rules.find("--match-set weir-friends4 src -j RETURN").unwrap();
        assert!(friends < rules.find("--match-set weir-ban4 src -j DROP").unwrap(), "{rules}");
    });
}

#[test]
fn what_a_stranger_does_is_seen_and_mended() {
    guarded(|| {
        run("iptables -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT");
        let mut ipset = open();
        let bans =
            [Edit::Add(host("192.0.2.1"), later(600)), Edit::Add(host("192.0.2.2"), later(600))];
        ipset.apply(&bans).unwrap();
        let first = |chain: &str| run(&format!("iptables -S {chain} 1")).trim().to_owned();
        assert_eq!(first("INPUT"), "-A INPUT -j WEIR", "before others accept what is established");
        assert_eq!(first("FORWARD"), "-A FORWARD -j WEIR");
        ipset.list().unwrap();
        let seen = |ipset: &mut Ipset| {
            // As if the time for the next look had come.
            ipset.watch.looked_at = ipset.watch.looked_at.checked_sub(LOOK).unwrap();
            ipset.disturbed().unwrap()
        };
        assert!(!seen(&mut ipset), "nothing has happened");
        run("ipset create other hash:ip");
        run("iptables -A OUTPUT -j ACCEPT");
        assert!(!seen(&mut ipset), "others are none of our business");
        let deeds: &[(&str, bool)] = &[
            ("ipset flush weir-ban4", false),
            ("iptables -F WEIR", true),
            ("iptables -F", true),
            ("iptables -D INPUT -j WEIR", true),
            ("iptables -I INPUT -j ACCEPT", true),
            ("ip6tables -F", true),
            ("iptables -I WEIR -j ACCEPT", true),
            ("ipset swap weir-ban4 other", true),
        ];
        for (deed, is_mended) in deeds {
            run(deed);
            assert!(seen(&mut ipset), "{deed}");
            assert_eq!(ipset.prepare().unwrap(), *is_mended, "{deed}");
            assert!(!ipset.prepare().unwrap(), "{deed}");
            ipset
                .rebuild(
                    &mut [(host("192.0.2.1"), later(60)), (host("192.0.2.2"), later(60))]
                        .into_iter(),
                )
                .unwrap();
            ipset.list().unwrap();
            assert!(!seen(&mut ipset), "{deed}");
        }
        run("iptables -N DOCKER-USER");
        run("iptables -A DOCKER-USER -j RETURN");
        run("iptables -I FORWARD -j DOCKER-USER");
        assert!(seen(&mut ipset));
        assert!(ipset.prepare().unwrap());
        assert_eq!(first("DOCKER-USER"), "-A DOCKER-USER -j WEIR");
        // It may come first: it leads to us.
        assert_eq!(first("FORWARD"), "-A FORWARD -j DOCKER-USER");
        assert_eq!(run("iptables -S FORWARD 2"), "-A FORWARD -j WEIR\n");
        assert!(!ipset.prepare().unwrap());
        run("iptables -I FORWARD -o docker0 -j ACCEPT");
        assert!(ipset.prepare().unwrap());
        assert_eq!(first("FORWARD"), "-A FORWARD -j WEIR");
    });
}

#[test]
fn a_flush_leaves_nothing_of_ours() {
    guarded(|| {
        let rules = || {
            let all = ["iptables-save", "ip6tables-save"].map(run).concat();
            all.lines().filter(|line| line.starts_with("-A")).map(str::to_owned).collect::<Vec<_>>()
        };
        run("iptables -A INPUT -p tcp --dport 22 -j ACCEPT");
        run("ipset create other hash:ip");
        let before = rules();
        let mut ipset = open();
        ipset.befriend(&["10.0.0.0/8".parse().unwrap()]).unwrap();
        ipset.apply(&[Edit::Add(host("192.0.2.1"), later(600))]).unwrap();
        // As a crash in the middle of a rebuild leaves it.
        run("ipset create weir-ban4-new hash:ip");
        assert_ne!(rules(), before);
        ipset.flush().unwrap();
        assert_eq!(rules(), before);
        assert_eq!(run("ipset list -name"), "other\n");
        let chains = ["iptables-save", "ip6tables-save"].map(run).concat();
        assert!(!chains.contains("WEIR"), "{chains}");
        ipset.flush().unwrap();
        assert!(ipset.prepare().unwrap());
    });
}

#[test]
fn other_settings_are_carried_out() {
    guarded(|| {
        let mut ipset = open();
        ipset.apply(&[Edit::Add(host("192.0.2.1"), later(600))]).unwrap();
        let hooks = vec![settings::Hook::Prerouting, settings::Hook::Input];
        let options = Options { hooks, verdict: settings::Verdict::Reject, ..options() };
        let mut other = Ipset::new(options);
        assert!(other.prepare().unwrap());
        assert!(!other.prepare().unwrap(), "what iptables shows is what it was told");
        check("weir-ban4", &[("192.0.2.1", 600)]);
        assert_eq!(
            run("iptables -t raw -S PREROUTING"),
            "-P PREROUTING ACCEPT\n-A PREROUTING -j WEIR\n"
        );
        assert_eq!(run("iptables -S FORWARD"), "-P FORWARD ACCEPT\n");
        other.flush().unwrap();
        assert!(!run("iptables-save").contains("WEIR"));
    });
}

#[test]
fn a_failure_is_told_in_the_programs_words() {
    guarded(|| {
        let mut ipset = Ipset::new(options());
        let error = ipset.apply(&[Edit::Add(host("192.0.2.1"), later(5))]).unwrap_err();
        assert!(
            error.to_string().contains("The set with the given name does not exist"),
            "{error}"
        );
        run("ipset create weir-ban4 hash:net");
        ipset.prepare().unwrap();
        ipset.apply(&[Edit::Add(host("192.0.2.1"), later(5))]).unwrap();
    });
}

/// Not a test of anything: how long 100,000 elements take.
#[test]
#[ignore = "a measurement"]
fn measured() {
    guarded(|| {
        let mut ipset = open();
        let hosts = (0..50_000_u32).map(|n| Element::Host(IpAddr::V4((0x0b00_0000 + n).into())));
        let v6 = (0..40_000_u128)
            .map(|n| Element::Host(IpAddr::V6(((0x2001_0db8_u128 << 96) + n).into())));
        let nets = (0..10_000_u32).map(|n| {
            let first = 0x0c00_0000 + n * 16;
            Element::Range(IpAddr::V4(first.into()), IpAddr::V4((first + 7).into()))
        });
        let bans: Vec<_> = hosts.chain(v6).chain(nets).collect();
        let time = |what: &str, work: &mut dyn FnMut()| {
            let start = clock::instant();
            work();
            println!("{what}: {:?}", start.elapsed());
        };
        let edits: Vec<_> = bans.iter().map(|element| Edit::Add(*element, later(3600))).collect();
        time("add 100,000 elements at once", &mut || assert!(ipset.apply(&edits).is_ok()));
        time("list them", &mut || assert_eq!(ipset.list().unwrap().len(), 100_000));
        time("one more", &mut || {
            assert!(ipset.apply(&[Edit::Add(host("203.0.113.1"), later(60))]).is_ok());
        });
        time("look whether all is there", &mut || {
            ipset.watch.looked_at = ipset.watch.looked_at.checked_sub(LOOK * 2).unwrap();
            ipset.disturbed().unwrap();
        });
        time("rebuild", &mut || {
            ipset.rebuild(&mut bans.iter().map(|element| (*element, later(3600)))).unwrap();
        });
        let edits: Vec<_> = bans.iter().copied().map(Edit::Remove).collect();
        time("remove them", &mut || assert!(ipset.apply(&edits).is_ok()));
    });
}
