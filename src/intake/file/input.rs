//! Opening a file of logs: compressed or not, lines or entries of the journal.

#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::IntakeError;
use super::super::journal::json;
use super::compressed::{self, MAGIC};
use super::entries::Entries;
use super::{FileLines, Reader};
use crate::event::{Batch, SourceId};
use crate::value::Time;

/// What a file holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// What its beginning looks like.
    #[default]
    Auto,
    /// Lines.
    Lines,
    /// Entries of the journal in the export format (`journalctl -o export`).
    Export,
    /// Entries of the journal as JSON, an object a line (`journalctl -o json`).
    Json,
}

/// The lines of a file, whatever it is.
pub struct Input {
    path: PathBuf,
    content: Content,
    /// What went wrong behind the lines that were given last.
    failed: Option<io::Error>,
}

enum Content {
    Lines(FileLines<Reader>),
    Entries(Box<Entries<Reader>>),
}

/// How much of a first line is looked at to see whether it is an entry.
const FIRST_LINE: usize = 1 << 20;
/// What the export format begins with.
const EXPORT: [&[u8]; 2] = [b"__CURSOR=", b"__REALTIME_TIMESTAMP="];

/// Opens a file; `-` is standard input. Compressed ones are read as what they hold.
///
/// # Errors
/// When the file cannot be opened, or is compressed in a way that is not supported.
pub fn open(path: &Path, limit: usize, form: Form) -> Result<Input, IntakeError> {
    open_counting(path, limit, form, &Arc::default())
}

/// The same; the bytes that were read of the file, before they are decompressed, are added to `read`.
///
/// # Errors
/// As above.
pub fn open_counting(
    path: &Path,
    limit: usize,
    form: Form,
    read: &Arc<AtomicU64>,
) -> Result<Input, IntakeError> {
    let failed = |error| IntakeError::File { path: path.to_owned(), error };
    let reader: Reader = if path.as_os_str() == "-" {
        Box::new(io::stdin())
    } else {
        let file = File::open(path).map_err(failed)?;
        // Reading says it too, but only after everything else has been set up.
        if file.metadata().map_err(failed)?.is_dir() {
            return Err(failed(io::ErrorKind::IsADirectory.into()));
        }
        Box::new(file)
    };
    let reader = Box::new(Counted { reader, read: Arc::clone(read) });
    let content = content(reader, limit, form).map_err(failed)?;
    Ok(Input { path: path.to_owned(), content, failed: None })
}

/// Counts the bytes that go through.
struct Counted {
    reader: Reader,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(space)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

fn content(mut reader: Reader, limit: usize, form: Form) -> io::Result<Content> {
    let mut first = Vec::new();
    look(&mut reader, &mut first, MAGIC)?;
    let reader = Box::new(Cursor::new(first.clone()).chain(reader));
    let mut reader = compressed::open(&first, reader)?;
    let mut first = Vec::new();
    let form = match form {
        // A file that is damaged at once says so when it is read.
        Form::Auto => recognise(&mut reader, &mut first).unwrap_or(Form::Lines),
        form => form,
    };
    let reader: Reader =
        if first.is_empty() { reader } else { Box::new(Cursor::new(first).chain(reader)) };
    Ok(match form {
        Form::Auto | Form::Lines => Content::Lines(FileLines::new(reader, limit)),
        Form::Export => Content::Entries(Box::new(Entries::export(reader, limit))),
        Form::Json => Content::Entries(Box::new(Entries::json(reader, limit))),
    })
}

fn recognise(reader: &mut Reader, first: &mut Vec<u8>) -> io::Result<Form> {
    look(reader, first, EXPORT[1].len())?;
    if EXPORT.iter().any(|begin| first.starts_with(begin)) {
        return Ok(Form::Export);
    }
    if first.first() == Some(&b'{') {
        look(reader, first, FIRST_LINE)?;
        let end = memchr::memchr(b'\n', first).unwrap_or(first.len());
        if json::is_entry(&first[..end]) {
            return Ok(Form::Json);
        }
    }
    Ok(Form::Lines)
}

/// Reads on until `first` holds so many bytes or a line feed: who types must not wait.
fn look(reader: &mut Reader, first: &mut Vec<u8>, wanted: usize) -> io::Result<()> {
    let mut space = [0; 4096];
    while first.len() < wanted && memchr::memchr(b'\n', first).is_none() {
        match reader.read(&mut space) {
            Ok(0) => break,
            Ok(count) => first.extend_from_slice(&space[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl Input {
    /// The next lines, at most `lines`, as if they had been received now; `None` at the end.
    ///
    /// # Errors
    /// When reading fails, or the file is damaged: after all lines before that were given.
    pub fn next_batch(
        &mut self,
        source: SourceId,
        received_at: Time,
        lines: usize,
    ) -> Result<Option<Batch>, IntakeError> {
        let mut batch = Batch::new(source, received_at);
        Ok(self.fill(&mut batch, lines)?.then_some(batch))
    }

    /// The same into a batch that was used before, after what it holds; gives whether it holds
    /// anything.
    ///
    /// # Errors
    /// As above.
    pub fn fill(&mut self, batch: &mut Batch, lines: usize) -> Result<bool, IntakeError> {
        let filled = match (self.failed.take(), &mut self.content) {
            (Some(error), _) => Err(error),
            (None, Content::Lines(input)) => input.fill(batch, lines),
            (None, Content::Entries(input)) => input.fill(batch, lines),
        };
        match filled {
            Err(error) if !batch.is_empty() => {
                self.failed = Some(error);
                Ok(true)
            }
            Err(error) => Err(IntakeError::File { path: self.path.clone(), error }),
            Ok(any) => Ok(any),
        }
    }

    /// How many lines were cut so far.
    #[must_use]
    pub fn cut(&self) -> u64 {
        match &self.content {
            Content::Lines(input) => input.cut(),
            Content::Entries(input) => input.cut(),
        }
    }

    /// How many entries of the journal could not be read so far: no JSON, or a message too long for
    /// `journalctl` to show.
    #[must_use]
    pub fn unread(&self) -> u64 {
        match &self.content {
            Content::Lines(_) => 0,
            Content::Entries(input) => input.unread(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::super::journal::export::field;
    use super::*;
    use crate::event::SourceId;

    const LINES: &str = "a\nb\nc\n";
    const JSON: &str = concat!(
        r#"{"__REALTIME_TIMESTAMP":"1795446017176546","_HOSTNAME":"h","_COMM":"p","MESSAGE":"a"}"#,
        "\n",
        r#"{"__REALTIME_TIMESTAMP":"1795446017176546","_HOSTNAME":"h","_COMM":"p","MESSAGE":null}"#,
        "\n",
        r#"{"__REALTIME_TIMESTAMP":"1795446017176546","_HOSTNAME":"h","_COMM":"p","MESSAGE":"b"}"#,
    );
    const SHOWN: [&str; 2] =
        ["2026-11-23T15:00:17.176546Z h p: a", "2026-11-23T15:00:17.176546Z h p: b"];

    fn export() -> Vec<u8> {
        let mut stream = Vec::new();
        for text in ["a", "b"] {
            let time = b"1795446017176546";
            for (name, text) in [
                ("__CURSOR", &b"c"[..]),
                ("__REALTIME_TIMESTAMP", time),
                ("_HOSTNAME", b"h"),
                ("_COMM", b"p"),
                ("MESSAGE", text.as_bytes()),
            ] {
                field(&mut stream, name, text, true);
            }
            stream.push(b'\n');
        }
        stream
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        writer.write_all(text).expect("written");
        writer.finish().expect("written")
    }

    fn zstd(text: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(text, ruzstd::encoding::CompressionLevel::Fastest)
    }

    /// The lines, and what went wrong behind them.
    #[track_caller]
    fn read(bytes: &[u8], form: Form) -> (Vec<String>, u64, String) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log");
        std::fs::write(&path, bytes).expect("a file");
        let mut input = match open(&path, 64, form) {
            Ok(input) => input,
            Err(error) => return (Vec::new(), 0, error.to_string()),
        };
        let mut lines = Vec::new();
        loop {
            match input.next_batch(SourceId(1), Time::from_seconds(1), 2) {
                Ok(Some(batch)) => {
                    let shown = batch.lines().map(|line| line.bytes.escape_ascii().to_string());
                    lines.extend(shown);
                }
                Ok(None) => return (lines, input.unread(), String::new()),
                Err(error) => {
                    let shown = error.to_string().replace(&*path.to_string_lossy(), "FILE");
                    return (lines, input.unread(), shown);
                }
            }
        }
    }

    #[track_caller]
    fn check(bytes: &[u8], expected: &[&str], unread: u64) {
        let (lines, found_unread, error) = read(bytes, Form::Auto);
        assert_eq!(
            (lines, found_unread, &*error),
            (expected.iter().map(|line| (*line).to_owned()).collect(), unread, "")
        );
    }

    #[test]
    fn what_a_file_holds_is_recognised() {
        let lines = ["a", "b", "c"];
        check(LINES.as_bytes(), &lines, 0);
        check(b"", &[], 0);
        check(b"a", &["a"], 0);
        check(JSON.as_bytes(), &SHOWN, 1);
        check(&export(), &SHOWN, 0);
        for pack in [gzip, zstd] {
            check(&pack(LINES.as_bytes()), &lines, 0);
            check(&pack(JSON.as_bytes()), &SHOWN, 1);
            check(&pack(&export()), &SHOWN, 0);
            check(&pack(b""), &[], 0);
            // Several, one behind the other, as logs are appended to.
            check(&[pack(b"a\nb"), pack(b"\nc\n")].concat(), &lines, 0);
        }
        let skipped = b"\x50\x2A\x4D\x18\x03\0\0\0xyz";
        check(&[&*zstd(b"a\nb\n"), skipped, &*zstd(b"c\n")].concat(), &lines, 0);
        check(b"{\"some\":\"log\"}\n{", &[r#"{\"some\":\"log\"}"#, "{"], 0);
    }

    #[test]
    fn a_form_that_is_given_counts() {
        let (lines, ..) = read(JSON.as_bytes(), Form::Lines);
        assert_eq!(lines.len(), 3);
        let (lines, unread, error) = read(b"a\n{}\n", Form::Json);
        assert_eq!((lines.len(), unread, &*error), (0, 2, ""));
        let (_, _, error) = read(b"a\n", Form::Export);
        assert!(error.contains("`FILE`") && error.contains("export format"), "{error}");
    }

    #[test]
    fn what_stands_before_the_damage_is_read() {
        // Enough of it that cannot be compressed, so that there are several blocks.
        let mut state = 1_u64;
        let text: String = (0..20_000)
            .map(|n| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(n);
                format!("{state:016x}\n")
            })
            .collect();
        let expected: Vec<&str> = text.lines().collect();
        for pack in [gzip, zstd] {
            let packed = pack(text.as_bytes());
            let (lines, _, error) = read(&packed[..packed.len() / 2], Form::Auto);
            assert!(lines.len() > 1000 && lines.len() < expected.len(), "{}", lines.len());
            assert_eq!(lines, expected[..lines.len()]);
            assert!(error.starts_with("cannot read `FILE`: "), "{error}");
        }
        let whole = export();
        let (lines, _, error) = read(&whole[..whole.len() - 3], Form::Auto);
        assert_eq!(lines, SHOWN[..1]);
        assert!(error.contains("the end is missing"), "{error}");
        let (_, _, error) = read(b"\xFD7zXZ\0\0\0\0\0\0", Form::Auto);
        assert!(error.contains("xz -dc"), "{error}");
    }

    #[test]
    fn what_was_read_is_counted_before_it_is_decompressed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log");
        let text = "one line of many\n".repeat(10_000);
        for bytes in [gzip(text.as_bytes()), zstd(text.as_bytes()), text.clone().into_bytes()] {
            std::fs::write(&path, &bytes).expect("a file");
            let read = Arc::new(AtomicU64::new(7));
            let mut input = open_counting(&path, 64, Form::Auto, &read).expect("a file");
            while input.next_batch(SourceId(1), Time::from_seconds(1), 512).expect("read").is_some()
            {
            }
            assert_eq!(read.load(Ordering::Relaxed), 7 + bytes.len() as u64);
        }
    }

    #[test]
    fn what_cannot_be_opened() {
        let folder = tempfile::tempdir().expect("a folder");
        for wrong in [folder.path().to_owned(), folder.path().join("none")] {
            let error = open(&wrong, 8, Form::Auto).err().expect("a refusal").to_string();
            assert!(error.contains(&*wrong.to_string_lossy()), "{error}");
        }
    }
}
