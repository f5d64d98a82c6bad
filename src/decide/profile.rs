//! Profiles: which overflow is answered with what. Pure.

use std::sync::Arc;

use crate::decision::Action;
use crate::event::{ALERT, Alert, OVERFLOW, Overflow, OverflowView, Source};
use crate::expr::{Program, Scope, World};
use crate::value::{Arena, Fault, Object, Section, Slot, Type, Value, parse_duration_with_days};

/// What decides whether a profile is for an alert.
#[derive(Debug)]
pub enum Filter {
    /// The scenario asks for a remedy, and the source is of this scope.
    Remedy(&'static str),
    /// An expression over `VARIABLES` is true.
    Expression(Program),
}

/// The variables of a profile's expressions.
pub(super) static VARIABLES: [(&str, Type); 1] = [("Alert", Type::Object(&ALERT))];

/// What a profile does when one of its filters cannot be evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFault {
    /// As if the filter did not hold.
    Pass,
    /// As if the filter held.
    Apply,
    /// No later profile is asked.
    Stop,
}

/// What a profile answers with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// Ban or observe.
    pub action: Action,
    /// For how many nanoseconds; above 0.
    pub duration: i64,
    /// The scope of the decision; `None` for the source's.
    pub scope: Option<String>,
    /// Whether it lasts longer after other bans; not where the profile computes how long.
    pub may_grow: bool,
}

/// A profile.
#[derive(Debug)]
pub struct Profile {
    /// Its name, for people.
    pub name: String,
    /// It is for the alerts that one of these holds for.
    pub filters: Vec<Filter>,
    /// What it answers with; with none, later profiles are asked, or nothing is done at all if
    /// `is_last`.
    pub sentences: Vec<Sentence>,
    /// Gives the duration of all sentences, as text or as a duration. Where it cannot, each keeps
    /// its own.
    pub duration: Option<Program>,
    /// Whether no later profile is asked when this one was for the alert.
    pub is_last: bool,
    /// What happens when a filter cannot be evaluated.
    pub on_fault: OnFault,
}

/// All profiles, in the order in which they are asked. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Profiles(Arc<[Profile]>);

/// What the profiles say of one source of an overflow.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict<'o> {
    /// Who.
    pub source: &'o Source,
    /// The profile that spoke; `None` when none is for the alert.
    pub profile: Option<&'o str>,
    /// What it said.
    pub sentences: Vec<Sentence>,
    /// What could not be evaluated, and why.
    pub faults: Vec<String>,
}

impl Profiles {
    /// These profiles.
    #[must_use]
    pub fn new(profiles: Vec<Profile>) -> Self {
        Self(profiles.into())
    }

    /// The profiles of those who wrote none: addresses and prefixes are banned for `duration`
    /// nanoseconds when the scenario asks for a remedy.
    #[must_use]
    pub fn standard(duration: i64) -> Self {
        let profile = |name: &str, scope| Profile {
            name: name.to_owned(),
            filters: vec![Filter::Remedy(scope)],
            sentences: vec![Sentence {
                action: Action::Ban,
                duration,
                scope: None,
                may_grow: true,
            }],
            duration: None,
            is_last: true,
            on_fault: OnFault::Pass,
        };
        Self::new(vec![profile("default_ip", IP), profile("default_range", RANGE)])
    }

    /// What is to be done about each source of an overflow. An overflow without an alert, or one
    /// that a rule allowlisted, has no verdicts. `world` is what expressions may ask for.
    #[must_use]
    pub fn verdicts<'o>(&'o self, overflow: &'o Overflow, world: &World) -> Vec<Verdict<'o>> {
        let Some(alert) = overflow.alert.as_ref().filter(|_| !overflow.allowlisted) else {
            return Vec::new();
        };
        let arena = Arena::new();
        let view = OverflowView::new(&arena, overflow);
        let alerts = OVERFLOW.field("APIAlerts").map(|(index, _)| view.field(index));
        let alerts = match alerts {
            Some(Value::List(alerts)) => alerts,
            _ => &[],
        };
        let sources = overflow.sources.iter().map(|(_, source)| source);
        let cases = sources.zip(alerts.iter().copied()).map(|(source, shown)| {
            let case = Case { alert, source, shown, arena: &arena, world };
            self.verdict(&case, source)
        });
        cases.collect()
    }

    fn verdict<'o, 'c>(&'o self, case: &Case<'c>, source: &'o Source) -> Verdict<'o>
    where
        'o: 'c,
    {
        let mut verdict =
            Verdict { source, profile: None, sentences: Vec::new(), faults: Vec::new() };
        for profile in &*self.0 {
            match profile.is_for(case, &mut verdict.faults) {
                Some(true) => {}
                Some(false) => continue,
                None => break,
            }
            verdict.profile = Some(&profile.name);
            verdict.sentences = profile.speak(case, &mut verdict.faults);
            if profile.is_last || !profile.sentences.is_empty() {
                break;
            }
        }
        verdict
    }
}

impl Profile {
    /// Whether it is for the alert; `None` when nobody may be asked any more.
    fn is_for<'c>(&'c self, case: &Case<'c>, faults: &mut Vec<String>) -> Option<bool> {
        let mut is_for = false;
        // All of them are asked, whatever the first ones say, so that a fault shows at once.
        for filter in &self.filters {
            match filter.holds(case) {
                Ok(holds) => is_for |= holds,
                Err(fault) => {
                    faults.push(format!("profile `{}`: {fault}", self.name));
                    match self.on_fault {
                        OnFault::Pass => {}
                        OnFault::Apply => is_for = true,
                        OnFault::Stop => return None,
                    }
                }
            }
        }
        Some(is_for)
    }

    fn speak<'c>(&'c self, case: &Case<'c>, faults: &mut Vec<String>) -> Vec<Sentence> {
        let mut sentences = self.sentences.clone();
        let Some(program) = &self.duration else { return sentences };
        match case.duration(program) {
            Ok(duration) => sentences.iter_mut().for_each(|one| one.duration = duration),
            Err(fault) => faults.push(format!("profile `{}`: {fault}", self.name)),
        }
        sentences
    }
}

impl Filter {
    fn holds<'c>(&'c self, case: &Case<'c>) -> Result<bool, Fault> {
        match self {
            Filter::Remedy(scope) => {
                Ok(case.alert.remediation && case.source.scope.eq_ignore_ascii_case(scope))
            }
            Filter::Expression(program) => program.truth(case),
        }
    }
}

/// One source of an overflow before the profiles.
struct Case<'a> {
    alert: &'a Alert,
    source: &'a Source,
    /// The alert as expressions see it.
    shown: Value<'a>,
    arena: &'a Arena,
    world: &'a World,
}

impl<'a> Case<'a> {
    fn duration(&self, program: &'a Program) -> Result<i64, Fault> {
        let found = program.evaluate(self)?;
        let duration = match found {
            Value::Duration(nanos) => Some(nanos),
            Value::Text(text) => parse_duration_with_days(text),
            _ => None,
        };
        duration.filter(|nanos| *nanos > 0).ok_or_else(|| {
            Fault::new(format!("expected a duration such as `4h` or `2d`, found {found:?}"))
        })
    }
}

impl<'a> Scope<'a> for Case<'a> {
    fn arena(&self) -> &'a Arena {
        self.arena
    }

    fn variable(&self, index: usize) -> Value<'a> {
        if index == 0 { self.shown } else { Value::Nil }
    }

    fn field(&self, _: Slot) -> Option<&'a str> {
        None
    }

    fn section(&self, _: Section) -> Value<'a> {
        Value::Nil
    }

    fn world(&self) -> &'a World {
        self.world
    }
}

/// The scope of single addresses.
pub(super) const IP: &str = "Ip";
/// The scope of prefixes.
pub(super) const RANGE: &str = "Range";

/// Whether a scope names addresses or prefixes, which alone can be banned. Its case is as people
/// write it.
pub(super) fn is_bannable(scope: &str) -> bool {
    scope.eq_ignore_ascii_case(IP) || scope.eq_ignore_ascii_case(RANGE)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::event::ShownKey;
    use crate::value::Time;

    /// An overflow of `scenario` by these sources (scope and value), asking for a remedy.
    pub(crate) fn overflow(scenario: &str, sources: &[(&str, &str)]) -> Overflow {
        let source = |(scope, value): &(&str, &str)| {
            let source = Source {
                scope: (*scope).to_owned(),
                value: (*value).to_owned(),
                ip: (*value).to_owned(),
                ..Source::default()
            };
            ((*value).to_owned(), source)
        };
        Overflow {
            key: ShownKey::default(),
            sources: sources.iter().map(source).collect(),
            alert: Some(Alert {
                scenario: scenario.into(),
                message: String::new(),
                capacity: 5,
                leakspeed: 10_000_000_000,
                events_count: 6,
                start_at: Time::from_seconds(0),
                stop_at: Time::from_seconds(5),
                events: Vec::new(),
                meta: Vec::new(),
                simulated: false,
                remediation: true,
                spoofable: 0,
                machine: None,
            }),
            allowlisted: false,
            reprocess: false,
            trust: crate::event::Trust::FULL,
        }
    }

    #[track_caller]
    fn check(profiles: &Profiles, overflow: &Overflow, expected: &[(&str, Option<&str>, usize)]) {
        let found: Vec<_> = profiles
            .verdicts(overflow, &World::default())
            .iter()
            .map(|verdict| (&*verdict.source.value, verdict.profile, verdict.sentences.len()))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_standard_profiles_ban_addresses_and_prefixes() {
        let standard = Profiles::standard(7);
        let ip = ("203.0.113.7", Some("default_ip"), 1);
        check(&standard, &overflow("ssh-bf", &[("Ip", "203.0.113.7")]), &[ip]);
        let range = ("203.0.113.0/24", Some("default_range"), 1);
        let both = overflow("ssh-bf", &[("Ip", "203.0.113.7"), ("range", "203.0.113.0/24")]);
        check(&standard, &both, &[ip, range]);
        check(&standard, &overflow("ssh-bf", &[("Country", "FR")]), &[("FR", None, 0)]);
        assert_eq!(
            standard.verdicts(&both, &World::default())[0].sentences,
            [Sentence { action: Action::Ban, duration: 7, scope: None, may_grow: true }]
        );
    }

    #[test]
    fn nothing_is_said_without_a_wish_for_a_remedy() {
        let standard = Profiles::standard(7);
        let mut quiet = overflow("ssh-bf", &[("Ip", "203.0.113.7")]);
        quiet.allowlisted = true;
        check(&standard, &quiet, &[]);
        quiet.allowlisted = false;
        if let Some(alert) = &mut quiet.alert {
            alert.remediation = false;
        }
        check(&standard, &quiet, &[("203.0.113.7", None, 0)]);
        quiet.alert = None;
        check(&standard, &quiet, &[]);
    }

    #[test]
    fn the_first_profile_with_an_answer_speaks_and_one_may_end_it() {
        let sentence =
            || Sentence { action: Action::Ban, duration: 1, scope: None, may_grow: true };
        let profile = |name: &str, sentences, is_last| Profile {
            name: name.to_owned(),
            filters: vec![Filter::Remedy(RANGE), Filter::Remedy(IP)],
            sentences,
            duration: None,
            is_last,
            on_fault: OnFault::Pass,
        };
        let never = || Profile { filters: Vec::new(), ..profile("never", vec![sentence()], true) };
        let silent = |is_last| profile("silent", Vec::new(), is_last);
        let speaks = |name| profile(name, vec![sentence()], false);
        let from = overflow("ssh-bf", &[("Ip", "203.0.113.7")]);
        let said = |name| [("203.0.113.7", Some(name), 1)];
        let check = |profiles, expected: &[_]| check(&Profiles::new(profiles), &from, expected);
        check(vec![never(), speaks("a"), speaks("b")], &said("a"));
        check(vec![silent(false), speaks("a")], &said("a"));
        check(vec![silent(true), speaks("a")], &[("203.0.113.7", Some("silent"), 0)]);
        check(vec![never()], &[("203.0.113.7", None, 0)]);
    }
}
