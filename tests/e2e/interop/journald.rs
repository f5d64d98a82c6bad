//! journald, which passes lines on to its syslog socket.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Instant;

use super::contrib;
use super::listening::Listening;
use crate::journald::{Journald, PROGRAM};
use crate::network::{Network, possible, skip};

const LINES: usize = 10_000;

#[test]
fn journald_delivers_each_line_once() {
    if !possible(&["ip", "unshare"]) {
        return;
    }
    if !Path::new(PROGRAM).exists() {
        skip(&format!("no {PROGRAM} here"));
        return;
    }
    let (network, folder) = (Network::new(), tempfile::tempdir().unwrap());
    let contributed = contrib::read("journald/60-weir.conf", folder.path());
    let journald = Journald::start_with(64, &contributed.text);
    let run = format!("{}/run/systemd", journald.folder().display());
    let sources = contributed.sources.replace("/run/systemd", &run);
    // As systemd sets it when it starts; a new namespace has ten.
    let set = ["-q", "-w", "net.unix.max_dgram_qlen=512"];
    assert!(network.on_host("sysctl").args(set).status().unwrap().success());
    let listening = Listening::start(&network, folder.path(), &sources);
    let begun = Instant::now();
    let socket = UnixDatagram::unbound().unwrap();
    socket.connect(journald.dev_log()).unwrap();
    let text = |number: usize| format!("n={number:05} said \"gr\u{fc}n\" \\ %s");
    for number in 0..LINES {
        let line = format!("<38>Nov 22 10:00:00 sshd[811]: {}", text(number));
        socket.send(line.as_bytes()).unwrap();
        // It does not wait for its reader: what finds no room in the socket it drops.
        if number % 100 == 99 {
            listening.wait_for(number + 1);
        }
    }
    listening.wait_for(LINES);
    let took = begun.elapsed().as_secs_f64();
    let (lines, _, said) = listening.end();
    println!("journald, syslog socket: {} lines in {took:.2} s", lines.len());
    let mut messages: Vec<&str> =
        lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
    messages.sort_unstable();
    let of_sshd: Vec<&str> =
        messages.iter().filter(|text| text.starts_with("n=")).copied().collect();
    let expected: Vec<String> = (0..LINES).map(text).collect();
    assert_eq!(of_sshd, expected, "{said}");
    let sshd = lines.iter().filter(|line| line["program"] == "sshd");
    assert_eq!(sshd.count(), LINES, "{said}");
}
