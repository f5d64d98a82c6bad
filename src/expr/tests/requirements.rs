//! What a program demands of an event before it is worth running.

use super::program;
use crate::value::Names;

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let mut names = Names::new();
    let program = program(text, &mut names).unwrap();
    let shown: Vec<String> = program
        .requirements()
        .all
        .iter()
        .map(|requirement| {
            let (section, name) = names.name(requirement.slot).unwrap();
            format!("{section:?}.{name}: {:?}", requirement.any)
        })
        .collect();
    assert_eq!(shown, expected, "{text}");
}

#[test]
fn conjunctions_demand_what_their_parts_demand() {
    check("evt.Parsed.program == 'sshd'", &["Parsed.program: [Equals(\"sshd\")]"]);
    check("'sshd' == evt.Parsed.program", &["Parsed.program: [Equals(\"sshd\")]"]);
    check("evt.Parsed.program in ['b', 'a']", &["Parsed.program: [Equals(\"a\"), Equals(\"b\")]"]);
    check("evt.Parsed.program in ['a', nil]", &["Parsed.program: [Equals(\"a\")]"]);
    check(
        "evt.Parsed.program startsWith 'a' and evt.Line.Labels.type == 'b'",
        &["Parsed.program: [StartsWith(\"a\")]", "Label.type: [Equals(\"b\")]"],
    );
    check("evt.Meta.a != 'x' && evt.Meta.b endsWith 'y'", &["Meta.b: [EndsWith(\"y\")]"]);
    check("not (evt.Meta.a == 'x') && evt.Meta.b contains 'y'", &["Meta.b: [Contains(\"y\")]"]);
    check("let x = evt.Meta.a; x == 'b' && evt.Meta.c == 'd'", &["Meta.c: [Equals(\"d\")]"]);
}

#[test]
fn alternatives_demand_what_all_demand() {
    check(
        "evt.Meta.a == 'x' || evt.Meta.a startsWith 'y' || evt.Meta.a in ['z', 'x']",
        &["Meta.a: [Equals(\"x\"), Equals(\"z\"), StartsWith(\"y\")]"],
    );
    check("evt.Meta.a == 'x' || evt.Meta.b == 'x'", &[]);
    check("evt.Meta.a == 'x' || any_value", &[]);
    check(
        "(evt.Meta.a == 'x' && evt.Meta.b == '1') || (evt.Meta.b == '2' && evt.Meta.a == 'y')",
        &["Meta.a: [Equals(\"x\"), Equals(\"y\")]", "Meta.b: [Equals(\"1\"), Equals(\"2\")]"],
    );
    check(
        "any(['x', 'y'], {evt.Meta.a contains #})",
        &["Meta.a: [Contains(\"x\"), Contains(\"y\")]"],
    );
}

#[test]
fn nothing_is_demanded_behind_an_effect() {
    check("evt.SetMeta('a', 'b') && evt.Meta.a == 'b'", &[]);
    check("evt.Meta.a == 'x' && evt.Fails() && evt.Meta.b == 'y'", &["Meta.a: [Equals(\"x\")]"]);
    check("any_value && evt.Meta.a == 'b'", &[]);
    check("let x = evt.Fails(); evt.Meta.a == 'b'", &[]);
    check("evt.Meta.a == 'x' ? true : false", &[]);
    check("evt.Meta.a + 'x' == 'y' && evt.Meta.b == 'z'", &[]);
}
