//! What shall be banned, and which elements that makes.
//!
//! Fed with changes, it remembers which elements they touched and what those were, so that a burst
//! of changes becomes one list of edits; a comparison with what a backend has adds what differs.
//! Edits are taken in parts, the newest orders first, so that a ban does not wait behind 100,000
//! others. Pure: time is a parameter, and no backend is known.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

use super::backend::Shape;
use super::element::{Edit, Element};
use super::per_family::PerFamily;
use super::prefixes::{Prefixes, Range};
use crate::decision::{Family, Target};
use crate::ledger::{Ban, Change};
use crate::value::Time;

/// What an element was that shall change, when a comparison found that it is not as wanted.
const OTHERWISE: Time = Time::from_nanos(i64::MAX);
/// Ranges that are taken for one that counts as a single address: what a transaction costs with
/// intervals hangs more on those that are there than on those that come.
const RANGES: usize = 5;

/// The wanted bans.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    shape: Shape,
    /// Whether the backend drops by itself what is over.
    expires: bool,
    hosts: PerFamily<BTreeMap<IpAddr, Time>>,
    prefixes: Prefixes,
    /// Invariant: what `prefixes.all_ranges()` gives, cut to the shape, by first address.
    ranges: PerFamily<BTreeMap<IpAddr, (IpAddr, Time)>>,
    /// Touched elements, and what they were when their edits were last taken.
    touched: BTreeMap<Element, Option<Time>>,
    /// Those of them that orders touched since edits were last taken, the oldest first; some may be
    /// touched no more.
    recent: Vec<Element>,
    /// No ban ends earlier.
    soonest: Option<Time>,
}

impl Wanted {
    /// No bans, for a backend of this shape that drops by itself what is over, or does not.
    pub(super) fn new(shape: Shape, expires: bool) -> Self {
        Self {
            shape,
            expires,
            hosts: PerFamily::default(),
            prefixes: Prefixes::default(),
            ranges: PerFamily::default(),
            touched: BTreeMap::new(),
            recent: Vec::new(),
            soonest: None,
        }
    }

    /// Takes a change in. [`Change::Replace`] leaves no edits: what a backend has must be compared.
    pub(super) fn change(&mut self, change: &Change) {
        match change {
            Change::Ban(bans) => {
                for ban in bans {
                    self.ban(ban);
                }
            }
            Change::Unban(targets) => {
                for target in targets {
                    self.unban(*target);
                }
            }
            Change::Replace(bans) => {
                *self = Self::new(self.shape, self.expires);
                for ban in bans {
                    self.ban(ban);
                }
                self.forget_all_edits();
            }
            // Who is let through has nothing to do with who is banned.
            Change::Friends(_) => {}
        }
    }

    fn ban(&mut self, ban: &Ban) {
        self.soonest = self.soonest.map_or(Some(ban.until), |soonest| Some(soonest.min(ban.until)));
        if ban.target.is_host() {
            let address = ban.target.net().addr();
            let hosts = self.hosts.of_mut(ban.target.family());
            let before = hosts.insert(address, ban.until);
            self.touch(Element::Host(address), before);
        } else {
            let net = ban.target.net();
            self.reshape(ban.target, |prefixes| {
                prefixes.insert(net, ban.until);
            });
        }
    }

    fn unban(&mut self, target: Target) {
        if target.is_host() {
            let address = target.net().addr();
            let before = self.hosts.of_mut(target.family()).remove(&address);
            self.touch(Element::Host(address), before);
        } else {
            let net = target.net();
            self.reshape(target, |prefixes| {
                prefixes.remove(net);
            });
        }
    }

    fn touch(&mut self, element: Element, before: Option<Time>) {
        self.touched.entry(element).or_insert(before);
        self.recent.push(element);
    }

    /// Changes prefixes and keeps the ranges in step; only those under the root can change.
    fn reshape(&mut self, target: Target, change: impl FnOnce(&mut Prefixes)) {
        let family = target.family();
        let root = self.prefixes.root(target.net());
        for (first, last, until) in cut(self.shape, self.prefixes.ranges(root)) {
            self.ranges.of_mut(family).remove(&first);
            self.touch(Element::Range(first, last), Some(until));
        }
        change(&mut self.prefixes);
        for (first, last, until) in cut(self.shape, self.prefixes.ranges(root)) {
            self.ranges.of_mut(family).insert(first, (last, until));
            self.touch(Element::Range(first, last), None);
        }
    }

    /// Forgets bans that are over. Backends that do not drop them by themselves get edits for it.
    pub(super) fn expire(&mut self, now: Time) {
        if self.soonest.is_none_or(|soonest| soonest > now) {
            return;
        }
        if !self.expires {
            let over = |(element, until): &(Element, Time)| (*until <= now).then_some(*element);
            let over: Vec<_> =
                self.all_from(Element::LOWEST).filter_map(|one| over(&one)).collect();
            for element in over {
                let before = self.until(element);
                self.touch(element, before);
            }
        }
        self.prefixes.expire(now);
        for family in [Family::V4, Family::V6] {
            self.hosts.of_mut(family).retain(|_, until| *until > now);
            self.ranges.of_mut(family).retain(|_, (_, until)| *until > now);
        }
        let hosts = self.hosts.v4.values().chain(self.hosts.v6.values()).copied();
        self.soonest = hosts.chain(self.prefixes.soonest()).min();
    }

    /// When the first ban ends, or earlier.
    pub(super) fn soonest(&self) -> Option<Time> {
        self.soonest
    }

    /// Whether edits wait to be taken.
    pub(super) fn is_touched(&self) -> bool {
        !self.touched.is_empty()
    }

    /// Whether edits about single addresses wait to be taken.
    pub(super) fn is_host_touched(&self) -> bool {
        matches!(self.touched.first_key_value(), Some((Element::Host(_), _)))
    }

    /// Whether edits of orders wait that came since edits were last taken.
    pub(super) fn has_recent(&self) -> bool {
        !self.recent.is_empty()
    }

    /// About `most` of the edits that wait, by element: those of the newest orders before others,
    /// and those of ranges that overlap together. What is over at `now` counts as absent. Ranges
    /// wait on unless they are asked for.
    pub(super) fn take_edits(&mut self, now: Time, most: usize, with_ranges: bool) -> Vec<Edit> {
        let mut edits = Vec::new();
        let mut taken = 0;
        let mut urgent = HashSet::new();
        let mut later = Vec::new();
        for element in std::mem::take(&mut self.recent) {
            match element {
                Element::Range(..) if with_ranges => {
                    urgent.insert(element);
                }
                Element::Host(_) if taken < most => {
                    taken += usize::from(self.touched.contains_key(&element));
                    edits.extend(self.take_edit(element, now));
                }
                _ => later.push(element),
            }
        }
        self.recent = later;
        while taken < most
            && let Some((element @ Element::Host(_), _)) = self.touched.first_key_value()
        {
            let element = *element;
            taken += 1;
            edits.extend(self.take_edit(element, now));
        }
        if with_ranges {
            for element in self.choose_ranges(&urgent, (most - taken.min(most)) * RANGES) {
                edits.extend(self.take_edit(element, now));
            }
        }
        if self.touched.is_empty() {
            self.recent.clear();
        }
        edits.sort_unstable_by_key(|edit| edit.element());
        edits
    }

    /// The touched ranges to be taken next: in whole groups of such that overlap, those with an
    /// urgent one and, up to `most`, others.
    fn choose_ranges(&self, urgent: &HashSet<Element>, most: usize) -> Vec<Element> {
        let mut chosen = Vec::new();
        let mut group = Vec::new();
        let mut reach: Option<IpAddr> = None;
        let mut close = |group: &mut Vec<Element>| {
            if chosen.len() < most || group.iter().any(|element| urgent.contains(element)) {
                chosen.append(group);
            }
            group.clear();
        };
        for element in self.touched.keys().filter(|e| matches!(e, Element::Range(..))) {
            if reach.is_none_or(|reach| reach < element.first()) {
                close(&mut group);
            }
            reach = reach.max(Some(element.last()));
            group.push(*element);
        }
        close(&mut group);
        chosen
    }

    fn take_edit(&mut self, element: Element, now: Time) -> Option<Edit> {
        let live = |until: &Time| *until > now;
        let before = self.touched.remove(&element)?;
        // What is over is never taken away where the kernel does so itself. Of a range whose time is
        // up it finds the end and not the start any more; later it would take another range's end
        // along with that start (`nft_rbtree_gc`). Where such a range keeps another out for a tick,
        // the comparison after the failure puts it in.
        let before = before.filter(|until| !self.expires || live(until));
        match (before, self.until(element).filter(live)) {
            (None, Some(until)) => Some(Edit::Add(element, until)),
            (Some(before), Some(until)) if before != until => Some(Edit::Update(element, until)),
            (Some(_), None) => Some(Edit::Remove(element)),
            (None, None) | (Some(_), Some(_)) => None,
        }
    }

    /// Has edits taken that a comparison found to be needed, whatever was known of their elements.
    pub(super) fn correct(&mut self, edits: &[Edit]) {
        for edit in edits {
            let is_there = !matches!(edit, Edit::Add(..));
            self.touched.insert(edit.element(), is_there.then_some(OTHERWISE));
        }
    }

    /// Drops the edits that wait about elements from one to before another that are open to a
    /// comparison, which will find what is needed; in order.
    pub(super) fn forget_edits(
        &mut self,
        from: Element,
        end: Option<Element>,
        is_open: impl Fn(&Element) -> bool,
    ) -> Vec<Element> {
        let touched = self.touched.range(from..).map(|(element, _)| *element);
        let touched = touched.take_while(|element| end.is_none_or(|end| *element < end));
        let forgotten: Vec<_> = touched.filter(is_open).collect();
        for element in &forgotten {
            self.touched.remove(element);
        }
        forgotten
    }

    /// Drops all edits that wait: a comparison or a rebuilding follows.
    pub(super) fn forget_all_edits(&mut self) {
        self.touched.clear();
        self.recent.clear();
    }

    /// When this element ends, if it is wanted.
    pub(super) fn until(&self, element: Element) -> Option<Time> {
        match element {
            Element::Host(address) => self.hosts.of(element.family()).get(&address).copied(),
            Element::Range(first, last) => {
                let ranges = self.ranges.of(element.family());
                ranges.get(&first).filter(|range| range.0 == last).map(|range| range.1)
            }
        }
    }

    /// All elements that last beyond `now`, in order.
    pub(super) fn elements(&self, now: Time) -> impl Iterator<Item = (Element, Time)> {
        self.elements_from(Element::LOWEST, now)
    }

    /// The elements from this one on that last beyond `now`, in order.
    pub(super) fn elements_from(
        &self,
        from: Element,
        now: Time,
    ) -> impl Iterator<Item = (Element, Time)> {
        self.all_from(from).filter(move |(_, until)| *until > now)
    }

    fn all_from(&self, from: Element) -> impl Iterator<Item = (Element, Time)> {
        // Both families go by one bound: an IPv4 address is below any IPv6 address.
        let (hosts_from, ranges_from) = match from {
            Element::Host(address) => (Some(address), Element::LOWEST.first()),
            Element::Range(first, _) => (None, first),
        };
        let hosts = hosts_from
            .into_iter()
            .flat_map(move |from| self.hosts.v4.range(from..).chain(self.hosts.v6.range(from..)));
        let hosts = hosts.map(|(address, until)| (Element::Host(*address), *until));
        let ranges = self.ranges.v4.range(ranges_from..).chain(self.ranges.v6.range(ranges_from..));
        let ranges = ranges.map(|(first, (last, until))| (Element::Range(*first, *last), *until));
        hosts.chain(ranges.skip_while(move |(element, _)| *element < from))
    }

    /// How many elements there are of a family.
    pub(super) fn count(&self, family: Family) -> usize {
        self.hosts.of(family).len() + self.ranges.of(family).len()
    }
}

/// Cuts ranges into such as a backend can hold.
fn cut(shape: Shape, ranges: Vec<Range>) -> Vec<Range> {
    match shape {
        Shape::Ranges => ranges,
        Shape::Prefixes => {
            let pieces = |(first, last, until): Range| {
                let nets = Element::Range(first, last).prefixes().into_iter();
                nets.map(move |net| (net.network(), net.broadcast(), until))
            };
            ranges.into_iter().flat_map(pieces).collect()
        }
    }
}

#[cfg(test)]
mod tests;
