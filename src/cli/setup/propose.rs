//! What files a host needs so that its lines reach Weir, from what was found there. Pure.

use std::net::{IpAddr, SocketAddr};

use super::host::{Host, LOOKED_FOR, Writer};
use crate::cli::forwards::{Forward, To};
use crate::decision::{Allowlist, defaults};
use crate::intake::spec::{Listen, Source};

/// A file that is proposed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct File {
    /// Below the root.
    pub(super) path: &'static str,
    pub(super) text: String,
}

/// All that is proposed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Proposal {
    pub(super) files: Vec<File>,
    /// What is worth knowing.
    pub(super) remarks: Vec<String>,
    /// What is to be done by hand, in this order.
    pub(super) next: Vec<String>,
}

pub(super) const CONFIGURATION: &str = "etc/weir/weir.yaml";
const RSYSLOG: &str = include_str!("../../../contrib/rsyslog/60-weir.conf");
const RSYSLOG_FILES: &str = include_str!("../../../contrib/rsyslog/70-weir-files.conf");
const SYSLOG_NG: &str = include_str!("../../../contrib/syslog-ng/weir.conf");
const SYSLOG_NG_FILES: &str = include_str!("../../../contrib/syslog-ng/weir-files.conf");

/// How a friend is marked that setup entered.
const FRIEND: &str = "logged in when setup ran";
/// Where Weir listens on this host by default.
const PORT: u16 = 5514;

/// What is proposed for a host. `before` is the configuration that setup wrote earlier, `sources` are
/// those of one that somebody else wrote, which stays.
pub(super) fn propose(host: &Host, before: &str, sources: Option<&[Source]>) -> Proposal {
    let mut proposal = Proposal::default();
    if host.rsyslog.is_none() && host.syslog_ng.is_none() && !host.journald {
        proposal.remarks.push(format!(
            "nothing was found that sends lines; looked for {LOOKED_FOR}. Weir listens on \
             127.0.0.1:{PORT} (UDP and TCP) and on /run/weir/weir.sock"
        ));
        if host.is_container {
            proposal.remarks.push(
                "this is a container: let the host's syslog daemon, or other containers, send here"
                    .to_owned(),
            );
        }
    }
    if sources.is_none() {
        let text = configuration(host, before);
        proposal.files.push(File { path: CONFIGURATION, text });
    }
    match tcp_port(sources) {
        Some(port) => forwarding(host, port, &mut proposal),
        None if host.rsyslog.is_some() || host.syslog_ng.is_some() => proposal.remarks.push(
            "no source of the configuration takes TCP on this host, so no drop-in for a syslog \
             daemon is proposed: contrib/ has others"
                .to_owned(),
        ),
        None => {}
    }
    if host.docker {
        proposal.remarks.push(
            "containers log where Docker's `log-driver` says: `journald`, or `syslog` to \
             udp://127.0.0.1:5514 with `--log-opt tag=docker/{{.Name}}`"
                .to_owned(),
        );
    }
    for (writer, has_rules) in &host.writers {
        if !has_rules {
            proposal.remarks.push(format!(
                "{} logs in /{}, and no rule of this host reads it: put rules for it into \
                 /etc/weir/rules and run this again",
                writer.program(),
                writer.folder()
            ));
        }
    }
    proposal.next.push("weir check".to_owned());
    proposal
        .next
        .push("systemctl enable --now weir && systemctl reload-or-restart weir".to_owned());
    if proposal.files.iter().any(|file| file.path.starts_with("etc/rsyslog.d/")) {
        proposal.next.push("systemctl restart rsyslog".to_owned());
    }
    if proposal.files.iter().any(|file| file.path.starts_with("etc/syslog-ng/")) {
        proposal.next.push("systemctl restart syslog-ng".to_owned());
    }
    proposal.next.push("weir doctor".to_owned());
    proposal
}

/// The port of a TCP source on this host.
fn tcp_port(sources: Option<&[Source]>) -> Option<u16> {
    let Some(sources) = sources else { return Some(PORT) };
    let is_here = |at: &SocketAddr| at.ip().is_loopback() || at.ip().is_unspecified();
    let ports = sources.iter().filter(|source| source.tls.is_none());
    let mut ports = ports.filter_map(|source| match &source.listen {
        Listen::Tcp(at) if is_here(at) => Some(at.port()),
        _ => None,
    });
    ports.next()
}

fn forwarding(host: &Host, port: u16, proposal: &mut Proposal) {
    let with_port = |text: &str, is_rsyslog: bool| match is_rsyslog {
        true => text.replace("port=\"5514\"", &format!("port=\"{port}\"")),
        false => text.replace("port(5514)", &format!("port({port})")),
    };
    let files: Vec<Writer> = host
        .writers
        .iter()
        .filter(|(_, has_rules)| *has_rules)
        .map(|(writer, _)| *writer)
        .collect();
    if let Some(forwards) = &host.rsyslog {
        let own = "60-weir.conf";
        match sends_already(forwards, port, own) {
            Some(at) => proposal.remarks.push(format!("rsyslog sends here already, by {at}")),
            None => {
                let text = with_port(RSYSLOG, true);
                proposal.files.push(File { path: "etc/rsyslog.d/60-weir.conf", text });
                if !files.is_empty() {
                    let text = only(RSYSLOG_FILES, &files);
                    proposal.files.push(File { path: "etc/rsyslog.d/70-weir-files.conf", text });
                }
            }
        }
    } else if let Some((forwards, source)) = &host.syslog_ng {
        match sends_already(forwards, port, "weir.conf") {
            Some(at) => proposal.remarks.push(format!("syslog-ng sends here already, by {at}")),
            None => {
                let named = format!("source({source})");
                let text = with_port(SYSLOG_NG, false).replace("source(s_src)", &named);
                proposal.files.push(File { path: "etc/syslog-ng/conf.d/weir.conf", text });
                if !files.is_empty() {
                    let text = only(SYSLOG_NG_FILES, &files);
                    proposal
                        .files
                        .push(File { path: "etc/syslog-ng/conf.d/weir-files.conf", text });
                }
            }
        }
    }
}

/// Where lines are sent to us by a file that is not the one we propose.
fn sends_already(forwards: &[Forward], port: u16, own: &str) -> Option<String> {
    let is_here = |host: &str| {
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    };
    let found = forwards.iter().find(|forward| {
        let name = forward.file.file_name().unwrap_or_default().to_string_lossy();
        let sends = match &forward.to {
            To::Udp(host, to) | To::Tcp(host, to) => is_here(host) && *to == port,
            To::Relp(..) => false,
            To::Unix(path) => path.ends_with("weir/weir.sock"),
        };
        sends && name != own
    });
    found.map(|forward| format!("{}:{}", forward.file.display(), forward.line))
}

/// A text without its statements about the files of services that are not there. A statement ends
/// where its parentheses are closed.
fn only(text: &str, writers: &[Writer]) -> String {
    let unwanted = |line: &str| {
        let of = |writer: &Writer| line.contains(&format!("\"/{}", writer.folder()));
        Writer::ALL.iter().any(|writer| of(writer) && !writers.contains(writer))
    };
    let depth = |line: &str| {
        let count = |sign| i64::try_from(line.matches(sign).count()).unwrap_or(0);
        count('(') - count(')')
    };
    let mut kept = String::new();
    let mut open = 0;
    for line in text.lines() {
        if open > 0 || unwanted(line) && !line.starts_with('#') {
            open += depth(line);
        } else if !line.is_empty() || !kept.ends_with("\n\n") {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// The configuration.
fn configuration(host: &Host, before: &str) -> String {
    let mut text = String::from(
        "# The configuration of Weir; weir.yaml(5) tells all there is to say. What is not said here is as\n\
         # it is by default. `weir check` tells whether all is right.\n\n",
    );
    if host.rsyslog.is_none() && host.syslog_ng.is_none() && host.journald {
        text.push_str(
            "# No syslog daemon is here: Weir reads the journal itself.\nsources:\n  - journal: system\n",
        );
    } else {
        text.push_str(&format!(
            "# On this host only; the drop-in of rsyslog or syslog-ng sends to the second.\nsources:\n\
             \x20 - {{ name: udp, udp: \"127.0.0.1:{PORT}\" }}\n\
             \x20 - {{ name: tcp, tcp: \"127.0.0.1:{PORT}\" }}\n\
             \x20 - {{ name: unix, unix: weir.sock }}\n"
        ));
    }
    let friends = friends(host.session, before);
    if friends.is_empty() {
        text.push_str(
            "\n# Who is never banned, beside this host and private networks: from where you log in.\n\
             # allowlist:\n#   - { net: 192.0.2.7, comment: the office }\n",
        );
    } else {
        text.push_str(
            "\n# Who is never banned, beside this host and private networks.\nallowlist:\n",
        );
        for friend in friends {
            text.push_str(&format!("  - {{ net: \"{friend}\", comment: {FRIEND} }}\n"));
        }
    }
    if !host.ssh_ports.is_empty() && !host.ssh_ports.iter().eq([&22]) {
        let ports: Vec<String> = host.ssh_ports.iter().map(ToString::to_string).collect();
        text.push_str(&format!(
            "\n# Where sshd listens: who is connected there is not banned.\nguard: {{ ports: [{}] }}\n",
            ports.join(", ")
        ));
    }
    text.push_str("\n# Decide and count, drop nothing: a good first day.\n# observe: true\n");
    text
}

/// Those that setup entered before, and whoever is logged in now, unless they are friends anyway.
fn friends(session: Option<IpAddr>, before: &str) -> Vec<IpAddr> {
    let mark = format!("\", comment: {FRIEND} }}");
    let known = before.lines().filter_map(|line| {
        line.trim().strip_prefix("- { net: \"")?.strip_suffix(&mark)?.parse().ok()
    });
    let mut friends: Vec<IpAddr> = known.collect();
    let usual = Allowlist::new(defaults(&[], false));
    if let Some(address) = session
        && usual.find(address).is_none()
        && !friends.contains(&address)
    {
        friends.push(address);
    }
    friends
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::diagnostic::UserFile;
    use crate::settings::{Settings, from_files};

    fn host() -> Host {
        Host {
            rsyslog: Some(Vec::new()),
            ssh_ports: BTreeSet::from([22]),
            session: "203.0.113.9".parse().ok(),
            ..Host::default()
        }
    }

    /// The settings that a proposal means; there must be no mistakes.
    fn meant(text: &str) -> Settings {
        let (settings, found) =
            from_files(&[UserFile::new(Path::new("weir.yaml"), text.to_owned())]);
        assert!(found.is_empty(), "{text}\n{found:?}");
        settings
    }

    #[track_caller]
    fn check(host: &Host, paths: &[&str], next: &str) -> Proposal {
        let proposal = propose(host, "", None);
        let found: Vec<&str> = proposal.files.iter().map(|file| file.path).collect();
        assert_eq!(found, paths);
        assert!(proposal.next.join("\n").contains(next), "{proposal:?}");
        meant(&proposal.files[0].text);
        proposal
    }

    #[test]
    fn hosts_and_their_files() {
        check(&host(), &[CONFIGURATION, "etc/rsyslog.d/60-weir.conf"], "restart rsyslog");
        let writers = vec![(Writer::Nginx, true), (Writer::Mysql, false)];
        let both = Host { writers, docker: true, ..host() };
        let paths =
            [CONFIGURATION, "etc/rsyslog.d/60-weir.conf", "etc/rsyslog.d/70-weir-files.conf"];
        let proposal = check(&both, &paths, "weir doctor");
        let files = &proposal.files[2].text;
        assert!(files.contains("/var/log/nginx") && !files.contains("/var/log/mysql"), "{files}");
        assert!(
            files.contains("module(load=\"imfile\")") && !files.contains("apache2\""),
            "{files}"
        );
        assert_eq!(proposal.remarks.len(), 2, "{proposal:?}");

        let journal = Host { rsyslog: None, journald: true, ..host() };
        let proposal = check(&journal, &[CONFIGURATION], "enable --now weir");
        assert!(proposal.files[0].text.contains("journal: system"));
        assert!(proposal.remarks.is_empty());

        let ng = Host {
            rsyslog: None,
            syslog_ng: Some((Vec::new(), "s_local".to_owned())),
            writers: vec![(Writer::Apache, true)],
            ..host()
        };
        let paths = [
            CONFIGURATION,
            "etc/syslog-ng/conf.d/weir.conf",
            "etc/syslog-ng/conf.d/weir-files.conf",
        ];
        let proposal = check(&ng, &paths, "restart syslog-ng");
        assert!(proposal.files[1].text.contains("source(s_local)"));
        let files = &proposal.files[2].text;
        assert!(files.contains("/var/log/apache2") && !files.contains("mysql/error"), "{files}");
        assert!(files.contains("source s_weir_files {") && files.contains("};\nlog"), "{files}");

        let none = Host { rsyslog: None, is_container: true, ..host() };
        let proposal = check(&none, &[CONFIGURATION], "weir check");
        assert!(proposal.remarks[0].contains("looked for usr/sbin/rsyslogd"));
        assert_eq!(proposal.remarks.len(), 2);
    }

    #[test]
    fn friends_stay_and_usual_ones_need_no_entry() {
        let first = propose(&host(), "", None).files[0].text.clone();
        assert!(
            meant(&first)
                .allowlist
                .entries
                .iter()
                .any(|one| one.net.to_string() == "203.0.113.9/32")
        );
        let elsewhere = Host { session: "2001:db8::9".parse().ok(), ..host() };
        let second = propose(&elsewhere, &first, None).files[0].text.clone();
        assert!(second.contains("203.0.113.9") && second.contains("2001:db8::9"), "{second}");
        assert_eq!(propose(&elsewhere, &second, None).files[0].text, second, "nothing new");
        let private = Host { session: "192.168.1.7".parse().ok(), ..host() };
        assert!(!propose(&private, "", None).files[0].text.contains("192.168.1.7"));
    }

    #[test]
    fn ports_of_ssh_are_guarded() {
        let other = Host { ssh_ports: BTreeSet::from([22, 2222]), ..host() };
        let text = propose(&other, "", None).files[0].text.clone();
        assert_eq!(meant(&text).guard.map(|guard| guard.ports), Some(vec![22, 2222]));
    }

    #[test]
    fn what_somebody_wrote_is_kept_and_its_port_taken() {
        let own = meant("sources: [{tcp: '127.0.0.1:7000'}]").sources;
        let proposal = propose(&host(), "", Some(&own));
        assert_eq!(proposal.files.len(), 1);
        assert!(proposal.files[0].text.contains("port=\"7000\""));
        let udp = meant("sources: [{udp: '127.0.0.1:7000'}]").sources;
        assert!(propose(&host(), "", Some(&udp)).files.is_empty());
        let forward = Forward {
            file: "/etc/rsyslog.d/90-own.conf".into(),
            line: 3,
            to: To::Tcp("127.0.0.1".into(), PORT),
        };
        let sending = Host { rsyslog: Some(vec![forward]), ..host() };
        let proposal = propose(&sending, "", None);
        assert!(proposal.files.len() == 1 && proposal.remarks[0].contains("90-own.conf:3"));
    }
}
