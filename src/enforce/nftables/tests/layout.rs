//! Friends, look-ups, verdicts and ports, against the kernel.

#![forbid(unsafe_code)]

use super::super::super::netlink::conntrack;
use super::super::super::netlink::message::messages;
use super::*;

fn nets(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn friends_are_let_through_before_anybody_is_dropped() {
    isolated(|| {
        let mut nftables = open();
        let friends =
            nets(&["10.0.0.0/8", "10.1.0.0/16", "192.0.2.7/32", "2001:db8::/32", "::1/128"]);
        assert!(nftables.befriend(&friends).unwrap());
        assert!(!nftables.befriend(&friends).unwrap());
        check("allow4", &[("10.0.0.0/8", 0), ("192.0.2.7", 0)]);
        check("allow6", &[("2001:db8::/32", 0), ("::1", 0)]);
        run("nft add element inet weir allow4 { 203.0.113.0/24 }");
        assert!(nftables.befriend(&friends).unwrap());
        check("allow4", &[("10.0.0.0/8", 0), ("192.0.2.7", 0)]);
        assert!(nftables.befriend(&nets(&["192.0.2.7/32"])).unwrap());
        check("allow4", &[("192.0.2.7", 0)]);
        check("allow6", &[]);
        let listing = run("nft list chain inet weir input");
        let at = |rule: &str| listing.find(rule).expect(rule);
        assert!(at("ip6 saddr @allow6 return") < at("ip saddr @ban4 counter"), "{listing}");
        assert!(at("ip saddr @allow4 return") < at("ip saddr @ban4 counter"), "{listing}");
        assert!(!nftables.disturbed().unwrap() || !nftables.prepare().unwrap());
    });
}

#[test]
fn an_address_is_looked_up_in_addresses_and_ranges() {
    isolated(|| {
        let mut nftables = Nftables::open(Options { counts_elements: true, ..options() }).unwrap();
        nftables.prepare().unwrap();
        let bans = [
            (host("10.0.0.9"), later(100)),
            (range("10.0.0.0", "10.0.0.31"), later(200)),
            (range("10.0.0.32", "10.0.0.32"), later(300)),
            (range("255.255.255.0", "255.255.255.255"), later(400)),
            (range("2001:db8::", "2001:db8::ffff"), later(500)),
        ];
        let edits = bans.map(|(element, until)| Edit::Add(element, until));
        nftables.apply(&edits).unwrap();
        let mut look = |text: &str, expected: &[usize]| {
            let hits = nftables.look_up(address(text)).expect(text);
            let elements: Vec<_> = hits.iter().map(|hit| hit.element).collect();
            let expected: Vec<_> = expected.iter().map(|index| bans[*index]).collect();
            assert_eq!(elements, expected.iter().map(|(e, _)| *e).collect::<Vec<_>>(), "{text}");
            for (hit, (_, until)) in hits.iter().zip(expected) {
                let off = hit.until.expect("it ends").since(until).abs();
                assert!(off < 2 * SECOND, "{off} ns off");
                assert_eq!(hit.dropped, Some(Counts::default()));
            }
        };
        look("10.0.0.9", &[0, 1]);
        look("10.0.0.0", &[1]);
        look("10.0.0.31", &[1]);
        look("10.0.0.32", &[2]);
        look("10.0.0.33", &[]);
        look("255.255.255.255", &[3]);
        look("2001:db8::7", &[4]);
        look("2001:db9::7", &[]);
        // What a listing seemed to miss, or to have, is asked after one by one.
        let asked = [
            host("10.0.0.9"),
            host("10.0.0.10"),
            range("10.0.0.0", "10.0.0.15"),
            range("10.0.0.0", "10.0.0.31"),
            range("10.0.0.0", "10.0.0.32"),
            range("10.0.0.1", "10.0.0.31"),
            range("255.255.255.0", "255.255.255.255"),
            range("2001:db8::", "2001:db8::ffff"),
        ];
        let held = nftables.recheck(&asked).unwrap().expect("the kernel can tell");
        let held: Vec<_> = held.iter().map(|held| held.element).collect();
        assert_eq!(held, [asked[0], asked[3], asked[6], asked[7]]);
    });
}

#[test]
fn a_verdict_and_ports_make_other_rules() {
    isolated(|| {
        let ports = settings::Ports { tcp: vec![22, 443], udp: vec![53] };
        let verdict = settings::Verdict::Reset;
        let mut nftables = Nftables::open(Options { ports, verdict, ..options() }).unwrap();
        assert!(nftables.prepare().unwrap());
        assert!(!nftables.prepare().unwrap(), "what was written is what is read");
        let listing = run("nft list table inet weir");
        for rule in [
            "tcp dport 22 goto bans",
            "tcp dport 443 goto bans",
            "udp dport 53 goto bans",
            "meta l4proto tcp ip saddr @ban4 counter packets 0 bytes 0 reject with tcp reset",
            "ip6 saddr @ban6_net counter packets 0 bytes 0 reject with icmpx admin-prohibited",
        ] {
            let found = listing.replace("icmpx type", "icmpx");
            assert!(found.contains(rule), "{rule}\n{listing}");
        }
        let mut all = open();
        assert!(!all.prepare().unwrap());
        assert!(!run("nft list table inet weir").contains("bans"));
    });
}

/// The flows from a loopback address to another, as connection tracking has them.
fn flows(from: &str) -> usize {
    let mut socket = Socket::open(Protocol::Netfilter).unwrap();
    let from = address(from);
    let all = socket
        .list(
            |writer, sequence| conntrack::list(writer, sequence, from, false),
            |message, found| found.extend(conntrack::read(message)),
        )
        .unwrap();
    all.iter().filter(|flow| flow.source == from).count()
}

#[test]
fn flows_of_the_newly_banned_are_cut_if_that_is_wanted() {
    isolated(|| {
        run("ip link set lo up");
        run("nft add table inet tracking");
        run("nft add chain inet tracking output { type filter hook output priority 0 ; }");
        run("nft add rule inet tracking output ct state established accept");
        let send = |from: &str| {
            let socket = UdpSocket::bind((address(from), 0)).unwrap();
            let to = if from.contains(':') { "::1" } else { "127.0.0.1" };
            socket.send_to(b"hello", (address(to), 9)).unwrap();
        };
        for from in ["127.0.0.2", "127.0.0.3", "127.0.0.77", "::1"] {
            send(from);
            send(from);
            assert_eq!(flows(from), 2, "{from}");
        }
        let mut nftables = Nftables::open(Options { cuts_flows: true, ..options() }).unwrap();
        nftables.prepare().unwrap();
        let bans = [
            Edit::Add(host("127.0.0.2"), later(60)),
            Edit::Add(range("127.0.0.64", "127.0.0.127"), later(60)),
            Edit::Add(host("::1"), later(60)),
        ];
        nftables.apply(&bans).unwrap();
        while nftables.idle() {}
        let left = ["127.0.0.2", "127.0.0.3", "127.0.0.77", "::1"].map(flows);
        assert_eq!(left, [0, 2, 0, 0]);
    });
}

/// More happens than the monitor can hold: that is itself a sign to look.
#[test]
fn events_that_were_lost_count_as_a_strangers_deed() {
    isolated(|| {
        let mut nftables = open();
        assert!(!nftables.disturbed().unwrap());
        run("nft add table inet other");
        run("nft add set inet other many { type ipv4_addr; }");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("many.nft");
        let lines = (0..60_000_u32).map(|n| {
            let address = IpAddr::V4((0x0b00_0000 + n).into());
            format!("add element inet other many {{ {address} }}\n")
        });
        std::fs::write(&file, lines.collect::<String>()).unwrap();
        run(&format!("nft -f {}", file.display()));
        run("nft delete table inet weir");
        assert!(nftables.disturbed().unwrap());
        assert!(nftables.prepare().unwrap(), "and what was missed is found");
        let overrun = nftables.monitor.drain(&mut |_| {});
        assert!(matches!(overrun, Ok(()) | Err(netlink::Error::Overrun)));
    });
}

/// Before Linux 6.12 an element that is added again keeps its old end: it goes and comes in one
/// batch, on any kernel.
#[test]
fn an_update_takes_the_element_away_first() {
    for removal in [Verb::DeleteElements, Verb::DestroyElements] {
        let mut batch = Batch::new(1);
        let edits = [
            Edit::Update(host("192.0.2.1"), later(60)),
            Edit::Update(range("10.0.0.0", "10.0.0.255"), later(60)),
        ];
        edit(&mut batch, "weir", &edits, removal, clock::now());
        let batch = batch.finish();
        let kinds: Vec<_> = messages(batch.bytes()).map(|message| message.kind).collect();
        let (gone, come) = (removal.kind(), Verb::NewElements.kind());
        assert_eq!(kinds[1..kinds.len() - 1], [gone, come, gone, come]);
    }
}
