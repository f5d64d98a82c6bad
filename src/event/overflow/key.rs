//! The key of a bucket as alerts show it.

use std::sync::{Arc, OnceLock};

/// SHA-1, in hexadecimal, of a filter's text, a group value and a scenario's name with a zero byte
/// between. Hardly anybody asks for it: it is made for the first who does.
#[derive(Clone, Debug, Default)]
pub struct ShownKey {
    parts: Option<(Arc<str>, Box<str>, Arc<str>)>,
    shown: OnceLock<Box<str>>,
}

impl ShownKey {
    /// The key for these three.
    #[must_use]
    pub fn new(filter: Arc<str>, group: &str, name: Arc<str>) -> Self {
        Self { parts: Some((filter, group.into(), name)), shown: OnceLock::new() }
    }

    /// Its 40 digits; nothing for the key of no bucket.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.shown.get_or_init(|| match &self.parts {
            Some((filter, group, name)) => digits([&**filter, &**group, &**name]),
            None => "".into(),
        })
    }
}

impl From<&str> for ShownKey {
    fn from(shown: &str) -> Self {
        Self { parts: None, shown: OnceLock::from(Box::from(shown)) }
    }
}

impl PartialEq for ShownKey {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

fn digits(parts: [&str; 3]) -> Box<str> {
    let mut shown = String::with_capacity(40);
    for byte in sha1(parts.join("\0").as_bytes()) {
        for digit in [byte >> 4, byte & 15] {
            shown.push(char::from(DIGITS[usize::from(digit)]));
        }
    }
    shown.into()
}

const DIGITS: [u8; 16] = *b"0123456789abcdef";

/// SHA-1 (FIPS 180-4 §6.1). The digest only names a bucket, nothing rests on its strength, so
/// these lines stand in for a dependency.
fn sha1(message: &[u8]) -> [u8; 20] {
    let mut padded = message.to_vec();
    padded.push(0x80);
    padded.resize(padded.len().next_multiple_of(64), 0);
    if padded.len() - message.len() < 9 {
        padded.resize(padded.len() + 64, 0);
    }
    let bits = (message.len() as u64).wrapping_mul(8).to_be_bytes();
    let length = padded.len() - 8;
    padded[length..].copy_from_slice(&bits);

    let mut state = [0x6745_2301u32, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
    for block in padded.chunks_exact(64) {
        let mut words = [0u32; 80];
        for (word, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
            *word = bytes.iter().fold(0, |word, byte| word << 8 | u32::from(*byte));
        }
        for at in 16..80 {
            let mixed = words[at - 3] ^ words[at - 8] ^ words[at - 14] ^ words[at - 16];
            words[at] = mixed.rotate_left(1);
        }
        let [mut a, mut b, mut c, mut d, mut e] = state;
        for (round, word) in words.iter().enumerate() {
            let (f, constant) = match round / 20 {
                0 => ((b & c) | (!b & d), 0x5a82_7999),
                1 => (b ^ c ^ d, 0x6ed9_eba1),
                2 => ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc),
                _ => (b ^ c ^ d, 0xca62_c1d6),
            };
            let next = a.rotate_left(5).wrapping_add(f).wrapping_add(e);
            let next = next.wrapping_add(constant).wrapping_add(*word);
            (e, d, c, b, a) = (d, c, b.rotate_left(30), a, next);
        }
        for (sum, part) in state.iter_mut().zip([a, b, c, d, e]) {
            *sum = sum.wrapping_add(part);
        }
    }
    let mut digest = [0; 20];
    for (bytes, word) in digest.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(message: &[u8], expected: &str) {
        let digest: String = sha1(message).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, expected);
    }

    #[test]
    fn sha1_of_known_messages() {
        check(b"", "da39a3ee5e6b4b0d3255bfef95601890afd80709");
        check(b"abc", "a9993e364706816aba3e25717850c26c9cd0d89d");
        check(
            b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
        );
        check(&[b'a'; 1_000], "291e9a6c66994949b57ba5e650361e98fc36b1ba");
    }

    #[test]
    fn sha1_pads_at_every_length() {
        let digests: std::collections::HashSet<_> = (0..200).map(|n| sha1(&vec![0; n])).collect();
        assert_eq!(digests.len(), 200);
    }

    #[test]
    fn shown_key_has_forty_digits() {
        let key = |group| ShownKey::new("evt.Meta.x == 'y'".into(), group, "a/b".into());
        assert_eq!(key("192.0.2.1").as_str().len(), 40);
        assert_eq!(key("192.0.2.1"), key("192.0.2.1").clone());
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
        assert_eq!(ShownKey::default().as_str(), "");
        assert_eq!(ShownKey::from("k").as_str(), "k");
    }
}
