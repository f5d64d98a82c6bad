//! What a machine shows after its login: a JSON Web Token (RFC 7519) of ours. Pure; time is a
//! parameter.
//!
//! What must hold: only what this secret signed is taken, of the one algorithm that is in use, and
//! for an hour. Which account it is of is in the token with the moment when that was made: an account
//! of the same name that was made later is another one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::hmac;
use ring::rand::SystemRandom;
use serde::{Deserialize, Serialize};

use super::keys::NoEntropy;
use crate::value::Time;

/// How long a token is good, in seconds.
const GOOD_FOR: i64 = 3600;
/// The shortest secret that is taken from outside, as the clients' own server has it.
const SHORTEST: usize = 64;
/// The header of all our tokens. One that says anything else, such as another algorithm, is not ours.
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

/// What signs tokens.
pub struct Secret(hmac::Key);

/// A secret that would be guessed.
#[derive(Debug, thiserror::Error)]
#[error("expected at least {SHORTEST} characters, found {0}")]
pub struct TooShort(usize);

/// What a token says.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claims {
    /// Until when it is good, in seconds since 1970.
    exp: i64,
    /// The machine.
    pub(super) id: String,
    /// When it was given, in seconds since 1970.
    orig_iat: i64,
    /// When the account was made, in nanoseconds since 1970.
    pub(super) account: i64,
}

/// A token, and until when it is good.
pub(super) struct Given {
    pub(super) token: String,
    pub(super) until: Time,
}

/// Why a token is not taken, in the words that clients know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Bad {
    #[error("token contains an invalid number of segments")]
    Form,
    #[error("signature is invalid")]
    Signature,
    #[error("Token is expired")]
    Expired,
}

impl Secret {
    /// A random one: tokens of before are good no more.
    ///
    /// # Errors
    /// [`NoEntropy`].
    pub fn new() -> Result<Self, NoEntropy> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new());
        key.map(Self).map_err(|_| NoEntropy)
    }

    /// One that several processes share, or the next one.
    ///
    /// # Errors
    /// [`TooShort`].
    pub fn of(text: &str) -> Result<Self, TooShort> {
        match text.len() {
            length if length < SHORTEST => Err(TooShort(length)),
            _ => Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes()))),
        }
    }

    /// A token for a machine whose account was made at `account`.
    pub(super) fn give(&self, machine: &str, account: Time, now: Time) -> Given {
        let orig_iat = now.seconds();
        let (exp, account) = (orig_iat.saturating_add(GOOD_FOR), account.nanos);
        let claims = Claims { exp, id: machine.to_owned(), orig_iat, account };
        let claims = serde_json::to_vec(&claims).expect("texts and numbers are JSON");
        let signed = format!("{}.{}", BASE64.encode(HEADER), BASE64.encode(claims));
        let signature = BASE64.encode(hmac::sign(&self.0, signed.as_bytes()));
        Given { token: format!("{signed}.{signature}"), until: Time::from_seconds(exp) }
    }

    /// What a token says, if it is one of ours and still good.
    pub(super) fn read(&self, token: &str, now: Time) -> Result<Claims, Bad> {
        let (signed, signature) = token.rsplit_once('.').ok_or(Bad::Form)?;
        let (header, claims) = signed.split_once('.').ok_or(Bad::Form)?;
        let signature = BASE64.decode(signature).map_err(|_| Bad::Signature)?;
        // In a time that does not tell where they differ.
        hmac::verify(&self.0, signed.as_bytes(), &signature).map_err(|_| Bad::Signature)?;
        // Whoever else has the secret may sign other things with it.
        if header != BASE64.encode(HEADER) {
            return Err(Bad::Signature);
        }
        let claims = BASE64.decode(claims).map_err(|_| Bad::Form)?;
        let claims: Claims = serde_json::from_slice(&claims).map_err(|_| Bad::Form)?;
        match now.seconds() < claims.exp {
            true => Ok(claims),
            false => Err(Bad::Expired),
        }
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn at(seconds: i64) -> Time {
        Time::from_seconds(seconds)
    }

    /// What this secret would sign, whatever it says.
    fn signed(header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", BASE64.encode(header), BASE64.encode(claims));
        let key = hmac::Key::new(hmac::HMAC_SHA256, TEXT.as_bytes());
        format!("{signed}.{}", BASE64.encode(hmac::sign(&key, signed.as_bytes())))
    }

    #[test]
    fn a_token_is_good_for_an_hour() {
        let secret = Secret::of(TEXT).unwrap();
        let Given { token, until } = secret.give("edge", at(7), at(1000));
        assert_eq!(until, at(4600));
        let read = |now| secret.read(&token, now).map(|claims| (claims.id, claims.account));
        assert_eq!(read(at(1000)), Ok(("edge".to_owned(), at(7).nanos)));
        assert_eq!(read(at(4599)), Ok(("edge".to_owned(), at(7).nanos)));
        assert_eq!(read(at(4600)), Err(Bad::Expired));
        let same = Secret::of(TEXT).unwrap();
        assert!(same.read(&token, at(1000)).is_ok(), "the next process has the same secret");
        assert_eq!(Secret::new().unwrap().read(&token, at(1000)).unwrap_err(), Bad::Signature);
    }

    #[track_caller]
    fn check(token: &str, expected: Bad) {
        assert_eq!(Secret::of(TEXT).unwrap().read(token, at(0)).unwrap_err(), expected, "{token}");
    }

    #[test]
    fn what_we_did_not_sign_is_not_taken() {
        let good = Secret::of(TEXT).unwrap().give("edge", at(0), at(0)).token;
        let claims = r#"{"exp":9999999999,"id":"edge","orig_iat":0,"account":0}"#;
        let parts: Vec<&str> = good.split('.').collect();
        check("", Bad::Form);
        check("x", Bad::Form);
        check("x.y", Bad::Form);
        check("..", Bad::Signature);
        check(&format!("{}.{}.", parts[0], parts[1]), Bad::Signature);
        check(&format!("{}.{}.{}", parts[0], BASE64.encode(claims), parts[2]), Bad::Signature);
        check(&format!("{good}."), Bad::Signature);
        check(&format!(".{good}"), Bad::Signature);
        let none = r#"{"alg":"none"}"#;
        check(&format!("{}.{}.", BASE64.encode(none), BASE64.encode(claims)), Bad::Signature);
        check(&signed(none, claims), Bad::Signature);
        check(&signed(r#"{"alg":"HS512","typ":"JWT"}"#, claims), Bad::Signature);
        check(&signed(HEADER, r#"{"id":"edge"}"#), Bad::Form);
        check(&signed(HEADER, "no json"), Bad::Form);
    }

    #[test]
    fn tokens_have_the_usual_header() {
        let token = Secret::of(TEXT).unwrap().give("edge", at(0), at(0)).token;
        assert!(token.starts_with("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."), "{token}");
    }

    #[test]
    fn a_secret_is_long() {
        assert!(Secret::of(&TEXT[1..]).is_err());
        assert_eq!(format!("{:?}", Secret::of(TEXT).unwrap()), "Secret");
    }
}
