//! Assertions about what a hub test found: one expression to a line, each of which must be true.

use std::borrow::Cow;

use super::results::{self, Records};
use crate::event::Overflow;
use crate::expr::{
    Call, Environment, Function, Operand, Program, Scope, Trace, TraceKind, TraceOutcome, World,
};
use crate::value::{Arena, Fault, Names, Section, Slot, Type, Value};

/// An assertion that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The number of its line, from 1.
    pub line: usize,
    /// The line, as it is in the file.
    pub assertion: String,
    /// Why it does not hold.
    pub why: Why,
}

/// Why an assertion does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is false.
    False {
        /// What it wants, as far as that can be told.
        expected: String,
        /// What there is.
        found: String,
    },
    /// It cannot be evaluated.
    Broken(String),
}

/// What assertions speak of as `results`.
#[derive(Clone, Copy)]
pub(super) enum Results<'r> {
    /// What the rules of each stage made of each event.
    Parsers(&'r Records),
    /// The overflows, sorted.
    Scenarios(&'r [Overflow]),
}

/// `basename`, which assertions know beside the functions of the language.
static FUNCTIONS: [Function; 1] = [Function {
    name: "basename",
    required: &[Type::Text],
    optional: &[],
    rest: None,
    check: None,
    result: Type::Text,
    code: basename,
}];

fn basename<'a>(_: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let text = arguments.first().and_then(|argument| argument.as_text());
    let text = text.ok_or_else(|| Fault::new("`basename` takes a text"))?;
    Ok(Value::Text(last_component(text)))
}

/// What comes after the last slash, slashes at the end left out; `.` for nothing, `/` for nothing
/// but slashes.
pub(super) fn last_component(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    match trimmed.rsplit('/').next() {
        Some("") | None if path.is_empty() => ".",
        Some("") | None => "/",
        Some(name) => name,
    }
}

/// The assertion as it is evaluated: where the path of the log is compared, only its last
/// component is, because the path differs from place to place.
fn rewritten(line: &str) -> Cow<'_, str> {
    if !line.contains("datasource_path") || line.contains("basename(") {
        return line.into();
    }
    let mut sides = line.split("==").map(str::trim);
    match (sides.next(), sides.next()) {
        (Some(left), Some(right)) => format!("basename({left}) == {right}").into(),
        _ => line.into(),
    }
}

/// Holds every line of `text` against the results; gives those that are not true.
pub(super) fn check(text: &str, results: Results<'_>, names: &Names) -> Vec<Failure> {
    let mut names = names.clone();
    let lines = text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty());
    // All are compiled first: a program must live as long as what it is evaluated on.
    let programs: Vec<_> = lines
        .map(|(at, line)| {
            let mut environment = Environment {
                variables: results.variables(),
                names: &mut names,
                functions: &FUNCTIONS,
            };
            (at + 1, line, Program::new(&rewritten(line), &mut environment))
        })
        .collect();
    let (arena, world) = (Arena::new(), World::default());
    let sight = Sight { results: results.lend(&arena, &names), arena: &arena, world: &world };
    let mut failures = Vec::new();
    for (line, assertion, program) in &programs {
        let why = match program {
            Ok(program) => sight.why_not(program),
            Err(mistakes) => {
                let texts: Vec<_> = mistakes.iter().map(|each| each.message.as_str()).collect();
                Some(Why::Broken(texts.join("; ")))
            }
        };
        if let Some(why) = why {
            failures.push(Failure { line: *line, assertion: (*assertion).to_owned(), why });
        }
    }
    failures
}

impl Results<'_> {
    fn variables(self) -> &'static [(&'static str, Type)] {
        match self {
            Results::Parsers(_) => &results::PARSER_VARIABLES,
            Results::Scenarios(_) => &results::SCENARIO_VARIABLES,
        }
    }

    fn lend<'a>(&'a self, arena: &'a Arena, names: &'a Names) -> Value<'a> {
        match self {
            Results::Parsers(records) => records.lend(arena, names),
            Results::Scenarios(overflows) => results::lend_overflows(overflows, arena, names),
        }
    }
}

/// What an assertion sees.
struct Sight<'a> {
    results: Value<'a>,
    arena: &'a Arena,
    world: &'a World,
}

impl<'a> Sight<'a> {
    fn why_not(&self, program: &'a Program) -> Option<Why> {
        match program.evaluate(self) {
            Ok(Value::Bool(true)) => None,
            Ok(Value::Bool(false)) => {
                let (expected, found) = sides(&program.explain(self), program.text());
                Some(Why::False { expected, found })
            }
            Ok(other) => {
                Some(Why::Broken(format!("expected true or false, found {}", other.kind())))
            }
            Err(fault) => Some(Why::Broken(fault.message.to_string())),
        }
    }
}

impl<'a> Scope<'a> for Sight<'a> {
    fn arena(&self) -> &'a Arena {
        self.arena
    }

    fn variable(&self, _: usize) -> Value<'a> {
        self.results
    }

    fn field(&self, _: Slot) -> Option<&'a str> {
        None
    }

    fn section(&self, _: Section) -> Value<'a> {
        Value::Nil
    }

    fn world(&self) -> &'a World {
        self.world
    }
}

/// What a false assertion wants and what it found: of two operands, the one that is written out
/// and the other.
fn sides(trace: &Trace, text: &str) -> (String, String) {
    let written = |operand: &Operand| text.get(operand.span.clone()).unwrap_or_default();
    let shown = |operand: &Operand| operand.value.clone().unwrap_or_default();
    let literal = |operand: &Operand| {
        let text = written(operand);
        text.starts_with(['"', '\'', '-', '.']) || text.starts_with(|c: char| c.is_ascii_digit())
    };
    match &trace.kind {
        TraceKind::Leaf(leaf) => match leaf.operands.as_slice() {
            [left, right] if literal(left) => (written(left).to_owned(), shown(right)),
            [left, right] => (written(right).to_owned(), shown(left)),
            _ => ("true".to_owned(), "false".to_owned()),
        },
        // The first clause of several that is to blame.
        TraceKind::All(clauses) => {
            let blamed = clauses.iter().find(|clause| clause.outcome == TraceOutcome::False);
            blamed.map_or_else(Default::default, |clause| sides(clause, text))
        }
        _ => ("true".to_owned(), "false".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::results::Record;
    use super::*;
    use crate::event::{Alert, AlertEvent, Event, Kind, Mode, Snapshot, Source};
    use crate::value::{Map as _, Time};

    fn records(names: &Names) -> Records {
        let arena = Arena::new();
        let event = Event::new(&arena, names, Kind::Log, Mode::Replay, Time::from_nanos(0));
        event.set_named(Section::Parsed, "user", "bob");
        event.set_named(Section::Meta, "datasource_path", "/a/b/x.log");
        event.unmarshaled().set("n", Value::Float(5.0));
        let mut records = Records::default();
        records.push("s01", "a/b", Record { success: true, event: Snapshot::of(event) });
        records
    }

    /// The line, `""` when it holds.
    #[track_caller]
    fn check_parser(line: &str, expected: &str) {
        let names = Names::new();
        let records = records(&names);
        check_one(line, Results::Parsers(&records), &names, expected);
    }

    #[track_caller]
    fn check_one(line: &str, results: Results<'_>, names: &Names, expected: &str) {
        let failures = check(&format!("\n{line}  \n"), results, names);
        let found: Vec<_> = failures
            .iter()
            .map(|failure| match &failure.why {
                Why::False { expected, found } => format!("{expected} != {found}"),
                Why::Broken(why) => why.clone(),
            })
            .collect();
        assert_eq!(found.join("; "), expected, "{line}");
        assert!(failures.iter().all(|failure| failure.line == 2));
    }

    #[test]
    fn assertions_about_parsers() {
        check_parser(r#"len(results) == 2"#, "");
        check_parser(r#"len(results["success"][""]) == 0"#, "");
        check_parser(r#"len(results["s01"]["a/b"]) == 1"#, "");
        check_parser(r#"len(results["s07"]["nobody"]) == 0"#, "");
        check_parser(r#"results["s01"]["a/b"][0].Success == true"#, "");
        check_parser(r#"results["s01"]["a/b"][0].Evt.Parsed["user"] == 'bob'"#, "");
        check_parser(r#"results["s01"]["a/b"][0].Evt.Parsed.user == "bob""#, "");
        check_parser(r#"results["s01"]["a/b"][0].Evt.Parsed["nothing"] == """#, "");
        check_parser(r#"results["s01"]["a/b"][0].Evt.Parsed["user"][1:] == "ob""#, "");
        check_parser(r#"results["s01"]["a/b"][0].Evt.Whitelisted == false"#, "");
        check_parser(r#"results["s01"]["a/b"][0].Evt.Unmarshaled["n"] == 5"#, "");
        check_parser(r#"FloatApproxEqual(results["s01"]["a/b"][0].Evt.Unmarshaled["n"], 5.0)"#, "");
        check_parser(
            r#"results["s01"]["a/b"][0].Evt.Parsed["user"] == "eve""#,
            r#""eve" != "bob""#,
        );
        check_parser(
            r#"results["s01"]["a/b"][1].Success == true"#,
            "index 1 is outside of 1 elements",
        );
        check_parser("len(results)", "expected true or false, found int");
        check_parser("len(result) == 1", "unknown variable `result`");
    }

    #[test]
    fn only_the_last_component_of_a_path_counts() {
        let path = r#"results["s01"]["a/b"][0].Evt.Meta["datasource_path"]"#;
        check_parser(&format!(r#"{path} == "x.log""#), "");
        check_parser(&format!(r#"basename({path}) == "x.log""#), "");
        check_parser(&format!(r#"{path} == "y.log""#), r#""y.log" != "x.log""#);
        for (path, last) in
            [("", "."), ("/", "/"), ("//", "/"), ("a", "a"), ("/a/b", "b"), ("a/b//", "b")]
        {
            assert_eq!(last_component(path), last, "{path}");
        }
    }

    #[test]
    fn assertions_about_overflows() {
        let names = Names::new();
        let mut overflow = Overflow::none();
        let source = Source { ip: "1.2.3.4".into(), scope: "Ip".into(), ..Source::default() };
        overflow.sources.push(("1.2.3.4".to_owned(), source));
        let time = Time::from_nanos(0);
        overflow.alert = Some(Alert {
            scenario: "a/b".into(),
            message: String::new(),
            capacity: 5,
            leakspeed: 1,
            events_count: 6,
            start_at: time,
            stop_at: time,
            events: vec![AlertEvent::new(
                vec![("timestamp".to_owned(), "2026-01-27T11:02:49Z".to_owned())],
                String::new(),
            )],
            meta: Vec::new(),
            simulated: false,
            remediation: true,
            spoofable: 0,
            machine: None,
        });
        let overflows = [overflow];
        let check = |line: &str, expected: &str| {
            check_one(line, Results::Scenarios(&overflows), &names, expected);
        };
        check("len(results) == 1", "");
        check(r#""1.2.3.4" in results[0].Overflow.GetSources()"#, "");
        check(r#""1.2.3.5" in results[0].Overflow.GetSources()"#, r#""1.2.3.5" != ["1.2.3.4"]"#);
        check(r#"results[0].Overflow.Sources["1.2.3.4"].IP == "1.2.3.4""#, "");
        check(r#"results[0].Overflow.Sources["1.2.3.4"].GetScope() == "Ip""#, "");
        check(r#"results[0].Overflow.Sources["9.9.9.9"].GetScope() == """#, "");
        check(r#"results[0].Overflow.Alert.Events[0].GetMeta("nothing") == """#, "");
        let time = r#"results[0].Overflow.Alert.Events[0].GetMeta("timestamp")[4:]"#;
        check(&format!(r#"{time} == "-01-27T11:02:49Z""#), "");
        check("results[0].Overflow.Alert.GetEventsCount() == 6", "");
        check(r#"results[0].Overflow.Alert.GetScenario() == "a/b""#, "");
        check("results[0].Overflow.Alert.Remediation == true", "");
        check("results[0].Overflow.Alert.Remediation == false", "false != true");
    }
}
