//! Scenarios for what was learned: failures from one address, failures for one user from many.

use std::fmt::Write as _;

use super::draft::{Subject, scalar};
use super::learn::{Learned, What};
use super::pattern::captures;

/// A scenario, and how its cases reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Its name behind `local/SERVICE-`.
    pub(super) name: &'static str,
    /// What it says to people.
    pub(super) description: &'static str,
    /// The kind of messages that it counts.
    pub(super) what: What,
    /// Of requests those with one of these statuses.
    pub(super) statuses: &'static [&'static str],
    /// So many are forgiven.
    pub(super) capacity: u32,
    /// How soon one is forgotten.
    pub(super) leak: &'static str,
    /// Whether it counts addresses that fail for one user, rather than failures of an address.
    pub(super) by_user: bool,
    behavior: &'static str,
}

/// Of these HTTP's login failures are made.
const LOGIN: &[&str] = &["401", "403"];
/// And of these what looks for things that are not there.
const PROBING: &[&str] = &["400", "404", "405", "414"];

const PLANS: &[Plan] = &[
    Plan {
        name: "bf",
        description: "password guessing",
        what: What::FailedAuth,
        statuses: &[],
        capacity: 5,
        leak: "10s",
        by_user: false,
        behavior: "bruteforce",
    },
    Plan {
        name: "distributed-bf",
        description: "password guessing from many addresses",
        what: What::FailedAuth,
        statuses: &[],
        capacity: 10,
        leak: "1m",
        by_user: true,
        behavior: "bruteforce",
    },
    Plan {
        name: "refused",
        description: "refused again and again",
        what: What::Refused,
        statuses: &[],
        capacity: 20,
        leak: "10s",
        by_user: false,
        behavior: "scan",
    },
    Plan {
        name: "http-bf",
        description: "requests that are denied",
        what: What::Request,
        statuses: LOGIN,
        capacity: 10,
        leak: "10s",
        by_user: false,
        behavior: "bruteforce",
    },
    Plan {
        name: "http-probing",
        description: "requests for what is not there",
        what: What::Request,
        statuses: PROBING,
        capacity: 20,
        leak: "10s",
        by_user: false,
        behavior: "scan",
    },
];

/// The scenarios that make sense of what was learned.
pub(super) fn plans(learned: &Learned) -> Vec<&'static Plan> {
    let makes_sense = |plan: &&Plan| {
        let of_kind = |node: &&super::learn::Node| node.what == plan.what && !node.is_head;
        let mut nodes = learned.nodes.iter().filter(of_kind);
        nodes.any(|node| !plan.by_user || node.roles.user.is_some())
    };
    PLANS.iter().filter(makes_sense).collect()
}

/// The file, empty where nothing failed.
pub(super) fn text(subject: &Subject, learned: &Learned) -> String {
    let service = subject.service();
    let mut text = String::new();
    for plan in plans(learned) {
        if !text.is_empty() {
            text.push_str("---\n");
        }
        let log_type = subject.log_type(plan.what);
        let mut filter = format!("evt.Meta.log_type == \"{log_type}\"");
        if !plan.statuses.is_empty() {
            let wanted: Vec<String> =
                plan.statuses.iter().map(|status| format!("\"{status}\"")).collect();
            let _ = write!(filter, " && evt.Meta.{} in [{}]", captures::STATUS, wanted.join(", "));
        }
        if plan.by_user {
            let _ = write!(filter, " && evt.Meta.{} != \"\"", captures::USER);
            text.push_str(
                "# One name, tried from many addresses. It tells and bans nobody: with\n\
                 # `remediation: true` every address that took part is banned, the user's own too.\n",
            );
        } else {
            let _ = writeln!(
                text,
                "# More than {}, when one is forgotten every {}.",
                plan.capacity, plan.leak
            );
        }
        let group = if plan.by_user { captures::USER } else { captures::CLIENT };
        let _ = writeln!(
            text,
            "type: leaky\n\
             name: local/{service}-{}\n\
             description: {}\n\
             filter: {}\n\
             groupby: evt.Meta.{group}",
            plan.name,
            scalar(&format!("{service}: {}", plan.description)),
            scalar(&filter),
        );
        if plan.by_user {
            let _ = writeln!(text, "distinct: evt.Meta.{}", captures::CLIENT);
        }
        let _ = writeln!(
            text,
            "capacity: {}\n\
             leakspeed: {}\n\
             blackhole: 1m\n\
             labels:\n  \
             service: {}\n  \
             label: {}\n  \
             behavior: {}\n  \
             spoofable: 0\n  \
             remediation: {}",
            plan.capacity,
            plan.leak,
            scalar(&service),
            scalar(&format!("{service} {}", plan.description)),
            scalar(&format!("{service}:{}", plan.behavior)),
            !plan.by_user
        );
    }
    text
}
