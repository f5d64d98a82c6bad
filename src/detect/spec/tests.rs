use std::path::Path;

use super::*;
use crate::detect::scenario::{Kind, Scenario};
use crate::value::Names;

const LEAKY: &str = "type: leaky
name: a/b
description: d
filter: evt.Meta.log_type == 'x'
capacity: 5
leakspeed: 10s
";

fn compiled(text: &str) -> (Vec<Scenario>, Vec<Diagnostic>) {
    let file = UserFile::new(Path::new("test.yaml"), text.to_owned());
    let (documents, mut told) = crate::yaml::load(&file);
    let mut scenarios = Vec::new();
    let mut names = Names::new();
    for document in &documents {
        let (spec, more) = load(document, &file);
        let sound = !more.iter().any(Diagnostic::is_error);
        told.extend(more);
        if let Some(spec) = spec {
            let (scenario, more) = compile(&spec, &mut names);
            told.extend(more);
            scenarios.extend(scenario.filter(|_| sound));
        }
    }
    (scenarios, told)
}

/// The mistakes, each as the words it points at and its message.
#[track_caller]
fn check(text: &str, expected: &[(&str, &str)]) {
    let (scenarios, told) = compiled(text);
    let found: Vec<_> = told
        .iter()
        .map(|mistake| (&text[mistake.span.clone()], mistake.message.as_str()))
        .collect();
    assert_eq!(found, expected, "{text}");
    let n_errors = told.iter().filter(|mistake| mistake.is_error()).count();
    assert_eq!(scenarios.is_empty(), n_errors > 0, "{text}");
}

fn with(more: &str) -> String {
    format!("{LEAKY}{more}\n")
}

fn without(key: &str) -> String {
    LEAKY.lines().filter(|line| !line.starts_with(key)).map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_whole_scenario_has_no_mistakes() {
    check(LEAKY, &[]);
    check(
        &with(
            "format: 2.0\nauthor: me\nreferences: [x]\nversion: 1\ndebug: true\n\
             groupby: evt.Meta.source_ip\ndistinct: evt.Parsed.user\ncancel_on: evt.Meta.a == 'b'\n\
             blackhole: 5m\ncache_size: 3\nreprocess: true\n\
             overflow_filter: leaky.Total_count > 2\ncondition: leaky.Total_count > 3\n\
             scope: {type: AS, expression: evt.Enriched.ASNumber}\n\
             data: [{source_url: x, dest_file: y, type: string}]\n\
             labels: {service: ssh, remediation: true, classification: [a, b], nothing: }",
        ),
        &[],
    );
}

#[test]
fn empty_text_is_as_good_as_none() {
    check(
        &with(
            "groupby: ''\ndistinct: \"\"\ncancel_on: ''\nblackhole: ''\nscope: {type: '', expression: ''}",
        ),
        &[],
    );
    let (scenarios, told) = compiled(&LEAKY.replace("evt.Meta.log_type == 'x'", "''"));
    assert!(scenarios.is_empty());
    assert_eq!(told[0].message, "a scenario needs the key `filter`");
}

#[test]
fn what_is_missing_is_told() {
    for key in ["name", "description", "filter", "type"] {
        let (scenarios, told) = compiled(&without(key));
        assert!(scenarios.is_empty(), "{key}");
        let messages: Vec<_> = told.iter().map(|mistake| mistake.message.as_str()).collect();
        assert_eq!(messages, [format!("a scenario needs the key `{key}`")]);
    }
}

#[test]
fn unknown_keys_and_wrong_values_are_told_together() {
    check(
        &with("groupBy: x\nblackhole: 5 minutes\ndebug: perhaps").replace("leaky", "leeky"),
        &[
            ("perhaps", "expected `true` or `false` for `debug`, found `perhaps`"),
            ("5 minutes", "expected a duration such as `1m30s` for `blackhole`, found `5 minutes`"),
            ("leeky", "`leeky` is no value of `type`"),
            ("groupBy", "a scenario has no key `groupBy`"),
        ],
    );
    check(
        &with("blackhole: -5m"),
        &[("-5m", "expected a duration such as `1m30s` for `blackhole`, found `-5m`")],
    );
    check(
        &with("blackhole: 2d"),
        &[("2d", "expected a duration such as `1m30s` for `blackhole`, found `2d`")],
    );
}

#[test]
fn each_type_has_its_demands() {
    let of = |kind: &str, more: &str| {
        format!("type: {kind}\nname: n\ndescription: d\nfilter: 'true'\n{more}")
    };
    let leaky = "a leaky scenario needs a `capacity` above 0";
    let leaks = "a leaky scenario needs a `leakspeed` above 0";
    check(&of("leaky", ""), &[("leaky", leaky), ("leaky", leaks)]);
    check(&of("leaky", "capacity: -1\nleakspeed: 0s"), &[("-1", leaky), ("0s", leaks)]);
    check(&of("trigger", ""), &[]);
    check(&of("trigger", "capacity: 0"), &[]);
    check(
        &of("trigger", "capacity: 1"),
        &[("1", "a trigger overflows at its first event and has no `capacity`")],
    );
    check(&of("counter", "capacity: -1\nduration: 10s"), &[]);
    check(
        &of("counter", "duration: 0s"),
        &[
            ("counter", "a counter needs `capacity: -1`"),
            ("0s", "a counter needs a `duration` above 0"),
        ],
    );
    check(&of("conditional", "capacity: -1\nleakspeed: 1s\ncondition: 'true'"), &[]);
    check(
        &of("conditional", "capacity: 3\nleakspeed: 1s\ncondition: 'true'"),
        &[("3", "a conditional scenario should say `capacity: -1`")],
    );
    check(
        &of("conditional", "capacity: -1"),
        &[
            ("conditional", "a conditional scenario needs a `condition`"),
            ("conditional", "a conditional scenario needs a `leakspeed` above 0"),
        ],
    );
    let evidence = "\nbayesian_conditions: [{condition: 'true', prob_given_evil: 0.9, prob_given_benign: 0.1}]";
    let fine = "capacity: -1\nleakspeed: 1m\nbayesian_prior: 1\nbayesian_threshold: 0.5";
    check(&of("bayesian", &format!("{fine}{evidence}")), &[]);
    check(
        &of("bayesian", fine),
        &[("bayesian", "a bayesian scenario needs `bayesian_conditions`")],
    );
    let unfit = fine.replace("prior: 1", "prior: 1.5").replace("0.5", "0");
    check(
        &of("bayesian", &format!("{unfit}{evidence}")),
        &[
            ("1.5", "`bayesian_prior` must be above 0 and at most 1"),
            ("0", "`bayesian_threshold` must be at most 1 and not 0"),
        ],
    );
    let unlikely = evidence.replace("evil: 0.9", "evil: 2");
    check(
        &of("bayesian", &format!("{fine}{unlikely}")),
        &[("2", "`prob_given_evil` must be from 0 to 1")],
    );
}

#[test]
fn scopes_are_checked() {
    check(&with("scope: {}"), &[]);
    check(&with("scope: {type: Ip}"), &[]);
    check(&with("scope: {type: Range}"), &[]);
    check(&with("scope: {type: Range, expression: evt.Meta.r}"), &[]);
    check(&with("scope: {type: ip, expression: evt.Meta.r}"), &[]);
    check(
        &with("scope: {type: Ip, expression: evt.Meta.r}"),
        &[("evt.Meta.r", "the scope `Ip` is always the address in `evt.Meta.source_ip`")],
    );
    check(
        &with("scope: {type: Country}"),
        &[("type", "the scope `Country` needs an `expression` that gives its value")],
    );
    check(&with("scope: {typ: Range}"), &[("typ", "a scope has no key `typ`")]);
}

#[test]
fn expressions_are_checked_where_they_stand() {
    let told = |text: &str| {
        let (_, told) = compiled(text);
        assert_eq!(told.len(), 1, "{told:?}");
        (text[told[0].span.clone()].to_owned(), told[0].severity)
    };
    use crate::diagnostic::Severity::{Error, Warning};
    assert_eq!(told(&with("groupby: evt.Metta.x")), (".Metta".into(), Error));
    assert_eq!(told(&with("cancel_on: |\n  evt.Meta.a ==\n    nobody")), ("nobody".into(), Error));
    assert_eq!(told(&with("groupby: evt.Whitelisted")), ("evt.Whitelisted".into(), Error));
    assert_eq!(told(&with("distinct: evt.Whitelisted")), ("evt.Whitelisted".into(), Warning));
    assert_eq!(told(&with("cancel_on: evt.Meta.x")), ("evt.Meta.x".into(), Error));
    // The bucket is only known to conditions.
    assert_eq!(told(&with("distinct: leaky.Mapkey")), ("leaky".into(), Error));
    assert_eq!(told(&with("condition: signal.Whitelisted")), ("signal".into(), Error));
}

#[test]
fn formats_that_are_not_understood_are_skipped() {
    for format in ["1.0", "2", "3.0", "v2.1"] {
        check(&with(&format!("format: {format}")), &[]);
    }
    for format in ["0.9", "3.1", "4", "3.0.1"] {
        let (scenarios, told) = compiled(&with(&format!("format: {format}")));
        assert!(scenarios.is_empty() && told.len() == 1 && !told[0].is_error(), "{format}");
    }
    check(&with("format: new"), &[("new", "`format` must be a version such as `2.0`")]);
}

#[test]
fn what_is_not_kept_is_said() {
    let text = LEAKY.replace("capacity: 5", "capacity: 2000");
    check(&text, &[("capacity", "a bucket keeps its last 1024 events at most")]);
    check(&format!("{text}cache_size: 10\n"), &[]);
}

#[test]
fn lives_follow_from_the_type() {
    let seconds = |text: &str| {
        let (scenarios, told) = compiled(text);
        assert_eq!(scenarios.len(), 1, "{told:?}");
        (scenarios[0].lifetime / 1_000_000_000, scenarios[0].is_timed)
    };
    assert_eq!(seconds(LEAKY), (60, false));
    assert_eq!(seconds(&with("duration: 7s")), (7, true));
    assert_eq!(
        seconds(&LEAKY.replace("leakspeed: 10s", "leakspeed: 2000000h")).0,
        i64::MAX / 1_000_000_000
    );
    let (scenarios, _) = compiled("type: trigger\nname: n\ndescription: d\nfilter: 'true'\n");
    assert!(matches!(scenarios[0].kind, Kind::Trigger) && scenarios[0].lifetime == 0);
}

#[test]
fn documents_are_told_apart_by_what_they_say() {
    let text = format!("{LEAKY}---\n{LEAKY}---\n{}", LEAKY.replace("10s", "11s"));
    let (scenarios, _) = compiled(&text);
    assert_eq!(scenarios[0].fingerprint, scenarios[1].fingerprint);
    assert_ne!(scenarios[0].fingerprint, scenarios[2].fingerprint);
}
