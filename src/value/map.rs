//! Maps with text keys that rules read and, through a few functions, write.

use std::cell::RefCell;
use std::collections::HashMap;

use bumpalo::collections::Vec as ArenaVec;

use super::{Arena, Type, Value};

/// A map with text keys. Writing goes through a shared reference, because expressions such as
/// `UnmarshalJSON(text, evt.Unmarshaled, "key")` write into the event they are evaluated on.
pub trait Map<'a> {
    /// The type of the values: [`Type::Text`] makes a missing key give `""`, any other gives nil.
    fn element(&self) -> Type;
    /// The value of `key`, or `None` when the key is absent.
    fn get(&self, key: &str) -> Option<Value<'a>>;
    /// What an expression finds under a key that is absent.
    fn missing(&self) -> Value<'a> {
        if matches!(self.element(), Type::Text) { Value::Text("") } else { Value::Nil }
    }
    /// Sets `key`; returns false when the map cannot hold such a value.
    fn set(&self, key: &'a str, value: Value<'a>) -> bool;
    /// Calls `each` with every entry, in the order of insertion.
    fn each(&self, each: &mut dyn FnMut(&'a str, Value<'a>));
    /// The number of entries.
    fn len(&self) -> usize {
        let mut n = 0;
        self.each(&mut |_, _| n += 1);
        n
    }
    /// Whether there is no entry.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// So many keys are faster compared one by one than hashed.
const FEW: usize = 16;

/// A map in an arena, as JSON objects and key=value texts become.
pub struct Entries<'a> {
    element: Type,
    entries: RefCell<ArenaVec<'a, (&'a str, Value<'a>)>>,
}

impl<'a> Entries<'a> {
    /// An empty map whose values are of type `element`.
    #[must_use]
    pub fn new(arena: &'a Arena, element: Type) -> Self {
        Self { element, entries: RefCell::new(ArenaVec::new_in(arena)) }
    }

    /// A map of these entries, in the order in which their keys are first met; of several values
    /// of one key the last stays.
    #[must_use]
    pub fn collect(
        arena: &'a Arena,
        element: Type,
        pairs: impl IntoIterator<Item = (&'a str, Value<'a>)>,
    ) -> Self {
        let mut entries: ArenaVec<'a, (&'a str, Value<'a>)> = ArenaVec::new_in(arena);
        // Hostile: the keys may come from a log line, in any number. Beyond a few of them a
        // search from the front would be quadratic.
        let mut places: HashMap<&'a str, usize> = HashMap::new();
        for (key, value) in pairs {
            let place = if entries.len() < FEW {
                entries.iter().position(|(known, _)| *known == key)
            } else {
                if places.is_empty() {
                    places.extend(entries.iter().enumerate().map(|(at, (known, _))| (*known, at)));
                }
                places.get(key).copied()
            };
            match place.and_then(|at| entries.get_mut(at)) {
                Some(entry) => entry.1 = value,
                None => {
                    if entries.len() >= FEW {
                        places.insert(key, entries.len());
                    }
                    entries.push((key, value));
                }
            }
        }
        Self { element, entries: RefCell::new(entries) }
    }
}

impl<'a> Map<'a> for Entries<'a> {
    fn element(&self) -> Type {
        self.element
    }

    fn get(&self, key: &str) -> Option<Value<'a>> {
        self.entries.borrow().iter().find(|(known, _)| *known == key).map(|(_, value)| *value)
    }

    fn set(&self, key: &'a str, value: Value<'a>) -> bool {
        if matches!(self.element, Type::Text) && !matches!(value, Value::Text(_)) {
            return false;
        }
        let mut entries = self.entries.borrow_mut();
        match entries.iter_mut().find(|(known, _)| *known == key) {
            Some(entry) => entry.1 = value,
            None => entries.push((key, value)),
        }
        true
    }

    fn each(&self, each: &mut dyn FnMut(&'a str, Value<'a>)) {
        // Indexed, so that the callback may write into this very map.
        let mut index = 0;
        while let Some((key, value)) = { self.entries.borrow().get(index).copied() } {
            each(key, value);
            index += 1;
        }
    }

    fn len(&self) -> usize {
        self.entries.borrow().len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn collecting_is_setting(keys in proptest::collection::vec("[a-z]{1,2}", 0..80)) {
            let arena = Arena::new();
            let pairs = || (0..).map(Value::Int).zip(&keys).map(|(value, key)| (key.as_str(), value));
            let one = arena.alloc(Entries::new(&arena, Type::Unknown));
            pairs().for_each(|(key, value)| assert!(one.set(key, value)));
            let two = arena.alloc(Entries::collect(&arena, Type::Unknown, pairs()));
            prop_assert_eq!(format!("{:?}", Value::Map(one)), format!("{:?}", Value::Map(two)));
        }
    }
}
