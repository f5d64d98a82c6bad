//! `weir list`: who is banned.

use ipnet::IpNet;

use super::{Exit, Global, Output, arguments, asking, complete};
use crate::control::Listing;

/// List the bans: who, why, for how long
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weir list                          all that are banned now
  weir list 203.0.113.9              is this address banned, itself or within a prefix?
  weir list --reason ssh             bans whose reason contains `ssh`
  weir list --output json | jq -r '.[].target'")]
pub struct List {
    /// Only bans that cover this address or lie within this prefix
    #[arg(value_name = "ADDRESS", value_parser = arguments::net)]
    pub target: Option<IpNet>,
    /// Only bans whose reason contains this
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// The form of the answer
    #[arg(long, value_name = "FORM", default_value = "human")]
    pub output: Output,
}

impl List {
    pub(super) fn run(self, global: &Global) -> anyhow::Result<Exit> {
        let listing = Listing {
            target: self.target.map(|target| target.to_string()),
            reason: self.reason,
            ..Listing::default()
        };
        let rows = asking::client(global)?.list(&listing).map_err(asking::failed)?;
        match self.output {
            Output::Json => complete(&format!("{:#}\n", serde_json::to_value(&rows)?))?,
            Output::Human if rows.is_empty() => complete("nobody is banned\n")?,
            Output::Human => complete(&asking::table(&rows))?,
        }
        Ok(Exit::Success)
    }
}
