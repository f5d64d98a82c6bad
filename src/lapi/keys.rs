//! The keys by which bouncers are known. Only hashes are kept.

use std::fmt::Write as _;

use ring::digest::{SHA512, digest};
use ring::rand::{SecureRandom as _, SystemRandom};

use crate::value::is_same;

/// A key, shown once to whoever made it.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(String);

/// What is kept of a key: SHA-512 in lower-case hexadecimal. A key has 256 random bits, so that no
/// slow hash is needed to keep it from being guessed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyHash(String);

/// The system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random bytes")]
pub struct NoEntropy;

impl Key {
    /// A new one.
    ///
    /// # Errors
    /// [`NoEntropy`].
    pub fn new() -> Result<Self, NoEntropy> {
        let mut bytes = [0; 32];
        SystemRandom::new().fill(&mut bytes).map_err(|_| NoEntropy)?;
        Ok(Self(hexadecimal(&bytes)))
    }

    /// The text that goes into the bouncer's configuration.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    #[must_use]
    pub fn hash(&self) -> KeyHash {
        KeyHash::of(&self.0)
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

impl KeyHash {
    /// Of what somebody shows as a key.
    #[must_use]
    pub fn of(key: &str) -> Self {
        Self(hexadecimal(digest(&SHA512, key.as_bytes()).as_ref()))
    }

    /// One that was kept.
    #[must_use]
    pub fn kept(text: String) -> Self {
        Self(text)
    }

    /// As it is kept.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Whether both are the same, in a time that does not tell where they differ.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        is_same(self.0.as_bytes(), other.0.as_bytes())
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_by_its_hash() {
        let (one, other) = (Key::new().unwrap(), Key::new().unwrap());
        assert_eq!(one.text().len(), 64);
        assert_ne!(one, other);
        assert!(KeyHash::of(one.text()).is(&one.hash()));
        assert!(KeyHash::kept(one.hash().text().to_owned()).is(&one.hash()));
        assert!(!other.hash().is(&one.hash()));
        assert!(!KeyHash::of("").is(&KeyHash::kept(String::new())));
        assert_eq!(format!("{one:?}"), "Key");
    }

    #[test]
    fn hashes_are_those_of_the_standard() {
        // FIPS 180-4, the example "abc".
        assert!(KeyHash::of("abc").text().starts_with("ddaf35a193617abacc417349ae204131"));
    }
}
