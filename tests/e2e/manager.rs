//! A service manager: holds sockets, keeps what the daemon gives it to keep, and passes both to the
//! next process (sd_listen_fds(3), sd_notify(3)).

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::{Arc, Mutex};

/// It listens as long as this lives.
pub(crate) struct Manager {
    folder: tempfile::TempDir,
    /// Listening sockets; the daemon finds each by its address.
    sockets: Vec<OwnedFd>,
    kept: Arc<Mutex<Vec<(String, OwnedFd)>>>,
}

impl Manager {
    /// With these listening sockets.
    pub(crate) fn new(sockets: Vec<OwnedFd>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let notified = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        let kept = Arc::new(Mutex::new(Vec::new()));
        let keeper = Arc::clone(&kept);
        // Ends with the process of the tests: nobody closes a socket of datagrams from afar.
        std::thread::spawn(move || {
            while let Ok((text, descriptor)) = receive(&notified) {
                let name = text.lines().find_map(|line| line.strip_prefix("FDNAME="));
                let Some(name) = name else { continue };
                let mut kept = keeper.lock().unwrap();
                kept.retain(|(known, _)| known != name);
                if let Some(descriptor) = descriptor {
                    assert!(text.contains("FDSTORE=1\n"), "{text}");
                    kept.push((name.to_owned(), descriptor));
                }
            }
        });
        Self { folder, sockets, kept }
    }

    /// How many descriptors it keeps.
    pub(crate) fn kept(&self) -> usize {
        self.kept.lock().unwrap().len()
    }

    /// Lets a program have all of them. `LISTEN_PID` is for the program's start to set.
    pub(crate) fn pass(&self, command: &mut Command) {
        let kept = self.kept.lock().unwrap();
        let sockets = self.sockets.iter().map(|socket| ("weir.socket", socket));
        let all = sockets.chain(kept.iter().map(|(name, socket)| (&**name, socket)));
        let (names, copies): (Vec<&str>, Vec<OwnedFd>) =
            all.map(|(name, socket)| (name, copy(socket))).unzip();
        command
            .env("NOTIFY_SOCKET", self.folder.path().join("notify"))
            .env("LISTEN_FDS", copies.len().to_string())
            .env("LISTEN_FDNAMES", names.join(":"));
        let pass = move || {
            for (copy, number) in copies.iter().zip(3..) {
                // SAFETY: the copy is open, and no number from three on is anybody's in this
                // process, which is about to become another program.
                if unsafe { libc::dup2(copy.as_raw_fd(), number) } < 0 {
                    return Err(io::Error::last_os_error());
                }
            }
            Ok(())
        };
        // SAFETY: between fork and exec it calls nothing but dup2(2).
        unsafe { command.pre_exec(pass) };
    }
}

/// A copy with a number that is not among the first.
fn copy(socket: &OwnedFd) -> OwnedFd {
    const HIGH: RawFd = 700;
    // SAFETY: the descriptor is open; the copy has no other owner.
    unsafe {
        let copy = libc::fcntl(socket.as_raw_fd(), libc::F_DUPFD_CLOEXEC, HIGH);
        assert!(copy >= 0, "{}", io::Error::last_os_error());
        OwnedFd::from_raw_fd(copy)
    }
}

/// A notification, and the descriptor that came with it.
fn receive(socket: &UnixDatagram) -> io::Result<(String, Option<OwnedFd>)> {
    let mut bytes = [0_u8; 4096];
    let mut control = [0_u64; 8];
    let mut part = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    // SAFETY: all zeroes is a valid `msghdr`: integers and null pointers.
    let mut header = unsafe { std::mem::zeroed::<libc::msghdr>() };
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = size_of_val(&control) as _;
    // SAFETY: the header points to the part, the part to the bytes and it to the control data, all
    // of the lengths that are said, and all live until the call returns.
    let count =
        unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, libc::MSG_CMSG_CLOEXEC) };
    let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
    // SAFETY: the header is the one that the kernel has filled.
    let first = unsafe { libc::CMSG_FIRSTHDR(&raw const header) };
    let mut descriptor = None;
    // SAFETY: a first header that is not null lies in the control data; one of this kind is followed
    // by a descriptor that is ours.
    unsafe {
        if !first.is_null() && (*first).cmsg_type == libc::SCM_RIGHTS {
            let number = libc::CMSG_DATA(first).cast::<RawFd>().read_unaligned();
            descriptor = Some(OwnedFd::from_raw_fd(number));
        }
    }
    Ok((String::from_utf8_lossy(&bytes[..count]).into_owned(), descriptor))
}
