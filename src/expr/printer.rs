//! Tree to text: the shortest form that parses to the same tree.

use super::ast::{Binary, Expr, Kind, Link, Statement, Step, Unary};

/// The text of a tree.
pub(super) fn print(expr: &Expr) -> String {
    let mut out = String::new();
    block(&mut out, expr);
    out
}

/// How tightly the outermost operator of an expression binds.
fn level(kind: &Kind) -> u16 {
    match kind {
        Kind::Block(..) | Kind::Choice(..) => 0,
        Kind::Any(_) => 10,
        Kind::All(_) => 15,
        Kind::Ordered(..) => 20,
        Kind::Fold(_, rest) => rest.first().map_or(20, |(binary, _)| binary.level()),
        Kind::Unary(Unary::Not, _) => 50,
        Kind::Unary(..) => 90,
        Kind::Power(..) => 100,
        Kind::Default(_) => 500,
        // `1.x` would be read as a number.
        Kind::Int(_) | Kind::Float(_) => 501,
        _ => 1000,
    }
}

/// Where statements are allowed: at the top, in parentheses, in braces.
fn block(out: &mut String, expr: &Expr) {
    let Kind::Block(statements, value) = &expr.kind else { return full(out, expr) };
    for statement in statements {
        match statement {
            Statement::Let(_, name, value) => {
                out.push_str("let ");
                out.push_str(name);
                out.push_str(" = ");
                full(out, value);
            }
            Statement::Do(value) => full(out, value),
        }
        out.push_str("; ");
    }
    full(out, value);
}

/// Where a ternary is allowed.
fn full(out: &mut String, expr: &Expr) {
    let Kind::Choice(arms, otherwise) = &expr.kind else { return operand(out, expr, 1) };
    for (condition, then) in arms {
        operand(out, condition, 1);
        out.push_str(" ? ");
        if let Some(then) = then {
            full(out, then);
        }
        out.push_str(" : ");
    }
    operand(out, otherwise, 1);
}

/// An operand of an operator that binds at `at_least`.
fn operand(out: &mut String, expr: &Expr, at_least: u16) {
    if level(&expr.kind) < at_least {
        out.push('(');
        block(out, expr);
        out.push(')');
        return;
    }
    match &expr.kind {
        Kind::Nil => out.push_str("nil"),
        Kind::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Kind::Int(number) => out.push_str(&number.to_string()),
        Kind::Float(number) => out.push_str(&format!("{number:?}")),
        Kind::Text(found) => text(out, found),
        Kind::List(items) => list(out, '[', items, ']'),
        Kind::Map(entries) => map(out, entries),
        Kind::Name(name) => out.push_str(name),
        Kind::Pointer(name) => {
            out.push('#');
            out.push_str(name);
        }
        Kind::Call(name, arguments) => {
            out.push_str(name);
            list(out, '(', arguments, ')');
        }
        Kind::Predicate(body) => {
            out.push_str("{ ");
            block(out, body);
            out.push_str(" }");
        }
        Kind::Path(head, links) => {
            operand(out, head, 1000);
            links.iter().for_each(|next| link(out, next));
        }
        Kind::Unary(unary, inner) => {
            let (sign, level) = match unary {
                Unary::Not => ("not ", 50),
                Unary::Minus => ("-", 90),
                Unary::Plus => ("+", 90),
            };
            out.push_str(sign);
            operand(out, inner, level);
        }
        Kind::Fold(first, rest) => {
            let level = level(&expr.kind);
            operand(out, first, level);
            rest.iter().for_each(|(binary, right)| infix(out, *binary, right));
        }
        Kind::Ordered(first, rest) => {
            // `(a < b) < c` is not `a < b < c`.
            operand(out, first, if matches!(first.kind, Kind::Ordered(..)) { 21 } else { 20 });
            rest.iter().for_each(|(binary, right)| infix(out, *binary, right));
        }
        Kind::Power(left, right) => {
            operand(out, left, 101);
            out.push_str(" ** ");
            operand(out, right, 100);
        }
        Kind::Any(items) => joined(out, items, " || ", 11),
        Kind::All(items) => joined(out, items, " && ", 16),
        Kind::Default(items) => joined(out, items, " ?? ", 501),
        Kind::Choice(..) | Kind::Block(..) => unreachable!("level 0 is always in parentheses"),
    }
}

fn infix(out: &mut String, binary: Binary, right: &Expr) {
    out.push_str(if binary.negated() { " not " } else { " " });
    out.push_str(binary.symbol());
    out.push(' ');
    operand(out, right, binary.level() + 1);
}

fn joined(out: &mut String, items: &[Expr], sign: &str, level: u16) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push_str(sign);
        }
        operand(out, item, level);
    }
}

fn list(out: &mut String, open: char, items: &[Expr], close: char) {
    out.push(open);
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        // A block would be legal only when it begins with `let`.
        if matches!(item.kind, Kind::Block(..)) { operand(out, item, 1) } else { full(out, item) }
    }
    out.push(close);
}

fn map(out: &mut String, entries: &[(Expr, Expr)]) {
    out.push('{');
    for (index, (key, value)) in entries.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        if let Kind::Text(key) = &key.kind {
            text(out, key);
        } else {
            out.push('(');
            block(out, key);
            out.push(')');
        }
        out.push_str(": ");
        full(out, value);
    }
    out.push('}');
}

fn link(out: &mut String, link: &Link) {
    let dot = if link.optional { "?." } else { "." };
    match &link.step {
        Step::Field(name) => {
            out.push_str(dot);
            out.push_str(name);
        }
        Step::Method(name, arguments) => {
            out.push_str(dot);
            out.push_str(name);
            list(out, '(', arguments, ')');
        }
        Step::Index(index) => {
            out.push_str(if link.optional { "?.[" } else { "[" });
            full(out, index);
            out.push(']');
        }
        Step::Slice(from, to) => {
            out.push_str(if link.optional { "?.[" } else { "[" });
            // A ternary would take the colon of the slice for its own.
            if let Some(from) = from {
                operand(out, from, 1);
            }
            out.push(':');
            if let Some(to) = to {
                operand(out, to, 1);
            }
            out.push(']');
        }
    }
}

fn text(out: &mut String, text: &str) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::super::parser::parse;
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let printed = print(&parse(text).unwrap());
        assert_eq!(printed, expected);
        assert_eq!(print(&parse(&printed).unwrap()), expected, "not stable");
    }

    #[test]
    fn prints_the_tree_that_was_parsed() {
        check("not a == b", "not a == b");
        check("not (a == b)", "not (a == b)");
        check("!a.b contains 'x'", "not a.b contains \"x\"");
        check("-2 ** 2", "-2 ** 2");
        check("(-2) ** 2", "(-2) ** 2");
        check("2 ** 3 ** 4", "2 ** 3 ** 4");
        check("(2 ** 3) ** 4", "(2 ** 3) ** 4");
        check("(a + b) + c - d", "a + b + c - d");
        check("a + (b + c)", "a + (b + c)");
        check("a - b * c == d", "a - b * c == d");
        check("a || b && c or d", "a || b && c || d");
        check("(a || b) && c", "(a || b) && c");
        check("(a || b) || (c || d)", "a || b || (c || d)");
        check("1 < x < 5", "1 < x < 5");
        check("(1 < x) < 5", "(1 < x) < 5");
        check("a not in [1, 2,]", "a not in [1, 2]");
        check("a | f(b) | g()", "g(f(a, b))");
        check("'x' == a ?? ''", "\"x\" == a ?? \"\"");
        check("(a ?? b) ?? c", "a ?? b ?? c");
        check("a ? b : c ? d : e", "a ? b : c ? d : e");
        check("a ? b ? c : d : e", "a ? b ? c : d : e");
        check("(a ? b : c) ? d : e", "(a ? b : c) ? d : e");
        check("a ?: b", "a ?  : b");
        check("if a { 1 } else if b { let x = 2; x } else { 3 }", "a ? 1 : b ? (let x = 2; x) : 3");
        check("let a = 1; let b = 2; a + b;", "let a = 1; let b = 2; a + b");
        check("f(1; 2)".replace("1; 2", "(1; 2)").as_str(), "f((1; 2))");
        check("any(l, .x > 1)", "any(l, { #.x > 1 })");
        check("any(l, {# == #index})", "any(l, { # == #index })");
        check("a?.b.c?.[0].in[1:][:2][:]", "a?.b.c?.[0].in[1:][:2][:]");
        check("(a?.b).c", "a?.b.c");
        check("{a: 1, 'b c': 2, (d): 3}", "{\"a\": 1, \"b c\": 2, (d): 3}");
        check("a[(b ? 1 : 2):3]", "a[(b ? 1 : 2):3]");
        check("1..3", "1 .. 3");
        check("'\\x01\\n\"'", r#""\u{1}\n\"""#);
        check("(-a).b", "(-a).b");
        check("(1).b", "(1).b");
    }

    #[track_caller]
    fn refuse(text: &str, expected: &str) {
        let mistakes = parse(text).unwrap_err();
        assert_eq!(format!("{:?} {}", mistakes[0].span, mistakes[0].message), expected);
    }

    #[test]
    fn refuses_what_is_no_expression() {
        refuse("", "0..0 expression is empty");
        refuse("a b", "2..3 expected an operator or the end of the expression, found name `b`");
        refuse("a = b", "2..3 expected an operator or the end of the expression, found `=`");
        refuse("a ?? '' == 'x'", "8..10 `??` and another operator cannot be mixed");
        refuse("a not b", "2..5 unexpected `not` after an operand");
        refuse("(a", "2..2 expected `)`, found the end of the expression");
        refuse("f(a b)", "4..5 expected `,` or `)`, found name `b`");
        refuse("# == 1", "0..1 `#` outside of a predicate");
        refuse("any(l, #; 1)", "8..9 unexpected `;` in a predicate");
        refuse("if a { 1 }", "10..10 expected `else`, found the end of the expression");
        refuse("let if = 1; 2", "4..6 expected a name for the variable, found `if`");
        refuse("let nil = 1; 2", "4..7 `nil` cannot name a variable");
        refuse("a |", "3..3 expected the name of a function, found the end of the expression");
    }

    #[test]
    fn bounds_depth_but_not_length() {
        for deep in
            ["(", "[", "-", "!", "f(", "a[", "{(", "if ", "let x = ", "a ? ", "2 ** ", "any(a, {"]
        {
            let mistakes = parse(&deep.repeat(20_000)).unwrap_err();
            assert!(mistakes[0].message.contains("nested"), "{deep}: {mistakes:?}");
        }
        for (first, next) in [("a", " | f()"), ("a", " < a == a")] {
            let mistakes = parse(&format!("{first}{}", next.repeat(20_000))).unwrap_err();
            assert!(mistakes[0].message.contains("nested"), "{next}: {mistakes:?}");
        }
        let chains = [
            " || a",
            " && a",
            " + a",
            " * a - a",
            " == a",
            " < a",
            " ?? a",
            ".a",
            "[0]",
            "?.a()",
            " ? a : a",
            " contains 'x' || a",
            " .. a",
        ];
        for next in chains {
            let text = format!("a{}", next.repeat(20_000));
            let tree = parse(&text).unwrap();
            let printed = print(&tree);
            assert_eq!(print(&parse(&printed).unwrap()), printed, "{next}");
        }
    }
}
