//! Writing values as JSON, keys sorted, with `<`, `>` and `&` escaped so that the text may stand
//! in a page.

use crate::expr::functions::format::exponent_form;
use crate::expr::functions::{LONGEST_TEXT, too_large};
use crate::value::{Fault, Value};

/// Values may be nested only so deep, because writing them recurses.
const DEEPEST: usize = 512;

/// On one line, without spaces.
pub(super) fn compact(value: Value<'_>) -> Result<String, Fault> {
    let mut writer = Writer { out: String::new(), indent: false };
    writer.value(value, 0)?;
    Ok(writer.out)
}

/// On many lines, each level indented by two spaces.
pub(super) fn indented(value: Value<'_>) -> Result<String, Fault> {
    let mut writer = Writer { out: String::new(), indent: true };
    writer.value(value, 0)?;
    Ok(writer.out)
}

struct Writer {
    out: String,
    indent: bool,
}

impl Writer {
    fn value(&mut self, value: Value<'_>, depth: usize) -> Result<(), Fault> {
        if depth > DEEPEST {
            return Err(Fault::new("the value is nested too deeply for JSON"));
        }
        if self.out.len() > LONGEST_TEXT {
            return Err(too_large("text"));
        }
        match value {
            Value::Nil => self.out.push_str("null"),
            Value::Bool(truth) => self.out.push_str(if truth { "true" } else { "false" }),
            Value::Int(number) | Value::Duration(number) => self.out.push_str(&number.to_string()),
            Value::Float(number) => self.out.push_str(&float(number)?),
            Value::Text(text) => self.text(text),
            Value::Time(time) => self.text(&time.rfc3339()),
            Value::List(items) => {
                self.out.push('[');
                for (index, item) in items.iter().enumerate() {
                    self.separate(index, depth + 1);
                    self.value(*item, depth + 1)?;
                }
                self.close(items.is_empty(), depth, ']');
            }
            Value::Map(map) => {
                let mut entries = Vec::new();
                map.each(&mut |key, value| entries.push((key, value)));
                entries.sort_unstable_by_key(|(key, _)| *key);
                self.out.push('{');
                for (index, (key, value)) in entries.iter().enumerate() {
                    self.separate(index, depth + 1);
                    self.text(key);
                    self.out.push_str(if self.indent { ": " } else { ":" });
                    self.value(*value, depth + 1)?;
                }
                self.close(entries.is_empty(), depth, '}');
            }
            Value::Object(object) => {
                let kind = object.shape().name;
                return Err(Fault::new(format!("{kind} cannot be written as JSON")));
            }
        }
        Ok(())
    }

    fn separate(&mut self, index: usize, depth: usize) {
        if index > 0 {
            self.out.push(',');
        }
        self.line(depth);
    }

    fn close(&mut self, empty: bool, depth: usize, bracket: char) {
        if !empty {
            self.line(depth);
        }
        self.out.push(bracket);
    }

    fn line(&mut self, depth: usize) {
        if self.indent {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n("  ", depth));
        }
    }

    fn text(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\u{8}' => self.out.push_str("\\b"),
                '\u{c}' => self.out.push_str("\\f"),
                '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..'\u{20}' => {
                    self.out.push_str(&format!("\\u{:04x}", u32::from(c)));
                }
                _ => self.out.push(c),
            }
        }
        self.out.push('"');
    }
}

fn float(number: f64) -> Result<String, Fault> {
    if !number.is_finite() {
        return Err(Fault::new(format!("{number} cannot be written as JSON")));
    }
    let size = number.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = exponent_form(number, None, 'e');
        // `1e-07` is written `1e-7`.
        return Ok(text.replace("e-0", "e-"));
    }
    Ok(format!("{number}"))
}
