//! Profiles as they are written: a YAML mapping, checked key by key.

use std::sync::Arc;

use super::profile::{Filter, OnFault, Profile, Sentence, VARIABLES, is_bannable};
use crate::decision::Action;
use crate::diagnostic::{Diagnostic, UserFile};
use crate::expr::{Environment, Program};
use crate::value::{Names, Type, parse_duration_with_days};
use crate::yaml::{Fields, Node};

/// Reads and compiles a profile. `duration` is for how many nanoseconds a decision holds that says
/// nothing of it. There is no profile when one of the diagnostics is an error.
#[must_use]
pub fn load(
    node: &Node,
    file: &Arc<UserFile>,
    duration: i64,
) -> (Option<Profile>, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let profile = load_profile(node, file, duration, &mut diagnostics)
        .filter(|_| !diagnostics.iter().any(Diagnostic::is_error));
    (profile, diagnostics)
}

fn load_profile(
    node: &Node,
    file: &Arc<UserFile>,
    duration: i64,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Profile> {
    let mut fields = Fields::of(node, file, "a profile", diagnostics)?;
    // What happens on failure means nothing in the dialect either.
    fields.allow(&["debug", "on_failure"]);
    let name = fields.required_text("name").map_or("", |name| name.value).to_owned();
    fields.require("filters");
    let filters = load_filters(&mut fields);
    let items = fields.list("decisions");
    let mut sentences: Vec<Sentence> = items
        .iter()
        .filter_map(|item| load_sentence(item, file, duration, fields.diagnostics()))
        .collect();
    let computed = fields.scalar("duration_expr").and_then(|node| {
        let kinds = [Type::Text, Type::Duration];
        compile(node, &kinds, "`duration_expr` must give a duration or its text", &mut fields)
    });
    let may_grow = !fields.has("duration_expr");
    sentences.iter_mut().for_each(|sentence| sentence.may_grow = may_grow);
    let is_last = fields.choice("on_success", &[("", false), ("continue", false), ("break", true)]);
    let on_fault = fields.choice(
        "on_error",
        &[
            ("", OnFault::Pass),
            ("continue", OnFault::Pass),
            ("ignore", OnFault::Pass),
            ("apply", OnFault::Apply),
            ("break", OnFault::Stop),
        ],
    );
    if fields.has("notifications") {
        unused(&mut fields, "notifications", "there are no notifications yet");
    }
    fields.finish();
    Some(Profile {
        name,
        filters,
        sentences,
        duration: computed,
        is_last: is_last.is_some_and(|is_last| is_last.value),
        on_fault: on_fault.map_or(OnFault::Pass, |on_fault| on_fault.value),
    })
}

fn load_filters(fields: &mut Fields<'_, '_>) -> Vec<Filter> {
    let mut filters = Vec::new();
    let items = fields.list("filters");
    if items.is_empty()
        && let Some(span) = fields.key_span("filters")
        && fields.has("filters")
    {
        fields.report(span, "missing-key", "a profile without a filter is for no alert");
    }
    for item in items {
        if item.text().is_none() {
            let message = format!("expected an expression, found {}", item.describe());
            fields.report(item.head(), "wrong-type", message);
            continue;
        }
        let expected = "a filter must be true or false";
        filters.extend(compile(item, &[Type::Bool], expected, fields).map(Filter::Expression));
    }
    filters
}

fn load_sentence(
    node: &Node,
    file: &Arc<UserFile>,
    default: i64,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Sentence> {
    let mut fields = Fields::of(node, file, "a decision", diagnostics)?;
    fields.require("type");
    let action = fields.choice("type", &[("ban", Action::Ban), ("observe", Action::Observe)]);
    let duration = fields.parsed("duration", "a duration such as `4h` or `2d`", |text| {
        match parse_duration_with_days(text) {
            Some(nanos) if nanos > 0 => Ok(nanos),
            Some(_) => Err("nobody would be banned".to_owned()),
            None => Err(String::new()),
        }
    });
    let scope = fields.text("scope");
    if let Some(scope) = &scope
        && !is_bannable(scope.value)
    {
        let message = format!("decisions of the scope `{}` are never carried out", scope.value);
        let mistake = Diagnostic::error(file, scope.span.clone(), "without-effect", message)
            .warning()
            .with_help("only `Ip` and `Range` can be banned");
        fields.diagnostics().push(mistake);
    }
    let simulated = fields.bool("simulated").is_some_and(|simulated| simulated.value);
    if fields.has("origin") {
        unused(&mut fields, "origin", "a decision of a profile has the origin `scenario`");
    }
    fields.finish();
    let action = if simulated { Action::Observe } else { action?.value };
    Some(Sentence {
        action,
        duration: duration.map_or(default, |duration| duration.value),
        scope: scope.map(|scope| scope.value.to_owned()),
        may_grow: true,
    })
}

/// Warns of a key that is understood and has no effect.
fn unused(fields: &mut Fields<'_, '_>, key: &str, why: &str) {
    let span = fields.key_span(key).unwrap_or_else(|| fields.mapping_node().head());
    let message = format!("`{key}` has no effect: {why}");
    let mistake = Diagnostic::error(fields.file(), span, "without-effect", message).warning();
    fields.diagnostics().push(mistake);
}

/// Compiles the expression that a scalar holds, and checks that it may give one of `kinds`.
fn compile(
    node: &Node,
    kinds: &[Type],
    expected: &str,
    fields: &mut Fields<'_, '_>,
) -> Option<Program> {
    let text = node.text()?;
    let mut names = Names::new();
    let mut environment = Environment { variables: &VARIABLES, names: &mut names, functions: &[] };
    match Program::new(text, &mut environment) {
        Ok(program) => {
            let found = program.result();
            let same = |kind: &Type| std::mem::discriminant(kind) == std::mem::discriminant(&found);
            if matches!(found, Type::Unknown) || kinds.iter().any(same) {
                return Some(program);
            }
            fields.report(node.span.clone(), "wrong-type", expected);
            None
        }
        Err(mistakes) => {
            for mistake in mistakes {
                let span = node.locate_range(mistake.span);
                let mut found =
                    Diagnostic::error(fields.file(), span, "expression", mistake.message);
                found.help = mistake.help;
                fields.diagnostics().push(found);
            }
            None
        }
    }
}

#[cfg(test)]
mod tests;
