//! Operators between operands, by how tightly they bind.

use super::super::ast::{Binary, Expr, Kind, Sense};
use super::super::lexer;
use super::{Parsed, Parser};

const POWER: u16 = 100;

/// What an operator between operands does to the tree.
#[derive(Clone, Copy, PartialEq)]
enum Infix {
    Or,
    And,
    Default,
    Power,
    Fold(Binary),
}

impl Infix {
    fn level(self) -> u16 {
        match self {
            Infix::Or => 10,
            Infix::And => 15,
            Infix::Fold(binary) => binary.level(),
            Infix::Power => POWER,
            Infix::Default => 500,
        }
    }
}

impl Parser<'_> {
    /// Operands joined by operators that bind at least as tightly as `level`.
    pub(super) fn operators(&mut self, level: u16) -> Parsed {
        self.nested(|parser| parser.operators_unguarded(level))
    }

    fn operators_unguarded(&mut self, level: u16) -> Parsed {
        let mut left = self.operand()?;
        let mut after_default = false;
        loop {
            let at = self.span();
            if self.is("|") {
                if level > 0 {
                    return Ok(left);
                }
                self.next();
                self.wrap(at)?;
                left = self.piped(left)?;
                after_default = false;
                continue;
            }
            let Some((infix, length)) = self.infix()? else { return Ok(left) };
            if infix.level() < level {
                return Ok(left);
            }
            if after_default && infix != Infix::Default {
                return Err(Self::mistake(
                    at,
                    "`??` and another operator cannot be mixed",
                    "put the part with `??` into parentheses",
                ));
            }
            self.at += length;
            left = match infix {
                Infix::Or => {
                    let right = self.operators(11)?;
                    join(left, right, Kind::Any, |kind| match kind {
                        Kind::Any(items) => Ok(items),
                        other => Err(other),
                    })
                }
                Infix::And => {
                    let right = self.operators(16)?;
                    join(left, right, Kind::All, |kind| match kind {
                        Kind::All(items) => Ok(items),
                        other => Err(other),
                    })
                }
                Infix::Default => {
                    let right = self.operators(501)?;
                    join(left, right, Kind::Default, |kind| match kind {
                        Kind::Default(items) => Ok(items),
                        other => Err(other),
                    })
                }
                Infix::Power => {
                    let right = self.operators(POWER)?;
                    let span = left.span.to(right.span);
                    Expr { span, kind: Kind::Power(Box::new(left), Box::new(right)) }
                }
                Infix::Fold(binary) if binary.orders() => self.ordered(left, binary)?,
                Infix::Fold(binary) => {
                    let right = self.operators(binary.level() + 1)?;
                    self.fold(left, binary, right)?
                }
            };
            after_default = infix == Infix::Default;
        }
    }

    /// The operator at this place, and of how many tokens it is made.
    fn infix(&self) -> Parsed<Option<(Infix, usize)>> {
        let lexer::Kind::Sign(sign) = self.token().kind else { return Ok(None) };
        let (sign, sense, length) = if sign == "not" {
            match self.tokens.get(self.at + 1).map(|token| &token.kind) {
                Some(lexer::Kind::Sign(
                    sign @ ("in" | "matches" | "contains" | "startsWith" | "endsWith"),
                )) => (*sign, Sense::Negated, 2),
                _ => {
                    return Err(Self::mistake(
                        self.span(),
                        "unexpected `not` after an operand",
                        "after an operand only `not in`, `not matches`, `not contains`, \
                         `not startsWith` and `not endsWith` can follow",
                    ));
                }
            }
        } else {
            (sign, Sense::Plain, 1)
        };
        let infix = match sign {
            "||" | "or" => Infix::Or,
            "&&" | "and" => Infix::And,
            "??" => Infix::Default,
            "**" | "^" => Infix::Power,
            "==" => Infix::Fold(Binary::Equal),
            "!=" => Infix::Fold(Binary::NotEqual),
            "<" => Infix::Fold(Binary::Less),
            "<=" => Infix::Fold(Binary::LessOrEqual),
            ">" => Infix::Fold(Binary::Greater),
            ">=" => Infix::Fold(Binary::GreaterOrEqual),
            "in" => Infix::Fold(Binary::In(sense)),
            "matches" => Infix::Fold(Binary::Matches(sense)),
            "contains" => Infix::Fold(Binary::Contains(sense)),
            "startsWith" => Infix::Fold(Binary::StartsWith(sense)),
            "endsWith" => Infix::Fold(Binary::EndsWith(sense)),
            ".." => Infix::Fold(Binary::Range),
            "+" => Infix::Fold(Binary::Add),
            "-" => Infix::Fold(Binary::Subtract),
            "*" => Infix::Fold(Binary::Multiply),
            "/" => Infix::Fold(Binary::Divide),
            "%" => Infix::Fold(Binary::Remainder),
            _ => return Ok(None),
        };
        Ok(Some((infix, length)))
    }

    fn fold(&mut self, left: Expr, binary: Binary, right: Expr) -> Parsed {
        let span = left.span.to(right.span);
        if let Kind::Ordered(..) = left.kind {
            self.wrap(span)?;
        }
        let kind = match left.kind {
            Kind::Fold(first, mut rest)
                if rest.last().is_some_and(|(last, _)| last.level() == binary.level()) =>
            {
                rest.push((binary, right));
                Kind::Fold(first, rest)
            }
            kind => Kind::Fold(Box::new(Expr { span: left.span, kind }), vec![(binary, right)]),
        };
        Ok(Expr { span, kind })
    }

    /// `left < a <= b ...` with the first operator already read.
    fn ordered(&mut self, left: Expr, first: Binary) -> Parsed {
        if let Kind::Fold(..) | Kind::Ordered(..) = left.kind {
            self.wrap(left.span)?;
        }
        let mut rest = Vec::new();
        let mut binary = first;
        loop {
            let right = self.operators(binary.level() + 1)?;
            let span = left.span.to(right.span);
            rest.push((binary, right));
            match self.infix()? {
                Some((Infix::Fold(next), length)) if next.orders() => {
                    binary = next;
                    self.at += length;
                }
                _ => return Ok(Expr { span, kind: Kind::Ordered(Box::new(left), rest) }),
            }
        }
    }

    /// `left | name(arguments)` is `name(left, arguments)`.
    fn piped(&mut self, left: Expr) -> Parsed {
        let (name, at) = self.name("the name of a function")?;
        if !self.is("(") {
            return Err(self.unexpected("`(`"));
        }
        let start = left.span;
        let mut call = self.call(name, at, Some(left))?;
        call.span = start.to(call.span);
        self.postfix(call)
    }
}

/// `left op right` for an operator whose chains are one flat list.
fn join(
    left: Expr,
    right: Expr,
    wrap: impl FnOnce(Vec<Expr>) -> Kind,
    open: impl FnOnce(Kind) -> Result<Vec<Expr>, Kind>,
) -> Expr {
    let span = left.span.to(right.span);
    let mut items = match open(left.kind) {
        Ok(items) => items,
        Err(kind) => vec![Expr { span: left.span, kind }],
    };
    items.push(right);
    Expr { span, kind: wrap(items) }
}
