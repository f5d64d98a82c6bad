//! `sources:` – where lines come from.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::journal;
use super::quantity::{TRUST, duration, duration_or_never, size, trust};
use super::section::{At, at};
use crate::decision::parse_net;
use crate::diagnostic::{Diagnostic, UserFile, similar};
use crate::intake::spec::{
    Limits, Listen, Permitted, SILENT_AFTER, SOCKET_MODE, Source, Tls, Trust,
};
use crate::value::{Zone, Zones};
use crate::yaml::{Fields, Node, Spanned};

/// The label of lines whose source names none.
pub(super) const LABEL: &str = "syslog";

const LEAST_MESSAGE: usize = 480;
const MOST_MESSAGE: usize = 1 << 20;
const MOST_BUFFER: usize = 1 << 30;
const MOST_CONNECTIONS: i64 = 100_000;
const MOST_RATE: i64 = 10_000_000;

/// A source as typed.
#[derive(Clone, Debug)]
pub(super) struct Typed {
    /// The source; its name is empty when none was given.
    pub(super) source: Source,
    /// Whether its own longest message was given.
    pub(super) own_message: bool,
}

/// Reads one item of the list.
pub(super) fn read(
    node: &Node,
    file: &Arc<UserFile>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<At<Typed>> {
    let mut fields = Fields::of(node, file, "a source", diagnostics)?;
    let name = fields.text("name").map(|name| at(&fields, name));
    let label = fields.text("label").map_or(LABEL, |label| label.value).to_owned();
    let listen = listen(&mut fields);
    let senders = senders(&mut fields);
    let users: Vec<String> =
        fields.text_list("users").into_iter().map(|user| user.value.to_owned()).collect();
    let silent_after = duration_or_never(&mut fields, "silent_after").unwrap_or(Some(SILENT_AFTER));
    let bans = fields.parsed("bans", TRUST, trust).map_or(Trust::FULL, |bans| bans.value);
    let zones = zones(&mut fields);
    let tls = source_tls(&mut fields, listen.as_ref());
    let limits_node = fields.mapping("limits");
    if let (Some(listen), Some(span)) = (&listen, fields.key_span("zones"))
        && matches!(listen.value, Listen::UnixDatagram { .. } | Listen::UnixStream { .. })
    {
        let message = "`zones` means nothing for a Unix socket: its senders have no addresses";
        fields.report(span, "useless-key", message);
    }
    if let (Some(listen), Some(span)) = (&listen, fields.key_span("senders"))
        && !matches!(listen.value, Listen::Udp(_) | Listen::Tcp(_))
    {
        let message = "`senders` is for sources of the network: only this host can reach this one";
        fields.report(span, "useless-key", message);
    }
    if let (Some(listen), Some(span)) = (&listen, fields.key_span("users"))
        && !matches!(listen.value, Listen::UnixDatagram { .. } | Listen::UnixStream { .. })
    {
        let message = "`users` is for Unix sockets: of others the kernel does not know the user";
        fields.report(span, "useless-key", message);
    }
    let (limits, own_message) = limits_node
        .and_then(|node| limits(node, file, fields.diagnostics()))
        .unwrap_or((Limits::default(), false));
    if let Some(name) = &name
        && !name.value.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    {
        let message = format!("`{}` cannot name a source", name.value);
        let mistake = name
            .error("wrong-value", message)
            .with_help("use letters, digits, `-`, `_` and `.`: the name is a label of metrics");
        fields.diagnostics().push(mistake);
    }
    fields.finish();
    let listen = listen?;
    let span = name.as_ref().map_or(listen.span.clone(), |name| name.span.clone());
    let name = name.map_or_else(String::new, |name| name.value.to_owned());
    let listen = listen.value;
    let source =
        Source { name, label, listen, tls, senders, users, limits, bans, silent_after, zones };
    Some(At { value: Typed { source, own_message }, file: Arc::clone(file), span })
}

/// The one key that says where to listen.
fn listen(fields: &mut Fields<'_, '_>) -> Option<At<Listen>> {
    let address = "an address with a port such as `127.0.0.1:5514` or `[::]:514`";
    let parse = |text: &str| text.parse::<SocketAddr>().map_err(|_| advice(text));
    let mode = fields.parsed("mode", "permission bits such as `0660`", |text| {
        u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777).ok_or_else(String::new)
    });
    let bits = mode.as_ref().map_or(SOCKET_MODE, |mode| mode.value);
    let udp = fields.parsed("udp", address, parse).map(|found| found.map(Listen::Udp));
    let tcp = fields.parsed("tcp", address, parse).map(|found| found.map(Listen::Tcp));
    let relp = fields.parsed("relp", address, parse).map(|found| found.map(Listen::Relp));
    let datagram = fields.parsed("unix", "a path", socket_path);
    let stream = fields.parsed("unix_stream", "a path", socket_path);
    let datagram =
        datagram.map(|found| found.map(|path| Listen::UnixDatagram { path, mode: bits }));
    let stream = stream.map(|found| found.map(|path| Listen::UnixStream { path, mode: bits }));

    let journal = journal::read(fields).map(|found| found.map(Listen::Journal));

    const KEYS: [&str; 6] = ["udp", "tcp", "relp", "unix", "unix_stream", "journal"];
    let given: Vec<&str> = KEYS.into_iter().filter(|key| fields.key_span(key).is_some()).collect();
    match given.as_slice() {
        [] => {
            let span = fields.mapping_node().head();
            let mistake = Diagnostic::error(
                fields.file(),
                span,
                "missing-key",
                "a source needs one of `udp`, `tcp`, `relp`, `unix`, `unix_stream` and `journal`",
            );
            fields.diagnostics().push(mistake.with_help("for instance `udp: 127.0.0.1:5514`"));
            return None;
        }
        [_] => {}
        [first, second, ..] => {
            let span = fields.key_span(second).unwrap_or_default();
            let message =
                format!("a source has one place to listen on, here are `{first}` and `{second}`");
            fields.report(span, "conflict", message);
            return None;
        }
    }
    let found = udp.or(tcp).or(relp).or(datagram).or(stream).or(journal)?;
    if let (Listen::Udp(_) | Listen::Tcp(_) | Listen::Relp(_) | Listen::Journal(_), Some(mode)) =
        (&found.value, mode)
    {
        fields.report(mode.span, "useless-key", "`mode` is for Unix sockets only");
    }
    Some(at(fields, found))
}

/// What is probably wrong with an address that could not be read.
fn advice(text: &str) -> String {
    if let Some(port) = text.strip_prefix(':') {
        return format!("`0.0.0.0:{port}` or `[::]:{port}`?");
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return format!("`127.0.0.1:{text}`?");
    }
    if text.parse::<std::net::IpAddr>().is_ok() {
        return "the port is missing".to_owned();
    }
    String::new()
}

// `sun_path` of `struct sockaddr_un` takes 108 bytes with its final zero (unix(7)).
const LONGEST_SOCKET_PATH: usize = 107;

pub(super) fn socket_path(text: &str) -> Result<PathBuf, String> {
    if text.contains('\0') {
        return Err("a path has no zero byte".to_owned());
    }
    if text.len() > LONGEST_SOCKET_PATH {
        return Err(format!("longer than the {LONGEST_SOCKET_PATH} bytes of a socket's path"));
    }
    Ok(PathBuf::from(text))
}

fn senders(fields: &mut Fields<'_, '_>) -> Vec<ipnet::IpNet> {
    let mut nets = Vec::new();
    for text in fields.text_list("senders") {
        match parse_net(text.value) {
            Ok(net) => nets.push(net),
            Err(error) => fields.report(text.span, "wrong-value", error.to_string()),
        }
    }
    nets
}

/// The zones of the clocks: `zone` for all, and `zones` for those of some prefixes.
fn zones(fields: &mut Fields<'_, '_>) -> Zones {
    let all = fields.text("zone").and_then(|name| zone(&name, fields));
    let mut by_prefix = Vec::new();
    for (prefix, name) in fields.text_map("zones") {
        let zone = zone(&name, fields);
        match parse_net(&prefix.text) {
            Ok(net) => by_prefix.extend(zone.map(|zone| (net, zone))),
            Err(error) => {
                fields.report(prefix.span.clone(), "wrong-value", error.to_string());
            }
        }
    }
    Zones::new(all, by_prefix)
}

fn zone(name: &Spanned<&str>, fields: &mut Fields<'_, '_>) -> Option<Zone> {
    let Ok(zone) = Zone::named(name.value) else {
        let known = Zone::all_names();
        let meant = similar(name.value, known.iter().map(String::as_str));
        let help = match meant {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if known.is_empty() => {
                "this machine has no names of zones (the package tzdata): write an offset such as \
                 `+01:00`"
                    .to_owned()
            }
            None => "for instance `Europe/Berlin`, `UTC`, `+01:00`, or `local`".to_owned(),
        };
        let message = format!("`{}` is no time zone", name.value);
        let mistake = Diagnostic::error(fields.file(), name.span.clone(), "wrong-value", message);
        fields.diagnostics().push(mistake.with_help(help));
        return None;
    };
    Some(zone)
}

/// The `tls` of a source.
fn source_tls(fields: &mut Fields<'_, '_>, listen: Option<&At<Listen>>) -> Option<Tls> {
    let node = fields.mapping("tls")?;
    if let (Some(listen), Some(span)) = (listen, fields.key_span("tls"))
        && !matches!(listen.value, Listen::Tcp(_) | Listen::Relp(_))
    {
        let message = format!("a source with `{}` cannot have `tls`", listen.value.kind());
        fields.report(span, "useless-key", message);
    }
    let file = Arc::clone(fields.file());
    tls(node, &file, "`tls` of a source", fields.diagnostics())
}

/// A certificate, and who may speak to whom it belongs to.
pub(super) fn tls(
    node: &Node,
    file: &Arc<UserFile>,
    what: &str,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Tls> {
    let mut fields = Fields::of(node, file, what, diagnostics)?;
    // Seen from the file, like folders of rules.
    let from = file.path.parent().unwrap_or(Path::new(""));
    let certificate = fields.required_text("certificate").map(|path| from.join(path.value));
    let key = fields.required_text("key").map(|path| from.join(path.value));
    let clients = fields.text("clients").map(|path| from.join(path.value));
    let mut permitted = Vec::new();
    for text in fields.text_list("permitted") {
        match text.value.parse() {
            Ok(Permitted::Name(_) | Permitted::Below(_)) if clients.is_none() => {
                let message = "a name permits nobody without `clients`: anyone can write it into a certificate";
                let mistake = Diagnostic::error(file, text.span, "missing-key", message);
                fields.diagnostics().push(mistake.with_help(
                    "add `clients: FILE` with the authority that signs them, or permit certificates \
                     by their `SHA256:` fingerprints",
                ));
            }
            Ok(one) => permitted.push(one),
            Err(error) => fields.report(text.span, "wrong-value", error.to_string()),
        }
    }
    fields.finish();
    Some(Tls { certificate: certificate?, key: key?, clients, permitted })
}

fn limits(
    node: &Node,
    file: &Arc<UserFile>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<(Limits, bool)> {
    let mut fields = Fields::of(node, file, "`limits` of a source", diagnostics)?;
    let mut limits = Limits::default();
    let message = size(&mut fields, "message", LEAST_MESSAGE, MOST_MESSAGE);
    let own_message = message.is_some();
    if let Some(message) = message {
        limits.message = message.value;
    }
    if let Some(most) = fields.integer("connections", 1..=MOST_CONNECTIONS) {
        limits.connections = usize::try_from(most.value).unwrap_or(limits.connections);
    }
    if let Some(rate) = fields.integer("rate", 1..=MOST_RATE) {
        limits.rate = u32::try_from(rate.value).ok();
    }
    if let Some(timeout) = duration(&mut fields, "frame_timeout") {
        limits.frame_timeout = timeout.value;
    }
    if let Some(buffer) = size(&mut fields, "receive_buffer", 4096, MOST_BUFFER) {
        limits.receive_buffer = buffer.value;
    }
    if let Some(skew) = duration_or_never(&mut fields, "skew") {
        limits.skew = skew;
    }
    fields.finish();
    Some((limits, own_message))
}

/// The longest message, for all sources that have none of their own.
pub(super) fn line(fields: &mut Fields<'_, '_>) -> Option<At<usize>> {
    size(fields, "line", LEAST_MESSAGE, MOST_MESSAGE)
}
