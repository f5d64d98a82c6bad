//! The backend against the kernel, in a network namespace of each test's own, looked at through
//! `nft`.

use std::collections::BTreeMap;
use std::net::{IpAddr, UdpSocket};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use serde_json::Value;

mod layout;

use super::super::element::successor;
use super::super::netlink::netns::{enter, isolated, renounce, run, thread_id};
use super::*;

const SECOND: i64 = 1_000_000_000;

pub(in crate::enforce) fn options() -> Options {
    Options::from(&settings::Enforce::default())
}

fn open() -> Nftables {
    let mut nftables = Nftables::open(options()).expect("nf_tables opens");
    nftables.prepare().expect("the table is made");
    nftables
}

/// The elements of a set as `nft` shows them (`a`, `a/length` or `a-b`), with the seconds left;
/// 0 when they stay for ever.
pub(in crate::enforce) fn shown(set: &str) -> BTreeMap<String, u64> {
    let listing: Value =
        serde_json::from_str(&run(&format!("nft -j list set inet weir {set}"))).unwrap();
    let elements = listing["nftables"][1]["set"]["elem"].as_array().cloned().unwrap_or_default();
    let key = |value: &Value| match value {
        Value::String(address) => address.clone(),
        value if value["prefix"].is_object() => {
            format!("{}/{}", value["prefix"]["addr"].as_str().unwrap(), value["prefix"]["len"])
        }
        value => {
            let ends = &value["range"];
            format!("{}-{}", ends[0].as_str().unwrap(), ends[1].as_str().unwrap())
        }
    };
    elements
        .iter()
        .map(|element| match &element["elem"] {
            Value::Null => (key(element), 0),
            timed => (key(&timed["val"]), timed["expires"].as_u64().unwrap()),
        })
        .collect()
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn host(text: &str) -> Element {
    Element::Host(address(text))
}

fn range(first: &str, last: &str) -> Element {
    Element::Range(address(first), address(last))
}

fn later(seconds: i64) -> Time {
    clock::now().plus(seconds * SECOND)
}

#[track_caller]
fn check(set: &str, expected: &[(&str, u64)]) {
    let shown = shown(set);
    assert_eq!(
        shown.keys().map(String::as_str).collect::<Vec<_>>(),
        expected.iter().map(|(key, _)| *key).collect::<Vec<_>>()
    );
    for (key, seconds) in expected {
        // A busy machine takes its time between ban and look.
        assert!(
            (seconds.saturating_sub(5)..=seconds + 1).contains(&shown[*key]),
            "{key}: {} s left, not {seconds}",
            shown[*key]
        );
    }
}

#[test]
fn bans_are_made_changed_and_undone() {
    isolated(|| {
        let mut nftables = open();
        let first = [
            Edit::Add(host("192.0.2.1"), later(600)),
            Edit::Add(host("192.0.2.2"), later(100)),
            Edit::Add(host("2001:db8::1"), later(4000)),
            Edit::Add(range("10.0.0.0", "10.255.255.255"), later(50)),
            Edit::Add(range("255.255.255.0", "255.255.255.255"), later(60)),
            Edit::Add(range("2001:db8:1::", "2001:db8:1:ffff:ffff:ffff:ffff:ffff"), later(70)),
        ];
        assert_eq!(nftables.apply(&first).unwrap(), 1);
        check("ban4", &[("192.0.2.1", 600), ("192.0.2.2", 100)]);
        check("ban6", &[("2001:db8::1", 4000)]);
        check("ban4_net", &[("10.0.0.0/8", 50), ("255.255.255.0/24", 60)]);
        check("ban6_net", &[("2001:db8:1::/48", 70)]);
        let second = [
            Edit::Update(host("192.0.2.1"), later(30)),
            Edit::Remove(host("192.0.2.2")),
            Edit::Update(host("2001:db8::1"), later(9000)),
            Edit::Update(range("10.0.0.0", "10.255.255.255"), later(500)),
            Edit::Remove(range("255.255.255.0", "255.255.255.255")),
            Edit::Remove(range("2001:db8:1::", "2001:db8:1:ffff:ffff:ffff:ffff:ffff")),
        ];
        nftables.apply(&second).unwrap();
        check("ban4", &[("192.0.2.1", 30)]);
        check("ban6", &[("2001:db8::1", 9000)]);
        check("ban4_net", &[("10.0.0.0/8", 500)]);
        check("ban6_net", &[]);
        // What is gone already is no error.
        nftables
            .apply(&[Edit::Remove(host("192.0.2.77")), Edit::Update(host("192.0.2.78"), later(9))])
            .unwrap();
        check("ban4", &[("192.0.2.1", 30), ("192.0.2.78", 9)]);
    });
}

#[test]
fn a_range_is_split_and_joined_at_once() {
    isolated(|| {
        let mut nftables = open();
        nftables.apply(&[Edit::Add(range("10.0.0.0", "10.0.0.255"), later(50))]).unwrap();
        let split = [
            Edit::Add(range("10.0.0.0", "10.0.0.63"), later(50)),
            Edit::Remove(range("10.0.0.0", "10.0.0.255")),
            Edit::Add(range("10.0.0.64", "10.0.0.127"), later(90)),
            Edit::Add(range("10.0.0.128", "10.0.0.255"), later(50)),
        ];
        nftables.apply(&split).unwrap();
        check("ban4_net", &[("10.0.0.0/26", 50), ("10.0.0.128/25", 50), ("10.0.0.64/26", 90)]);
        let listed: Vec<_> = nftables.list().unwrap().iter().map(|held| held.element).collect();
        let expected = [split[0].element(), split[2].element(), split[3].element()];
        assert_eq!(listed, expected);
        let joined = [
            Edit::Remove(expected[0]),
            Edit::Add(range("10.0.0.0", "10.0.0.255"), later(50)),
            Edit::Remove(expected[1]),
            Edit::Remove(expected[2]),
        ];
        nftables.apply(&joined).unwrap();
        check("ban4_net", &[("10.0.0.0/24", 50)]);
    });
}

/// Where one range ends another begins, and the kernel has two nodes of the same key.
#[test]
fn ranges_that_touch_are_told_apart() {
    isolated(|| {
        let ranges = [
            range("192.0.2.0", "192.0.2.1"),
            range("192.0.2.2", "192.0.2.3"),
            range("192.0.2.4", "192.0.2.63"),
            range("192.0.2.96", "192.0.2.127"),
            range("255.255.255.0", "255.255.255.127"),
            range("255.255.255.128", "255.255.255.255"),
            range("2001:db8:1::", "2001:db8:1:ffff:ffff:ffff:ffff:ffff"),
            range("2001:db8:2::", "2001:db8:2:ffff:ffff:ffff:ffff:ffff"),
        ];
        let mut nftables = open();
        nftables.apply(&ranges.map(|range| Edit::Add(range, later(50)))).unwrap();
        let held = nftables.recheck(&ranges).unwrap().expect("nftables can be asked");
        assert_eq!(held.iter().map(|held| held.element).collect::<Vec<_>>(), ranges);
        for range in ranges {
            let inside = successor(range.first()).expect("a range of several addresses");
            for address in [range.first(), inside, range.last()] {
                let hits = nftables.look_up(address).unwrap();
                let elements: Vec<_> = hits.iter().map(|hit| hit.element).collect();
                assert_eq!(elements, [range], "{address}");
            }
        }
        for absent in ["192.0.2.64", "192.0.2.95", "192.0.2.128", "2001:db8:3::"] {
            assert_eq!(nftables.look_up(address(absent)).unwrap().len(), 0, "{absent}");
        }
    });
}

#[test]
fn what_is_listed_is_what_was_told() {
    isolated(|| {
        let mut nftables = open();
        let until = later(300);
        let mut edits: Vec<_> = (0..10_000_u32)
            .map(|n| Edit::Add(Element::Host(IpAddr::V4((0x0a00_0000 + n).into())), until))
            .collect();
        edits.extend((0..900_u32).map(|n| {
            let first = 0x0b00_0000 + n * 16;
            Edit::Add(
                Element::Range(IpAddr::V4(first.into()), IpAddr::V4((first + 7).into())),
                until,
            )
        }));
        nftables.apply(&edits).unwrap();
        assert_eq!((shown("ban4").len(), shown("ban4_net").len()), (10_000, 900));
        let held = nftables.list().unwrap();
        assert_eq!(held.len(), edits.len());
        for (held, edit) in held.iter().zip(&edits) {
            assert_eq!(held.element, edit.element());
            let off = held.until.expect("it ends").since(until).abs();
            assert!(off < 2 * SECOND, "{off} ns off");
        }
        // A stranger's element without an end is listed as one.
        run("nft add element inet weir ban4 { 192.0.2.1 timeout 0s }");
        let held = nftables.list().unwrap();
        let strange = held.iter().find(|held| held.element == host("192.0.2.1")).unwrap();
        assert!(strange.until.is_none_or(|end| end > later(300)));
        let kept = [(host("192.0.2.9"), until), (range("10.0.0.0", "10.0.0.7"), until)];
        nftables.rebuild(&mut kept.into_iter()).unwrap();
        assert_eq!((shown("ban4").len(), shown("ban4_net").len()), (1, 1));
    });
}

#[test]
fn the_table_is_adopted_with_its_elements() {
    isolated(|| {
        let mut before = open();
        before.apply(&[Edit::Add(host("192.0.2.1"), later(600))]).unwrap();
        drop(before);
        let mut after = Nftables::open(options()).unwrap();
        assert!(!after.prepare().unwrap(), "nothing is made anew");
        check("ban4", &[("192.0.2.1", 600)]);
        assert_eq!(after.list().unwrap()[0].element, host("192.0.2.1"));
        // Other options keep the elements, too.
        let hooks = vec![settings::Hook::Prerouting, settings::Hook::Input];
        let mut moved = Nftables::open(Options { hooks, priority: -20, ..options() }).unwrap();
        assert!(moved.prepare().unwrap());
        assert!(!moved.prepare().unwrap());
        check("ban4", &[("192.0.2.1", 600)]);
        let listing = run("nft list table inet weir");
        assert!(
            listing.contains("type filter hook prerouting priority raw; policy accept;"),
            "{listing}"
        );
        assert!(
            listing.contains("type filter hook input priority -20; policy accept;"),
            "{listing}"
        );
        assert!(!listing.contains("hook forward"), "{listing}");
        for rule in
            ["ip saddr @ban4", "ip6 saddr @ban6", "ip saddr @ban4_net", "ip6 saddr @ban6_net"]
        {
            let rule = format!("{rule} counter packets 0 bytes 0 drop");
            assert_eq!(listing.matches(&rule).count(), 2, "{listing}");
        }
    });
}

#[test]
fn what_a_stranger_does_is_heard_and_mended() {
    isolated(|| {
        let mut nftables = open();
        nftables.apply(&[Edit::Add(host("192.0.2.1"), later(600))]).unwrap();
        assert!(!nftables.disturbed().unwrap(), "our own changes are not a stranger's");
        run("nft add table inet other");
        run("nft add set inet other weir { type ipv4_addr; }");
        run("nft delete table inet other");
        assert!(!nftables.disturbed().unwrap(), "another table is none of our business");
        let mends = |nftables: &mut Nftables| {
            assert!(nftables.disturbed().unwrap());
            assert!(!nftables.disturbed().unwrap());
            let is_mended = nftables.prepare().unwrap();
            assert!(!nftables.prepare().unwrap());
            is_mended
        };
        run("nft flush set inet weir ban4");
        assert!(!mends(&mut nftables), "elements are not the table");
        assert_eq!(nftables.list().unwrap(), []);
        run("nft flush chain inet weir input");
        assert!(mends(&mut nftables));
        run("nft insert rule inet weir input accept");
        assert!(mends(&mut nftables));
        run("nft delete chain inet weir forward");
        assert!(mends(&mut nftables));
        run("nft add table inet weir { flags dormant; }");
        assert!(mends(&mut nftables));
        run("nft delete table inet weir");
        assert!(mends(&mut nftables));
        run("nft flush ruleset");
        assert!(mends(&mut nftables));
        run("nft delete table inet weir");
        run("nft add table inet weir");
        run("nft add set inet weir ban4 { type ipv4_addr; flags interval; }");
        assert!(mends(&mut nftables));
        let listing = run("nft list table inet weir");
        assert_eq!(listing.matches("counter packets 0 bytes 0 drop").count(), 8, "{listing}");
        assert!(!listing.contains("dormant") && !listing.contains("accept\n"), "{listing}");
    });
}

#[test]
fn an_owned_table_is_safe_from_others_and_is_taken_over_by_the_next() {
    isolated(|| {
        let owned = || Nftables::open(Options { is_owned: true, ..options() }).unwrap();
        let mut first = owned();
        match first.prepare() {
            Ok(is_mended) => assert!(is_mended),
            // Before Linux 6.9.
            Err(Error::Kernel { source, .. }) if source.errno() == Some(libc::EOPNOTSUPP) => return,
            Err(error) => panic!("{error}"),
        }
        first.apply(&[Edit::Add(host("192.0.2.1"), later(600))]).unwrap();
        run("nft flush ruleset");
        check("ban4", &[("192.0.2.1", 600)]);
        let mut other =
            Nftables::open(Options { priority: 5, is_owned: true, ..options() }).unwrap();
        assert!(matches!(other.prepare(), Err(Error::Taken { .. })));
        drop(first);
        check("ban4", &[("192.0.2.1", 600)]);
        let mut second = owned();
        assert!(second.prepare().unwrap());
        check("ban4", &[("192.0.2.1", 600)]);
        run("nft flush ruleset");
        check("ban4", &[("192.0.2.1", 600)]);
    });
}

#[test]
fn a_refusal_is_told_in_the_kernels_words() {
    isolated(|| {
        let mut nftables = Nftables::open(options()).unwrap();
        let error = nftables.apply(&[Edit::Add(host("192.0.2.1"), later(5))]).unwrap_err();
        assert!(error.to_string().contains("No such file or directory"), "{error}");
        nftables.prepare().unwrap();
        nftables.apply(&[Edit::Add(range("10.0.0.0", "10.0.0.255"), later(50))]).unwrap();
        let overlapping = [
            Edit::Add(host("192.0.2.1"), later(5)),
            Edit::Add(range("10.0.0.4", "10.0.0.7"), later(50)),
        ];
        let error = nftables.apply(&overlapping).unwrap_err();
        assert!(error.to_string().contains("File exists"), "{error}");
        check("ban4", &[]);
        nftables.apply(&[Edit::Add(host("192.0.2.1"), later(5))]).unwrap();
        check("ban4", &[("192.0.2.1", 5)]);
    });
}

#[test]
fn without_the_privilege_it_says_so() {
    let outcome = std::thread::spawn(|| {
        renounce();
        Nftables::open(options()).map(|_| ())
    });
    assert!(matches!(outcome.join().unwrap(), Err(Error::NotPermitted)));
}

/// As before Linux 6.3: what is absent cannot be taken away, and the loop must find its way.
#[test]
fn a_kernel_that_cannot_destroy_is_told_to_delete() {
    isolated(|| {
        let mut nftables = open();
        nftables.removal = Some(Verb::DeleteElements);
        let present = [
            Edit::Add(host("192.0.2.1"), later(600)),
            Edit::Add(range("10.0.0.0", "10.0.0.255"), later(50)),
        ];
        nftables.apply(&present).unwrap();
        nftables
            .apply(&[
                Edit::Update(host("192.0.2.1"), later(60)),
                Edit::Remove(present[1].element()),
            ])
            .unwrap();
        check("ban4", &[("192.0.2.1", 60)]);
        check("ban4_net", &[]);
        let absent = [Edit::Remove(host("192.0.2.1")), Edit::Remove(host("192.0.2.2"))];
        let error = nftables.apply(&absent).unwrap_err();
        assert!(error.to_string().contains("No such file or directory"), "{error}");
        check("ban4", &[("192.0.2.1", 60)]);
    });
}

/// Two namespaces joined by a cable: packets of a banned address do not arrive.
#[test]
fn packets_of_the_banned_are_dropped_and_counted() {
    let (tell_thread, other_thread) = sync_channel(1);
    let (tell_go, go) = sync_channel::<()>(0);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let is_possible = enter();
            tell_thread.send(is_possible.then(thread_id)).unwrap();
            if !is_possible || go.recv().is_err() {
                return;
            }
            run("ip link set far addrgenmode none");
            for address in ["10.9.0.2/24", "10.9.0.3/24", "2001:db8::2/64", "2001:db8::3/64"] {
                run(&format!("ip address add {address} dev far"));
            }
            run("sysctl -qw net.ipv6.conf.far.accept_dad=0");
            run("ip link set far up");
            let send = |from: &str, to: &str| {
                // Duplicate address detection may still hold an address for a moment.
                let socket = (0..100).find_map(|_| {
                    std::thread::sleep(Duration::from_millis(30));
                    UdpSocket::bind((address(from), 0)).ok()
                });
                socket
                    .expect("the address is there")
                    .send_to(from.as_bytes(), (address(to), 5514))
                    .unwrap();
            };
            for _ in 0..3 {
                send("10.9.0.2", "10.9.0.1");
                send("2001:db8::2", "2001:db8::1");
            }
            send("10.9.0.3", "10.9.0.1");
            send("2001:db8::3", "2001:db8::1");
            // The namespace, and with it the cable, goes with this thread.
            let _ = go.recv();
        });
        isolated(move || {
            let Some(other) = other_thread.recv().unwrap() else { return };
            let mut nftables = open();
            run(&format!("ip link add near type veth peer name far netns {other}"));
            run("sysctl -qw net.ipv6.conf.near.accept_dad=0");
            run("ip address add 10.9.0.1/24 dev near");
            run("ip address add 2001:db8::1/64 dev near nodad");
            run("ip link set near up");
            let bans = [
                Edit::Add(host("10.9.0.2"), later(60)),
                Edit::Add(range("2001:db8::2", "2001:db8::2"), later(60)),
            ];
            nftables.apply(&bans).unwrap();
            let socket = UdpSocket::bind("[::]:5514").unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            tell_go.send(()).unwrap();
            let mut from = Vec::new();
            let mut buffer = [0; 64];
            while from.len() < 2 {
                let length = socket.recv(&mut buffer).expect("packets of the others arrive");
                from.push(String::from_utf8(buffer[..length].to_vec()).unwrap());
            }
            from.sort_unstable();
            assert_eq!(from, ["10.9.0.3", "2001:db8::3"]);
            let dropped = nftables.dropped().unwrap();
            // Headers of 28 and 48 bytes, and the text.
            assert_eq!(dropped.v4, Counts { packets: 3, bytes: 3 * (28 + 8) });
            assert!(dropped.v6.packets >= 3, "{dropped:?}");
            // The sum survives the loss of the rules.
            run("nft delete table inet weir");
            nftables.prepare().unwrap();
            assert_eq!(nftables.dropped().unwrap().v4.packets, 3);
            tell_go.send(()).unwrap();
        });
    });
}
