//! Lines drawn by lot from the patterns of real rules, taken through those rules.

use super::*;
use crate::expr::Wanted;
use crate::parse::grok::sample::{Lots, Plain, spoiled};
use crate::parse::grok::{Caches, Grok};
use crate::parse::node::{Input, Node};
use crate::parse::{Fact, Field, Reason};

/// How many lines are drawn for each pattern; `WEIR_LINES` asks for more.
fn n_lines() -> u64 {
    std::env::var_os("WEIR_LINES").and_then(|n| n.to_str()?.parse().ok()).unwrap_or(2)
}

/// The patterns of a rule and of all below it, each with the nodes on the way to it.
fn groks<'n>(node: &'n Node, way: &mut Vec<&'n Node>, found: &mut Vec<(Vec<&'n Node>, &'n Grok)>) {
    way.push(node);
    if let Some(grok) = &node.grok {
        found.push((way.clone(), &grok.grok));
    }
    for child in &node.children {
        groks(child, way, found);
    }
    way.pop();
}

/// Every pattern of the hub with the rule it is in.
fn all(stages: &Stages) -> Vec<(&str, Vec<&Node>, &Grok)> {
    let mut all = Vec::new();
    for (stage, node) in stages.nodes() {
        let mut found = Vec::new();
        groks(node, &mut Vec::new(), &mut found);
        all.extend(found.into_iter().map(|(way, grok)| (stage, way, grok)));
    }
    all
}

/// Every pattern captures what the same pattern would without anything that makes it fast.
#[test]
fn patterns_capture_what_plain_ones_do() {
    let Some(hub) = hub() else { return };
    let (_, stages, library) = load(&hub, "parsers");
    let mut caches = Caches::default();
    let (mut found, mut tried) = (0, 0);
    for (number, (_, _, grok)) in (1..).zip(all(&stages)) {
        let (plain, mut lots) = (Plain::new(&library, grok.source()), Lots::new(number));
        for _ in 0..n_lines() {
            let drawn = plain.text(&mut lots);
            for text in [spoiled(&drawn, &mut lots), drawn] {
                let mut captured = Vec::new();
                let is_found = grok.search(&text, &mut caches, |index, text| {
                    captured.push((grok.captures()[index].to_string(), text.to_owned()));
                });
                captured.sort();
                let expected = plain.search(&text);
                assert_eq!(is_found.then_some(captured), expected, "{} on {text:?}", grok.source());
                found += usize::from(is_found);
                tried += 1;
            }
        }
    }
    assert!(found * 3 > tried, "only {found} of {tried} texts were found");
}

/// Makes the fields of an event such that a node's filter may pass.
fn satisfy<'a>(event: &'a Event<'a>, node: &Node) {
    let Some(filter) = &node.filter else { return };
    for requirement in &filter.requirements().all {
        let text = match &requirement.any[0] {
            Wanted::Equals(text)
            | Wanted::StartsWith(text)
            | Wanted::EndsWith(text)
            | Wanted::Contains(text) => event.arena().alloc_str(text),
        };
        if !requirement.holds(event.get(requirement.slot).unwrap_or_default()) {
            event.set(requirement.slot, text);
        }
    }
}

/// Whatever a line looks like, its rule neither panics nor gives it up because of a static, no
/// expression meets a value that it cannot take, and with somebody listening the outcome is the
/// same as without.
#[test]
fn drawn_lines_go_through_their_rules() {
    let Some(hub) = hub() else { return };
    let (names, stages, library) = load(&hub, "parsers");
    let world = World::default();
    let (mut scratch, mut arena) = (Scratch::new(), Arena::new());
    let (mut parsed, mut tried) = (0, 0);
    for (number, (stage, way, grok)) in (1..).zip(all(&stages)) {
        let (plain, mut lots) = (Plain::new(&library, grok.source()), Lots::new(number));
        for round in 0..n_lines() {
            arena.reset();
            let drawn = plain.text(&mut lots);
            let text: &str = arena.alloc_str(&match round % 2 {
                0 => drawn,
                _ => spoiled(&drawn, &mut lots),
            });
            let make = || {
                let event =
                    Event::new(&arena, &names, Kind::Log, Mode::Replay, Time::from_seconds(0));
                event.raw.set(text);
                event.module.set("file");
                event.stage.set(arena.alloc_str(stage));
                event.set_named(Section::Parsed, "message", text);
                for node in &way {
                    satisfy(event, node);
                }
                let input = way.last().and_then(|node| node.grok.as_ref()).map(|grok| &grok.input);
                if let Some(Input::Field(Field::Slot(slot))) = input {
                    event.set(*slot, text);
                }
                event
            };
            let observed = {
                let event = make();
                let outcome = stages.run(
                    event,
                    &world,
                    &mut scratch,
                    Some(&mut |fact| {
                        if let Fact::Fault { source, fault } = fact {
                            // The line is no JSON and no pairs, and so nothing came of it.
                            let expected = ["`UnmarshalJSON`", "`ParseKV`", "cannot fetch"];
                            let known = expected.iter().any(|why| fault.message.starts_with(why));
                            assert!(known, "{source}: {fault}: {text:?}");
                        }
                    }),
                );
                (outcome, written(event))
            };
            let event = make();
            let outcome = stages.run(event, &world, &mut scratch, None);
            assert_eq!((outcome, written(event)), observed, "{text:?}");
            let aborted = matches!(outcome, Outcome::Unparsed { reason: Reason::Aborted, .. });
            assert!(!aborted, "{:?}: {text:?}", way[0].name());
            parsed += usize::from(matches!(outcome, Outcome::Parsed | Outcome::Allowlisted));
            tried += 1;
        }
    }
    assert!(parsed * 3 > tried, "only {parsed} of {tried} lines were parsed");
}
