//! The named caches that rules share.

use super::{Call, Fault, Function, Type, Value, text};

const TEXT: Type = Type::Text;

pub(super) const TABLE: &[Function] = &[
    Function::new("GetFromStash", &[TEXT, TEXT], TEXT, get),
    Function::new("SetInStash", &[TEXT, TEXT, TEXT, Type::Unknown], Type::Unknown, set),
];

fn get<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let (cache, key) = (text(arguments, 0)?, text(arguments, 1)?);
    let stashes = &call.world.facts().stashes;
    let found = stashes.get(cache, key, call.world.now(), |value| &*call.arena.alloc_str(value));
    Ok(Value::Text(found.unwrap_or_default()))
}

/// Rules have never been able to call it.
fn set<'a>(_: Call<'a>, _: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    Err(Fault::new("`SetInStash` cannot be called from rules: use a `stash` entry"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::expr::functions::tests::{call_in, fault};
    use crate::expr::world::{Facts, Stashes, Strategy, World};
    use crate::value::{Arena, Time};

    #[test]
    fn reading() {
        let mut stashes = Stashes::new();
        stashes.declare("pids", 10, 60_000_000_000, Strategy::Lru);
        let world = World::new(Arc::new(Facts { stashes, ..Facts::default() }));
        let arena = Arena::new();
        let read = |key| {
            call_in(&world, &arena, "GetFromStash", &[Value::Text("pids"), Value::Text(key)])
                .expect("no fault")
                .as_text()
        };
        assert!(world.facts().stashes.set("pids", "1", "sshd", world.now()));
        assert_eq!(read("1"), Some("sshd"));
        assert_eq!(read("2"), Some(""));
        world.set_now(Time::from_seconds(60));
        assert_eq!(read("1"), Some(""));
        assert!(fault("SetInStash", "['a', 'b', 'c', nil]").contains("cannot be called"));
    }
}
