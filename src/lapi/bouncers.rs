//! The bouncers that are known: by which key, from where, and what each has been told. Pure; time
//! is a parameter.
//!
//! One key may be used on several hosts: each address gets an entry of its own, `NAME@ADDRESS`, since
//! each follows by itself. Hostile: whoever has a key may come from many addresses, so the entries
//! of one key are bounded.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::accounts::certified;
use super::keys::KeyHash;
use crate::value::Time;

/// Entries of one key; those who come from more addresses share the first.
const MOST_ADDRESSES: usize = 64;
/// Entries of those who show certificates.
const MOST_CERTIFIED: usize = 1024;
/// Characters that are kept of what a bouncer says of itself.
const LONGEST: usize = 64;

/// Lower than all versions.
pub(super) const NOTHING: i64 = -1;

/// A bouncer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bouncer {
    /// Its name.
    pub name: String,
    /// What is kept of its key.
    pub key: KeyHash,
    /// From where it was used first.
    pub address: Option<IpAddr>,
    /// What it says it is.
    pub kind: String,
    /// Which version of that.
    pub version: String,
    /// When it was made known.
    pub created_at: Time,
    /// When it asked last.
    pub last_pull: Option<Time>,
    /// Up to which version of the ledger it was told.
    pub told: Option<i64>,
    /// The same of the time before. The next answer begins here: whether the latest one arrived
    /// is not known, and hearing something twice does no harm.
    pub told_before: Option<i64>,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Bouncers {
    by_name: BTreeMap<String, Bouncer>,
    /// Those that are to be written down.
    changed: BTreeSet<String>,
}

/// Why no bouncer was made known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// There is one of that name.
    #[error("there is a bouncer `{0}` already; `weir bouncers delete {0}` takes its key away")]
    Known(String),
    /// A name that entries of other addresses could have, or none at all.
    #[error("expected a name of letters, digits, `-`, `_` and `.`, found `{0}`")]
    Name(String),
}

impl Bouncer {
    fn new(name: String, key: KeyHash, now: Time) -> Self {
        Self {
            name,
            key,
            address: None,
            kind: String::new(),
            version: String::new(),
            created_at: now,
            last_pull: None,
            told: None,
            told_before: None,
        }
    }

    /// Whether the clock was set back since it asked last: what it was told is over too early then,
    /// since it counts the time by itself.
    fn missed_a_step(&self, now: Time) -> bool {
        self.told.is_some() && self.last_pull.is_some_and(|last| last > now)
    }
}

impl Bouncers {
    /// Those that were written down.
    #[must_use]
    pub fn remembered(bouncers: impl IntoIterator<Item = Bouncer>) -> Self {
        let by_name = bouncers.into_iter().map(|bouncer| (bouncer.name.clone(), bouncer));
        Self { by_name: by_name.collect(), changed: BTreeSet::new() }
    }

    /// All, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Bouncer> {
        self.by_name.values()
    }

    /// Makes one known.
    ///
    /// # Errors
    /// [`Unfit`].
    pub fn add(&mut self, name: &str, key: KeyHash, now: Time) -> Result<&Bouncer, Unfit> {
        let is_fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.len() > LONGEST || !name.chars().all(is_fit) {
            return Err(Unfit::Name(name.to_owned()));
        }
        if self.by_name.contains_key(name) {
            return Err(Unfit::Known(name.to_owned()));
        }
        self.changed.insert(name.to_owned());
        let bouncer = Bouncer::new(name.to_owned(), key, now);
        Ok(self.by_name.entry(name.to_owned()).or_insert(bouncer))
    }

    /// Forgets one, with all entries of its key; gives their names.
    pub fn delete(&mut self, name: &str) -> Vec<String> {
        let Some(key) = self.by_name.get(name).map(|bouncer| bouncer.key.clone()) else {
            return Vec::new();
        };
        let names: Vec<String> = match name.contains('@') {
            // One address of several.
            true => vec![name.to_owned()],
            false => self.of(&key).map(|bouncer| bouncer.name.clone()).collect(),
        };
        for name in &names {
            self.by_name.remove(name);
            self.changed.remove(name);
        }
        names
    }

    /// Whose key this is; nothing is noted.
    #[must_use]
    pub fn knows(&self, key: &KeyHash) -> bool {
        // All are compared, so that the time does not tell which.
        self.by_name.values().fold(false, |found, bouncer| bouncer.key.is(key) | found)
    }

    /// The name of whoever shows this key from this address, and says of itself what `agent` says;
    /// `None` where nobody has that key.
    pub fn meet(&mut self, key: &KeyHash, from: IpAddr, agent: &str, now: Time) -> Option<String> {
        let from = from.to_canonical();
        if !self.knows(key) {
            return None;
        }
        let known = self.of(key).find(|bouncer| bouncer.address == Some(from));
        let unused = || self.of(key).find(|bouncer| bouncer.address.is_none());
        let name = match known.or_else(unused).map(|bouncer| bouncer.name.clone()) {
            Some(name) => name,
            None => self.meet_elsewhere(key, from, now)?,
        };
        let (kind, version) = said(agent);
        let bouncer = self.by_name.get_mut(&name)?;
        let address = bouncer.address.or(Some(from));
        if (bouncer.address, &*bouncer.kind, &*bouncer.version) != (address, &*kind, &*version) {
            (bouncer.address, bouncer.kind, bouncer.version) = (address, kind, version);
            self.changed.insert(name.clone());
        }
        Some(name)
    }

    /// The name of whoever shows a good certificate of `name` from this address; `None` where that
    /// cannot be a name, or somebody with a key has it, or there are too many.
    pub fn meet_certified(
        &mut self,
        name: &str,
        from: IpAddr,
        agent: &str,
        now: Time,
    ) -> Option<String> {
        let full = certified(name, from)?;
        // No key has this hash.
        let key = KeyHash::kept(format!("certificate {name}"));
        match self.by_name.get(&full) {
            Some(known) if !known.key.is(&key) => return None,
            None if self.of(&key).count() >= MOST_ADDRESSES => return None,
            None if self.certified().count() >= MOST_CERTIFIED => return None,
            _ => {}
        }
        let (kind, version) = said(agent);
        let bouncer = Bouncer::new(full.clone(), key, now);
        let known = self.by_name.entry(full.clone()).or_insert(bouncer);
        let address = Some(from.to_canonical());
        if (known.address, &*known.kind, &*known.version) != (address, &*kind, &*version) {
            (known.address, known.kind, known.version) = (address, kind, version);
            self.changed.insert(full.clone());
        }
        Some(full)
    }

    fn certified(&self) -> impl Iterator<Item = &Bouncer> {
        self.by_name.values().filter(|bouncer| bouncer.key.text().starts_with("certificate "))
    }

    /// The entry of a key that is used at another address for the first time.
    fn meet_elsewhere(&mut self, key: &KeyHash, from: IpAddr, now: Time) -> Option<String> {
        // The one that was made known, whatever else its key is used for.
        let first =
            self.of(key).min_by_key(|bouncer| (bouncer.name.contains('@'), &bouncer.name))?;
        let base = first.name.split('@').next().unwrap_or_default().to_owned();
        let name = format!("{base}@{from}");
        // Whoever shows a certificate may have that name.
        if self.of(key).count() >= MOST_ADDRESSES || self.by_name.contains_key(&name) {
            return Some(first.name.clone());
        }
        let bouncer = Bouncer::new(name.clone(), key.clone(), now);
        self.changed.insert(name.clone());
        self.by_name.insert(name.clone(), bouncer);
        Some(name)
    }

    fn of<'a>(&'a self, key: &'a KeyHash) -> impl Iterator<Item = &'a Bouncer> {
        self.by_name.values().filter(|bouncer| bouncer.key.is(key))
    }

    /// From which version on a bouncer is to be told that asks at `now`; what is lower than all
    /// versions is for all that there is.
    #[must_use]
    pub fn told(&self, name: &str, now: Time) -> i64 {
        let bouncer = self.by_name.get(name).filter(|bouncer| !bouncer.missed_a_step(now));
        bouncer.and_then(|bouncer| bouncer.told_before).unwrap_or(NOTHING)
    }

    /// A bouncer was told everything up to `version`, in an answer to a question of then; from the
    /// beginning because it asked for that, or what was new.
    pub fn tell(&mut self, name: &str, version: i64, is_beginning: bool, asked_at: Time) {
        let Some(bouncer) = self.by_name.get_mut(name) else { return };
        let told = if bouncer.missed_a_step(asked_at) { Some(NOTHING) } else { bouncer.told };
        // Whoever begins and does not get the answer begins again. Of two answers at the same time
        // the later one may be taken first.
        (bouncer.told_before, bouncer.told) = match told {
            _ if is_beginning => (Some(version), Some(version)),
            Some(told) => (Some(told.min(version)), Some(told.max(version))),
            None => (None, Some(version)),
        };
        bouncer.last_pull = Some(asked_at);
        self.changed.insert(name.to_owned());
    }

    /// A bouncer asked for something else.
    pub fn seen(&mut self, name: &str, now: Time) {
        const MINUTE: i64 = 60_000_000_000;
        let Some(bouncer) = self.by_name.get_mut(name) else { return };
        if bouncer.last_pull.is_none_or(|last| now.since(last).abs() >= MINUTE) {
            bouncer.last_pull = Some(now);
            self.changed.insert(name.to_owned());
        }
    }

    /// These could not be written down.
    pub fn again<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) {
        let known = names.into_iter().filter(|name| self.by_name.contains_key(*name));
        self.changed.extend(known.map(str::to_owned));
    }

    /// Those that changed since this was asked last.
    pub fn take_changed(&mut self) -> Vec<Bouncer> {
        let changed = std::mem::take(&mut self.changed);
        changed.iter().filter_map(|name| self.by_name.get(name)).cloned().collect()
    }
}

/// Type and version of `name/version`; whatever else is a type without one.
fn said(agent: &str) -> (String, String) {
    let cut = |text: &str| text.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
    match agent.split_once('/') {
        Some((kind, version)) if !version.contains('/') => (cut(kind), cut(version)),
        _ => (cut(agent), "N/A".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Time {
        Time::from_seconds(seconds)
    }

    fn bouncers() -> Bouncers {
        let mut bouncers = Bouncers::default();
        bouncers.add("edge", KeyHash::of("k"), at(0)).unwrap();
        bouncers
    }

    #[track_caller]
    fn check(bouncers: &mut Bouncers, key: &str, from: &str, expected: Option<&str>) {
        let met = bouncers.meet(&KeyHash::of(key), from.parse().unwrap(), "fw/1.2", at(1));
        assert_eq!(met.as_deref(), expected);
    }

    #[test]
    fn each_address_of_a_key_has_an_entry() {
        let mut bouncers = bouncers();
        check(&mut bouncers, "x", "192.0.2.1", None);
        check(&mut bouncers, "", "192.0.2.1", None);
        check(&mut bouncers, "k", "192.0.2.1", Some("edge"));
        check(&mut bouncers, "k", "::ffff:192.0.2.1", Some("edge"));
        check(&mut bouncers, "k", "192.0.2.2", Some("edge@192.0.2.2"));
        check(&mut bouncers, "k", "2001:db8::1", Some("edge@2001:db8::1"));
        check(&mut bouncers, "k", "192.0.2.2", Some("edge@192.0.2.2"));
        assert_eq!(bouncers.delete("edge@192.0.2.2"), ["edge@192.0.2.2"]);
        assert_eq!(bouncers.delete("edge"), ["edge", "edge@2001:db8::1"]);
        check(&mut bouncers, "k", "192.0.2.1", None);
    }

    #[test]
    fn whoever_comes_from_everywhere_takes_no_memory() {
        let mut bouncers = bouncers();
        for n in 0..1000_u32 {
            let from = IpAddr::from((0xc000_0200 + n).to_be_bytes());
            assert!(bouncers.meet(&KeyHash::of("k"), from, "", at(1)).is_some());
        }
        assert_eq!(bouncers.iter().count(), MOST_ADDRESSES);
    }

    #[test]
    fn names_cannot_be_taken_for_others() {
        let mut bouncers = bouncers();
        let mut add = |name: &str| bouncers.add(name, KeyHash::of("z"), at(0)).map(drop);
        assert_eq!(add("edge"), Err(Unfit::Known("edge".to_owned())));
        for name in ["", "a b", "edge@192.0.2.1", "é", &"x".repeat(65)] {
            assert_eq!(add(name), Err(Unfit::Name(name.to_owned())), "{name}");
        }
        assert_eq!(add("edge-2.example_org"), Ok(()));
    }

    #[track_caller]
    fn check_said(agent: &str, kind: &str, version: &str) {
        assert_eq!(said(agent), (kind.to_owned(), version.to_owned()));
    }

    #[test]
    fn what_bouncers_say_of_themselves_is_kept() {
        check_said(
            "crowdsec-firewall-bouncer/v0.0.25-debian",
            "crowdsec-firewall-bouncer",
            "v0.0.25-debian",
        );
        check_said("crowdsec-firewall-bouncer/-", "crowdsec-firewall-bouncer", "-");
        check_said("curl", "curl", "N/A");
        check_said("a/b/c", "a/b/c", "N/A");
        check_said(
            &format!("\u{1b}[31m{}", "x".repeat(100)),
            &format!("[31m{}", "x".repeat(60)),
            "N/A",
        );
    }

    #[test]
    fn the_next_answer_begins_where_the_one_before_the_last_ended() {
        let mut bouncers = bouncers();
        assert_eq!(bouncers.told("edge", at(1)), NOTHING);
        bouncers.tell("edge", 10, true, at(1));
        assert_eq!(bouncers.told("edge", at(1)), 10);
        bouncers.tell("edge", 20, false, at(2));
        assert_eq!(bouncers.told("edge", at(2)), 10);
        bouncers.tell("edge", 30, false, at(3));
        assert_eq!(bouncers.told("edge", at(3)), 20);
        let changed = bouncers.take_changed();
        assert_eq!((changed.len(), changed[0].last_pull), (1, Some(at(3))));
        let again = Bouncers::remembered(changed);
        assert_eq!(again.told("edge", at(3)), 20);
        assert!(bouncers.take_changed().is_empty());
        bouncers.seen("edge", at(30));
        assert!(bouncers.take_changed().is_empty());
        bouncers.seen("edge", at(90));
        assert_eq!(bouncers.take_changed().len(), 1);
    }

    #[test]
    fn whoever_does_not_say_that_it_begins_is_told_all_until_it_asks_twice() {
        let mut bouncers = bouncers();
        bouncers.tell("edge", 10, false, at(1));
        assert_eq!(bouncers.told("edge", at(2)), NOTHING, "the first answer may be lost");
        bouncers.tell("edge", 20, false, at(2));
        assert_eq!(bouncers.told("edge", at(3)), 10);
    }

    #[test]
    fn answers_that_overtake_each_other_take_nothing_away() {
        let mut bouncers = bouncers();
        bouncers.tell("edge", 10, true, at(1));
        bouncers.tell("edge", 30, false, at(3));
        bouncers.tell("edge", 20, false, at(3));
        assert_eq!(bouncers.told("edge", at(4)), 20);
    }

    #[test]
    fn all_is_told_again_after_the_clock_was_set_back() {
        let mut bouncers = bouncers();
        bouncers.tell("edge", 10, true, at(100));
        assert_eq!(bouncers.told("edge", at(99)), NOTHING);
        bouncers.tell("edge", 20, false, at(99));
        assert_eq!(bouncers.told("edge", at(100)), NOTHING, "that answer may be lost");
        bouncers.tell("edge", 30, false, at(100));
        assert_eq!(bouncers.told("edge", at(101)), 20);
    }

    #[test]
    fn a_certificate_makes_a_bouncer_of_each_address() {
        let (mut bouncers, from) = (bouncers(), [192, 0, 2, 7].into());
        let met = |bouncers: &mut Bouncers, name: &str| {
            bouncers.meet_certified(name, from, "fw/1", at(1))
        };
        assert_eq!(met(&mut bouncers, "web").as_deref(), Some("web@192.0.2.7"));
        assert_eq!(met(&mut bouncers, "web").as_deref(), Some("web@192.0.2.7"));
        assert_eq!(met(&mut bouncers, "a b"), None);
        assert_eq!(met(&mut bouncers, "a@192.0.2.1"), None);
        assert_eq!(bouncers.iter().count(), 2);
        // Nobody has what is kept of it as a key.
        assert!(!bouncers.knows(&KeyHash::of("certificate web")));
        assert!(!bouncers.knows(&KeyHash::of("")));
        // Nobody gets the name of somebody who came otherwise.
        check(&mut bouncers, "k", "192.0.2.8", Some("edge"));
        assert_eq!(met(&mut bouncers, "edge").as_deref(), Some("edge@192.0.2.7"));
        check(&mut bouncers, "k", "192.0.2.7", Some("edge"));
        check(&mut bouncers, "k", "192.0.2.9", Some("edge@192.0.2.9"));
        assert_eq!(bouncers.meet_certified("edge", [192, 0, 2, 9].into(), "", at(1)), None);
        assert_eq!(bouncers.delete("web@192.0.2.7"), ["web@192.0.2.7"]);
    }
}
