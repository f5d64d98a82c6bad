//! What was discovered, for people and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::next::Next;
use super::{Finding, Near, Program, name};
use crate::diagnostic::printable;
use crate::discover::Template;
use crate::explain::Nearest;

/// Templates that are shown of a program, and the characters of each.
const TEMPLATES: usize = 5;
const LONGEST: usize = 160;
/// Templates that programs are told of.
const TOLD: usize = 50;

/// All that is to be shown.
pub(super) struct Shown<'f> {
    pub(super) findings: &'f [Finding],
    pub(super) lines: u64,
    /// Lines of programs beyond the number that is told apart.
    pub(super) beyond: u64,
    /// Programs that are not shown because none of their lines names an address.
    pub(super) hidden: usize,
}

impl Shown<'_> {
    pub(super) fn human(&self) -> String {
        let mut text = String::new();
        for finding in self.findings {
            one(&mut text, finding);
            text.push('\n');
        }
        let hidden = match self.hidden {
            0 => String::new(),
            1 => "1 program whose lines name no address is not shown (`--all`)".to_owned(),
            count => {
                format!("{count} programs whose lines name no address are not shown (`--all`)")
            }
        };
        if self.findings.is_empty() && self.lines == 0 {
            text.push_str("there are no lines yet\n");
        } else if self.findings.is_empty() && hidden.is_empty() {
            let _ = writeln!(text, "all is covered: rules take every one of {} lines", self.lines);
        } else if self.findings.is_empty() {
            let _ = writeln!(
                text,
                "all is covered: rules take every one of {} lines that names an address",
                self.lines
            );
        }
        if !hidden.is_empty() {
            let _ = writeln!(text, "{hidden}");
        }
        if self.beyond > 0 {
            let _ =
                writeln!(text, "{} lines of still other programs were not looked at", self.beyond);
        }
        text
    }

    pub(super) fn json(&self) -> Value {
        let findings = self.findings.iter().map(|finding| {
            let Program { label, program, covered, uncovered, .. } = &finding.program;
            let nearest = finding.nearest.iter().map(|Near { folder, rule }| {
                let Nearest { rule, stage, sentence } = rule;
                json!({ "folder": folder, "rule": rule, "stage": stage, "why": sentence })
            });
            let templates = by_count(&finding.program).into_iter().take(TOLD).map(|template| {
                json!({
                    "template": template.to_string(),
                    "lines": template.count,
                    "lines_with_an_address": template.addressed,
                    "example": template.examples.first(),
                })
            });
            json!({
                "label": label,
                "program": program,
                "lines": covered + uncovered,
                "lines_not_covered": uncovered,
                "lines_with_an_address": finding.program.naming(),
                "templates": templates.collect::<Vec<_>>(),
                "nearest": nearest.collect::<Vec<_>>(),
                "next": next_json(&finding.next),
            })
        });
        json!({
            "lines": self.lines,
            "programs": findings.collect::<Vec<_>>(),
            "programs_not_shown": self.hidden,
            "lines_not_looked_at": self.beyond,
        })
    }
}

/// The templates, those with addresses first, then by how many lines they have.
fn by_count(program: &Program) -> Vec<&Template> {
    let mut templates: Vec<&Template> = program.miner.templates().iter().collect();
    templates.sort_by_key(|found| std::cmp::Reverse((found.addressed > 0, found.count)));
    templates
}

fn one(text: &mut String, finding: &Finding) {
    let program = &finding.program;
    let looked = program.miner.messages();
    let _ = write!(
        text,
        "{} (label {}): {} lines, ",
        name(&program.program),
        name(&program.label),
        program.covered + program.uncovered
    );
    let _ = match program.covered {
        0 => writeln!(text, "no rule covers it"),
        _ => writeln!(text, "{} of them no rule takes", program.uncovered),
    };
    let of =
        if looked < program.uncovered { format!(" of the {looked} kept") } else { String::new() };
    let _ = writeln!(text, "  {}{of} name an address", program.naming());
    let templates = by_count(program);
    for template in templates.iter().take(TEMPLATES) {
        let _ = writeln!(
            text,
            "  {:>6}  {}",
            template.count,
            printable(&template.to_string(), LONGEST)
        );
    }
    if templates.len() > TEMPLATES {
        let rest: u64 = templates.iter().skip(TEMPLATES).map(|template| template.count).sum();
        let _ = writeln!(text, "  {rest:>6}  in {} more templates", templates.len() - TEMPLATES);
    }
    if program.miner.unplaced() > 0 {
        let _ = writeln!(text, "  {:>6}  unlike all others", program.miner.unplaced());
    }
    if finding.nearest.is_empty() {
        text.push_str("  nearest  no rule comes near\n");
    }
    for Near { folder, rule } in &finding.nearest {
        let (name, stage) = (printable(&rule.rule, 80), printable(&rule.stage, 40));
        let folder = folder.as_ref().map_or_else(String::new, |folder| {
            format!(" of {}", printable(&folder.to_string_lossy(), 200))
        });
        let _ = writeln!(text, "  nearest  {name} ({stage}){folder}: {}", rule.sentence);
    }
    next(text, &finding.next);
}

fn next(text: &mut String, next: &Next) {
    let indented = |yaml: &str| -> String {
        yaml.lines().map(|line| format!("             {line}\n")).collect()
    };
    match next {
        Next::Classify { program, yaml, taken: (taken, of) } => {
            let _ = write!(
                text,
                "  next     only its name is off: rules for `{}` take {taken} of {of} lines that \
                 were tried.\n           Add to weir.yaml:\n{}",
                printable(program, 80),
                indented(yaml)
            );
        }
        Next::Copy { rule, path, classify, taken: (taken, of) } => {
            let path = path.as_ref().map_or_else(String::new, |path| {
                format!(" ({})", printable(&path.to_string_lossy(), 200))
            });
            let _ = writeln!(
                text,
                "  next     {} takes {taken} of {of} lines that were tried: copy it into a rules \
                 folder{path}",
                printable(rule, 80)
            );
            if let Some((name, yaml)) = classify {
                let _ = write!(
                    text,
                    "           It knows them as `{}`, so add to weir.yaml:\n{}",
                    printable(name, 80),
                    indented(yaml)
                );
            }
        }
        Next::NewParser { command } => {
            let _ = writeln!(text, "  next     {command}");
        }
        Next::Nobody => {
            let _ = writeln!(text, "  next     nothing: nobody can be banned by these lines");
        }
    }
}

fn next_json(next: &Next) -> Value {
    match next {
        Next::Classify { program, yaml, taken: (taken, of) } => json!({
            "step": "classify", "program": program, "yaml": yaml, "taken": taken, "tried": of,
        }),
        Next::Copy { rule, path, classify, taken: (taken, of) } => json!({
            "step": "copy",
            "rule": rule,
            "path": path,
            "program": classify.as_ref().map(|(program, _)| program),
            "yaml": classify.as_ref().map(|(_, yaml)| yaml),
            "taken": taken,
            "tried": of,
        }),
        Next::NewParser { command } => json!({ "step": "new-parser", "command": command }),
        Next::Nobody => json!({ "step": "none" }),
    }
}
