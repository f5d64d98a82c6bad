//! What systemd wants to know: ready, reloading, stopping, alive (sd_notify(3)).

#![forbid(unsafe_code)]

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

fn tell(states: &[NotifyState<'_>]) {
    // Nothing can be done when the manager does not listen; the service goes on.
    let _ = sd_notify::notify(states);
}
