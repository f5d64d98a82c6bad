//! What can go wrong when a source is opened: which one, what failed, and what to do.

#![forbid(unsafe_code)]

use std::io;
use std::path::PathBuf;

use super::spec::{Listen, Source};
use super::tls::TlsError;

/// A source cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The socket cannot be had.
    #[error("source `{name}`: cannot listen on {place}: {error}{advice}")]
    Listen {
        /// The name of the source.
        name: String,
        /// The kind and the address or path.
        place: String,
        /// What the kernel said.
        #[source]
        error: io::Error,
        /// What to do, with the punctuation before it; may be empty.
        advice: &'static str,
    },
    /// A socket that was passed to us is of another kind than the source.
    #[error(
        "source `{name}`: the socket passed by the service manager is not a listening {wanted} \
         socket; name each socket after its source with `FileDescriptorName=`"
    )]
    Inherited {
        /// The name of the source.
        name: String,
        /// The kind that it should be.
        wanted: &'static str,
    },
    /// Its certificates or its key cannot be used.
    #[error("source `{name}`: {error}")]
    Tls {
        /// The name of the source.
        name: String,
        /// Which file, and what is wrong with it.
        #[source]
        error: TlsError,
    },
    /// A user who may send is not known here.
    #[error("source `{name}`: there is no user `{user}` on this host (`users:` of the source)")]
    User {
        /// The name of the source.
        name: String,
        /// The name of the user.
        user: String,
    },
    /// The thread or task of the source cannot be started.
    #[error("source `{name}`: cannot start receiving: {error}")]
    Start {
        /// The name of the source.
        name: String,
        /// What the kernel said.
        #[source]
        error: io::Error,
    },
    /// A file of lines cannot be read.
    #[error("cannot read `{}`: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        error: io::Error,
    },
}

impl IntakeError {
    pub(super) fn listen(source: &Source, error: io::Error) -> Self {
        let place = match &source.listen {
            Listen::Udp(address) => format!("udp {address}"),
            Listen::Tcp(address) => format!("tcp {address}"),
            Listen::Relp(address) => format!("relp {address}"),
            Listen::UnixDatagram { path, .. } => format!("unix datagram `{}`", path.display()),
            Listen::UnixStream { path, .. } => format!("unix stream `{}`", path.display()),
            Listen::Journal(_) => "the journal".to_owned(),
        };
        let advice = advice(&source.listen, &error);
        Self::Listen { name: source.name.clone(), place, error, advice }
    }

    pub(super) fn inherited(source: &Source) -> Self {
        Self::Inherited { name: source.name.clone(), wanted: source.listen.kind() }
    }

    pub(super) fn start(source: &Source, error: io::Error) -> Self {
        Self::Start { name: source.name.clone(), error }
    }
}

fn advice(listen: &Listen, error: &io::Error) -> &'static str {
    match (listen, error.kind()) {
        (Listen::Udp(_) | Listen::Tcp(_) | Listen::Relp(_), io::ErrorKind::AddrInUse) => {
            "; another program listens there (`ss -lnp` shows which): stop it, or choose another \
             address"
        }
        (
            Listen::Udp(address) | Listen::Tcp(address) | Listen::Relp(address),
            io::ErrorKind::PermissionDenied,
        ) if address.port() < 1024 => {
            "; ports below 1024 need CAP_NET_BIND_SERVICE: start as root or from the systemd \
             unit, or let systemd open the socket"
        }
        (Listen::Udp(_) | Listen::Tcp(_) | Listen::Relp(_), io::ErrorKind::AddrNotAvailable) => {
            "; no interface of this host has that address"
        }
        (_, io::ErrorKind::AddrInUse) => {
            "; another program listens there: stop it, or choose another path"
        }
        (_, io::ErrorKind::AlreadyExists) => {
            "; what is there is not a socket: move it away, or choose another path"
        }
        (_, io::ErrorKind::NotFound) => {
            "; the directory does not exist: create it, or set `RuntimeDirectory=` in the unit"
        }
        (
            Listen::UnixDatagram { .. } | Listen::UnixStream { .. },
            io::ErrorKind::PermissionDenied,
        ) => "; the user that Weir runs as may not write to the directory",
        _ => "",
    }
}
