//! weir.yaml(5), made from the configuration that is installed: it shows all there is to say, and
//! a test holds it to the defaults, so the page cannot say anything else.

use std::fmt::Write as _;

/// The configuration as it is installed, every default in a comment.
const INSTALLED: &str = include_str!("../../../packaging/weir.yaml");

/// Where a comment goes on with an example rather than with prose.
const INDENTED: &str = "  ";

/// What a line of the file is.
#[derive(Debug, PartialEq, Eq)]
enum Piece<'a> {
    Nothing,
    Prose(&'a str),
    /// To be shown as it is.
    Literal(&'a str),
}

fn piece(line: &str) -> Piece<'_> {
    let Some(text) = line.strip_prefix('#') else { return Piece::Nothing };
    let prose = text.strip_prefix(' ').unwrap_or_default();
    // `#key:` is a value; a lone `key:` in prose begins one as well.
    let is_value = !text.starts_with(' ') || text.starts_with(INDENTED);
    let is_lone = prose.ends_with(':') && !prose.contains(' ');
    match text.trim() {
        "" => Piece::Nothing,
        _ if is_lone => Piece::Literal(prose),
        _ if is_value => Piece::Literal(text),
        _ => Piece::Prose(prose),
    }
}

/// Text as roff shows it: nothing in it is a command.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    let is_command = text.starts_with(['.', '\'']);
    if is_command { format!("\\&{text}") } else { text }
}

/// The page.
pub(super) fn page() -> String {
    let mut page = format!(
        ".TH weir.yaml 5 \"\" \"weir {}\" Weir\n\
         .SH NAME\nweir.yaml \\- the configuration of Weir\n\
         .SH SYNOPSIS\n/etc/weir/weir.yaml\n.br\n/etc/weir/conf.d/*.yaml\n\
         .SH DESCRIPTION\nNo file is needed. What follows is all there is to say, with what holds when \
         nothing is said.\n",
        env!("CARGO_PKG_VERSION")
    );
    let (mut is_literal, mut is_apart) = (false, true);
    for line in INSTALLED.lines() {
        let piece = piece(line);
        if is_literal && !matches!(piece, Piece::Literal(_)) {
            page.push_str(".fi\n.RE\n");
            (is_literal, is_apart) = (false, true);
        }
        match piece {
            Piece::Nothing => is_apart = true,
            Piece::Prose(text) => {
                if std::mem::take(&mut is_apart) {
                    page.push_str(".PP\n");
                }
                let _ = writeln!(page, "{}", escaped(text));
            }
            Piece::Literal(text) => {
                if !std::mem::replace(&mut is_literal, true) {
                    page.push_str(".RS 4\n.nf\n");
                }
                let _ = writeln!(page, "{}", escaped(text));
            }
        }
    }
    if is_literal {
        page.push_str(".fi\n.RE\n");
    }
    page.push_str(
        ".SH FILES\n/etc/weir/rules, /etc/weir/lists, /var/lib/weir/ledger.db, /run/weir\n\
         .SH SEE ALSO\n.BR weir (8),\n.BR weir\\-check (8)\n",
    );
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Piece<'_>) {
        assert_eq!(piece(line), expected, "{line}");
    }

    #[test]
    fn prose_and_values_are_told_apart() {
        check("# Where lines come from.", Piece::Prose("Where lines come from."));
        check("#ban: 4h", Piece::Literal("ban: 4h"));
        check("#  - name: udp", Piece::Literal("  - name: udp"));
        check("#     label: syslog", Piece::Literal("     label: syslog"));
        check("# classify:", Piece::Literal("classify:"));
        check("# A source may say more:", Piece::Prose("A source may say more:"));
        check("#", Piece::Nothing);
        check("", Piece::Nothing);
    }

    #[test]
    fn every_line_of_the_file_is_on_the_page_and_none_is_a_command() {
        let page = page();
        let mut n_lines = 0;
        for line in INSTALLED.lines() {
            if let Piece::Prose(text) | Piece::Literal(text) = piece(line) {
                n_lines += 1;
                assert!(page.contains(&format!("\n{}\n", escaped(text))), "{line}");
            }
        }
        assert!(n_lines > 100, "{n_lines}");
        assert_eq!(page.matches(".nf\n").count(), page.matches(".fi\n").count());
        assert_eq!(escaped(".so /etc/passwd"), "\\&.so /etc/passwd");
        assert_eq!(escaped("a\\b-c"), "a\\eb\\-c");
    }
}
