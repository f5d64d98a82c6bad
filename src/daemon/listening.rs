//! The sources alone, for whoever wants to see what arrives: no rules, no ledger, no kernel.
//!
//! Sockets are opened, and lines received and queued, by the very code that the daemon runs.

use std::sync::Arc;

use tokio::runtime::{Handle, Runtime};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::sources;
use crate::event::Batch;
use crate::intake::Statistics;
use crate::settings::Settings;

/// Running sources, and the lines that they receive.
pub struct Listening {
    runtime: Runtime,
    stop: CancellationToken,
    sources: sources::Running,
    lines: mpsc::Receiver<Batch>,
}

/// A source that runs.
#[derive(Clone, Debug)]
pub struct Listened {
    /// Its name.
    pub name: String,
    /// The kind of source and the address or path that it listens on.
    pub at: String,
    /// What it counts, as of now and later.
    pub statistics: Arc<Statistics>,
}

impl Listening {
    /// Opens the sources of `settings`, which have their places ([`Settings::place`]), and begins
    /// to receive.
    ///
    /// # Errors
    /// When one cannot be opened: which, why, and what to do.
    pub fn start(settings: &Settings, runtime: Runtime) -> anyhow::Result<Self> {
        let guard = runtime.enter();
        let opened = sources::open(settings)?;
        let (queue, lines) = mpsc::channel(settings.limits.queue);
        let stop = CancellationToken::new();
        let sources = sources::Running::spawn(opened, &queue, &stop)?;
        drop(guard);
        Ok(Self { runtime, stop, sources, lines })
    }

    /// The runtime, to wait on for lines and signals.
    #[must_use]
    pub fn runtime(&self) -> Handle {
        self.runtime.handle().clone()
    }

    /// The sources in the order of the settings.
    #[must_use]
    pub fn sources(&self) -> Vec<Listened> {
        let counters = self.sources.counters().into_iter();
        counters
            .map(|source| Listened {
                name: source.name,
                at: source.at,
                statistics: source.statistics,
            })
            .collect()
    }

    /// The next lines; `None` when the sources were told to stop and all that they received was
    /// given out.
    pub async fn next(&mut self) -> Option<Batch> {
        self.lines.recv().await
    }

    /// Tells the sources to take no more than what has arrived already.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Ends without giving out what waits, and without a word to the senders who are told when
    /// their lines are done: what nobody saw stays with them.
    pub fn abandon(mut self) {
        self.lines.close();
        self.stop.cancel();
        self.sources.join(&self.runtime);
        // A receipt is given when it is dropped. The process ends soon.
        std::mem::forget(self.lines);
    }
}

impl std::fmt::Debug for Listening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listening").field("sources", &self.sources()).finish_non_exhaustive()
    }
}
