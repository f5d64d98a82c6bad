//! A compiled pattern and the search for it.

use std::sync::OnceLock;

use regex_automata::meta::{Cache, Regex};
use regex_automata::util::primitives::NonMaxUsize;
use regex_automata::{Input, meta};
use regex_syntax::hir::Hir;

use super::expand::Expansion;
use super::lean;
use super::matcher::{Matcher, Memory, NONE, Search};
use super::part::{self, Part};
use super::progress::{self, Progress};
use crate::expr::{Mistake, dialect, weight};

/// The largest automaton that a pattern may need, in states.
const MOST_STATES: u64 = 400_000;

/// How much a search may remember of its pattern's automaton, in bytes. Hostile: lines can be made
/// to fill it, for every pattern that they reach and every worker.
const REMEMBERED: usize = 512 << 10;

/// How much lighter a pattern put together of parts may seem than it is: what its parts say alike
/// becomes one, and two characters become a class, which is taken to be heavier.
const SLACK: u64 = 8;

/// A compiled pattern: searches a text and gives what its named references matched.
#[derive(Debug)]
pub struct Grok {
    /// Its place in [`Caches`]; different for every pattern of a library.
    id: usize,
    /// How many states its automaton needs, about.
    n_states: u64,
    source: Box<str>,
    /// The names of its captures; the first is in group 1, and so on.
    captures: Box<[Box<str>]>,
    origin: Origin,
    /// Fixed texts that every match holds.
    needs: Box<[Box<[u8]>]>,
    /// Whether that is so only of texts that are all ASCII.
    needs_are_of_ascii: bool,
    ready: OnceLock<Ready>,
}

/// What the tree of a pattern is made of when it is needed: trees are too large to be kept.
#[derive(Debug)]
enum Origin {
    /// Parts, and the places of the groups to be captured in the expanded pattern.
    Parts(Part, Box<[usize]>),
    /// The expanded pattern, and the groups to be captured.
    Text(Box<str>, Box<[u32]>),
}

/// What searches for a pattern, made ready when a text is first searched: most patterns of a large
/// collection never meet one.
#[derive(Debug, Default)]
struct Ready {
    /// The quick way, for texts that are all ASCII.
    matcher: Option<Matcher>,
    /// For texts that are all ASCII, where there is no quick way or it cannot tell.
    ascii: Form,
    /// For all other texts; absent when the pattern is the same for both.
    other: Option<Form>,
}

/// An automaton, built when a text first needs it.
type Form = OnceLock<Option<Regex>>;

/// The memory that searches work with; one per worker, never shared.
#[derive(Debug, Default)]
pub struct Caches {
    by_id: Vec<[Option<Cache>; 2]>,
    slots: Vec<Option<NonMaxUsize>>,
    memory: Memory,
}

impl Grok {
    /// Takes a pattern made of parts; `None` when it is too large.
    pub(super) fn of_part(
        id: usize,
        source: &str,
        outline: &Expansion,
        part: Part,
    ) -> Option<Self> {
        let mut grok = Self {
            id,
            n_states: part.weight,
            source: source.into(),
            captures: outline.captures.iter().map(|capture| capture.name.clone()).collect(),
            needs: part.texts.iter().flatten().cloned().collect(),
            needs_are_of_ascii: !part.is_ascii_only,
            origin: Origin::Parts(part, outline.captures.iter().map(|each| each.at).collect()),
            ready: OnceLock::new(),
        };
        if grok.n_states > MOST_STATES / SLACK {
            grok.n_states = weight::weight(&grok.tree()?, &|_| None);
        }
        (grok.n_states <= MOST_STATES).then_some(grok)
    }

    /// Compiles an expanded pattern.
    pub(super) fn compile(id: usize, source: &str, expansion: &Expansion) -> Result<Self, Mistake> {
        let (text, kept, hir) = parse(source, expansion)?;
        let n_states = weight::weight(&hir, &|_| None);
        if n_states > MOST_STATES {
            return Err(Mistake {
                span: 0..source.len(),
                message: format!("the pattern needs more than {MOST_STATES} automaton states"),
                help: Some("lower its repetition counts".to_owned()),
            });
        }
        Ok(Self {
            id,
            n_states,
            source: source.into(),
            captures: expansion.captures.iter().map(|capture| capture.name.clone()).collect(),
            needs: part::texts(&hir).into_iter().flatten().collect(),
            needs_are_of_ascii: !lean::is_ascii_only(&hir),
            origin: Origin::Text(text.into(), kept.into()),
            ready: OnceLock::new(),
        })
    }

    /// How many states its automaton needs, about.
    pub(super) fn n_states(&self) -> u64 {
        self.n_states
    }

    /// The pattern as a tree, whose only groups are its captures, numbered from 1. It was parsed
    /// before, and its size bounded, so nothing fails.
    #[must_use]
    pub fn tree(&self) -> Option<Hir> {
        let number = |place: Option<usize>| u32::try_from(place? + 1).ok();
        match &self.origin {
            Origin::Parts(part, places) => {
                let number = |at| number(places.iter().position(|place| *place == at));
                Some(part.whole(&number))
            }
            Origin::Text(text, kept) => Some(lean_form(regex_syntax::parse(text).ok()?, kept)),
        }
    }

    fn ready(&self) -> &Ready {
        self.ready.get_or_init(|| self.make_ready())
    }

    #[cold]
    fn make_ready(&self) -> Ready {
        // It was parsed before, so there is a tree.
        let Some(tree) = self.tree() else { return Ready::default() };
        let other = (!lean::is_ascii_only(&tree)).then(Form::new);
        let matcher = Matcher::new(&lean::ascii_only(tree), self.captures.len(), other.is_some());
        Ready { matcher, ascii: Form::new(), other }
    }

    /// Builds what nearly all texts need, unless one has needed it before. Most patterns of a large
    /// collection never meet a text, so none is built before it is asked for.
    ///
    /// # Errors
    /// When it cannot be built: the pattern is then never found.
    pub fn warm(&self) -> Result<(), String> {
        let ready = self.ready();
        let is_ready =
            ready.matcher.is_some() || ready.ascii.get_or_init(|| self.build_ascii()).is_some();
        is_ready.then_some(()).ok_or_else(|| "it cannot be made an automaton".to_owned())
    }

    fn build_ascii(&self) -> Option<Regex> {
        build(&lean::ascii_only(self.tree()?)).ok()
    }

    /// The pattern, or the name of the pattern, as the rule has it.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The names of its captures, in the order in which [`Self::search`] numbers them.
    #[must_use]
    pub fn captures(&self) -> &[Box<str>] {
        &self.captures
    }

    /// Fixed texts that every text holds in which the pattern is found.
    pub(in crate::parse) fn needs(&self) -> &[Box<[u8]>] {
        &self.needs
    }

    /// Whether that is so only of texts that are all ASCII.
    pub(in crate::parse) fn needs_are_of_ascii(&self) -> bool {
        self.needs_are_of_ascii
    }

    /// Searches `text`; when the pattern is found, calls `each` with the number and the text of
    /// every capture, also of those that took no part, whose text is empty.
    ///
    /// A pattern without any capture is never found: the result of a grok is the map of its
    /// captures, and an empty map means failure.
    pub fn search<'t>(
        &self,
        text: &'t str,
        caches: &mut Caches,
        mut each: impl FnMut(usize, &'t str),
    ) -> bool {
        if self.captures.is_empty() {
            return false;
        }
        let ready = self.ready();
        let is_other = ready.other.is_some() && !text.is_ascii();
        if let Some(matcher) = &ready.matcher
            && !is_other
        {
            match matcher.search(text.as_bytes(), &mut caches.memory) {
                Search::Nothing => return false,
                Search::Unsure => {}
                Search::Found => {
                    for (index, pair) in caches.memory.slots().chunks_exact(2).enumerate() {
                        each(index, between(text, pair).unwrap_or_default());
                    }
                    return true;
                }
            }
        }
        self.search_slowly(ready, text, is_other, caches, each)
    }

    /// Searches with the automata.
    fn search_slowly<'t>(
        &self,
        ready: &Ready,
        text: &'t str,
        is_other: bool,
        caches: &mut Caches,
        mut each: impl FnMut(usize, &'t str),
    ) -> bool {
        if caches.by_id.len() <= self.id {
            caches.by_id.resize_with(self.id + 1, Default::default);
        }
        let [ascii, other] = &mut caches.by_id[self.id];
        let slots = &mut caches.slots;
        let found = match &ready.other {
            Some(form) if is_other => {
                let regex = form.get_or_init(|| build(&self.tree()?).ok());
                run(regex.as_ref(), other, slots, text)
            }
            _ => {
                let form = ready.ascii.get_or_init(|| self.build_ascii());
                run(form.as_ref(), ascii, slots, text)
            }
        };
        if !found {
            return false;
        }
        let slots = slots.get(2..2 * (self.captures.len() + 1)).unwrap_or_default();
        for (index, pair) in slots.chunks_exact(2).enumerate() {
            each(index, piece(text, pair).unwrap_or_default());
        }
        true
    }

    /// Whether it is searched for without automata.
    #[cfg(test)]
    pub(super) fn is_quick(&self) -> bool {
        self.ready().matcher.is_some()
    }

    /// How far this pattern, written as `source` in a rule, gets in a text that it does not match.
    /// Compiles parts of the pattern anew: for explanations, not for the path of every line.
    #[must_use]
    pub fn progress(&self, library: &super::Library, text: &str) -> Progress {
        progress::of(library, &self.source, text)
    }
}

/// The expanded pattern as a regular expression, the groups of its captures, and its tree.
pub(super) fn parse(
    source: &str,
    expansion: &Expansion,
) -> Result<(String, Vec<u32>, Hir), Mistake> {
    let rewritten = dialect::rewrite(&expansion.text);
    let mistake = |at: usize, message: String| {
        // Within a piece that was rewritten a place is only near.
        let at = expansion.source_of(rewritten.back(at)).min(source.len());
        let at = source.floor_char_boundary(at);
        let next = source.get(at..).and_then(|rest| rest.chars().next());
        let end = at + next.map_or(0, char::len_utf8);
        Mistake { span: at..end, message, help: None }
    };
    let ast = regex_syntax::ast::parse::Parser::new()
        .parse(&rewritten.text)
        .map_err(|e| mistake(e.span().start.offset, e.kind().to_string()))?;
    let groups = progress::groups(&ast);
    let mut kept = Vec::with_capacity(expansion.captures.len());
    for capture in &expansion.captures {
        let place = rewritten.forward(capture.at);
        let Some(group) = groups.iter().find(|(start, _)| *start == place) else {
            return Err(Mistake {
                span: 0..source.len(),
                message: format!(
                    "`{}` captures inside a character class or a comment, where nothing can be \
                     captured",
                    capture.name
                ),
                help: None,
            });
        };
        kept.push(group.1);
    }
    let hir = regex_syntax::hir::translate::Translator::new()
        .translate(&rewritten.text, &ast)
        .map_err(|e| mistake(e.span().start.offset, e.kind().to_string()))?;
    let hir = lean_form(hir, &kept);
    Ok((rewritten.text, kept, hir))
}

/// Drops all groups but those to be captured, which are numbered by their place in `kept`.
fn lean_form(hir: Hir, kept: &[u32]) -> Hir {
    lean::drop_groups(hir, &|index| {
        let place = kept.iter().position(|known| *known == index)?;
        u32::try_from(place + 1).ok()
    })
}

/// Searches for a form and leaves the places of its groups in `slots`.
fn run(
    regex: Option<&Regex>,
    cache: &mut Option<Cache>,
    slots: &mut Vec<Option<NonMaxUsize>>,
    text: &str,
) -> bool {
    let Some(regex) = regex else { return false };
    let n_slots = 2 * regex.captures_len();
    if slots.len() < n_slots {
        slots.resize(n_slots, None);
    }
    let cache = cache.get_or_insert_with(|| regex.create_cache());
    let slots = slots.get_mut(..n_slots).unwrap_or_default();
    regex.search_slots_with(cache, &Input::new(text), slots).is_some()
}

/// The piece of `text` between two places of the matcher; `None` when the group took no part.
fn between<'t>(text: &'t str, pair: &[u32]) -> Option<&'t str> {
    match pair {
        [start, end] if *start != NONE && *end != NONE => text.get(*start as usize..*end as usize),
        _ => None,
    }
}

/// The piece of `text` that a group covers; `None` when it took no part.
fn piece<'t>(text: &'t str, pair: &[Option<NonMaxUsize>]) -> Option<&'t str> {
    match pair {
        // Hostile: a place inside a character gives no text, not a panic.
        [Some(start), Some(end)] => text.get(start.get()..end.get()),
        _ => None,
    }
}

/// Builds the automata. Their size was bounded before, by weight.
pub(super) fn build(hir: &Hir) -> Result<Regex, String> {
    let config = Regex::config()
        .nfa_size_limit(None)
        .onepass_size_limit(Some(1 << 17))
        .hybrid_cache_capacity(REMEMBERED);
    meta::Builder::new().configure(config).build_from_hir(hir).map_err(|e| e.to_string())
}
