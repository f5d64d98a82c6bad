//! Finds what belongs to one of the texts that rules name, for every line and every field that
//! rules ask for: in a few instructions, also for a text that no rule names.
//!
//! A text is found by its length and up to 16 of its bytes, which are all of a short one. The texts
//! in the table come from rules, so a hostile line can at most choose the longest chain that rules
//! have made.

/// Texts and what belongs to each.
#[derive(Debug)]
pub(in crate::expr) struct Table<V> {
    /// Numbers of entries, counted from one; three quarters are 0.
    places: Box<[u32]>,
    entries: Box<[Entry<V>]>,
    /// How many bytes the longest text has.
    longest: usize,
}

#[derive(Debug)]
struct Entry<V> {
    key: Key,
    text: Box<str>,
    value: V,
}

/// Both ends of a text. Up to [`Key::WHOLE`] bytes no other text of the same length has the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    first: u64,
    last: u64,
}

impl Key {
    const WHOLE: usize = 16;

    #[inline]
    fn of(text: &[u8]) -> Self {
        if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
            return Self { first: u64::from_le_bytes(*first), last: u64::from_le_bytes(*last) };
        }
        if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
            let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
            return Self { first: first.into(), last: last.into() };
        }
        let [a, b, c] = match text {
            [a, b, c, ..] => [*a, *b, *c],
            [a, b] => [*a, *b, 0],
            [a] => [*a, 0, 0],
            [] => [0; 3],
        };
        Self { first: u32::from_le_bytes([a, b, c, 0]).into(), last: 0 }
    }

    /// Where a text of so many bytes is looked for first in a table of so many places, a power of
    /// two.
    #[inline]
    fn place(self, length: usize, n_places: usize) -> usize {
        let key = self.first ^ self.last.rotate_left(29) ^ length as u64;
        // The upper half is the better mixed one.
        (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize & (n_places - 1)
    }
}

impl<V> Default for Table<V> {
    fn default() -> Self {
        Self::new(std::iter::empty())
    }
}

impl<V> Table<V> {
    /// A table of distinct texts.
    pub(in crate::expr) fn new(entries: impl Iterator<Item = (Box<str>, V)>) -> Self {
        let entries =
            entries.map(|(text, value)| Entry { key: Key::of(text.as_bytes()), text, value });
        let entries: Box<[Entry<V>]> = entries.collect();
        let longest = entries.iter().map(|entry| entry.text.len()).max().unwrap_or(0);
        let mut places = vec![0; (entries.len() * 4).next_power_of_two()].into_boxed_slice();
        for (number, entry) in (1_u32..).zip(&entries) {
            let mut at = entry.key.place(entry.text.len(), places.len());
            while places[at] != 0 {
                at = (at + 1) % places.len();
            }
            places[at] = number;
        }
        Self { places, entries, longest }
    }

    /// What belongs to a text.
    #[inline]
    pub(in crate::expr) fn get(&self, text: &str) -> Option<&V> {
        if text.len() > self.longest {
            return None;
        }
        let key = Key::of(text.as_bytes());
        let mut at = key.place(text.len(), self.places.len());
        loop {
            let number = *self.places.get(at)? as usize;
            // No entry has the number 0.
            let entry = self.entries.get(number.wrapping_sub(1))?;
            if entry.key == key
                && entry.text.len() == text.len()
                && (text.len() <= Key::WHOLE || *entry.text == *text)
            {
                return Some(&entry.value);
            }
            at = (at + 1) & (self.places.len() - 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn is_a_map(
            texts in prop::collection::hash_set("[ab]{0,6}|[ab]{7,9}a{0,18}[ab]{1,9}|a{7}[ab]{1,3}a{7}", 0..60),
            others in prop::collection::vec("[ab]{0,7}|[ab]{7,9}a{0,18}[ab]{1,9}|a{7}[ab]{1,3}a{7}", 0..60),
        ) {
            let texts: Vec<(Box<str>, usize)> =
                texts.iter().zip(0..).map(|(text, number)| (text.as_str().into(), number)).collect();
            let model: HashMap<_, _> = texts.iter().cloned().collect();
            let table = Table::new(texts.iter().cloned());
            for text in texts.iter().map(|(text, _)| &**text).chain(others.iter().map(|s| &**s)) {
                prop_assert_eq!(table.get(text), model.get(text));
            }
        }
    }
}
