//! Which of many patterns a text can hold, by a look at every few of its bytes.
//!
//! Rules try a dozen patterns on one text, and most need words that it does not hold. Of each
//! pattern one stretch of fixed text is chosen, as rare among the others as can be, and all its
//! pieces of four bytes are put in a table. A stretch of seven bytes holds four of them, so a text
//! that holds the stretch shows one of them to whoever looks at every fourth byte only; what
//! stands around it is then compared.
//!
//! Invariant: a pattern whose fixed texts stand in the text is always told. One that is told may
//! still not match.

use std::collections::HashMap;

/// The length of a piece.
const PIECE: usize = 4;

/// The patterns that one word can tell.
pub(super) const MOST: usize = 64;

/// How far apart the places may be that are looked at; the first that all stretches are long
/// enough for is taken.
const STRIDES: [usize; 3] = [4, 2, 1];

/// How much of what stands around a piece is compared. Hostile: a text can be made of pieces.
const AROUND: usize = 24;

/// Places of the table: many more than pieces, so that few others share one.
const PLACES: usize = 1 << (32 - SHIFT);
const SHIFT: u32 = 22;

/// The pieces of up to [`MOST`] patterns.
#[derive(Debug)]
pub(super) struct Probes {
    stride: usize,
    /// For each hash the first of its pieces, counted from one.
    places: Box<[u16; PLACES]>,
    pieces: Box<[Piece]>,
    /// The patterns that no piece can tell.
    untold: u64,
}

/// A piece of a fixed text that a pattern needs.
#[derive(Debug)]
struct Piece {
    bytes: u32,
    /// What it stands in, and where.
    around: Box<[u8]>,
    at: usize,
    /// The bit of the pattern.
    bit: u64,
}

impl Probes {
    /// For patterns that need these fixed texts, each all of its own.
    pub(super) fn new(patterns: &[&[Box<[u8]>]]) -> Self {
        let patterns = patterns.get(..MOST).unwrap_or(patterns);
        let longest = |texts: &[Box<[u8]>]| texts.iter().map(|text| text.len()).max().unwrap_or(0);
        let told = patterns.iter().map(|texts| longest(texts)).filter(|length| *length >= PIECE);
        let shortest = told.min().unwrap_or(PIECE);
        let fits = |stride: &usize| shortest >= stretch_of(*stride);
        let stride = STRIDES.into_iter().find(fits).unwrap_or(1);
        let owners = owners(patterns);
        let (mut pieces, mut untold) = (Vec::new(), 0);
        for (number, texts) in patterns.iter().enumerate() {
            let bit = 1 << number;
            let stretches = texts.iter().flat_map(|text| {
                let places = 0..(text.len() + 1).saturating_sub(stretch_of(stride));
                places.map(move |at| (&**text, at))
            });
            let rarest = stretches.min_by_key(|(text, at)| {
                let stretch = &text[*at..*at + stretch_of(stride)];
                let n_owners = |piece| owners.get(piece).map_or(0, |bits: &u64| bits.count_ones());
                let n_others: u32 = stretch.windows(PIECE).map(n_owners).sum();
                // Letters stand beside one another everywhere.
                (n_others, stretch.iter().filter(|byte| byte.is_ascii_lowercase()).count())
            });
            match rarest {
                Some((text, at)) => pieces.extend(pieces_of(text, at, stride, bit)),
                None => untold |= bit,
            }
        }
        pieces.sort_by_key(|piece| hash(piece.bytes));
        let mut places = Box::new([0; PLACES]);
        for (number, piece) in (1..).zip(&pieces) {
            let place = &mut places[hash(piece.bytes)];
            if *place == 0 {
                *place = number;
            }
        }
        Self { stride, places, pieces: pieces.into(), untold }
    }

    /// A bit for each pattern: whether `text` may hold it.
    pub(super) fn held_by(&self, text: &str) -> u64 {
        match self.stride {
            4 => self.look::<4>(text.as_bytes()),
            2 => self.look::<2>(text.as_bytes()),
            _ => self.look::<1>(text.as_bytes()),
        }
    }

    #[inline]
    fn look<const STRIDE: usize>(&self, text: &[u8]) -> u64 {
        let mut bits = self.untold;
        for (number, piece) in text.windows(PIECE).step_by(STRIDE).enumerate() {
            let &[a, b, c, d] = piece else { break };
            let piece = u32::from_le_bytes([a, b, c, d]);
            let first = self.places[hash(piece)];
            if first != 0 {
                bits |= self.told_by(piece, first, text, number * STRIDE);
            }
        }
        bits
    }

    /// The patterns that a piece at a place tells; the first piece of its hash has this number.
    #[inline(never)]
    fn told_by(&self, bytes: u32, first: u16, text: &[u8], at: usize) -> u64 {
        let mut told = 0;
        for piece in self.pieces.get(usize::from(first) - 1..).unwrap_or_default() {
            if piece.bytes != bytes {
                if hash(piece.bytes) != hash(bytes) {
                    break;
                }
                continue;
            }
            let around = at.checked_sub(piece.at).and_then(|start| text.get(start..));
            if around.is_some_and(|text| text.starts_with(&piece.around)) {
                told |= piece.bit;
            }
        }
        told
    }
}

/// How long a text must be for one of its pieces to be seen by looks at such a distance.
const fn stretch_of(stride: usize) -> usize {
    PIECE + stride - 1
}

/// All pieces of the texts, each with the patterns that need it.
fn owners<'t>(patterns: &[&'t [Box<[u8]>]]) -> HashMap<&'t [u8], u64> {
    let mut owners = HashMap::new();
    for (number, texts) in patterns.iter().enumerate() {
        for piece in texts.iter().flat_map(|text| text.windows(PIECE)) {
            *owners.entry(piece).or_default() |= 1 << number;
        }
    }
    owners
}

/// The pieces of the stretch at a place of a text.
fn pieces_of(text: &[u8], at: usize, stride: usize, bit: u64) -> impl Iterator<Item = Piece> {
    let end = text.len().min(at + AROUND);
    let start = end.saturating_sub(AROUND).min(at);
    let around: Box<[u8]> = text[start..end].into();
    (at - start..at - start + stride).map(move |at| {
        let bytes = around[at..at + PIECE].iter().rev();
        let bytes = bytes.fold(0, |bytes, byte| bytes << 8 | u32::from(*byte));
        Piece { bytes, around: around.clone(), at, bit }
    })
}

#[inline]
fn hash(piece: u32) -> usize {
    (piece.wrapping_mul(0x9e37_79b1) >> SHIFT) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn probes(patterns: &[&[&str]]) -> Probes {
        let patterns: Vec<Vec<Box<[u8]>>> = patterns
            .iter()
            .map(|texts| texts.iter().map(|text| text.as_bytes().into()).collect())
            .collect();
        let patterns: Vec<&[Box<[u8]>]> = patterns.iter().map(|texts| &texts[..]).collect();
        Probes::new(&patterns)
    }

    proptest! {
        #[test]
        fn a_text_that_holds_all_that_a_pattern_needs_is_told(
            patterns in prop::collection::vec(prop::collection::vec("[abc]{0,12}|\u{e9}{1,4}", 0..4), 0..70),
            between in "[abc \u{e9}]{0,9}",
        ) {
            let borrowed: Vec<Vec<&str>> =
                patterns.iter().map(|texts| texts.iter().map(String::as_str).collect()).collect();
            let probes = probes(&borrowed.iter().map(|texts| &texts[..]).collect::<Vec<_>>());
            for (at, texts) in patterns.iter().take(MOST).enumerate() {
                let text = format!("{between}{}{between}", texts.join(&between));
                prop_assert!(probes.held_by(&text) & 1 << at != 0, "{texts:?} in {text:?}");
            }
        }
    }

    #[test]
    fn a_text_lacks_the_words_of_others() {
        let probes = probes(&[
            &["Failed ", " from ", " port "],
            &["Invalid user", " from "],
            &["Disconnected from ", " user "],
            &["abc", ""],
            &["Accepted "],
            &[],
        ]);
        assert_eq!(probes.stride, 4);
        let told = |text| probes.held_by(text) & 0b01_0111;
        let line = "Accepted publickey for deploy from 192.0.2.29 port 50893 ssh2";
        assert_eq!(told(line), 0b01_0000);
        assert_eq!(told("Disconnected from invalid user root 192.0.2.29 port 5"), 0b00_0100);
        assert_eq!(told("abc"), 0);
        assert_eq!(probes.held_by(""), 0b10_1000);
    }

    #[test]
    fn a_short_word_is_looked_for_at_every_byte() {
        let probes = probes(&[&["Disconnected from "], &["a: b"]]);
        assert_eq!(probes.stride, 1);
        assert_eq!(probes.held_by("xa: b"), 0b10);
        assert_eq!(probes.held_by("a: "), 0);
    }
}
