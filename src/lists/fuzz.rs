//! The body of a fuzz target: any bytes as a list of any format.

use super::{Format, MOST_TOLD, read};
use crate::decision::parse_net;

/// The first byte says how the list is written, the others are the list. Whatever it is, it is read
/// to its end: each entry has its line and is what it would be alone, each mistake has a line and
/// words fit to be shown, and mistakes are told in a bounded number and all counted.
#[doc(hidden)]
pub fn fuzz_list(data: &[u8]) {
    let [format, bytes @ ..] = data else { return };
    let formats = [None, Some(Format::Plain), Some(Format::Json), Some(Format::Csv)];
    let format = formats[usize::from(*format) % formats.len()];
    let list = read(bytes, format);
    assert!(format.is_none_or(|format| format == list.format));
    let n_lines = 1 + bytes.iter().filter(|byte| **byte == b'\n').count();
    let is_there = |line: u32| (1..=n_lines).contains(&usize::try_from(line).unwrap_or(0));
    for entry in &list.entries {
        assert!(is_there(entry.line), "line {} of {n_lines}", entry.line);
        assert_eq!(parse_net(&entry.net.to_string()), Ok(entry.net));
        assert!(entry.duration.is_none_or(|nanos| nanos > 0));
        assert!(entry.reason.iter().all(|text| !text.chars().any(char::is_control)));
    }
    assert_eq!(list.mistakes.len(), list.n_mistakes.min(MOST_TOLD));
    for mistake in &list.mistakes {
        assert!(is_there(mistake.line), "line {} of {n_lines}", mistake.line);
        assert!(!mistake.message.chars().any(char::is_control), "{:?}", mistake.message);
    }
    assert_eq!(list, read(bytes, Some(list.format)), "told or found out, it is the same");
}
