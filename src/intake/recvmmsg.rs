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
const SLOTS: usize = 128;

/// Room for what the kernel says beside a datagram: who sent it (unix(7)), which takes 32 bytes.
type Control = [u64; 8];

/// Receives datagrams into buffers that are made once.
pub(super) struct Receiver {
    room: usize,
    // Invariant: these are never resized, since the headers point into them.
    buffers: Vec<u8>,
    names: Vec<libc::sockaddr_storage>,
    controls: Vec<Control>,
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
    /// The user of the process it came from; none but for Unix sockets.
    pub(super) user: Option<u32>,
}

impl Receiver {
    /// A receiver of datagrams of at most `room` bytes.
    pub(super) fn new(room: usize) -> Self {
        // The zeroed buffers are untouched pages until something is received into them.
        let mut buffers = vec![0_u8; room * SLOTS];
        // SAFETY: all zeroes is a valid `sockaddr_storage`: it holds integers only.
        let mut names = vec![unsafe { mem::zeroed::<libc::sockaddr_storage>() }; SLOTS];
        let mut controls = vec![Control::default(); SLOTS];
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
        Self { room, buffers, names, controls, _parts: parts, headers, received }
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
        // SAFETY: the headers are as many as said, and point to buffers and names that live as
        // long as `self` and have the lengths that the headers say.
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
                user: user(&self.controls[slot], header.msg_hdr.msg_controllen),
            }
        })
    }

    /// Whether the last call took as much as a call can: there may be more.
    pub(super) fn is_full(&self) -> bool {
        self.received == SLOTS
    }

    /// How many datagrams the last call received.
    pub(super) fn count(&self) -> usize {
        self.received
    }

    /// The bytes of all datagrams of the last call.
    pub(super) fn size(&self) -> usize {
        self.headers[..self.received].iter().map(|header| header.msg_len as usize).sum()
    }
}

/// The user in the `SCM_CREDENTIALS` that the kernel has put into the first `length` bytes, a number
/// whose type depends on the C library.
fn user(control: &Control, length: impl TryInto<usize>) -> Option<u32> {
    if length.try_into().ok()? < size_of::<libc::cmsghdr>() + size_of::<libc::ucred>() {
        return None;
    }
    // SAFETY: the control data is as long as a header with credentials, and aligned for it.
    let header = unsafe { &*ptr::from_ref(control).cast::<libc::cmsghdr>() };
    if (header.cmsg_level, header.cmsg_type) != (libc::SOL_SOCKET, libc::SCM_CREDENTIALS) {
        return None;
    }
    // SAFETY: credentials follow a header of this kind, within the length that was tested; they
    // are integers.
    let credentials = unsafe { libc::CMSG_DATA(header).cast::<libc::ucred>().read_unaligned() };
    Some(credentials.uid)
}

/// Asks the kernel to say with each datagram who sent it (`SO_PASSCRED`, unix(7)).
pub(super) fn want_credentials(socket: BorrowedFd<'_>) -> io::Result<()> {
    set(socket, libc::SO_PASSCRED, 1)
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

/// How many datagrams the socket has dropped since it was opened, for want of room or because they
/// were damaged; the count starts again after 2^32. `None` when the kernel does not say (before
/// Linux 4.12).
pub(super) fn dropped(socket: BorrowedFd<'_>) -> Option<u32> {
    /// `SK_MEMINFO_DROPS` and `SK_MEMINFO_VARS` of linux/sock_diag.h.
    const DROPS: usize = 8;
    let mut counts = [0_u32; DROPS + 1];
    let mut length = size_of_val(&counts) as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes, which is how long the array is, and says
    // how many; any bytes are valid numbers.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MEMINFO,
            counts.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    (result == 0 && length as usize == size_of_val(&counts)).then_some(counts[DROPS])
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
