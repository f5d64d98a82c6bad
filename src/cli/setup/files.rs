//! Files that setup wrote, and files that somebody changed since: told apart by a sum in their first
//! lines. Written whole or not at all, with a copy of what was there.

use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// How the first line of a file begins that setup wrote.
const MARK: &str = "# Written by `weir setup`, sum ";
/// Copies of a file that are kept.
const COPIES: usize = 100;
/// The longest file that is looked at.
const LONGEST: u64 = 1 << 20;

/// What is in the place of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum There {
    /// Nothing.
    Nothing,
    /// A file as setup wrote it.
    Ours(String),
    /// A file of somebody, or one that somebody changed.
    Theirs(String),
    /// No file that could be replaced, and why.
    Other(String),
}

/// The text with a first line that says that setup wrote it, and what.
pub(super) fn marked(text: &str) -> String {
    format!("{MARK}{:016x}: a change of yours is not overwritten.\n{text}", sum(text))
}

/// FNV-1a: tells texts apart that nobody tries to make alike.
fn sum(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Looks at what is there.
pub(super) fn look(path: &Path) -> There {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return There::Nothing,
        Err(error) => return There::Other(error.to_string()),
        Ok(found) if !found.is_file() => return There::Other("it is no file".to_owned()),
        Ok(found) if found.len() > LONGEST => return There::Other("it is too long".to_owned()),
        Ok(_) => {}
    }
    match std::fs::read_to_string(path) {
        Ok(text) if is_ours(&text) => There::Ours(text),
        Ok(text) => There::Theirs(text),
        Err(error) => There::Other(error.to_string()),
    }
}

fn is_ours(text: &str) -> bool {
    text.strip_prefix(MARK).and_then(|rest| {
        let (sum_there, rest) = rest.split_once(':')?;
        let (_, body) = rest.split_once('\n')?;
        Some(u64::from_str_radix(sum_there, 16).ok()? == sum(body))
    }) == Some(true)
}

/// Writes a file for all to read. What was there is kept beside it; gives where.
///
/// # Errors
/// What the system says; what was there is then there still.
pub(super) fn write(path: &Path, text: &str) -> io::Result<Option<PathBuf>> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(folder)?;
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".new{}", std::process::id()));
    let beside = PathBuf::from(beside);
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o644).open(&beside)?;
    let written = file
        .write_all(text.as_bytes())
        // Whatever the process's mask says, the daemons must be able to read it.
        .and_then(|()| file.set_permissions(std::fs::Permissions::from_mode(0o644)))
        .and_then(|()| file.sync_all())
        .and_then(|()| keep(path))
        .and_then(|kept| std::fs::rename(&beside, path).map(|()| kept));
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    written
}

/// Keeps a copy of a file that is there.
fn keep(path: &Path) -> io::Result<Option<PathBuf>> {
    for number in 0..COPIES {
        let mut copy = path.as_os_str().to_owned();
        copy.push(if number == 0 { ".bak".to_owned() } else { format!(".bak{number}") });
        let copy = PathBuf::from(copy);
        match std::fs::hard_link(path, &copy) {
            Ok(()) => return Ok(Some(copy)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("there are too many copies: remove some of those that end in `.bak`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_by_hand_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/f.conf");
        assert_eq!(look(&path), There::Nothing);
        assert_eq!(write(&path, &marked("a\n")).unwrap(), None);
        assert_eq!(look(&path), There::Ours(marked("a\n")));
        let changed = marked("a\n") + "b\n";
        let kept = write(&path, &changed).unwrap().unwrap();
        assert_eq!(std::fs::read_to_string(&kept).unwrap(), marked("a\n"));
        assert_eq!(look(&path), There::Theirs(changed.clone()));
        let again = write(&path, "x").unwrap().unwrap();
        assert_eq!((again != kept, std::fs::read_to_string(&again).unwrap()), (true, changed));
        assert_eq!(look(&path), There::Theirs("x".to_owned()));
        assert!(matches!(look(folder.path()), There::Other(_)));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
    }
}
