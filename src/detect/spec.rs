//! Scenarios as they are written: YAML documents, checked key by key.
//!
//! [`load`] reads a document into a [`ScenarioSpec`], [`compile`] makes the runnable scenario of
//! it. Both report all mistakes; a caller compiles also what was loaded with mistakes, and uses a
//! scenario only when there was none.

mod compile;
mod context;
mod kind;

use std::sync::Arc;

use super::scenario::{MOST_KEPT, Scenario};
use crate::diagnostic::{Diagnostic, UserFile};
use crate::value::parse_duration;
use crate::yaml::{Fields, Node, Plain, Spanned};

pub use compile::compile;
pub use context::load_contexts;
use kind::KindSpec;

/// A scenario with the YAML it came from.
#[derive(Debug)]
pub struct ScenarioSpec<'n> {
    file: Arc<UserFile>,
    document: &'n Node,
    name: Option<&'n str>,
    description: &'n str,
    kind: Option<KindSpec<'n>>,
    capacity: i64,
    cache_size: i64,
    leakspeed: i64,
    duration: Option<i64>,
    blackhole: Option<i64>,
    reprocess: bool,
    filter: Option<&'n Node>,
    groupby: Option<&'n Node>,
    distinct: Option<&'n Node>,
    cancel_on: Option<&'n Node>,
    overflow_filter: Option<&'n Node>,
    condition: Option<&'n Node>,
    scope: Option<ScopeSpec<'n>>,
    labels: Vec<(String, String)>,
    remediation: bool,
    data: &'n [Node],
}

#[derive(Debug)]
enum ScopeSpec<'n> {
    Ip,
    Range(Option<&'n Node>),
    Other(&'n str, &'n Node),
}

impl<'n> ScenarioSpec<'n> {
    /// Its name, if it has one.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.unwrap_or_default()
    }

    /// Its condition on events, as written.
    #[must_use]
    pub fn filter(&self) -> Option<&'n Node> {
        self.filter
    }

    /// How easily its sources are forged: the label `spoofable`, 0 where it says nothing.
    fn spoofable(&self) -> u8 {
        let label = self.labels.iter().find(|(name, _)| name == "spoofable");
        label.and_then(|(_, text)| text.parse().ok()).unwrap_or(0).min(3)
    }

    /// The entries of its `data`, which name the files that its expressions read.
    #[must_use]
    pub fn data(&self) -> &'n [Node] {
        self.data
    }
}

/// Reads a document of a scenario file. Gives no scenario, and no error, for a document that is
/// none of ours: one of a later format.
#[must_use]
pub fn load<'n>(
    document: &'n Node,
    file: &Arc<UserFile>,
) -> (Option<ScenarioSpec<'n>>, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let spec = is_understood(document, file, &mut diagnostics)
        .then(|| load_scenario(document, file, &mut diagnostics))
        .flatten();
    (spec, diagnostics)
}

/// Whether the `format` of a document is from 1.0 to 3.0; absent counts as 1.0.
fn is_understood(document: &Node, file: &Arc<UserFile>, diagnostics: &mut Vec<Diagnostic>) -> bool {
    let Some(format) = document.get("format").filter(|format| !format.is_null()) else {
        return true;
    };
    let span = format.head();
    match format.text().and_then(version) {
        Some(version) if ([1, 0, 0]..=[3, 0, 0]).contains(&version) => true,
        Some(_) => {
            let message = "skipped: only the formats from `1.0` to `3.0` are understood";
            diagnostics.push(Diagnostic::error(file, span, "later-format", message).warning());
            false
        }
        None => {
            let message = "`format` must be a version such as `2.0`";
            diagnostics.push(Diagnostic::error(file, span, "wrong-value", message));
            true
        }
    }
}

fn version(text: &str) -> Option<[u64; 3]> {
    let mut parts = text.strip_prefix('v').unwrap_or(text).split('.');
    let mut numbers = [0; 3];
    for (index, number) in numbers.iter_mut().enumerate() {
        match parts.next() {
            Some(part) => *number = part.parse().ok()?,
            None if index > 0 => {}
            None => return None,
        }
    }
    parts.next().is_none().then_some(numbers)
}

fn load_scenario<'n>(
    document: &'n Node,
    file: &Arc<UserFile>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<ScenarioSpec<'n>> {
    let mut fields = Fields::of(document, file, "a scenario", diagnostics)?.empty_is_absent();
    fields.allow(&["format", "author", "references", "version"]);
    fields.bool("debug");
    let name = fields.required_text("name").map(|name| name.value);
    let description = fields.required_text("description").map_or("", |text| text.value);
    let capacity = fields.integer("capacity", -1..=1_000_000);
    let cache_size = fields.integer("cache_size", 0..=i64::MAX);
    let leakspeed = span(&mut fields, "leakspeed");
    let duration = span(&mut fields, "duration");
    let blackhole = span(&mut fields, "blackhole").map(|blackhole| blackhole.value);
    let reprocess = fields.bool("reprocess").is_some_and(|reprocess| reprocess.value);
    let filter = fields.require("filter").and_then(|_| fields.scalar("filter"));
    let groupby = fields.scalar("groupby");
    let distinct = fields.scalar("distinct");
    let cancel_on = fields.scalar("cancel_on");
    let overflow_filter = fields.scalar("overflow_filter");
    let condition = fields.scalar("condition");
    let (labels, remediation) = labels(&mut fields);
    let scope = match fields.node("scope") {
        Some(scope) => load_scope(scope, file, fields.diagnostics()),
        None => Some(ScopeSpec::Ip),
    };
    let data = fields.list("data");
    let written = kind::Written {
        capacity: capacity.as_ref().map(|capacity| capacity.value),
        leakspeed: leakspeed.as_ref().map(|leakspeed| leakspeed.value),
        duration: duration.as_ref().map(|duration| duration.value),
        has_condition: condition.is_some(),
    };
    let kind = kind::load(&mut fields, &written);
    let capacity = written.capacity.unwrap_or(0);
    let cache_size = cache_size.map_or(0, |size| size.value);
    let length = Scenario::length_for(capacity, cache_size);
    if usize::try_from(length).is_ok_and(|length| length >= MOST_KEPT) {
        let at = if length == cache_size { "cache_size" } else { "capacity" };
        let span = fields.key_span(at).unwrap_or_else(|| document.head());
        let message = format!("a bucket keeps its last {MOST_KEPT} events at most");
        let mistake = Diagnostic::error(file, span, "many-kept", message).warning();
        fields
            .diagnostics()
            .push(mistake.with_help("all events count, but an overflow shows no more than these"));
    }
    fields.finish();
    Some(ScenarioSpec {
        file: Arc::clone(file),
        document,
        name,
        description,
        kind,
        capacity,
        cache_size,
        leakspeed: leakspeed.map_or(0, |leakspeed| leakspeed.value),
        duration: duration.map(|duration| duration.value).filter(|duration| *duration > 0),
        blackhole,
        reprocess,
        filter,
        groupby,
        distinct,
        cancel_on,
        overflow_filter,
        condition,
        scope,
        labels,
        remediation,
        data,
    })
}

/// A span of time that is not negative.
fn span(fields: &mut Fields<'_, '_>, key: &'static str) -> Option<Spanned<i64>> {
    fields.parsed(key, "a duration such as `1m30s`", |text| {
        let nanos = parse_duration(text).ok_or("units are `h`, `m`, `s`, `ms`, `us` and `ns`")?;
        if nanos < 0 { Err("a span cannot be negative".to_owned()) } else { Ok(nanos) }
    })
}

/// Labels as text, and whether `remediation` is the truth value and no text that looks like it.
fn labels(fields: &mut Fields<'_, '_>) -> (Vec<(String, String)>, bool) {
    let mut labels = Vec::new();
    let mut remediation = false;
    for (key, value) in fields.mapping("labels").and_then(Node::entries).unwrap_or_default() {
        if key.text == "remediation" {
            remediation = matches!(value.plain(), Some(Plain::Bool(true)));
        }
        let text = match (value.text(), value.items()) {
            (Some(text), _) => text.to_owned(),
            (None, Some(items)) => {
                items.iter().filter_map(Node::text).collect::<Vec<_>>().join(",")
            }
            (None, None) => continue,
        };
        labels.push((key.text.clone(), text));
    }
    (labels, remediation)
}

fn load_scope<'n>(
    scope: &'n Node,
    file: &Arc<UserFile>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<ScopeSpec<'n>> {
    let mut fields = Fields::of(scope, file, "a scope", diagnostics)?.empty_is_absent();
    let name = fields.text("type");
    let expression = fields.scalar("expression");
    let found = match (name.as_ref().map_or("Ip", |name| name.value), expression) {
        ("Ip", None) => Some(ScopeSpec::Ip),
        ("Ip", Some(expression)) => {
            let message = "the scope `Ip` is always the address in `evt.Meta.source_ip`";
            fields.report(expression.span.clone(), "scope-expression", message);
            None
        }
        ("Range", expression) => Some(ScopeSpec::Range(expression)),
        (name, Some(expression)) => Some(ScopeSpec::Other(name, expression)),
        (name, None) => {
            let message = format!("the scope `{name}` needs an `expression` that gives its value");
            fields.report(scope.head(), "missing-key", message);
            None
        }
    };
    fields.finish();
    found
}

#[cfg(test)]
mod tests;
