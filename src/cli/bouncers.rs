//! `weir bouncers`: who may ask the daemon whom to keep out.

use clap::Subcommand;

use super::{Exit, Global, Output, asking, complete, output};
use crate::control::{AskedOfBouncers, BouncerRow, Reply, Request, ToldOfBouncers};
use crate::diagnostic::printable;
use crate::system::clock;
use crate::value::Time;

/// Let bouncers of CrowdSec ask whom to keep out
///
/// A bouncer (of nginx, Traefik, HAProxy, another host's firewall, ..) asks for decisions over the
/// API that `lapi:` of the configuration switches on, and shows a key. Whatever speaks to CrowdSec's
/// local API works unchanged.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weir bouncers add edge-1          shows the key, this once
  weir bouncers list                who asks, and when last
  weir bouncers delete edge-1")]
pub struct Bouncers {
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
    /// Make a bouncer known, and show its key
    Add {
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
        /// The key that it has already, such as the one it used with CrowdSec
        #[arg(long, value_name = "KEY")]
        key: Option<String>,
    },
    /// Show all
    List,
    /// Take a bouncer's key away
    Delete {
        /// Its name; `NAME@ADDRESS` is one of several hosts with the same key
        #[arg(value_name = "NAME")]
        name: String,
    },
}

/// Names are cut to so many characters.
const NAME: usize = 60;

impl Bouncers {
    pub(super) fn run(self, global: &Global) -> anyhow::Result<Exit> {
        let asked = match self.what {
            What::Add { name, key } => AskedOfBouncers::Add { name, key },
            What::List => AskedOfBouncers::List,
            What::Delete { name } => AskedOfBouncers::Delete { name },
        };
        let told = match asking::ask(global, &Request::Bouncers(asked.clone()))? {
            Reply::Bouncers(told) => *told,
            other => return Err(asking::strange(&other)),
        };
        if self.output == Output::Json {
            complete(&format!("{:#}\n", serde_json::to_value(&told)?))?;
            return Ok(Exit::Success);
        }
        complete(&page(&asked, &told, clock::now()))?;
        if told.listen.is_none() && asked != AskedOfBouncers::List {
            output::remark(
                "the API is off: `lapi: on` in the configuration, and a restart, switch it on\n",
            );
        }
        Ok(Exit::Success)
    }
}

fn page(asked: &AskedOfBouncers, told: &ToldOfBouncers, now: Time) -> String {
    match asked {
        AskedOfBouncers::Add { name, .. } => {
            let at = told.listen.as_deref().unwrap_or("127.0.0.1:8080");
            match &told.key {
                Some(key) => format!(
                    "{name} may ask, with this key, which is not shown again:\n\n    {key}\n\n\
                     In its configuration: api_url `http://{at}/`, api_key as above.\n"
                ),
                None => format!("{name} may ask at `{at}`, with that key\n"),
            }
        }
        AskedOfBouncers::Delete { .. } => {
            told.deleted.iter().map(|name| format!("{name} may not ask any more\n")).collect()
        }
        AskedOfBouncers::List if told.bouncers.is_empty() => {
            "no bouncers; `weir bouncers add NAME` makes one known\n".to_owned()
        }
        AskedOfBouncers::List => {
            let mut table = output::table(&["NAME", "ADDRESS", "TYPE", "VERSION", "LAST PULL"]);
            for bouncer in &told.bouncers {
                table.add_row(row(bouncer, now));
            }
            format!("{table}\n")
        }
    }
}

fn row(bouncer: &BouncerRow, now: Time) -> Vec<String> {
    let last = bouncer.last_pull.as_deref().and_then(Time::from_rfc3339);
    let age = last.and_then(|at| u64::try_from(now.since(at)).ok());
    let age = age.map_or_else(
        || "never".to_owned(),
        |nanos| format!("{} ago", asking::span(nanos / 1_000_000_000)),
    );
    vec![
        bouncer.name.clone(),
        bouncer.address.clone().unwrap_or_default(),
        printable(&bouncer.kind, NAME).into_owned(),
        printable(&bouncer.version, NAME).into_owned(),
        age,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_shown_when_it_is_made() {
        let asked = AskedOfBouncers::Add { name: "edge".to_owned(), key: None };
        let told = ToldOfBouncers {
            listen: Some("127.0.0.1:8080".to_owned()),
            key: Some("abc".to_owned()),
            ..ToldOfBouncers::default()
        };
        let page = page(&asked, &told, Time::from_seconds(0));
        assert!(page.contains("    abc\n") && page.contains("http://127.0.0.1:8080/"), "{page}");
    }

    #[test]
    fn those_who_ask_are_listed() {
        let bouncer = BouncerRow {
            name: "edge".to_owned(),
            address: Some("192.0.2.1".to_owned()),
            kind: "fw\u{1b}[31m".to_owned(),
            version: "1".to_owned(),
            created_at: "1970-01-01T00:00:00Z".to_owned(),
            last_pull: Some("1970-01-01T00:00:50Z".to_owned()),
        };
        let told = ToldOfBouncers { bouncers: vec![bouncer], ..ToldOfBouncers::default() };
        let page = page(&AskedOfBouncers::List, &told, Time::from_seconds(60));
        assert!(page.contains("192.0.2.1") && page.contains("10s ago"), "{page}");
        assert!(!page.contains('\u{1b}'), "{page}");
    }
}
