//! Unix sockets: as files, made with the right mode, taken over when stale, removed at the end; and
//! which users may write to them.

#![forbid(unsafe_code)]

use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};

use crate::system::peer;

/// The users who may send; all when none is named.
#[derive(Clone, Debug, Default)]
pub(super) struct Users(Vec<u32>);

impl Users {
    /// Looks the users up by their names, or takes their numbers.
    ///
    /// # Errors
    /// The name that is nobody's.
    pub(super) fn find(names: &[String]) -> Result<Self, String> {
        let number = |name: &String| {
            let number = name.parse().ok().or_else(|| peer::user_of(name));
            number.ok_or_else(|| name.clone())
        };
        Ok(Self(names.iter().map(number).collect::<Result<_, _>>()?))
    }

    /// Whether they include this one.
    pub(super) fn permit(&self, user: Option<u32>) -> bool {
        self.0.is_empty() || user.is_some_and(|user| self.0.contains(&user))
    }
}

/// The file of a socket that we have bound; removed when dropped, if it is still ours.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

/// Binds a datagram socket to a path.
pub(super) fn bind_datagram(path: &Path, mode: u32) -> io::Result<(UnixDatagram, SocketFile)> {
    remove_stale(path, Type::DGRAM)?;
    let socket = UnixDatagram::bind(path)?;
    Ok((socket, SocketFile::claim(path, mode)?))
}

/// Binds a stream socket to a path and listens on it.
pub(super) fn bind_stream(path: &Path, mode: u32) -> io::Result<(UnixListener, SocketFile)> {
    remove_stale(path, Type::STREAM)?;
    let socket = UnixListener::bind(path)?;
    Ok((socket, SocketFile::claim(path, mode)?))
}

impl SocketFile {
    fn claim(path: &Path, mode: u32) -> io::Result<Self> {
        let metadata = std::fs::symlink_metadata(path)?;
        let file = Self { path: path.to_owned(), identity: (metadata.dev(), metadata.ino()) };
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
        Ok(file)
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_ours = std::fs::symlink_metadata(&self.path)
            .is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == self.identity);
        if is_ours && let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "cannot remove the socket");
        }
    }
}

/// Removes a socket that a process has left behind. A socket that somebody serves, and anything
/// that is not a socket, stays and is an error.
fn remove_stale(path: &Path, kind: Type) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(metadata) if !metadata.file_type().is_socket() => {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        Ok(_) => {}
    }
    let probe = Socket::new(Domain::UNIX, kind, None)?;
    // A full backlog must not make us wait.
    probe.set_nonblocking(true)?;
    match probe.connect(&SockAddr::unix(path)?) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path)
        }
        _ => Err(io::ErrorKind::AddrInUse.into()),
    }
}
