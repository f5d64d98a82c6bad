//! `weir list`: who is banned.

use ipnet::IpNet;

use super::{Exit, Global, Output, arguments, asking, complete, output};
use crate::control::{Listing, ListingOthers};
use crate::diagnostic::printable;

/// List the bans: who, why, for how long
///
/// Decisions that are carried out by bouncers alone, such as captchas and bans of countries, are no
/// bans of addresses here: `--others` lists them.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weir list                          all that are banned now
  weir list 203.0.113.9              is this address banned, itself or within a prefix?
  weir list --reason ssh             bans whose reason contains `ssh`
  weir list --others                 captchas, bans of countries: what only bouncers carry out
  weir list --output json | jq -r '.[].target'")]
pub struct List {
    /// Only bans that cover this address or lie within this prefix
    #[arg(value_name = "ADDRESS", value_parser = arguments::net)]
    pub target: Option<IpNet>,
    /// Only bans whose reason contains this
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Instead of bans, what only bouncers carry out
    #[arg(long)]
    pub others: bool,
    /// The form of the answer
    #[arg(long, value_name = "FORM", default_value = "human")]
    pub output: Output,
}

impl List {
    pub(super) fn run(self, global: &Global) -> anyhow::Result<Exit> {
        if self.others {
            return self.others(global);
        }
        let listing = Listing {
            target: self.target.map(|target| target.to_string()),
            reason: self.reason,
            ..Listing::default()
        };
        let (rows, others) =
            asking::client(global)?.list_beside(&listing).map_err(asking::failed)?;
        match self.output {
            Output::Json => complete(&format!("{:#}\n", serde_json::to_value(&rows)?))?,
            Output::Human if rows.is_empty() => complete("nobody is banned\n")?,
            Output::Human => complete(&asking::table(&rows))?,
        }
        if others > 0 && self.output == Output::Human {
            output::remark(&format!(
                "weir: {others} more {} carried out by bouncers alone: `weir list --others`\n",
                if others == 1 { "decision is" } else { "decisions are" }
            ));
        }
        Ok(Exit::Success)
    }

    fn others(self, global: &Global) -> anyhow::Result<Exit> {
        let asked = ListingOthers {
            target: self.target.map(|target| target.to_string()),
            reason: self.reason,
            after: 0,
        };
        let rows = asking::client(global)?.list_others(&asked).map_err(asking::failed)?;
        match self.output {
            Output::Json => complete(&format!("{:#}\n", serde_json::to_value(&rows)?))?,
            Output::Human if rows.is_empty() => complete("bouncers carry out nothing else\n")?,
            Output::Human => {
                let columns = ["ID", "TYPE", "SCOPE", "VALUE", "LEFT", "REASON", "SINCE"];
                // They are words of whoever asked for it.
                let cell = |text: &str| printable(text, 100).into_owned();
                let mut table = output::table(&columns);
                for row in rows {
                    table.add_row(vec![
                        row.id.to_string(),
                        cell(&row.kind),
                        cell(&row.scope),
                        cell(&row.value),
                        asking::span(row.remaining_seconds),
                        cell(&row.reason),
                        row.created_at,
                    ]);
                }
                complete(&format!("{table}\n"))?;
            }
        }
        Ok(Exit::Success)
    }
}
