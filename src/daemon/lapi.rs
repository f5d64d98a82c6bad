//! The local API, opened and kept: its socket, which bouncers may ask, and what each was told.
//!
//! What bouncers were told is in memory, and written down by the loop around the judge, which owns
//! the ledger: what a crash takes of it, they hear once more.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use axum::Extension;
use ipnet::IpNet;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use super::machines::{self, Watchers};
use super::pages;
use crate::control::http::{Door, Secure, serve};
use crate::control::{AskedOfBouncers, BouncerRow, FailureKind, Reply, ToldOfBouncers};
use crate::intake::tls::Tls;
use crate::lapi::{
    Accounts, Admission, Api, Bouncer, Bouncers, Friends, Key, KeyHash, Orders, Peer, Secret,
};
use crate::ledger::{Feed, Ledger, StoredBouncer};
use crate::metrics;
use crate::settings::Lapi;
use crate::system::clock;
use crate::value::Time;

/// Characters of a key that somebody brings; fewer are guessed.
const SHORTEST_KEY: usize = 16;
const LONGEST_KEY: usize = 256;

/// What is open.
pub(super) struct Opened {
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    /// What signs the tokens of machines.
    secret: Secret,
    admission: Admission,
    trusted: Vec<IpNet>,
}

/// Opens what the settings ask for, which have their places.
///
/// # Errors
/// When the address or the certificate cannot be had.
pub(super) fn open(settings: Option<&Lapi>, runtime: &Runtime) -> anyhow::Result<Option<Opened>> {
    let Some(lapi) = settings else { return Ok(None) };
    let listener = runtime
        .block_on(TcpListener::bind(lapi.listen))
        .with_context(|| format!("cannot listen on `{}` for bouncers", lapi.listen))?;
    let tls =
        lapi.tls.as_ref().map(Tls::open_to_all).transpose().context("the certificate of `lapi`")?;
    let admission = Admission {
        register_from: lapi.register_from.clone(),
        bouncer_units: lapi.bouncer_ou.clone(),
        machine_units: lapi.machine_ou.clone(),
    };
    let (tls, trusted) = (tls.map(Arc::new), lapi.trusted.clone());
    Ok(Some(Opened { listener, tls, secret: machines::secret()?, admission, trusted }))
}

impl Opened {
    /// Answers until `stop` is cancelled.
    ///
    /// # Errors
    /// When the ledger, which is at `path`, cannot be read by others.
    pub(super) fn spawn(
        self,
        path: &Path,
        clients: &Clients,
        orders: Orders,
        runtime: &Runtime,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let feed = Feed::open(path)?;
        let bouncers = Arc::clone(&clients.bouncers);
        let machines = clients.watchers.shared();
        let accounts = Accounts::new(machines, self.secret, self.admission)?;
        let counted = clients.counted.clone();
        let router = Api::new(feed, bouncers, accounts, clock::now, counted)
            .with_orders(orders, &self.trusted)
            .with_friends(clients.friends.clone())
            .router();
        let secure: Option<Secure> = self.tls.map(|tls| pages::secure("lapi", tls));
        let listener = self.listener;
        let routed =
            move |peer: std::net::SocketAddr| router.clone().layer(Extension(Peer::at(peer.ip())));
        let counted = clients.counted.clone();
        let door = Door::new("lapi", move |reason| counted.dropped(reason));
        runtime.spawn(async move { serve(listener, secure, routed, door, stop).await });
        Ok(())
    }
}

/// Who may ask.
#[derive(Clone)]
pub(super) struct Clients {
    /// Where they ask, in words; none where nobody can.
    listen: Option<String>,
    bouncers: Arc<Mutex<Bouncers>>,
    watchers: Watchers,
    friends: Friends,
    counted: metrics::Lapi,
}

impl Clients {
    /// Those whom the ledger knows.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn remembered(
        ledger: &Ledger,
        settings: Option<&Lapi>,
        counted: metrics::Lapi,
    ) -> anyhow::Result<Self> {
        let known = Bouncers::remembered(ledger.bouncers()?.into_iter().map(remembered));
        let listen = settings.map(|lapi| lapi.listen.to_string());
        counted.bouncers(known.iter().count());
        let watchers = Watchers::remembered(ledger, settings, counted.clone())?;
        Ok(Self {
            listen,
            bouncers: Arc::new(Mutex::new(known)),
            watchers,
            friends: Friends::default(),
            counted,
        })
    }

    /// Those of them that push.
    pub(super) fn watchers(&self) -> &Watchers {
        &self.watchers
    }

    /// Whom machines are told to let alone.
    pub(super) fn friends(&self) -> &Friends {
        &self.friends
    }

    fn bouncers(&self) -> MutexGuard<'_, Bouncers> {
        self.bouncers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down what changed. What the disk does not take is tried again with the next change.
    pub(super) fn save(&self, ledger: &mut Ledger) {
        self.watchers.save(ledger);
        let changed: Vec<_> = self.bouncers().take_changed().iter().map(stored).collect();
        self.counted.bouncers(self.bouncers().iter().count());
        self.counted.others(ledger.n_others());
        if changed.is_empty() {
            return;
        }
        if let Err(error) = ledger.keep_bouncers(&changed, &[]) {
            tracing::warn!(%error, "cannot write down what bouncers were told");
            self.bouncers().again(changed.iter().map(|bouncer| &*bouncer.name));
        }
    }

    /// Answers an operator. What it says is on disk.
    pub(super) fn answer(&self, asked: &AskedOfBouncers, ledger: &mut Ledger, now: Time) -> Reply {
        let listen = self.listen.clone();
        let told = match asked {
            AskedOfBouncers::List => {
                let bouncers = self.bouncers().iter().map(row).collect();
                Ok(ToldOfBouncers { listen, bouncers, ..ToldOfBouncers::default() })
            }
            AskedOfBouncers::Add { name, key } => self.add(name, key.as_deref(), ledger, now),
            AskedOfBouncers::Delete { name } => self.delete(name, ledger),
        };
        match told {
            Ok(told) => {
                Reply::Bouncers(Box::new(ToldOfBouncers { listen: self.listen.clone(), ..told }))
            }
            Err((kind, message)) => Reply::failed(kind, message),
        }
    }

    fn add(
        &self,
        name: &str,
        key: Option<&str>,
        ledger: &mut Ledger,
        now: Time,
    ) -> Result<ToldOfBouncers, (FailureKind, String)> {
        let made = match key {
            None => Some(Key::new().map_err(|error| (FailureKind::Other, error.to_string()))?),
            Some(_) => None,
        };
        let hash = match (&made, key) {
            (Some(made), _) => made.hash(),
            (None, key) => {
                let key = key.unwrap_or_default();
                let is_fit = (SHORTEST_KEY..=LONGEST_KEY).contains(&key.len())
                    && key.bytes().all(|byte| byte.is_ascii_graphic());
                if !is_fit {
                    let message = format!(
                        "expected {SHORTEST_KEY} to {LONGEST_KEY} letters, digits and signs as key"
                    );
                    return Err((FailureKind::Usage, message));
                }
                KeyHash::of(key)
            }
        };
        let mut bouncers = self.bouncers();
        if bouncers.knows(&hash) {
            let message = "another bouncer has that key".to_owned();
            return Err((FailureKind::Usage, message));
        }
        let added = bouncers.add(name, hash, now);
        let added = added.map_err(|unfit| (FailureKind::Usage, unfit.to_string()))?.clone();
        if let Err(error) = ledger.keep_bouncers(&[stored(&added)], &[]) {
            bouncers.delete(name);
            return Err((FailureKind::Other, error.to_string()));
        }
        let key = made.map(|key| key.text().to_owned());
        Ok(ToldOfBouncers { key, bouncers: vec![row(&added)], ..ToldOfBouncers::default() })
    }

    fn delete(
        &self,
        name: &str,
        ledger: &mut Ledger,
    ) -> Result<ToldOfBouncers, (FailureKind, String)> {
        let mut bouncers = self.bouncers();
        // At once, whatever the disk does: a key that was lost must not open anything.
        let deleted = bouncers.delete(name);
        if deleted.is_empty() {
            let message = format!("no bouncer is called `{name}`; `weir bouncers list` names them");
            return Err((FailureKind::Other, message));
        }
        ledger.keep_bouncers(&[], &deleted).map_err(|error| {
            let message = format!("{name} may not ask until the next start: {error}");
            (FailureKind::Other, message)
        })?;
        Ok(ToldOfBouncers { deleted, ..ToldOfBouncers::default() })
    }
}

fn row(bouncer: &Bouncer) -> BouncerRow {
    let shown = |at: Time| Time::from_seconds(at.seconds()).rfc3339();
    BouncerRow {
        name: bouncer.name.clone(),
        address: bouncer.address.map(|address| address.to_string()),
        kind: bouncer.kind.clone(),
        version: bouncer.version.clone(),
        created_at: shown(bouncer.created_at),
        last_pull: bouncer.last_pull.map(shown),
    }
}

fn stored(bouncer: &Bouncer) -> StoredBouncer {
    StoredBouncer {
        name: bouncer.name.clone(),
        key: bouncer.key.text().to_owned(),
        address: bouncer.address.map(|address| address.to_string()),
        kind: bouncer.kind.clone(),
        version: bouncer.version.clone(),
        created_at: bouncer.created_at,
        last_pull: bouncer.last_pull,
        told: [bouncer.told, bouncer.told_before],
    }
}

fn remembered(stored: StoredBouncer) -> Bouncer {
    Bouncer {
        name: stored.name,
        key: KeyHash::kept(stored.key),
        address: stored.address.and_then(|address| address.parse().ok()),
        kind: stored.kind,
        version: stored.version,
        created_at: stored.created_at,
        last_pull: stored.last_pull,
        told: stored.told[0],
        told_before: stored.told[1],
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

    fn open(folder: &tempfile::TempDir) -> (Ledger, Clients) {
        let path = folder.path().join("ledger.db");
        let ledger =
            Ledger::open(&path, Options::default(), &Allowlist::default(), at(0)).unwrap().0;
        let clients = Clients::remembered(&ledger, None, metrics::Lapi::default()).unwrap();
        (ledger, clients)
    }

    fn add(name: &str, key: Option<&str>) -> AskedOfBouncers {
        AskedOfBouncers::Add { name: name.to_owned(), key: key.map(str::to_owned) }
    }

    #[track_caller]
    fn told(reply: Reply) -> ToldOfBouncers {
        match reply {
            Reply::Bouncers(told) => *told,
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
    fn who_may_ask_is_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let (mut ledger, clients) = open(&folder);
        let key = told(clients.answer(&add("edge", None), &mut ledger, at(1))).key.unwrap();
        let own = "a key of its own";
        failed(clients.answer(&add("own", Some(own)), &mut ledger, at(1)), "16 to 256");
        let own = "0123456789abcdef";
        assert_eq!(told(clients.answer(&add("own", Some(own)), &mut ledger, at(1))).key, None);
        failed(clients.answer(&add("edge", None), &mut ledger, at(1)), "already");
        failed(clients.answer(&add("third", Some(own)), &mut ledger, at(1)), "has that key");
        let hash = KeyHash::of(&key);
        clients.bouncers().meet(&hash, [192, 0, 2, 1].into(), "fw/1", at(2));
        clients.bouncers().tell("edge", 7, true, at(3));
        clients.save(&mut ledger);
        drop(ledger);

        let (mut ledger, clients) = open(&folder);
        let all = told(clients.answer(&AskedOfBouncers::List, &mut ledger, at(9))).bouncers;
        assert_eq!(all.iter().map(|row| &*row.name).collect::<Vec<_>>(), ["edge", "own"]);
        assert_eq!(all[0].last_pull.as_deref(), Some("1970-01-01T00:00:03Z"));
        assert_eq!(clients.bouncers().told("edge", at(9)), 7);
        let delete = AskedOfBouncers::Delete { name: "edge".to_owned() };
        assert_eq!(told(clients.answer(&delete, &mut ledger, at(9))).deleted, ["edge"]);
        assert!(!clients.bouncers().knows(&hash));
        failed(clients.answer(&delete, &mut ledger, at(9)), "no bouncer");
        drop(ledger);
        assert!(!open(&folder).1.bouncers().knows(&hash));
    }
}
