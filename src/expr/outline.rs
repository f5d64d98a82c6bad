//! What an expression may give and what it may write, read off its form: for those who ask whether
//! rules fit together, not for evaluating.

use super::lexer::{self, Kind};
use super::node::{Link, Node, Operation, Step, Test};
use crate::value::Section;

/// Fields that an expression may write through a method of the event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writes {
    /// The section.
    pub section: Section,
    /// The name; `None` when it is computed, and so may be any.
    pub name: Option<Box<str>>,
}

/// The texts that a compiled expression gives; `None` when that cannot be read off. It may give
/// fewer, never another.
pub(super) fn texts(node: &Node) -> Option<Vec<&str>> {
    match node {
        // Nothing is stored for a nil.
        Node::Nil => Some(Vec::new()),
        Node::Text(text) => Some(vec![text]),
        Node::Block(block) => texts(&block.value.node),
        Node::Choice(arms, otherwise) => {
            let mut all = texts(otherwise)?;
            for (_, then) in arms {
                // Without a middle part the condition itself is the value.
                all.append(&mut texts(then.as_ref()?)?);
            }
            Some(all)
        }
        Node::Default(items) => {
            let mut all = Vec::new();
            for item in items {
                all.append(&mut texts(item)?);
            }
            Some(all)
        }
        _ => None,
    }
}

/// What `method`, called on the first variable, must give for the expression to give true, to fail
/// or to write anything; `None` unless that is what it asks first.
pub(super) fn first_asked<'n>(node: &'n Node, method: &str) -> Option<&'n str> {
    match node {
        Node::All(clauses) => first_asked(&clauses.first()?.node, method),
        Node::Operation(left, operation) => match (&**left, &**operation) {
            (Node::Path(head, links), Operation::Test(false, test)) => {
                let (
                    Node::Variable(0),
                    [Link { step: Step::Method { name, .. }, .. }],
                    Test::Is(text),
                ) = (&**head, &**links, &**test)
                else {
                    return None;
                };
                (**name == *method).then_some(text)
            }
            _ => None,
        },
        _ => None,
    }
}

/// The fields that an expression may write.
pub(super) fn writes(text: &str) -> Vec<Writes> {
    let (tokens, _) = lexer::tokens(text);
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let Kind::Name(method) = &token.kind else { continue };
        let section = match *method {
            "SetMeta" => Section::Meta,
            "SetParsed" => Section::Parsed,
            _ => continue,
        };
        let kind = |ahead: usize| tokens.get(at + ahead).map(|token| &token.kind);
        let name = match (kind(1), kind(2), kind(3)) {
            (Some(Kind::Sign("(")), Some(Kind::Text(name)), Some(Kind::Sign(","))) => {
                Some((**name).into())
            }
            _ => None,
        };
        found.push(Writes { section, name });
    }
    found
}

/// Functions that look into nothing but lists and scalars.
const SHALLOW: &[&str] = &[
    "Distance",
    "GetMeta",
    "GetQueue",
    "GetType",
    "Lower",
    "MedianInterval",
    "Upper",
    "all",
    "any",
    "count",
    "duration",
    "filter",
    "find",
    "findIndex",
    "findLast",
    "findLastIndex",
    "len",
    "map",
    "none",
    "one",
];

/// Whether it can be seen that an expression reads no member of an object that is in `hidden`. It
/// may be that it reads none although that cannot be seen.
pub(super) fn leaves_alone(text: &str, hidden: &[&str]) -> bool {
    let (tokens, _) = lexer::tokens(text);
    let kind = |at: usize| tokens.get(at).map(|token| &token.kind);
    tokens.iter().enumerate().all(|(at, token)| match &token.kind {
        Kind::Name(name) => {
            let is_call = matches!(kind(at + 1), Some(Kind::Sign("(")));
            let is_known = !is_call || SHALLOW.contains(name);
            is_known && *name != "$env" && !hidden.contains(name)
        }
        Kind::Text(name) => !hidden.contains(&&**name),
        // Neither a name nor an index that is computed.
        Kind::Sign("[") => match kind(at + 1) {
            Some(Kind::Int(_) | Kind::Sign("-" | ":")) => true,
            Some(Kind::Text(_)) => matches!(kind(at + 2), Some(Kind::Sign("]" | ","))),
            _ => false,
        },
        Kind::Bytes(_) => false,
        _ => true,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Environment, Program};
    use super::*;
    use crate::value::{Method, Names, Shape, Type};

    #[track_caller]
    fn check_texts(expression: &str, expected: Option<&[&str]>) {
        static VARIABLES: [(&str, Type); 1] = [("x", Type::Text)];
        let names = &mut Names::new();
        let environment = &mut Environment { variables: &VARIABLES, names, functions: &[] };
        let program = Program::new(expression, environment).unwrap();
        assert_eq!(program.texts().as_deref(), expected, "{expression}");
    }

    #[test]
    fn literal_alternatives_are_evident() {
        check_texts("'a'", Some(&["a"]));
        check_texts("x == '1' ? 'a' : 'b'", Some(&["b", "a"]));
        check_texts("x == '1' ? 'a' : x == '2' ? 'b' : nil", Some(&["a", "b"]));
        check_texts("let y = Lower(x); y == '1' ? 'a' : 'b'", Some(&["b", "a"]));
        check_texts("x", None);
        check_texts("x == '1' ? x : 'b'", None);
        check_texts("Lower(x)", None);
    }

    #[test]
    fn what_is_asked_first_decides() {
        let check = |text: &str, expected: Option<&str>| {
            static EVENT: Shape = Shape {
                name: "event",
                fields: &[],
                methods: &[Method::plain("GetType", Type::Text), Method::plain("Key", Type::Text)],
            };
            static VARIABLES: [(&str, Type); 2] =
                [("evt", Type::Object(&EVENT)), ("other", Type::Object(&EVENT))];
            let names = &mut Names::new();
            let environment = &mut Environment { variables: &VARIABLES, names, functions: &[] };
            let program = Program::new(text, environment).unwrap();
            assert_eq!(program.first_asked("GetType"), expected, "{text}");
        };
        check("evt.GetType() == 'overflow'", Some("overflow"));
        check("evt.GetType() == 'log' and evt.Key() == 'a'", Some("log"));
        check("'log' == evt.GetType()", None);
        check("evt.GetType() != 'overflow'", None);
        check("not (evt.GetType() == 'overflow')", None);
        check("evt.GetType() == 'overflow' || evt.Key() == 'a'", None);
        check("evt.Key() == 'a' && evt.GetType() == 'overflow'", None);
        check("evt.Key() == 'overflow'", None);
        check("other.GetType() == 'overflow'", None);
        check("Lower(evt.GetType()) == 'overflow'", None);
    }

    #[test]
    fn what_is_left_alone_is_seen_where_nothing_is_computed() {
        let check = |text: &str, expected: bool| {
            assert_eq!(leaves_alone(text, &["Parsed"]), expected, "{text}");
        };
        check("len(queue.Queue) >= 4 && MedianInterval(map(queue.Queue[-4:], {#.Time})) > 1", true);
        check("any(queue.Queue, {.Meta.exe in ['a', 'b'] and .Meta['x'] == 'y'})", true);
        check("queue.Queue[0].Meta.exe == evt.Meta.exe", true);
        check("any(queue.Queue, {.Parsed.exe == 'a'})", false);
        check("evt['Parsed'].x == 'a'", false);
        check("evt['Par' + 'sed'].x == 'a'", false);
        check("evt[queue.Name].x == 'a'", false);
        check("get(evt, evt.Meta.x) == 'a'", false);
        check("ToJsonString(evt) == 'a'", false);
        check("$env == nil", false);
    }

    #[test]
    fn writing_methods_are_seen_wherever_they_stand() {
        let meta =
            |name: Option<&str>| Writes { section: Section::Meta, name: name.map(Into::into) };
        assert_eq!(writes("evt.Parsed.x == 'SetMeta(1)'"), []);
        assert_eq!(writes("any([1], evt.SetMeta(\"a\", 'b'))"), [meta(Some("a"))]);
        assert_eq!(writes("evt.SetMeta(evt.Parsed.x, 'b')"), [meta(None)]);
        assert_eq!(writes("evt.SetMeta('a' + x, 'b')"), [meta(None)]);
        assert_eq!(writes("evt.SetParsed('a', 'b')")[0].section, Section::Parsed);
    }
}
