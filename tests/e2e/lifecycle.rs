//! Bans end, are taken back, and survive what happens to the daemon and to the firewall.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::network::{ATTACKER_V4, HOST_V4, Network, possible};
use crate::weir::{self, Weir, failed_login, probe, wait_for};

const PROGRAMS: [&str; 2] = ["ip", "nft"];

#[test]
fn a_ban_expires_in_kernel_and_list() {
    if !possible(&PROGRAMS) {
        return;
    }
    let network = Network::new();
    let weir = Weir::start(&network, "ban: 3s");
    weir.send_udp(vec![failed_login(ATTACKER_V4).into_bytes(); 6]);
    wait_for("the ban", || network.holds(ATTACKER_V4).then_some(()));
    assert_eq!(weir.listed().len(), 1);
    wait_for("the end of the ban in the kernel", || (!network.holds(ATTACKER_V4)).then_some(()));
    wait_for("the end of the ban in the list", || weir.listed().is_empty().then_some(()));
    wait_for("a packet that passes", || network.passes(ATTACKER_V4, HOST_V4).then_some(()));
}

#[test]
fn unban_takes_it_back_at_once() {
    if !possible(&PROGRAMS) {
        return;
    }
    let network = Network::new();
    let weir = Weir::start(&network, "");
    let done = weir.ask(&["ban", ATTACKER_V4, "--for", "1h", "--reason", "a test"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    wait_for("the ban", || network.holds(ATTACKER_V4).then_some(()));
    assert!(!network.passes(ATTACKER_V4, HOST_V4));
    let (_, remaining) = &weir.listed()[0];
    assert!((3_590..=3_600).contains(remaining), "{remaining}");

    let done = weir.ask(&["unban", ATTACKER_V4]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    wait_for("the end of the ban", || (!network.holds(ATTACKER_V4)).then_some(()));
    assert!(weir.listed().is_empty());
    assert!(network.passes(ATTACKER_V4, HOST_V4));

    let again = weir.ask(&["unban", ATTACKER_V4]);
    assert_eq!(again.status.code(), Some(1), "nothing to unban is said: {again:?}");
}

#[test]
fn a_prefix_is_banned_as_a_whole() {
    if !possible(&PROGRAMS) {
        return;
    }
    let network = Network::new();
    let weir = Weir::start(&network, "");
    // The host's own address lies in the wider prefix, which is therefore refused.
    let refused = weir.ask(&["ban", "198.51.100.0/24"]);
    assert!(!refused.status.success());
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(text.contains("198.51.100.1"), "names the friend: {text}");

    assert!(weir.ask(&["ban", "198.51.100.6/31"]).status.success());
    wait_for("the prefix", || (!network.passes(ATTACKER_V4, HOST_V4)).then_some(()));
    assert!(network.passes("198.51.100.8", HOST_V4));
}

#[test]
fn friends_are_not_banned() {
    if !possible(&PROGRAMS) {
        return;
    }
    let network = Network::new();
    let weir = Weir::start(&network, "allowlist:\n  - 198.51.100.7\n");
    weir.send_udp(vec![failed_login(ATTACKER_V4).into_bytes(); 12]);
    weir.send_udp(vec![failed_login(HOST_V4).into_bytes(); 12]);
    weir.send_udp(vec![failed_login("127.0.0.1").into_bytes(); 12]);
    weir.send_udp(vec![probe("198.51.100.99")]);
    wait_for("somebody else's ban", || network.holds("198.51.100.99").then_some(()));
    assert_eq!(weir.listed().len(), 1, "{:?}", weir.listed());
}

#[test]
fn two_hundred_bans_survive_a_kill() {
    if !possible(&PROGRAMS) {
        return;
    }
    let network = Network::new();
    let weir = Weir::start(&network, "");
    let probes = (0..100).flat_map(|n| {
        [probe(&format!("203.0.113.{n}")), probe(&format!("2001:db8:{:x}::1", 0x100 + n))]
    });
    weir.send_udp(probes.collect());
    wait_for("200 bans", || {
        (network.elements("ban4").len() + network.elements("ban6").len() == 200).then_some(())
    });
    let before: HashMap<String, u64> = weir.listed().into_iter().collect();
    assert_eq!(before.len(), 200);
    let started = Instant::now();

    // Looks at the set all the time: it must never be empty.
    let stop = Arc::new(AtomicBool::new(false));
    let looks = Arc::new(AtomicUsize::new(0));
    let weir = std::thread::scope(|scope| {
        let (watching, counting, watched) = (Arc::clone(&stop), Arc::clone(&looks), &network);
        let watcher = scope.spawn(move || {
            let mut fewest = usize::MAX;
            while !watching.load(Ordering::Relaxed) {
                fewest = fewest.min(watched.elements("ban4").len());
                counting.fetch_add(1, Ordering::Relaxed);
            }
            fewest
        });
        let weir = weir.kill_and_restart(|| std::thread::sleep(Duration::from_millis(300)));
        stop.store(true, Ordering::Relaxed);
        assert_eq!(watcher.join().unwrap(), 100, "no element was ever missing");
        weir
    });
    assert!(looks.load(Ordering::Relaxed) > 5);

    let after: HashMap<String, u64> = weir.listed().into_iter().collect();
    let elapsed = started.elapsed().as_secs();
    assert_eq!(after.len(), 200);
    let elements: HashMap<String, u64> = ["ban4", "ban6"]
        .iter()
        .flat_map(|set| network.elements(set))
        .map(|(address, _, expires)| (address, expires))
        .collect();
    assert_eq!(elements.len(), 200);
    for (address, remaining) in &before {
        let listed = after[address];
        assert!(listed.abs_diff(remaining - elapsed) <= 1, "{address}: {remaining} {listed}");
        // The listing was made up to a second or two before the set was read.
        assert!(elements[address].abs_diff(listed) <= 2, "{address}: {elements:?}");
    }
}

/// Programs that tell of every ban told of them all again after a restart.
#[test]
fn restored_bans_are_told_to_nobody() {
    if !possible(&PROGRAMS) {
        return;
    }
    let network = Network::new();
    let weir = Weir::start(&network, "");
    weir.send_udp((0..20).map(|n| probe(&format!("203.0.113.{n}"))).collect());
    wait_for("the bans", || (network.elements("ban4").len() == 20).then_some(()));
    let told = |weir: &Weir<'_>| {
        let log = weir.log();
        (log.matches(" banned ").count(), weir.metric("weir_decisions_total", &[]))
    };
    wait_for("all to be told", || (told(&weir) == (20, 20.0)).then_some(()));
    let weir = weir.kill_and_restart(|| {});
    assert_eq!(weir.listed().len(), 20);
    weir.send_udp(vec![probe("203.0.113.200")]);
    wait_for("one more", || network.holds("203.0.113.200").then_some(()));
    wait_for("it alone to be told", || (told(&weir) == (1, 1.0)).then_some(()));
}

#[test]
fn a_table_that_a_stranger_deletes_is_back_within_a_second() {
    if !possible(&PROGRAMS) {
        return;
    }
    let network = Network::new();
    let weir = Weir::start(&network, "");
    weir.send_udp(vec![probe("203.0.113.5"), probe("2001:db8:bad::5")]);
    wait_for("both bans", || {
        (network.holds("203.0.113.5") && network.holds("2001:db8:bad::5")).then_some(())
    });
    for deed in [&["delete", "table", "inet", "weir"][..], &["flush", "ruleset"][..]] {
        let before = weir.metric("weir_enforce_foreign_changes_total", &[]);
        let deleted = Instant::now();
        assert!(network.on_host("nft").args(deed).status().unwrap().success());
        wait_for("the bans to be back", || {
            (network.holds("203.0.113.5") && network.holds("2001:db8:bad::5")).then_some(())
        });
        let took = deleted.elapsed();
        assert!(took < Duration::from_secs(1), "{deed:?}: took {took:?}");
        println!("after nft {}: bans back in {took:?}", deed.join(" "));
        wait_for("the count", || {
            (weir.metric("weir_enforce_foreign_changes_total", &[]) > before).then_some(())
        });
    }
}

#[test]
fn sigterm_drains_and_leaves_the_bans() {
    if !possible(&PROGRAMS) {
        return;
    }
    let network = Network::new();
    let mut weir = Weir::start(&network, "");
    weir.send_udp((0..200).map(|n| probe(&format!("203.0.113.{n}"))).collect());
    let status = weir.terminate();
    assert!(status.success(), "{status:?}");
    assert_eq!(network.elements("ban4").len(), 200, "what was received is carried out");
}

#[test]
fn a_reload_with_mistakes_changes_nothing() {
    if !possible(&PROGRAMS) {
        return;
    }
    let network = Network::new();
    let weir = Weir::start(&network, "");
    let file = weir.folder.join("weir.yaml");
    let good = std::fs::read_to_string(&file).unwrap();

    std::fs::write(&file, format!("{good}\nban: never\nbann: 4h\n")).unwrap();
    let refused = weir.ask(&["reload"]);
    assert_eq!(refused.status.code(), Some(78), "{refused:?}");
    std::fs::write(&file, &good).unwrap();
    weir.send_udp(vec![probe("203.0.113.5")]);
    wait_for("a ban as before", || network.holds("203.0.113.5").then_some(()));
    assert!((weir.metric("weir_reloads_total", &["result=\"failure\""]) - 1.0).abs() < 0.1);

    std::fs::write(&file, format!("{good}\nban: 60s\n")).unwrap();
    let done = weir.ask(&["reload"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    weir.send_udp(vec![probe("203.0.113.6")]);
    let timeout = wait_for("a ban of a minute", || {
        let elements = network.elements("ban4");
        elements.iter().find(|(address, _, _)| address == "203.0.113.6").map(|found| found.1)
    });
    assert!((59..=60).contains(&timeout), "{timeout}");
    assert!(network.holds("203.0.113.5"), "a reload ends no ban");
}

#[test]
fn without_the_right_to_ban_it_observes_and_says_so() {
    if !possible(&["ip", "nft", "setpriv"]) {
        return;
    }
    let network = Network::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let _ = std::process::Command::new("chmod").arg("777").arg(path).status().unwrap();
    // The program may lie where only root can read.
    let program = path.join("weir");
    std::fs::copy(weir::program(), &program).unwrap();
    let mut child = network
        .on_host("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", "--"])
        .arg(&program)
        .arg("run")
        .env_clear()
        .env("HOME", path)
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let control = path.join(".local/state/weir/control.sock");
    wait_for("the control socket in the home folder", || control.exists().then_some(()));
    crate::network::inside(&network.host, || {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.send_to(&probe("203.0.113.5"), "127.0.0.1:5514").unwrap();
    });
    let list = wait_for("a decision that is only observed", || {
        let output = network
            .on_host("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"])
            .arg(&program)
            .args(["list", "--output", "json"])
            .env_clear()
            .env("HOME", path)
            .output()
            .unwrap();
        let list: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
        (!list.as_array()?.is_empty()).then_some(list)
    });
    assert_eq!(list[0]["target"], "203.0.113.5");
    assert_eq!(list[0]["action"], "observe");
    child.kill().unwrap();
    let output = child.wait_with_output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(log.matches("NOTHING WILL BE BANNED").count(), 1, "once, loudly: {log}");
}
