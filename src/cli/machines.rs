//! `weir machines`: who may push alerts to the daemon.

use std::io::{BufRead as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Subcommand;

use super::{Exit, Failed, Global, Output, asking, complete, output};
use crate::control::{AskedOfMachines, MachineRow, Reply, Request, ToldOfMachines};
use crate::diagnostic::printable;
use crate::lapi::{Key, PasswordHash};
use crate::system::clock;
use crate::value::Time;

/// Let log processors of CrowdSec, and cscli, push alerts
///
/// A machine logs in with a name and a password over the API that `lapi:` of the configuration
/// switches on. What it pushes passes the allowlist, the profiles and the brake like what this host
/// finds itself. A machine that registers itself (`cscli lapi register`) can do nothing until it is
/// validated.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weir machines add web-1           shows the password, this once
  weir machines add web-1 --file /etc/crowdsec/local_api_credentials.yaml
  weir machines list                who pushes, and when last
  weir machines validate web-2      lets one in that registered itself
  weir machines delete web-1")]
pub struct Machines {
    /// What is to be done
    #[command(subcommand)]
    pub what: What,
    /// The form of the answer
    #[arg(long, value_name = "FORM", default_value = "human", global = true)]
    pub output: Output,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
pub enum What {
    /// Make a machine known, and show how it logs in
    Add {
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
        /// The password that it has already; `-` reads it from standard input. A new one if none is
        /// given
        #[arg(long, value_name = "PASSWORD")]
        password: Option<String>,
        /// Write what the machine needs into this new file, which only its owner can read, and show
        /// no password
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Show all
    List,
    /// Let a machine in that registered itself
    Validate {
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Take a machine's access away, at once
    Delete {
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
    },
}

/// Names are cut to so many characters.
const NAME: usize = 60;
/// Characters of a password that somebody brings; fewer are guessed.
const SHORTEST_PASSWORD: usize = 8;
const LONGEST_PASSWORD: usize = 256;

/// What a machine logs in with.
struct Access {
    password: String,
    /// Whether it was made here.
    is_new: bool,
    file: Option<PathBuf>,
}

impl Machines {
    pub(super) fn run(self, global: &Global) -> anyhow::Result<Exit> {
        let mut access = None;
        let asked = match self.what {
            What::Add { name, password, file } => {
                let given = Access::of(password, file)?;
                let password_hash = PasswordHash::of(&given.password)?.text().to_owned();
                access = Some(given);
                AskedOfMachines::Add { name, password_hash }
            }
            What::List => AskedOfMachines::List,
            What::Validate { name } => AskedOfMachines::Validate { name },
            What::Delete { name } => AskedOfMachines::Delete { name },
        };
        let told = match asking::ask(global, &Request::Machines(asked.clone()))? {
            Reply::Machines(told) => *told,
            other => return Err(asking::strange(&other)),
        };
        if let Some((access, path)) = access.as_ref().and_then(|a| Some((a, a.file.as_ref()?))) {
            let name = told.machines.first().map_or("", |machine| &*machine.name);
            write(path, &credentials(name, &access.password, &told)).with_context(|| {
                format!(
                    "the machine is known now, but its password could not be written down; \
                         `weir machines delete {name}` takes it back"
                )
            })?;
        }
        if self.output == Output::Json {
            let mut shown = serde_json::to_value(&told)?;
            if let Some(access) = access.filter(|access| access.is_new && access.file.is_none()) {
                shown["password"] = access.password.into();
            }
            complete(&format!("{shown:#}\n"))?;
            return Ok(Exit::Success);
        }
        complete(&page(&asked, &told, access.as_ref(), clock::now()))?;
        if told.listen.is_none() && asked != AskedOfMachines::List {
            output::remark(
                "the API is off: `lapi: on` in the configuration, and a restart, switch it on\n",
            );
        }
        Ok(Exit::Success)
    }
}

impl Access {
    fn of(password: Option<String>, file: Option<PathBuf>) -> anyhow::Result<Self> {
        if let Some(path) = file.as_ref().filter(|path| path.exists()) {
            let message = format!(
                "`{}` exists already: move it away first, or name another file",
                path.display()
            );
            return Err(Failed::new(Exit::Usage, message).into());
        }
        let password = match password.as_deref() {
            None => {
                let password = Key::new()?.text().to_owned();
                return Ok(Self { password, is_new: true, file });
            }
            Some("-") => {
                let mut line = String::new();
                std::io::stdin().lock().read_line(&mut line).context("standard input")?;
                line.trim_end_matches(['\r', '\n']).to_owned()
            }
            Some(password) => password.to_owned(),
        };
        if !(SHORTEST_PASSWORD..=LONGEST_PASSWORD).contains(&password.len()) {
            let message = format!(
                "expected {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} bytes as password, found {}",
                password.len()
            );
            return Err(Failed::new(Exit::Usage, message).into());
        }
        Ok(Self { password, is_new: false, file })
    }
}

/// What goes into a machine's `local_api_credentials.yaml`. Quoted as JSON, which YAML understands.
fn credentials(name: &str, password: &str, told: &ToldOfMachines) -> String {
    let scheme = if told.tls { "https" } else { "http" };
    let at = told.listen.as_deref().unwrap_or("127.0.0.1:8080");
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let (name, password) = (quoted(name), quoted(password));
    format!("url: {scheme}://{at}\nlogin: {name}\npassword: {password}\n")
}

/// Makes a file that only its owner can read.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot make `{}`", path.display()))?;
    file.write_all(text.as_bytes()).with_context(|| format!("cannot write `{}`", path.display()))
}

fn page(
    asked: &AskedOfMachines,
    told: &ToldOfMachines,
    access: Option<&Access>,
    now: Time,
) -> String {
    match asked {
        AskedOfMachines::Add { name, .. } => match access {
            Some(Access { file: Some(path), .. }) => {
                format!("{name} may push; what it needs for that is in {}\n", path.display())
            }
            Some(Access { is_new: true, password, .. }) => {
                let lines = credentials(name, password, told);
                let lines: String = lines.lines().map(|line| format!("    {line}\n")).collect();
                format!(
                    "{name} may push. What belongs into its local_api_credentials.yaml is not shown \
                     again:\n\n{lines}"
                )
            }
            _ => format!("{name} may push, with that password\n"),
        },
        AskedOfMachines::Validate { name } => format!("{name} may push\n"),
        AskedOfMachines::Delete { name } => format!("{name} may not push any more\n"),
        AskedOfMachines::List if told.machines.is_empty() => {
            "no machines; `weir machines add NAME` makes one known\n".to_owned()
        }
        AskedOfMachines::List => {
            let heads = ["NAME", "ADDRESS", "VERSION", "MAY PUSH", "LAST SEEN", "LAST PUSH"];
            let mut table = output::table(&heads);
            for machine in &told.machines {
                table.add_row(row(machine, now));
            }
            format!("{table}\n")
        }
    }
}

fn row(machine: &MachineRow, now: Time) -> Vec<String> {
    let age = |at: &Option<String>| {
        let at = at.as_deref().and_then(Time::from_rfc3339);
        let age = at.and_then(|at| u64::try_from(now.since(at)).ok());
        age.map_or_else(
            || "never".to_owned(),
            |nanos| format!("{} ago", asking::span(nanos / 1_000_000_000)),
        )
    };
    vec![
        machine.name.clone(),
        machine.address.clone().unwrap_or_default(),
        printable(&machine.version, NAME).into_owned(),
        if machine.validated { "yes" } else { "not yet" }.to_owned(),
        age(&machine.last_seen),
        age(&machine.last_push),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told() -> ToldOfMachines {
        let machine = MachineRow {
            name: "web-1".to_owned(),
            address: Some("192.0.2.1".to_owned()),
            version: "crowdsec/v1\u{1b}[31m".to_owned(),
            validated: false,
            created_at: "1970-01-01T00:00:00Z".to_owned(),
            last_seen: Some("1970-01-01T00:00:50Z".to_owned()),
            last_push: None,
        };
        let listen = Some("192.0.2.9:8080".to_owned());
        ToldOfMachines { listen, tls: true, machines: vec![machine], deleted: None }
    }

    #[track_caller]
    fn added(password: Option<&str>, file: Option<&Path>, shown: &[&str], hidden: &[&str]) {
        let access = Access::of(password.map(str::to_owned), file.map(Path::to_owned)).unwrap();
        let asked = AskedOfMachines::Add { name: "web-1".to_owned(), password_hash: String::new() };
        let page = page(&asked, &told(), Some(&access), Time::from_seconds(0));
        for text in shown {
            assert!(page.contains(text), "{page}");
        }
        for text in hidden {
            assert!(!page.contains(text), "{page}");
        }
        let is_shown = access.is_new && file.is_none();
        assert_eq!(page.contains(&access.password), is_shown, "{page}");
    }

    #[test]
    fn what_a_machine_needs_is_shown_when_it_is_made() {
        added(None, None, &["    url: https://192.0.2.9:8080\n", "    login: \"web-1\"\n"], &[]);
        added(Some("secret text"), None, &["with that password"], &["url"]);
        added(None, Some(Path::new("/nowhere/x")), &["is in /nowhere/x"], &["url"]);
    }

    #[test]
    fn passwords_are_long_and_files_new() {
        let wrong = |password: &str| Access::of(Some(password.to_owned()), None).err().unwrap();
        assert!(wrong("short").to_string().contains("8 to 256"));
        assert!(wrong(&"x".repeat(257)).to_string().contains("found 257"));
        let file = tempfile::NamedTempFile::new().unwrap();
        let exists = Access::of(None, Some(file.path().to_owned())).err().unwrap();
        assert!(exists.to_string().contains("exists already"));
    }

    #[test]
    fn credentials_are_for_their_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials.yaml");
        write(&path, &credentials("web-1", "a \"b\" \\", &told())).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.ends_with("password: \"a \\\"b\\\" \\\\\"\n"), "{text}");
        assert!(write(&path, "").is_err(), "nothing is overwritten");
    }

    #[test]
    fn those_who_push_are_listed() {
        let page = page(&AskedOfMachines::List, &told(), None, Time::from_seconds(60));
        assert!(page.contains("10s ago") && page.contains("not yet"), "{page}");
        assert!(page.contains("never") && !page.contains('\u{1b}'), "{page}");
    }
}
