//! Where rsyslog and syslog-ng send lines to, as their configuration says it. Pure, but for
//! [`read`], which reads their files and changes nothing.
//!
//! Not all of both languages is understood: what sends over the network or to a socket is found in
//! the forms that people write, and what is computed is not. So that nothing is found does not prove
//! that nothing is sent.

use std::path::{Path, PathBuf};

/// A syslog daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Daemon {
    Rsyslog,
    SyslogNg,
}

impl Daemon {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Rsyslog => "rsyslog",
            Self::SyslogNg => "syslog-ng",
        }
    }

    /// Its configuration: a file, and a folder with more.
    pub(super) const fn places(self) -> (&'static str, &'static str) {
        match self {
            Self::Rsyslog => ("etc/rsyslog.conf", "etc/rsyslog.d"),
            Self::SyslogNg => ("etc/syslog-ng/syslog-ng.conf", "etc/syslog-ng/conf.d"),
        }
    }
}

/// How and where lines are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum To {
    Udp(String, u16),
    Tcp(String, u16),
    Relp(String, u16),
    Unix(PathBuf),
}

impl std::fmt::Display for To {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Udp(host, port) => write!(f, "udp {host}:{port}"),
            Self::Tcp(host, port) => write!(f, "tcp {host}:{port}"),
            Self::Relp(host, port) => write!(f, "relp {host}:{port}"),
            Self::Unix(path) => write!(f, "unix {}", path.display()),
        }
    }
}

/// One place that lines are sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Forward {
    pub(super) file: PathBuf,
    /// From 1.
    pub(super) line: usize,
    pub(super) to: To,
}

/// Files of a folder, and bytes of a file, that are read at most.
const MOST_FILES: usize = 256;
const LONGEST: u64 = 1 << 20;

/// What a daemon's configuration below `root` says; `None` when there is none.
pub(super) fn read(root: &Path, daemon: Daemon) -> Option<Vec<Forward>> {
    let (main, folder) = daemon.places();
    let mut paths = vec![root.join(main)];
    if let Ok(entries) = std::fs::read_dir(root.join(folder)) {
        let mut more: Vec<PathBuf> = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|end| end == "conf"))
            .take(MOST_FILES)
            .collect();
        more.sort();
        paths.append(&mut more);
    }
    let mut found = Vec::new();
    let mut is_there = false;
    for path in paths {
        let Some(text) = text(&path) else { continue };
        is_there = true;
        let places = match daemon {
            Daemon::Rsyslog => rsyslog(&text),
            Daemon::SyslogNg => syslog_ng(&text),
        };
        found.extend(places.into_iter().map(|(line, to)| Forward { file: path.clone(), line, to }));
    }
    is_there.then_some(found)
}

/// The beginning of a file, as text.
pub(super) fn text(path: &Path) -> Option<String> {
    use std::io::Read as _;
    let file = std::fs::File::open(path).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The same text with comments made spaces: from `#` to the end of the line, outside of quotes.
fn without_comments(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let (mut quoted, mut in_comment, mut escaped) = (None, false, false);
    for c in text.chars() {
        if c == '\n' {
            in_comment = false;
            // A quote that nobody closed holds for its line.
            quoted = None;
        } else if in_comment {
            continue;
        } else if escaped {
            escaped = false;
        } else if let Some(quote) = quoted {
            escaped = c == '\\';
            if c == quote {
                quoted = None;
            }
        } else if c == '"' || c == '\'' {
            quoted = Some(c);
        } else if c == '#' {
            in_comment = true;
            continue;
        }
        plain.push(c);
    }
    plain
}

/// What stands between `opens`, which begins with a word, and the parenthesis that closes it, with
/// the line where it begins.
fn blocks<'t>(text: &'t str, word: &str) -> Vec<(usize, &'t str)> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices(word) {
        let is_word = !text[..at].ends_with(|c: char| c.is_alphanumeric() || "_-".contains(c));
        let rest = &text[at + word.len()..];
        let inner = rest.trim_start();
        if !is_word || !inner.starts_with('(') {
            continue;
        }
        let begin = text.len() - inner.len() + 1;
        let (mut depth, mut quoted) = (1_usize, None);
        let end = text[begin..].char_indices().find_map(|(at, c)| {
            match (quoted, c) {
                (Some(quote), c) if c == quote => quoted = None,
                (Some(_), _) => {}
                (None, '"' | '\'') => quoted = Some(c),
                (None, '(') => depth += 1,
                (None, ')') => depth -= 1,
                (None, _) => {}
            }
            (depth == 0).then_some(begin + at)
        });
        let Some(end) = end else { continue };
        let line = text[..at].matches('\n').count() + 1;
        found.push((line, &text[begin..end]));
    }
    found
}

/// The value of a parameter `name="value"`, whatever its case.
fn parameter(block: &str, name: &str) -> Option<String> {
    let lower = block.to_ascii_lowercase();
    let name = name.to_ascii_lowercase();
    let at = lower.match_indices(&name).find_map(|(at, _)| {
        let is_word = !lower[..at].ends_with(|c: char| c.is_alphanumeric() || "_.".contains(c));
        let rest = lower[at + name.len()..].trim_start();
        let value = rest.strip_prefix('=')?.trim_start();
        is_word.then_some(lower.len() - value.len())
    })?;
    let value = &block[at..];
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    Some(value[1..].split(quote).next()?.to_owned())
}

fn rsyslog(text: &str) -> Vec<(usize, To)> {
    let plain = without_comments(text);
    let mut found = Vec::new();
    for (line, block) in blocks(&plain, "action") {
        let host = || parameter(block, "target").unwrap_or_else(|| "127.0.0.1".to_owned());
        let port = || parameter(block, "port").and_then(|port| port.parse().ok());
        match parameter(block, "type").as_deref() {
            Some("omfwd") => {
                let is_tcp =
                    parameter(block, "protocol").is_some_and(|p| p.eq_ignore_ascii_case("tcp"));
                let port = port().unwrap_or(514);
                found.push((
                    line,
                    if is_tcp { To::Tcp(host(), port) } else { To::Udp(host(), port) },
                ));
            }
            Some("omrelp") => found.push((line, To::Relp(host(), port().unwrap_or(514)))),
            Some("omuxsock") => {
                let path = parameter(block, "socketname");
                found.extend(path.map(|path| (line, To::Unix(path.into()))));
            }
            _ => {}
        }
    }
    for (number, line) in plain.lines().enumerate() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let [name, path, ..] = words[..]
            && name.eq_ignore_ascii_case("$OMUxSockSocket")
        {
            found.push((number + 1, To::Unix(path.into())));
        }
        // `*.* @@host:port`, `*.* @host`, `*.* :omrelp:host:port`.
        let Some(last) = words.get(1) else { continue };
        let bare = last.split(';').next().unwrap_or(last);
        let old = if let Some(rest) = bare.strip_prefix("@@") {
            host_port(rest).map(|(host, port)| To::Tcp(host, port))
        } else if let Some(rest) = bare.strip_prefix('@') {
            host_port(rest).map(|(host, port)| To::Udp(host, port))
        } else if let Some(rest) = bare.strip_prefix(":omrelp:") {
            host_port(rest).map(|(host, port)| To::Relp(host, port))
        } else {
            None
        };
        found.extend(old.map(|to| (number + 1, to)));
    }
    found.sort_by_key(|(line, _)| *line);
    found
}

/// `host`, `host:port`, `[host]:port`, behind options in parentheses.
fn host_port(text: &str) -> Option<(String, u16)> {
    let text = match text.strip_prefix('(') {
        Some(rest) => rest.split_once(')')?.1,
        None => text,
    };
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            (host, rest.strip_prefix(':'))
        }
        None => match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = port.map_or(Some(514), |port| port.parse().ok())?;
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

fn syslog_ng(text: &str) -> Vec<(usize, To)> {
    let plain = without_comments(text);
    let mut found = Vec::new();
    let drivers = ["syslog", "network", "tcp", "udp", "unix-dgram", "unix-stream"];
    for (at, _) in plain.match_indices("destination") {
        // A block, not a reference to one.
        let Some(open) = plain[at..].find(['{', ';', '(']) else { continue };
        if !plain[at + open..].starts_with('{') {
            continue;
        }
        let rest = &plain[at + open..];
        let end = rest.find("};").map_or(rest.len(), |end| end + 1);
        let before = plain[..at + open].matches('\n').count();
        for driver in drivers {
            for (line, block) in blocks(&rest[..end], driver) {
                let Some(place) = first_text(block) else { continue };
                let inner = |name| blocks(block, name).first().map(|(_, text)| unquoted(text));
                let to = match driver {
                    "unix-dgram" | "unix-stream" => To::Unix(place.into()),
                    _ => {
                        let port = inner("port").and_then(|port| port.parse().ok());
                        let transport = inner("transport");
                        let transport = transport.as_deref().unwrap_or(driver);
                        let tcp = !transport.eq_ignore_ascii_case("udp");
                        let usual = if driver == "syslog" { 601 } else { 514 };
                        let port = port.unwrap_or(usual);
                        if tcp { To::Tcp(place, port) } else { To::Udp(place, port) }
                    }
                };
                found.push((before + line, to));
            }
        }
    }
    found.sort_by_key(|(line, _)| *line);
    found
}

fn unquoted(text: &str) -> String {
    text.trim().trim_matches(['"', '\'']).to_owned()
}

/// The first text in quotes.
fn first_text(block: &str) -> Option<String> {
    let at = block.find(['"', '\''])?;
    let quote = block[at..].chars().next()?;
    Some(block[at + 1..].split(quote).next()?.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(found: &[(usize, To)], expected: &[&str]) {
        let found: Vec<String> = found.iter().map(|(line, to)| format!("{line} {to}")).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_rsyslog_sends() {
        check(
            &rsyslog("*.* @@192.0.2.1:601\nauth.* @logs.example.org\n"),
            &["1 tcp 192.0.2.1:601", "2 udp logs.example.org:514"],
        );
        check(&rsyslog("*.* @@(o)[::1]:601;RSYSLOG_SyslogProtocol23Format"), &["1 tcp ::1:601"]);
        check(&rsyslog("*.* :omrelp:127.0.0.1:2514"), &["1 relp 127.0.0.1:2514"]);
        check(&rsyslog("# *.* @@192.0.2.1\n*.* /var/log/x # @@y"), &[]);
        check(
            &rsyslog(
                "x\naction(type=\"omfwd\" Target='127.0.0.1'\n Port = \"99\" protocol=\"TCP\" # c\n action.resumeRetryCount=\"-1\")",
            ),
            &["2 tcp 127.0.0.1:99"],
        );
        check(
            &rsyslog("action(type=\"omfile\" file=\"/x(\")\n$OMUxSockSocket /run/x"),
            &["2 unix /run/x"],
        );
        check(&rsyslog("action(type=\"omfwd\" target=\"x\""), &[]);
    }

    #[test]
    fn what_syslog_ng_sends() {
        let text = "destination d { syslog(\"127.0.0.1\" port(5514) transport(\"tcp\") disk-buffer(reliable(no))); };\n\
                    # destination e { udp(\"x\"); };\n\
                    destination f {\n  udp('logs' port(514));\n  unix-dgram(\"/run/weir/weir.sock\");\n};\n\
                    log { source(s); destination(d); };";
        check(
            &syslog_ng(text),
            &["1 tcp 127.0.0.1:5514", "4 udp logs:514", "5 unix /run/weir/weir.sock"],
        );
    }

    #[test]
    fn the_files_that_come_with_weir_are_understood() {
        let of = |name: &str| {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib").join(name);
            std::fs::read_to_string(path).expect("a file of contrib")
        };
        let firsts = |name: &str| {
            rsyslog(&of(name)).iter().map(|(_, to)| to.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(firsts("rsyslog/60-weir.conf"), ["tcp 127.0.0.1:5514"]);
        assert_eq!(firsts("rsyslog/60-weir-udp.conf"), ["udp 127.0.0.1:5514"]);
        assert_eq!(firsts("rsyslog/60-weir-unix.conf"), ["unix /run/weir/weir.sock"]);
        assert_eq!(syslog_ng(&of("syslog-ng/weir.conf")).len(), 1);
        assert_eq!(syslog_ng(&of("syslog-ng/weir-unix.conf")).len(), 1);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[a-z@:#\"'(){}\\[\\];=\\\\ \n\u{e9}]{0,200}") {
            rsyslog(&text);
            syslog_ng(&format!("destination d {{ syslog({text}"));
            syslog_ng(&text);
            rsyslog(&format!("action({text}"));
        }
    }
}
