//! Filters that cannot hold, because no loaded rule writes what they ask for.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, UserFile, similar};
use crate::expr::{Program, Requirement, Wanted, Writes};
use crate::parse::spec::{HEADER_FIELDS, Outline, Write, Written};
use crate::value::{Names, Section, Slot};
use crate::yaml::Node;

/// So many values of a field are listed.
const LISTED: usize = 4;

/// What rules write, and what filters ask for.
#[derive(Debug, Default)]
pub(super) struct Values {
    known: HashMap<Slot, Known>,
    /// What expressions may write by methods.
    methods: Vec<Writes>,
    claims: Vec<Claim>,
}

/// What a field may hold. A field that was never written counts as the empty text.
#[derive(Debug, Default)]
struct Known {
    texts: BTreeSet<Box<str>>,
    anything: bool,
}

/// What a filter asks of one field.
#[derive(Debug)]
struct Claim {
    file: Arc<UserFile>,
    requirement: Requirement,
    /// Where each text that is asked for is written, and the whole filter.
    places: Box<[Range<usize>]>,
    whole: Range<usize>,
    /// Whether the rules above ask for other texts of the field, and nothing changes it.
    contradicts: bool,
}

impl Values {
    /// Takes note of what a rule and its children write.
    pub(super) fn writes(&mut self, outline: &Outline<'_>) {
        for Write { slot, with } in &outline.writes {
            let known = self.known.entry(*slot).or_default();
            match with {
                Written::Text(text) => {
                    known.texts.insert((*text).into());
                }
                Written::Computed(program) => match program.texts() {
                    Some(texts) => known.texts.extend(texts.into_iter().map(Box::from)),
                    None => known.anything = true,
                },
                Written::Anything => known.anything = true,
            }
        }
        outline.programs.iter().for_each(|program| self.methods(program));
        outline.children.iter().for_each(|child| self.writes(child));
    }

    /// Takes note of what an expression may write by methods.
    pub(super) fn methods(&mut self, program: &Program) {
        self.methods.extend(program.writes());
    }

    /// Takes note of what a rule and its children ask for.
    pub(super) fn filters(&mut self, outline: &Outline<'_>, file: &Arc<UserFile>) {
        let first = self.claims.len();
        let mut written = Vec::new();
        let has_methods = slots(outline, &mut written);
        self.below(outline, file, &[], &written);
        if has_methods {
            self.claims[first..].iter_mut().for_each(|claim| claim.contradicts = false);
        }
    }

    fn below(
        &mut self,
        outline: &Outline<'_>,
        file: &Arc<UserFile>,
        above: &[Requirement],
        written: &[Slot],
    ) {
        let mut above = above.to_vec();
        if let Some((program, node)) = outline.filter {
            let first = self.claims.len();
            self.filter(program, node, file);
            for claim in &mut self.claims[first..] {
                let asked = &claim.requirement;
                // What the rule writes itself may have changed since it was asked above.
                let mut before = above.iter().filter(|before| before.slot == asked.slot);
                claim.contradicts = !written.contains(&asked.slot)
                    && before.any(|before| {
                        let texts = before.equals();
                        texts.is_some_and(|texts| !texts.iter().any(|text| asked.holds(text)))
                    });
            }
            above.extend(program.requirements().all);
        }
        for child in &outline.children {
            self.below(child, file, &above, written);
        }
    }

    /// Takes note of what a filter asks for.
    pub(super) fn filter(&mut self, program: &Program, node: &Node, file: &Arc<UserFile>) {
        for requirement in program.requirements().all {
            let places = requirement.any.iter().map(|wanted| place(node, text_of(wanted)));
            self.claims.push(Claim {
                file: Arc::clone(file),
                places: places.collect(),
                whole: node.span.clone(),
                requirement,
                contradicts: false,
            });
        }
    }

    /// Tells of all filters that cannot hold.
    pub(super) fn finish(mut self, names: &mut Names, diagnostics: &mut Vec<Diagnostic>) {
        for slot in HEADER_FIELDS {
            self.known.entry(slot).or_default().anything = true;
        }
        for claim in &self.claims {
            let Some((section, name)) = names.name(claim.requirement.slot) else { continue };
            let title = match section {
                Section::Parsed => "Parsed",
                Section::Enriched => "Enriched",
                Section::Meta => "Meta",
                // Labels come from sources.
                Section::Label => "Line.Labels",
            };
            let field = format!("evt.{title}.{name}");
            if claim.contradicts {
                let message =
                    format!("this never holds: the rule around it asks for another `{field}`");
                diagnostics.push(claim.told(&message, None).warning());
            } else if section != Section::Label && !self.may_write(section, name) {
                diagnostics.extend(self.judge(claim, &field));
            }
        }
    }

    /// Whether an expression may write this field by a method.
    fn may_write(&self, section: Section, name: &str) -> bool {
        let mut writes = self.methods.iter().filter(|writes| writes.section == section);
        writes.any(|writes| writes.name.as_deref().is_none_or(|known| known == name))
    }

    fn judge(&self, claim: &Claim, field: &str) -> Option<Diagnostic> {
        let nothing = Known::default();
        let known = self.known.get(&claim.requirement.slot).unwrap_or(&nothing);
        let can = |wanted: &Wanted| {
            known.anything || wanted.holds("") || known.texts.iter().any(|text| wanted.holds(text))
        };
        let any = &claim.requirement.any;
        let lost: Vec<usize> = (0..any.len()).filter(|at| !can(&any[*at])).collect();
        let first = any.get(*lost.first()?)?;
        let texts = || known.texts.iter().map(|text| &**text).filter(|text| !text.is_empty());
        let near = similar(text_of(first), texts());
        let help = match (near, texts().count()) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, 0) => "load the parser that sets it, or ask for another field".to_owned(),
            (None, count) => {
                let listed: Vec<_> = texts().take(LISTED).map(|text| format!("`{text}`")).collect();
                let more = match count.checked_sub(LISTED) {
                    None | Some(0) => String::new(),
                    Some(more) => format!(" and {more} more"),
                };
                format!("loaded rules set it to {}{more}", listed.join(", "))
            }
        };
        if lost.len() == any.len() {
            let wanted = match first {
                Wanted::Equals(text) => format!("`{text}`"),
                Wanted::StartsWith(text) => format!("anything that begins with `{text}`"),
                Wanted::EndsWith(text) => format!("anything that ends with `{text}`"),
                Wanted::Contains(text) => format!("anything that contains `{text}`"),
            };
            let others = match any.len() {
                1 => String::new(),
                2 => ", nor to the other text asked for".to_owned(),
                more => format!(", nor to the {} other texts asked for", more - 1),
            };
            let message =
                format!("this never holds: no loaded rule sets `{field}` to {wanted}{others}");
            return Some(claim.told(&message, Some(help)).warning());
        }
        let place = claim.places.get(*lost.first()?)?.clone();
        let message = format!("no loaded rule ever sets `{field}` to `{}`", text_of(first));
        let told = Diagnostic::error(&claim.file, place, "never-set", message);
        Some(told.with_help(help).note())
    }
}

impl Claim {
    fn told(&self, message: &str, help: Option<String>) -> Diagnostic {
        let place = self.places.first().unwrap_or(&self.whole).clone();
        let told = Diagnostic::error(&self.file, place, "never-holds", message);
        Diagnostic { help, ..told }
    }
}

/// All fields that a rule and its children write; gives whether they may write others by methods.
fn slots(outline: &Outline<'_>, found: &mut Vec<Slot>) -> bool {
    found.extend(outline.writes.iter().map(|write| write.slot));
    let mut has_methods = outline.programs.iter().any(|program| !program.writes().is_empty());
    for child in &outline.children {
        has_methods |= slots(child, found);
    }
    has_methods
}

fn text_of(wanted: &Wanted) -> &str {
    match wanted {
        Wanted::Equals(text)
        | Wanted::StartsWith(text)
        | Wanted::EndsWith(text)
        | Wanted::Contains(text) => text,
    }
}

/// Where a text is written in an expression, with its quotes; the whole expression when it cannot
/// be found.
fn place(node: &Node, text: &str) -> Range<usize> {
    let source = node.text().unwrap_or_default();
    let quoted = ["'", "\"", "`"].iter().find_map(|quote| {
        let quoted = format!("{quote}{text}{quote}");
        source.find(&quoted).map(|at| at..at + quoted.len())
    });
    quoted.map_or_else(|| node.span.clone(), |range| node.locate_range(range))
}
