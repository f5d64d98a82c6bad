//! Sets of bytes: small ones for planning, table-driven ones for running.

use std::ops::BitOr;

/// A set of bytes, and whether the end of the text is in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bytes {
    words: [u64; 4],
    /// Whether the end of the text is in it.
    pub(super) end: bool,
}

impl Bytes {
    /// Every byte, and the end.
    pub(super) const ALL: Self = Self { words: [u64::MAX; 4], end: true };
    /// The end alone.
    pub(super) const END: Self = Self { words: [0; 4], end: true };

    /// The bytes of words, for which `\b` looks.
    pub(super) fn word() -> Self {
        Self::of([(b'0', b'9'), (b'A', b'Z'), (b'_', b'_'), (b'a', b'z')].into_iter())
    }

    /// These ranges of bytes, both ends included.
    pub(super) fn of(ranges: impl Iterator<Item = (u8, u8)>) -> Self {
        let mut bytes = Self::default();
        for (from, to) in ranges {
            (from..=to).for_each(|byte| bytes.insert(byte));
        }
        bytes
    }

    /// One byte.
    pub(super) fn one(byte: u8) -> Self {
        let mut bytes = Self::default();
        bytes.insert(byte);
        bytes
    }

    pub(super) fn insert(&mut self, byte: u8) {
        self.words[usize::from(byte / 64)] |= 1 << (byte % 64);
    }

    pub(super) fn contains(&self, byte: u8) -> bool {
        self.words[usize::from(byte / 64)] >> (byte % 64) & 1 != 0
    }

    /// How many bytes, without the end.
    pub(super) fn len(&self) -> u32 {
        self.words.iter().map(|word| word.count_ones()).sum()
    }

    /// Whether a byte is in both; the end does not count.
    pub(super) fn meets(&self, other: &Self) -> bool {
        self.words.iter().zip(&other.words).any(|(a, b)| a & b != 0)
    }

    /// Whether all of it is in `other`.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        let both = self.words.iter().zip(&other.words);
        (other.end || !self.end) && both.into_iter().all(|(a, b)| a & !b == 0)
    }

    /// What is in both.
    pub(super) fn and(&self, other: &Self) -> Self {
        let mut words = self.words;
        words.iter_mut().zip(other.words).for_each(|(word, other)| *word &= other);
        Self { words, end: self.end && other.end }
    }

    /// What is not in `other`.
    pub(super) fn without(&self, other: &Self) -> Self {
        let mut words = self.words;
        words.iter_mut().zip(other.words).for_each(|(word, other)| *word &= !other);
        Self { words, end: self.end && !other.end }
    }

    /// The byte, if there is exactly one and the end is not in it.
    pub(super) fn single(&self) -> Option<u8> {
        (self.len() == 1 && !self.end).then(|| self.each().next()).flatten()
    }

    /// The byte that is missing, if there is exactly one.
    pub(super) fn all_but(&self) -> Option<u8> {
        (self.len() == 255).then(|| (0..=255).find(|byte| !self.contains(*byte))).flatten()
    }

    /// Its bytes, ascending.
    pub(super) fn each(&self) -> impl Iterator<Item = u8> {
        (0..=255).filter(|byte| self.contains(*byte))
    }
}

impl BitOr for Bytes {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        let mut words = self.words;
        for (word, other) in words.iter_mut().zip(other.words) {
            *word |= other;
        }
        Self { words, end: self.end || other.end }
    }
}

/// A set that is asked about in the course of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Set {
    /// Every byte but this one.
    AllBut(u8),
    /// The bytes that have one of the bits of `mask` in a table.
    Table { table: u16, mask: u8 },
}

/// For each byte, eight bits.
pub(super) type Table = [u8; 256];

/// Tables in the making: equal sets share a column.
#[derive(Debug, Default)]
pub(super) struct Tables {
    /// The sets that have a column; eight to a table.
    columns: Vec<Bytes>,
}

impl Tables {
    /// The set to ask about `bytes`.
    pub(super) fn set(&mut self, bytes: &Bytes) -> Option<Set> {
        if let Some(byte) = bytes.all_but() {
            return Some(Set::AllBut(byte));
        }
        let bytes = Bytes { end: false, ..*bytes };
        let column = match self.columns.iter().position(|known| *known == bytes) {
            Some(column) => column,
            None => {
                self.columns.push(bytes);
                self.columns.len() - 1
            }
        };
        let table = u16::try_from(column / 8).ok()?;
        Some(Set::Table { table, mask: 1 << (column % 8) })
    }

    /// The finished tables.
    pub(super) fn finish(self) -> Box<[Table]> {
        let table_of = |columns: &[Bytes]| {
            let mut table = [0; 256];
            for (bit, bytes) in columns.iter().enumerate() {
                for byte in bytes.each() {
                    table[usize::from(byte)] |= 1 << bit;
                }
            }
            table
        };
        self.columns.chunks(8).map(table_of).collect()
    }
}
