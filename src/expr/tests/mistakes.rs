//! Text in, mistakes out.

use super::program;
use crate::value::Names;

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let mistakes = match program(text, &mut Names::new()) {
        Ok(_) => Vec::new(),
        Err(mistakes) => mistakes,
    };
    let shown: Vec<String> = mistakes
        .iter()
        .map(|mistake| {
            let at = &text[mistake.span.clone()];
            let help = mistake.help.as_ref().map_or(String::new(), |help| format!(" ({help})"));
            format!("{at}: {}{help}", mistake.message)
        })
        .collect();
    assert_eq!(shown, expected, "{text}");
}

#[test]
fn names_are_resolved() {
    check("evnt.Parsed.x", &["evnt: unknown variable `evnt` (did you mean `evt`?)"]);
    check("x == 1", &["x: unknown variable `x` (known here: `evt`, `queue`, `any_value`, `n`)"]);
    check("evt.Metta.x", &[".Metta: unknown field `Metta` of `event` (did you mean `Meta`?)"]);
    check(
        "evt.GetMeta == ''",
        &[
            ".GetMeta: unknown field `GetMeta` of `event` (`GetMeta` is a method: write `GetMeta(...)`)",
        ],
    );
    check(
        "evt.Getmeta('x')",
        &[".Getmeta('x'): unknown method `Getmeta` of `event` (did you mean `GetMeta`?)"],
    );
    check(
        "evt.Stage()",
        &[
            ".Stage(): unknown method `Stage` of `event` (`Stage` is a field: leave the parentheses out)",
        ],
    );
    check("evt.Time.Hours()", &[".Hours(): a time has no method `Hours` (did you mean `Hour`?)"]);
    check(
        "evt.Time.Hour",
        &[".Hour: a time has no field `Hour` (`Hour` is a method: write `Hour()`)"],
    );
    check("evt.Stage.x", &[".x: a string has no field `x`"]);
    check("fliter(queue, true)", &["fliter: unknown function `fliter` (did you mean `filter`?)"]);
    check("evt(1)", &["evt: unknown function `evt` (`evt` is a variable)"]);
    check(
        "any(queue, {#idnex == 1})",
        &["#idnex: unknown pointer `#idnex` (did you mean `#index`?)"],
    );
    check(
        "let evt = 1; evt",
        &[
            "let evt = 1: `evt` is already the name of a variable (choose another name for the variable)",
        ],
    );
    check(
        "let any = 1; any",
        &[
            "let any = 1: `any` is already the name of a function (choose another name for the variable)",
        ],
    );
    check(
        "let a = 1; let a = 2; a",
        &[
            "let a = 2: `a` is already the name of a variable (choose another name for the variable)",
        ],
    );
}

#[test]
fn types_are_checked() {
    check(
        "evt.Parsed.x == 5",
        &[
            "evt.Parsed.x == 5: `==` cannot compare string with int (put the number into quotes, or convert the text with `int(...)`)",
        ],
    );
    check(
        "!evt.Parsed.x contains 'a'",
        &[
            "evt.Parsed.x: `not` expects bool, found string (`not` binds tighter than the operators after it: write `not (...)`, or put it before the operator, as in `a not contains b`)",
        ],
    );
    check(
        "evt.Stage && true",
        &["evt.Stage: `&&` expects bool, found string (compare it: `... != \"\"`)"],
    );
    check(
        "n ? 1 : 2",
        &["n: the condition before `?` expects bool, found int (compare it with something)"],
    );
    check(
        "evt.Stage + n",
        &[
            "evt.Stage + n: `+` cannot work on string and int (put the number into quotes, or convert the text with `int(...)`)",
        ],
    );
    check(
        "'a' in evt.Stage",
        &[
            "'a' in evt.Stage: `in` cannot look for string in string (write `a contains b` to look for a text in a text)",
        ],
    );
    check("n in ['a']", &["n in ['a']: `in` cannot look for int in list of string"]);
    check(
        "evt.Time - evt.Time > 5",
        &[
            "evt.Time - evt.Time > 5: `>` cannot work on duration and int (write a span of time as `duration(\"10s\")`)",
        ],
    );
    check("queue['x']", &["['x']: a list of event has no field `x`"]);
    check(
        "queue[evt.Stage]",
        &["evt.Stage: the index of a list of event must be int, found string"],
    );
    check("n[0]", &["[0]: cannot index int"]);
    check("n[1:2]", &["[1:2]: cannot take a slice of int"]);
    check("evt.Stage['a':]", &["'a': the bound of a slice must be int, found string"]);
    check("-evt.Stage", &["evt.Stage: `-` expects a number, found string"]);
    check("evt.Stage ** 2", &["evt.Stage: `**` expects numbers, found string"]);
    check("any(n, true)", &["n: `any` expects list here, found int"]);
    check("any(queue, .Stage)", &[".Stage: the predicate of `any` must give bool, found string"]);
    check("any(['a'], #)", &["#: the predicate of `any` must give bool, found string"]);
    check("any(queue)", &["any(queue): `any` takes 2 arguments, found 1"]);
    check("sortBy(queue, .Stage, 'up')", &["'up': the order must be `\"asc\"` or `\"desc\"`"]);
    check("evt.GetMeta()", &[".GetMeta(): `GetMeta` takes 1 arguments, found 0"]);
    check("evt.GetMeta(1)", &["1: `GetMeta` expects string here, found int"]);
    check("evt.Stage matches '(a'", &["'(a': invalid regular expression: unclosed group"]);
}

#[test]
fn calls_are_checked() {
    check("Uper(evt.Stage)", &["Uper: unknown function `Uper` (did you mean `Upper`?)"]);
    check(
        "Upper == 'x'",
        &["Upper: unknown variable `Upper` (`Upper` is a function: write `Upper(...)`)"],
    );
    check("Upper()", &["Upper(): `Upper` takes 1 argument, found 0"]);
    check("Upper(n)", &["n: `Upper` expects string here, found int"]);
    check(
        "IpInRange(evt.Stage, 4, 5)",
        &["IpInRange(evt.Stage, 4, 5): `IpInRange` takes 2 arguments, found 3"],
    );
    check(
        "evt.Time - evt.Time > duration('5 minutes')",
        &[
            "'5 minutes': `duration`: `5 minutes` is no duration: expected a text such as `1h30m` or `500ms`",
        ],
    );
    check("int('x') == 1", &["'x': `int`: `x` is no integer"]);
    check("len(5)", &["5: `len` expects string, list or map here, found int"]);
    check("len(nil)", &["nil: `len` expects string, list or map here, found nil"]);
    check("int(true)", &["true: `int` expects number or string here, found bool"]);
    check("round('1')", &["'1': `round` expects number here, found string"]);
    check("max(1, 'a')", &["'a': `max` expects number or list of numbers here, found string"]);
    check(
        "mean(['a'])",
        &["['a']: `mean` expects number or list of numbers here, found list of string"],
    );
    check("first(evt.Stage)", &["evt.Stage: `first` expects list here, found string"]);
    check("reverse(nil)", &["nil: `reverse` expects list here, found nil"]);
    check("Join([1], ',')", &["[1]: `Join` expects list of string here, found list of int"]);
    check(
        "sort([true])",
        &["[true]: `sort` expects list of what has an order here, found list of bool"],
    );
    check("keys(evt.Words)", &["evt.Words: `keys` expects map here, found list of string"]);
    check("KeyExists('a', n)", &["n: `KeyExists` expects map here, found int"]);
    check("KeyExists('a', nil)", &[]);
    check(
        "UnmarshalJSON(evt.Stage, evt.Parsed, 'x') == nil",
        &[
            "evt.Parsed: `UnmarshalJSON` expects map that may hold anything here, found map of string",
        ],
    );
    check("ParseKV(evt.Stage, evt.Unmarshaled, 'x') == nil", &[]);
    check("date(5)", &["5: `date` expects string or timezone here, found int"]);
    check(
        "MedianInterval([1])",
        &["[1]: `MedianInterval` expects list of time here, found list of int"],
    );
    check("MedianInterval(map(queue, {.Time}))", &[]);
    check(
        "sum(evt.Words)",
        &["evt.Words: `sum` expects a list of numbers here, found list of string"],
    );
    check(
        "count(evt.Words)",
        &["evt.Words: `count` expects a list of bools here, found list of string"],
    );
    check(
        "sum(queue, .Stage)",
        &[".Stage: the predicate of `sum` must give a number, found string"],
    );
    check(
        "sortBy(queue, .Whitelisted)",
        &[".Whitelisted: the predicate of `sortBy` must give what has an order, found bool"],
    );
    check(
        "groupBy(queue, .Time)",
        &[".Time: the predicate of `groupBy` must give a string, a number or a bool, found time"],
    );
    check("basename('a')", &["basename: unknown function `basename`"]);
    check(
        "let Upper = 1; 2",
        &[
            "let Upper = 1: `Upper` is already the name of a function (choose another name for the variable)",
        ],
    );
}

#[test]
fn all_mistakes_are_found() {
    check(
        "evt.A == 'x' || evt.B == 'y' && foo(1)",
        &[
            ".A: unknown field `A` of `event`",
            ".B: unknown field `B` of `event`",
            "foo: unknown function `foo`",
        ],
    );
    check("any(['a', 'b'], {evt.A contains #})", &[".A: unknown field `A` of `event`"]);
}

#[test]
fn unknown_types_are_let_through() {
    check("any_value.x.y(1)[2] + 3 > 4 && any_value matches any_value", &[]);
    check("any_value == 5 || any_value == 'x' || any_value in any_value", &[]);
    check("nil == evt.Stage", &[]);
    check("evt.Unmarshaled.a.b.c in ['', nil]", &[]);
}
