//! Series out of an exposition: for those who show what is counted and must not count it again.

use std::borrow::Cow;

/// One series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series<'t> {
    /// The metric's whole name.
    pub name: &'t str,
    labels: Vec<(&'t str, Cow<'t, str>)>,
    value: &'t str,
}

impl Series<'_> {
    /// The value of a label; empty when it has none.
    #[must_use]
    pub fn label(&self, name: &str) -> &str {
        self.labels.iter().find(|(label, _)| *label == name).map_or("", |(_, value)| value)
    }

    /// Its value as a count; 0 where it is negative or no number.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
    pub fn count(&self) -> u64 {
        self.value.parse().unwrap_or_else(|_| self.value.parse::<f64>().map_or(0, |v| v as u64))
    }
}

/// All series of an exposition, in its order. What is no series is passed over.
pub fn series(exposition: &str) -> impl Iterator<Item = Series<'_>> {
    exposition.lines().filter(|line| !line.starts_with('#')).filter_map(one)
}

fn one(line: &str) -> Option<Series<'_>> {
    let end = line.find(['{', ' '])?;
    let (name, rest) = line.split_at(end);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Vec::new(), rest),
    };
    // Behind the value there may be a time and an exemplar.
    let value = rest.strip_prefix(' ')?.split(' ').next()?;
    Some(Series { name, labels, value })
}

type Labels<'t> = Vec<(&'t str, Cow<'t, str>)>;

/// The labels up to the closing brace, and what stands behind it.
fn labels(mut rest: &str) -> Option<(Labels<'_>, &str)> {
    let mut labels = Vec::new();
    loop {
        if let Some(behind) = rest.strip_prefix('}') {
            return Some((labels, behind));
        }
        rest = rest.strip_prefix(',').unwrap_or(rest);
        let (name, behind) = rest.split_once("=\"")?;
        let (value, behind) = quoted(behind)?;
        labels.push((name, value));
        rest = behind;
    }
}

/// The text up to the closing quotation mark, and what stands behind it.
fn quoted(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let mut is_escaped = false;
    let mut has_escapes = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => (is_escaped, has_escapes) = (true, true),
            '"' => {
                let value = &text[..at];
                let value = if has_escapes { unescaped(value).into() } else { value.into() };
                return Some((value, &text[at + 1..]));
            }
            _ => {}
        }
    }
    None
}

fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => match characters.next() {
                Some('n') => plain.push('\n'),
                Some(c) => plain.push(c),
                None => {}
            },
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::super::{BySource, Metrics, exposition};
    use super::*;

    /// The expected is the name, each label and the count, with `|` between.
    #[track_caller]
    fn check(line: &str, expected: &str) {
        let shown = one(line).map_or_else(String::new, |found| {
            let labels = found.labels.iter().map(|(name, value)| format!("{name}={value}|"));
            format!("{}|{}{}", found.name, labels.collect::<String>(), found.count())
        });
        assert_eq!(shown, expected, "{line}");
    }

    #[test]
    fn lines_of_an_exposition() {
        check("a 1", "a|1");
        check("a{} 1.0", "a|1");
        check("a{b=\"c\"} 18446744073709551615", "a|b=c|18446744073709551615");
        check("a{b=\"c\",d=\"\"} -3 1700000000", "a|b=c|d=|0");
        check("a{b=\"}\\\"\\\\\\n,\"} 2 # {x=\"y\"} 1", "a|b=}\"\\\n,|2");
        check("a{b=\"c} 2", "");
        check("a{b=\"c\"}", "");
        check("a", "");
        check("", "");
    }

    #[test]
    fn what_was_exposed_is_read() {
        let metrics = Metrics::default();
        let hostile = "a\"b\\c\nd";
        metrics.lines_received.get_or_create(&BySource { source: hostile.into() }).inc_by(7);
        let text = exposition(&metrics.registry());
        let found = series(&text).find(|series| series.name == "weir_lines_received_total");
        let found = found.expect("the series");
        assert_eq!((found.label("source"), found.label("none"), found.count()), (hostile, "", 7));
    }
}
