//! `weir allow`: who is never banned, as long as the daemon is told so.

use std::time::Duration;

use ipnet::IpNet;

use super::{Exit, Global, Output, arguments, asking, complete, output};
use crate::control::{Friend, Reply, Request};
use crate::decision::{parse_host, parse_net};

/// Let somebody never be banned
///
/// Enters addresses, prefixes or host names into the allowlist of the running daemon; they stay
/// over restarts. Their bans end at once. Names are looked up again when their answers have lived
/// long enough; while nobody answers the last good answer holds. What is to hold on every host
/// belongs into `allowlist:` of the configuration.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
Examples:
  weir allow 203.0.113.9 --for 1h --comment 'my hotel'
  weir allow home.example.org
  weir allow test 203.0.113.9      is it on the list, and by which entry?
  weir allow list
  weir allow remove 203.0.113.9"
)]
pub struct Allow {
    /// What else to do about the list
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Whom: addresses, prefixes, host names
    #[arg(value_name = "WHO", required = true, value_parser = friend)]
    pub targets: Vec<String>,
    /// For how long, such as `90m`, `24h` or `7d` [default: until it is removed]
    #[arg(long = "for", value_name = "DURATION", value_parser = arguments::duration)]
    pub duration: Option<Duration>,
    /// Why, for those who look at the list later
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true, value_parser = arguments::reason)]
    pub comment: String,
}

/// What else to do about the list.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Say which entry, if any, keeps an address or prefix from being banned
    ///
    /// Exits with 1 when there is none.
    Test {
        /// An address or a prefix
        #[arg(value_name = "ADDRESS", value_parser = arguments::net)]
        target: IpNet,
        /// The form of the answer
        #[arg(long, value_name = "FORM", default_value = "human")]
        output: Output,
    },
    /// Show the whole allowlist: built-in, of the configuration, the host's own, by hand
    List {
        /// The form of the answer
        #[arg(long, value_name = "FORM", default_value = "human")]
        output: Output,
    },
    /// Take back what was entered by hand
    Remove {
        /// Whom: addresses, prefixes, host names
        #[arg(value_name = "WHO", required = true, value_parser = friend)]
        targets: Vec<String>,
    },
}

/// An address, a prefix or a host name.
fn friend(text: &str) -> Result<String, String> {
    match (parse_net(text), parse_host(text)) {
        (Ok(_), _) | (_, Ok(_)) => Ok(text.to_owned()),
        (Err(_), Err(error)) => Err(error.to_string()),
    }
}

impl Allow {
    pub(super) fn run(self, global: &Global) -> anyhow::Result<Exit> {
        match self.command {
            None => {
                let for_seconds = self.duration.map(|duration| duration.as_secs().max(1));
                let asked =
                    Request::Allow { targets: self.targets, for_seconds, comment: self.comment };
                let span = for_seconds.map(|seconds| format!(" for {}", asking::span(seconds)));
                change(global, &asked, &format!("is not banned{}", span.unwrap_or_default()))
            }
            Some(Command::Remove { targets }) => {
                change(global, &Request::Disallow { targets }, "is off the allowlist")
            }
            Some(Command::Test { target, output }) => test(global, target, output),
            Some(Command::List { output }) => list(global, output),
        }
    }
}

fn change(global: &Global, request: &Request, what: &str) -> anyhow::Result<Exit> {
    let reply = asking::ask(global, request)?;
    let Reply::Allowed { targets, missing, unbanned, unsaved } = reply else {
        return Err(asking::strange(&reply));
    };
    let mut text = String::new();
    for target in &targets {
        let is_name = parse_net(target).is_err();
        let looked_up = if is_name { ": its addresses are looked up" } else { "" };
        text.push_str(&format!("{target} {what}{looked_up}\n"));
    }
    for row in &unbanned {
        text.push_str(&format!("{} was banned ({}) and is not any more\n", row.target, row.reason));
    }
    complete(&text)?;
    for missing in &missing {
        let why = match &missing.entry {
            Some(entry) => format!("`{}` comes from elsewhere: {}", missing.target, show(entry)),
            None => format!("`{}` was not entered by hand", missing.target),
        };
        output::remark(&format!("weir: {why}\n"));
    }
    if let Some(why) = &unsaved {
        output::remark(&format!(
            "weir: this holds until the daemon ends, it could not be written down: {why}\n"
        ));
    }
    let is_done = missing.is_empty() && unsaved.is_none();
    Ok(if is_done { Exit::Success } else { Exit::Failure })
}

fn ask(global: &Global, target: Option<IpNet>) -> anyhow::Result<(Vec<Friend>, Vec<String>)> {
    let target = target.map(|target| target.to_string());
    match asking::ask(global, &Request::Friends { target })? {
        Reply::Friends { friends, names } => Ok((friends, names)),
        other => Err(asking::strange(&other)),
    }
}

fn test(global: &Global, target: IpNet, output: Output) -> anyhow::Result<Exit> {
    let (friends, _) = ask(global, Some(target))?;
    match output {
        Output::Json => complete(&format!("{:#}\n", serde_json::to_value(&friends)?))?,
        Output::Human => {
            let mut lines = friends.iter().map(|entry| format!("  {}\n", show(entry)));
            let shown = if target.prefix_len() == target.max_prefix_len() {
                target.addr().to_string()
            } else {
                target.to_string()
            };
            complete(&match lines.next() {
                None => format!("{shown} is on no list: it can be banned\n"),
                Some(first) => {
                    format!(
                        "{shown} cannot be banned, because of\n{first}{}",
                        lines.collect::<String>()
                    )
                }
            })?;
        }
    }
    Ok(if friends.is_empty() { Exit::Failure } else { Exit::Success })
}

fn list(global: &Global, form: Output) -> anyhow::Result<Exit> {
    let (friends, names) = ask(global, None)?;
    match form {
        Output::Json => {
            let all = serde_json::json!({ "friends": friends, "names": names });
            complete(&format!("{all:#}\n"))?;
        }
        Output::Human => {
            let mut table = output::table(&["FRIEND", "FROM", "UNTIL", "COMMENT"]);
            for friend in friends {
                let until = friend.until.unwrap_or_default();
                table.add_row(vec![friend.net, friend.origin, until, friend.comment]);
            }
            for name in names {
                table.add_row(vec![name, "operator".to_owned(), String::new(), String::new()]);
            }
            complete(&format!("{table}\n"))?;
        }
    }
    Ok(Exit::Success)
}

/// `203.0.113.0/24 (settings: office), until ...`
fn show(entry: &Friend) -> String {
    let comment = match entry.comment.as_str() {
        "" => String::new(),
        comment => format!(": {comment}"),
    };
    let until = entry.until.as_ref().map(|until| format!(", until {until}")).unwrap_or_default();
    format!("{} ({}{comment}){until}", entry.net, entry.origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_on_a_line() {
        let entry = Friend {
            net: "203.0.113.0/24".to_owned(),
            origin: "operator".to_owned(),
            comment: "my hotel".to_owned(),
            until: Some("2026-11-24T10:00:00Z".to_owned()),
        };
        assert_eq!(show(&entry), "203.0.113.0/24 (operator: my hotel), until 2026-11-24T10:00:00Z");
        let entry = Friend { comment: String::new(), until: None, ..entry };
        assert_eq!(show(&entry), "203.0.113.0/24 (operator)");
        assert!(friend("home.example.org").is_ok() && friend("2001:db8::/48").is_ok());
        assert!(friend("203.0.113.300").is_err());
    }
}
