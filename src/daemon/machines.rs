//! Machines that may push alerts: as the ledger has them, and as operators manage them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;

use crate::control::{AskedOfMachines, FailureKind, MachineRow, Reply, ToldOfMachines};
use crate::lapi::{ChangedMachines, Machine, Machines, PasswordHash, Secret};
use crate::ledger::{Ledger, StoredMachine};
use crate::metrics;
use crate::settings::Lapi;
use crate::value::Time;

/// Where a secret is that outlives the process, for those who set one for their API already.
const SECRET: &str = "CS_LAPI_SECRET";

/// What signs the tokens of machines.
#[expect(clippy::disallowed_methods, reason = "a secret that the clients' own server takes so")]
pub(super) fn secret() -> anyhow::Result<Secret> {
    match std::env::var(SECRET) {
        Ok(text) if !text.is_empty() => {
            Secret::of(&text).with_context(|| format!("the variable `{SECRET}`"))
        }
        _ => Ok(Secret::new()?),
    }
}

/// The machines, in memory and on disk.
#[derive(Clone)]
pub(super) struct Watchers {
    /// Where they push, in words; none where nobody can.
    listen: Option<String>,
    is_secure: bool,
    machines: Arc<Mutex<Machines>>,
    counted: metrics::Lapi,
}

impl Watchers {
    /// Those whom the ledger knows.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn remembered(
        ledger: &Ledger,
        settings: Option<&Lapi>,
        counted: metrics::Lapi,
    ) -> anyhow::Result<Self> {
        let known = Machines::remembered(ledger.machines()?.into_iter().map(remembered));
        counted.machines(known.iter().count());
        Ok(Self {
            listen: settings.map(|lapi| lapi.listen.to_string()),
            is_secure: settings.is_some_and(|lapi| lapi.tls.is_some()),
            machines: Arc::new(Mutex::new(known)),
            counted,
        })
    }

    /// The same ones, for the API.
    pub(super) fn shared(&self) -> Arc<Mutex<Machines>> {
        Arc::clone(&self.machines)
    }

    fn machines(&self) -> MutexGuard<'_, Machines> {
        self.machines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down what changed. What the disk does not take is tried again with the next change.
    pub(super) fn save(&self, ledger: &mut Ledger) {
        let mut machines = self.machines();
        let changed = machines.take_changed();
        self.counted.machines(machines.iter().count());
        if changed.is_empty() {
            return;
        }
        drop(machines);
        let kept: Vec<_> = changed.kept.iter().map(stored).collect();
        if let Err(error) = ledger.keep_machines(&kept, &changed.gone) {
            tracing::warn!(%error, "cannot write down what became of machines");
            self.machines().again(changed);
        }
    }

    /// Answers an operator. What it says is on disk.
    pub(super) fn answer(&self, asked: &AskedOfMachines, ledger: &mut Ledger, now: Time) -> Reply {
        let told = match asked {
            AskedOfMachines::List => {
                let machines = self.machines().iter().map(row).collect();
                Ok(ToldOfMachines { machines, ..ToldOfMachines::default() })
            }
            AskedOfMachines::Add { name, password_hash } => {
                self.add(name, password_hash, ledger, now)
            }
            AskedOfMachines::Validate { name } => self.validate(name, ledger),
            AskedOfMachines::Delete { name } => self.delete(name, ledger),
        };
        match told {
            Ok(told) => Reply::Machines(Box::new(ToldOfMachines {
                listen: self.listen.clone(),
                tls: self.is_secure,
                ..told
            })),
            Err((kind, message)) => Reply::failed(kind, message),
        }
    }

    fn add(
        &self,
        name: &str,
        hash: &str,
        ledger: &mut Ledger,
        now: Time,
    ) -> Result<ToldOfMachines, (FailureKind, String)> {
        let hash = PasswordHash::kept(hash.to_owned()).ok_or_else(|| {
            let message = "expected the hash of a password, as `weir machines add` makes it";
            (FailureKind::Usage, message.to_owned())
        })?;
        let mut machines = self.machines();
        let added = machines.add(name, hash, now);
        let added = added.map_err(|unfit| (FailureKind::Usage, unfit.to_string()))?.clone();
        if let Err(error) = keep(&mut machines, ledger) {
            machines.delete(name);
            return Err((FailureKind::Other, error));
        }
        Ok(ToldOfMachines { machines: vec![row(&added)], ..ToldOfMachines::default() })
    }

    fn validate(
        &self,
        name: &str,
        ledger: &mut Ledger,
    ) -> Result<ToldOfMachines, (FailureKind, String)> {
        let mut machines = self.machines();
        if !machines.validate(name) {
            return Err(unknown(name));
        }
        keep(&mut machines, ledger).map_err(|error| {
            (FailureKind::Other, format!("{name} may push until the next start: {error}"))
        })?;
        let machines = machines.get(name).map(row).into_iter().collect();
        Ok(ToldOfMachines { machines, ..ToldOfMachines::default() })
    }

    fn delete(
        &self,
        name: &str,
        ledger: &mut Ledger,
    ) -> Result<ToldOfMachines, (FailureKind, String)> {
        let mut machines = self.machines();
        // At once, whatever the disk does: a password that was lost must not open anything.
        if !machines.delete(name) {
            return Err(unknown(name));
        }
        keep(&mut machines, ledger).map_err(|error| {
            (FailureKind::Other, format!("{name} may not push until the next start: {error}"))
        })?;
        Ok(ToldOfMachines { deleted: Some(name.to_owned()), ..ToldOfMachines::default() })
    }
}

/// Writes down what changed, or says why that cannot be.
fn keep(machines: &mut Machines, ledger: &mut Ledger) -> Result<(), String> {
    let changed: ChangedMachines = machines.take_changed();
    let kept: Vec<_> = changed.kept.iter().map(stored).collect();
    ledger.keep_machines(&kept, &changed.gone).map_err(|error| {
        machines.again(changed);
        error.to_string()
    })
}

fn unknown(name: &str) -> (FailureKind, String) {
    let message = format!("no machine is called `{name}`; `weir machines list` names them");
    (FailureKind::Other, message)
}

fn row(machine: &Machine) -> MachineRow {
    let shown = |at: Time| Time::from_seconds(at.seconds()).rfc3339();
    MachineRow {
        name: machine.name.clone(),
        address: machine.address.map(|address| address.to_string()),
        version: machine.version.clone(),
        validated: machine.is_validated,
        created_at: shown(machine.created_at),
        last_seen: machine.last_seen.map(shown),
        last_push: machine.last_push.map(shown),
    }
}

fn stored(machine: &Machine) -> StoredMachine {
    let password = machine.password.as_ref().map_or("", PasswordHash::text).to_owned();
    StoredMachine {
        name: machine.name.clone(),
        password,
        is_validated: machine.is_validated,
        address: machine.address.map(|address| address.to_string()),
        version: machine.version.clone(),
        created_at: machine.created_at,
        last_seen: machine.last_seen,
        last_push: machine.last_push,
    }
}

fn remembered(stored: StoredMachine) -> Machine {
    Machine {
        name: stored.name,
        password: PasswordHash::kept(stored.password),
        is_validated: stored.is_validated,
        address: stored.address.and_then(|address| address.parse().ok()),
        version: stored.version,
        created_at: stored.created_at,
        last_seen: stored.last_seen,
        last_push: stored.last_push,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::Allowlist;
    use crate::ledger::Options;

    fn at(seconds: i64) -> Time {
        Time::from_seconds(seconds)
    }

    fn open(folder: &tempfile::TempDir) -> (Ledger, Watchers) {
        let path = folder.path().join("ledger.db");
        let ledger =
            Ledger::open(&path, Options::default(), &Allowlist::default(), at(0)).unwrap().0;
        let watchers = Watchers::remembered(&ledger, None, metrics::Lapi::default()).unwrap();
        (ledger, watchers)
    }

    fn hash() -> PasswordHash {
        let text =
            "pbkdf2-sha256$1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        PasswordHash::kept(text.to_owned()).unwrap()
    }

    #[track_caller]
    fn told(reply: Reply) -> ToldOfMachines {
        match reply {
            Reply::Machines(told) => *told,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn failed(reply: Reply, contains: &str) {
        match reply {
            Reply::Failed(failure) => assert!(failure.message.contains(contains), "{failure}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn who_may_push_is_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let (mut ledger, watchers) = open(&folder);
        let mut ask = |asked| watchers.answer(&asked, &mut ledger, at(1));
        let name = || "edge".to_owned();
        let add = |password_hash: &str| AskedOfMachines::Add {
            name: name(),
            password_hash: password_hash.to_owned(),
        };
        failed(ask(add("secret")), "expected the hash");
        assert!(told(ask(add(hash().text()))).machines[0].validated);
        failed(ask(add(hash().text())), "already");
        failed(ask(AskedOfMachines::Validate { name: "x".to_owned() }), "no machine");
        watchers.machines().register("guest", hash(), at(2)).unwrap();
        watchers.machines().pushed("edge", at(3));
        watchers.save(&mut ledger);
        drop(ledger);

        let (mut ledger, watchers) = open(&folder);
        let mut ask = |asked| watchers.answer(&asked, &mut ledger, at(9));
        let all = told(ask(AskedOfMachines::List)).machines;
        let seen: Vec<_> = all.iter().map(|row| (&*row.name, row.validated)).collect();
        assert_eq!(seen, [("edge", true), ("guest", false)]);
        assert_eq!(all[0].last_push.as_deref(), Some("1970-01-01T00:00:03Z"));
        assert_eq!(watchers.machines().get("edge").unwrap().password, Some(hash()));
        let guest = || "guest".to_owned();
        assert!(told(ask(AskedOfMachines::Validate { name: guest() })).machines[0].validated);
        assert_eq!(told(ask(AskedOfMachines::Delete { name: name() })).deleted, Some(name()));
        failed(ask(AskedOfMachines::Delete { name: name() }), "no machine");
        drop(ledger);

        let (mut ledger, watchers) = open(&folder);
        let all = told(watchers.answer(&AskedOfMachines::List, &mut ledger, at(9))).machines;
        let seen: Vec<_> = all.iter().map(|row| (&*row.name, row.validated)).collect();
        assert_eq!(seen, [("guest", true)]);
    }
}
