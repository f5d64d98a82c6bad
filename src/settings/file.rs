//! The configuration as typed: one file, then several put together.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::quantity::duration;
use super::section::{At, at, later};
use super::settings::{Log, Profile};
use super::{
    brake, classify, enforce, escalation, friends, guard, http, lapi, lists, prefixes, remote,
    sources, spoofable,
};
use crate::diagnostic::{Diagnostic, UserFile};
use crate::yaml::{self, Fields, Kind, Node, Spanned};

/// What `observe:` says.
#[derive(Clone, Debug)]
pub(super) enum Observed {
    All(bool),
    Scenarios(Vec<At<String>>),
}

/// All that files may say; what none says is `None` or empty.
#[derive(Clone, Debug, Default)]
pub(super) struct File {
    pub(super) sources: Vec<At<sources::Typed>>,
    pub(super) classify: classify::Typed,
    pub(super) rule_folders: Vec<At<PathBuf>>,
    pub(super) shipped_rules: Option<At<bool>>,
    pub(super) strict_rules: Option<At<bool>>,
    pub(super) allowlist: friends::Typed,
    pub(super) profiles: Vec<Profile>,
    pub(super) ban: Option<At<Duration>>,
    pub(super) escalation: escalation::Typed,
    pub(super) prefixes: prefixes::Typed,
    pub(super) guard: guard::Typed,
    pub(super) brake: brake::Typed,
    pub(super) spoofable: spoofable::Typed,
    pub(super) enforce: enforce::Typed,
    pub(super) observe: Option<Observed>,
    pub(super) lists: lists::Typed,
    pub(super) ledger_folder: Option<At<PathBuf>>,
    pub(super) ledger_keep: Option<At<Duration>>,
    pub(super) ledger_ended: Option<At<i64>>,
    pub(super) http: http::Typed,
    pub(super) lapi: lapi::Typed,
    pub(super) remotes: Vec<At<remote::Remote>>,
    pub(super) control: Option<At<PathBuf>>,
    pub(super) line: Option<At<usize>>,
    pub(super) workers: Option<At<i64>>,
    pub(super) queue: Option<At<i64>>,
    pub(super) buckets: Option<At<i64>>,
    pub(super) log: Option<At<Log>>,
}

const MOST_WORKERS: i64 = 256;
const MOST_QUEUE: i64 = 1 << 16;
const MOST_BUCKETS: i64 = 100_000_000;
const MOST_ENDED: i64 = 100_000_000;

impl File {
    /// Reads one file.
    pub(super) fn read(file: &Arc<UserFile>, diagnostics: &mut Vec<Diagnostic>) -> Self {
        let mut read = Self::default();
        let (documents, mistakes) = yaml::load(file);
        diagnostics.extend(mistakes);
        if let Some(second) = documents.get(1) {
            let message = "expected one document, found a second behind `---`";
            diagnostics.push(Diagnostic::error(file, second.head(), "yaml-documents", message));
        }
        let Some(document) = documents.first() else { return read };
        let what = "the configuration";
        let Some(mut fields) = Fields::of(document, file, what, diagnostics) else { return read };
        let items = fields.list("sources");
        read.sources =
            items.iter().filter_map(|n| sources::read(n, file, fields.diagnostics())).collect();
        if let Some(node) = fields.node("classify") {
            read.classify = classify::Typed::read(node, file, fields.diagnostics());
        }
        if let Some(node) = fields.node("rules") {
            read.rules(node, file, fields.diagnostics());
        }
        if let Some(node) = fields.node("allowlist") {
            read.allowlist = friends::Typed::read(node, file, fields.diagnostics());
        }
        let profiles = fields.list("profiles");
        read.profiles = profiles
            .iter()
            .map(|node| Profile { file: Arc::clone(file), node: node.clone() })
            .collect();
        read.ban = duration(&mut fields, "ban");
        read.measures(&mut fields, file);
        if let Some(node) = fields.node("enforce") {
            read.enforce = enforce::Typed::read(node, file, fields.diagnostics());
        }
        read.observe = observe(&mut fields);
        if let Some(node) = fields.node("lists") {
            read.lists = lists::Typed::read(node, file, fields.diagnostics());
        }
        if let Some(node) = fields.node("ledger") {
            read.ledger(node, file, fields.diagnostics());
        }
        if let Some(node) = fields.node("http") {
            read.http = http::Typed::read(node, file, fields.diagnostics());
        }
        if let Some(node) = fields.node("lapi") {
            read.lapi = lapi::Typed::read(node, file, fields.diagnostics());
        }
        let remotes = fields.list("remote");
        read.remotes =
            remotes.iter().filter_map(|n| remote::read(n, file, fields.diagnostics())).collect();
        if let Some(node) = fields.node("control") {
            read.control(node, file, fields.diagnostics());
        }
        if let Some(node) = fields.node("limits") {
            read.limits(node, file, fields.diagnostics());
        }
        read.log = fields.choice("log", &Log::WORDS).map(|found| at(&fields, found));
        fields.finish();
        read
    }

    fn rules(&mut self, node: &Node, file: &Arc<UserFile>, diagnostics: &mut Vec<Diagnostic>) {
        let Some(mut fields) = Fields::of(node, file, "`rules`", diagnostics) else { return };
        for folder in fields.text_list("folders") {
            // As seen from the file that names it.
            let from = file.path.parent().unwrap_or(Path::new(""));
            let folder = folder.map(|folder| from.join(folder));
            self.rule_folders.push(at(&fields, folder));
        }
        self.shipped_rules = fields.bool("shipped").map(|found| at(&fields, found));
        self.strict_rules = fields.bool("strict").map(|found| at(&fields, found));
        fields.finish();
    }

    /// The sections that say how far a ban goes.
    fn measures(&mut self, fields: &mut Fields<'_, '_>, file: &Arc<UserFile>) {
        if let Some(node) = fields.node("escalation") {
            self.escalation = escalation::Typed::read(node, file, fields.diagnostics());
        }
        if let Some(node) = fields.node("prefixes") {
            self.prefixes = prefixes::Typed::read(node, file, fields.diagnostics());
        }
        if let Some(node) = fields.node("guard") {
            self.guard = guard::Typed::read(node, file, fields.diagnostics());
        }
        if let Some(node) = fields.node("brake") {
            self.brake = brake::Typed::read(node, file, fields.diagnostics());
        }
        if let Some(node) = fields.node("spoofable") {
            self.spoofable = spoofable::Typed::read(fields, node, file);
        }
    }

    fn ledger(&mut self, node: &Node, file: &Arc<UserFile>, diagnostics: &mut Vec<Diagnostic>) {
        let Some(mut fields) = Fields::of(node, file, "`ledger`", diagnostics) else { return };
        self.ledger_folder =
            fields.parsed("folder", "a path from `/`", absolute).map(|f| at(&fields, f));
        self.ledger_keep = duration(&mut fields, "keep");
        let ended = fields.integer("ended", 0..=MOST_ENDED);
        self.ledger_ended = ended.map(|found| at(&fields, found));
        fields.finish();
    }

    fn control(&mut self, node: &Node, file: &Arc<UserFile>, diagnostics: &mut Vec<Diagnostic>) {
        let Some(mut fields) = Fields::of(node, file, "`control`", diagnostics) else { return };
        let socket = fields.parsed("socket", "a path", sources::socket_path);
        self.control = socket.map(|found| at(&fields, found));
        fields.finish();
    }

    fn limits(&mut self, node: &Node, file: &Arc<UserFile>, diagnostics: &mut Vec<Diagnostic>) {
        let Some(mut fields) = Fields::of(node, file, "`limits`", diagnostics) else { return };
        self.line = sources::line(&mut fields);
        let workers = fields.integer("workers", 1..=MOST_WORKERS);
        self.workers = workers.map(|found| at(&fields, found));
        self.queue = fields.integer("queue", 1..=MOST_QUEUE).map(|found| at(&fields, found));
        self.buckets = fields.integer("buckets", 1..=MOST_BUCKETS).map(|found| at(&fields, found));
        fields.finish();
    }

    /// Adds a later file: lists grow, other values are the later ones.
    pub(super) fn merge(&mut self, other: Self) {
        self.sources.extend(other.sources);
        self.classify.merge(other.classify);
        self.rule_folders.extend(other.rule_folders);
        later(&mut self.shipped_rules, other.shipped_rules);
        later(&mut self.strict_rules, other.strict_rules);
        self.allowlist.merge(other.allowlist);
        self.profiles.extend(other.profiles);
        later(&mut self.ban, other.ban);
        self.escalation.merge(other.escalation);
        self.prefixes.merge(other.prefixes);
        self.guard.merge(other.guard);
        self.brake.merge(other.brake);
        self.spoofable.merge(other.spoofable);
        self.enforce.merge(other.enforce);
        match (&mut self.observe, other.observe) {
            (Some(Observed::Scenarios(known)), Some(Observed::Scenarios(more))) => {
                known.extend(more);
            }
            (first, second) => later(first, second),
        }
        self.lists.merge(other.lists);
        later(&mut self.ledger_folder, other.ledger_folder);
        later(&mut self.ledger_keep, other.ledger_keep);
        later(&mut self.ledger_ended, other.ledger_ended);
        self.http.merge(other.http);
        self.lapi.merge(other.lapi);
        self.remotes.extend(other.remotes);
        later(&mut self.control, other.control);
        later(&mut self.line, other.line);
        later(&mut self.workers, other.workers);
        later(&mut self.queue, other.queue);
        later(&mut self.buckets, other.buckets);
        later(&mut self.log, other.log);
    }
}

fn absolute(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.is_absolute() { Ok(path) } else { Err("relative to what?".to_owned()) }
}

/// `observe: true` or the names of scenarios.
fn observe(fields: &mut Fields<'_, '_>) -> Option<Observed> {
    let node = fields.node("observe")?;
    match node.kind {
        Kind::Sequence(_) => {
            let names = fields.text_list("observe");
            let owned = |name: Spanned<&str>| at(fields, name.map(str::to_owned));
            Some(Observed::Scenarios(names.into_iter().map(owned).collect()))
        }
        _ => fields.bool("observe").map(|all| Observed::All(all.value)),
    }
}
