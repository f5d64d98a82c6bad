//! The whole way, tried: a line for an address that nobody has goes through a source, and is looked
//! for behind each stage; then a packet from that address must be dropped, and all is taken back.
//!
//! What must hold: whatever fails, what was led to is taken back; every wait is bounded; nothing
//! leaves this host.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::finding::Finding;
use super::packet::Packets;
use super::secure::Identity;
use super::send::{self, Framing, Message};
use super::stages::{self, Found, Stage};
use crate::control::{CanaryAsked, CanarySeen, Client, ClientError, Reply, Request, Why};
use crate::event::CANARY;
use crate::intake::spec::{Listen, Source};
use crate::settings::{Backend, Settings, Verdict};
use crate::system::{clock, peer};

/// How long a stage may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(5);
/// Addresses that are drawn until one is free.
const DRAWS: usize = 16;

/// What is needed to try sources.
pub(super) struct Trial<'a> {
    pub(super) client: &'a mut Client,
    pub(super) settings: &'a Settings,
    /// Whether the daemon has the network of this process.
    pub(super) same_network: bool,
    /// Whether the daemon drops anything.
    pub(super) is_enforcing: bool,
    /// What a source is shown that asks who we are.
    pub(super) identity: Option<Identity>,
}

/// The IP family of a canary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

/// A canary under way.
struct Canary {
    address: IpAddr,
    nonce: String,
}

impl Trial<'_> {
    /// Tries every source, and packets of both families behind the first that works.
    pub(super) fn all(&mut self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut packets_tried = false;
        for source in &self.settings.sources {
            let check = format!("source `{}`", source.name);
            if let Some(why) = self.untried(source) {
                findings.push(Finding::note(&check, format!("not tried: {why}")));
                continue;
            }
            for framing in Framing::of(&source.listen) {
                let words = format!("{check}{}", framing.words());
                match self.one(source, *framing, Family::V4, !packets_tried) {
                    Ok(mut found) => {
                        let works = found.iter().all(|one| !one.is_problem());
                        for finding in &mut found {
                            finding.name(&words);
                        }
                        findings.append(&mut found);
                        if works && !packets_tried {
                            packets_tried = true;
                            let sixth = self.one(source, *framing, Family::V6, true);
                            let mut found = sixth.unwrap_or_else(|error| vec![broken(&error)]);
                            for finding in &mut found {
                                finding.name(&format!("{words}, IPv6"));
                            }
                            findings.append(&mut found);
                        }
                    }
                    Err(error) => {
                        let mut finding = broken(&error);
                        finding.name(&words);
                        findings.push(finding);
                    }
                }
            }
        }
        findings
    }

    /// Why a source cannot be tried from here.
    fn untried(&self, source: &Source) -> Option<String> {
        let local: Option<IpAddr> = match &source.listen {
            Listen::Udp(at) | Listen::Tcp(at) | Listen::Relp(at) => Some(send::target(*at).ip()),
            _ => None,
        };
        if let Some(local) = local {
            if !self.same_network {
                return Some("the daemon is in another network namespace than this command".into());
            }
            if !source.senders.is_empty() && !source.senders.iter().any(|net| net.contains(&local))
            {
                return Some(format!("its `senders` do not hold `{local}`, this host"));
            }
        }
        if !source.users.is_empty() {
            let own = peer::own().uid;
            let is_own =
                |user: &String| user.parse() == Ok(own) || peer::user_of(user) == Some(own);
            if !source.users.iter().any(is_own) {
                return Some(format!("its `users` do not hold user {own}, who runs this"));
            }
        }
        if let Some(tls) = &source.tls
            && (tls.clients.is_some() || !tls.permitted.is_empty())
            && self.identity.is_none()
        {
            return Some(
                "its clients must show a certificate: give one with --certificate and --key".into(),
            );
        }
        if let Listen::Journal(journal) = &source.listen {
            let takes = |names: &[String]| names.is_empty() || names.iter().any(|n| n == CANARY);
            if journal.folder.is_some() {
                return Some("it reads the journal of a folder, not this host's".into());
            }
            if !journal.units.is_empty() || !takes(&journal.identifiers) {
                return Some("it takes entries of some units or programs only".into());
            }
            if journal.priority.is_some_and(|least| least < 6) {
                return Some("it takes entries of a higher priority only".into());
            }
        }
        None
    }

    /// Tries one source with one canary.
    fn one(
        &mut self,
        source: &Source,
        framing: Framing,
        family: Family,
        with_packets: bool,
    ) -> Result<Vec<Finding>, ClientError> {
        let canary = match self.draw(family)? {
            Ok(canary) => canary,
            Err(friend) => {
                let found = format!(
                    "not tried: addresses for documentation are friends ({friend}), so none can be \
                     banned for a test"
                );
                return Ok(vec![Finding::note("", found)]);
            }
        };
        let found = self.follow(source, framing, &canary, with_packets);
        let removed = self.remove(&canary);
        let (mut findings, packets) = found?;
        let gone = removed?;
        if !gone {
            findings.push(
                Finding::problem(
                    "",
                    format!(
                        "the ban of {} was taken back and the kernel still has it",
                        canary.address
                    ),
                )
                .with_remedy("weir status"),
            );
        }
        if let Some(packets) = packets
            && !matches!(packets.pass(canary.address, mark()), Ok(true))
        {
            findings.push(
                Finding::problem(
                    "",
                    "a packet from the test address does not come through after its ban was taken \
                     back",
                )
                .with_remedy("nft list table inet weir"),
            );
        }
        Ok(findings)
    }

    /// Sends the canary and looks for it behind each stage.
    fn follow(
        &mut self,
        source: &Source,
        framing: Framing,
        canary: &Canary,
        with_packets: bool,
    ) -> Result<(Vec<Finding>, Option<Packets>), ClientError> {
        let (packets, not_tried) = match with_packets {
            true => self.packets(canary),
            false => (None, None),
        };
        self.ask(&Request::Canary(canary.asked()))?;
        let begun = clock::instant();
        let text = format!("canary {} from {}", canary.nonce, canary.address);
        // Without a time: what is known of the clocks of senders is left alone.
        let line = format!("<86>1 - {} {CANARY} {} - - {text}", hostname(), std::process::id());
        let message = Message { line: &line, program: CANARY, text: &text };
        let mut found = Found { line: line.clone(), ..Found::default() };
        if let Err(error) = send::send(source, message, framing, self.identity.as_ref()) {
            found.sent = Some(error);
            return Ok((vec![stages::tell(source, &Stage::Unsent, &found)], None));
        }
        let seen = self.wait(|trial| {
            let seen = trial.seen(canary)?;
            let is_done = seen.overflowed || seen.outcome.as_deref().is_some_and(|o| o != "poured");
            Ok(is_done.then_some(seen))
        })?;
        let seen = match seen {
            Some(seen) => seen,
            None => self.seen(canary)?,
        };
        found.outcome.clone_from(&seen.outcome);
        if seen.outcome.is_none() || !seen.overflowed {
            let stage = if seen.outcome.is_none() { Stage::Unseen } else { Stage::Unpoured };
            return Ok((vec![stages::tell(source, &stage, &found)], None));
        }
        let why = self.wait(|trial| {
            let why = trial.why(canary.address)?;
            let is_told = !why.decisions.is_empty() || !why.refusals.is_empty();
            Ok(is_told.then_some(why))
        })?;
        let Some(why) = why else {
            return Ok((vec![stages::tell(source, &Stage::Undecided, &found)], None));
        };
        if let Some(refusal) = why.refusals.first().filter(|_| why.decisions.is_empty()) {
            found.refusal = Some(refusal.reason.clone());
            return Ok((vec![stages::tell(source, &Stage::Undecided, &found)], None));
        }
        let decision = &why.decisions[0].decision;
        if decision.action != "ban" {
            found.limited.clone_from(&decision.limited);
            found.is_enforcing = self.is_enforcing;
            return Ok((vec![stages::tell(source, &Stage::Observed, &found)], None));
        }
        let held = self.wait(|trial| {
            let why = trial.why(canary.address)?;
            let kernel = why.kernel.unwrap_or_default();
            let is_held = !kernel.is_empty() && kernel.iter().all(|one| !one.elements.is_empty());
            found.trouble = kernel.iter().find_map(|one| one.trouble.clone());
            Ok(is_held.then_some(()))
        })?;
        found.took = begun.elapsed();
        if held.is_none() {
            return Ok((vec![stages::tell(source, &Stage::Unheld, &found)], None));
        }
        let mut findings = Vec::new();
        match packets {
            Some(packets) => match packets.pass(canary.address, mark()) {
                Ok(true) => {
                    findings.push(stages::tell(source, &Stage::Undropped, &found));
                    return Ok((findings, None));
                }
                Ok(false) => {
                    found.packet = Some("a packet from it dropped".to_owned());
                    findings.push(stages::tell(source, &Stage::Done, &found));
                    return Ok((findings, Some(packets)));
                }
                Err(error) => {
                    found.packet = Some(format!("a packet from it not tried: {error}"));
                }
            },
            None => {
                found.packet = not_tried.map(|why| format!("a packet from it not tried: {why}"));
            }
        }
        findings.push(stages::tell(source, &Stage::Done, &found));
        Ok((findings, None))
    }

    /// Both ends of packets from the canary, which come through so far; or why they are not tried.
    fn packets(&self, canary: &Canary) -> (Option<Packets>, Option<String>) {
        let no = |why: &str| (None, Some(why.to_owned()));
        let enforce = &self.settings.enforce;
        if !self.is_enforcing {
            return (None, None);
        }
        if !self.same_network {
            return no("the daemon is in another network namespace");
        }
        let filters = |backend: &Backend| matches!(backend, Backend::Nftables | Backend::Ipset);
        if !enforce.backends.iter().any(filters) {
            return no("routes drop what goes to the banned, not what comes from them");
        }
        if enforce.verdict != Verdict::Drop {
            return no("with this `verdict` it would be answered, and that answer leaves the host");
        }
        if !enforce.ports.tcp.is_empty() || !enforce.ports.udp.is_empty() {
            return no("only some ports are closed to the banned");
        }
        let packets = match Packets::open(canary.address) {
            Ok(packets) => packets,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return no("needs root (CAP_NET_RAW)");
            }
            Err(error) => return (None, Some(error.to_string())),
        };
        match packets.pass(canary.address, mark()) {
            Ok(true) => (Some(packets), None),
            Ok(false) => no("even before the ban none comes over the loopback interface"),
            Err(error) => (None, Some(error.to_string())),
        }
    }

    /// An address that nothing is known of, and a number that nobody can guess; or the friend that
    /// all addresses are.
    fn draw(&mut self, family: Family) -> Result<Result<Canary, String>, ClientError> {
        let mut friend = String::new();
        for _ in 0..DRAWS {
            let address = drawn(family, mark());
            let why = self.why(address)?;
            if let Some(found) = why.friends.first() {
                friend = format!("`{}`, {}", found.net, found.origin);
            } else if why.is_unknown() {
                let nonce = format!("{:016x}", mark());
                return Ok(Ok(Canary { address, nonce }));
            } else {
                friend = "or banned already".to_owned();
            }
        }
        Ok(Err(friend))
    }

    /// Takes back what the canary led to; whether the kernel let go of it.
    fn remove(&mut self, canary: &Canary) -> Result<bool, ClientError> {
        let request = || Request::RemoveCanary { target: canary.address.to_string() };
        self.ask(&request())?;
        let gone = self.wait(|trial| {
            let why = trial.why(canary.address)?;
            if !why.is_unknown() {
                // It was decided on only now.
                trial.ask(&request())?;
                return Ok(None);
            }
            let kernel = why.kernel.unwrap_or_default();
            Ok(kernel.iter().all(|one| one.elements.is_empty()).then_some(()))
        })?;
        Ok(gone.is_some())
    }

    fn seen(&mut self, canary: &Canary) -> Result<CanarySeen, ClientError> {
        match self.ask(&Request::Canary(canary.asked()))? {
            Reply::Canary(seen) => Ok(seen),
            _ => Ok(CanarySeen::default()),
        }
    }

    fn why(&mut self, address: IpAddr) -> Result<Why, ClientError> {
        match self.ask(&Request::Why { target: address.to_string() })? {
            Reply::Why(why) => Ok(*why),
            _ => Ok(Why::default()),
        }
    }

    fn ask(&mut self, request: &Request) -> Result<Reply, ClientError> {
        self.client.ask(request)
    }

    /// Looks until there is something, or time is up.
    fn wait<T>(
        &mut self,
        mut look: impl FnMut(&mut Self) -> Result<Option<T>, ClientError>,
    ) -> Result<Option<T>, ClientError> {
        let begun = clock::instant();
        loop {
            if let Some(found) = look(self)? {
                return Ok(Some(found));
            }
            if begun.elapsed() >= PATIENCE {
                return Ok(None);
            }
            std::thread::sleep(PAUSE);
        }
    }
}

impl Canary {
    fn asked(&self) -> CanaryAsked {
        CanaryAsked { address: self.address.to_string(), nonce: self.nonce.clone() }
    }
}

fn broken(error: &ClientError) -> Finding {
    Finding::problem("", error.to_string()).with_remedy("journalctl -u weir")
}

/// A number that nobody can guess.
fn mark() -> u64 {
    RandomState::new().hash_one(())
}

/// An address for documentation.
fn drawn(family: Family, number: u64) -> IpAddr {
    let [a, b, c, d, e, f, g, h] = number.to_be_bytes();
    match family {
        Family::V4 => {
            let net = [[192, 0, 2], [198, 51, 100], [203, 0, 113]][usize::from(a) % 3];
            // Neither a network's first address nor its last.
            IpAddr::from(Ipv4Addr::new(net[0], net[1], net[2], 1 + b % 254))
        }
        Family::V6 => {
            let octets = [0x20, 1, 0x0d, 0xb8, a, b, c, d, 0, 0, 0, 0, e, f, g, h | 1];
            IpAddr::from(Ipv6Addr::from(octets))
        }
    }
}

/// The name of this host, as syslog has it.
fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name: String = name.trim().chars().filter(char::is_ascii_graphic).take(255).collect();
    if name.is_empty() { "-".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::is_for_documentation;

    #[test]
    fn only_addresses_for_documentation_are_drawn() {
        for number in (0..u64::MAX).step_by(usize::MAX / 1000) {
            for family in [Family::V4, Family::V6] {
                let address = drawn(family, number);
                assert!(is_for_documentation(address), "{address}");
            }
        }
        assert_ne!(mark(), mark());
    }
}
