//! Why another host could not be asked or told, with what to do about it.

/// Why it did not work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// A key, password or certificate of ours cannot be had.
    #[error("{0}")]
    Secret(String),
    /// Nobody answers there.
    #[error("cannot reach `{url}`: {why}; is its API running, and does a firewall let us through?")]
    Unreachable {
        /// Where.
        url: String,
        /// What the system says.
        why: String,
    },
    /// It does not answer in time.
    #[error("`{url}` did not answer within {seconds} s")]
    Slow {
        /// Where.
        url: String,
        /// How long was waited.
        seconds: u64,
    },
    /// It is not who it must be, or does not take us for who we are.
    #[error("no TLS with `{url}`: {why}; `tls: {{ca: FILE}}` names whom to believe")]
    Tls {
        /// Where.
        url: String,
        /// What is wrong.
        why: String,
    },
    /// It does not know our key.
    #[error(
        "`{url}` refuses the key (403): make one there with `cscli bouncers add NAME` or \
         `weir bouncers add NAME`, and put it into the file that `key_file` names"
    )]
    Key {
        /// Where.
        url: String,
    },
    /// It does not know us as a machine.
    #[error(
        "`{url}` refuses the machine `{login}` ({message}): `cscli machines add {login} --password \
         ... -f -` or `weir machines add {login}` there makes one, `machines validate` lets it in"
    )]
    Login {
        /// Where.
        url: String,
        /// As whom.
        login: String,
        /// What it says.
        message: String,
    },
    /// It answers with an error.
    #[error("`{url}` answered {status}: {message}")]
    Status {
        /// Where.
        url: String,
        /// The code of HTTP.
        status: u16,
        /// What it says.
        message: String,
    },
    /// What it answers is not understood.
    #[error("the answer of `{url}` is not understood: {why}; is it a local API?")]
    Broken {
        /// Where.
        url: String,
        /// What is wrong.
        why: String,
    },
}

impl Failure {
    /// The word used in metrics.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Failure::Secret(_) => "secret",
            Failure::Unreachable { .. } => "unreachable",
            Failure::Slow { .. } => "slow",
            Failure::Tls { .. } => "tls",
            Failure::Key { .. } => "key",
            Failure::Login { .. } => "login",
            Failure::Status { .. } => "status",
            Failure::Broken { .. } => "broken",
        }
    }

    /// All words.
    pub const WORDS: [&'static str; 8] =
        ["secret", "unreachable", "slow", "tls", "key", "login", "status", "broken"];
}

/// What the other side says, as messages show it: escaped, cut.
pub(super) fn shown(text: &str) -> String {
    const SHOWN: usize = 200;
    let mut shown: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push_str("...");
    }
    shown
}
