//! Talking to the kernel: a codec for netlink messages (pure) and a socket that carries them.
//!
//! Bytes and acknowledgements live here. What a ban is, which sets there are and what they hold is
//! not known. All `unsafe` code of enforcement is in this folder.

pub(super) mod addresses;
pub(super) mod chains;
pub(super) mod conntrack;
pub(super) mod diag;
pub(super) mod expression;
pub(super) mod message;
#[cfg(test)]
pub(super) mod netns;
pub(super) mod nft;
pub(super) mod objects;
pub(super) mod routes;
pub(super) mod series;
mod socket;
mod wait;

pub(super) use socket::{Protocol, Socket};
pub(super) use wait::wait;

/// Why talking to the kernel failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A system call failed.
    #[error("cannot {what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The kernel understood a request and refused it.
    #[error("the kernel refused: {}{}", std::io::Error::from_raw_os_error(*errno), Words(words.as_deref()))]
    Refused {
        /// The reason as an errno.
        errno: i32,
        /// The reason in the kernel's words, where it has some.
        words: Option<String>,
    },
    /// Answers were lost because the receive buffer was full; what was asked may have been done.
    #[error("answers of the kernel were lost because the receive buffer was full")]
    Overrun,
    /// No answer came in time; what was asked may have been done.
    #[error("the kernel did not answer in time")]
    Silent,
}

impl Error {
    /// The errno of a refusal or of a failed call.
    pub(super) fn errno(&self) -> Option<i32> {
        match self {
            Self::System { source, .. } => source.raw_os_error(),
            Self::Refused { errno, .. } => Some(*errno),
            Self::Overrun | Self::Silent => None,
        }
    }
}

struct Words<'a>(Option<&'a str>);

impl std::fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.map_or(Ok(()), |words| write!(f, " ({})", words.escape_debug()))
    }
}
