//! An event copied out of its arena, for buckets and test results.

use std::ops::Range;
use std::sync::Arc;

use super::{Event, Kind, Mode, Overflow, OverflowView, Trust};
use crate::value::{Arena, Map, Names, Owned, Section, Slot, Time, Value};

/// Everything an event held, owned.
///
/// There may be a million of these: texts lie in one allocation, pieces of the line only once,
/// the first few fields beside them, and what few events have lies behind one pointer.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// When the line arrived.
    pub received_at: Time,
    /// `evt.Time`.
    pub time: Time,
    /// When the log says it happened; `None` when the log does not say, or when nobody asks,
    /// because the event is live.
    pub written_at: Option<Time>,
    text: Box<str>,
    few: [Brief; FEW],
    n_few: u8,
    /// How much of the text is the beginning of the line.
    n_line: u16,
    more: Box<[Stored]>,
    rare: Option<Box<Rare>>,
    marshaled_time: Piece,
    /// The most that may follow from it.
    pub trust: Trust,
    /// Log line or overflow.
    pub kind: Kind,
    /// Live or replay.
    pub mode: Mode,
    /// `evt.Process`.
    pub processed: bool,
    /// `evt.Whitelisted`.
    pub allowlisted: bool,
}

/// A part of a snapshot's text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Piece {
    start: u32,
    length: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Stored {
    slot: Slot,
    piece: Piece,
}

/// A field near the beginning of the text, as nearly all are.
#[derive(Clone, Copy, Debug, Default)]
struct Brief {
    slot: Slot,
    start: u16,
    length: u16,
}

/// How many fields have their place in a snapshot: as many as the brief form of an event has, as a
/// rule.
const FEW: usize = 10;

/// What is only kept of whole events, or of an overflow.
#[derive(Clone, Debug, Default)]
struct Rare {
    overflow: Option<Arc<Overflow>>,
    /// Raw, source, module, str_time, str_time_format, stage, allowlist_reason.
    fixed: [Piece; 7],
    extra: Box<[(Section, Piece, Piece)]>,
    unmarshaled: Option<Owned>,
}

impl From<Brief> for Stored {
    #[inline]
    fn from(Brief { slot, start, length }: Brief) -> Self {
        Self { slot, piece: Piece { start: start.into(), length: length.into() } }
    }
}

/// Memory for making snapshots, used again for each.
#[derive(Debug, Default)]
pub struct Copier {
    text: Text,
    few: [Brief; FEW],
    n_few: usize,
    n_line: u16,
    more: Vec<Stored>,
    /// Whether all of the event is copied.
    whole: bool,
}

/// The text of a snapshot as it grows.
#[derive(Debug, Default)]
struct Text {
    text: String,
    /// Where the line lies in memory, once it was copied: at the beginning.
    line: Range<usize>,
    /// Where what was copied last came from: what occurs twice mostly does so in a row.
    last: Origin,
}

#[derive(Clone, Copy, Debug, Default)]
struct Origin {
    at: usize,
    length: usize,
    start: usize,
}

impl Text {
    /// Begins another, with the line if there is one.
    fn begin(&mut self, line: &str) {
        self.text.clear();
        self.text.push_str(line);
        let from = line.as_ptr().addr();
        self.line = from..from + line.len();
        self.last = Origin::default();
    }

    #[inline]
    fn get(&self, piece: Piece) -> Option<&str> {
        self.text.get(piece.start as usize..)?.get(..piece.length as usize)
    }

    /// Copies `text`, unless it is a piece of the line, or was copied just before.
    fn add(&mut self, text: &str) -> Piece {
        let mut last = self.last;
        let start = self.add_after::<true>(text, &mut last);
        self.last = last;
        Piece { start: narrow(start), length: narrow(text.len()) }
    }

    /// The same for a loop, which holds where the last text came from. Without `LINE` no line was
    /// copied.
    #[inline(always)]
    fn add_after<const LINE: bool>(&mut self, text: &str, last: &mut Origin) -> usize {
        let (at, length) = (text.as_ptr().addr(), text.len());
        if LINE && self.line.contains(&at) && length <= self.line.end - at {
            return at - self.line.start;
        }
        if last.at != at || last.length != length {
            *last = Origin { at, length, start: self.text.len() };
            self.text.push_str(text);
        }
        last.start
    }
}

impl Copier {
    /// Begins a copy of `event`: all of it, or only what alerts are made of (`Meta`, `Enriched`, the
    /// times and, of a live event, the beginning of the line: fields are pieces of it, mostly).
    pub fn begin(&mut self, event: &Event<'_>, whole: bool) {
        let raw = event.raw.get();
        let line = match event.mode {
            Mode::Live => beginning(raw),
            // Nobody asks, and a replay has a million events in buckets.
            Mode::Replay => "",
        };
        self.n_line = u16::try_from(line.len()).expect("it was cut");
        self.text.begin(if whole { raw } else { line });
        self.whole = whole;
        self.more.clear();
        match (whole, line.is_empty()) {
            (true, _) => self.fields::<true, true>(event),
            (false, false) => self.fields::<false, true>(event),
            (false, true) => self.fields::<false, false>(event),
        }
    }

    fn fields<const WHOLE: bool, const LINE: bool>(&mut self, event: &Event<'_>) {
        let sections = event.names.sections();
        let (mut last, mut n_few) = (Origin::default(), 0);
        for &(slot, text) in event.fields.borrow().as_slice() {
            let Some(section) = sections.get(usize::from(slot.0)) else { continue };
            if !is_kept(*section, WHOLE) {
                continue;
            }
            let start = self.text.add_after::<LINE>(text, &mut last);
            match (self.few.get_mut(n_few), u16::try_from(start), u16::try_from(text.len())) {
                (Some(few), Ok(start), Ok(length)) if self.more.is_empty() => {
                    *few = Brief { slot, start, length };
                    n_few += 1;
                }
                _ => {
                    let piece = Piece { start: narrow(start), length: narrow(text.len()) };
                    self.more.push(Stored { slot, piece });
                }
            }
        }
        (self.n_few, self.text.last) = (n_few, last);
    }

    /// Keeps a text of the event with the copy; gives where it went. That of a field is there.
    pub fn keep(&mut self, text: &str) -> Piece {
        let few = self.few.get(..self.n_few).unwrap_or_default();
        let is_same = |piece: &Piece| {
            piece.length as usize == text.len() && self.text.get(*piece) == Some(text)
        };
        let known = few.iter().map(|brief| Stored::from(*brief).piece).find(is_same);
        known.unwrap_or_else(|| self.text.add(text))
    }

    /// The copy of `event`, which must not have changed since it was begun.
    pub fn finish(&mut self, event: &Event<'_>) -> Snapshot {
        let marshaled_time = self.text.add(event.marshaled_time.get());
        let rare = self.rare(event);
        Snapshot {
            received_at: event.received_at,
            time: event.time.get(),
            written_at: None,
            text: self.text.text.as_str().into(),
            few: self.few,
            n_few: u8::try_from(self.n_few).expect("there are few"),
            n_line: self.n_line,
            more: self.more.as_slice().into(),
            rare,
            marshaled_time,
            trust: event.trust.get(),
            kind: event.kind,
            mode: event.mode,
            processed: event.processed.get(),
            allowlisted: event.allowlisted.get(),
        }
    }

    fn rare(&mut self, event: &Event<'_>) -> Option<Box<Rare>> {
        let (extra, whole) = (event.extra.borrow(), self.whole);
        if !whole && extra.is_empty() {
            return None;
        }
        let extra: Box<[_]> = extra
            .iter()
            .filter(|(section, _, _)| is_kept(*section, whole))
            .map(|&(section, name, text)| (section, self.text.add(name), self.text.add(text)))
            .collect();
        let fixed = match whole {
            false => [Piece::default(); 7],
            true => [
                &event.raw,
                &event.source,
                &event.module,
                &event.str_time,
                &event.str_time_format,
                &event.stage,
                &event.allowlist_reason,
            ]
            .map(|text| self.text.add(text.get())),
        };
        let unmarshaled = event.unmarshaled();
        let unmarshaled =
            (whole && !unmarshaled.is_empty()).then(|| Owned::from_value(Value::Map(unmarshaled)));
        Some(Box::new(Rare { overflow: None, fixed, extra, unmarshaled }))
    }
}

impl Snapshot {
    /// The members of an event that only a whole copy has.
    pub const LEFT_OUT: &[&str] = &[
        "Line",
        "Overflow",
        "Parsed",
        "Stage",
        "StrTime",
        "StrTimeFormat",
        "Unmarshaled",
        "WhitelistReason",
    ];

    /// Copies `event`. The overflow of an overflow event is not part of it; see
    /// [`Snapshot::with_overflow`].
    #[must_use]
    pub fn of(event: &Event<'_>) -> Self {
        let mut copier = Copier::default();
        copier.begin(event, true);
        copier.finish(event)
    }

    /// With the overflow that the event is about.
    #[must_use]
    pub fn with_overflow(mut self, overflow: Arc<Overflow>) -> Self {
        self.rare.get_or_insert_default().overflow = Some(overflow);
        self
    }

    /// The event again, in an arena, its texts borrowed from this snapshot. `names` must be the
    /// names that the event was made with.
    pub fn lend<'a>(&'a self, arena: &'a Arena, names: &'a Names) -> &'a Event<'a> {
        let event = Event::new(arena, names, self.kind, self.mode, self.received_at);
        for stored in self.fields() {
            event.set(stored.slot, self.piece(stored.piece));
        }
        event.marshaled_time.set(self.marshaled_time());
        event.time.set(self.time);
        event.trust.set(self.trust);
        event.processed.set(self.processed);
        event.allowlisted.set(self.allowlisted);
        let Some(rare) = &self.rare else { return event };
        let fixed = rare.fixed.map(|piece| self.piece(piece));
        let [raw, source, module, str_time, str_time_format, stage, allowlist_reason] = fixed;
        event.raw.set(raw);
        event.source.set(source);
        event.module.set(module);
        event.str_time.set(str_time);
        event.str_time_format.set(str_time_format);
        event.stage.set(stage);
        event.allowlist_reason.set(allowlist_reason);
        for &(section, name, text) in &rare.extra {
            event.set_named(section, self.piece(name), self.piece(text));
        }
        if let Some(Owned::Map(entries)) = &rare.unmarshaled {
            for (key, value) in entries {
                event.unmarshaled().set(key, value.lend(arena));
            }
        }
        if let Some(overflow) = &rare.overflow {
            event.overflow.set(Some(OverflowView::new(arena, overflow)));
        }
        event
    }

    fn fields(&self) -> impl Iterator<Item = Stored> {
        let few = self.few.iter().take(usize::from(self.n_few)).copied().map(Stored::from);
        few.chain(self.more.iter().copied())
    }

    /// A text that was kept with the event.
    #[must_use]
    pub fn piece(&self, piece: Piece) -> &str {
        let end = piece.start as usize + piece.length as usize;
        self.text.get(piece.start as usize..end).unwrap_or_default()
    }

    /// `evt.MarshaledTime`.
    #[must_use]
    pub fn marshaled_time(&self) -> &str {
        self.piece(self.marshaled_time)
    }

    /// The text of a field, or `None` when it was never set.
    #[must_use]
    pub fn get(&self, slot: Slot) -> Option<&str> {
        let few = self.few.get(..usize::from(self.n_few)).unwrap_or_default();
        let stored = match few.iter().find(|brief| brief.slot == slot) {
            Some(brief) => Stored::from(*brief),
            None => *self.more.iter().find(|stored| stored.slot == slot)?,
        };
        Some(self.piece(stored.piece))
    }

    /// The text of a field by its name, or `None` when it was never set.
    #[must_use]
    pub fn get_named(&self, names: &Names, section: Section, name: &str) -> Option<&str> {
        if let Some(text) = names.find(section, name).and_then(|slot| self.get(slot)) {
            return Some(text);
        }
        let mut extra = self.rare.iter().flat_map(|rare| &rare.extra);
        let found = extra.find(|(owner, own, _)| *owner == section && self.piece(*own) == name);
        found.map(|(_, _, text)| self.piece(*text))
    }

    /// Calls `each` with the name and text of every field of a section, in no order.
    pub fn each_field<'a>(
        &'a self,
        names: &'a Names,
        section: Section,
        each: &mut dyn FnMut(&'a str, &'a str),
    ) {
        for stored in self.fields() {
            if let Some((owner, name)) = names.name(stored.slot)
                && owner == section
            {
                each(name, self.piece(stored.piece));
            }
        }
        for &(owner, name, text) in self.rare.iter().flat_map(|rare| &rare.extra) {
            if owner == section {
                each(self.piece(name), self.piece(text));
            }
        }
    }

    /// The beginning of the line as received, of a live event: at most 512 bytes. The other value
    /// tells whether that fills the bound, so that the line may be longer.
    #[must_use]
    pub fn line(&self) -> (&str, bool) {
        let length = usize::from(self.n_line);
        // A character has up to four bytes.
        (self.text.get(..length).unwrap_or_default(), length > LONGEST_LINE - 4)
    }

    /// The overflow that the event is about.
    #[must_use]
    pub fn overflow(&self) -> Option<&Overflow> {
        self.rare.as_ref()?.overflow.as_deref()
    }

    /// The line as received, of a whole event.
    #[must_use]
    pub fn raw(&self) -> &str {
        self.rare.as_ref().map_or("", |rare| self.piece(rare.fixed[0]))
    }
}

/// The longest beginning of a line that is kept of every live event, in bytes.
const LONGEST_LINE: usize = 512;

/// As much of a line as is kept of every live event.
fn beginning(line: &str) -> &str {
    if line.len() <= LONGEST_LINE {
        return line;
    }
    line.get(..line.floor_char_boundary(LONGEST_LINE)).unwrap_or_default()
}

#[inline]
fn narrow(size: usize) -> u32 {
    u32::try_from(size).expect("an event is far below 4 GiB")
}

fn is_kept(section: Section, whole: bool) -> bool {
    whole || matches!(section, Section::Meta | Section::Enriched)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever the lengths of the texts, and wherever they lie in the line.
        #[test]
        fn holds_what_the_event_held(
            line in "[a-z]{0,20}",
            long in prop::option::of(65_000_usize..70_000),
            fields in prop::collection::vec((0_u16..30, 0_usize..20, 0_usize..20, any::<bool>()), 0..40),
            whole: bool,
        ) {
            let (arena, mut names) = (Arena::new(), Names::new());
            let sections = [Section::Parsed, Section::Meta, Section::Enriched];
            let slots: Vec<_> = (0..30)
                .map(|n| names.intern(sections[n % 3], &format!("f{n}")).expect("a slot"))
                .collect();
            let line = arena.alloc_str(&"x".repeat(long.unwrap_or(0))) .to_owned() + &line;
            let line: &str = arena.alloc_str(&line);
            let event = Event::new(&arena, &names, Kind::Log, Mode::Live, Time::from_seconds(1));
            event.raw.set(line);
            for (field, from, to, is_own) in fields {
                let end = line.len().saturating_sub(to);
                let text = line.get(end.saturating_sub(from)..end).unwrap_or_default();
                event.set(slots[usize::from(field)], if is_own { arena.alloc_str(text) } else { text });
            }
            let mut copier = Copier::default();
            // The memory of another event is no part of this one's.
            copier.begin(Event::new(&arena, &names, Kind::Log, Mode::Live, Time::from_seconds(2)), true);
            copier.begin(event, whole);
            let kept = [line, "own", ""].map(|text| (text, copier.keep(text)));
            let snapshot = copier.finish(event);
            for slot in slots {
                let section = names.sections()[usize::from(slot.0)];
                let expected = event.get(slot).filter(|_| is_kept(section, whole));
                prop_assert_eq!(snapshot.get(slot), expected);
                let (_, name) = names.name(slot).expect("a name");
                prop_assert_eq!(snapshot.get_named(&names, section, name), expected);
            }
            for (text, piece) in kept {
                prop_assert_eq!(snapshot.piece(piece), text);
            }
            prop_assert_eq!(snapshot.raw(), if whole { line } else { "" });
            let (beginning, may_be_longer) = snapshot.line();
            prop_assert!(line.starts_with(beginning) && beginning.len() <= LONGEST_LINE);
            prop_assert!(beginning == line || may_be_longer);
        }
    }
}
