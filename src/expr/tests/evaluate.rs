//! Text in, value out.

use super::{Event, FIELDS, program, run};
use crate::value::{Arena, Names};

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(run(text), expected, "{text}");
}

#[test]
fn fields_of_the_event() {
    check("evt.Parsed.program", "\"sshd\"");
    check("evt.Parsed['program']", "\"sshd\"");
    check("evt.Parsed.missing", "\"\"");
    check("evt.Parsed.missing == ''", "true");
    check("evt.Line.Labels.type == 'syslog'", "true");
    check("evt.Line.Raw", "\"raw line\"");
    check("evt?.Line?.Labels?.type", "\"syslog\"");
    check("evt.Parsed[evt.Stage == 's01-parse' ? 'program' : 'x']", "\"sshd\"");
    check("'program' in evt.Parsed", "true");
    check("'empty' in evt.Parsed", "true");
    check("'missing' in evt.Parsed", "false");
    check("'missing' not in evt.Parsed", "true");
    check("evt.Parsed.program in evt.Parsed", "false");
    check("$env.evt.Parsed.program", "\"sshd\"");
    check("$env['n'] + 1", "8");
    check("'n' in $env", "true");
    check("let e = evt; e.Parsed.program", "\"sshd\"");
    check("map(queue, .Parsed.program)", "[\"sshd\", \"sshd\"]");
    check("queue[-1].Parsed['program']", "\"sshd\"");
    check("evt.Time.Hour()", "22");
    check("evt.Time.Weekday().String()", "\"Friday\"");
    check("map(queue, {#.Time.Weekday().String()})[0]", "\"Friday\"");
    check("(evt.Time - evt.Time).Hours() == 0", "true");
    check("evt.GetMeta('service')", "\"ssh\"");
    check("evt.SetMeta('x', 'y') && evt.Meta.x == 'y'", "true");
    check("evt.Fails()", "fault: it always fails");
}

#[test]
fn nil_and_missing() {
    check("evt.Unmarshaled.json.status", "200");
    check("evt.Unmarshaled.json.nope", "nil");
    check("evt.Unmarshaled.json.nope == nil", "true");
    check("evt.Unmarshaled.nope.x", "fault: cannot fetch `x` from nil");
    check("evt.Unmarshaled.nope?.x.y[0].z()", "nil");
    check("(evt.Unmarshaled.nope?.x).y", "nil");
    check("evt.Unmarshaled.nope?.x ?? 'none'", "\"none\"");
    check("nil ?? nil ?? 3", "3");
    check("evt.Alert == nil", "true");
    check("evt.Alert.Raw", "fault: cannot fetch `Raw` from nil");
    check("any_value contains 'x'", "false");
    check("any_value not contains 'x'", "true");
    check("any_value matches 'x'", "false");
    check("any_value in ['', 'a']", "true");
    check("any_value in ['a']", "false");
    check("any_value in ['', nil]", "true");
    check("any_value in ['a', 1]", "false");
    check("any_value in nil", "false");
    check("any_value in {'a': 1}", "false");
    check("any_value in {'': 1}", "true");
    check("(n > 9 ? 'a' : n) contains nil", "false");
    check("nil not matches (n > 9 ? 'a' : '(')", "true");
    check("any_value == ''", "false");
    check("any_value && true", "fault: expected bool, found nil");
    check("not any_value", "fault: expected bool, found nil");
    check("any_value ? 1 : 2", "fault: expected bool, found nil");
    check("any_value + 'x'", "fault: `+` cannot work on nil and string");
    check("any_value < 1", "fault: `<` cannot work on nil and int");
    check("evt.Unmarshaled.json.status in ['200']", "fault: expected string, found int");
    check("evt.Unmarshaled.json.status in ['200', nil]", "false");
    check("evt.Unmarshaled.json.status == '200'", "false");
    check("evt.Unmarshaled.json.status contains '2'", "fault: expected string, found int");
    check("evt.Unmarshaled.json['name']", "\"Weir\"");
    check("evt.Unmarshaled['json'].name in evt.Unmarshaled", "false");
    check("evt.Unmarshaled.json in [evt.Unmarshaled.json]", "true");
}

#[test]
fn operators() {
    check("1 + 2 * 3 - 4", "3");
    check("7 / 2", "3.5");
    check("1 / 0", "inf");
    check("7 % 4", "3");
    check("7 % 0", "fault: remainder of a division by zero");
    check("2 ** 3 ** 2", "512.0");
    check("-2 ** 2", "-4.0");
    check("9223372036854775807 + 1", "-9223372036854775808");
    check("1 == 1.0 && 1 != 2", "true");
    check("[1, 2] == [1.0, 2.0]", "true");
    check("{a: 1} == {a: 1}", "true");
    check("1 < 2 < 3", "true");
    check("1 < 3 < 2", "false");
    check("'a' < 'b'", "true");
    check("1..4", "[1, 2, 3, 4]");
    check("4..1", "[]");
    check("0..2000000", "fault: expression makes more than a million elements");
    check(
        "1..600000 == [] || 1..600000 == []",
        "fault: expression makes more than a million elements",
    );
    check("'abc' contains 'b' && 'abc' startsWith 'a' && 'abc' endsWith 'c'", "true");
    check("'abc' not endsWith 'c'", "false");
    check("'a.c' matches '^a\\\\.c$'", "true");
    check(
        "'x' matches evt.Parsed.empty + '['",
        "fault: invalid regular expression: unclosed character class",
    );
    check("evt.Parsed.program + '!'", "\"sshd!\"");
    check("2 in [1, 2, 3]", "true");
    check("'b' in {a: 1, b: nil}", "true");
    check("true ? 1 : 'x'", "1");
    check("false ?: 5", "5");
    check("true ?: 5", "true");
    check("if false { 1 } else if true { 2 } else { 3 }", "2");
    check("let a = 2; let b = a + 1; a * b", "6");
    check("1; 2; 3", "3");
    check("false && evt.Fails()", "false");
    check("true || evt.Fails()", "true");
    check("'x' == 'x' || evt.Fails()", "true");
}

#[test]
fn lists_and_texts() {
    check("[1, 2, 3][-1]", "3");
    check("[1, 2, 3][3]", "fault: index 3 is outside of 3 elements");
    check("[1, 2, 3][-4]", "fault: index -4 is outside of 3 elements");
    check("[1, 2, 3][1:]", "[2, 3]");
    check("[1, 2, 3][-2:]", "[2, 3]");
    check("[1, 2, 3][:-1]", "[1, 2]");
    check("[1, 2, 3][5:9]", "[]");
    check("[1, 2, 3][2:1]", "[]");
    check("'2024-01-27T'[4:]", "\"-01-27T\"");
    check("'abc'[1]", "98");
    check("'é'[:1]", "\"\u{fffd}\"");
    check("'abc'[-9:9]", "\"abc\"");
    check("[[1, 2], [3]][0][1]", "2");
    // Numbers in JSON are floats.
    check("['a', 'b', 'c'][fromJSON('1')]", "\"b\"");
    check("['a', 'b', 'c'][fromJSON('1.9'):]", "[\"b\", \"c\"]");
    check("'abc'[:fromJSON('-1')]", "\"ab\"");
    check("'abc'[fromJSON('1')]", "98");
    check("1..fromJSON('3')", "[1, 2, 3]");
    check("get(['a', 'b'], fromJSON('1'))", "\"b\"");
    check("int(duration('1us')) + float(duration('1us'))", "2000.0");
    check("['a'][fromJSON('true')]", "fault: cannot index list with bool");
    check("groupBy([1, 2, 3], # % 2)[1]", "[1, 3]");
    check("groupBy([1, 2, 3], # > 1)[true]", "[2, 3]");
    check("b'a\\x80\\101\"é'", "[97, 128, 65, 34, 195, 169]");
    check("len(b\"\") + b'a'[0]", "97");
    check("{a: {'b c': 5}}.a['b c']", "5");
    check("{1: 'x'}['1']", "\"x\"");
    check("{('a' + 'b'): 1}.ab", "1");
}

#[test]
fn predicates() {
    check("any([1, 2, 3], # > 2)", "true");
    check("any(queue, .Parsed.program == 'sshd')", "true");
    check("any([], # > 2)", "false");
    check("all([], # > 2)", "true");
    check("none([1, 2], {# > 2})", "true");
    check("one([1, 2, 3], # > 2)", "true");
    check("one([3, 3], # > 2)", "false");
    check("filter(1..6, # % 2 == 0)", "[2, 4, 6]");
    check("map(1..3, {# * #index})", "[0, 2, 6]");
    check("find([1, 5, 6], # > 2)", "5");
    check("find([1], # > 2)", "nil");
    check("findIndex([1, 5, 6], # > 2)", "1");
    check("findLast([1, 5, 6], # > 2)", "6");
    check("findLastIndex([5, 1], # > 2)", "0");
    check("count([true, false, true])", "2");
    check("count([1, 2, 3], # > 1)", "2");
    check("sum([1, 2.5])", "3.5");
    check("sum([])", "0");
    check(
        "sum(['a'], {# + ''})",
        "mistake: the predicate of `sum` must give a number, found string",
    );
    check("groupBy(1..5, # % 2)", "{\"1\": [1, 3, 5], \"0\": [2, 4]}");
    check("sortBy([3, 1, 2], #)", "[1, 2, 3]");
    check("sortBy([3, 1, 2], #, 'desc')", "[3, 2, 1]");
    check("sortBy([3, 0/0, 2, 1.5], #)", "[1.5, 2, 3, NaN]");
    check("sortBy([3, 'a'], #)", "fault: cannot sort string among others");
    check("reduce(1..4, #acc + #)", "10");
    check("reduce([], #acc + #, 5)", "5");
    check("reduce([], #acc + #)", "fault: `reduce` of an empty list without a first value");
    check("[1, 2, 3] | filter(# > 1) | map(# * 2)", "[4, 6]");
    check("any([[1], [2]], {any(#, {# == 2})})", "true");
    check("map([1, 2], {let x = #; map([10], {# + x})[0]})", "[11, 12]");
    check("any(any_value, # == 1)", "fault: expected a list to look into, found nil");
    check("any(['root', 'admin'], {evt.Parsed.message contains #})", "true");
    check("all(['root', 'admin'], {evt.Parsed.message contains #})", "false");
    check("none(['toor'], {evt.Parsed.message contains #})", "true");
    check("any(['a', 'b'], {#index == 1 && # == 'b'})", "true");
    check("any(evt.Unmarshaled.json.list, {#})", "fault: expected bool, found int");
}

#[test]
fn many_tests_of_one_field_are_one() {
    let words: Vec<String> = (0..300).map(|n| format!("word{n}")).collect();
    let chain = |field: &str, last: &str| {
        let tests: Vec<String> = words
            .iter()
            .map(|word| format!("{field} contains '{word}'"))
            .chain([last.to_owned()])
            .collect();
        tests.join(" || ")
    };
    check(&chain("evt.Parsed.message", "evt.Parsed.message endsWith 'port 22'"), "true");
    check(&chain("evt.Parsed.message", "evt.Parsed.message startsWith 'port 22'"), "false");
    check(&chain("evt.Parsed.message", "evt.Parsed.program == 'sshd'"), "true");
    check(&chain("evt.Parsed.message", "evt.Fails()"), "fault: it always fails");
    check(
        &format!("evt.Fails() || {}", chain("evt.Parsed.message", "true")),
        "fault: it always fails",
    );
    check(&chain("evt.Parsed.message", "evt.Parsed.message in ['', 'x']"), "false");
    check(&chain("evt.Parsed.missing", "evt.Parsed.missing in ['', 'x']"), "true");
}

/// A thread has two megabytes of stack unless told otherwise. Built without optimisation, as in
/// tests, a program needs several times the stack that it needs when released.
#[test]
fn the_deepest_programs_run_on_a_small_stack() {
    let nests = [
        ("not (", "true", ")"),
        ("-(", "n", ")"),
        ("[", "1", "]"),
        ("{a: ", "1", "}"),
        ("(1 + 2 * -(", "n", "))"),
        ("(true && (false || not (", "true", ")))"),
        ("(true ? ", "1", " : 2)"),
        ("evt.GetMeta(", "'x'", ")"),
        ("(evt.Unmarshaled?.[", "'x'", "] ?? '')"),
        ("any([n], {", "true", "})"),
        ("(let x = [n]; ", "1", ")"),
        ("([n][:", "1", "] == [] ? 1 : 2)"),
        ("2 ** (", "1", ")"),
    ];
    let deepest = move || {
        for (open, middle, close) in nests {
            let mut deepest = 0;
            for depth in 1..200 {
                let text = format!("{}{middle}{}", open.repeat(depth), close.repeat(depth));
                let mut names = Names::new();
                match program(&text, &mut names) {
                    Ok(program) => {
                        deepest = depth;
                        let arena = Arena::new();
                        let event = Event::new(&arena, &names, FIELDS);
                        let _ = program.evaluate(&event);
                        let _ = program.explain(&event);
                    }
                    Err(mistakes) => {
                        let nested = mistakes.iter().any(|m| m.message.contains("nested"));
                        assert!(nested || open.contains("let"), "{text}: {mistakes:?}");
                        break;
                    }
                }
            }
            assert!(deepest >= 8 || open.contains("let"), "{open} only {deepest} deep");
        }
    };
    std::thread::Builder::new().stack_size(3 << 19).spawn(deepest).unwrap().join().unwrap();
}

#[test]
fn functions_are_called() {
    check("Upper(evt.Parsed.program)", "\"SSHD\"");
    check("evt.Parsed.program | Upper() | Lower()", "\"sshd\"");
    check("'SSHD' matches Upper('^ss.d$')", "true");
    check("duration('1h30m').Minutes()", "90.0");
    check("any(queue, {Upper(.Parsed.program) == Upper(evt.Parsed.program)})", "true");
    check(
        "any(['SS', 'x'] == [] ? [] : ['SS', 'x'], {Upper(evt.Parsed.program) contains #})",
        "true",
    );
    check("map([1, 2], {Upper(evt.Parsed.program) + Lower('A')})", "[\"SSHDa\", \"SSHDa\"]");
    check("map([1], {map([2], {Upper(evt.Meta.service)})})", "[[\"SSH\"]]");
    check(
        "UnmarshalJSON('{\"a\": 1}', evt.Unmarshaled, 'x') in ['', nil] && evt.Unmarshaled.x.a == 1",
        "true",
    );
    check(
        "UnmarshalJSON('{', evt.Unmarshaled, 'x') in ['', nil]",
        "fault: `UnmarshalJSON`: the text is not JSON: expected a key at byte 1",
    );
    check("Lower(any_value)", "fault: `Lower`: argument 1: expected string, found nil");
}

#[test]
fn filters_allocate_nothing() {
    let filters = [
        "evt.Parsed.program == 'sshd' && evt.Parsed.message contains 'root'",
        "evt.Parsed.program in ['a', 'b'] || evt.Parsed.message matches 'x$' || 'x' in evt.Meta",
        "not (evt.Meta.service != 'ssh') && any(['a', 'b'], {evt.Meta.x contains #})",
    ];
    for text in filters {
        let mut names = Names::new();
        let program = program(text, &mut names).unwrap();
        let mut arena = Arena::new();
        let event_memory = {
            let event = Event::new(&arena, &names, FIELDS);
            let before = event.arena.allocated_bytes_including_metadata();
            for _ in 0..10_000 {
                program.truth(&event).unwrap();
            }
            event.arena.allocated_bytes_including_metadata() - before
        };
        assert_eq!(event_memory, 0, "{text}");
        arena.reset();
    }
}
