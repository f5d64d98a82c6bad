//! What is to be listened on, as plain data: the settings build it, the listeners obey it.

#![forbid(unsafe_code)]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::value::Zones;

pub use super::tls::{NotPermitting, Permitted};
pub use crate::event::Trust;

/// One configured source of lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name in metrics, logs and `evt.Line.Src`.
    pub name: String,
    /// The label `type` that its lines carry, usually `syslog`.
    pub label: String,
    /// Where the lines come from.
    pub listen: Listen,
    /// Its certificate and who may speak to it; `None` for plain text.
    pub tls: Option<Tls>,
    /// Who may send, for network sources. Empty means anyone.
    pub senders: Vec<IpNet>,
    /// Names or numbers of the users who may send, for Unix sockets. Empty means anyone.
    pub users: Vec<String>,
    /// How much a sender may ask of us.
    pub limits: Limits,
    /// The most that may follow from its lines.
    pub bans: Trust,
    /// After how long without a line the source, or one of its senders, counts as silent; none for
    /// never.
    pub silent_after: Option<Duration>,
    /// Where the clocks of its senders are, for times that do not say it.
    pub zones: Zones,
}

/// The place to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// Syslog over UDP (RFC 5426), one message to a datagram.
    Udp(SocketAddr),
    /// Syslog over TCP (RFC 6587), both framings.
    Tcp(SocketAddr),
    /// RELP, the Reliable Event Logging Protocol of rsyslog: each line is answered.
    Relp(SocketAddr),
    /// A Unix datagram socket, one message to a datagram.
    UnixDatagram {
        /// Where the socket appears.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A Unix stream socket, both framings of RFC 6587.
    UnixStream {
        /// Where the socket appears.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// systemd's journal.
    Journal(Journal),
}

/// A journal, and what is wanted of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Journal {
    /// The folder with its files; `None` for the journal of this host.
    pub folder: Option<PathBuf>,
    /// The units whose entries are wanted, such as `ssh.service`; empty for all.
    pub units: Vec<String>,
    /// The names of programs whose entries are wanted; empty for all.
    pub identifiers: Vec<String>,
    /// The least urgent priority that is wanted, 0 (emergency) to 7 (debug); `None` for all.
    pub priority: Option<u8>,
    /// Where to begin at the very first start.
    pub since: Since,
    /// How it is read.
    pub through: Through,
}

/// Where to begin in a journal that was never read before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Since {
    /// With what comes.
    #[default]
    Now,
    /// With what came since the machine was started.
    Boot,
    /// With the oldest entry there is.
    Oldest,
}

/// How a journal is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Through {
    /// Through systemd's library, or else through `journalctl`.
    #[default]
    Library,
    /// Through `journalctl`.
    Journalctl,
}

/// The TLS of a source (RFC 5425): files in PEM, and which clients it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The source's own certificate, then those that signed it.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The authorities that sign clients; with them, a client must show a certificate.
    pub clients: Option<PathBuf>,
    /// The clients that are taken; empty for all that an authority signed.
    pub permitted: Vec<Permitted>,
}

impl Tls {
    /// Whether clients must show who they are.
    #[must_use]
    pub fn asks_for_certificates(&self) -> bool {
        self.clients.is_some() || !self.permitted.is_empty()
    }
}

/// The permission bits of a Unix socket unless others are set: every local program may log.
pub const SOCKET_MODE: u32 = 0o666;

/// How long a source may be silent unless it is said: what logs a few lines a day is not flagged
/// every night.
pub const SILENT_AFTER: Duration = Duration::from_secs(24 * 3600);

impl Listen {
    /// The kind of source, as it is written in settings, metrics and messages.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Udp(_) => "udp",
            Self::Tcp(_) => "tcp",
            Self::Relp(_) => "relp",
            Self::UnixDatagram { .. } => "unix_datagram",
            Self::UnixStream { .. } => "unix_stream",
            Self::Journal(_) => "journal",
        }
    }
}

/// The bounds of one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest message in bytes; a longer one is cut to this length.
    pub message: usize,
    /// Connections open at the same time.
    pub connections: usize,
    /// Lines a second of one sender; none for as many as come.
    pub rate: Option<u32>,
    /// How long a begun frame may take to arrive whole. A connection between two frames may be
    /// quiet for ever.
    pub frame_timeout: Duration,
    /// The kernel's receive buffer of a datagram socket, in bytes.
    pub receive_buffer: usize,
    /// How far the time of a line may be from its arrival for rules to go by it; without a bound
    /// any is believed.
    pub skew: Option<Duration>,
}

/// How far the time of a line may be from its arrival unless something else is said.
const SKEW: Duration = Duration::from_secs(5 * 60);

impl Default for Limits {
    fn default() -> Self {
        Self {
            message: 64 * 1024,
            connections: 1024,
            rate: None,
            frame_timeout: Duration::from_secs(60),
            receive_buffer: 16 * 1024 * 1024,
            skew: Some(SKEW),
        }
    }
}
