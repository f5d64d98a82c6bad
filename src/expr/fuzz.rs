//! The body of a fuzz target: the form of any expression. What expressions mean is fuzzed where
//! there are events.

use super::ast::{Expr, Kind, Span, Statement, Step};
use super::{parser, printer};

/// Any text is an expression, which prints as a text that is the same expression again, or has
/// mistakes with places in it.
#[doc(hidden)]
pub fn fuzz_form(text: &str) {
    let mut tree = match parser::parse(text) {
        Ok(tree) => tree,
        Err(mistakes) => {
            assert!(!mistakes.is_empty());
            for mistake in mistakes {
                assert!(text.get(mistake.span.clone()).is_some(), "{text:?}: {mistake:?}");
            }
            return;
        }
    };
    let printed = printer::print(&tree);
    let mut again = match parser::parse(&printed) {
        Ok(again) => again,
        Err(mistakes) => panic!("{text:?} is printed as {printed:?}: {mistakes:?}"),
    };
    forget_places(&mut tree);
    forget_places(&mut again);
    assert_eq!(tree, again, "{text:?} is printed as {printed:?}");
}

/// What is left is what the expression says. The parser bounds the depth.
fn forget_places(expr: &mut Expr) {
    expr.span = Span::default();
    let each = |items: &mut Vec<Expr>| items.iter_mut().for_each(forget_places);
    match &mut expr.kind {
        Kind::Nil
        | Kind::Bool(_)
        | Kind::Int(_)
        | Kind::Float(_)
        | Kind::Text(_)
        | Kind::Name(_)
        | Kind::Pointer(_) => {}
        Kind::List(items)
        | Kind::Call(_, items)
        | Kind::All(items)
        | Kind::Any(items)
        | Kind::Default(items) => each(items),
        Kind::Map(entries) => entries.iter_mut().for_each(|(key, value)| {
            forget_places(key);
            forget_places(value);
        }),
        Kind::Predicate(inner) | Kind::Unary(_, inner) => forget_places(inner),
        Kind::Path(head, links) => {
            forget_places(head);
            for link in links {
                link.span = Span::default();
                match &mut link.step {
                    Step::Field(_) => {}
                    Step::Method(_, arguments) => each(arguments),
                    Step::Index(index) => forget_places(index),
                    Step::Slice(from, to) => {
                        [from, to].into_iter().flatten().for_each(|bound| forget_places(bound));
                    }
                }
            }
        }
        Kind::Fold(first, rest) | Kind::Ordered(first, rest) => {
            forget_places(first);
            rest.iter_mut().for_each(|(_, right)| forget_places(right));
        }
        Kind::Power(left, right) => {
            forget_places(left);
            forget_places(right);
        }
        Kind::Choice(arms, otherwise) => {
            for (condition, then) in arms {
                forget_places(condition);
                then.iter_mut().for_each(forget_places);
            }
            forget_places(otherwise);
        }
        Kind::Block(statements, value) => {
            for statement in statements {
                match statement {
                    Statement::Let(span, _, value) => {
                        *span = Span::default();
                        forget_places(value);
                    }
                    Statement::Do(value) => forget_places(value),
                }
            }
            forget_places(value);
        }
    }
}
