//! A netlink socket: sends requests, matches answers to them by number, and lists.
//!
//! The kernel handles a request inside `send`, so its answers are there when `send` returns; the
//! receive timeout guards against a kernel that behaves otherwise. A socket belongs to one thread.

mod questions;

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use super::Error;
use super::message::{self, Message, Writer, messages};
use super::nft::Finished;

/// What the socket talks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::enforce) enum Protocol {
    /// Addresses and routes.
    Route,
    /// Netfilter, with nf_tables among others.
    Netfilter,
    /// Sockets of this host.
    SockDiag,
}

/// Asked of the kernel for both directions; 100,000 IPv6 intervals in one batch take 9 MB.
const BUFFER: libc::c_int = 64 << 20;
/// For events: when more pile up, some are lost, and the loss is itself an event.
const EVENT_BUFFER: libc::c_int = 4 << 20;
/// Room for one datagram: the kernel sends lists in pieces of at most 32 KiB.
const DATAGRAM: usize = 64 << 10;
const PATIENCE: Duration = Duration::from_secs(5);
/// How often a list is asked for again when its subject changed meanwhile.
const ATTEMPTS: usize = 3;

/// An open socket.
#[derive(Debug)]
pub(in crate::enforce) struct Socket {
    descriptor: OwnedFd,
    port: u32,
    pub(super) sequence: u32,
    buffer: Vec<u8>,
}

impl Socket {
    /// Opens and binds a socket in the calling thread's network namespace.
    ///
    /// # Errors
    /// [`Error::System`] with the call that failed.
    pub(in crate::enforce) fn open(protocol: Protocol) -> Result<Self, Error> {
        let protocol = match protocol {
            Protocol::Route => libc::NETLINK_ROUTE,
            Protocol::Netfilter => libc::NETLINK_NETFILTER,
            Protocol::SockDiag => libc::NETLINK_SOCK_DIAG,
        };
        // SAFETY: plain call without pointers; the result is checked below.
        let raw = unsafe {
            libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, protocol)
        };
        if raw < 0 {
            return Err(last_error("open a netlink socket"));
        }
        // SAFETY: `raw` was just opened and belongs to nobody else.
        let descriptor = unsafe { OwnedFd::from_raw_fd(raw) };
        let mut socket = Self { descriptor, port: 0, sequence: 1, buffer: vec![0; DATAGRAM] };
        // The forced sizes need CAP_NET_ADMIN; without it small requests still work.
        let _ = socket.set(libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, &BUFFER);
        let _ = socket.set(libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &BUFFER);
        // Both explain refusals; kernels before 4.12 do without.
        let on: libc::c_int = 1;
        let _ = socket.set(libc::SOL_NETLINK, libc::NETLINK_EXT_ACK, &on);
        let _ = socket.set(libc::SOL_NETLINK, libc::NETLINK_CAP_ACK, &on);
        let patience = libc::timeval {
            tv_sec: libc::time_t::try_from(PATIENCE.as_secs()).expect("a few seconds"),
            tv_usec: 0,
        };
        socket
            .set(libc::SOL_SOCKET, libc::SO_RCVTIMEO, &patience)
            .map_err(|source| Error::System { what: "set a receive timeout", source })?;
        socket.bind()?;
        Ok(socket)
    }

    fn bind(&mut self) -> Result<(), Error> {
        let mut address = no_address();
        let mut length = ADDRESS_LENGTH;
        // SAFETY: `address` is a valid `sockaddr_nl` of `length` bytes for both calls, which keep
        // no pointer to it; `getsockname` writes at most `length` bytes.
        let failed = unsafe {
            let address = (&raw mut address).cast::<libc::sockaddr>();
            libc::bind(self.raw(), address, length) < 0
                || libc::getsockname(self.raw(), address, &raw mut length) < 0
        };
        if failed {
            return Err(last_error("bind a netlink socket"));
        }
        self.port = address.nl_pid;
        Ok(())
    }

    fn raw(&self) -> RawFd {
        self.descriptor.as_raw_fd()
    }

    fn set<T: Copy>(&self, level: libc::c_int, name: libc::c_int, value: &T) -> io::Result<()> {
        let length = libc::socklen_t::try_from(size_of::<T>()).expect("socket options are small");
        // SAFETY: the pointer and length describe `value`, which lives through the call and is
        // plain data (callers pass C integers and C structs).
        let failed = unsafe {
            libc::setsockopt(self.raw(), level, name, std::ptr::from_ref(value).cast(), length)
        } < 0;
        if failed { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// The number by which the kernel calls this socket.
    pub(in crate::enforce) fn port(&self) -> u32 {
        self.port
    }

    /// The number of the next message; the first of a batch takes it.
    pub(in crate::enforce) fn sequence(&self) -> u32 {
        self.sequence
    }

    /// Makes this socket hear what changes in nf_tables, except through the socket `deaf_to`.
    ///
    /// # Errors
    /// [`Error::System`] when the kernel refuses the membership.
    pub(in crate::enforce) fn hear_nftables(&self, deaf_to: u32) -> Result<(), Error> {
        /// `NFNLGRP_NFTABLES`.
        const GROUP: libc::c_int = 7;
        self.hear(&[GROUP], deaf_to)
    }

    /// Makes this socket hear what is told to these groups, except of changes that came through the
    /// socket `deaf_to`.
    ///
    /// # Errors
    /// [`Error::System`] when the kernel refuses the membership.
    pub(in crate::enforce) fn hear(
        &self,
        groups: &[libc::c_int],
        deaf_to: u32,
    ) -> Result<(), Error> {
        let statement = |code: u32, k: u32| libc::sock_filter {
            code: u16::try_from(code).expect("filter codes have 16 bits"),
            jt: 0,
            jf: 0,
            k,
        };
        // All messages of a datagram are of one transaction, so the first one's sender is theirs.
        // The filter loads big-endian; the field is in the machine's order.
        let port = u32::from_be_bytes(deaf_to.to_ne_bytes());
        let mut program = [
            statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 12),
            libc::sock_filter {
                jf: 1,
                ..statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, port)
            },
            statement(libc::BPF_RET | libc::BPF_K, 0),
            statement(libc::BPF_RET | libc::BPF_K, u32::MAX),
        ];
        // Without the privilege the size stays as it is.
        let _ = self.set(libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &EVENT_BUFFER);
        let filter = libc::sock_fprog { len: 4, filter: program.as_mut_ptr() };
        // `setsockopt` copies the program before it returns; `program` outlives the call.
        self.set(libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &filter)
            .map_err(|source| Error::System { what: "filter events", source })?;
        for group in groups {
            self.join(*group)?;
        }
        Ok(())
    }

    /// Makes this socket hear what is told to a group.
    ///
    /// # Errors
    /// [`Error::System`] when the kernel refuses the membership.
    pub(in crate::enforce) fn join(&self, group: libc::c_int) -> Result<(), Error> {
        self.set(libc::SOL_NETLINK, libc::NETLINK_ADD_MEMBERSHIP, &group)
            .map_err(|source| Error::System { what: "listen to events", source })
    }

    /// Has the kernel look at what a request for a list asks for, so that it lists that only.
    /// Before Linux 4.20 it lists all.
    pub(in crate::enforce) fn choose(&self) {
        let on: libc::c_int = 1;
        let _ = self.set(libc::SOL_NETLINK, libc::NETLINK_GET_STRICT_CHK, &on);
    }

    /// Sends a batch and waits for the kernel's verdict on it.
    ///
    /// # Errors
    /// The first refusal, after which nothing of the batch is done; [`Error::Overrun`] and
    /// [`Error::Silent`] leave it open.
    pub(in crate::enforce) fn commit(&mut self, batch: &Finished) -> Result<(), Error> {
        self.sequence = batch.end().wrapping_add(1);
        self.send(batch.bytes())?;
        let mut verdict = None;
        while verdict.is_none() {
            self.receive(true, &mut |message| {
                if message.kind != message::ERROR || !batch.covers(message.sequence) {
                    return;
                }
                let Some(answer) = message.verdict() else { return };
                let is_last = message.sequence == batch.acknowledged();
                match &verdict {
                    None | Some(Ok(())) if answer.errno != 0 => {
                        let words = answer.words;
                        verdict = Some(Err(Error::Refused { errno: answer.errno, words }));
                    }
                    None if is_last => verdict = Some(Ok(())),
                    _ => {}
                }
            })?;
        }
        verdict.expect("the loop ends with a verdict")
    }

    /// Sends one request that is acknowledged, and gives every answer to it to `each`.
    ///
    /// # Errors
    /// As [`Socket::commit`].
    pub(in crate::enforce) fn ask(
        &mut self,
        request: impl Fn(&mut Writer, u32),
    ) -> Result<(), Error> {
        self.exchange(&request, &mut |_| {}).map(|_| ())
    }

    /// Asks for a list and lets `read` turn each message of it into items.
    ///
    /// When the subject changes meanwhile, the list is asked for again; after a few attempts it
    /// is taken as it is, so it may have gaps and doubles then.
    ///
    /// # Errors
    /// As [`Socket::commit`].
    pub(in crate::enforce) fn list<T>(
        &mut self,
        request: impl Fn(&mut Writer, u32),
        read: impl Fn(&Message<'_>, &mut Vec<T>),
    ) -> Result<Vec<T>, Error> {
        let mut items = Vec::new();
        for _ in 0..ATTEMPTS {
            items.clear();
            let is_whole = self.exchange(&request, &mut |message| read(message, &mut items))?;
            if is_whole {
                break;
            }
        }
        Ok(items)
    }

    /// One request and all answers to it; false when the kernel says that the list is torn.
    fn exchange(
        &mut self,
        request: &impl Fn(&mut Writer, u32),
        each: &mut dyn FnMut(&Message<'_>),
    ) -> Result<bool, Error> {
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        let mut writer = Writer::default();
        request(&mut writer, sequence);
        self.send(writer.bytes())?;
        let mut is_whole = true;
        let mut verdict = None;
        while verdict.is_none() {
            self.receive(true, &mut |message| {
                if message.sequence != sequence || verdict.is_some() {
                    return;
                }
                is_whole &= message.flags & message::DUMP_INTERRUPTED == 0;
                match message.kind {
                    message::ERROR | message::DONE => verdict = message.verdict(),
                    _ => each(message),
                }
            })?;
        }
        match verdict {
            Some(verdict) if verdict.errno != 0 => {
                Err(Error::Refused { errno: verdict.errno, words: verdict.words })
            }
            _ => Ok(is_whole),
        }
    }

    /// Gives what has already arrived to `each`, without waiting.
    ///
    /// # Errors
    /// [`Error::Overrun`] when something was lost, after which the rest can be read by a further
    /// call.
    pub(in crate::enforce) fn drain(
        &mut self,
        each: &mut dyn FnMut(&Message<'_>),
    ) -> Result<(), Error> {
        while self.receive(false, each)? {}
        Ok(())
    }

    pub(super) fn send(&self, bytes: &[u8]) -> Result<(), Error> {
        loop {
            // SAFETY: the pointer and length describe `bytes`, which lives through the call.
            let sent = unsafe { libc::send(self.raw(), bytes.as_ptr().cast(), bytes.len(), 0) };
            if sent >= 0 {
                return Ok(());
            }
            let source = io::Error::last_os_error();
            if source.kind() != io::ErrorKind::Interrupted {
                return Err(Error::System { what: "send to the kernel", source });
            }
        }
    }

    /// Receives one datagram; false when none is there and `is_patient` is not set.
    pub(super) fn receive(
        &mut self,
        is_patient: bool,
        each: &mut dyn FnMut(&Message<'_>),
    ) -> Result<bool, Error> {
        let mut address = no_address();
        let mut address_length = ADDRESS_LENGTH;
        let flags = if is_patient { 0 } else { libc::MSG_DONTWAIT } | libc::MSG_TRUNC;
        // SAFETY: the buffer is valid for its length, `address` for `address_length` bytes; both
        // live through the call and nothing else refers to them.
        let length = unsafe {
            libc::recvfrom(
                self.raw(),
                self.buffer.as_mut_ptr().cast(),
                self.buffer.len(),
                flags,
                (&raw mut address).cast(),
                &raw mut address_length,
            )
        };
        let Ok(length) = usize::try_from(length) else {
            let source = io::Error::last_os_error();
            return match source.raw_os_error() {
                Some(libc::EINTR) => Ok(true),
                Some(libc::EAGAIN) if is_patient => Err(Error::Silent),
                Some(libc::EAGAIN) => Ok(false),
                Some(libc::ENOBUFS) => Err(Error::Overrun),
                _ => Err(Error::System { what: "receive from the kernel", source }),
            };
        };
        // Hostile: another process may address this socket; only the kernel has port 0.
        if address.nl_pid != 0 {
            return Ok(true);
        }
        let Some(bytes) = self.buffer.get(..length) else { return Err(Error::Overrun) };
        for message in messages(bytes) {
            if message.kind == message::OVERRUN {
                return Err(Error::Overrun);
            }
            each(&message);
        }
        Ok(true)
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the length of a small C struct")]
const ADDRESS_LENGTH: libc::socklen_t = size_of::<libc::sockaddr_nl>() as libc::socklen_t;

fn no_address() -> libc::sockaddr_nl {
    // SAFETY: `sockaddr_nl` is made of integers, for which zero is a value.
    let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
    address.nl_family = libc::sa_family_t::try_from(libc::AF_NETLINK).expect("a small number");
    address
}

fn last_error(what: &'static str) -> Error {
    Error::System { what, source: io::Error::last_os_error() }
}
