//! An event copied out of its arena, for buckets and test results.

use std::sync::Arc;

use super::{Event, Kind, Mode, Overflow, OverflowView};
use crate::value::{Arena, Map, Names, Owned, Section, Slot, Time, Value};

/// Everything an event held, owned.
///
/// Texts lie in one allocation; a field costs eight bytes beside its text.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Log line or overflow.
    pub kind: Kind,
    /// Live or replay.
    pub mode: Mode,
    /// When the line arrived.
    pub received_at: Time,
    /// `evt.Time`.
    pub time: Time,
    /// `evt.Process`.
    pub processed: bool,
    /// `evt.Whitelisted`.
    pub allowlisted: bool,
    overflow: Option<Arc<Overflow>>,
    text: Box<str>,
    fixed: [u32; FIXED],
    fields: Box<[(Slot, u32)]>,
    extra: Box<[(Section, u32)]>,
    unmarshaled: Option<Box<Owned>>,
}

/// Raw, source, module, str_time, str_time_format, marshaled_time, stage, allowlist_reason.
const FIXED: usize = 8;

impl Snapshot {
    /// Copies `event`. The overflow of an overflow event is not part of it; see
    /// [`Snapshot::with_overflow`].
    #[must_use]
    pub fn of(event: &Event<'_>) -> Self {
        Self::copy(event, true)
    }

    /// Copies only what alerts are made of: `Meta`, `Enriched` and the times.
    #[must_use]
    pub fn brief(event: &Event<'_>) -> Self {
        Self::copy(event, false)
    }

    /// With the overflow that the event is about.
    #[must_use]
    pub fn with_overflow(self, overflow: Arc<Overflow>) -> Self {
        Self { overflow: Some(overflow), ..self }
    }

    fn copy(event: &Event<'_>, whole: bool) -> Self {
        let kept = |text| if whole { text } else { "" };
        let is_kept = |section| whole || matches!(section, Section::Meta | Section::Enriched);
        let mut text = String::with_capacity(512);
        let mut mark = |part: &str| {
            text.push_str(part);
            u32::try_from(text.len()).expect("an event is far below 4 GiB")
        };
        let fixed = [
            mark(kept(event.raw.get())),
            mark(kept(event.source.get())),
            mark(kept(event.module.get())),
            mark(kept(event.str_time.get())),
            mark(kept(event.str_time_format.get())),
            mark(event.marshaled_time.get()),
            mark(kept(event.stage.get())),
            mark(kept(event.allowlist_reason.get())),
        ];
        let fields: Vec<_> = event
            .fields
            .borrow()
            .iter()
            .filter(|(slot, _)| {
                whole || event.names.name(*slot).is_some_and(|name| is_kept(name.0))
            })
            .map(|&(slot, text)| (slot, mark(text)))
            .collect();
        let extra: Vec<_> = event
            .extra
            .borrow()
            .iter()
            .filter(|(section, _, _)| is_kept(*section))
            .flat_map(|&(section, name, text)| [(section, mark(name)), (section, mark(text))])
            .collect();
        let unmarshaled = event.unmarshaled();
        let unmarshaled = (whole && !unmarshaled.is_empty())
            .then(|| Box::new(Owned::from_value(Value::Map(unmarshaled))));
        Self {
            kind: event.kind,
            mode: event.mode,
            received_at: event.received_at,
            time: event.time.get(),
            processed: event.processed.get(),
            allowlisted: event.allowlisted.get(),
            overflow: None,
            text: text.into(),
            fixed,
            fields: fields.into(),
            extra: extra.into(),
            unmarshaled,
        }
    }

    /// The event again, in an arena, its texts borrowed from this snapshot. `names` must be the
    /// names that the event was made with.
    pub fn lend<'a>(&'a self, arena: &'a Arena, names: &'a Names) -> &'a Event<'a> {
        let event = Event::new(arena, names, self.kind, self.mode, self.received_at);
        let mut start = 0;
        let mut take = |end: u32| {
            let part = &self.text[start..end as usize];
            start = end as usize;
            part
        };
        event.raw.set(take(self.fixed[0]));
        event.source.set(take(self.fixed[1]));
        event.module.set(take(self.fixed[2]));
        event.str_time.set(take(self.fixed[3]));
        event.str_time_format.set(take(self.fixed[4]));
        event.marshaled_time.set(take(self.fixed[5]));
        event.stage.set(take(self.fixed[6]));
        event.allowlist_reason.set(take(self.fixed[7]));
        for &(slot, end) in &self.fields {
            event.set(slot, take(end));
        }
        for pair in self.extra.chunks_exact(2) {
            let name = take(pair[0].1);
            event.set_named(pair[0].0, name, take(pair[1].1));
        }
        if let Some(Owned::Map(entries)) = self.unmarshaled.as_deref() {
            for (key, value) in entries {
                event.unmarshaled().set(key, value.lend(arena));
            }
        }
        if let Some(overflow) = &self.overflow {
            event.overflow.set(Some(OverflowView::new(arena, overflow)));
        }
        event.time.set(self.time);
        event.processed.set(self.processed);
        event.allowlisted.set(self.allowlisted);
        event
    }

    /// The text of a field, or `None` when it was never set.
    #[must_use]
    pub fn get(&self, slot: Slot) -> Option<&str> {
        let mut start = self.fixed[FIXED - 1];
        for &(known, end) in &self.fields {
            if known == slot {
                return Some(&self.text[start as usize..end as usize]);
            }
            start = end;
        }
        None
    }

    /// The line as received.
    #[must_use]
    pub fn raw(&self) -> &str {
        &self.text[..self.fixed[0] as usize]
    }
}
