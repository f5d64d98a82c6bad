//! An explained line, for people and for programs.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::last::Received;
use crate::diagnostic::printable;
use crate::explain::{Account, Ending, NearScenario, Rule, Step};
use crate::parse::syslog;
use crate::rules::Ruleset;

/// What is to be shown of one line.
pub(super) struct Shown<'s> {
    pub(super) account: &'s Account,
    /// How the daemon came by the line, if it did.
    pub(super) received: Option<&'s Received>,
}

/// Texts are cut to this many bytes.
const LONGEST: usize = 300;

impl Shown<'_> {
    /// One JSON object.
    pub(super) fn json(&self) -> Value {
        let account = self.account;
        let map = |fields: &[(String, String)]| {
            let fields = fields.iter();
            Value::Object(fields.map(|(name, text)| (name.clone(), json!(text))).collect())
        };
        let rules: Vec<Value> = account.rules.iter().filter_map(rule_json).collect();
        let near: Vec<Value> = account
            .near_rules()
            .into_iter()
            .map(|near| json!({ "stage": near.stage, "rule": near.rule, "why": near.sentence }))
            .collect();
        let mut object = Map::new();
        object.insert("line".to_owned(), json!(account.text));
        object.insert("label".to_owned(), json!(account.label));
        object.insert("program".to_owned(), json!(account.program));
        if let Some((place, received)) = &self.account.classified {
            let by = json!({ "rule": place, "received_program": received });
            object.insert("classified".to_owned(), by);
        }
        object.insert("outcome".to_owned(), json!(account.ending.name()));
        object.insert("parsed".to_owned(), map(&account.parsed));
        object.insert("meta".to_owned(), map(&account.meta));
        object.insert("enriched".to_owned(), map(&account.enriched));
        object.insert("poured".to_owned(), json!(account.poured));
        object.insert("rules".to_owned(), json!(rules));
        object.insert("near".to_owned(), json!(near));
        let near: Vec<Value> = account.near_scenarios.iter().map(near_json).collect();
        object.insert("near_scenarios".to_owned(), json!(near));
        if let Some(friend) = &account.friend {
            object.insert("friend".to_owned(), json!(friend));
        }
        if let Some(received) = self.received {
            object.insert("received".to_owned(), received.json());
        }
        Value::Object(object)
    }

    /// A tree: the line, its header, its rules stage by stage, what came of it.
    pub(super) fn human(&self, ruleset: &Ruleset) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "{}", printable(&self.account.text, LONGEST));
        if let Some(received) = self.received {
            let _ = writeln!(text, "  received   {}", received.sentence());
            if let Some(note) =
                received.changed(self.account.ending, self.account.poured.is_empty())
            {
                let _ = writeln!(text, "  note       {note}");
            }
        }
        let program = printable(&self.account.program, 64);
        let label = printable(&self.account.label, 64);
        let _ = writeln!(text, "  header     program \"{program}\", label \"{label}\"");
        if let Some((place, received)) = &self.account.classified {
            let received = printable(received, 64);
            let _ = writeln!(text, "  classified by {place}; received as program \"{received}\"");
        }
        if let Some(note) = self.wrong_label() {
            let _ = writeln!(text, "  note       {note}");
        }
        if self.is_of_nameless_container() {
            let _ = writeln!(
                text,
                "  note       the program is the number of a container: have it tell a name \
                 (`docker run --log-opt tag={{{{.Name}}}}`), or map it by `classify`"
            );
        }
        let outcome = self.outcome_line();
        let _ = writeln!(text, "  outcome    {outcome}");
        for near in self.account.near_rules() {
            let _ =
                writeln!(text, "  near miss  {} ({}): {}", near.rule, near.stage, near.sentence);
        }
        for scenario in &self.account.near_scenarios {
            let _ = writeln!(text, "  near miss  {} (scenario): {}", scenario.name, scenario.why());
        }
        for stage in ruleset.stage_names() {
            let rules: Vec<&Rule> =
                self.account.rules.iter().filter(|rule| rule.stage == stage).collect();
            if rules.is_empty() {
                let _ = writeln!(text, "  {stage:<10} not reached");
                continue;
            }
            let taken: Vec<&&Rule> = rules.iter().filter(|rule| rule.step.success).collect();
            if taken.is_empty() {
                let _ = writeln!(text, "  {stage:<10} none of {} rules took it", rules.len());
            }
            for rule in taken {
                let _ = writeln!(text, "  {stage:<10} {} took it", rule.step.name);
                statics(&mut text, &rule.step);
            }
        }
        for (name, section) in [("meta", &self.account.meta), ("parsed", &self.account.parsed)] {
            for (key, value) in section {
                let _ = writeln!(text, "  {name:<10} {key} = {}", printable(value, LONGEST));
            }
        }
        text
    }

    fn outcome_line(&self) -> String {
        let poured = &self.account.poured;
        match (&self.account.friend, self.account.ending) {
            (Some(friend), _) => format!("allowlisted: {friend}"),
            (None, Ending::Parsed) if poured.is_empty() => {
                "parsed; no scenario counts it".to_owned()
            }
            (None, Ending::Parsed) => format!("parsed; poured into {}", poured.join(", ")),
            (None, ending) => ending.name().to_owned(),
        }
    }

    /// What to say of a line with a syslog header whose label says that it has none.
    fn wrong_label(&self) -> Option<String> {
        let label = &*self.account.label;
        let header = syslog::decode(&self.account.text);
        let is_of_source = self.account.classified.is_none();
        let is_wrong = self.account.ending == Ending::Unparsed
            && label != "syslog"
            && is_of_source
            && header.is_syslog();
        is_wrong.then(|| {
            format!(
                "the line has a syslog header (program \"{}\"), but its label is \"{}\", so the \
                 header is not read: use the label `syslog`",
                printable(header.program, 64),
                printable(label, 64)
            )
        })
    }

    /// Whether no rule took the line for want of a name: Docker's syslog driver calls a container
    /// by the beginning of its number unless it is told otherwise.
    fn is_of_nameless_container(&self) -> bool {
        let program = &*self.account.program;
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        self.account.ending == Ending::Unparsed
            && program.len() == 12
            && program.bytes().all(is_digit)
    }
}

/// The fields that the rule set, those of its children too.
fn statics(text: &mut String, step: &Step) {
    for (target, value) in &step.statics {
        let _ = writeln!(text, "             {target} = {value}");
    }
    for (reason, listed) in &step.allowlists {
        let verdict = if *listed { "is on" } else { "is not on" };
        let _ = writeln!(text, "             {verdict} its allowlist ({reason})");
    }
    for fault in &step.faults {
        let _ = writeln!(text, "             failed: {fault}");
    }
    for child in &step.children {
        statics(text, child);
    }
}

/// A rule that let the event in, for programs.
fn rule_json(rule: &Rule) -> Option<Value> {
    rule.step.entered().then(|| {
        json!({
            "stage": rule.stage,
            "rule": rule.step.name,
            "success": rule.step.success,
        })
    })
}

/// A scenario that came close, for programs.
fn near_json(near: &NearScenario) -> Value {
    let operands = near.operands.iter().map(|(text, value)| (text.clone(), json!(value)));
    json!({
        "scenario": near.name,
        "clause": near.clause,
        "operands": operands.collect::<Map<String, Value>>(),
        "clauses_that_hold": near.held,
        "fault": near.fault,
    })
}
