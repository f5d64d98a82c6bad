//! Friends: by hand, by name, and the host itself as it moves.

use std::net::UdpSocket;
use std::os::unix::process::ExitStatusExt;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use crate::network::{ATTACKER_V4, ATTACKER_V6, HOST_V4, HOST_V6, Network, inside, possible, run};
use crate::weir::{Weir, failed_login, probe, wait_for};

const PROGRAMS: [&str; 2] = ["ip", "nft"];

#[track_caller]
fn done(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What `weir allow test` says, and whether somebody is a friend.
fn test(weir: &Weir<'_>, address: &str) -> (bool, String) {
    let output = weir.ask(&["allow", "test", address]);
    assert_eq!(output.status.signal(), None);
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a_friend_by_hand_is_free_at_once_and_over_a_restart() {
    if !possible(&PROGRAMS) {
        return;
    }
    let network = Network::new();
    let weir = Weir::start(&network, "");
    for (attacker, host) in [(ATTACKER_V4, HOST_V4), (ATTACKER_V6, HOST_V6)] {
        done(&weir.ask(&["ban", attacker]));
        wait_for("the ban", || (!network.passes(attacker, host)).then_some(()));
        let said = done(&weir.ask(&["allow", attacker, "--for", "1h", "--comment", "my hotel"]));
        assert!(said.contains("is not banned for 1h") && said.contains("was banned"), "{said}");
        wait_for("the way to be free", || network.passes(attacker, host).then_some(()));
        let refused = weir.ask(&["ban", attacker]);
        let why = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && why.contains("(operator: my hotel)"), "{why}");
    }
    let weir = weir.kill_and_restart(|| {});
    let (is_friend, said) = test(&weir, ATTACKER_V4);
    assert!(is_friend && said.contains("198.51.100.7/32 (operator: my hotel), until"), "{said}");
    // Lines about a friend are not even counted.
    weir.send_udp(vec![failed_login(ATTACKER_V4).into_bytes(); 12]);
    weir.send_udp(vec![probe("203.0.113.9")]);
    wait_for("somebody else's ban", || network.holds("203.0.113.9").then_some(()));
    assert_eq!(weir.listed().len(), 1, "{:?}", weir.listed());

    done(&weir.ask(&["allow", "remove", ATTACKER_V4]));
    assert!(!test(&weir, ATTACKER_V4).0);
    let again = weir.ask(&["allow", "remove", ATTACKER_V4]);
    assert_eq!(again.status.code(), Some(1), "what is not there is said: {again:?}");
    done(&weir.ask(&["ban", ATTACKER_V4]));
    wait_for("the ban", || (!network.passes(ATTACKER_V4, HOST_V4)).then_some(()));
}

#[test]
fn the_addresses_of_the_host_are_followed() {
    if !possible(&PROGRAMS) {
        return;
    }
    let network = Network::new();
    let weir = Weir::start(&network, "");
    done(&weir.ask(&["ban", "203.0.113.9"]));
    for (address, length) in [("203.0.113.9", "32"), ("2001:db8:9::9", "128")] {
        assert!(!test(&weir, address).0);
        let with_length = format!("{address}/{length}");
        run("ip", &["-n", &network.host, "address", "add", &with_length, "dev", "eth0"]);
        wait_for("the new address to be a friend", || test(&weir, address).0.then_some(()));
        assert!(!weir.ask(&["ban", address]).status.success());
        assert_eq!(weir.listed(), [], "the ban of what is ours now has ended");
        run("ip", &["-n", &network.host, "address", "delete", &with_length, "dev", "eth0"]);
        wait_for("it to be a stranger again", || (!test(&weir, address).0).then_some(()));
    }
    let gateway = "198.51.100.254";
    run("ip", &["-n", &network.host, "route", "add", "default", "via", gateway]);
    let said = wait_for("the gateway to be a friend", || {
        let (is_friend, said) = test(&weir, gateway);
        is_friend.then_some(said)
    });
    assert!(said.contains("a gateway of this host"), "{said}");
}

/// A name server on the guarded host that knows one name, until it is told to be silent.
struct NameServer {
    last: Arc<AtomicU8>,
    is_silent: Arc<AtomicBool>,
    folder: String,
}

impl NameServer {
    fn new(network: &Network) -> Self {
        let folder = format!("/etc/netns/{}", network.host);
        std::fs::create_dir_all(&folder).unwrap();
        let resolv = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n";
        std::fs::write(format!("{folder}/resolv.conf"), resolv).unwrap();
        let (last, is_silent) = (Arc::new(AtomicU8::new(7)), Arc::new(AtomicBool::new(false)));
        let socket = inside(&network.host, || UdpSocket::bind("127.0.0.1:53").unwrap());
        socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        // It ends with the test's process at the latest, or when nobody holds the server.
        let (answered, silent) = (Arc::downgrade(&last), Arc::clone(&is_silent));
        std::thread::spawn(move || {
            let mut buffer = [0; 512];
            while let Some(last) = answered.upgrade() {
                let Ok((length, peer)) = socket.recv_from(&mut buffer) else { continue };
                if silent.load(Ordering::Relaxed) {
                    continue;
                }
                let reply = answer(&buffer[..length], last.load(Ordering::Relaxed));
                let _ = socket.send_to(&reply, peer);
            }
        });
        Self { last, is_silent, folder }
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The answer to a question (RFC 1035 §4): for addresses of IPv4, 203.0.113.`last` for a second.
fn answer(question: &[u8], last: u8) -> Vec<u8> {
    let end = 12 + question[12..].iter().position(|byte| *byte == 0).unwrap() + 5;
    let is_v4 = question[end - 4..end - 2] == [0, 1];
    let mut reply = question[..2].to_vec();
    reply.extend([0x81, 0x80, 0, 1, 0, u8::from(is_v4), 0, 0, 0, 0]);
    reply.extend(&question[12..end]);
    if is_v4 {
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 203, 0, 113, last]);
    }
    reply
}

#[test]
fn names_are_followed_and_the_last_good_answer_holds() {
    if !possible(&PROGRAMS) {
        return;
    }
    let network = Network::new();
    let server = NameServer::new(&network);
    let configured = "allowlist:\n  - { name: home.weir.test, comment: bob }\n";
    let weir = Weir::start(&network, configured);
    let said = wait_for("the name to be looked up", || {
        let (is_friend, said) = test(&weir, "203.0.113.7");
        is_friend.then_some(said)
    });
    assert!(said.contains("(name: home.weir.test: bob)"), "{said}");
    done(&weir.ask(&["ban", "203.0.113.8"]));
    server.last.store(8, Ordering::Relaxed);
    wait_for("the new answer", || test(&weir, "203.0.113.8").0.then_some(()));
    wait_for("its ban to end", || weir.listed().is_empty().then_some(()));
    assert!(!test(&weir, "203.0.113.7").0);

    server.is_silent.store(true, Ordering::Relaxed);
    wait_for("the silence to be told", || weir.log().contains("has no address now").then_some(()));
    assert!(test(&weir, "203.0.113.8").0);
    let weir = weir.kill_and_restart(|| {});
    assert!(test(&weir, "203.0.113.8").0, "what it stood for is known before anybody answers");
}
