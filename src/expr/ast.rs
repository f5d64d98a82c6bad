//! What an expression says, before anybody asks whether it makes sense.
//!
//! Invariant: the tree is no deeper than the parser's limit. Chains of operators, of `.field`
//! and of `c ? a :` are therefore lists, not nests, however long they are.

use std::ops::Range;

/// The bytes of the expression that something was written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Span {
    /// From one place to another. Texts are shorter than 4 GiB, by the lexer's limit.
    pub(super) fn new(start: usize, end: usize) -> Self {
        let cut = |at| u32::try_from(at).unwrap_or(u32::MAX);
        Self { start: cut(start), end: cut(end) }
    }

    /// From the start of this to the end of `last`.
    pub(super) fn to(self, last: Self) -> Self {
        Self { start: self.start, end: last.end.max(self.end) }
    }

    /// As a range of bytes.
    pub(super) fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// An expression and where it was written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Expr {
    pub(super) span: Span,
    pub(super) kind: Kind,
}

/// The forms of an expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Expr>),
    /// Keys are expressions too: `{name: 1}` has the key `Text("name")`.
    Map(Vec<(Expr, Expr)>),
    Name(String),
    /// `#`, `#index`, `#acc`: the name is empty for the element itself.
    Pointer(String),
    /// `name(arguments)`.
    Call(String, Vec<Expr>),
    /// `{ body }` as an argument of a builtin that takes one.
    Predicate(Box<Expr>),
    /// `head.field?.method(x)[0][1:2]`.
    Path(Box<Expr>, Vec<Link>),
    Unary(Unary, Box<Expr>),
    /// Operators of one level, from left to right: `a + b - c`.
    Fold(Box<Expr>, Vec<(Binary, Expr)>),
    /// `a < b <= c`: every neighbouring pair must hold.
    Ordered(Box<Expr>, Vec<(Binary, Expr)>),
    /// `a ** b`, which groups to the right.
    Power(Box<Expr>, Box<Expr>),
    /// `a && b && c`.
    All(Vec<Expr>),
    /// `a || b || c`.
    Any(Vec<Expr>),
    /// `a ?? b ?? c`.
    Default(Vec<Expr>),
    /// `c ? a : d ? b : e`; without a middle (`c ?: e`) the condition is the value.
    Choice(Vec<(Expr, Option<Expr>)>, Box<Expr>),
    /// `let x = a; b; c`.
    Block(Vec<Statement>, Box<Expr>),
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Link {
    /// The step alone, without what stands before it.
    pub(super) span: Span,
    /// `?.`: a nil before it makes the whole path nil.
    pub(super) optional: bool,
    pub(super) step: Step,
}

/// The forms of a step.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    Field(String),
    Method(String, Vec<Expr>),
    Index(Box<Expr>),
    Slice(Option<Box<Expr>>, Option<Box<Expr>>),
}

/// What stands before a `;`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Statement {
    /// `let name = value`.
    Let(Span, String, Expr),
    /// An expression evaluated for its effects.
    Do(Expr),
}

/// Operators before an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unary {
    Not,
    Minus,
    Plus,
}

/// Operators between operands that are kept in a [`Kind::Fold`] or [`Kind::Ordered`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binary {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In(Sense),
    Matches(Sense),
    Contains(Sense),
    StartsWith(Sense),
    EndsWith(Sense),
    Range,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// Whether an operator was written with `not` before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sense {
    Plain,
    Negated,
}

impl Binary {
    /// The operator as it is written, without the `not`.
    pub(super) fn symbol(self) -> &'static str {
        match self {
            Binary::Equal => "==",
            Binary::NotEqual => "!=",
            Binary::Less => "<",
            Binary::LessOrEqual => "<=",
            Binary::Greater => ">",
            Binary::GreaterOrEqual => ">=",
            Binary::In(_) => "in",
            Binary::Matches(_) => "matches",
            Binary::Contains(_) => "contains",
            Binary::StartsWith(_) => "startsWith",
            Binary::EndsWith(_) => "endsWith",
            Binary::Range => "..",
            Binary::Add => "+",
            Binary::Subtract => "-",
            Binary::Multiply => "*",
            Binary::Divide => "/",
            Binary::Remainder => "%",
        }
    }

    /// How tightly it binds.
    pub(super) fn level(self) -> u16 {
        match self {
            Binary::Range => 25,
            Binary::Add | Binary::Subtract => 30,
            Binary::Multiply | Binary::Divide | Binary::Remainder => 60,
            _ => 20,
        }
    }

    /// Whether `not` was written before it.
    pub(super) fn negated(self) -> bool {
        matches!(
            self,
            Binary::In(Sense::Negated)
                | Binary::Matches(Sense::Negated)
                | Binary::Contains(Sense::Negated)
                | Binary::StartsWith(Sense::Negated)
                | Binary::EndsWith(Sense::Negated)
        )
    }

    /// `<`, `<=`, `>`, `>=`.
    pub(super) fn orders(self) -> bool {
        matches!(
            self,
            Binary::Less | Binary::LessOrEqual | Binary::Greater | Binary::GreaterOrEqual
        )
    }
}
