//! What it means that a test line came so far and no further. Pure.

use std::io;
use std::time::Duration;

use super::finding::Finding;
use crate::intake::spec::{Listen, Source};

/// How far a canary came: the first thing that did not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The source could not be reached.
    Unsent,
    /// No line came to the rules.
    Unseen,
    /// It came, and no scenario took it.
    Unpoured,
    /// Its bucket overflowed, and nothing was decided.
    Undecided,
    /// It was decided on for show.
    Observed,
    /// It was decided on, and the kernel was not told.
    Unheld,
    /// The kernel has it, and lets packets through.
    Undropped,
    /// All that could be tried happened.
    Done,
}

/// What is known of it.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The line that was sent.
    pub(super) line: String,
    /// Why it could not be sent.
    pub(super) sent: Option<io::Error>,
    /// What the rules made of it.
    pub(super) outcome: Option<String>,
    /// Why it was not banned.
    pub(super) refusal: Option<String>,
    /// What kept the ban from being carried out.
    pub(super) limited: Option<String>,
    /// Whether the daemon carries out any.
    pub(super) is_enforcing: bool,
    /// What the kernel said.
    pub(super) trouble: Option<String>,
    /// How long it took.
    pub(super) took: Duration,
    /// What became of a packet.
    pub(super) packet: Option<String>,
}

/// The finding about a source.
pub(super) fn tell(source: &Source, stage: &Stage, found: &Found) -> Finding {
    let explain = || format!("echo '{}' | weir explain --type {} -", found.line, source.label);
    match stage {
        Stage::Unsent => {
            let error = found.sent.as_ref().map_or_else(String::new, ToString::to_string);
            let place = place(source);
            let finding = Finding::problem(
                "",
                format!("expected somebody to listen at {place}, a test line could not be sent: {error}"),
            );
            finding.at(&place).with_remedy(unsent(source, found.sent.as_ref()))
        }
        Stage::Unseen => Finding::problem(
            "",
            format!(
                "a test line was sent to {} and did not come to the rules as one of `weir-doctor`",
                place(source)
            ),
        )
        .with_remedy(match source.listen {
            Listen::Journal(_) => {
                "see that journald takes entries: logger -t weir-doctor hello; journalctl -t \
                 weir-doctor"
                    .to_owned()
            }
            _ => format!(
                "see whether `classify` renames its program, and what holds lines up: weir status; \
                 {}",
                explain()
            ),
        }),
        Stage::Unpoured => {
            let words = match found.outcome.as_deref() {
                Some("unparsed") => "no parser understood it",
                Some("allowlisted") => "a rule or friend stood for it",
                Some("parsed") => "it was parsed and no scenario took it",
                _ => "no bucket overflowed",
            };
            Finding::problem("", format!("a test line came to the rules, but {words}"))
                .with_remedy(format!(
                    "a rule of this host changes the program, the message or the outcome of any \
                     line: {}",
                    explain()
                ))
        }
        Stage::Undecided => match &found.refusal {
            Some(why) => Finding::problem("", format!("the ban of a test address was refused: {why}"))
                .with_remedy("weir allow list"),
            None => Finding::problem(
                "",
                "a test line overflowed its bucket and nothing was decided: no profile answers it \
                 with a ban",
            )
            .with_remedy("look at `profiles` of the configuration: weir check"),
        },
        Stage::Observed => observed(source, found),
        Stage::Unheld => {
            let trouble = found.trouble.as_deref().unwrap_or("its sets do not hold the address");
            Finding::problem(
                "",
                format!("a test address was banned and is not in the kernel: {trouble}"),
            )
            .with_remedy("weir status; journalctl -u weir")
        }
        Stage::Undropped => Finding::problem(
            "",
            "a test address is in the kernel's set, and a packet from it to this host comes through: \
             no rule of ours looks at packets for this host",
        )
        .at("`enforce`: `hooks`, `priority`")
        .with_remedy(
            "let `enforce: { hooks: [input, forward] }` hold `input`, or `prerouting`; then \
             systemctl restart weir; nft list ruleset",
        ),
        Stage::Done => {
            let packet = found.packet.as_deref().map_or_else(String::new, |packet| {
                format!(", {packet}")
            });
            Finding::ok(
                "",
                format!(
                    "a test line was received, parsed, poured, decided and in the kernel after {} \
                     ms{packet}; all taken back",
                    found.took.as_millis().max(1)
                ),
            )
        }
    }
}

fn observed(source: &Source, found: &Found) -> Finding {
    match found.limited.as_deref() {
        Some("brake") => Finding::problem(
            "",
            "the brake is on: the ban of a test address was only observed, like all others",
        )
        .with_remedy("weir brake; then weir brake release"),
        _ if !source.bans.is_full() => Finding::note(
            "",
            "a test line was received, parsed, poured and decided, as observe: lines of this source \
             ban nobody (`bans: observe`), so nothing is dropped",
        ),
        _ if !found.is_enforcing => Finding::note(
            "",
            "a test line was received, parsed, poured and decided, as observe: nothing is dropped",
        ),
        _ => Finding::note(
            "",
            "a test line was received, parsed, poured and decided, as observe: a profile or \
             `observe` says so, and nothing is dropped",
        ),
    }
}

fn unsent(source: &Source, error: Option<&io::Error>) -> String {
    let kind = error.map(io::Error::kind);
    match (&source.listen, kind) {
        (_, Some(io::ErrorKind::PermissionDenied)) => {
            "run this as root, or as a user who may write to it".to_owned()
        }
        (Listen::Journal(_), _) => {
            "see that journald runs: systemctl status systemd-journald".into()
        }
        (Listen::Udp(at) | Listen::Tcp(at) | Listen::Relp(at), _) => format!(
            "see who has the port, and what Weir says: ss -lnp | grep :{}; weir status",
            at.port()
        ),
        _ => "see what Weir says of the source: weir status".to_owned(),
    }
}

/// Where the source is, in words.
pub(super) fn place(source: &Source) -> String {
    match &source.listen {
        Listen::Udp(at) | Listen::Tcp(at) | Listen::Relp(at) => {
            format!("{} {at}", source.listen.kind())
        }
        Listen::UnixDatagram { path, .. } | Listen::UnixStream { path, .. } => {
            path.display().to_string()
        }
        Listen::Journal(_) => "the journal".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;
    use crate::settings::Settings;

    #[track_caller]
    fn check(stage: Stage, found: &Found, level: Level, words: &str, remedy: &str) {
        let settings = Settings::default();
        let told = tell(&settings.sources[0], &stage, found);
        assert_eq!(told.level, level, "{told:?}");
        assert!(told.found.contains(words), "{told:?}");
        assert!(told.remedy.unwrap_or_default().contains(remedy), "{stage:?}");
    }

    #[test]
    fn each_stage_has_its_words_and_its_remedy() {
        let found = |change: fn(&mut Found)| {
            let mut found = Found { line: "<86>1 x".into(), ..Found::default() };
            change(&mut found);
            found
        };
        let refused = found(|f| f.sent = Some(io::ErrorKind::ConnectionRefused.into()));
        check(Stage::Unsent, &refused, Level::Problem, "udp 127.0.0.1:5514", ":5514");
        check(Stage::Unseen, &found(|_| ()), Level::Problem, "did not come", "weir explain");
        let unparsed = found(|f| f.outcome = Some("unparsed".into()));
        check(
            Stage::Unpoured,
            &unparsed,
            Level::Problem,
            "no parser",
            "echo '<86>1 x' | weir explain --type syslog -",
        );
        check(Stage::Undecided, &found(|_| ()), Level::Problem, "no profile", "profiles");
        let braked = found(|f| f.limited = Some("brake".into()));
        check(Stage::Observed, &braked, Level::Problem, "brake is on", "weir brake release");
        check(Stage::Observed, &found(|_| ()), Level::Note, "nothing is dropped", "");
        check(Stage::Unheld, &found(|_| ()), Level::Problem, "not in the kernel", "weir status");
        check(Stage::Undropped, &found(|_| ()), Level::Problem, "comes through", "hooks");
        let done = found(|f| f.packet = Some("a packet from it dropped".into()));
        check(Stage::Done, &done, Level::Ok, "a packet from it dropped; all taken back", "");
    }
}
