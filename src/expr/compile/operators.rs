//! Operators between operands.

use super::super::ast::{Binary, Expr, Span};
use super::super::node::{Node, Operation, Set, Test};
use super::super::pattern::Pattern;
use super::super::types::{self, describe};
use super::{Compiler, Part, literal};
use crate::value::{Section, Slot, Type};

impl Compiler<'_, '_> {
    /// `first op a op b ...`, operators of one level.
    pub(super) fn fold(&mut self, first: &Expr, rest: &[(Binary, Expr)]) -> Part {
        let left = self.part(first);
        if let [(binary, right)] = rest {
            return self.single(*binary, first.span, left, right);
        }
        let mut kind = left.kind;
        let mut span = first.span;
        let mut operations = Vec::with_capacity(rest.len());
        for (binary, expr) in rest {
            let right = self.part(expr);
            kind = self.check(*binary, span, kind, expr.span, right.kind);
            operations.push(self.operation(*binary, expr.span, right.node));
            span = span.to(expr.span);
        }
        Part::new(Node::Fold(Box::new(left.node), operations.into()), kind)
    }

    fn single(&mut self, binary: Binary, left_span: Span, left: Part, right: &Expr) -> Part {
        let right_span = right.span;
        let right = self.part(right);
        let kind = self.check(binary, left_span, left.kind, right_span, right.kind);
        let harmless = never_fails(binary, &left, &right);
        let equality = match binary {
            Binary::Equal => Some(false),
            Binary::NotEqual => Some(true),
            _ => None,
        };
        let node = match (left.node, right.node) {
            // A literal before a field is a field before a literal.
            (Node::Text(text), Node::Slot(slot)) if equality.is_some() => {
                Node::SlotTest(slot, equality == Some(true), Box::new(Test::Is(text)))
            }
            (Node::Text(name), Node::Section(section)) if matches!(binary, Binary::In(_)) => {
                match self.slot(section, &name) {
                    Some(slot) => Node::Present(slot, binary.negated()),
                    None => Node::Operation(
                        Box::new(Node::Text(name)),
                        Box::new(Operation::With(binary, Node::Section(section))),
                    ),
                }
            }
            (left, right) => match (left, self.operation(binary, right_span, right)) {
                (Node::Slot(slot), Operation::Test(negated, test)) => {
                    Node::SlotTest(slot, negated, test)
                }
                (left, operation) => Node::Operation(Box::new(left), Box::new(operation)),
            },
        };
        Part { node, kind, harmless }
    }

    /// The slot of a field, noted for explanations.
    pub(super) fn slot(&mut self, section: Section, name: &str) -> Option<Slot> {
        let slot = self.environment.names.intern(section, name)?;
        if !self.fields.iter().any(|(known, ..)| *known == slot) {
            self.fields.push((slot, section, name.into()));
        }
        Some(slot)
    }

    /// The type of the result, after noting a mistake if there is none.
    fn check(
        &mut self,
        binary: Binary,
        left_span: Span,
        left: Type,
        right_span: Span,
        right: Type,
    ) -> Type {
        if let Some(kind) = types::result(binary, left, right) {
            return kind;
        }
        let sign = binary.symbol();
        let (left_name, right_name) = (describe(left), describe(right));
        let message = match binary {
            Binary::Equal | Binary::NotEqual => {
                format!("`{sign}` cannot compare {left_name} with {right_name}")
            }
            Binary::In(_) => format!("`in` cannot look for {left_name} in {right_name}"),
            _ => format!("`{sign}` cannot work on {left_name} and {right_name}"),
        };
        let help = match (left, right) {
            (Type::Text, Type::Int | Type::Float) if types::is_number(right) => {
                Some("put the number into quotes, or convert the text with `int(...)`".to_owned())
            }
            (Type::Int | Type::Float, Type::Text) if !matches!(binary, Binary::In(_)) => {
                Some("put the number into quotes, or convert the text with `int(...)`".to_owned())
            }
            (Type::Text, Type::Text) if matches!(binary, Binary::In(_)) => {
                Some("write `a contains b` to look for a text in a text".to_owned())
            }
            (Type::Duration, Type::Int | Type::Float)
            | (Type::Int | Type::Float, Type::Duration) => {
                Some("write a span of time as `duration(\"10s\")`".to_owned())
            }
            (Type::Bool, _) if binary.level() == 20 => {
                Some("`not` and `!` bind tighter than `".to_owned() + sign + "`: use parentheses")
            }
            _ => None,
        };
        self.mistake(left_span.to(right_span), message, help);
        if binary.level() == 20 { Type::Bool } else { Type::Unknown }
    }

    /// The operation with this right side; literals become tests that are ready to be used.
    fn operation(&mut self, binary: Binary, span: Span, right: Node) -> Operation {
        let negated = binary.negated();
        let test = match (binary, right) {
            (Binary::Equal, Node::Text(text)) => return equality(false, text),
            (Binary::NotEqual, Node::Text(text)) => return equality(true, text),
            (Binary::Contains(_), Node::Text(text)) => {
                let finder = memchr::memmem::Finder::new(text.as_bytes()).into_owned();
                Test::Contains(text, Box::new(finder))
            }
            (Binary::StartsWith(_), Node::Text(text)) => Test::StartsWith(text),
            (Binary::EndsWith(_), Node::Text(text)) => Test::EndsWith(text),
            (Binary::Matches(_), Node::Text(text)) => match self.pattern(&text) {
                Ok(pattern) => Test::Matches(pattern),
                Err(message) => {
                    self.mistake(span, message, None);
                    return Operation::With(binary, Node::Nil);
                }
            },
            (Binary::In(_), Node::List(items))
                if !items.is_empty() && items.iter().all(|item| literal(item).is_some()) =>
            {
                if items.iter().all(|item| matches!(item, Node::Text(_))) {
                    let texts = items.into_iter().filter_map(|item| match item {
                        Node::Text(text) => Some(text),
                        _ => None,
                    });
                    Test::In(Set::new(texts.collect()))
                } else {
                    Test::Among(items)
                }
            }
            (binary, right) => return Operation::With(binary, right),
        };
        Operation::Test(negated, Box::new(test))
    }

    fn pattern(&mut self, text: &str) -> Result<Pattern, String> {
        let pattern = Pattern::new(text)?;
        match self.room_for_patterns.checked_sub(pattern.size()) {
            Some(left) => self.room_for_patterns = left,
            None => {
                let room = super::pattern::ROOM;
                return Err(format!(
                    "the regular expressions are too large together: they need more than {room} \
                     bytes"
                ));
            }
        }
        Ok(pattern)
    }

    /// `a < b <= c`.
    pub(super) fn ordered(&mut self, first: &Expr, rest: &[(Binary, Expr)]) -> Part {
        let left = self.part(first);
        let mut harmless = left.harmless;
        let (mut span, mut kind) = (first.span, left.kind);
        let mut nodes = Vec::with_capacity(rest.len());
        for (binary, expr) in rest {
            let right = self.part(expr);
            self.check(*binary, span, kind, expr.span, right.kind);
            harmless &=
                right.harmless && !types::is_unknown(kind) && !types::is_unknown(right.kind);
            (span, kind) = (expr.span, right.kind);
            nodes.push((*binary, right.node));
        }
        Part { node: Node::Ordered(Box::new(left.node), nodes.into()), kind: Type::Bool, harmless }
    }

    /// `a ** b`.
    pub(super) fn power(&mut self, left: &Expr, right: &Expr) -> Part {
        let nodes = [left, right].map(|expr| {
            let part = self.part(expr);
            if !types::is_number(part.kind) && !types::is_unknown(part.kind) {
                let message = format!("`**` expects numbers, found {}", describe(part.kind));
                self.mistake(expr.span, message, None);
            }
            part.node
        });
        let [left, right] = nodes;
        Part::new(Node::Power(Box::new((left, right))), Type::Float)
    }
}

fn equality(negated: bool, text: Box<str>) -> Operation {
    Operation::Test(negated, Box::new(Test::Is(text)))
}

/// Whether the operator, on operands of these types, cannot fail and gives a bool.
fn never_fails(binary: Binary, left: &Part, right: &Part) -> bool {
    let text = |kind| matches!(kind, Type::Text | Type::Nil);
    let typed = match binary {
        Binary::Equal | Binary::NotEqual => true,
        Binary::Contains(_) | Binary::StartsWith(_) | Binary::EndsWith(_) => {
            text(left.kind) && text(right.kind)
        }
        // A pattern that is not literal is compiled when it runs, and may be wrong.
        Binary::Matches(_) => text(left.kind) && matches!(right.node, Node::Text(_)),
        Binary::In(_) => {
            text(left.kind) && matches!(right.kind, Type::List(_) | Type::Map(_) | Type::Fields(_))
        }
        _ => false,
    };
    // A literal list makes no elements at run time when it becomes a test.
    let right_is_harmless = right.harmless
        || matches!(&right.node, Node::List(items) if !items.is_empty()
            && items.iter().all(|item| literal(item).is_some()));
    typed && left.harmless && right_is_harmless
}
