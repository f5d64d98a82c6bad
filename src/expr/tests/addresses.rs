//! A set of addresses gives what a walk through its expression gives.

use proptest::prelude::*;

use super::{Event, program, show};
use crate::value::{Arena, Names, Section};

/// Conditions about one address, in which `a` is a local.
fn condition() -> impl Strategy<Value = String> {
    let ranges = [
        "192.0.2.0/24",
        "192.0.2.128/25",
        "0.0.0.0/0",
        "255.255.255.255/32",
        "10.1.2.3/8",
        "2001:db8::/32",
        "::/0",
        "::ffff:192.0.2.0/120",
    ];
    let leaf = prop_oneof![
        4 => prop::sample::select(ranges.to_vec())
            .prop_map(|range| format!("IpInRange(evt.Meta.ip, '{range}')")),
        2 => prop::sample::select(vec!["IsIP", "IsIPV4", "IsIPV6"])
            .prop_map(|function| format!("{function}(evt.Meta.ip)")),
        1 => Just("'ip' in evt.Meta".to_owned()),
        1 => Just("evt.Meta.ip == ''".to_owned()),
        1 => Just("evt.Meta.ip != ''".to_owned()),
        1 => Just("a".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let several = prop::collection::vec(inner.clone(), 2..5);
        prop_oneof![
            inner.prop_map(|inner| format!("not ({inner})")),
            several.clone().prop_map(|parts| format!("({})", parts.join(" && "))),
            several.prop_map(|parts| format!("({})", parts.join(" || "))),
        ]
    })
}

/// What an expression gives where `evt.Meta.ip` is this.
fn value(text: &str, address: Option<&str>) -> String {
    let (arena, mut names) = (Arena::new(), Names::new());
    let program = program(text, &mut names).unwrap();
    let fields: Vec<_> =
        address.map(|address| (Section::Meta, "ip", address)).into_iter().collect();
    let event = Event::new(&arena, &names, &fields);
    let (truth, value) = (program.truth(&event).unwrap(), show(program.evaluate(&event)));
    assert_eq!(truth.to_string(), value, "{text}");
    value
}

const ADDRESSES: [&str; 13] = [
    "",
    "x",
    "192.0.2.0",
    "192.0.2.200",
    "192.0.3.0",
    "0.0.0.0",
    "10.255.255.255",
    "255.255.255.255",
    "2001:db8::1",
    "::",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "::ffff:192.0.2.1",
    "192.0.2.1 ",
];

proptest! {
    #[test]
    fn a_set_holds_what_a_walk_finds(condition in condition()) {
        let quick = format!("let a = not (IsIPV6(evt.Meta.ip)); {condition}");
        let walked = format!("let a = not (IsIPV6(evt.Meta.ip)); evt.Meta.b == 'x' || {condition}");
        for address in ADDRESSES.map(Some).into_iter().chain([None]) {
            prop_assert_eq!(value(&quick, address), value(&walked, address), "{:?} {}", address, quick);
        }
    }
}

#[track_caller]
fn check(text: &str, expected: bool) {
    let program = program(text, &mut Names::new()).unwrap();
    assert_eq!(program.is_about_an_address(), expected, "{text}");
}

#[test]
fn only_what_asks_for_nothing_else_is_a_set() {
    check("IpInRange(evt.Meta.ip, '192.0.2.0/24')", true);
    check("let six = IsIPV6(evt.Meta.ip); 'ip' in evt.Meta && not six", true);
    check("evt.Meta.ip != '' && not IsIPV4(evt.Meta.ip)", true);
    check("IsIP(evt.Meta.ip) || IsIP(evt.Meta.other)", false);
    check("IsIP(evt.Meta.ip) && evt.Meta.ip != '192.0.2.1'", false);
    check("IsIP(evt.Meta.ip) && any_value", false);
    check("IpInRange(evt.Meta.ip, evt.Meta.range)", false);
    check("evt.Meta.ip != ''", false);
    check("let x = evt.Fails(); IsIP(evt.Meta.ip)", false);
    check("evt.Meta.ip == '' || evt.Meta.ip != ''", false);
}
