//! Canaries: lines that `weir doctor` sends to see whether lines come through.
//!
//! A canary goes the way of any line, by a parser and a scenario of its own that are loaded beside
//! the rules. What must hold: nobody is banned by it who is not an address for documentation, nor
//! by one that was not announced over the control socket a moment before; what follows from it
//! lasts a minute, and counts for nothing that is decided later. Lines of other programs cost
//! nothing: the worker looks here where it meets a program for the first time, and the program of
//! canaries is always met so.
//!
//! Must not know: how canaries are sent, and what is made of what they show.

use std::net::IpAddr;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::counting::Ending;
use super::report::Counted;
use super::unmatched::Lack;
use crate::control::{CanaryAsked, CanarySeen, FailureKind, Reply, is_for_documentation};
use crate::diagnostic::UserFile;
use crate::event::{CANARY, Line, Overflow, SourceId, Trust};
use crate::rules::{Folder, Kind, Piece};
use crate::value::Time;

/// The scenario that takes canaries.
const SCENARIO: &str = crate::control::CANARY_SCENARIO;
/// Canaries that are under way at the same time.
const MOST: usize = 32;
/// For how many nanoseconds one that was announced is waited for.
const PATIENCE: i64 = 60 * 1_000_000_000;
/// For how many seconds it bans at most, should nobody take that back.
const BAN: u64 = 60;

const PARSER: &str = r#"
name: weir/doctor
description: Lines that `weir doctor` sends
filter: evt.Parsed.program == "weir-doctor"
onsuccess: next_stage
nodes:
  - grok:
      pattern: '^canary [0-9a-f]{16} from %{IP:source_ip}$'
      apply_on: message
      statics:
        - meta: log_type
          value: weir_canary
statics:
  - meta: service
    value: weir
  - meta: source_ip
    expression: evt.Parsed.source_ip
"#;

const TRIGGER: &str = r#"
type: trigger
name: weir/doctor
description: A line that `weir doctor` sent
filter: evt.Meta.log_type == "weir_canary"
groupby: evt.Meta.source_ip
labels:
  service: weir
  label: Test of the whole way
  spoofable: 0
  remediation: true
"#;

/// The rules by which canaries are understood; they do not count among those that are loaded.
pub(super) fn rules() -> Folder {
    let piece = |kind, path: &str, text: &str| Piece {
        kind,
        file: UserFile::new(Path::new(path), text.to_owned()),
    };
    let parser = Kind::Parser("s01-parse".to_owned());
    Folder {
        pieces: vec![
            piece(parser, "(doctor)/parser.yaml", PARSER),
            piece(Kind::Scenario, "(doctor)/scenario.yaml", TRIGGER),
        ],
        uncounted: true,
        ..Folder::default()
    }
}

/// Those that are under way.
#[derive(Debug, Default)]
pub(super) struct Canaries {
    announced: Mutex<Vec<Canary>>,
}

#[derive(Debug)]
struct Canary {
    nonce: Box<str>,
    address: IpAddr,
    until: Time,
    /// By which source it came, and what became of it.
    met: Option<(SourceId, &'static str)>,
    overflowed: bool,
}

impl Canaries {
    /// Announces one, or tells what was seen of it.
    pub(super) fn answer(&self, asked: &CanaryAsked, sources: &[Counted], now: Time) -> Reply {
        let wrong = |message: String| Reply::failed(FailureKind::Usage, message);
        let nonce_is_right = asked.nonce.len() == 16
            && asked.nonce.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !nonce_is_right {
            return wrong("expected sixteen hexadecimal digits to know the canary by".to_owned());
        }
        let Some(address) = asked.address.parse().ok().filter(|at| is_for_documentation(*at))
        else {
            return wrong(format!(
                "expected an address for documentation (192.0.2.0/24, 198.51.100.0/24, \
                 203.0.113.0/24, 2001:db8::/32), found `{}`",
                asked.address.escape_default()
            ));
        };
        let mut announced = self.announced();
        announced.retain(|canary| canary.until > now);
        if let Some(canary) = announced.iter().find(|canary| *canary.nonce == *asked.nonce) {
            let source = |(id, _): (SourceId, _)| {
                sources.get(usize::from(id.0)).map_or_else(String::new, |one| one.name.clone())
            };
            return Reply::Canary(CanarySeen {
                source: canary.met.map(source),
                outcome: canary.met.map(|(_, outcome)| outcome.to_owned()),
                overflowed: canary.overflowed,
            });
        }
        if announced.len() >= MOST {
            return Reply::failed(FailureKind::Unavailable, "too many canaries are under way");
        }
        let nonce = asked.nonce.as_str().into();
        let until = now.plus(PATIENCE);
        announced.push(Canary { nonce, address, until, met: None, overflowed: false });
        Reply::Canary(CanarySeen::default())
    }

    /// A worker met a line of the program of canaries, and this became of it.
    pub(super) fn meet(&self, line: &Line<'_>, ending: Ending) {
        let outcome = match ending {
            Ending::Counted => "poured",
            Ending::Lacking(Lack::Uncounted) => "parsed",
            Ending::Lacking(Lack::Unparsed) => "unparsed",
            Ending::Allowlisted => "allowlisted",
        };
        for canary in self.announced().iter_mut() {
            if memchr::memmem::find(line.bytes, canary.nonce.as_bytes()).is_some() {
                canary.met = Some((line.source, outcome));
            }
        }
    }

    /// Whether an overflow goes on to the judge: any that is no canary's, and that of a canary which
    /// was announced and met.
    pub(super) fn admit(&self, overflow: &mut Overflow) -> bool {
        let is_canary = overflow.alert.as_ref().is_some_and(|alert| *alert.scenario == *SCENARIO);
        if !is_canary {
            return true;
        }
        let mut announced = self.announced();
        let found = announced.iter_mut().find(|canary| {
            canary.met.is_some()
                && overflow.sources.iter().all(|(_, source)| {
                    source.value.parse::<IpAddr>().is_ok_and(|at| at == canary.address)
                })
        });
        let Some(canary) = found else { return false };
        canary.overflowed = true;
        // What is believed for a minute only counts for no later decision either.
        overflow.trust = overflow.trust.min(Trust::seconds(BAN));
        true
    }

    fn announced(&self) -> MutexGuard<'_, Vec<Canary>> {
        self.announced.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether lines of this program are canaries.
pub(super) fn is_canary(program: &str) -> bool {
    program == CANARY
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Alert, Source};

    const NONCE: &str = "0123456789abcdef";

    fn asked(address: &str, nonce: &str) -> CanaryAsked {
        CanaryAsked { address: address.to_owned(), nonce: nonce.to_owned() }
    }

    fn at(seconds: i64) -> Time {
        Time::from_seconds(seconds)
    }

    fn meet(canaries: &Canaries, text: &str) {
        canaries.meet(&Line::new(text.as_bytes(), at(1), SourceId(0)), Ending::Counted);
    }

    fn overflow(scenario: &str, sources: &[&str]) -> Overflow {
        let source = |value: &&str| {
            let value = (*value).to_owned();
            (value.clone(), Source { value, ..Source::default() })
        };
        let alert = Alert {
            scenario: scenario.into(),
            message: String::new(),
            capacity: 0,
            leakspeed: 0,
            events_count: 1,
            start_at: at(1),
            stop_at: at(1),
            events: Vec::new(),
            meta: Vec::new(),
            simulated: false,
            remediation: true,
            spoofable: 0,
            machine: None,
        };
        let sources = sources.iter().map(source).collect();
        Overflow { alert: Some(alert), sources, ..Overflow::none() }
    }

    #[track_caller]
    fn check(canaries: &Canaries, scenario: &str, sources: &[&str], expected: Option<Trust>) {
        let mut overflow = overflow(scenario, sources);
        let admitted = canaries.admit(&mut overflow).then_some(overflow.trust);
        assert_eq!(admitted, expected, "{scenario} {sources:?}");
    }

    #[test]
    fn only_who_was_announced_and_met_goes_on_and_only_for_a_minute() {
        let canaries = Canaries::default();
        let minute = Some(Trust::seconds(BAN));
        check(&canaries, "weir/ssh-bf", &["203.0.113.7"], Some(Trust::FULL));
        check(&canaries, SCENARIO, &["203.0.113.7"], None);
        canaries.answer(&asked("203.0.113.7", NONCE), &[], at(0));
        check(&canaries, SCENARIO, &["203.0.113.7"], None);
        meet(&canaries, "canary fedcba9876543210 from 203.0.113.7");
        check(&canaries, SCENARIO, &["203.0.113.7"], None);
        meet(&canaries, "canary 0123456789abcdef from 203.0.113.7");
        check(&canaries, SCENARIO, &["203.0.113.7"], minute);
        check(&canaries, SCENARIO, &["203.0.113.8"], None);
        check(&canaries, SCENARIO, &["203.0.113.7", "8.8.8.8"], None);
        let seen = canaries.answer(&asked("203.0.113.7", NONCE), &[], at(1));
        let outcome = Some("poured".to_owned());
        let told = CanarySeen { source: Some(String::new()), outcome, overflowed: true };
        assert_eq!(seen, Reply::Canary(told));
        // Another one makes place for what was waited for long enough.
        canaries.answer(&asked("203.0.113.9", "0000000000000000"), &[], at(61));
        check(&canaries, SCENARIO, &["203.0.113.7"], None);
    }

    #[track_caller]
    fn refused(canaries: &Canaries, address: &str, nonce: &str, words: &str) {
        match canaries.answer(&asked(address, nonce), &[], at(0)) {
            Reply::Failed(failure) => assert!(failure.message.contains(words), "{failure}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn nobody_but_documentation_is_announced_and_few_at_once() {
        let canaries = Canaries::default();
        for stranger in ["8.8.8.8", "127.0.0.1", "2001:db9::1", "203.0.113.0/24", "x\u{1b}", ""] {
            refused(&canaries, stranger, NONCE, "for documentation");
        }
        refused(&canaries, "203.0.113.7", "short", "sixteen");
        refused(&canaries, "203.0.113.7", "0123456789ABCDEF", "sixteen");
        for n in 0..MOST {
            let told = canaries.answer(&asked("203.0.113.7", &format!("{n:016x}")), &[], at(0));
            assert_eq!(told, Reply::Canary(CanarySeen::default()));
        }
        refused(&canaries, "203.0.113.7", &format!("{MOST:016x}"), "too many");
    }

    #[test]
    fn the_rules_load() {
        let request = crate::rules::Request { more: vec![rules()], ..Default::default() };
        let (ruleset, mistakes) = crate::rules::load(request, None, at(0));
        assert!(mistakes.is_empty(), "{mistakes:?}");
        assert_eq!(ruleset.counts(), crate::rules::Counts::default(), "they do not count");
        assert_eq!(ruleset.scenarios().len(), 1);
    }
}
