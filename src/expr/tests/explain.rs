//! Why an expression gave what it gave.

use std::fmt::Write as _;

use super::{Event, FIELDS, Outcome, Trace, TraceKind, program};
use crate::value::{Arena, Names};

/// A line for each clause: depth, text, outcome, operands, and the test of a field.
fn draw(trace: &Trace, depth: usize, out: &mut String) {
    let outcome = match &trace.outcome {
        Outcome::True => "true".to_owned(),
        Outcome::False => "false".to_owned(),
        Outcome::Value(value) => format!("value {value}"),
        Outcome::Fault(fault) => format!("fault {fault}"),
        Outcome::Skipped => "skipped".to_owned(),
    };
    let _ = write!(out, "{}[{}] {outcome}", "  ".repeat(depth), trace.text);
    match &trace.kind {
        TraceKind::All(parts) | TraceKind::Any(parts) => {
            out.push('\n');
            parts.iter().for_each(|part| draw(part, depth + 1, out));
        }
        TraceKind::Not(part) | TraceKind::Block(part) => {
            out.push('\n');
            draw(part, depth + 1, out);
        }
        TraceKind::Leaf(leaf) => {
            for operand in &leaf.operands {
                let _ = write!(out, " <{}>", operand.value.as_deref().unwrap_or("-"));
            }
            if let Some(test) = &leaf.test {
                let not = if test.negated { "not " } else { "" };
                let _ = write!(
                    out,
                    " {:?}.{} = {:?}, wanted {not}{} {:?}",
                    test.section, test.name, test.found, test.operator, test.wanted
                );
            }
            out.push('\n');
        }
    }
}

#[track_caller]
fn check(text: &str, expected: &str) {
    check_trace(text, false, expected);
}

#[track_caller]
fn check_whole(text: &str, expected: &str) {
    check_trace(text, true, expected);
}

#[track_caller]
fn check_trace(text: &str, whole: bool, expected: &str) {
    let mut names = Names::new();
    let program = program(text, &mut names).unwrap();
    let arena = Arena::new();
    let event = Event::new(&arena, &names, FIELDS);
    let trace = if whole { program.explain_whole(&event) } else { program.explain(&event) };
    let mut out = String::new();
    draw(&trace, 0, &mut out);
    assert_eq!(out, expected, "\n{out}");
}

#[test]
fn shows_which_clause_was_false_and_why() {
    check(
        "evt.Parsed.program == 'nginx' && evt.Meta.service in ['http', 'ssh']",
        "[evt.Parsed.program == 'nginx' && evt.Meta.service in ['http', 'ssh']] false
  [evt.Parsed.program == 'nginx'] false <\"sshd\"> <nginx> Parsed.program = Some(\"sshd\"), wanted == [\"nginx\"]
  [evt.Meta.service in ['http', 'ssh']] skipped <-> <-> Meta.service = None, wanted in [\"http\", \"ssh\"]
",
    );
    check(
        "evt.Parsed.x contains 'a' || not (evt.Parsed.program != 'sshd')",
        "[evt.Parsed.x contains 'a' || not (evt.Parsed.program != 'sshd')] true
  [evt.Parsed.x contains 'a'] false <\"\"> <a> Parsed.x = None, wanted contains [\"a\"]
  [not (evt.Parsed.program != 'sshd')] true
    [(evt.Parsed.program != 'sshd')] false <\"sshd\"> <sshd> Parsed.program = Some(\"sshd\"), wanted not == [\"sshd\"]
",
    );
    check(
        "let x = evt.Unmarshaled.json; x.status == 200 && x.nothing.y == 'z'",
        "[let x = evt.Unmarshaled.json; x.status == 200 && x.nothing.y == 'z'] fault cannot fetch `y` from nil
  [x.status == 200 && x.nothing.y == 'z'] fault cannot fetch `y` from nil
    [x.status == 200] true <200> <200>
    [x.nothing.y == 'z'] fault cannot fetch `y` from nil <-> <->
",
    );
    check(
        "any_value && true",
        "[any_value && true] fault expected bool, found nil\n  [any_value] value nil\n  [true] skipped\n",
    );
    check("evt.Parsed.program", "[evt.Parsed.program] value \"sshd\"\n");
}

#[test]
fn goes_on_after_a_false_clause_where_it_does_no_harm() {
    check_whole(
        "evt.Parsed.x == 'a' && evt.Parsed.program == 'sshd' && evt.SetMeta('b', 'c')",
        "[evt.Parsed.x == 'a' && evt.Parsed.program == 'sshd' && evt.SetMeta('b', 'c')] false
  [evt.Parsed.x == 'a'] false <\"\"> <a> Parsed.x = None, wanted == [\"a\"]
  [evt.Parsed.program == 'sshd'] true <\"sshd\"> <sshd> Parsed.program = Some(\"sshd\"), wanted == [\"sshd\"]
  [evt.SetMeta('b', 'c')] skipped
",
    );
    check_whole(
        "evt.Parsed.program == 'sshd' || evt.Parsed.x == 'a'",
        "[evt.Parsed.program == 'sshd' || evt.Parsed.x == 'a'] true
  [evt.Parsed.program == 'sshd'] true <\"sshd\"> <sshd> Parsed.program = Some(\"sshd\"), wanted == [\"sshd\"]
  [evt.Parsed.x == 'a'] skipped <-> <-> Parsed.x = None, wanted == [\"a\"]
",
    );
}

#[test]
fn cuts_what_is_long() {
    let mut names = Names::new();
    let program = program("evt.Parsed.message contains 'x'", &mut names).unwrap();
    let arena = Arena::new();
    let long = "é\n".repeat(100_000);
    let fields = [(crate::value::Section::Parsed, "message", long.as_str())];
    let trace = program.explain(&Event::new(&arena, &names, &fields));
    let TraceKind::Leaf(leaf) = trace.kind else { panic!("{trace:?}") };
    assert!(leaf.operands[0].value.as_ref().unwrap().len() < 500);
    assert!(leaf.test.unwrap().found.unwrap().len() < 500);
}

#[test]
fn writes_what_a_plain_evaluation_writes() {
    let mut names = Names::new();
    let program = program("evt.SetMeta('a', evt.Meta.a + 'x') == true", &mut names).unwrap();
    let arena = Arena::new();
    let event = Event::new(&arena, &names, &[]);
    program.explain(&event);
    assert_eq!(event.get(crate::value::Section::Meta, "a"), Some("x"));
}
