//! Cases for what was learned: what the rules must make of lines, and what they must leave alone.
//!
//! Addresses in them are those for documentation (RFC 5737, RFC 3849) in place of the clients' own;
//! all else is as the log has it.

use std::fmt::Write as _;

use super::draft::{Subject, comment, scalar};
use super::learn::{Learned, Node, What};
use super::pattern::captures;
use super::scenarios::{Plan, plans};
use super::token::trimmed;
use super::tricks::{TRUE as V4, forged, with_client, with_part};
use crate::event::{Line, Mode, SourceId};
use crate::parse::{Outcome, Scratch};
use crate::rules::Ruleset;
use crate::value::{Arena, Section, Time};

/// The other client in cases.
const V6: &str = "2001:db8::7";

/// Forged messages for a pattern.
const TRICKS: usize = 2;

/// Messages of other templates that must be left alone.
const OTHERS: usize = 8;

/// Lines of a case are not longer, in bytes: they are for people.
const LONGEST: usize = 1000;

/// The file.
pub(super) fn text(subject: &Subject, learned: &Learned, ruleset: &Ruleset) -> String {
    let mut writer = Writer { subject, learned, ruleset, text: String::new() };
    writer.lines();
    writer.attacks();
    writer.text
}

struct Writer<'d> {
    subject: &'d Subject,
    learned: &'d Learned,
    ruleset: &'d Ruleset,
    text: String,
}

/// What the rules make of a line.
struct Seen {
    is_parsed: bool,
    client: String,
    log_type: String,
    user: String,
}

impl Writer<'_> {
    fn lines(&mut self) {
        let _ = writeln!(
            self.text,
            "# What the rules for {} must make of its lines, and what they must leave alone. The\n\
             # lines are those of the log, with other addresses for the clients: look for names in\n\
             # them before you show this to others.\nlines:",
            comment(&self.subject.programs.join(", "))
        );
        let mut tricks = Vec::new();
        for node in &self.learned.nodes {
            let Some(template) = self.learned.templates.get(node.template) else { continue };
            for example in template.examples.iter().take(2) {
                for client in [V4, V6] {
                    if let Some(message) = with_client(template, &node.roles, example, client) {
                        self.taken(node, &message, client);
                    }
                }
            }
            if !node.is_head {
                tricks.extend(forged(template, &node.roles).into_iter().take(TRICKS));
            }
        }
        if !tricks.is_empty() {
            self.text.push_str("\n  # Names that pretend to be the rest of the line.\n");
        }
        for message in tricks {
            self.deceiving(&message);
        }
        self.text.push_str("\n  # Not ours.\n");
        self.left_alone();
    }

    /// A message as a line of a case.
    fn written(&self, message: &str) -> String {
        self.written_by(message, self.subject.programs.first().map_or("", String::as_str))
    }

    fn written_by(&self, message: &str, program: &str) -> String {
        match &self.subject.label {
            Some(label) => format!("line: {}\n    label: {}", scalar(message), scalar(label)),
            None => format!("message: {}", scalar(&format!("{program}[811]: {message}"))),
        }
    }

    fn taken(&mut self, node: &Node, message: &str, client: &str) {
        let seen = self.look(message);
        if message.len() > LONGEST || !seen.is_parsed {
            return;
        }
        // Which of two patterns takes a message may be another than the one it was made for.
        let log_type = match seen.client == client {
            true => seen.log_type,
            false => self.subject.log_type(node.what),
        };
        let line = self.written(message);
        let _ = write!(
            self.text,
            "  - {line}\n    meta: {{ service: {}, log_type: {}, source_ip: {}",
            scalar(&self.subject.service()),
            scalar(&log_type),
            scalar(client)
        );
        if !seen.user.is_empty() {
            let _ = write!(self.text, ", {}: {}", captures::USER, scalar(&seen.user));
        }
        self.text.push_str(" }\n");
    }

    fn deceiving(&mut self, message: &str) {
        if message.len() > LONGEST {
            return;
        }
        let seen = self.look(message);
        let line = self.written(message);
        let _ = match seen.is_parsed {
            // What the rules take must be the true address, whatever they take now.
            true => writeln!(self.text, "  - {line}\n    meta: {{ source_ip: {V4} }}"),
            false => writeln!(self.text, "  - {line}\n    outcome: unparsed"),
        };
    }

    fn left_alone(&mut self) {
        let mut wanted = 0;
        for template in &self.learned.templates {
            let Some(example) = template.examples.first() else { continue };
            let message = trimmed(example);
            if wanted == OTHERS || message.len() > LONGEST || self.look(message).is_parsed {
                continue;
            }
            wanted += 1;
            let line = self.written(message);
            let _ = writeln!(self.text, "  - {line}\n    outcome: unparsed");
        }
        let own = self.learned.nodes.first();
        let of_others = own.and_then(|node| {
            let template = self.learned.templates.get(node.template)?;
            with_client(template, &node.roles, template.examples.first()?, V4)
        });
        if let Some(message) = of_others {
            let line = match &self.subject.label {
                Some(_) => format!("line: {}\n    label: another", scalar(&message)),
                None => self.written_by(&message, "another"),
            };
            let _ = writeln!(self.text, "  - {line}\n    outcome: unparsed");
        }
    }

    fn attacks(&mut self) {
        let plans = plans(self.learned);
        let mut text = String::new();
        for plan in &plans {
            self.attack(plan, &mut text);
        }
        let successes = self.learned.nodes.iter().find(|node| node.what == What::SuccessAuth);
        if let Some(message) = successes.and_then(|node| self.message(node, V4)) {
            let line = self.written(&message).replace("\n    ", ", ");
            let _ = writeln!(
                text,
                "  - name: logging in is no offence\n    steps:\n      \
                 - {{ {line}, times: 50, every: 100ms }}\n    overflows: {{}}\n    bans: []"
            );
        }
        if !text.is_empty() {
            let _ = write!(self.text, "attacks:\n{text}");
        }
    }

    /// A message of a pattern from this client.
    fn message(&self, node: &Node, client: &str) -> Option<String> {
        let template = self.learned.templates.get(node.template)?;
        let examples = template.examples.iter();
        let mut fit = examples.filter_map(|each| with_client(template, &node.roles, each, client));
        fit.find(|message| message.len() <= LONGEST)
    }

    /// A message that the plan counts, and its pattern.
    fn offence(&self, plan: &Plan, client: &str) -> Option<String> {
        let mut nodes = self.learned.nodes.iter().filter(|node| {
            node.what == plan.what && !node.is_head && (!plan.by_user || node.roles.user.is_some())
        });
        nodes.find_map(|node| {
            let message = self.message(node, client)?;
            let message = match (plan.statuses.first(), node.roles.status) {
                (Some(status), Some(at)) => {
                    let template = self.learned.templates.get(node.template)?;
                    with_part(template, &message, at, status)?
                }
                (Some(_), None) => return None,
                (None, _) => message,
            };
            let seen = self.look(&message);
            let has_user = !plan.by_user || !seen.user.is_empty();
            let is_right =
                seen.client == client && seen.log_type == self.subject.log_type(plan.what);
            (is_right && has_user).then_some(message)
        })
    }

    fn attack(&self, plan: &Plan, text: &mut String) {
        let service = self.subject.service();
        let name = format!("local/{service}-{}", plan.name);
        let step = |message: &str, times: u32| {
            let line = self.written(message).replace("\n    ", ", ");
            format!("      - {{ {line}, times: {times}, every: 100ms }}\n")
        };
        if plan.by_user {
            let clients = (1..=plan.capacity + 1).map(|number| format!("192.0.2.{number}"));
            let messages: Vec<String> =
                clients.filter_map(|client| self.offence(plan, &client)).collect();
            if messages.len() as u64 == u64::from(plan.capacity) + 1 {
                let steps: String = messages.iter().map(|message| step(message, 1)).collect();
                let _ = write!(
                    text,
                    "  - name: one user from {} addresses\n    steps:\n{steps}    \
                     overflows: {{ {name}: 1 }}\n    bans: []\n",
                    messages.len()
                );
            }
            return;
        }
        for (family, client) in [("IPv4", V4), ("IPv6", V6)] {
            let Some(message) = self.offence(plan, client) else { continue };
            let (more, bans) = (plan.capacity + 1, scalar(client));
            let _ = write!(
                text,
                "  - name: {more} of {} ban an {family} address\n    steps:\n{}    \
                 overflows: {{ {name}: 1 }}\n    bans: [{bans}]\n",
                plan.name,
                step(&message, more)
            );
            if client == V4 {
                let _ = write!(
                    text,
                    "  - name: {} of {} are forgiven\n    steps:\n{}    \
                     overflows: {{}}\n    bans: []\n",
                    plan.capacity,
                    plan.name,
                    step(&message, plan.capacity)
                );
            }
        }
    }

    fn look(&self, message: &str) -> Seen {
        let program = self.subject.programs.first().map_or("", String::as_str);
        let (text, label) = match &self.subject.label {
            Some(label) => (message.to_owned(), label.as_str()),
            None => (format!("Jan  1 12:00:00 host {program}[811]: {message}"), "syslog"),
        };
        let source = self.ruleset.source("case", "file", label, Mode::Replay);
        let world = self.ruleset.world();
        let arena = Arena::new();
        let line = Line::new(text.as_bytes(), Time::from_seconds(0), SourceId(0));
        let mut scratch = Scratch::new();
        let (event, outcome) =
            self.ruleset.parse(line, &source, &arena, &world, &mut scratch, None);
        let meta = |name| event.get_named(Section::Meta, name).unwrap_or_default().to_owned();
        Seen {
            is_parsed: matches!(outcome, Outcome::Parsed),
            client: meta(captures::CLIENT),
            log_type: meta("log_type"),
            user: meta(captures::USER),
        }
    }
}
