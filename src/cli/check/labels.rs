//! Labels and programs that the settings give and no rule asks for, where a rule asks for one that
//! is nearly the same: a slip of the keys that nobody notices else, since lines that no rule wants
//! are nothing unusual.

use crate::diagnostic::{Diagnostic, Severity, similar};
use crate::expr::{Requirement, Wanted};
use crate::rules::Ruleset;
use crate::settings::Settings;
use crate::value::Names;

/// The labels whose lines are decoded here, without a rule.
const OWN: [&str; 2] = ["syslog", "containerd"];

/// What was probably meant otherwise.
pub(super) fn doubts(settings: &Settings, ruleset: &Ruleset) -> Vec<Diagnostic> {
    let stages = ruleset.stages();
    let programs = stages.requirements(Names::PROGRAM);
    // The label stands for the program of lines without a header.
    let mut labels = stages.requirements(Names::LABEL);
    labels.extend(programs.iter().cloned());
    let mut found = Vec::new();
    for source in &settings.sources {
        let what = format!("source `{}`: its label", source.name);
        found.extend(doubt(&what, &source.label, &labels));
    }
    let own = settings.classify.iter().filter(|rule| !rule.place.starts_with("shipped "));
    for rule in own {
        let named = rule.rename.as_ref().and_then(|name| name.literal());
        let program =
            named.and_then(|name| doubt(&format!("{}: the program", rule.place), name, &programs));
        let label = rule.label.as_deref();
        let label =
            label.and_then(|name| doubt(&format!("{}: the label", rule.place), name, &labels));
        found.extend(program.into_iter().chain(label));
    }
    found
}

fn doubt(what: &str, name: &str, asked: &[Requirement]) -> Option<Diagnostic> {
    if OWN.contains(&name) || asked.iter().any(|asked| asked.holds(name)) {
        return None;
    }
    let known = asked.iter().flat_map(|asked| &asked.any).filter_map(|wanted| match wanted {
        Wanted::Equals(text) | Wanted::StartsWith(text) => Some(&**text),
        Wanted::EndsWith(_) | Wanted::Contains(_) => None,
    });
    let meant = similar(name, known.chain(OWN))?;
    Some(Diagnostic {
        severity: Severity::Warning,
        code: "never-asked",
        message: format!("{what} `{name}` is one that no loaded rule asks for"),
        file: None,
        span: 0..0,
        label: String::new(),
        help: Some(format!("did you mean `{meant}`?")),
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::daemon;
    use crate::diagnostic::UserFile;
    use crate::rules::Outside;
    use crate::settings;

    #[track_caller]
    fn check(text: &str, doubts_expected: &[&str]) {
        let file = UserFile::new(Path::new("weir.yaml"), text.to_owned());
        let (settings, mistakes) = settings::from_files(&[file]);
        assert!(mistakes.is_empty(), "{mistakes:?}");
        let (ruleset, _) = daemon::rules_of(&settings, None, Outside::default());
        let found = doubts(&settings, &ruleset);
        let shown: Vec<String> = found
            .iter()
            .map(|doubt| format!("{} ({})", doubt.message, doubt.help.as_deref().unwrap_or("")))
            .collect();
        assert_eq!(shown, doubts_expected, "{text}");
    }

    #[test]
    fn slips_of_the_keys() {
        check("", &[]);
        check("sources: [{unix: a, label: containerd}, {unix: b, name: b, label: sshd}]", &[]);
        // Nothing is known of it, but it is like nothing that is.
        check("sources: [{unix: a, label: traefik}]", &[]);
        check(
            "sources: [{unix: a, name: a, label: sylsog}]",
            &["source `a`: its label `sylsog` is one that no loaded rule asks for (did you mean \
               `syslog`?)"],
        );
        check(
            "classify: [{when: {tag: x}, program: dovcot}, {when: {tag: y}, program: 'x{tag}'}]",
            &[
                "weir.yaml:1: the program `dovcot` is one that no loaded rule asks for (did you mean \
               `dovecot`?)",
            ],
        );
        check(
            "classify: {x: shhd}",
            &["weir.yaml:1: the label `shhd` is one that no loaded rule asks for (did you mean \
               `sshd`?)"],
        );
    }
}
