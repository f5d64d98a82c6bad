//! Real rules, where a collection of them is at hand: all must load.

use std::path::{Path, PathBuf};

use super::grok::Library;
use super::{Stages, spec};
use crate::diagnostic::UserFile;
use crate::value::Names;
use crate::yaml;

fn hub() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/hub");
    let hub = std::env::var_os("WEIR_HUB").map_or(beside, PathBuf::from);
    hub.join("parsers").is_dir().then_some(hub)
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
    found.sort();
}

#[test]
fn all_rules_of_the_hub_load() {
    let Some(hub) = hub() else { return };
    for universe in ["parsers", "postoverflows"] {
        let (mut names, mut library) = (Names::new(), Library::base());
        let mut paths = Vec::new();
        files(&hub.join("patterns"), &mut paths);
        for path in &paths {
            if !path.file_name().is_some_and(|name| name.to_string_lossy().contains('.')) {
                let text = std::fs::read_to_string(path).unwrap();
                assert_eq!(library.add_file(&text), vec![], "{}", path.display());
            }
        }
        let mut paths = Vec::new();
        files(&hub.join(universe), &mut paths);
        let (mut nodes, mut errors, mut warnings) = (Vec::new(), Vec::new(), Vec::new());
        for path in &paths {
            let stage = path.strip_prefix(hub.join(universe)).unwrap().iter().next().unwrap();
            let file = UserFile::new(path, std::fs::read_to_string(path).unwrap());
            let (documents, mut found) = yaml::load(&file);
            for document in &documents {
                let (spec, more) = spec::load(document, &file, &stage.to_string_lossy());
                found.extend(more);
                let Some(spec) = spec else { continue };
                let (node, more) = spec::compile(&spec, &mut names, &mut library);
                found.extend(more);
                nodes.extend(node);
            }
            for each in found {
                let text = format!("{}: {}: {}", path.display(), each.code, each.message);
                if each.is_error() { errors.push(text) } else { warnings.push(text) }
            }
        }
        assert!(errors.is_empty(), "{errors:#?}");
        eprintln!("{universe}: {} nodes, {warnings:#?}", nodes.len());
        assert!(!Stages::new(nodes).is_empty());
    }
}
