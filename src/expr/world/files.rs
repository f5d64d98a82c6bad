//! The data files of rules: lists of lines, of regular expressions, of rows, of known robots.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use regex::bytes::Regex;

use super::bots::Bot;
use super::cache::{Cache, Strategy};
use super::lines::Lines;
use super::{bots, patterns};
use crate::expr::table::Table;
use crate::value::Time;

/// All data files, by the name that rules know them by.
#[derive(Debug, Default)]
pub struct Files {
    files: Vec<(Box<str>, DataFile)>,
    /// Where each is in that list.
    places: Table<usize>,
}

/// The contents of one data file, compiled.
#[derive(Debug)]
pub enum DataFile {
    /// `type: string`: its lines.
    Lines(Lines),
    /// `type: regexp`: one regular expression per line.
    Regexps(Regexps),
    /// `type: map`: one JSON object of strings per line.
    Rows(Rows),
    /// `type: bots`: one robot per line.
    Bots(Vec<Bot>),
}

/// The expressions of a file of `type: regexp`.
#[derive(Debug)]
pub struct Regexps {
    /// Matches what any of the expressions matches; `None` for an empty file.
    any: Option<patterns::Any>,
    cache: Option<Mutex<Cache<bool>>>,
}

/// The rows of a file of `type: map`, each saying that a pattern stands for a tag.
#[derive(Debug)]
pub struct Rows {
    rows: Vec<Vec<(Box<str>, Box<str>)>>,
    equals: HashMap<Box<str>, Box<str>>,
    /// One group per pattern would be slower than this: the pattern that is found is told by the
    /// text it found.
    contains: Option<Regex>,
    contains_tags: HashMap<Box<[u8]>, Box<str>>,
    regexps: patterns::Each,
    regexp_tags: Vec<Box<str>>,
}

impl Files {
    /// Registers a file. The first of a name stays; returns false when there was one already.
    pub fn add(&mut self, name: &str, file: DataFile) -> bool {
        let free = self.get(name).is_none();
        if free {
            self.files.push((name.into(), file));
            let names = self.files.iter().enumerate().map(|(at, (name, _))| (name.clone(), at));
            self.places = Table::new(names);
        }
        free
    }

    /// Builds the automata of all of them; without it a file's are built when an expression first
    /// asks for it, which takes that line some milliseconds.
    pub fn warm(&self) {
        self.files.iter().for_each(|(_, file)| file.warm());
    }

    /// The file of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&DataFile> {
        let place = self.places.get(name)?;
        self.files.get(*place).map(|(_, file)| file)
    }
}

impl DataFile {
    /// Whether it is a file of lines without any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Lines(lines) if lines.lines().is_empty())
    }

    /// Reads a file of the kind that rules name as its `type`: `string`, `regexp` (or `regex`),
    /// `map`, `bots`. Empty lines and lines that begin with `#` say nothing.
    ///
    /// # Errors
    /// A sentence with the number of the first line that is wrong.
    pub fn parse(kind: &str, text: &str) -> Result<Self, String> {
        match kind {
            "string" => {
                Ok(Self::Lines(Lines::new(lines(text).map(|(_, line)| line.into()).collect())))
            }
            "regexp" | "regex" => {
                let any = patterns::any_of(lines(text))?;
                Ok(Self::Regexps(Regexps { any, cache: None }))
            }
            "map" => Rows::parse(text).map(Self::Rows),
            "bots" => lines(text).map(bots::parse).collect::<Result<_, _>>().map(Self::Bots),
            _ => Err(format!(
                "there is no kind of data file `{kind}`, only `string`, `regexp`, `map` and `bots`"
            )),
        }
    }

    fn warm(&self) {
        match self {
            Self::Lines(_) => {}
            Self::Regexps(regexps) => regexps.any.iter().for_each(patterns::Any::warm),
            Self::Rows(rows) => rows.regexps.warm(),
            Self::Bots(bots) => bots.iter().for_each(Bot::warm),
        }
    }

    /// Remembers the results of the last `size` searches in a file of regular expressions, each
    /// for `ttl` nanoseconds (0 for ever). No other kind of file has anything to remember.
    #[must_use]
    pub fn with_cache(mut self, size: usize, ttl: i64, strategy: Strategy) -> Self {
        if let Self::Regexps(regexps) = &mut self {
            regexps.cache = Some(Mutex::new(Cache::new(size, ttl, strategy)));
        }
        self
    }
}

/// The lines that say something, with their numbers from 1 on.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split('\n')
        .map(|line| line.strip_suffix('\r').unwrap_or(line))
        .enumerate()
        .map(|(index, line)| (index + 1, line))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

impl Regexps {
    /// Whether any of the expressions matches anywhere in `text`.
    #[must_use]
    pub fn is_match(&self, text: &str, now: Time) -> bool {
        let Some(any) = &self.any else { return false };
        let Some(cache) = &self.cache else { return any.is_match(text) };
        let lock = || cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(text, now) {
            return *known;
        }
        // Searched without the lock: another worker may do the same meanwhile, to the same end.
        let found = any.is_match(text);
        lock().set(text, found, now);
        found
    }
}

impl Rows {
    fn parse(text: &str) -> Result<Self, String> {
        let mut rows: Vec<Vec<(Box<str>, Box<str>)>> = Vec::new();
        let mut equals = HashMap::new();
        let mut contains = Vec::new();
        let mut contains_tags: HashMap<Box<[u8]>, Box<str>> = HashMap::new();
        let mut regexps: Vec<(usize, String)> = Vec::new();
        let mut regexp_tags = Vec::new();
        for (number, line) in lines(text) {
            let row: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line)
                .map_err(|error| format!("line {number}: expected a JSON object: {error}"))?;
            let field = |name: &str| {
                row.get(name)
                    .and_then(serde_json::Value::as_str)
                    .ok_or_else(|| format!("line {number}: expected a string for `{name}`"))
            };
            let (pattern, tag) = (field("pattern")?, field("tag")?);
            match field("type")? {
                "equals" => {
                    equals.insert(pattern.into(), tag.into());
                }
                "contains" => {
                    // Of two alike the first is found.
                    contains_tags.entry(pattern.as_bytes().into()).or_insert_with(|| {
                        contains.push(regex::escape(pattern));
                        tag.into()
                    });
                }
                "regex" => {
                    regexps.push((number, pattern.to_owned()));
                    regexp_tags.push(tag.into());
                }
                other => {
                    return Err(format!(
                        "line {number}: there is no `type` `{other}`, only `equals`, `contains` \
                         and `regex`"
                    ));
                }
            }
            let mut kept = Vec::with_capacity(row.len());
            for (key, value) in &row {
                let value = value
                    .as_str()
                    .ok_or_else(|| format!("line {number}: expected a string for `{key}`"))?;
                kept.push((key.as_str().into(), value.into()));
            }
            rows.push(kept);
        }
        // Alternatives are tried in their order at the leftmost place where any of them is.
        let contains = (!contains.is_empty())
            .then(|| Regex::new(&contains.join("|")))
            .transpose()
            .map_err(|error| error.to_string())?;
        let regexps = patterns::set_of(regexps.iter().map(|(line, text)| (*line, text.as_str())))?;
        Ok(Self { rows, equals, contains, contains_tags, regexps, regexp_tags })
    }

    /// The rows as they stand in the file.
    #[must_use]
    pub fn rows(&self) -> &[Vec<(Box<str>, Box<str>)>] {
        &self.rows
    }

    /// The tag that `text` stands for: the row that equals it, else the leftmost pattern it
    /// contains, else the first expression that matches it.
    #[must_use]
    pub fn tag(&self, text: &str) -> Option<&str> {
        if let Some(tag) = self.equals.get(text) {
            return Some(tag);
        }
        if let Some(found) = self.contains.as_ref().and_then(|regex| regex.find(text.as_bytes())) {
            return self.contains_tags.get(found.as_bytes()).map(|tag| &**tag);
        }
        if self.regexp_tags.is_empty() {
            return None;
        }
        let first = self.regexps.first(text)?;
        self.regexp_tags.get(first).map(|tag| &**tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Time {
        Time::from_seconds(0)
    }

    #[track_caller]
    fn refuses(kind: &str, text: &str, expected: &str) {
        let error = DataFile::parse(kind, text).map(|_| ()).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }

    fn rows(text: &str) -> Rows {
        match DataFile::parse("map", text) {
            Ok(DataFile::Rows(rows)) => rows,
            other => panic!("{other:?}"),
        }
    }

    fn regexps(text: &str) -> Regexps {
        match DataFile::parse("regex", text).map(|file| file.with_cache(2, 0, Strategy::Lru)) {
            Ok(DataFile::Regexps(regexps)) => regexps,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn lines_of_text() {
        let Ok(DataFile::Lines(lines)) = DataFile::parse("string", "a\r\n\n#b\n c \n #d") else {
            panic!("expected lines")
        };
        let lines: Vec<&str> = lines.lines().iter().map(|line| &**line).collect();
        assert_eq!(lines, ["a", " c ", " #d"]);
    }

    #[test]
    fn expressions() {
        let regexps = regexps("^foo\n# x\n(?i)BAR$\n\\d{3}\n[é]");
        regexps.any.as_ref().unwrap().warm();
        for (text, expected) in
            [("foo1", true), ("xfoo", false), ("a bar", true), ("1234", true), ("é", true)]
        {
            assert_eq!(regexps.is_match(text, now()), expected, "{text}");
            assert_eq!(regexps.is_match(text, now()), expected, "{text}, remembered");
        }
        let regexps = self::regexps("^a.b$\n^[^x]$");
        for text in ["aéb", "é", "axb"] {
            assert!(regexps.is_match(text, now()), "{text}");
        }
        refuses("regexp", "a\n\n(b", "line 3: `(b` is no regular expression");
        refuses("regexp", "a)|(b", "line 1");
    }

    #[test]
    fn an_empty_file_matches_nothing() {
        assert!(!regexps("").is_match("", now()));
        assert_eq!(rows("").tag(""), None);
    }

    #[test]
    fn tags() {
        let rows = rows(concat!(
            "{\"pattern\": \"/a\", \"tag\": \"first\", \"type\": \"equals\"}\n",
            "{\"pattern\": \"/a\", \"tag\": \"last\", \"type\": \"equals\"}\n",
            "{\"pattern\": \"bc\", \"tag\": \"bc\", \"type\": \"contains\"}\n",
            "{\"pattern\": \"b\", \"tag\": \"b\", \"type\": \"contains\"}\n",
            "{\"pattern\": \"a.c\", \"tag\": \"a.c\", \"type\": \"contains\"}\n",
            "{\"pattern\": \"^x\", \"tag\": \"x\", \"type\": \"regex\", \"more\": \"m\"}\n",
            "{\"pattern\": \"y$\", \"tag\": \"y\", \"type\": \"regex\"}\n",
        ));
        let check = |text, expected| assert_eq!(rows.tag(text), expected, "{text}");
        check("/a", Some("last"));
        check("/a/", None);
        check("zabcb", Some("bc"));
        check("zab bc", Some("b"));
        check("a.c", Some("a.c"));
        check("abd", Some("b"));
        check("aac", None);
        check("xy", Some("x"));
        check("ay", Some("y"));
        assert_eq!(rows.rows().len(), 7);
    }

    #[test]
    fn rows_that_are_wrong() {
        let row = |text: &str| format!("# rows\n{{{text}}}");
        refuses("map", "[]", "line 1: expected a JSON object");
        refuses("map", &row("\"pattern\": \"a\", \"tag\": \"b\"}"), "line 2");
        refuses("map", &row("\"pattern\": \"a\", \"tag\": \"b\""), "expected a string for `type`");
        refuses("map", &row("\"pattern\": 1, \"tag\": \"b\""), "expected a string for `pattern`");
        refuses(
            "map",
            &row("\"pattern\": \"a\", \"tag\": \"b\", \"type\": \"glob\""),
            "line 2: there is no `type` `glob`",
        );
        refuses(
            "map",
            &row("\"pattern\": \"(\", \"tag\": \"b\", \"type\": \"regex\""),
            "line 2: `(` is no regular expression",
        );
        refuses("lines", "", "there is no kind of data file `lines`");
    }
}
