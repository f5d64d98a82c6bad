//! Many datagrams by one system call, and the socket options that only libc knows.
//!
//! The only part of the intake with unsafe code: everything that leaves here is a plain slice,
//! address or number. It must not know what a line is.

use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

/// Datagrams taken by one call.
const SLOTS: usize = 64;

/// Room for the control messages of one datagram: one `u32` with its header.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; 64]);

/// Receives datagrams into buffers that are made once.
pub(super) struct Receiver {
    room: usize,
    // Invariant: these are never resized, since the headers point into them.
    buffers: Vec<u8>,
    names: Vec<libc::sockaddr_storage>,
    _controls: Vec<Control>,
    _parts: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
    received: usize,
}

/// One datagram.
pub(super) struct Datagram<'r> {
    /// What was received, at most the room there was.
    pub(super) bytes: &'r [u8],
    /// Whether it was longer than the room.
    pub(super) truncated: bool,
    /// The address it came from; none for Unix sockets.
    pub(super) sender: Option<IpAddr>,
    /// The number of datagrams that the socket has dropped since it was opened, when told.
    pub(super) overflows: Option<u32>,
}

impl Receiver {
    /// A receiver of datagrams of at most `room` bytes.
    pub(super) fn new(room: usize) -> Self {
        // The zeroed buffers are untouched pages until something is received into them.
        let mut buffers = vec![0_u8; room * SLOTS];
        // SAFETY: all zeroes is a valid `sockaddr_storage`: it holds integers only.
        let mut names = vec![unsafe { mem::zeroed::<libc::sockaddr_storage>() }; SLOTS];
        let mut controls = vec![Control([0; 64]); SLOTS];
        let mut parts: Vec<libc::iovec> = (0..SLOTS)
            .map(|slot| libc::iovec {
                iov_base: buffers.as_mut_ptr().wrapping_add(slot * room).cast(),
                iov_len: room,
            })
            .collect();
        let headers = (0..SLOTS)
            .map(|slot| {
                // SAFETY: all zeroes is a valid `mmsghdr`: integers and null pointers.
                let mut header = unsafe { mem::zeroed::<libc::mmsghdr>() };
                header.msg_hdr.msg_name = names.as_mut_ptr().wrapping_add(slot).cast();
                header.msg_hdr.msg_iov = parts.as_mut_ptr().wrapping_add(slot);
                header.msg_hdr.msg_iovlen = 1;
                header.msg_hdr.msg_control = controls.as_mut_ptr().wrapping_add(slot).cast();
                header
            })
            .collect();
        // Everything counts as used, so that the first call sets the lengths of all.
        let received = SLOTS;
        Self { room, buffers, names, _controls: controls, _parts: parts, headers, received }
    }

    /// Receives what is there, or waits for the first datagram as long as the socket's timeout.
    ///
    /// # Errors
    /// `WouldBlock` when nothing came; whatever else recvmmsg(2) says.
    pub(super) fn receive(&mut self, socket: BorrowedFd<'_>, wait: bool) -> io::Result<usize> {
        for header in &mut self.headers[..self.received] {
            header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            header.msg_hdr.msg_controllen = size_of::<Control>() as _;
            header.msg_hdr.msg_flags = 0;
        }
        self.received = 0;
        let flags = if wait { libc::MSG_WAITFORONE } else { libc::MSG_DONTWAIT };
        // SAFETY: the headers are as many as said, and point to buffers, names and controls that
        // live as long as `self` and have the lengths that the headers say.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                SLOTS as libc::c_uint,
                flags as _,
                ptr::null_mut(),
            )
        };
        let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        self.received = count.min(SLOTS);
        Ok(self.received)
    }

    /// What the last call received.
    pub(super) fn datagrams(&self) -> impl Iterator<Item = Datagram<'_>> {
        (0..self.received).map(|slot| {
            let header = &self.headers[slot];
            let start = slot * self.room;
            let length = (header.msg_len as usize).min(self.room);
            Datagram {
                bytes: &self.buffers[start..start + length],
                truncated: header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
                sender: sender(&self.names[slot], header.msg_hdr.msg_namelen),
                overflows: self.overflows(slot),
            }
        })
    }

    fn overflows(&self, slot: usize) -> Option<u32> {
        let header = &self.headers[slot].msg_hdr;
        // SAFETY: the kernel has written `msg_controllen` bytes of control messages into the
        // control buffer of this slot; the macros stay within that length, and a message of this
        // type carries a `u32`.
        unsafe {
            let mut message = libc::CMSG_FIRSTHDR(header);
            while !message.is_null() {
                let is_overflow = (*message).cmsg_level == libc::SOL_SOCKET
                    && (*message).cmsg_type == libc::SO_RXQ_OVFL
                    && (*message).cmsg_len as usize
                        >= libc::CMSG_LEN(size_of::<u32>() as u32) as usize;
                if is_overflow {
                    return Some(libc::CMSG_DATA(message).cast::<u32>().read_unaligned());
                }
                message = libc::CMSG_NXTHDR(header, message);
            }
        }
        None
    }
}

fn sender(name: &libc::sockaddr_storage, length: libc::socklen_t) -> Option<IpAddr> {
    let length = length as usize;
    match i32::from(name.ss_family) {
        libc::AF_INET if length >= size_of::<libc::sockaddr_in>() => {
            // SAFETY: the family says that the storage, which is large and aligned enough for
            // every kind of address, holds this one.
            let name = unsafe { &*ptr::from_ref(name).cast::<libc::sockaddr_in>() };
            Some(IpAddr::V4(Ipv4Addr::from_bits(u32::from_be(name.sin_addr.s_addr))))
        }
        libc::AF_INET6 if length >= size_of::<libc::sockaddr_in6>() => {
            // SAFETY: as above.
            let name = unsafe { &*ptr::from_ref(name).cast::<libc::sockaddr_in6>() };
            // A socket for both families shows IPv4 senders as mapped addresses.
            Some(IpAddr::V6(Ipv6Addr::from(name.sin6_addr.s6_addr)).to_canonical())
        }
        _ => None,
    }
}

/// Asks for a receive buffer of `wanted` bytes, past `net.core.rmem_max` if we may, and says how
/// many there are.
pub(super) fn set_receive_buffer(socket: BorrowedFd<'_>, wanted: usize) -> io::Result<usize> {
    let wanted = libc::c_int::try_from(wanted).unwrap_or(libc::c_int::MAX);
    if set(socket, libc::SO_RCVBUFFORCE, wanted).is_err() {
        set(socket, libc::SO_RCVBUF, wanted)?;
    }
    let granted = socket2::SockRef::from(&socket).recv_buffer_size()?;
    // The kernel doubles what is asked for, to have room for its own bookkeeping (socket(7)).
    Ok(granted / 2)
}

/// Asks the kernel to tell, with each datagram, how many the socket has dropped so far.
pub(super) fn report_overflows(socket: BorrowedFd<'_>) -> io::Result<()> {
    set(socket, libc::SO_RXQ_OVFL, 1)
}

fn set(socket: BorrowedFd<'_>, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
    // SAFETY: the option takes an `int`, and the pointer and the length are those of one.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            ptr::from_ref(&value).cast(),
            size_of_val(&value) as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
