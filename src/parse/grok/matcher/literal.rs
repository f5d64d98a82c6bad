//! Fixed texts, compared by words of eight bytes instead of byte by byte.

/// A text of one to eight bytes, some of which may be told only roughly: `[Aa]` is a byte without
/// one of its bits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word {
    bits: u64,
    mask: u64,
    length: u8,
}

impl Word {
    /// The longest text.
    pub(super) const LONGEST: usize = 8;

    /// The text made of these bytes, each with a mask of the bits that count.
    pub(super) fn new(bytes: impl Iterator<Item = (u8, u8)>) -> Self {
        let mut word = Self { bits: 0, mask: 0, length: 0 };
        for (byte, mask) in bytes.take(Self::LONGEST) {
            let shift = 8 * u32::from(word.length);
            word.bits |= u64::from(byte & mask) << shift;
            word.mask |= u64::from(mask) << shift;
            word.length += 1;
        }
        word
    }

    /// The beginning of a text, exactly.
    pub(super) fn of(text: &[u8]) -> Self {
        Self::new(text.iter().map(|byte| (*byte, u8::MAX)))
    }

    pub(super) fn length(&self) -> usize {
        usize::from(self.length)
    }

    /// The text, if each of its bytes is told exactly.
    pub(super) fn exact(&self) -> Option<Vec<u8>> {
        let bytes = self.bits.to_le_bytes()[..self.length()].to_vec();
        (Self::of(&bytes).mask == self.mask).then_some(bytes)
    }

    /// Whether it stands at `at`.
    #[inline]
    pub(super) fn is_at(&self, text: &[u8], at: usize) -> bool {
        match text.get(at..).and_then(|rest| rest.first_chunk()) {
            Some(chunk) => (u64::from_le_bytes(*chunk) ^ self.bits) & self.mask == 0,
            None => self.is_near_end(text, at),
        }
    }

    /// The same where fewer than eight bytes are left.
    #[inline(never)]
    fn is_near_end(&self, text: &[u8], at: usize) -> bool {
        let rest = text.get(at..).unwrap_or_default();
        if rest.len() < self.length() {
            return false;
        }
        let bits = match text.last_chunk() {
            // There is a byte at least, and there are fewer than eight.
            Some(chunk) => u64::from_le_bytes(*chunk) >> (64 - 8 * rest.len()),
            None => rest.iter().rev().fold(0, |bits, byte| bits << 8 | u64::from(*byte)),
        };
        (bits ^ self.bits) & self.mask == 0
    }
}

/// A text of any length.
#[derive(Clone, Debug)]
pub(super) struct Literal {
    first: Word,
    second: Word,
    rest: Box<[u8]>,
}

impl Literal {
    /// The literal for a text, which is not empty.
    pub(super) fn new(text: &[u8]) -> Self {
        let (first, rest) = text.split_at(text.len().min(Word::LONGEST));
        let (second, rest) = rest.split_at(rest.len().min(Word::LONGEST));
        Self { first: Word::of(first), second: Word::of(second), rest: rest.into() }
    }

    pub(super) fn length(&self) -> usize {
        self.first.length() + self.second.length() + self.rest.len()
    }

    /// Its first byte.
    pub(super) fn byte(&self) -> u8 {
        self.first.bits.to_le_bytes()[0]
    }

    /// The whole text.
    pub(super) fn text(&self) -> Vec<u8> {
        let words = [self.first, self.second];
        let mut text: Vec<u8> = words.iter().filter_map(Word::exact).flatten().collect();
        text.extend_from_slice(&self.rest);
        text
    }

    /// Whether it stands at `at`.
    #[inline]
    pub(super) fn is_at(&self, text: &[u8], at: usize) -> bool {
        self.first.is_at(text, at)
            && (self.second.length == 0
                || (self.second.is_at(text, at + Word::LONGEST)
                    && (self.rest.is_empty() || self.has_rest_at(text, at + 2 * Word::LONGEST))))
    }

    #[inline(never)]
    fn has_rest_at(&self, text: &[u8], at: usize) -> bool {
        text.get(at..).is_some_and(|rest| rest.starts_with(&self.rest))
    }
}
