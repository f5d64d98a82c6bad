//! Which of many programs an event could matter to at all, found without evaluating them.
//!
//! The programs are listed under what they need of the fields of an event. Of each field the text
//! is looked up once, for all programs: in a table of the texts that some program names, with
//! everything that holds for them, and any other text under its first byte and its length. What
//! costs more than a few instructions is not tested: the program may be asked then.
//!
//! Two needs of each program are looked at, the sharpest ones, and it is left out when either does
//! not hold. Who is left and must find some text within a field is asked only when the rarest byte
//! of that text is there.
//!
//! Invariant: a program that is left out gives false for the event: not true, not a fault, and it
//! writes nothing. One that is found and certain gives true, and writes nothing.

mod guard;

use std::collections::HashMap;

use self::guard::Guard;
use super::Program;
use super::needs::{Hint, Need, Needs};
use super::table::Table;
use crate::value::Slot;

/// How many needs of each program are looked at. Sets of programs have so many words for 64 of
/// them, and those are in a set whose bits are in all of these words.
const LAYERS: usize = 2;

/// So many programs that ask for a field make it worth to be looked up for second needs alone.
const MANY: usize = 8;

/// Programs by what they need.
#[derive(Debug)]
pub struct Dispatch {
    n_always: usize,
    /// The bits of programs in those layers that they have no need in.
    always: Box<[Word]>,
    fields: Box<[ByText]>,
    /// A bit for each slot: whether it is one of the fields.
    slots: Box<[u64]>,
    programs: Box<[Known]>,
}

/// 64 programs, a bit for each in every layer.
type Word = [u64; LAYERS];

/// What else is known of a program.
#[derive(Clone, Copy, Debug)]
struct Known {
    guard: Option<Guard>,
    /// Whether all that it needs is looked up, and enough.
    certain: bool,
}

/// A set of programs, a bit in each layer for each, in their order.
#[derive(Clone, Debug, Default)]
pub struct Candidates {
    words: Vec<Word>,
}

/// Bits of a set: the number of a word, and which of its bits.
type Marks = Box<[(u16, u64)]>;

/// The programs that need something of one field.
#[derive(Debug)]
struct ByText {
    slot: Slot,
    /// For texts that some need names, all that holds; also for the empty text.
    known: Table<Marks>,
    empty: Marks,
    /// For other texts: the place in `beginnings` for each first byte.
    by_first: Box<[u16; 256]>,
    beginnings: Vec<Box<[(Hint, Marks)]>>,
    /// Hints that the last byte tells, and those last bytes, a bit each.
    ends: Box<[(Hint, Marks)]>,
    last_bytes: [u64; 4],
    /// What holds for texts of at least so many bytes, shortest first, each with those before it.
    by_length: Box<[(usize, Marks)]>,
    /// Whether there are hints that hold for every text that is not ASCII.
    folds: bool,
}

impl Dispatch {
    /// A dispatch for programs, in this order; for `None` nothing is needed.
    pub fn new<'p>(programs: impl Iterator<Item = Option<&'p Program>>) -> Self {
        Self::of_needs(programs.map(|program| program.map(Program::needs).unwrap_or_default()))
    }

    fn of_needs(programs: impl Iterator<Item = Needs>) -> Self {
        let (programs, exact): (Vec<Vec<Need>>, Vec<bool>) =
            programs.map(|needs| (needs.all, needs.exact)).unzip();
        let mut always = vec![[0; LAYERS]; programs.len().div_ceil(64)].into_boxed_slice();
        let mut fields: Vec<(Slot, Vec<(Hint, usize)>)> = Vec::new();
        let popularity = popularity(&programs);
        let guards: Vec<_> = programs.iter().map(|needs| Guard::of(needs)).collect();
        let n_always = programs.iter().filter(|needs| needs.is_empty()).count();
        let least_popular = |need: &Need| {
            let slots = need.any.iter().map(|(slot, _)| popularity.get(slot).copied());
            slots.min().flatten().unwrap_or(0)
        };
        let mut programs: Vec<_> = programs
            .into_iter()
            .map(|mut needs| {
                // A field that many ask for is looked up once for all of them.
                needs.sort_by_key(|need| (need.rank(), std::cmp::Reverse(least_popular(need))));
                needs.into_iter()
            })
            .collect();
        let mut unplaced: Vec<usize> = programs.iter().map(ExactSizeIterator::len).collect();
        for layer in 0..LAYERS {
            for (number, needs) in programs.iter_mut().enumerate() {
                let bit = (number / 64 * LAYERS + layer) * 64 + number % 64;
                // A field is not looked up for the further needs of a few alone.
                let is_known = |need: &Need| {
                    need.any.iter().all(|(slot, _)| fields.iter().any(|(known, _)| known == slot))
                };
                let is_worth_it =
                    |need: &Need| layer == 0 || least_popular(need) >= MANY || is_known(need);
                let Some(need) = needs.find(|need| is_worth_it(need)) else {
                    set(always.as_flattened_mut(), bit);
                    continue;
                };
                unplaced[number] -= 1;
                for (slot, hint) in need.any {
                    match fields.iter_mut().find(|(known, _)| *known == slot) {
                        Some((_, hints)) => hints.push((hint, bit)),
                        None => fields.push((slot, vec![(hint, bit)])),
                    }
                }
            }
        }
        fields.sort_by_key(|(slot, hints)| (std::cmp::Reverse(hints.len()), *slot));
        let n_slots = fields.iter().map(|(slot, _)| usize::from(slot.0) + 1).max().unwrap_or(0);
        let mut slots = vec![0; n_slots.div_ceil(64)].into_boxed_slice();
        fields.iter().for_each(|(slot, _)| set(&mut slots, usize::from(slot.0)));
        let fields = fields.into_iter().map(|(slot, hints)| ByText::new(slot, hints)).collect();
        let certain = exact.into_iter().zip(unplaced).map(|(exact, left)| exact && left == 0);
        let programs = guards.into_iter().zip(certain);
        let programs = programs.map(|(guard, certain)| Known { guard, certain }).collect();
        Self { n_always, always, fields, slots, programs }
    }

    /// How many programs are candidates for every event.
    #[must_use]
    pub fn n_always(&self) -> usize {
        self.n_always
    }

    /// Whether a program, once it is found, need not be asked: it gives true for the event as it
    /// was when the programs were collected, and writes nothing.
    #[inline]
    #[must_use]
    pub fn is_certain(&self, number: usize) -> bool {
        self.programs.get(number).is_some_and(|known| known.certain)
    }

    /// Whether the answer follows from this field, among others.
    #[inline]
    #[must_use]
    pub fn asks_for(&self, slot: Slot) -> bool {
        let word = self.slots.get(usize::from(slot.0 / 64));
        word.is_some_and(|word| word >> (slot.0 % 64) & 1 == 1)
    }

    /// Collects the programs that an event with these fields could matter to; `None` stands for a
    /// field that was never set.
    #[inline]
    pub fn collect<'f>(
        &self,
        mut field: impl FnMut(Slot) -> Option<&'f str>,
        found: &mut Candidates,
    ) {
        found.words.clear();
        found.words.extend_from_slice(&self.always);
        let words = found.words.as_flattened_mut();
        for by_text in &self.fields {
            match field(by_text.slot) {
                None | Some("") => add(&by_text.empty, words),
                Some(text) => by_text.mark(text, words),
            }
        }
    }

    /// The first of the programs found, at or after `from`, that the event as it is now could
    /// matter to.
    #[inline]
    pub fn next<'f>(
        &self,
        found: &Candidates,
        from: usize,
        mut field: impl FnMut(Slot) -> Option<&'f str>,
    ) -> Option<usize> {
        let mut at = from / 64;
        let mut among = u64::MAX << (from % 64);
        loop {
            let mut left = found.words.get(at)?.iter().fold(among, |left, layer| left & layer);
            while left != 0 {
                let number = at * 64 + left.trailing_zeros() as usize;
                match self.programs.get(number) {
                    Some(Known { guard: Some(guard), .. })
                        if !guard.holds(field(guard.slot).unwrap_or_default()) =>
                    {
                        left &= left - 1;
                    }
                    _ => return Some(number),
                }
            }
            at += 1;
            among = u64::MAX;
        }
    }
}

/// How many programs have a need about each field.
fn popularity(programs: &[Vec<Need>]) -> HashMap<Slot, usize> {
    let mut popularity = HashMap::new();
    for needs in programs {
        let mut slots: Vec<Slot> =
            needs.iter().flat_map(|need| need.any.iter().map(|(slot, _)| *slot)).collect();
        slots.sort_unstable();
        slots.dedup();
        for slot in slots {
            *popularity.entry(slot).or_default() += 1;
        }
    }
    popularity
}

impl ByText {
    fn new(slot: Slot, hints: Vec<(Hint, usize)>) -> Self {
        let mut texts: HashMap<Box<str>, Vec<usize>> = HashMap::new();
        let (mut lengths, mut ends) = (Vec::new(), Vec::new());
        let mut last_bytes = [0; 4];
        let mut firsts: Vec<Vec<(Hint, usize)>> = vec![Vec::new(); 256];
        let mut folds = false;
        for (hint, bit) in &hints {
            let entry = || (hint.clone(), *bit);
            match hint {
                Hint::Equals(text) => texts.entry(text.clone()).or_default().push(*bit),
                Hint::AtLeast(length) => lengths.push((*length, *bit)),
                Hint::Contains(text) => lengths.push((text.len(), *bit)),
                Hint::EndsWith(text) => {
                    let Some(last) = text.bytes().last() else { continue };
                    set(&mut last_bytes, usize::from(last));
                    ends.push(entry());
                }
                Hint::StartsWith(text) | Hint::BeginsLike(text) | Hint::Resembles(text) => {
                    let Some(first) = text.bytes().next() else { continue };
                    let is_exact = matches!(hint, Hint::StartsWith(_));
                    folds |= !is_exact;
                    let mut bytes = vec![first.to_ascii_lowercase(), first.to_ascii_uppercase()];
                    bytes.dedup();
                    bytes.retain(|byte| !is_exact || *byte == first);
                    bytes.iter().for_each(|byte| firsts[usize::from(*byte)].push(entry()));
                }
            }
        }
        // What holds for a text that is named is found once and for all.
        let rest: Vec<_> =
            hints.iter().filter(|(hint, _)| !matches!(hint, Hint::Equals(_))).collect();
        let known = texts.into_iter().map(|(text, mut bits)| {
            bits.extend(rest.iter().filter(|(hint, _)| hint.holds(&text)).map(|(_, bit)| *bit));
            (text, marks(bits))
        });
        let known = Table::new(known);
        let mut by_first = Box::new([0; 256]);
        let mut beginnings = vec![Box::default()];
        for (place, hints) in by_first.iter_mut().zip(firsts) {
            if !hints.is_empty() {
                *place = u16::try_from(beginnings.len()).expect("there are 256 bytes");
                beginnings.push(marked(hints));
            }
        }
        let empty = known.get("").cloned().unwrap_or_default();
        Self {
            slot,
            known,
            empty,
            by_first,
            beginnings,
            ends: marked(ends),
            last_bytes,
            by_length: by_length(lengths),
            folds,
        }
    }

    /// Sets the bits of the needs that hold for a text that is not empty.
    fn mark(&self, text: &str, words: &mut [u64]) {
        let (Some(first), Some(last)) = (text.as_bytes().first(), text.as_bytes().last()) else {
            return;
        };
        match self.known.get(text) {
            Some(marks) => add(marks, words),
            None => self.mark_other(*first, *last, text, words),
        }
    }

    fn mark_other(&self, first: u8, last: u8, text: &str, words: &mut [u64]) {
        if let Some((_, marks)) =
            self.by_length.iter().rev().find(|(least, _)| *least <= text.len())
        {
            add(marks, words);
        }
        let mut add_those = |hints: &[(Hint, Marks)]| {
            for (hint, marks) in hints {
                if hint.holds(text) {
                    add(marks, words);
                }
            }
        };
        if self.last_bytes[usize::from(last / 64)] >> (last % 64) & 1 == 1 {
            add_those(&self.ends);
        }
        if self.folds && !text.is_ascii() {
            self.beginnings.iter().for_each(|hints| add_those(hints));
        } else if let Some(hints) =
            self.beginnings.get(usize::from(self.by_first[usize::from(first)]))
        {
            add_those(hints);
        }
    }
}

fn set(words: &mut [u64], bit: usize) {
    if let Some(word) = words.get_mut(bit / 64) {
        *word |= 1 << (bit % 64);
    }
}

#[inline]
fn add(marks: &Marks, words: &mut [u64]) {
    for (at, bits) in marks {
        if let Some(word) = words.get_mut(usize::from(*at)) {
            *word |= bits;
        }
    }
}

fn marks(mut bits: Vec<usize>) -> Marks {
    bits.sort_unstable();
    let mut marks: Vec<(u16, u64)> = Vec::new();
    for bit in bits {
        let at = u16::try_from(bit / 64).expect("far fewer than two million rules are loaded");
        match marks.last_mut() {
            Some((last, word)) if *last == at => *word |= 1 << (bit % 64),
            _ => marks.push((at, 1 << (bit % 64))),
        }
    }
    marks.into()
}

/// The same hint of several programs is tested once.
fn marked(hints: Vec<(Hint, usize)>) -> Box<[(Hint, Marks)]> {
    let mut distinct: Vec<(Hint, Vec<usize>)> = Vec::new();
    for (hint, bit) in hints {
        match distinct.iter_mut().find(|(known, _)| *known == hint) {
            Some((_, bits)) => bits.push(bit),
            None => distinct.push((hint, vec![bit])),
        }
    }
    distinct.into_iter().map(|(hint, bits)| (hint, marks(bits))).collect()
}

fn by_length(mut lengths: Vec<(usize, usize)>) -> Box<[(usize, Marks)]> {
    lengths.sort_unstable();
    let mut found: Vec<(usize, Marks)> = Vec::new();
    let mut bits = Vec::new();
    for (at, (length, bit)) in lengths.iter().enumerate() {
        bits.push(*bit);
        if lengths.get(at + 1).is_none_or(|(next, _)| next != length) {
            found.push((*length, marks(bits.clone())));
        }
    }
    found.into()
}
