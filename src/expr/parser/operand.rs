//! What operators stand between: literals, names, calls, and the steps after them.

use super::super::ast::{Expr, Kind, Link, Span, Step, Unary};
use super::super::lexer;
use super::{PREDICATES, Parsed, Parser};

const NOT: u16 = 50;
const SIGNED: u16 = 90;

impl Parser<'_> {
    pub(super) fn operand(&mut self) -> Parsed {
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
                match name {
                    "true" => Kind::Bool(true),
                    "false" => Kind::Bool(false),
                    "nil" => Kind::Nil,
                    _ if self.is("(") => return self.call(name.to_owned(), span, None),
                    _ => Kind::Name(name.to_owned()),
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
                Kind::Text(text.into_owned())
            }
            lexer::Kind::Bytes(bytes) => {
                self.next();
                let byte = |byte: u8| Expr { span, kind: Kind::Int(byte.into()) };
                Kind::List(bytes.into_iter().map(byte).collect())
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
                        name = (*found).to_owned();
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
                lexer::Kind::Name(name) => Expr { span, kind: Kind::Text(name.to_owned()) },
                lexer::Kind::Text(text) => Expr { span, kind: Kind::Text(text.into_owned()) },
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
    pub(super) fn call(&mut self, name: String, at: Span, first: Option<Expr>) -> Parsed {
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
    pub(super) fn postfix(&mut self, head: Expr) -> Parsed {
        let mut links = Vec::new();
        loop {
            if !matches!(self.token().kind, lexer::Kind::Sign("." | "?." | "[")) {
                break;
            }
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
