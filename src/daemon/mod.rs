//! The wiring: the only place that names every stage.
//!
//! [`Daemon::start`] opens what must be open before the first line, in the order in which failure
//! is cheapest, and starts the stages from the kernel backwards, so that nothing is sent before
//! somebody takes it. [`Daemon::stop`] ends them from the sources on: each stage ends when nobody
//! can send to it any more, so what was received is carried out.

#![forbid(unsafe_code)]

mod calls;
mod canary;
mod certificates;
mod checkpoints;
mod counters;
mod counting;
mod coverage;
mod current;
mod decide_loop;
mod detect_loop;
mod enforcement;
pub mod folders;
mod friends;
mod guard;
mod kernel;
mod lapi;
mod listening;
mod lists;
mod machines;
mod measures;
mod orders;
mod outside;
mod pages;
mod places;
mod rates;
mod recover;
mod reload;
mod remotes;
mod report;
mod senders;
mod skew;
mod sources;
mod unmatched;
mod worker;

use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use anyhow::Context as _;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::control::{Server, http};
use crate::decide::Judge;
use crate::detect;
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::settings::{Folders, Settings};
use crate::system::{clock, privileges};

use canary::Canaries;
pub use certificates::check as certificates;
use counting::{Counting, Lines};
use current::{Current, Shared};
use decide_loop::DecideLoop;
use detect_loop::DetectLoop;
pub use enforcement::empty;
use friends::{Outbox, Wishes};
use guard::LoginTeller;
pub use listening::{Listened, Listening};
pub use pages::read_token;
pub use reload::{Rejected, all_or_nothing, policy, profiles, request, rules_of};

use reload::Reloading;
use report::Report;
use senders::Senders;
use skew::{Measuring, Skews};
use unmatched::Samples;
use worker::{Waits, Worker};

/// What the daemon is to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The configuration's file, read again on reload.
    pub config: Option<PathBuf>,
    /// What it says.
    pub settings: Settings,
    /// Where state and sockets go.
    pub folders: Folders,
    /// Drop nothing, whatever the configuration says.
    pub observe: bool,
    /// Take no rules but all, whatever the configuration says.
    pub strict: bool,
}

/// A running daemon.
pub struct Daemon {
    runtime: Runtime,
    stop_sources: CancellationToken,
    stop_pages: CancellationToken,
    sources: sources::Running,
    workers: Vec<JoinHandle<()>>,
    detector: JoinHandle<()>,
    judge: JoinHandle<()>,
    enforcers: Vec<JoinHandle<()>>,
    checkpoints: JoinHandle<()>,
    stop_checkpoints: SyncSender<()>,
    reloading: Arc<Reloading>,
    report: Arc<Report>,
}

/// The threads that serve sockets and signals.
///
/// # Errors
/// When the system has none left.
pub fn runtime() -> anyhow::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .thread_name("weir-io")
        .on_thread_start(renounce)
        .build()
        .context("cannot start threads")
}

/// Overflows and calls that wait for the judge: as many as a host under attack makes while its disk
/// stands still for minutes.
const MATTERS: usize = 16 * 1024;
/// How many wait in each queue, for the metrics.
#[derive(Clone, Debug, Default)]
pub(crate) struct Depths {
    work: Arc<AtomicU64>,
    matters: Arc<AtomicU64>,
}

impl Daemon {
    /// Starts everything; when it returns, lines are taken. The calling thread gives up the right
    /// to change the firewall, which from then on the enforcers alone have.
    ///
    /// # Errors
    /// When something that was asked for cannot be had: a socket, the ledger, rules.
    pub fn start(mut plan: Plan, runtime: Runtime) -> anyhow::Result<Self> {
        let settings = plan.settings.clone().place(&plan.folders);
        let metrics = Metrics::default();
        counters::begin(&metrics);
        let guard = runtime.enter();

        let opened = sources::open(&settings)?;
        let control = Server::open(&settings.control)?;
        let pages = pages::open(&settings, &runtime)?;
        let bouncers = lapi::open(settings.lapi.as_ref(), &runtime)?;
        let policy = policy(&settings, plan.observe)?;
        let state = plan.folders.state.join("ledger.db");
        let options = reload::ledger_options(&settings);
        let now = clock::now();
        let (ledger, found) = Ledger::open(&state, options, &policy.allowlist, now)?;
        let bookmarks = places::find(sources::bookmarks(&opened), &ledger);
        let clients =
            lapi::Clients::remembered(&ledger, settings.lapi.as_ref(), metrics.lapi.clone())?;
        let outside = outside::new(&state)?;
        let (stop_checkpoints, stopped) = std::sync::mpsc::sync_channel(0);
        let checkpoints = checkpoints::spawn(&state, stopped)?;
        let (ruleset, mistakes) = reload::rules_and_canary(&settings, None, outside.clone());
        reload::show_mistakes(&mistakes);
        if plan.strict || settings.rules.strict {
            all_or_nothing(&ruleset)?;
        }
        reload::show_rules(&metrics, &ruleset, None);
        metrics.reloaded.set(1);
        metrics.reloaded_at.set(clock::now().seconds());

        // From the kernel backwards.
        let depths = Depths::default();
        let enforcement = enforcement::Enforcement::start(&settings, &plan, &metrics)?;
        plan.observe |= !enforcement.is_enforcing();
        let orders = enforcement.orders();
        let current = Arc::new(Current::new(
            1,
            Arc::clone(&ruleset),
            &settings,
            settings.guard.clone(),
            &metrics,
        ));
        let mut policy = policy;
        enforcement.limit(&mut policy);
        let mut judge = Judge::new(policy, ledger);
        judge.remember(now);
        judge.recall_friends(now);
        recover::recover(&mut judge, &found, &settings.enforce, now);
        renounce();
        for all in [judge.friends_change(), judge.replace(now)] {
            orders.send(&all, None).context("it ended at once")?;
        }
        let lists = Arc::new(lists::Lists::new(&settings.lists));
        let friends = judge.friends_of_lines(now);
        clients.friends().are(friends.clone(), now);
        let remotes = Arc::new(remotes::Remotes::new(&settings.remotes, metrics.remotes.clone()));
        let shared =
            Shared::new(Arc::clone(&current), friends, Arc::clone(&lists), Arc::clone(&remotes));
        let shared = Arc::new(shared);
        let wishes = Arc::new(Wishes::new(&settings.allowlist));
        wishes.set_operators(judge.names_to_look_up().to_vec());
        let named = judge.named_friends().to_vec();

        let (matters, matters_in) = mpsc::channel(MATTERS);
        let judging = DecideLoop {
            orders,
            world: ruleset.world(),
            metrics: metrics.clone(),
            waiting: Arc::clone(&depths.matters),
            places: bookmarks,
            published: judge.friends_version(),
            shared: Arc::clone(&shared),
            wishes: Arc::clone(&wishes),
            clients: clients.clone(),
            judge,
        };
        let handle = runtime.handle().clone();
        let judge = thread("weir-decide", move || judging.run(matters_in, &handle))?;

        let (work, work_in) = std::sync::mpsc::sync_channel(settings.limits.queue);
        metrics.buckets_limit.set(i64::try_from(settings.limits.buckets).unwrap_or(i64::MAX));
        let limits = detect::Limits { buckets: settings.limits.buckets, ..Default::default() };
        let canaries = Arc::new(Canaries::default());
        let detecting = DetectLoop::new(current, limits, matters.clone(), &depths, metrics.clone())
            .with_canaries(Arc::clone(&canaries));
        let detector = thread("weir-detect", move || detecting.run(&work_in))?;

        let (lines, lines_in) = mpsc::channel(settings.limits.queue);
        let lines_in = Arc::new(Mutex::new(lines_in));
        let names = settings.sources.iter().map(|source| source.name.clone());
        let counted = Arc::new(Lines::new(metrics.clone(), names));
        let samples = Arc::new(Samples::new(Arc::clone(&counted)));
        let senders = Arc::new(Senders::default());
        let skews = Arc::new(Skews::new(&metrics, &settings.sources));
        let outbox = Outbox::new(matters.downgrade(), Arc::clone(&depths.matters));
        let n_workers = settings.limits.workers.unwrap_or_else(processors);
        let mut workers = Vec::with_capacity(n_workers);
        for _ in 0..n_workers {
            let worker = Worker {
                lines: Arc::clone(&lines_in),
                shared: Arc::clone(&shared),
                work: work.clone(),
                queued: Arc::clone(&depths.work),
                counting: Counting::new(Arc::clone(&counted), Arc::clone(&samples))
                    .with_canaries(Arc::clone(&canaries)),
                senders: Arc::clone(&senders),
                measuring: Measuring::default(),
                skews: Arc::clone(&skews),
                logins: LoginTeller::new(outbox.clone(), metrics.clone()),
                waits: Waits::new(&metrics),
            };
            workers.push(thread("weir-parse", move || worker.run())?);
        }

        let stop_sources = CancellationToken::new();
        let stop_pages = CancellationToken::new();
        let sources = sources::Running::spawn(opened, &lines, &stop_sources)?;
        let counted = metrics.pages.clone();
        let pages_tls = pages.as_ref().and_then(|pages| pages.tls.clone());
        let report = Arc::new(Report::new(
            metrics.clone(),
            samples,
            canaries,
            senders,
            skews,
            (sources.counters(), pages_tls.clone()),
            (enforcement.orders(), enforcement.conditions(), enforcement.is_enforcing()),
            Arc::clone(&shared),
            lines.downgrade(),
            depths.clone(),
            state.clone(),
        ));
        drop(lines);
        let (standing, friendly) = (Arc::clone(&shared), metrics.clone());
        let reloading = Reloading::new(
            plan,
            shared,
            (work, matters.clone()),
            (sources.counters(), pages_tls),
            outside,
            Arc::clone(&wishes),
            metrics,
        );
        lists::follow(lists, matters.downgrade(), Arc::clone(&depths.matters))?;
        let (judge_of, waiting) = (matters.downgrade(), Arc::clone(&depths.matters));
        remotes::follow(remotes, judge_of, waiting, &runtime, stop_pages.clone());
        friends::follow(wishes, named, outbox.clone(), friendly)?;
        let to_judge = outbox.clone();
        guard::follow(standing, outbox)?;
        let reloading = Arc::new(reloading);
        let calls = calls::serve(&runtime, matters, enforcement.orders(), &reloading, &report);
        rates::follow(&runtime, Arc::clone(&report), stop_pages.clone());
        let stop = stop_pages.clone();
        let for_pages = calls.clone();
        runtime.spawn(async move { control.run(calls, stop).await });
        if let Some(pages::Opened { listener, tls, access }) = pages {
            let (for_metrics, for_ready) = (Arc::clone(&report), Arc::clone(&report));
            let pages = http::Pages {
                metrics: Arc::new(move || for_metrics.exposition()),
                readiness: Arc::new(move || for_ready.readiness()),
                calls: for_pages,
                access,
                counted,
            };
            let secure = tls.map(|tls| pages::secure("http", tls));
            runtime.spawn(http::run(listener, secure, pages, stop_pages.clone()));
        }
        if let Some(lapi) = bouncers {
            let orders = orders::to(to_judge);
            lapi.spawn(&state, &clients, orders, &runtime, stop_pages.clone())?;
        }
        // Lines are taken already; what one needs before it is ready is built at once.
        let rules = Arc::clone(&ruleset);
        thread("weir-warm", move || reload::warm(&rules))?;
        drop(guard);
        let enforcers = enforcement.into_threads();
        Ok(Self {
            runtime,
            stop_sources,
            stop_pages,
            sources,
            workers,
            detector,
            judge,
            enforcers,
            checkpoints,
            stop_checkpoints,
            reloading,
            report,
        })
    }

    /// The runtime, to wait for signals on.
    #[must_use]
    pub fn runtime(&self) -> &Handle {
        self.runtime.handle()
    }

    /// What keeps the daemon from its work, and what else is worth knowing.
    #[must_use]
    pub fn readiness(&self) -> http::Readiness {
        self.report.readiness()
    }

    /// Reads configuration and rules again. With a mistake in them nothing changes.
    ///
    /// # Errors
    /// The mistakes, as text.
    pub fn reload(&self) -> Result<Vec<String>, String> {
        self.reloading.reload()
    }

    /// Takes no more lines, carries out what was received, and ends. Bans stay in the kernel.
    pub fn stop(self) {
        self.stop_sources.cancel();
        self.sources.join(&self.runtime);
        // Each stage ends when the one before it has: the last sender is gone then. The pages
        // and the reloading hold senders too.
        self.stop_pages.cancel();
        self.reloading.close();
        for worker in self.workers {
            join(worker);
        }
        join(self.detector);
        self.runtime.shutdown_timeout(std::time::Duration::from_secs(2));
        drop(self.stop_checkpoints);
        join(self.checkpoints);
        join(self.judge);
        for enforcer in self.enforcers {
            join(enforcer);
        }
    }
}

/// A thread with a name, without the right to change the firewall.
fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> anyhow::Result<JoinHandle<()>> {
    privileged_thread(name, move || {
        renounce();
        work();
    })
}

/// A thread with a name and all rights that its maker has.
fn privileged_thread(
    name: &str,
    work: impl FnOnce() + Send + 'static,
) -> anyhow::Result<JoinHandle<()>> {
    let builder = std::thread::Builder::new().name(name.to_owned());
    builder.spawn(work).with_context(|| format!("cannot start the thread `{name}`"))
}

/// Only those who enforce need the right to change the firewall; whoever reads what strangers send
/// must not have it.
fn renounce() {
    if let Err(error) = privileges::renounce_net_admin() {
        tracing::warn!(%error, "a thread cannot give up the right to change the firewall");
    }
}

fn join(thread: JoinHandle<()>) {
    thread.join().expect("a thread that panics ends the process");
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

impl std::fmt::Debug for Daemon {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Daemon").field("workers", &self.workers.len()).finish_non_exhaustive()
    }
}
