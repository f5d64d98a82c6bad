//! A template: what messages that differ only in their variable parts have in common.

use std::collections::BTreeSet;
use std::fmt;

use super::token::{Clock, Kind, Token, trimmed};
use super::words;

/// Different values that are kept of a part that varies, and how long each may be in bytes.
const VALUES: usize = 64;
const LONGEST_VALUE: usize = 160;

/// Messages that are kept of a template.
const EXAMPLES: usize = 3;

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// White space; whether it is ever more than one blank.
    Space(bool),
    /// The same in all messages.
    Fixed(Box<str>),
    /// Different from message to message.
    Hole(Hole),
}

/// A part that varies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hole {
    /// What it is; [`Kind::Word`] when it is not always the same kind.
    pub kind: Kind,
    /// Whether it is sometimes `-` or an empty text.
    pub absent: bool,
    /// Whether it sometimes stands in square brackets, and whether sometimes not.
    pub brackets: (bool, bool),
    /// Whether it is sometimes an IPv4 address in an IPv6 one (`::ffff:192.0.2.7`).
    pub mapped: bool,
    /// Whether it sometimes holds a backslash.
    pub escaped: bool,
    /// The first different values, without quotes and brackets.
    pub values: BTreeSet<Box<str>>,
    /// ASCII characters that its values hold.
    chars: u128,
}

/// Messages that differ only in their variable parts.
#[derive(Clone, Debug)]
pub struct Template {
    /// What they are made of.
    pub parts: Vec<Part>,
    /// How many there are.
    pub count: u64,
    /// How many of them have an address in them.
    pub addressed: u64,
    /// Whether some end in white space.
    pub trailing: bool,
    /// The first of them that differ.
    pub examples: Vec<Box<str>>,
    /// A part that stands for several tokens: its place, and how many.
    pub(super) folded: Option<(usize, usize)>,
}

impl Hole {
    fn new(kind: Kind) -> Self {
        Self {
            kind,
            absent: false,
            brackets: (false, false),
            mapped: false,
            escaped: false,
            values: BTreeSet::new(),
            chars: 0,
        }
    }

    /// One that holds whatever a client wrote.
    pub(super) fn any() -> Self {
        Self { chars: u128::MAX, ..Self::new(Kind::Rest) }
    }

    /// Takes note of a value; gives how many bytes of it are kept.
    fn note(&mut self, text: &str, kind: Kind, room: usize) -> usize {
        let bare = match kind {
            Kind::Quoted => text.get(1..text.len().saturating_sub(1)).unwrap_or_default(),
            Kind::Address => text.trim_start_matches('[').trim_end_matches(']'),
            _ => text,
        };
        let is_absent = kind == Kind::Absent || kind == Kind::Quoted && matches!(bare, "" | "-");
        self.absent |= is_absent;
        self.brackets.0 |= kind == Kind::Address && text.starts_with('[');
        self.brackets.1 |= kind == Kind::Address && !text.starts_with('[');
        self.escaped |= bare.contains('\\');
        self.mapped |= bare.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("::ffff:"))
            && bare.contains('.');
        self.chars |= bare.bytes().filter(u8::is_ascii).fold(0, |all, byte| all | 1 << byte);
        let is_kept = !is_absent
            && self.values.len() < VALUES
            && bare.len() <= LONGEST_VALUE.min(room)
            && !self.values.contains(bare);
        if is_kept {
            self.values.insert(bare.into());
        }
        if is_kept { bare.len() } else { 0 }
    }

    /// Whether any of its values holds this character.
    #[must_use]
    pub fn holds(&self, c: char) -> bool {
        u8::try_from(c).is_ok_and(|byte| byte.is_ascii() && self.chars >> byte & 1 == 1)
    }

    /// Whether it is always an address, in quotes or not, where it is anything.
    #[must_use]
    pub fn is_address(&self) -> bool {
        match self.kind {
            Kind::Address => true,
            Kind::Quoted => {
                !self.values.is_empty()
                    && self.values.iter().all(|value| super::token::address_of(value).is_some())
            }
            _ => false,
        }
    }
}

impl Template {
    /// The template of one message.
    pub(super) fn new(tokens: &[Token<'_>]) -> Self {
        let parts = tokens.iter().map(|token| match token.kind {
            Kind::Space => Part::Space(false),
            Kind::Punct | Kind::Word => Part::Fixed(token.text.into()),
            kind => Part::Hole(Hole::new(kind)),
        });
        Self {
            parts: parts.collect(),
            count: 0,
            addressed: 0,
            trailing: false,
            examples: Vec::new(),
            folded: None,
        }
    }

    /// The token of a message that a part is; the first, where it is several.
    pub(super) fn token(&self, at: usize) -> usize {
        match self.folded {
            Some((folded, length)) if at > folded => at + length - 1,
            _ => at,
        }
    }

    /// How alike a message is, from 0 to 1; `None` when it cannot be one of these.
    pub(super) fn likeness(&self, tokens: &[Token<'_>]) -> Option<f64> {
        if self.parts.len() != tokens.len() {
            return None;
        }
        let (mut same, mut all) = (0_u32, 0_u32);
        for (at, (part, token)) in self.parts.iter().zip(tokens).enumerate() {
            let is_key = tokens.get(at + 1).is_some_and(|next| next.text == "=");
            match (part, token.kind) {
                (Part::Space(_), Kind::Space) => {}
                (Part::Fixed(text), Kind::Punct) if **text == *token.text => {}
                (Part::Fixed(text), Kind::Word) if **text == *token.text => {
                    (same, all) = (same + 1, all + 1);
                }
                (Part::Fixed(text), Kind::Word) => {
                    if is_key || words::is_decisive(text) || words::is_decisive(token.text) {
                        return None;
                    }
                    let are_methods = words::is_method(text) && words::is_method(token.text);
                    all += u32::from(!are_methods);
                }
                (Part::Fixed(text), kind) => {
                    let is_word = !text.chars().all(|c| c.is_ascii_punctuation());
                    if !is_word || !is_atom(kind) || is_key || words::is_decisive(text) {
                        return None;
                    }
                    // A name in one line, an address in another: only where the address follows.
                    if kind == Kind::Address && !may_be_named(tokens, at, kind) {
                        return None;
                    }
                    all += u32::from(kind != Kind::Absent);
                }
                (Part::Hole(hole), kind) => {
                    let decides = kind == Kind::Word && (is_key || words::is_decisive(token.text));
                    let fits = match (hole.kind, kind) {
                        (known, kind) if known == kind => true,
                        (Kind::Quoted | Kind::Rest, _) | (_, Kind::Quoted | Kind::Rest) => false,
                        (_, Kind::Absent) | (Kind::Absent, _) => true,
                        (Kind::Time(_), _) | (_, Kind::Time(_)) => false,
                        (Kind::Address, _) | (_, Kind::Address) => {
                            may_be_named(tokens, at, hole.kind)
                        }
                        (known, kind) => is_atom(known) && is_atom(kind),
                    };
                    if !fits || decides {
                        return None;
                    }
                }
                _ => return None,
            }
        }
        Some(if all == 0 { 1.0 } else { f64::from(same) / f64::from(all) })
    }

    /// Adds a message that is alike; gives how many bytes are kept of it.
    pub(super) fn add(&mut self, message: &str, tokens: &[Token<'_>], room: usize) -> usize {
        let mut kept = 0;
        let mut has_address = false;
        for (part, token) in self.parts.iter_mut().zip(tokens) {
            has_address |= token.kind == Kind::Address
                || token.kind == Kind::Quoted && token.address().is_some();
            match part {
                Part::Space(wide) => *wide |= token.text != " ",
                Part::Fixed(text) if **text == *token.text => {}
                Part::Fixed(text) => {
                    let mut hole = Hole::new(Kind::Word);
                    kept += hole.note(text, Kind::Word, room);
                    kept += hole.note(token.text, token.kind, room.saturating_sub(kept));
                    *part = Part::Hole(hole);
                }
                Part::Hole(hole) => {
                    hole.kind = match (hole.kind, token.kind) {
                        (known, kind) if known == kind => known,
                        (known, Kind::Absent) => known,
                        (Kind::Absent, kind) => kind,
                        _ => Kind::Word,
                    };
                    kept += hole.note(token.text, token.kind, room.saturating_sub(kept));
                }
            }
        }
        self.count += 1;
        self.addressed += u64::from(has_address);
        self.trailing |= trimmed(message).len() < message.len();
        let is_new = self.examples.len() < EXAMPLES
            && !self.examples.iter().any(|known| **known == *message);
        if is_new && message.len() <= room.saturating_sub(kept) {
            self.examples.push(message.into());
            kept += message.len();
        }
        kept
    }

    /// Makes a fixed word vary.
    pub(super) fn open(&mut self, at: usize) {
        if let Some(part) = self.parts.get_mut(at)
            && let Part::Fixed(text) = part
        {
            let mut hole = Hole::new(Kind::Word);
            hole.note(text, Kind::Word, LONGEST_VALUE);
            *part = Part::Hole(hole);
        }
    }

    /// The word, in lower case, that stands before a part: signs, blanks and quotes are passed
    /// over, but no comma.
    #[must_use]
    pub fn before(&self, at: usize) -> Option<(usize, String)> {
        for (at, part) in self.parts.iter().enumerate().take(at).rev() {
            match part {
                Part::Space(_) => {}
                Part::Fixed(text) if is_sign(text) => {
                    if matches!(&**text, "," | ";" | ")" | "]" | "}") {
                        return None;
                    }
                }
                Part::Fixed(text) => return Some((at, text.to_lowercase())),
                Part::Hole(_) => return None,
            }
        }
        None
    }

    /// The words that never vary, in lower case.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let fixed = self.parts.iter().filter_map(|part| match part {
            Part::Fixed(text) if !is_sign(text) => Some(text),
            _ => None,
        });
        // `pam_unix(x:auth)` and `auth-worker` say several words.
        let split = fixed.flat_map(|text| text.split(|c: char| !c.is_alphanumeric()));
        split.filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
    }
}

/// Whether an address in this place may as well be a name: where an address in brackets follows
/// that is the one that counts, and where hosts are named that are no client.
fn may_be_named(tokens: &[Token<'_>], at: usize, kind: Kind) -> bool {
    let is_bracketed = |at: usize| {
        tokens.get(at).is_some_and(|next| next.kind == Kind::Address && next.text.starts_with('['))
    };
    if is_bracketed(at + 1)
        || tokens.get(at + 1).is_some_and(|next| next.text == " ") && is_bracketed(at + 2)
    {
        return true;
    }
    let before = tokens.get(..at).unwrap_or_default();
    let word = before.iter().rev().find(|token| !matches!(token.kind, Kind::Space | Kind::Punct));
    let announced = word.and_then(|word| words::announces(&word.text.to_lowercase()));
    let is_other = matches!(announced, Some(words::Announced::Server | words::Announced::Claim));
    is_other && matches!(kind, Kind::Host | Kind::Address | Kind::Word)
}

/// Whether a fixed part is no word.
fn is_sign(text: &str) -> bool {
    !text.contains(|c: char| c.is_alphanumeric())
}

/// Whether it is one piece without blanks.
fn is_atom(kind: Kind) -> bool {
    !matches!(kind, Kind::Space | Kind::Punct | Kind::Quoted | Kind::Rest | Kind::Time(_))
}

impl fmt::Display for Template {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                Part::Space(_) => out.write_str(" ")?,
                Part::Fixed(text) => out.write_str(text)?,
                Part::Hole(hole) => out.write_str(match hole.kind {
                    Kind::Address => "<address>",
                    Kind::Number => "<number>",
                    Kind::Time(Clock::Hours) => "<clock>",
                    Kind::Time(_) => "<time>",
                    Kind::Id => "<id>",
                    Kind::Path => "<path>",
                    Kind::Url => "<url>",
                    Kind::Host => "<host>",
                    Kind::Quoted if hole.is_address() => "\"<address>\"",
                    Kind::Quoted => "\"<text>\"",
                    Kind::Rest => "<anything>",
                    Kind::Absent => "-",
                    Kind::Space | Kind::Punct | Kind::Word => "<word>",
                })?,
            }
        }
        Ok(())
    }
}
