//! Whose lines are these? Rules that give lines another label or another program.
//!
//! What a program calls itself in its lines is not always what the rules expect: a container's tag
//! holds its name and number, a file's tag says which file. Rules here look at what a line's header
//! and its source say, and the first whose conditions all hold decides. They are asked between the
//! header and the rules that parse, so a line that no rule speaks of must cost next to nothing: a
//! table by the first byte of the program rules out nearly all, and each worker remembers which
//! rules may concern the programs that it met ([`Memory`]).

mod cri;
mod memory;
mod template;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};

use super::observe::{Fact, Observer};
use super::syslog::Header;
use crate::event::{Event, Line, Origin};
use crate::value::{Arena, Glob, Names};

pub(super) use cri::decode as decode_cri;
pub(super) use memory::Memory;
pub use template::{Template, TemplateError};

/// A rule: what a line must be, and what it becomes. A condition that is not set holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassRule {
    /// Where it is written, such as `weir.yaml:12`.
    pub place: Box<str>,
    /// The name of the source.
    pub source: Option<Glob>,
    /// The program as received: the tag without pid.
    pub program: Option<Glob>,
    /// The same, as container runtimes call it; both must fit.
    pub tag: Option<Glob>,
    /// The host that the line names.
    pub host: Option<Glob>,
    /// The unit of the service manager.
    pub unit: Option<Glob>,
    /// The name of the container.
    pub container: Option<Glob>,
    /// The facility, 0 to 23.
    pub facility: Option<u8>,
    /// The new label.
    pub label: Option<Box<str>>,
    /// The new program.
    pub rename: Option<Template>,
    /// What the message is wrapped in.
    pub unwrap: Option<Wrapping>,
}

/// What a message may be wrapped in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrapping {
    /// A line of a Kubernetes container's log file: `2026-11-22T10:00:00Z stdout F message`.
    Cri,
}

/// What is known of a line; what is not is empty.
#[derive(Clone, Copy, Debug, Default)]
struct Facts<'a> {
    source: &'a str,
    program: &'a str,
    host: &'a str,
    unit: &'a str,
    container: &'a str,
    facility: Option<u8>,
}

/// Rules in their order, ready to be asked.
#[derive(Debug)]
pub struct Classes {
    rules: Box<[ClassRule]>,
    /// For lines of which only their text is known, and for those of which more is.
    starts: [Starts; 2],
    /// Different for every value of this type, so that no worker's memory of one is used with
    /// another.
    generation: u64,
}

static GENERATION: AtomicU64 = AtomicU64::new(1);

impl Classes {
    /// Makes rules ready; the first that fits counts.
    #[must_use]
    pub fn new(rules: Vec<ClassRule>) -> Self {
        let of_text = rules.iter().filter(|rule| rule.unit.is_none() && rule.container.is_none());
        let starts = [Starts::of(of_text), Starts::of(rules.iter())];
        let generation = GENERATION.fetch_add(1, Ordering::Relaxed);
        Self { rules: rules.into(), starts, generation }
    }

    /// Whether there is no rule.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Does to an event, whose header was read, what the first rule that fits says.
    #[inline]
    pub(super) fn apply<'a>(
        &'a self,
        event: &Event<'a>,
        received: Received<'a>,
        memory: &mut Memory,
        observer: Option<&mut Observer<'_, 'a>>,
    ) {
        let program = event.get(Names::PROGRAM).unwrap_or_default();
        let [of_text, of_all] = &self.starts;
        let starts = if received.origin.is_some() { of_all } else { of_text };
        if starts.may_concern(program) {
            self.look_closely(event, program, received, memory, observer);
        }
    }

    fn look_closely<'a>(
        &'a self,
        event: &Event<'a>,
        program: &'a str,
        received: Received<'a>,
        memory: &mut Memory,
        observer: Option<&mut Observer<'_, 'a>>,
    ) {
        let candidates = memory.candidates(self, program);
        if candidates.is_empty() {
            return;
        }
        let host = event.get(Names::MACHINE).unwrap_or_default();
        let facts = received.facts(event.source.get(), program, host);
        let mut candidates =
            candidates.iter().filter_map(|rule| self.rules.get(usize::from(*rule)));
        let Some(rule) = candidates.find(|rule| rule.fits_beside_program(&facts)) else { return };
        if let Some(observer) = observer {
            observer(Fact::Classified { place: &rule.place, program });
        }
        rule.apply(event, &facts);
    }
}

impl ClassRule {
    /// Whether the program is one that the rule speaks of.
    fn fits_program(&self, program: &str) -> bool {
        let fits = |glob: &Option<Glob>| glob.as_ref().is_none_or(|glob| glob.fits(program));
        fits(&self.program) && fits(&self.tag)
    }

    /// Whether all else that the rule asks for is so.
    fn fits_beside_program(&self, facts: &Facts<'_>) -> bool {
        // A pattern that everything fits still wants something to be there.
        let fits = |glob: &Option<Glob>, text: &str| {
            glob.as_ref().is_none_or(|glob| !text.is_empty() && glob.fits(text))
        };
        fits(&self.source, facts.source)
            && fits(&self.host, facts.host)
            && fits(&self.unit, facts.unit)
            && fits(&self.container, facts.container)
            && (self.facility.is_none() || self.facility == facts.facility)
    }

    /// Whether nothing but the program matters.
    fn is_by_program(&self) -> bool {
        let others = [&self.source, &self.host, &self.unit, &self.container];
        others.iter().all(|glob| glob.is_none()) && self.facility.is_none()
    }

    fn apply<'a>(&'a self, event: &Event<'a>, facts: &Facts<'a>) {
        if let Some(label) = &self.label {
            event.set(Names::LABEL, label);
        }
        if let Some(template) = &self.rename {
            let name = template.fill(facts, event.arena());
            if !name.is_empty() {
                event.set(Names::PROGRAM, name);
            }
        }
        if self.unwrap == Some(Wrapping::Cri)
            && let Some(cri) = event.get(Names::MESSAGE).and_then(decode_cri)
        {
            event.set(Names::MESSAGE, cri.message);
            event.str_time.set(cri.timestamp);
        }
    }
}

/// What a rule makes of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// The new label, if it gets one.
    pub label: Option<Box<str>>,
    /// The new program, if it gets one.
    pub program: Option<String>,
}

/// What the first of the rules that fits makes of a line, for whoever has only its header and no
/// hurry.
#[must_use]
pub fn classify(
    rules: &[ClassRule],
    source: &str,
    header: &Header<'_>,
    line: &Line<'_>,
) -> Option<Class> {
    let received = Received::of(line);
    let facts = received.facts(source, header.program, header.host);
    let rule = rules
        .iter()
        .find(|rule| rule.fits_program(header.program) && rule.fits_beside_program(&facts))?;
    let arena = Arena::new();
    let program = rule.rename.as_ref().map(|name| name.fill(&facts, &arena).to_owned());
    let program = program.filter(|program| !program.is_empty());
    Some(Class { label: rule.label.clone(), program })
}

/// What is known of a line beside its event.
#[derive(Clone, Copy)]
pub(super) struct Received<'a> {
    bytes: &'a [u8],
    origin: Option<&'a Origin>,
}

impl<'a> Received<'a> {
    pub(super) fn of(line: &Line<'a>) -> Self {
        Self { bytes: line.bytes, origin: line.origin }
    }

    fn facts(self, source: &'a str, program: &'a str, host: &'a str) -> Facts<'a> {
        Facts {
            source,
            program,
            host,
            unit: self.origin.map_or("", |origin| &origin.unit),
            container: self.origin.map_or("", |origin| &origin.container),
            facility: self.origin.and_then(|origin| origin.facility).or_else(|| self.facility()),
        }
    }

    /// The facility in the priority, if the line has a valid one.
    fn facility(self) -> Option<u8> {
        let [b'<', rest @ ..] = self.bytes else { return None };
        let digits = rest.iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
        if rest.get(digits) != Some(&b'>') {
            return None;
        }
        let digits = std::str::from_utf8(rest.get(..digits)?).ok()?;
        let priority: u16 = digits.parse().ok()?;
        // Facility 23 and severity 7 are the greatest (RFC 5424 section 6.2.1).
        u8::try_from(priority / 8).ok().filter(|facility| *facility <= 23)
    }
}

/// Which programs any rule may speak of, by how they begin.
#[derive(Debug)]
struct Starts {
    /// One more than the place in `prefixes`, by the first byte of the program; 0 for bytes that no
    /// rule speaks of.
    by_first: Box<[u16; 256]>,
    /// What all programs of that first byte that a rule speaks of begin with.
    prefixes: Vec<Box<str>>,
}

impl Starts {
    fn of<'r>(rules: impl Iterator<Item = &'r ClassRule>) -> Self {
        let mut starts = Self { by_first: Box::new([0; 256]), prefixes: Vec::new() };
        for rule in rules {
            let prefix = [&rule.program, &rule.tag]
                .into_iter()
                .flatten()
                .map(Glob::prefix)
                .max_by_key(|prefix| prefix.len())
                .unwrap_or_default();
            match prefix.as_bytes().first() {
                Some(first) => starts.add(*first, prefix),
                None => (0..=u8::MAX).for_each(|first| starts.add(first, "")),
            }
        }
        starts
    }

    fn add(&mut self, first: u8, prefix: &str) {
        let place = &mut self.by_first[usize::from(first)];
        match place.checked_sub(1).and_then(|place| self.prefixes.get_mut(usize::from(place))) {
            Some(known) => {
                let alike = |(a, b): &(char, char)| a == b;
                let shared = known.chars().zip(prefix.chars()).take_while(alike);
                let shared: usize = shared.map(|(a, _)| a.len_utf8()).sum();
                *known = known.get(..shared).unwrap_or_default().into();
            }
            None => {
                self.prefixes.push(prefix.into());
                // 256 at most, one for each byte.
                *place = u16::try_from(self.prefixes.len()).unwrap_or(u16::MAX);
            }
        }
    }

    #[inline]
    fn may_concern(&self, program: &str) -> bool {
        // No program at all is asked about as a program that begins with a zero byte.
        let first = program.as_bytes().first().copied().unwrap_or_default();
        match self.by_first[usize::from(first)] {
            0 => false,
            place => {
                let prefix = self.prefixes.get(usize::from(place) - 1);
                prefix.is_none_or(|prefix| program.starts_with(&**prefix))
            }
        }
    }
}
