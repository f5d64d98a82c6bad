//! Asks a running daemon: the commands' side of the control socket.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::message::{Failure, FailureKind, Listing, Reply, Request, Row};
use super::{ListingOthers, OtherRow};

/// How long a request may take to be written.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long an answer may take; longer than the daemon takes to give up.
const ANSWER: Duration = Duration::from_secs(75);
/// The longest answer in bytes: a page of decisions has less than 2 MiB.
const LONGEST_ANSWER: u64 = 16 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error("weir is not running? expected its control socket at `{}`", path.display())]
    NotRunning {
        /// Where.
        path: PathBuf,
    },
    /// The socket may not be opened.
    #[error(
        "no permission to use the control socket `{}`: be root or a member of its group",
        path.display()
    )]
    Permission {
        /// Where.
        path: PathBuf,
    },
    /// The conversation broke off.
    #[error("the daemon at `{}` does not answer: {source}", path.display())]
    Broken {
        /// Where.
        path: PathBuf,
        /// What happened.
        source: std::io::Error,
    },
    /// The answer is not understood: another version, or another program.
    #[error("the answer of the daemon at `{}` is not understood: {why}", path.display())]
    Strange {
        /// Where.
        path: PathBuf,
        /// What is strange.
        why: String,
    },
    /// The daemon says no.
    #[error("{}", .0.message)]
    Failed(Failure),
}

impl ClientError {
    /// The kind of failure, which gives the exit code of a command.
    #[must_use]
    pub const fn kind(&self) -> FailureKind {
        match self {
            ClientError::NotRunning { .. } | ClientError::Broken { .. } => FailureKind::Unavailable,
            ClientError::Permission { .. } => FailureKind::Permission,
            ClientError::Strange { .. } => FailureKind::Other,
            ClientError::Failed(failure) => failure.kind,
        }
    }
}

/// A connection to the daemon.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
    path: PathBuf,
}

impl Client {
    /// Opens the control socket.
    ///
    /// # Errors
    /// A [`ClientError`] when nobody listens, or when the socket may not be opened.
    pub fn open(path: &Path) -> Result<Self, ClientError> {
        let broken = |source: std::io::Error| match source.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
                ClientError::NotRunning { path: path.to_owned() }
            }
            ErrorKind::PermissionDenied => ClientError::Permission { path: path.to_owned() },
            _ => ClientError::Broken { path: path.to_owned(), source },
        };
        let stream = UnixStream::connect(path).map_err(broken)?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(broken)?;
        stream.set_read_timeout(Some(ANSWER)).map_err(broken)?;
        Ok(Self { stream: BufReader::new(stream), path: path.to_owned() })
    }

    /// Asks and waits for the answer, which is never [`Reply::Failed`].
    ///
    /// # Errors
    /// A [`ClientError`]; of a daemon that says no, [`ClientError::Failed`].
    pub fn ask(&mut self, request: &Request) -> Result<Reply, ClientError> {
        let mut line = serde_json::to_vec(request).expect("a request is plain data");
        line.push(b'\n');
        // A daemon that refuses a request half way has answered all the same.
        let written = self.stream.get_mut().write_all(&line);
        let mut answer = Vec::new();
        let read = self.stream.by_ref().take(LONGEST_ANSWER).read_until(b'\n', &mut answer);
        if let Err(source) = read {
            return Err(self.broken(source));
        }
        if answer.is_empty() {
            let closed = || ErrorKind::UnexpectedEof.into();
            return Err(self.broken(written.err().unwrap_or_else(closed)));
        }
        match serde_json::from_slice(&answer) {
            Ok(Reply::Failed(failure)) => Err(ClientError::Failed(failure)),
            Ok(reply) => Ok(reply),
            Err(error) => Err(self.strange(error.to_string())),
        }
    }

    /// All decisions that fit, page by page, until there are no more or `limit` of them.
    ///
    /// # Errors
    /// As [`Client::ask`].
    pub fn list(&mut self, listing: &Listing) -> Result<Vec<Row>, ClientError> {
        self.list_beside(listing).map(|(rows, _)| rows)
    }

    /// The same, and how many there are besides that only bouncers carry out.
    ///
    /// # Errors
    /// As [`Client::ask`].
    pub fn list_beside(&mut self, listing: &Listing) -> Result<(Vec<Row>, usize), ClientError> {
        let most = listing.limit.unwrap_or(usize::MAX);
        let mut rows: Vec<Row> = Vec::new();
        let mut next = listing.clone();
        loop {
            next.limit = Some(most - rows.len());
            let (page, total, others) = match self.ask(&Request::List(next.clone()))? {
                Reply::Listed { decisions, total, others } => (decisions, total, others),
                _ => return Err(self.strange("it answers something else".to_owned())),
            };
            let is_last = page.is_empty() || page.len() >= total;
            next.after = page.last().map_or(next.after, |row| row.id);
            rows.extend(page);
            if is_last || rows.len() >= most {
                return Ok((rows, others));
            }
        }
    }

    /// All that only bouncers carry out and that fits, page by page.
    ///
    /// # Errors
    /// As [`Client::ask`].
    pub fn list_others(&mut self, asked: &ListingOthers) -> Result<Vec<OtherRow>, ClientError> {
        let mut rows: Vec<OtherRow> = Vec::new();
        let mut asked = asked.clone();
        loop {
            match self.ask(&Request::ListOthers(asked.clone()))? {
                Reply::Others { others, next } => {
                    rows.extend(others);
                    match next {
                        Some(after) => asked.after = after,
                        None => return Ok(rows),
                    }
                }
                _ => return Err(self.strange("it answers something else".to_owned())),
            }
        }
    }

    fn broken(&self, source: std::io::Error) -> ClientError {
        ClientError::Broken { path: self.path.clone(), source }
    }

    fn strange(&self, why: String) -> ClientError {
        ClientError::Strange { path: self.path.clone(), why }
    }
}
