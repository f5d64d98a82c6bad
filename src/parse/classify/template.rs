//! The new name of a program, made of what is known of its line.
//!
//! `{tag}`, `{program}`, `{host}`, `{source}`, `{unit}` and `{container}` stand for what the line
//! has; `{tag:2}` for the second of the parts between slashes, `{tag:-1}` for the last one.

use super::Facts;
use crate::value::Arena;

/// A name with places in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Box<[Piece]>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(Box<str>),
    Fact { fact: Fact, part: Option<Part> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fact {
    Source,
    Program,
    Host,
    Unit,
    Container,
}

/// A part between slashes, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    FromStart(usize),
    FromEnd(usize),
}

/// What places may be called.
const FACTS: [(&str, Fact); 6] = [
    ("tag", Fact::Program),
    ("program", Fact::Program),
    ("host", Fact::Host),
    ("source", Fact::Source),
    ("unit", Fact::Unit),
    ("container", Fact::Container),
];

/// Why a name cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A brace alone.
    #[error("`{{` and `}}` come in pairs")]
    Brace,
    /// No such place.
    #[error(
        "`{{{0}}}` stands for nothing: there are `{{tag}}`, `{{host}}`, `{{source}}`, `{{unit}}` \
         and `{{container}}`"
    )]
    Unknown(String),
    /// No number of a part.
    #[error("parts are counted from 1, or from the end as -1, found `{0}`")]
    Part(String),
}

impl Template {
    /// Reads a name.
    ///
    /// # Errors
    /// When braces do not say what they stand for.
    pub fn new(text: &str) -> Result<Self, TemplateError> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, behind) = rest.split_at(at);
            let inner = behind.strip_prefix('{').ok_or(TemplateError::Brace)?;
            let (place, after) = inner.split_once('}').ok_or(TemplateError::Brace)?;
            if !before.is_empty() {
                pieces.push(Piece::Text(before.into()));
            }
            pieces.push(Piece::of(place)?);
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.into()));
        }
        Ok(Self(pieces.into()))
    }

    /// The name, if it is the same for all lines.
    #[must_use]
    pub fn literal(&self) -> Option<&str> {
        match &*self.0 {
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The name for a line. Empty when the line does not have what is asked for.
    pub(super) fn fill<'a>(&'a self, facts: &Facts<'a>, arena: &'a Arena) -> &'a str {
        match &*self.0 {
            [piece] => piece.text(facts),
            pieces => {
                let mut name = bumpalo::collections::String::new_in(arena);
                for piece in pieces {
                    name.push_str(piece.text(facts));
                }
                name.into_bump_str()
            }
        }
    }
}

impl Piece {
    fn of(place: &str) -> Result<Self, TemplateError> {
        let (name, part) = match place.split_once(':') {
            Some((name, part)) => (name, Some(part)),
            None => (place, None),
        };
        let known = FACTS.iter().find(|(known, _)| *known == name);
        let (_, fact) = known.ok_or_else(|| TemplateError::Unknown(place.to_owned()))?;
        let part = part.map(|part| Part::of(part).ok_or_else(|| TemplateError::Part(part.into())));
        Ok(Self::Fact { fact: *fact, part: part.transpose()? })
    }

    fn text<'a>(&'a self, facts: &Facts<'a>) -> &'a str {
        match self {
            Self::Text(text) => text,
            Self::Fact { fact, part } => {
                let text = match fact {
                    Fact::Source => facts.source,
                    Fact::Program => facts.program,
                    Fact::Host => facts.host,
                    Fact::Unit => facts.unit.strip_suffix(".service").unwrap_or(facts.unit),
                    Fact::Container => facts.container,
                };
                part.map_or(text, |part| part.of_text(text))
            }
        }
    }
}

impl Part {
    fn of(number: &str) -> Option<Self> {
        let number: i16 = number.parse().ok()?;
        let place = usize::from(number.unsigned_abs().checked_sub(1)?);
        Some(if number > 0 { Self::FromStart(place) } else { Self::FromEnd(place) })
    }

    fn of_text(self, text: &str) -> &str {
        let part = match self {
            Self::FromStart(place) => text.split('/').nth(place),
            Self::FromEnd(place) => text.rsplit('/').nth(place),
        };
        part.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(template: &str, name: &str) {
        let facts = Facts {
            source: "udp",
            program: "docker/web/5790672ab6a0",
            host: "h",
            unit: "nginx.service",
            container: "web_1",
            facility: None,
        };
        let template = Template::new(template).expect("a template");
        assert_eq!(template.fill(&facts, &Arena::new()), name, "{template:?}");
    }

    #[test]
    fn names() {
        check("nginx", "nginx");
        check("{tag}", "docker/web/5790672ab6a0");
        check("{tag:1}", "docker");
        check("{tag:2}", "web");
        check("{tag:-1}", "5790672ab6a0");
        check("{tag:-2}", "web");
        check("{tag:4}", "");
        check("{tag:-4}", "");
        check("{unit}", "nginx");
        check("{container}-{host}", "web_1-h");
        check("x{source}", "xudp");
        check("", "");
    }

    #[test]
    fn literals() {
        let literal = |text: &str| Template::new(text).unwrap().literal().map(str::to_owned);
        assert_eq!(literal("nginx").as_deref(), Some("nginx"));
        assert_eq!(literal("{tag}"), None);
        assert_eq!(literal("a{tag}"), None);
    }

    #[test]
    fn mistakes() {
        let error = |text: &str| Template::new(text).err();
        assert_eq!(error("{tag"), Some(TemplateError::Brace));
        assert_eq!(error("tag}"), Some(TemplateError::Brace));
        assert_eq!(error("{tga}"), Some(TemplateError::Unknown("tga".to_owned())));
        assert_eq!(error("{tag:0}"), Some(TemplateError::Part("0".to_owned())));
        assert_eq!(error("{tag:x}"), Some(TemplateError::Part("x".to_owned())));
    }
}
