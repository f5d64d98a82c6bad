//! Data files of rules: lines, expressions, rows, robots.

use std::net::IpAddr;

use super::address::address;
use super::{Call, Fault, Function, LIST, TEXTS, Type, Value, list_of, text, texts};
use crate::expr::world::{Bot, DataFile, Question};
use crate::value::Entries;

const TEXT: Type = Type::Text;

pub(super) const TABLE: &[Function] = &[
    Function::new("File", &[TEXT], TEXTS, file),
    Function::new("RegexpInFile", &[TEXT, TEXT], Type::Bool, regexp_in_file),
    Function::new("FileMap", &[TEXT], LIST, file_map),
    Function::new("LookupFile", &[TEXT, TEXT], TEXT, lookup_file),
    Function::new("MatchKnownBot", &[TEXT, TEXT, TEXT, TEXT], Type::Bool, match_known_bot)
        .with_rest(TEXT),
];

fn find<'a>(call: Call<'a>, name: &str) -> Option<&'a DataFile> {
    call.world.facts().files.get(name)
}

fn file<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    match find(call, text(arguments, 0)?) {
        Some(DataFile::Lines(lines)) => Ok(Value::List(
            call.arena.alloc_slice_fill_iter(lines.lines().iter().map(|line| Value::Text(line))),
        )),
        _ => Ok(Value::List(&[])),
    }
}

fn regexp_in_file<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let source = text(arguments, 0)?;
    Ok(Value::Bool(match find(call, text(arguments, 1)?) {
        Some(DataFile::Regexps(regexps)) => regexps.is_match(source, call.world.now()),
        _ => false,
    }))
}

fn file_map<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let Some(DataFile::Rows(rows)) = find(call, text(arguments, 0)?) else {
        return Ok(Value::List(&[]));
    };
    let row = |row: &'a Vec<(Box<str>, Box<str>)>| {
        let entries = row.iter().map(|(key, value)| (&**key, Value::Text(value)));
        Value::Map(call.arena.alloc(Entries::collect(call.arena, TEXT, entries)))
    };
    list_of(call.arena, rows.rows().iter().map(row))
}

fn lookup_file<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let source = text(arguments, 0)?;
    Ok(Value::Text(match find(call, text(arguments, 1)?) {
        Some(DataFile::Rows(rows)) => rows.tag(source).unwrap_or_default(),
        _ => "",
    }))
}

/// Whether a request is that of a robot in one of the files, by its looks and its origin.
fn match_known_bot<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let (source, user_agent, path) =
        (text(arguments, 0)?, text(arguments, 1)?, text(arguments, 2)?);
    let address = address(source);
    let mut known = false;
    for name in texts(arguments, 3) {
        let Some(DataFile::Bots(bots)) = find(call, name?) else { continue };
        known = known
            || address.is_some_and(|address| {
                bots.iter().any(|bot| {
                    bot.looks_like(user_agent, path)
                        && (bot.owns(address) || is_named(call, bot, address))
                })
            });
    }
    Ok(Value::Bool(known))
}

/// Whether the address has a name of the robot's hosts, and that name has the address: anybody
/// may give his own address any name, but not a name somebody else's address.
fn is_named(call: Call<'_>, bot: &Bot, address: IpAddr) -> bool {
    if !bot.has_names() {
        return false;
    }
    let (resolver, now) = (&call.world.facts().resolver, call.world.now());
    let Some(names) = resolver.ask(Question::Names(address), now) else { return false };
    let proves = |name: &str| {
        bot.is_named(name)
            && resolver.ask(Question::Addresses(name.into()), now).is_some_and(|addresses| {
                addresses.iter().any(|text| super::address::address(text) == Some(address))
            })
    };
    names.iter().any(|name| proves(name))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::expr::functions::tests::{call_in, values};
    use crate::expr::world::{Facts, Files, World};
    use crate::value::{Arena, Time};

    fn world() -> World {
        let mut files = Files::default();
        let mut add = |name, kind, text| {
            let file = DataFile::parse(kind, text).expect("well-formed");
            assert!(files.add(name, file));
        };
        add("lines.txt", "string", "a\n# b\nc\n");
        add("agents.txt", "regexp", "(?i)nikto\n^zgrab");
        add("tags.json", "map", "{\"pattern\": \"/x\", \"tag\": \"t\", \"type\": \"equals\"}");
        add(
            "bots.json",
            "bots",
            "{\"name\": \"g\", \"user_agent\": \"bot\", \"ips\": [\"192.0.2.1\"], \"rdns\": \"\\\\.bot\\\\.example$\"}",
        );
        World::new(Arc::new(Facts { files, ..Facts::default() }))
    }

    #[track_caller]
    fn check(world: &World, function: &str, arguments: &str, expected: &str) {
        let arena = Arena::new();
        let found = call_in(world, &arena, function, values(&arena, arguments)).expect("no fault");
        assert_eq!(format!("{found:?}"), expected, "{function} {arguments}");
    }

    #[test]
    fn files() {
        let world = world();
        check(&world, "File", "['lines.txt']", r#"["a", "c"]"#);
        check(&world, "File", "['agents.txt']", "[]");
        check(&world, "File", "['none']", "[]");
        check(&world, "RegexpInFile", "['a NIKTO b', 'agents.txt']", "true");
        check(&world, "RegexpInFile", "['a zgrab', 'agents.txt']", "false");
        check(&world, "RegexpInFile", "['nikto', 'none']", "false");
        check(
            &world,
            "FileMap",
            "['tags.json']",
            r#"[{"pattern": "/x", "tag": "t", "type": "equals"}]"#,
        );
        check(&world, "FileMap", "['none']", "[]");
        check(&world, "LookupFile", "['/x', 'tags.json']", r#""t""#);
        check(&world, "LookupFile", "['/y', 'tags.json']", r#""""#);
        check(&world, "LookupFile", "['/x', 'none']", r#""""#);
    }

    #[test]
    fn robots() {
        let world = world();
        check(&world, "MatchKnownBot", "['192.0.2.1', 'a Bot', '/', 'none', 'bots.json']", "true");
        check(&world, "MatchKnownBot", "['192.0.2.1', 'curl', '/', 'bots.json']", "false");
        check(&world, "MatchKnownBot", "['192.0.2.2', 'a Bot', '/', 'bots.json']", "false");
        check(&world, "MatchKnownBot", "['x', 'a Bot', '/', 'bots.json']", "false");
    }

    #[test]
    fn robots_by_name_when_both_ways_agree() {
        let world = world();
        let ask = |ip: &str| {
            let arena = Arena::new();
            let arguments =
                [ip, "a bot", "/", "bots.json"].map(|text| Value::Text(arena.alloc_str(text)));
            matches!(call_in(&world, &arena, "MatchKnownBot", &arguments), Ok(Value::Bool(true)))
        };
        // The first answers are not there yet; each round of asking leads to the next.
        for _ in 0..3 {
            ask("198.51.100.1");
            ask("198.51.100.9");
            let resolver = Arc::clone(&world.facts().resolver);
            resolver.serve_open(
                |question| match question {
                    Question::Names(_) => vec!["a.bot.example.".into()],
                    Question::Addresses(_) => vec!["198.51.100.1".into()],
                },
                Time::from_seconds(0),
            );
        }
        assert!(ask("198.51.100.1"));
        assert!(!ask("198.51.100.9"));
    }
}
