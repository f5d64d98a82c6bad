//! What was seen of each rule while a line went through the stages.

use crate::diagnostic::printable;
use crate::expr::{FieldTest, Trace, TraceKind, TraceOutcome};
use crate::parse::Fact;
use crate::parse::grok::{Library, Progress};

/// All that was seen.
#[derive(Debug)]
pub(super) struct Seen<'l> {
    library: &'l Library,
    /// The top-level rules that were tried, in order.
    pub(super) rules: Vec<Rule>,
    /// The rule that gave the line another label or program, and the program as received.
    pub(super) classified: Option<(String, String)>,
    open: Vec<Step>,
}

/// A rule that was tried.
#[derive(Debug)]
pub struct Rule {
    /// Its stage.
    pub stage: String,
    /// What happened in it.
    pub step: Step,
}

/// A node of a rule, and what happened in it.
#[derive(Debug, Default)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// Whether it took the line.
    pub success: bool,
    /// What stopped it, or what it did.
    pub filter: Option<Filter>,
    /// The patterns that were tried.
    pub groks: Vec<Grok>,
    /// What failed, in words.
    pub faults: Vec<String>,
    /// The allowlists that were asked: the reason, and whether the line is on it.
    pub allowlists: Vec<(String, bool)>,
    /// The fields that it set, and to what.
    pub statics: Vec<(String, String)>,
    /// Nodes within it.
    pub children: Vec<Step>,
}

/// The condition of a node.
#[derive(Debug)]
pub struct Filter {
    /// As it is written.
    pub source: String,
    /// Whether it held.
    pub passed: bool,
    /// Only for a filter that did not pass.
    pub trace: Option<Trace>,
}

/// A pattern that was tried.
#[derive(Debug)]
pub struct Grok {
    /// Whether it matched.
    pub found: bool,
    /// What it looked at, printable.
    pub text: Option<String>,
    /// How far the pattern came, in words; only for one that was not found.
    pub progress: Option<String>,
    /// The share of the pattern that matched, from 0 to 1.
    pub reached: f64,
}

impl<'l> Seen<'l> {
    pub(super) fn new(library: &'l Library) -> Self {
        Self { library, rules: Vec::new(), classified: None, open: Vec::new() }
    }

    /// Takes note of one step.
    pub(super) fn note(&mut self, fact: &Fact<'_, '_>) {
        match fact {
            Fact::Classified { place, program } => {
                self.classified = Some(((*place).to_owned(), (*program).to_owned()));
            }
            Fact::Enter { node, .. } => {
                self.open.push(Step { name: (*node).to_owned(), ..Step::default() });
            }
            Fact::Leave { success, .. } => self.leave(*success),
            Fact::Node { stage, .. } => {
                // The node itself was left just before.
                if let Some(rule) = self.rules.last_mut() {
                    (*stage).clone_into(&mut rule.stage);
                }
            }
            other => {
                if let Some(step) = self.open.last_mut() {
                    step.note(other, self.library);
                }
            }
        }
    }

    fn leave(&mut self, success: bool) {
        let Some(mut step) = self.open.pop() else { return };
        step.success = success;
        match self.open.last_mut() {
            Some(parent) => parent.children.push(step),
            None => self.rules.push(Rule { stage: String::new(), step }),
        }
    }
}

impl Step {
    fn note(&mut self, fact: &Fact<'_, '_>, library: &Library) {
        match fact {
            Fact::Filter { source, passed, explain } => {
                let trace = (!passed).then(explain);
                self.filter = Some(Filter { source: (*source).to_owned(), passed: *passed, trace });
            }
            Fact::Fault { source, fault } => self.faults.push(format!("`{source}`: {fault}")),
            Fact::Grok { grok, text, found } => {
                let progress = match text {
                    Some(text) if !found => Some((grok.progress(library, text), *text)),
                    _ => None,
                };
                let source = grok.source();
                self.groks.push(Grok {
                    found: *found,
                    text: text.map(|text| printable(text, 300).into_owned()),
                    reached: progress.as_ref().map_or(0.0, |(progress, _)| share(progress, source)),
                    progress: progress.map(|(progress, text)| sentence(&progress, source, text)),
                });
            }
            Fact::Allowlist { reason, listed } => {
                self.allowlists.push(((*reason).to_owned(), *listed));
            }
            Fact::Static { target, text } => {
                self.statics.push(((*target).to_owned(), printable(text, 300).into_owned()));
            }
            Fact::Classified { .. }
            | Fact::Enter { .. }
            | Fact::Leave { .. }
            | Fact::Node { .. } => {}
        }
    }

    /// Whether its filter let the event in, or it has none.
    #[must_use]
    pub fn entered(&self) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.passed)
    }

    /// How close it came, from 0 to 2: above 1 when its filter passed and only patterns failed.
    pub(super) fn closeness(&self) -> f64 {
        match &self.filter {
            Some(filter) if !filter.passed => {
                filter.trace.as_ref().map_or(0.0, |trace| missed(trace).map_or(0.0, |m| m.1))
            }
            _ => 1.0 + self.reached(),
        }
    }

    /// The greatest share of a pattern that matched, in this node or below.
    pub(super) fn reached(&self) -> f64 {
        let own = self.groks.iter().map(|grok| grok.reached);
        let below = self.children.iter().map(Step::reached);
        own.chain(below).fold(0.0, f64::max)
    }

    /// The pattern that came furthest, in this node or below.
    pub(super) fn furthest(&self) -> Option<&Grok> {
        let own = self.groks.iter().filter(|grok| !grok.found);
        let below = self.children.iter().filter_map(Step::furthest);
        own.chain(below).max_by(|a, b| a.reached.total_cmp(&b.reached))
    }
}

/// The share of the pattern's source that matched.
fn share(progress: &Progress, source: &str) -> f64 {
    let part = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    part(progress.matched.len()) / part(source.len().max(1))
}

/// How far the pattern came.
fn sentence(progress: &Progress, source: &str, text: &str) -> String {
    let part = |text: &str, range: &std::ops::Range<usize>| {
        printable(text.get(range.clone()).unwrap_or_default(), 120).into_owned()
    };
    if progress.matched.is_empty() {
        return format!("its pattern `{}` does not match from the start", printable(source, 200));
    }
    let rest = progress.text.end..text.len();
    format!(
        "its pattern matches up to `{}` (the text `{}`), then wants `{}` and finds `{}`",
        part(source, &progress.matched),
        part(text, &progress.text),
        part(source, &progress.failed),
        part(text, &rest)
    )
}

/// The test that kept a filter from holding, and how close its field came to what was wanted.
pub(super) fn missed(trace: &Trace) -> Option<(&FieldTest, f64)> {
    let mut closest: Option<(&FieldTest, f64)> = None;
    visit(trace, &mut |test| {
        let found = test.found.as_deref().unwrap_or_default();
        let near = test.wanted.iter().map(|wanted| likeness(found, wanted)).fold(0.0, f64::max);
        if closest.is_none_or(|(_, before)| near > before) {
            closest = Some((test, near));
        }
    });
    closest
}

/// Every failed test of a field.
fn visit<'t>(trace: &'t Trace, each: &mut impl FnMut(&'t FieldTest)) {
    match &trace.kind {
        TraceKind::All(parts) | TraceKind::Any(parts) => {
            for part in parts {
                if part.outcome == TraceOutcome::False {
                    visit(part, each);
                }
            }
        }
        TraceKind::Not(inner) | TraceKind::Block(inner) => visit(inner, each),
        TraceKind::Leaf(leaf) => {
            if let Some(test) = &leaf.test
                && trace.outcome == TraceOutcome::False
            {
                each(test);
            }
        }
    }
}

/// How alike two texts are: 1 when equal without regard to case, else the share of bytes that a
/// common beginning and a common end make of the longer one.
fn likeness(found: &str, wanted: &str) -> f64 {
    if found.is_empty() || wanted.is_empty() {
        return 0.0;
    }
    let (found, wanted) = (found.to_lowercase(), wanted.to_lowercase());
    let (a, b) = (found.as_bytes(), wanted.as_bytes());
    let shorter = a.len().min(b.len());
    let head = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let tail = a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| x == y).count();
    let common = (head + tail).min(shorter);
    let longer = u32::try_from(a.len().max(b.len())).unwrap_or(u32::MAX);
    f64::from(u32::try_from(common).unwrap_or(0)) / f64::from(longer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(found: &str, closer: &str, farther: &str) {
        assert!(likeness(found, closer) > likeness(found, farther), "{found} {closer} {farther}");
    }

    #[test]
    fn alike_names_are_closer() {
        check("sshd-session", "sshd", "postfix/smtpd");
        check("postfix/submission/smtpd", "postfix/smtpd", "sshd");
        check("SSHD", "sshd", "ssh");
        check("nginx", "nginx-proxy", "apache2");
        assert!((likeness("", "sshd")).abs() < f64::EPSILON);
        assert!((likeness("sshd", "sshd") - 1.0).abs() < f64::EPSILON);
    }
}
