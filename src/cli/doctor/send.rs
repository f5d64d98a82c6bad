//! Sends a line to a source, in the way that the source takes lines.
//!
//! Every wait is bounded. Must not know what the line says, nor what becomes of it.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::time::Duration;

use super::secure::{self, Identity};
use crate::intake::relp::frame::{Frames, write as write_frame};
use crate::intake::spec::{Listen, Source};

/// How messages are told apart in a stream (RFC 6587).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// The length before each.
    Counted,
    /// A line feed behind each.
    LineFeed,
    /// The transport knows.
    Own,
}

impl Framing {
    /// Those that a source takes.
    pub(super) const fn of(listen: &Listen) -> &'static [Self] {
        match listen {
            Listen::Tcp(_) | Listen::UnixStream { .. } => &[Self::Counted, Self::LineFeed],
            _ => &[Self::Own],
        }
    }

    /// In words, for those that have any.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Counted => ", octet-counted",
            Self::LineFeed => ", one to a line",
            Self::Own => "",
        }
    }
}

/// How long a connection, a handshake or an answer may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// Where journald takes entries.
const JOURNAL: &str = "/run/systemd/journal/socket";
/// The longest answer of a RELP source.
const ANSWER: usize = 4096;

/// A message, and what a journal needs apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'a> {
    /// As RFC 5424 has it.
    pub(super) line: &'a str,
    /// The program that it names.
    pub(super) program: &'a str,
    /// What it says.
    pub(super) text: &'a str,
}

/// Where a source is reached from this host.
pub(super) fn target(listen: SocketAddr) -> SocketAddr {
    let address = match listen.ip() {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    };
    SocketAddr::new(address, listen.port())
}

/// Sends one message.
///
/// # Errors
/// What the system, the handshake or the other side says.
pub(super) fn send(
    source: &Source,
    message: Message<'_>,
    framing: Framing,
    identity: Option<&Identity>,
) -> io::Result<()> {
    match &source.listen {
        Listen::Udp(at) => {
            let at = target(*at);
            let any: IpAddr = match at.ip() {
                IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
            };
            let socket = UdpSocket::bind((any, 0))?;
            socket.connect(at)?;
            socket.send(message.line.as_bytes())?;
            Ok(())
        }
        Listen::Tcp(at) => {
            let mut stream = connect(source, target(*at), identity)?;
            stream.write_all(&framed(message.line, framing))?;
            stream.flush()
        }
        Listen::Relp(at) => relp(&mut *connect(source, target(*at), identity)?, message.line),
        Listen::UnixDatagram { path, .. } => datagram(path, message.line.as_bytes()),
        Listen::UnixStream { path, .. } => {
            let mut stream = UnixStream::connect(path)?;
            stream.set_write_timeout(Some(PATIENCE))?;
            stream.write_all(&framed(message.line, framing))
        }
        Listen::Journal(_) => datagram(
            Path::new(JOURNAL),
            format!(
                "MESSAGE={}\nSYSLOG_IDENTIFIER={}\nPRIORITY=6\nSYSLOG_FACILITY=10\n",
                message.text, message.program
            )
            .as_bytes(),
        ),
    }
}

/// What a connection can do.
pub(super) trait Duplex: Read + Write {}
impl<T: Read + Write> Duplex for T {}

fn connect(
    source: &Source,
    at: SocketAddr,
    identity: Option<&Identity>,
) -> io::Result<Box<dyn Duplex>> {
    let stream = TcpStream::connect_timeout(&at, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    match &source.tls {
        None => Ok(Box::new(stream)),
        Some(tls) => Ok(Box::new(secure::connect(stream, tls, identity)?)),
    }
}

fn datagram(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.send_to(bytes, path).map(drop)
}

fn framed(line: &str, framing: Framing) -> Vec<u8> {
    match framing {
        Framing::Counted => format!("{} {line}", line.len()),
        Framing::LineFeed | Framing::Own => format!("{line}\n"),
    }
    .into_bytes()
}

/// A session with one message. It is answered when all that follows from it is done.
fn relp(stream: &mut dyn Duplex, line: &str) -> io::Result<()> {
    const OFFERS: &[u8] = b"relp_version=0\nrelp_software=weir-doctor\ncommands=syslog";
    let mut answers = Frames::new(ANSWER);
    for (number, command, data) in
        [(1, "open", OFFERS), (2, "syslog", line.as_bytes()), (3, "close", b"")]
    {
        let mut bytes = Vec::new();
        write_frame(&mut bytes, number, command, data);
        stream.write_all(&bytes)?;
        stream.flush()?;
        if number < 3 {
            await_ok(stream, &mut answers, number)?;
        }
    }
    Ok(())
}

fn await_ok(stream: &mut dyn Duplex, answers: &mut Frames, number: u32) -> io::Result<()> {
    loop {
        match answers.next_frame().map_err(io::Error::other)? {
            Some(frame) if frame.txnr == number && frame.data.starts_with(b"200") => return Ok(()),
            Some(frame) if frame.txnr == number => {
                return Err(io::Error::other(String::from_utf8_lossy(frame.data).into_owned()));
            }
            Some(_) => {}
            None => {
                let count = stream.read(answers.space())?;
                if count == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                answers.filled(count);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_and_targets() {
        assert_eq!(framed("<1>x", Framing::Counted), b"4 <1>x");
        assert_eq!(framed("<1>x", Framing::LineFeed), b"<1>x\n");
        let at = |text: &str| target(text.parse().expect("an address")).to_string();
        assert_eq!(at("0.0.0.0:514"), "127.0.0.1:514");
        assert_eq!(at("[::]:514"), "[::1]:514");
        assert_eq!(at("192.0.2.1:514"), "192.0.2.1:514");
    }

    #[test]
    fn a_relp_session_waits_for_its_answers() {
        let (mut ours, mut theirs) = UnixStream::pair().expect("a pair");
        let server = std::thread::spawn(move || {
            let mut frames = Frames::new(ANSWER);
            let mut seen = Vec::new();
            loop {
                while let Some(frame) = frames.next_frame().expect("frames") {
                    seen.push((frame.command.to_owned(), frame.data.to_vec()));
                    let number = frame.txnr;
                    let mut answer = Vec::new();
                    write_frame(&mut answer, number, "rsp", b"200 OK");
                    let _ = theirs.write_all(&answer);
                }
                if seen.len() == 3 {
                    return seen;
                }
                let count = theirs.read(frames.space()).expect("bytes");
                frames.filled(count);
            }
        });
        relp(&mut ours, "<1>a line").expect("answered");
        let seen = server.join().expect("served");
        let commands: Vec<&str> = seen.iter().map(|(command, _)| &**command).collect();
        assert_eq!(commands, ["open", "syslog", "close"]);
        assert_eq!(seen[1].1, b"<1>a line");
    }
}
