//! What an expression may cost, when it is compiled and when it runs: rules are written by people
//! who make mistakes, and texts by people who mean harm.

use std::time::{Duration, Instant};

use super::{program, run};
use crate::value::Names;

/// Far more than any of these takes, even in a build without optimisation.
const SOON: Duration = Duration::from_secs(20);

#[expect(clippy::disallowed_methods, reason = "a test of how long something takes")]
fn start() -> Instant {
    Instant::now()
}

#[track_caller]
fn refused(text: &str, expected: &str) {
    let start = start();
    match program(text, &mut Names::new()) {
        Ok(_) => panic!("{} bytes are taken", text.len()),
        Err(mistakes) => {
            assert!(mistakes[0].message.contains(expected), "{}", mistakes[0].message)
        }
    }
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
}

#[track_caller]
fn gives(text: &str, expected: &str) {
    let start = start();
    assert_eq!(run(text), expected, "{:.200}", text);
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
}

#[test]
fn patterns_that_grow() {
    refused("evt.Stage matches '(a{1000}){1000}'", "regular expression is too large");
    refused("evt.Stage matches '((a{100}){100}){100}'", "regular expression is too large");
    refused("evt.Stage matches '(é{1000}){1000}'", "regular expression is too large");
    let many = vec!["evt.Stage matches '(a{1000}){20}'"; 500].join(" || ");
    refused(&many, "regular expressions are too large together");
    // A pattern that is made when the expression runs has less.
    gives(
        "evt.Stage matches '(' + '[a-z]{1000}' + '){100}'",
        "fault: regular expression is too large: it needs more than 1048576 bytes",
    );
}

#[test]
fn lists_and_chains_may_be_long() {
    let texts: Vec<String> = (0..30_000).map(|n| format!("'{n}'")).collect();
    gives(&format!("evt.Stage in [{}]", texts.join(", ")), "false");
    gives(&format!("evt.Stage == {}", texts.join(" || evt.Stage == ")), "false");
    gives(&format!("evt.Stage contains {}", texts.join(" || evt.Stage contains ")), "true");
    gives(&format!("0{}", " + 1".repeat(100_000)), "100000");
    let texts: Vec<String> = (0..200_000).map(|n| format!("'{n}'")).collect();
    refused(
        &format!("evt.Stage in [{}]", texts.join(", ")),
        "expression of 1888903 bytes, longer than 1048576",
    );
}

#[test]
fn nesting_is_bounded() {
    let nested = |open: &str, close: &str, n| format!("{}1{}", open.repeat(n), close.repeat(n));
    refused(&nested("(", ")", 200), "nested more than");
    refused(&nested("[", "]", 200), "nested more than");
    refused(&nested("len([", "])", 100), "nested more than");
    refused(&nested("map([1], {", "})", 100), "nested more than");
    refused(&nested("(true ? ", " : 1)", 200), "nested more than");
    // Written out, each level would make twice as much as the one around it.
    let unrolled = format!("{}true{}", "any(['a', 'b'], {".repeat(20), "})".repeat(20));
    gives(&unrolled, "true");
}

#[test]
fn what_runs_comes_to_an_end() {
    gives("len(1..1000000)", "1000000");
    gives("len(1..1000001)", "fault: expression makes more than a million elements");
    gives(
        "let l = 1..1000; count(l, {count(l, {count(l, {true}) > 0}) > 0})",
        "fault: expression looks at more than ten million elements",
    );
    let doubled: String = (1..40).map(|n| format!("let v{n} = v{} + v{0}; ", n - 1)).collect();
    gives(
        &format!("let v0 = evt.Stage; {doubled} len(v39)"),
        "fault: expression makes more than a million elements",
    );
    gives("len(repeat('0123456789', 1000000))", "10000000");
    gives("len(repeat('0123456789', 10000000))", "fault: `repeat`: the text would be too large");
}
