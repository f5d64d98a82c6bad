//! What rules make of lines, and the quick way against the long one.

use std::net::IpAddr;

use proptest::prelude::*;

use super::memory::candidates;
use super::*;
use crate::event::{Batch, Mode, SourceId};
use crate::expr::World;
use crate::parse::{LineSource, Outcome, Parser, Scratch, Stages};
use crate::value::{Arena, Names, Time};

const SENDER: Option<IpAddr> = None;

fn glob(text: &str) -> Option<Glob> {
    Some(Glob::new(text).expect("a pattern"))
}

fn named(template: &str) -> Option<Template> {
    Some(Template::new(template).expect("a template"))
}

/// A rule for a tag that names the program.
fn rename(tag: &str, program: &str) -> ClassRule {
    ClassRule { tag: glob(tag), rename: named(program), ..ClassRule::default() }
}

fn label(program: &str, label: &str) -> ClassRule {
    ClassRule { program: glob(program), label: Some(label.into()), ..ClassRule::default() }
}

/// The label and the program of a line after the rules were asked, its message and its time.
fn classified(rules: Vec<ClassRule>, line: &str, origin: Option<&Origin>, kind: &str) -> String {
    let names = &mut Names::new();
    let mut source = LineSource::new("web", "syslog", Mode::Live);
    source.label(names, "type", kind);
    let mut batch = Batch::new(SourceId(0), Time::from_seconds(0));
    match origin {
        Some(origin) => batch.push_from(line.as_bytes(), false, origin),
        None => batch.push(line.as_bytes(), false, SENDER),
    }
    let parser = Parser::new(Stages::new(Vec::new())).with_classes(Classes::new(rules));
    let (arena, world, mut scratch) = (Arena::new(), World::default(), Scratch::new());
    let mut shown = String::new();
    // Twice: the second time from memory.
    for _ in 0..2 {
        let line = batch.lines().next().expect("a line");
        let (event, outcome) =
            parser.parse(line, &source, &arena, names, &world, &mut scratch, None);
        assert_eq!(outcome, Outcome::Parsed);
        let get = |slot| event.get(slot).unwrap_or_default();
        let (label, program) = (get(Names::LABEL), get(Names::PROGRAM));
        let now = format!("{label} {program} {} {}", event.str_time.get(), get(Names::MESSAGE));
        assert!(shown.is_empty() || shown == now, "{shown} {now}");
        shown = now;
    }
    shown
}

#[track_caller]
fn check(rules: &[ClassRule], line: &str, expected: &str) {
    assert_eq!(classified(rules.to_vec(), line, None, "syslog"), expected, "{line}");
}

const NGINX: &str = "<134>Nov 22 10:00:00 h nginx-access: GET /";
const DOCKER: &str = "<30>Nov 22 10:00:00 h docker/web/5790672ab6a0[99]: GET /";

#[test]
fn the_first_rule_that_fits_counts() {
    let unchanged = "syslog nginx-access Nov 22 10:00:00 GET /";
    check(&[], NGINX, unchanged);
    check(&[label("nginx", "x")], NGINX, unchanged);
    check(&[label("nginx*", "x")], NGINX, "x nginx-access Nov 22 10:00:00 GET /");
    check(
        &[label("nginx*", "x"), label("nginx-access", "y")],
        NGINX,
        "x nginx-access Nov 22 10:00:00 GET /",
    );
    check(
        &[rename("docker/*/*", "{tag:2}"), label("*", "y")],
        DOCKER,
        "syslog web Nov 22 10:00:00 GET /",
    );
    check(&[label("*", "y")], DOCKER, "y docker/web/5790672ab6a0 Nov 22 10:00:00 GET /");
    // A name that comes out empty is none.
    check(
        &[rename("docker/*", "{tag:9}")],
        DOCKER,
        "syslog docker/web/5790672ab6a0 Nov 22 10:00:00 GET /",
    );
}

#[test]
fn all_conditions_must_hold() {
    let base = || label("nginx*", "x");
    let is_met = |rule: ClassRule| classified(vec![rule], NGINX, None, "syslog").starts_with('x');
    assert!(is_met(ClassRule { host: glob("h"), ..base() }));
    assert!(!is_met(ClassRule { host: glob("g"), ..base() }));
    assert!(is_met(ClassRule { source: glob("w?b"), ..base() }));
    assert!(!is_met(ClassRule { source: glob("web2"), ..base() }));
    assert!(is_met(ClassRule { facility: Some(16), ..base() }));
    assert!(!is_met(ClassRule { facility: Some(4), ..base() }));
    assert!(!is_met(ClassRule { unit: glob("*"), ..base() }));
    assert!(!is_met(ClassRule { container: glob("*"), ..base() }));
    assert!(!is_met(ClassRule { tag: glob("x*"), ..base() }));
    let no_program = ClassRule { program: None, host: glob("h"), ..base() };
    assert!(is_met(no_program));
}

#[test]
fn what_a_source_knows_of_a_line() {
    let origin = Origin {
        unit: "docker.service".into(),
        container: "web_1".into(),
        facility: Some(3),
        user: None,
    };
    let rule =
        ClassRule { container: glob("web*"), facility: Some(3), ..rename("*", "{container}") };
    let line = "Nov 22 10:00:00 h 5790672ab6a0[99]: GET /";
    let found = classified(vec![rule.clone()], line, Some(&origin), "syslog");
    assert_eq!(found, "syslog web_1 Nov 22 10:00:00 GET /");
    let other = Origin { container: "db".into(), ..origin };
    let found = classified(vec![rule], line, Some(&other), "syslog");
    assert_eq!(found, "syslog 5790672ab6a0 Nov 22 10:00:00 GET /");
}

#[test]
fn wrapped_lines() {
    let cri = ClassRule { unwrap: Some(Wrapping::Cri), ..rename("k8s-*", "nginx") };
    check(
        std::slice::from_ref(&cri),
        "<30>Nov 22 10:00:00 h k8s-web: 2026-11-22T09:59:59.5Z stdout F GET /",
        "syslog nginx 2026-11-22T09:59:59.5Z GET /",
    );
    check(
        &[cri],
        "<30>Nov 22 10:00:00 h k8s-web: GET / stdout F",
        "syslog nginx Nov 22 10:00:00 GET / stdout F",
    );
    // A source may say that all its lines are of this kind, as rule folders call it.
    let by_source = ClassRule { source: glob("web"), rename: named("nginx"), ..Default::default() };
    let line = "2026-11-22T09:59:59.5Z stdout F GET /";
    let found = classified(vec![by_source], line, None, "containerd");
    assert_eq!(found, "containerd nginx 2026-11-22T09:59:59.5Z GET /");
    assert_eq!(classified(Vec::new(), "x", None, "containerd"), "containerd containerd  x");
}

#[test]
fn invented_programs_take_no_memory() {
    let classes = Classes::new(vec![label("*", "x")]);
    let mut memory = Memory::default();
    for number in 0..10_000 {
        assert_eq!(memory.candidates(&classes, &format!("program{number}")), [0]);
    }
    assert_eq!(memory.candidates(&classes, &"x".repeat(1000)), [0]);
    let remembered = memory.remembered();
    assert!(remembered > 100, "names are spread: {remembered}");
    // Another set of rules has nothing to do with what was remembered.
    let other = Classes::new(vec![label("y", "x")]);
    assert!(memory.candidates(&other, "program9999").is_empty());
}

fn some_rule() -> impl Strategy<Value = ClassRule> {
    let glob = || proptest::option::of("[ab/]{0,2}[*?]?[ab]{0,2}");
    (glob(), glob(), proptest::option::of("[hg*]"), any::<bool>()).prop_map(
        |(program, tag, host, needs_unit)| {
            let glob = |text: Option<String>| text.map(|text| Glob::new(&text).expect("plain"));
            ClassRule {
                program: glob(program),
                tag: glob(tag),
                host: glob(host),
                unit: needs_unit.then(|| Glob::new("u*").expect("plain")),
                ..ClassRule::default()
            }
        },
    )
}

proptest! {
    /// What table and memory say is what all rules in turn say.
    #[test]
    fn the_quick_way_and_the_long_one(
        rules in proptest::collection::vec(some_rule(), 0..8),
        programs in proptest::collection::vec("[ab/]{0,4}", 1..20),
        host in "[hg]?",
        has_unit: bool,
    ) {
        let classes = Classes::new(rules);
        let mut memory = Memory::default();
        for program in &programs {
            let unit = if has_unit { "u" } else { "" };
            let facts = Facts { program, host: &host, unit, ..Facts::default() };
            let fits = |rule: &ClassRule| {
                rule.fits_program(program) && rule.fits_beside_program(&facts)
            };
            let long = classes.rules.iter().position(fits);
            let starts = &classes.starts[usize::from(has_unit)];
            let quick = starts.may_concern(program).then(|| {
                let found = memory.candidates(&classes, program).iter();
                found.map(|rule| usize::from(*rule))
                    .find(|rule| classes.rules[*rule].fits_beside_program(&facts))
            });
            prop_assert_eq!(quick.flatten(), long, "{}", program);
            let known: Vec<u16> = candidates(&classes.rules, program).collect();
            prop_assert_eq!(memory.candidates(&classes, program), &*known);
        }
    }
}
