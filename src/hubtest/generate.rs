//! Writes the assertions of a test that has none yet: everything that the rules made of its log.

use std::fmt::Write as _;

use super::results::Records;
use crate::event::Overflow;
use crate::value::{Arena, Names, Section, Value};

/// Assertions about every event that every node succeeded on.
pub(super) fn parsers(records: &Records, names: &Names) -> String {
    let mut out = format!("len(results) == {}\n", records.n_stages() + 1);
    for (stage, nodes) in records.stages() {
        for (node, records) in nodes {
            let node = format!("results[{}][{}]", quoted(stage), quoted(node));
            line(&mut out, format_args!("len({node}) == {}", records.len()));
            for (at, record) in records.iter().enumerate() {
                line(&mut out, format_args!("{node}[{at}].Success == {}", record.success));
                if record.success {
                    let arena = Arena::new();
                    let event = record.event.lend(&arena, names);
                    about_event(&mut out, &format!("{node}[{at}].Evt"), event);
                }
            }
        }
    }
    out
}

fn about_event<'a>(out: &mut String, path: &str, event: &'a crate::event::Event<'a>) {
    let sections =
        [("Parsed", Section::Parsed), ("Meta", Section::Meta), ("Enriched", Section::Enriched)];
    for (name, section) in sections {
        let mut fields = Vec::new();
        event.each_field(section, &mut |key, text| fields.push((key, text)));
        fields.sort_unstable();
        for (key, text) in fields.into_iter().filter(|(_, text)| !text.is_empty()) {
            text_is(out, &format!("{path}.{name}[{}]", quoted(key)), key, text);
        }
    }
    value_is(out, &format!("{path}.Unmarshaled"), Value::Map(event.unmarshaled()));
    line(out, format_args!("{path}.Whitelisted == {}", event.allowlisted.get()));
    let reason = event.allowlist_reason.get();
    if !reason.is_empty() {
        line(out, format_args!("{path}.WhitelistReason == {}", quoted(reason)));
    }
}

/// Assertions about the leaves of a value; lists are left out.
fn value_is(out: &mut String, path: &str, value: Value<'_>) {
    match value {
        Value::Map(map) => {
            let mut entries = Vec::new();
            map.each(&mut |key, value| entries.push((key, value)));
            entries.sort_unstable_by_key(|(key, _)| *key);
            for (key, value) in entries {
                value_is(out, &format!("{path}[{}]", quoted(key)), value);
            }
        }
        Value::Bool(truth) => line(out, format_args!("{path} == {truth}")),
        Value::Int(number) => line(out, format_args!("{path} == {number}")),
        Value::Float(number) => line(out, format_args!("FloatApproxEqual({path}, {number:.6})")),
        Value::Text(text) if !text.is_empty() => {
            line(out, format_args!("{path} == {}", quoted(text)));
        }
        _ => {}
    }
}

/// Assertions about every overflow, sorted as assertions see them.
pub(super) fn scenarios(overflows: &[Overflow]) -> String {
    let mut out = format!("len(results) == {}\n", overflows.len());
    for (at, overflow) in overflows.iter().enumerate() {
        let path = format!("results[{at}].Overflow");
        for (key, source) in &overflow.sources {
            let key = quoted(key);
            let source_path = format!("{path}.Sources[{key}]");
            line(&mut out, format_args!("{key} in {path}.GetSources()"));
            line(&mut out, format_args!("{source_path}.IP == {}", quoted(&source.ip)));
            line(&mut out, format_args!("{source_path}.Range == {}", quoted(&source.range)));
            line(&mut out, format_args!("{source_path}.GetScope() == {}", quoted(&source.scope)));
            line(&mut out, format_args!("{source_path}.GetValue() == {}", quoted(&source.value)));
        }
        let Some(alert) = &overflow.alert else { continue };
        for (index, event) in alert.events.iter().enumerate() {
            for (key, text) in event.meta() {
                let path = format!("{path}.Alert.Events[{index}].GetMeta({})", quoted(key));
                text_is(&mut out, &path, key, text);
            }
        }
        let path = format!("{path}.Alert");
        line(&mut out, format_args!("{path}.GetScenario() == {}", quoted(&alert.scenario)));
        line(&mut out, format_args!("{path}.Remediation == {}", alert.remediation));
        line(&mut out, format_args!("{path}.GetEventsCount() == {}", alert.events_count));
    }
    out
}

/// The path of the log differs from place to place: only its last component is asserted.
fn text_is(out: &mut String, path: &str, key: &str, text: &str) {
    if key == "datasource_path" {
        let name = quoted(super::asserts::last_component(text));
        line(out, format_args!("basename({path}) == {name}"));
    } else {
        line(out, format_args!("{path} == {}", quoted(text)));
    }
}

fn line(out: &mut String, assertion: std::fmt::Arguments<'_>) {
    writeln!(out, "{assertion}").expect("writing to a string cannot fail");
}

/// A text as a literal that fits on one line.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        match letter {
            '\\' => quoted.push_str("\\\\"),
            '"' => quoted.push_str("\\\""),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            letter if letter.is_control() => {
                write!(quoted, "\\u{:04x}", u32::from(letter))
                    .expect("writing to a string cannot fail");
            }
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::super::asserts::{self, Results};
    use super::super::results::Record;
    use super::*;
    use crate::event::{Alert, AlertEvent, Event, Kind, Mode, Snapshot, Source};
    use crate::value::{Map as _, Time};

    #[test]
    fn what_is_written_about_events_holds() {
        let (arena, names) = (Arena::new(), Names::new());
        let event = Event::new(&arena, &names, Kind::Log, Mode::Replay, Time::from_nanos(0));
        event.set_named(Section::Parsed, "message", "a \"b\" \\ c\td\u{1}é");
        event.set_named(Section::Parsed, "empty", "");
        event.set_named(Section::Meta, "datasource_path", "/var/log/x.log");
        event.allowlisted.set(true);
        event.allowlist_reason.set("a friend");
        event.unmarshaled().set("n", Value::Float(5.25));
        event.unmarshaled().set("t", Value::Text("x"));
        event.unmarshaled().set("list", Value::List(&[]));
        let mut records = Records::default();
        records.push("s01", "b", Record { success: true, event: Snapshot::of(event) });
        records.push("s01", "a", Record { success: false, event: Snapshot::of(event) });
        let text = parsers(&records, &names);
        assert_eq!(
            text.lines().collect::<Vec<_>>(),
            [
                "len(results) == 2",
                r#"len(results["s01"]["a"]) == 1"#,
                r#"results["s01"]["a"][0].Success == false"#,
                r#"len(results["s01"]["b"]) == 1"#,
                r#"results["s01"]["b"][0].Success == true"#,
                r#"results["s01"]["b"][0].Evt.Parsed["message"] == "a \"b\" \\ c\td\u0001é""#,
                r#"basename(results["s01"]["b"][0].Evt.Meta["datasource_path"]) == "x.log""#,
                r#"FloatApproxEqual(results["s01"]["b"][0].Evt.Unmarshaled["n"], 5.250000)"#,
                r#"results["s01"]["b"][0].Evt.Unmarshaled["t"] == "x""#,
                r#"results["s01"]["b"][0].Evt.Whitelisted == true"#,
                r#"results["s01"]["b"][0].Evt.WhitelistReason == "a friend""#,
            ]
        );
        assert_eq!(asserts::check(&text, Results::Parsers(&records), &names), []);
    }

    #[test]
    fn what_is_written_about_overflows_holds() {
        let mut overflow = Overflow::none();
        let source = Source {
            scope: "Ip".into(),
            value: "2001:db8::1".into(),
            ip: "2001:db8::1".into(),
            ..Source::default()
        };
        overflow.sources.push((source.value.clone(), source));
        let time = Time::from_nanos(0);
        let meta = [("datasource_path", "/x/y.log"), ("service", "ssh")];
        let meta = meta.map(|(key, text)| (key.to_owned(), text.to_owned()));
        overflow.alert = Some(Alert {
            scenario: "a/b".into(),
            message: String::new(),
            capacity: 5,
            leakspeed: 1,
            events_count: 6,
            start_at: time,
            stop_at: time,
            events: vec![AlertEvent::new(meta.into(), String::new())],
            meta: Vec::new(),
            simulated: false,
            remediation: true,
            spoofable: 0,
            machine: None,
        });
        let overflows = [overflow];
        let text = scenarios(&overflows);
        assert_eq!(text.lines().count(), 1 + 5 + 2 + 3);
        assert_eq!(asserts::check(&text, Results::Scenarios(&overflows), &Names::new()), []);
    }
}
