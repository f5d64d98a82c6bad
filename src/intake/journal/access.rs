//! Whether a journal may be read, and what to do when not: the library does not say.

#![forbid(unsafe_code)]

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::Trouble;

/// What may be read of a journal.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// All that there is.
    Whole,
    /// Some of it, and why not the rest.
    Part(Trouble),
    /// Nothing, and why.
    Nothing(Trouble),
}

/// Files of a folder that are looked at.
const MOST: usize = 10_000;

const ADVICE: &str = "add the user that Weir runs as to the group `systemd-journal` \
                      (`SupplementaryGroups=systemd-journal` in the unit) and start it again";

/// Looks at the files of the journal in `folder`, or of this host's.
pub(super) fn look(folder: Option<&Path>) -> Access {
    let folders = match folder {
        Some(folder) => vec![folder.to_owned()],
        None => system_folders(),
    };
    let (mut files, mut refused) = (0_usize, Vec::new());
    for folder in &folders {
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                refused.push(folder.clone());
                continue;
            }
            Err(_) => continue,
        };
        for path in entries.flatten().map(|entry| entry.path()).take(MOST) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            // Of other users' journals nobody expects to read anything.
            if !is_journal(&name) || name.starts_with("user-") {
                continue;
            }
            files += 1;
            if let Err(error) = File::open(&path)
                && error.kind() == io::ErrorKind::PermissionDenied
            {
                refused.push(path);
            }
        }
    }
    let Some(first) = refused.first() else {
        return if files == 0 { Access::Nothing(no_files(folder)) } else { Access::Whole };
    };
    let trouble = Trouble::new(format!(
        "may not read {} of the journal's files, such as `{}`; {ADVICE}",
        refused.len(),
        first.display()
    ));
    if refused.len() < files { Access::Part(trouble) } else { Access::Nothing(trouble) }
}

fn no_files(folder: Option<&Path>) -> Trouble {
    Trouble::new(match folder {
        Some(folder) => format!("there is no journal in `{}`", folder.display()),
        None => "this host has no journal: is `systemd-journald` running, and is `Storage=none` \
                 not set in its configuration?"
            .to_owned(),
    })
}

/// What to say when the journal cannot be opened at all.
pub(super) fn refused(folder: Option<&Path>, error: &io::Error) -> Trouble {
    let what = folder.map_or_else(
        || "the journal".to_owned(),
        |folder| format!("the journal in `{}`", folder.display()),
    );
    let advice = match error.kind() {
        io::ErrorKind::PermissionDenied => format!("; {ADVICE}"),
        io::ErrorKind::NotFound => "; the folder does not exist".to_owned(),
        _ => String::new(),
    };
    Trouble::new(format!("cannot open {what}: {error}{advice}"))
}

fn system_folders() -> Vec<PathBuf> {
    let Ok(machine) = std::fs::read_to_string("/etc/machine-id") else { return Vec::new() };
    ["/var/log/journal", "/run/log/journal"]
        .map(|folder| Path::new(folder).join(machine.trim()))
        .into()
}

/// Those in use, those that are full (`@`), and those that were not closed (`~`).
fn is_journal(name: &str) -> bool {
    name.ends_with(".journal") || name.ends_with(".journal~")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let none = look(Some(folder.path()));
        assert!(matches!(&none, Access::Nothing(told) if told.to_string().contains("no journal")));
        std::fs::write(folder.path().join("system@1.journal~"), "").expect("a file");
        assert_eq!(look(Some(folder.path())), Access::Whole);
        let error = io::Error::from(io::ErrorKind::PermissionDenied);
        let told = refused(None, &error).to_string();
        assert!(told.contains("systemd-journal"), "{told}");
    }
}
