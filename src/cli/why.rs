//! `weir why`: the whole story of an address.

use ipnet::IpNet;

use super::{Exit, Global, Output, arguments, asking, complete};
use crate::control::{
    Account, Friend, InKernel, OtherRow, PastDecision, Reply, Request, ToldRow, Why,
};
use crate::decide::{Story, StoryLine};
use crate::diagnostic::printable;

/// Tell the whole story of an address: is it banned, by what, and what led to it
///
/// Shows the bans that hold (its own and those around it) with the lines that counted, what the
/// kernel has now, the allowlist, bans that were refused, and bans of the past. Exits with 1 when
/// nothing is known.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weir why 203.0.113.9
  weir why 2001:db8:7::/64
  weir why 203.0.113.9 --output json | jq '.decisions[0].stories[-1].story.lines'")]
pub struct WhyArgs {
    /// Whom
    #[arg(value_name = "ADDRESS", value_parser = arguments::net)]
    pub target: IpNet,
    /// The form of the answer
    #[arg(long, value_name = "FORM", default_value = "human")]
    pub output: Output,
}

impl WhyArgs {
    pub(super) fn run(self, global: &Global) -> anyhow::Result<Exit> {
        match asking::ask(global, &Request::Why { target: self.target.to_string() })? {
            Reply::Why(why) => {
                match self.output {
                    Output::Json => complete(&format!("{:#}\n", serde_json::to_value(&*why)?))?,
                    Output::Human => complete(&page(&why))?,
                }
                Ok(if why.is_unknown() { Exit::Failure } else { Exit::Success })
            }
            other => Err(asking::strange(&other)),
        }
    }
}

/// The widest line of a log that is shown.
const WIDEST: usize = 160;
/// Steps and lines that are shown of one decision.
const STEPS: usize = 4;
const LINES: usize = 10;
const LINES_OF_THE_PAST: usize = 3;

/// All of it on one screen.
fn page(why: &Why) -> String {
    let mut text = String::new();
    match why.decisions.as_slice() {
        [] => text.push_str(&format!("{} is not banned\n", why.target)),
        [first, ..] => {
            let is_ban = why.decisions.iter().any(|one| one.decision.action == "ban");
            let around = match first.decision.target == why.target {
                true => String::new(),
                false => format!(", as a part of {}", first.decision.target),
            };
            let state = if is_ban { "is banned" } else { "is observed, nothing is dropped" };
            text.push_str(&format!("{} {state}{around}\n", why.target));
        }
    }
    for account in &why.decisions {
        text.push_str(&decision(account));
    }
    text.push_str(&kernel(why));
    for row in &why.inside {
        let left = asking::span(row.remaining_seconds);
        text.push_str(&field("inside", &format!("{} for {left} ({})", row.target, row.reason)));
    }
    if why.n_inside > why.inside.len() {
        let more = why.n_inside - why.inside.len();
        text.push_str(&field("", &format!("and {more} more: weir list {}", why.target)));
    }
    for other in &why.others {
        let OtherRow { id, kind, scope, value, reason, .. } = other;
        let left = asking::span(other.remaining_seconds);
        let told = format!("{kind} of {scope} {value} for {left} ({reason}, number {id})");
        text.push_str(&field("bouncers", &told));
    }
    for Friend { net, origin, comment, .. } in &why.friends {
        let comment = if comment.is_empty() { String::new() } else { format!(": {comment}") };
        text.push_str(&field("friend", &format!("{net} is on the allowlist ({origin}{comment})")));
    }
    for refused in &why.refusals {
        let by =
            format!("{} {} was not banned for {}", refused.at, refused.target, refused.scenario);
        let machine = refused.story.as_ref().map(|story| &*story.machine);
        let reported = match machine.filter(|machine| !machine.is_empty()) {
            Some(machine) => format!(", reported by {machine}"),
            None => String::new(),
        };
        text.push_str(&field("refused", &format!("{by}: {}{reported}", refused.reason)));
    }
    for past in &why.past {
        text.push_str(&before(past));
    }
    if why.is_unknown() {
        text.push_str(
            "Nothing is known of it. Its lines may not have arrived, or no rule takes them:\n  \
             weir status            is anything received?\n  \
             weir explain --last    lines that the rules made nothing of\n  \
             weir explain FILE      what the rules make of a log\n",
        );
    }
    text
}

/// A line with its name before it.
fn field(name: &str, text: &str) -> String {
    format!("  {name:<9} {}\n", printable(text, 400))
}

fn decision(account: &Account) -> String {
    let row = &account.decision;
    let left = asking::span(row.remaining_seconds);
    let events = match row.events {
        0 => String::new(),
        count => format!(", {count} events"),
    };
    let mut text = field(
        &row.action,
        &format!("{} for {left}, until {} (number {}{events})", row.target, row.until, row.id),
    );
    text.push_str(&field(
        "by",
        &format!("{} {}, since {}", row.origin, row.reason, row.created_at),
    ));
    let shown = account.steps.len().saturating_sub(STEPS);
    if account.steps.len() > 1 {
        for step in account.steps.iter().skip(shown) {
            text.push_str(&field(
                "step",
                &format!(
                    "{} {} by {} {} until {}",
                    step.at, step.what, step.origin, step.reason, step.until
                ),
            ));
        }
    }
    if let Some(told) = account.stories.last() {
        text.push_str(&story(told, LINES));
    }
    text
}

fn story(told: &ToldRow, most: usize) -> String {
    let story = &told.story;
    let mut text = String::new();
    if !story.machine.is_empty() {
        text.push_str(&field("machine", &format!("reported by {}", story.machine)));
    }
    if !story.message.is_empty() {
        text.push_str(&field("what", &story.message));
    }
    if story.is_by_hand() {
        return text + &lines(story, most);
    }
    let bucket = match story.bucket.capacity {
        0 => "each event counts".to_owned(),
        -1 => "holds any number of events".to_owned(),
        capacity => {
            format!("holds {capacity} events, one leaks in {} s", story.bucket.leak_seconds)
        }
    };
    let profile = if story.profile.is_empty() { "none" } else { &story.profile };
    text.push_str(&field("bucket", &format!("{bucket}; profile {profile}")));
    if let Some(longer) = &story.escalation {
        text.push_str(&field(
            "longer",
            &format!(
                "{} in place of {}: {} earlier offences, factor {}",
                asking::span(longer.seconds),
                asking::span(longer.base_seconds),
                longer.offences,
                longer.factor
            ),
        ));
    }
    if let Some(wider) = &story.level {
        text.push_str(&field("wider", &format!("{}: {}", wider.net, wider.why)));
    }
    if let Some(limited) = &story.limited {
        let most = match limited.seconds {
            0 => "only observed".to_owned(),
            seconds => format!("at most {}", asking::span(seconds)),
        };
        text.push_str(&field("limited", &format!("{most}, by {}", limited.by)));
    }
    text + &lines(story, most)
}

fn lines(story: &Story, most: usize) -> String {
    let first = story.lines.len().saturating_sub(most);
    let line = |line: &StoryLine| {
        let cut = if line.cut { "…" } else { "" };
        let at = printable(&line.at, WIDEST);
        format!("    {at} {}{cut}\n", printable(&line.text, WIDEST))
    };
    story.lines.iter().skip(first).map(line).collect()
}

fn kernel(why: &Why) -> String {
    let mut text = String::new();
    for InKernel { backend, elements, trouble } in why.kernel.iter().flatten() {
        if let Some(trouble) = trouble {
            text.push_str(&field("kernel", &format!("{backend} could not be asked: {trouble}")));
        } else if elements.is_empty() {
            text.push_str(&field("kernel", &format!("{backend} does not have it")));
        }
        for element in elements {
            let left = match element.remaining_seconds {
                Some(seconds) => format!("for {}", asking::span(seconds)),
                None => "for good".to_owned(),
            };
            let dropped = match element.packets {
                Some(packets) => format!(", {packets} packets dropped"),
                None => String::new(),
            };
            text.push_str(&field(
                "kernel",
                &format!("{backend} has {} {left}{dropped}", element.element),
            ));
        }
    }
    text
}

fn before(past: &PastDecision) -> String {
    let mut text = field(
        "before",
        &format!(
            "{} {} {} to {}: {} ({} {}, {} events)",
            past.action,
            past.target,
            past.created_at,
            past.ended_at,
            past.cause,
            past.origin,
            past.reason,
            past.events
        ),
    );
    if let Some(told) = past.stories.last() {
        let first = told.story.lines.len().saturating_sub(LINES_OF_THE_PAST);
        for line in told.story.lines.iter().skip(first) {
            text.push_str(&format!("    {} {}\n", line.at, printable(&line.text, WIDEST)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::{ElementRow, Row};
    use crate::decide::{Bucket, Escalated};

    fn why() -> Why {
        let line = |text: &str| StoryLine {
            at: "2026-11-23T10:00:00Z".to_owned(),
            text: text.to_owned(),
            cut: false,
        };
        let story = Story {
            scenario: "ssh-bf".to_owned(),
            message: "Ip 203.0.113.7 performed 'ssh-bf'".to_owned(),
            profile: "default_ip".to_owned(),
            bucket: Bucket { capacity: 5, leak_seconds: 10.0 },
            lines: vec![line("<38>sshd: one"), line("two \u{1b}[31m")],
            escalation: Some(Escalated {
                base_seconds: 3_600,
                offences: 1,
                factor: 2.0,
                seconds: 7_200,
            }),
            ..Story::default()
        };
        let row = Row {
            id: 7,
            target: "203.0.113.0/24".to_owned(),
            family: "ipv4".to_owned(),
            action: "ban".to_owned(),
            origin: "scenario".to_owned(),
            reason: "ssh-bf".to_owned(),
            created_at: "2026-11-23T10:00:00Z".to_owned(),
            until: "2026-11-23T14:00:00Z".to_owned(),
            remaining_seconds: 7_200,
            events: 6,
            limited: None,
        };
        let told = ToldRow { at: String::new(), what: "begun".to_owned(), story };
        let element = ElementRow {
            element: "203.0.113.0-203.0.113.255".to_owned(),
            remaining_seconds: Some(7_200),
            packets: Some(3),
            bytes: None,
        };
        Why {
            target: "203.0.113.7".to_owned(),
            decisions: vec![Account { decision: row, steps: Vec::new(), stories: vec![told] }],
            kernel: Some(vec![InKernel {
                backend: "nftables".to_owned(),
                elements: vec![element],
                trouble: None,
            }]),
            ..Why::default()
        }
    }

    #[test]
    fn a_page_has_the_whole_story() {
        assert_eq!(
            page(&why()),
            "\
203.0.113.7 is banned, as a part of 203.0.113.0/24
  ban       203.0.113.0/24 for 2h, until 2026-11-23T14:00:00Z (number 7, 6 events)
  by        scenario ssh-bf, since 2026-11-23T10:00:00Z
  what      Ip 203.0.113.7 performed 'ssh-bf'
  bucket    holds 5 events, one leaks in 10 s; profile default_ip
  longer    2h in place of 1h: 1 earlier offences, factor 2
    2026-11-23T10:00:00Z <38>sshd: one
    2026-11-23T10:00:00Z two \\u{1b}[31m
  kernel    nftables has 203.0.113.0-203.0.113.255 for 2h, 3 packets dropped
"
        );
    }

    #[test]
    fn what_a_machine_reported_names_it() {
        let mut why = why();
        let told = &mut why.decisions[0].stories[0];
        told.story.machine = "edge-1".to_owned();
        let text = page(&why);
        assert!(text.contains("\n  machine   reported by edge-1\n  what      Ip"), "{text}");
        assert!(text.contains("\n  bucket    holds 5 events"), "{text}");
        let told = &mut why.decisions[0].stories[0];
        (told.story.profile, told.story.bucket) = (String::new(), Bucket::default());
        let text = page(&why);
        assert!(text.contains("machine") && !text.contains("bucket"), "{text}");
    }

    #[test]
    fn who_is_unknown_is_said_so_with_what_to_try() {
        let nobody = Why { target: "203.0.113.9".to_owned(), ..Why::default() };
        let text = page(&nobody);
        assert!(text.starts_with("203.0.113.9 is not banned\nNothing is known of it."), "{text}");
        assert!(text.contains("weir explain --last"), "{text}");
    }
}
