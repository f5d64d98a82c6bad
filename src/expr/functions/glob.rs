//! `Match`: texts against patterns with `*` and `?`.

use super::{Call, Fault, Function, Type, Value, text};

pub(super) const TABLE: &[Function] =
    &[Function::new("Match", &[Type::Text, Type::Text], Type::Bool, matches)];

fn matches<'a>(_: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    Ok(Value::Bool(fits(text(arguments, 0)?.as_bytes(), text(arguments, 1)?.as_bytes())))
}

/// Whether the whole of `text` fits `pattern`, where `*` stands for any bytes and `?` for one.
///
/// What remains of a text when it has come to its end is the empty text, which fits only an empty
/// pattern and a single `*`: `foo*` fits `foo`, `foo**` does not.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to go on when what follows the last star does not fit: the star takes one byte more.
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, t));
                p += 1;
                continue;
            }
            Some(b'?') => {
                (p, t) = (p + 1, t + 1);
                continue;
            }
            Some(byte) if Some(byte) == text.get(t) => {
                (p, t) = (p + 1, t + 1);
                continue;
            }
            _ => {}
        }
        // Only the last star needs to be tried again: whatever an earlier one could take more,
        // this one can take as well.
        let Some((after, from)) = retry else { return false };
        retry = Some((after, from + 1));
        (p, t) = (after, from + 1);
    }
    let rest = pattern.get(p..).unwrap_or_default();
    match rest {
        [] => true,
        // A star that has taken bytes may have been the one that counts here.
        b"*" => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition: recursive, and slow for many stars.
    fn by_definition(pattern: &[u8], text: &[u8]) -> bool {
        if text.is_empty() {
            return pattern.is_empty() || pattern == b"*";
        }
        match pattern {
            [] => false,
            [b'*', rest @ ..] => by_definition(pattern, &text[1..]) || by_definition(rest, text),
            [b'?', rest @ ..] => by_definition(rest, &text[1..]),
            [byte, rest @ ..] => *byte == text[0] && by_definition(rest, &text[1..]),
        }
    }

    #[track_caller]
    fn check(pattern: &str, text: &str, expected: bool) {
        assert_eq!(fits(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        let slow = by_definition(pattern.as_bytes(), text.as_bytes());
        assert_eq!(slow, expected, "{pattern} {text} by definition");
    }

    #[test]
    fn patterns() {
        check("foo", "foo", true);
        check("foo", "bar", false);
        check("foo*", "foo", true);
        check("foo**", "foo", false);
        check("foo*r", "foobazr", true);
        check("foo?ar", "foobar", true);
        check("foo?ar", "foobazr", false);
        check("*foo?ar?", "rafoobare", true);
        check("", "", true);
        check("", "a", false);
        check("*", "", true);
        check("**", "", false);
        check("?", "", false);
        check("*?", "a", true);
        check("A", "a", false);
    }

    #[test]
    fn many_stars_are_quick() {
        let pattern = format!("{}b", "a*".repeat(1000));
        assert!(!fits(pattern.as_bytes(), "a".repeat(20_000).as_bytes()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn as_defined(pattern in "[ab?*]{0,7}", text in "[ab]{0,8}") {
            let fast = fits(pattern.as_bytes(), text.as_bytes());
            prop_assert_eq!(fast, by_definition(pattern.as_bytes(), text.as_bytes()));
        }
    }
}
