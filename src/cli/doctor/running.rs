//! What the running daemon says of itself, and what is to be done about it. Pure.

use super::finding::Finding;
use crate::control::{Braked, SourceStatus, Status};
use crate::settings::{Backend, Observe, Settings};

/// Clocks that are off by fewer seconds are right.
const SKEW: u64 = 5;
/// From so many seconds a clock that is off is a problem: dates of lines are read wrong, and alerts
/// of several hosts do not fit together.
const FAR: u64 = 60;
/// Senders of a source that are named.
const NAMED: usize = 5;

/// All findings. `brake` is how the brake is, `changed_files` those that were written after they
/// were read.
pub(super) fn judge(
    status: &Status,
    brake: Option<&Braked>,
    settings: &Settings,
    changed_files: &[String],
) -> Vec<Finding> {
    let mut findings = vec![version(status)];
    findings.extend(rules(status, settings));
    for source in &status.sources {
        findings.extend(of_source(source));
    }
    findings.push(enforcing(status, settings));
    if let Some(Braked { since: Some(since), why, observed, .. }) = brake {
        let found = format!(
            "the brake is on since {since}: {why}; scenarios ban nobody, {observed} were only observed"
        );
        let finding = Finding::problem("brake", found).at("`brake:` of the configuration");
        findings.push(finding.with_remedy("weir list; then weir brake release"));
    }
    findings.push(ledger(status));
    for list in &status.lists {
        if let Some(trouble) = &list.trouble {
            let found = format!("the list `{}` cannot be read: {trouble}", list.name);
            findings.push(Finding::problem("lists", found).at(&list.path).with_remedy(
                "let the user that Weir runs as read it: ls -l; the last good state holds",
            ));
        }
    }
    for remote in &status.remotes {
        let check = format!("remote `{}`", remote.name);
        findings.push(match &remote.trouble {
            Some(trouble) => {
                let found = format!("{trouble}; what it asked for holds to its end");
                let finding = Finding::problem(&check, found).at(&remote.url);
                finding.with_remedy(remote.remedy.clone().unwrap_or_default())
            }
            None if remote.no_room > 0 => {
                let found = format!("{} of its decisions found no room", remote.no_room);
                let finding = Finding::problem(&check, found).at(&remote.url);
                finding.with_remedy("raise its `most`, or ask for less with `origins`")
            }
            None => Finding::ok(&check, format!("answers; it asks for {}", remote.asked)),
        });
    }
    if !changed_files.is_empty() {
        let found = format!(
            "changed since the daemon read it, so what runs is not what is written: {}",
            changed_files.join(", ")
        );
        let finding = Finding::note("configuration", found);
        findings.push(finding.with_remedy("weir check && sudo weir reload"));
    }
    findings
}

fn version(status: &Status) -> Finding {
    let ours = env!("CARGO_PKG_VERSION");
    if status.version == ours {
        return Finding::ok("daemon", format!("weir {ours} runs, process {}", status.pid));
    }
    Finding::note(
        "daemon",
        format!("version {} runs, and this command is of version {ours}", status.version),
    )
    .with_remedy("sudo systemctl restart weir")
}

fn rules(status: &Status, settings: &Settings) -> Vec<Finding> {
    let rules = &status.rules;
    let folders: Vec<String> =
        settings.rules.folders.iter().map(|folder| folder.display().to_string()).collect();
    let mut findings = Vec::new();
    if rules.parsers == 0 || rules.scenarios == 0 {
        let found = format!(
            "{} parsers and {} scenarios are loaded: without both nothing is understood or banned",
            rules.parsers, rules.scenarios
        );
        findings.push(
            Finding::problem("rules", found)
                .at("`rules:` of the configuration")
                .with_remedy("set `shipped: true`, or name a folder with rules; then weir reload"),
        );
    }
    if rules.rejected > 0 {
        let found = format!(
            "mistakes in rules: {} left out, and what would be banned by it is not",
            counted(rules.rejected, "file is", "files are")
        );
        let finding = Finding::problem("rules", found).at(folders.join(", "));
        findings.push(finding.with_remedy("weir check"));
    }
    if findings.is_empty() {
        let found = format!("{} parsers, {} scenarios", rules.parsers, rules.scenarios);
        findings.push(Finding::ok("rules", found));
    }
    let lines = status.lines.parsed + status.lines.unparsed + status.lines.allowlisted;
    if lines > 0 && status.lines.parsed == 0 && status.lines.allowlisted == 0 {
        let found = format!("{} came, and no rule understood any", counted(lines, "line", "lines"));
        let finding = Finding::problem("rules", found).at(folders.join(", "));
        findings.push(finding.with_remedy("weir explain --last"));
    }
    findings
}

fn of_source(source: &SourceStatus) -> Vec<Finding> {
    let check = format!("source `{}`", source.name);
    let mut findings = Vec::new();
    if let Some(trouble) = &source.trouble {
        let finding = Finding::problem(&check, format!("takes no lines: {trouble}")).at(&source.at);
        findings.push(finding.with_remedy(remedy(&source.at, trouble)));
    } else if source.last_line.is_none() {
        // That it can take lines is tried by a canary; that nobody sends is no fault of its own.
        let finding = Finding::note(&check, "no line came since the daemon started").at(&source.at);
        findings.push(finding.with_remedy("point a sender here: sudo weir setup"));
    }
    if source.dropped > 0 {
        let found =
            format!("{} of {} lines were dropped since the start", source.dropped, source.lines);
        let finding = Finding::note(&check, found).at(&source.at);
        findings.push(finding.with_remedy(
            "curl -s http://127.0.0.1:9514/metrics | grep weir_source_lines_dropped tells why",
        ));
    }
    let mut skewed = 0;
    for sender in &source.senders {
        let off = sender.skew_seconds.map_or(0, i64::unsigned_abs);
        if off >= SKEW {
            skewed += 1;
            if skewed <= NAMED {
                findings.push(clock(&check, &sender.address, sender.skew_seconds.unwrap_or(0)));
            }
        }
    }
    if skewed == 0
        && let Some(skew) = source.skew_seconds.filter(|skew| skew.unsigned_abs() >= SKEW)
    {
        findings.push(clock(&check, "its sender", skew));
    }
    for sender in source.senders.iter().filter(|sender| sender.silent).take(NAMED) {
        let found = format!("{} is silent: no line since {}", sender.address, sender.last_line);
        let finding = Finding::note(&check, found).at(&source.at);
        findings.push(finding.with_remedy("look at that host's rsyslog, or set `silent_after`"));
    }
    findings
}

/// `1 line`, `2 lines`.
fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn clock(check: &str, who: &str, skew: i64) -> Finding {
    let direction = if skew > 0 { "ahead" } else { "behind" };
    let off = skew.unsigned_abs();
    let found =
        format!("the clock of {who} is {off} s {direction} of ours, or its lines say no zone");
    let finding =
        if off >= FAR { Finding::problem(check, found) } else { Finding::note(check, found) };
    finding.with_remedy(
        "on that host: sudo timedatectl set-ntp true; where it is a time zone, set `zone:` of the \
         source",
    )
}

/// What to do about a source that cannot be opened.
fn remedy(at: &str, trouble: &str) -> String {
    let lower = trouble.to_lowercase();
    let port = at.split_whitespace().find_map(|word| {
        let port = word.rsplit_once(':')?.1;
        port.bytes().all(|byte| byte.is_ascii_digit()).then_some(port)
    });
    match port {
        Some(port) if lower.contains("in use") => format!(
            "see who has the port, stop it or take another one: sudo ss -lnp | grep ':{port} '"
        ),
        _ if lower.contains("certificate") || lower.contains("key") => {
            "mend the files, then weir reload: weir check".to_owned()
        }
        _ if lower.contains("permission") || lower.contains("denied") => {
            "ports below 1024 need CAP_NET_BIND_SERVICE, which the unit has: sudo systemctl restart \
             weir"
                .to_owned()
        }
        _ => "weir status; journalctl -u weir".to_owned(),
    }
}

fn enforcing(status: &Status, settings: &Settings) -> Finding {
    let wants = settings.observe != Observe::Everything
        && !settings.enforce.backends.contains(&Backend::Observe);
    let enforce = &status.enforce;
    if let Some(words) = status.problems.iter().find(|problem| problem.starts_with("enforcement")) {
        return Finding::problem("kernel", words).with_remedy(if words.contains("flush") {
            "weir flush --undo"
        } else {
            "weir status; journalctl -u weir"
        });
    }
    if !enforce.is_enforcing {
        if !wants {
            return Finding::note(
                "kernel",
                "observe mode: bans are decided and listed, nothing is dropped",
            )
            .at("`observe:` or `enforce: { backend: observe }` of the configuration")
            .with_remedy("remove it, then sudo systemctl restart weir");
        }
        return Finding::problem(
            "kernel",
            "nothing is dropped: the daemon may not change the firewall (CAP_NET_ADMIN), the kernel \
             has no nf_tables, or it was started with --observe",
        )
        .with_remedy(
            "run it as root, or by its unit: sudo systemctl restart weir; the first lines of \
             journalctl -u weir say which it is",
        );
    }
    if let Some(backend) = enforce.backends.iter().find(|backend| backend.drift > 0) {
        let found = format!(
            "{} differed from the ledger by {} elements when last compared: somebody else changes \
             our table",
            backend.name, backend.drift
        );
        return Finding::note("kernel", found).with_remedy("sudo nft monitor");
    }
    let found =
        format!("{} holds {} elements, as the ledger says", enforce.backend, enforce.elements);
    Finding::ok("kernel", found)
}

fn ledger(status: &Status) -> Finding {
    let ledger = &status.ledger;
    match &ledger.trouble {
        Some(trouble) => Finding::problem(
            "ledger",
            format!(
                "{} decisions are in memory only, and lost with the daemon: the disk does not take \
                 them: {trouble}",
                ledger.unsaved
            ),
        )
        .at(&ledger.path)
        .with_remedy(
            "make room, or make the file system writable: df -h; it is written again by itself",
        ),
        None => {
            Finding::ok("ledger", format!("written, {} failures since the start", ledger.failures))
                .at(&ledger.path)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;
    use crate::control::{EnforceStatus, LedgerStatus, RulesStatus, SenderStatus};

    fn sound() -> Status {
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            rules: RulesStatus { parsers: 3, scenarios: 9, ..RulesStatus::default() },
            sources: vec![SourceStatus {
                name: "udp".into(),
                at: "udp 127.0.0.1:5514".into(),
                last_line: Some("2026-11-23T00:00:00Z".into()),
                ..SourceStatus::default()
            }],
            enforce: EnforceStatus { is_enforcing: true, ..EnforceStatus::default() },
            ..Status::default()
        }
    }

    /// What is told beside what is right.
    #[track_caller]
    fn check(change: fn(&mut Status), level: Level, words: &str, remedy: &str) {
        let mut status = sound();
        change(&mut status);
        let found = judge(&status, None, &Settings::default(), &[]);
        let told: Vec<_> = found.iter().filter(|one| one.level != Level::Ok).collect();
        assert!(told.len() == 1 && told[0].level == level, "{found:?}");
        assert!(told[0].found.contains(words), "{told:?}");
        assert!(told[0].remedy.as_ref().is_some_and(|told| told.contains(remedy)), "{told:?}");
    }

    #[test]
    fn what_is_right_is_told_and_nothing_else() {
        let found = judge(&sound(), Some(&Braked::default()), &Settings::default(), &[]);
        assert!(found.iter().all(|one| one.level == Level::Ok), "{found:?}");
        assert_eq!(found.len(), 4);
    }

    #[test]
    fn each_fault_has_its_words_and_its_remedy() {
        use Level::{Note, Problem};
        check(|s| s.version = "0.0.9".into(), Note, "0.0.9", "restart weir");
        check(|s| s.rules.rejected = 2, Problem, "2 files are left out", "weir check");
        check(|s| s.rules.scenarios = 0, Problem, "0 scenarios", "shipped");
        check(|s| s.lines.unparsed = 7, Problem, "no rule understood", "weir explain --last");
        check(
            |s| s.sources[0].trouble = Some("Address already in use".into()),
            Problem,
            "already in use",
            "ss -lnp | grep ':5514 '",
        );
        check(|s| s.sources[0].last_line = None, Note, "no line came", "weir setup");
        check(|s| s.sources[0].dropped = 3, Note, "3 of", "metrics");
        check(|s| s.sources[0].skew_seconds = Some(-7200), Problem, "7200 s behind", "zone");
        check(|s| s.sources[0].skew_seconds = Some(9), Note, "9 s ahead", "set-ntp");
        let sender = |s: &mut Status| {
            s.sources[0].senders = vec![SenderStatus {
                address: "192.0.2.9".into(),
                skew_seconds: Some(3600),
                ..SenderStatus::default()
            }];
        };
        check(sender, Problem, "192.0.2.9 is 3600 s ahead", "timedatectl");
        check(|s| s.enforce.is_enforcing = false, Problem, "CAP_NET_ADMIN", "systemctl");
        check(
            |s| s.problems = vec!["enforcement by nftables: flushed by an operator".into()],
            Problem,
            "flushed",
            "weir flush --undo",
        );
        let full = |s: &mut Status| {
            s.ledger = LedgerStatus {
                unsaved: 3,
                trouble: Some("disk is full".into()),
                ..s.ledger.clone()
            };
        };
        check(full, Problem, "3 decisions are in memory only", "df -h");
    }

    #[test]
    fn a_brake_and_a_change_are_told() {
        let brake =
            Braked { since: Some("2026".into()), why: "too many".into(), ..Braked::default() };
        let changed = ["/etc/weir/weir.yaml".to_owned()];
        let found = judge(&sound(), Some(&brake), &Settings::default(), &changed);
        let told: Vec<_> = found.iter().filter(|one| one.level != Level::Ok).collect();
        assert!(
            told[0].found.contains("too many") && told[1].found.contains("weir.yaml"),
            "{told:?}"
        );
    }
}
