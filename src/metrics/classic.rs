//! The same exposition in the older text format of Prometheus, for those who do not ask for
//! OpenMetrics: old collectors, `promtool check metrics`, people with a browser.
//!
//! The samples are the same. There, a family has the name of its samples, infos are gauges, and units
//! and the end are not said.

/// An exposition in OpenMetrics as one of version 0.0.4.
#[must_use]
pub fn classic(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(comment) = line.strip_prefix("# ") else {
            out.push_str(line);
            out.push('\n');
            continue;
        };
        let mut words = comment.splitn(3, ' ');
        let (Some(word), Some(name), Some(rest)) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        let kind = match word {
            "TYPE" => rest,
            // The type, which the name depends on, is said in the next line.
            "HELP" => lines.peek().and_then(|next| next.rsplit(' ').next()).unwrap_or_default(),
            _ => continue,
        };
        let (ending, kind) = match kind {
            "counter" => ("_total", kind),
            "info" => ("_info", "gauge"),
            _ => ("", kind),
        };
        let rest = if word == "TYPE" { kind } else { rest };
        out.push_str(&format!("# {word} {name}{ending} {rest}\n"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(open: &str, expected: &str) {
        assert_eq!(classic(open), expected);
    }

    #[test]
    fn families_have_the_names_of_their_samples() {
        check(
            "# HELP weir_lines Lines seen.\n# TYPE weir_lines counter\nweir_lines_total{a=\"# x\"} 3\n",
            "# HELP weir_lines_total Lines seen.\n# TYPE weir_lines_total counter\n\
             weir_lines_total{a=\"# x\"} 3\n",
        );
        check(
            "# HELP weir_build The version.\n# TYPE weir_build info\nweir_build_info{v=\"1\"} 1\n",
            "# HELP weir_build_info The version.\n# TYPE weir_build_info gauge\n\
             weir_build_info{v=\"1\"} 1\n",
        );
    }

    #[test]
    fn units_and_the_end_are_not_said() {
        check(
            "# HELP s S.\n# TYPE s histogram\n# UNIT s seconds\ns_count 1\n# EOF\n",
            "# HELP s S.\n# TYPE s histogram\ns_count 1\n",
        );
    }
}
