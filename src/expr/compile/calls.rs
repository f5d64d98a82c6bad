//! Calls of functions, and of the builtins that take a predicate.

use super::super::ast::{Expr, Kind, Span};
use super::super::functions::address;
use super::super::node::{Builtin, CallNode, Clause, Each, Literal, Node};
use super::super::suggest::nearest;
use super::super::types::{self, describe, list_of, same};
use super::super::{Call, Function, World, functions, parser, purity};
use super::{Compiler, Element, Part, any, literal};
use crate::value::{Arena, Type, Value};

/// A predicate over a literal list is written out for each element when that makes no more text
/// than this; then its tests against literals can be done all at once.
const LONGEST_UNROLLED: usize = 32 << 10;

/// Whether values of a type can be the keys of a map.
fn is_key(kind: Type) -> bool {
    matches!(kind, Type::Text | Type::Int | Type::Float | Type::Bool)
}

impl Compiler<'_, '_> {
    /// The function of this name, of the language or of this place.
    pub(super) fn function(&self, name: &str) -> Option<&'static Function> {
        let local = self.environment.functions;
        functions::find(name).or_else(|| local.iter().find(|function| function.name == name))
    }

    /// `name(arguments)`.
    pub(super) fn call(&mut self, span: Span, name: &str, arguments: &[Expr]) -> Part {
        if let Some((builtin, wanted)) = Builtin::find(name) {
            if !wanted.contains(&arguments.len()) {
                for argument in arguments.iter().filter(|e| !matches!(e.kind, Kind::Predicate(_))) {
                    self.part(argument);
                }
                return self.wrong_count(
                    span,
                    name,
                    *wanted.start(),
                    *wanted.end(),
                    arguments.len(),
                );
            }
            return self.each(builtin, name, arguments);
        }
        let parts: Vec<Part> = arguments.iter().map(|argument| self.part(argument)).collect();
        let Some(function) = self.function(name) else {
            let local = self.environment.functions.iter().map(|function| function.name);
            let known = functions::names().chain(parser::PREDICATES.iter().copied()).chain(local);
            let help = if self.taken(name) == Some("variable") {
                Some(format!("`{name}` is a variable"))
            } else {
                nearest(name, known).map(|known| format!("did you mean `{known}`?"))
            };
            let at = Span { end: span.start + u32::try_from(name.len()).unwrap_or(0), ..span };
            return self.mistake(at, format!("unknown function `{name}`"), help);
        };
        let least = function.required.len();
        let most = match function.rest {
            Some(_) => usize::MAX,
            None => least + function.optional.len(),
        };
        if !(least..=most).contains(&parts.len()) {
            return self.wrong_count(span, name, least, most, parts.len());
        }
        let mut exact = true;
        let parameters = function
            .required
            .iter()
            .chain(function.optional)
            .copied()
            .map(Some)
            .chain(std::iter::repeat(function.rest));
        let n_mistakes = self.mistakes.len();
        let known = arguments.iter().zip(&parts).zip(parameters).enumerate();
        for (index, ((argument, part), wanted)) in known {
            let wanted = wanted.unwrap_or(Type::Unknown);
            self.check_argument(name, argument.span, wanted, part.kind);
            exact &= same(wanted, part.kind);
            if let Some(check) = function.check
                && !types::is_unknown(part.kind)
                && let Some(wanted) = check(index, part.kind)
            {
                let found = describe(part.kind);
                let message = format!("`{name}` expects {wanted} here, found {found}");
                self.mistake(argument.span, message, None);
            }
        }
        if self.mistakes.len() > n_mistakes {
            return Part::new(Node::Nil, function.result);
        }
        let harmless = exact && parts.iter().all(|part| part.harmless) && purity::is_total(name);
        let nodes: Box<[Node]> = parts.into_iter().map(|part| part.node).collect();
        let at = arguments.first().map_or(span, |argument| argument.span);
        if purity::is_constant(name)
            && let Some(part) = self.constant(at, function, &nodes)
        {
            return part;
        }
        let total = purity::is_total(name);
        let is_constant = nodes.iter().all(|node| matches!(node, Node::Slot(_) | Node::Text(_)));
        let known = match (name, &*nodes) {
            ("IpInRange", [_, Node::Text(range)]) => {
                address::range(range).map_or(Literal::Nothing, Literal::Range)
            }
            ("File", [Node::Text(name)]) => Literal::Lines(name.clone()),
            _ => Literal::Nothing,
        };
        let call = CallNode { function, arguments: nodes, total, known };
        let mut node = Node::Call(Box::new(call));
        // `any(File("x"), {Upper(evt.Parsed.y) contains #})` needs the upper case only once.
        if harmless
            && is_constant
            && self.elements.last().is_some_and(|element| element.literal.is_none())
        {
            let local = self.local(1);
            if let Some(element) = self.elements.last_mut() {
                element.hoisted.push((Some(local), node));
            }
            node = Node::Local(local);
        }
        Part { node, kind: function.result, harmless }
    }

    /// The result of a function of literals, if it can be written as a literal.
    fn constant(&mut self, span: Span, function: &Function, arguments: &[Node]) -> Option<Part> {
        let arena = Arena::new();
        let world = World::default();
        let call = Call { arena: &arena, world: &world };
        let values: Vec<Value<'_>> = arguments.iter().map(literal).collect::<Option<_>>()?;
        match (function.code)(call, &values) {
            Ok(Value::Bool(truth)) => Some(Part::harmless(Node::Bool(truth), Type::Bool)),
            Ok(Value::Int(number)) => Some(Part::harmless(Node::Int(number), Type::Int)),
            Ok(Value::Float(number)) => Some(Part::harmless(Node::Float(number), Type::Float)),
            Ok(Value::Text(text)) => Some(Part::harmless(Node::Text(text.into()), Type::Text)),
            Ok(Value::Duration(nanos)) => {
                Some(Part::harmless(Node::Duration(nanos), Type::Duration))
            }
            Ok(_) => None,
            Err(fault) => {
                let message = format!("`{}`: {}", function.name, fault.message);
                Some(self.mistake(span, message, None))
            }
        }
    }

    fn wrong_count(
        &mut self,
        span: Span,
        name: &str,
        least: usize,
        most: usize,
        found: usize,
    ) -> Part {
        let wanted = match (least, most) {
            (1, 1) => "1 argument".to_owned(),
            (least, most) if least == most => format!("{least} arguments"),
            (least, usize::MAX) => format!("at least {least} arguments"),
            (least, most) => format!("{least} to {most} arguments"),
        };
        self.mistake(span, format!("`{name}` takes {wanted}, found {found}"), None)
    }

    fn each(&mut self, builtin: Builtin, name: &str, arguments: &[Expr]) -> Part {
        let [list_expr, others @ ..] = arguments else { return Part::broken() };
        let list = self.part(list_expr);
        let element = match list.kind {
            Type::List(element) => *element,
            Type::Unknown => Type::Unknown,
            other => {
                let message = format!("`{name}` expects list here, found {}", describe(other));
                self.mistake(list_expr.span, message, None);
                Type::Unknown
            }
        };
        let body_expr = others.first().map(|expr| match &expr.kind {
            Kind::Predicate(body) => &**body,
            _ => expr,
        });
        if let Some(body) = body_expr
            && let Some(part) = self.unrolled(builtin, name, list_expr, &list.node, body)
        {
            return part;
        }
        let file = body_expr.and_then(|body| self.file_test(builtin, list_expr, body));
        let local = self.local(3);
        let has_acc = builtin == Builtin::Reduce;
        let hoisted = Vec::new();
        self.elements.push(Element { local, kind: element, has_acc, literal: None, hoisted });
        let body = body_expr.map(|body| {
            let (clause, kind) = self.clause(body);
            self.check_body(builtin, name, body.span, kind);
            (clause.node, kind)
        });
        let hoisted = self.elements.pop().map(|element| element.hoisted).unwrap_or_default();
        let extra = others.get(1).map(|expr| {
            let part = self.part(expr);
            if builtin == Builtin::SortBy {
                self.check_argument(name, expr.span, Type::Text, part.kind);
                let is_order = match &part.node {
                    Node::Text(order) => matches!(&**order, "asc" | "desc"),
                    _ => true,
                };
                if !is_order {
                    let message = "the order must be `\"asc\"` or `\"desc\"`";
                    self.mistake(expr.span, message, None);
                }
            }
            part.node
        });
        if body.is_none() {
            // Without a predicate the elements themselves are looked at.
            let refused = match builtin {
                Builtin::Count => !matches!(element, Type::Bool | Type::Unknown),
                Builtin::Sum => !types::is_number(element) && !types::is_unknown(element),
                _ => false,
            };
            if refused {
                let found = describe(list.kind);
                let wanted = if builtin == Builtin::Count { "bools" } else { "numbers" };
                let message = format!("`{name}` expects a list of {wanted} here, found {found}");
                self.mistake(list_expr.span, message, None);
            }
        }
        let body_kind = body.as_ref().map_or(Type::Unknown, |(_, kind)| *kind);
        let kind = match builtin {
            Builtin::All | Builtin::Any | Builtin::None | Builtin::One => Type::Bool,
            Builtin::Filter | Builtin::SortBy => match list.kind {
                Type::List(_) => list.kind,
                _ => Type::List(&Type::Unknown),
            },
            Builtin::Map => list_of(body_kind),
            Builtin::Count => Type::Int,
            _ => Type::Unknown,
        };
        let body = body.map(|(node, _)| node);
        let node = Node::Each(Box::new(Each {
            builtin,
            list: list.node,
            body,
            extra,
            element: local,
            hoisted: hoisted.into(),
            file: file.map(Box::new),
        }));
        Part::new(node, kind)
    }

    fn check_body(&mut self, builtin: Builtin, name: &str, span: Span, kind: Type) {
        if builtin.wants_bool() && !matches!(kind, Type::Bool | Type::Unknown) {
            let message =
                format!("the predicate of `{name}` must give bool, found {}", describe(kind));
            self.mistake(span, message, None);
        }
        let wanted = match builtin {
            Builtin::Sum if !types::is_number(kind) => "a number",
            Builtin::SortBy if !types::has_order(kind) => "what has an order",
            Builtin::GroupBy if !is_key(kind) => "a string, a number or a bool",
            _ => return,
        };
        if !types::is_unknown(kind) {
            let message =
                format!("the predicate of `{name}` must give {wanted}, found {}", describe(kind));
            self.mistake(span, message, None);
        }
    }

    /// `any(['a', 'b'], p)` as `p('a') || p('b')`.
    fn unrolled(
        &mut self,
        builtin: Builtin,
        name: &str,
        list: &Expr,
        compiled: &Node,
        body: &Expr,
    ) -> Option<Part> {
        let (Kind::List(items), Node::List(nodes)) = (&list.kind, compiled) else { return None };
        let is_wanted = matches!(builtin, Builtin::All | Builtin::Any | Builtin::None)
            && !items.is_empty()
            && nodes.iter().all(|node| literal(node).is_some())
            && items.len().saturating_mul(body.span.range().len()) <= LONGEST_UNROLLED
            // Written out within written out would multiply.
            && self.elements.iter().all(|element| element.literal.is_none());
        if !is_wanted {
            return None;
        }
        let kind = items.iter().zip(nodes).map(|(item, _)| self.part(item).kind);
        let kind = kind.reduce(types::either).unwrap_or(Type::Unknown);
        let mut clauses: Vec<Clause> = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let before = self.mistakes.len();
            let literal = Some((item.clone(), index));
            let hoisted = Vec::new();
            self.elements.push(Element { local: 0, kind, has_acc: false, literal, hoisted });
            let (clause, kind) = self.clause(body);
            self.elements.pop();
            self.check_body(builtin, name, body.span, kind);
            clauses.push(clause);
            if self.mistakes.len() > before {
                return Some(Part::broken());
            }
        }
        let harmless = clauses.iter().all(|clause| clause.harmless);
        let node = match builtin {
            Builtin::All => Node::All(clauses.into()),
            Builtin::Any => any(clauses),
            _ => Node::Not(Box::new(Clause {
                node: any(clauses),
                span: body.span,
                operands: Box::default(),
                harmless,
            })),
        };
        Some(Part { node, kind: Type::Bool, harmless })
    }
}
