//! Which rule is nearest to the lines that the rules make nothing of: computed when somebody asks, on
//! a thread of its own.
//!
//! What must hold: no worker waits for it, and whoever asks waits a bounded time; what is not known by
//! then is known when they ask again. What was found stays with its line for a while, or until there
//! are other rules, so that asking again costs nothing however fast lines arrive. Hostile: lines are
//! whatever somebody sent; each is at most as long as samples are, and there is one of a program.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::current::Current;
use crate::control::{Coverage, NearestRule, ReceivedLine};
use crate::decision::Allowlist;
use crate::event::{Batch, SourceId};
use crate::explain;
use crate::value::Time;

/// How long whoever asks waits.
const PATIENCE: Duration = Duration::from_millis(400);
/// How long what was found is good for, though there are newer lines by then: nanoseconds.
const GOOD: i64 = 60_000_000_000;

/// What is known of the programs.
#[derive(Debug, Default)]
pub(super) struct Nearness(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    known: Mutex<Known>,
    done: Condvar,
}

#[derive(Debug, Default)]
struct Known {
    /// By label and program.
    programs: HashMap<(String, String), Found>,
    /// Whether somebody is at work.
    is_busy: bool,
}

/// What was found of a line.
#[derive(Clone, Debug)]
struct Found {
    /// The rules that it was held against.
    generation: u64,
    at: Time,
    example: ReceivedLine,
    nearest: Option<NearestRule>,
}

/// A line that is to be held against the rules.
#[derive(Debug)]
struct Question {
    of: (String, String),
    source: SourceId,
    example: ReceivedLine,
}

impl Nearness {
    /// Gives the programs that have an example the rule that is nearest to it, as far as it is known
    /// in time. `source` tells the number of a source by its name.
    pub(super) fn fill(
        &self,
        programs: &mut [Coverage],
        source: impl Fn(&str) -> Option<SourceId>,
        current: &Arc<Current>,
        friends: &Arc<Allowlist>,
        now: Time,
    ) {
        let mut known = self.0.known();
        if !known.is_busy {
            // Programs whose lines are not kept any more are forgotten, so what is known is bounded
            // by what is kept.
            let of = |program: &Coverage| (program.label.clone(), program.program.clone());
            let kept: HashMap<_, _> =
                programs.iter().filter_map(|one| Some((of(one), one.example.clone()?))).collect();
            known
                .programs
                .retain(|of, found| kept.contains_key(of) && found.holds(current.generation, now));
            let questions: Vec<Question> = kept
                .into_iter()
                .filter(|(of, _)| !known.programs.contains_key(of))
                .filter_map(|(of, example)| {
                    Some(Question { of, source: source(&example.source)?, example })
                })
                .collect();
            if !questions.is_empty() {
                known.is_busy = self.begin(questions, current, friends, now);
            }
        }
        let waited = self.0.done.wait_timeout_while(known, PATIENCE, |known| known.is_busy);
        let (known, _) = waited.unwrap_or_else(PoisonError::into_inner);
        for program in programs {
            let of = (program.label.clone(), program.program.clone());
            let Some(found) = known.programs.get(&of) else { continue };
            if found.generation == current.generation && program.example.is_some() {
                program.example = Some(found.example.clone());
                program.nearest.clone_from(&found.nearest);
            }
        }
    }

    /// Starts to look for answers; whether it could.
    fn begin(
        &self,
        questions: Vec<Question>,
        current: &Arc<Current>,
        friends: &Arc<Allowlist>,
        now: Time,
    ) -> bool {
        let (shared, current) = (Arc::clone(&self.0), Arc::clone(current));
        let friends = Arc::clone(friends);
        let started = super::thread("weir-explain", move || {
            for Question { of, source, example } in questions {
                let nearest = nearest(&current, &friends, source, &example, now);
                let generation = current.generation;
                let found = Found { generation, at: now, example, nearest };
                shared.known().programs.insert(of, found);
            }
            shared.known().is_busy = false;
            shared.done.notify_all();
        });
        if let Err(error) = &started {
            tracing::warn!(%error, "which rules are nearest to lines is not known");
        }
        started.is_ok()
    }
}

impl Shared {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Found {
    fn holds(&self, generation: u64, now: Time) -> bool {
        self.generation == generation && (0..GOOD).contains(&now.since(self.at))
    }
}

/// The rule that comes nearest to taking a line.
fn nearest(
    current: &Current,
    friends: &Allowlist,
    source: SourceId,
    example: &ReceivedLine,
    now: Time,
) -> Option<NearestRule> {
    let from = current.sources.get(usize::from(source.0))?;
    let received = Time::from_rfc3339(&example.received_at).unwrap_or(now);
    let mut batch = Batch::new(source, received);
    batch.push(example.text.as_bytes(), example.cut, None);
    let line = batch.lines().next()?;
    let account = explain::account(&current.ruleset, friends, from, line, now);
    let nearest = account.nearest()?;
    Some(NearestRule { rule: nearest.rule, stage: nearest.stage, why: nearest.sentence })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;
    use crate::rules::Outside;
    use crate::settings::Settings;

    /// The shipped rules, as a daemon has them.
    fn current(generation: u64) -> Arc<Current> {
        let settings = Settings::default();
        let (ruleset, mistakes) = super::super::rules_of(&settings, None, Outside::default());
        assert!(mistakes.is_empty());
        Arc::new(Current::new(generation, ruleset, &settings, None, &Metrics::default()))
    }

    fn program(name: &str, text: &str) -> Coverage {
        let example = ReceivedLine {
            received_at: "2026-11-23T10:00:00Z".to_owned(),
            source: "udp".to_owned(),
            source_label: "syslog".to_owned(),
            text: text.to_owned(),
            cut: false,
        };
        Coverage {
            label: "syslog".to_owned(),
            program: name.to_owned(),
            unparsed: 1,
            example: Some(example),
            ..Coverage::default()
        }
    }

    const SSHD: &str = "<38>Nov 22 10:00:00 host sshd[811]: Failed password to root from 192.0.2.7";

    fn fill(nearness: &Nearness, programs: &mut [Coverage], current: &Arc<Current>, now: i64) {
        let friends = Arc::new(Allowlist::new(Vec::new()));
        let source = |name: &str| (name == "udp").then_some(SourceId(0));
        // Debug builds on busy machines may take longer than whoever asks waits.
        for _ in 0..50 {
            nearness.fill(programs, source, current, &friends, Time::from_seconds(now));
            if !nearness.0.known().is_busy {
                break;
            }
        }
        nearness.fill(programs, source, current, &friends, Time::from_seconds(now));
    }

    #[test]
    fn a_program_has_the_rule_that_is_nearest() {
        let (nearness, current) = (Nearness::default(), current(1));
        let mut programs = [program("sshd", SSHD), program("x", "<38>Nov 22 10:00:00 host x: y")];
        fill(&nearness, &mut programs, &current, 100);
        let nearest = programs[0].nearest.as_ref().expect("a rule for sshd");
        assert!(nearest.rule.contains("ssh"), "{nearest:?}");
        assert!(!nearest.why.is_empty() && nearest.stage.starts_with("s0"), "{nearest:?}");
        let none = Coverage { program: "sshd".to_owned(), ..Coverage::default() };
        fill(&nearness, &mut [none], &current, 100);
        assert!(nearness.0.known().programs.is_empty(), "what is not kept is not remembered");
    }

    #[test]
    fn what_was_found_stays_for_a_while_or_until_there_are_other_rules() {
        let (nearness, first) = (Nearness::default(), current(1));
        let ask = |text: &str, current: &Arc<Current>, now| {
            let mut programs = [program("sshd", text)];
            fill(&nearness, &mut programs, current, now);
            let [program] = programs;
            program.example.expect("it has one").text
        };
        let newer = SSHD.replace("root", "admin");
        assert_eq!(ask(SSHD, &first, 100), SSHD);
        assert_eq!(ask(&newer, &first, 159), SSHD, "the rule belongs to the line");
        assert_eq!(ask(&newer, &first, 160), newer);
        assert_eq!(ask(SSHD, &first, 170), newer);
        let second = current(2);
        assert_eq!(ask(SSHD, &second, 171), SSHD);
        assert_eq!(ask(&newer, &second, 20), newer, "a clock that was set back");
    }
}
