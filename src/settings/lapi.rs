//! `lapi:`: where bouncers ask whom to keep out.
//!
//! Off unless it is asked for. What must hold: keys are not sent in clear over a network, unless the
//! configuration says that this is meant.

use std::net::SocketAddr;
use std::sync::Arc;

use super::section::{At, at, later, section};
use super::sources;
use crate::diagnostic::{Diagnostic, UserFile};
use crate::intake::spec;
use crate::yaml::Node;

/// Where bouncers ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lapi {
    /// Where.
    pub listen: SocketAddr,
    /// With it, only TLS is spoken.
    pub tls: Option<spec::Tls>,
}

/// The section as written.
#[derive(Clone, Debug, Default)]
pub(super) struct Typed {
    /// Whether it is switched off, or on with what is usual.
    off: Option<At<bool>>,
    listen: Option<At<SocketAddr>>,
    tls: Option<At<spec::Tls>>,
    in_clear: Option<At<bool>>,
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
        fields.finish();
        typed
    }

    pub(super) fn merge(&mut self, other: Self) {
        later(&mut self.off, other.off);
        later(&mut self.listen, other.listen);
        later(&mut self.tls, other.tls);
        later(&mut self.in_clear, other.in_clear);
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
        Some(Lapi { listen, tls: self.tls.map(|found| found.value) })
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

    #[test]
    fn keys_stay_secret() {
        const OPEN: Option<&str> = Some("192.0.2.1:8080");
        check("lapi: {listen: '192.0.2.1:8080'}", OPEN, &["keys-in-clear"]);
        check("lapi: {listen: '192.0.2.1:8080', in_clear: true}", OPEN, &[]);
        check("lapi: {listen: '192.0.2.1:8080', tls: {certificate: c, key: k}}", OPEN, &[]);
    }
}
