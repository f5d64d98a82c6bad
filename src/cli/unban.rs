//! `weir unban`: an end to bans before their time.

use std::io::{BufRead, IsTerminal};
use std::time::Duration;

use ipnet::IpNet;

use super::{Exit, Failed, Global, Output, arguments, asking, complete, output};
use crate::control::{Client, Freed, OtherRow, Reply, Request, Unbanning};
use crate::diagnostic::printable;

/// Take bans back
///
/// Frees addresses and prefixes, whoever banned them; the command ends when the kernel was told. What
/// only bouncers carry out for them, such as captchas, ends as well; what is about no address
/// (a country) ends by its number, which `weir list --others` shows.
/// What lies in a wider ban is cut out of it: its neighbours stay banned, as long as before and for
/// the same reason. Narrower bans inside a prefix stay unless `--inside` is given. Before more
/// changes than was named, the command shows it and asks; where nobody can be asked it takes `--yes`
/// to cut a prefix. Exits with 1 when somebody was not banned.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weir unban 203.0.113.9
  weir unban 203.0.113.9 2001:db8:7::/64 --dry-run
  weir unban 203.0.113.0/24 --inside
  weir unban --scenario ssh-bf --since 2h
  weir unban --id 17
  weir unban --all")]
pub struct Unban {
    /// Whom
    #[arg(value_name = "ADDRESS", value_parser = arguments::net,
          required_unless_present_any = ["all", "scenario", "since", "origin", "id"])]
    pub targets: Vec<IpNet>,
    /// End the bans inside the prefixes, too
    #[arg(long, requires = "targets")]
    pub inside: bool,
    /// The decision of this number; may be given more than once
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["targets", "scenario", "since", "origin", "all"])]
    pub id: Vec<u64>,
    /// All decisions, those of bouncers alone too
    #[arg(long, conflicts_with_all = ["targets", "scenario", "since", "origin"])]
    pub all: bool,
    /// All whom this scenario had banned
    #[arg(long, value_name = "NAME", conflicts_with = "targets")]
    pub scenario: Option<String>,
    /// All whose ban began in this time before now
    #[arg(long, value_name = "DURATION", value_parser = arguments::duration, conflicts_with = "targets")]
    pub since: Option<Duration>,
    /// All bans of this origin: scenario, manual or list
    #[arg(long, value_name = "ORIGIN", value_parser = arguments::origin, conflicts_with = "targets")]
    pub origin: Option<String>,
    /// Show what would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
    /// The form of the answer
    #[arg(long, value_name = "FORM", default_value = "human")]
    pub output: Output,
}

impl Unban {
    pub(super) fn run(self, global: &Global) -> anyhow::Result<Exit> {
        let mut client = asking::client(global)?;
        let asked = Unbanning {
            targets: self.targets.iter().map(ToString::to_string).collect(),
            ids: self.id.clone(),
            inside: self.inside,
            all: self.all,
            scenario: self.scenario.clone(),
            since_seconds: self.since.map(|since| since.as_secs().max(1)),
            origin: self.origin.clone(),
            dry_run: true,
        };
        let plan = ask(&mut client, &asked)?;
        if self.dry_run {
            return self.tell(&plan, &preview(&plan));
        }
        let are_named = !self.targets.is_empty() || !self.id.is_empty();
        let is_more_than_named = !plan.split.is_empty() || !are_named || self.inside;
        if is_more_than_named && !self.yes && plan.count + plan.split.len() + plan.others.len() > 0
        {
            if std::io::stdin().is_terminal() && std::io::stderr().is_terminal() {
                output::remark(&preview(&plan));
                if !agreed()? {
                    return Err(Failed::new(Exit::Failure, "nothing was changed").into());
                }
            } else if !plan.split.is_empty() {
                output::remark(&preview(&plan));
                let message = "nothing was changed: a wider ban would be cut, which takes `--yes`";
                return Err(Failed::new(Exit::Failure, message).into());
            }
        }
        let asked = Unbanning { dry_run: false, ..asked };
        let mut done = ask(&mut client, &asked)?;
        while done.remaining > 0 {
            let next = ask(&mut client, &asked)?;
            done.count += next.count;
            done.decisions.extend(next.decisions);
            done.others.extend(next.others);
            done.remaining = next.remaining;
        }
        self.tell(&done, &told(&done, !are_named))
    }

    fn tell(&self, freed: &Freed, text: &str) -> anyhow::Result<Exit> {
        match self.output {
            Output::Json => complete(&format!("{:#}\n", serde_json::to_value(freed)?))?,
            Output::Human => complete(text)?,
        }
        for missing in &freed.missing {
            output::remark(&match self.id.is_empty() {
                true => format!("weir: `{missing}` is not banned\n"),
                false => format!("weir: no decision in force has the number {missing}\n"),
            });
        }
        for still in &freed.still {
            output::remark(&format!(
                "weir: `{}` in `{}` stays banned ({}): `--inside` ends it, too\n",
                still.decision.target, still.target, still.decision.reason
            ));
        }
        Ok(if freed.missing.is_empty() { Exit::Success } else { Exit::Failure })
    }
}

fn ask(client: &mut Client, asked: &Unbanning) -> anyhow::Result<Freed> {
    match client.ask(&Request::Unban(asked.clone())).map_err(asking::failed)? {
        Reply::Unbanned(freed) => Ok(*freed),
        other => Err(asking::strange(&other)),
    }
}

/// Bans that are shown one by one.
const SHOWN: usize = 20;

/// What would change.
fn preview(plan: &Freed) -> String {
    let mut text = String::new();
    for row in plan.decisions.iter().take(SHOWN) {
        let left = asking::span(row.remaining_seconds);
        text.push_str(&format!("ends   {} ({}, {left} left)\n", row.target, row.reason));
    }
    for other in plan.others.iter().take(SHOWN) {
        let left = asking::span(other.remaining_seconds);
        text.push_str(&format!("ends   {} ({}, {left} left)\n", in_words(other), other.reason));
    }
    let more_others = plan.others.len().saturating_sub(SHOWN);
    let more =
        (plan.count + plan.remaining + more_others).saturating_sub(plan.decisions.len().min(SHOWN));
    if more > 0 {
        text.push_str(&format!("ends   {more} more\n"));
    }
    for cut in &plan.split {
        let left = asking::span(cut.decision.remaining_seconds);
        text.push_str(&format!(
            "cuts   {} ({}, {left} left); what stays banned of it: {}\n",
            cut.decision.target,
            cut.decision.reason,
            in_part(&cut.left)
        ));
    }
    if text.is_empty() {
        text.push_str("nothing would change\n");
    }
    text
}

/// What changed.
fn told(done: &Freed, are_many: bool) -> String {
    let mut text = String::new();
    let named = if are_many { SHOWN } else { usize::MAX };
    for row in done.decisions.iter().take(named) {
        text.push_str(&format!("{} is not banned any more\n", row.target));
    }
    for cut in &done.split {
        text.push_str(&format!(
            "{} is not banned any more as a whole; what stays banned of it: {}\n",
            cut.decision.target,
            in_part(&cut.left)
        ));
    }
    let named_others = if are_many { SHOWN } else { usize::MAX };
    for other in done.others.iter().take(named_others) {
        text.push_str(&format!("{} is over\n", in_words(other)));
    }
    if are_many {
        text.push_str(&format!("{} bans ended\n", done.count));
    }
    if are_many && !done.others.is_empty() {
        let count = done.others.len();
        text.push_str(&format!("{count} decisions of bouncers alone ended\n"));
    }
    let listed = done.decisions.iter().chain(done.split.iter().map(|cut| &cut.decision));
    if let Some(row) = listed.into_iter().find(|row| row.origin == "list") {
        text.push_str(&format!(
            "note: it was banned by the list `{}`; `weir allow` keeps it free whatever lists say\n",
            row.reason
        ));
    }
    text
}

/// A decision that only bouncers carry out.
fn in_words(other: &OtherRow) -> String {
    let OtherRow { kind, scope, value, .. } = other;
    printable(&format!("{kind} of {scope} {value}"), 400).into_owned()
}

fn in_part(nets: &[String]) -> String {
    const NAMED: usize = 4;
    let first = nets.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    match nets.len() {
        0 => "nothing".to_owned(),
        1..=NAMED => first,
        count => format!("{first} and {} more prefixes", count - NAMED),
    }
}

fn agreed() -> anyhow::Result<bool> {
    output::remark("Go ahead? [y/N] ");
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::{Cut, Row};

    fn row(target: &str) -> Row {
        Row {
            id: 1,
            target: target.to_owned(),
            family: "ipv4".to_owned(),
            action: "ban".to_owned(),
            origin: "list".to_owned(),
            reason: "drop".to_owned(),
            created_at: String::new(),
            until: String::new(),
            remaining_seconds: 3_600,
            events: 0,
            limited: None,
        }
    }

    #[test]
    fn what_changes_is_shown_before_and_behind() {
        let left = (0..6).map(|n| format!("203.0.113.{n}")).collect();
        let mut freed = Freed {
            count: 1,
            decisions: vec![row("203.0.113.9")],
            split: vec![Cut { decision: row("203.0.113.0/24"), left }],
            ..Freed::default()
        };
        let rest = "203.0.113.0, 203.0.113.1, 203.0.113.2, 203.0.113.3 and 2 more prefixes";
        assert_eq!(
            preview(&freed),
            format!(
                "ends   203.0.113.9 (drop, 1h left)\n\
                 cuts   203.0.113.0/24 (drop, 1h left); what stays banned of it: {rest}\n"
            )
        );
        assert_eq!(
            told(&freed, false),
            format!(
                "203.0.113.9 is not banned any more\n\
                 203.0.113.0/24 is not banned any more as a whole; what stays banned of it: {rest}\n\
                 note: it was banned by the list `drop`; `weir allow` keeps it free whatever lists say\n"
            )
        );
        let (kind, scope, value) = ("captcha", "Country", "F\u{202e}R");
        freed.others = vec![OtherRow {
            kind: kind.to_owned(),
            scope: scope.to_owned(),
            value: value.to_owned(),
            reason: "drop".to_owned(),
            remaining_seconds: 60,
            ..OtherRow::default()
        }];
        let other = in_words(&freed.others[0]);
        assert!(!other.contains('\u{202e}'), "{other}");
        assert!(preview(&freed).contains(&format!("ends   {other} (drop, 1m left)\n")));
        assert!(told(&freed, true).contains("\n1 decisions of bouncers alone ended\n"));
        freed.remaining = 2;
        assert!(preview(&freed).contains("ends   2 more\n"));
        assert_eq!(preview(&Freed::default()), "nothing would change\n");
    }
}
