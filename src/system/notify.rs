//! What systemd wants to know: ready, reloading, stopping, alive; and what it keeps for us
//! (sd_notify(3)).

#![forbid(unsafe_code)]

use std::os::fd::BorrowedFd;
use std::time::Duration;

use sd_notify::NotifyState;

/// Tells the service manager that start-up is done. Does nothing without one.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Tells the service manager that the service is about to end.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Tells the service manager that the service is alive.
pub fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// How often [`alive`] should be called: half of what the service manager waits, or `None` when
/// it does not watch.
#[must_use]
pub fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|limit| limit / 2)
}

/// Whether a service manager listens.
#[must_use]
pub fn has_manager() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some()
}

/// Lets the service manager keep a copy of a descriptor under a name of its own. It is passed to
/// the next process of the service, as [`activation`](super::activation) takes it.
pub fn store(name: &str, descriptor: BorrowedFd<'_>) {
    let states = [NotifyState::FdStore, NotifyState::FdName(name)];
    // Without a copy the descriptor ends with us, as it would without a manager.
    let _ = sd_notify::notify_with_fds(&states, &[descriptor]);
}

/// Lets the service manager close its copy of the descriptor with this name.
pub fn forget(name: &str) {
    tell(&[NotifyState::FdStoreRemove, NotifyState::FdName(name)]);
}

fn tell(states: &[NotifyState<'_>]) {
    // Nothing can be done when the manager does not listen; the service goes on.
    let _ = sd_notify::notify(states);
}
