//! The allowlist of this host: what the settings say, the host itself, and what names stand for.
//!
//! The judge keeps the list. Here two threads follow what changes outside: the addresses and
//! gateways of the host, of which the kernel tells, and names, which are looked up again when their
//! answers have lived long enough. Whoever cannot be asked changes nothing: the last good answer
//! stays.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ipnet::IpNet;
use tokio::sync::mpsc::WeakSender;
use tracing::{info, warn};

use super::decide_loop::Matter;
use super::thread;
use crate::decision::{Allowlist, Entry, EntryOrigin, Named};
use crate::enforce;
use crate::metrics::{ByState, Metrics};
use crate::settings::{Friends, Settings};
use crate::system::{clock, names};

/// All friends that the settings and the host give. The host's own addresses and gateways are asked
/// of the kernel; where it does not answer, the others hold and a warning says what is missing.
pub(super) fn allowlist(settings: &Settings) -> Allowlist {
    let mut entries = settings.allowlist.entries.clone();
    if settings.allowlist.host {
        entries.extend(host());
    }
    Allowlist::new(entries)
}

/// The host's own addresses and gateways.
fn host() -> Vec<Entry> {
    let found = [
        ("an address of this host", enforce::host_addresses()),
        ("a gateway of this host", enforce::gateways()),
    ];
    let mut entries = Vec::new();
    for (comment, nets) in found {
        match nets {
            Ok(nets) => entries.extend(nets.into_iter().map(|net| Entry {
                net,
                origin: EntryOrigin::Host,
                comment: comment.to_owned(),
                until: None,
            })),
            Err(error) => warn!(%error, "cannot ask the kernel for {comment}"),
        }
    }
    entries
}

/// What is to be followed; a reload and operators change it.
#[derive(Debug)]
pub(super) struct Wishes(Mutex<Wish>);

#[derive(Debug)]
struct Wish {
    host: bool,
    settings: Vec<Named>,
    operators: Vec<Named>,
}

impl Wishes {
    pub(super) fn new(friends: &Friends) -> Self {
        let (host, settings) = (friends.host, friends.names.clone());
        Self(Mutex::new(Wish { host, settings, operators: Vec::new() }))
    }

    fn lock(&self) -> MutexGuard<'_, Wish> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_settings(&self, friends: &Friends) {
        let mut wish = self.lock();
        (wish.host, wish.settings) = (friends.host, friends.names.clone());
    }

    pub(super) fn set_operators(&self, names: Vec<Named>) {
        self.lock().operators = names;
    }

    /// All names, each once: an operator's word comes behind that of the settings.
    fn names(&self) -> Vec<Named> {
        let wish = self.lock();
        let mut all: Vec<Named> = Vec::new();
        for named in wish.settings.iter().chain(&wish.operators) {
            if !all.iter().any(|known| known.name == named.name) {
                all.push(named.clone());
            }
        }
        all.truncate(MOST_NAMES);
        all
    }
}

/// Names that are looked up; more are an oversight.
const MOST_NAMES: usize = 256;
/// Addresses of one name.
const MOST_ADDRESSES: usize = 64;
/// How often wishes are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Changes of addresses and routes come in heaps.
const BREATH: Duration = Duration::from_millis(200);
/// Bounds of the lifetime of an answer, and what holds where the DNS does not say.
const SHORTEST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(3_600);
const UNSAID: Duration = Duration::from_secs(300);
/// When a name is asked for again that gave no answer.
const RETRY: Duration = Duration::from_secs(30);

/// Starts the threads. Nobody waits for them at the end: a name server may be silent.
///
/// `before` is what names stood for when the last process ended: it holds until they answer.
pub(super) fn follow(
    wishes: Arc<Wishes>,
    before: Vec<Entry>,
    outbox: Outbox,
    metrics: Metrics,
) -> anyhow::Result<()> {
    let (for_host, to_judge) = (Arc::clone(&wishes), outbox.clone());
    thread("weir-host", move || follow_host(&for_host, &to_judge))?;
    thread("weir-names", move || follow_names(&wishes, before, &outbox, &metrics))?;
    Ok(())
}

/// The way to the judge, which keeps nobody alive.
#[derive(Clone)]
pub(super) struct Outbox {
    matters: WeakSender<Matter>,
    waiting: Arc<AtomicU64>,
}

impl Outbox {
    pub(super) fn new(matters: WeakSender<Matter>, waiting: Arc<AtomicU64>) -> Self {
        Self { matters, waiting }
    }

    /// Whether there is still a judge.
    pub(super) fn is_open(&self) -> bool {
        self.matters.upgrade().is_some()
    }

    /// Sends without waiting; false when there is no room now.
    pub(super) fn send(&self, matter: Matter) -> bool {
        let Some(matters) = self.matters.upgrade() else { return true };
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let is_sent = matters.try_send(matter).is_ok();
        if !is_sent {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
        is_sent
    }
}

fn follow_host(wishes: &Wishes, outbox: &Outbox) {
    let mut watch = match enforce::HostWatch::open() {
        Ok(watch) => watch,
        Err(error) => {
            warn!(%error, "cannot follow the addresses of this host: they are those of the last reload");
            return;
        }
    };
    let mut told = None;
    let mut is_due = true;
    while outbox.is_open() {
        is_due |= watch.wait(LOOK);
        let is_wanted = wishes.lock().host;
        if !is_due && told.as_ref().is_none_or(|(wanted, _)| *wanted == is_wanted) {
            continue;
        }
        std::thread::sleep(BREATH);
        watch.forget();
        let entries = if is_wanted { host() } else { Vec::new() };
        let now = (is_wanted, entries);
        is_due = told.as_ref() != Some(&now) && !outbox.send(Matter::Host(now.1.clone()));
        if !is_due {
            told = Some(now);
        }
    }
}

/// A name and what it stood for.
struct Known {
    named: Named,
    nets: Vec<IpNet>,
    /// When it is looked up again.
    due_at: Instant,
    is_silent: bool,
}

fn follow_names(wishes: &Wishes, before: Vec<Entry>, outbox: &Outbox, metrics: &Metrics) {
    let mut known: Vec<Known> = Vec::new();
    let mut told = before;
    while outbox.is_open() {
        let names = wishes.names();
        known.retain(|known| names.contains(&known.named));
        for named in names {
            if !known.iter().any(|known| known.named == named) {
                let own = told.iter().filter(|entry| named.has(entry));
                let nets = own.map(|entry| entry.net).collect();
                known.push(Known { named, nets, due_at: clock::instant(), is_silent: false });
            }
        }
        for known in known.iter_mut().filter(|known| known.due_at <= clock::instant()) {
            known.look_up();
        }
        count(&known, metrics);
        let entries: Vec<Entry> = known.iter().flat_map(Known::entries).collect();
        if told != entries && outbox.send(Matter::Names(entries.clone())) {
            told = entries;
        }
        std::thread::sleep(LOOK);
    }
}

/// Shows how many names have an address now.
fn count(known: &[Known], metrics: &Metrics) {
    let failing = known.iter().filter(|known| known.is_silent).count();
    for (state, count) in [("resolved", known.len() - failing), ("failing", failing)] {
        let gauge = metrics.allowlist_names.get_or_create_owned(&ByState { state });
        gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
    }
}

impl Known {
    fn look_up(&mut self) {
        let name = &self.named.name;
        let mut nets: Vec<IpNet> =
            names::addresses_of(name).into_iter().map(IpNet::from).take(MOST_ADDRESSES).collect();
        nets.sort_unstable();
        if nets.is_empty() {
            if !self.is_silent {
                warn!(name, "a friend's name has no address now: what it stood for stays allowed");
            }
            self.is_silent = true;
            self.due_at = clock::instant() + RETRY;
            return;
        }
        if nets != self.nets {
            let addresses: Vec<_> = nets.iter().map(|net| net.addr().to_string()).collect();
            info!(name, addresses = addresses.join(", "), "a friend's name stands for");
        }
        self.is_silent = false;
        self.nets = nets;
        let lifetime = names::lifetime_of(name).map(|seconds| Duration::from_secs(seconds.into()));
        self.due_at = clock::instant() + lifetime.unwrap_or(UNSAID).clamp(SHORTEST, LONGEST);
    }

    fn entries(&self) -> impl Iterator<Item = Entry> {
        self.nets.iter().map(|net| self.named.entry(*net))
    }
}
