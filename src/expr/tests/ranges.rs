//! A file is asked as a whole; what is found by that is what looking at each line finds.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::expr::world::{DataFile, Facts};

/// `text` on an event whose `evt.Meta.ip` is `address`, beside a file of these lines.
fn value(text: &str, address: &str, lines: &str) -> String {
    let (arena, mut names) = (Arena::new(), Names::new());
    let program = program(text, &mut names).unwrap();
    let mut facts = Facts::default();
    facts.files.add("ranges", DataFile::parse("string", lines).unwrap());
    let world = World::new(Arc::new(facts));
    let plain = Event::new(&arena, &names, &[]);
    let fields = std::cell::RefCell::new([((Section::Meta, "ip".to_owned()), address)].into());
    let event = Event {
        arena: &arena,
        names: &names,
        world: &world,
        fields,
        unmarshaled: plain.unmarshaled,
        any_value: Value::Nil,
    };
    let event: &Event<'_> = arena.alloc(event);
    show(program.evaluate(&event))
}

proptest! {
    #[test]
    fn one_look_finds_what_a_look_at_each_line_does(
        address in prop::sample::select(vec![
            "192.0.2.1", "x", "a 192.0.2.1", "192.0.2.1 b", "198.51.100.7", "2001:db8::1", "::ffff:192.0.2.1", "", "none", "192.0.2.1 ",
        ]),
        lines in prop::collection::vec(prop::sample::select(vec![
            "192.0.2.0/24", "192.0.2.1", "::ffff:192.0.2.0/120", "2001:db8::/32", "0.0.0.0/0", "x",
            "198.51.100.0/33", "# 192.0.2.0/24", "10.0.0.0/8",
        ]), 0..5),
    ) {
        let lines = lines.join("\n");
        for (quick, plain) in [
            (
                "any(File('ranges'), {IpInRange(evt.Meta.ip, #)})",
                "any(File('ranges'), {true && IpInRange(evt.Meta.ip, #)})",
            ),
            (
                "any(File('ranges'), {len(#) > 0 && IpInRange(evt.Meta.ip, #)})",
                "any(File('ranges'), {len(#) > 1 && IpInRange(evt.Meta.ip, #)})",
            ),
            ("any(File('ranges'), {evt.Meta.ip endsWith #})", "any(File('ranges'), {true && evt.Meta.ip endsWith #})"),
            ("any(File('ranges'), {evt.Meta.ip startsWith #})", "any(File('ranges'), {true && evt.Meta.ip startsWith #})"),
            ("any(File('ranges'), {evt.Meta.ip contains #})", "any(File('ranges'), {true && evt.Meta.ip contains #})"),
            ("any(File('ranges'), {len(#) > 0 && evt.Meta.ip == #})", "any(File('ranges'), {len(#) > 0 && true && evt.Meta.ip == #})"),
            (
                "any(File('ranges'), {evt.Unmarshaled.no.such endsWith #})",
                "any(File('ranges'), {true && evt.Unmarshaled.no.such endsWith #})",
            ),
            (
                "any(File('ranges'), {evt.Unmarshaled.no endsWith #})",
                "any(File('ranges'), {true && evt.Unmarshaled.no endsWith #})",
            ),
            ("evt.Meta.ip in File('ranges')", "evt.Meta.ip in map(File('ranges'), {#})"),
            ("evt.Meta.ip not in File('ranges')", "not (evt.Meta.ip in map(File('ranges'), {#}))"),
            ("evt.Meta.ip in File('missing')", "evt.Meta.ip in map(File('missing'), {#})"),
            ("evt.Unmarshaled.no in File('ranges')", "evt.Unmarshaled.no in map(File('ranges'), {#})"),
            ("evt.Meta.ip + '' in File('ranges')", "evt.Meta.ip + '' in map(File('ranges'), {#})"),
            (
                "any(File('missing'), {IpInRange(evt.Meta.ip, #)})",
                "any(File('missing'), {true && IpInRange(evt.Meta.ip, #)})",
            ),
            (
                "any(File('ranges'), {IpInRange(evt.Unmarshaled.no.such, #)})",
                "any(File('ranges'), {true && IpInRange(evt.Unmarshaled.no.such, #)})",
            ),
        ] {
            prop_assert_eq!(value(quick, address, &lines), value(plain, address, &lines), "{}", quick);
        }
    }
}
