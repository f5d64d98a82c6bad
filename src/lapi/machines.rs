//! The machines that are known: by which password, whether they may push, and when each was there.
//! Pure; time is a parameter.
//!
//! A machine may register itself: it can do nothing then until an operator says so. Hostile: how many
//! wait for that is bounded.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::accounts::certified;
use super::passwords::PasswordHash;
use crate::value::Time;

/// Machines that wait to be validated.
const MOST_WAITING: usize = 32;
/// Machines that show certificates.
const MOST_CERTIFIED: usize = 1024;
/// Characters of a name: those that `cscli` makes up have 48.
const LONGEST_NAME: usize = 128;
/// Characters that are kept of what a machine says of itself.
const LONGEST: usize = 96;
const MINUTE: i64 = 60_000_000_000;

/// A machine: a log processor, or `cscli`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Its name.
    pub name: String,
    /// What is kept of its password, if it has one.
    pub password: Option<PasswordHash>,
    /// Whether an operator said that it may push.
    pub is_validated: bool,
    /// From where it came last.
    pub address: Option<IpAddr>,
    /// What it says it is, with its version.
    pub version: String,
    /// When it was made known.
    pub created_at: Time,
    /// When it was there last.
    pub last_seen: Option<Time>,
    /// When it pushed last.
    pub last_push: Option<Time>,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Machines {
    by_name: BTreeMap<String, Machine>,
    /// Those that are to be written down.
    changed: BTreeSet<String>,
    /// Those that are to be forgotten there.
    gone: BTreeSet<String>,
}

/// What is to be written down.
#[derive(Debug, Default)]
pub struct ChangedMachines {
    /// These as they are now.
    pub kept: Vec<Machine>,
    /// The names of those that are no more.
    pub gone: Vec<String>,
}

/// Why no machine was made known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnfitMachine {
    /// There is one of that name.
    #[error("there is a machine `{0}` already; `weir machines delete {0}` takes its access away")]
    Known(String),
    /// A name that others could have, or none at all.
    #[error(
        "expected a name of at most {LONGEST_NAME} letters, digits, `-`, `_`, `.` and `:`, found `{0}`"
    )]
    Name(String),
    /// Too many registered themselves.
    #[error(
        "{MOST_WAITING} machines wait to be validated already; `weir machines list` names them"
    )]
    Waiting,
}

impl Machine {
    fn new(name: &str, password: Option<PasswordHash>, is_validated: bool, now: Time) -> Self {
        Self {
            name: name.to_owned(),
            password,
            is_validated,
            address: None,
            version: String::new(),
            created_at: now,
            last_seen: None,
            last_push: None,
        }
    }
}

impl Machines {
    /// Those that were written down.
    #[must_use]
    pub fn remembered(machines: impl IntoIterator<Item = Machine>) -> Self {
        let by_name = machines.into_iter().map(|machine| (machine.name.clone(), machine));
        Self { by_name: by_name.collect(), ..Self::default() }
    }

    /// All, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Machine> {
        self.by_name.values()
    }

    /// The one of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Machine> {
        self.by_name.get(name)
    }

    /// Makes one known that may push.
    ///
    /// # Errors
    /// [`UnfitMachine`].
    pub fn add(
        &mut self,
        name: &str,
        password: PasswordHash,
        now: Time,
    ) -> Result<&Machine, UnfitMachine> {
        self.enter(name, password, true, now)
    }

    /// One makes itself known. It may push when it is validated.
    ///
    /// # Errors
    /// [`UnfitMachine`].
    pub fn register(
        &mut self,
        name: &str,
        password: PasswordHash,
        now: Time,
    ) -> Result<&Machine, UnfitMachine> {
        self.may_register(name)?;
        self.enter(name, password, false, now)
    }

    /// Whether one of this name may make itself known; asked before its password is looked at, which
    /// takes long.
    ///
    /// # Errors
    /// [`UnfitMachine`].
    pub fn may_register(&self, name: &str) -> Result<(), UnfitMachine> {
        self.is_free(name)?;
        match self.by_name.values().filter(|machine| !machine.is_validated).count() {
            MOST_WAITING.. => Err(UnfitMachine::Waiting),
            _ => Ok(()),
        }
    }

    fn is_free(&self, name: &str) -> Result<(), UnfitMachine> {
        // With `@` are the names of those who show a certificate.
        let is_fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
        if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(is_fit) {
            let shown =
                name.chars().take(LONGEST_NAME).map(|c| if c.is_control() { '?' } else { c });
            return Err(UnfitMachine::Name(shown.collect()));
        }
        match self.by_name.contains_key(name) {
            true => Err(UnfitMachine::Known(name.to_owned())),
            false => Ok(()),
        }
    }

    /// The name of whoever shows a good certificate of `name` from this address; `None` where that
    /// cannot be a name, or there are too many.
    pub fn meet_certified(&mut self, name: &str, from: IpAddr, now: Time) -> Option<String> {
        let full = certified(name, from)?;
        let n_certified = || self.by_name.values().filter(|one| one.password.is_none()).count();
        if !self.by_name.contains_key(&full) {
            if n_certified() >= MOST_CERTIFIED {
                return None;
            }
            self.changed.insert(full.clone());
            self.by_name.insert(full.clone(), Machine::new(&full, None, true, now));
        }
        Some(full)
    }

    fn enter(
        &mut self,
        name: &str,
        password: PasswordHash,
        is_validated: bool,
        now: Time,
    ) -> Result<&Machine, UnfitMachine> {
        self.is_free(name)?;
        self.changed.insert(name.to_owned());
        let machine = Machine::new(name, Some(password), is_validated, now);
        Ok(self.by_name.entry(name.to_owned()).or_insert(machine))
    }

    /// Forgets one; whether there was one.
    pub fn delete(&mut self, name: &str) -> bool {
        self.changed.remove(name);
        let is_known = self.by_name.remove(name).is_some();
        if is_known {
            self.gone.insert(name.to_owned());
        }
        is_known
    }

    /// Says that one may push; whether there is one.
    pub fn validate(&mut self, name: &str) -> bool {
        let Some(machine) = self.by_name.get_mut(name) else { return false };
        machine.is_validated = true;
        self.changed.insert(name.to_owned());
        true
    }

    /// One is there, from this address.
    pub fn seen(&mut self, name: &str, from: IpAddr, now: Time) {
        let Some(machine) = self.by_name.get_mut(name) else { return };
        let from = from.to_canonical();
        let is_news = machine.last_seen.is_none_or(|last| now.since(last).abs() >= MINUTE);
        if is_news || machine.address != Some(from) {
            (machine.last_seen, machine.address) = (Some(now), Some(from));
            self.changed.insert(name.to_owned());
        }
    }

    /// One logged in, and says of itself what `agent` says.
    pub fn logged_in(&mut self, name: &str, from: IpAddr, agent: &str, now: Time) {
        let Some(machine) = self.by_name.get_mut(name) else { return };
        machine.version = agent.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
        (machine.last_seen, machine.address) = (Some(now), Some(from.to_canonical()));
        self.changed.insert(name.to_owned());
    }

    /// One pushed.
    pub fn pushed(&mut self, name: &str, now: Time) {
        let Some(machine) = self.by_name.get_mut(name) else { return };
        machine.last_push = Some(now);
        self.changed.insert(name.to_owned());
    }

    /// Those that changed since this was asked last.
    pub fn take_changed(&mut self) -> ChangedMachines {
        let changed = std::mem::take(&mut self.changed);
        let kept = changed.iter().filter_map(|name| self.by_name.get(name)).cloned().collect();
        ChangedMachines { kept, gone: std::mem::take(&mut self.gone).into_iter().collect() }
    }

    /// These could not be written down.
    pub fn again(&mut self, changed: ChangedMachines) {
        let kept = changed.kept.into_iter().map(|machine| machine.name);
        self.changed.extend(kept.filter(|name| self.by_name.contains_key(name)));
        self.gone.extend(changed.gone);
    }
}

impl ChangedMachines {
    /// Whether nothing is to be written down.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty() && self.gone.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Time {
        Time::from_seconds(seconds)
    }

    /// The hash of no password in particular.
    fn password() -> PasswordHash {
        let text =
            "pbkdf2-sha256$1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        PasswordHash::kept(text.to_owned()).unwrap()
    }

    #[track_caller]
    fn changed(machines: &mut Machines, kept: &[&str], gone: &[&str]) {
        let ChangedMachines { kept: names, gone: deleted } = machines.take_changed();
        assert_eq!(names.iter().map(|machine| &*machine.name).collect::<Vec<_>>(), kept);
        assert_eq!(deleted, gone);
    }

    #[test]
    fn one_that_registers_waits_to_be_validated() {
        let mut machines = Machines::default();
        assert!(machines.add("edge", password(), at(1)).unwrap().is_validated);
        assert!(!machines.register("other", password(), at(1)).unwrap().is_validated);
        assert!(machines.validate("other") && machines.get("other").unwrap().is_validated);
        assert!(!machines.validate("nobody"));
        changed(&mut machines, &["edge", "other"], &[]);
        for n in 0..MOST_WAITING {
            machines.register(&format!("m{n}"), password(), at(1)).unwrap();
        }
        assert_eq!(machines.register("more", password(), at(1)), Err(UnfitMachine::Waiting));
        machines.add("more", password(), at(1)).unwrap();
    }

    #[track_caller]
    fn unfit(machines: &mut Machines, name: &str, contains: &str) {
        let message = machines.add(name, password(), at(1)).unwrap_err().to_string();
        assert!(message.contains(contains), "{message}");
    }

    #[test]
    fn names_are_plain_and_of_one_machine() {
        let mut machines = Machines::default();
        machines.add("3c1e8f0a-edge_1.example:x", password(), at(1)).unwrap();
        unfit(&mut machines, "3c1e8f0a-edge_1.example:x", "already");
        unfit(&mut machines, "", "expected a name");
        unfit(&mut machines, "edge@192.0.2.1", "expected a name");
        unfit(&mut machines, "a b", "expected a name");
        unfit(&mut machines, "a\u{1b}[m", "`a?[m`");
        unfit(&mut machines, &"x".repeat(LONGEST_NAME + 1), "at most 128");
    }

    #[test]
    fn what_is_to_be_written_down_is_told_once() {
        let (mut machines, from) = (Machines::default(), [192, 0, 2, 1].into());
        machines.add("edge", password(), at(1)).unwrap();
        changed(&mut machines, &["edge"], &[]);
        machines.logged_in("edge", from, "crowdsec/1\u{7}", at(2));
        assert_eq!(machines.get("edge").unwrap().version, "crowdsec/1");
        changed(&mut machines, &["edge"], &[]);
        machines.seen("edge", from, at(3));
        changed(&mut machines, &[], &[]);
        machines.seen("edge", from, at(62));
        changed(&mut machines, &["edge"], &[]);
        machines.seen("edge", [192, 0, 2, 2].into(), at(63));
        changed(&mut machines, &["edge"], &[]);
        machines.pushed("edge", at(64));
        let taken = machines.take_changed();
        assert_eq!(taken.kept[0].last_push, Some(at(64)));
        machines.again(taken);
        changed(&mut machines, &["edge"], &[]);
        machines.pushed("edge", at(65));
        assert!(machines.delete("edge") && !machines.delete("edge"));
        changed(&mut machines, &[], &["edge"]);
        assert!(machines.take_changed().is_empty());
        machines.again(ChangedMachines { kept: Vec::new(), gone: vec!["edge".to_owned()] });
        changed(&mut machines, &[], &["edge"]);
    }
}
