//! Patterns out of messages: for each template that names a client, one that takes the right
//! address from all its messages and cannot be deceived about it.
//!
//! A part that a client fills may hold anything, so its pattern is as wide as it may be: it is
//! widened as far as the check of rules for forged addresses finds no line that deceives it. A
//! template whose messages earlier patterns take is not given one of its own; that is what becomes
//! of names with blanks in them, and of names that look like the rest of the message.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::fold::fold;
use super::miner::{Limits, Miner};
use super::pattern::{Extent, Syntax, captures, grok};
use super::roles::{Roles, known_users, open_users};
use super::template::{Part, Template};
use super::token::{Kind, address_of, tokens, trimmed};
use super::tricks;
use super::words::Outcome;
use crate::parse::grok::{Caches, Grok, Library};
use crate::rules;

/// Messages of a template that a pattern is tried on.
const TRIED: usize = 50;

/// Patterns that are made at most: a parser with more is none that somebody reads.
const NODES: usize = 40;

/// What a pattern is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum What {
    /// A login that failed.
    FailedAuth,
    /// A request and its status.
    Request,
    /// Something else that was refused or did not work.
    Refused,
    /// A login that succeeded.
    SuccessAuth,
    /// The same failed login, told by the system's own authentication.
    Detail,
    /// Anything else.
    Other,
}

impl What {
    /// The end of its `log_type`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            What::FailedAuth => "failed-auth",
            What::Request => "request",
            What::Refused => "refused",
            What::SuccessAuth => "success-auth",
            What::Detail => "auth-detail",
            What::Other => "other",
        }
    }

    fn of(roles: &Roles) -> Self {
        match roles.outcome {
            _ if roles.is_request() => What::Request,
            Outcome::Failure if roles.is_login => What::FailedAuth,
            Outcome::Failure => What::Refused,
            Outcome::Success if roles.is_login => What::SuccessAuth,
            Outcome::Success | Outcome::Other => What::Other,
        }
    }
}

/// A pattern that was found.
#[derive(Debug)]
pub struct Node {
    /// What its messages are about.
    pub what: What,
    /// The grok.
    pub pattern: String,
    /// The place of the template that it was made of.
    pub template: usize,
    /// What the parts of that are.
    pub roles: Roles,
    /// How many messages it took first.
    pub count: u64,
    /// Whether it takes messages by their beginning only.
    pub is_head: bool,
    grok: Grok,
}

/// A template that no pattern takes.
#[derive(Debug)]
pub struct Left {
    /// Its place.
    pub template: usize,
    /// Why: lower case, no full stop.
    pub why: String,
}

/// What was learned from messages.
#[derive(Debug)]
pub struct Learned {
    /// Patterns, in the order in which they are to be tried.
    pub nodes: Vec<Node>,
    /// What they refer to.
    pub syntax: Syntax,
    /// All templates.
    pub templates: Vec<Template>,
    /// Those that name an address, and have no pattern.
    pub left: Vec<Left>,
    /// Messages that found no place among the templates.
    pub unplaced: u64,
}

/// Learns from messages; the names of patterns begin with `prefix`.
#[must_use]
pub fn learn(messages: &[String], prefix: &str, limits: Limits) -> Learned {
    let mut miner = Miner::new(limits);
    let mut members: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    for message in messages {
        if let Some(place) = miner.add(message) {
            members.entry(place).or_default().push(message);
        }
    }
    let unplaced = miner.unplaced();
    let mut templates = miner.into_templates();
    let known = known_users(&templates);
    templates.iter_mut().for_each(|template| open_users(template, &known));
    let first: Vec<Roles> = templates.iter().map(|template| Roles::of(template, &known)).collect();
    fold(&mut templates, &first);
    let mut learner = Learner {
        templates: &templates,
        members,
        library: Library::base(),
        caches: Caches::default(),
        syntax: Syntax::new(prefix),
        nodes: Vec::new(),
        left: Vec::new(),
    };
    let roles: Vec<Roles> = templates.iter().map(|template| Roles::of(template, &known)).collect();
    learner.all(&roles);
    learner.heads(&roles);
    learner.distrust();
    let Learner { mut nodes, syntax, left, .. } = learner;
    settle_details(&mut nodes, &templates);
    Learned { nodes, syntax, templates, left, unplaced }
}

impl Learned {
    /// The first pattern that takes a message, and the address that it takes.
    #[must_use]
    pub fn look(&self, message: &str) -> Option<(&Node, Option<IpAddr>)> {
        let mut caches = Caches::default();
        self.nodes
            .iter()
            .find_map(|node| taken(&node.grok, message, &mut caches).map(|address| (node, address)))
    }

    /// The named patterns that are referred to.
    #[must_use]
    pub fn syntax(&self) -> Vec<(String, String)> {
        let is_used = |name: &str| {
            let reference = [format!("%{{{name}}}"), format!("%{{{name}:")];
            self.nodes.iter().any(|node| reference.iter().any(|text| node.pattern.contains(text)))
        };
        self.syntax.named().iter().filter(|(name, _)| is_used(name)).cloned().collect()
    }
}

/// The address that a pattern takes from a message, if it is found.
fn taken(grok: &Grok, message: &str, caches: &mut Caches) -> Option<Option<IpAddr>> {
    let client = grok.captures().iter().position(|name| **name == *captures::CLIENT);
    let mut address = None;
    let found = grok.search(message, caches, |index, text| {
        if Some(index) == client {
            address = address_of(text);
        }
    });
    found.then_some(address)
}

struct Learner<'m> {
    templates: &'m [Template],
    members: BTreeMap<usize, Vec<&'m str>>,
    library: Library,
    caches: Caches,
    syntax: Syntax,
    nodes: Vec<Node>,
    left: Vec<Left>,
}

impl<'m> Learner<'m> {
    /// Some messages of a template, from all of them, with the client's address in each.
    fn sample(&self, template: usize, roles: &Roles) -> Vec<(&'m str, Option<IpAddr>)> {
        let all = self.members.get(&template).map(Vec::as_slice).unwrap_or_default();
        let step = all.len().div_ceil(TRIED).max(1);
        let address = |message: &str| {
            let found = tokens(trimmed(message));
            let place = self.templates.get(template)?.token(roles.client?);
            found.get(place).and_then(super::token::Token::address)
        };
        all.iter().step_by(step).map(|message| (*message, address(message))).collect()
    }

    /// A pattern for each template that names a client, those that matter most first.
    fn all(&mut self, roles: &[Roles]) {
        let mut order: Vec<usize> = (0..self.templates.len()).collect();
        order.retain(|place| self.templates.get(*place).is_some_and(|found| found.addressed > 0));
        order.sort_by_key(|place| {
            let what = roles.get(*place).map_or(What::Other, What::of);
            (what, std::cmp::Reverse(self.templates.get(*place).map_or(0, |found| found.count)))
        });
        for place in order {
            let Some((template, roles)) = self.templates.get(place).zip(roles.get(place)) else {
                continue;
            };
            if roles.client.is_none() {
                let why = "no word says that an address in it is the client's".to_owned();
                self.left.push(Left { template: place, why });
                continue;
            }
            let sample = self.sample(place, roles);
            if self.absorb(&sample, template.count) {
                continue;
            }
            if self.nodes.len() == NODES {
                let why = format!("there are {NODES} patterns already");
                self.left.push(Left { template: place, why });
                continue;
            }
            match self.whole(place, roles, &sample) {
                Ok(node) => self.nodes.push(node),
                Err(why) => self.left.push(Left { template: place, why }),
            }
        }
    }

    /// Whether earlier patterns take all of these messages.
    fn absorb(&mut self, sample: &[(&str, Option<IpAddr>)], count: u64) -> bool {
        let mut first = None;
        for (message, _) in sample {
            let Self { nodes, caches, .. } = self;
            let node = nodes.iter().position(|node| taken(&node.grok, message, caches).is_some());
            let Some(node) = node else { return false };
            first.get_or_insert(node);
        }
        if let Some(node) = first.and_then(|first| self.nodes.get_mut(first)) {
            node.count += count;
        }
        first.is_some()
    }

    /// A pattern for all of a template, as wide as it may be.
    fn whole(
        &mut self,
        place: usize,
        roles: &Roles,
        sample: &[(&str, Option<IpAddr>)],
    ) -> Result<Node, String> {
        let client = roles.client.unwrap_or(0);
        let before: BTreeSet<usize> =
            roles.claims.iter().copied().filter(|at| *at < client).collect();
        let user = roles.claims.iter().copied().filter(|at| Some(*at) == roles.user).collect();
        let mut why = String::new();
        let folded: BTreeSet<usize> = self
            .templates
            .get(place)
            .and_then(|template| template.folded)
            .map(|(at, _)| at)
            .into_iter()
            .collect();
        for mut wide in [roles.claims.clone(), before, user, BTreeSet::new()] {
            wide.extend(&folded);
            match self.try_one(place, roles, &wide, Extent::Whole, sample) {
                Ok(node) => return Ok(node),
                Err(reason) => why = reason,
            }
        }
        Err(why)
    }

    fn try_one(
        &mut self,
        place: usize,
        roles: &Roles,
        wide: &BTreeSet<usize>,
        extent: Extent,
        sample: &[(&str, Option<IpAddr>)],
    ) -> Result<Node, String> {
        let template = self.templates.get(place).ok_or("there is no such template")?;
        let pattern = grok(template, roles, wide, extent, &mut self.syntax);
        for (name, text) in self.syntax.named() {
            self.library.add(name, text).map_err(|mistake| mistake.message)?;
        }
        let grok = self.library.compile(&pattern).map_err(|mistake| mistake.message)?;
        for (message, address) in sample {
            let found = taken(&grok, message, &mut self.caches);
            if found.is_none() || found != Some(*address) {
                return Err("its pattern takes another address from some of its lines".to_owned());
            }
        }
        let client = grok.captures().iter().position(|name| **name == *captures::CLIENT);
        let deceived = client.and_then(|client| rules::deceived(&grok, client));
        if let Some(line) = deceived {
            return Err(format!("a client could choose the address, as in: {line}"));
        }
        let forged = address_of(tricks::FORGED);
        let is_forged = |trick: &&String| taken(&grok, trick, &mut self.caches) == Some(forged);
        if let Some(trick) = tricks::forged(template, roles).iter().find(is_forged) {
            return Err(format!("a client could choose the address, as in: {trick}"));
        }
        let count = template.count;
        let is_head = extent != Extent::Whole;
        let what = if is_head { What::Other } else { What::of(roles) };
        Ok(Node { what, pattern, template: place, roles: roles.clone(), count, is_head, grok })
    }

    /// Takes out patterns that a client deceives with words that were meant for another one.
    fn distrust(&mut self) {
        let Self { nodes, templates, caches, left, .. } = self;
        let forged = address_of(tricks::FORGED);
        let of_nodes = |node: &Node| {
            let template = templates.get(node.template);
            template.map_or_else(Vec::new, |template| tricks::forged(template, &node.roles))
        };
        let tricks: Vec<String> = nodes.iter().flat_map(of_nodes).collect();
        for trick in &tricks {
            while let Some(at) =
                nodes.iter().position(|node| taken(&node.grok, trick, caches).is_some())
            {
                if nodes.get(at).and_then(|node| taken(&node.grok, trick, caches)) != Some(forged) {
                    break;
                }
                let node = nodes.remove(at);
                let why = format!("a client could choose the address, as in: {trick}");
                left.push(Left { template: node.template, why });
            }
        }
    }

    /// Patterns for what begins as other messages do, up to the client's address: a program says
    /// more than one file of its log shows.
    fn heads(&mut self, roles: &[Roles]) {
        let mut groups: BTreeMap<String, Vec<(usize, usize)>> = BTreeMap::new();
        for (place, (template, roles)) in self.templates.iter().zip(roles).enumerate() {
            if let Some((end, head)) = head(template, roles) {
                groups.entry(head).or_default().push((place, end));
            }
        }
        let mut groups: Vec<Vec<(usize, usize)>> =
            groups.into_values().filter(|group| group.len() > 1).collect();
        let count = |place: &usize| self.templates.get(*place).map_or(0, |found| found.count);
        for group in &mut groups {
            group.sort_by_key(|(place, _)| std::cmp::Reverse(count(place)));
        }
        for group in groups {
            let Some((place, end)) = group.first().copied() else { continue };
            let Some(of) = roles.get(place) else { continue };
            let sample: Vec<_> = group
                .iter()
                .filter_map(|(place, _)| Some(self.sample(*place, roles.get(*place)?)))
                .flatten()
                .collect();
            if self.nodes.len() == NODES {
                break;
            }
            let none = BTreeSet::new();
            if let Ok(mut node) = self.try_one(place, of, &none, Extent::Head(end), &sample) {
                node.count = 0;
                self.left.retain(|left| !group.iter().any(|(place, _)| *place == left.template));
                self.nodes.push(node);
            }
        }
    }
}

/// The parts up to the client's address and the sign behind it, and what they look like; `None`
/// where a client wrote some of them.
fn head(template: &Template, roles: &Roles) -> Option<(usize, String)> {
    let client = roles.client?;
    let is_quoted = |part: &Part| matches!(part, Part::Hole(hole) if hole.kind == Kind::Quoted);
    let before = template.parts.get(..client)?;
    if roles.claims.iter().any(|at| *at < client) || before.iter().any(is_quoted) {
        return None;
    }
    let mut end = client + 1;
    if roles.port == Some(end + 1) {
        end += 2;
    }
    // The address must end where the pattern says: before a blank or a sign.
    match template.parts.get(end)? {
        Part::Space(_) => end += 1,
        Part::Fixed(text) if !text.starts_with(|c: char| c.is_alphanumeric() || c == ':') => {
            end += 1;
        }
        _ => return None,
    }
    let parts = template.parts.get(..end)?.to_vec();
    let shown = Template { parts, ..template.clone() };
    Some((end, shown.to_string()))
}

/// Where the program tells of failed logins itself, what the system's authentication says of the
/// same ones is not counted beside.
fn settle_details(nodes: &mut [Node], templates: &[Template]) {
    let is_of_system = |node: &Node| {
        let first = templates.get(node.template).and_then(|template| template.parts.first());
        matches!(first, Some(Part::Fixed(text)) if text.starts_with("pam_"))
    };
    let has_own = nodes.iter().any(|node| node.what == What::FailedAuth && !is_of_system(node));
    for node in nodes.iter_mut().filter(|node| has_own && node.what == What::FailedAuth) {
        if is_of_system(node) {
            node.what = What::Detail;
        }
    }
}
