//! The configuration as meant: every value there, impossible ones refused.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::file::{File, Observed};
use super::section::At;
use super::sources::LABEL;
use super::{
    Brake, Enforce, Escalation, Folders, Friends, Guard, Http, Lapi, Lists, Prefixes, Remote,
    remote, sources,
};
use crate::diagnostic::{Diagnostic, UserFile};
use crate::intake::spec::{self, Listen, Source, Trust};
use crate::parse::ClassRule;
use crate::value::Zones;
use crate::yaml::Node;

/// All that can be configured.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where lines come from; names are unique. Relative socket paths are below the run folder,
    /// see [`Settings::place`].
    pub sources: Vec<Source>,
    /// Which lines get another label or program; the first that fits counts.
    pub classify: Vec<ClassRule>,
    /// Which rules are loaded.
    pub rules: Rules,
    /// Who is never banned.
    pub allowlist: Friends,
    /// What is done about an overflow, in order; read further by whoever decides.
    pub profiles: Vec<Profile>,
    /// How long a ban lasts that no profile gives another duration.
    pub ban: Duration,
    /// How bans grow; `None` for not at all.
    pub escalation: Option<Escalation>,
    /// Which addresses count as one, and how wide bans become.
    pub prefixes: Prefixes,
    /// Who is not locked out; `None` for anybody.
    pub guard: Option<Guard>,
    /// When scenarios stop banning; `None` for never.
    pub brake: Option<Brake>,
    /// The most that scenarios may do, by their label `spoofable`.
    pub spoofable: [Trust; 4],
    /// How bans are carried out.
    pub enforce: Enforce,
    /// Which scenarios only watch.
    pub observe: Observe,
    /// Lists that are followed.
    pub lists: Lists,
    /// The ledger.
    pub ledger: Ledger,
    /// The pages over HTTP; `None` for none.
    pub http: Option<Http>,
    /// Where bouncers ask whom to keep out; nowhere when absent.
    pub lapi: Option<Lapi>,
    /// Other hosts: whose decisions are carried out here, and who is told of ours.
    pub remotes: Vec<Remote>,
    /// The control socket; relative to the run folder until [`Settings::place`].
    pub control: PathBuf,
    /// The bounds of everything.
    pub limits: Limits,
    /// What is logged.
    pub log: Log,
}

/// Which rules are loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Rule folders, in the order they are loaded.
    pub folders: Vec<PathBuf>,
    /// Whether the rules that come with Weir are loaded before them.
    pub shipped: bool,
    /// Whether a file with a mistake keeps Weir from starting, and a reload from changing
    /// anything; else it is left out.
    pub strict: bool,
}

/// A profile as written.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The file it is in.
    pub file: Arc<UserFile>,
    /// What it says.
    pub node: Node,
}

/// Which scenarios' decisions are recorded and not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observe {
    /// None: every ban is carried out.
    Nothing,
    /// All: nothing is ever dropped.
    Everything,
    /// Those of these names.
    Scenarios(Vec<String>),
}

impl Observe {
    /// Whether this scenario only watches.
    #[must_use]
    pub fn covers(&self, scenario: &str) -> bool {
        match self {
            Observe::Nothing => false,
            Observe::Everything => true,
            Observe::Scenarios(names) => names.iter().any(|name| name == scenario),
        }
    }
}

/// The ledger's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// The folder of the database; `None` for the state folder.
    pub folder: Option<PathBuf>,
    /// How long ended bans are kept.
    pub keep: Duration,
    /// How many ended bans are kept at most.
    pub ended: u64,
}

/// The bounds of everything that grows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Worker threads that parse; `None` for as many as there are processors.
    pub workers: Option<usize>,
    /// Batches that a queue holds.
    pub queue: usize,
    /// Buckets tracked at the same time.
    pub buckets: usize,
}

/// The least important messages that are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Log {
    /// What needs a person.
    Error,
    /// What may come to need one.
    Warning,
    /// One line per ban and unban.
    Info,
    /// What is done and why.
    Debug,
    /// Everything.
    Trace,
}

impl Log {
    pub(super) const WORDS: [(&'static str, Self); 6] = [
        ("error", Log::Error),
        ("warning", Log::Warning),
        ("warn", Log::Warning),
        ("info", Log::Info),
        ("debug", Log::Debug),
        ("trace", Log::Trace),
    ];
}

const DAY: Duration = Duration::from_secs(86_400);
/// Ended bans that are kept: with their steps and stories some 200 MB.
const ENDED: u64 = 500_000;
const SOCKET: &str = "weir.sock";
const CONTROL: &str = "control.sock";

impl Default for Settings {
    fn default() -> Self {
        let mut mistakes = Vec::new();
        Self::mean(File::default(), &mut mistakes)
    }
}

impl Settings {
    /// What the files mean together.
    pub(super) fn mean(file: File, diagnostics: &mut Vec<Diagnostic>) -> Self {
        let number = |found: Option<At<i64>>| found.and_then(|n| usize::try_from(n.value).ok());
        let line = file.line.map(|found| found.value);
        let ban = file.ban.map_or(Duration::from_secs(4 * 3600), |found| found.value);
        Self {
            sources: mean_sources(file.sources, line, diagnostics),
            classify: file.classify.mean(diagnostics),
            rules: Rules {
                folders: file.rule_folders.into_iter().map(|folder| folder.value).collect(),
                shipped: file.shipped_rules.is_none_or(|found| found.value),
                strict: file.strict_rules.is_some_and(|found| found.value),
            },
            allowlist: file.allowlist.mean(),
            profiles: file.profiles,
            ban,
            escalation: file.escalation.mean(ban, diagnostics),
            prefixes: file.prefixes.mean(),
            guard: file.guard.mean(),
            brake: file.brake.mean(),
            spoofable: file.spoofable.mean(),
            enforce: file.enforce.mean(diagnostics),
            observe: match file.observe {
                None | Some(Observed::All(false)) => Observe::Nothing,
                Some(Observed::All(true)) => Observe::Everything,
                Some(Observed::Scenarios(names)) => {
                    Observe::Scenarios(names.into_iter().map(|name| name.value).collect())
                }
            },
            lists: file.lists.mean(),
            ledger: Ledger {
                folder: file.ledger_folder.map(|found| found.value),
                keep: file.ledger_keep.map_or(90 * DAY, |found| found.value),
                ended: file.ledger_ended.map_or(ENDED, |found| found.value.unsigned_abs()),
            },
            http: file.http.mean(diagnostics),
            lapi: file.lapi.mean(diagnostics),
            remotes: remote::mean(file.remotes, diagnostics),
            control: file.control.map_or_else(|| CONTROL.into(), |found| found.value),
            limits: Limits {
                workers: number(file.workers),
                queue: number(file.queue).unwrap_or(256),
                buckets: number(file.buckets).unwrap_or(200_000),
            },
            log: file.log.map_or(Log::Info, |found| found.value),
        }
    }

    /// The same with every relative socket path put below the run folder.
    #[must_use]
    pub fn place(mut self, folders: &Folders) -> Self {
        for source in &mut self.sources {
            if let Listen::UnixDatagram { path, .. } | Listen::UnixStream { path, .. } =
                &mut source.listen
            {
                *path = folders.run.join(&*path);
            }
        }
        self.control = folders.run.join(&self.control);
        self
    }
}

/// Sources at most: each has sockets and threads of its own, and its number is 16 bits wide in
/// every batch of lines.
const MOST_SOURCES: usize = 1024;

/// The sources when no file has any: on this host only.
fn default_sources() -> Vec<Source> {
    let local = SocketAddr::from(([127, 0, 0, 1], 5514));
    let socket = Listen::UnixDatagram { path: SOCKET.into(), mode: spec::SOCKET_MODE };
    [("udp", Listen::Udp(local)), ("tcp", Listen::Tcp(local)), ("unix", socket)]
        .map(|(name, listen)| Source {
            name: name.to_owned(),
            label: LABEL.to_owned(),
            listen,
            tls: None,
            senders: Vec::new(),
            users: Vec::new(),
            silent_after: Some(spec::SILENT_AFTER),
            limits: spec::Limits::default(),
            bans: Trust::FULL,
            zones: Zones::default(),
        })
        .into()
}

fn mean_sources(
    typed: Vec<At<sources::Typed>>,
    line: Option<usize>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Source> {
    if typed.is_empty() {
        let mut sources = default_sources();
        for source in &mut sources {
            source.limits.message = line.unwrap_or(source.limits.message);
        }
        return sources;
    }
    if let Some(excess) = typed.get(MOST_SOURCES) {
        let message = format!("there are more than {MOST_SOURCES} sources");
        diagnostics.push(excess.error("too-many", message));
    }
    let mut sources = Vec::with_capacity(typed.len().min(MOST_SOURCES));
    let mut names: HashMap<String, String> = HashMap::new();
    let mut places: HashMap<String, String> = HashMap::new();
    for item in typed.into_iter().take(MOST_SOURCES) {
        let sources::Typed { mut source, own_message } = item.value.clone();
        let unnamed = source.name.is_empty();
        if unnamed {
            source.name = source.listen.kind().to_owned();
        }
        let here = item.place();
        if let Some(first) = names.insert(source.name.clone(), here.clone()) {
            let message = format!("two sources are called `{}`", source.name);
            let mistake = item
                .error("duplicate-source", message)
                .with_label(format!("the first is at {first}"));
            let help = "give each a `name` of its own; metrics and logs tell them apart by it";
            diagnostics.push(if unnamed { mistake.with_help(help) } else { mistake });
        }
        let listen = format!("{:?}", source.listen);
        if let Some(first) = places.insert(listen, here) {
            diagnostics.push(
                item.error("duplicate-source", "two sources listen on the same place")
                    .with_label(format!("the first is at {first}")),
            );
        }
        if let Listen::Udp(address) | Listen::Tcp(address) | Listen::Relp(address) = source.listen
            && !source.tls.as_ref().is_some_and(spec::Tls::asks_for_certificates)
            && !address.ip().is_loopback()
            && source.senders.is_empty()
        {
            let message = format!(
                "whoever reaches `{address}` can send lines, and have others banned by them"
            );
            diagnostics.push(
                item.error("open-to-all", message)
                    .warning()
                    .with_help("name those who may send: `senders: [192.0.2.0/24]`"),
            );
        }
        if let (Some(line), false) = (line, own_message) {
            source.limits.message = line;
        }
        sources.push(source);
    }
    sources
}
