//! What travels along the path: lines as received, events as parsed, overflows as detected.
//!
//! An [`Event`] lives in an arena for as long as one line is looked at. What must live longer, in
//! a bucket or in a test result, is copied into a [`Snapshot`]. Nothing here knows rules.

#![forbid(unsafe_code)]

mod batch;
mod fields;
mod overflow;
mod receipt;
mod shape;
mod snapshot;
mod trust;

use std::cell::{Cell, OnceCell, Ref, RefCell};

use bumpalo::collections::Vec as ArenaVec;

use self::fields::Fields;
use crate::value::{Arena, Entries, Map, Names, Section, Slot, Time, Type, Value, Zone};

pub use batch::{Batch, Line, Origin, SourceId};
pub use fields::{Moment, Order};
pub use overflow::{
    ALERT, ALERT_EVENT, Alert, AlertEvent, META, OVERFLOW, Overflow, OverflowField, Rewrite,
    SOURCE, ShownKey, Source, View as OverflowView, of_overflow,
};
pub use receipt::Receipt;
pub use shape::{APPSEC, EVENT, LINE, TIME};
pub use snapshot::{Copier, Piece, Snapshot};
pub use trust::Trust;

/// The program that the test lines of `weir doctor` name.
pub const CANARY: &str = "weir-doctor";

/// Whether an event is a log line or an overflow that is looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A parsed log line.
    Log,
    /// The overflow of a bucket.
    Overflow,
}

impl Kind {
    /// The word that `evt.GetType()` gives.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Overflow => "overflow",
        }
    }

    /// The kind of this word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Log, Self::Overflow].into_iter().find(|kind| kind.word() == word)
    }
}

/// Where the time of buckets comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The clock when the line arrived.
    Live,
    /// The time written in the log (replay).
    Replay,
}

/// How dates in a line are to be read that do not say all.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dates<'a> {
    /// The zone of the sender's clock, if it is known.
    pub zone: Option<&'a Zone>,
    /// So many nanoseconds a date may differ from the arrival of its line; without a bound any is
    /// believed.
    pub most_skew: Option<i64>,
}

/// One log line (or overflow) and everything the rules made of it.
///
/// Fields are written through shared references, because expressions may write into the event
/// they are evaluated on. Texts are borrowed from the line or from the arena; setting a field
/// never frees the old text, which goes with the arena.
pub struct Event<'a> {
    arena: &'a Arena,
    names: &'a Names,
    /// Log line or overflow.
    pub kind: Kind,
    /// Live or replay.
    pub mode: Mode,
    /// The whole line as received, invalid UTF-8 replaced.
    pub raw: Cell<&'a str>,
    /// The name of the source, `evt.Line.Src`.
    pub source: Cell<&'a str>,
    /// The kind of the source, `evt.Line.Module` (`syslog`, `file`, ...).
    pub module: Cell<&'a str>,
    /// When the line arrived, `evt.Line.Time`.
    pub received_at: Time,
    /// `evt.Time`: the written time in a replay, the arrival otherwise.
    pub time: Cell<Time>,
    /// How its dates are to be read.
    pub dates: Cell<Dates<'a>>,
    /// The most that may follow from it.
    pub trust: Cell<Trust>,
    /// Whether a date was not believed, and the arrival taken in its place.
    pub skewed: Cell<bool>,
    /// `evt.StrTime`: the time text that a parser found.
    pub str_time: Cell<&'a str>,
    /// `evt.StrTimeFormat`: the layout of `str_time`, if a parser knows it.
    pub str_time_format: Cell<&'a str>,
    /// `evt.MarshaledTime`: RFC 3339, what replay buckets go by.
    pub marshaled_time: Cell<&'a str>,
    /// `evt.Stage`.
    pub stage: Cell<&'a str>,
    /// `evt.Process`: went through all stages.
    pub processed: Cell<bool>,
    /// `evt.Whitelisted`.
    pub allowlisted: Cell<bool>,
    /// `evt.WhitelistReason`.
    pub allowlist_reason: Cell<&'a str>,
    /// `evt.Overflow` of an overflow event.
    pub overflow: Cell<Option<&'a OverflowView<'a>>>,
    unmarshaled: OnceCell<&'a Entries<'a>>,
    fields: RefCell<Fields<'a>>,
    /// Fields whose names no loaded rule mentions.
    extra: RefCell<ArenaVec<'a, (Section, &'a str, &'a str)>>,
}

impl<'a> Event<'a> {
    /// An event in `arena` with no fields yet.
    pub fn new(
        arena: &'a Arena,
        names: &'a Names,
        kind: Kind,
        mode: Mode,
        received_at: Time,
    ) -> &'a Self {
        arena.alloc(Self {
            arena,
            names,
            kind,
            mode,
            raw: Cell::new(""),
            source: Cell::new(""),
            module: Cell::new(""),
            received_at,
            time: Cell::new(received_at),
            dates: Cell::new(Dates::default()),
            trust: Cell::new(Trust::FULL),
            skewed: Cell::new(false),
            str_time: Cell::new(""),
            str_time_format: Cell::new(""),
            marshaled_time: Cell::new(""),
            stage: Cell::new(""),
            processed: Cell::new(false),
            allowlisted: Cell::new(false),
            allowlist_reason: Cell::new(""),
            overflow: Cell::new(None),
            unmarshaled: OnceCell::new(),
            fields: RefCell::new(Fields::new(arena, names.len())),
            extra: RefCell::new(ArenaVec::new_in(arena)),
        })
    }

    /// The arena that this event lives in.
    #[must_use]
    pub fn arena(&self) -> &'a Arena {
        self.arena
    }

    /// The names that the slots stand for.
    #[must_use]
    pub fn names(&self) -> &'a Names {
        self.names
    }

    /// `evt.Unmarshaled`.
    #[must_use]
    pub fn unmarshaled(&self) -> &'a Entries<'a> {
        self.unmarshaled.get_or_init(|| self.arena.alloc(Entries::new(self.arena, Type::Unknown)))
    }

    /// The text of a field, or `None` when it was never set.
    #[inline]
    #[must_use]
    pub fn get(&self, slot: Slot) -> Option<&'a str> {
        self.fields.borrow().get(slot)
    }

    /// Whether one of the fields that matter may have another text than at some time before. It may
    /// also have the same.
    #[inline]
    #[must_use]
    pub fn may_differ(&self, then: Moment, matters: impl Fn(Slot) -> bool) -> bool {
        self.fields.borrow().may_differ(then, matters)
    }

    /// The fields as they are, for whoever looks at many of them: none may be set meanwhile.
    #[inline]
    #[must_use]
    pub fn reader(&self) -> Reader<'_, 'a> {
        Reader(self.fields.borrow())
    }

    /// Sets a field.
    #[inline]
    pub fn set(&self, slot: Slot, text: &'a str) {
        self.fields.borrow_mut().set(slot, text);
    }

    /// Sets several fields in their order, quickly when they were never set.
    pub fn set_all<const N: usize>(&self, order: &Order<N>, texts: [&'a str; N]) {
        self.fields.borrow_mut().set_all(order, texts);
    }

    /// The text of a field by its name, or `None` when it was never set.
    #[must_use]
    pub fn get_named(&self, section: Section, name: &str) -> Option<&'a str> {
        if let Some(slot) = self.names.find(section, name) {
            return self.get(slot);
        }
        let extra = self.extra.borrow();
        extra.iter().find(|(s, n, _)| *s == section && *n == name).map(|(_, _, text)| *text)
    }

    /// Sets a field by its name.
    pub fn set_named(&self, section: Section, name: &str, text: &'a str) {
        if let Some(slot) = self.names.find(section, name) {
            return self.set(slot, text);
        }
        let mut extra = self.extra.borrow_mut();
        match extra.iter_mut().find(|(s, n, _)| *s == section && *n == name) {
            Some(field) => field.2 = text,
            None => extra.push((section, self.arena.alloc_str(name), text)),
        }
    }

    /// Calls `each` with the name and text of every field of a section, in the order set.
    pub fn each_field(&self, section: Section, each: &mut dyn FnMut(&'a str, &'a str)) {
        for (slot, text) in self.fields.borrow().iter() {
            if let Some((owner, name)) = self.names.name(slot)
                && owner == section
            {
                each(name, text);
            }
        }
        for &(owner, name, text) in self.extra.borrow().iter() {
            if owner == section {
                each(name, text);
            }
        }
    }

    /// A section as a map that expressions can look into, write into and test with `in`.
    #[must_use]
    pub fn section(&'a self, section: Section) -> &'a dyn Map<'a> {
        self.arena.alloc(SectionMap { event: self, section })
    }
}

/// The fields of an event, which none may set as long as this is there.
pub struct Reader<'e, 'a>(Ref<'e, Fields<'a>>);

impl<'a> Reader<'_, 'a> {
    /// The text of a field, or `None` when it was never set.
    #[inline]
    #[must_use]
    pub fn get(&self, slot: Slot) -> Option<&'a str> {
        self.0.get(slot)
    }

    /// What fields are set.
    #[inline]
    #[must_use]
    pub fn now(&self) -> Moment {
        self.0.now()
    }
}

/// One section of an event, seen as a map.
struct SectionMap<'a> {
    event: &'a Event<'a>,
    section: Section,
}

impl<'a> Map<'a> for SectionMap<'a> {
    fn element(&self) -> Type {
        Type::Text
    }

    fn get(&self, key: &str) -> Option<Value<'a>> {
        self.event.get_named(self.section, key).map(Value::Text)
    }

    fn set(&self, key: &'a str, value: Value<'a>) -> bool {
        let Value::Text(text) = value else { return false };
        self.event.set_named(self.section, key, text);
        true
    }

    fn each(&self, each: &mut dyn FnMut(&'a str, Value<'a>)) {
        // Collected first: the callback may write into the event.
        let mut entries = Vec::new();
        self.event.each_field(self.section, &mut |name, text| entries.push((name, text)));
        for (name, text) in entries {
            each(name, Value::Text(text));
        }
    }
}
