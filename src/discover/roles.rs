//! What the parts of a template are: the client's address, the user, the status of an answer.
//!
//! Of several addresses the client's is told by the words before them, by how much they vary, and
//! never by what a client may have written itself: a forwarded-for, a referrer, a quoted request.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::template::{Hole, Part, Template};
use super::token::{Clock, Kind, address_of};
use super::words::{self, Announced, Outcome};

/// Templates with fewer messages do not tell how much a part varies.
const ENOUGH: u64 = 5;

/// What the parts of a template are, by their places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles {
    /// The client's address.
    pub client: Option<usize>,
    /// The port that follows it.
    pub port: Option<usize>,
    /// The user.
    pub user: Option<usize>,
    /// All parts that hold what a client calls itself or asks for, without quotes: they may hold
    /// blanks, whatever the messages at hand show.
    pub claims: BTreeSet<usize>,
    /// A status, such as those of HTTP.
    pub status: Option<usize>,
    /// The method of a request.
    pub method: Option<usize>,
    /// What a request asks for.
    pub request: Option<usize>,
    /// When it was, in messages without a header.
    pub time: Option<usize>,
    /// What the message tells of.
    pub outcome: Outcome,
    /// Whether it is about logging in.
    pub is_login: bool,
}

/// Users that the messages name, by the words before them.
#[must_use]
pub fn known_users(templates: &[Template]) -> BTreeSet<Box<str>> {
    let mut known = BTreeSet::new();
    for template in templates {
        for (at, part) in template.parts.iter().enumerate() {
            if let Part::Hole(hole) = part
                && matches!(hole.kind, Kind::Word | Kind::Host)
                && announced_user(template, at)
            {
                let names = hole.values.iter().filter(|value| !words::is_decisive(value));
                known.extend(names.cloned());
            }
        }
    }
    known
}

/// Lets the users of a template vary: where only one of them ever came, it looks like any word.
pub(super) fn open_users(template: &mut Template, known: &BTreeSet<Box<str>>) {
    let is_of_interest = words::outcome(&template.words()) != Outcome::Other;
    let is_user = |at: usize, text: &str| {
        let is_key =
            matches!(template.parts.get(at + 1), Some(Part::Fixed(next)) if **next == *"=");
        if is_key || words::is_decisive(text) || !text.contains(|c: char| c.is_alphanumeric()) {
            return false;
        }
        let by_key = at > 0
            && matches!(template.parts.get(at - 1), Some(Part::Fixed(sign)) if **sign == *"=")
            && announced_user(template, at);
        let is_name = known.contains(text) || words::is_account(text);
        let named = template.before(at).is_some_and(|(before, word)| {
            let after_for = template.before(before).is_some_and(|(_, word)| word == "for");
            words::announces_user(&word) && (is_name || after_for)
        });
        by_key || named || is_of_interest && is_name
    };
    let found = template.parts.iter().enumerate().filter_map(|(at, part)| match part {
        Part::Fixed(text) if is_user(at, text) => Some(at),
        _ => None,
    });
    for at in found.collect::<Vec<_>>() {
        template.open(at);
    }
}

fn announced_user(template: &Template, at: usize) -> bool {
    template.before(at).is_some_and(|(_, word)| words::announces_user(&word))
}

impl Roles {
    /// What the parts of this template are.
    #[must_use]
    pub fn of(template: &Template, known_users: &BTreeSet<Box<str>>) -> Self {
        let words = template.words();
        let holes: Vec<(usize, &Hole)> = template
            .parts
            .iter()
            .enumerate()
            .filter_map(|(at, part)| match part {
                Part::Hole(hole) => Some((at, hole)),
                _ => None,
            })
            .collect();
        let client = client(template, &holes);
        let announced = |at: usize| announced_user(template, at);
        let is_name = |hole: &Hole| {
            let is_user = |value: &str| known_users.contains(value) || words::is_account(value);
            hole.kind == Kind::Word && hole.values.iter().any(|value| is_user(value))
        };
        let outcome = words::outcome(&words);
        let of_users = |wanted: &dyn Fn(usize, &Hole) -> bool| {
            let is_text = |hole: &Hole| {
                matches!(hole.kind, Kind::Word | Kind::Host | Kind::Quoted | Kind::Id)
            };
            let mut found = holes.iter().filter(|(at, hole)| is_text(hole) && wanted(*at, hole));
            found.next().map(|(at, _)| *at)
        };
        let plain =
            |at: usize| template.before(at).is_some_and(|(_, word)| word.starts_with("user"));
        let folded = template.folded.map(|(at, _)| at);
        let user = of_users(&|at, _| plain(at))
            .or_else(|| of_users(&|at, _| announced(at)))
            .or_else(|| of_users(&|_, hole| outcome != Outcome::Other && is_name(hole)))
            .or_else(|| {
                let is_of_login = outcome != Outcome::Other && words::is_login(&words);
                most_varied(&holes).filter(|_| is_of_login)
            })
            .or(folded);
        let method = holes.iter().find(|(_, hole)| is_method(hole)).map(|(at, _)| *at);
        let has_request = method.is_some() || holes.iter().any(|(_, hole)| is_request(hole));
        let status = status(template, &holes, has_request);
        let is_path = |hole: &Hole| {
            matches!(hole.kind, Kind::Path | Kind::Url) && (method.is_some() || status.is_some())
        };
        let request = holes
            .iter()
            .find(|(_, hole)| is_request(hole))
            .or_else(|| holes.iter().find(|(_, hole)| is_path(hole)))
            .map(|(at, _)| *at);
        let is_unquoted = |at: &usize| matches!(template.parts.get(*at), Some(Part::Hole(hole)) if hole.kind != Kind::Quoted);
        let mut claims: BTreeSet<usize> = user.into_iter().chain(request).collect();
        claims.extend(holes.iter().map(|(at, _)| *at).filter(|at| announced(*at)));
        claims.retain(is_unquoted);
        claims.extend(template.folded.map(|(at, _)| at));
        let time = holes
            .iter()
            .find(|(_, hole)| matches!(hole.kind, Kind::Time(clock) if clock != Clock::Hours));
        Self {
            client,
            port: client.and_then(|client| port(template, client)),
            user,
            claims,
            status,
            method,
            request,
            time: time.map(|(at, _)| *at),
            outcome,
            is_login: words::is_login(&words),
        }
    }

    /// Whether the message tells of a request and what came of it.
    #[must_use]
    pub fn is_request(&self) -> bool {
        self.status.is_some() && (self.method.is_some() || self.request.is_some())
    }
}

/// The one word that varies a lot, if it is the only one: of a login it is the user.
fn most_varied(holes: &[(usize, &Hole)]) -> Option<usize> {
    let varies = |hole: &Hole| hole.kind == Kind::Word && hole.values.len() > 2 && !is_method(hole);
    let mut found = holes.iter().filter(|(_, hole)| varies(hole));
    found.next().filter(|_| found.next().is_none()).map(|(at, _)| *at)
}

fn is_method(hole: &Hole) -> bool {
    hole.kind == Kind::Word
        && !hole.values.is_empty()
        && hole.values.iter().all(|value| words::is_method(value))
}

/// Whether a quoted text is mostly a request of HTTP.
fn is_request(hole: &Hole) -> bool {
    let of_http = |value: &str| {
        let first = value.split(' ').next().unwrap_or_default();
        words::is_method(first) && value.contains(" HTTP/")
    };
    hole.kind == Kind::Quoted
        && hole.values.iter().filter(|value| of_http(value)).count() * 2 > hole.values.len()
}

/// The place of the client's address.
fn client(template: &Template, holes: &[(usize, &Hole)]) -> Option<usize> {
    let addresses: Vec<(usize, &Hole)> =
        holes.iter().copied().filter(|(_, hole)| hole.is_address()).collect();
    let most = addresses.iter().map(|(_, hole)| hole.values.len()).max().unwrap_or(0);
    let scored = addresses.iter().enumerate().map(|(order, (at, hole))| {
        let mut score = announced(template, *at);
        let varies = |count: usize| count > 2;
        if template.count >= ENOUGH && varies(most) && !varies(hole.values.len()) {
            score -= 6;
        }
        if hole.values.len() == most {
            score += 2;
        }
        // `name[192.0.2.7]`: the name is what a resolver says, the address is the peer's.
        let is_behind_name = *at > 0
            && hole.brackets.0
            && matches!(template.parts.get(at - 1), Some(Part::Hole(_) | Part::Fixed(_)))
            && !matches!(template.parts.get(at - 1), Some(Part::Fixed(sign)) if sign.len() == 1);
        score += if is_behind_name { 6 } else { 0 };
        let is_nobody = |text: &str| match address_of(text) {
            Some(IpAddr::V4(address)) => address.is_loopback() || address.is_unspecified(),
            Some(IpAddr::V6(address)) => address.is_loopback() || address.is_unspecified(),
            None => true,
        };
        if hole.values.iter().all(|value| is_nobody(value)) {
            score -= 6;
        }
        score += i32::from(order == 0);
        (score, *at)
    });
    // The first of those with the best score.
    let best = scored.fold(None, |best: Option<(i32, usize)>, next| match best {
        Some(known) if known.0 >= next.0 => Some(known),
        _ => Some(next),
    });
    best.filter(|(score, _)| *score >= 0).map(|(_, at)| at)
}

/// What the words before an address say of it.
fn announced(template: &Template, at: usize) -> i32 {
    let mut place = at;
    let mut score = 0;
    for step in 0..2 {
        let Some((before, word)) = template.before(place) else { break };
        match words::announces(&word) {
            Some(Announced::Client) => return score + 4,
            Some(Announced::Server) => return score - 6,
            Some(Announced::Claim) => return score - 9,
            Some(Announced::Anybody) => score += 1,
            None if step == 0 => {}
            None => break,
        }
        place = before;
    }
    score
}

/// The place of the number that follows the address by a colon or the word `port`.
fn port(template: &Template, client: usize) -> Option<usize> {
    let follows = |at: usize| match template.parts.get(at) {
        Some(Part::Hole(hole)) if hole.kind == Kind::Number && !hole.holds('.') => Some(at),
        _ => None,
    };
    let fixed = |at: usize| match template.parts.get(at) {
        Some(Part::Fixed(text)) => &**text,
        Some(Part::Space(_)) => " ",
        _ => "",
    };
    if fixed(client + 1) == ":" {
        return follows(client + 2);
    }
    let is_named = fixed(client + 1) == " " && fixed(client + 2) == "port";
    if is_named && matches!(fixed(client + 3), " " | "=") { follows(client + 4) } else { None }
}

/// The place of a status: announced, or the number among those of a request that is one.
fn status(template: &Template, holes: &[(usize, &Hole)], has_request: bool) -> Option<usize> {
    let is_status = |hole: &Hole| {
        let of_http = |value: &str| {
            value.len() == 3 && value.parse().is_ok_and(|code: u16| (100..600).contains(&code))
        };
        hole.kind == Kind::Number
            && !hole.values.is_empty()
            && hole.values.iter().all(|value| of_http(value))
    };
    let all: Vec<_> = holes.iter().filter(|(_, hole)| is_status(hole)).collect();
    let announced = all.iter().find(|(at, _)| {
        template.before(*at).is_some_and(|(_, word)| words::announces_status(&word))
    });
    let fewest = all.iter().min_by_key(|(_, hole)| hole.values.len());
    announced.or(fewest.filter(|_| has_request)).map(|(at, _)| *at)
}
