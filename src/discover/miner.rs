//! Templates out of messages: a tree of fixed depth leads to the few that a message may belong to,
//! and the most alike of them takes it.
//!
//! A message goes down by how many tokens it has and what its first ones look like: signs as they
//! are, all else by whether it is quoted. Words are not looked at on the way, so it does not matter
//! which of them vary. At a leaf a message joins the template with which it shares at least half of
//! the words; words that decide what is said are never merged ([`super::words`]).
//!
//! All is bounded: templates, those at one leaf, bytes that are kept. What finds no place is
//! counted. The same messages in the same order give the same templates, and in any order the same
//! totals.

use std::collections::HashMap;

use super::template::Template;
use super::token::{Kind, Token, tokens, trimmed};

/// Tokens by whose look the tree divides.
const DEPTH: usize = 12;

/// Words that a message must share with a template, as a share of them.
const ALIKE: f64 = 0.5;

/// How much a miner holds.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Templates.
    pub templates: usize,
    /// Templates at one leaf of the tree.
    pub at_leaf: usize,
    /// Bytes of values and examples.
    pub bytes: usize,
    /// Bytes of a message that are looked at.
    pub message: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { templates: 1000, at_leaf: 50, bytes: 16 << 20, message: 4096 }
    }
}

/// What a token looks like from afar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Look {
    Blank,
    Sign(char),
    Quoted,
    Atom,
}

/// A way down the tree: how many tokens, and the look of the first.
type Way = (usize, [Look; DEPTH]);

/// Finds templates.
#[derive(Debug)]
pub struct Miner {
    limits: Limits,
    leaves: HashMap<Way, Vec<usize>>,
    templates: Vec<Template>,
    held: usize,
    messages: u64,
    unplaced: u64,
}

impl Miner {
    /// One that holds so much.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            leaves: HashMap::new(),
            templates: Vec::new(),
            held: 0,
            messages: 0,
            unplaced: 0,
        }
    }

    /// Adds a message; gives the place of its template among [`Self::templates`], if there was room.
    pub fn add(&mut self, message: &str) -> Option<usize> {
        self.messages += 1;
        let message = cut(message, self.limits.message);
        let found = tokens(trimmed(message));
        let place = self.place(&found);
        match place {
            Some(place) => {
                let room = self.limits.bytes.saturating_sub(self.held);
                self.held += self.templates.get_mut(place)?.add(message, &found, room);
            }
            None => self.unplaced += 1,
        }
        place
    }

    /// The template for a message, a new one if need be.
    fn place(&mut self, tokens: &[Token<'_>]) -> Option<usize> {
        let way = way(tokens);
        let leaf = self.leaves.get(&way).map_or(&[][..], Vec::as_slice);
        let mut best: Option<(f64, usize)> = None;
        for place in leaf.iter().copied() {
            let likeness = self.templates.get(place)?.likeness(tokens);
            if let Some(likeness) = likeness
                && likeness >= ALIKE
                && best.is_none_or(|(known, _)| likeness > known)
            {
                best = Some((likeness, place));
            }
        }
        if let Some((_, place)) = best {
            return Some(place);
        }
        if leaf.len() >= self.limits.at_leaf || self.templates.len() >= self.limits.templates {
            return None;
        }
        self.leaves.entry(way).or_default().push(self.templates.len());
        self.templates.push(Template::new(tokens));
        Some(self.templates.len() - 1)
    }

    /// All templates, in the order in which their first message came.
    #[must_use]
    pub fn templates(&self) -> &[Template] {
        &self.templates
    }

    /// The same, to keep.
    #[must_use]
    pub fn into_templates(self) -> Vec<Template> {
        self.templates
    }

    /// How many messages there were.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// How many of them found no place because there were too many templates.
    #[must_use]
    pub fn unplaced(&self) -> u64 {
        self.unplaced
    }

    /// How many bytes of values and examples are held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held
    }
}

/// At most so many bytes of a text, whole characters.
fn cut(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn way(tokens: &[Token<'_>]) -> Way {
    let mut looks = [Look::Blank; DEPTH];
    for (look, token) in looks.iter_mut().zip(tokens) {
        *look = match token.kind {
            Kind::Space => Look::Blank,
            Kind::Punct => Look::Sign(token.text.chars().next().unwrap_or(' ')),
            Kind::Quoted => Look::Quoted,
            _ => Look::Atom,
        };
    }
    (tokens.len(), looks)
}
