//! `lapi:`: where bouncers ask whom to keep out.
//!
//! Off unless it is asked for. What must hold: keys are not sent in clear over a network, unless the
//! configuration says that this is meant.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::section::{At, at, later, section};
use super::sources;
use crate::decision::parse_net;
use crate::diagnostic::{Diagnostic, UserFile};
use crate::intake::spec;
use crate::yaml::{Fields, Node};

/// The organizational units of clients' certificates unless others are named: those of the clients' own
/// server.
const BOUNCERS: &str = "bouncer-ou";
const MACHINES: &str = "agent-ou";

/// From where machines may register themselves unless it is said.
const LOOPBACK: [IpNet; 2] = [
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8)),
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128)),
];

/// Where bouncers ask, and machines push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lapi {
    /// Where.
    pub listen: SocketAddr,
    /// With it, only TLS is spoken.
    pub tls: Option<spec::Tls>,
    /// From where machines may register themselves; they wait for an operator then.
    pub register_from: Vec<IpNet>,
    /// Machines there may delete alerts, beside those on this host.
    pub trusted: Vec<IpNet>,
    /// The organizational units whose certificates make a bouncer.
    pub bouncer_ou: Vec<String>,
    /// Those whose certificates make a machine.
    pub machine_ou: Vec<String>,
}

/// The prefixes in a list; what is none is a mistake there.
fn nets(fields: &mut Fields<'_, '_>, key: &'static str) -> Vec<IpNet> {
    let mut nets = Vec::new();
    for text in fields.text_list(key) {
        match parse_net(text.value) {
            Ok(net) => nets.push(net),
            Err(error) => fields.report(text.span, "wrong-value", error.to_string()),
        }
    }
    nets
}

/// The section as written.
#[derive(Clone, Debug, Default)]
pub(super) struct Typed {
    /// Whether it is switched off, or on with what is usual.
    off: Option<At<bool>>,
    listen: Option<At<SocketAddr>>,
    tls: Option<At<spec::Tls>>,
    in_clear: Option<At<bool>>,
    register_from: Option<Vec<IpNet>>,
    trusted: Vec<IpNet>,
    bouncer_ou: Option<Vec<String>>,
    machine_ou: Option<Vec<String>>,
}

impl Typed {
    pub(super) fn read(
        node: &Node,
        file: &Arc<UserFile>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Self {
        let (off, fields) = section(node, file, "`lapi`", diagnostics);
        let mut typed = Self { off, ..Self::default() };
        let Some(mut fields) = fields else { return typed };
        let expected = "an address with a port such as `127.0.0.1:8080`";
        let listen = fields.parsed("listen", expected, |text| {
            text.parse().map_err(|_: std::net::AddrParseError| String::new())
        });
        typed.listen = listen.map(|found| at(&fields, found));
        typed.tls = fields.mapping("tls").and_then(|node| {
            let tls = sources::tls(node, file, "`tls` of `lapi`", fields.diagnostics())?;
            Some(At { value: tls, file: Arc::clone(file), span: node.head() })
        });
        typed.in_clear = fields.bool("in_clear").map(|found| at(&fields, found));
        let register_from = nets(&mut fields, "register_from");
        typed.register_from = fields.has("register_from").then_some(register_from);
        typed.trusted = nets(&mut fields, "trusted");
        let mut units = |key| {
            let is_there = fields.has(key);
            let units = fields.text_list(key);
            is_there.then(|| units.into_iter().map(|unit| unit.value.to_owned()).collect())
        };
        (typed.bouncer_ou, typed.machine_ou) = (units("bouncer_ou"), units("machine_ou"));
        fields.finish();
        typed
    }

    pub(super) fn merge(&mut self, other: Self) {
        later(&mut self.off, other.off);
        later(&mut self.listen, other.listen);
        later(&mut self.tls, other.tls);
        later(&mut self.in_clear, other.in_clear);
        later(&mut self.register_from, other.register_from);
        self.trusted.extend(other.trusted);
        later(&mut self.bouncer_ou, other.bouncer_ou);
        later(&mut self.machine_ou, other.machine_ou);
    }

    pub(super) fn mean(self, diagnostics: &mut Vec<Diagnostic>) -> Option<Lapi> {
        if self.off.is_none_or(|off| off.value) {
            return None;
        }
        let usual = SocketAddr::from(([127, 0, 0, 1], 8080));
        let listen = self.listen.as_ref().map_or(usual, |found| found.value);
        let is_clear = self.tls.is_none() && !listen.ip().is_loopback();
        let is_meant = self.in_clear.as_ref().is_some_and(|found| found.value);
        if let Some(at) = self.listen.filter(|_| is_clear && !is_meant) {
            let message = format!("keys of bouncers go to `{listen}` in clear");
            let help = "add `tls: {certificate: FILE, key: FILE}`; or `in_clear: true` where the \
                        network is yours alone";
            diagnostics.push(at.error("keys-in-clear", message).with_help(help));
        }
        let register_from = self.register_from.unwrap_or_else(|| LOOPBACK.to_vec());
        let usually = |units: Option<Vec<String>>, usual: &str| {
            units.unwrap_or_else(|| vec![usual.to_owned()])
        };
        Some(Lapi {
            listen,
            tls: self.tls.map(|found| found.value),
            register_from,
            trusted: self.trusted,
            bouncer_ou: usually(self.bouncer_ou, BOUNCERS),
            machine_ou: usually(self.machine_ou, MACHINES),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::settings::from_files;

    #[track_caller]
    fn check(text: &str, listen: Option<&str>, mistakes: &[&str]) {
        let file = UserFile::new(Path::new("/etc/weir/weir.yaml"), text.to_owned());
        let (settings, diagnostics) = from_files(&[file]);
        let codes: Vec<_> = diagnostics.iter().map(|found| found.code).collect();
        assert_eq!(codes, mistakes, "{text}");
        let found = settings.lapi.map(|lapi| lapi.listen.to_string());
        assert_eq!(found.as_deref(), listen, "{text}");
    }

    #[test]
    fn it_is_off_unless_it_is_asked_for() {
        const USUAL: Option<&str> = Some("127.0.0.1:8080");
        check("", None, &[]);
        check("lapi: off", None, &[]);
        check("lapi: on", USUAL, &[]);
        check("lapi: {}", USUAL, &[]);
        check("lapi: {listen: '[::1]:1'}", Some("[::1]:1"), &[]);
    }

    #[track_caller]
    fn check_register(text: &str, expected: &[&str], mistakes: &[&str]) {
        let file = UserFile::new(Path::new("/etc/weir/weir.yaml"), text.to_owned());
        let (settings, diagnostics) = from_files(&[file]);
        let codes: Vec<_> = diagnostics.iter().map(|found| found.code).collect();
        assert_eq!(codes, mistakes, "{text}");
        let nets = settings.lapi.map(|lapi| lapi.register_from).unwrap_or_default();
        assert_eq!(nets.iter().map(IpNet::to_string).collect::<Vec<_>>(), expected, "{text}");
    }

    #[test]
    fn machines_register_from_here_unless_it_is_said() {
        check_register("lapi: on", &["127.0.0.0/8", "::1/128"], &[]);
        check_register("lapi: {register_from: []}", &[], &[]);
        check_register("lapi: {register_from: 192.0.2.0/24}", &["192.0.2.0/24"], &[]);
        check_register(
            "lapi: {register_from: [2001:db8::/32, 192.0.2.1]}",
            &["2001:db8::/32", "192.0.2.1/32"],
            &[],
        );
        check_register("lapi: {register_from: [everywhere]}", &[], &["wrong-value"]);
    }

    #[track_caller]
    fn check_units(text: &str, bouncers: &[&str], machines: &[&str]) {
        let file = UserFile::new(Path::new("/etc/weir/weir.yaml"), text.to_owned());
        let (settings, diagnostics) = from_files(&[file]);
        assert!(diagnostics.is_empty(), "{text}");
        let lapi = settings.lapi.unwrap();
        assert_eq!(lapi.bouncer_ou, bouncers, "{text}");
        assert_eq!(lapi.machine_ou, machines, "{text}");
    }

    #[test]
    fn certificates_are_told_apart_by_their_units() {
        check_units("lapi: on", &["bouncer-ou"], &["agent-ou"]);
        check_units("lapi: {bouncer_ou: [edge, web], machine_ou: []}", &["edge", "web"], &[]);
    }

    #[test]
    fn who_may_delete_alerts_is_written_as_networks() {
        const USUAL: Option<&str> = Some("127.0.0.1:8080");
        check("lapi: {trusted: ['192.0.2.0/24', '2001:db8::7']}", USUAL, &[]);
        check("lapi: {trusted: ['192.0.2.0/33']}", USUAL, &["wrong-value"]);
    }

    #[test]
    fn keys_stay_secret() {
        const OPEN: Option<&str> = Some("192.0.2.1:8080");
        check("lapi: {listen: '192.0.2.1:8080'}", OPEN, &["keys-in-clear"]);
        check("lapi: {listen: '192.0.2.1:8080', in_clear: true}", OPEN, &[]);
        check("lapi: {listen: '192.0.2.1:8080', tls: {certificate: c, key: k}}", OPEN, &[]);
    }
}
