//! `classify:` – which lines get another label or program.
//!
//! It is a list of rules, or `{defaults: false, rules: […]}`, or, for the simplest, a mapping from
//! programs to labels. The rules that come with Weir are asked last; they are written as a user's
//! are, in `packaging/classify.yaml`.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::section::{At, at, later};
use crate::diagnostic::{Diagnostic, UserFile, similar};
use crate::parse::{ClassRule, Template, Wrapping};
use crate::value::Glob;
use crate::yaml::{self, Fields, Kind, Node};

/// The rules that come with Weir.
const SHIPPED: &str = include_str!("../../packaging/classify.yaml");

/// More rules than anybody writes by hand.
const MOST: usize = 1000;

/// The facilities by their names (RFC 5424 table 1, with the words of syslog(3)).
const FACILITIES: [(&str, u8); 24] = [
    ("kern", 0),
    ("user", 1),
    ("mail", 2),
    ("daemon", 3),
    ("auth", 4),
    ("syslog", 5),
    ("lpr", 6),
    ("news", 7),
    ("uucp", 8),
    ("cron", 9),
    ("authpriv", 10),
    ("ftp", 11),
    ("ntp", 12),
    ("audit", 13),
    ("alert", 14),
    ("clock", 15),
    ("local0", 16),
    ("local1", 17),
    ("local2", 18),
    ("local3", 19),
    ("local4", 20),
    ("local5", 21),
    ("local6", 22),
    ("local7", 23),
];

const WRAPPINGS: [(&str, Wrapping); 1] = [("cri", Wrapping::Cri)];

/// The section as typed.
#[derive(Clone, Debug, Default)]
pub(super) struct Typed {
    rules: Vec<At<ClassRule>>,
    defaults: Option<At<bool>>,
}

impl Typed {
    /// Reads the section in any of its forms.
    pub(super) fn read(
        node: &Node,
        file: &Arc<UserFile>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Self {
        let mut typed = Self::default();
        if let Kind::Sequence(items) = &node.kind {
            typed.rules = rules(items, file, diagnostics);
            return typed;
        }
        let Some(mut fields) = Fields::of(node, file, "`classify`", diagnostics) else {
            return typed;
        };
        let entries = node.entries().unwrap_or_default();
        let is_section = |key: &str, value: &Node| match key {
            "rules" => value.items().is_some(),
            "defaults" => entries.len() == 1 && value.text().is_none_or(|text| text != "syslog"),
            _ => false,
        };
        if entries.iter().any(|(key, value)| is_section(&key.text, value)) {
            typed.defaults = fields.bool("defaults").map(|found| at(&fields, found));
            let items = fields.list("rules");
            typed.rules = rules(items, file, fields.diagnostics());
            fields.finish();
            return typed;
        }
        for (key, value) in entries {
            let program = glob(&key.text, key.span.clone(), &mut fields);
            let Some(label) = value.text() else {
                let message = format!("expected the label of `{}`, found no text", key.text);
                fields.report(value.span.clone(), "wrong-type", message);
                continue;
            };
            let Some(program) = program else { continue };
            let rule = ClassRule {
                program: Some(program),
                label: Some(label.into()),
                ..ClassRule::default()
            };
            typed.rules.push(placed(rule, file, key.span.clone()));
        }
        typed
    }

    /// Adds a later file: its rules come behind, but one for the same program in the short form
    /// takes the place of the other.
    pub(super) fn merge(&mut self, other: Self) {
        for rule in other.rules {
            let is_same = |known: &&mut At<ClassRule>| {
                short(&known.value).is_some_and(|program| Some(program) == short(&rule.value))
            };
            match self.rules.iter_mut().find(is_same) {
                Some(known) => *known = rule,
                None => self.rules.push(rule),
            }
        }
        later(&mut self.defaults, other.defaults);
    }

    /// All rules in the order in which they are asked.
    pub(super) fn mean(self, diagnostics: &mut Vec<Diagnostic>) -> Vec<ClassRule> {
        if let Some(excess) = self.rules.get(MOST) {
            let message = format!("there are more than {MOST} rules of `classify`");
            diagnostics.push(excess.error("too-many", message));
        }
        let mut rules: Vec<_> = self.rules.into_iter().take(MOST).map(|rule| rule.value).collect();
        if self.defaults.is_none_or(|defaults| defaults.value) {
            rules.extend(shipped());
        }
        rules
    }
}

/// The program, if the rule is of the short form: a program that gets a label.
fn short(rule: &ClassRule) -> Option<&str> {
    let program = rule.program.as_ref()?;
    let label = rule.label.clone();
    let alone = ClassRule {
        place: rule.place.clone(),
        program: Some(program.clone()),
        label,
        ..ClassRule::default()
    };
    (*rule == alone && rule.label.is_some()).then(|| program.source())
}

/// The rules that come with Weir.
fn shipped() -> Vec<ClassRule> {
    let file = UserFile::new(Path::new("shipped classify.yaml"), SHIPPED.to_owned());
    let (documents, mut mistakes) = yaml::load(&file);
    let items = documents.first().and_then(Node::items).unwrap_or_default();
    let rules = rules(items, &file, &mut mistakes);
    debug_assert!(mistakes.is_empty(), "{mistakes:?}");
    rules.into_iter().map(|rule| rule.value).collect()
}

fn rules(
    items: &[Node],
    file: &Arc<UserFile>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<At<ClassRule>> {
    items.iter().filter_map(|item| rule(item, file, diagnostics)).collect()
}

fn rule(
    node: &Node,
    file: &Arc<UserFile>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<At<ClassRule>> {
    let mut fields = Fields::of(node, file, "a rule of `classify`", diagnostics)?;
    let when = fields.mapping("when");
    let mut rule =
        when.and_then(|node| conditions(node, file, fields.diagnostics())).unwrap_or_default();
    rule.label = fields.text("label").map(|label| label.value.into());
    let expected = "a name such as `nginx` or `{tag:2}`";
    let rename = fields.parsed("program", expected, |text| {
        if text.is_empty() {
            return Err("empty".to_owned());
        }
        Template::new(text).map_err(|error| error.to_string())
    });
    rule.rename = rename.map(|rename| rename.value);
    rule.unwrap = fields.choice("unwrap", &WRAPPINGS).map(|found| found.value);
    let span = node.head();
    if when.is_none() {
        let keys = ["source", "tag", "host", "facility", "unit", "container"];
        let outside = keys.into_iter().find(|key| fields.key_span(key).is_some());
        fields.allow(&keys);
        let message = match outside {
            Some(key) => format!("`{key}` is a condition: it belongs into `when`"),
            None => "a rule of `classify` needs `when`: which lines does it speak of?".to_owned(),
        };
        let place = outside.and_then(|key| fields.key_span(key)).unwrap_or_else(|| span.clone());
        let mistake = Diagnostic::error(file, place, "missing-key", message);
        let help = "for instance `{when: {tag: docker/*/*}, program: \"{tag:2}\"}`";
        fields.diagnostics().push(mistake.with_help(help));
    } else if !["label", "program", "unwrap"].iter().any(|key| fields.key_span(key).is_some()) {
        let message = "the rule does nothing: it needs `label`, `program` or `unwrap`";
        fields.report(span.clone(), "missing-key", message);
    }
    fields.finish();
    Some(placed(rule, file, span))
}

/// What `when` says.
fn conditions(
    node: &Node,
    file: &Arc<UserFile>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<ClassRule> {
    let mut fields = Fields::of(node, file, "`when`", diagnostics)?;
    let mut pattern = |key| {
        let text = fields.text(key)?;
        glob(text.value, text.span, &mut fields)
    };
    let mut rule = ClassRule {
        source: pattern("source"),
        program: pattern("program"),
        tag: pattern("tag"),
        host: pattern("host"),
        container: pattern("container"),
        ..ClassRule::default()
    };
    if let Some(unit) = fields.text("unit") {
        // As `systemctl` has it: a name without a kind is that of a service.
        let is_whole = unit.value.contains('.') || unit.value.ends_with('*');
        let name = if is_whole { unit.value.to_owned() } else { format!("{}.service", unit.value) };
        rule.unit = glob(&name, unit.span, &mut fields);
    }
    let expected = "a facility such as `auth`, `local3` or `4`";
    let facility = fields.parsed("facility", expected, |text| {
        let named = FACILITIES.iter().find(|(name, _)| *name == text).map(|(_, number)| *number);
        let numbered = text.parse().ok().filter(|number| *number <= 23);
        named.or(numbered).ok_or_else(|| {
            let meant = similar(text, FACILITIES.iter().map(|(name, _)| *name));
            meant.map_or_else(String::new, |meant| format!("did you mean `{meant}`?"))
        })
    });
    rule.facility = facility.map(|facility| facility.value);
    let is_empty = fields.mapping_node().entries().is_none_or(<[_]>::is_empty);
    if is_empty {
        let span = fields.mapping_node().span.clone();
        fields.report(span, "missing-key", "`when` says nothing: which lines are meant?");
    }
    fields.finish();
    Some(rule)
}

fn glob(text: &str, span: Range<usize>, fields: &mut Fields<'_, '_>) -> Option<Glob> {
    match Glob::new(text) {
        Ok(glob) => Some(glob),
        Err(error) => {
            fields.report(span, "wrong-value", format!("`{text}` is no pattern: {error}"));
            None
        }
    }
}

fn placed(mut rule: ClassRule, file: &Arc<UserFile>, span: Range<usize>) -> At<ClassRule> {
    let placed = At { value: (), file: Arc::clone(file), span };
    rule.place = placed.place().into();
    let At { file, span, .. } = placed;
    At { value: rule, file, span }
}
