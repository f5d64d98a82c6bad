//! The sets: what `ipset` is told, and what it says. Pure.

#![forbid(unsafe_code)]

use std::fmt::Write as _;
use std::net::IpAddr;

use ipnet::IpNet;

use super::super::element::{Edit, Element, Held};
use crate::decision::Family;
use crate::value::Time;

/// The greatest timeout that a set takes, in seconds: 24 days. What is banned for longer is renewed
/// when the set is compared with what is wanted.
pub(super) const LONGEST: u64 = 2_147_483;
/// Elements of a set; room is taken as they come. Without a word it would be 65,536.
const MOST: u32 = 1 << 20;
const SECOND: i64 = 1_000_000_000;

/// One of the sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) family: Family,
    pub(super) role: Role,
}

/// What a set is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Prefixes that are let through.
    Friends,
    /// Banned addresses.
    Hosts,
    /// Banned prefixes.
    Nets,
}

impl Role {
    pub(super) const ALL: [Self; 3] = [Self::Friends, Self::Hosts, Self::Nets];
}

/// All sets.
pub(super) fn kinds() -> impl Iterator<Item = Kind> {
    [Family::V4, Family::V6]
        .into_iter()
        .flat_map(|family| Role::ALL.map(|role| Kind { family, role }))
}

/// Those that hold bans.
pub(super) fn ban_kinds() -> impl Iterator<Item = Kind> {
    kinds().filter(|kind| kind.role != Role::Friends)
}

impl Kind {
    /// The set's name.
    pub(super) fn name(self, table: &str) -> String {
        let number = match self.family {
            Family::V4 => 4,
            Family::V6 => 6,
        };
        match self.role {
            Role::Friends => format!("{table}-friends{number}"),
            Role::Hosts => format!("{table}-ban{number}"),
            Role::Nets => format!("{table}-ban{number}-net"),
        }
    }

    /// The name of the set that takes its place.
    pub(super) fn next_name(self, table: &str) -> String {
        format!("{}-new", self.name(table))
    }

    /// Whether an element lives in this set.
    pub(super) fn has(self, element: Element) -> bool {
        let role = match element {
            Element::Host(_) => Role::Hosts,
            Element::Range(..) => Role::Nets,
        };
        self.family == element.family() && self.role == role
    }

    /// What its first line must say.
    fn shape(self) -> String {
        let kind = if self.role == Role::Hosts { "hash:ip" } else { "hash:net" };
        let family = match self.family {
            Family::V4 => "inet",
            Family::V6 => "inet6",
        };
        format!("{kind} family {family}")
    }

    fn create(self, name: &str, lines: &mut String) {
        let timeout = if self.role == Role::Friends { "" } else { " timeout 0" };
        let shape = self.shape();
        line(lines, format_args!("create {name} {shape} hashsize 1024 maxelem {MOST}{timeout}"));
    }
}

fn line(lines: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(lines, "{text}").expect("writing to text cannot fail");
}

/// Makes a set.
pub(super) fn create(table: &str, kind: Kind, lines: &mut String) {
    kind.create(&kind.name(table), lines);
}

/// Carries edits out. What takes over from a range that goes comes first.
pub(super) fn edit(table: &str, edits: &[Edit], now: Time, lines: &mut String) {
    for kind in ban_kinds() {
        let name = kind.name(table);
        let mine = || edits.iter().filter(move |edit| kind.has(edit.element()));
        for edit in mine() {
            if let Edit::Add(element, until) | Edit::Update(element, until) = *edit {
                add(&name, element, until, now, lines);
            }
        }
        for edit in mine() {
            if let Edit::Remove(element) = *edit {
                for net in nets(element) {
                    line(lines, format_args!("del {name} {}", shown(net)));
                }
            }
        }
    }
}

fn add(name: &str, element: Element, until: Time, now: Time, lines: &mut String) {
    let left = until.since(now);
    // No time at all would be for ever.
    if left <= 0 {
        return;
    }
    let seconds = left.unsigned_abs().div_ceil(SECOND.unsigned_abs());
    let seconds = seconds.min(LONGEST);
    for net in nets(element) {
        line(lines, format_args!("add {name} {} timeout {seconds}", shown(net)));
    }
}

/// Puts another set in the place of one, at once.
fn replace(table: &str, kind: Kind, lines: &mut String, fill: impl FnOnce(&str, &mut String)) {
    let (name, next) = (kind.name(table), kind.next_name(table));
    kind.create(&next, lines);
    line(lines, format_args!("flush {next}"));
    fill(&next, lines);
    line(lines, format_args!("swap {next} {name}"));
    line(lines, format_args!("destroy {next}"));
}

/// Replaces all bans by these.
pub(super) fn rebuild(table: &str, elements: &[(Element, Time)], now: Time, lines: &mut String) {
    for kind in ban_kinds() {
        replace(table, kind, lines, |next, lines| {
            for (element, until) in elements.iter().filter(|(element, _)| kind.has(*element)) {
                add(next, *element, *until, now, lines);
            }
        });
    }
}

/// Replaces all friends of a family by these.
pub(super) fn befriend(table: &str, family: Family, friends: &[IpNet], lines: &mut String) {
    replace(table, Kind { family, role: Role::Friends }, lines, |next, lines| {
        for net in friends.iter().filter(|net| family_of(net) == family) {
            for net in halves(*net) {
                line(lines, format_args!("add {next} {}", shown(net)));
            }
        }
    });
}

/// Destroys these sets.
pub(super) fn destroy(names: &[String], lines: &mut String) {
    for name in names {
        line(lines, format_args!("destroy {name}"));
    }
}

/// The friends of a family as its set has them, in order.
pub(super) fn friends_in_set(friends: &[IpNet], family: Family) -> Vec<IpNet> {
    let mine = friends.iter().filter(|net| family_of(net) == family);
    let mut nets: Vec<_> = mine.flat_map(|net| halves(*net)).collect();
    nets.sort_unstable();
    nets.dedup();
    nets
}

fn family_of(net: &IpNet) -> Family {
    match net {
        IpNet::V4(_) => Family::V4,
        IpNet::V6(_) => Family::V6,
    }
}

/// A set refuses the prefix of all addresses, but not its halves.
fn halves(net: IpNet) -> Vec<IpNet> {
    if net.prefix_len() > 0 {
        return vec![net.trunc()];
    }
    net.subnets(1).expect("a longer prefix than none").collect()
}

fn nets(element: Element) -> Vec<IpNet> {
    match element {
        Element::Host(address) => vec![IpNet::from(address)],
        Element::Range(..) => halves(element.prefix().expect("ranges come cut into prefixes")),
    }
}

fn shown(net: IpNet) -> impl std::fmt::Display {
    // A single address is shown without a length, and `hash:ip` takes no other.
    std::fmt::from_fn(move |f| {
        if net.prefix_len() == net.max_prefix_len() {
            write!(f, "{}", net.addr())
        } else {
            write!(f, "{net}")
        }
    })
}

/// A set as `ipset` lists it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) name: String,
    /// Its kind and how it is made.
    shape: String,
    /// How many elements it has, with those that ended a moment ago.
    pub(super) count: usize,
}

impl Header {
    /// Whether it is made as it should be.
    pub(super) fn is(&self, kind: Kind) -> bool {
        let mut words = self.shape.split(' ').skip_while(|word| *word != "maxelem");
        let most = words.nth(1).and_then(|most| most.parse::<u32>().ok());
        let has_timeout = self.shape.contains(" timeout 0");
        self.shape.starts_with(&(kind.shape() + " "))
            && most == Some(MOST)
            && has_timeout == (kind.role != Role::Friends)
    }
}

/// Reads what `ipset list -terse` says, line by line.
#[derive(Debug, Default)]
pub(super) struct Headers {
    pub(super) all: Vec<Header>,
}

impl Headers {
    pub(super) fn read(&mut self, line: &str) {
        let Some((key, value)) = line.split_once(": ") else { return };
        if key == "Name" {
            self.all.push(Header { name: value.to_owned(), ..Header::default() });
        }
        let Some(header) = self.all.last_mut() else { return };
        match key {
            "Type" => value.clone_into(&mut header.shape),
            "Header" => {
                header.shape.push(' ');
                header.shape.push_str(value);
            }
            "Number of entries" => header.count = value.parse().unwrap_or(0),
            _ => {}
        }
    }
}

/// Reads an element out of a line of `ipset save`: its prefix and how long it lasts, where it ends.
pub(super) fn read(line: &str) -> Option<(IpNet, Option<i64>)> {
    let mut words = line.split(' ');
    if words.next() != Some("add") {
        return None;
    }
    let key = words.nth(1)?;
    let net = match key.parse::<IpAddr>() {
        Ok(address) => IpNet::from(address),
        Err(_) => key.parse::<IpNet>().ok()?,
    };
    let mut seconds = None;
    while let Some(word) = words.next() {
        if word == "timeout" {
            seconds = words.next().and_then(|text| text.parse().ok());
        }
    }
    // No time is for ever.
    Some((net, seconds.filter(|seconds| *seconds > 0)))
}

/// The element that a line of a set's listing is.
pub(super) fn read_held(kind: Kind, line: &str, now: Time) -> Option<Held> {
    let (net, seconds) = read(line)?;
    let element = match kind.role {
        Role::Hosts => Element::Host(net.addr()),
        Role::Nets | Role::Friends => Element::Range(net.network(), net.broadcast()),
    };
    // Of its last second the set shows no more than that it has begun.
    let until = seconds.map(|seconds| now.plus(seconds.saturating_mul(SECOND)));
    kind.has(element).then_some(Held { element, until })
}

/// Puts halves together that are in order: only as such a set has the prefix of all addresses.
pub(super) fn join_halves(held: &mut Vec<Held>) {
    let is_half = |held: &Held| held.element.prefix().is_some_and(|net| net.prefix_len() == 1);
    let mut joined: Vec<Held> = Vec::with_capacity(held.len());
    for next in held.drain(..) {
        match joined.last_mut() {
            Some(last)
                if is_half(last)
                    && is_half(&next)
                    && last.element.family() == next.element.family()
                    && last.element != next.element =>
            {
                last.element = Element::Range(last.element.first(), next.element.last());
                last.until = last.until.min(next.until);
            }
            _ => joined.push(next),
        }
    }
    *held = joined;
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_seconds(1000);

    fn at(seconds: i64) -> Time {
        Time::from_seconds(1000 + seconds)
    }

    fn host(text: &str) -> Element {
        Element::Host(text.parse().unwrap())
    }

    fn range(text: &str) -> Element {
        let net: IpNet = text.parse().unwrap();
        Element::Range(net.network(), net.broadcast())
    }

    #[track_caller]
    fn check(edits: &[Edit], expected: &str) {
        let mut lines = String::new();
        edit("weir", edits, NOW, &mut lines);
        assert_eq!(lines.trim_end().replace('\n', "; "), expected);
    }

    #[test]
    fn edits() {
        check(&[], "");
        check(&[Edit::Add(host("192.0.2.1"), at(60))], "add weir-ban4 192.0.2.1 timeout 60");
        let part = NOW.plus(1);
        check(&[Edit::Update(host("2001:db8::1"), part)], "add weir-ban6 2001:db8::1 timeout 1");
        check(&[Edit::Add(host("192.0.2.1"), NOW)], "");
        let years = at(400_000_000);
        check(&[Edit::Add(host("192.0.2.1"), years)], "add weir-ban4 192.0.2.1 timeout 2147483");
        check(
            &[
                Edit::Remove(range("10.0.0.0/24")),
                Edit::Add(range("10.0.0.0/25"), at(5)),
                Edit::Add(range("10.0.0.128/32"), at(5)),
                Edit::Remove(range("::/0")),
            ],
            "add weir-ban4-net 10.0.0.0/25 timeout 5; add weir-ban4-net 10.0.0.128 timeout 5; \
             del weir-ban4-net 10.0.0.0/24; del weir-ban6-net ::/1; del weir-ban6-net 8000::/1",
        );
    }

    #[test]
    fn a_set_takes_the_place_of_another() {
        let mut lines = String::new();
        let friends = ["192.0.2.0/28", "2001:db8::1/128"].map(|net| net.parse().unwrap());
        befriend("w", Family::V4, &friends, &mut lines);
        assert_eq!(
            lines,
            "create w-friends4-new hash:net family inet hashsize 1024 maxelem 1048576\n\
             flush w-friends4-new\n\
             add w-friends4-new 192.0.2.0/28\n\
             swap w-friends4-new w-friends4\n\
             destroy w-friends4-new\n"
        );
        let longest = Kind { family: Family::V4, role: Role::Friends };
        assert!(longest.next_name(&"x".repeat(crate::settings::LONGEST_FOR_IPSET)).len() == 31);
    }

    #[track_caller]
    fn check_read(line: &str, expected: Option<(&str, Option<i64>)>) {
        let expected = expected.map(|(net, seconds)| (net.parse().unwrap(), seconds));
        assert_eq!(read(line), expected, "{line}");
    }

    #[test]
    fn listings() {
        check_read("add weir-ban4 192.0.2.1 timeout 59", Some(("192.0.2.1/32", Some(59))));
        check_read("add weir-ban4 192.0.2.1 timeout 0", Some(("192.0.2.1/32", None)));
        check_read("add x 10.0.0.0/8 timeout 5 packets 3 bytes 9", Some(("10.0.0.0/8", Some(5))));
        check_read("add x 2001:db8::/56", Some(("2001:db8::/56", None)));
        check_read("create weir-ban4 hash:ip family inet", None);
        check_read("add x", None);
        check_read("add x y", None);
        check_read("", None);
    }

    #[test]
    fn headers() {
        let text = "Name: weir-ban4\nType: hash:ip\nRevision: 6\nHeader: family inet hashsize 1024 \
                    maxelem 1048576 timeout 0 bucketsize 12 initval 0x12\nReferences: 2\n\
                    Number of entries: 7\nName: other\nType: bitmap:port\nHeader: range 0-9\n";
        let mut headers = Headers::default();
        text.lines().for_each(|line| headers.read(line));
        let [ours, other] = headers.all.as_slice() else { panic!("{headers:?}") };
        assert_eq!((ours.name.as_str(), ours.count), ("weir-ban4", 7));
        let kind = |family, role| Kind { family, role };
        assert!(ours.is(kind(Family::V4, Role::Hosts)));
        assert!(!ours.is(kind(Family::V6, Role::Hosts)));
        assert!(!ours.is(kind(Family::V4, Role::Nets)));
        assert!(!other.is(kind(Family::V4, Role::Hosts)));
        let mut small = ours.clone();
        small.shape = small.shape.replace("1048576", "65536");
        assert!(!small.is(kind(Family::V4, Role::Hosts)));
    }

    #[test]
    fn halves_are_one() {
        let held = |text, until| Held { element: range(text), until: Some(at(until)) };
        let mut all = vec![held("0.0.0.0/1", 5), held("128.0.0.0/1", 4), held("::/1", 4)];
        join_halves(&mut all);
        assert_eq!(all, [held("0.0.0.0/0", 4), held("::/1", 4)]);
    }
}
