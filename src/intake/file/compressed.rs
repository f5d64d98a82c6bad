//! Compressed files, recognised by their first bytes and read as what they hold.
//!
//! What stands before the place where a file is damaged or ends is given, then the error.

#![forbid(unsafe_code)]

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// How many bytes [`open`] needs to see.
pub(super) const MAGIC: usize = 10;

const BUFFER: usize = 64 * 1024;

/// What is compressed in a way that is read by nobody here: its first bytes and who reads it.
const OTHERS: [(&[u8], &str); 3] =
    [(b"\xFD7zXZ\0", "xz"), (b"BZh91AY&SY", "bzip2"), (b"\x04\x22\x4D\x18", "lz4")];

/// A reader of what the bytes hold that begin with `first`: those themselves when they are not
/// compressed.
///
/// # Errors
/// When they are compressed in a way that is not supported: `Unsupported`.
pub(super) fn open(first: &[u8], reader: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
    if first.starts_with(b"\x1F\x8B") {
        return Ok(Box::new(MultiGzDecoder::new(BufReader::with_capacity(BUFFER, reader))));
    }
    if first.starts_with(b"\x28\xB5\x2F\xFD") {
        return Ok(Box::new(Zstandard::new(BufReader::with_capacity(BUFFER, reader))));
    }
    if let Some((_, program)) = OTHERS.iter().find(|(magic, _)| first.starts_with(magic)) {
        let what = format!("compressed by {program}; read it by `{program} -dc FILE | weir …`");
        return Err(io::Error::new(io::ErrorKind::Unsupported, what));
    }
    Ok(reader)
}

/// The content of all frames of a Zstandard file, one behind the other.
struct Zstandard<R> {
    source: R,
    decoder: FrameDecoder,
    is_open: bool,
    /// Why the frame ended that should have gone on.
    failed: Option<io::Error>,
}

impl<R: BufRead> Zstandard<R> {
    fn new(source: R) -> Self {
        Self { source, decoder: FrameDecoder::new(), is_open: false, failed: None }
    }

    /// Begins the next frame; `false` at the end of the file.
    fn begin(&mut self) -> io::Result<bool> {
        while !self.source.fill_buf()?.is_empty() {
            match self.decoder.reset(&mut self.source) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let mut skipped = (&mut self.source).take(length.into());
                    io::copy(&mut skipped, &mut io::sink())?;
                }
                Err(error) => return Err(damage(error)),
            }
        }
        Ok(false)
    }

    fn decode(&mut self, wanted: usize) {
        let strategy = BlockDecodingStrategy::UptoBytes(wanted);
        let Err(error) = self.decoder.decode_blocks(&mut self.source, strategy) else { return };
        self.failed = Some(damage(error));
        // What is decoded stays in the decoder's window until the frame ends: it ends here, with
        // an empty last block (RFC 8878 §3.1.1.2) and room for a checksum.
        let end: &[u8] = &[1, 0, 0, 0, 0, 0, 0];
        if self.decoder.decode_blocks(end, BlockDecodingStrategy::All).is_err() {
            self.is_open = false;
        }
    }
}

fn damage(error: FrameDecoderError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}

impl<R: BufRead> Read for Zstandard<R> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.is_open {
                if let Some(error) = self.failed.take() {
                    return Err(error);
                }
                self.is_open = self.begin()?;
                if !self.is_open {
                    return Ok(0);
                }
            }
            if self.decoder.can_collect() > 0 {
                return self.decoder.read(space);
            }
            if self.decoder.is_finished() {
                self.is_open = false;
            } else {
                self.decode(space.len().max(1));
            }
        }
    }
}
