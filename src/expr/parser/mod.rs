//! Tokens to tree: a precedence-climbing parser.
//!
//! Hostile: a rule file may hold any text. Recursion is counted against [`DEEPEST`], and what
//! nests without recursion (pipes, comparisons of comparisons) is counted against it too, so the
//! tree's depth is bounded whatever the text is.

mod infix;
mod operand;

use super::Mistake;
use super::ast::{Expr, Kind, Span, Statement};
use super::lexer::{self, Token};

/// How deep an expression may nest. All rules of the public hub are content with 16.
const DEEPEST: usize = 96;

/// Builtins whose second argument is a predicate.
pub(super) const PREDICATES: &[&str] = &[
    "all",
    "any",
    "none",
    "one",
    "filter",
    "map",
    "find",
    "findIndex",
    "findLast",
    "findLastIndex",
    "count",
    "sum",
    "groupBy",
    "sortBy",
    "reduce",
];

/// The tree of `text`, or everything that is wrong with its form.
pub(super) fn parse(text: &str) -> Result<Expr, Vec<Mistake>> {
    let (tokens, mistakes) = lexer::tokens(text);
    let mut parser = Parser { tokens, at: 0, depth: 0, wraps: 0, predicates: 0 };
    let parsed = parser.whole();
    match parsed {
        Ok(tree) if mistakes.is_empty() => Ok(tree),
        // A parse error after a lexical one is most likely its echo.
        _ if !mistakes.is_empty() => Err(mistakes),
        Ok(tree) => Ok(tree),
        Err(mistake) => Err(vec![mistake]),
    }
}

struct Parser<'t> {
    tokens: Vec<Token<'t>>,
    at: usize,
    depth: usize,
    /// How often a finished expression was put inside another without recursion.
    wraps: usize,
    /// How many predicates stand around the current place.
    predicates: usize,
}

type Parsed<T = Expr> = Result<T, Mistake>;

impl<'t> Parser<'t> {
    fn token(&self) -> &Token<'t> {
        // The list always ends in `End`, and `next` never goes past it.
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    fn span(&self) -> Span {
        self.token().span
    }

    /// The span of the token before this one.
    fn before(&self) -> Span {
        self.at
            .checked_sub(1)
            .and_then(|at| self.tokens.get(at))
            .map_or(Span::default(), |t| t.span)
    }

    fn next(&mut self) {
        self.at += 1;
    }

    fn is(&self, sign: &str) -> bool {
        matches!(&self.token().kind, lexer::Kind::Sign(found) if *found == sign)
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = self.is(sign);
        if found {
            self.next();
        }
        found
    }

    fn expect(&mut self, sign: &str) -> Parsed<()> {
        if self.take(sign) { Ok(()) } else { Err(self.unexpected(&format!("`{sign}`"))) }
    }

    fn unexpected(&self, expected: &str) -> Mistake {
        let token = self.token();
        let (found, help) = match &token.kind {
            lexer::Kind::Name(name) => (format!("name `{name}`"), None),
            lexer::Kind::Int(number) => (format!("number `{number}`"), None),
            lexer::Kind::Float(number) => (format!("number `{number}`"), None),
            lexer::Kind::Text(_) | lexer::Kind::Bytes(_) => ("text".to_owned(), None),
            lexer::Kind::Sign("=") => ("`=`".to_owned(), Some("write `==` to compare")),
            lexer::Kind::Sign(sign) => (format!("`{sign}`"), None),
            lexer::Kind::End => ("the end of the expression".to_owned(), None),
        };
        Mistake {
            span: token.span.range(),
            message: format!("expected {expected}, found {found}"),
            help: help.map(str::to_owned),
        }
    }

    fn mistake(span: Span, message: impl Into<String>, help: &str) -> Mistake {
        Mistake {
            span: span.range(),
            message: message.into(),
            help: (!help.is_empty()).then(|| help.to_owned()),
        }
    }

    fn check_depth(&self, span: Span) -> Parsed<()> {
        if self.depth + self.wraps <= DEEPEST {
            return Ok(());
        }
        let message = format!("expression nested more than {DEEPEST} deep");
        Err(Self::mistake(span, message, "name parts of it with `let x = ...;`"))
    }

    fn wrap(&mut self, span: Span) -> Parsed<()> {
        self.wraps += 1;
        self.check_depth(span)
    }

    fn whole(&mut self) -> Parsed {
        if self.token().kind == lexer::Kind::End {
            return Err(Self::mistake(self.span(), "expression is empty", ""));
        }
        let tree = self.block()?;
        if self.token().kind != lexer::Kind::End {
            return Err(self.unexpected("an operator or the end of the expression"));
        }
        Ok(tree)
    }

    /// Statements separated by `;`, of which the last is the value.
    fn block(&mut self) -> Parsed {
        let start = self.span();
        let mut statements = Vec::new();
        loop {
            if self.is("let") {
                let from = self.span();
                self.next();
                let (name, at) = self.name("a name for the variable")?;
                if lexer::is_reserved(&name) {
                    return Err(Self::mistake(at, format!("`{name}` cannot name a variable"), ""));
                }
                self.expect("=")?;
                let value = self.full()?;
                let span = from.to(value.span);
                self.expect(";")?;
                statements.push(Statement::Let(span, name, value));
                continue;
            }
            let value = self.full()?;
            if !self.take(";") || self.ends_block() {
                return Ok(if statements.is_empty() {
                    value
                } else {
                    let span = start.to(value.span);
                    Expr { span, kind: Kind::Block(statements, Box::new(value)) }
                });
            }
            statements.push(Statement::Do(value));
        }
    }

    fn ends_block(&self) -> bool {
        matches!(self.token().kind, lexer::Kind::End | lexer::Kind::Sign(")" | "}"))
    }

    fn name(&mut self, expected: &str) -> Parsed<(String, Span)> {
        match &self.token().kind {
            lexer::Kind::Name(name) => {
                let found = ((*name).to_owned(), self.span());
                self.next();
                Ok(found)
            }
            _ => Err(self.unexpected(expected)),
        }
    }

    /// A full expression: with `let`, `if`, pipes and the ternary.
    fn full(&mut self) -> Parsed {
        if self.is("let") {
            return self.nested(Self::block);
        }
        if self.is("if") {
            return self.nested(Self::if_else);
        }
        let start = self.span();
        let mut arms = Vec::new();
        loop {
            let condition = self.operators(0)?;
            if !self.take("?") {
                return Ok(if arms.is_empty() {
                    condition
                } else {
                    let span = start.to(condition.span);
                    Expr { span, kind: Kind::Choice(arms, Box::new(condition)) }
                });
            }
            let then = if self.is(":") { None } else { Some(self.nested(Self::full)?) };
            self.expect(":")?;
            arms.push((condition, then));
            if self.is("if") || self.is("let") {
                let otherwise = self.full()?;
                let span = start.to(otherwise.span);
                return Ok(Expr { span, kind: Kind::Choice(arms, Box::new(otherwise)) });
            }
        }
    }

    fn if_else(&mut self) -> Parsed {
        let start = self.span();
        let mut arms = Vec::new();
        loop {
            self.expect("if")?;
            let condition = self.full()?;
            let then = self.braces()?;
            arms.push((condition, Some(then)));
            self.expect("else")?;
            if !self.is("if") {
                let otherwise = self.braces()?;
                let span = start.to(self.before());
                return Ok(Expr { span, kind: Kind::Choice(arms, Box::new(otherwise)) });
            }
        }
    }

    fn braces(&mut self) -> Parsed {
        self.expect("{")?;
        let body = self.nested(Self::block)?;
        self.expect("}")?;
        Ok(body)
    }

    fn nested(&mut self, parse: impl FnOnce(&mut Self) -> Parsed) -> Parsed {
        self.depth += 1;
        self.check_depth(self.span())?;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }
}
