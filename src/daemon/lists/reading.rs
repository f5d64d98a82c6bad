//! Reading one list, as it is in one moment.

use std::io::Read;

use tracing::warn;

use crate::lists::{self, Facts, Format, Nets, Seen};
use crate::value::Time;

/// Mistakes and refusals that are logged of one list.
pub(super) const TOLD: usize = 5;

/// What a list says.
pub(super) struct Content {
    pub(super) nets: Nets,
    pub(super) n_mistakes: usize,
}

/// Reads a file that a look found; `None` when it is not what was found any more.
pub(super) fn read(seen: &Seen, format: Format) -> std::io::Result<Option<Content>> {
    if seen.facts.size > lists::LONGEST as u64 {
        let most = lists::LONGEST >> 20;
        return Err(std::io::Error::other(format!("it is longer than {most} MiB")));
    }
    let mut file = std::fs::File::open(&seen.path)?;
    let mut bytes = Vec::new();
    (&mut file).take(seen.facts.size + 1).read_to_end(&mut bytes)?;
    if Facts::of(&file.metadata()?) != seen.facts || bytes.len() as u64 != seen.facts.size {
        return Ok(None);
    }
    let list = lists::read(&bytes, Some(format));
    for mistake in list.mistakes.iter().take(TOLD) {
        let message = &mistake.message;
        warn!(file = %seen.path.display(), line = mistake.line, message, "a line of a list is wrong");
    }
    if list.n_mistakes > TOLD {
        warn!(file = %seen.path.display(), mistakes = list.n_mistakes, "more lines are wrong");
    }
    let nets = Nets::of(&list.entries, Time::from_nanos(seen.facts.modified));
    Ok(Some(Content { nets, n_mistakes: list.n_mistakes }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_as_it_was_found_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bad.txt");
        std::fs::write(&path, "203.0.113.7\nnobody\n").unwrap();
        let found = lists::look(folder.path()).unwrap().unwrap();
        let content = read(&found[0], Format::Plain).unwrap().unwrap();
        assert_eq!((content.nets.len(), content.n_mistakes), (1, 1));
        std::fs::write(&path, "203.0.113.7\nnobody\n203.0.113.8\n").unwrap();
        assert!(read(&found[0], Format::Plain).unwrap().is_none());
        std::fs::remove_file(&path).unwrap();
        assert!(read(&found[0], Format::Plain).is_err());
        assert_eq!(lists::look(&folder.path().join("none")).unwrap(), None);
    }
}
