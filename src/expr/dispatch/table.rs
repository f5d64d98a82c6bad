//! Finds what belongs to one of the texts that rules name, for every line and every field that
//! rules ask for: a few instructions for a text that no rule names.
//!
//! A text is found by its length and up to 24 of its bytes. The texts in the table come from rules,
//! so a hostile line can at most choose the longest chain that rules have made.

/// Texts and what belongs to each.
#[derive(Debug)]
pub(super) struct Table<V> {
    /// Numbers of entries, counted from one; three quarters are 0.
    places: Box<[u32]>,
    entries: Box<[(Box<str>, V)]>,
    /// How many bytes the longest text has.
    longest: usize,
}

impl<V> Table<V> {
    /// A table of distinct texts.
    pub(super) fn new(entries: impl Iterator<Item = (Box<str>, V)>) -> Self {
        let entries: Box<[(Box<str>, V)]> = entries.collect();
        let longest = entries.iter().map(|(text, _)| text.len()).max().unwrap_or(0);
        let mut places = vec![0; (entries.len() * 4).next_power_of_two()].into_boxed_slice();
        for (number, (text, _)) in (1_u32..).zip(&entries) {
            let mut at = place(text.as_bytes(), places.len());
            while places[at] != 0 {
                at = (at + 1) % places.len();
            }
            places[at] = number;
        }
        Self { places, entries, longest }
    }

    /// What belongs to a text.
    #[inline]
    pub(super) fn get(&self, text: &str) -> Option<&V> {
        if text.len() > self.longest {
            return None;
        }
        let mut at = place(text.as_bytes(), self.places.len());
        loop {
            let number = *self.places.get(at)? as usize;
            // No entry has the number 0.
            let (known, value) = self.entries.get(number.wrapping_sub(1))?;
            if **known == *text {
                return Some(value);
            }
            at = (at + 1) & (self.places.len() - 1);
        }
    }
}

/// Where a text is looked for first in a table of so many places, a power of two.
#[inline]
fn place(text: &[u8], n_places: usize) -> usize {
    let long = |part: Option<&[u8; 8]>| part.map_or(0, |part| u64::from_le_bytes(*part));
    let short =
        |part: Option<&[u8; 4]>| part.map_or(0, |part| u64::from(u32::from_le_bytes(*part)));
    let length = text.len();
    let key = match text {
        [_, _, _, _, _, _, _, _, ..] => {
            let middle = if length > 16 { long(text[length / 2 - 4..].first_chunk()) } else { 0 };
            let (first, last) = (long(text.first_chunk()), long(text.last_chunk()));
            first ^ last.rotate_left(29) ^ middle.rotate_left(47)
        }
        [_, _, _, _, ..] => short(text.first_chunk()) ^ short(text.last_chunk()) << 32,
        [first, .., last] => u64::from(*first) | u64::from(*last) << 8 | u64::from(text[1]) << 16,
        [only] => u64::from(*only),
        [] => 0,
    };
    let key = (key ^ length as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    // The upper half is the better mixed one.
    (key >> 32) as usize & (n_places - 1)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn is_a_map(
            texts in prop::collection::hash_set("[ab]{0,6}|[ab]{7,9}a{0,18}[ab]{1,9}", 0..60),
            others in prop::collection::vec("[ab]{0,7}|[ab]{7,9}a{0,18}[ab]{1,9}", 0..60),
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
