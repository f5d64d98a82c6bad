//! `remote:` – other hosts with CrowdSec or Weir: whose decisions are carried out here, and who is
//! told of ours.
//!
//! What must hold: keys and passwords are not sent in clear over a network, unless the
//! configuration says that this is meant; and no text of theirs is shown.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::http::Secret;
use super::quantity::duration_from;
use super::section::{At, at};
use crate::diagnostic::{Diagnostic, UserFile};
use crate::yaml::{Fields, Node, Spanned};

/// Another host that is followed, told, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// What it is called here: letters, digits, `-`, `_` and `.`; no two have the same.
    pub name: String,
    /// Where its local API is.
    pub url: RemoteUrl,
    /// What its bouncer's key is; `None` where nothing is followed, or a certificate is shown.
    pub key: Option<RemoteSecret>,
    /// Whom to believe, and what to show.
    pub tls: RemoteTls,
    /// How often it is asked.
    pub every: Duration,
    /// Decisions of these origins; all when empty.
    pub origins: Vec<String>,
    /// Decisions whose scenario contains one of these words; all when empty.
    pub containing: Vec<String>,
    /// No decisions whose scenario contains one of these words.
    pub not_containing: Vec<String>,
    /// Types that are carried out as bans.
    pub types: Vec<String>,
    /// Decisions that are taken from it at most.
    pub most: usize,
    /// Whether what a Weir there has from others is taken as well.
    pub relayed: bool,
    /// Who we are there, to tell it of our bans; `None` to tell it nothing.
    pub machine: Option<Machine>,
}

impl Remote {
    /// Whether its decisions are carried out here.
    #[must_use]
    pub fn is_followed(&self) -> bool {
        self.key.is_some() || (self.tls.certificate.is_some() && self.machine.is_none())
    }
}

/// Where a local API is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemoteUrl {
    /// Over the network.
    Tcp {
        /// A name or an address.
        host: String,
        /// The port.
        port: u16,
        /// Whether TLS is spoken.
        is_secure: bool,
        /// What paths begin with: empty, or with a `/` before it and none behind.
        prefix: String,
    },
    /// A socket on this host.
    Unix(PathBuf),
}

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemoteSecret {
    /// In a file.
    File(PathBuf),
    /// In the configuration.
    Is(Secret),
}

/// What is needed for TLS beside the URL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RemoteTls {
    /// The authorities that are believed; the system's when absent.
    pub ca: Option<PathBuf>,
    /// The certificate that is shown, and its key.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

/// Who we are to a local API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// The name that was registered there.
    pub login: String,
    /// Its password.
    pub password: RemoteSecret,
}

/// The shortest time between two questions, as written.
const LEAST_EVERY: &str = "1s";
const EVERY: Duration = Duration::from_secs(10);
const MOST: i64 = 1_000_000;
const USUAL_MOST: usize = 200_000;
const LONGEST_NAME: usize = 64;
/// Hosts at most: each has tasks and connections of its own.
const MOST_REMOTES: usize = 64;

impl std::str::FromStr for RemoteUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with('/') {
            return Ok(Self::Unix(text.into()));
        }
        let (is_secure, rest) = match text.split_once("://") {
            Some(("https", rest)) => (true, rest),
            Some(("http", rest)) => (false, rest),
            Some(("unix", rest)) if rest.starts_with('/') => return Ok(Self::Unix(rest.into())),
            _ => return Err("without `http://` or `https://`?".to_owned()),
        };
        let (authority, prefix) = match rest.split_once('/') {
            Some((authority, path)) => (authority, path.trim_end_matches('/')),
            None => (rest, ""),
        };
        if authority.contains('@') {
            return Err("a key or password stands in a key of its own".to_owned());
        }
        let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '?' | '#' | '"' | '\\');
        if !prefix.chars().all(is_plain) {
            return Err("a path without a query".to_owned());
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or("without `]`?")?;
                host.parse::<std::net::Ipv6Addr>().map_err(|_| "no IPv6 address".to_owned())?;
                (host, port.strip_prefix(':').unwrap_or(port))
            }
            None => authority.split_once(':').unwrap_or((authority, "")),
        };
        let is_of_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        if host.is_empty() || !host.chars().all(is_of_host) {
            return Err("without a host".to_owned());
        }
        let port = match port {
            "" if is_secure => 443,
            "" => 80,
            digits => digits.parse().map_err(|_| format!("`{digits}` is no port"))?,
        };
        let prefix = if prefix.is_empty() { String::new() } else { format!("/{prefix}") };
        Ok(Self::Tcp { host: host.to_owned(), port, is_secure, prefix })
    }
}

impl std::fmt::Display for RemoteUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RemoteUrl::Unix(path) => path.display().fmt(f),
            RemoteUrl::Tcp { host, port, is_secure, prefix } => {
                let scheme = if *is_secure { "https" } else { "http" };
                match host.contains(':') {
                    true => write!(f, "{scheme}://[{host}]:{port}{prefix}"),
                    false => write!(f, "{scheme}://{host}:{port}{prefix}"),
                }
            }
        }
    }
}

impl RemoteUrl {
    /// Whether whoever is on the way could read a key.
    fn is_in_clear(&self) -> bool {
        match self {
            RemoteUrl::Unix(_) | RemoteUrl::Tcp { is_secure: true, .. } => false,
            RemoteUrl::Tcp { host, .. } => {
                let address = host.parse::<std::net::IpAddr>();
                host != "localhost" && !address.is_ok_and(|address| address.is_loopback())
            }
        }
    }
}

/// One of them, as typed.
pub(super) fn read(
    node: &Node,
    file: &Arc<UserFile>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<At<Remote>> {
    let mut fields = Fields::of(node, file, "a remote", diagnostics)?;
    // Seen from the file, like folders of rules.
    let from = file.path.parent().unwrap_or(Path::new("")).to_owned();
    fields.require("name");
    fields.require("url");
    let expected = "letters, digits, `-`, `_` and `.`";
    let name = fields.parsed("name", expected, |text| match is_name(text) {
        true => Ok(text.to_owned()),
        false => Err(String::new()),
    });
    let expected = "`https://HOST:PORT`, `http://127.0.0.1:8080` or the path of a socket";
    let url = fields.parsed("url", expected, str::parse::<RemoteUrl>);
    let key = secret(&mut fields, "key", "key_file", &from);
    let tls = fields.mapping("tls").and_then(|node| tls(node, file, &from, fields.diagnostics()));
    let machine =
        fields.mapping("machine").and_then(|node| machine(node, file, &from, fields.diagnostics()));
    let every = duration_from(&mut fields, "every", LEAST_EVERY);
    let origins = words(&mut fields, "origins");
    let containing = words(&mut fields, "scenarios_containing");
    let not_containing = words(&mut fields, "scenarios_not_containing");
    let has_types = fields.has("types");
    let types = words(&mut fields, "types");
    let most = fields.integer("most", 1..=MOST);
    let relayed = fields.bool("relayed").is_some_and(|found| found.value);
    let in_clear = fields.bool("in_clear").is_some_and(|found| found.value);
    let url_at = url.as_ref().map(|url| at(&fields, url.clone()));
    fields.finish();
    let remote = Remote {
        name: name?.value,
        url: url?.value,
        key: key.map(|key| key.value),
        tls: tls.unwrap_or_default(),
        every: every.map_or(EVERY, |found| found.value),
        origins,
        containing,
        not_containing,
        types: if has_types { types } else { vec!["ban".to_owned()] },
        most: most.and_then(|most| usize::try_from(most.value).ok()).unwrap_or(USUAL_MOST),
        relayed,
        machine,
    };
    let whole = At { value: remote, file: Arc::clone(file), span: node.head() };
    if !whole.value.is_followed() && whole.value.machine.is_none() {
        let help = "add `key_file: FILE` with what `cscli bouncers add` or `weir bouncers add` \
                    printed there to carry out its decisions, or `machine:` to tell it of ours";
        let message = "nothing is asked of this remote, and nothing told";
        diagnostics.push(whole.error("missing-key", message).with_help(help));
    }
    if let Some(url) = url_at.filter(|url| url.value.is_in_clear() && !in_clear) {
        let message = format!("the key goes to `{}` in clear", url.value);
        let help = "write `https://`; or `in_clear: true` where the network is yours alone";
        diagnostics.push(url.error("keys-in-clear", message).with_help(help));
    }
    Some(whole)
}

/// All of them; no two with the same name.
pub(super) fn mean(typed: Vec<At<Remote>>, diagnostics: &mut Vec<Diagnostic>) -> Vec<Remote> {
    let mut remotes: Vec<Remote> = Vec::new();
    for remote in typed {
        if remotes.iter().any(|known| known.name == remote.value.name) {
            let message = format!("two remotes are called `{}`", remote.value.name);
            diagnostics.push(remote.error("duplicate-remote", message));
        } else if remotes.len() >= MOST_REMOTES {
            let message = format!("there are more than {MOST_REMOTES} remotes");
            diagnostics.push(remote.error("too-many", message));
            break;
        } else {
            remotes.push(remote.value);
        }
    }
    remotes
}

fn is_name(text: &str) -> bool {
    (1..=LONGEST_NAME).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn words(fields: &mut Fields<'_, '_>, key: &'static str) -> Vec<String> {
    let mut words = Vec::new();
    for word in fields.text_list(key) {
        // They are put together with commas, and lists are never empty by accident.
        if word.value.is_empty() || word.value.contains(',') || word.value.len() > 256 {
            let message = format!("`{key}` has words without commas");
            fields.report(word.span, "wrong-value", message);
        } else {
            words.push(word.value.to_owned());
        }
    }
    words
}

fn secret(
    fields: &mut Fields<'_, '_>,
    key: &'static str,
    key_file: &'static str,
    from: &Path,
) -> Option<Spanned<RemoteSecret>> {
    let path = fields.text(key_file).map(|path| path.map(|path| from.join(path)));
    let text = fields.text(key);
    if let Some(wrong) = text.as_ref().filter(|text| !is_secret(text.value)) {
        // What was found is not repeated: it may come to stand in a log.
        let message = format!("expected {SECRET} for `{key}`, found something else");
        fields.report(wrong.span.clone(), "wrong-value", message);
    }
    if let (Some(_), Some(text)) = (&path, &text) {
        let message = format!("one of `{key}` and `{key_file}` is enough, here are both");
        fields.report(text.span.clone(), "conflict", message);
    }
    let path = path.map(|path| path.map(RemoteSecret::File));
    path.or(text.map(|text| text.map(|text| RemoteSecret::Is(Secret::new(text)))))
}

/// What a key or password is, in words.
pub const SECRET: &str = "1 to 512 letters, digits and signs without a space";

/// Whether a text can stand in a header.
#[must_use]
pub fn is_secret(text: &str) -> bool {
    (1..=512).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn tls(
    node: &Node,
    file: &Arc<UserFile>,
    from: &Path,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<RemoteTls> {
    let mut fields = Fields::of(node, file, "`tls` of a remote", diagnostics)?;
    let ca = fields.text("ca").map(|path| from.join(path.value));
    let certificate = fields.text("certificate").map(|path| path.map(|path| from.join(path)));
    let key = fields.text("key").map(|path| path.map(|path| from.join(path)));
    let certificate = match (certificate, key) {
        (Some(certificate), Some(key)) => Some((certificate.value, key.value)),
        (None, None) => None,
        (Some(one), None) | (None, Some(one)) => {
            let message = "`certificate` and `key` go together, here is one of them";
            fields.report(one.span, "missing-key", message);
            None
        }
    };
    fields.finish();
    Some(RemoteTls { ca, certificate })
}

fn machine(
    node: &Node,
    file: &Arc<UserFile>,
    from: &Path,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Machine> {
    let mut fields = Fields::of(node, file, "`machine` of a remote", diagnostics)?;
    let login = fields.required_text("login").map(|text| text.value.to_owned());
    let password = secret(&mut fields, "password", "password_file", from);
    if password.is_none() {
        let span = node.head();
        fields.report(span, "missing-key", "`machine` needs `password_file` or `password`");
    }
    fields.finish();
    Some(Machine { login: login?, password: password?.value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::from_files;

    fn parse(text: &str) -> (Vec<Remote>, Vec<Diagnostic>) {
        let file = UserFile::new(Path::new("/etc/weir/weir.yaml"), text.to_owned());
        let (settings, diagnostics) = from_files(&[file]);
        (settings.remotes, diagnostics)
    }

    #[track_caller]
    fn check(text: &str, mistakes: &[&str]) {
        let (_, diagnostics) = parse(&format!("remote: [{{{text}}}]"));
        let codes: Vec<_> = diagnostics.iter().map(|found| found.code).collect();
        assert_eq!(codes, mistakes, "{text}: {diagnostics:?}");
    }

    #[test]
    fn urls() {
        let check = |text: &str, expected: &str| {
            let shown = text.parse::<RemoteUrl>().map_or_else(|error| error, |url| url.to_string());
            assert_eq!(shown, expected, "{text}");
        };
        check("http://127.0.0.1:8080/", "http://127.0.0.1:8080");
        check("https://crowdsec.example", "https://crowdsec.example:443");
        check("http://localhost", "http://localhost:80");
        check("https://[2001:db8::1]:8080/api/", "https://[2001:db8::1]:8080/api");
        check("/run/crowdsec.sock", "/run/crowdsec.sock");
        check("unix:///run/crowdsec.sock", "/run/crowdsec.sock");
        check("127.0.0.1:8080", "without `http://` or `https://`?");
        check("http://key@host", "a key or password stands in a key of its own");
        check("http://:8080", "without a host");
        check("http://host:http", "`http` is no port");
        check("http://[::1", "without `]`?");
        check("http://ho st", "without a host");
        check("http://host/?a", "a path without a query");
    }

    #[test]
    fn mistakes_are_named() {
        let local = "name: hq, url: 'http://127.0.0.1:8080'";
        check(&format!("{local}, key_file: k"), &[]);
        check(&format!("{local}, key: abc, every: 1s, most: 10, types: [ban, captcha]"), &[]);
        check(&format!("{local}, machine: {{login: edge, password_file: p}}"), &[]);
        check(local, &["missing-key"]);
        check("url: 'http://127.0.0.1:8080', key: k", &["missing-key"]);
        check("name: hq, key: k", &["missing-key"]);
        check(&format!("{local}, key: a, key_file: b"), &["conflict"]);
        check(&format!("{local}, key: 'a b'"), &["wrong-value"]);
        check(&format!("{local}, key: a, every: 100ms"), &["out-of-range"]);
        check(&format!("{local}, key: a, origins: ['a,b']"), &["wrong-value"]);
        check(&format!("{local}, key: a, most: 0"), &["out-of-range"]);
        check(&format!("{local}, key: a, tls: {{certificate: c}}"), &["missing-key"]);
        check(&format!("{local}, key: a, machine: {{login: edge}}"), &["missing-key"]);
        check("name: 'a/b', url: /run/s, key: a", &["wrong-value"]);
        check("name: hq, url: 'http://192.0.2.1:8080', key: a", &["keys-in-clear"]);
        check("name: hq, url: 'http://192.0.2.1:8080', key: a, in_clear: true", &[]);
        check("name: hq, url: 'https://192.0.2.1:8080', key: a", &[]);
    }

    #[test]
    fn names_are_of_one_and_secrets_are_not_shown() {
        let one = "{name: hq, url: /run/a, key: sesame}";
        let (remotes, diagnostics) = parse(&format!("remote: [{one}, {one}]"));
        assert_eq!(diagnostics[0].code, "duplicate-remote");
        assert_eq!(remotes.len(), 1);
        assert!(!format!("{remotes:?}").contains("sesame"));
        assert!(remotes[0].is_followed() && remotes[0].most == USUAL_MOST);
        let file = parse("remote: [{name: hq, url: /run/a, key_file: hq.key}]").0;
        assert_eq!(file[0].key, Some(RemoteSecret::File("/etc/weir/hq.key".into())));
    }
}
