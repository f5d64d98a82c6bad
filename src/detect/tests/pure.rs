//! What scenarios share when they look at an event: nobody can tell that they do.

use proptest::prelude::*;

use super::bench::compile;
use crate::detect::{BucketKey, Pour, Scenarios, Scratch, Seed, Verdict};
use crate::event::{Event, Kind, Mode};
use crate::expr::World;
use crate::value::{Arena, Names, Section, Time};

/// None of them needs anything that could be looked up beforehand.
const FILTERS: [&str; 6] = [
    "evt.Meta.a != 'x'",
    "evt.Meta.a != 'y'",
    "evt.Meta.a != 'x' && evt.Meta.b != 'x'",
    "evt.SetMeta('a', 'x')",
    "evt.SetMeta('a', 'y')",
    "evt.SetMeta('b', 'x') && evt.Meta.a != 'x'",
];
const GROUPS: [&str; 5] = [
    "",
    "groupby: evt.Meta.a",
    "groupby: evt.Meta.b",
    "groupby: evt.Meta.a + '/'",
    "groupby: \"evt.SetMeta('a', 'x') ? 'g' : ''\"",
];
const DISTINCT: [&str; 4] = [
    "",
    "distinct: evt.Meta.a",
    "distinct: evt.Unmarshaled.a.b",
    "distinct: \"evt.SetMeta('a', 'y') ? evt.Meta.a : ''\"",
];
const CANCEL: [&str; 3] =
    ["", "cancel_on: evt.Meta.a == 'x'", "cancel_on: \"evt.SetMeta('a', 'z')\""];

/// Indices into the lists above.
type Chosen = (usize, usize, usize, usize);

fn document(at: usize, (filter, group, distinct, cancel): Chosen) -> String {
    format!(
        "type: leaky\nname: s{at}\ndescription: d\nfilter: \"{}\"\n{}\n{}\n{}\ncapacity: 3\n\
         leakspeed: 1m\n---\n",
        FILTERS[filter], GROUPS[group], DISTINCT[distinct], CANCEL[cancel]
    )
}

/// What a pour says, by the name of its scenario.
fn told(scenarios: &Scenarios, pours: &[Pour]) -> Vec<(String, BucketKey, Verdict, String)> {
    let told = pours.iter().map(|pour| {
        let name = scenarios.get(pour.scenario).name.to_string();
        (name, pour.key, pour.verdict, pour.group().to_owned())
    });
    told.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Asked together, scenarios say what they say one after the other about the same event.
    #[test]
    fn together_or_one_by_one(
        chosen in prop::collection::vec(
            (0..FILTERS.len(), 0..GROUPS.len(), 0..DISTINCT.len(), 0..CANCEL.len()),
            1..8,
        ),
        a in "[xyz]",
    ) {
        let documents: Vec<_> =
            chosen.iter().enumerate().map(|(at, chosen)| document(at, *chosen)).collect();
        let seed = Seed::new();
        let all = compile(&documents.concat(), Names::new(), seed.clone());
        let names = || Names::clone(all.names());
        let single: Vec<_> =
            documents.iter().map(|document| compile(document, names(), seed.clone())).collect();
        let (world, arena, mut scratch) = (World::default(), Arena::new(), Scratch::default());
        let event = || {
            let event = Event::new(&arena, all.names(), Kind::Log, Mode::Live, Time::from_seconds(1));
            event.set_named(Section::Meta, "a", arena.alloc_str(&a));
            event.set_named(Section::Meta, "b", "y");
            event
        };
        let mut pours = Vec::new();
        let selected = all.select(&mut scratch, event(), &world, &mut pours);
        prop_assert_eq!(selected.n_poured, pours.len());
        let (mut one_by_one, event) = (Vec::new(), event());
        for scenario in &single {
            let mut pours = Vec::new();
            scenario.select(&mut scratch, event, &world, &mut pours);
            one_by_one.extend(told(scenario, &pours));
        }
        prop_assert_eq!(told(&all, &pours), one_by_one);
    }
}
