//! `weir export`: the bans, for other programs.

use clap::ValueEnum;

use super::{Exit, Global, arguments, asking, complete};
use crate::control::{Export, Reply, Request, Row};

/// Write the bans out: one address on each line, JSON, or CSV
///
/// In the order of addresses, page by page, also while bans come and go. `weir import` reads all
/// forms. What is only observed is no ban: JSON and CSV say so in `action`, plain lists leave it out.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weir export > banned.txt
  weir export --output json --origin scenario > banned.json
  weir export --output csv --reason ssh")]
pub struct ExportArgs {
    /// The form of the answer
    #[arg(long, value_name = "FORM", default_value = "plain")]
    pub output: Form,
    /// Only bans of this origin: scenario, manual or list
    #[arg(long, value_name = "ORIGIN", value_parser = arguments::origin)]
    pub origin: Option<String>,
    /// Only bans whose reason contains this
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// How bans are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// An address or prefix on each line
    Plain,
    /// An array of objects
    Json,
    /// A table with a header
    Csv,
}

impl ExportArgs {
    pub(super) fn run(self, global: &Global) -> anyhow::Result<Exit> {
        let mut client = asking::client(global)?;
        let mut asked = Export { after: None, origin: self.origin, reason: self.reason };
        let mut text = begin(self.output);
        let mut is_first = true;
        loop {
            match client.ask(&Request::Export(asked.clone())).map_err(asking::failed)? {
                Reply::Exported { decisions, next } => {
                    for row in &decisions {
                        text.push_str(&one(self.output, row, is_first)?);
                        is_first = false;
                    }
                    asked.after = next;
                }
                other => return Err(asking::strange(&other)),
            }
            if asked.after.is_none() {
                text.push_str(end(self.output));
            }
            complete(&text)?;
            text.clear();
            if asked.after.is_none() {
                return Ok(Exit::Success);
            }
        }
    }
}

fn begin(form: Form) -> String {
    match form {
        Form::Plain => String::new(),
        Form::Json => "[".to_owned(),
        Form::Csv => {
            "target,action,origin,reason,created_at,until,remaining_seconds,events\n".to_owned()
        }
    }
}

fn one(form: Form, row: &Row, is_first: bool) -> anyhow::Result<String> {
    Ok(match form {
        Form::Plain if row.action != "ban" => String::new(),
        Form::Plain => format!("{}\n", row.target),
        Form::Json => {
            let comma = if is_first { "" } else { "," };
            format!("{comma}\n{}", serde_json::to_string(row)?)
        }
        Form::Csv => format!(
            "{},{},{},{},{},{},{},{}\n",
            row.target,
            row.action,
            row.origin,
            quoted(&row.reason),
            row.created_at,
            row.until,
            row.remaining_seconds,
            row.events
        ),
    })
}

fn end(form: Form) -> &'static str {
    match form {
        Form::Plain | Form::Csv => "",
        Form::Json => "\n]\n",
    }
}

/// A field as RFC 4180 has it. A text that a spreadsheet would take for a formula stays a text.
fn quoted(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@']) { "'" } else { "" };
    if guard.is_empty() && !text.contains([',', '"', '\n', '\r']) {
        return text.to_owned();
    }
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lists;

    fn row(target: &str, reason: &str) -> Row {
        Row {
            id: 1,
            target: target.to_owned(),
            family: String::new(),
            action: "ban".to_owned(),
            origin: "list".to_owned(),
            reason: reason.to_owned(),
            created_at: "2026-11-23T10:00:00Z".to_owned(),
            until: "2026-11-23T11:00:00Z".to_owned(),
            remaining_seconds: 3_600,
            events: 0,
            limited: None,
        }
    }

    /// What is written is read again, in every form.
    #[test]
    fn what_goes_out_comes_in() {
        let rows = [row("203.0.113.7", "say \"a, b\""), row("2001:db8::/64", "=cmd()")];
        for form in [Form::Plain, Form::Json, Form::Csv] {
            let mut text = begin(form);
            for (number, row) in rows.iter().enumerate() {
                text.push_str(&one(form, row, number == 0).unwrap());
            }
            text.push_str(end(form));
            let list = lists::read(text.as_bytes(), None);
            assert_eq!((list.entries.len(), list.n_mistakes), (2, 0), "{text}");
            assert_eq!(list.entries[1].net.to_string(), "2001:db8::/64");
            if form != Form::Plain {
                assert_eq!(list.entries[0].duration, Some(3_600_000_000_000));
                assert_eq!(list.entries[0].reason.as_deref(), Some("say \"a, b\""));
            }
        }
    }
}
