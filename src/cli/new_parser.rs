//! `weir new-parser`: rules for a program that none knows, out of lines of its log.

mod report;

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::output::{Format, remark};
use super::{Exit, Failed, Global, Output, complete};
use crate::diagnostic::{self, printable};
use crate::discover::{Draft, Learned, Limits, Subject, learn};
use crate::event::SourceId;
use crate::intake::{file, spec};
use crate::parse::syslog;
use crate::system::clock;
use report::Report;

/// Write rules for a program that no rule knows, from lines of its log
///
/// Finds the templates that the lines fall into, which of their parts is the client's address, the
/// user, the status, and which lines tell of failures. Writes a parser, scenarios, and cases for
/// `weir test`. Before anything is written the rules are loaded, looked at by all lints, tried on
/// every line and run against their cases; what they take is told, and what they do not.
///
/// Lines have a syslog header, of which the program is chosen by `--program`; or none, with
/// `--type LABEL`, the label that the source of such lines is to have.
///
/// The rules are a proposal: read them before you load them. No client may choose the address that
/// is banned, whatever it calls itself: patterns that could be deceived are narrowed or left out.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weir new-parser --from /var/log/messages --program vsftpd
  weir new-parser --from /var/log/messages --program vsftpd --out /etc/weir/rules
  journalctl -t myapp | weir new-parser --from - --program myapp --name myapp-worker
  weir new-parser --from access.log --type shop --out ./rules    lines without a header
  weir test ./rules && weir check --rules ./rules --lints all    what it has done already

Exits with 1 when no line names a client's address, so that there is nobody to ban.")]
pub struct NewParser {
    /// A file with lines; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub from: PathBuf,
    /// The program whose lines they are, as the header has it
    #[arg(long, value_name = "NAME", required_unless_present = "label")]
    pub program: Option<String>,
    /// Another name of the program; may be repeated
    #[arg(long, value_name = "NAME")]
    pub name: Vec<String>,
    /// The lines have no header; their source will give them this label
    #[arg(long = "type", value_name = "LABEL", alias = "label")]
    pub label: Option<String>,
    /// Write the files into this rules folder; without it they are shown
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Write over files that are there
    #[arg(long, requires = "out")]
    pub force: bool,
    /// What the file holds, where it cannot be seen
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    pub format: Format,
    /// The form of the answer
    #[arg(long, value_name = "FORM", default_value = "human")]
    pub output: Output,
}

/// Lines that are learned from, and their bytes, at most.
const MOST_LINES: usize = 100_000;
const MOST_BYTES: usize = 64 << 20;

/// Templates that are told where no rule can be made.
const TOLD: usize = 8;

/// Lines that are read at once.
const BATCH: usize = 256;

/// Lines of a file.
#[derive(Debug, Default)]
struct Lines {
    /// Whole lines of the program, and the message of each.
    own: Vec<(String, String)>,
    /// Lines of other programs.
    others: u64,
    /// Lines of the program that are beyond the bounds.
    beyond: u64,
    /// Some of the other programs.
    programs: std::collections::BTreeMap<String, u64>,
}

impl NewParser {
    pub(super) fn run(self, _global: &Global) -> anyhow::Result<Exit> {
        let programs = self.programs();
        let lines = self.read(&programs)?;
        if lines.own.is_empty() {
            return Err(self.nothing(&programs, &lines).into());
        }
        let from = match self.from.to_str() {
            Some("-") | None => "standard input".to_owned(),
            Some(path) => path.to_owned(),
        };
        let label = self.label.clone().filter(|label| label != "syslog");
        let subject = Subject { programs, label, from, lines: lines.own.len() };
        let messages: Vec<String> = lines.own.iter().map(|(_, message)| message.clone()).collect();
        let learned = learn(&messages, &subject.prefix(), Limits::default());
        if learned.nodes.is_empty() {
            return Err(no_client(&learned).into());
        }
        let draft = Draft::new(&subject, &learned, clock::now());
        let checked = draft.check(clock::now());
        let report = Report::new(&subject, &learned, &checked, &lines.own, lines.beyond);
        let is_sound = checked.diagnostics.is_empty() && checked.failed.is_empty();
        if is_sound && let Some(folder) = &self.out {
            self.write(folder, &draft)?;
        }
        match self.output {
            Output::Human => {
                if self.out.is_none() {
                    for (path, text) in &draft.files {
                        complete(&format!("# ---- {path}\n{text}"))?;
                    }
                }
                remark(&diagnostic::render(&checked.diagnostics, true));
                remark(&report.human(self.out.as_deref(), &draft));
            }
            Output::Json => complete(&format!("{:#}\n", report.json(&draft)))?,
        }
        Ok(if is_sound { Exit::Success } else { Exit::Failure })
    }

    /// The names of the program; the first stands for it.
    fn programs(&self) -> Vec<String> {
        let mut programs: Vec<String> = self.program.iter().cloned().collect();
        if let Some(label) = &self.label
            && label != "syslog"
        {
            // Where there is no header the label is the program.
            programs = vec![label.clone()];
        }
        programs.extend(self.name.iter().cloned());
        programs
    }

    fn read(&self, programs: &[String]) -> anyhow::Result<Lines> {
        let is_bare = self.label.as_ref().is_some_and(|label| label != "syslog");
        let mut lines = Lines::default();
        let mut bytes = 0;
        let limit = spec::Limits::default().message;
        let mut reader = file::open(&self.from, limit, self.format.into())?;
        while let Some(batch) = reader.next_batch(SourceId(0), clock::now(), BATCH)? {
            for line in batch.lines() {
                let text = String::from_utf8_lossy(line.bytes).into_owned();
                let message = if is_bare {
                    text.lines().next().unwrap_or_default().to_owned()
                } else {
                    let header = syslog::decode(&text);
                    if !programs.iter().any(|program| program == header.program) {
                        lines.others += 1;
                        if lines.programs.len() < 100 || lines.programs.contains_key(header.program)
                        {
                            *lines.programs.entry(header.program.to_owned()).or_default() += 1;
                        }
                        continue;
                    }
                    message(&header).to_owned()
                };
                if lines.own.len() == MOST_LINES || bytes + text.len() > MOST_BYTES {
                    lines.beyond += 1;
                    continue;
                }
                bytes += text.len();
                lines.own.push((text, message));
            }
        }
        Ok(lines)
    }

    /// What to say where the file holds no line of the program.
    fn nothing(&self, programs: &[String], lines: &Lines) -> Failed {
        let wanted = printable(&programs.join(", "), 80).into_owned();
        let mut found: Vec<(&String, &u64)> = lines.programs.iter().collect();
        found.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
        let named: Vec<String> = found
            .iter()
            .filter(|(name, _)| !name.is_empty())
            .take(8)
            .map(|(name, count)| format!("`{}` ({count})", printable(name, 40)))
            .collect();
        let what = match (lines.others, named.is_empty()) {
            (0, _) => "it holds no lines".to_owned(),
            (count, true) => format!(
                "its {count} lines name no program: give `--type LABEL` for lines without a \
                 syslog header"
            ),
            (_, false) => format!("it holds lines of {}", named.join(", ")),
        };
        let from = printable(&self.from.to_string_lossy(), 200).into_owned();
        Failed::new(Exit::Failure, format!("no line of `{wanted}` is in `{from}`: {what}"))
    }

    /// Writes all files, or none where one of them is there already.
    fn write(&self, folder: &Path, draft: &Draft) -> anyhow::Result<()> {
        let paths: Vec<PathBuf> = draft.files.iter().map(|(path, _)| folder.join(path)).collect();
        if let Some(known) = paths.iter().find(|path| path.exists() && !self.force) {
            let message = format!(
                "`{}` is there already; nothing is written. Give `--force` to write over it, or \
                 another `--out`",
                known.display()
            );
            return Err(Failed::new(Exit::Failure, message).into());
        }
        for (path, (_, text)) in paths.iter().zip(&draft.files) {
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent)
                    .with_context(|| format!("cannot make the folder `{}`", parent.display()))?;
            }
            std::fs::write(path, text)
                .with_context(|| format!("cannot write `{}`", path.display()))?;
        }
        Ok(())
    }
}

/// The message that rules see.
pub(super) fn message<'a>(header: &syslog::Header<'a>) -> &'a str {
    let message = header.first_line();
    match header.format {
        syslog::Format::Rfc5424 => message.strip_prefix(' ').unwrap_or(message),
        _ => message,
    }
}

/// What to say where nobody can be banned; what the lines are is told beside it.
fn no_client(learned: &Learned) -> Failed {
    let mut templates: Vec<_> = learned.templates.iter().collect();
    templates.sort_by_key(|template| std::cmp::Reverse(template.count));
    for found in templates.iter().take(TOLD) {
        remark(&format!("{:>6}  {}\n", found.count, printable(&found.to_string(), 160)));
    }
    let why = learned.left.first().map_or_else(String::new, |left| format!(" ({})", left.why));
    let message = format!(
        "no rule can be made: no line names the address of a client in a way that is safe{why}"
    );
    Failed::new(Exit::Failure, message)
}
