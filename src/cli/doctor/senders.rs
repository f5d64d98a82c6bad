//! Whether somebody on this host sends lines to our sources: the configuration of rsyslog, syslog-ng
//! and journald is read, and nothing of it changed.

use std::net::IpAddr;
use std::path::Path;

use super::finding::Finding;
use super::stages::place;
use crate::cli::forwards::{self, Daemon, Forward, To};
use crate::intake::spec::{Listen, Source};

/// Where journald forwards entries to, if it is told to (journald.conf(5)).
const FROM_JOURNALD: &str = "/run/systemd/journal/syslog";

/// What is found below `root`.
pub(super) fn look(root: &Path, sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut sends = Vec::new();
    for daemon in [Daemon::Rsyslog, Daemon::SyslogNg] {
        let Some(found) = forwards::read(root, daemon) else { continue };
        sends.push(daemon);
        findings.extend(judge(daemon, &found, sources));
    }
    let needs_journald = sources.iter().any(|source| {
        matches!(&source.listen, Listen::UnixDatagram { path, .. } if *path == Path::new(FROM_JOURNALD))
    });
    if needs_journald && !journald_forwards(root) {
        findings.push(
            Finding::problem(
                "journald",
                format!("a source listens on {FROM_JOURNALD}, and journald forwards nothing there"),
            )
            .at("/etc/systemd/journald.conf.d/")
            .with_remedy(
                "printf '[Journal]\\nForwardToSyslog=yes\\n' | sudo tee \
                 /etc/systemd/journald.conf.d/60-weir.conf; systemctl restart systemd-journald",
            ),
        );
    }
    let reads_journal = sources
        .iter()
        .any(|source| matches!(&source.listen, Listen::Journal(j) if j.folder.is_none()));
    let is_local = |source: &Source| match &source.listen {
        Listen::Udp(at) | Listen::Tcp(at) | Listen::Relp(at) => at.ip().is_loopback(),
        Listen::UnixDatagram { .. } | Listen::UnixStream { .. } => true,
        Listen::Journal(_) => false,
    };
    let all_local = sources.iter().all(is_local);
    if findings.is_empty() && !reads_journal && !needs_journald && all_local {
        let who = match sends[..] {
            [] => "neither rsyslog nor syslog-ng is configured here, and the journal is not read"
                .to_owned(),
            [one] => format!("{} sends nothing here", one.name()),
            _ => "neither rsyslog nor syslog-ng sends anything here".to_owned(),
        };
        findings.push(
            Finding::note("senders", format!("{who}: only who sends by himself is heard"))
                .with_remedy("sudo weir setup"),
        );
    }
    findings
}

/// What is to be said of where a daemon sends lines.
fn judge(daemon: Daemon, found: &[Forward], sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for forward in found {
        let at = format!("{}:{}", forward.file.display(), forward.line);
        if let Some(source) = sources.iter().find(|source| takes(source, &forward.to)) {
            let told = format!("sends to the source `{}` ({})", source.name, forward.to);
            findings.push(Finding::ok(daemon.name(), told).at(at));
        } else if is_meant(forward) {
            let there: Vec<String> = sources.iter().map(place).collect();
            let finding = Finding::problem(
                daemon.name(),
                format!(
                    "sends to {}, where no source listens; sources listen on {}",
                    forward.to,
                    there.join(", ")
                ),
            );
            findings.push(finding.at(at).with_remedy(remedy(daemon, forward, sources)));
        }
    }
    findings
}

/// Whether a forward to nowhere was meant for us: our name is in the file's, or in the socket's.
fn is_meant(forward: &Forward) -> bool {
    let name = forward.file.file_name().unwrap_or_default().to_string_lossy();
    let is_socket = |path: &Path| path.to_string_lossy().contains("weir");
    let is_here = match &forward.to {
        To::Udp(host, _) | To::Tcp(host, _) | To::Relp(host, _) => is_loopback(host),
        To::Unix(path) => return is_socket(path) || name.contains("weir"),
    };
    is_here && name.contains("weir")
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether what is sent there comes to this source.
fn takes(source: &Source, to: &To) -> bool {
    let here = |host: &str, port: u16, at: &std::net::SocketAddr| {
        let is_same = host.parse::<IpAddr>().is_ok_and(|address| address == at.ip());
        port == at.port()
            && (is_same || is_loopback(host) && (at.ip().is_loopback() || at.ip().is_unspecified()))
    };
    match (to, &source.listen) {
        (To::Udp(host, port), Listen::Udp(at))
        | (To::Tcp(host, port), Listen::Tcp(at))
        | (To::Relp(host, port), Listen::Relp(at)) => here(host, *port, at),
        (To::Unix(to), Listen::UnixDatagram { path, .. } | Listen::UnixStream { path, .. }) => {
            to == path
        }
        _ => false,
    }
}

fn remedy(daemon: Daemon, forward: &Forward, sources: &[Source]) -> String {
    let same = sources.iter().find_map(|source| match (&forward.to, &source.listen) {
        (To::Udp(_, was), Listen::Udp(at))
        | (To::Tcp(_, was), Listen::Tcp(at))
        | (To::Relp(_, was), Listen::Relp(at)) => Some((*was, at.port())),
        _ => None,
    });
    match same {
        Some((was, port)) => format!(
            "sudo sed -i '{}s/{was}/{port}/' {}; sudo systemctl restart {}",
            forward.line,
            forward.file.display(),
            daemon.name()
        ),
        None => "sudo weir setup".to_owned(),
    }
}

fn journald_forwards(root: &Path) -> bool {
    let mut paths = vec![root.join("etc/systemd/journald.conf")];
    for folder in ["usr/lib/systemd/journald.conf.d", "etc/systemd/journald.conf.d"] {
        let entries = std::fs::read_dir(root.join(folder)).into_iter().flatten().flatten();
        let mut more: Vec<_> = entries.map(|entry| entry.path()).collect();
        more.sort();
        paths.append(&mut more);
    }
    let texts = paths.iter().filter_map(|path| forwards::text(path));
    let said = texts.flat_map(|text| {
        let values = text.lines().filter_map(|line| {
            let (name, value) = line.trim().split_once('=')?;
            (name.trim() == "ForwardToSyslog").then(|| value.trim().to_owned())
        });
        values.collect::<Vec<_>>()
    });
    said.last().is_some_and(|last| matches!(&*last, "yes" | "true" | "1" | "on"))
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;
    use crate::settings::{Folders, Settings};

    fn sources() -> Vec<Source> {
        let folders = Folders { state: "/var/lib/weir".into(), run: "/run/weir".into() };
        Settings::default().place(&folders).sources
    }

    /// What is told of a file of rsyslog.
    #[track_caller]
    fn check(name: &str, text: &str, expected: &[(Level, &str)]) {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("etc/rsyslog.d")).unwrap();
        std::fs::write(root.path().join("etc/rsyslog.d").join(name), text).unwrap();
        let found = look(root.path(), &sources());
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (finding, (level, words)) in found.iter().zip(expected) {
            assert_eq!(finding.level, *level, "{finding:?}");
            let whole = format!("{} {:?}", finding.found, finding.remedy);
            assert!(whole.contains(words), "{finding:?}");
        }
    }

    #[test]
    fn where_rsyslog_sends() {
        check("60-weir.conf", "*.* @@127.0.0.1:5514", &[(Level::Ok, "the source `tcp`")]);
        check("60-weir.conf", "*.* @@127.0.0.1:5515", &[(Level::Problem, "s/5515/5514/")]);
        check("60-weir.conf", "*.* :omrelp:127.0.0.1:5514", &[(Level::Problem, "weir setup")]);
        check("60-weir.conf", "$OMUxSockSocket /run/weir/weir.sock", &[(Level::Ok, "`unix`")]);
        check(
            "60-weir.conf",
            "$OMUxSockSocket /run/weir/other",
            &[(Level::Problem, "/run/weir/other")],
        );
        check(
            "50-default.conf",
            "*.* @@logs.example.org",
            &[(Level::Note, "rsyslog sends nothing")],
        );
    }

    #[test]
    fn journald_is_asked_when_a_source_lives_by_it() {
        let root = tempfile::tempdir().unwrap();
        let mut sources = sources();
        sources[2].listen = Listen::UnixDatagram { path: FROM_JOURNALD.into(), mode: 0o666 };
        let found = look(root.path(), &sources);
        assert!(found[0].found.contains("forwards nothing"), "{found:?}");
        let folder = root.path().join("etc/systemd/journald.conf.d");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("60-weir.conf"), "[Journal]\nForwardToSyslog = yes\n").unwrap();
        assert_eq!(look(root.path(), &sources), []);
    }
}
