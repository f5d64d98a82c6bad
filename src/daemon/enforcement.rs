//! The enforcers' threads, one for each backend, and what becomes of them without the right to ban.

use std::thread::JoinHandle;

use anyhow::Context as _;
use tracing::{error, info, warn};

use super::{Plan, privileged_thread};
use crate::decide::{Observe, Policy};
use crate::enforce::{
    self, Backend, Enforcer, Error, FanOut, Held, Inbox, Ipset, IpsetOptions, Nftables,
    NftablesOptions, Pace, RouteOptions, Routes, Status,
};
use crate::metrics::Metrics;
use crate::settings::{self, Settings};

/// Changes that wait for an enforcer.
const CHANGES: usize = 1024;

/// The running enforcers.
pub(super) struct Enforcement {
    threads: Vec<JoinHandle<()>>,
    orders: FanOut,
    conditions: Vec<(&'static str, Status)>,
    is_enforcing: bool,
}

/// A backend that can be used.
pub(super) enum Opened {
    Nftables(Box<Nftables>),
    Ipset(Box<Ipset>),
    Routes(Box<Routes>),
    Observe(enforce::Observe),
}

impl Opened {
    /// Opens a backend; nothing is changed yet.
    pub(super) fn new(
        backend: settings::Backend,
        settings: &settings::Enforce,
    ) -> Result<Self, Error> {
        Ok(match backend {
            settings::Backend::Nftables => {
                Self::Nftables(Box::new(Nftables::open(NftablesOptions::from(settings))?))
            }
            settings::Backend::Ipset => {
                Self::Ipset(Box::new(Ipset::new(IpsetOptions::from(settings))))
            }
            settings::Backend::Route => {
                Self::Routes(Box::new(Routes::open(RouteOptions::from(settings))?))
            }
            settings::Backend::Observe => Self::Observe(enforce::Observe::new()),
        })
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Nftables(backend) => backend.name(),
            Self::Ipset(backend) => backend.name(),
            Self::Routes(backend) => backend.name(),
            Self::Observe(backend) => backend.name(),
        }
    }

    /// Says what it cannot do.
    fn tell_limits(&self) {
        if let Self::Routes(_) = self {
            info!(
                "routes drop what goes to the banned; what comes from them is dropped only where \
                 `rp_filter` is on, and never by IPv6"
            );
        }
    }

    /// Removes all that is ours.
    fn flush(&mut self) -> Result<(), Error> {
        match self {
            Self::Nftables(backend) => backend.flush(),
            Self::Ipset(backend) => backend.flush(),
            Self::Routes(backend) => backend.flush(),
            Self::Observe(backend) => backend.flush(),
        }
    }

    /// All elements that it holds, as an earlier process left them.
    pub(super) fn list(&mut self) -> Result<Vec<Held>, Error> {
        match self {
            Self::Nftables(backend) => backend.list(),
            Self::Ipset(backend) => backend.list(),
            Self::Routes(backend) => backend.list(),
            Self::Observe(backend) => backend.list(),
        }
    }
}

impl Enforcement {
    /// Starts the backends that the settings name. Those that cannot be used are told of, loudly,
    /// and keep no other from its work; without any Weir goes on without dropping anything.
    pub(super) fn start(
        settings: &Settings,
        plan: &Plan,
        metrics: &Metrics,
    ) -> anyhow::Result<Self> {
        let wants_kernel = !settings.enforce.backends.contains(&settings::Backend::Observe)
            && settings.observe != settings::Observe::Everything
            && !plan.observe;
        let (mut opened, mut conditions) = (Vec::new(), Vec::new());
        if wants_kernel {
            for backend in &settings.enforce.backends {
                match Opened::new(*backend, &settings.enforce) {
                    Ok(backend) => {
                        backend.tell_limits();
                        opened.push(backend);
                    }
                    Err(error) => {
                        let backend = backend.name();
                        error!(backend, %error, "this backend cannot be used and drops nothing");
                        conditions.push((backend, Status::failed(error.to_string())));
                    }
                }
            }
            if opened.is_empty() {
                error!(
                    "NOTHING WILL BE BANNED: decisions are made, listed and counted (observe \
                     mode). Changing the firewall needs CAP_NET_ADMIN: run as root, or start the \
                     service with `AmbientCapabilities=CAP_NET_ADMIN`"
                );
            }
        } else {
            warn!("observe mode: decisions are made, listed and counted; nothing is dropped");
        }
        let is_enforcing = !opened.is_empty();
        metrics.enforcing.set(i64::from(is_enforcing));
        if !is_enforcing {
            conditions.clear();
            opened.push(Opened::Observe(enforce::Observe::new()));
        }
        let names: Vec<_> = opened.iter().map(Opened::name).collect();
        let (orders, inboxes) = FanOut::new(&names, CHANGES).context("cannot make a queue")?;
        let starting = Starting { settings, metrics };
        let mut threads = Vec::new();
        for (backend, inbox) in opened.into_iter().zip(inboxes) {
            let (name, status, thread) = match backend {
                Opened::Nftables(backend) => starting.spawn(*backend, inbox)?,
                Opened::Ipset(backend) => starting.spawn(*backend, inbox)?,
                Opened::Routes(backend) => starting.spawn(*backend, inbox)?,
                Opened::Observe(backend) => starting.spawn(backend, inbox)?,
            };
            conditions.push((name, status));
            threads.push(thread);
        }
        Ok(Self { threads, orders, conditions, is_enforcing })
    }

    /// Without a kernel every decision is only observed.
    pub(super) fn limit(&self, policy: &mut Policy) {
        if !self.is_enforcing {
            policy.observe = Observe::Everything;
        }
    }

    /// Whether bans reach the kernel.
    pub(super) fn is_enforcing(&self) -> bool {
        self.is_enforcing
    }

    /// Where changes are sent.
    pub(super) fn orders(&self) -> FanOut {
        self.orders.clone()
    }

    /// How it stands with each backend.
    pub(super) fn conditions(&self) -> Vec<(&'static str, Status)> {
        self.conditions.clone()
    }

    pub(super) fn into_threads(self) -> Vec<JoinHandle<()>> {
        self.threads
    }
}

/// Removes from the kernel all that the backends of these settings have there, when no daemon runs.
/// Says of each how it went.
#[must_use]
pub fn empty(settings: &settings::Enforce) -> Vec<(&'static str, Result<(), Error>)> {
    let emptied = settings.backends.iter().map(|backend| {
        let emptied = Opened::new(*backend, settings).and_then(|mut opened| opened.flush());
        (backend.name(), emptied)
    });
    emptied.collect()
}

/// What all enforcers are started with.
struct Starting<'a> {
    settings: &'a Settings,
    metrics: &'a Metrics,
}

impl Starting<'_> {
    fn spawn(
        &self,
        backend: impl Backend + Send + 'static,
        inbox: Inbox,
    ) -> anyhow::Result<(&'static str, Status, JoinHandle<()>)> {
        let (name, status) = (backend.name(), Status::default());
        let pace = Pace { reconcile: self.settings.enforce.reconcile, ..Pace::default() };
        let metrics = self.metrics.enforce.of(name);
        let enforcer = Enforcer::new(backend, inbox, pace, metrics, status.clone());
        let thread = privileged_thread("weir-enforce", move || drop(enforcer.run()))?;
        Ok((name, status, thread))
    }
}
