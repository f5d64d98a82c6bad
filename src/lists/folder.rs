//! A folder of lists, followed: which files are new, other than they were, or gone.
//!
//! A file is read once it was the same in two looks, so that one that is being written is left
//! until it is whole. [`Folder`] is pure; [`look`] asks the disk.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Format;

/// Files that are followed in one folder; those behind them, by name, are not.
const MOST_FILES: usize = 256;

/// What tells one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Its number in the file system: a file that was put in its place has another.
    pub inode: u64,
    /// Its length in bytes.
    pub size: u64,
    /// When it was last written to, in nanoseconds since 1970.
    pub modified: i64,
}

impl Facts {
    /// What is known of an open or named file.
    #[must_use]
    pub fn of(metadata: &std::fs::Metadata) -> Self {
        let modified = metadata.mtime().saturating_mul(1_000_000_000);
        let modified = modified.saturating_add(metadata.mtime_nsec());
        Self { inode: metadata.ino(), size: metadata.size(), modified }
    }
}

/// A file as a look found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Where.
    pub path: PathBuf,
    /// What.
    pub facts: Facts,
}

/// What is to be done about a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is still, and other than when it was read last.
    Read {
        /// The list's name.
        name: String,
        /// How it is written.
        format: Format,
        /// The file.
        seen: Seen,
    },
    /// It was there and is not any more.
    Gone {
        /// The list's name.
        name: String,
    },
    /// Another file has the same name but for its ending, or there are too many.
    PassOver {
        /// The file.
        path: PathBuf,
        /// Why.
        why: &'static str,
    },
}

/// What is known of a folder's files.
#[derive(Debug, Default)]
pub struct Folder {
    files: BTreeMap<String, File>,
    passed_over: Vec<PathBuf>,
}

#[derive(Debug)]
struct File {
    seen: Seen,
    /// What it was when it was read.
    read: Option<Seen>,
}

/// The name and format of the list in the file at `path`; `None` of files that are no lists.
#[must_use]
pub fn name_of(path: &Path) -> Option<(String, Format)> {
    let format = Format::of_ending(path.extension()?.to_str()?)?;
    let name = path.file_stem()?.to_str()?;
    let is_sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let is_name = !name.starts_with('.') && name.len() <= 64 && name.chars().all(is_sound);
    is_name.then(|| (name.to_owned(), format))
}

impl Folder {
    /// Takes in what a look found; says what is to be done.
    pub fn see(&mut self, mut found: Vec<Seen>) -> Vec<Step> {
        found.sort_by(|a, b| a.path.cmp(&b.path));
        let mut steps = Vec::new();
        let mut passed_over = Vec::new();
        let mut known = std::mem::take(&mut self.files);
        for seen in found {
            let Some((name, format)) = name_of(&seen.path) else { continue };
            let why = match self.files.contains_key(&name) {
                true => Some("another file has the same name but for its ending"),
                false if self.files.len() >= MOST_FILES => Some("there are too many lists"),
                false => None,
            };
            if let Some(why) = why {
                // Told once, until it changes.
                if !self.passed_over.contains(&seen.path) {
                    steps.push(Step::PassOver { path: seen.path.clone(), why });
                }
                passed_over.push(seen.path);
                continue;
            }
            let before = known.remove(&name);
            let is_still = before.as_ref().is_some_and(|file| file.seen == seen);
            let mut read = before.and_then(|file| file.read);
            if is_still && read.as_ref() != Some(&seen) {
                steps.push(Step::Read { name: name.clone(), format, seen: seen.clone() });
                read = Some(seen.clone());
            }
            self.files.insert(name, File { seen, read });
        }
        let gone = known.into_iter().filter(|(_, file)| file.read.is_some());
        steps.extend(gone.map(|(name, _)| Step::Gone { name }));
        self.passed_over = passed_over;
        steps
    }

    /// Whether there is a list of this name, read or not.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    /// A file could not be read, or changed meanwhile: it is tried again.
    pub fn again(&mut self, name: &str) {
        if let Some(file) = self.files.get_mut(name) {
            file.read = None;
        }
    }
}

/// The lists in a folder; `None` when it is not there.
///
/// # Errors
/// When the folder cannot be read.
pub fn look(folder: &Path) -> std::io::Result<Option<Vec<Seen>>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if name_of(&path).is_none() {
            continue;
        }
        // One that went away in the meantime is not there.
        if let Ok(metadata) = std::fs::metadata(&path)
            && metadata.is_file()
        {
            found.push(Seen { path, facts: Facts::of(&metadata) });
        }
    }
    Ok(Some(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(path: &str, inode: u64, size: u64) -> Seen {
        Seen { path: path.into(), facts: Facts { inode, size, modified: 7 } }
    }

    /// `read NAME SIZE`, `gone NAME` or `pass over PATH` for each step.
    #[track_caller]
    fn check(folder: &mut Folder, found: &[(&str, u64, u64)], expected: &[&str]) {
        let found = found.iter().map(|(path, inode, size)| seen(path, *inode, *size)).collect();
        let steps = folder.see(found);
        let shown: Vec<String> = steps
            .iter()
            .map(|step| match step {
                Step::Read { name, seen, .. } => format!("read {name} {}", seen.facts.size),
                Step::Gone { name } => format!("gone {name}"),
                Step::PassOver { path, .. } => format!("pass over {}", path.display()),
            })
            .collect();
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_file_is_read_once_it_is_still() {
        let mut folder = Folder::default();
        check(&mut folder, &[("l/bad.txt", 1, 10)], &[]);
        check(&mut folder, &[("l/bad.txt", 1, 20)], &[]);
        check(&mut folder, &[("l/bad.txt", 1, 20)], &["read bad 20"]);
        check(&mut folder, &[("l/bad.txt", 1, 20)], &[]);
        // Put in its place, of the same size.
        check(&mut folder, &[("l/bad.txt", 2, 20)], &[]);
        check(&mut folder, &[("l/bad.txt", 2, 20)], &["read bad 20"]);
        folder.again("bad");
        check(&mut folder, &[("l/bad.txt", 2, 20)], &["read bad 20"]);
        check(&mut folder, &[], &["gone bad"]);
        check(&mut folder, &[], &[]);
        check(&mut folder, &[("l/bad.txt", 3, 1)], &[]);
        check(&mut folder, &[], &[]);
    }

    #[test]
    fn a_list_has_one_file() {
        let mut folder = Folder::default();
        let two = [("l/bad.csv", 1, 1), ("l/bad.txt", 2, 2), ("l/notes.md", 3, 3)];
        check(&mut folder, &two, &["pass over l/bad.txt"]);
        check(&mut folder, &two, &["read bad 1"]);
        check(&mut folder, &two[1..], &[]);
        check(&mut folder, &two[1..], &["read bad 2"]);
    }

    #[track_caller]
    fn check_name(path: &str, expected: Option<(&str, Format)>) {
        let expected = expected.map(|(name, format)| (name.to_owned(), format));
        assert_eq!(name_of(Path::new(path)), expected, "{path}");
    }

    #[test]
    fn names() {
        check_name("/etc/weir/lists/spamhaus-drop.txt", Some(("spamhaus-drop", Format::Plain)));
        check_name("a.b.json", Some(("a.b", Format::Json)));
        check_name("a.csv", Some(("a", Format::Csv)));
        for other in [".a.txt", "a.txt.swp", "a.txt~", "a", "a b.txt", "README.md", ".txt"] {
            check_name(other, None);
        }
    }
}
