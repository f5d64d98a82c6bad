//! What is told of decisions later, what is forgotten, and decisions that are cut or taken back.

use super::super::*;
use super::{Folder, at, bans, record, target};
use crate::decision::Allowlist;

fn with_story(text: &str, until: i64, story: &str) -> Record {
    Record { story: Some(story.into()), ..record(text, until) }
}

fn listed(text: &str, until: i64, list: &str) -> Record {
    let reason = list.to_owned();
    Record { origin: Origin::List, reason, events: 0, ..record(text, until) }
}

/// `begun ban ssh-bf 100` for each step.
fn steps(ledger: &Ledger, net: &str) -> Vec<String> {
    let steps = ledger.history(target(net).net(), 100).unwrap();
    let shown = |step: &Step| {
        format!("{} {} {} {}", step.what, step.action.name(), step.reason, step.until.seconds())
    };
    steps.iter().map(shown).collect()
}

#[test]
fn of_a_decisions_stories_the_first_and_the_latest_stay() {
    let folder = Folder::new();
    let mut ledger = folder.open(0);
    for second in 1..10 {
        let story = format!("story {second}");
        ledger.record(vec![with_story("203.0.113.7", 100 + second, &story)], at(second));
    }
    ledger.record(vec![record("203.0.113.7", 200)], at(10));
    let told = ledger.stories(1).unwrap();
    let told: Vec<_> = told.iter().map(|told| (&*told.what, &*told.story)).collect();
    assert_eq!(
        told,
        [
            ("begun", "story 1"),
            ("extended", "story 7"),
            ("extended", "story 8"),
            ("extended", "story 9")
        ]
    );
    assert_eq!(ledger.stories(2).unwrap(), []);
}

#[test]
fn ended_decisions_are_forgotten_by_number_and_their_stories_with_them() {
    let folder = Folder::new();
    let options = Options { most_ended: 150, ..Options::default() };
    let (mut ledger, _) =
        Ledger::open(&folder.path(), options, &Allowlist::default(), at(0)).unwrap();
    let all: Vec<String> = (0..400).map(|n| format!("203.0.{}.{}", n / 200, n % 200)).collect();
    ledger.record(all.iter().map(|net| with_story(net, 1000, "x")).collect(), at(1));
    for (second, net) in (10..).zip(&all) {
        ledger.end(&[target(net)], Cause::Unbanned, at(second));
    }
    let mut rounds = 0;
    while ledger.has_more(at(500)) {
        ledger.expire(at(500));
        rounds += 1;
    }
    assert!((2..9).contains(&rounds), "a little at a time: {rounds}");
    let ended = ledger.ended_since(at(0), 1000).unwrap();
    assert_eq!((ended.len(), ended[0].ended_at), (150, at(260)), "the newest are left");
    assert_eq!(ledger.stories(1).unwrap(), []);
    assert_eq!(ledger.stories(400).unwrap().len(), 1);
    drop(ledger);
    let options = Options { most_ended: 20, ..Options::default() };
    let (mut ledger, _) =
        Ledger::open(&folder.path(), options, &Allowlist::default(), at(600)).unwrap();
    while ledger.has_more(at(600)) {
        ledger.expire(at(600));
    }
    assert_eq!(ledger.ended_since(at(0), 1000).unwrap().len(), 20, "they are counted at the start");
}

#[test]
fn many_expire_a_few_at_a_time_and_hold_no_longer() {
    let folder = Folder::new();
    let mut ledger = folder.open(0);
    let all =
        |until| (0..2000_u32).map(move |n| record(&format!("11.0.{}.{}", n / 200, n % 200), until));
    ledger.record(all(50).collect(), at(1));
    let first = ledger.expire(at(60)).decisions.len();
    assert!(first < 1000 && ledger.has_more(at(60)), "{first}");
    assert_eq!(ledger.active(at(60)).count(), 0);
    assert_eq!(bans(&[ledger.replace(at(60))]), "replace ");
    // Who offends again before it was noted gets a decision of their own.
    let again = ledger.record(vec![record("11.0.9.199", 90)], at(60));
    assert_eq!(bans(&again.changes), "ban 11.0.9.199 until 90");
    while ledger.has_more(at(60)) {
        ledger.expire(at(60));
    }
    assert_eq!(ledger.counts().get(crate::decision::Family::V4, Action::Ban), 1);
}

#[test]
fn a_split_begins_before_it_ends() {
    let folder = Folder::new();
    let mut ledger = folder.open(0);
    ledger.record(vec![record("203.0.113.0/24", 100), record("203.0.113.128/25", 150)], at(1));
    let pieces = ["203.0.113.0/25", "203.0.113.128/25"];
    let piece = |net: &&str| Record { events: 0, ..record(net, 100) };
    let ends = [(target("203.0.113.0/24"), Cause::Split)];
    let split = ledger.split(&ends, pieces.iter().map(piece).collect(), at(2));
    assert_eq!(bans(&split.changes), "ban 203.0.113.0/25 until 100; unban 203.0.113.0/24");
    assert_eq!((split.ended.len(), split.begun.len()), (1, 2));
    assert_eq!(split.begun[1].until, at(150), "what lasts longer stays");
    assert_eq!(steps(&ledger, "203.0.113.0/25"), ["piece ban ssh-bf 100"]);
    assert_eq!(steps(&ledger, "203.0.113.0/24"), ["begun ban ssh-bf 100", "split ban ssh-bf 100"]);
    let ended = ledger.ended_of(target("203.0.113.0/24").net(), 9).unwrap();
    assert_eq!((ended.len(), ended[0].cause), (1, Cause::Split));
}

#[test]
fn a_list_leaves_no_steps_of_its_own() {
    let folder = Folder::new();
    let mut ledger = folder.open(0);
    let kept: Vec<Kept> = [100, 100, 90, 150]
        .iter()
        .flat_map(|until| ledger.record(vec![listed("203.0.113.7", *until, "bad")], at(1)).kept)
        .map(|(_, kept)| kept)
        .collect();
    assert_eq!(kept, [Kept::Begun, Kept::Held, Kept::Held, Kept::Extended]);
    assert_eq!(steps(&ledger, "203.0.113.7"), [""; 0]);
    drop(ledger);
    let ledger = folder.open(2);
    assert_eq!(ledger.get(target("203.0.113.7")).unwrap().until, at(150));
}

#[test]
fn what_a_list_takes_back_goes_to_whoever_else_asked() {
    let folder = Folder::new();
    let mut ledger = folder.open(0);
    let observed = |until| Record { action: Action::Observe, ..record("203.0.113.3", until) };
    // A scenario before it, behind it, only observing, over by now, another list, nobody.
    ledger.record(vec![record("203.0.113.1", 60)], at(1));
    ledger.record((1..=6).map(|n| listed(&format!("203.0.113.{n}"), 100, "bad")).collect(), at(2));
    ledger.record(vec![record("203.0.113.2", 70), observed(90), record("203.0.113.4", 9)], at(3));
    ledger.record(vec![listed("203.0.113.5", 80, "worse"), record("203.0.113.7", 100)], at(4));
    let all: Vec<Target> = (1..=7).map(|n| target(&format!("203.0.113.{n}"))).collect();
    let withdrawn = ledger.withdraw(&all, &Leaving::list("bad"), at(10));
    assert_eq!((withdrawn.ended.len(), withdrawn.left), (2, 4));
    assert_eq!(
        bans(&withdrawn.changes),
        "ban 203.0.113.1 until 60, 203.0.113.2 until 70, 203.0.113.5 until 80; \
         unban 203.0.113.3, 203.0.113.4, 203.0.113.6"
    );
    let left = ledger.get(target("203.0.113.3")).unwrap();
    assert_eq!(
        (left.action, &*left.reason, left.origin),
        (Action::Observe, "ssh-bf", Origin::Scenario)
    );
    assert_eq!(ledger.ended_of(target("203.0.113.6").net(), 1).unwrap()[0].cause, Cause::Removed);
    assert_eq!(ledger.get(target("203.0.113.7")).unwrap().until, at(100), "it is not the list's");
    // A list that was overtaken is not forgotten.
    ledger.record(vec![listed("203.0.113.9", 100, "bad")], at(11));
    ledger.record(vec![listed("203.0.113.9", 200, "worse")], at(12));
    ledger.withdraw(&[target("203.0.113.9")], &Leaving::list("worse"), at(13));
    let left = ledger.get(target("203.0.113.9")).unwrap();
    assert_eq!((&*left.reason, left.until), ("bad", at(100)));
    assert_eq!(
        steps(&ledger, "203.0.113.9"),
        ["listed ban bad 100", "extended ban worse 200", "left ban bad 100"]
    );
}

#[test]
fn refusals_are_written_once_a_second() {
    let folder = Folder::new();
    let mut ledger = folder.open(0);
    let refused = |n: u32, second: i64| Refused {
        net: target(&format!("203.0.113.{n}")).net(),
        at: at(second),
        reason: "guard".to_owned(),
        scenario: "ssh-bf".to_owned(),
        story: None,
    };
    for n in 0..200 {
        ledger.refuse(refused(n, 1));
        ledger.refuse(refused(n, 1));
    }
    assert!(ledger.health().unwritten_refusals > 200);
    assert_eq!(ledger.refusals(target("203.0.113.7").net(), 9).unwrap(), [refused(7, 1)]);
    ledger.expire(at(2));
    ledger.refuse(refused(7, 3));
    assert_eq!(
        ledger.refusals(target("203.0.113.7").net(), 9).unwrap(),
        [refused(7, 3), refused(7, 1)]
    );
    drop(ledger);
    let ledger = folder.open(4);
    assert_eq!(ledger.refusals(target("203.0.113.7").net(), 9).unwrap(), [refused(7, 1)]);
}
