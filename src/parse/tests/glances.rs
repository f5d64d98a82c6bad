//! What a glance rules out would have failed: with somebody listening nothing is ruled out, and
//! [`Rules::run`] holds the two against each other.

use proptest::prelude::*;

use super::*;

const ALTERNATIVES: &str = "
name: alternatives
nodes:
  - grok: {pattern: 'alpha from %{IP:a}', apply_on: message}
  - grok: {pattern: 'beta %{WORD:b}( port %{INT:p})?', apply_on: message, statics: [{meta: m, value: b}]}
  - grok: {pattern: 'rest=%{GREEDYDATA:message}', apply_on: message}
  - grok: {pattern: 'gamma', apply_on: message}
  - {filter: \"evt.Parsed.b != ''\", grok: {pattern: 'delta %{WORD:d}', apply_on: message}}
  - grok: {pattern: 'epsilon %{DATA:e}\\.', apply_on: message, statics: [{parsed: message, value: zeta 1}]}
  - grok: {pattern: 'zeta %{INT:z}', apply_on: message}
  - grok: {pattern: 'eta', apply_on: other}
";

#[track_caller]
fn check(rules: &Rules, text: &str, expected: &str) {
    let result = rules.run(text, |event| event.set(Names::MESSAGE, event.raw.get()));
    let found = ["a", "b", "p", "d", "e", "z"].map(|name| result.parsed(name).unwrap_or("-"));
    assert_eq!(found.join(" "), expected, "{text}");
}

#[test]
fn what_is_left_is_tried() {
    let rules = Rules::sound(&[("s01-parse", ALTERNATIVES)]);
    check(&rules, "alpha from 1.2.3.4", "1.2.3.4 - - - - -");
    check(&rules, "beta x port 5 delta y", "- x 5 y - -");
    // A child writes the text that those after it search.
    check(&rules, "rest=zeta 7", "- - - - - 7");
    check(&rules, "epsilon q.", "- - - - q 1");
    check(&rules, "nothing", "- - - - - -");
}

proptest! {
    #[test]
    fn what_is_ruled_out_would_have_failed(
        parts in prop::collection::vec(prop::sample::select(vec![
            "alpha from ", "1.2.3.4", "::1", "beta ", "x", " port ", "5", "rest=", "gamma", " delta ",
            "epsilon ", ".", "zeta ", "eta", "\u{e9}", " ",
        ]), 0..8),
        next_stage: bool,
    ) {
        let more = if next_stage { "onsuccess: next_stage\n" } else { "" };
        let rules = Rules::sound(&[("s01-parse", &format!("{ALTERNATIVES}{more}"))]);
        let text = parts.concat();
        rules.run(&text, |event| event.set(Names::MESSAGE, event.raw.get()));
    }
}
