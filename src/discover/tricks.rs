//! Messages with other words in them: another client, and words of a client that pretend to be the
//! rest of the message.

use super::pattern::needs_brackets;
use super::roles::Roles;
use super::template::{Part, Template};
use super::token::{tokens, trimmed};

/// The address that the program logged, and the one that a forger names. Both are for
/// documentation (RFC 5737).
pub(super) const TRUE: &str = "192.0.2.7";
pub(super) const FORGED: &str = "203.0.113.66";

/// Messages are not made longer than this, in bytes.
const LONGEST: usize = 2000;

/// The message with another client; an IPv6 address in brackets where a port follows.
pub(super) fn with_client(
    template: &Template,
    roles: &Roles,
    message: &str,
    client: &str,
) -> Option<String> {
    let at = roles.client?;
    let Some(Part::Hole(hole)) = template.parts.get(at) else { return None };
    let message = trimmed(message);
    let found = tokens(message);
    let place = template.token(at);
    let token = found.get(place)?;
    token.address()?;
    let text = match token.text.chars().next()? {
        quote @ ('"' | '\'') => format!("{quote}{client}{quote}"),
        _ if hole.brackets == (true, false) => format!("[{client}]"),
        _ if needs_brackets(template, at) && client.contains(':') => format!("[{client}]"),
        _ => client.to_owned(),
    };
    with_token(message, place, &text)
}

/// The message with another text in the place of a part.
pub(super) fn with_part(
    template: &Template,
    message: &str,
    at: usize,
    text: &str,
) -> Option<String> {
    with_token(message, template.token(at), text)
}

fn with_token(message: &str, at: usize, text: &str) -> Option<String> {
    let found = tokens(message);
    found.get(at)?;
    let parts = found.iter().enumerate();
    Some(parts.map(|(place, token)| if place == at { text } else { token.text }).collect())
}

/// Messages from [`TRUE`] in which what a client fills holds a copy of the message, with
/// [`FORGED`] for the client: whatever characters the messages at hand show there.
pub(super) fn forged(template: &Template, roles: &Roles) -> Vec<String> {
    let Some(client) = roles.client else { return Vec::new() };
    let examples = template.examples.iter();
    let honest = examples
        .filter_map(|example| with_client(template, roles, example, TRUE))
        .find(|message| message.len() * 3 <= LONGEST);
    let Some(honest) = honest else { return Vec::new() };
    let Some(forged) = with_client(template, roles, &honest, FORGED) else { return Vec::new() };
    let found = tokens(&forged);
    let rest = |from: usize| -> String {
        let from = found.get(from..).unwrap_or_default();
        from.iter().map(|token| token.text).collect()
    };
    let mut tricks = Vec::new();
    for claim in roles.claims.iter().take(4) {
        let place = template.token(*claim);
        let mut copies = vec![rest(0)];
        // From the other parts that a client fills on, which is what a careless pattern looks for.
        copies.extend(roles.claims.iter().take(4).map(|from| rest(template.token(*from) + 1)));
        if *claim < client {
            copies.push(rest(place + 1));
        }
        for copy in copies {
            let endings = [format!("x{copy}"), format!("x {copy}"), format!("x{copy} y")];
            tricks.extend(endings.iter().filter_map(|words| with_token(&honest, place, words)));
        }
    }
    tricks.retain(|trick| trick.len() <= LONGEST);
    tricks.sort_unstable();
    tricks.dedup();
    tricks
}
