//! A disk that is full, a ledger that cannot be written, one that is damaged.

use std::path::{Path, PathBuf};

use crate::network::{ATTACKER_V4, HOST_V4, Network, possible, run};
use crate::weir::{Weir, probe, program, wait_for};

/// A small file system of its own on the daemon's state folder, until this goes.
pub(crate) struct SmallDisk(pub(crate) PathBuf);

impl SmallDisk {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap().keep();
        let shown = folder.to_str().unwrap();
        run("mount", &["-t", "tmpfs", "-o", "size=4m", "weir-test", shown]);
        Self(folder)
    }

    /// Takes all the room there is.
    pub(crate) fn fill(&self) {
        let filler = self.0.join("filler");
        let mut size = 8 << 20;
        let mut file = std::fs::File::create(filler).unwrap();
        // Ever smaller pieces, to the last page.
        while size >= 1 {
            while std::io::Write::write_all(&mut file, &vec![0; size]).is_ok() {}
            size /= 2;
        }
    }

    fn make_room(&self) {
        std::fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("--lazy").arg(&self.0).status();
        let _ = std::fs::remove_dir(&self.0);
    }
}

fn ban(network: &Network, weir: &Weir<'_>, addresses: &[&str]) {
    weir.send_udp(addresses.iter().map(|address| probe(address)).collect());
    for address in addresses {
        wait_for("the ban in the kernel", || network.holds(address).then_some(()));
    }
}

#[test]
fn a_full_disk_is_told_and_nothing_is_lost() {
    if !possible(&["ip", "nft", "mount"]) {
        return;
    }
    let (network, disk) = (Network::new(), SmallDisk::new());
    let weir = Weir::start_in(&network, &disk.0, "ban: 1h");
    ban(&network, &weir, &["203.0.113.1", "2001:db8:bad::1"]);
    disk.fill();
    // They hold in the kernel and in memory, and it is said that they are not on disk.
    let late: Vec<String> = (10..60).map(|n| format!("203.0.113.{n}")).collect();
    let late: Vec<&str> = late.iter().map(String::as_str).collect();
    ban(&network, &weir, &late);
    ban(&network, &weir, &["2001:db8:bad2::2"]);
    assert_eq!(weir.listed().len(), 53);
    wait_for("the failure to be counted", || {
        (weir.metric("weir_ledger_errors_total", &[]) > 0.0).then_some(())
    });
    let (status, page) = weir.http("/-/ready").unwrap();
    assert!(status == 503 && page.contains("ledger"), "{status} {page}");
    assert_eq!(weir.log().matches("cannot write the ledger").count(), 1, "{}", weir.log());
    let kernel = network.elements("ban4").len() + network.elements("ban6").len();
    assert_eq!(kernel, 53, "what was banned before stays");

    disk.make_room();
    wait_for("the ledger to be on disk", || {
        weir.log().contains("the ledger is on disk again").then_some(())
    });
    wait_for("readiness", || (weir.http("/-/ready")?.0 == 200).then_some(()));
    let weir = weir.kill_and_restart(|| {});
    assert_eq!(weir.listed().len(), 53);
}

/// Starts a daemon that is to fail; gives its exit code and what it says.
fn fails(network: &Network, folder: &Path) -> (Option<i32>, String) {
    let output = network
        .on_host(&program())
        .args(["run", "--config"])
        .arg(folder.join("weir.yaml"))
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_ledger_that_cannot_be_written_stops_the_start_and_frees_nobody() {
    if !possible(&["ip", "nft", "mount"]) {
        return;
    }
    let (network, disk) = (Network::new(), SmallDisk::new());
    let mut weir = Weir::start_in(&network, &disk.0, "ban: 1h");
    ban(&network, &weir, &[ATTACKER_V4]);
    assert!(weir.terminate().success());
    let shown = disk.0.to_str().unwrap();
    run("mount", &["-o", "remount,ro", shown]);
    let (code, said) = fails(&network, &weir.folder);
    assert!(code.is_some_and(|code| code != 0), "{code:?} {said}");
    assert!(said.contains(shown) && said.contains("ead-only"), "names file and reason: {said}");
    assert!(network.holds(ATTACKER_V4) && !network.passes(ATTACKER_V4, HOST_V4));

    run("mount", &["-o", "remount,rw", shown]);
    let weir = weir.kill_and_restart(|| {});
    assert_eq!(weir.listed().len(), 1);
}

#[test]
fn a_damaged_ledger_frees_nobody() {
    if !possible(&["ip", "nft"]) {
        return;
    }
    let network = Network::new();
    let mut weir = Weir::start(&network, "ban: 1h");
    let many: Vec<String> = (1..200).map(|n| format!("203.0.113.{n}")).collect();
    ban(&network, &weir, &many.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(weir.ask(&["ban", "192.0.2.0/25", "--for", "1h"]).status.success());
    assert!(weir.ask(&["ban", "2001:db8:bad::/48", "--for", "2h"]).status.success());
    wait_for("the prefixes", || network.holds_prefix("2001:db8:bad::/48").then_some(()));
    let before: Vec<String> = weir.listed().into_iter().map(|(target, _)| target).collect();
    assert_eq!(before.len(), 201);
    assert!(weir.terminate().success());

    let path = weir.folder.join("state/ledger.db");
    for extra in ["ledger.db-wal", "ledger.db-shm"] {
        let _ = std::fs::remove_file(weir.folder.join("state").join(extra));
    }
    let mut bytes = std::fs::read(&path).unwrap();
    // All but the first page: nothing can be read of it.
    bytes[4096..].fill(0x5a);
    std::fs::write(&path, bytes).unwrap();

    let weir = weir.kill_and_restart(|| {});
    assert!(weir.log().contains("was damaged and set aside"), "{}", weir.log());
    let mut after: Vec<String> = weir.listed().into_iter().map(|(target, _)| target).collect();
    let mut expected = before;
    after.sort();
    expected.sort();
    assert_eq!(after, expected, "what the kernel held is in the ledger again");
    assert_eq!(network.elements("ban4").len(), 199);
    let left = weir.listed().into_iter().find(|(target, _)| target == "2001:db8:bad::/48");
    assert!(left.as_ref().is_some_and(|(_, left)| (7_100..=7_200).contains(left)), "{left:?}");
    let set_aside = std::fs::read_dir(weir.folder.join("state"))
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains("damaged"))
        .count();
    assert!(set_aside > 0, "the damaged one is kept");
}
