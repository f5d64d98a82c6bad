//! What the rules make of one line, and how near those came that did not take it.
//!
//! The line goes through the very stages and filters that a running daemon has, with somebody
//! looking on: nothing here decides anything by itself. Slow beside the plain way; for people who
//! ask why. Knows no file, socket or clock, and not how an answer is shown.

#![forbid(unsafe_code)]

mod nearest;
mod scenarios;
mod seen;

use crate::decision::Allowlist;
use crate::detect::{self, ScenarioId};
use crate::event::{Event, Line};
use crate::parse::{Fact, LineSource, Outcome, Scratch};
use crate::rules::Ruleset;
use crate::value::{Arena, Section, Time};

pub use nearest::Nearest;
pub use scenarios::NearScenario;
pub use seen::{Filter, Grok, Rule, Step};

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It went through all stages.
    Parsed,
    /// A rule, or the allowlist, says that it is harmless.
    Allowlisted,
    /// It did not go through all stages.
    Unparsed,
}

/// What the rules made of a line.
#[derive(Debug)]
pub struct Account {
    /// The line without what is no text.
    pub text: String,
    /// The program that wrote it, as the rules see it.
    pub program: String,
    /// Its label (`type`).
    pub label: String,
    /// What became of it.
    pub ending: Ending,
    /// The friend that it speaks of, in words.
    pub friend: Option<String>,
    /// The rule that gave the line another label or program, and the program as received.
    pub classified: Option<(String, String)>,
    /// `evt.Parsed`, those that are not empty, by name.
    pub parsed: Vec<(String, String)>,
    /// `evt.Meta`, in the same way.
    pub meta: Vec<(String, String)>,
    /// `evt.Enriched`, in the same way.
    pub enriched: Vec<(String, String)>,
    /// The rules that were tried, in order.
    pub rules: Vec<Rule>,
    /// The scenarios that took it, each once.
    pub poured: Vec<String>,
    /// Scenarios that one clause of their filter kept from it, the closest first.
    pub near_scenarios: Vec<NearScenario>,
}

/// Sends a line through the rules, and takes note of all that happens to it at `now`.
#[must_use]
pub fn account(
    ruleset: &Ruleset,
    allowlist: &Allowlist,
    source: &LineSource,
    line: Line<'_>,
    now: Time,
) -> Account {
    let arena = Arena::new();
    let world = ruleset.world();
    world.set_now(now);
    let mut scratch = Scratch::new();
    let mut seen = seen::Seen::new(ruleset.library());
    let (event, outcome) = {
        let mut observer = |fact: Fact<'_, '_>| seen.note(&fact);
        ruleset.parse(line, source, &arena, &world, &mut scratch, Some(&mut observer))
    };
    let friend = match outcome {
        Outcome::Parsed => friend(allowlist, event),
        Outcome::Allowlisted | Outcome::Unparsed { .. } => None,
    };
    let ending = match outcome {
        Outcome::Unparsed { .. } => Ending::Unparsed,
        Outcome::Allowlisted => Ending::Allowlisted,
        Outcome::Parsed if friend.is_some() => Ending::Allowlisted,
        Outcome::Parsed => Ending::Parsed,
    };
    let (mut poured, mut near_scenarios) = (Vec::new(), Vec::new());
    if ending == Ending::Parsed {
        let mut pours = Vec::new();
        let scenarios = ruleset.scenarios();
        scenarios.select(&mut detect::Scratch::default(), event, &world, &mut pours);
        let took: Vec<ScenarioId> = pours.iter().map(|pour| pour.scenario).collect();
        near_scenarios = scenarios::near(ruleset, event, &world, &took);
        for id in took {
            let name = scenarios.get(id).name.to_string();
            if !poured.contains(&name) {
                poured.push(name);
            }
        }
    }
    let named = |section, name| event.get_named(section, name).unwrap_or_default().to_owned();
    Account {
        text: event.raw.get().to_owned(),
        program: named(Section::Parsed, "program"),
        label: named(Section::Label, "type"),
        ending,
        friend,
        classified: seen.classified,
        parsed: fields(event, Section::Parsed),
        meta: fields(event, Section::Meta),
        enriched: fields(event, Section::Enriched),
        rules: seen.rules,
        poured,
        near_scenarios,
    }
}

/// The friend that the event speaks of, in words.
fn friend<'a>(allowlist: &Allowlist, event: &'a Event<'a>) -> Option<String> {
    let mut found = None;
    event.each_address(|text, address| {
        if let Some(entry) = allowlist.find(address) {
            found = Some(format!("{text} is on the allowlist: {} ({})", entry.net, entry.comment));
        }
    });
    found
}

/// The fields of a section, sorted by name.
fn fields<'a>(event: &'a Event<'a>, section: Section) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    event.each_field(section, &mut |name, text| {
        if !text.is_empty() {
            fields.push((name.to_owned(), text.to_owned()));
        }
    });
    fields.sort_unstable();
    fields
}

impl Ending {
    /// The word that the metrics have for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Parsed => "parsed",
            Self::Allowlisted => "allowlisted",
            Self::Unparsed => "unparsed",
        }
    }
}
