//! The thread that moves the ledger's log into its database.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use tracing::warn;

use super::thread;
use crate::ledger::Checkpoint;

/// How often. A crash of the machine may lose what was committed since.
const PAUSE: Duration = Duration::from_secs(2);

/// Runs until the other end of `stop` is gone.
pub(super) fn spawn(ledger: &Path, stop: Receiver<()>) -> anyhow::Result<JoinHandle<()>> {
    let checkpoint = Checkpoint::open(ledger).context("cannot open the ledger a second time")?;
    thread("weir-ledger", move || {
        let mut has_failed = false;
        while stop.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
            let done = checkpoint.run();
            // Told once; the judge tells of a disk that cannot be written to.
            if let (Err(error), false) = (&done, has_failed) {
                warn!(%error, "cannot move the ledger's log into its database");
            }
            has_failed = done.is_err();
        }
    })
}
