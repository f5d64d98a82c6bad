//! Which rules may concern a program: remembered by each worker for the programs it met last.
//!
//! Hostile: anybody can invent programs. A new one takes the place of another, so the memory does
//! not grow, and all it costs is asking the rules again.

use super::{ClassRule, Classes};

/// Programs that are remembered; a power of two.
const PLACES: usize = 128;
/// Longer names are not remembered.
const LONGEST: usize = 64;

/// The memory of one worker.
#[derive(Debug, Default)]
pub(in crate::parse) struct Memory {
    /// Of which rules.
    generation: u64,
    places: Vec<Option<Known>>,
    /// For names that are not remembered.
    unknown: Vec<u16>,
}

#[derive(Debug)]
struct Known {
    program: Box<str>,
    candidates: Box<[u16]>,
}

impl Memory {
    /// The rules that may concern a program, in their order; none behind one that surely does.
    pub(super) fn candidates(&mut self, classes: &Classes, program: &str) -> &[u16] {
        if self.generation != classes.generation {
            self.generation = classes.generation;
            self.places.clear();
            self.places.resize_with(PLACES, || None);
        }
        if program.len() > LONGEST {
            self.unknown.clear();
            self.unknown.extend(candidates(&classes.rules, program));
            return &self.unknown;
        }
        let place = &mut self.places[place(program)];
        if !matches!(place, Some(known) if *known.program == *program) {
            *place = None;
        }
        let known = place.get_or_insert_with(|| Known {
            program: program.into(),
            candidates: candidates(&classes.rules, program).collect(),
        });
        &known.candidates
    }
}

/// The numbers of the rules that speak of a program, up to the first that needs no more.
pub(super) fn candidates(rules: &[ClassRule], program: &str) -> impl Iterator<Item = u16> {
    let numbered = (0..=u16::MAX).zip(rules);
    let mut fitting = numbered.filter(move |(_, rule)| rule.fits_program(program)).fuse();
    let mut is_sure = false;
    std::iter::from_fn(move || {
        let (number, rule) = fitting.next().filter(|_| !is_sure)?;
        is_sure = rule.is_by_program();
        Some(number)
    })
}

/// Where a program is remembered, by its length and its last bytes.
fn place(program: &str) -> usize {
    let tail = program.as_bytes().iter().rev().take(8);
    let bits =
        tail.fold(program.len() as u64, |bits, byte| bits << 8 ^ bits >> 56 ^ u64::from(*byte));
    // Fibonacci hashing: the upper bits of the product depend on all of the factor.
    let mixed = bits.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (u64::BITS - PLACES.ilog2());
    usize::try_from(mixed).unwrap_or_default()
}

#[cfg(test)]
impl Memory {
    /// How many programs are remembered.
    pub(super) fn remembered(&self) -> usize {
        self.places.iter().flatten().count()
    }
}
