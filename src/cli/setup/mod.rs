//! `weir setup`: from a host as it is to lines that reach Weir.
//!
//! What must hold: nothing is written that was not shown and agreed to; what somebody changed by hand
//! is never overwritten without being asked about; a file is there whole or not at all, and what was
//! there before is kept beside it. No program is run.

mod diff;
mod files;
mod host;
mod propose;

use std::io::{BufRead as _, IsTerminal as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::json;

use super::{Exit, Failed, Output, complete, output};
use crate::diagnostic::{Diagnostic, UserFile};
use crate::settings;
use files::There;
use host::Host;
use propose::{CONFIGURATION, Proposal};

/// Propose the configuration for this host, show it as a difference, and write it when told
///
/// Looks at what is here (rsyslog, syslog-ng, systemd's journal, services with log files, the ports of
/// sshd, from where you are logged in) and proposes /etc/weir/weir.yaml and what lets the syslog daemon
/// send to Weir. On a terminal each file is asked about; without one nothing is written but with --yes.
/// What you changed by hand is shown and never overwritten without a question or --overwrite. What was
/// there is kept beside it (.bak). To run it again changes nothing that is right.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weir setup                  as root: show, ask, write
  weir setup --dry-run        only show
  weir setup --yes            write what is new, and keep what was changed by hand
  weir setup --root /mnt      of another system

Exits with 0, also when there is nothing to do.")]
pub struct Setup {
    /// Write without asking; files that were changed by hand stay as they are
    #[arg(long, conflicts_with = "dry_run")]
    pub yes: bool,
    /// With --yes, write also in the place of files that were changed by hand
    #[arg(long, requires = "yes")]
    pub overwrite: bool,
    /// Only show
    #[arg(long)]
    pub dry_run: bool,
    /// Look at and write to the system below this folder
    #[arg(long, value_name = "DIR", default_value = "/")]
    pub root: PathBuf,
    /// The form of the answer
    #[arg(long, value_name = "FORM", default_value = "human")]
    pub output: Output,
}

/// What is to become of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Change {
    path: PathBuf,
    text: String,
    there: There,
}

impl Change {
    /// What is there now.
    fn before(&self) -> &str {
        match &self.there {
            There::Ours(text) | There::Theirs(text) => text,
            There::Nothing | There::Other(_) => "",
        }
    }

    fn is_needed(&self) -> bool {
        self.before() != self.text
    }
}

impl Setup {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let (host, proposal, changes) = plan(&self.root, session())?;
        let mut results = Vec::new();
        if self.output == Output::Human {
            complete(&format!("found: {}\n", host.words()))?;
        }
        for change in &changes {
            let done = self.settle(change)?;
            if self.output == Output::Human {
                complete(&format!("{}: {done}\n", change.path.display()))?;
            }
            results.push(json!({
                "path": change.path.display().to_string(),
                "result": done,
                "diff": diff::unified(&change.path.display().to_string(), change.before(), &change.text),
            }));
        }
        match self.output {
            Output::Human => {
                let mut text = String::new();
                for remark in &proposal.remarks {
                    text.push_str(&format!("note: {remark}\n"));
                }
                text.push_str("next:\n");
                for step in &proposal.next {
                    text.push_str(&format!("  {step}\n"));
                }
                complete(&text)?;
            }
            Output::Json => {
                let answer = json!({
                    "found": host.words(),
                    "files": results,
                    "remarks": proposal.remarks,
                    "next": proposal.next,
                });
                complete(&format!("{answer:#}\n"))?;
            }
        }
        Ok(Exit::Success)
    }

    /// Shows what is to become of a file, asks, and writes it; what came of it.
    fn settle(&self, change: &Change) -> anyhow::Result<String> {
        if let There::Other(why) = &change.there {
            return Ok(format!("left alone: {why}"));
        }
        if !change.is_needed() {
            return Ok("up to date".to_owned());
        }
        let is_theirs = matches!(change.there, There::Theirs(_));
        let shown = change.path.display().to_string();
        if self.output == Output::Human {
            complete(&diff::unified(&shown, change.before(), &change.text))?;
        }
        let is_agreed = if self.dry_run {
            return Ok("not written: --dry-run".to_owned());
        } else if self.yes {
            if is_theirs && !self.overwrite {
                return Ok(
                    "kept: it was written or changed by hand (--overwrite replaces it)".to_owned()
                );
            }
            true
        } else if std::io::stdin().is_terminal() && self.output == Output::Human {
            let what = if is_theirs { "replace what was written by hand in" } else { "write" };
            output::remark(&format!("{what} {shown}? [y/N] "));
            let mut answer = String::new();
            std::io::stdin().lock().read_line(&mut answer).context("cannot read the answer")?;
            matches!(answer.trim(), "y" | "Y" | "yes")
        } else {
            return Ok("not written: nobody can be asked; --yes writes it".to_owned());
        };
        if !is_agreed {
            return Ok("not written".to_owned());
        }
        match files::write(&change.path, &change.text) {
            Ok(None) => Ok("written".to_owned()),
            Ok(Some(kept)) => Ok(format!("written; what was there is in {}", kept.display())),
            Err(error) => {
                let exit = match error.kind() {
                    std::io::ErrorKind::PermissionDenied => Exit::Permission,
                    _ => Exit::Failure,
                };
                let message = format!("cannot write `{shown}`: {error}; nothing of it has changed");
                Err(Failed::new(exit, message).into())
            }
        }
    }
}

/// What is there, what is proposed, and what that changes.
fn plan(root: &Path, session: Option<IpAddr>) -> anyhow::Result<(Host, Proposal, Vec<Change>)> {
    let host = Host::look(root, session);
    let path = root.join(CONFIGURATION);
    let there = files::look(&path);
    let (before, own) = match &there {
        There::Ours(text) => (text.as_str(), None),
        There::Nothing => ("", None),
        // What somebody wrote says where Weir listens, and a proposal is shown beside it.
        There::Theirs(_) | There::Other(_) => ("", Some(settings::load(Some(&path)).0.sources)),
    };
    let mut proposal = propose::propose(&host, before, own.as_deref());
    if own.is_some() {
        proposal.remarks.push(format!(
            "{} was written or changed by hand and stays as it is; `weir check` looks at it",
            path.display()
        ));
    }
    let mut changes = Vec::new();
    for file in &proposal.files {
        if file.path == CONFIGURATION {
            let read = UserFile::new(Path::new(file.path), file.text.clone());
            let (_, found) = settings::from_files(&[read]);
            anyhow::ensure!(
                !found.iter().any(Diagnostic::is_error),
                "what would be proposed is wrong: {found:?}"
            );
        }
        let path = root.join(file.path);
        let there = files::look(&path);
        changes.push(Change { path, text: files::marked(&file.text), there });
    }
    Ok((host, proposal, changes))
}

/// From where whoever runs this is logged in.
fn session() -> Option<IpAddr> {
    let said = std::env::var_os("SSH_CONNECTION")?.into_string().ok()?;
    said.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup(root: &Path) -> Setup {
        Setup {
            yes: true,
            overwrite: false,
            dry_run: false,
            root: root.to_owned(),
            output: Output::Json,
        }
    }

    /// What comes of each file.
    fn run(root: &Path) -> Vec<String> {
        let (_, _, changes) = plan(root, "203.0.113.9".parse().ok()).unwrap();
        let setup = setup(root);
        changes.iter().map(|change| setup.settle(change).unwrap()).collect()
    }

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn a_debian_with_rsyslog_is_set_up_once() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "etc/rsyslog.conf", "$IncludeConfig /etc/rsyslog.d/*.conf\n");
        write(root.path(), "etc/ssh/sshd_config", "Port 2222\n");
        assert_eq!(run(root.path()), ["written", "written"]);
        let path = root.path().join(CONFIGURATION);
        let (settings, found) = settings::load(Some(&path));
        assert!(found.is_empty(), "{found:?}");
        assert_eq!(settings.guard.map(|guard| guard.ports), Some(vec![2222]));
        assert_eq!(settings.sources.len(), 3);
        assert_eq!(run(root.path()), ["up to date", "up to date"]);

        // A drop-in that was changed by hand stays; so does a configuration.
        let drop_in = root.path().join("etc/rsyslog.d/60-weir.conf");
        let changed = std::fs::read_to_string(&drop_in).unwrap() + "# mine\n";
        std::fs::write(&drop_in, &changed).unwrap();
        let results = run(root.path());
        assert!(results[0] == "up to date" && results[1].starts_with("kept"), "{results:?}");
        assert_eq!(std::fs::read_to_string(&drop_in).unwrap(), changed);
        std::fs::write(&path, "sources: [{tcp: '127.0.0.1:7000'}]\n").unwrap();
        let (_, proposal, changes) = plan(root.path(), None).unwrap();
        assert_eq!(changes.len(), 1, "the configuration is not touched");
        assert!(changes[0].text.contains("port=\"7000\"") && proposal.remarks.len() == 1);

        // With the word for it, what was there is kept beside.
        let setup = Setup { overwrite: true, ..setup(root.path()) };
        let told = setup.settle(&changes[0]).unwrap();
        assert!(told.contains("60-weir.conf.bak"), "{told}");
        let kept = std::fs::read_to_string(drop_in.with_extension("conf.bak")).unwrap();
        assert_eq!(kept, changed);
    }

    #[test]
    fn nothing_is_written_without_a_word() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "run/systemd/journal/socket", "");
        let (_, _, changes) = plan(root.path(), None).unwrap();
        let dry = Setup { yes: false, dry_run: true, ..setup(root.path()) };
        assert_eq!(dry.settle(&changes[0]).unwrap(), "not written: --dry-run");
        assert!(!root.path().join(CONFIGURATION).exists());
        std::os::unix::fs::symlink("/nowhere", root.path().join("etc")).unwrap();
        let (_, _, changes) = plan(root.path(), None).unwrap();
        assert!(setup(root.path()).settle(&changes[0]).is_err(), "it cannot be written");
    }
}
