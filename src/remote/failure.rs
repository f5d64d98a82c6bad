//! Why another host could not be asked or told, with what to do about it.

/// Why it did not work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// A key, password or certificate of ours cannot be had.
    #[error("{0}")]
    Secret(String),
    /// Nobody answers there.
    #[error("cannot reach `{url}`: {why}")]
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
    #[error("no TLS with `{url}`: {why}")]
    Tls {
        /// Where.
        url: String,
        /// What is wrong.
        why: String,
    },
    /// It does not know our key.
    #[error("`{url}` refuses the key (403)")]
    Key {
        /// Where.
        url: String,
    },
    /// It does not know us as a machine.
    #[error("`{url}` refuses the machine `{login}`: {message}")]
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
    #[error("the answer of `{url}` is not understood: {why}")]
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

    /// What is to be done about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Failure::Secret(_) => "put it there, for the user that Weir runs as to read".to_owned(),
            Failure::Unreachable { url, .. } | Failure::Slow { url, .. } => {
                format!("does its API run, and do firewalls let us through? curl -v {url}/health")
            }
            Failure::Tls { .. } => {
                "`tls: {ca: FILE}` names whom to believe; the host of `url` must be in its \
                 certificate"
                    .to_owned()
            }
            Failure::Key { .. } => "make one there: cscli bouncers add NAME, or weir bouncers add \
                                    NAME; then put it into the file that `key_file` names"
                .to_owned(),
            Failure::Login { login, .. } => format!(
                "make or let it in there: cscli machines add {login}, or weir machines add {login}; \
                 then put its password into the file that `password_file` names"
            ),
            Failure::Status { .. } => "see the log of the API there".to_owned(),
            Failure::Broken { .. } => "is it a local API that `url` names?".to_owned(),
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
