//! What the kernel does with the banned, what others do to our table, and who may change it.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::network::{
    ATTACKER_V4, ATTACKER_V6, HOST_V4, HOST_V6, NEIGHBOUR_V4, Network, inside, possible, run,
};
use crate::weir::{self, Weir, wait_for};

const PROGRAMS: [&str; 2] = ["ip", "nft"];

/// A connection from the attacker to a server on the host: its ends.
fn connection(network: &Network) -> (TcpStream, TcpStream) {
    let listener = inside(&network.host, || TcpListener::bind((HOST_V4, 0)).unwrap());
    let to = listener.local_addr().unwrap();
    let client = inside(&network.outside, move || {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let from: IpAddr = ATTACKER_V4.parse().unwrap();
        socket.bind(&SocketAddr::new(from, 0).into()).unwrap();
        socket.connect(&to.into()).unwrap();
        TcpStream::from(socket)
    });
    let (server, _) = listener.accept().unwrap();
    (client, server)
}

/// Whether something arrives within so long.
fn arrives(server: &mut TcpStream, within: Duration) -> bool {
    server.set_read_timeout(Some(within)).unwrap();
    match server.read(&mut [0; 64]) {
        Ok(count) => count > 0,
        Err(error) => {
            let is_late = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
            assert!(is_late, "{error}");
            false
        }
    }
}

#[track_caller]
fn ban(weir: &Weir<'_>, target: &str) {
    let done = weir.ask(&["ban", target]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// Firewalls accept what is established before they ask anything else; ours is asked before them.
#[test]
fn an_open_connection_stalls_when_its_peer_is_banned() {
    if !possible(&PROGRAMS) {
        return;
    }
    let network = Network::new();
    let firewall = "add table inet firewall; \
        add chain inet firewall input { type filter hook input priority 0; policy drop; }; \
        add rule inet firewall input ct state established,related accept; \
        add rule inet firewall input accept";
    assert!(network.on_host("nft").arg(firewall).status().unwrap().success());
    let weir = Weir::start(&network, "");
    let (mut client, mut server) = connection(&network);
    client.write_all(b"before").unwrap();
    assert!(arrives(&mut server, Duration::from_secs(5)));

    ban(&weir, ATTACKER_V4);
    wait_for("the ban", || network.holds(ATTACKER_V4).then_some(()));
    client.write_all(b"after").unwrap();
    assert!(!arrives(&mut server, Duration::from_secs(2)), "it goes on although it is banned");
    // Nor does it get a word through when the server speaks first.
    server.write_all(b"hello?").unwrap();
    assert!(!arrives(&mut server, Duration::from_secs(1)));

    assert!(weir.ask(&["unban", ATTACKER_V4]).status.success());
    assert!(arrives(&mut server, Duration::from_secs(20)), "TCP sends it again");
}

/// A container behind the host: its packets are forwarded and never come by `input`.
#[test]
fn what_is_forwarded_is_kept_out_too() {
    if !possible(&PROGRAMS) {
        return;
    }
    let network = Network::new();
    let guest = format!("{}-guest", network.host);
    let (h, o, g) = (network.host.as_str(), network.outside.as_str(), guest.as_str());
    run("ip", &["netns", "add", g]);
    run("ip", &["-n", h, "link", "add", "docker0", "type", "veth", "peer", "eth0", "netns", g]);
    run("ip", &["-n", h, "address", "add", "172.30.0.1/24", "dev", "docker0"]);
    run("ip", &["-n", h, "link", "set", "docker0", "up"]);
    run("ip", &["-n", g, "address", "add", "172.30.0.2/24", "dev", "eth0"]);
    run("ip", &["-n", g, "link", "set", "eth0", "up"]);
    run("ip", &["-n", g, "route", "add", "default", "via", "172.30.0.1"]);
    run("ip", &["-n", o, "route", "add", "172.30.0.0/24", "via", HOST_V4]);
    run("ip", &["netns", "exec", h, "sysctl", "-qw", "net.ipv4.ip_forward=1"]);
    let passes = |source: &'static str| {
        let receiver = inside(g, || {
            let socket = UdpSocket::bind("172.30.0.2:0").unwrap();
            socket.set_read_timeout(Some(Duration::from_millis(400))).unwrap();
            socket
        });
        let to = receiver.local_addr().unwrap();
        inside(o, move || {
            let socket = UdpSocket::bind((source, 0)).unwrap();
            socket.send_to(b"hello", to).unwrap();
        });
        receiver.recv(&mut [0; 16]).is_ok()
    };
    wait_for("the way to the guest", || passes(ATTACKER_V4).then_some(()));
    let weir = Weir::start(&network, "");
    ban(&weir, ATTACKER_V4);
    wait_for("the ban", || network.holds(ATTACKER_V4).then_some(()));
    assert!(!passes(ATTACKER_V4), "the guest is not protected");
    assert!(passes(NEIGHBOUR_V4));
    let dropped = || weir.metric("weir_dropped_packets_total", &["ipv4"]);
    wait_for("the count of what was dropped", || (dropped() > 0.0).then_some(()));
    run("ip", &["netns", "delete", g]);
}

#[test]
fn friends_come_through_although_a_stranger_bans_them() {
    if !possible(&PROGRAMS) {
        return;
    }
    let network = Network::new();
    let _weir = Weir::start(&network, "enforce: { reconcile: 1h }");
    // The attacker's address is public; the host's own are friends, and so is the neighbour here.
    let allowed = network.set("allow4").to_string();
    assert!(allowed.contains("127.0.0.0") && allowed.contains(HOST_V4), "{allowed}");
    let _weir = {
        drop(_weir);
        Weir::start(&network, &format!("allowlist: [ {ATTACKER_V4}, \"{ATTACKER_V6}\" ]"))
    };
    // As long as it takes to repair it, the kernel itself lets friends through.
    let rule = |set: &str, address: &str| {
        format!("add element inet weir {set} {{ {address} timeout 1h }}; ")
    };
    let stranger = rule("ban4", ATTACKER_V4) + &rule("ban6", ATTACKER_V6);
    assert!(network.on_host("nft").arg(&stranger).status().unwrap().success());
    assert!(network.passes(ATTACKER_V4, HOST_V4) && network.passes(ATTACKER_V6, HOST_V6));
}

#[test]
fn a_banned_connection_is_reset_if_that_is_wanted_and_only_on_its_ports() {
    if !possible(&PROGRAMS) {
        return;
    }
    let network = Network::new();
    let weir = Weir::start(
        &network,
        "enforce: { verdict: reset, ports: { tcp: [2525] }, count_elements: true }",
    );
    ban(&weir, ATTACKER_V4);
    wait_for("the ban", || network.holds(ATTACKER_V4).then_some(()));
    let _servers = inside(&network.host, || {
        [2525, 2526].map(|port| TcpListener::bind((HOST_V4, port)).unwrap())
    });
    let connect = |port: u16| {
        inside(&network.outside, move || {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            let from: IpAddr = ATTACKER_V4.parse().unwrap();
            socket.bind(&SocketAddr::new(from, 0).into()).unwrap();
            let to = SocketAddr::new(HOST_V4.parse().unwrap(), port);
            socket.connect_timeout(&to.into(), Duration::from_secs(2))
        })
    };
    let refused = connect(2525).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused, "{refused}");
    connect(2526).unwrap();
    let counted = network.set("ban4").to_string();
    assert!(counted.contains("\"packets\": 1") || counted.contains("\"packets\":1"), "{counted}");
}

#[test]
fn flushing_on_purpose_holds_until_it_is_undone() {
    if !possible(&PROGRAMS) {
        return;
    }
    let network = Network::new();
    let mut weir = Weir::start(&network, "enforce: { reconcile: 1s }");
    ban(&weir, ATTACKER_V4);
    wait_for("the ban", || network.holds(ATTACKER_V4).then_some(()));
    let said = weir.ask(&["flush"]);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(text.contains("nothing is enforced"), "{text}");
    assert!(network.set("ban4").is_null() && network.passes(ATTACKER_V4, HOST_V4));
    // Decisions go on, and all who ask are told.
    ban(&weir, ATTACKER_V6);
    assert_eq!(weir.listed().len(), 2);
    std::thread::sleep(Duration::from_millis(1500));
    assert!(network.set("ban4").is_null(), "no timer enforces again");
    assert!(weir.metric("weir_enforcing", &[]) < 0.5);
    let (status, page) = weir.http("/-/ready").unwrap();
    assert_eq!(status, 503);
    assert!(page.contains("weir flush --undo"), "{page}");
    let shown = weir.ask(&["status"]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("weir flush --undo"));

    assert!(weir.ask(&["flush", "--undo"]).status.success());
    let both = || network.holds(ATTACKER_V4) && network.holds(ATTACKER_V6);
    wait_for("both bans", || both().then_some(()));
    assert!(weir.metric("weir_enforcing", &[]) > 0.5);
    wait_for("readiness", || weir.http("/-/ready").filter(|(status, _)| *status == 200));

    assert!(weir.ask(&["flush"]).status.success());
    weir = weir.kill_and_restart(|| {});
    wait_for("both bans after a start", || both().then_some(()));

    // Without a daemon it is done by hand.
    assert!(weir.terminate().success());
    assert!(both(), "the end of the daemon frees nobody");
    let file = weir.folder.join("weir.yaml");
    let mut by_hand = network.on_host(&weir::program());
    let done = by_hand.args(["flush", "--config"]).arg(&file).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(network.set("ban4").is_null());
}

/// What firewalld does at a reload: everything goes, and its own comes, in one transaction.
#[test]
fn another_firewalls_reload_is_healed_within_a_second_and_told() {
    if !possible(&PROGRAMS) {
        return;
    }
    let network = Network::new();
    let weir = Weir::start(&network, "");
    ban(&weir, ATTACKER_V4);
    wait_for("the ban", || network.holds(ATTACKER_V4).then_some(()));
    let reload = "flush ruleset; add table inet firewalld; \
        add chain inet firewalld filter_INPUT { type filter hook input priority 10; policy accept; }; \
        add rule inet firewalld filter_INPUT ct state established,related accept";
    let only_ours = "delete table inet weir; add table inet other; delete table inet other";
    for (number, deed) in [(1.0, reload), (2.0, only_ours)] {
        // A repair that follows another takes a breath.
        std::thread::sleep(Duration::from_millis(200));
        let begun = Instant::now();
        assert!(network.on_host("nft").arg(deed).status().unwrap().success());
        wait_for("the ban to be back", || network.holds(ATTACKER_V4).then_some(()));
        let took = begun.elapsed();
        println!("healed {took:?} after `{deed}`");
        assert!(took < Duration::from_secs(1), "{took:?}");
        let count = || weir.metric("weir_enforce_foreign_changes_total", &[]);
        wait_for("the count", || (count() >= number).then_some(()));
        assert!(!network.passes(ATTACKER_V4, HOST_V4));
    }
    let log = weir.log();
    assert!(log.contains("another program changed what enforces bans"), "{log}");
    assert!(weir.metric("weir_enforce_drift", &[]) <= 1.0);
}

/// The sets of capabilities in a thread's status, and its name.
fn rights(pid: u32) -> Vec<(String, [u64; 4])> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let mut found = Vec::new();
    for task in tasks {
        // A thread may end meanwhile.
        let Ok(status) = std::fs::read_to_string(task.unwrap().path().join("status")) else {
            continue;
        };
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().to_owned()
        };
        let sets = ["CapEff:", "CapPrm:", "CapInh:", "CapAmb:"];
        let sets = sets.map(|name| u64::from_str_radix(&field(name), 16).unwrap());
        found.push((field("Name:"), sets));
    }
    found
}

#[test]
fn only_those_who_enforce_may_change_the_firewall() {
    if !possible(&["ip", "nft", "setpriv"]) {
        return;
    }
    const NET_ADMIN: u64 = 1 << 12;
    const BIND_SERVICE: u64 = 1 << 10;
    let network = Network::new();
    let sources = "\
\x20 - { name: udp, udp: \"127.0.0.1:514\" }
  - { name: tcp, tcp: \"127.0.0.1:514\" }
  - { name: unix, unix: FOLDER/weir.sock }";
    let weir = Weir::start_on(&network, sources, "");
    ban(&weir, ATTACKER_V4);
    wait_for("the ban", || network.holds(ATTACKER_V4).then_some(()));
    weir.ask(&["reload"]);
    let rights = rights(weir.pid());
    assert!(rights.len() > 6, "{rights:?}");
    let mut enforcers = 0;
    for (name, sets) in &rights {
        let may = sets.iter().any(|set| set & NET_ADMIN != 0);
        assert_eq!(may, name == "weir-enforce", "{name}: {sets:x?}");
        enforcers += u32::from(may);
        assert!(sets[0] & BIND_SERVICE != 0, "{name} may listen on any port: {sets:x?}");
    }
    assert_eq!(enforcers, 1);
}
