//! What this host has: syslog daemons, services, ports of its SSH daemon. Only looks, below a root;
//! no program is run.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;

use crate::cli::forwards::{self, Daemon, Forward};

/// A service that writes log files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Writer {
    Nginx,
    Apache,
    Mysql,
}

impl Writer {
    pub(super) const ALL: [Self; 3] = [Self::Nginx, Self::Apache, Self::Mysql];

    /// The program that its lines name.
    pub(super) const fn program(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Apache => "apache2",
            Self::Mysql => "mysql",
        }
    }

    /// Where it logs.
    pub(super) const fn folder(self) -> &'static str {
        match self {
            Self::Nginx => "var/log/nginx",
            Self::Apache => "var/log/apache2",
            Self::Mysql => "var/log/mysql",
        }
    }
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Host {
    /// Where rsyslog sends lines, if it is there.
    pub(super) rsyslog: Option<Vec<Forward>>,
    /// The same of syslog-ng, and the name of its source of local lines.
    pub(super) syslog_ng: Option<(Vec<Forward>, String)>,
    /// Whether systemd's journal is there.
    pub(super) journald: bool,
    /// Services that log by syslog or journal, and that rules are shipped for.
    pub(super) services: Vec<&'static str>,
    /// Services that write log files, and whether a rule of this host names their program.
    pub(super) writers: Vec<(Writer, bool)>,
    /// Whether containers run here.
    pub(super) docker: bool,
    /// Whether this is one.
    pub(super) is_container: bool,
    /// Where the SSH daemon listens.
    pub(super) ssh_ports: BTreeSet<u16>,
    /// From where whoever runs this is logged in.
    pub(super) session: Option<IpAddr>,
}

/// What is looked for, to be said where nothing is found.
pub(super) const LOOKED_FOR: &str = "usr/sbin/rsyslogd and etc/rsyslog.conf, usr/sbin/syslog-ng and \
     etc/syslog-ng/syslog-ng.conf, run/systemd/journal and var/log/journal";

const SERVICES: [(&str, &[&str]); 3] = [
    ("sshd", &["etc/ssh/sshd_config", "usr/sbin/sshd"]),
    ("postfix", &["etc/postfix/main.cf"]),
    ("dovecot", &["etc/dovecot/dovecot.conf"]),
];

/// Rule files that are looked into at most.
const MOST_RULES: usize = 5_000;

impl Host {
    /// Looks below `root`.
    pub(super) fn look(root: &Path, session: Option<IpAddr>) -> Self {
        let is_there = |path: &str| root.join(path).exists();
        let any = |paths: &[&str]| paths.iter().any(|path| is_there(path));
        let rsyslog = any(&["usr/sbin/rsyslogd", "etc/rsyslog.conf"])
            .then(|| forwards::read(root, Daemon::Rsyslog).unwrap_or_default());
        let syslog_ng = any(&["usr/sbin/syslog-ng", "etc/syslog-ng/syslog-ng.conf"]).then(|| {
            let main = forwards::text(&root.join(Daemon::SyslogNg.places().0)).unwrap_or_default();
            (forwards::read(root, Daemon::SyslogNg).unwrap_or_default(), local_source(&main))
        });
        let named = programs_of_rules(&root.join("etc/weir/rules"));
        let writers = Writer::ALL.into_iter().filter(|writer| is_there(writer.folder()));
        Self {
            rsyslog,
            syslog_ng,
            journald: any(&["run/systemd/journal", "var/log/journal"]),
            services: SERVICES
                .iter()
                .filter(|(_, paths)| any(paths))
                .map(|(name, _)| *name)
                .collect(),
            writers: writers.map(|writer| (writer, named.contains(writer.program()))).collect(),
            docker: any(&["run/docker.sock", "usr/bin/dockerd", "etc/docker"]),
            is_container: any(&[".dockerenv", "run/.containerenv"]),
            ssh_ports: ssh_ports(root),
            session,
        }
    }

    /// What was found, in words.
    pub(super) fn words(&self) -> String {
        let mut found: Vec<String> = Vec::new();
        let mut say = |is_there: bool, what: &str| {
            if is_there {
                found.push(what.to_owned());
            }
        };
        say(self.rsyslog.is_some(), "rsyslog");
        say(self.syslog_ng.is_some(), "syslog-ng");
        say(self.journald, "systemd's journal");
        say(self.docker, "Docker");
        found.extend(self.services.iter().map(|name| (*name).to_owned()));
        found.extend(self.writers.iter().map(|(writer, _)| writer.program().to_owned()));
        if found.is_empty() { "nothing that logs".to_owned() } else { found.join(", ") }
    }
}

/// The first of syslog-ng's sources that has this host's own lines; Debian's name where none says so.
fn local_source(text: &str) -> String {
    let mut usual = "s_src".to_owned();
    for (at, _) in text.match_indices("source ") {
        let rest = &text[at + "source ".len()..];
        let Some((name, rest)) = rest.split_once('{') else { continue };
        let name = name.trim();
        let is_name =
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let block = rest.split_once("};").map_or(rest, |(block, _)| block);
        if is_name && (block.contains("system(") || block.contains("/dev/log")) {
            usual = name.to_owned();
            break;
        }
    }
    usual
}

/// The ports of `Port` in the configuration of the SSH daemon (sshd_config(5)); 22 where none is
/// named.
fn ssh_ports(root: &Path) -> BTreeSet<u16> {
    let mut paths = vec![root.join("etc/ssh/sshd_config")];
    let more =
        std::fs::read_dir(root.join("etc/ssh/sshd_config.d")).into_iter().flatten().flatten();
    paths.extend(more.map(|entry| entry.path()));
    let mut ports = BTreeSet::new();
    for text in paths.iter().filter_map(|path| forwards::text(path)) {
        for line in text.lines() {
            let mut words = line.split(|c: char| c.is_whitespace() || c == '=');
            let mut words = words.by_ref().filter(|word| !word.is_empty());
            match (words.next(), words.next()) {
                // What follows holds for some connections only.
                (Some(word), _) if word.eq_ignore_ascii_case("match") => break,
                (Some(word), Some(port)) if word.eq_ignore_ascii_case("port") => {
                    ports.extend(port.parse::<u16>().ok());
                }
                _ => {}
            }
        }
    }
    if ports.is_empty() { BTreeSet::from([22]) } else { ports }
}

/// The programs of [`Writer`] that rules below a folder speak of.
fn programs_of_rules(folder: &Path) -> BTreeSet<&'static str> {
    let mut found = BTreeSet::new();
    let mut folders = vec![(folder.to_owned(), 0)];
    let mut left = MOST_RULES;
    while let Some((folder, depth)) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() && depth < 6 {
                folders.push((path, depth + 1));
            } else if path.extension().is_some_and(|end| end == "yaml" || end == "yml") && left > 0
            {
                left -= 1;
                let text = forwards::text(&path).unwrap_or_default();
                let names = Writer::ALL.map(Writer::program);
                found.extend(names.into_iter().filter(|name| text.contains(name)));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        root
    }

    #[track_caller]
    fn check(files: &[(&str, &str)], words: &str) {
        assert_eq!(Host::look(root(files).path(), None).words(), words);
    }

    #[test]
    fn what_hosts_have() {
        check(&[], "nothing that logs");
        check(
            &[
                ("etc/rsyslog.conf", ""),
                ("etc/ssh/sshd_config", ""),
                ("var/log/nginx/access.log", ""),
            ],
            "rsyslog, sshd, nginx",
        );
        check(
            &[("run/systemd/journal/x", ""), ("etc/postfix/main.cf", "")],
            "systemd's journal, postfix",
        );
        check(&[("etc/syslog-ng/syslog-ng.conf", ""), ("etc/docker/x", "")], "syslog-ng, Docker");
    }

    #[test]
    fn the_ports_of_ssh() {
        let ports = |text: &str| {
            let root = root(&[("etc/ssh/sshd_config.d/a.conf", text)]);
            ssh_ports(root.path()).into_iter().collect::<Vec<_>>()
        };
        assert_eq!(ports("#Port 2222\n"), [22]);
        assert_eq!(ports("port 2222\nPort=22\nMatch User x\n Port 9\n"), [22, 2222]);
        assert_eq!(ports("Port 99999"), [22]);
    }

    #[test]
    fn the_source_of_local_lines() {
        assert_eq!(local_source(""), "s_src");
        assert_eq!(
            local_source("source s_net { udp(); };\nsource s_local {\n  system(); internal();\n};"),
            "s_local"
        );
        assert_eq!(local_source("source bad name { system(); };"), "s_src");
    }

    #[test]
    fn rules_of_the_host_name_programs() {
        let files = [
            (
                "etc/weir/rules/parsers/s01-parse/a/nginx.yaml",
                "filter: evt.Parsed.program startsWith 'nginx'",
            ),
            ("var/log/nginx/x", ""),
            ("var/log/apache2/x", ""),
        ];
        let host = Host::look(root(&files).path(), None);
        assert_eq!(host.writers, [(Writer::Nginx, true), (Writer::Apache, false)]);
    }
}
