//! Looking at what waits in a stream socket without taking it (recv(2)).
//!
//! With [`recvmmsg`](super::recvmmsg) the only unsafe code on the way of the bytes: everything
//! that leaves here is a number, or a socket that is watched.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A socket whose bytes can be waited for. Must be called in a tokio runtime.
///
/// # Errors
/// When the runtime cannot watch it.
pub(super) fn watch(socket: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is the same descriptor until it is dropped, which closes it, and the
    // `AsyncFd` lets nobody replace it: `get_mut` and `into_inner` are not called.
    Ok(unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }?)
}

/// Copies the bytes that wait, from the first on, and leaves them where they are; gives how many.
/// None means that the peer has closed the stream and nothing waits.
///
/// # Errors
/// `WouldBlock` when nothing waits; whatever else recv(2) says.
pub(super) fn peek(socket: BorrowedFd<'_>, space: &mut [u8]) -> io::Result<usize> {
    receive(socket, space, libc::MSG_PEEK | libc::MSG_DONTWAIT)
}

/// Takes `count` bytes that wait, and forgets them. To be called for no more than were seen.
///
/// # Errors
/// Whatever recv(2) says.
pub(super) fn discard(socket: BorrowedFd<'_>, mut count: usize) -> io::Result<()> {
    let mut space = [0_u8; 16 * 1024];
    while count > 0 {
        let wanted = count.min(space.len());
        match receive(socket, &mut space[..wanted], libc::MSG_DONTWAIT) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(taken) => count -= taken,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn receive(socket: BorrowedFd<'_>, space: &mut [u8], flags: libc::c_int) -> io::Result<usize> {
    // SAFETY: `space` is valid for writes of as many bytes as are said, and any bytes are valid
    // in it.
    let count =
        unsafe { libc::recv(socket.as_raw_fd(), space.as_mut_ptr().cast(), space.len(), flags) };
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn what_is_seen_stays_until_it_is_discarded() {
        let (mut near, mut far) = UnixStream::pair().expect("a pair");
        let mut space = [0; 16];
        let nothing = peek(near.as_fd(), &mut space).expect_err("nothing waits");
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
        far.write_all(b"abcdef").expect("a written stream");
        assert_eq!(peek(near.as_fd(), &mut space).expect("bytes"), 6);
        assert_eq!(peek(near.as_fd(), &mut space[..4]).expect("bytes"), 4);
        discard(near.as_fd(), 2).expect("they are there");
        assert_eq!(peek(near.as_fd(), &mut space).expect("bytes"), 4);
        assert_eq!(&space[..4], b"cdef");
        let mut rest = [0; 4];
        near.read_exact(&mut rest).expect("bytes");
        assert_eq!(&rest, b"cdef");
        drop(far);
        assert_eq!(peek(near.as_fd(), &mut space).expect("an end"), 0);
        assert!(discard(near.as_fd(), 1).is_err());
    }
}
