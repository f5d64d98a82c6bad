//! Paths to elements: `/a/b`, `//`, `*`, `.`, `..`, and conditions in brackets.

use super::document::{Document, same_name};

/// A path taken apart.
#[derive(Debug)]
pub(super) struct Path {
    steps: Vec<Step>,
}

#[derive(Debug)]
struct Step {
    choice: Choice,
    conditions: Vec<Condition>,
}

#[derive(Debug)]
enum Choice {
    /// The document.
    Root,
    /// The element itself, `.`.
    Itself,
    /// `..`
    Parent,
    /// `*`
    Children,
    /// The element and all below it, `//`.
    Below,
    /// Children of this name.
    Named(Box<str>),
}

#[derive(Debug)]
enum Condition {
    /// `[n]` from 1, or from the end when negative.
    Place(i64),
    /// `[@a]`, `[@a='v']`
    Attribute(Box<str>, Option<Box<str>>),
    /// `[tag]`, `[tag='v']`
    Child(Box<str>, Option<Box<str>>),
    /// `[text()]`, `[text()='v']`
    Text(Option<Box<str>>),
}

impl Path {
    /// Takes a path apart; `None` when it is malformed.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let mut steps = Vec::new();
        let rest = match path.strip_prefix('/') {
            Some(rest) => {
                steps.push(Step { choice: Choice::Root, conditions: Vec::new() });
                rest
            }
            None => path,
        };
        // `a//` means everything below `a`.
        let below = path.ends_with("//");
        for part in split_outside_quotes(rest, '/') {
            steps.push(Step::parse(part)?);
        }
        if below && let Some(last) = steps.last_mut() {
            last.choice = Choice::Children;
        }
        Some(Self { steps })
    }

    /// The first element at the end of the path from the document.
    pub(super) fn first(&self, document: &Document) -> Option<usize> {
        let mut places = vec![0];
        for step in &self.steps {
            places = match places.as_slice() {
                [place] => step.reach(*place, document),
                _ => step.reach_all(&places, document),
            };
        }
        // The document is no element.
        places.first().copied().filter(|node| *node != 0)
    }
}

impl Step {
    fn parse(part: &str) -> Option<Self> {
        let mut pieces = split_outside_quotes(part, '[').into_iter();
        let choice = match pieces.next()? {
            "" => Choice::Below,
            "." => Choice::Itself,
            ".." => Choice::Parent,
            "*" => Choice::Children,
            name => Choice::Named(name.into()),
        };
        let conditions = pieces
            .map(|piece| Condition::parse(piece.strip_suffix(']')?))
            .collect::<Option<Vec<_>>>()?;
        Some(Self { choice, conditions })
    }

    /// What is reached from several places, each once: `//a//a` reaches deep elements by many
    /// ways. Hostile: as many as the document and the path allow.
    fn reach_all(&self, places: &[usize], document: &Document) -> Vec<usize> {
        let mut seen = vec![false; document.len()];
        let mut reached = Vec::new();
        for place in places {
            for node in self.reach(*place, document) {
                if let Some(seen) = seen.get_mut(node)
                    && !std::mem::replace(seen, true)
                {
                    reached.push(node);
                }
            }
        }
        reached
    }

    fn reach(&self, place: usize, document: &Document) -> Vec<usize> {
        let mut chosen: Vec<usize> = match self.choice {
            Choice::Root => vec![0],
            Choice::Itself => vec![place],
            Choice::Parent => document.parent(place).into_iter().collect(),
            Choice::Children => document.children(place).collect(),
            Choice::Named(ref name) => document
                .children(place)
                .filter(|child| same_name(name, document.name(*child)))
                .collect(),
            Choice::Below => level_by_level(place, document),
        };
        for condition in &self.conditions {
            chosen = condition.keep(chosen, document);
        }
        chosen
    }
}

/// An element and all below it, those nearer to it first.
fn level_by_level(place: usize, document: &Document) -> Vec<usize> {
    let mut found = vec![place];
    let mut next = 0;
    while let Some(node) = found.get(next).copied() {
        found.extend(document.children(node));
        next += 1;
    }
    found
}

impl Condition {
    fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return None;
        }
        let (subject, value) = match text.split_once('=') {
            Some((subject, value)) => (subject, Some(Box::from(unquoted(value)?))),
            None => (text, None),
        };
        if value.is_none()
            && let Ok(place) = text.parse()
        {
            return Some(Self::Place(place));
        }
        match subject.strip_prefix('@') {
            Some("") => None,
            Some(name) => Some(Self::Attribute(name.into(), value)),
            None if subject == "text()" => Some(Self::Text(value)),
            // No other function is known.
            None if subject.is_empty() || subject.ends_with("()") => None,
            None => Some(Self::Child(subject.into(), value)),
        }
    }

    fn keep(&self, mut nodes: Vec<usize>, document: &Document) -> Vec<usize> {
        let is = |wanted: &Option<Box<str>>, found: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == found)
        };
        match self {
            Self::Place(place) => {
                let place = *place;
                let index = if place > 0 {
                    usize::try_from(place - 1).ok()
                } else {
                    // A place of 0 is the first, as 1 is.
                    let back = usize::try_from(place.unsigned_abs()).ok();
                    back.and_then(
                        |back| if back == 0 { Some(0) } else { nodes.len().checked_sub(back) },
                    )
                };
                return index.and_then(|index| nodes.get(index)).copied().into_iter().collect();
            }
            Self::Attribute(name, value) => nodes.retain(|node| {
                document.attribute(*node, name).is_some_and(|found| is(value, found))
            }),
            Self::Child(name, value) => nodes.retain(|node| {
                document.children(*node).any(|child| {
                    same_name(name, document.name(child)) && is(value, document.text(child))
                })
            }),
            Self::Text(value) => nodes.retain(|node| match value {
                Some(value) => *document.text(*node) == **value,
                None => !document.text(*node).is_empty(),
            }),
        }
        nodes
    }
}

fn unquoted(value: &str) -> Option<&str> {
    let inside = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    inside('\'').or_else(|| inside('"'))
}

/// The parts between separators that stand in no quotes.
fn split_outside_quotes(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '\'' || c == '"' => quote = Some(c),
            None if c == separator => {
                parts.push(text.get(start..at).unwrap_or_default());
                start = at + c.len_utf8();
            }
            None => {}
        }
    }
    parts.push(text.get(start..).unwrap_or_default());
    parts
}
