//! The compiled form of an expression: names are numbers, literals are ready to be used.

use ipnet::IpNet;
use memchr::memmem::Finder;

use super::Function;
use super::ast::{Binary, Span};
use super::fuse::Plan;
use super::methods::Clock;
use super::pattern::Pattern;
use super::world::Relation;
use crate::value::{Section, Shape, Slot, Type};

/// Something that can be evaluated.
pub(super) enum Node {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Box<str>),
    Duration(i64),
    List(Box<[Node]>),
    Map(Box<[(Node, Node)]>),
    /// All variables as a map.
    Environment(&'static [(&'static str, Type)]),
    Variable(usize),
    /// A `let` variable, or what `#`, `#index` and `#acc` stand for.
    Local(usize),
    /// A text field of the event; a missing one is `""`.
    Slot(Slot),
    /// A text field that got no slot, because all were taken.
    Named(Section, Box<str>),
    Section(Section),
    /// `"name" in evt.Section`.
    Present(Slot, bool),
    Path(Box<Node>, Box<[Link]>),
    /// `#.Meta.x`: a field, by its slot, of what a local holds; the link is for whatever does not
    /// know it by its slot.
    ElementText(usize, Slot, Box<Link>),
    Call(Box<CallNode>),
    Each(Box<Each>),
    Not(Box<Clause>),
    Sign(bool, Box<Node>),
    /// The hot path: a text field against literals.
    SlotTest(Slot, bool, Box<Test>),
    Operation(Box<Node>, Box<Operation>),
    Fold(Box<Node>, Box<[Operation]>),
    Ordered(Box<Node>, Box<[(Binary, Node)]>),
    Power(Box<(Node, Node)>),
    All(Box<[Clause]>),
    Any(Box<Alternatives>),
    Default(Box<[Node]>),
    Choice(Box<[(Clause, Option<Node>)]>, Box<Node>),
    Block(Box<Block>),
}

/// An operand of `&&`, `||` or `not`, with what is needed to explain its result.
pub(super) struct Clause {
    pub(super) node: Node,
    pub(super) span: Span,
    /// Where the operands of its outermost operator or call stand.
    pub(super) operands: Box<[Span]>,
    /// Evaluating it cannot fail, writes nothing, and gives a bool.
    pub(super) harmless: bool,
}

/// `let x = a; b; c`.
pub(super) struct Block {
    /// Values for locals, or expressions evaluated for their effects.
    pub(super) statements: Box<[(Option<usize>, Node)]>,
    /// The statements cannot fail and write nothing.
    pub(super) harmless: bool,
    pub(super) value: Clause,
}

/// `a || b || c`.
pub(super) struct Alternatives {
    pub(super) clauses: Box<[Clause]>,
    /// How to decide many literal tests at once; gives the same result as the clauses in turn.
    pub(super) plan: Option<Plan>,
}

/// An operator and its right side.
pub(super) enum Operation {
    With(Binary, Node),
    /// Whether negated, and the test.
    Test(bool, Box<Test>),
}

/// A test against literals.
pub(super) enum Test {
    Is(Box<str>),
    /// A literal list of texts.
    In(Set),
    /// A literal list of anything else that is literal.
    Among(Box<[Node]>),
    Contains(Box<str>, Box<Finder<'static>>),
    StartsWith(Box<str>),
    EndsWith(Box<str>),
    Matches(Pattern),
}

/// A step of a path.
pub(super) struct Link {
    pub(super) optional: bool,
    pub(super) step: Step,
}

/// A place in a shape that was known when the expression was compiled.
pub(super) type Known = Option<(&'static Shape, usize)>;

/// The forms of a step.
pub(super) enum Step {
    Field(Box<str>, Known),
    /// `Meta.x` of an object that may know the field by its slot; else the two fields are asked
    /// for by their names.
    Text {
        slot: Slot,
        section: Box<str>,
        known: Known,
        name: Box<str>,
    },
    Method {
        name: Box<str>,
        known: Known,
        clock: Option<Clock>,
        arguments: Box<[Node]>,
    },
    Index(Node),
    Slice(Option<Node>, Option<Node>),
}

/// A call of a function.
pub(super) struct CallNode {
    pub(super) function: &'static Function,
    pub(super) arguments: Box<[Node]>,
    /// See [`super::purity`].
    pub(super) total: bool,
    pub(super) known: Literal,
}

/// What is known of a call when it is compiled, because an argument is literal.
pub(super) enum Literal {
    Nothing,
    /// The range of an `IpInRange`.
    Range(IpNet),
    /// The name of the file of a `File`.
    Lines(Box<str>),
}

/// A call of a builtin with a predicate.
pub(super) struct Each {
    pub(super) builtin: Builtin,
    pub(super) list: Node,
    pub(super) body: Option<Node>,
    /// The order of `sortBy`, the start of `reduce`.
    pub(super) extra: Option<Node>,
    /// The local of `#`; those of `#index` and `#acc` follow it.
    pub(super) element: usize,
    /// Calls in the body that give the same for every element: made once, before the first.
    pub(super) hoisted: Box<[(Option<usize>, Node)]>,
    /// Of an `any` that only asks what a text is to the lines of a file.
    pub(super) file: Option<Box<FileTest>>,
}

/// `any(File(name), {subject endsWith #})`: the lines of a file are made ready for it once.
pub(super) struct FileTest {
    pub(super) name: Box<str>,
    pub(super) subject: Node,
    pub(super) relation: Relation,
}

/// The builtins with a predicate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Builtin {
    All,
    Any,
    None,
    One,
    Filter,
    Map,
    Find,
    FindIndex,
    FindLast,
    FindLastIndex,
    Count,
    Sum,
    GroupBy,
    SortBy,
    Reduce,
}

impl Builtin {
    /// The builtin called `name`, and how many arguments it takes.
    pub(super) fn find(name: &str) -> Option<(Self, std::ops::RangeInclusive<usize>)> {
        Some(match name {
            "all" => (Builtin::All, 2..=2),
            "any" => (Builtin::Any, 2..=2),
            "none" => (Builtin::None, 2..=2),
            "one" => (Builtin::One, 2..=2),
            "filter" => (Builtin::Filter, 2..=2),
            "map" => (Builtin::Map, 2..=2),
            "find" => (Builtin::Find, 2..=2),
            "findIndex" => (Builtin::FindIndex, 2..=2),
            "findLast" => (Builtin::FindLast, 2..=2),
            "findLastIndex" => (Builtin::FindLastIndex, 2..=2),
            "count" => (Builtin::Count, 1..=2),
            "sum" => (Builtin::Sum, 1..=2),
            "groupBy" => (Builtin::GroupBy, 2..=2),
            "sortBy" => (Builtin::SortBy, 2..=3),
            "reduce" => (Builtin::Reduce, 2..=3),
            _ => return None,
        })
    }

    /// Whether its predicate must give a bool.
    pub(super) fn wants_bool(self) -> bool {
        !matches!(
            self,
            Builtin::Map | Builtin::Sum | Builtin::GroupBy | Builtin::SortBy | Builtin::Reduce
        )
    }
}

/// A set of literal texts.
pub(super) struct Set {
    sorted: Box<[Box<str>]>,
}

impl Set {
    /// The set of `texts`.
    pub(super) fn new(mut texts: Vec<Box<str>>) -> Self {
        texts.sort_unstable();
        texts.dedup();
        Self { sorted: texts.into() }
    }

    /// Whether `text` is in it.
    pub(super) fn contains(&self, text: &str) -> bool {
        // Comparing lengths first makes a linear search the faster one for the usual few words.
        if self.sorted.len() <= 8 {
            return self.sorted.iter().any(|known| **known == *text);
        }
        self.sorted.binary_search_by(|known| (**known).cmp(text)).is_ok()
    }

    /// Its texts, sorted.
    pub(super) fn texts(&self) -> &[Box<str>] {
        &self.sorted
    }
}
