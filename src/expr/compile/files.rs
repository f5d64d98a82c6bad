//! `any(File(name), {...})` where the predicate is one test of a text against each line: the file
//! is asked as a whole.

use super::super::ast::{Binary, Expr, Kind, Sense, Step};
use super::super::node::{Builtin, FileTest};
use super::super::world::Relation;
use super::Compiler;

impl Compiler<'_, '_> {
    /// The test, if it is one; also with `len(#) > 0 &&` before, since no line is empty.
    pub(super) fn file_test(
        &mut self,
        builtin: Builtin,
        list: &Expr,
        body: &Expr,
    ) -> Option<FileTest> {
        let (Builtin::Any, [file]) = (builtin, call(list, "File")?) else { return None };
        let Kind::Text(name) = &file.kind else { return None };
        let test = match &body.kind {
            Kind::All(clauses) => match &clauses[..] {
                [first, test] if is_not_empty(first) => test,
                _ => return None,
            },
            _ => body,
        };
        let (subject, relation) = relation(test).filter(|(subject, _)| is_plain(subject))?;
        let before = self.mistakes.len();
        let subject = self.part(subject).node;
        // What is wrong with it is told where the body is compiled.
        self.mistakes.truncate(before);
        Some(FileTest { name: name.as_str().into(), subject, relation })
    }
}

/// The arguments of a call of `wanted`.
fn call<'e>(expr: &'e Expr, wanted: &str) -> Option<&'e [Expr]> {
    match &expr.kind {
        Kind::Call(name, arguments) if name == wanted => Some(arguments),
        _ => None,
    }
}

/// `len(#) > 0`.
fn is_not_empty(expr: &Expr) -> bool {
    let Kind::Ordered(length, rest) = &expr.kind else { return false };
    matches!(call(length, "len"), Some([of]) if is_element(of))
        && matches!(&rest[..], [(Binary::Greater, Expr { kind: Kind::Int(0), .. })])
}

/// What is tested, and how, against `#`.
fn relation(test: &Expr) -> Option<(&Expr, Relation)> {
    let (subject, element, relation) = match &test.kind {
        Kind::Call(name, arguments) => match (name.as_str(), &arguments[..]) {
            ("IpInRange", [subject, element]) => (subject, element, Relation::InRange),
            _ => return None,
        },
        Kind::Fold(subject, rest) => match &rest[..] {
            [(Binary::Equal, element)] => (&**subject, element, Relation::Equal),
            [(Binary::Contains(Sense::Plain), element)] => {
                (&**subject, element, Relation::Contains)
            }
            [(Binary::StartsWith(Sense::Plain), element)] => {
                (&**subject, element, Relation::StartsWith)
            }
            [(Binary::EndsWith(Sense::Plain), element)] => {
                (&**subject, element, Relation::EndsWith)
            }
            _ => return None,
        },
        _ => return None,
    };
    is_element(element).then_some((subject, relation))
}

fn is_element(expr: &Expr) -> bool {
    matches!(&expr.kind, Kind::Pointer(name) if name.is_empty())
}

/// Whether it is a field of a variable, or of a field of one. It gives the same for every line.
fn is_plain(expr: &Expr) -> bool {
    let Kind::Path(head, links) = &expr.kind else { return false };
    matches!(&head.kind, Kind::Name(_))
        && links.iter().all(|link| matches!(link.step, Step::Field(_)))
}
