//! Two hosts on one machine: a guarded one and one with attackers, joined by a veth pair.

use std::collections::BTreeSet;
use std::fs::File;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::weir::wait_for;

/// The guarded host's addresses.
pub(crate) const HOST_V4: &str = "198.51.100.1";
/// The guarded host's IPv6 address.
pub(crate) const HOST_V6: &str = "2001:db8:1::1";
/// An attacker's addresses, and those of a neighbour who does nothing.
pub(crate) const ATTACKER_V4: &str = "198.51.100.7";
pub(crate) const ATTACKER_V6: &str = "2001:db8:1::7";
pub(crate) const NEIGHBOUR_V4: &str = "198.51.100.8";
pub(crate) const NEIGHBOUR_V6: &str = "2001:db8:1::8";

/// The two namespaces; they go when this goes.
pub(crate) struct Network {
    /// The guarded host.
    pub(crate) host: String,
    /// Where attackers live.
    pub(crate) outside: String,
}

/// Whether the machine lets these tests run; says why not.
pub(crate) fn possible(programs: &[&str]) -> bool {
    // SAFETY: geteuid has no preconditions and cannot fail.
    let root = unsafe { libc::geteuid() } == 0;
    let missing: Vec<_> = programs
        .iter()
        .filter(|program| {
            !["/usr/sbin", "/usr/bin", "/sbin", "/bin"]
                .iter()
                .any(|folder| std::path::Path::new(folder).join(program).exists())
        })
        .collect();
    if root && missing.is_empty() {
        return true;
    }
    let why = if root { format!("no {missing:?} here") } else { "not root".to_owned() };
    skip(&why);
    false
}

/// Says that a test, or a part of it, is left out.
pub(crate) fn skip(why: &str) {
    println!("SKIPPED: {why}");
    assert!(std::env::var_os("WEIR_REQUIRE_E2E").is_none(), "must not be skipped here: {why}");
}

/// Runs a program to its end and gives its standard output.
#[track_caller]
pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

impl Network {
    /// Makes the namespaces, their link and their addresses.
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let tag = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let (host, outside) = (format!("weir-h-{tag}"), format!("weir-o-{tag}"));
        let network = Self { host, outside };
        let (h, o) = (network.host.as_str(), network.outside.as_str());
        run("ip", &["netns", "add", h]);
        run("ip", &["netns", "add", o]);
        run("ip", &["-n", h, "link", "add", "eth0", "type", "veth", "peer", "eth0", "netns", o]);
        for (namespace, addresses) in [
            (h, &[HOST_V4, HOST_V6][..]),
            (o, &[ATTACKER_V4, NEIGHBOUR_V4, ATTACKER_V6, NEIGHBOUR_V6][..]),
        ] {
            run("ip", &["-n", namespace, "link", "set", "lo", "up"]);
            run("ip", &["-n", namespace, "link", "set", "eth0", "up"]);
            for address in addresses {
                let v6 = address.contains(':');
                let with_length = format!("{address}/{}", if v6 { 64 } else { 24 });
                let mut words =
                    vec!["-n", namespace, "address", "add", &with_length, "dev", "eth0"];
                if v6 {
                    // Usable at once, without the second of duplicate address detection.
                    words.push("nodad");
                }
                run("ip", &words);
            }
        }
        // The link carries when both ends say so and neighbours have been found.
        for (address, host) in [(NEIGHBOUR_V4, HOST_V4), (NEIGHBOUR_V6, HOST_V6)] {
            wait_for("the link", || network.passes(address, host).then_some(()));
        }
        network
    }

    /// A command that runs in the guarded host.
    pub(crate) fn on_host(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.host, program]);
        command.stdin(Stdio::null());
        command
    }

    /// A command that runs beside the guarded host, where attackers are.
    pub(crate) fn beside(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.outside, program]);
        command.stdin(Stdio::null());
        command
    }

    /// What `nft -j list set inet weir NAME` says.
    pub(crate) fn set(&self, name: &str) -> serde_json::Value {
        let output =
            self.on_host("nft").args(["-j", "list", "set", "inet", "weir", name]).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or(serde_json::Value::Null)
    }

    /// The elements of a set: address, timeout and seconds to its end.
    pub(crate) fn elements(&self, name: &str) -> Vec<(String, u64, u64)> {
        let listing = self.set(name);
        let empty = Vec::new();
        let objects = listing["nftables"].as_array().unwrap_or(&empty);
        let set = objects.iter().find_map(|object| object.get("set"));
        let elements = set.and_then(|set| set["elem"].as_array()).unwrap_or(&empty);
        elements
            .iter()
            .map(|element| {
                let element = &element["elem"];
                (
                    element["val"].as_str().unwrap_or_default().to_owned(),
                    element["timeout"].as_u64().unwrap_or(0),
                    element["expires"].as_u64().unwrap_or(0),
                )
            })
            .collect()
    }

    /// How many elements a set has.
    pub(crate) fn set_size(&self, name: &str) -> usize {
        let listing = self.set(name);
        let objects = listing["nftables"].as_array().cloned().unwrap_or_default();
        let set = objects.iter().find_map(|object| object.get("set"));
        set.and_then(|set| set["elem"].as_array()).map_or(0, Vec::len)
    }

    /// Whether `address` is in either set of single addresses.
    pub(crate) fn holds(&self, address: &str) -> bool {
        let set = if address.contains(':') { "ban6" } else { "ban4" };
        self.elements(set).iter().any(|(held, _, _)| held == address)
    }

    /// Whether `prefix` is in either set of prefixes.
    pub(crate) fn holds_prefix(&self, prefix: &str) -> bool {
        self.prefixes().contains(prefix)
    }

    /// The prefixes that the kernel holds. What was joined with another, or cut, fails the test.
    pub(crate) fn prefixes(&self) -> BTreeSet<String> {
        let mut held = BTreeSet::new();
        for set in ["ban4_net", "ban6_net"] {
            let listing = self.set(set);
            let objects = listing["nftables"].as_array().cloned().unwrap_or_default();
            let set = objects.iter().find_map(|object| object.get("set").cloned());
            let elements = set.and_then(|set| set["elem"].as_array().cloned()).unwrap_or_default();
            for element in elements {
                let prefix = &element["elem"]["val"]["prefix"];
                let address = prefix["addr"].as_str().expect("a whole prefix");
                held.insert(format!("{address}/{}", prefix["len"]));
            }
        }
        held
    }

    /// Whether a datagram from `source` reaches the guarded host.
    pub(crate) fn passes(&self, source: &str, destination: &str) -> bool {
        let destination: IpAddr = destination.parse().unwrap();
        let receiver = inside(&self.host, move || {
            let socket = UdpSocket::bind(SocketAddr::new(destination, 0)).unwrap();
            socket.set_read_timeout(Some(Duration::from_millis(400))).unwrap();
            socket
        });
        let target = receiver.local_addr().unwrap();
        let source: IpAddr = source.parse().unwrap();
        inside(&self.outside, move || {
            let socket = UdpSocket::bind(SocketAddr::new(source, 0)).unwrap();
            socket.send_to(b"hello", target).unwrap();
        });
        receiver.recv(&mut [0; 16]).is_ok()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for namespace in [&self.host, &self.outside] {
            let _ = Command::new("ip").args(["netns", "delete", namespace]).status();
        }
    }
}

/// Runs `work` on a thread that is in the network namespace `name`. Sockets that it makes stay
/// there.
pub(crate) fn inside<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    let file = File::open(format!("/run/netns/{name}")).unwrap();
    std::thread::spawn(move || {
        // SAFETY: the descriptor is open; only this thread changes its namespace, and it ends.
        let done = unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) };
        assert_eq!(done, 0, "setns: {}", std::io::Error::last_os_error());
        work()
    })
    .join()
    .unwrap()
}
