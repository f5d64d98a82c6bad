//! The backend against the kernel, in a network namespace of each test's own, looked at through
//! `ip`.

use std::net::IpAddr;

use super::super::netlink::netns::{isolated, renounce, run, succeeds};
use super::*;
use crate::system::clock;

fn options() -> Options {
    Options::from(&settings::Enforce::default())
}

fn open() -> Routes {
    let mut routes = Routes::open(options()).expect("routes open");
    routes.prepare().expect("the rules are made");
    routes
}

fn host(text: &str) -> Element {
    Element::Host(text.parse().unwrap())
}

fn range(text: &str) -> Element {
    let net: IpNet = text.parse().unwrap();
    Element::Range(net.network(), net.broadcast())
}

fn add(element: Element) -> Edit {
    Edit::Add(element, clock::now().plus(3_600_000_000_000))
}

/// The routes of our table as `ip` shows them, IPv4 before IPv6.
fn shown() -> Vec<String> {
    let mut shown = Vec::new();
    for family in ["-4", "-6"] {
        let all = run(&format!("ip {family} route show table all"));
        let ours = all.lines().filter(|line| line.contains("table 9514"));
        let mut ours: Vec<_> = ours
            .map(|line| {
                let words: Vec<_> = line.split_whitespace().collect();
                let metric = words.iter().position(|word| *word == "metric").unwrap();
                assert!(line.contains("proto 222"), "{line}");
                format!("{} {} {}", words[0], words[1], words[metric + 1])
            })
            .collect();
        ours.sort_unstable();
        shown.extend(ours);
    }
    shown
}

/// Whether `ip` knows a way to an address.
fn way(to: &str) -> &'static str {
    if succeeds(&format!("ip route get {to}")) { "somewhere" } else { "nowhere" }
}

fn elements(routes: &mut Routes) -> Vec<Element> {
    routes.list().unwrap().iter().map(|held| held.element).collect()
}

#[test]
fn bans_are_routes_and_friends_go_through() {
    isolated(|| {
        run("ip link set lo up");
        run("ip link add v0 type veth peer name v1");
        run("ip link set v1 up");
        run("ip link set v0 up");
        run("ip route add default dev v0");
        run("ip -6 route add default dev v0");
        let mut routes = open();
        let friends = ["198.51.100.16/28", "10.9.0.0/16", "2001:db8:1::7/128"];
        let friends = friends.map(|net| net.parse().unwrap());
        assert!(routes.befriend(&friends).unwrap());
        assert!(!routes.befriend(&friends).unwrap());
        let bans = [
            host("192.0.2.1"),
            host("2001:db8::1"),
            // One in a friend's prefix, and a range of a single address beside it as a host.
            range("10.9.8.0/24"),
            range("192.0.2.1/32"),
            range("198.51.100.0/24"),
            range("2001:db8:1::/48"),
        ];
        assert_eq!(routes.apply(&bans.map(add)).unwrap(), 1);
        let expected = [
            "blackhole 192.0.2.1 2",
            "blackhole 192.0.2.1 3",
            "blackhole 198.51.100.0/24 3",
            "throw 10.9.0.0/16 1",
            "throw 10.9.8.0/24 3",
            "throw 198.51.100.16/28 1",
            "blackhole 2001:db8:1::/48 3",
            "blackhole 2001:db8::1 2",
            "throw 2001:db8:1::7 1",
        ];
        assert_eq!(shown(), expected);
        let mut listed = bans.to_vec();
        listed.sort_unstable();
        assert_eq!(elements(&mut routes), listed);
        for (to, expected) in [
            ("192.0.2.1", "nowhere"),
            ("192.0.2.2", "somewhere"),
            ("198.51.100.15", "nowhere"),
            ("198.51.100.17", "somewhere"),
            ("10.9.8.7", "somewhere"),
            ("2001:db8::1", "nowhere"),
            ("2001:db8:1::6", "nowhere"),
            ("2001:db8:1::7", "somewhere"),
        ] {
            assert_eq!(way(to), expected, "{to}");
        }
        // They are friends no more: what lies in them is banned now.
        assert!(routes.befriend(&[]).unwrap());
        assert_eq!(way("10.9.8.7"), "nowhere");
        assert_eq!(way("198.51.100.17"), "nowhere");
        assert_eq!(elements(&mut routes), listed);
        let hits = routes.look_up("192.0.2.1".parse::<IpAddr>().unwrap()).unwrap();
        assert_eq!(hits.len(), 2, "{hits:?}");
        routes.apply(&[Edit::Remove(range("192.0.2.1/32"))]).unwrap();
        assert_eq!(way("192.0.2.1"), "nowhere", "the other ban still holds");
        routes.apply(&[Edit::Remove(host("192.0.2.1")), Edit::Remove(host("192.0.2.99"))]).unwrap();
        assert_eq!(way("192.0.2.1"), "somewhere");
    });
}

#[test]
fn a_rebuild_leaves_exactly_what_is_wanted() {
    isolated(|| {
        let mut routes = open();
        routes.befriend(&["10.9.0.0/16".parse().unwrap()]).unwrap();
        let bans: Vec<_> =
            (0..3000_u32).map(|n| Element::Host(IpAddr::V4((0x0b00_0000 + n).into()))).collect();
        let edits: Vec<_> = bans.iter().copied().map(add).collect();
        assert_eq!(routes.apply(&edits).unwrap(), 3, "in series");
        assert_eq!(elements(&mut routes), bans);
        run("ip route add unreachable 10.7.0.0/16 table 9514 proto 222 metric 3");
        assert_eq!(elements(&mut routes), bans, "what is not as we make it is not there");
        let until = clock::now().plus(60_000_000_000);
        let wanted = [host("192.0.2.9"), range("10.7.0.0/16"), range("2001:db8::/56")];
        routes.rebuild(&mut wanted.into_iter().map(|element| (element, until))).unwrap();
        assert_eq!(elements(&mut routes), wanted);
        let expected = [
            "blackhole 10.7.0.0/16 3",
            "blackhole 192.0.2.9 2",
            "throw 10.9.0.0/16 1",
            "blackhole 2001:db8::/56 3",
        ];
        assert_eq!(shown(), expected);
    });
}

#[test]
fn what_a_stranger_does_is_heard_and_only_ours_is_cleaned_up() {
    isolated(|| {
        run("ip link add v0 type veth peer name v1");
        // Addresses of their own would come when the links carry, at any moment.
        run("ip link set v0 up addrgenmode none");
        run("ip link set v1 up addrgenmode none");
        let all = || {
            let routes = ["-4", "-6"].map(|of| run(&format!("ip {of} route show table all")));
            let rules = ["-4", "-6"].map(|of| run(&format!("ip {of} rule")));
            let all = [routes.concat(), rules.concat()].concat();
            let all = all.lines().filter(|line| !line.contains("proto kernel"));
            all.map(|line| format!("{line}\n")).collect::<String>()
        };
        run("ip rule add from 10.1.1.1 lookup 9514 priority 50");
        run("ip route add 172.16.0.0/12 dev v0 table 9514");
        let before = all();
        let mut routes = open();
        assert!(!routes.prepare().unwrap());
        routes.befriend(&["10.9.0.0/16".parse().unwrap()]).unwrap();
        routes.apply(&[add(host("192.0.2.1")), add(host("2001:db8::1"))]).unwrap();
        assert!(!routes.disturbed().unwrap(), "our own changes are not a stranger's");
        run("ip route add 203.0.113.0/24 dev v0");
        run("ip rule add from 10.2.2.2 lookup 77 priority 60");
        run("ip rule delete from 10.2.2.2 lookup 77");
        run("ip route delete 203.0.113.0/24");
        assert!(!routes.disturbed().unwrap(), "other tables are none of our business");
        run("ip route flush table 9514 proto 222");
        assert!(routes.disturbed().unwrap());
        assert!(!routes.disturbed().unwrap());
        assert!(!routes.prepare().unwrap(), "the rules are there");
        assert_eq!(elements(&mut routes), [host("2001:db8::1")]);
        run("ip -6 route flush table 9514 proto 222");
        assert!(routes.disturbed().unwrap());
        run("ip rule delete priority 100");
        run("ip -6 rule delete priority 100");
        assert!(routes.disturbed().unwrap());
        assert!(routes.prepare().unwrap());
        assert!(!routes.prepare().unwrap());
        // Another priority: the old rules go.
        let mut moved = Routes::open(Options { priority: 200, ..options() }).unwrap();
        assert!(moved.prepare().unwrap());
        let rules = run("ip rule");
        assert!(rules.contains("200:\tfrom all lookup 9514"), "{rules}");
        assert!(!rules.contains("100:"), "{rules}");
        routes.apply(&[add(range("10.0.0.0/8")), add(host("2001:db8::1"))]).unwrap();
        routes.flush().unwrap();
        assert_eq!(all(), before);
        routes.flush().unwrap();
    });
}

#[test]
fn without_the_privilege_it_says_so() {
    let outcome = std::thread::spawn(|| {
        renounce();
        Routes::open(options()).map(|_| ())
    });
    assert!(matches!(outcome.join().unwrap(), Err(Error::NotPermitted)));
}

/// Not a test of anything: how long 10,000 routes take.
#[test]
#[ignore = "a measurement"]
fn measured() {
    isolated(|| {
        let mut routes = open();
        let bans: Vec<_> =
            (0..10_000_u32).map(|n| Element::Host(IpAddr::V4((0x0b00_0000 + n).into()))).collect();
        let v6 = (0..10_000_u128)
            .map(|n| Element::Host(IpAddr::V6(((0x2001_0db8_u128 << 96) + n).into())));
        for bans in [bans, v6.collect::<Vec<_>>()] {
            let time = |what: &str, work: &mut dyn FnMut()| {
                let start = clock::instant();
                work();
                println!("{what}: {:?}", start.elapsed());
            };
            let edits: Vec<_> = bans.iter().copied().map(add).collect();
            time("add 10,000 routes", &mut || assert_eq!(routes.apply(&edits).unwrap(), 10));
            time("list them", &mut || assert_eq!(routes.list().unwrap().len(), 10_000));
            let one = [add(host("203.0.113.1"))];
            time("one more", &mut || assert!(routes.apply(&one).is_ok()));
            time("one less", &mut || {
                assert!(routes.apply(&[Edit::Remove(host("203.0.113.1"))]).is_ok());
            });
            let edits: Vec<_> = bans.iter().copied().map(Edit::Remove).collect();
            time("delete them", &mut || assert_eq!(routes.apply(&edits).unwrap(), 10));
        }
    });
}
