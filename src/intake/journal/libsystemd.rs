//! libsystemd's reader of the journal, opened when it is needed.
//!
//! The only part of the journal's source with unsafe code: what leaves here are plain bytes, texts
//! and errors. It must not know what an entry means. The library is not linked, so that Weir starts
//! where there is no systemd; functions and their meaning are those of sd-journal(3).

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::Duration;

use libloading::Library;

use super::entry::Entry;

/// The library's name; its functions have not changed under it since 2012.
const LIBRARY: &str = "libsystemd.so.0";

/// `sd_journal`, of which only the library knows what it is.
#[repr(C)]
struct Opaque {
    _private: [u8; 0],
}

type Plain = unsafe extern "C" fn(*mut Opaque) -> c_int;

/// The functions of the library.
pub(super) struct Libsystemd {
    open: unsafe extern "C" fn(*mut *mut Opaque, c_int) -> c_int,
    open_directory: unsafe extern "C" fn(*mut *mut Opaque, *const c_char, c_int) -> c_int,
    close: unsafe extern "C" fn(*mut Opaque),
    set_data_threshold: unsafe extern "C" fn(*mut Opaque, usize) -> c_int,
    add_match: unsafe extern "C" fn(*mut Opaque, *const c_void, usize) -> c_int,
    seek_head: Plain,
    seek_tail: Plain,
    seek_cursor: unsafe extern "C" fn(*mut Opaque, *const c_char) -> c_int,
    next: Plain,
    previous: Plain,
    test_cursor: unsafe extern "C" fn(*mut Opaque, *const c_char) -> c_int,
    get_cursor: unsafe extern "C" fn(*mut Opaque, *mut *mut c_char) -> c_int,
    get_realtime: unsafe extern "C" fn(*mut Opaque, *mut u64) -> c_int,
    restart_data: unsafe extern "C" fn(*mut Opaque),
    enumerate_data: unsafe extern "C" fn(*mut Opaque, *mut *const c_void, *mut usize) -> c_int,
    process: Plain,
    wait: unsafe extern "C" fn(*mut Opaque, u64) -> c_int,
    /// Where they are; unloaded after everything that calls them.
    _library: Library,
}

impl Libsystemd {
    /// Opens the library.
    ///
    /// # Errors
    /// When there is none, or it is too old to have a function that is needed.
    pub(super) fn load() -> Result<Arc<Self>, libloading::Error> {
        // SAFETY: what the library does when it is loaded is safe: it is the C library's companion
        // in every process of a system with systemd.
        let library = unsafe { Library::new(LIBRARY)? };
        // SAFETY: each function has the type that <systemd/sd-journal.h> declares for this name;
        // the pointers are only called while the library is loaded, since both are dropped together.
        unsafe {
            Ok(Arc::new(Self {
                open: *library.get("sd_journal_open")?,
                open_directory: *library.get("sd_journal_open_directory")?,
                close: *library.get("sd_journal_close")?,
                set_data_threshold: *library.get("sd_journal_set_data_threshold")?,
                add_match: *library.get("sd_journal_add_match")?,
                seek_head: *library.get("sd_journal_seek_head")?,
                seek_tail: *library.get("sd_journal_seek_tail")?,
                seek_cursor: *library.get("sd_journal_seek_cursor")?,
                next: *library.get("sd_journal_next")?,
                previous: *library.get("sd_journal_previous")?,
                test_cursor: *library.get("sd_journal_test_cursor")?,
                get_cursor: *library.get("sd_journal_get_cursor")?,
                get_realtime: *library.get("sd_journal_get_realtime_usec")?,
                restart_data: *library.get("sd_journal_restart_data")?,
                // The later one passes over what is compressed in a way that cannot be read.
                enumerate_data: match library.get("sd_journal_enumerate_available_data") {
                    Ok(function) => *function,
                    Err(_) => *library.get("sd_journal_enumerate_data")?,
                },
                process: *library.get("sd_journal_process")?,
                wait: *library.get("sd_journal_wait")?,
                _library: library,
            }))
        }
    }
}

/// An open journal. It is used by the thread that opened it.
pub(super) struct Journal {
    // Invariant: what `open` of this library gave, until it is dropped.
    journal: NonNull<Opaque>,
    library: Arc<Libsystemd>,
}

/// `SD_JOURNAL_LOCAL_ONLY`: of this host, the system's and the users'.
const LOCAL_ONLY: c_int = 1;

impl Journal {
    /// Opens the journal of this host, or all files in a folder. Files that may not be read are
    /// left out without a word.
    ///
    /// # Errors
    /// What the library says, as for all that follows.
    pub(super) fn open(library: &Arc<Libsystemd>, folder: Option<&Path>) -> io::Result<Self> {
        let folder = folder.map(|path| CString::new(path.as_os_str().as_bytes())).transpose()?;
        let mut journal = ptr::null_mut();
        // SAFETY: the library writes the pointer to a place that is there for it, and reads a text
        // that ends with a zero.
        let result = unsafe {
            match &folder {
                None => (library.open)(&raw mut journal, LOCAL_ONLY),
                Some(folder) => (library.open_directory)(&raw mut journal, folder.as_ptr(), 0),
            }
        };
        checked(result)?;
        let journal = NonNull::new(journal).ok_or(io::ErrorKind::InvalidData)?;
        let journal = Self { journal, library: Arc::clone(library) };
        // Whole fields: the library would cut them at 64 KiB otherwise.
        // SAFETY: see `journal`.
        checked(unsafe { (journal.library.set_data_threshold)(journal.raw(), 0) })?;
        // From the first time on the library watches the folders.
        journal.wait(Duration::ZERO)?;
        Ok(journal)
    }

    fn raw(&self) -> *mut Opaque {
        self.journal.as_ptr()
    }

    fn call(&self, function: Plain) -> io::Result<c_int> {
        // SAFETY: see `journal`; the function takes nothing else.
        checked(unsafe { function(self.raw()) })
    }

    /// Wants entries with this field (`NAME=text`); of several with one name any, of several names
    /// all.
    pub(super) fn add_match(&mut self, field: &[u8]) -> io::Result<()> {
        // SAFETY: see `journal`; the bytes are as many as said, and are copied.
        let result =
            unsafe { (self.library.add_match)(self.raw(), field.as_ptr().cast(), field.len()) };
        checked(result).map(drop)
    }

    /// Goes before the first entry.
    pub(super) fn seek_head(&mut self) -> io::Result<()> {
        self.call(self.library.seek_head).map(drop)
    }

    /// Goes behind the last entry.
    pub(super) fn seek_tail(&mut self) -> io::Result<()> {
        self.call(self.library.seek_tail).map(drop)
    }

    /// Goes before the entry of a cursor, or to where it was.
    pub(super) fn seek_cursor(&mut self, cursor: &CStr) -> io::Result<()> {
        // SAFETY: see `journal`; the text ends with a zero.
        checked(unsafe { (self.library.seek_cursor)(self.raw(), cursor.as_ptr()) }).map(drop)
    }

    /// Goes to the next entry; gives whether there is one.
    pub(super) fn next(&mut self) -> io::Result<bool> {
        Ok(self.call(self.library.next)? > 0)
    }

    /// Goes to the entry before; gives whether there is one.
    pub(super) fn previous(&mut self) -> io::Result<bool> {
        Ok(self.call(self.library.previous)? > 0)
    }

    /// Whether this is the entry of the cursor.
    pub(super) fn is_at(&self, cursor: &CStr) -> io::Result<bool> {
        // SAFETY: see `journal`; the text ends with a zero.
        let result = unsafe { (self.library.test_cursor)(self.raw(), cursor.as_ptr()) };
        Ok(checked(result)? > 0)
    }

    /// The cursor of this entry.
    pub(super) fn cursor(&self) -> io::Result<String> {
        let mut cursor = ptr::null_mut();
        // SAFETY: see `journal`; the library writes the pointer to a place that is there for it.
        checked(unsafe { (self.library.get_cursor)(self.raw(), &raw mut cursor) })?;
        if cursor.is_null() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        // SAFETY: the call gave a text that ends with a zero, made by malloc, and ours to free.
        unsafe {
            let text = CStr::from_ptr(cursor).to_string_lossy().into_owned();
            libc::free(cursor.cast());
            Ok(text)
        }
    }

    /// Reads this entry, in place of what `entry` holds; all but its cursor.
    pub(super) fn read(&mut self, entry: &mut Entry) -> io::Result<()> {
        entry.clear();
        let mut micros = 0_u64;
        // SAFETY: see `journal`; the library writes the number to a place that is there for it.
        checked(unsafe { (self.library.get_realtime)(self.raw(), &raw mut micros) })?;
        entry.set_received(micros);
        // SAFETY: see `journal`.
        unsafe { (self.library.restart_data)(self.raw()) };
        loop {
            let (mut data, mut length) = (ptr::null(), 0);
            // SAFETY: see `journal`; pointer and length are written to places that are there.
            let result = unsafe {
                (self.library.enumerate_data)(self.raw(), &raw mut data, &raw mut length)
            };
            if checked(result)? == 0 || data.is_null() {
                return Ok(());
            }
            // SAFETY: the library gave so many bytes; they stay until the next call on this
            // journal, which is after their use.
            let field = unsafe { std::slice::from_raw_parts(data.cast::<u8>(), length) };
            if let Some(end) = memchr::memchr(b'=', field) {
                entry.set(&field[..end], &field[end + 1..]);
            }
        }
    }

    /// Takes note of files that came and went.
    pub(super) fn process(&mut self) -> io::Result<()> {
        self.call(self.library.process).map(drop)
    }

    /// Waits until something changes, at most so long, and takes note of it.
    pub(super) fn wait(&self, most: Duration) -> io::Result<()> {
        let micros = u64::try_from(most.as_micros()).unwrap_or(u64::MAX - 1);
        // SAFETY: see `journal`.
        checked(unsafe { (self.library.wait)(self.raw(), micros) }).map(drop)
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // SAFETY: see `journal`; nobody has it after this.
        unsafe { (self.library.close)(self.raw()) };
    }
}

/// A result of the library, or the error that a negative one is.
fn checked(result: c_int) -> io::Result<c_int> {
    if result < 0 { Err(io::Error::from_raw_os_error(result.saturating_neg())) } else { Ok(result) }
}
