//! Words that tell what a message says: that something failed, whose address it is, who the user
//! was. All in lower case.

/// What a message tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Somebody was turned away, or tried what does not work.
    Failure,
    /// Somebody was let in.
    Success,
    /// Anything else.
    Other,
}

/// These say that something was refused or did not work.
const FAILURE: &[&str] = &[
    "abuse",
    "attack",
    "bad",
    "banned",
    "blocked",
    "denied",
    "deny",
    "exceeded",
    "fail",
    "failed",
    "failing",
    "fails",
    "failure",
    "failures",
    "forbidden",
    "illegal",
    "incorrect",
    "invalid",
    "malformed",
    "mismatch",
    "refused",
    "refusing",
    "reject",
    "rejected",
    "rejecting",
    "unauthenticated",
    "unauthorised",
    "unauthorized",
    "unknown",
    "unsuccessful",
    "violation",
    "wrong",
];

/// Two words in a row that say the same.
const FAILURES: &[(&str, &str)] = &[
    ("no", "such"),
    ("not", "allowed"),
    ("not", "authenticated"),
    ("not", "authorized"),
    ("not", "found"),
    ("not", "permitted"),
    ("not", "match"),
    ("too", "many"),
    ("cannot", "authenticate"),
];

/// These say that somebody was let in.
const SUCCESS: &[&str] = &[
    "accepted",
    "authenticated",
    "authorized",
    "granted",
    "ok",
    "succeeded",
    "success",
    "successful",
    "successfully",
];

const SUCCESSES: &[(&str, &str)] = &[("logged", "in"), ("session", "opened"), ("logged", "on")];

/// What goes wrong without anybody's doing: no offence.
const MISHAPS: &[&str] = &["reset", "timeout", "timed", "keepalive", "keepalives", "broken"];

/// Words of a message that are never what varies: a message with another of them says another
/// thing.
const DECISIVE: &[&str] = &[
    "aborted",
    "allowed",
    "closed",
    "closing",
    "connect",
    "connected",
    "connection",
    "disconnect",
    "disconnected",
    "ended",
    "error",
    "expired",
    "found",
    "in",
    "login",
    "logout",
    "lost",
    "no",
    "not",
    "open",
    "opened",
    "opening",
    "out",
    "reset",
    "started",
    "starting",
    "stopped",
    "stopping",
    "timeout",
];

/// What a message that is about logging in speaks of.
const LOGIN: &[&str] = &[
    "auth",
    "authenticate",
    "authenticated",
    "authentication",
    "bind",
    "credentials",
    "login",
    "logins",
    "logon",
    "pass",
    "passwd",
    "password",
    "user",
    "username",
];

/// Before the address of whom a message speaks of.
const CLIENT: &[&str] = &[
    "attacker",
    "by",
    "client",
    "client_ip",
    "clientip",
    "connection",
    "from",
    "offender",
    "origin",
    "peer",
    "raddr",
    "remote",
    "remote_addr",
    "remote_ip",
    "remoteip",
    "rhost",
    "rip",
    "source",
    "source_ip",
    "sourceip",
    "src",
    "src_ip",
    "srcip",
    "visitor",
];

/// Before the address of the machine itself, or of somebody that is not the client.
const SERVER: &[&str] = &[
    "binding",
    "bound",
    "daddr",
    "dest",
    "destination",
    "dst",
    "laddr",
    "lip",
    "listen",
    "listening",
    "local",
    "localhost",
    "nameserver",
    "on",
    "server",
    "to",
    "upstream",
    "vhost",
];

/// Before what a client says about itself, which may be anything.
const CLAIMED: &[&str] = &[
    "agent",
    "ehlo",
    "forwarded",
    "forwarded_for",
    "fwd",
    "helo",
    "host",
    "origin_header",
    "path",
    "query",
    "ref",
    "referer",
    "referrer",
    "req",
    "request",
    "ua",
    "uri",
    "url",
    "user_agent",
    "useragent",
    "via",
    "x-forwarded-for",
    "x_forwarded_for",
    "xff",
];

/// Before an address, whoever it belongs to.
const ADDRESS: &[&str] = &["addr", "address", "host", "ip", "ip4", "ip6", "ipv4", "ipv6"];

/// Before a user's name.
const USER: &[&str] = &[
    "account",
    "acct",
    "login",
    "logname",
    "remote_user",
    "ruser",
    "sasl_username",
    "uname",
    "user",
    "userid",
    "username",
    "usr",
];

/// Accounts that everybody tries.
const ACCOUNTS: &[&str] = &[
    "admin",
    "administrator",
    "backup",
    "ftp",
    "ftpuser",
    "guest",
    "mysql",
    "nagios",
    "oracle",
    "pi",
    "postgres",
    "root",
    "support",
    "test",
    "tomcat",
    "ubuntu",
    "www-data",
];

/// Before a status, such as those of HTTP.
const STATUS: &[&str] = &["code", "reply", "resp", "response", "sc_status", "sc-status", "status"];

/// What HTTP asks for.
const METHODS: &[&str] =
    &["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PROPFIND", "PUT", "TRACE"];

/// Whose address a word announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Announced {
    /// The client's.
    Client,
    /// The server's, or somebody else's.
    Server,
    /// What a client says: nobody's.
    Claim,
    /// Somebody's.
    Anybody,
}

fn holds(list: &[&str], word: &str) -> bool {
    list.contains(&word)
}

/// Whose address this word, in lower case, announces.
pub(super) fn announces(word: &str) -> Option<Announced> {
    match word {
        _ if holds(CLIENT, word) => Some(Announced::Client),
        _ if holds(CLAIMED, word) && word != "host" => Some(Announced::Claim),
        _ if holds(SERVER, word) => Some(Announced::Server),
        _ if holds(ADDRESS, word) => Some(Announced::Anybody),
        _ => None,
    }
}

/// Whether this word, in lower case, announces a user.
pub(super) fn announces_user(word: &str) -> bool {
    holds(USER, word)
}

/// Whether this word, in lower case, announces a status.
pub(super) fn announces_status(word: &str) -> bool {
    holds(STATUS, word)
}

/// Whether this is the name of an account that everybody tries.
pub(super) fn is_account(name: &str) -> bool {
    holds(ACCOUNTS, name)
}

/// Whether this is a method of HTTP.
pub(super) fn is_method(word: &str) -> bool {
    holds(METHODS, word)
}

/// Whether a word says what a message is about, so that one with another word is another message.
pub(super) fn is_decisive(word: &str) -> bool {
    let is_loud = word.len() >= 3 && word.bytes().all(|byte| byte.is_ascii_uppercase());
    if is_loud && !is_method(word) {
        return true;
    }
    let word = word.to_ascii_lowercase();
    [FAILURE, SUCCESS, DECISIVE, USER].iter().any(|list| holds(list, &word))
}

/// What words in a row, in lower case, tell.
pub(super) fn outcome(words: &[String]) -> Outcome {
    let any = |list: &[&str]| words.iter().any(|word| holds(list, word));
    let any_pair = |list: &[(&str, &str)]| {
        words.windows(2).any(|pair| {
            let [first, second] = pair else { return false };
            list.contains(&(first, second))
        })
    };
    if any(FAILURE) || any_pair(FAILURES) {
        return if any(MISHAPS) { Outcome::Other } else { Outcome::Failure };
    }
    if any(SUCCESS) || any_pair(SUCCESSES) { Outcome::Success } else { Outcome::Other }
}

/// Whether words, in lower case, are about logging in.
pub(super) fn is_login(words: &[String]) -> bool {
    words.iter().any(|word| holds(LOGIN, word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Outcome) {
        let words: Vec<String> = text.split(' ').map(str::to_lowercase).collect();
        assert_eq!(outcome(&words), expected, "{text}");
    }

    #[test]
    fn words_tell_what_happened() {
        check("USER no such user found from", Outcome::Failure);
        check("FAIL LOGIN Client", Outcome::Failure);
        check("OK LOGIN Client", Outcome::Success);
        check("session opened for user", Outcome::Success);
        check("Maximum login attempts exceeded connection refused", Outcome::Failure);
        check("recv failed Connection reset by peer", Outcome::Other);
        check("ACCEPT from", Outcome::Other);
        check("", Outcome::Other);
    }

    #[test]
    fn words_that_decide_do_not_vary() {
        for word in ["FAIL", "failed", "UNBIND", "opened", "no", "user"] {
            assert!(is_decisive(word), "{word}");
        }
        for word in ["bob", "GET", "POST", "OK2", "from", "Client"] {
            assert!(!is_decisive(word), "{word}");
        }
    }
}
