//! What holds for every expression and every event.

use proptest::prelude::*;

use super::super::{Call, World, canonical, functions, fuzz_form, lexer, purity};
use super::{Event, Outcome, program, show};
use crate::value::{Arena, Names, Section, Type, Value};

/// Texts that expressions and events are made of: few, so that tests are sometimes true.
fn word() -> impl Strategy<Value = &'static str> + Clone {
    prop::sample::select(vec!["", "x", "y", "xy", "yx", "xyx", "zz"])
}

/// What a generated expression may use.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Grammar {
    /// Only parts whose types are known and that cannot fail.
    Typed,
    /// Also parts that fail, write, or are of unknown type.
    Wild,
    /// Only what the oracle understands.
    Plain,
}

pub(super) fn text(depth: u32, grammar: Grammar) -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        3 => prop::sample::select(vec!["a", "b", "c"]).prop_map(|name| format!("evt.Parsed.{name}")),
        1 => Just("evt.Meta.a".to_owned()),
        1 => Just("evt.Stage".to_owned()),
        2 => word().prop_map(|word| format!("'{word}'")),
    ];
    let Some(deeper) = depth.checked_sub(1) else { return leaf.boxed() };
    prop_oneof![
        4 => leaf,
        1 => (text(deeper, grammar), text(deeper, grammar)).prop_map(|(a, b)| format!("({a} + {b})")),
        1 => (bool(deeper, grammar), text(deeper, grammar), text(deeper, grammar))
            .prop_map(|(c, a, b)| format!("({c} ? {a} : {b})")),
        1 => (text(deeper, grammar), -3..4_i8, -3..4_i8)
            .prop_map(|(t, from, to)| format!("({t})[{from}:{to}]")),
    ]
    .boxed()
}

pub(super) fn int(depth: u32, grammar: Grammar) -> BoxedStrategy<String> {
    let leaf = prop_oneof![(0..6_i32).prop_map(|n| n.to_string()), Just("n".to_owned())];
    let Some(deeper) = depth.checked_sub(1) else { return leaf.boxed() };
    let pair = (int(deeper, grammar), int(deeper, grammar));
    prop_oneof![
        2 => leaf,
        2 => (pair, prop::sample::select(vec!["+", "-", "*"]))
            .prop_map(|((a, b), sign)| format!("({a} {sign} {b})")),
        1 => int(deeper, grammar).prop_map(|a| format!("-({a})")),
        1 => (bool(deeper, grammar), int(deeper, grammar), int(deeper, grammar))
            .prop_map(|(c, a, b)| format!("({c} ? {a} : {b})")),
        1 => int(deeper, grammar).prop_map(|a| format!("count(1..3, {{# > {a}}})")),
    ]
    .boxed()
}

pub(super) fn bool(depth: u32, grammar: Grammar) -> BoxedStrategy<String> {
    let test = (
        text(depth.saturating_sub(1).min(1), grammar),
        prop::sample::select(vec!["==", "!=", "contains", "startsWith", "endsWith", "<", ">="]),
        word(),
    )
        .prop_map(|(text, sign, word)| format!("{text} {sign} '{word}'"));
    let Some(deeper) = depth.checked_sub(1) else { return test.boxed() };
    let bools = |length| prop::collection::vec(bool(deeper, grammar), length);
    let words = prop::collection::vec(word(), 1..5);
    let set = (text(deeper, grammar), words.clone())
        .prop_map(|(text, words)| format!("{text} in ['{}']", words.join("', '")));
    let simple = prop_oneof![
        4 => test,
        2 => set,
        1 => (text(deeper, grammar), text(deeper, grammar)).prop_map(|(a, b)| format!("{a} == {b}")),
        1 => (int(deeper, grammar), int(deeper, grammar)).prop_map(|(a, b)| format!("{a} < {b}")),
        1 => (text(deeper, grammar)).prop_map(|a| format!("{a} matches '^x+y?$'")),
        1 => (words, bool(0, grammar)).prop_map(|(words, test)| {
            format!("any(['{}'], {{# == evt.Parsed.a && {test}}})", words.join("', '"))
        }),
        1 => int(deeper, grammar).prop_map(|a| format!("all(1..3, {{# < {a}}})")),
    ];
    let joined = prop_oneof![
        3 => bools(2..5).prop_map(|parts| format!("({})", parts.join(" && "))),
        3 => bools(2..9).prop_map(|parts| format!("({})", parts.join(" || "))),
        1 => bool(deeper, grammar).prop_map(|part| format!("not ({part})")),
    ];
    let common = prop_oneof![simple, joined];
    let extra = match grammar {
        Grammar::Plain => return common.boxed(),
        Grammar::Typed => Just("'a' in evt.Parsed".to_owned()).boxed(),
        Grammar::Wild => prop::sample::select(vec![
            "any_value",
            "evt.Fails()",
            "evt.SetMeta('a', 'x')",
            "evt.SetMeta('a', evt.Meta.a + 'y')",
            "evt.Alert.Raw == 'x'",
            "evt.Parsed.a matches evt.Parsed.b + '['",
            "any_value in ['x', '']",
            "any_value contains 'x'",
        ])
        .prop_map(str::to_owned)
        .boxed(),
    };
    let let_name = format!("v{depth}");
    prop_oneof![
        6 => common,
        2 => extra,
        1 => (text(deeper, grammar), bool(deeper, grammar)).prop_map(move |(value, rest)| {
            format!("(let {let_name} = {value}; {let_name} != 'x' && {rest})")
        }),
        1 => (text(deeper, grammar), word(), word())
            .prop_map(|(a, b, c)| format!("'{b}' <= {a} <= '{c}' + 'z'")),
        1 => (text(deeper, grammar), word()).prop_map(|(a, b)| format!("{a} not contains '{b}'")),
    ]
    .boxed()
}

pub(super) type Fields = Vec<(Section, &'static str, &'static str)>;

pub(super) fn fields() -> impl Strategy<Value = Fields> {
    let place = prop::sample::select(vec![
        (Section::Parsed, "a"),
        (Section::Parsed, "b"),
        (Section::Parsed, "c"),
        (Section::Meta, "a"),
    ]);
    prop::collection::vec((place, word()), 0..6)
        .prop_map(|fields| fields.into_iter().map(|((s, n), word)| (s, n, word)).collect())
}

/// Pieces that expressions are made of, in any order.
fn soup() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "evt",
        ".",
        "Parsed",
        "?.",
        "[",
        "]",
        "(",
        ")",
        "{",
        "}",
        "#",
        "any(",
        "map(",
        "'x'",
        "1",
        "1.5",
        "nil",
        "true",
        "&&",
        "||",
        "not",
        "!",
        "==",
        "<",
        "in",
        "matches",
        "contains",
        "+",
        "-",
        "*",
        "/",
        "%",
        "**",
        "..",
        "??",
        "?",
        ":",
        ",",
        ";",
        "let",
        "x",
        "=",
        "|",
        "if",
        "else",
        "$env",
        "n",
        "any_value",
        "#acc",
        "reduce(",
        "'[('",
        "9999999",
        "`",
        "\"\\",
        "/*",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.join(" "))
}

/// Compiles and runs whatever it is given.
fn survives(text: &str) -> Result<(), TestCaseError> {
    let mut names = Names::new();
    match program(text, &mut names) {
        Ok(program) => {
            let arena = Arena::new();
            let event = Event::new(&arena, &names, super::FIELDS);
            let _ = program.evaluate(&event);
            let _ = program.requirements();
            let _ = program.explain(&event);
        }
        Err(mistakes) => {
            prop_assert!(!mistakes.is_empty());
            for mistake in mistakes {
                prop_assert!(text.get(mistake.span.clone()).is_some(), "{:?}", mistake);
            }
        }
    }
    fuzz_form(text);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_a_program_or_mistakes(text in "\\PC{0,60}") {
        survives(&text)?;
    }

    #[test]
    fn any_soup_is_a_program_or_mistakes(text in soup()) {
        survives(&text)?;
    }

    #[test]
    fn any_bytes_are_cut_into_tokens(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let text = String::from_utf8_lossy(&bytes);
        let (tokens, _) = lexer::tokens(&text);
        prop_assert_eq!(&tokens.last().unwrap().kind, &lexer::Kind::End);
    }

    #[test]
    fn printing_and_parsing_are_inverse(text in bool(4, Grammar::Wild)) {
        fuzz_form(&text);
    }

    #[test]
    fn what_is_typed_does_not_fail(text in bool(3, Grammar::Typed), fields in fields()) {
        let mut names = Names::new();
        let program = program(&text, &mut names).map_err(|m| TestCaseError::fail(format!("{m:?}")))?;
        let arena = Arena::new();
        let event = Event::new(&arena, &names, &fields);
        prop_assert!(matches!(program.result(), Type::Bool));
        let value = program.evaluate(&event);
        prop_assert!(matches!(value, Ok(Value::Bool(_))), "{}: {}", text, show(value));
    }

    #[test]
    fn numbers_and_texts_are_of_their_types(text in text(4, Grammar::Typed), int in int(4, Grammar::Typed)) {
        let mut names = Names::new();
        let text = program(&text, &mut names).unwrap();
        let int = program(&int, &mut names).unwrap();
        let arena = Arena::new();
        let event = Event::new(&arena, &names, super::FIELDS);
        prop_assert!(matches!(text.result(), Type::Text));
        prop_assert!(matches!(text.evaluate(&event), Ok(Value::Text(_))));
        prop_assert!(matches!(int.result(), Type::Int));
        prop_assert!(matches!(int.evaluate(&event), Ok(Value::Int(_))));
    }

    /// What dispatch takes for granted of functions.
    #[test]
    fn total_functions_do_not_fail(
        texts in prop::collection::vec(prop_oneof![
            "\\PC{0,20}",
            "[{}\\[\\]\":,a-c0-9.<>/=@%]{0,20}",
            word().prop_map(str::to_owned),
        ], 4),
    ) {
        let arena = Arena::new();
        let world = World::default();
        for name in purity::total() {
            let function = functions::find(name).unwrap();
            let arguments: Vec<Value<'_>> =
                texts.iter().take(function.required.len()).map(|text| Value::Text(text)).collect();
            prop_assert!(function.required.iter().all(|kind| matches!(kind, Type::Text)), "{}", name);
            let call = Call { arena: &arena, world: &world };
            let result = (function.code)(call, &arguments);
            let fits = matches!(
                (&result, function.result),
                (Ok(Value::Text(_)), Type::Text)
                    | (Ok(Value::Bool(_)), Type::Bool)
                    | (Ok(Value::Int(_)), Type::Int)
                    | (Ok(Value::List(_)), Type::List(_))
            );
            prop_assert!(fits, "{}({:?}) = {:?}", name, arguments, result);
        }
    }

    /// The promise that dispatch is built on.
    #[test]
    fn without_its_requirements_a_program_does_nothing(
        text in bool(4, Grammar::Wild),
        fields in fields(),
    ) {
        let mut names = Names::new();
        let program = program(&text, &mut names).map_err(|m| TestCaseError::fail(format!("{text}: {m:?}")))?;
        let arena = Arena::new();
        let event = Event::new(&arena, &names, &fields);
        let requirements = program.requirements();
        let hold = requirements.hold(|slot| {
            let (section, name) = names.name(slot)?;
            event.get(section, name)
        });
        if !hold {
            let before = event.fields.borrow().clone();
            prop_assert_eq!(program.truth(&event), Ok(false), "{}", text);
            prop_assert_eq!(&before, &*event.fields.borrow(), "{} wrote", text);
        }
    }

    /// Explaining walks the clauses one by one; evaluating may decide many at once.
    #[test]
    fn explaining_agrees_with_evaluating(text in bool(4, Grammar::Wild), fields in fields()) {
        let mut names = Names::new();
        let program = program(&text, &mut names).map_err(|m| TestCaseError::fail(format!("{text}: {m:?}")))?;
        let arena = Arena::new();
        let evaluated = Event::new(&arena, &names, &fields);
        let explained = Event::new(&arena, &names, &fields);
        let expected = match program.evaluate(&evaluated) {
            Ok(Value::Bool(true)) => Outcome::True,
            Ok(Value::Bool(false)) => Outcome::False,
            Ok(other) => Outcome::Value(format!("{other:?}")),
            Err(fault) => Outcome::Fault(fault.message),
        };
        prop_assert_eq!(program.explain(&explained).outcome, expected, "{}", text);
        prop_assert_eq!(&*evaluated.fields.borrow(), &*explained.fields.borrow());
    }

    /// The canonical text means the same.
    #[test]
    fn canonical_text_has_the_same_value(text in bool(4, Grammar::Wild), fields in fields()) {
        let arena = Arena::new();
        let mut names = Names::new();
        let programs = [program(&text, &mut names), program(&canonical(&text).unwrap(), &mut names)];
        let values = programs.each_ref().map(|program| {
            let event = Event::new(&arena, &names, &fields);
            show(program.as_ref().unwrap().evaluate(&event))
        });
        prop_assert_eq!(&values[0], &values[1]);
    }
}
