//! What of this host matters to Weir and is no part of it: rights, clock, disk, other firewalls,
//! who is logged in. Only looks.

use std::io::{Read, Write};
use std::net::{IpAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use super::finding::Finding;
use crate::control::Why;
use crate::enforce::{BaseChain, base_chains};
use crate::settings::{Backend, Hook, Http, Settings};
use crate::system::{disk, peer, timekeeping};

/// Below so many free bytes the ledger soon cannot be written.
const LEAST: u64 = 32 << 20;
/// Chains that are named.
const NAMED: usize = 6;
/// How long the page of health may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Who runs this, and what of the rest cannot be looked at therefore.
pub(super) fn rights() -> Finding {
    match peer::own().uid {
        0 => Finding::ok("rights", "run by root: all can be looked at"),
        uid => Finding::note(
            "rights",
            format!("run by user {uid}: other firewalls and test packets are not tried"),
        )
        .with_remedy("sudo weir doctor"),
    }
}

pub(super) fn clock() -> Finding {
    match timekeeping::is_synchronised() {
        Some(true) => Finding::ok("clock", "synchronised"),
        Some(false) => Finding::note(
            "clock",
            "nobody keeps this host's clock right: bans last as long as they should, dates of lines \
             are read by a clock that may be off",
        )
        .with_remedy("sudo timedatectl set-ntp true"),
        None => Finding::note("clock", "not tried: this process may not ask the kernel about it"),
    }
}

/// Whether there is room for the ledger in `folder`.
pub(super) fn room(folder: &Path) -> Finding {
    let shown = folder.display().to_string();
    let room = match disk::room(folder) {
        Ok(room) => room,
        Err(error) => {
            let finding =
                Finding::problem("disk", format!("cannot look at the state folder: {error}"));
            return finding.at(shown).with_remedy("sudo systemctl restart weir makes it");
        }
    };
    let mib = |bytes: u64| bytes >> 20;
    let told = format!("{} MiB free of {} MiB", mib(room.free), mib(room.total));
    if room.free < LEAST {
        let finding =
            Finding::problem("disk", format!("{told}: the ledger needs room to be written"));
        return finding.at(shown).with_remedy("make room: df -h; du -xh / | sort -h | tail");
    }
    Finding::ok("disk", told).at(shown)
}

/// Whether the pages over HTTP are there.
pub(super) fn pages(http: Option<&Http>) -> Finding {
    let Some(Http { listen, tls, .. }) = http else {
        return Finding::note("http", "metrics and health are not served")
            .at("`http:` of the configuration");
    };
    let (at, is_secure) = (*listen, tls.is_some());
    let asked = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&super::send::target(at), PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        if is_secure {
            return Ok(String::new());
        }
        stream.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: weir\r\nConnection: close\r\n\r\n")?;
        let mut answer = [0; 64];
        let count = stream.read(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer[..count]).lines().next().unwrap_or_default().to_owned())
    };
    match asked() {
        Ok(line) if line.contains(" 200 ") => {
            Finding::ok("http", format!("http://{at}/metrics is served"))
        }
        // A page that wants a token, or TLS, is there all the same.
        Ok(line) if line.is_empty() || line.contains(" 401 ") || !line.starts_with("HTTP/") => {
            Finding::ok("http", format!("{at} answers, and asks who asks"))
        }
        Ok(line) => Finding::problem("http", format!("expected 200 of {at}, found: {line}"))
            .with_remedy("journalctl -u weir"),
        Err(error) => Finding::problem("http", format!("{at} does not answer: {error}"))
            .with_remedy(format!("sudo ss -lntp | grep ':{} '; weir status", at.port())),
    }
}

/// The address that the SSH session of this command comes from.
pub(super) fn session() -> Option<IpAddr> {
    let said = std::env::var_os("SSH_CONNECTION")?.into_string().ok()?;
    said.split_whitespace().next()?.parse().ok()
}

/// Whether whoever is logged in can lock himself out.
pub(super) fn own_address(address: IpAddr, why: &Why) -> Finding {
    let check = "your address";
    if let Some(decision) = why.decisions.iter().find(|one| one.decision.action == "ban") {
        let found = format!(
            "{address}, from where you are logged in, is banned: {}",
            decision.decision.reason
        );
        return Finding::problem(check, found)
            .with_remedy(format!("sudo weir unban {address}; sudo weir allow {address}"));
    }
    match why.friends.first() {
        Some(friend) => {
            let found = format!("{address} cannot be banned: `{}` ({})", friend.net, friend.origin);
            Finding::ok(check, found)
        }
        None => Finding::problem(
            check,
            format!(
                "{address}, from where you are logged in, is on no allowlist: a few wrong passwords \
                 could lock you out"
            ),
        )
        .at("`allowlist:` of the configuration")
        .with_remedy(format!("sudo weir allow {address}")),
    }
}

/// Who looks at packets before us, or instead of us.
pub(super) fn firewalls(settings: &Settings, root: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    if settings.enforce.backends.contains(&Backend::Ipset) {
        findings.extend(programs(root));
    }
    match base_chains() {
        Ok(chains) => findings.extend(before_us(&chains, settings)),
        Err(error) => findings.push(
            Finding::note(
                "firewalls",
                format!("not tried: the kernel's chains cannot be listed: {error}"),
            )
            .with_remedy("sudo weir doctor"),
        ),
    }
    let legacy = ["ip_tables_names", "ip6_tables_names"]
        .iter()
        .filter_map(|name| std::fs::read_to_string(root.join("proc/net").join(name)).ok())
        .any(|names| names.split_whitespace().any(|name| name == "filter"));
    if legacy {
        findings.push(
            Finding::note(
                "firewalls",
                "iptables-legacy has rules here. They and ours both hold: a packet must pass both, \
                 so what is banned is dropped",
            )
            .at("/proc/net/ip_tables_names"),
        );
    }
    findings
}

/// The backend `ipset` runs programs.
fn programs(root: &Path) -> Option<Finding> {
    let folders = ["usr/sbin", "sbin", "usr/bin", "bin"];
    let is_missing = |name: &&str| !folders.iter().any(|f| root.join(f).join(name).exists());
    let missing: Vec<&str> = ["ipset", "iptables"].into_iter().filter(is_missing).collect();
    let finding = Finding::problem(
        "firewalls",
        format!("the backend `ipset` needs programs that are not here: {}", missing.join(", ")),
    );
    let finding = finding.at("`enforce: { backend }`");
    (!missing.is_empty()).then(|| {
        finding.with_remedy(format!("sudo apt-get install {}; or nftables", missing.join(" ")))
    })
}

/// What known programs call their tables and chains.
const KNOWN: [(&str, &str); 5] = [
    ("firewalld", "firewalld"),
    ("docker", "Docker"),
    ("f2b", "fail2ban"),
    ("ufw", "ufw"),
    ("crowdsec", "CrowdSec"),
];

fn before_us(chains: &[BaseChain], settings: &Settings) -> Vec<Finding> {
    let ours = &settings.enforce;
    let is_ours = |chain: &&BaseChain| chain.family == "inet" && chain.table == ours.table;
    let priority = |hook: &str| {
        chains
            .iter()
            .filter(is_ours)
            .find(|chain| chain.hook == hook)
            .map_or(ours.priority, |chain| chain.priority)
    };
    let hooks: Vec<&str> = ours.hooks.iter().map(|hook| hook.name()).collect();
    let mut earlier: Vec<String> = Vec::new();
    for chain in chains.iter().filter(|chain| !is_ours(chain)) {
        if hooks.contains(&chain.hook) && chain.priority < priority(chain.hook) {
            let policy = if chain.drops { ", drops by default" } else { "" };
            earlier.push(format!(
                "{} {} chain {} ({} at {}{policy})",
                chain.family, chain.table, chain.name, chain.hook, chain.priority
            ));
        }
    }
    let mut findings = Vec::new();
    if earlier.is_empty() {
        findings.push(Finding::ok("firewalls", "nobody looks at packets before us"));
    } else {
        let more = earlier.len().saturating_sub(NAMED);
        earlier.truncate(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        findings.push(
            Finding::note(
                "firewalls",
                format!(
                    "look at packets before us: {}{more}. What they drop is not counted here; what \
                     they accept still comes to us, for `accept` ends their chain only",
                    earlier.join("; ")
                ),
            )
            .at("`enforce: { priority }`")
            .with_remedy("nothing, or a lower `priority:` to be the first"),
        );
    }
    let named: Vec<&str> = KNOWN
        .iter()
        .filter(|(word, _)| {
            chains.iter().any(|chain| {
                let text = format!("{} {}", chain.table, chain.name).to_lowercase();
                text.contains(word)
            })
        })
        .map(|(_, name)| *name)
        .collect();
    if named.contains(&"Docker")
        && !ours.hooks.contains(&Hook::Forward)
        && !ours.hooks.contains(&Hook::Prerouting)
    {
        findings.push(
            Finding::problem(
                "firewalls",
                "Docker forwards packets to containers, and `hooks` do not hold `forward`: who is \
                 banned still reaches them",
            )
            .at("`enforce: { hooks }`")
            .with_remedy("set `hooks: [input, forward]`; sudo systemctl restart weir"),
        );
    }
    if named.iter().any(|name| matches!(*name, "fail2ban" | "CrowdSec")) {
        findings.push(
            Finding::note(
                "firewalls",
                format!(
                    "{} bans here, too: each unbans only what it banned itself",
                    named.join(", ")
                ),
            )
            .with_remedy("where somebody stays banned after `weir unban`, ask the other one"),
        );
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;
    use crate::control::Friend;

    fn chain(table: &str, name: &str, hook: &'static str, priority: i32) -> BaseChain {
        BaseChain {
            family: "inet",
            table: table.into(),
            name: name.into(),
            hook,
            priority,
            drops: false,
        }
    }

    #[track_caller]
    fn check(chains: &[BaseChain], expected: &[(Level, &str)]) {
        let found = before_us(chains, &Settings::default());
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (finding, (level, words)) in found.iter().zip(expected) {
            assert!(finding.level == *level && finding.found.contains(words), "{finding:?}");
        }
    }

    #[test]
    fn who_is_before_us() {
        let ours = chain("weir", "input", "input", -10);
        check(std::slice::from_ref(&ours), &[(Level::Ok, "nobody")]);
        check(
            &[ours.clone(), chain("firewalld", "filter_INPUT", "input", 10)],
            &[(Level::Ok, "nobody")],
        );
        check(
            &[ours.clone(), chain("foreign", "early", "input", -200)],
            &[(Level::Note, "inet foreign chain early (input at -200)")],
        );
        check(&[ours.clone(), chain("foreign", "x", "output", -200)], &[(Level::Ok, "nobody")]);
        check(
            &[ours, chain("f2b-table", "f2b-chain", "input", -1)],
            &[(Level::Ok, "nobody"), (Level::Note, "fail2ban bans here")],
        );
    }

    #[test]
    fn docker_without_forward() {
        let mut settings = Settings::default();
        settings.enforce.hooks = vec![Hook::Input];
        let found =
            before_us(&[chain("docker-bridges", "filter-FORWARD", "forward", 0)], &settings);
        assert!(
            found.iter().any(|one| one.is_problem() && one.found.contains("Docker")),
            "{found:?}"
        );
    }

    #[test]
    fn whoever_is_logged_in_should_be_a_friend() {
        let address: IpAddr = "192.0.2.7".parse().unwrap();
        let told = own_address(address, &Why::default());
        assert!(
            told.is_problem() && told.remedy == Some("sudo weir allow 192.0.2.7".into()),
            "{told:?}"
        );
        let friend = Friend {
            net: "192.0.2.0/24".into(),
            origin: "settings".into(),
            comment: String::new(),
            until: None,
        };
        let told = own_address(address, &Why { friends: vec![friend], ..Why::default() });
        assert_eq!(told.level, Level::Ok);
    }
}
