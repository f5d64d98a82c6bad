//! The YAML of cases: lines in, fields, overflows and bans out.

use std::ops::Range;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, UserFile};
use crate::value::{Time, parse_duration};
use crate::yaml::{self, Fields, Node};

/// All cases of one file.
#[derive(Clone, Debug)]
pub struct Cases {
    /// The file.
    pub file: Arc<UserFile>,
    /// One line each, and what it must become.
    pub lines: Vec<LineCase>,
    /// Several lines in time, and what they must lead to.
    pub attacks: Vec<Attack>,
}

/// A line as a case has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// Tag and text; a header with the case's time and the host `host` goes in front.
    Message(String),
    /// The whole line as it arrives.
    Line(String),
}

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The rules understood it.
    Parsed,
    /// No rule wanted it.
    Unparsed,
    /// It speaks of a friend.
    Allowlisted,
}

impl Outcome {
    const WORDS: [(&'static str, Self); 3] = [
        ("parsed", Outcome::Parsed),
        ("unparsed", Outcome::Unparsed),
        ("allowlisted", Outcome::Allowlisted),
    ];

    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Parsed => "parsed",
            Outcome::Unparsed => "unparsed",
            Outcome::Allowlisted => "allowlisted",
        }
    }
}

/// One line, and what it must become.
#[derive(Clone, Debug)]
pub struct LineCase {
    /// Where the case is in its file.
    pub span: Range<usize>,
    /// The line.
    pub written: Written,
    /// The label that its source gives it.
    pub label: String,
    /// What must become of it.
    pub outcome: Outcome,
    /// Fields of `Parsed` that must have these texts.
    pub parsed: Vec<(String, String)>,
    /// Fields of `Meta` that must have these texts.
    pub meta: Vec<(String, String)>,
}

/// Lines in time, and what they must lead to.
#[derive(Clone, Debug)]
pub struct Attack {
    /// Where the case is in its file.
    pub span: Range<usize>,
    /// What it shows, in words.
    pub name: String,
    /// The lines.
    pub steps: Vec<Step>,
    /// How often each scenario must overflow; no other may. `None` when the case does not say.
    pub overflows: Option<Vec<(String, u64)>>,
    /// Who must be banned, and nobody else. `None` when the case does not say.
    pub bans: Option<Vec<String>>,
}

/// One line, some times over.
#[derive(Clone, Debug)]
pub struct Step {
    /// The line.
    pub written: Written,
    /// The label that its source gives it.
    pub label: String,
    /// How often it comes.
    pub times: u32,
    /// How long after the line before, in nanoseconds.
    pub every: i64,
}

/// How often a step may repeat, so that a case cannot run for ever.
const MOST_TIMES: i64 = 1_000_000;

/// Reads the cases of a file. What cannot be read is left out and told.
#[must_use]
pub fn load(file: &Arc<UserFile>) -> (Cases, Vec<Diagnostic>) {
    let (documents, mut diagnostics) = yaml::load(file);
    let mut cases = Cases { file: Arc::clone(file), lines: Vec::new(), attacks: Vec::new() };
    for document in &documents {
        let Some(mut fields) = Fields::of(document, file, "a file of cases", &mut diagnostics)
        else {
            continue;
        };
        let lines = fields.list("lines");
        let attacks = fields.list("attacks");
        fields.finish();
        cases.lines.extend(lines.iter().filter_map(|node| line(node, file, &mut diagnostics)));
        cases
            .attacks
            .extend(attacks.iter().filter_map(|node| attack(node, file, &mut diagnostics)));
    }
    (cases, diagnostics)
}

fn pairs(fields: &mut Fields<'_, '_>, key: &'static str) -> Vec<(String, String)> {
    fields
        .text_map(key)
        .into_iter()
        .map(|(name, text)| (name.text.clone(), text.value.to_owned()))
        .collect()
}

/// The line itself: exactly one of `message` and `line`.
fn written(fields: &mut Fields<'_, '_>) -> Option<Written> {
    let message = fields.text("message").map(|text| Written::Message(text.value.to_owned()));
    let line = fields.text("line").map(|text| Written::Line(text.value.to_owned()));
    if message.is_some() == line.is_some() {
        let span = fields.mapping_node().span.clone();
        fields.report(span, "case-line", "expected one of the keys `message` and `line`");
        return None;
    }
    message.or(line)
}

fn label(fields: &mut Fields<'_, '_>) -> String {
    fields.text("label").map_or("syslog", |text| text.value).to_owned()
}

fn line(node: &Node, file: &Arc<UserFile>, diagnostics: &mut Vec<Diagnostic>) -> Option<LineCase> {
    let mut fields = Fields::of(node, file, "a line", diagnostics)?;
    let written = written(&mut fields);
    let label = label(&mut fields);
    let outcome = fields.choice("outcome", &Outcome::WORDS).map(|found| found.value);
    let parsed = pairs(&mut fields, "parsed");
    let meta = pairs(&mut fields, "meta");
    if outcome.is_none() && parsed.is_empty() && meta.is_empty() {
        let message = "the case checks nothing: it needs `outcome`, `parsed` or `meta`";
        fields.report(node.span.clone(), "case-checks-nothing", message);
    }
    fields.finish();
    Some(LineCase {
        span: node.span.clone(),
        written: written?,
        label,
        outcome: outcome.unwrap_or(Outcome::Parsed),
        parsed,
        meta,
    })
}

fn attack(node: &Node, file: &Arc<UserFile>, diagnostics: &mut Vec<Diagnostic>) -> Option<Attack> {
    let mut fields = Fields::of(node, file, "an attack", diagnostics)?;
    let name = fields.required_text("name").map(|text| text.value.to_owned());
    let steps = fields.list("steps");
    if steps.is_empty() {
        fields.report(node.span.clone(), "case-no-steps", "an attack needs `steps`");
    }
    let (has_overflows, has_bans) = (fields.has("overflows"), fields.has("bans"));
    if !has_overflows && !has_bans {
        let message =
            "the case checks nothing: it needs `overflows` or `bans`, `{}` and `[]` for none";
        fields.report(node.span.clone(), "case-checks-nothing", message);
    }
    let mut overflows = Vec::new();
    for (scenario, count) in fields.text_map("overflows") {
        match count.value.parse() {
            Ok(number) => overflows.push((scenario.text.clone(), number)),
            Err(_) => fields.report(count.span, "case-count", "expected a count"),
        }
    }
    let bans = fields.text_list("bans").into_iter().map(|ban| ban.value.to_owned()).collect();
    let (overflows, bans) = (has_overflows.then_some(overflows), has_bans.then_some(bans));
    fields.finish();
    let steps = steps.iter().filter_map(|node| step(node, file, diagnostics)).collect();
    Some(Attack { span: node.span.clone(), name: name?, steps, overflows, bans })
}

fn step(node: &Node, file: &Arc<UserFile>, diagnostics: &mut Vec<Diagnostic>) -> Option<Step> {
    let mut fields = Fields::of(node, file, "a step", diagnostics)?;
    let written = written(&mut fields);
    let label = label(&mut fields);
    let times = fields.integer("times", 1..=MOST_TIMES).map_or(1, |found| found.value);
    let every = fields
        .parsed("every", "a duration such as `1s`", |text| {
            parse_duration(text).ok_or_else(String::new)
        })
        .map_or(1_000_000_000, |found| found.value);
    fields.finish();
    Some(Step { written: written?, label, times: u32::try_from(times).unwrap_or(1), every })
}

impl Written {
    /// The line as it arrives at this time.
    #[must_use]
    pub fn at(&self, time: Time) -> String {
        match self {
            Written::Message(text) => format!("{} host {text}", time.rfc3339()),
            Written::Line(text) => text.clone(),
        }
    }
}
