//! Every expression of a rules hub gives what another implementation of the language gives, on
//! events made of the words that it asks for. Without a hub there is nothing to compare.

use std::collections::BTreeMap;

use expr::{Context, Environment as Theirs, Value as TheirValue};
use weir::event::{Event, Kind, Mode};
use weir::expr::{Call, Environment, Program, World, functions};
use weir::parse::{EventScope, VARIABLES};
use weir::value::{Arena, Entries, Map as _, Names, Section, Time, Type, Value};

use super::hub_expressions;

/// How many events each expression is evaluated on.
const EVENTS: usize = 12;

/// The oracle goes deeper for each operator of a chain.
const STACK: usize = 1 << 30;

/// What the oracle does not know, or means otherwise. See `expr/tests/oracle.rs` for the reasons.
const NOT_COMPARED: &[&str] = &[
    // Methods of events, alerts and times.
    "GetMeta(",
    "SetMeta(",
    "SetParsed(",
    "GetType(",
    "GetScope(",
    "GetScenario(",
    "GetSources(",
    "GetName(",
    "Hour(",
    "Weekday(",
    ".Overflow",
    ".Appsec",
    "evt.Time",
    // What writes into the event.
    "UnmarshalJSON(",
    "ParseKV(",
    "ParseKVLax(",
    // Its own way with optional chains, and no sequences.
    "?.",
    ";",
];

const SECTIONS: [(Section, &str); 3] =
    [(Section::Parsed, "Parsed"), (Section::Meta, "Meta"), (Section::Enriched, "Enriched")];

/// The texts in quotes within an expression: what its conditions ask for.
fn literals(text: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut rest = text;
    while let Some(start) = rest.find(['"', '\'']) {
        let quote = char::from(rest.as_bytes()[start]);
        let Some(length) = rest[start + 1..].find(quote) else { break };
        found.push(rest[start + 1..start + 1 + length].replace("\\\\", "\\"));
        rest = &rest[start + length + 2..];
    }
    found
}

fn ours<'a>(value: &TheirValue, arena: &'a Arena) -> Value<'a> {
    match value {
        TheirValue::Bool(truth) => Value::Bool(*truth),
        TheirValue::Integer(number) => Value::Int(*number),
        TheirValue::Float(number) => Value::Float(*number),
        TheirValue::String(text) => Value::Text(arena.alloc_str(text)),
        TheirValue::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| ours(item, arena)).collect();
            Value::List(arena.alloc_slice_copy(&items))
        }
        TheirValue::Map(entries) => {
            let entries =
                entries.iter().map(|(key, item)| (&*arena.alloc_str(key), ours(item, arena)));
            Value::Map(arena.alloc(Entries::collect(arena, Type::Unknown, entries)))
        }
        _ => Value::Nil,
    }
}

fn theirs(value: Value<'_>) -> Option<TheirValue> {
    Some(match value {
        Value::Nil => TheirValue::Nil,
        Value::Bool(truth) => truth.into(),
        Value::Int(number) => number.into(),
        Value::Float(number) => number.into(),
        Value::Text(text) => text.into(),
        Value::List(items) => {
            TheirValue::Array(items.iter().map(|item| theirs(*item)).collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

/// The keys that an expression asks `evt.Unmarshaled` for, from the outermost inwards.
fn unmarshaled(text: &str) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    for (at, root) in text.match_indices("evt.Unmarshaled") {
        let mut rest = &text[at + root.len()..];
        let mut keys = Vec::new();
        loop {
            let (key, after) = if let Some(name) = rest.strip_prefix('.') {
                let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                name.split_at(end.unwrap_or(name.len()))
            } else if let Some(key) = rest.strip_prefix("[\"") {
                key.split_once("\"]").unwrap_or(("", ""))
            } else if let Some(key) = rest.strip_prefix("['") {
                key.split_once("']").unwrap_or(("", ""))
            } else {
                break;
            };
            // A method is no key.
            if key.is_empty() || after.starts_with('(') {
                break;
            }
            keys.push(key.to_owned());
            rest = after;
        }
        paths.push(keys);
    }
    // What is looked into is a map, whatever else it is asked for.
    paths.sort_by_key(|keys| std::cmp::Reverse(keys.len()));
    paths
}

/// Puts a leaf at the end of a path, unless something is there.
fn plant(map: &mut BTreeMap<String, Tree>, keys: &[String], leaf: &Tree) {
    let Some((key, deeper)) = keys.split_first() else { return };
    if deeper.is_empty() {
        map.entry(key.clone()).or_insert_with(|| leaf.clone());
        return;
    }
    let below = map.entry(key.clone()).or_insert_with(|| Tree::Map(BTreeMap::new()));
    if let Tree::Map(below) = below {
        plant(below, deeper, leaf);
    }
}

/// What JSON may hold.
#[derive(Clone)]
enum Tree {
    Map(BTreeMap<String, Tree>),
    Leaf(TheirValue),
}

impl Tree {
    fn theirs(&self) -> TheirValue {
        match self {
            Tree::Leaf(value) => value.clone(),
            Tree::Map(map) => TheirValue::Map(
                map.iter().map(|(key, below)| (key.clone(), below.theirs())).collect(),
            ),
        }
    }
}

/// The functions of rules, lent to the oracle: its own are compared, these are only called.
fn environment() -> Theirs<'static> {
    const OWN: &[&str] =
        &["len", "int", "float", "trimSuffix", "lower", "lastIndexOf", "hasSuffix"];
    let mut environment = Theirs::new();
    for name in functions::names().filter(|name| !OWN.contains(name)) {
        let Some(function) = functions::find(name) else { continue };
        environment.add_function(name, move |call| {
            let (arena, world) = (Arena::new(), World::default());
            let arguments: Vec<_> = call.args.iter().map(|value| ours(value, &arena)).collect();
            let call = Call { arena: &arena, world: &world };
            let given = (function.code)(call, &arguments).ok().and_then(theirs);
            given.ok_or_else(|| expr::Error::ExprError("a fault".to_owned()))
        });
    }
    environment
}

#[test]
fn expressions_of_a_hub_mean_the_same() {
    let run = std::thread::Builder::new().stack_size(STACK).spawn(compare_all);
    run.expect("a thread").join().expect("no panic");
}

fn compare_all() {
    let mut texts: Vec<String> = hub_expressions::all().into_iter().map(|(_, text)| text).collect();
    texts.sort();
    texts.dedup();
    if texts.is_empty() {
        eprintln!("skipped: no rules hub");
        return;
    }
    let oracle = environment();
    let (mut n_compared, mut n_true, mut n_left, mut n_beyond) = (0, 0, 0, 0);
    let mut differences: BTreeMap<String, String> = BTreeMap::new();
    for text in &texts {
        let mut names = Names::new();
        let mut environment =
            Environment { variables: VARIABLES, names: &mut names, functions: &[] };
        let Ok(program) = Program::new(text, &mut environment) else {
            // Of a bucket, an alert or a request.
            n_left += 1;
            continue;
        };
        if NOT_COMPARED.iter().any(|what| text.contains(what)) {
            n_left += 1;
            continue;
        }
        let Ok(compiled) = expr::compile(text) else {
            n_beyond += 1;
            continue;
        };
        let words = literals(text);
        let fields: Vec<_> = program.fields().filter_map(|slot| names.name(slot)).collect();
        let paths = unmarshaled(text);
        for round in 0..EVENTS {
            let word = |place: usize| {
                let word = &words[(place * 7 + round * 3) % words.len()];
                match round % 6 {
                    0 => String::new(),
                    1..=3 => word.clone(),
                    4 => format!("x {word} y"),
                    _ => format!("{word}{}", words[place % words.len()]),
                }
            };
            let values: Vec<_> =
                fields.iter().enumerate().map(|(place, field)| (*field, word(place))).collect();
            let (arena, world) = (Arena::new(), World::default());
            let now = Time::from_seconds(1_767_268_800);
            let event = Event::new(&arena, &names, Kind::Log, Mode::Replay, now);
            let mut json = BTreeMap::new();
            for (place, keys) in paths.iter().enumerate() {
                let leaf = match (place + round) % 6 {
                    0 => TheirValue::Float(200.0),
                    1 => TheirValue::Nil,
                    2 => TheirValue::Bool(true),
                    3 => TheirValue::Array(vec![word(place).into(), TheirValue::Float(1.5)]),
                    _ => word(place).into(),
                };
                plant(&mut json, keys, &Tree::Leaf(leaf));
            }
            let json = Tree::Map(json).theirs();
            if let Value::Map(map) = ours(&json, &arena) {
                map.each(&mut |key, value| assert!(event.unmarshaled().set(key, value)));
            }
            let raw = word(1);
            event.raw.set(&raw);
            for ((section, name), text) in &values {
                event.set_named(*section, name, text);
            }
            let found = program.evaluate(&EventScope::new(event, &world));
            let known = oracle.run(&compiled, &context(&values, json, &raw));
            let same = match (&found, &known) {
                (Ok(found), Ok(known)) => theirs(*found).is_some_and(|found| found == *known),
                (Err(_), Err(_)) => true,
                // An index behind the end is a fault, and so is a value that is neither text nor
                // nil in a list of literal texts. The index of a text gives a byte.
                (Err(fault), Ok(TheirValue::Nil)) => fault.message.contains("is outside of"),
                (Err(fault), Ok(TheirValue::Bool(false))) => {
                    fault.message.starts_with("expected string, found") && text.contains(" in [")
                }
                (Ok(Value::Int(0..=255)), Err(error)) => error.to_string().contains("operator []"),
                _ => false,
            };
            n_compared += 1;
            n_true += usize::from(matches!(found, Ok(Value::Bool(true))));
            if !same {
                let shown: String = text.chars().take(160).collect();
                let known = known.map_err(|error| error.to_string());
                differences.insert(shown, format!("we give {found:?}, they give {known:?}"));
            }
        }
    }
    eprintln!(
        "{} expressions, {n_left} of them of what the oracle has not, {n_beyond} that it cannot \
         read; {n_compared} comparisons, {n_true} of them true",
        texts.len()
    );
    assert!(differences.is_empty(), "{} differ: {differences:#?}", differences.len());
    assert!(n_compared > texts.len(), "only {n_compared} comparisons");
    assert!(n_true > n_compared / 20, "only {n_true} are true");
}

fn context(values: &[((Section, &str), String)], json: TheirValue, raw: &str) -> Context {
    let section = |wanted| {
        let of = values.iter().filter(|((section, _), _)| *section == wanted);
        TheirValue::Map(
            of.map(|((_, name), text)| ((*name).to_owned(), text.as_str().into())).collect(),
        )
    };
    let mut event: Vec<(String, TheirValue)> =
        SECTIONS.iter().map(|(known, name)| ((*name).to_owned(), section(*known))).collect();
    let line = [
        ("Raw".to_owned(), raw.into()),
        ("Src".to_owned(), "".into()),
        ("Module".to_owned(), "".into()),
        ("Labels".to_owned(), section(Section::Label)),
    ];
    event.push(("Line".to_owned(), TheirValue::Map(line.into_iter().collect())));
    event.push(("Unmarshaled".to_owned(), json));
    for name in ["Stage", "StrTime", "StrTimeFormat", "MarshaledTime", "WhitelistReason"] {
        event.push((name.to_owned(), "".into()));
    }
    event.push(("Whitelisted".to_owned(), false.into()));
    let mut context = Context::default();
    context.insert("evt", TheirValue::Map(event.into_iter().collect()));
    context
}
