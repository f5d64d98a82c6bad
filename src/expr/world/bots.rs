//! Robots that are known to be what they say they are, from files of `type: bots`.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Deserialize;

use super::patterns;
use crate::value::Ranges;

/// A robot: how it looks and where it comes from.
#[derive(Debug)]
pub struct Bot {
    /// Its user agents; `None` when any will do.
    user_agent: Option<patterns::Any>,
    /// The paths it asks for; `None` when any will do.
    paths: Option<patterns::Any>,
    ranges: Ranges,
    /// The names of its hosts, `None` when it has no say.
    names: Option<patterns::Any>,
}

#[derive(Deserialize)]
struct Line {
    name: String,
    #[serde(default)]
    user_agent: Texts,
    #[serde(default)]
    paths: Texts,
    #[serde(default)]
    ips: Texts,
    #[serde(default)]
    ranges: Texts,
    #[serde(default)]
    rdns: Texts,
}

/// One text or a list of them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Texts {
    One(String),
    Many(Vec<String>),
}

impl Default for Texts {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl Texts {
    fn iter(&self) -> impl Iterator<Item = &str> {
        let texts = match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts,
        };
        texts.iter().map(String::as_str).filter(|text| !text.is_empty())
    }
}

/// Reads one line of the file.
pub(super) fn parse((number, line): (usize, &str)) -> Result<Bot, String> {
    let line: Line = serde_json::from_str(line)
        .map_err(|error| format!("line {number}: expected a robot as a JSON object: {error}"))?;
    if line.name.is_empty() {
        return Err(format!("line {number}: expected a `name` that is not empty"));
    }
    // Robots and the people who list them do not agree on upper and lower case.
    let any_of = |texts: &Texts| {
        let folded: Vec<String> = texts.iter().map(|text| format!("(?i:{text})")).collect();
        patterns::any_of(folded.iter().map(|text| (number, text.as_str())))
    };
    let wrong = |what: &str, text: &str| format!("line {number}: `{text}` is no {what}");
    let mut ranges = Vec::new();
    for text in line.ips.iter() {
        let address: IpAddr = text.parse().map_err(|_| wrong("address", text))?;
        ranges.push(IpNet::from(address));
    }
    for text in line.ranges.iter() {
        ranges.push(text.parse().map_err(|_| wrong("range of addresses", text))?);
    }
    Ok(Bot {
        user_agent: any_of(&line.user_agent)?,
        paths: any_of(&line.paths)?,
        ranges: Ranges::new(ranges.into_iter()),
        names: any_of(&line.rdns)?,
    })
}

impl Bot {
    /// Whether a request looks like this robot's.
    #[must_use]
    pub fn looks_like(&self, user_agent: &str, path: &str) -> bool {
        let fits = |pattern: &Option<patterns::Any>, text: &str| {
            pattern.as_ref().is_none_or(|pattern| pattern.is_match(text))
        };
        fits(&self.user_agent, user_agent) && fits(&self.paths, path)
    }

    pub(super) fn warm(&self) {
        [&self.user_agent, &self.paths, &self.names]
            .into_iter()
            .flatten()
            .for_each(patterns::Any::warm);
    }

    /// Whether `address` is one of this robot's own.
    #[must_use]
    pub fn owns(&self, address: IpAddr) -> bool {
        self.ranges.contain(address)
    }

    /// Whether hosts of this robot have names, and so a name may prove an address.
    #[must_use]
    pub fn has_names(&self) -> bool {
        self.names.is_some()
    }

    /// Whether `name` is the name of one of this robot's hosts.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        let name = name.strip_suffix('.').unwrap_or(name);
        self.names.as_ref().is_some_and(|names| names.is_match(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bot(line: &str) -> Bot {
        parse((1, line)).expect("well-formed")
    }

    #[test]
    fn looks_and_origins() {
        let bot = bot(concat!(
            "{\"name\": \"g\", \"user_agent\": \"googlebot\", \"paths\": [\"^/a\", \"^/b\"], ",
            "\"ips\": [\"192.0.2.1\"], \"ranges\": [\"198.51.100.0/24\"], ",
            "\"rdns\": [\"\\\\.google\\\\.com$\"]}"
        ));
        assert!(bot.looks_like("Mozilla GoogleBot/2", "/B"));
        assert!(!bot.looks_like("Mozilla GoogleBot/2", "/c"));
        assert!(!bot.looks_like("curl", "/a"));
        assert!(bot.owns("192.0.2.1".parse().expect("address")));
        assert!(bot.owns("198.51.100.7".parse().expect("address")));
        assert!(!bot.owns("192.0.2.2".parse().expect("address")));
        assert!(bot.has_names() && bot.is_named("crawl.Google.com."));
        assert!(!bot.is_named("google.com.evil.example"));
    }

    #[test]
    fn a_robot_without_origins_owns_nothing() {
        let bot = bot("{\"name\": \"x\"}");
        assert!(bot.looks_like("anything", "/"));
        assert!(!bot.owns("192.0.2.1".parse().expect("address")));
        assert!(!bot.is_named("a.example"));
    }

    #[test]
    fn lines_that_are_wrong() {
        for (line, expected) in [
            ("{}", "line 7: expected a robot"),
            ("{\"name\": \"\"}", "line 7: expected a `name`"),
            ("{\"name\": \"x\", \"ips\": [\"1.2\"]}", "line 7: `1.2` is no address"),
            ("{\"name\": \"x\", \"ranges\": [\"1.2.3.4/33\"]}", "is no range"),
            ("{\"name\": \"x\", \"rdns\": [\"(\"]}", "is no regular expression"),
        ] {
            let error = parse((7, line)).map(|_| ()).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
