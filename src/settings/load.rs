//! Finds the configuration's files and reads them.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Settings;
use super::file::File;
use crate::diagnostic::{self, Diagnostic, UserFile};

/// Where the configuration is unless the command line names another place.
pub const DEFAULT_PATH: &str = "/etc/weir/weir.yaml";

/// The folder beside the configuration whose files are read after it.
const MORE: &str = "conf.d";

/// The folder beside the configuration that holds the host's own rules.
const OWN_RULES: &str = "rules";

/// The folder beside the configuration whose lists are followed.
const OWN_LISTS: &str = "lists";

/// The configuration's path: the one given, else [`DEFAULT_PATH`] if it exists, else none.
#[must_use]
pub fn find(given: Option<&Path>) -> Option<PathBuf> {
    match given {
        Some(path) => Some(path.to_owned()),
        None => Some(PathBuf::from(DEFAULT_PATH)).filter(|path| path.exists()),
    }
}

/// Reads the configuration at `path` and the files of `conf.d` beside it; without a path, all is
/// default. Where there are errors among the diagnostics the settings are not to be used.
#[must_use]
pub fn load(path: Option<&Path>) -> (Settings, Vec<Diagnostic>) {
    let Some(path) = path else { return (Settings::default(), Vec::new()) };
    let mut diagnostics = Vec::new();
    let mut files = Vec::new();
    for path in std::iter::once(path.to_owned()).chain(more(path, &mut diagnostics)) {
        match diagnostic::read(&path) {
            Ok(file) => {
                diagnostics.extend(writable_by_all(&file));
                files.push(file);
            }
            Err(mistake) => diagnostics.push(*mistake),
        }
    }
    let mut typed = read(&files, &mut diagnostics);
    for folder in &typed.rule_folders {
        if !folder.value.is_dir() {
            let message = format!("there is no folder `{}`", folder.value.display());
            diagnostics.push(folder.error("no-folder", message));
        }
    }
    let own = path.with_file_name(OWN_RULES);
    if typed.rule_folders.is_empty() && own.is_dir() {
        typed.rule_folders.extend(files.first().map(|file| super::At {
            value: own,
            file: Arc::clone(file),
            span: 0..0,
        }));
    }
    let has_own_lists = !typed.lists.has_no_folder();
    let mut settings = Settings::mean(typed, &mut diagnostics);
    if !has_own_lists {
        // It may be made later.
        settings.lists.folder = Some(path.with_file_name(OWN_LISTS));
    }
    diagnostic::sort(&mut diagnostics);
    (settings, diagnostics)
}

/// What these files mean together, the later ones added to the first; asks nothing of the disk.
#[must_use]
pub fn from_files(files: &[Arc<UserFile>]) -> (Settings, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let typed = read(files, &mut diagnostics);
    let settings = Settings::mean(typed, &mut diagnostics);
    diagnostic::sort(&mut diagnostics);
    (settings, diagnostics)
}

fn read(files: &[Arc<UserFile>], diagnostics: &mut Vec<Diagnostic>) -> File {
    let mut all = File::default();
    for file in files {
        all.merge(File::read(file, diagnostics));
    }
    all
}

/// The files of `conf.d`, by name.
fn more(path: &Path, diagnostics: &mut Vec<Diagnostic>) -> Vec<PathBuf> {
    let folder = path.with_file_name(MORE);
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            let nothing = UserFile::new(&folder, String::new());
            let message = format!("cannot read the folder: {error}");
            diagnostics.push(Diagnostic::error(&nothing, 0..0, "unreadable", message));
            return Vec::new();
        }
    };
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|end| end == "yaml" || end == "yml"))
        .filter(|path| path.is_file())
        .collect();
    paths.sort();
    paths
}

fn writable_by_all(file: &Arc<UserFile>) -> Option<Diagnostic> {
    const OTHERS_WRITE: u32 = 0o002;
    let mode = std::fs::metadata(&file.path).ok()?.permissions().mode();
    (mode & OTHERS_WRITE != 0).then(|| {
        let message = "every user of this host can write to the file, and so decide who is banned";
        let nowhere = UserFile::new(&file.path, String::new());
        Diagnostic::error(&nowhere, 0..0, "writable-by-all", message)
            .warning()
            .with_help(format!("chmod o-w {}", file.path.display()))
    })
}
