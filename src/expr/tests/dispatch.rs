//! What dispatch needs of an event before it asks a program.

use proptest::prelude::*;

use super::program;
use super::properties::{Grammar, bool, fields};
use crate::expr::{Candidates, Dispatch};
use crate::value::{Arena, Names};

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    check_needs(text, expected, false);
}

/// Checks the needs of a program that is true when they hold.
#[track_caller]
fn check_exact(text: &str, expected: &[&str]) {
    check_needs(text, expected, true);
}

#[track_caller]
fn check_needs(text: &str, expected: &[&str], exact: bool) {
    let mut names = Names::new();
    let program = program(text, &mut names).unwrap();
    let needs = program.needs();
    let shown: Vec<String> = needs
        .all
        .iter()
        .map(|need| {
            let any = need.any.iter().map(|(slot, hint)| {
                let (section, name) = names.name(*slot).unwrap();
                format!("{section:?}.{name} {hint:?}")
            });
            any.collect::<Vec<_>>().join(" or ")
        })
        .collect();
    assert_eq!(shown, expected, "{text}");
    assert_eq!(needs.exact, exact, "{text}");
}

#[test]
fn tests_need_what_follows_from_them() {
    check_exact("evt.Parsed.p == 'x'", &["Parsed.p Equals(\"x\")"]);
    check_exact(
        "evt.Parsed.p in ['x', 'y']",
        &["Parsed.p Equals(\"x\") or Parsed.p Equals(\"y\")"],
    );
    check_exact("evt.Parsed.p in ['x', nil]", &["Parsed.p Equals(\"x\")"]);
    check_exact("evt.Parsed.p startsWith 'x'", &["Parsed.p StartsWith(\"x\")"]);
    check_exact("evt.Parsed.p endsWith 'x'", &["Parsed.p EndsWith(\"x\")"]);
    check("evt.Parsed.p contains 'xyz'", &["Parsed.p Contains(\"xyz\")"]);
    check("evt.Parsed.p matches '^x+yz?'", &["Parsed.p AtLeast(2)"]);
    check("evt.Parsed.p matches '^xy.z'", &["Parsed.p StartsWith(\"xy\")"]);
    for (pattern, shortest) in
        [("(?i)^xy.", 3), ("(?m)^xy.", 3), ("^xy|z", 1), ("^(xy)?z", 1), ("^éx", 1), ("^x?yz", 2)]
    {
        let expected = format!("Parsed.p AtLeast({shortest})");
        check(&format!("evt.Parsed.p matches '{pattern}'"), &[&expected]);
    }
    check("evt.Parsed.p matches '(?i)ſtar'", &["Parsed.p AtLeast(1)"]);
    check("Upper(evt.Parsed.p) == 'X'", &["Parsed.p Resembles(\"X\")"]);
    check("lower(evt.Parsed.p) startsWith 'x'", &["Parsed.p BeginsLike(\"x\")"]);
    check("Upper(evt.Parsed.p) contains 'ABCDE'", &["Parsed.p AtLeast(2)"]);
    check("PathUnescape(evt.Parsed.p) contains 'ABCDE'", &["Parsed.p AtLeast(5)"]);
    check("Upper(PathUnescape(evt.Parsed.p)) == 'ABCDE'", &["Parsed.p AtLeast(2)"]);
    check("evt.Parsed.p not in ['', nil]", &["Parsed.p AtLeast(1)"]);
    check_exact("evt.Parsed.p != ''", &["Parsed.p AtLeast(1)"]);
    check_exact("not (evt.Parsed.p == '')", &["Parsed.p AtLeast(1)"]);
    for text in ["evt.Parsed.p != 'x'", "evt.Parsed.p contains ''", "evt.Parsed.p matches 'x*'"] {
        check(text, &[]);
    }
    check("Lower(evt.Parsed.p) != 'x'", &[]);
    check("evt.Parsed.p + 'x' == 'yx'", &[]);
    check("evt.Parsed.p not contains 'x'", &[]);
}

#[test]
fn what_is_joined_needs_what_its_parts_need() {
    let both = ["Meta.a Equals(\"x\")", "Meta.b Contains(\"y\")"];
    check("evt.Meta.a == 'x' && evt.Meta.b contains 'y'", &both);
    check("if (evt.Meta.a == 'x') { evt.Meta.b contains 'y' } else { false }", &both);
    check("evt.Meta.a == 'x' ? evt.Meta.b contains 'y' : true", &[]);
    check("evt.Meta.a == 'x' && evt.Fails() && evt.Meta.b == 'y'", &both[..1]);
    check("(evt.Meta.a == 'x' && evt.Fails()) ? evt.Meta.b == 'y' : false", &both[..1]);
    check(
        "evt.Meta.a == 'x' || evt.Meta.b == 'y' && evt.Meta.c == 'z'",
        &["Meta.a Equals(\"x\") or Meta.b Equals(\"y\")"],
    );
    check(
        "evt.Meta.a == 'x' && evt.Meta.b == 'y' || evt.Meta.b == 'z'",
        &["Meta.b Equals(\"y\") or Meta.b Equals(\"z\")"],
    );
    check("evt.Meta.a == 'x' || any_value", &[]);
    check_exact(
        "evt.Meta.a == 'x' && evt.Meta.b == 'y'",
        &["Meta.a Equals(\"x\")", "Meta.b Equals(\"y\")"],
    );
    check_exact(
        "evt.Meta.a == 'x' || evt.Meta.b == 'y'",
        &["Meta.a Equals(\"x\") or Meta.b Equals(\"y\")"],
    );
    check_exact(
        "evt.Meta.a == 'x' || evt.Meta.a endsWith 'y'",
        &["Meta.a Equals(\"x\") or Meta.a EndsWith(\"y\")"],
    );
    check("let x = evt.Fails(); evt.Meta.a == 'x'", &[]);
}

/// Conditions such as rules begin with.
fn need() -> impl Strategy<Value = String> {
    let field = prop::sample::select(vec!["Parsed.a", "Parsed.b", "Parsed.c", "Meta.a"]);
    let change = prop::sample::select(vec!["", "", "", "Upper", "Lower", "PathUnescape", "upper"]);
    let test = prop::sample::select(vec![
        "== 'x'",
        "== 'X'",
        "== 'xy'",
        "== ''",
        "== 'é'",
        "== 'É'",
        "!= ''",
        "in ['x', 'YY', 'xyx']",
        "in ['', 'y']",
        "not in ['', nil]",
        "startsWith 'x'",
        "startsWith 'XY'",
        "endsWith 'y'",
        "contains 'xy'",
        "contains 'É'",
        "matches '^x.y'",
        "matches '^xy'",
        "contains 'x' && evt.Parsed.a contains 'y'",
        "contains 'x' || evt.Parsed.b contains 'Xy'",
        "matches '(?i)É'",
    ]);
    (field, change, change_is_wrapped(), test).prop_map(|(field, change, twice, test)| {
        match (change, twice) {
            ("", _) => format!("evt.{field} {test}"),
            (change, false) => format!("{change}(evt.{field}) {test}"),
            (change, true) => format!("Upper({change}(evt.{field})) {test}"),
        }
    })
}

fn change_is_wrapped() -> impl Strategy<Value = bool> {
    prop::bool::weighted(0.2)
}

fn filter() -> impl Strategy<Value = String> {
    let rest = bool(2, Grammar::Wild);
    prop_oneof![
        2 => need(),
        2 => (need(), rest.clone()).prop_map(|(need, rest)| format!("{need} && {rest}")),
        1 => (rest.clone(), need()).prop_map(|(rest, need)| format!("{rest} && {need}")),
        1 => prop::collection::vec(need(), 2..4).prop_map(|needs| needs.join(" || ")),
        1 => (need(), need(), need()).prop_map(|(a, b, c)| format!("{a} && {b} || {c}")),
        1 => (need(), rest.clone())
            .prop_map(|(need, rest)| format!("({need}) ? ({rest}) : false")),
        1 => need().prop_map(|need| format!("not ({need})")),
        1 => rest,
    ]
}

/// Texts that tests for them come close to.
fn texts() -> impl Strategy<Value = Vec<(crate::value::Section, &'static str, &'static str)>> {
    let words = ["x", "X", "xy", "yX", "Xyx", "%78y", "é", "É", "xéy", "ſ", "yy", ""];
    (fields(), prop::collection::vec(prop::sample::select(words.to_vec()), 0..4)).prop_map(
        |(mut fields, words)| {
            let places = [("a", 0), ("b", 0), ("c", 0), ("a", 1)];
            for ((name, section), word) in places.into_iter().zip(words) {
                let section = [crate::value::Section::Parsed, crate::value::Section::Meta][section];
                fields.push((section, name, word));
            }
            fields
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whoever is left out has nothing to say, and whoever is certain only yes: the plain order
    /// would have given the same.
    #[test]
    fn programs_that_are_not_asked_do_nothing_else(
        filters in prop::collection::vec(filter(), 1..90),
        fields in texts(),
    ) {
        let mut names = Names::new();
        let mut programs = Vec::new();
        for text in &filters {
            let compiled = program(text, &mut names);
            programs.push(compiled.map_err(|m| TestCaseError::fail(format!("{text}: {m:?}")))?);
        }
        let all = programs.iter().map(Some).chain([None]);
        let dispatch = Dispatch::new(all);
        let arena = Arena::new();
        let event = super::Event::new(&arena, &names, &fields);
        let mut found = Candidates::default();
        let field = |slot| {
            let (section, name) = names.name(slot)?;
            event.get(section, name)
        };
        dispatch.collect(field, &mut found);
        let mut candidates = Vec::new();
        let mut from = 0;
        while let Some(number) = dispatch.next(&found, from, field) {
            candidates.push(number);
            from = number + 1;
        }
        prop_assert!(candidates.contains(&programs.len()), "one without a filter is asked");
        prop_assert!(candidates.iter().all(|number| *number <= programs.len()));
        for (number, program) in programs.iter().enumerate() {
            let is_found = candidates.contains(&number);
            if is_found && !dispatch.is_certain(number) {
                continue;
            }
            let before = event.fields.borrow().clone();
            prop_assert_eq!(program.truth(&event), Ok(is_found), "{}", program.text());
            prop_assert_eq!(&before, &*event.fields.borrow(), "{} wrote", program.text());
        }
    }
}

/// Those that cannot matter are really left out.
#[test]
fn a_dispatch_leaves_out_whom_it_can() {
    let mut names = Names::new();
    let texts = [
        "evt.Parsed.p == 'sshd'",
        "evt.Parsed.p startsWith 'ss'",
        "Upper(evt.Parsed.p) == 'SSHD'",
        "evt.Parsed.p endsWith 'hd' && evt.Meta.a != ''",
        "evt.Parsed.p matches 'a{5}'",
        "evt.Parsed.p in ['sshd', 'cron'] && evt.Meta.a == 'x'",
        "evt.Parsed.p == '' && evt.Meta.b == 'z'",
        "any_value",
        // Without this one nobody would look up the field for the second needs of the others.
        "evt.Meta.a == 'q'",
    ];
    let programs: Vec<_> = texts.iter().map(|text| program(text, &mut names).unwrap()).collect();
    let dispatch = Dispatch::new(programs.iter().map(Some));
    assert_eq!(dispatch.n_always(), 1);
    let certain = (0..texts.len()).filter(|number| dispatch.is_certain(*number));
    assert_eq!(certain.collect::<Vec<_>>(), [0, 1, 3, 5, 6, 8]);
    let check = |p: &str, a: &str, expected: &[usize]| {
        let mut found = Candidates::default();
        let field = |slot| match names.name(slot)? {
            (_, "p") => Some(p),
            (_, "a") => Some(a),
            _ => None,
        };
        dispatch.collect(field, &mut found);
        let next = |from| dispatch.next(&found, from, field);
        let numbers = std::iter::successors(next(0), |number| next(number + 1));
        assert_eq!(numbers.collect::<Vec<_>>(), expected, "{p} {a}");
    };
    check("sshd", "", &[0, 1, 2, 7]);
    check("sshd", "x", &[0, 1, 2, 3, 5, 7]);
    check("SShd", "y", &[2, 3, 7]);
    check("ssx", "y", &[1, 7]);
    check("ſſhd", "", &[2, 4, 7]);
    check("xxxxx", "x", &[4, 7]);
    check("", "x", &[7]);
    check("cron", "x", &[5, 7]);
    check("cron", "q", &[7, 8]);
}
