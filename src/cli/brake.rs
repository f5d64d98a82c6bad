//! `weir brake`: whether scenarios may ban, and letting them again.

use clap::Subcommand;

use super::{Exit, Global, Output, asking, complete};
use crate::control::{Braked, Braking, Reply, Request};

/// Show whether scenarios are kept from banning, and let them go on
///
/// When far more are banned within a minute than any attack makes, or many who logged in lately, a
/// rule is probably wrong: from then on scenarios only observe, until an operator has looked.
/// Manual bans work all the time. What pulls the brake is set by `brake:` in the configuration.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weir brake                        is it on, and why?
  weir list                         what would have been done
  weir brake release                go on; what was only observed stays observed
  weir brake release --carry-out    go on, and ban those who were only observed

Exits with 1 when the brake is on.")]
pub struct Brake {
    /// What is to be done; shows it when absent
    #[command(subcommand)]
    pub what: Option<What>,
    /// The form of the answer
    #[arg(long, value_name = "FORM", default_value = "human", global = true)]
    pub output: Output,
}

/// What is to be done about it.
#[derive(Debug, Subcommand)]
pub enum What {
    /// Let scenarios ban again
    Release {
        /// Ban those who were only observed because of the brake
        #[arg(long)]
        carry_out: bool,
    },
}

impl Brake {
    pub(super) fn run(self, global: &Global) -> anyhow::Result<Exit> {
        let asked = match self.what {
            None => Braking::default(),
            Some(What::Release { carry_out }) => Braking { release: true, carry_out },
        };
        match asking::ask(global, &Request::Brake(asked))? {
            Reply::Brake(braked) => {
                match self.output {
                    Output::Json => complete(&format!("{:#}\n", serde_json::to_value(&*braked)?))?,
                    Output::Human => complete(&page(&braked))?,
                }
                let is_on = braked.since.is_some() && !braked.released;
                Ok(if is_on { Exit::Failure } else { Exit::Success })
            }
            other => Err(asking::strange(&other)),
        }
    }
}

fn page(braked: &Braked) -> String {
    let Some(since) = &braked.since else {
        return "the brake is not on: scenarios ban\n".to_owned();
    };
    if !braked.released {
        return format!(
            "the brake is ON since {since}: {}\n{} decisions were only observed (`weir list`)\n\
             go on with `weir brake release`, or with `weir brake release --carry-out`\n",
            braked.why, braked.observed
        );
    }
    let mut text = format!("the brake is released; it was on since {since}: {}\n", braked.why);
    let observed = braked.observed.saturating_sub(braked.count);
    text.push_str(&format!("{} are banned now, {observed} stay observed\n", braked.count));
    if !braked.banned.is_empty() {
        text.push_str(&asking::table(&braked.banned));
    }
    text
}
