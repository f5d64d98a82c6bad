//! Whether somebody whose words are logged can put an address of his choice where a pattern takes
//! the offender's from.
//!
//! Nothing is guessed from how a pattern looks. From its tree a line is written that it matches,
//! with the words of a stranger in the place of a wildcard; then those words are chosen so that
//! they look like the rest of the line, with another address. If the compiled pattern takes the
//! other address, the line is the proof, and is shown.
//!
//! Not every forgery is found: groups that repeat and classes in groups are written in one way
//! only. What is found is one.

use regex_syntax::hir::{Class, ClassUnicode, Hir, HirKind, Look};

use crate::parse::grok::{Caches, Grok};

/// The address that the program logged, and the one that somebody wrote.
pub(super) const TRUE: &str = "192.0.2.7";
pub(super) const FORGED: &str = "203.0.113.66";

/// What stands for a stranger's words as long as they mean no harm: the first that fits.
const WORDS: [&str; 2] = ["x", " x "];

/// Hostile: a pattern may ask for lines of any length. Longer ones, in bytes, are not tried, nor
/// those with more wildcards.
const LONGEST: usize = 8192;
const MOST_HOLES: usize = 64;

/// A way to deceive a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Forgery {
    /// The line; the pattern takes [`FORGED`] from it, though the program logged [`TRUE`].
    pub(super) line: String,
    /// What the wildcard's words are captured as, if they are.
    pub(super) capture: Option<usize>,
    /// Whether the words come before the address.
    pub(super) before: bool,
}

/// What a pattern leaves open at its ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Open {
    /// It may begin anywhere, so also within a stranger's words.
    pub(super) start: bool,
    /// What follows the address in the line decides which address is taken.
    pub(super) end: bool,
}

/// A piece of a line.
enum Piece {
    /// As every line has it.
    Fixed(String),
    /// Any characters of a class, at least one.
    Hole(Hole),
    /// The address.
    Address,
}

struct Hole {
    class: ClassUnicode,
    /// Harmless words.
    word: &'static str,
    capture: Option<usize>,
}

/// A pattern, one of its captures, and lines from which that takes the address.
pub(super) struct Study<'g> {
    probe: Probe<'g>,
    tree: Hir,
    /// Each with the place of its address.
    lines: Vec<(Vec<Piece>, usize)>,
}

impl<'g> Study<'g> {
    /// A study of the capture `address`. It has no lines where none could be thought of.
    pub(super) fn new(grok: &'g Grok, address: usize) -> Option<Self> {
        let tree = grok.tree()?;
        let mut probe = Probe { grok, address, caches: Caches::default() };
        let mut lines = Vec::new();
        for pieces in probe.lines(&tree) {
            if let Some(at) = pieces.iter().position(|piece| matches!(piece, Piece::Address)) {
                lines.push((pieces, at));
            }
        }
        Some(Self { probe, tree, lines })
    }

    /// All ways to deceive the pattern that were found, one for each wildcard.
    pub(super) fn forgeries(&mut self) -> Vec<Forgery> {
        let mut found: Vec<Forgery> = Vec::new();
        for (pieces, at) in &self.lines {
            for index in holes(pieces) {
                let Some(Piece::Hole(Hole { capture, .. })) = pieces.get(index) else { continue };
                let (capture, before) = (*capture, index < *at);
                if found.iter().any(|known| known.capture == capture && known.before == before) {
                    continue;
                }
                // Words after the address can copy the line from any of its holes on.
                let from: Vec<usize> = match before {
                    true => vec![index],
                    false => holes(&pieces[..*at]).collect(),
                };
                let mut from = from.into_iter();
                let line = from.find_map(|from| self.probe.deceive(pieces, index, from, *at));
                found.extend(line.map(|line| Forgery { line, capture, before }));
            }
        }
        found
    }

    /// What the pattern leaves open.
    pub(super) fn open(&mut self) -> Open {
        let ends = self.tree.properties();
        let start = !ends.look_set_prefix().contains(Look::Start);
        let may_end_early = !ends.look_set_suffix().contains(Look::End);
        let end = may_end_early
            && self.lines.iter().any(|(pieces, at)| {
                let line = text(pieces, None);
                holes(&pieces[..*at]).any(|from| {
                    let copy = copy(pieces, from, *at);
                    self.probe.takes(&format!("{line} x{copy}"), FORGED)
                })
            });
        Open { start, end }
    }
}

fn holes(pieces: &[Piece]) -> impl Iterator<Item = usize> {
    let numbered = pieces.iter().enumerate();
    numbered.filter(|(_, piece)| matches!(piece, Piece::Hole(_))).map(|(index, _)| index)
}

/// The line; the hole at the place given is filled with the words given.
fn text(pieces: &[Piece], filled: Option<(usize, &str)>) -> String {
    let mut line = String::new();
    for (index, piece) in pieces.iter().enumerate() {
        line.push_str(match (piece, filled) {
            (Piece::Hole(_), Some((at, words))) if at == index => words,
            (Piece::Hole(hole), _) => hole.word,
            (Piece::Fixed(text), _) => text,
            (Piece::Address, _) => TRUE,
        });
    }
    line
}

/// What follows the hole at `from`, with the forged address in the place of the true one at `at`.
fn copy(pieces: &[Piece], from: usize, at: usize) -> String {
    let rest = |range: &[Piece]| text(range, None);
    let middle = pieces.get(from + 1..at).map(rest).unwrap_or_default();
    let end = pieces.get(at + 1..).map(rest).unwrap_or_default();
    format!("{middle}{FORGED}{end}")
}

struct Probe<'g> {
    grok: &'g Grok,
    address: usize,
    caches: Caches,
}

impl Probe<'_> {
    /// Lines that the pattern matches, as honest programs write them: one with as little as
    /// possible, one with everything.
    fn lines(&mut self, tree: &Hir) -> Vec<Vec<Piece>> {
        let mut lines: Vec<Vec<Piece>> = Vec::new();
        for full in [false, true] {
            let fits = WORDS.into_iter().find_map(|word| {
                let mut writer = Writer {
                    address: self.address,
                    full,
                    word,
                    capture: None,
                    pieces: Vec::new(),
                    length: 0,
                };
                writer.write(tree);
                if writer.is_long() || holes(&writer.pieces).count() > MOST_HOLES {
                    return None;
                }
                let line = text(&writer.pieces, None);
                let is_new = lines.iter().all(|known| text(known, None) != line);
                (is_new && self.takes(&line, TRUE)).then_some(writer.pieces)
            });
            lines.extend(fits);
        }
        lines
    }

    /// Whether the pattern takes this address from a line.
    fn takes(&mut self, line: &str, wanted: &str) -> bool {
        let mut taken = false;
        self.grok.search(line, &mut self.caches, |index, text| {
            taken |= index == self.address && text == wanted;
        });
        taken
    }

    /// The line in which the hole at `index` holds a copy of the line from the hole at `from` on,
    /// if that deceives the pattern.
    fn deceive(
        &mut self,
        pieces: &[Piece],
        index: usize,
        from: usize,
        at: usize,
    ) -> Option<String> {
        let Some(Piece::Hole(hole)) = pieces.get(index) else { return None };
        let copy = copy(pieces, from, at);
        ["", " x", "x"].iter().find_map(|end| {
            let words = format!("{}{copy}{end}", hole.word.trim_end());
            let may = |c: char| hole.class.ranges().iter().any(|r| r.start() <= c && c <= r.end());
            if !words.chars().all(may) {
                return None;
            }
            let line = text(pieces, Some((index, &words)));
            self.takes(&line, FORGED).then_some(line)
        })
    }
}

struct Writer {
    address: usize,
    /// Whether what is optional is written.
    full: bool,
    word: &'static str,
    /// The innermost capture around what is written.
    capture: Option<usize>,
    pieces: Vec<Piece>,
    /// Bytes written, and one for each piece.
    length: usize,
}

impl Writer {
    // The parser bounds the depth.
    fn write(&mut self, tree: &Hir) {
        self.length += 1;
        if self.is_long() {
            return;
        }
        match tree.kind() {
            HirKind::Empty | HirKind::Look(_) => {}
            HirKind::Literal(literal) => self.fixed(&String::from_utf8_lossy(&literal.0)),
            HirKind::Class(class) => self.fixed(&member(class).to_string()),
            HirKind::Capture(capture) => {
                let index = (capture.index as usize).checked_sub(1);
                if index == Some(self.address) {
                    self.pieces.push(Piece::Address);
                    return;
                }
                let outer = std::mem::replace(&mut self.capture, index);
                self.write(&capture.sub);
                self.capture = outer;
            }
            HirKind::Repetition(repetition) => {
                if let (HirKind::Class(Class::Unicode(class)), None) =
                    (repetition.sub.kind(), repetition.max)
                    && holds_address(class)
                {
                    // What an address pattern allows after `%` is a zone, which the system writes.
                    if matches!(self.pieces.last(), Some(Piece::Fixed(text)) if text.ends_with('%'))
                    {
                        return self.fixed("x");
                    }
                    let hole =
                        Hole { class: class.clone(), word: self.word, capture: self.capture };
                    return self.pieces.push(Piece::Hole(hole));
                }
                let wanted = self.full || self.has_address(&repetition.sub);
                let times = if wanted { repetition.min.max(1) } else { repetition.min };
                for _ in 0..times.min(repetition.max.unwrap_or(times)) {
                    self.write(&repetition.sub);
                }
            }
            HirKind::Concat(subs) => subs.iter().for_each(|sub| self.write(sub)),
            HirKind::Alternation(subs) => {
                let chosen = subs.iter().find(|sub| self.has_address(sub));
                if let Some(chosen) = chosen.or_else(|| subs.first()) {
                    self.write(chosen);
                }
            }
        }
    }

    fn is_long(&self) -> bool {
        self.length > LONGEST
    }

    fn fixed(&mut self, text: &str) {
        self.length += text.len();
        match self.pieces.last_mut() {
            Some(Piece::Fixed(last)) => last.push_str(text),
            _ => self.pieces.push(Piece::Fixed(text.to_owned())),
        }
    }

    fn has_address(&self, tree: &Hir) -> bool {
        match tree.kind() {
            HirKind::Capture(capture) => {
                capture.index as usize == self.address + 1 || self.has_address(&capture.sub)
            }
            HirKind::Repetition(repetition) => self.has_address(&repetition.sub),
            HirKind::Concat(subs) | HirKind::Alternation(subs) => {
                subs.iter().any(|sub| self.has_address(sub))
            }
            _ => false,
        }
    }
}

/// Whether the characters of an address are all in a class.
fn holds_address(class: &ClassUnicode) -> bool {
    let has = |c: char| class.ranges().iter().any(|r| r.start() <= c && c <= r.end());
    FORGED.chars().chain("x".chars()).all(has)
}

/// A plain character of a class.
fn member(class: &Class) -> char {
    let Class::Unicode(class) = class else { return 'x' };
    let has = |c: &char| class.ranges().iter().any(|r| r.start() <= *c && *c <= r.end());
    let plain = "x1aA -_/.:".chars().find(has);
    plain.or_else(|| class.ranges().first().map(|range| range.start())).unwrap_or('x')
}
