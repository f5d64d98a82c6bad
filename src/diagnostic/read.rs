//! Reads a user's file, whatever it turns out to be.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::{Diagnostic, UserFile};

/// The longest file that is read, in bytes.
pub const LONGEST_FILE: u64 = 16 << 20;

/// Reads the text of a file.
///
/// # Errors
/// A diagnostic when it cannot be read, is longer than [`LONGEST_FILE`], or is not UTF-8 (then with
/// the place of the first wrong byte).
pub fn read(path: &Path) -> Result<Arc<UserFile>, Box<Diagnostic>> {
    let nowhere = UserFile::new(path, String::new());
    let wrong = |code: &'static str, message: String| {
        Box::new(Diagnostic::error(&nowhere, 0..0, code, message))
    };
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(path);
    opened
        .and_then(|file| file.take(LONGEST_FILE + 1).read_to_end(&mut bytes))
        .map_err(|error| wrong("unreadable", format!("cannot read the file: {error}")))?;
    if bytes.len() as u64 > LONGEST_FILE {
        return Err(wrong("too-long", format!("the file is longer than {LONGEST_FILE} bytes")));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(UserFile::new(path, text)),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let file = UserFile::new(path, String::from_utf8_lossy(error.as_bytes()).into_owned());
            let message = "the file is not UTF-8 text";
            let help = "save it as UTF-8; nothing else is read";
            let mistake =
                Diagnostic::error(&file, at..at + '\u{fffd}'.len_utf8(), "utf-8", message);
            Err(Box::new(mistake.with_help(help)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(content: &[u8], wrong: Option<(&str, (usize, usize))>) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("f.yaml");
        std::fs::write(&path, content).expect("written");
        match (read(&path), wrong) {
            (Ok(file), None) => assert_eq!(file.text.as_bytes(), content),
            (Err(mistake), Some((code, place))) => {
                assert_eq!(mistake.code, code);
                let file = mistake.file.expect("in a file");
                assert_eq!(file.place(mistake.span.start), place);
            }
            (found, _) => panic!("{found:?}"),
        }
    }

    #[test]
    fn files() {
        check(b"a: 1\n", None);
        check(b"", None);
        check(b"a: \xff\n", Some(("utf-8", (1, 4))));
        check(b"\xc3\xa9\nb: \xc3", Some(("utf-8", (2, 4))));
        let gone = read(Path::new("/nonexistent/f.yaml")).expect_err("absent");
        assert_eq!(gone.code, "unreadable");
    }
}
