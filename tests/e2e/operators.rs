//! What operators do: ask why, free somebody, take lists in, follow them.

use std::path::Path;
use std::process::Output;
use std::time::Instant;

use crate::flood::number;
use crate::network::{
    ATTACKER_V4, ATTACKER_V6, HOST_V4, HOST_V6, NEIGHBOUR_V4, NEIGHBOUR_V6, Network, possible,
};
use crate::weir::{Weir, failed_login, wait_for};

const PROGRAMS: [&str; 2] = ["ip", "nft"];

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {} {}", out(output), err(output));
    })
}

#[test]
fn why_tells_the_lines_that_counted_and_what_the_kernel_has() {
    if !possible(&PROGRAMS) {
        return;
    }
    let network = Network::new();
    let weir = Weir::start(&network, "");
    let unknown = weir.ask(&["why", ATTACKER_V4]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(out(&unknown).contains("Nothing is known"), "{}", out(&unknown));
    for address in [ATTACKER_V4, ATTACKER_V6] {
        weir.send_udp(vec![failed_login(address).into_bytes(); 6]);
        wait_for("the ban", || network.holds(address).then_some(()));
        let why = weir.ask(&["why", address, "--output", "json"]);
        assert!(why.status.success(), "{}", err(&why));
        let why = json(&why);
        let story = &why["decisions"][0]["stories"][0]["story"];
        let lines = story["lines"].as_array().unwrap();
        assert!(lines.len() >= 5, "{story}");
        for line in lines {
            assert_eq!(line["text"], failed_login(address), "the line as it was received");
        }
        assert_eq!(story["profile"], "default_ip");
        assert!(story["bucket"]["capacity"].as_i64().unwrap() > 0, "{story}");
        let element = &why["kernel"][0]["elements"][0];
        assert!(element["remaining_seconds"].as_u64().unwrap() > 3_000, "{why}");
        let page = out(&weir.ask(&["why", address]));
        assert!(page.starts_with(&format!("{address} is banned\n")), "{page}");
        assert!(page.contains("sshd[811]: Failed password for root"), "{page}");
        assert!(page.contains("kernel    nftables has"), "{page}");
        assert!(page.lines().count() < 30, "one screen: {page}");
    }
    // What ended is told with its lines, too.
    assert!(weir.ask(&["unban", ATTACKER_V4]).status.success());
    let page = out(&weir.ask(&["why", ATTACKER_V4]));
    assert!(page.starts_with(&format!("{ATTACKER_V4} is not banned\n")), "{page}");
    assert!(page.contains("unbanned") && page.contains("Failed password"), "{page}");
    assert!(page.contains("nftables does not have it"), "{page}");
}

/// The address gets through, its neighbours don't, IPv4 and IPv6.
#[test]
fn one_address_inside_a_banned_prefix_is_freed() {
    if !possible(&PROGRAMS) {
        return;
    }
    let network = Network::new();
    let weir = Weir::start(&network, "allowlist: { host: false, defaults: false }");
    for (prefix, attacker, neighbour, host) in [
        ("198.51.100.0/24", ATTACKER_V4, NEIGHBOUR_V4, HOST_V4),
        ("2001:db8:1::/64", ATTACKER_V6, NEIGHBOUR_V6, HOST_V6),
    ] {
        assert!(weir.ask(&["ban", prefix, "--for", "1h"]).status.success());
        wait_for("the prefix", || (!network.passes(attacker, host)).then_some(()));
        assert!(!network.passes(neighbour, host));
        let plan = weir.ask(&["unban", attacker, "--dry-run"]);
        assert!(out(&plan).contains(&format!("cuts   {prefix}")), "{}", out(&plan));
        let refused = weir.ask(&["unban", attacker]);
        assert_eq!(refused.status.code(), Some(1), "nobody can be asked: {}", err(&refused));
        assert!(err(&refused).contains("--yes"), "{}", err(&refused));
        assert!(!network.passes(attacker, host), "nothing was changed");

        let done = weir.ask(&["unban", attacker, "--yes"]);
        assert!(done.status.success(), "{}", err(&done));
        wait_for("a packet of the freed one", || network.passes(attacker, host).then_some(()));
        assert!(!network.passes(neighbour, host), "its neighbour stays banned");
        let page = out(&weir.ask(&["why", attacker]));
        assert!(page.contains(&format!("{attacker} is not banned")), "{page}");
        assert!(page.contains("split"), "{page}");
        let page = out(&weir.ask(&["why", neighbour]));
        assert!(page.contains(&format!("{neighbour} is banned")), "{page}");
    }
    let all = weir.ask(&["unban", "--all"]);
    assert!(all.status.success(), "{}", err(&all));
    wait_for("the end of all", || network.passes(NEIGHBOUR_V4, HOST_V4).then_some(()));
    assert!(weir.listed().is_empty());
}

/// A list of 100,000, with mistakes and friends; a second time it changes nothing. Its figures:
/// `WEIR_BIN=target/release/weir cargo test --release --test e2e an_imported_list -- --nocapture`.
#[test]
fn an_imported_list_is_banned_and_can_be_imported_again() {
    if !possible(&PROGRAMS) {
        return;
    }
    let entries = number("WEIR_E2E_LIST", 100_000);
    let network = Network::new();
    let weir = Weir::start(&network, "log: warning");
    let path = weir.folder.join("bad.txt");
    let shown = path.display().to_string();
    let mut list: String =
        (0..entries).map(|n| format!("11.{}.{}.{}\n", n >> 16, (n >> 8) & 255, n & 255)).collect();
    list.push_str("nobody\n10.0.0.1\n198.51.100.0/28\n");
    std::fs::write(&path, list).unwrap();

    let strict = weir.ask(&["import", &shown, "--strict"]);
    assert_eq!(strict.status.code(), Some(1), "{}", out(&strict));
    assert!(err(&strict).contains(&format!("line {}: `nobody`", entries + 1)), "{}", err(&strict));
    assert!(weir.listed().is_empty(), "all or nothing");

    let begun = Instant::now();
    let done = weir.ask(&["import", &shown, "--origin", "bad", "--for", "1h", "--output", "json"]);
    let imported = begun.elapsed();
    let pieces = 4;
    let wanted = entries as f64 + f64::from(pieces);
    wait_for("the kernel's elements", || {
        (weir.metric("weir_enforce_elements", &[]) >= wanted).then_some(())
    });
    println!("{entries} entries: imported in {imported:?}, told in {:?}", begun.elapsed());
    let done = json(&done);
    assert_eq!(done["imported"]["begun"].as_u64().unwrap(), u64::from(entries) + pieces as u64);
    assert_eq!(done["mistakes"], 1);
    let refused = done["imported"]["refused"][0]["message"].as_str().unwrap();
    assert!(refused.contains("10.0.0.1"), "{refused}");
    assert_eq!(done["imported"]["left_out"][0]["friends"][0]["net"], format!("{HOST_V4}/32"));
    assert!(!network.passes(ATTACKER_V4, HOST_V4), "the rest of the prefix is banned");

    let again =
        weir.ask(&["import", &shown, "--origin", "bad", "--for", "30m", "--output", "json"]);
    assert_eq!(json(&again)["imported"]["held"].as_u64().unwrap(), u64::from(entries) + 4);
    let exported = out(&weir.ask(&["export", "--origin", "list"]));
    assert_eq!(exported.lines().count(), entries as usize + 4);
    assert_eq!(exported.lines().next(), Some("11.0.0.0"));
    let table = out(&weir.ask(&["export", "--output", "csv"]));
    assert_eq!(table.lines().count(), entries as usize + 5);
}

fn write(folder: &Path, name: &str, text: &str) {
    let fresh = folder.join("fresh");
    std::fs::write(&fresh, text).unwrap();
    std::fs::rename(fresh, folder.join(name)).unwrap();
}

#[test]
fn a_folder_of_lists_is_followed() {
    if !possible(&PROGRAMS) {
        return;
    }
    let network = Network::new();
    let folder = tempfile::tempdir().unwrap();
    let lists = folder.path();
    let more = format!("lists: {{ folder: {}, for: 1h }}", lists.display());
    write(lists, "bad.txt", &format!("{ATTACKER_V4}\n{ATTACKER_V6} # six\n{HOST_V4}\nnobody\n"));
    let weir = Weir::start(&network, &more);
    wait_for("the bans", || (weir.listed().len() == 2).then_some(()));
    wait_for("their end", || (!network.passes(ATTACKER_V6, HOST_V6)).then_some(()));
    assert!(!network.passes(ATTACKER_V4, HOST_V4));
    let status = json(&weir.ask(&["status", "--output", "json"]));
    let list = &status["lists"][0];
    assert_eq!(
        (&list["name"], &list["entries"], &list["refused"], &list["mistakes"]),
        (&"bad".into(), &3.into(), &1.into(), &1.into())
    );
    assert!(weir.log().contains("bad.txt"), "{}", weir.log());

    // Whom the list drops is free; who offends meanwhile stays banned for that.
    weir.send_udp(vec![failed_login(ATTACKER_V6).into_bytes(); 6]);
    write(lists, "bad.txt", &format!("{NEIGHBOUR_V4}\n"));
    wait_for("the change", || (!network.passes(NEIGHBOUR_V4, HOST_V4)).then_some(()));
    wait_for("the freed one", || network.passes(ATTACKER_V4, HOST_V4).then_some(()));
    assert!(!network.passes(ATTACKER_V6, HOST_V6), "a scenario asked for it, too");

    // Whom an operator frees stays free while the list names them, over restarts too.
    assert!(weir.ask(&["unban", NEIGHBOUR_V4]).status.success());
    write(lists, "bad.txt", &format!("{NEIGHBOUR_V4}\n{ATTACKER_V4}\n"));
    wait_for("the new one", || (!network.passes(ATTACKER_V4, HOST_V4)).then_some(()));
    assert!(network.passes(NEIGHBOUR_V4, HOST_V4));
    // A file that goes while nobody looks ends its bans at the next start.
    let weir = weir.kill_and_restart(|| {});
    wait_for("the list", || weir.log().contains("a list was read").then_some(()));
    assert!(network.passes(NEIGHBOUR_V4, HOST_V4));
    assert!(!network.passes(ATTACKER_V4, HOST_V4));
    let weir = weir.kill_and_restart(|| std::fs::remove_file(lists.join("bad.txt")).unwrap());
    wait_for("the end of the list", || network.passes(ATTACKER_V4, HOST_V4).then_some(()));
    assert_eq!(weir.listed().len(), 1, "the scenario's ban is left");
}
