//! An explained line, for people and for programs.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::fields;
use super::last::Received;
use super::near::NearScenario;
use super::seen::{Rule, Seen, Step, missed};
use crate::diagnostic::printable;
use crate::event::Event;
use crate::parse::syslog;
use crate::rules::Ruleset;
use crate::value::Section;

/// What is to be shown of one line.
pub(super) struct Shown<'s, 'a> {
    pub(super) event: &'a Event<'a>,
    pub(super) outcome: &'static str,
    pub(super) poured: &'s [String],
    pub(super) seen: &'s Seen<'s>,
    pub(super) near: &'s [NearScenario],
    /// How the daemon came by the line, if it did.
    pub(super) received: Option<&'s Received>,
}

/// Texts are cut to this many bytes.
const LONGEST: usize = 300;
/// So many rules that came close are named.
const NEAREST: usize = 3;
/// A rule whose filter wanted something less alike than this is not named.
const ALIKE: f64 = 0.3;

impl Shown<'_, '_> {
    /// One JSON object.
    pub(super) fn json(&self) -> Value {
        let map = |section| {
            let fields = fields(self.event, section).into_iter();
            Value::Object(fields.map(|(name, text)| (name.to_owned(), json!(text))).collect())
        };
        let rules: Vec<Value> = self.seen.rules.iter().filter_map(rule_json).collect();
        let near: Vec<Value> = self
            .near_rules()
            .into_iter()
            .map(|(rule, why)| json!({ "stage": rule.stage, "rule": rule.step.name, "why": why }))
            .collect();
        let mut object = Map::new();
        object.insert("line".to_owned(), json!(self.event.raw.get()));
        object.insert("label".to_owned(), json!(self.named(Section::Label, "type")));
        object.insert("program".to_owned(), json!(self.named(Section::Parsed, "program")));
        if let Some((place, received)) = &self.seen.classified {
            let by = json!({ "rule": place, "received_program": received });
            object.insert("classified".to_owned(), by);
        }
        object.insert("outcome".to_owned(), json!(self.outcome));
        object.insert("parsed".to_owned(), map(Section::Parsed));
        object.insert("meta".to_owned(), map(Section::Meta));
        object.insert("enriched".to_owned(), map(Section::Enriched));
        object.insert("poured".to_owned(), json!(self.poured));
        object.insert("rules".to_owned(), json!(rules));
        object.insert("near".to_owned(), json!(near));
        let near: Vec<Value> = self.near.iter().map(NearScenario::json).collect();
        object.insert("near_scenarios".to_owned(), json!(near));
        if let Some(friend) = &self.seen.friend {
            object.insert("friend".to_owned(), json!(friend));
        }
        if let Some(received) = self.received {
            object.insert("received".to_owned(), received.json());
        }
        Value::Object(object)
    }

    fn named(&self, section: Section, name: &str) -> &str {
        self.event.get_named(section, name).unwrap_or_default()
    }

    /// A tree: the line, its header, its rules stage by stage, what came of it.
    pub(super) fn human(&self, ruleset: &Ruleset) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "{}", printable(self.event.raw.get(), LONGEST));
        if let Some(received) = self.received {
            let _ = writeln!(text, "  received   {}", received.sentence());
            if let Some(note) = received.changed(self.outcome, self.poured.is_empty()) {
                let _ = writeln!(text, "  note       {note}");
            }
        }
        let program = printable(self.named(Section::Parsed, "program"), 64);
        let label = printable(self.named(Section::Label, "type"), 64);
        let _ = writeln!(text, "  header     program \"{program}\", label \"{label}\"");
        if let Some((place, received)) = &self.seen.classified {
            let received = printable(received, 64);
            let _ = writeln!(text, "  classified by {place}; received as program \"{received}\"");
        }
        if let Some(note) = self.wrong_label() {
            let _ = writeln!(text, "  note       {note}");
        }
        if self.is_of_nameless_container() {
            let _ = writeln!(
                text,
                "  note       the program is the number of a container: have it tell a name \
                 (`docker run --log-opt tag={{{{.Name}}}}`), or map it by `classify`"
            );
        }
        let outcome = self.outcome_line();
        let _ = writeln!(text, "  outcome    {outcome}");
        for (rule, why) in self.near_rules() {
            let _ = writeln!(text, "  near miss  {} ({}): {why}", rule.step.name, rule.stage);
        }
        for scenario in self.near {
            let _ = writeln!(text, "  near miss  {}", scenario.sentence());
        }
        for stage in ruleset.stage_names() {
            let rules: Vec<&Rule> =
                self.seen.rules.iter().filter(|rule| rule.stage == stage).collect();
            if rules.is_empty() {
                let _ = writeln!(text, "  {stage:<10} not reached");
                continue;
            }
            let taken: Vec<&&Rule> = rules.iter().filter(|rule| rule.step.success).collect();
            if taken.is_empty() {
                let _ = writeln!(text, "  {stage:<10} none of {} rules took it", rules.len());
            }
            for rule in taken {
                let _ = writeln!(text, "  {stage:<10} {} took it", rule.step.name);
                statics(&mut text, &rule.step);
            }
        }
        for (name, section) in [("meta", Section::Meta), ("parsed", Section::Parsed)] {
            for (key, value) in fields(self.event, section) {
                let _ = writeln!(text, "  {name:<10} {key} = {}", printable(value, LONGEST));
            }
        }
        text
    }

    fn outcome_line(&self) -> String {
        match (&self.seen.friend, self.outcome) {
            (Some(friend), _) => format!("allowlisted: {friend}"),
            (None, "parsed") if self.poured.is_empty() => {
                "parsed; no scenario counts it".to_owned()
            }
            (None, "parsed") => format!("parsed; poured into {}", self.poured.join(", ")),
            (None, outcome) => outcome.to_owned(),
        }
    }

    /// What to say of a line with a syslog header whose label says that it has none.
    fn wrong_label(&self) -> Option<String> {
        let label = self.named(Section::Label, "type");
        let header = syslog::decode(self.event.raw.get());
        let is_of_source = self.seen.classified.is_none();
        let is_wrong =
            self.outcome == "unparsed" && label != "syslog" && is_of_source && header.is_syslog();
        is_wrong.then(|| {
            format!(
                "the line has a syslog header (program \"{}\"), but its label is \"{}\", so the \
                 header is not read: use the label `syslog`",
                printable(header.program, 64),
                printable(label, 64)
            )
        })
    }

    /// Whether no rule took the line for want of a name: Docker's syslog driver calls a container
    /// by the beginning of its number unless it is told otherwise.
    fn is_of_nameless_container(&self) -> bool {
        let program = self.named(Section::Parsed, "program");
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        self.outcome == "unparsed" && program.len() == 12 && program.bytes().all(is_digit)
    }

    /// The rules that did not take the line but came close, the closest first, each with the
    /// reason. Only where no rule of the stage took it.
    fn near_rules(&self) -> Vec<(&Rule, String)> {
        let is_taken = |stage: &str| {
            self.seen.rules.iter().any(|rule| rule.stage == stage && rule.step.success)
        };
        let mut near: Vec<&Rule> = self
            .seen
            .rules
            .iter()
            .filter(|rule| !is_taken(&rule.stage) && rule.step.closeness() >= ALIKE)
            .collect();
        near.sort_by(|a, b| b.step.closeness().total_cmp(&a.step.closeness()));
        near.truncate(NEAREST);
        near.into_iter().map(|rule| (rule, why(&rule.step))).collect()
    }
}

/// The fields that the rule set, those of its children too.
fn statics(text: &mut String, step: &Step) {
    for (target, value) in &step.statics {
        let _ = writeln!(text, "             {target} = {value}");
    }
    for (reason, listed) in &step.allowlists {
        let verdict = if *listed { "is on" } else { "is not on" };
        let _ = writeln!(text, "             {verdict} its allowlist ({reason})");
    }
    for fault in &step.faults {
        let _ = writeln!(text, "             failed: {fault}");
    }
    for child in &step.children {
        statics(text, child);
    }
}

/// Why a rule did not take the line, in a sentence.
fn why(step: &Step) -> String {
    if let Some(filter) = &step.filter
        && !filter.passed
    {
        let Some((test, _)) = filter.trace.as_ref().and_then(missed) else {
            return format!("its filter is false: {}", printable(&filter.source, LONGEST));
        };
        let found = test.found.as_deref().unwrap_or("");
        let wanted: Vec<String> =
            test.wanted.iter().take(8).map(|wanted| format!("\"{wanted}\"")).collect();
        let more = if test.wanted.len() > wanted.len() { ", ..." } else { "" };
        let verb = match (test.operator, test.wanted.len()) {
            ("==", _) => "wants",
            ("in", 1) => "wants",
            ("in", _) => "wants one of",
            ("contains", _) => "wants it to contain",
            ("startsWith", _) => "wants it to start with",
            ("endsWith", _) => "wants it to end with",
            (_, _) => "wants it to match",
        };
        let not = if test.negated { "not " } else { "" };
        return format!(
            "{} is \"{}\", this filter {not}{verb} {}{more}",
            test.name,
            printable(found, LONGEST),
            printable(&wanted.join(", "), LONGEST)
        );
    }
    if let Some(grok) = step.furthest() {
        return match (&grok.progress, &grok.text) {
            (Some(progress), _) => format!("its filter holds; {progress}"),
            (None, None) => {
                "its filter holds; the field that its pattern looks at is not set".to_owned()
            }
            (None, Some(_)) => "its filter holds; its pattern captures nothing".to_owned(),
        };
    }
    if let Some(fault) = step.faults.first() {
        return format!("it failed: {fault}");
    }
    if step.entered() {
        return "its filter holds, but nothing in it succeeded".to_owned();
    }
    "its filter is false".to_owned()
}

/// A rule that let the event in, for programs.
fn rule_json(rule: &Rule) -> Option<Value> {
    rule.step.entered().then(|| {
        json!({
            "stage": rule.stage,
            "rule": rule.step.name,
            "success": rule.step.success,
        })
    })
}
