//! What a client fills may hold anything: blanks, signs, things that look like addresses. A message
//! with such words has other tokens than its kind, and so a template of its own.
//!
//! Where a template begins as another up to a part that a client fills, and goes on behind as that
//! one does, all between is that part. It becomes one part here too, so that nothing in it is
//! taken for the client's address.

use std::collections::BTreeMap;

use super::roles::Roles;
use super::template::{Hole, Part, Template};
use super::token::Kind;

/// Parts behind by which the end of a part is known.
const BEHIND: usize = 3;

/// A part that a client fills: all before it, and the first parts behind.
type Slot = (Vec<String>, Vec<String>);

/// Folds all templates by what their roles say of the others.
pub(super) fn fold(templates: &mut [Template], roles: &[Roles]) {
    let mut slots: BTreeMap<Slot, u64> = BTreeMap::new();
    for (template, roles) in templates.iter().zip(roles) {
        for claim in roles.claims.iter().copied() {
            let looks = |parts: &[Part]| parts.iter().map(look).collect::<Vec<_>>();
            let behind = template.parts.get(claim + 1..).unwrap_or_default();
            let behind = looks(behind.get(..BEHIND.min(behind.len())).unwrap_or_default());
            // Only what is fixed says where it ends.
            let is_fixed = |look: &String| look.trim() != "" && !look.contains('\0');
            if !behind.iter().any(is_fixed) || claim == 0 {
                continue;
            }
            let before = looks(template.parts.get(..claim).unwrap_or_default());
            *slots.entry((before, behind)).or_default() += template.count;
        }
    }
    let mut slots: Vec<(Slot, u64)> = slots.into_iter().collect();
    slots.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    for template in templates {
        let looks: Vec<String> = template.parts.iter().map(look).collect();
        let found = slots.iter().find_map(|((before, behind), count)| {
            let at = before.len();
            if *count < template.count || !looks.starts_with(before) {
                return None;
            }
            // The last: what a client wrote may look like what follows, but comes before it.
            let rest = looks.get(at..)?;
            let end = rest.windows(behind.len()).rposition(|window| window == behind)?;
            let is_one = end == 1 && matches!(template.parts.get(at), Some(Part::Hole(hole)) if hole.kind == Kind::Word);
            (end > 0 && !is_one).then_some((at, end))
        });
        if let Some((at, length)) = found {
            let hole = Part::Hole(Hole::any());
            template.parts.splice(at..at + length, [hole]);
            template.folded = Some((at, length));
        }
    }
}

/// What a part looks like: fixed parts as they are, all that varies alike.
fn look(part: &Part) -> String {
    match part {
        Part::Space(_) => " ".to_owned(),
        Part::Fixed(text) => text.to_string(),
        Part::Hole(hole) if hole.kind == Kind::Quoted => "\"\"".to_owned(),
        // No text of a message has this.
        Part::Hole(_) => "\0".to_owned(),
    }
}
