//! Which client certificates are permitted: by name or by fingerprint. Pure.
//!
//! A name is compared with the DNS names of a certificate, or with its common name where it has
//! none (RFC 5425, section 5.2). `*.example.org` stands for exactly one label in place of `*`.

use std::fmt;
use std::str::FromStr;

/// A certificate that may be shown to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Permitted {
    /// One of this name, whatever its case.
    Name(String),
    /// One with exactly one label before this name.
    Below(String),
    /// The one whose SHA-256 digest is this.
    Fingerprint([u8; 32]),
}

/// Why words permit no certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotPermitting {
    /// A digest with another algorithm than SHA-256.
    #[error("fingerprints are written `SHA256:` and 64 hexadecimal digits")]
    Fingerprint,
    /// A `*` that is not the first label of several.
    #[error("`*` may stand for the first label only, as in `*.example.org`")]
    Wildcard,
    /// Nothing, or something that no certificate can say.
    #[error("expected a name such as `web.example.org`")]
    Name,
}

const LONGEST_NAME: usize = 255;

impl FromStr for Permitted {
    type Err = NotPermitting;

    fn from_str(text: &str) -> Result<Self, NotPermitting> {
        if let Some((algorithm, digits)) = text.split_once(':') {
            if !algorithm.eq_ignore_ascii_case("sha256") {
                return Err(NotPermitting::Fingerprint);
            }
            return digest(digits).map(Self::Fingerprint).ok_or(NotPermitting::Fingerprint);
        }
        let is_name = |name: &str| {
            !name.is_empty() && name.len() <= LONGEST_NAME && !name.chars().any(char::is_control)
        };
        match text.strip_prefix("*.") {
            Some(rest) if rest.contains('*') => Err(NotPermitting::Wildcard),
            Some(rest) if is_name(rest) => Ok(Self::Below(rest.to_owned())),
            None if text.contains('*') => Err(NotPermitting::Wildcard),
            None if is_name(text) => Ok(Self::Name(text.to_owned())),
            Some(_) | None => Err(NotPermitting::Name),
        }
    }
}

/// 32 bytes as hexadecimal digits, with or without colons between them.
fn digest(text: &str) -> Option<[u8; 32]> {
    let mut digits = text.chars().filter(|c| *c != ':').map(|c| c.to_digit(16));
    let mut bytes = [0; 32];
    for byte in &mut bytes {
        let (high, low) = (digits.next()??, digits.next()??);
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    digits.next().is_none().then_some(bytes)
}

impl Permitted {
    /// Whether it permits a certificate of this name.
    #[must_use]
    pub fn fits_name(&self, name: &str) -> bool {
        match self {
            Self::Name(permitted) => permitted.eq_ignore_ascii_case(name),
            Self::Below(permitted) => name.split_once('.').is_some_and(|(label, rest)| {
                !label.is_empty() && label != "*" && rest.eq_ignore_ascii_case(permitted)
            }),
            Self::Fingerprint(_) => false,
        }
    }

    /// Whether it permits the certificate with this digest.
    #[must_use]
    pub fn fits_fingerprint(&self, fingerprint: &[u8; 32]) -> bool {
        matches!(self, Self::Fingerprint(permitted) if permitted == fingerprint)
    }
}

impl fmt::Display for Permitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Below(name) => write!(f, "*.{name}"),
            Self::Fingerprint(digest) => write!(f, "{}", Fingerprint(digest)),
        }
    }
}

/// A digest as it is written in settings.
pub(super) struct Fingerprint<'d>(pub(super) &'d [u8; 32]);

impl fmt::Display for Fingerprint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SHA256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(permitted: &str, name: &str, fits: bool) {
        let permitted: Permitted = permitted.parse().expect("something permitted");
        assert_eq!(permitted.fits_name(name), fits, "{permitted} {name}");
    }

    #[test]
    fn names() {
        check("web.example.org", "web.example.org", true);
        check("web.example.org", "WEB.Example.org", true);
        check("web.example.org", "web.example.org.", false);
        check("web.example.org", "a.web.example.org", false);
        check("Log Sender 7", "log sender 7", true);
        check("*.example.org", "web.example.org", true);
        check("*.Example.org", "web.example.ORG", true);
        check("*.example.org", "a.web.example.org", false);
        check("*.example.org", "example.org", false);
        check("*.example.org", ".example.org", false);
        // A certificate with a wildcard is for many hosts: it is none of them.
        check("*.example.org", "*.example.org", false);
    }

    #[test]
    fn fingerprints() {
        let digits = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";
        let colons: Vec<&str> = (0..32).map(|n| &digits[2 * n..2 * n + 2]).collect();
        let plain: Permitted = format!("SHA256:{digits}").parse().expect("a fingerprint");
        let parted: Permitted =
            format!("sha256:{}", colons.join(":")).parse().expect("a fingerprint");
        assert_eq!(plain, parted);
        assert_eq!(plain.to_string(), format!("SHA256:{}", digits.to_lowercase()));
        let Permitted::Fingerprint(digest) = plain else { panic!("a fingerprint") };
        assert!(plain.fits_fingerprint(&digest) && !plain.fits_fingerprint(&[0; 32]));
        assert!(!plain.fits_name(&plain.to_string()));
    }

    #[test]
    fn what_permits_nothing() {
        for (text, expected) in [
            ("", NotPermitting::Name),
            ("*.", NotPermitting::Name),
            ("a\nb", NotPermitting::Name),
            ("*", NotPermitting::Wildcard),
            ("a*.example.org", NotPermitting::Wildcard),
            ("*.*.example.org", NotPermitting::Wildcard),
            ("web.*.org", NotPermitting::Wildcard),
            ("SHA1:00112233445566778899aabbccddeeff00112233", NotPermitting::Fingerprint),
            ("SHA256:0011", NotPermitting::Fingerprint),
            ("SHA256:é", NotPermitting::Fingerprint),
        ] {
            assert_eq!(text.parse::<Permitted>(), Err(expected), "{text}");
        }
    }
}
