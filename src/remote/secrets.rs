//! Keys and passwords of ours, and who else may read them.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;

use crate::settings::{RemoteSecret, SECRET, is_secret};

/// The longest file of a secret that is read, in bytes.
const LONGEST: u64 = 4096;

/// A secret, and a doubt about its file.
///
/// # Errors
/// What is wrong with it, in a sentence that does not repeat it.
pub fn read(secret: &RemoteSecret) -> Result<(String, Option<String>), String> {
    const OTHERS_READ: u32 = 0o004;
    let path = match secret {
        RemoteSecret::Is(secret) => return Ok((secret.reveal().to_owned(), None)),
        RemoteSecret::File(path) => path,
    };
    let shown = path.display();
    let unreadable = |error: std::io::Error| {
        format!(
            "cannot read the secret `{shown}`: {error}; chown root:weir {shown}; chmod 0640 {shown}"
        )
    };
    let file = File::open(path).map_err(unreadable)?;
    let mode = file.metadata().map_err(unreadable)?.permissions().mode();
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text).map_err(unreadable)?;
    let text = text.trim();
    if !is_secret(text) {
        return Err(format!("expected {SECRET} in `{shown}`, found something else"));
    }
    let doubt = (mode & OTHERS_READ != 0).then(|| {
        format!("every user of this host can read `{shown}`: chown root:weir {shown}; chmod 0640 {shown}")
    });
    Ok((text.to_owned(), doubt))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_and_doubted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let secret = RemoteSecret::File(path.clone());
        assert!(read(&secret).unwrap_err().contains("cannot read the secret"));
        let check = |text: &str, mode: u32, expected: Result<(&str, bool), &str>| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let found = read(&secret);
            match (&found, expected) {
                (Ok((text, doubt)), Ok(expected)) => {
                    assert_eq!((text.as_str(), doubt.is_some()), expected);
                }
                (Err(error), Err(expected)) => assert!(error.contains(expected), "{error}"),
                _ => panic!("{found:?}"),
            }
        };
        check("sesame\n", 0o640, Ok(("sesame", false)));
        check("sesame", 0o644, Ok(("sesame", true)));
        check("", 0o600, Err("expected 1 to 512"));
        check("open sesame", 0o600, Err("expected 1 to 512"));
    }
}
