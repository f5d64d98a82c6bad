//! Parser rules as they are written: YAML documents, checked key by key.
//!
//! [`load`] reads a document into a [`NodeSpec`], [`compile`] makes the runnable rule of it. Both
//! report all mistakes, not the first only, so a caller compiles also what was loaded with
//! mistakes, and uses a rule only when there was none. A rule's `whitelist` is an allowlist
//! everywhere behind this module.

mod compile;
mod data;
mod outline;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::diagnostic::{Diagnostic, UserFile};
use crate::expr::world::Strategy;
use crate::value::parse_duration;
use crate::yaml::{Fields, Kind, Node};

pub use compile::compile;
pub use data::DataSpec;
pub use outline::{HEADER_FIELDS, Outline, Search, Write, Written};

/// A rule, or a child of one, with the YAML it came from.
#[derive(Debug)]
pub struct NodeSpec<'n> {
    file: Arc<UserFile>,
    stage: Box<str>,
    name: Box<str>,
    filter: Option<&'n Node>,
    next_stage: bool,
    pattern_syntax: Vec<(&'n str, &'n Node)>,
    grok: Option<GrokSpec<'n>>,
    stash: Vec<StashSpec<'n>>,
    children: Vec<NodeSpec<'n>>,
    statics: Vec<StaticSpec<'n>>,
    allowlist: Option<AllowlistSpec<'n>>,
    data: Vec<DataSpec>,
}

#[derive(Debug)]
struct GrokSpec<'n> {
    apply_on: Option<&'n Node>,
    expression: Option<&'n Node>,
    name: Option<&'n Node>,
    pattern: Option<&'n Node>,
    statics: Vec<StaticSpec<'n>>,
}

#[derive(Debug)]
struct StaticSpec<'n> {
    method: Option<&'n Node>,
    parsed: Option<&'n Node>,
    meta: Option<&'n Node>,
    enriched: Option<&'n Node>,
    target: Option<&'n Node>,
    value: Option<&'n Node>,
    expression: Option<&'n Node>,
}

#[derive(Debug)]
struct StashSpec<'n> {
    name: &'n str,
    key: &'n Node,
    value: &'n Node,
    ttl: i64,
    size: usize,
    strategy: Strategy,
}

#[derive(Debug, Default)]
struct AllowlistSpec<'n> {
    reason: Box<str>,
    addresses: Vec<IpAddr>,
    networks: Vec<IpNet>,
    conditions: Vec<&'n Node>,
}

/// Where statics stand: those of a grok are not held to all rules.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Node,
    Grok,
}

/// Reads a document of a rule file in the folder of `stage`. Gives no rule, and no error, for a
/// document that is none: without name, description and author, or of a later format.
#[must_use]
pub fn load<'n>(
    document: &'n Node,
    file: &Arc<UserFile>,
    stage: &str,
) -> (Option<NodeSpec<'n>>, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let rule = load_document(document, file, stage, &mut diagnostics);
    (rule, diagnostics)
}

fn load_document<'n>(
    document: &'n Node,
    file: &Arc<UserFile>,
    stage: &str,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<NodeSpec<'n>> {
    let given =
        |key| document.get(key).is_some_and(|value| value.text() != Some("") && !value.is_null());
    if document.entries().is_some() && !["name", "description", "author"].into_iter().any(given) {
        let message = "skipped: a document without `name`, `description` and `author` is no rule";
        diagnostics.push(Diagnostic::error(file, document.head(), "no-rule", message).warning());
        return None;
    }
    if let Some(format) = document.get("format").filter(|format| !format.is_null()) {
        match format.text().and_then(version) {
            Some((1..=2, _) | (3, 0)) => {}
            Some(_) => {
                let message = "skipped: only the formats from `1.0` to `3.0` are understood";
                let span = format.span.clone();
                diagnostics.push(Diagnostic::error(file, span, "later-format", message).warning());
                return None;
            }
            None => {
                let message = "`format` must be a version such as `2.0`";
                let span = format.head();
                diagnostics.push(Diagnostic::error(file, span, "wrong-value", message));
            }
        }
    }
    node(document, file, stage, None, diagnostics)
}

/// Major and minor number of a version, with anything after a third number refused.
fn version(text: &str) -> Option<(u64, u64)> {
    let mut numbers = text.strip_prefix('v').unwrap_or(text).split('.');
    let major = numbers.next()?.parse().ok()?;
    let minor = numbers.next().map_or(Some(0), |part| part.parse().ok())?;
    let patch: u64 = numbers.next().map_or(Some(0), |part| part.parse().ok())?;
    // Anything above 3.0.0 is later than 3.0.
    let minor = if major == 3 && patch > 0 { minor.max(1) } else { minor };
    numbers.next().is_none().then_some((major, minor))
}

fn node<'n>(
    yaml: &'n Node,
    file: &Arc<UserFile>,
    stage: &str,
    parent: Option<&str>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<NodeSpec<'n>> {
    let mut fields = Fields::of(yaml, file, "a parser rule", diagnostics)?.empty_is_absent();
    // `stage` is what the folder is called, whatever the file says.
    fields.allow(&["format", "author", "description", "references", "profiling", "stage"]);
    fields.bool("debug");
    let name = match (fields.text("name"), parent) {
        (Some(name), _) => name.value.into(),
        (None, Some(parent)) => format!("child-{parent}").into_boxed_str(),
        (None, None) => "".into(),
    };
    let next_stage = fields
        .choice("onsuccess", &[("next_stage", true), ("continue", false), ("", false)])
        .is_some_and(|choice| choice.value);
    let filter = fields.scalar("filter");
    let pattern_syntax = patterns(&mut fields);
    let grok = fields.node("grok");
    let stash = fields.list("stash");
    let children = fields.list("nodes");
    let statics = fields.list("statics");
    let allowlist = fields.node("whitelist");
    let data = if parent.is_none() {
        fields.list("data")
    } else {
        fields.allow(&["data"]);
        &[]
    };
    fields.finish();

    let grok = grok.and_then(|grok| load_grok(grok, file, diagnostics));
    let stash = stash.iter().filter_map(|each| load_stash(each, file, diagnostics)).collect();
    let children: Vec<_> = children
        .iter()
        .filter_map(|child| node(child, file, stage, Some(&name), diagnostics))
        .collect();
    let statics = load_statics(statics, Place::Node, file, diagnostics);
    let allowlist = allowlist.and_then(|list| load_allowlist(list, file, diagnostics));
    let data = data.iter().filter_map(|each| DataSpec::load(each, file, diagnostics)).collect();
    Some(NodeSpec {
        file: Arc::clone(file),
        stage: stage.into(),
        name,
        filter,
        next_stage,
        pattern_syntax,
        grok,
        stash,
        children,
        statics,
        allowlist,
        data,
    })
    .filter(|spec| spec.check_content(yaml, diagnostics))
}

impl NodeSpec<'_> {
    /// The rule's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file that it is written in.
    #[must_use]
    pub fn file(&self) -> &Arc<UserFile> {
        &self.file
    }

    /// The data files that it asks for.
    #[must_use]
    pub fn data(&self) -> &[DataSpec] {
        &self.data
    }

    fn check_content(&self, yaml: &Node, diagnostics: &mut Vec<Diagnostic>) -> bool {
        // Asked of the YAML, so that a part with a mistake of its own does not count as absent.
        let holds = |value: Option<&Node>| match value.map(|value| &value.kind) {
            Some(Kind::Sequence(items)) => !items.is_empty(),
            Some(Kind::Mapping(entries)) => !entries.is_empty(),
            Some(Kind::Scalar { text, .. }) => !text.is_empty(),
            None => false,
        };
        let given = |key| yaml.get(key).filter(|value| value.text().is_none());
        // A reason alone is no list.
        let listed = ["ip", "cidr", "expression"];
        let lists = given("whitelist").filter(|list| {
            list.entries().is_none() || listed.into_iter().any(|key| holds(list.get(key)))
        });
        if holds(lists) || ["grok", "nodes", "statics"].into_iter().any(|key| holds(given(key))) {
            return true;
        }
        let message = "a rule needs one of `grok`, `nodes`, `statics` and entries in `whitelist`";
        diagnostics.push(Diagnostic::error(&self.file, yaml.head(), "empty-rule", message));
        false
    }
}

fn patterns<'n>(fields: &mut Fields<'n, '_>) -> Vec<(&'n str, &'n Node)> {
    let entries = fields.mapping("pattern_syntax").and_then(Node::entries).unwrap_or_default();
    let mut patterns = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        if value.text().is_some() {
            patterns.push((key.text.as_str(), value));
        } else if !value.is_null() {
            let message =
                format!("expected a pattern for `{}`, found {}", key.text, value.describe());
            fields.report(value.head(), "wrong-type", message);
        }
    }
    patterns
}

fn load_grok<'n>(
    yaml: &'n Node,
    file: &Arc<UserFile>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<GrokSpec<'n>> {
    let mut fields = Fields::of(yaml, file, "a grok", diagnostics)?.empty_is_absent();
    let apply_on = fields.scalar("apply_on");
    let expression = fields.scalar("expression");
    let name = fields.scalar("name");
    let pattern = fields.scalar("pattern");
    let statics = fields.list("statics");
    if name.is_none() && pattern.is_none() {
        let message = "a grok needs `pattern` or `name`";
        fields.report(yaml.head(), "missing-key", message);
    }
    if apply_on.is_none() && expression.is_none() {
        let message = "a grok needs `apply_on` or `expression`";
        fields.report(yaml.head(), "missing-key", message);
    }
    fields.finish();
    let statics = load_statics(statics, Place::Grok, file, diagnostics);
    Some(GrokSpec { apply_on, expression, name, pattern, statics })
}

fn load_statics<'n>(
    statics: &'n [Node],
    place: Place,
    file: &Arc<UserFile>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<StaticSpec<'n>> {
    statics.iter().filter_map(|each| load_static(each, place, file, diagnostics)).collect()
}

fn load_static<'n>(
    yaml: &'n Node,
    place: Place,
    file: &Arc<UserFile>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<StaticSpec<'n>> {
    let mut fields = Fields::of(yaml, file, "a static", diagnostics)?.empty_is_absent();
    let spec = StaticSpec {
        method: fields.scalar("method"),
        parsed: fields.scalar("parsed"),
        meta: fields.scalar("meta"),
        enriched: fields.scalar("enriched"),
        target: fields.scalar("target"),
        value: fields.scalar("value"),
        expression: fields.scalar("expression"),
    };
    let mut complaints = Vec::new();
    if spec.value.is_none() && spec.expression.is_none() {
        complaints.push("a static needs `value` or `expression`");
    }
    let known = [spec.method, spec.parsed, spec.meta, spec.target];
    if known.iter().all(Option::is_none) {
        if spec.enriched.is_none() {
            complaints.push("a static needs one of `meta`, `parsed`, `target` and `method`");
        } else if place == Place::Node {
            complaints.push("`enriched` alone is only allowed in the statics of a grok");
        }
    }
    for message in complaints {
        let mistake = Diagnostic::error(file, yaml.head(), "missing-key", message);
        // What a grok's statics lack only makes them useless.
        let mistake = if place == Place::Grok { mistake.warning() } else { mistake };
        fields.diagnostics().push(mistake);
    }
    fields.finish();
    Some(spec)
}

fn load_stash<'n>(
    yaml: &'n Node,
    file: &Arc<UserFile>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<StashSpec<'n>> {
    let mut fields = Fields::of(yaml, file, "a stash", diagnostics)?.empty_is_absent();
    let name = fields.required_text("name");
    let key = fields.require("key").and_then(|_| fields.scalar("key"));
    let value = fields.require("value").and_then(|_| fields.scalar("value"));
    let ttl = fields.require("ttl").and_then(|_| {
        fields.parsed("ttl", "a duration such as `1m30s`", |text| {
            parse_duration(text).filter(|ttl| *ttl > 0).ok_or_else(String::new)
        })
    });
    let size = fields.integer("size", 1..=10_000_000);
    let strategy = fields.parsed("strategy", "one of `LRU`, `LFU`, `ARC`", |text| {
        Strategy::from_name(text).ok_or_else(String::new)
    });
    fields.finish();
    Some(StashSpec {
        name: name?.value,
        key: key?,
        value: value?,
        ttl: ttl?.value,
        size: size.map_or(100, |size| usize::try_from(size.value).unwrap_or(usize::MAX)),
        strategy: strategy.map(|strategy| strategy.value).unwrap_or_default(),
    })
}

fn load_allowlist<'n>(
    yaml: &'n Node,
    file: &Arc<UserFile>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<AllowlistSpec<'n>> {
    let mut fields = Fields::of(yaml, file, "a whitelist", diagnostics)?.empty_is_absent();
    let mut spec = AllowlistSpec {
        reason: fields.text("reason").map(|reason| reason.value.into()).unwrap_or_default(),
        ..AllowlistSpec::default()
    };
    for text in fields.text_list("ip") {
        match text.value.parse() {
            Ok(address) => spec.addresses.push(address),
            Err(_) => {
                let message = format!("expected an address, found `{}`", text.value);
                fields.report(text.span, "wrong-value", message);
            }
        }
    }
    for text in fields.text_list("cidr") {
        match text.value.parse() {
            Ok(network) => spec.networks.push(network),
            Err(_) => {
                let message =
                    format!("expected a network such as `192.0.2.0/24`, found `{}`", text.value);
                fields.report(text.span, "wrong-value", message);
            }
        }
    }
    let conditions = match fields.node("expression") {
        Some(node) if node.text().is_some() => std::slice::from_ref(node),
        Some(_) => fields.list("expression"),
        None => &[],
    };
    for condition in conditions {
        if condition.text().is_some() {
            spec.conditions.push(condition);
        } else if !condition.is_null() {
            let message = format!("expected an expression, found {}", condition.describe());
            fields.report(condition.head(), "wrong-type", message);
        }
    }
    fields.finish();
    Some(spec)
}
