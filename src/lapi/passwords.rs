//! The passwords of machines. Only slow, salted hashes are kept: people choose some of them.

use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use ring::pbkdf2::{PBKDF2_HMAC_SHA256, derive, verify};
use ring::rand::{SecureRandom as _, SystemRandom};

use super::keys::NoEntropy;

/// How it was made; another way gets another name.
const WAY: &str = "pbkdf2-sha256";
/// Rounds: what OWASP asks for with this function.
const ROUNDS: NonZeroU32 = NonZeroU32::new(600_000).expect("not zero");
/// More would let whoever writes hashes make logins take minutes.
const MOST_ROUNDS: u32 = 10_000_000;
/// Bytes of a hash.
const LENGTH: usize = 32;
/// Bytes of a salt that is made here.
const SALT: usize = 16;

/// What is kept of a password, as text: `pbkdf2-sha256$ROUNDS$SALT$HASH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordHash(String);

/// The text of a hash, understood.
struct Parts {
    rounds: NonZeroU32,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

impl PasswordHash {
    /// Of a password. Takes a good part of a second of a processor.
    ///
    /// # Errors
    /// [`NoEntropy`].
    pub fn of(password: &str) -> Result<Self, NoEntropy> {
        let mut salt = [0; SALT];
        SystemRandom::new().fill(&mut salt).map_err(|_| NoEntropy)?;
        let mut hash = [0; LENGTH];
        derive(PBKDF2_HMAC_SHA256, ROUNDS, &salt, password.as_bytes(), &mut hash);
        Ok(Self(format!("{WAY}${ROUNDS}${}${}", BASE64.encode(salt), BASE64.encode(hash))))
    }

    /// One that was kept; `None` where the text is none.
    #[must_use]
    pub fn kept(text: String) -> Option<Self> {
        parts(&text).is_some().then_some(Self(text))
    }

    /// As it is kept.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Whether it is of this password. Takes as long as [`Self::of`], whatever the answer.
    pub(super) fn is_of(&self, password: &str) -> bool {
        parts(&self.0).is_some_and(|Parts { rounds, salt, hash }| {
            verify(PBKDF2_HMAC_SHA256, rounds, &salt, password.as_bytes(), &hash).is_ok()
        })
    }
}

/// Takes as long as looking at a password does, for somebody who has none.
pub(super) fn pretend(password: &str) {
    let mut hash = [0; LENGTH];
    derive(PBKDF2_HMAC_SHA256, ROUNDS, &[0; SALT], password.as_bytes(), &mut hash);
    std::hint::black_box(hash);
}

fn parts(text: &str) -> Option<Parts> {
    let mut parts = text.split('$');
    let (way, rounds) = (parts.next()?, parts.next()?.parse::<NonZeroU32>().ok()?);
    let (salt, hash) = (BASE64.decode(parts.next()?).ok()?, BASE64.decode(parts.next()?).ok()?);
    let is_fit = way == WAY
        && rounds.get() <= MOST_ROUNDS
        && salt.len() >= SALT
        && hash.len() == LENGTH
        && parts.next().is_none();
    is_fit.then_some(Parts { rounds, salt, hash })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_by_its_hash() {
        let (one, same) =
            (PasswordHash::of("secret").unwrap(), PasswordHash::of("secret").unwrap());
        assert_ne!(one, same, "salted");
        assert!(one.is_of("secret"));
        assert!(!one.is_of("secreT"));
        assert!(!one.text().contains("secret"));
        assert_eq!(PasswordHash::kept(one.text().to_owned()), Some(one));
    }

    #[test]
    fn hashes_are_those_of_the_standard() {
        // What Python's `hashlib.pbkdf2_hmac` gives for 16 zero bytes of salt and 1000 rounds.
        let text =
            "pbkdf2-sha256$1000$AAAAAAAAAAAAAAAAAAAAAA$dGBRjrF0HXvnspFIKLlwEavbAfLm6U/5VEkKXHS+VVQ"
                .to_owned();
        let kept = PasswordHash::kept(text).unwrap();
        assert!(kept.is_of("password") && !kept.is_of("Password"));
    }

    #[track_caller]
    fn check(text: &str) {
        assert_eq!(PasswordHash::kept(text.to_owned()), None, "{text}");
    }

    #[test]
    fn what_is_no_hash_opens_nothing() {
        let good = PasswordHash::of("p").unwrap().text().to_owned();
        check("");
        check("$$$");
        check("secret");
        check(&good.replace("sha256", "sha1"));
        check(&good.replace("600000", "0"));
        check(&good.replace("600000", "10000001"));
        check(&good[..good.len() - 2]);
        check(&format!("{good}$"));
    }
}
