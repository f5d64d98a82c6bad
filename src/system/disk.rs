//! How much room there is on a disk.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Room on the file system of a path, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// What those who are not root can still write.
    pub free: u64,
    /// All there is.
    pub total: u64,
}

/// Asks for the room at `path` (statvfs(3)).
///
/// # Errors
/// What the system says.
pub fn room(path: &Path) -> io::Result<Room> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: all zeroes is a valid `statvfs`: integers only.
    let mut found = unsafe { std::mem::zeroed::<libc::statvfs>() };
    // SAFETY: the path ends with a zero, and both outlive the call, which writes `found` only.
    if unsafe { libc::statvfs(path.as_ptr(), &raw mut found) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
    Ok(Room { free: bytes(found.f_bavail), total: bytes(found.f_blocks) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_some_and_not_more_than_all() {
        let folder = tempfile::tempdir().unwrap();
        let room = room(folder.path()).unwrap();
        assert!(room.free <= room.total && room.total > 0, "{room:?}");
        assert!(super::room(&folder.path().join("not there")).is_err());
    }
}
