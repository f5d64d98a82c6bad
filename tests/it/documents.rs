//! What the documents say about the configuration holds.

use std::path::Path;

use weir::diagnostic::{UserFile, render};
use weir::settings::{Settings, from_files};

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(path).expect("a document of the project")
}

#[track_caller]
fn settings(name: &str, text: String) -> Settings {
    let (settings, diagnostics) = from_files(&[UserFile::new(Path::new(name), text)]);
    assert!(diagnostics.is_empty(), "{}", render(&diagnostics, false));
    settings
}

/// The configuration that is installed shows every default: with its lines switched on, nothing
/// is different.
#[test]
fn the_installed_configuration_shows_the_defaults() {
    let text = read("packaging/weir.yaml");
    let defaults = format!("{:#?}", Settings::default());
    assert_eq!(format!("{:#?}", settings("weir.yaml", text.clone())), defaults);

    // `#key:` begins a value, `#  …` goes on with it; anything else is prose.
    let mut switched_on = String::new();
    let mut within = false;
    for line in text.lines() {
        let value = line.strip_prefix('#').unwrap_or_default();
        within = match value.chars().next() {
            Some(' ') => within && value.starts_with("  "),
            first => first.is_some(),
        };
        if within {
            switched_on.push_str(value);
            switched_on.push('\n');
        }
    }
    for key in ["sources", "rules", "allowlist", "ban", "observe", "enforce", "ledger", "http"] {
        assert!(switched_on.contains(&format!("{key}:")), "{switched_on}");
    }
    assert_eq!(format!("{:#?}", settings("weir.yaml", switched_on)), defaults);
}

#[test]
fn the_configurations_in_the_readme_are_right() {
    let readme = read("README.md");
    let mut found = 0;
    let mut block: Option<String> = None;
    for line in readme.lines() {
        match (line.trim(), &mut block) {
            ("```yaml", None) => block = Some(String::new()),
            ("```", Some(_)) => {
                let text = block.take().unwrap_or_default();
                found += 1;
                settings("README.md", text);
            }
            (_, Some(text)) => {
                text.push_str(line);
                text.push('\n');
            }
            _ => {}
        }
    }
    assert!(found >= 2);
}

/// What the files that users copy say that Weir needs is right, and says where it listens.
#[test]
fn the_configurations_in_contrib_are_right() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib");
    let mut found = 0;
    for folder in std::fs::read_dir(root).expect("a folder").flatten() {
        for file in std::fs::read_dir(folder.path()).into_iter().flatten().flatten() {
            let text = std::fs::read_to_string(file.path()).expect("a readable file");
            let side = text.lines().skip_while(|line| !line.starts_with("# Weir's side"));
            let side: Vec<&str> =
                side.skip(1).map_while(|line| line.strip_prefix("#   ")).collect();
            if side.is_empty() {
                assert!(!text.contains("Weir's side"), "{}", file.path().display());
                continue;
            }
            found += 1;
            let name = file.path().display().to_string();
            assert_eq!(settings(&name, side.join("\n")).sources.len(), 1, "{name}");
        }
    }
    assert!(found >= 4, "{found}");
}
