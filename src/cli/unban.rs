//! `weir unban`: an end to bans before their time.

use ipnet::IpNet;

use super::{Exit, Global, arguments, asking, complete, output};
use crate::control::{Reply, Request};

/// Take bans back
///
/// Ends the ban of exactly this address or prefix, whoever made it; the command ends when the
/// kernel has let go. Exits with 1 when there is none. What the offender did so far is forgotten.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weir unban 203.0.113.9
  weir unban 2001:db8:7::/64
  weir unban --all")]
pub struct Unban {
    /// Whom
    #[arg(value_name = "ADDRESS", value_parser = arguments::net, required_unless_present = "all")]
    pub target: Option<IpNet>,
    /// All who are banned
    #[arg(long, conflicts_with = "target")]
    pub all: bool,
}

impl Unban {
    pub(super) fn run(self, global: &Global) -> anyhow::Result<Exit> {
        let targets = self.target.iter().map(ToString::to_string).collect();
        match asking::ask(global, &Request::Unban { targets, all: self.all })? {
            Reply::Unbanned { decisions, count, missing, still } => {
                let mut text = String::new();
                for row in &decisions {
                    text.push_str(&format!("{} is not banned any more\n", row.target));
                }
                if self.all {
                    text.push_str(&format!("{count} bans ended\n"));
                }
                complete(&text)?;
                for target in &missing {
                    output::remark(&format!("weir: `{target}` was not banned\n"));
                }
                for still in &still {
                    output::remark(&format!(
                        "weir: `{}` is still banned: it lies in, or holds, `{}` ({})\n",
                        still.target, still.decision.target, still.decision.reason
                    ));
                }
                Ok(if missing.is_empty() { Exit::Success } else { Exit::Failure })
            }
            other => Err(asking::strange(&other)),
        }
    }
}
