//! Tokens to tree: a precedence-climbing parser.
//!
//! Hostile: a rule file may hold any text. Recursion is counted against [`DEEPEST`], and what
//! nests without recursion (pipes, comparisons of comparisons) is counted against it too, so the
//! tree's depth is bounded whatever the text is.

use super::Mistake;
use super::ast::{Binary, Expr, Kind, Link, Sense, Span, Statement, Step, Unary};
use super::lexer::{self, Token};

/// How deep an expression may nest. All rules of the public hub are content with 16.
pub(super) const DEEPEST: usize = 96;

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

const NOT: u16 = 50;
const SIGNED: u16 = 90;
const POWER: u16 = 100;

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

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    /// How often a finished expression was put inside another without recursion.
    wraps: usize,
    /// How many predicates stand around the current place.
    predicates: usize,
}

type Parsed<T = Expr> = Result<T, Mistake>;

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

impl Parser {
    fn token(&self) -> &Token {
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
            lexer::Kind::Text(_) => ("text".to_owned(), None),
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
                let found = (name.clone(), self.span());
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

    /// Operands joined by operators that bind at least as tightly as `level`.
    fn operators(&mut self, level: u16) -> Parsed {
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

    fn operand(&mut self) -> Parsed {
        let start = self.span();
        let unary = match self.token().kind {
            lexer::Kind::Sign("not" | "!") => Some((Unary::Not, NOT)),
            lexer::Kind::Sign("-") => Some((Unary::Minus, SIGNED)),
            lexer::Kind::Sign("+") => Some((Unary::Plus, SIGNED)),
            _ => None,
        };
        if let Some((unary, level)) = unary {
            self.next();
            let operand = self.operators(level)?;
            let span = start.to(operand.span);
            let kind = Kind::Unary(unary, Box::new(operand));
            return self.postfix(Expr { span, kind });
        }
        if self.take("(") {
            let mut body = self.nested(Self::block)?;
            self.expect(")")?;
            body.span = start.to(self.before());
            return self.postfix(body);
        }
        let primary = self.primary()?;
        self.postfix(primary)
    }

    fn primary(&mut self) -> Parsed {
        let span = self.span();
        let kind = match self.token().kind.clone() {
            lexer::Kind::Name(name) => {
                self.next();
                match name.as_str() {
                    "true" => Kind::Bool(true),
                    "false" => Kind::Bool(false),
                    "nil" => Kind::Nil,
                    _ if self.is("(") => return self.call(name, span, None),
                    _ => Kind::Name(name),
                }
            }
            lexer::Kind::Int(number) => {
                self.next();
                Kind::Int(number)
            }
            lexer::Kind::Float(number) => {
                self.next();
                Kind::Float(number)
            }
            lexer::Kind::Text(text) => {
                self.next();
                Kind::Text(text)
            }
            lexer::Kind::Sign("[") => {
                self.next();
                let items = self.list("]")?;
                Kind::List(items)
            }
            lexer::Kind::Sign("{") => {
                self.next();
                self.map()?
            }
            lexer::Kind::Sign(sign @ ("#" | ".")) => {
                if self.predicates == 0 {
                    let message = format!("`{sign}` outside of a predicate");
                    let help = "`#` is the current element inside of `any(list, {...})` and its \
                                kin";
                    return Err(Self::mistake(span, message, help));
                }
                let mut name = String::new();
                // A leading dot is left to the postfix loop: `.field` is `#.field`.
                if sign == "#" {
                    self.next();
                    if let lexer::Kind::Name(found) = &self.token().kind
                        && self.span().start == span.end
                    {
                        name = found.clone();
                        self.next();
                    }
                }
                Kind::Pointer(name)
            }
            _ => return Err(self.unexpected("an operand")),
        };
        let span = if self.at > 0 && self.before().end >= span.end {
            span.to(self.before())
        } else {
            Span { start: span.start, end: span.start }
        };
        Ok(Expr { span, kind })
    }

    /// Expressions separated by commas, up to `end`; a comma before `end` is allowed.
    fn list(&mut self, end: &str) -> Parsed<Vec<Expr>> {
        let mut items = Vec::new();
        while !self.take(end) {
            items.push(self.full()?);
            if !self.take(",") && !self.is(end) {
                return Err(self.unexpected(&format!("`,` or `{end}`")));
            }
        }
        Ok(items)
    }

    fn map(&mut self) -> Parsed<Kind> {
        let mut entries = Vec::new();
        while !self.take("}") {
            let span = self.span();
            let key = match self.token().kind.clone() {
                lexer::Kind::Name(name) => Expr { span, kind: Kind::Text(name) },
                lexer::Kind::Text(text) => Expr { span, kind: Kind::Text(text) },
                lexer::Kind::Int(n) => Expr { span, kind: Kind::Text(n.to_string()) },
                lexer::Kind::Float(n) => Expr { span, kind: Kind::Text(n.to_string()) },
                lexer::Kind::Sign("(") => {
                    self.next();
                    let key = self.nested(Self::block)?;
                    self.is(")").then_some(key).ok_or_else(|| self.unexpected("`)`"))?
                }
                _ => return Err(self.unexpected("a key of a map")),
            };
            self.next();
            self.expect(":")?;
            entries.push((key, self.full()?));
            if !self.take(",") && !self.is("}") {
                return Err(self.unexpected("`,` or `}`"));
            }
        }
        Ok(Kind::Map(entries))
    }

    /// A call with its arguments; `first` is what was piped into it.
    fn call(&mut self, name: String, at: Span, first: Option<Expr>) -> Parsed {
        self.expect("(")?;
        let takes_predicate = PREDICATES.contains(&name.as_str());
        let mut arguments: Vec<Expr> = first.into_iter().collect();
        while !self.take(")") {
            let argument = if takes_predicate && arguments.len() == 1 {
                self.predicate()?
            } else {
                self.full()?
            };
            arguments.push(argument);
            if !self.take(",") && !self.is(")") {
                return Err(self.unexpected("`,` or `)`"));
            }
        }
        Ok(Expr { span: at.to(self.before()), kind: Kind::Call(name, arguments) })
    }

    fn predicate(&mut self) -> Parsed {
        let start = self.span();
        self.predicates += 1;
        let body = if self.is("{") {
            self.braces()?
        } else {
            let body = self.nested(Self::full)?;
            if self.is(";") {
                let help = "put the predicate into braces: `{ ...; ... }`";
                return Err(Self::mistake(self.span(), "unexpected `;` in a predicate", help));
            }
            body
        };
        self.predicates -= 1;
        let span = start.to(self.before());
        Ok(Expr { span, kind: Kind::Predicate(Box::new(body)) })
    }

    /// `.field`, `?.field`, `[index]`, `[from:to]`, `.method(...)`, as many as there are.
    fn postfix(&mut self, head: Expr) -> Parsed {
        let mut links = Vec::new();
        loop {
            let start = self.span();
            let optional = self.is("?.");
            let step = if self.take(".") || self.take("?.") {
                if optional && self.take("[") { self.index()? } else { self.field()? }
            } else if self.take("[") {
                self.index()?
            } else {
                break;
            };
            links.push(Link { span: start.to(self.before()), optional, step });
        }
        let Some(last) = links.last() else { return Ok(head) };
        let span = head.span.to(last.span);
        // A path in parentheses goes on as one path: `(a?.b).c` is nil when `a` is.
        let kind = match head.kind {
            Kind::Path(head, mut earlier) => {
                earlier.append(&mut links);
                Kind::Path(head, earlier)
            }
            kind => Kind::Path(Box::new(Expr { span: head.span, kind }), links),
        };
        Ok(Expr { span, kind })
    }

    fn field(&mut self) -> Parsed<Step> {
        let (name, _) = self.name("the name of a field")?;
        if self.take("(") {
            return Ok(Step::Method(name, self.list(")")?));
        }
        Ok(Step::Field(name))
    }

    fn index(&mut self) -> Parsed<Step> {
        let from = if self.is(":") { None } else { Some(Box::new(self.full()?)) };
        if !self.take(":") {
            self.expect("]")?;
            return Ok(match from {
                Some(index) => Step::Index(index),
                None => Step::Slice(None, None),
            });
        }
        let to = if self.is("]") { None } else { Some(Box::new(self.full()?)) };
        self.expect("]")?;
        Ok(Step::Slice(from, to))
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
