//! Reading configuration and rules, at the start and again.
//!
//! A reload with a mistake changes nothing. What can be taken over while lines flow is: rules,
//! allowlist, profiles, duration, who is only observed. What is bound to a socket or a file is
//! named as needing a restart.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc::Sender;
use tracing::{info, warn};

use super::counters;
use super::current::{Current, Shared};
use super::decide_loop::Matter;
use super::detect_loop::Work;
use super::friends::Wishes;
use super::report::Counted;
use super::{Plan, canary, certificates, friends};
use crate::decide::{self, Observe, Policy, Profiles};
use crate::diagnostic::{self, Diagnostic};
use crate::intake::tls::Tls;
use crate::ledger;
use crate::metrics::{ByKind, ByResult, Ending, Metrics};
use crate::parse::Classes;
use crate::rules::{self, Outside, Request, Ruleset};
use crate::settings::{self, Settings};
use crate::system::clock;

/// What a reload needs.
pub(super) struct Reloading {
    state: Mutex<State>,
    shared: Arc<Shared>,
    sources: Vec<Counted>,
    outside: Outside,
    wishes: Arc<Wishes>,
    /// The certificate of the pages.
    pages: Option<Arc<Tls>>,
    metrics: Metrics,
}

struct State {
    plan: Plan,
    /// Gone once the daemon ends: a sender that is held would keep the stages alive.
    out: Option<(std::sync::mpsc::SyncSender<Work>, Sender<Matter>)>,
}

impl Reloading {
    pub(super) fn new(
        plan: Plan,
        shared: Arc<Shared>,
        out: (std::sync::mpsc::SyncSender<Work>, Sender<Matter>),
        (sources, pages): (Vec<Counted>, Option<Arc<Tls>>),
        outside: Outside,
        wishes: Arc<Wishes>,
        metrics: Metrics,
    ) -> Self {
        let state = Mutex::new(State { plan, out: Some(out) });
        Self { state, shared, sources, outside, wishes, pages, metrics }
    }

    /// Reads all again and takes it over; what is worth knowing, a line each.
    ///
    /// # Errors
    /// All mistakes, as text; nothing has changed then.
    pub(super) fn reload(&self) -> Result<Vec<String>, String> {
        let done = self.try_reload();
        let result = if done.is_ok() { Ending::success } else { Ending::failure };
        self.metrics.reloads.get_or_create(&ByResult { result }).inc();
        self.metrics.reloaded.set(i64::from(done.is_ok()));
        if done.is_ok() {
            self.metrics.reloaded_at.set(clock::now().seconds());
        }
        match &done {
            Ok(notes) => info!(notes = notes.join("; "), "reloaded"),
            Err(_) => warn!("the new configuration is wrong; the old one goes on"),
        }
        done
    }

    fn try_reload(&self) -> Result<Vec<String>, String> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (fresh, diagnostics) = settings::load(state.plan.config.as_deref());
        if diagnostics.iter().any(Diagnostic::is_error) {
            return Err(diagnostic::render(&diagnostics, false));
        }
        let fresh = fresh.place(&state.plan.folders);
        let old = self.shared.get();
        let outside = self.outside.clone();
        let (ruleset, mistakes) = rules_and_canary(&fresh, Some(&old.ruleset), outside);
        if state.plan.strict || fresh.rules.strict {
            all_or_nothing(&ruleset)
                .map_err(|why| format!("{}{why}\n", diagnostic::render(&mistakes, false)))?;
        }
        let policy = policy(&fresh, state.plan.observe).map_err(|error| error.to_string())?;
        let mut notes =
            restart_notes(&state.plan.settings.clone().place(&state.plan.folders), &fresh);
        notes.extend(certificates::reload(&self.sources, self.pages.as_ref()));
        show_mistakes(&mistakes);
        if !mistakes.is_empty() {
            notes.push(format!("rule files left out: {}", diagnostic::summary(&mistakes)));
        }
        show_rules(&self.metrics, &ruleset, Some(&old.ruleset));
        // Before lines meet them, so that none waits.
        warm(&ruleset);
        notes.push(format!(
            "{} parsers, {} scenarios",
            ruleset.counts().parsers,
            ruleset.counts().scenarios
        ));
        let world = ruleset.world();
        let Some((work, matters)) = &state.out else {
            return Err("the daemon is stopping".to_owned());
        };
        // The sources that are open are those of the start.
        let open = state.plan.settings.clone();
        let current = Arc::new(Current::new(
            old.generation + 1,
            ruleset,
            &open,
            fresh.guard.clone(),
            &self.metrics,
        ));
        // The owner of the buckets first: a worker that has the new rules must not be ahead of it.
        let gone = |_| "the daemon is stopping".to_owned();
        work.send(Work::Rules(Arc::clone(&current))).map_err(|_| gone(()))?;
        self.shared.set(current);
        matters
            .blocking_send(Matter::Adopt(Box::new(policy), world, ledger_options(&fresh)))
            .map_err(|_| gone(()))?;
        self.wishes.set_settings(&fresh.allowlist);
        self.shared.lists().set(&fresh.lists);
        self.shared.remotes().set(&fresh.remotes);
        state.plan.settings = Settings { sources: open.sources, ..fresh };
        Ok(notes)
    }

    /// Reloads no more.
    pub(super) fn close(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).out = None;
        self.outside.resolver.close();
    }
}

/// What a reload cannot change.
fn restart_notes(old: &Settings, new: &Settings) -> Vec<String> {
    let parts = [
        ("sources", old.sources != new.sources),
        ("http", old.http != new.http),
        ("lapi", old.lapi != new.lapi),
        ("control", old.control != new.control),
        ("ledger", old.ledger.folder != new.ledger.folder),
        ("enforce", old.enforce != new.enforce),
        ("limits", old.limits != new.limits),
    ];
    let changed = parts.into_iter().filter(|(_, is_changed)| *is_changed);
    changed.map(|(key, _)| format!("a change of `{key}` takes a restart")).collect()
}

/// Loads the rules that the settings name; files with mistakes are left out.
pub fn rules_of(
    settings: &Settings,
    before: Option<&Ruleset>,
    outside: Outside,
) -> (Arc<Ruleset>, Vec<Diagnostic>) {
    load(request(settings, outside), before)
}

/// The same for a daemon, which takes test lines as well.
pub(super) fn rules_and_canary(
    settings: &Settings,
    before: Option<&Ruleset>,
    outside: Outside,
) -> (Arc<Ruleset>, Vec<Diagnostic>) {
    load(Request { more: vec![canary::rules()], ..request(settings, outside) }, before)
}

fn load(request: Request, before: Option<&Ruleset>) -> (Arc<Ruleset>, Vec<Diagnostic>) {
    let (ruleset, diagnostics) = rules::load(request, before, clock::now());
    (Arc::new(ruleset), diagnostics)
}

/// Rule files are wrong, and it is asked for all of them.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} wrong, and none may be left out: mend {}, or take rules without `strict`",
    if *.0 == 1 { "a rule file is".to_owned() } else { format!("{} rule files are", .0) },
    if *.0 == 1 { "it" } else { "them" }
)]
pub struct Rejected(pub usize);

/// Whether all rules are there.
///
/// # Errors
/// When a file was left out.
pub fn all_or_nothing(ruleset: &Ruleset) -> Result<(), Rejected> {
    match ruleset.counts().rejected {
        0 => Ok(()),
        rejected => Err(Rejected(rejected)),
    }
}

/// Builds the automata of all patterns on this thread.
pub(super) fn warm(ruleset: &Ruleset) {
    for trouble in ruleset.warm(1) {
        warn!(trouble, "a pattern is never found");
    }
}

/// Which rules the settings name.
pub fn request(settings: &Settings, outside: Outside) -> Request {
    Request {
        shipped: settings.rules.shipped,
        folders: settings.rules.folders.clone(),
        classes: Some(Classes::new(settings.classify.clone())),
        lints: false,
        outside,
        count: settings.prefixes.count,
        more: Vec::new(),
    }
}

/// Shows what is wrong with rules, on standard error as it is: carets want their lines.
pub(super) fn show_mistakes(mistakes: &[Diagnostic]) {
    if !mistakes.is_empty() {
        eprint!("{}", diagnostic::render(mistakes, false));
    }
}

/// Shows how many rules there are.
pub(super) fn show_rules(metrics: &Metrics, ruleset: &Ruleset, before: Option<&Ruleset>) {
    counters::show_rules(metrics, ruleset, before);
    let counts = ruleset.counts();
    for (kind, count) in [
        ("parser", counts.parsers),
        ("scenario", counts.scenarios),
        ("postoverflow", counts.postoverflows),
    ] {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        metrics.rules.get_or_create(&ByKind { kind }).set(count);
    }
    metrics.rules_rejected.set(i64::try_from(counts.rejected).unwrap_or(i64::MAX));
}

/// The profiles of the settings, or the standard ones where they have none.
pub fn profiles(settings: &Settings) -> (Profiles, Vec<Diagnostic>) {
    let duration = i64::try_from(settings.ban.as_nanos()).unwrap_or(i64::MAX);
    if settings.profiles.is_empty() {
        return (Profiles::standard(duration), Vec::new());
    }
    let mut diagnostics = Vec::new();
    let mut profiles = Vec::new();
    for typed in &settings.profiles {
        let (profile, found) = decide::load(&typed.node, &typed.file, duration);
        profiles.extend(profile);
        diagnostics.extend(found);
    }
    (Profiles::new(profiles), diagnostics)
}

/// What the judge goes by.
///
/// # Errors
/// When a profile is wrong.
pub fn policy(settings: &Settings, observe: bool) -> anyhow::Result<Policy> {
    let duration = i64::try_from(settings.ban.as_nanos()).unwrap_or(i64::MAX);
    let (profiles, mistakes) = profiles(settings);
    if mistakes.iter().any(Diagnostic::is_error) {
        anyhow::bail!("a profile is wrong\n{}", diagnostic::render(&mistakes, false));
    }
    Ok(Policy {
        allowlist: friends::allowlist(settings),
        profiles,
        observe: match &settings.observe {
            _ if observe => Observe::Everything,
            settings::Observe::Nothing => Observe::Nothing,
            settings::Observe::Everything => Observe::Everything,
            settings::Observe::Scenarios(names) => {
                Observe::Scenarios(names.iter().cloned().collect())
            }
        },
        duration,
        measures: super::measures::of(settings),
    })
}

/// How the ledger is to be kept.
pub(super) fn ledger_options(settings: &Settings) -> ledger::Options {
    let keep = i64::try_from(settings.ledger.keep.as_nanos()).unwrap_or(i64::MAX);
    let most_ended = settings.ledger.ended;
    ledger::Options { keep_ended: keep, most_ended, ..ledger::Options::default() }
}
