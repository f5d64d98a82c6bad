//! Patterns that take the address to be banned from a line, and could be deceived about it.

use std::ops::Range;
use std::sync::Arc;

use super::forgery::{self, Forgery, Study};
use crate::diagnostic::{Diagnostic, UserFile};
use crate::parse::spec::{Outline, Search, Written};
use crate::value::{Names, Section, Slot};
use crate::yaml::Node;

/// No example of a deceived line is shown longer.
const LONGEST: usize = 300;

/// Words in the names of captures that hold what a client sends.
const CLIENTS: &[&str] = &[
    "account",
    "agent",
    "args",
    "banner",
    "body",
    "client",
    "cmd",
    "command",
    "content",
    "cookie",
    "data",
    "detail",
    "details",
    "ehlo",
    "email",
    "endpoint",
    "filename",
    "fqdn",
    "header",
    "helo",
    "host",
    "hostname",
    "ident",
    "login",
    "mail",
    "message",
    "msg",
    "parameters",
    "params",
    "passwd",
    "password",
    "path",
    "payload",
    "query",
    "rcpt",
    "rdns",
    "reason",
    "recipient",
    "referer",
    "referrer",
    "request",
    "sender",
    "subject",
    "target",
    "text",
    "title",
    "uri",
    "url",
    "user",
    "useragent",
    "username",
    "verb",
];

/// Words in the names of captures that the program writes itself, whatever else the name says.
const PROGRAMS: &[&str] = &[
    "bytes", "category", "code", "country", "date", "duration", "id", "ip", "len", "length",
    "level", "pid", "pool", "port", "proxy", "response", "size", "status", "thread", "time",
    "took", "type", "upstream", "zone",
];

/// Looks at all patterns of a rule from which the address is taken that is banned.
pub(super) fn look(
    outline: &Outline<'_>,
    file: &Arc<UserFile>,
    names: &Names,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let Some(source) = names.find(Section::Meta, "source_ip") else { return };
    let mut addresses = vec![source];
    // A field may come to the address by way of others.
    loop {
        let known = addresses.len();
        grow(outline, names, &mut addresses);
        if addresses.len() == known {
            break;
        }
    }
    searches(outline, &addresses, file, diagnostics);
}

/// Adds the fields that an address is computed from.
fn grow(outline: &Outline<'_>, names: &Names, addresses: &mut Vec<Slot>) {
    for write in &outline.writes {
        let Written::Computed(program) = &write.with else { continue };
        if !addresses.contains(&write.slot) {
            continue;
        }
        for slot in program.fields() {
            let section = names.name(slot).map(|(section, _)| section);
            if section == Some(Section::Parsed) && !addresses.contains(&slot) {
                addresses.push(slot);
            }
        }
    }
    outline.children.iter().for_each(|child| grow(child, names, addresses));
}

fn searches(
    outline: &Outline<'_>,
    addresses: &[Slot],
    file: &Arc<UserFile>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    if let Some(search) = &outline.search {
        let fields = search.fields.iter().enumerate();
        let is_address = |slot: &Option<Slot>| slot.is_some_and(|slot| addresses.contains(&slot));
        let found = fields.filter(|(_, slot)| is_address(slot)).map(|(index, _)| index);
        let found: Vec<usize> = found.collect();
        let mut studies: Vec<Study<'_>> =
            found.iter().filter_map(|index| Study::new(search.grok, *index)).collect();
        diagnostics.extend(forged(search, &found, &mut studies, file));
        diagnostics.extend(open(search, &mut studies, file));
    }
    outline.children.iter().for_each(|child| searches(child, addresses, file, diagnostics));
}

/// The worst way to deceive a pattern about one of its addresses.
fn forged(
    search: &Search<'_>,
    addresses: &[usize],
    studies: &mut [Study<'_>],
    file: &Arc<UserFile>,
) -> Option<Diagnostic> {
    let captures = search.grok.captures();
    let name = |forgery: &Forgery| Some(&**captures.get(forgery.capture?)?);
    let found = studies.iter_mut().flat_map(Study::forgeries);
    // An address before the address, such as that of the server, is not a client's words.
    let found =
        found.filter(|forgery| forgery.capture.is_none_or(|capture| !addresses.contains(&capture)));
    let worst = found.max_by_key(|each| (name(each).is_some_and(is_clients), each.before))?;
    let mut example: String = worst.line.chars().take(LONGEST).collect();
    if example.len() < worst.line.len() {
        example.push('…');
    }
    let advice = "match the words with what cannot hold the rest of the line, such as \
                  `%{NOTSPACE}`, or take the last address with `%{GREEDYDATA}` and end in `$`";
    let help = format!(
        "{advice}; `{}` was taken for the address of the client `{}` in this line: {example}",
        forgery::FORGED,
        forgery::TRUE
    );
    let (span, words) = match name(&worst) {
        Some(name) => (reference(search.node, name), format!("`{name}`")),
        None => (search.node.span.clone(), "a wildcard here".to_owned()),
    };
    let told =
        |message: String| Diagnostic::error(file, span, "forged-address", message).with_help(help);
    Some(if name(&worst).is_some_and(is_clients) {
        told(format!("whoever chooses the words of {words} chooses the address that is banned"))
            .warning()
    } else {
        told(format!(
            "whoever could choose the words of {words} could choose the address that is banned"
        ))
        .note()
    })
}

/// What a pattern leaves open at its ends, as far as it makes a difference.
fn open(search: &Search<'_>, studies: &mut [Study<'_>], file: &Arc<UserFile>) -> Vec<Diagnostic> {
    let mut told = Vec::new();
    let note = |code, message: &str, help: &str| {
        let span = search.node.span.clone();
        Diagnostic::error(file, span, code, message).with_help(help).note()
    };
    let open: Vec<_> = studies.iter_mut().map(Study::open).collect();
    if open.iter().any(|open| open.start) {
        told.push(note(
            "open-start",
            "this pattern takes an address, and may begin anywhere: also within what a client sent",
            "begin it with `^`, if the message begins with it",
        ));
    }
    if open.iter().any(|open| open.end) {
        told.push(note(
            "open-end",
            "this pattern takes the last address that fits: also one in what follows the right one",
            "spell out what follows the address, and end in `$`",
        ));
    }
    told
}

/// The reference that captures `name`, if it is in this pattern; else the whole of it.
fn reference(node: &Node, name: &str) -> Range<usize> {
    let text = node.text().unwrap_or_default();
    let Some(end) = text.find(&format!(":{name}}}")) else { return node.span.clone() };
    let start = text[..end].rfind("%{").unwrap_or(end);
    node.locate_range(start..end + name.len() + 2)
}

/// Whether a capture of this name holds what a client sends, as far as its name tells.
fn is_clients(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let mut words = name.split(|c: char| !c.is_ascii_alphabetic());
    let is_programs = words.clone().any(|word| PROGRAMS.contains(&word));
    let ends = ["user", "username", "uri", "url", "host", "agent", "login"];
    let holds = |word: &str| CLIENTS.contains(&word) || ends.iter().any(|end| word.ends_with(end));
    !is_programs && words.any(holds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_whose_words_they_hold() {
        for name in ["user", "ssh_user", "http_user_agent", "targeturi", "dovecot_detail", "Login1"]
        {
            assert!(is_clients(name), "{name}");
        }
        for name in ["timestamp", "request_time", "user_id", "proxy_upstream_name", "iface", ""] {
            assert!(!is_clients(name), "{name}");
        }
    }
}
