//! A grok out of a template: fixed parts as they are, parts that vary by what they are.
//!
//! It begins with `^` and ends in `$`. What no base pattern says, such as all up to a bracket, gets
//! a name of its own, since a grok captures only named patterns.

use std::collections::BTreeSet;

use super::roles::Roles;
use super::template::{Hole, Part, Template};
use super::token::{Clock, Kind};

/// Named patterns that the groks of one parser refer to.
#[derive(Clone, Debug)]
pub struct Syntax {
    prefix: String,
    named: Vec<(String, String)>,
}

impl Syntax {
    /// None yet; their names begin with this.
    #[must_use]
    pub fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned(), named: Vec::new() }
    }

    /// All, in order.
    #[must_use]
    pub fn named(&self) -> &[(String, String)] {
        &self.named
    }

    fn name(&mut self, what: &str, text: &str) -> String {
        if let Some((name, _)) = self.named.iter().find(|(_, known)| known == text) {
            return name.clone();
        }
        let taken = |name: &String| self.named.iter().any(|(known, _)| known == name);
        let plain = format!("{}_{what}", self.prefix);
        let mut numbered = (2..).map(|number| format!("{plain}{number}"));
        let name =
            if taken(&plain) { numbered.find(|name| !taken(name)).unwrap_or(plain) } else { plain };
        self.named.push((name.clone(), text.to_owned()));
        name
    }
}

/// Names of captures.
pub(super) mod captures {
    /// The client's address.
    pub(in crate::discover) const CLIENT: &str = "source_ip";
    /// Its port.
    pub(in crate::discover) const PORT: &str = "source_port";
    /// The user.
    pub(in crate::discover) const USER: &str = "target_user";
    /// The status of an answer.
    pub(in crate::discover) const STATUS: &str = "http_status";
    /// The method of a request.
    pub(in crate::discover) const METHOD: &str = "http_verb";
    /// What a request asks for.
    pub(in crate::discover) const REQUEST: &str = "http_path";
    /// A whole request.
    pub(in crate::discover) const REQUEST_LINE: &str = "http_request";
    /// When it was.
    pub(in crate::discover) const TIME: &str = "logged_at";
    /// What follows.
    pub(in crate::discover) const DETAIL: &str = "detail";
}

/// How much of a template a grok takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All of it.
    Whole,
    /// The parts before this place, and anything behind.
    Head(usize),
}

/// The grok; the parts at the places in `wide` may hold blanks and all else.
#[must_use]
pub fn grok(
    template: &Template,
    roles: &Roles,
    wide: &BTreeSet<usize>,
    extent: Extent,
    syntax: &mut Syntax,
) -> String {
    let mut text = String::from("^");
    let end = match extent {
        Extent::Whole => template.parts.len(),
        Extent::Head(end) => end,
    };
    for (at, part) in template.parts.iter().enumerate().take(end) {
        match part {
            Part::Space(false) => text.push(' '),
            Part::Space(true) => text.push_str(r"\s+"),
            Part::Fixed(fixed) => text.push_str(&escaped(fixed)),
            Part::Hole(hole) => {
                let capture = match capture(roles, at) {
                    Some(captures::REQUEST) if hole.kind == Kind::Quoted => {
                        Some(captures::REQUEST_LINE)
                    }
                    capture => capture,
                };
                if wide.contains(&at) {
                    text.push_str(&reference("GREEDYDATA", capture));
                } else {
                    text.push_str(&self::hole(template, at, hole, capture, syntax));
                }
            }
        }
    }
    match extent {
        Extent::Whole if template.trailing => text.push_str(r"\s*$"),
        Extent::Whole => text.push('$'),
        Extent::Head(_) => text.push_str(&format!("%{{GREEDYDATA:{}}}$", captures::DETAIL)),
    }
    text
}

fn capture(roles: &Roles, at: usize) -> Option<&'static str> {
    let here = |role: Option<usize>| role == Some(at);
    match () {
        () if here(roles.client) => Some(captures::CLIENT),
        () if here(roles.port) => Some(captures::PORT),
        () if here(roles.user) => Some(captures::USER),
        () if here(roles.status) => Some(captures::STATUS),
        () if here(roles.method) => Some(captures::METHOD),
        () if here(roles.request) => Some(captures::REQUEST),
        () if here(roles.time) => Some(captures::TIME),
        () => None,
    }
}

fn reference(name: &str, capture: Option<&str>) -> String {
    match capture {
        Some(capture) => format!("%{{{name}:{capture}}}"),
        None => format!("%{{{name}}}"),
    }
}

fn hole(
    template: &Template,
    at: usize,
    hole: &Hole,
    capture: Option<&str>,
    syntax: &mut Syntax,
) -> String {
    let or_absent = |text: String| if hole.absent { format!("(?:{text}|-)") } else { text };
    // It may be a name or an address, whatever the messages at hand show.
    if names_address(template, at) && capture.is_none() {
        return r"[^\s\[\]]+".to_owned();
    }
    match hole.kind {
        Kind::Absent => "-".to_owned(),
        Kind::Number => or_absent(reference("NUMBER", capture)),
        Kind::Address => or_absent(address(template, at, hole, capture)),
        Kind::Time(clock) => or_absent(time(clock, capture, syntax)),
        Kind::Rest => reference("GREEDYDATA", capture),
        Kind::Quoted => quoted(template, at, hole, capture, syntax),
        _ => word(template, at, hole, capture, syntax),
    }
}

fn address(template: &Template, at: usize, hole: &Hole, capture: Option<&str>) -> String {
    let mapped = if hole.mapped { "(?:::ffff:)?" } else { "" };
    let bare = format!("{mapped}{}", reference("IP", capture));
    match hole.brackets {
        (true, false) => format!(r"\[{bare}\]"),
        (false, _) if !needs_brackets(template, at) => bare,
        _ => format!(r"\[?{bare}\]?"),
    }
}

/// Whether a port follows an address: an IPv6 address is put in brackets then.
pub(super) fn needs_brackets(template: &Template, at: usize) -> bool {
    let is_colon = matches!(template.parts.get(at + 1), Some(Part::Fixed(sign)) if **sign == *":");
    is_colon
        && matches!(template.parts.get(at + 2), Some(Part::Hole(next)) if next.kind == Kind::Number)
}

/// Whether a part is a name that its address in brackets follows.
fn names_address(template: &Template, at: usize) -> bool {
    matches!(
        template.parts.get(at + 1),
        Some(Part::Hole(next)) if next.kind == Kind::Address && next.brackets == (true, false)
    )
}

fn time(clock: Clock, capture: Option<&str>, syntax: &mut Syntax) -> String {
    let named = |syntax: &mut Syntax, text: &str| match capture {
        Some(_) => reference(&syntax.name("TIME", text), capture),
        None => text.to_owned(),
    };
    match clock {
        Clock::Iso => reference("TIMESTAMP_ISO8601", capture),
        Clock::Slashes => named(syntax, "%{DATE_X} %{TIME}"),
        Clock::Http => reference("HTTPDATE", capture),
        Clock::Month => reference("SYSLOGTIMESTAMP", capture),
        Clock::Day => named(syntax, "%{DAY} %{SYSLOGTIMESTAMP} %{YEAR}"),
        Clock::Hours => reference("TIME", capture),
    }
}

fn quoted(
    template: &Template,
    at: usize,
    hole: &Hole,
    capture: Option<&str>,
    syntax: &mut Syntax,
) -> String {
    let is_single = template.examples.first().is_some_and(|example| {
        let found = super::token::tokens(super::token::trimmed(example));
        found.get(at).is_some_and(|token| token.text.starts_with('\''))
    });
    let sign = if is_single { '\'' } else { '"' };
    if hole.is_address() && capture == Some(captures::CLIENT) {
        let mapped = if hole.mapped { "(?:::ffff:)?" } else { "" };
        let inner = format!("{mapped}{}", reference("IP", capture));
        let inner = if hole.absent { format!("(?:{inner}|-|)") } else { inner };
        return format!("{sign}{inner}{sign}");
    }
    let text = match (is_single, hole.escaped) {
        (true, _) => "[^']*".to_owned(),
        (false, true) => r#"(?:[^"\\]|\\.)*"#.to_owned(),
        (false, false) => r#"[^"]*"#.to_owned(),
    };
    match capture {
        Some(_) => format!("{sign}{}{sign}", reference(&syntax.name("TEXT", &text), capture)),
        None => format!("{sign}{text}{sign}"),
    }
}

/// One piece without blanks: all up to the sign that follows, if it never holds that.
fn word(
    template: &Template,
    at: usize,
    hole: &Hole,
    capture: Option<&str>,
    syntax: &mut Syntax,
) -> String {
    let next = match template.parts.get(at + 1) {
        Some(Part::Fixed(text)) => text.chars().next(),
        Some(Part::Hole(next)) if next.kind == Kind::Address && next.brackets.0 => Some('['),
        Some(Part::Hole(next)) if next.kind == Kind::Quoted => Some('"'),
        _ => None,
    };
    let end = next.filter(|c| c.is_ascii_punctuation() && !hole.holds(*c));
    let Some(end) = end else { return reference("NOTSPACE", capture) };
    let text = format!(r"[^\s{}]+", escaped(&end.to_string()));
    match capture {
        Some(_) => reference(&syntax.name("WORD", &text), capture),
        None => text,
    }
}

/// As a pattern that is found where the text is, on one line of a file.
fn escaped(text: &str) -> String {
    let mut pattern = String::new();
    for c in regex_syntax::escape(text).chars() {
        match c {
            c if c.is_control() => pattern.push_str(&format!(r"\x{{{:x}}}", u32::from(c))),
            c => pattern.push(c),
        }
    }
    pattern
}
