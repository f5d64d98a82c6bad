//! `weir explain --last`: lines that the running daemon made nothing of.
//!
//! The daemon says what it received, and this command explains it by the rules on disk: they are
//! those of the daemon unless somebody edits them, and then the edited ones are of interest.

use serde_json::{Value, json};

use super::{Explain, explain};
use crate::cli::{Exit, Failed, Global, Output, asking, complete, loading, output};
use crate::control::{FailureKind, ReceivedLine, Recent, Reply, Request, Unmatched};
use crate::diagnostic::{printable, similar};
use crate::event::{Batch, Mode, SourceId};
use crate::explain::Ending;
use crate::system::clock;
use crate::value::Time;

/// Lines that are explained unless another number is asked for.
const LINES: u16 = 3;
/// Examples are cut to so many characters.
const EXAMPLE: usize = 100;
/// Names are cut to so many characters.
const NAME: usize = 40;
/// How lines without a program are asked for.
const NO_PROGRAM: &str = "-";

/// How the daemon came by a line.
#[derive(Debug)]
pub(super) struct Received {
    line: ReceivedLine,
    uncounted: bool,
}

impl Explain {
    pub(super) fn last(&self, program: Option<&str>, global: &Global) -> anyhow::Result<Exit> {
        match program {
            Some(program) => self.last_of(program, global),
            None => self.last_of_all(global),
        }
    }

    fn last_of_all(&self, global: &Global) -> anyhow::Result<Exit> {
        let programs = self.ask(None, None, global)?;
        if self.output == Output::Json {
            let programs: Vec<Value> = programs.iter().map(program_json).collect();
            complete(&format!("{:#}\n", json!(programs)))?;
        } else if programs.is_empty() {
            complete(&format!("no {} since the daemon started\n", self.what()))?;
        } else {
            complete(&table(&programs))?;
            let uncounted = if self.uncounted { " --uncounted" } else { "" };
            output::remark(&format!(
                "`weir explain --last PROGRAM{uncounted}` explains the newest lines of one\n"
            ));
        }
        Ok(Exit::Success)
    }

    fn last_of(&self, program: &str, global: &Global) -> anyhow::Result<Exit> {
        let asked = if program == NO_PROGRAM { "" } else { program };
        let most = usize::from(self.lines.unwrap_or(LINES));
        let found = self.ask(Some(asked), Some(most), global)?;
        let mut lines: Vec<ReceivedLine> =
            found.into_iter().flat_map(|program| program.lines).collect();
        if lines.is_empty() {
            let known = self.ask(None, None, global)?;
            return Err(self.nothing_of(program, &known).into());
        }
        let loaded = loading::load(global, &self.rules, Some(false))?;
        // A program may have lines of several labels.
        let at = |line: &ReceivedLine| Time::from_rfc3339(&line.received_at);
        lines.sort_by_key(at);
        for line in lines.split_off(lines.len().saturating_sub(most)) {
            let source =
                loaded.ruleset.source(&line.source, "syslog", &line.source_label, Mode::Live);
            let mut batch = Batch::new(SourceId(0), at(&line).unwrap_or_else(clock::now));
            batch.push(line.text.as_bytes(), line.cut, None);
            let received = Received { line, uncounted: self.uncounted };
            for line in batch.lines() {
                complete(&explain(&loaded, &source, line, Some(&received), self.output))?;
            }
        }
        Ok(Exit::Success)
    }

    fn ask(
        &self,
        program: Option<&str>,
        limit: Option<usize>,
        global: &Global,
    ) -> anyhow::Result<Vec<Unmatched>> {
        let (program, uncounted) = (program.map(str::to_owned), self.uncounted);
        let request = Request::Unmatched(Recent { program, uncounted, limit });
        let asked = asking::client(global).and_then(|mut client| {
            client.ask(&request).map_err(|error| match error.kind() {
                FailureKind::Usage => {
                    anyhow::anyhow!("{error}; is the daemon of an older version?")
                }
                _ => asking::failed(error),
            })
        });
        match asked {
            Ok(Reply::Unmatched { programs }) => Ok(programs),
            Ok(other) => Err(asking::strange(&other)),
            Err(error) if Exit::of(&error) == Exit::Unavailable => {
                let help = "the last lines are kept by a running daemon (`weir run`, or \
                            `systemctl start weir`); to explain lines of a log without one: \
                            `tail -n 3 LOG | weir explain -`";
                Err(Failed::new(Exit::Unavailable, format!("{error}\n  {help}")).into())
            }
            Err(error) => Err(error),
        }
    }

    /// What is looked for, in the words of an answer that there is none.
    fn what(&self) -> &'static str {
        if self.uncounted { "parsed line went uncounted" } else { "line went unparsed" }
    }

    fn nothing_of(&self, program: &str, known: &[Unmatched]) -> Failed {
        let mut message = format!(
            "no {} of `{}` since the daemon started",
            self.what(),
            printable(program, NAME)
        );
        let names = known.iter().map(|known| &*known.program);
        if let Some(meant) = similar(program, names) {
            message.push_str(&format!("; did you mean `{}`?", printable(meant, NAME)));
        } else if known.is_empty() {
            message.push_str(", nor of any other program");
        } else {
            message.push_str("; `weir explain --last` names the programs that have any");
        }
        Failed::new(Exit::Failure, message)
    }
}

/// A row for each program.
fn table(programs: &[Unmatched]) -> String {
    let mut table = output::table(&["PROGRAM", "LABEL", "LINES", "NEWEST", "EXAMPLE"]);
    for program in programs {
        let newest = Time::from_rfc3339(&program.newest_at);
        let age = newest.and_then(|at| u64::try_from(clock::now().since(at)).ok());
        let age = age
            .map_or_else(String::new, |age| format!("{} ago", asking::span(age / 1_000_000_000)));
        let name = if program.program.is_empty() { NO_PROGRAM } else { &program.program };
        table.add_row(vec![
            printable(name, NAME).into_owned(),
            printable(&program.label, NAME).into_owned(),
            program.count.to_string(),
            age,
            printable(example(program), EXAMPLE).into_owned(),
        ]);
    }
    format!("{table}\n")
}

fn program_json(program: &Unmatched) -> Value {
    json!({
        "label": program.label,
        "program": program.program,
        "count": program.count,
        "newest_at": program.newest_at,
        "kept": program.kept,
        "example": printable(example(program), EXAMPLE),
    })
}

fn example(program: &Unmatched) -> &str {
    program.lines.last().map_or("", |line| &*line.text)
}

impl Received {
    pub(super) fn json(&self) -> Value {
        json!({
            "at": self.line.received_at,
            "source": self.line.source,
            "outcome": self.outcome(),
            "cut": self.line.cut,
        })
    }

    /// When, and from where.
    pub(super) fn sentence(&self) -> String {
        let cut = if self.line.cut { "; only its beginning is kept" } else { "" };
        format!("{} from source {}{cut}", self.line.received_at, printable(&self.line.source, NAME))
    }

    /// What to say when the rules make something else of it now.
    pub(super) fn changed(&self, ending: Ending, is_uncounted: bool) -> Option<String> {
        let is_same = match self.uncounted {
            true => ending == Ending::Parsed && is_uncounted,
            false => ending == Ending::Unparsed,
        };
        let was = self.outcome();
        (!is_same).then(|| {
            format!(
                "it was {was} when it was received; the rules on disk have changed since \
                 (`weir reload` has the daemon use them)"
            )
        })
    }

    fn outcome(&self) -> &'static str {
        if self.uncounted { "uncounted" } else { "unparsed" }
    }
}
