//! Text: cases, trimming, splitting, joining, replacing, finding. Texts are measured in bytes
//! unless something else is said.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bumpalo::collections::String as ArenaString;

use super::{
    Arena, Call, Fault, Function, LONGEST_TEXT, TEXTS, Type, Value, int, list, list_of, option,
    text, too_large,
};

const TEXT: Type = Type::Text;

pub(super) const TABLE: &[Function] = &[
    Function::new("Upper", &[TEXT], TEXT, upper),
    Function::new("upper", &[TEXT], TEXT, upper),
    Function::new("Lower", &[TEXT], TEXT, lower),
    Function::new("lower", &[TEXT], TEXT, lower),
    Function::new("TrimSpace", &[TEXT], TEXT, trim),
    Function::new("trim", &[TEXT], TEXT, trim).with_optional(&[TEXT]),
    Function::new("Trim", &[TEXT, TEXT], TEXT, trim),
    Function::new("TrimLeft", &[TEXT, TEXT], TEXT, trim_left),
    Function::new("TrimRight", &[TEXT, TEXT], TEXT, trim_right),
    Function::new("TrimPrefix", &[TEXT, TEXT], TEXT, trim_prefix),
    Function::new("trimPrefix", &[TEXT, TEXT], TEXT, trim_prefix),
    Function::new("TrimSuffix", &[TEXT, TEXT], TEXT, trim_suffix),
    Function::new("trimSuffix", &[TEXT, TEXT], TEXT, trim_suffix),
    Function::new("hasPrefix", &[TEXT, TEXT], Type::Bool, has_prefix),
    Function::new("hasSuffix", &[TEXT, TEXT], Type::Bool, has_suffix),
    Function::new("Split", &[TEXT, TEXT], TEXTS, split),
    Function::new("SplitN", &[TEXT, TEXT, Type::Int], TEXTS, split),
    Function::new("split", &[TEXT, TEXT], TEXTS, split).with_optional(&[Type::Int]),
    Function::new("SplitAfter", &[TEXT, TEXT], TEXTS, split_after),
    Function::new("SplitAfterN", &[TEXT, TEXT, Type::Int], TEXTS, split_after),
    Function::new("splitAfter", &[TEXT, TEXT], TEXTS, split_after).with_optional(&[Type::Int]),
    Function::new("Fields", &[TEXT], TEXTS, fields),
    Function::new("Join", &[TEXTS, TEXT], TEXT, join),
    Function::new("join", &[TEXTS], TEXT, join).with_optional(&[TEXT]),
    Function::new("Replace", &[TEXT, TEXT, TEXT, Type::Int], TEXT, replace),
    Function::new("ReplaceAll", &[TEXT, TEXT, TEXT], TEXT, replace),
    Function::new("replace", &[TEXT, TEXT, TEXT], TEXT, replace).with_optional(&[Type::Int]),
    Function::new("repeat", &[TEXT, Type::Int], TEXT, repeat),
    Function::new("Index", &[TEXT, TEXT], Type::Int, index_of),
    Function::new("indexOf", &[TEXT, TEXT], Type::Int, index_of),
    Function::new("lastIndexOf", &[TEXT, TEXT], Type::Int, last_index_of),
    Function::new("IndexAny", &[TEXT, TEXT], Type::Int, index_any),
    Function::new("ToString", &[Type::Unknown], TEXT, to_string),
    Function::new("B64Decode", &[TEXT], TEXT, from_base64),
    Function::new("fromBase64", &[TEXT], TEXT, from_base64),
    Function::new("toBase64", &[TEXT], TEXT, to_base64),
];

fn upper<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let source = text(arguments, 0)?;
    if source.is_ascii() {
        if !source.bytes().any(|byte| byte.is_ascii_lowercase()) {
            return Ok(Value::Text(source));
        }
        let copy = call.arena.alloc_str(source);
        copy.make_ascii_uppercase();
        return Ok(Value::Text(copy));
    }
    // One character for one: what has no capital of its own (`ß`) stays.
    let simple = |c: char| {
        let mut mapped = c.to_uppercase();
        match (mapped.next(), mapped.next()) {
            (Some(one), None) => one,
            _ => c,
        }
    };
    Ok(Value::Text(
        ArenaString::from_iter_in(source.chars().map(simple), call.arena).into_bump_str(),
    ))
}

fn lower<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let source = text(arguments, 0)?;
    if source.is_ascii() {
        if !source.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Ok(Value::Text(source));
        }
        let copy = call.arena.alloc_str(source);
        copy.make_ascii_lowercase();
        return Ok(Value::Text(copy));
    }
    let simple = |c: char| c.to_lowercase().next().unwrap_or(c);
    Ok(Value::Text(
        ArenaString::from_iter_in(source.chars().map(simple), call.arena).into_bump_str(),
    ))
}

/// White space, or the characters of the second argument.
fn trim<'a>(_: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let source = text(arguments, 0)?;
    if arguments.len() < 2 {
        return Ok(Value::Text(source.trim()));
    }
    let set = text(arguments, 1)?;
    Ok(Value::Text(source.trim_matches(|c| set.contains(c))))
}

fn trim_left<'a>(_: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let (source, set) = (text(arguments, 0)?, text(arguments, 1)?);
    Ok(Value::Text(source.trim_start_matches(|c| set.contains(c))))
}

fn trim_right<'a>(_: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let (source, set) = (text(arguments, 0)?, text(arguments, 1)?);
    Ok(Value::Text(source.trim_end_matches(|c| set.contains(c))))
}

fn trim_prefix<'a>(_: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let (source, prefix) = (text(arguments, 0)?, text(arguments, 1)?);
    Ok(Value::Text(source.strip_prefix(prefix).unwrap_or(source)))
}

fn trim_suffix<'a>(_: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let (source, suffix) = (text(arguments, 0)?, text(arguments, 1)?);
    Ok(Value::Text(source.strip_suffix(suffix).unwrap_or(source)))
}

fn has_prefix<'a>(_: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    Ok(Value::Bool(text(arguments, 0)?.starts_with(text(arguments, 1)?)))
}

fn has_suffix<'a>(_: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    Ok(Value::Bool(text(arguments, 0)?.ends_with(text(arguments, 1)?)))
}

/// How many parts: no third argument or a negative one means all.
fn parts(arguments: &[Value<'_>]) -> Result<usize, Fault> {
    if option(arguments, 2).is_nil() {
        return Ok(usize::MAX);
    }
    Ok(usize::try_from(int(arguments, 2)?).unwrap_or(usize::MAX))
}

fn split<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let (source, separator) = (text(arguments, 0)?, text(arguments, 1)?);
    match parts(arguments)? {
        0 => Ok(Value::List(&[])),
        most if separator.is_empty() => characters(call.arena, source, most),
        most => list_of(call.arena, source.splitn(most, separator).map(Value::Text)),
    }
}

fn split_after<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let (source, separator) = (text(arguments, 0)?, text(arguments, 1)?);
    let most = parts(arguments)?;
    if most == 0 {
        return Ok(Value::List(&[]));
    }
    if separator.is_empty() {
        return characters(call.arena, source, most);
    }
    let mut rest = Some(source);
    let mut made = 0;
    let pieces = std::iter::from_fn(|| {
        let text = rest?;
        made += 1;
        let cut = if made == most { None } else { text.find(separator) };
        let (piece, after) = match cut {
            Some(at) => {
                let (piece, after) = text.split_at(at + separator.len());
                (piece, Some(after))
            }
            None => (text, None),
        };
        rest = after;
        Some(Value::Text(piece))
    });
    list_of(call.arena, pieces)
}

/// The characters of a text, the last of at most `most` parts holding all that remain.
fn characters<'a>(arena: &'a Arena, source: &'a str, most: usize) -> Result<Value<'a>, Fault> {
    let mut rest = source;
    let mut made = 0;
    let pieces = std::iter::from_fn(|| {
        let first = rest.chars().next()?;
        made += 1;
        let length = if made == most { rest.len() } else { first.len_utf8() };
        let (piece, after) = rest.split_at(length);
        rest = after;
        Some(Value::Text(piece))
    });
    list_of(arena, pieces)
}

fn fields<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    list_of(call.arena, text(arguments, 0)?.split_whitespace().map(Value::Text))
}

fn join<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let items = list(arguments, 0)?;
    let separator = if arguments.len() < 2 { "" } else { text(arguments, 1)? };
    let mut joined = ArenaString::new_in(call.arena);
    for (index, item) in items.iter().enumerate() {
        let Value::Text(item) = item else {
            return Err(Fault::new(format!(
                "argument 1: expected a list of strings, found {} in it",
                item.kind()
            )));
        };
        if joined.len() + separator.len() + item.len() > LONGEST_TEXT {
            return Err(too_large("text"));
        }
        if index > 0 {
            joined.push_str(separator);
        }
        joined.push_str(item);
    }
    Ok(Value::Text(joined.into_bump_str()))
}

fn replace<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let (source, old, new) = (text(arguments, 0)?, text(arguments, 1)?, text(arguments, 2)?);
    let most = match option(arguments, 3) {
        Value::Nil => usize::MAX,
        _ => usize::try_from(int(arguments, 3)?).unwrap_or(usize::MAX),
    };
    if old == new || !source.contains(old) {
        return Ok(Value::Text(source));
    }
    let count = source.matches(old).count().min(most);
    let size = count.checked_mul(new.len()).and_then(|added| added.checked_add(source.len()));
    if size.is_none_or(|size| size > LONGEST_TEXT) {
        return Err(too_large("text"));
    }
    let mut replaced = ArenaString::with_capacity_in(source.len(), call.arena);
    let mut done = 0;
    for (at, _) in source.match_indices(old).take(count) {
        replaced.push_str(source.get(done..at).unwrap_or_default());
        replaced.push_str(new);
        done = at + old.len();
    }
    replaced.push_str(source.get(done..).unwrap_or_default());
    Ok(Value::Text(replaced.into_bump_str()))
}

fn repeat<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let (source, times) = (text(arguments, 0)?, int(arguments, 1)?);
    let Ok(times) = usize::try_from(times) else {
        return Err(Fault::new("argument 2: expected a count, found a negative number"));
    };
    if times > 1_000_000 || times.saturating_mul(source.len()) > LONGEST_TEXT {
        return Err(too_large("text"));
    }
    let mut repeated = ArenaString::with_capacity_in(times * source.len(), call.arena);
    (0..times).for_each(|_| repeated.push_str(source));
    Ok(Value::Text(repeated.into_bump_str()))
}

/// A place in a text as a value, -1 when there is none.
fn place<'a>(at: Option<usize>) -> Result<Value<'a>, Fault> {
    Ok(Value::Int(at.and_then(|at| i64::try_from(at).ok()).unwrap_or(-1)))
}

fn index_of<'a>(_: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    place(text(arguments, 0)?.find(text(arguments, 1)?))
}

fn last_index_of<'a>(_: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    place(text(arguments, 0)?.rfind(text(arguments, 1)?))
}

fn index_any<'a>(_: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let (source, set) = (text(arguments, 0)?, text(arguments, 1)?);
    place(source.find(|c| set.contains(c)))
}

fn to_string<'a>(_: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    Ok(Value::Text(option(arguments, 0).as_text().unwrap_or_default()))
}

fn from_base64<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    // Line breaks within base64 are no part of it.
    let mut source = text(arguments, 0)?.as_bytes().to_vec();
    source.retain(|byte| !matches!(byte, b'\r' | b'\n'));
    let bytes = STANDARD
        .decode(source)
        .map_err(|error| Fault::new(format!("the text is not base64: {error}")))?;
    Ok(Value::Text(call.arena.alloc_str(&String::from_utf8_lossy(&bytes))))
}

fn to_base64<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    Ok(Value::Text(call.arena.alloc_str(&STANDARD.encode(text(arguments, 0)?))))
}

#[cfg(test)]
mod tests {
    use crate::expr::functions::tests::{check, faults};

    #[test]
    fn cases() {
        check("Upper", "['abc']", "'ABC'");
        check("Upper", "['stra\u{df}e \u{e9}']", "'STRA\u{df}E \u{c9}'");
        check("lower", "['ABC']", "'abc'");
        check("Lower", "['\u{130}X\u{3a3}']", "'ix\u{3c3}'");
        faults("Lower", "[nil]", "argument 1: expected string, found nil");
    }

    #[test]
    fn trimming() {
        check("TrimSpace", "['\u{a0} a b\\n']", "'a b'");
        check("trim", "['  a ']", "'a'");
        check("trim", "['__a_', '_']", "'a'");
        check("Trim", "['xyaxy', 'xy']", "'a'");
        check("TrimLeft", "['xyaxy', 'yx']", "'axy'");
        check("TrimRight", "['xyaxy', 'yx']", "'xya'");
        check("TrimPrefix", "['aab', 'a']", "'ab'");
        check("TrimSuffix", "['baa', 'a']", "'ba'");
        check("trimSuffix", "['baa', 'x']", "'baa'");
        check("hasPrefix", "['abc', 'ab']", "true");
        check("hasSuffix", "['abc', 'ab']", "false");
    }

    #[test]
    fn splitting() {
        check("Split", "['a,b', ',']", "['a', 'b']");
        check("Split", "['', ',']", "['']");
        check("Split", "['', '']", "[]");
        check("Split", "['a\u{e9}b', '']", "['a', '\u{e9}', 'b']");
        check("SplitN", "['a,b,c', ',', 2]", "['a', 'b,c']");
        check("SplitN", "['a,b,c', ',', 0]", "[]");
        check("SplitN", "['a,b,c', ',', -1]", "['a', 'b', 'c']");
        check("SplitN", "['abc', '', 2]", "['a', 'bc']");
        check("SplitAfter", "['a,b,', ',']", "['a,', 'b,', '']");
        check("SplitAfterN", "['a,b,c', ',', 2]", "['a,', 'b,c']");
        check("splitAfter", "['abc', '']", "['a', 'b', 'c']");
        check("Fields", "['  a  b\\tc ']", "['a', 'b', 'c']");
    }

    #[test]
    fn joining() {
        check("Join", "[['a', 'b'], '-']", "'a-b'");
        check("join", "[['a', 'b']]", "'ab'");
        check("join", "[[], ',']", "''");
        faults("Join", "[['a', 1], '']", "argument 1: expected a list of strings, found int in it");
    }

    #[test]
    fn replacing() {
        check("Replace", "['aaa', 'a', 'b', 2]", "'bba'");
        check("Replace", "['aaa', 'a', 'b', -1]", "'bbb'");
        check("Replace", "['aaa', 'a', 'b', 0]", "'aaa'");
        check("ReplaceAll", "['ab', '', '-']", "'-a-b-'");
        check("replace", "['aXa', 'X', '']", "'aa'");
        check("repeat", "['ab', 3]", "'ababab'");
        faults("repeat", "['a', 1000001]", "the text would be too large");
        faults("repeat", "['a', -1]", "argument 2: expected a count, found a negative number");
    }

    #[test]
    fn finding() {
        check("Index", "['chicken', 'ken']", "4");
        check("indexOf", "['chicken', 'dmr']", "-1");
        check("lastIndexOf", "['go gopher', 'go']", "3");
        check("IndexAny", "['golang', 'gy']", "0");
        check("IndexAny", "['golang', 'xy']", "-1");
    }

    #[test]
    fn converting() {
        check("ToString", "['a']", "'a'");
        check("ToString", "[5]", "''");
        check("B64Decode", "['aGVsbG8=']", "'hello'");
        check("toBase64", "['hello']", "'aGVsbG8='");
        assert!(
            crate::expr::functions::tests::fault("B64Decode", "['aGVsbG8']").contains("base64")
        );
    }
}
