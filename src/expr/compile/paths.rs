//! Names and what follows them: fields, methods, indices, slices.

use super::super::ast::{self, Expr, Kind, Span};
use super::super::methods::{self, Clock};
use super::super::node::{Link, Node, Step};
use super::super::suggest::nearest;
use super::super::types::{accepts, describe, is_unknown};
use super::{Compiler, Part};
use crate::value::{Section, Shape, Type};

/// A path as far as it is compiled.
struct Cursor {
    head: Node,
    links: Vec<Link>,
    kind: Type,
    harmless: bool,
    /// Only fields of a variable so far: a section found here is the event's own, so that its
    /// fields can be read by slot.
    is_rooted: bool,
    /// A `?.` may have made the value nil.
    may_be_nil: bool,
}

/// The steps of a path, with `Weekday().String()` and `Month().String()` taken as one.
enum Taken<'t> {
    Field(&'t str),
    Named(Clock),
    Method(&'t str, &'t [Expr]),
    Index(&'t Expr),
    Slice(Option<&'t Expr>, Option<&'t Expr>),
}

impl Compiler<'_, '_> {
    /// A name, alone or with steps after it.
    pub(super) fn path(&mut self, expr: &Expr) -> Part {
        let (head, mut links) = match &expr.kind {
            Kind::Path(head, links) => (&**head, links.as_slice()),
            _ => (expr, &[][..]),
        };
        let mut cursor = match &head.kind {
            Kind::Name(name) => match self.environment_entry(name, links) {
                Some(index) => {
                    links = &links[1..];
                    self.variable(index)
                }
                None => match self.name(head.span, name) {
                    Some(cursor) => cursor,
                    None => {
                        // The rest is of unknown type, but its arguments can still be checked.
                        Cursor::new(Part::broken(), false)
                    }
                },
            },
            _ => Cursor::new(self.part(head), false),
        };
        while let Some((link, rest)) = links.split_first() {
            let (taken, span, rest) = match (&link.step, rest.split_first()) {
                (ast::Step::Method(name, arguments), Some((next, after)))
                    if arguments.is_empty()
                        && !next.optional
                        && matches!(&next.step, ast::Step::Method(name, arguments)
                            if name == "String" && arguments.is_empty())
                        && matches!(cursor.kind, Type::Time | Type::Unknown)
                        && matches!(name.as_str(), "Weekday" | "Month") =>
                {
                    let clock = if name == "Month" { Clock::MonthName } else { Clock::WeekdayName };
                    (Taken::Named(clock), link.span.to(next.span), after)
                }
                (ast::Step::Field(name), _) => (Taken::Field(name), link.span, rest),
                (ast::Step::Method(name, arguments), _) => {
                    (Taken::Method(name, arguments), link.span, rest)
                }
                (ast::Step::Index(index), _) => match &index.kind {
                    Kind::Text(name) => (Taken::Field(name), link.span, rest),
                    _ => (Taken::Index(index), link.span, rest),
                },
                (ast::Step::Slice(from, to), _) => {
                    (Taken::Slice(from.as_deref(), to.as_deref()), link.span, rest)
                }
            };
            cursor = self.step(cursor, link.optional, span, taken);
            links = rest;
        }
        cursor.finish()
    }

    /// `$env.name` and `$env["name"]` are the variable itself.
    fn environment_entry(&self, name: &str, links: &[ast::Link]) -> Option<usize> {
        let wanted = match &links.first()?.step {
            ast::Step::Field(wanted) => wanted,
            ast::Step::Index(index) => match &index.kind {
                Kind::Text(wanted) => wanted,
                _ => return None,
            },
            _ => return None,
        };
        if name != "$env" {
            return None;
        }
        self.environment.variables.iter().position(|(known, _)| known == wanted)
    }

    fn variable(&self, index: usize) -> Cursor {
        let kind = self.environment.variables[index].1;
        Cursor::new(Part::harmless(Node::Variable(index), kind), true)
    }

    fn name(&mut self, span: Span, name: &str) -> Option<Cursor> {
        if let Some(known) = self.lets.iter().rev().find(|known| known.name == name) {
            return Some(Cursor::new(Part::harmless(Node::Local(known.local), known.kind), false));
        }
        if let Some(index) = self.environment.variables.iter().position(|(known, _)| *known == name)
        {
            return Some(self.variable(index));
        }
        if name == "$env" {
            let node = Node::Environment(self.environment.variables);
            let part = Part::new(node, Type::Map(&Type::Unknown));
            return Some(Cursor::new(part, false));
        }
        let variables = self.environment.variables.iter().map(|(known, _)| *known);
        let lets = self.lets.iter().map(|known| known.name.as_str());
        let help = if self.function(name).is_some() {
            Some(format!("`{name}` is a function: write `{name}(...)`"))
        } else if let Some(known) = nearest(name, variables.clone().chain(lets)) {
            Some(format!("did you mean `{known}`?"))
        } else {
            let known: Vec<String> = variables.map(|known| format!("`{known}`")).collect();
            (!known.is_empty()).then(|| format!("known here: {}", known.join(", ")))
        };
        self.mistake(span, format!("unknown variable `{name}`"), help);
        None
    }

    fn step(&mut self, mut cursor: Cursor, optional: bool, span: Span, step: Taken<'_>) -> Cursor {
        // A variable and its own fields are there; only behind them can a nil be met.
        cursor.may_be_nil |= optional && !cursor.is_rooted;
        if let (Type::Fields(section), true) = (cursor.kind, cursor.is_rooted) {
            cursor.is_rooted = false;
            cursor.links.clear();
            if let Taken::Field(name) = step {
                cursor.harmless = true;
                cursor.kind = Type::Text;
                cursor.head = match self.slot(section, name) {
                    Some(slot) => Node::Slot(slot),
                    None => Node::Named(section, name.into()),
                };
                return cursor;
            }
            cursor.head = Node::Section(section);
        }
        if let (Type::Fields(section), Taken::Field(name), false) = (cursor.kind, &step, optional)
            && let Some(step) = self.text_of_section(section, name, &mut cursor.links)
        {
            cursor.harmless = false;
            cursor.kind = Type::Text;
            cursor.links.push(step);
            return cursor;
        }
        let was_rooted = std::mem::replace(&mut cursor.is_rooted, false);
        cursor.harmless = false;
        let (kind, step) = match step {
            Taken::Field(name) => {
                let Some((kind, step)) = self.field(span, cursor.kind, name) else {
                    return cursor.broken();
                };
                cursor.is_rooted = was_rooted;
                (kind, step)
            }
            Taken::Named(clock) => {
                let name = if clock == Clock::MonthName { "Month" } else { "Weekday" };
                let step = Step::Method {
                    name: name.into(),
                    known: None,
                    clock: Some(clock),
                    arguments: Box::default(),
                };
                (Type::Text, step)
            }
            Taken::Method(name, arguments) => self.method(span, cursor.kind, name, arguments),
            Taken::Index(index) => {
                let index_span = index.span;
                let index = self.part(index);
                let Some(kind) = self.index(span, index_span, cursor.kind, index.kind) else {
                    return cursor.broken();
                };
                (kind, Step::Index(index.node))
            }
            Taken::Slice(from, to) => {
                let bounds = [from, to].map(|bound| {
                    let bound = bound?;
                    let part = self.part(bound);
                    if !matches!(part.kind, Type::Int | Type::Unknown) {
                        let found = describe(part.kind);
                        let message = format!("the bound of a slice must be int, found {found}");
                        self.mistake(bound.span, message, None);
                    }
                    Some(part.node)
                });
                if !matches!(cursor.kind, Type::List(_) | Type::Text | Type::Unknown) {
                    let message = format!("cannot take a slice of {}", describe(cursor.kind));
                    self.mistake(span, message, None);
                    return cursor.broken();
                }
                let [from, to] = bounds;
                (cursor.kind, Step::Slice(from, to))
            }
        };
        cursor.kind = kind;
        cursor.links.push(Link { optional, step });
        cursor
    }

    /// The step to a field of a section, in place of the last one, to the section.
    fn text_of_section(
        &mut self,
        section: Section,
        name: &str,
        links: &mut Vec<Link>,
    ) -> Option<Link> {
        let slot = self.environment.names.intern(section, name)?;
        let Link { optional, step } = links.pop()?;
        let step = match step {
            Step::Field(section, known) => Step::Text { slot, section, known, name: name.into() },
            step => {
                links.push(Link { optional, step });
                return None;
            }
        };
        Some(Link { optional, step })
    }

    fn field(&mut self, span: Span, kind: Type, name: &str) -> Option<(Type, Step)> {
        match kind {
            Type::Object(shape) => {
                let Some((index, kind)) = shape.field(name) else {
                    self.unknown_member(span, shape, name, false);
                    return None;
                };
                Some((kind, Step::Field(name.into(), Some((shape, index)))))
            }
            Type::Map(_) | Type::Fields(_) => Some((element(kind), Step::Field(name.into(), None))),
            Type::Unknown => Some((Type::Unknown, Step::Field(name.into(), None))),
            other => {
                let help = methods_of(other).and_then(|mut methods| {
                    methods
                        .any(|known| known == name)
                        .then(|| format!("`{name}` is a method: write `{name}()`"))
                });
                let message = format!("a {} has no field `{name}`", describe(other));
                self.mistake(span, message, help);
                None
            }
        }
    }

    fn unknown_member(&mut self, span: Span, shape: &'static Shape, name: &str, called: bool) {
        let fields = shape.fields.iter().map(|(known, _)| *known);
        let methods = shape.methods.iter().map(|method| method.name);
        let what = if called { "method" } else { "field" };
        let help = if !called && shape.method(name).is_some() {
            Some(format!("`{name}` is a method: write `{name}(...)`"))
        } else if called && shape.field(name).is_some() {
            Some(format!("`{name}` is a field: leave the parentheses out"))
        } else {
            let near = if called { nearest(name, methods) } else { nearest(name, fields) };
            near.map(|known| format!("did you mean `{known}`?"))
        };
        self.mistake(span, format!("unknown {what} `{name}` of `{}`", shape.name), help);
    }

    fn method(
        &mut self,
        span: Span,
        receiver: Type,
        name: &str,
        arguments: &[Expr],
    ) -> (Type, Step) {
        let parts: Vec<(Span, Part)> =
            arguments.iter().map(|argument| (argument.span, self.part(argument))).collect();
        let mut known = None;
        let mut clock = None;
        let signature = match receiver {
            Type::Object(shape) => match shape.method(name) {
                Some((index, method)) => {
                    known = Some((shape, index));
                    Some((method.arguments, method.result))
                }
                None => {
                    self.unknown_member(span, shape, name, true);
                    None
                }
            },
            Type::Time | Type::Duration => {
                let is_time = matches!(receiver, Type::Time);
                let found =
                    if is_time { methods::of_times(name) } else { methods::of_durations(name) };
                match found {
                    Some((found, arguments, result)) => {
                        clock = Some(found);
                        Some((arguments, result))
                    }
                    None => {
                        let help = nearest(name, methods::names(is_time))
                            .map(|known| format!("did you mean `{known}`?"));
                        let message = format!("a {} has no method `{name}`", describe(receiver));
                        self.mistake(span, message, help);
                        None
                    }
                }
            }
            Type::Unknown => {
                let found = methods::of_times(name).or_else(|| methods::of_durations(name));
                clock = found.map(|(clock, ..)| clock);
                None
            }
            other => {
                let message = format!("a {} has no method `{name}`", describe(other));
                let help = self
                    .function(name)
                    .map(|_| format!("`{name}` is a function: write `{name}(...)`"));
                self.mistake(span, message, help);
                None
            }
        };
        let mut result = Type::Unknown;
        if let Some((wanted, kind)) = signature {
            result = kind;
            if wanted.len() != parts.len() {
                let (wanted, found) = (wanted.len(), parts.len());
                let message = format!("`{name}` takes {wanted} arguments, found {found}");
                self.mistake(span, message, None);
            }
            for (wanted, (span, part)) in wanted.iter().zip(&parts) {
                self.check_argument(name, *span, *wanted, part.kind);
            }
        }
        let arguments = parts.into_iter().map(|(_, part)| part.node).collect();
        (result, Step::Method { name: name.into(), known, clock, arguments })
    }

    /// Notes a mistake when an argument does not fit.
    pub(super) fn check_argument(&mut self, name: &str, span: Span, wanted: Type, found: Type) {
        if !accepts(wanted, found) {
            let (wanted, found) = (describe(wanted), describe(found));
            self.mistake(span, format!("`{name}` expects {wanted} here, found {found}"), None);
        }
    }

    fn index(&mut self, span: Span, index_span: Span, list: Type, index: Type) -> Option<Type> {
        let (wanted, result) = match list {
            Type::List(element) => (Type::Int, *element),
            Type::Text => (Type::Int, Type::Int),
            Type::Map(_) | Type::Fields(_) => (Type::Text, element(list)),
            Type::Object(_) => (Type::Text, Type::Unknown),
            Type::Unknown => return Some(Type::Unknown),
            other => {
                self.mistake(span, format!("cannot index {}", describe(other)), None);
                return None;
            }
        };
        if !is_unknown(index) && !super::super::types::same(index, wanted) {
            let (list, wanted, found) = (describe(list), describe(wanted), describe(index));
            let message = format!("the index of a {list} must be {wanted}, found {found}");
            self.mistake(index_span, message, None);
        }
        Some(result)
    }
}

/// The type of a map's values as an expression sees them: only a map of texts gives a text for a
/// key that is missing.
fn element(map: Type) -> Type {
    match map {
        Type::Fields(_) | Type::Map(Type::Text) => Type::Text,
        _ => Type::Unknown,
    }
}

fn methods_of(kind: Type) -> Option<impl Iterator<Item = &'static str>> {
    matches!(kind, Type::Time | Type::Duration).then(|| methods::names(matches!(kind, Type::Time)))
}

impl Cursor {
    fn new(part: Part, is_rooted: bool) -> Self {
        Self {
            head: part.node,
            links: Vec::new(),
            kind: part.kind,
            harmless: part.harmless,
            is_rooted,
            may_be_nil: false,
        }
    }

    fn broken(self) -> Self {
        Self { kind: Type::Unknown, is_rooted: false, ..self }
    }

    fn finish(self) -> Part {
        if let (Type::Fields(section), true) = (self.kind, self.is_rooted) {
            return Part::harmless(Node::Section(section), self.kind);
        }
        let kind = if self.may_be_nil { Type::Unknown } else { self.kind };
        if self.links.is_empty() {
            return Part { node: self.head, kind, harmless: self.harmless };
        }
        let node = match (self.head, <[Link; 1]>::try_from(self.links)) {
            (Node::Local(local), Ok([link])) => match link {
                Link { optional: false, step: Step::Text { slot, .. } } => {
                    Node::ElementText(local, slot, Box::new(link))
                }
                link => Node::Path(Box::new(Node::Local(local)), [link].into()),
            },
            (head, Ok(links)) => Node::Path(Box::new(head), links.into()),
            (head, Err(links)) => Node::Path(Box::new(head), links.into()),
        };
        Part::new(node, kind)
    }
}
