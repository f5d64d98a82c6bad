//! `weir doctor`: does it work, from the line to the packet, and what to do where it does not?
//!
//! What must hold: nothing of what it finds is changed; of what it tries nothing is left. Every wait
//! is bounded, and what was not tried is said.

mod canary;
mod finding;
mod host;
mod packet;
mod running;
mod secure;
mod send;
mod senders;
mod stages;

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Exit, Global, Output, asking, complete};
use crate::control::{Braking, Client, ClientError, Reply, Request, Status, Why};
use crate::daemon;
use crate::diagnostic::{Diagnostic, Severity};
use crate::rules::{self, Outside};
use crate::settings::{self, Backend, Observe, Settings};
use crate::system::clock;
use crate::value::Time;
use finding::Finding;
use secure::Identity;

/// Try the whole way from a log line to a dropped packet, and say what to do where it is broken
///
/// A test line for an address that nobody has (RFC 5737, RFC 3849) is sent through each source, and
/// looked for behind every stage: received, parsed, poured, decided, in the kernel. As root, a packet
/// that seems to come from that address goes over the loopback interface and must be dropped. Then
/// all is taken back: nothing is left in kernel or ledger, and no packet leaves this host. In observe
/// mode nothing is dropped, and that is said.
///
/// Besides: rights, clock, disk, other firewalls, rules, certificates, who sends lines here, whether
/// you could lock yourself out. Each finding says what was found, where, and what to do.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weir doctor                       as root: without it some is not tried
  weir doctor --offline             no daemon runs yet: only what can be read
  weir doctor --output json         for scripts
  weir doctor --certificate client.pem --key client.key
                                    where sources ask their clients for a certificate

Exits with 0 when there is no problem, else with 1. Notes are no problems.")]
pub struct Doctor {
    /// Ask no daemon, try nothing: look at configuration, rules and host only
    #[arg(long)]
    pub offline: bool,
    /// What to show to sources that ask their clients for a certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "key")]
    pub certificate: Option<PathBuf>,
    /// Its key (PEM)
    #[arg(long, value_name = "FILE", requires = "certificate")]
    pub key: Option<PathBuf>,
    /// Read the configuration of rsyslog, syslog-ng and journald below this folder
    #[arg(long, value_name = "DIR", default_value = "/", hide = true)]
    pub root: PathBuf,
    /// The form of the answer
    #[arg(long, value_name = "FORM", default_value = "human")]
    pub output: Output,
}

impl Doctor {
    pub(super) fn run(self, global: &Global) -> anyhow::Result<Exit> {
        let identity = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => Some(Identity::read(certificate, key)?),
            _ => None,
        };
        let mut findings = vec![host::rights()];
        findings.extend(configuration(global));
        findings.push(host::clock());
        let (settings, client) = asking::client_leniently(global)?;
        let folders = daemon::folders::choose(&settings)?;
        findings.push(host::room(&folders.state));
        findings.extend(senders::look(&self.root, &settings.sources));
        findings.extend(host::firewalls(&settings, &self.root));
        if !self.offline {
            let config = settings::find(global.config.as_deref());
            findings.extend(live(&settings, client, config.as_deref(), identity));
        }
        let is_sound = !findings.iter().any(Finding::is_problem);
        match self.output {
            Output::Human => complete(&finding::page(&findings))?,
            Output::Json => {
                let answer = json!({ "sound": is_sound, "findings": findings });
                complete(&format!("{answer:#}\n"))?;
            }
        }
        Ok(if is_sound { Exit::Success } else { Exit::Failure })
    }
}

/// Whether the configuration and the rules on disk are right.
fn configuration(global: &Global) -> Vec<Finding> {
    let path = settings::find(global.config.as_deref());
    let shown = path.as_ref().map(|path| path.display().to_string());
    let shown = shown.as_deref().unwrap_or("built in: there is no file");
    let (settings, mut found) = settings::load(path.as_deref());
    found.extend(daemon::profiles(&settings).1);
    found.extend(daemon::certificates(&settings, clock::now()));
    let request = daemon::request(&settings, Outside::default());
    let (_, of_rules) = rules::load(request, None, clock::now());
    found.extend(of_rules);
    // Each of these has a finding of its own; of the rest the first few are told, and how many.
    const TOLD: usize = 4;
    let mut findings: Vec<Finding> = found
        .iter()
        .filter(|one| one.severity != Severity::Note)
        .take(TOLD)
        .map(|one| doubt(one, shown))
        .collect();
    if found.len() > findings.len() && findings.len() == TOLD {
        let more = format!("{} more", found.len() - TOLD);
        findings.push(Finding::note("configuration", more).with_remedy("weir check"));
    }
    if findings.is_empty() {
        findings.push(Finding::ok("configuration", "no mistakes, in the rules neither").at(shown));
    }
    findings
}

fn doubt(found: &Diagnostic, shown: &str) -> Finding {
    let check = if found.code == "certificate" { "certificate" } else { "configuration" };
    let is_expired = found.code == "certificate" && found.message.contains("expired");
    let finding = if found.is_error() || is_expired {
        Finding::problem(check, &found.message)
    } else {
        Finding::note(check, &found.message)
    };
    let at = found.file.as_ref().map_or_else(
        || shown.to_owned(),
        |file| match file.text.is_empty() {
            true => file.path.display().to_string(),
            false => format!("{}:{}", file.path.display(), file.place(found.span.start).0),
        },
    );
    let remedy = match &found.help {
        _ if is_expired => "put a new one there, then sudo weir reload".to_owned(),
        Some(help) => format!("{help}; weir check"),
        None => "weir check".to_owned(),
    };
    finding.at(at).with_remedy(remedy)
}

/// What the daemon says, and what comes of trying.
fn live(
    settings: &Settings,
    client: Result<Client, ClientError>,
    config: Option<&Path>,
    identity: Option<Identity>,
) -> Vec<Finding> {
    let mut client = match client {
        Ok(client) => client,
        Err(error) => return vec![unreachable(&error, &settings.control)],
    };
    let status = match client.ask(&Request::Status) {
        Ok(Reply::Status(status)) => *status,
        Ok(_) => {
            let finding =
                Finding::problem("daemon", "it answers something else: of another version?");
            return vec![finding.with_remedy("sudo systemctl restart weir")];
        }
        Err(error) => return vec![unreachable(&error, &settings.control)],
    };
    let brake = match client.ask(&Request::Brake(Braking::default())) {
        Ok(Reply::Brake(brake)) => Some(*brake),
        _ => None,
    };
    let mut findings = running::judge(&status, brake.as_ref(), settings, &changed(&status, config));
    let same_network = same_network(status.pid);
    if same_network {
        findings.push(host::pages(settings.http.as_ref()));
    }
    if let Some(address) = host::session() {
        findings.extend(own_address(&mut client, address));
    }
    let is_enforcing = status.enforce.is_enforcing && wants_bans(settings);
    let mut trial =
        canary::Trial { client: &mut client, settings, same_network, is_enforcing, identity };
    // What these keep from being done is told, and a try would leave traces.
    let is_braked = brake.is_some_and(|brake| brake.since.is_some());
    let tried = match (is_braked, status.ledger.trouble.is_some()) {
        (true, _) => vec![Finding::note("test lines", "not tried: the brake is on")],
        (_, true) => vec![Finding::note("test lines", "not tried: the ledger is not written")],
        _ => trial.all(),
    };
    findings.extend(tried);
    findings
}

fn wants_bans(settings: &Settings) -> bool {
    settings.observe != Observe::Everything
        && !settings.enforce.backends.contains(&Backend::Observe)
}

fn unreachable(error: &ClientError, socket: &Path) -> Finding {
    let finding = Finding::problem("daemon", error.to_string()).at(socket.display().to_string());
    finding.with_remedy(match error {
        ClientError::NotRunning { .. } => {
            "sudo systemctl enable --now weir; journalctl -u weir says why it does not start; weir \
             doctor --offline looks at the rest"
        }
        ClientError::Permission { .. } => "sudo weir doctor; or sudo usermod -aG weir $USER",
        ClientError::Failed(_) => "sudo weir doctor",
        _ => "sudo systemctl restart weir",
    })
}

fn own_address(client: &mut Client, address: IpAddr) -> Option<Finding> {
    match client.ask(&Request::Why { target: address.to_string() }) {
        Ok(Reply::Why(why)) => Some(host::own_address(address, &why)),
        Ok(_) => Some(host::own_address(address, &Why::default())),
        // Said already.
        Err(_) => None,
    }
}

/// Whether a process has the network of this one; assumed where that may not be asked.
fn same_network(pid: u32) -> bool {
    let of = |who: &str| std::fs::read_link(format!("/proc/{who}/ns/net"));
    match (of("self"), of(&pid.to_string())) {
        (Ok(ours), Ok(theirs)) => ours == theirs,
        _ => true,
    }
}

/// Files of the configuration that were written after the daemon read them.
fn changed(status: &Status, config: Option<&Path>) -> Vec<String> {
    let Some(config) = config else { return Vec::new() };
    let Some(read_at) = Time::from_rfc3339(&status.rules.loaded_at) else { return Vec::new() };
    let mut paths = vec![config.to_owned()];
    let more = std::fs::read_dir(config.with_file_name("conf.d")).into_iter().flatten().flatten();
    paths.extend(more.map(|entry| entry.path()));
    let is_newer = |path: &PathBuf| {
        let written = std::fs::metadata(path).and_then(|found| found.modified()).ok();
        let written = written.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
        written.is_some_and(|at| i64::try_from(at.as_nanos()).unwrap_or(0) > read_at.nanos)
    };
    paths.into_iter().filter(is_newer).map(|path| path.display().to_string()).collect()
}
