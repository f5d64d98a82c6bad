//! What is asked of a running daemon, and what it answers: one JSON object a line.
//!
//! Instants are RFC 3339 in UTC, spans whole seconds. Fields are only ever added, so that a command
//! understands a daemon that is a little older or newer.

use serde::{Deserialize, Serialize};

use super::{
    AskedOfBouncers, AskedOfMachines, Braked, Braking, CanaryAsked, CanarySeen, Coverage, Covering,
    Export, Freed, Import, Imported, ListingOthers, OtherRow, Recent, Status, Tables, Tabling,
    ToldOfBouncers, ToldOfMachines, Unbanning, Unmatched, Why,
};
use crate::decision::{Decision, Entry, Refusal};
use crate::value::Time;

/// The longest request in bytes, its line feed included.
pub const LONGEST_REQUEST: usize = 1 << 18;

/// The greatest number of targets in one request and of decisions in one answer; there is a way to
/// ask for the next ones.
pub const PAGE: usize = 2_000;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Ban addresses and prefixes.
    Ban {
        /// Whom.
        targets: Vec<String>,
        /// For how long; the configured duration when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        for_seconds: Option<u64>,
        /// Why.
        #[serde(default)]
        reason: String,
        /// Whether also those are banned who logged in or are connected.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        force: bool,
    },
    /// End decisions.
    Unban(Unbanning),
    /// Name decisions, by number.
    List(Listing),
    /// Name what only bouncers carry out, by number.
    ListOthers(ListingOthers),
    /// Let addresses, prefixes and host names never be banned.
    Allow {
        /// Whom.
        targets: Vec<String>,
        /// For how long; for good when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        for_seconds: Option<u64>,
        /// Why.
        #[serde(default)]
        comment: String,
    },
    /// Take back what `Allow` entered.
    Disallow {
        /// Whom; exactly these.
        targets: Vec<String>,
    },
    /// Name friends.
    Friends {
        /// Those that hold this address or prefix, the narrowest first, then those in it; all when
        /// absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        target: Option<String>,
    },
    /// Tell of the brake, or release it.
    Brake(Braking),
    /// Tell of those who may ask over the API, and change who may.
    Bouncers(AskedOfBouncers),
    /// Tell of the machines that may push alerts over the API, and change which may.
    Machines(AskedOfMachines),
    /// Ban whom a list names.
    Import(Import),
    /// Name decisions, by target.
    Export(Export),
    /// Tell all that is known of an address or a prefix.
    Why {
        /// Whom.
        target: String,
    },
    /// Tell how the daemon is.
    Status,
    /// Name recent lines that the rules made nothing of.
    Unmatched(Recent),
    /// Tell what the rules make of the lines of each program.
    Coverage(Covering),
    /// Tell what was counted.
    Tables(Tabling),
    /// Read the configuration and the rules again.
    Reload,
    /// Empty the kernel, and enforce nothing until that is undone.
    Flush {
        /// Undo it.
        #[serde(default)]
        undo: bool,
    },
    /// Announce a test line, or tell how far it came.
    Canary(CanaryAsked),
    /// Take back what a test line led to.
    RemoveCanary {
        /// Whom it named.
        target: String,
    },
    /// Tell the version.
    Version,
}

/// Which decisions to name; what is absent does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    /// Those on this address or prefix, in it, or around it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Those whose reason contains this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// `ban` or `observe`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// `scenario`, `manual` or `list`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Those with a greater number: the last one of the page before.
    #[serde(default)]
    pub after: u64,
    /// Those with a smaller number: the last one of the page before, where the newest come first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// Whether the newest come first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub newest: bool,
    /// At most so many, and never more than [`PAGE`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case")]
pub enum Reply {
    /// What became of the bans.
    Banned {
        /// The decisions on the targets, as they are now.
        decisions: Vec<Row>,
        /// What was not allowed.
        refused: Vec<Refused>,
    },
    /// What became of the wish to end decisions.
    Unbanned(Box<Freed>),
    /// The decisions.
    Listed {
        /// By number, at most a page of them.
        decisions: Vec<Row>,
        /// How many there are from here on.
        total: usize,
        /// How many there are besides that only bouncers carry out.
        #[serde(default, skip_serializing_if = "is_none_of_them")]
        others: usize,
    },
    /// What only bouncers carry out.
    Others {
        /// By number, at most a page of them.
        others: Vec<OtherRow>,
        /// Behind which number the next page begins; `None` when there is none.
        next: Option<u64>,
    },
    /// What became of a wish to allow somebody, or no more.
    Allowed {
        /// Who is on the list now, or was taken from it.
        targets: Vec<String>,
        /// Who was to be taken from it and was not entered by hand.
        missing: Vec<NotByHand>,
        /// Bans that ended because of it.
        unbanned: Vec<Row>,
        /// Why it does not outlive the daemon, if it does not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unsaved: Option<String>,
    },
    /// The friends.
    Friends {
        /// Addresses and prefixes.
        friends: Vec<Friend>,
        /// Names that were entered by hand; what they stand for is among the friends.
        names: Vec<String>,
    },
    /// How the brake is, or was.
    Brake(Box<Braked>),
    /// Those who may ask over the API.
    Bouncers(Box<ToldOfBouncers>),
    /// Those that may push alerts over the API.
    Machines(Box<ToldOfMachines>),
    /// What became of a page of a list.
    Imported(Box<Imported>),
    /// Decisions, by target.
    Exported {
        /// A page of them.
        decisions: Vec<Row>,
        /// Where the next page begins; `None` when there is none.
        next: Option<String>,
    },
    /// All that is known.
    Why(Box<Why>),
    /// How the daemon is.
    Status(Box<Status>),
    /// The lines that the rules made nothing of.
    Unmatched {
        /// By program, those with most lines first.
        programs: Vec<Unmatched>,
    },
    /// What the rules make of the lines.
    Coverage {
        /// By label and program, those with most lines first.
        programs: Vec<Coverage>,
    },
    /// What was counted.
    Tables(Box<Tables>),
    /// The configuration and the rules are new.
    Reloaded {
        /// What is worth knowing, a line each.
        notes: Vec<String>,
    },
    /// What became of the emptying, or of undoing it.
    Flushed {
        /// Each backend.
        backends: Vec<Flushed>,
    },
    /// How far a test line came.
    Canary(CanarySeen),
    /// The version.
    Version {
        /// Of the running daemon.
        version: String,
    },
    /// It was not done.
    Failed(Failure),
}

fn is_none_of_them(count: &usize) -> bool {
    *count == 0
}

/// A backend that was to be emptied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flushed {
    /// Its name in the configuration.
    pub backend: String,
    /// Why it was not done, if it was not.
    #[serde(default)]
    pub trouble: Option<String>,
}

/// A decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Its number.
    pub id: u64,
    /// An address or a prefix.
    pub target: String,
    /// `ipv4` or `ipv6`.
    pub family: String,
    /// `ban` or `observe`.
    pub action: String,
    /// `scenario`, `manual` or `list`.
    pub origin: String,
    /// The scenario's name, or the operator's words.
    pub reason: String,
    /// When it began.
    pub created_at: String,
    /// When it ends.
    pub until: String,
    /// How long it still lasts, rounded up.
    pub remaining_seconds: u64,
    /// How many events made it.
    pub events: u64,
    /// What keeps it from being carried out, or from lasting as long as it should, if that is known:
    /// `source`, `spoofable` or `brake`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limited: Option<String>,
}

/// A ban that was not allowed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Who was to be banned.
    pub target: String,
    /// Why not, in a sentence.
    pub message: String,
    /// The allowlist entry that stands against it, if that is why.
    #[serde(default)]
    pub entry: Option<Friend>,
}

/// An entry of the allowlist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Friend {
    /// The address or prefix.
    pub net: String,
    /// `default`, `settings`, `name`, `host`, `operator`, `login` or `connection`.
    pub origin: String,
    /// Why, for people.
    pub comment: String,
    /// When it ends; for good when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// A friend that was to be taken away and was not entered by hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotByHand {
    /// Who.
    pub target: String,
    /// The entry that holds it, if there is one.
    #[serde(default)]
    pub entry: Option<Friend>,
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What kind of reason it is.
    pub kind: FailureKind,
    /// The reason: lower case, no full stop.
    pub message: String,
    /// What belongs to it and has lines of its own, such as the mistakes in a configuration.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// A kind of reason, and with it the exit code of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// The request was wrong (64).
    Usage,
    /// The daemon is busy or on its way out (69).
    Unavailable,
    /// The asker may not do this (77).
    Permission,
    /// The configuration or a rule is wrong (78).
    Configuration,
    /// Anything else (1); what a newer daemon says is this, too.
    #[serde(other)]
    Other,
}

impl Request {
    /// Whether it changes anything.
    #[must_use]
    pub const fn is_change(&self) -> bool {
        match self {
            Request::Ban { .. }
            | Request::Unban(_)
            | Request::Allow { .. }
            | Request::Disallow { .. }
            | Request::Flush { .. }
            | Request::Import(_)
            | Request::Canary(_)
            | Request::RemoveCanary { .. }
            | Request::Reload => true,
            Request::Brake(asked) => asked.release,
            Request::Bouncers(asked) => asked.is_change(),
            Request::Machines(asked) => asked.is_change(),
            Request::List(_)
            | Request::ListOthers(_)
            | Request::Friends { .. }
            | Request::Export(_)
            | Request::Why { .. }
            | Request::Status
            | Request::Unmatched(_)
            | Request::Coverage(_)
            | Request::Tables(_)
            | Request::Version => false,
        }
    }

    /// Whether the answer shows what the log says, which not everybody may read.
    #[must_use]
    pub const fn shows_lines(&self) -> bool {
        match self {
            Request::Coverage(asked) => asked.examples,
            _ => matches!(self, Request::Unmatched(_) | Request::Why { .. }),
        }
    }

    /// Whether the judge answers it, rather than the daemon.
    #[must_use]
    pub const fn is_for_judge(&self) -> bool {
        !matches!(
            self,
            Request::Status
                | Request::Unmatched(_)
                | Request::Coverage(_)
                | Request::Tables(_)
                | Request::Reload
                | Request::Flush { .. }
                | Request::Canary(_)
                | Request::Version
        )
    }
}

impl Reply {
    /// It was not done, for this reason.
    #[must_use]
    pub fn failed(kind: FailureKind, message: impl Into<String>) -> Self {
        Reply::Failed(Failure { kind, message: message.into(), detail: String::new() })
    }
}

impl Row {
    /// The decision as it is at `now`.
    #[must_use]
    pub fn of(decision: &Decision, now: Time) -> Self {
        const SECOND: u64 = 1_000_000_000;
        let remaining = u64::try_from(decision.until.since(now)).unwrap_or(0);
        Self {
            id: decision.id,
            target: decision.target.to_string(),
            family: decision.target.family().name().to_owned(),
            action: decision.action.name().to_owned(),
            origin: decision.origin.name().to_owned(),
            reason: decision.reason.clone(),
            created_at: Time::from_seconds(decision.created_at.seconds()).rfc3339(),
            until: Time::from_seconds(decision.until.seconds()).rfc3339(),
            remaining_seconds: remaining.div_ceil(SECOND),
            events: decision.events,
            limited: None,
        }
    }
}

impl From<&Refusal> for Refused {
    fn from(refusal: &Refusal) -> Self {
        let (net, entry) = match refusal {
            Refusal::Allowlisted { net, entry } => (net, Some(entry.into())),
            Refusal::TooWide { net, .. } => (net, None),
        };
        Self { target: net.to_string(), message: refusal.to_string(), entry }
    }
}

impl From<&Entry> for Friend {
    fn from(entry: &Entry) -> Self {
        Self {
            net: entry.net.to_string(),
            origin: entry.origin.name().to_owned(),
            comment: entry.comment.clone(),
            until: entry.until.map(|until| Time::from_seconds(until.seconds()).rfc3339()),
        }
    }
}

#[cfg(test)]
mod tests;
