//! An address or a prefix on each line.

use super::List;
use super::row::{Row, shown};

pub(super) fn read(bytes: &[u8], list: &mut List) {
    for (line, text) in (1_u32..).zip(bytes.split(|byte| *byte == b'\n')) {
        let end = text.iter().position(|byte| matches!(byte, b'#' | b';')).unwrap_or(text.len());
        let text = text.get(..end).unwrap_or(text).trim_ascii();
        if text.is_empty() {
            continue;
        }
        let entry = match std::str::from_utf8(text) {
            Ok(text) if text.contains(char::is_whitespace) => Err(format!(
                "expected an address or a prefix alone on its line, found `{}`",
                shown(text)
            )),
            Ok(text) => Row { value: Some(text), ..Row::default() }.entry(line),
            Err(_) => Err("expected an address or a prefix, found what is no UTF-8".to_owned()),
        };
        list.add(line, entry);
    }
}
