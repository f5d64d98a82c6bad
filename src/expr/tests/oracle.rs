//! The same expressions, the same values as another implementation of the language gives.

use expr::{Context, Value as Theirs};
use proptest::prelude::*;

use super::generated::Lots;
use super::properties::{Grammar, bool, int, text};
use super::{Event, program, run};
use crate::value::{Arena, Names, Section, Value};

/// The fields that both sides see. All are set: for a missing one the oracle, which knows no
/// types, gives nil instead of an empty text.
const FIELDS: &[(Section, &str, &str)] = &[
    (Section::Parsed, "a", "x"),
    (Section::Parsed, "b", "xy"),
    (Section::Parsed, "c", ""),
    (Section::Meta, "a", "yx"),
];

fn context() -> Context {
    let section = |section| {
        let fields = FIELDS.iter().filter(|(s, ..)| *s == section);
        Theirs::Map(fields.map(|(_, n, t)| ((*n).to_owned(), Theirs::from(*t))).collect())
    };
    let event = [
        ("Parsed".to_owned(), section(Section::Parsed)),
        ("Meta".to_owned(), section(Section::Meta)),
        ("Stage".to_owned(), Theirs::from("s01-parse")),
    ];
    let mut context = Context::default();
    context.insert("evt", Theirs::Map(event.into_iter().collect()));
    context.insert("n", Theirs::from(7_i64));
    context.insert("any_value", Theirs::Nil);
    context
}

fn same(ours: Value<'_>, theirs: &Theirs) -> bool {
    match (ours, theirs) {
        (Value::Nil, Theirs::Nil) => true,
        (Value::Bool(a), Theirs::Bool(b)) => a == *b,
        (Value::Int(a), Theirs::Integer(b)) => a == *b,
        (Value::Float(a), Theirs::Float(b)) => a == *b || (a.is_nan() && b.is_nan()),
        (Value::Text(a), Theirs::String(b)) => a == b,
        (Value::List(a), Theirs::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(*a, b))
        }
        (Value::Map(a), Theirs::Map(b)) => {
            a.len() == b.len() && b.iter().all(|(key, b)| a.get(key).is_some_and(|a| same(a, b)))
        }
        _ => false,
    }
}

/// `Err` says how the two differ.
fn compare(text: &str) -> Result<(), String> {
    let mut names = Names::new();
    let program = program(text, &mut names).map_err(|mistakes| format!("refused: {mistakes:?}"))?;
    let arena = Arena::new();
    let ours = program.evaluate(&Event::new(&arena, &names, FIELDS));
    let theirs = expr::eval(text, &context());
    match (ours, theirs) {
        (Ok(ours), Ok(theirs)) if same(ours, &theirs) => Ok(()),
        (Err(_), Err(_)) => Ok(()),
        (ours, theirs) => Err(format!("`{text}`: we give {ours:?}, they give {theirs:?}")),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn generated_conditions_agree(text in bool(2, Grammar::Plain)) {
        compare(&text).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn generated_values_agree(text in text(3, Grammar::Plain), int in int(3, Grammar::Plain)) {
        compare(&text).map_err(TestCaseError::fail)?;
        compare(&int).map_err(TestCaseError::fail)?;
    }
}

/// Every operator, every builtin, predicates, slices, optional chains, choices, numbers and texts
/// in all their spellings.
#[test]
fn expressions_made_by_lot_agree() {
    const COUNT: u64 = 20_000;
    let mut differences = Vec::new();
    let mut n_failed = 0;
    for seed in 0..COUNT {
        let mut lots = Lots::new(seed);
        let text = lots.any(usize::try_from(seed % 4).expect("small"));
        n_failed += u64::from(run(&text).starts_with("fault"));
        differences.extend(compare(&text).err());
    }
    // What fails on both sides compares nothing.
    assert!(n_failed < COUNT / 20, "{n_failed} of {COUNT} expressions fail");
    let shown: Vec<_> = differences.iter().take(20).collect();
    assert!(differences.is_empty(), "{} differ: {shown:#?}", differences.len());
}

#[test]
fn picked_expressions_agree() {
    let picked = [
        "1 + 2 * 3 - 4",
        "7 / 2",
        "7 % 4",
        "2 ** 3 ** 2",
        "-2 ** 2",
        "2 ** -1",
        "not true || true",
        "not (1 == 2)",
        "!(1 == 2) && true",
        "1 == 1.0",
        "[1, 2] == [1, 2]",
        "{a: 1} == {a: 1}",
        "1 in [1, 2]",
        "'a' in {a: 1}",
        "'b' not in ['a']",
        "1..4",
        "4..1",
        "[1, 2, 3][-1]",
        "[1, 2, 3][1:]",
        "[1, 2, 3][-2:]",
        "[1, 2, 3][:-1]",
        "'abc'[1:2]",
        "true ? 1 : 2",
        "false ? 1 : false ? 2 : 3",
        "nil ?? 1",
        "any_value.x",
        "let a = 1; let b = a + 1; a * b",
        "any([1, 2], # > 1)",
        "all([1, 2], {# > 1})",
        "none([1, 2], {# > 2})",
        "one([1, 2], {# > 1})",
        "filter([1, 2, 3], # > 1)",
        "map([1, 2], # * 2)",
        "find([1, 2, 3], # > 1)",
        "findIndex([1, 2, 3], # > 1)",
        "findLast([1, 2, 3], # > 1)",
        "count([true, false])",
        "count([1, 2], # > 1)",
        "sum([1, 2])",
        "sum([1, 2], # * 2)",
        "reduce([1, 2, 3], #acc + #)",
        "reduce([1], #acc + #, 5)",
        "sortBy([3, 1, 2], #)",
        "sortBy([{a: 2}, {a: 1}], .a, 'desc')",
        "[1, 2, 3] | filter(# > 1) | map(# + 1)",
        "'x' contains ''",
        "'abc' matches 'b.$'",
        "'abc' startsWith 'ab' and 'abc' endsWith 'bc'",
        "any_value == nil",
        "any_value in [nil]",
        "evt.Parsed.a + evt.Meta.a",
        "evt?.Parsed?.a",
        "'a' in evt.Parsed",
        "'q' in evt.Parsed",
        "0x1F + 0b11 + 0o7 + 1_000",
        "1e3 + .5",
        "`a\\b`",
        "1 + 'a'",
        "true + 1",
        "any_value + 1",
        "any_value && true",
        "'a' < 'b'",
        "1 < 2.5",
        "nil < 1",
        "[[1, 2], [3]][0][1]",
        "1 // comment",
        "1 /* c */ + 2",
    ];
    // A mistake that we find when compiling is, to them, an error when running.
    let failures: Vec<String> = picked
        .iter()
        .filter_map(|text| compare(text).err())
        .filter(|difference| !difference.starts_with("refused"))
        .collect();
    assert!(failures.is_empty(), "{failures:#?}");
    let refused: Vec<&str> = picked
        .iter()
        .copied()
        .filter(
            |text| matches!(compare(text), Err(difference) if difference.starts_with("refused")),
        )
        .filter(|text| expr::eval(text, &context()).is_ok())
        .collect();
    assert_eq!(refused, [""; 0]);
}

/// Where the two differ, and why ours is right by the specification of the language.
#[test]
fn known_differences() {
    let differ = |text: &str, ours: &str| {
        assert_eq!(run(text), ours, "{text}");
        assert!(compare(text).is_err(), "{text} does not differ any more");
    };
    // A sequence whose first part is no `let` is newer than the oracle.
    differ("1; 2", "2");
    // Repeated signs and most escapes by number are refused by the oracle's grammar; the one that
    // it reads it leaves as it stands.
    differ("--5", "5");
    differ("'\\u0041\\x42'", "\"AB\"");
    differ("\"\\u0041\"", "\"A\"");
    // In its maps there can only be literals, and with those it keeps bytes apart from lists.
    differ("b'ab' == [97, 98]", "true");
    // What follows the last separator is a part, even when it is empty.
    differ("splitAfter('a,', ',')", "[\"a,\", \"\"]");
    differ("splitAfter('', ',')", "[\"\"]");
    // A whole float is written without a fraction.
    differ("toJSON(2 ** 2)", "\"4\"");
    // `if` begins an expression, and only that: nothing can follow but its end.
    differ(
        "if true { 1 } else { 2 } == 1",
        "mistake: expected an operator or the end of the expression, found `==`",
    );
    // An index behind the end is an error; `get(list, index)` is what gives nil.
    differ("[1, 2, 3][9]", "fault: index 9 is outside of 3 elements");
    // `?.` ends the whole chain, not one step of it.
    differ("any_value?.x.y ?? 'd'", "\"d\"");
    // The oracle gives -1 for an index that is not found, but for an expression without braces nil.
    differ("findLastIndex([1, 2], # > 9)", "nil");
    differ("findIndex([1, 2], {# > 9})", "nil");
    // Searching in nil, or in nothing, finds nothing.
    differ("any_value contains 'x'", "false");
    differ("any_value in nil", "false");
    // The oracle knows no types: it has nil for a missing field.
    differ("evt.Parsed.missing", "\"\"");
}
