//! Profiles: which overflow is answered with what. Pure.

use crate::decision::Action;
use crate::event::{Alert, Overflow, Source};

/// What decides whether a profile is for an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// The scenario asks for a remedy, and the source is of this scope.
    Remedy(&'static str),
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
}

/// A profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its name, for people.
    pub name: String,
    /// It is for the alerts that one of these holds for.
    pub filters: Vec<Filter>,
    /// What it answers with; with none, later profiles are asked, or nothing is done at all if
    /// `is_last`.
    pub sentences: Vec<Sentence>,
    /// Whether no later profile is asked when this one was for the alert.
    pub is_last: bool,
}

/// All profiles, in the order in which they are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profiles(Vec<Profile>);

/// What the profiles say of one source of an overflow.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict<'o> {
    /// Who.
    pub source: &'o Source,
    /// The profile that spoke; `None` when none is for the alert.
    pub profile: Option<&'o str>,
    /// What it said.
    pub sentences: Vec<Sentence>,
}

impl Profiles {
    /// These profiles.
    #[must_use]
    pub fn new(profiles: Vec<Profile>) -> Self {
        Self(profiles)
    }

    /// The profiles of those who wrote none: addresses and prefixes are banned for `duration`
    /// nanoseconds when the scenario asks for a remedy.
    #[must_use]
    pub fn standard(duration: i64) -> Self {
        let profile = |name: &str, scope| Profile {
            name: name.to_owned(),
            filters: vec![Filter::Remedy(scope)],
            sentences: vec![Sentence { action: Action::Ban, duration, scope: None }],
            is_last: true,
        };
        Self(vec![profile("default_ip", IP), profile("default_range", RANGE)])
    }

    /// What is to be done about each source of an overflow. An overflow without an alert, or one
    /// that a rule allowlisted, has no verdicts.
    #[must_use]
    pub fn verdicts<'o>(&'o self, overflow: &'o Overflow) -> Vec<Verdict<'o>> {
        let Some(alert) = overflow.alert.as_ref().filter(|_| !overflow.allowlisted) else {
            return Vec::new();
        };
        overflow.sources.iter().map(|(_, source)| self.verdict(alert, source)).collect()
    }

    fn verdict<'o>(&'o self, alert: &'o Alert, source: &'o Source) -> Verdict<'o> {
        let mut verdict = Verdict { source, profile: None, sentences: Vec::new() };
        for profile in &self.0 {
            if !profile.filters.iter().any(|filter| holds(filter, alert, source)) {
                continue;
            }
            verdict.profile = Some(&profile.name);
            verdict.sentences.clone_from(&profile.sentences);
            if profile.is_last || !profile.sentences.is_empty() {
                break;
            }
        }
        verdict
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

fn holds(filter: &Filter, alert: &Alert, source: &Source) -> bool {
    match filter {
        Filter::Remedy(scope) => alert.remediation && source.scope.eq_ignore_ascii_case(scope),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
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
            key: String::new(),
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
            }),
            allowlisted: false,
            reprocess: false,
        }
    }

    #[track_caller]
    fn check(profiles: &Profiles, overflow: &Overflow, expected: &[(&str, Option<&str>, usize)]) {
        let found: Vec<_> = profiles
            .verdicts(overflow)
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
            standard.verdicts(&both)[0].sentences,
            [Sentence { action: Action::Ban, duration: 7, scope: None }]
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
        let sentence = || Sentence { action: Action::Ban, duration: 1, scope: None };
        let profile = |name: &str, sentences, is_last| Profile {
            name: name.to_owned(),
            filters: vec![Filter::Remedy(RANGE), Filter::Remedy(IP)],
            sentences,
            is_last,
        };
        let never = Profile { filters: Vec::new(), ..profile("never", vec![sentence()], true) };
        let silent = |is_last| profile("silent", Vec::new(), is_last);
        let speaks = |name| profile(name, vec![sentence()], false);
        let all = |profiles: &[Profile]| Profiles::new(profiles.to_vec());
        let from = overflow("ssh-bf", &[("Ip", "203.0.113.7")]);
        let said = |name| [("203.0.113.7", Some(name), 1)];
        check(&all(&[never.clone(), speaks("a"), speaks("b")]), &from, &said("a"));
        check(&all(&[silent(false), speaks("a")]), &from, &said("a"));
        check(&all(&[silent(true), speaks("a")]), &from, &[("203.0.113.7", Some("silent"), 0)]);
        check(&all(&[never]), &from, &[("203.0.113.7", None, 0)]);
    }
}
