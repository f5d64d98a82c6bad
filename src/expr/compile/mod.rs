//! Tree to program: names are resolved, types checked, literals made ready.
//!
//! Checking and compiling are one walk, since both need the same facts. A part that is wrong
//! becomes a node of unknown type, so that the rest is checked too and nothing is said twice.

mod calls;
mod files;
mod operators;
mod paths;

use super::ast::{Expr, Kind, Span, Statement, Unary};
use super::node::{Block, Clause, Node};
use super::suggest::nearest;
use super::types::{describe, either, is_known, is_number, is_unknown, list_of};
use super::{Environment, Mistake, fuse, pattern};
use crate::value::{Section, Slot, Type, Value};

/// How deep the compiled tree may nest. Less than the parser's limit times the forms that one
/// level of parentheses can hold, because evaluating uses more stack than parsing.
const DEEPEST: usize = 128;

/// The compiled form of `tree`, its type, the number of its locals, and the fields it uses.
pub(super) fn compile(
    tree: &Expr,
    environment: &mut Environment<'_>,
) -> Result<Finished, Vec<Mistake>> {
    let mut compiler = Compiler {
        environment,
        mistakes: Vec::new(),
        lets: Vec::new(),
        elements: Vec::new(),
        locals: 0,
        depth: 0,
        is_typed: true,
        room_for_patterns: pattern::ROOM,
        fields: Vec::new(),
    };
    let (root, kind) = compiler.clause(tree);
    if compiler.mistakes.is_empty() {
        let Compiler { locals, is_typed, fields, .. } = compiler;
        return Ok(Finished { root, kind, is_typed, locals, fields });
    }
    compiler.mistakes.sort_by_key(|mistake| mistake.span.start);
    compiler.mistakes.dedup();
    Err(compiler.mistakes)
}

/// A compiled expression.
pub(super) struct Finished {
    pub(super) root: Clause,
    pub(super) kind: Type,
    /// The types of all parts are known.
    pub(super) is_typed: bool,
    pub(super) locals: usize,
    pub(super) fields: Vec<(Slot, Section, Box<str>)>,
}

struct Compiler<'e, 'n> {
    environment: &'e mut Environment<'n>,
    mistakes: Vec<Mistake>,
    lets: Vec<Let>,
    elements: Vec<Element>,
    locals: usize,
    depth: usize,
    is_typed: bool,
    /// What the compiled patterns of the expression may still need, in bytes.
    room_for_patterns: usize,
    fields: Vec<(Slot, Section, Box<str>)>,
}

/// A variable made by `let`.
struct Let {
    name: String,
    local: usize,
    kind: Type,
}

/// What `#` is in a predicate.
struct Element {
    /// The local of `#`; those of `#index` and `#acc` follow.
    local: usize,
    kind: Type,
    has_acc: bool,
    /// The literal that `#` stands for, where the predicate is written out for each element.
    literal: Option<(Expr, usize)>,
    /// See [`super::node::Each::hoisted`].
    hoisted: Vec<(Option<usize>, Node)>,
}

/// A compiled part.
struct Part {
    node: Node,
    kind: Type,
    /// Evaluating it cannot fail and writes nothing.
    harmless: bool,
}

impl Part {
    fn new(node: Node, kind: Type) -> Self {
        Self { node, kind, harmless: false }
    }

    fn harmless(node: Node, kind: Type) -> Self {
        Self { node, kind, harmless: true }
    }

    /// Stands for a part that is wrong; its mistake is already noted.
    fn broken() -> Self {
        Self::new(Node::Nil, Type::Unknown)
    }
}

impl Compiler<'_, '_> {
    fn mistake(&mut self, span: Span, message: impl Into<String>, help: Option<String>) -> Part {
        let mistake = Mistake { span: span.range(), message: message.into(), help };
        self.mistakes.push(mistake);
        Part::broken()
    }

    fn part(&mut self, expr: &Expr) -> Part {
        if self.depth >= DEEPEST {
            let help = "name parts of it with `let x = ...;`".to_owned();
            let message = format!("expression nested more than {DEEPEST} deep");
            return self.mistake(expr.span, message, Some(help));
        }
        self.depth += 1;
        let part = self.part_unguarded(expr);
        self.depth -= 1;
        self.is_typed &= is_known(part.kind);
        part
    }

    fn part_unguarded(&mut self, expr: &Expr) -> Part {
        match &expr.kind {
            Kind::Nil => Part::harmless(Node::Nil, Type::Nil),
            Kind::Bool(truth) => Part::harmless(Node::Bool(*truth), Type::Bool),
            Kind::Int(number) => Part::harmless(Node::Int(*number), Type::Int),
            Kind::Float(number) => Part::harmless(Node::Float(*number), Type::Float),
            Kind::Text(text) => Part::harmless(Node::Text(text.as_str().into()), Type::Text),
            Kind::List(items) => self.list(items),
            Kind::Map(entries) => self.map(entries),
            Kind::Name(_) | Kind::Path(..) => self.path(expr),
            Kind::Pointer(name) => self.pointer(expr.span, name),
            Kind::Call(name, arguments) => self.call(expr.span, name, arguments),
            Kind::Predicate(_) => {
                self.mistake(expr.span, "a predicate can only be the argument of a builtin", None)
            }
            Kind::Unary(unary, operand) => self.unary(*unary, operand),
            Kind::Fold(first, rest) => self.fold(first, rest),
            Kind::Ordered(first, rest) => self.ordered(first, rest),
            Kind::Power(left, right) => self.power(left, right),
            Kind::All(items) => {
                let clauses = self.conditions(items, "&&");
                let harmless = clauses.iter().all(|clause| clause.harmless);
                let node = Node::All(flatten(clauses, |node| match node {
                    Node::All(inner) => Ok(inner),
                    other => Err(other),
                }));
                Part { node, kind: Type::Bool, harmless }
            }
            Kind::Any(items) => {
                let clauses = self.conditions(items, "||");
                let harmless = clauses.iter().all(|clause| clause.harmless);
                Part { node: any(clauses), kind: Type::Bool, harmless }
            }
            Kind::Default(items) => self.default(items),
            Kind::Choice(arms, otherwise) => self.choice(arms, otherwise),
            Kind::Block(statements, value) => self.block(statements, value),
        }
    }

    /// A part with its place, for `&&`, `||`, `not` and the whole.
    fn clause(&mut self, expr: &Expr) -> (Clause, Type) {
        let part = self.part(expr);
        let operands = match &expr.kind {
            Kind::Fold(left, rest) if rest.len() == 1 => {
                std::iter::once(left.span).chain(rest.iter().map(|(_, e)| e.span)).collect()
            }
            Kind::Call(_, arguments) => arguments.iter().map(|e| e.span).collect(),
            _ => Box::default(),
        };
        let harmless = part.harmless && matches!(part.kind, Type::Bool);
        (Clause { node: part.node, span: expr.span, operands, harmless }, part.kind)
    }

    /// A clause that must give a bool.
    fn condition(&mut self, expr: &Expr, asked_by: &str) -> Clause {
        let (clause, kind) = self.clause(expr);
        if !matches!(kind, Type::Bool | Type::Unknown) {
            let message = format!("{asked_by} expects bool, found {}", describe(kind));
            let help = match kind {
                Type::Text => Some("compare it: `... != \"\"`".to_owned()),
                Type::Nil => None,
                _ => Some("compare it with something".to_owned()),
            };
            self.mistake(expr.span, message, help);
        }
        clause
    }

    fn conditions(&mut self, items: &[Expr], sign: &str) -> Vec<Clause> {
        let asked_by = format!("`{sign}`");
        items.iter().map(|item| self.condition(item, &asked_by)).collect()
    }

    fn list(&mut self, items: &[Expr]) -> Part {
        let parts: Vec<Part> = items.iter().map(|item| self.part(item)).collect();
        let element = parts.iter().map(|part| part.kind).reduce(either).unwrap_or(Type::Unknown);
        let nodes = parts.into_iter().map(|part| part.node).collect();
        Part::new(Node::List(nodes), list_of(element))
    }

    fn map(&mut self, entries: &[(Expr, Expr)]) -> Part {
        let nodes = entries
            .iter()
            .map(|(key, value)| (self.part(key).node, self.part(value).node))
            .collect();
        Part::new(Node::Map(nodes), Type::Map(&Type::Unknown))
    }

    fn unary(&mut self, unary: Unary, operand: &Expr) -> Part {
        if unary == Unary::Not {
            let (clause, kind) = self.clause(operand);
            if !matches!(kind, Type::Bool | Type::Unknown) {
                let help = "`not` binds tighter than the operators after it: write `not (...)`, \
                            or put it before the operator, as in `a not contains b`";
                let message = format!("`not` expects bool, found {}", describe(kind));
                return self.mistake(operand.span, message, Some(help.to_owned()));
            }
            let harmless = clause.harmless;
            return Part { node: Node::Not(Box::new(clause)), kind: Type::Bool, harmless };
        }
        let negative = unary == Unary::Minus;
        let part = self.part(operand);
        if !is_number(part.kind) && !is_unknown(part.kind) {
            let sign = if negative { "-" } else { "+" };
            let message = format!("`{sign}` expects a number, found {}", describe(part.kind));
            return self.mistake(operand.span, message, None);
        }
        match part.node {
            Node::Int(number) if negative => {
                Part::harmless(Node::Int(number.wrapping_neg()), Type::Int)
            }
            Node::Float(number) if negative => Part::harmless(Node::Float(-number), Type::Float),
            node => Part { node: Node::Sign(negative, Box::new(node)), ..part },
        }
    }

    fn default(&mut self, items: &[Expr]) -> Part {
        let parts: Vec<Part> = items.iter().map(|item| self.part(item)).collect();
        let harmless = parts.iter().all(|part| part.harmless);
        let last = parts.len().saturating_sub(1);
        let kind = parts
            .iter()
            .enumerate()
            // All but the last are taken only when they are not nil.
            .filter(|(index, part)| *index == last || !matches!(part.kind, Type::Nil))
            .map(|(_, part)| part.kind)
            .reduce(either)
            .unwrap_or(Type::Unknown);
        let nodes = parts.into_iter().map(|part| part.node).collect();
        Part { node: Node::Default(nodes), kind, harmless }
    }

    fn choice(&mut self, arms: &[(Expr, Option<Expr>)], otherwise: &Expr) -> Part {
        let mut compiled = Vec::with_capacity(arms.len());
        let mut kind: Option<Type> = None;
        let mut harmless = true;
        for (condition, then) in arms {
            let clause = self.condition(condition, "the condition before `?`");
            harmless &= clause.harmless;
            let (then, arm_kind) = match then {
                Some(then) => {
                    let part = self.part(then);
                    harmless &= part.harmless;
                    (Some(part.node), part.kind)
                }
                None => (None, Type::Bool),
            };
            kind = Some(kind.map_or(arm_kind, |kind| either(kind, arm_kind)));
            compiled.push((clause, then));
        }
        let last = self.part(otherwise);
        let kind = kind.map_or(last.kind, |kind| either(kind, last.kind));
        let node = Node::Choice(compiled.into(), Box::new(last.node));
        Part { node, kind, harmless: harmless && last.harmless }
    }

    fn block(&mut self, statements: &[Statement], value: &Expr) -> Part {
        let outer = self.lets.len();
        let mut compiled = Vec::with_capacity(statements.len());
        let mut harmless = true;
        for statement in statements {
            match statement {
                Statement::Let(span, name, value) => {
                    let part = self.part(value);
                    harmless &= part.harmless;
                    if let Some(what) = self.taken(name) {
                        let message = format!("`{name}` is already the name of a {what}");
                        let help = "choose another name for the variable".to_owned();
                        self.mistake(*span, message, Some(help));
                    }
                    let local = self.local(1);
                    self.lets.push(Let { name: name.clone(), local, kind: part.kind });
                    compiled.push((Some(local), part.node));
                }
                Statement::Do(value) => {
                    let part = self.part(value);
                    harmless &= part.harmless;
                    compiled.push((None, part.node));
                }
            }
        }
        let (clause, kind) = self.clause(value);
        let all_harmless = harmless && clause.harmless;
        self.lets.truncate(outer);
        let block = Block { statements: compiled.into(), harmless, value: clause };
        Part { node: Node::Block(Box::new(block)), kind, harmless: all_harmless }
    }

    fn taken(&self, name: &str) -> Option<&'static str> {
        let is_variable = self.lets.iter().any(|known| known.name == name)
            || self.environment.variables.iter().any(|(known, _)| *known == name);
        let is_function =
            super::node::Builtin::find(name).is_some() || self.function(name).is_some();
        match (is_variable, is_function) {
            (true, _) => Some("variable"),
            (_, true) => Some("function"),
            _ => None,
        }
    }

    /// The first of `count` new locals.
    fn local(&mut self, count: usize) -> usize {
        self.locals += count;
        self.locals - count
    }

    fn pointer(&mut self, span: Span, name: &str) -> Part {
        let Some(element) = self.elements.last() else {
            return self.mistake(span, "`#` outside of a predicate", None);
        };
        let (local, kind, has_acc) = (element.local, element.kind, element.has_acc);
        let literal = element.literal.clone();
        match (name, literal) {
            ("", Some((expr, _))) => self.part(&expr),
            ("index", Some((_, index))) => {
                let index = i64::try_from(index).unwrap_or(i64::MAX);
                Part::harmless(Node::Int(index), Type::Int)
            }
            ("", None) => Part::harmless(Node::Local(local), kind),
            ("index", None) => Part::harmless(Node::Local(local + 1), Type::Int),
            ("acc", _) if has_acc => Part::harmless(Node::Local(local + 2), Type::Unknown),
            _ => {
                let known: &[&str] = if has_acc { &["index", "acc"] } else { &["index"] };
                let help = nearest(name, known.iter().copied())
                    .map(|known| format!("did you mean `#{known}`?"));
                self.mistake(span, format!("unknown pointer `#{name}`"), help)
            }
        }
    }
}

/// `a || b || c`, flat and with a plan.
fn any(clauses: Vec<Clause>) -> Node {
    let clauses = flatten(clauses, |node| match node {
        Node::Any(inner) => Ok(inner.clauses),
        other => Err(other),
    });
    let plan = fuse::plan(&clauses);
    Node::Any(Box::new(super::node::Alternatives { clauses, plan }))
}

/// Puts the clauses of clauses that `open` opens in their place.
fn flatten(
    clauses: Vec<Clause>,
    open: impl Fn(Node) -> Result<Box<[Clause]>, Node>,
) -> Box<[Clause]> {
    let mut flat = Vec::with_capacity(clauses.len());
    for clause in clauses {
        match open(clause.node) {
            Ok(inner) => flat.extend(inner),
            Err(node) => flat.push(Clause { node, ..clause }),
        }
    }
    flat.into()
}

/// The value of a literal.
fn literal(node: &Node) -> Option<Value<'_>> {
    Some(match node {
        Node::Nil => Value::Nil,
        Node::Bool(truth) => Value::Bool(*truth),
        Node::Int(number) => Value::Int(*number),
        Node::Float(number) => Value::Float(*number),
        Node::Text(text) => Value::Text(text),
        Node::Duration(nanos) => Value::Duration(*nanos),
        _ => return None,
    })
}
