//! Outside text made fit for a terminal: nothing in it can move the cursor or turn the line around.

use std::borrow::Cow;

/// `text` on one line of at most `most` characters: control characters and those that change the
/// direction of writing are shown as `\u{1b}`, what is too long ends in `…`.
#[must_use]
pub fn printable(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most && !text.chars().any(unfit) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == most {
            shown.push('…');
            break;
        }
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c if unfit(c) => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// One character in the place of `c`, so that columns stay what they are.
pub(super) fn stand_in(c: char) -> char {
    match c {
        '\t' => ' ',
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        c if unfit(c) => '\u{fffd}',
        c => c,
    }
}

/// Control characters, and the invisible ones that reorder or break lines (Unicode's `Bidi_Control`
/// with the line and paragraph separators and the byte order mark).
fn unfit(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, shown: &str) {
        assert_eq!(printable(text, 12), shown);
    }

    #[test]
    fn text_stays_on_its_line() {
        check("plain é", "plain é");
        check("a\nb\tc", "a\\nb\\tc");
        check("\u{1b}[2J", "\\u{1b}[2J");
        check("a\u{202e}b", "a\\u{202e}b");
        check("0123456789abcdef", "0123456789ab…");
        assert_eq!(stand_in('\u{1b}'), '␛');
        assert_eq!(stand_in('\u{202e}'), '\u{fffd}');
    }
}
