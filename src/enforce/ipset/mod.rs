//! Bans as elements of ipsets that rules of iptables look at, for hosts without nftables.
//!
//! The sets and the rules are changed by `ipset restore`, `iptables-restore` and
//! `ip6tables-restore`, and read by `ipset save`, `ipset list` and their like (see [`program`]):
//! what is done at once is one process, and nothing is done by a shell. Sets outlive this process.
//!
//! Nobody tells of changes to a set, so every two seconds it is looked at whether sets and rules
//! are there, and how many elements there are; of changes to rules the kernel tells where iptables
//! speaks to nf_tables.

#![forbid(unsafe_code)]

mod chains;
mod program;
mod sets;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv6Addr, UdpSocket};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::{Duration, Instant};

use ipnet::IpNet;

use super::backend::{Backend, Error, Hit, Precision, Shape};
use super::element::{Edit, Element, Held};
use super::netlink::{Protocol, Socket, nft};
use super::per_family::{Counts, PerFamily};
use super::total::Total;
use crate::decision::Family;
use crate::settings;
use crate::system::clock;
use crate::value::Time;
use chains::{Found, Plan};
use sets::{Headers, Kind, Role};

pub use program::Failure;

/// How often it is looked at whether all is as it was left: three processes, 10 ms.
const LOOK: Duration = Duration::from_secs(2);
/// How soon after one look another may follow.
const BREATH: Duration = Duration::from_millis(500);
/// A listing may take one part in so many of the time.
const LISTING_SHARE: u32 = 20;
/// How often a set is tried to be destroyed that the kernel has not let go of yet.
const DESTROY_ATTEMPTS: u32 = 40;
const DESTROY_PAUSE: Duration = Duration::from_millis(25);

/// What sets and rules are to be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Names of sets begin with it; the chain is it in capitals. At most [`settings::LONGEST_FOR_IPSET`]
    /// bytes.
    pub table: String,
    /// Where packets are looked at.
    pub hooks: Vec<settings::Hook>,
    /// What becomes of packets of the banned.
    pub verdict: settings::Verdict,
}

impl From<&settings::Enforce> for Options {
    fn from(settings: &settings::Enforce) -> Self {
        let settings::Enforce { table, hooks, verdict, .. } = settings;
        Self { table: table.clone(), hooks: hooks.clone(), verdict: *verdict }
    }
}

/// The backend.
#[derive(Debug)]
pub struct Ipset {
    plan: Plan,
    /// Hears what changes in nf_tables, where iptables may have put its rules.
    monitor: Option<Socket>,
    has_v6: bool,
    /// How many elements were listed of each kind, as far as that is.
    listing: Vec<usize>,
    listing_began: Instant,
    /// Whether something was edited since.
    is_edited: bool,
    watch: Watch,
    totals: PerFamily<Total>,
}

/// When to look whether all is as it was left, and what there was.
#[derive(Debug)]
struct Watch {
    looked_at: Instant,
    /// How many elements the sets of bans should have, but for those whose time is over; none
    /// until the next look.
    counts: Option<Vec<usize>>,
    /// How long the last listing took, and when it was.
    listing: (Duration, Instant),
    /// Somebody changed something in nf_tables.
    is_alarmed: bool,
}

/// What there is of ours.
struct Seen {
    headers: Headers,
    rules: Vec<(Family, Found)>,
}

impl Ipset {
    /// Nothing is run and nothing is changed yet: whether the programs are there shows when they
    /// are needed, and is tried again until they are.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let Options { table, hooks, verdict } = options;
        let monitor = Socket::open(Protocol::Netfilter).ok();
        let monitor = monitor.filter(|socket| socket.hear_nftables(0).is_ok());
        let now = clock::instant();
        Self {
            plan: Plan { table, hooks, verdict },
            monitor,
            has_v6: knows_v6(),
            listing: Vec::new(),
            listing_began: now,
            is_edited: false,
            watch: Watch {
                looked_at: now,
                counts: None,
                listing: (Duration::ZERO, now),
                is_alarmed: false,
            },
            totals: PerFamily::default(),
        }
    }

    fn ipset(&self, lines: &str) -> Result<(), Error> {
        if lines.is_empty() {
            return Ok(());
        }
        Ok(program::run("ipset", &["restore", "-exist"], lines.as_bytes(), &mut |_| {})?)
    }

    fn families(&self) -> &'static [Family] {
        if self.has_v6 { &[Family::V4, Family::V6] } else { &[Family::V4] }
    }

    fn headers(&self) -> Result<Headers, Error> {
        let mut headers = Headers::default();
        program::run("ipset", &["list", "-terse"], b"", &mut |line| headers.read(line))?;
        let ours = format!("{}-", self.plan.table);
        headers.all.retain(|header| header.name.starts_with(&ours));
        Ok(headers)
    }

    fn rules(&mut self, family: Family) -> Result<Found, Error> {
        let program = match family {
            Family::V4 => "iptables-save",
            Family::V6 => "ip6tables-save",
        };
        let mut found = Found::new(&self.plan);
        program::run(program, &["--counters"], b"", &mut |line| found.read(line))?;
        self.totals.of_mut(family).show(found.counts);
        Ok(found)
    }

    fn restore(&self, family: Family, lines: &str) -> Result<(), Error> {
        if lines.is_empty() {
            return Ok(());
        }
        let program = match family {
            Family::V4 => "iptables-restore",
            Family::V6 => "ip6tables-restore",
        };
        let arguments = ["--noflush", "--wait=5"];
        Ok(program::run(program, &arguments, lines.as_bytes(), &mut |_| {})?)
    }

    fn look(&mut self) -> Result<Seen, Error> {
        let headers = self.headers()?;
        let families = self.families().iter();
        let rules = families.map(|family| Ok((*family, self.rules(*family)?)));
        let rules = rules.collect::<Result<_, Error>>()?;
        Ok(Seen { headers, rules })
    }

    /// How many elements the sets of bans have.
    fn counts(&self, headers: &Headers) -> Vec<usize> {
        let count = |kind: Kind| {
            let name = kind.name(&self.plan.table);
            headers.all.iter().find(|header| header.name == name).map_or(0, |header| header.count)
        };
        sets::ban_kinds().map(count).collect()
    }

    /// Whether what is seen is not as it was made, or has other elements than a moment ago.
    fn is_other(&mut self, seen: &Seen) -> bool {
        let table = &self.plan.table;
        let is_there = |kind: Kind| {
            let name = kind.name(table);
            seen.headers.all.iter().any(|header| header.name == name && header.is(kind))
        };
        if !sets::kinds().all(is_there) {
            return true;
        }
        let mut lines = String::new();
        for (family, found) in &seen.rules {
            found.mend(&self.plan, *family, &mut lines);
        }
        if !lines.is_empty() {
            return true;
        }
        let now = self.counts(&seen.headers);
        let Some(expected) = &self.watch.counts else {
            self.watch.counts = Some(now);
            return false;
        };
        if *expected == now {
            return false;
        }
        // Elements also go because their time is over, which only a listing tells apart.
        let is_emptied = expected.iter().zip(&now).any(|(before, now)| *before > 1 && *now == 0);
        let (took, at) = self.watch.listing;
        is_emptied || at.elapsed() >= took * LISTING_SHARE
    }

    /// All elements of one kind; says how many there are.
    fn read(&self, kind: Kind, held: &mut Vec<Held>) -> Result<usize, Error> {
        let name = kind.name(&self.plan.table);
        let mut found = Vec::new();
        program::run("ipset", &["save", &name], b"", &mut |line| {
            found.extend(sets::read_held(kind, line, clock::now()));
        })?;
        let count = found.len();
        if kind.role == Role::Nets {
            found.sort_unstable_by_key(|held| held.element);
            sets::join_halves(&mut found);
        }
        held.extend(found);
        Ok(count)
    }

    /// What these edits make of the numbers of elements.
    fn expect(&mut self, edits: &[Edit]) {
        let Some(counts) = &mut self.watch.counts else { return };
        for (kind, count) in sets::ban_kinds().zip(counts) {
            for edit in edits.iter().filter(|edit| kind.has(edit.element())) {
                match edit {
                    Edit::Add(..) => *count += 1,
                    Edit::Update(..) => {}
                    Edit::Remove(_) => *count = count.saturating_sub(1),
                }
            }
        }
    }

    /// Makes the sets that are missing. One of another shape goes first, and all that uses it.
    fn mend_sets(&mut self) -> Result<bool, Error> {
        let headers = self.headers()?;
        let table = self.plan.table.clone();
        let mut lines = String::new();
        let mut wrong = Vec::new();
        for kind in sets::kinds() {
            let name = kind.name(&table);
            match headers.all.iter().find(|header| header.name == name) {
                Some(header) if header.is(kind) => continue,
                Some(_) => wrong.push(name),
                None => {}
            }
            sets::create(&table, kind, &mut lines);
        }
        if !wrong.is_empty() {
            for family in self.families() {
                let mut emptied = String::new();
                self.rules(*family)?.let_go(&mut emptied);
                self.restore(*family, &emptied)?;
            }
            self.destroy(&wrong)?;
        }
        self.ipset(&lines)?;
        Ok(!lines.is_empty())
    }

    /// Destroys sets. The kernel lets go of one a moment after the last rule that used it.
    fn destroy(&self, names: &[String]) -> Result<(), Error> {
        let mut left = names.to_vec();
        for attempt in 1.. {
            let mut lines = String::new();
            sets::destroy(&left, &mut lines);
            match self.ipset(&lines) {
                Ok(()) => return Ok(()),
                Err(error) if attempt == DESTROY_ATTEMPTS => return Err(error),
                Err(_) => std::thread::sleep(DESTROY_PAUSE),
            }
            let headers = self.headers()?;
            left.retain(|name| headers.all.iter().any(|header| header.name == *name));
        }
        Ok(())
    }
}

/// Whether this kernel knows IPv6 at all: without it there are no rules for it either.
fn knows_v6() -> bool {
    UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0))
        .map_or_else(|error| error.raw_os_error() != Some(libc::EAFNOSUPPORT), |_| true)
}

impl Backend for Ipset {
    fn name(&self) -> &'static str {
        "ipset"
    }

    fn shape(&self) -> Shape {
        Shape::Prefixes
    }

    fn precision(&self) -> Precision {
        // Whole seconds are told, rounded up, and shown, rounded down.
        Precision { tolerance: Duration::from_secs(2), longest: Duration::from_secs(sets::LONGEST) }
    }

    fn prepare(&mut self) -> Result<bool, Error> {
        let mut is_changed = self.mend_sets()?;
        for family in self.families() {
            let mut lines = String::new();
            self.rules(*family)?.mend(&self.plan, *family, &mut lines);
            self.restore(*family, &lines)?;
            is_changed |= !lines.is_empty();
        }
        self.watch.looked_at = clock::instant();
        self.watch.is_alarmed = false;
        Ok(is_changed)
    }

    fn befriend(&mut self, friends: &[IpNet]) -> Result<bool, Error> {
        let mut lines = String::new();
        for family in [Family::V4, Family::V6] {
            let name = Kind { family, role: Role::Friends }.name(&self.plan.table);
            let mut found = Vec::new();
            program::run("ipset", &["save", &name], b"", &mut |line| {
                found.extend(sets::read(line).map(|(net, _)| net));
            })?;
            found.sort_unstable();
            if found != sets::friends_in_set(friends, family) {
                sets::befriend(&self.plan.table, family, friends, &mut lines);
            }
        }
        self.ipset(&lines)?;
        Ok(!lines.is_empty())
    }

    fn begin_list(&mut self) -> Result<(), Error> {
        self.listing.clear();
        self.listing_began = clock::instant();
        self.is_edited = false;
        Ok(())
    }

    fn list_some(&mut self, held: &mut Vec<Held>) -> Result<bool, Error> {
        // A set at a time.
        if let Some(kind) = sets::ban_kinds().nth(self.listing.len()) {
            let count = self.read(kind, held)?;
            self.listing.push(count);
        }
        let is_last = self.listing.len() == sets::ban_kinds().count();
        if is_last {
            let now = clock::instant();
            self.watch.listing = (now.saturating_duration_since(self.listing_began), now);
            self.watch.counts = (!self.is_edited).then(|| self.listing.clone());
        }
        Ok(is_last)
    }

    fn look_up(&mut self, address: IpAddr) -> Result<Vec<Hit>, Error> {
        let mut held = Vec::new();
        let family = Element::Host(address).family();
        for kind in sets::ban_kinds().filter(|kind| kind.family == family) {
            self.read(kind, &mut held)?;
        }
        held.retain(|held| (held.element.first()..=held.element.last()).contains(&address));
        let hit = |held: Held| Hit { element: held.element, until: held.until, dropped: None };
        Ok(held.into_iter().map(hit).collect())
    }

    fn apply(&mut self, edits: &[Edit]) -> Result<u64, Error> {
        let mut lines = String::new();
        sets::edit(&self.plan.table, edits, clock::now(), &mut lines);
        if lines.is_empty() {
            return Ok(0);
        }
        self.expect(edits);
        self.is_edited = true;
        self.ipset(&lines)?;
        Ok(1)
    }

    fn rebuild(
        &mut self,
        elements: &mut dyn Iterator<Item = (Element, Time)>,
    ) -> Result<(), Error> {
        let elements: Vec<_> = elements.collect();
        let mut lines = String::new();
        sets::rebuild(&self.plan.table, &elements, clock::now(), &mut lines);
        self.watch.counts = None;
        self.ipset(&lines)
    }

    fn dropped(&mut self) -> Result<PerFamily<Counts>, Error> {
        for family in self.families() {
            self.rules(*family)?;
        }
        Ok(PerFamily { v4: self.totals.v4.sum(), v6: self.totals.v6.sum() })
    }

    fn flush(&mut self) -> Result<(), Error> {
        let nothing = Plan { hooks: Vec::new(), ..self.plan.clone() };
        for family in self.families() {
            let mut lines = String::new();
            self.rules(*family)?.mend(&nothing, *family, &mut lines);
            self.restore(*family, &lines)?;
        }
        let headers = self.headers()?;
        let table = &self.plan.table;
        let names = sets::kinds().flat_map(|kind| [kind.name(table), kind.next_name(table)]);
        let ours: Vec<_> =
            names.filter(|name| headers.all.iter().any(|header| header.name == *name)).collect();
        self.watch.counts = None;
        self.destroy(&ours)
    }

    fn watched(&self) -> Option<BorrowedFd<'_>> {
        self.monitor.as_ref().map(Socket::as_fd)
    }

    fn look_again(&self) -> Option<Instant> {
        let pause = if self.watch.is_alarmed { BREATH } else { LOOK };
        Some(self.watch.looked_at + pause)
    }

    fn disturbed(&mut self) -> Result<bool, Error> {
        if let Some(monitor) = &mut self.monitor {
            let is_alarmed = &mut self.watch.is_alarmed;
            // What was missed may have been about us.
            let heard = monitor.drain(&mut |message| *is_alarmed |= nft::is_nft(message.kind));
            *is_alarmed |= heard.is_err();
        }
        if self.look_again().is_none_or(|at| at > clock::instant()) {
            return Ok(false);
        }
        self.watch.is_alarmed = false;
        let seen = self.look();
        self.watch.looked_at = clock::instant();
        let seen = seen?;
        Ok(self.is_other(&seen))
    }
}
