//! Grok: regular expressions put together from named patterns.
//!
//! A [`Library`] holds the named patterns of one universe of rules (parsers, or postoverflow
//! rules); a [`Grok`] is a compiled pattern. Patterns are compiled once, when rules are loaded; a
//! search allocates nothing once its worker's [`Caches`] are warm. Nothing here knows events.

mod address;
mod expand;
mod fuzz;
mod lean;
mod matcher;
mod part;
mod pattern;
mod patterns;
mod progress;
#[cfg(test)]
pub(super) mod sample;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use crate::diagnostic::{UserFile, similar};
use crate::expr::Mistake;
use expand::{Expansion, Trouble, Wanted};
use part::Part;

#[doc(hidden)]
pub use fuzz::fuzz_grok;
pub use pattern::{Caches, Grok};
pub use progress::Progress;

/// The named patterns that rules may refer to.
#[derive(Debug, Clone)]
pub struct Library {
    patterns: HashMap<Box<str>, Named>,
    /// Where the patterns of users are defined: a file, and a byte of it.
    places: HashMap<Box<str>, (Arc<UserFile>, usize)>,
    /// The names of all patterns, in the order in which they were added.
    order: Vec<Box<str>>,
    n_compiled: usize,
    /// How long all expanded patterns are together, in bytes.
    length: usize,
    /// How many automaton states the compiled patterns need together.
    n_states: u64,
}

/// A named pattern.
#[derive(Debug, Clone)]
struct Named {
    source: Box<str>,
    expansion: Expansion,
    /// How many patterns refer to each other in a row, from this one on.
    n_levels: u32,
    /// Itself without those it refers to, made when a pattern that refers to it is compiled.
    part: OnceLock<Option<Arc<Part>>>,
}

/// A state of a [`Library`] that it can go back to.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    n_patterns: usize,
    n_compiled: usize,
    length: usize,
    n_states: u64,
}

/// The longest that all patterns of a library may expand to together, in bytes. Patterns that refer
/// to patterns grow fast, and all of them are kept.
const LONGEST: usize = 64 << 20;

/// How many automaton states all compiled patterns of a library may need together. The rules of a
/// whole hub need less than a tenth of it.
const MOST_STATES: u64 = 40_000_000;

/// Of patterns that refer to each other in a longer row than this no parts are made.
const MOST_LEVELS: u32 = 64;

/// What became of a pattern that was added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Added {
    /// It is in the library.
    New,
    /// The name is taken by the same text.
    Same,
    /// The name is taken by another text, which stays: the first definition wins.
    Ignored,
}

impl Library {
    /// The base patterns.
    #[must_use]
    pub fn base() -> Self {
        let mut library = Self {
            patterns: HashMap::new(),
            places: HashMap::new(),
            order: Vec::new(),
            n_compiled: 0,
            length: 0,
            n_states: 0,
        };
        for (name, pattern) in patterns::BASE {
            library.add(name, pattern).expect("base patterns refer to earlier base patterns");
        }
        library
    }

    /// Adds a pattern under a name. The patterns it refers to must be known already.
    ///
    /// # Errors
    /// A [`Mistake`] in `pattern` when it refers to an unknown pattern or grows too long.
    pub fn add(&mut self, name: &str, pattern: &str) -> Result<Added, Mistake> {
        let expansion = self.expand(pattern, Wanted::Text)?;
        match self.patterns.get(name) {
            Some(known) if known.expansion.text == expansion.text => Ok(Added::Same),
            Some(_) => Ok(Added::Ignored),
            None => {
                let length = self.length + expansion.text.len();
                if length > LONGEST {
                    return Err(Mistake {
                        span: 0..pattern.len(),
                        message: format!(
                            "all patterns together expand to more than {} MiB",
                            LONGEST >> 20
                        ),
                        help: Some("define fewer patterns that refer to others".to_owned()),
                    });
                }
                self.length = length;
                let inner = expansion.references.iter();
                let inner =
                    inner.filter_map(|place| self.patterns.get(&pattern[place.name.clone()]));
                let n_levels = 1 + inner.map(|named| named.n_levels).max().unwrap_or_default();
                let (source, part) = (pattern.into(), OnceLock::new());
                self.patterns.insert(name.into(), Named { source, expansion, n_levels, part });
                self.order.push(name.into());
                Ok(Added::New)
            }
        }
    }

    /// Adds the patterns of a pattern file: one a line, a name of word characters, white space,
    /// and the rest of the line. Lines of any other form are comments. Gives the mistakes found,
    /// with spans into its text; a name that is already taken is one of them.
    #[must_use]
    pub fn add_file(&mut self, file: &Arc<UserFile>) -> Vec<Mistake> {
        let text = &file.text;
        let mut mistakes = Vec::new();
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            let at = start;
            start += line.len();
            let line = line.strip_suffix('\n').unwrap_or(line);
            let line = line.strip_suffix('\r').unwrap_or(line);
            let name = expand::word(line);
            let pattern = line[name.len()..].trim_ascii_start();
            if name.is_empty() || pattern.is_empty() || pattern.len() + name.len() == line.len() {
                continue;
            }
            if self.contains(name) {
                mistakes.push(Mistake {
                    span: at..at + name.len(),
                    message: format!("pattern `{name}` is defined already {}", self.place(name)),
                    help: Some("give it another name, or delete one of the two".to_owned()),
                });
                continue;
            }
            if let Err(mut mistake) = self.add(name, pattern) {
                let shift = at + line.len() - pattern.len();
                mistake.span = mistake.span.start + shift..mistake.span.end + shift;
                mistakes.push(mistake);
                continue;
            }
            self.defined(name, file, at);
        }
        mistakes
    }

    /// The state now.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark {
            n_patterns: self.order.len(),
            n_compiled: self.n_compiled,
            length: self.length,
            n_states: self.n_states,
        }
    }

    /// Goes back to an earlier state: what was added since is forgotten, and what was compiled
    /// since must not be used with what will be.
    pub fn go_back(&mut self, mark: Mark) {
        for name in self.order.drain(mark.n_patterns.min(self.order.len())..) {
            self.patterns.remove(&name);
            self.places.remove(&name);
        }
        (self.n_compiled, self.length, self.n_states) =
            (mark.n_compiled, mark.length, mark.n_states);
    }

    /// Remembers where a pattern that was added is defined.
    pub fn defined(&mut self, name: &str, file: &Arc<UserFile>, at: usize) {
        self.places.insert(name.into(), (Arc::clone(file), at));
    }

    /// Where a pattern is defined, in words: `at FILE:LINE`.
    #[must_use]
    pub fn place(&self, name: &str) -> String {
        match self.places.get(name) {
            Some((file, at)) => format!("at {}:{}", file.path.display(), file.place(*at).0),
            None => "by Weir itself".to_owned(),
        }
    }

    /// Whether a pattern of this name is known.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.patterns.contains_key(name)
    }

    /// Compiles a pattern.
    ///
    /// # Errors
    /// A [`Mistake`] in `pattern` when it refers to an unknown pattern, is not a regular
    /// expression, or is too large.
    pub fn compile(&mut self, pattern: &str) -> Result<Grok, Mistake> {
        let outline = self.expand(pattern, Wanted::Outline)?;
        let id = self.n_compiled;
        self.n_compiled += 1;
        let put_together = self
            .part(pattern, &outline)
            .and_then(|part| Grok::of_part(id, pattern, &outline, part));
        let grok = match put_together {
            Some(grok) => grok,
            None => Grok::compile(id, pattern, &self.expand(pattern, Wanted::Text)?)?,
        };
        self.n_states += grok.n_states();
        if self.n_states > MOST_STATES {
            return Err(Mistake {
                span: 0..pattern.len(),
                message: format!(
                    "all patterns together need more than {MOST_STATES} automaton states"
                ),
                help: Some("lower their repetition counts".to_owned()),
            });
        }
        Ok(grok)
    }

    /// Compiles the pattern of a name.
    ///
    /// # Errors
    /// A [`Mistake`] when there is no pattern of that name, or it cannot be compiled.
    pub fn compile_named(&mut self, name: &str) -> Result<Grok, Mistake> {
        if !self.contains(name) {
            return Err(self.unknown(name, 0..name.len()));
        }
        self.compile(&format!("%{{{name}}}")).map_err(|mistake| Mistake {
            span: 0..name.len(),
            message: format!("pattern `{name}`: {}", mistake.message),
            help: mistake.help,
        })
    }

    /// Texts in `pattern` that look like references but stand for themselves, such as
    /// `%{NUMBER:size:int}`.
    #[must_use]
    pub fn doubtful(&self, pattern: &str) -> Vec<Range<usize>> {
        let outline = self.expand(pattern, Wanted::Outline);
        outline.map_or_else(|_| Vec::new(), |outline| outline.doubtful)
    }

    fn expand(&self, pattern: &str, wanted: Wanted) -> Result<Expansion, Mistake> {
        let find = |name: &str| self.patterns.get(name).map(|named| &named.expansion);
        expand::expand(pattern, wanted, find).map_err(|trouble| match trouble {
            Trouble::Unknown(name, span) => self.unknown(&name, span),
            Trouble::TooLong => Mistake {
                span: 0..pattern.len(),
                message: "the pattern expands to more than 1 MiB".to_owned(),
                help: Some("refer to fewer patterns".to_owned()),
            },
        })
    }

    /// The pattern without those it refers to, where it can be parsed apart from them.
    fn part(&self, source: &str, expansion: &Expansion) -> Option<Part> {
        let parts = expansion.references.iter().map(|place| {
            let named = self.patterns.get(source.get(place.name.clone())?)?;
            // Hostile: thousands of patterns, each of which refers to the one before.
            if named.n_levels > MOST_LEVELS {
                return None;
            }
            let make = || self.part(&named.source, &named.expansion).map(Arc::new);
            named.part.get_or_init(make).clone()
        });
        Part::new(source, &expansion.references, parts.collect::<Option<_>>()?)
    }

    fn unknown(&self, name: &str, span: Range<usize>) -> Mistake {
        let mut known: Vec<&str> = self.patterns.keys().map(|name| &**name).collect();
        known.sort_unstable();
        let near = similar(name, known);
        Mistake {
            span,
            message: format!("unknown pattern `{name}`"),
            help: Some(match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => "a pattern must be defined before it is referred to".to_owned(),
            }),
        }
    }
}
