//! The enforcer's thread, and what becomes of it without the right to ban.

use std::thread::JoinHandle;

use tracing::{error, warn};

use super::{Plan, thread};
use crate::decide::{Observe, Policy};
use crate::enforce::{self, Backend, Enforcer, Inbox, Nftables, NftablesOptions, Pace, Status};
use crate::metrics::Metrics;
use crate::settings::{self, Settings};

/// A running enforcer.
pub(super) struct Enforcement {
    thread: JoinHandle<()>,
    status: Status,
    is_enforcing: bool,
}

impl Enforcement {
    /// Starts the backend that the settings name. Without the right to use it, says so once,
    /// loudly, and goes on without dropping anything.
    pub(super) fn start(
        settings: &Settings,
        plan: &Plan,
        inbox: Inbox,
        metrics: &Metrics,
    ) -> anyhow::Result<Self> {
        let wants_kernel = settings.enforce.backend == settings::Backend::Nftables
            && settings.observe != settings::Observe::Everything
            && !plan.observe;
        let nftables = if wants_kernel {
            match Nftables::open(NftablesOptions::from(&settings.enforce)) {
                Ok(nftables) => Some(nftables),
                Err(enforce::Error::NotPermitted) => {
                    error!(
                        "NOTHING WILL BE BANNED: the right to change the firewall is missing \
                         (CAP_NET_ADMIN). Decisions are made, listed and counted (observe mode). \
                         Run as root, or start the service with \
                         `AmbientCapabilities=CAP_NET_ADMIN`"
                    );
                    None
                }
                Err(error) => {
                    error!(
                        %error,
                        "NOTHING WILL BE BANNED: nftables cannot be used. Decisions are made, \
                         listed and counted (observe mode)"
                    );
                    None
                }
            }
        } else {
            warn!("observe mode: decisions are made, listed and counted; nothing is dropped");
            None
        };
        let is_enforcing = nftables.is_some();
        metrics.enforcing.set(i64::from(is_enforcing));
        let status = Status::default();
        let pace = Pace { reconcile: settings.enforce.reconcile, ..Pace::default() };
        let thread = match nftables {
            Some(backend) => spawn(backend, inbox, pace, metrics.clone(), status.clone())?,
            None => spawn(enforce::Observe::new(), inbox, pace, metrics.clone(), status.clone())?,
        };
        Ok(Self { thread, status, is_enforcing })
    }

    /// Without a kernel every decision is only observed.
    pub(super) fn limit(&self, policy: &mut Policy) {
        if !self.is_enforcing {
            policy.observe = Observe::Everything;
        }
    }

    pub(super) fn status(&self) -> Status {
        self.status.clone()
    }

    pub(super) fn into_thread(self) -> JoinHandle<()> {
        self.thread
    }
}

fn spawn(
    backend: impl Backend + Send + 'static,
    inbox: Inbox,
    pace: Pace,
    metrics: Metrics,
    status: Status,
) -> anyhow::Result<JoinHandle<()>> {
    let enforcer = Enforcer::new(backend, inbox, pace, metrics, status);
    thread("weir-enforce", move || drop(enforcer.run()))
}
