//! Profiles from YAML: what they say of an overflow, and what is said of their mistakes.

use std::path::Path;

use super::*;
use crate::decide::Profiles;
use crate::decide::profile::tests::overflow;
use crate::expr::World;
use crate::yaml;

const HOUR: i64 = 3_600_000_000_000;

fn load_text(text: &str) -> (Option<Profile>, Vec<Diagnostic>) {
    let file = UserFile::new(Path::new("weir.yaml"), text.to_owned());
    let (documents, mistakes) = yaml::load(&file);
    assert!(mistakes.is_empty(), "{mistakes:?}");
    load(&documents[0], &file, 4 * HOUR)
}

/// What the profile says of an overflow of `a/ssh-bf` by 203.0.113.7: actions, hours and scopes.
#[track_caller]
fn check(text: &str, expected: &[(&str, i64, &str)]) {
    let (profile, diagnostics) = load_text(text);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let profiles = Profiles::new(vec![profile.unwrap()]);
    let overflow = overflow("a/ssh-bf", &[("Ip", "203.0.113.7")]);
    let verdicts = profiles.verdicts(&overflow, &World::default());
    let said: Vec<_> = verdicts[0]
        .sentences
        .iter()
        .map(|one| {
            let scope = one.scope.as_deref().unwrap_or_default();
            (one.action.name(), one.duration / HOUR, scope)
        })
        .collect();
    assert_eq!(said, expected, "{text}: {:?}", verdicts[0].faults);
}

/// The mistakes of a profile: what each points at, and its message.
#[track_caller]
fn check_mistakes(text: &str, expected: &[(&str, &str)]) {
    let (profile, diagnostics) = load_text(text);
    let found: Vec<_> = diagnostics
        .iter()
        .map(|mistake| (&text[mistake.span.clone()], mistake.message.as_str()))
        .collect();
    assert_eq!(found, expected);
    assert_eq!(profile.is_none(), diagnostics.iter().any(Diagnostic::is_error), "{text}");
}

fn with_filter(filter: &str) -> String {
    format!("name: x\nfilters: [\"{filter}\"]\ndecisions: [{{type: ban}}]\n")
}

#[test]
fn the_usual_profile_bans() {
    check(
        r#"
name: default_ip_remediation
#debug: true
filters:
 - Alert.Remediation == true && Alert.GetScope() == "Ip"
decisions:
 - type: ban
   duration: 4h
#duration_expr: Sprintf('%dh', (GetDecisionsCount(Alert.GetValue()) + 1) * 4)
on_success: break
"#,
        &[("ban", 4, "")],
    );
}

#[test]
fn filters_look_at_the_alert() {
    let ban = &[("ban", 4, "")][..];
    check(&with_filter("true"), ban);
    check(&with_filter("false"), &[]);
    check(&with_filter("Alert.GetScenario() == 'a/ssh-bf'"), ban);
    check(&with_filter("Alert.Scenario contains 'http'"), &[]);
    check(&with_filter("Alert.GetValue() startsWith '203.0.113.'"), ban);
    check(&with_filter("Alert.Source.IP == '203.0.113.7' and Alert.EventsCount > 5"), ban);
    check(&with_filter("Alert.Capacity > 5"), &[]);
}

#[test]
fn one_true_filter_of_several_is_enough() {
    let text = "name: x\nfilters: ['false', 'Alert.Remediation']\ndecisions: [{type: ban}]\n";
    check(text, &[("ban", 4, "")]);
}

#[test]
fn decisions_have_their_type_duration_and_scope() {
    let with = |decisions: &str| format!("name: x\nfilters: ['true']\ndecisions: {decisions}\n");
    check(&with("[{type: ban, duration: 2d3h}]"), &[("ban", 51, "")]);
    check(&with("[{type: observe, scope: range}]"), &[("observe", 4, "range")]);
    check(&with("[{type: ban, simulated: true}]"), &[("observe", 4, "")]);
    check(
        &with("[{type: ban, duration: 1h}, {type: ban, duration: 2h}]"),
        &[("ban", 1, ""), ("ban", 2, "")],
    );
    check(&with("[]"), &[]);
}

#[test]
fn a_duration_may_be_computed_and_falls_back_to_what_is_written() {
    let with = |computed: &str| {
        format!(
            "name: x\nfilters: ['true']\ndecisions: [{{type: ban, duration: 1h}}]\n\
             duration_expr: \"{computed}\"\n"
        )
    };
    check(&with("'7h'"), &[("ban", 7, "")]);
    check(&with("Alert.EventsCount > 5 ? '1d' : '1h'"), &[("ban", 24, "")]);
    check(&with("Alert.EventsCount > 9 ? '1d' : '3h'"), &[("ban", 3, "")]);
    check(&with("Alert.GetValue()"), &[("ban", 1, "")]);
    check(&with("'-7h'"), &[("ban", 1, "")]);
}

#[test]
fn what_a_fault_means_is_said_by_the_profile() {
    // An index that is not there is a fault when it is looked at.
    let with = |on_error: &str| {
        format!(
            "name: x\nfilters: [\"Alert.Events[7].GetMeta('x') == ''\"]\n\
             decisions: [{{type: ban}}]\n{on_error}\n"
        )
    };
    let second = "name: second\nfilters: ['true']\ndecisions: [{type: observe}]\n";
    let said = |on_error: &str| {
        let first = load_text(&with(on_error)).0.unwrap();
        let profiles = Profiles::new(vec![first, load_text(second).0.unwrap()]);
        let overflow = overflow("a/ssh-bf", &[("Ip", "203.0.113.7")]);
        let verdict = profiles.verdicts(&overflow, &World::default()).remove(0);
        assert!(verdict.faults[0].starts_with("profile `x`: "), "{:?}", verdict.faults);
        verdict.profile.map(str::to_owned)
    };
    assert_eq!(said("").as_deref(), Some("second"));
    assert_eq!(said("on_error: continue").as_deref(), Some("second"));
    assert_eq!(said("on_error: apply").as_deref(), Some("x"));
    assert_eq!(said("on_error: break"), None);
}

#[test]
fn mistakes_are_told_all_at_once_and_in_their_place() {
    check_mistakes(
        "filters: []\ndecisions: [{duration: 5x}]\non_success: brake\nfoo: 1\n",
        &[
            ("filters", "a profile needs the key `name`"),
            ("filters", "a profile without a filter is for no alert"),
            ("duration", "a decision needs the key `type`"),
            ("5x", "expected a duration such as `4h` or `2d` for `duration`, found `5x`"),
            ("brake", "`brake` is no value of `on_success`"),
            ("foo", "a profile has no key `foo`"),
        ],
    );
    check_mistakes("name: x\n", &[("name", "a profile needs the key `filters`")]);
    check_mistakes(
        "name: x\nfilters: ['true']\ndecisions: [{type: captcha, duration: 0s}]\n",
        &[
            ("captcha", "`captcha` is no value of `type`"),
            ("0s", "expected a duration such as `4h` or `2d` for `duration`, found `0s`"),
        ],
    );
    check_mistakes("[]", &[("[]", "expected a mapping that describes a profile, found a list")]);
}

#[test]
fn mistakes_in_expressions_point_into_them() {
    check_mistakes(
        "name: x\nfilters:\n - Alert.Scenari == 'x'\n - Alert.Scenario\n - [1]\n",
        &[
            (".Scenari", "unknown field `Scenari` of `alert`"),
            ("Alert.Scenario", "a filter must be true or false"),
            ("1", "expected an expression, found a list"),
        ],
    );
    check_mistakes(
        "name: x\nfilters: ['true']\nduration_expr: Alert.EventsCount\n",
        &[("Alert.EventsCount", "`duration_expr` must give a duration or its text")],
    );
}

#[test]
fn what_has_no_effect_is_a_warning() {
    check_mistakes(
        "name: x\nfilters: ['true']\nnotifications: [slack]\n\
         decisions: [{type: ban, scope: Country, origin: me}]\n",
        &[
            ("Country", "decisions of the scope `Country` are never carried out"),
            ("origin", "`origin` has no effect: a decision of a profile has the origin `scenario`"),
            ("notifications", "`notifications` has no effect: there are no notifications yet"),
        ],
    );
}

#[test]
fn a_duration_may_grow_with_the_number_of_decisions() {
    use crate::decide::{Judge, Observe, Policy};
    use crate::decision::Allowlist;
    use crate::expr::world::Facts;
    use crate::ledger::{Ledger, Options, Past};
    use crate::value::Time;

    let text = "name: x\nfilters: ['true']\ndecisions: [{type: ban, duration: 4h}]\n\
                duration_expr: Sprintf('%dh', (GetDecisionsCount(Alert.GetValue()) + 1) * 4)\n";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let policy = Policy {
        measures: crate::decide::Measures::default(),
        allowlist: Allowlist::default(),
        profiles: Profiles::new(vec![load_text(text).0.unwrap()]),
        observe: Observe::Nothing,
        duration: HOUR,
    };
    let start = Time::from_seconds(0);
    let ledger = Ledger::open(&path, Options::default(), &policy.allowlist, start).unwrap().0;
    let mut judge = Judge::new(policy, ledger);
    let decisions = Arc::new(Past::open(&path).unwrap());
    let world = World::new(Arc::new(Facts { decisions: Some(decisions), ..Facts::default() }));
    let mut hours = |now: i64| {
        let now = Time::from_seconds(now * 3600);
        world.set_now(now);
        judge.decide(&overflow("a/ssh-bf", &[("Ip", "203.0.113.7")]), &world, now);
        let longest = judge.ledger().active(now).next().unwrap();
        longest.until.since(now) / HOUR
    };
    assert_eq!([hours(0), hours(10), hours(100)], [4, 8, 12]);
}
