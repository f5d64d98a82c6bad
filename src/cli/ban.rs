//! `weir ban`: an operator's ban.

use std::time::Duration;

use ipnet::IpNet;

use super::{Exit, Global, arguments, asking, complete, output};
use crate::control::{Reply, Request};

/// Ban an address or a prefix
///
/// The running daemon records the ban and carries it out; the command ends when the kernel has it.
/// Friends (the allowlist) cannot be banned, nor a prefix that holds one. A ban of what is banned
/// already lasts until the later of the two ends.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weir ban 203.0.113.9                                     for as long as `ban:` says
  weir ban 2001:db8:7::/64 --for 7d --reason 'port scans'")]
pub struct Ban {
    /// Whom
    #[arg(value_name = "ADDRESS", value_parser = arguments::net)]
    pub target: IpNet,
    /// For how long, such as `90m`, `24h` or `7d` [default: `ban:` of the configuration]
    #[arg(long = "for", value_name = "DURATION", value_parser = arguments::duration)]
    pub duration: Option<Duration>,
    /// Why, for those who look at the list later
    #[arg(long, value_name = "TEXT", default_value = "banned by hand", value_parser = arguments::reason)]
    pub reason: String,
    /// Also if somebody logged in from there lately, or is connected; other friends stay friends
    #[arg(long)]
    pub force: bool,
}

impl Ban {
    pub(super) fn run(self, global: &Global) -> anyhow::Result<Exit> {
        let request = Request::Ban {
            targets: vec![self.target.to_string()],
            for_seconds: self.duration.map(|duration| duration.as_secs().max(1)),
            reason: self.reason,
            force: self.force,
        };
        match asking::ask(global, &request)? {
            Reply::Banned { decisions, refused } => {
                let mut text = String::new();
                for row in &decisions {
                    let left = asking::span(row.remaining_seconds);
                    text.push_str(&match row.action.as_str() {
                        "observe" => format!(
                            "{} is observed for {left}: observe mode, nothing is dropped\n",
                            row.target
                        ),
                        _ => format!("{} is banned for {left}\n", row.target),
                    });
                }
                complete(&text)?;
                for refused in &refused {
                    output::remark(&format!("weir: not banned: {}\n", refused.message));
                }
                Ok(if refused.is_empty() { Exit::Success } else { Exit::Failure })
            }
            other => Err(asking::strange(&other)),
        }
    }
}
