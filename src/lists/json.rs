//! JSON: an array of texts or objects, or such values one after the other.
//!
//! An object may be an entry itself, or hold some: CrowdSec's tools put decisions into alerts
//! (`decisions`), and its API tells new ones (`new`).

use serde_json::Value;
use serde_json::value::RawValue;

use super::row::{Column, Row, shown};
use super::{List, line_at};

/// Where an object may hold entries.
const WITHIN: [&str; 3] = ["decisions", "new", "entries"];

/// How deep entries may lie.
const DEEPEST: usize = 3;

/// The line of a place, found by going on from the place before.
struct Places<'b> {
    bytes: &'b [u8],
    offset: usize,
    line: u32,
}

impl Places<'_> {
    fn line_of(&mut self, raw: &RawValue) -> u32 {
        let offset = raw.get().as_ptr().addr().wrapping_sub(self.bytes.as_ptr().addr());
        if let Some(between) = self.bytes.get(self.offset..offset) {
            self.line = self.line.saturating_add(line_at(between, between.len()) - 1);
            self.offset = offset;
        }
        self.line
    }
}

pub(super) fn read(bytes: &[u8], list: &mut List) {
    let mut places = Places { bytes, offset: 0, line: 1 };
    for value in serde_json::Deserializer::from_slice(bytes).into_iter::<&RawValue>() {
        match value {
            Ok(raw) => each(raw, &mut places, list, 0),
            Err(error) => {
                let line = u32::try_from(error.line()).unwrap_or(u32::MAX);
                list.mistake(line, format!("this is no JSON: {error}"));
                return;
            }
        }
    }
}

/// Takes the entries of a value that is one, or holds some.
fn each(raw: &RawValue, places: &mut Places<'_>, list: &mut List, depth: usize) {
    let text = raw.get();
    if text.starts_with('[') && depth < DEEPEST {
        // It was read as a whole before, so it is well formed.
        for item in serde_json::from_str::<Vec<&RawValue>>(text).unwrap_or_default() {
            each(item, places, list, depth + 1);
        }
        return;
    }
    let line = places.line_of(raw);
    if !text.starts_with(['{', '"']) {
        let found = shown(text);
        return list.mistake(line, format!("expected a text or an object, found `{found}`"));
    }
    match serde_json::from_str(text) {
        Ok(Value::String(text)) => {
            list.add(line, Row { value: Some(text.trim()), ..Row::default() }.entry(line));
        }
        Ok(Value::Object(fields)) => {
            let within =
                WITHIN.iter().find(|name| matches!(fields.get(**name), Some(Value::Array(_))));
            match within {
                Some(name) if depth < DEEPEST => inner(text, name, places, list, depth),
                _ => list.add(line, object(&fields).and_then(|row| row.as_row().entry(line))),
            }
        }
        Ok(_) => {}
        Err(error) => list.mistake(line, format!("this is no JSON: {error}")),
    }
}

/// The entries that an object holds.
fn inner(text: &str, name: &str, places: &mut Places<'_>, list: &mut List, depth: usize) {
    let fields = serde_json::from_str::<std::collections::BTreeMap<String, &RawValue>>(text);
    if let Some(raw) = fields.ok().and_then(|fields| fields.get(name).copied()) {
        each(raw, places, list, depth + 1);
    }
}

/// The texts of an object's fields.
#[derive(Default)]
struct Texts(Vec<(Column, String)>);

impl Texts {
    fn as_row(&self) -> Row<'_> {
        let mut row = Row::default();
        for (column, text) in &self.0 {
            row.set(*column, text);
        }
        row
    }
}

fn object(fields: &serde_json::Map<String, Value>) -> Result<Texts, String> {
    let mut texts = Texts::default();
    for (name, value) in fields {
        let Some(column) = Column::named(name) else { continue };
        match value {
            Value::String(text) => texts.0.push((column, text.clone())),
            // A number without a unit is one of seconds.
            Value::Number(number) if matches!(column, Column::Seconds | Column::Duration) => {
                texts.0.push((Column::Seconds, number.to_string()));
            }
            Value::Null => {}
            other => {
                return Err(format!(
                    "expected a text in `{}`, found `{}`",
                    shown(name),
                    shown(&other.to_string())
                ));
            }
        }
    }
    Ok(texts)
}
