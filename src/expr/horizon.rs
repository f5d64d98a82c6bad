//! How much of a list an expression can tell apart: often only its last few elements.
//!
//! A condition such as `len(queue.Queue) >= 4 && f(queue.Queue[-4:])` gives the same answer on the
//! last four elements as on a thousand. What is needed of the list is seen in the form of the
//! expression; where it uses the list in any other way, all of it is needed.
//!
//! Invariant: on a list that holds at least what [`Horizon`] says, in the old order, the expression
//! has the value that it has on the whole list, if the predicates cannot fail.

use super::ast::{Binary, Expr, Kind, Link, Statement, Step, Unary};
use super::pace::Pace;
use super::{Mistake, parser, printer};

/// What an expression needs of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Horizon {
    /// Of a list with fewer elements it is false, and writes nothing.
    pub least: usize,
    /// The last so many elements.
    pub newest: usize,
    /// For each predicate, over `evt` instead of the element, the last so many of those for which
    /// it holds.
    pub matching: Vec<(String, usize)>,
    /// What it asks, if that is only how fast the elements of that follow one another.
    pub pace: Option<Pace>,
}

/// What `text` needs of the list `object.field`; `None` for all of it, or when it cannot be told.
///
/// # Errors
/// What is wrong with the form of `text`.
pub fn horizon(text: &str, object: &str, field: &str) -> Result<Option<Horizon>, Vec<Mistake>> {
    let tree = parser::parse(text)?;
    let mut walk = Walk { object, field, lets: Vec::new(), found: Horizon::default() };
    let is_known = walk.expr(&tree);
    walk.found.least = walk.least(&tree);
    walk.found.pace = Pace::of(&tree, &walk);
    Ok(is_known.then_some(walk.found))
}

/// How many elements the list `object.field` must have for `text` to be true, to fail or to write
/// anything, as far as that is plain: it begins with `len(object.field) >= 4 && `.
#[must_use]
pub fn least(text: &str, object: &str, field: &str) -> usize {
    let Ok(tree) = parser::parse(text) else { return 0 };
    Walk { object, field, lets: Vec::new(), found: Horizon::default() }.least(&tree)
}

pub(super) struct Walk<'w> {
    object: &'w str,
    field: &'w str,
    /// Names that stand for the matching elements, in the order of `found.matching`.
    lets: Vec<String>,
    found: Horizon,
}

/// A list that is known: the whole one, or the elements that match a predicate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    Whole,
    Matching(usize),
}

impl Walk<'_> {
    /// Whether what is needed for this expression is known; it is noted.
    fn expr(&mut self, expr: &Expr) -> bool {
        match &expr.kind {
            Kind::Nil | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Text(_) => true,
            Kind::Pointer(_) => true,
            // All variables at once.
            Kind::Name(name) if name == "$env" => false,
            Kind::Name(name) => *name != self.object && !self.lets.contains(name),
            Kind::List(items) | Kind::All(items) | Kind::Any(items) | Kind::Default(items) => {
                self.all(items)
            }
            Kind::Call(_, arguments) => self.all(arguments),
            Kind::Map(entries) => {
                entries.iter().all(|(key, value)| self.expr(key) && self.expr(value))
            }
            Kind::Predicate(body) | Kind::Unary(_, body) => self.expr(body),
            Kind::Fold(first, rest) | Kind::Ordered(first, rest) => {
                self.compares_length(first, rest)
                    || self.expr(first) && rest.iter().all(|(_, right)| self.expr(right))
            }
            Kind::Power(left, right) => self.expr(left) && self.expr(right),
            Kind::Choice(arms, otherwise) => {
                arms.iter().all(|(condition, then)| {
                    self.expr(condition) && then.as_ref().is_none_or(|then| self.expr(then))
                }) && self.expr(otherwise)
            }
            Kind::Block(statements, value) => {
                statements.iter().all(|statement| self.statement(statement)) && self.expr(value)
            }
            Kind::Path(head, links) => self.path(expr, head, links),
        }
    }

    fn all(&mut self, items: &[Expr]) -> bool {
        items.iter().all(|item| self.expr(item))
    }

    /// `let x = filter(list, { .. })` makes `x` a known list.
    fn statement(&mut self, statement: &Statement) -> bool {
        match statement {
            Statement::Do(expr) => self.expr(expr),
            Statement::Let(_, name, _) if *name == self.object || self.lets.contains(name) => false,
            Statement::Let(_, name, value) => match self.filter(value) {
                Some(predicate) => {
                    self.lets.push(name.clone());
                    self.found.matching.push((predicate, 0));
                    true
                }
                None => self.expr(value),
            },
        }
    }

    /// The predicate of `filter(list, predicate)`, over `evt`.
    fn filter(&self, value: &Expr) -> Option<String> {
        let Kind::Call(name, arguments) = &value.kind else { return None };
        let ("filter", [list, predicate]) = (name.as_str(), &arguments[..]) else { return None };
        let (Some((Known::Whole, [])), Kind::Predicate(body)) = (self.known(list), &predicate.kind)
        else {
            return None;
        };
        let mut body = (**body).clone();
        over_evt(&mut body).then(|| printer::print(&body))
    }

    /// Which of the lists of matching elements a name stands for.
    pub(super) fn matching(&self, name: &str) -> Option<usize> {
        self.lets.iter().position(|known| known == name)
    }

    /// A known list at the head of an expression, and the steps behind it.
    pub(super) fn known<'e>(&self, expr: &'e Expr) -> Option<(Known, &'e [Link])> {
        match &expr.kind {
            Kind::Name(name) => Some((Known::Matching(self.matching(name)?), &[])),
            Kind::Path(head, links) => match (&head.kind, &links[..]) {
                (Kind::Name(name), [link, rest @ ..])
                    if name == self.object
                        && !link.optional
                        && matches!(&link.step, Step::Field(name) if name == self.field) =>
                {
                    Some((Known::Whole, rest))
                }
                (Kind::Name(name), links) => Some((Known::Matching(self.matching(name)?), links)),
                _ => None,
            },
            _ => None,
        }
    }

    fn need(&mut self, list: Known, least: usize) {
        let known = match list {
            Known::Whole => &mut self.found.newest,
            Known::Matching(at) => &mut self.found.matching[at].1,
        };
        *known = least.max(*known);
    }

    /// `list[-4]`, `list[-4:]`, and what is asked of the elements.
    fn path(&mut self, expr: &Expr, head: &Expr, links: &[Link]) -> bool {
        let Some((list, steps)) = self.known(expr) else {
            return self.expr(head) && links.iter().all(|link| self.link(link));
        };
        let [first, rest @ ..] = steps else { return false };
        let least = match &first.step {
            Step::Index(index) => from_end(index),
            Step::Slice(Some(from), None) => from_end(from),
            _ => None,
        };
        let Some(least) = least else { return false };
        self.need(list, least);
        rest.iter().all(|link| self.link(link))
    }

    fn link(&mut self, link: &Link) -> bool {
        match &link.step {
            Step::Field(_) => true,
            Step::Method(_, arguments) => self.all(arguments),
            Step::Index(index) => self.expr(index),
            Step::Slice(from, to) => [from, to].into_iter().flatten().all(|bound| self.expr(bound)),
        }
    }

    /// How many elements the list must have for an expression to be true. What comes first decides:
    /// nothing was written then, and nothing failed. Filters, whose predicates cannot fail, find no
    /// more than there is.
    fn least(&self, expr: &Expr) -> usize {
        match &expr.kind {
            Kind::All(items) => items.first().map_or(0, |first| self.least(first)),
            Kind::Block(statements, value) => {
                let is_filter = |statement: &Statement| matches!(statement, Statement::Let(_, name, _) if self.lets.contains(name));
                if statements.iter().all(is_filter) { self.least(value) } else { 0 }
            }
            Kind::Fold(first, rest) | Kind::Ordered(first, rest) => {
                let Some((_, binary, number)) = self.length(first, rest) else { return 0 };
                match binary {
                    Binary::Greater => number.saturating_add(1),
                    Binary::GreaterOrEqual | Binary::Equal => number,
                    _ => 0,
                }
            }
            _ => 0,
        }
    }

    /// `len(list) > 4`: one element more than the number tells all lengths above it alike.
    fn compares_length(&mut self, first: &Expr, rest: &[(Binary, Expr)]) -> bool {
        let Some((list, binary, number)) = self.length(first, rest) else { return false };
        // Whatever is at least so long, and so no shorter, is alike.
        let is_enough = matches!(binary, Binary::GreaterOrEqual | Binary::Less);
        self.need(list, number.saturating_add(usize::from(!is_enough)));
        true
    }

    /// The list, the operator and the number of `len(list) >= 4`.
    pub(super) fn length(
        &self,
        first: &Expr,
        rest: &[(Binary, Expr)],
    ) -> Option<(Known, Binary, usize)> {
        let (Kind::Call(name, arguments), [(binary, right)]) = (&first.kind, rest) else {
            return None;
        };
        let compares = binary.orders() || matches!(binary, Binary::Equal | Binary::NotEqual);
        let ("len", [list], true) = (name.as_str(), &arguments[..], compares) else { return None };
        let (Some((list, [])), Kind::Int(number)) = (self.known(list), &right.kind) else {
            return None;
        };
        Some((list, *binary, usize::try_from(*number).ok()?))
    }
}

/// `-4`, as 4.
pub(super) fn from_end(expr: &Expr) -> Option<usize> {
    match &expr.kind {
        Kind::Int(number) => usize::try_from(number.checked_neg()?).ok().filter(|n| *n > 0),
        Kind::Unary(Unary::Minus, inner) => match inner.kind {
            Kind::Int(number) => usize::try_from(number).ok().filter(|n| *n > 0),
            _ => None,
        },
        _ => None,
    }
}

/// Makes an expression about the element one about `evt`; gives whether it is about nothing else.
fn over_evt(expr: &mut Expr) -> bool {
    match &mut expr.kind {
        Kind::Nil | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Text(_) => true,
        Kind::Pointer(name) if name.is_empty() => {
            expr.kind = Kind::Name("evt".to_owned());
            true
        }
        Kind::List(items) | Kind::All(items) | Kind::Any(items) => items.iter_mut().all(over_evt),
        Kind::Unary(_, inner) => over_evt(inner),
        Kind::Fold(first, rest) | Kind::Ordered(first, rest) => {
            over_evt(first) && rest.iter_mut().all(|(_, right)| over_evt(right))
        }
        Kind::Path(head, links) => {
            let plain = links.iter().all(|link| matches!(link.step, Step::Field(_)));
            plain && matches!(head.kind, Kind::Pointer(_)) && over_evt(head)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(usize, &[(&str, usize)])>) {
        let found = horizon(text, "queue", "Queue").unwrap();
        let expected = expected.map(|(newest, matching)| Horizon {
            least: found.as_ref().map_or(0, |found| found.least),
            newest,
            matching: matching.iter().map(|(text, n)| ((*text).to_owned(), *n)).collect(),
            pace: found.as_ref().and_then(|found| found.pace.clone()),
        });
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn the_end_of_a_list_is_enough() {
        check("len(queue.Queue) >= 4 && f(queue.Queue[-4:])", Some((4, &[])));
        check("len(queue.Queue) > 4 && f(queue.Queue[-4:])", Some((5, &[])));
        check("len(queue.Queue) < 6", Some((6, &[])));
        check("len(queue.Queue) <= 6", Some((7, &[])));
        check("len(queue.Queue) == 2 && queue.Queue[-7].Meta.x == 'a'", Some((7, &[])));
        check("evt.Meta.x == 'a'", Some((0, &[])));
        check("map(queue.Queue[-3:], {#.Time})[0] > leaky.First_ts", Some((3, &[])));
    }

    #[test]
    fn the_last_that_match_are_enough() {
        check(
            "let bad = filter(queue.Queue, {#.Meta.x == 'a'}); len(bad) > 4 && f(map(bad[-9:], {#.Time}))",
            Some((0, &[("evt.Meta.x == \"a\"", 9)])),
        );
    }

    #[test]
    fn too_short_lists_need_no_look() {
        let plain = |text| least(text, "queue", "Queue");
        assert_eq!(plain("len(queue.Queue) >= 4 && f(queue.Queue)"), 4);
        assert_eq!(plain("len(queue.Queue) > 4 and queue.Queue[0].Time"), 5);
        assert_eq!(plain("len(queue.Queue) == 3"), 3);
        for text in [
            "f() && len(queue.Queue) >= 4",
            "len(queue.Queue) >= 4 || f()",
            "len(queue.Queue) != 4",
            "len(queue.Queue) <= 4",
            "4 <= len(queue.Queue)",
            "not (len(queue.Queue) >= 4)",
            "let x = f(queue.Queue); len(queue.Queue) >= 4",
            "let x = filter(queue.Queue, {f(#)}); len(x) >= 4",
            "len(x.Queue) >= 4",
        ] {
            assert_eq!(plain(text), 0, "{text}");
        }
        let known = |text: &str| horizon(text, "queue", "Queue").unwrap().map(|found| found.least);
        let filter = "let x = filter(queue.Queue, {#.Meta.x == 'a'}); ";
        assert_eq!(known(&format!("{filter}len(x) >= 4 && f()")), Some(4));
        assert_eq!(known(&format!("{filter}f() && len(x) >= 4")), Some(0));
    }

    #[test]
    fn any_other_use_needs_all() {
        for text in [
            "count(queue.Queue, {#.Meta.x == 'a'}) > 3",
            "len(queue.Queue) >= evt.Meta.n",
            "queue.Queue[0].Time",
            "queue.Queue[-4:-1]",
            "queue.L > 2",
            "queue",
            "$env",
            "let q = queue.Queue; len(q) > 1",
            "let bad = filter(queue.Queue, {#.Meta.x == 'a'}); bad",
            "let bad = filter(queue.Queue, {#index > 3}); len(bad) > 1",
            "let bad = filter(queue.Queue, {# == queue.Queue[-1]}); len(bad) > 1",
            "let bad = filter(queue.Queue, {f(#)}); len(bad) > 1",
        ] {
            check(text, None);
        }
    }
}
