//! A `systemd-journald` of the test's own, in a mount namespace where `/run` is a folder of it.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::weir::wait_for;

/// Where Debian, Fedora and Arch keep it.
pub(crate) const PROGRAM: &str = "/lib/systemd/systemd-journald";

/// The running daemon and its files.
pub(crate) struct Journald {
    folder: tempfile::TempDir,
    child: Child,
}

impl Journald {
    /// Starts one that drops nothing and keeps files of this many mebibytes.
    pub(crate) fn start(file_size: u32) -> Self {
        Self::start_with(file_size, "")
    }

    /// The same with `more` settings, which go before its own.
    pub(crate) fn start_with(file_size: u32, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = folder.path().join("run/systemd/journald.conf.d");
        std::fs::create_dir_all(&settings).unwrap();
        let text = format!(
            "[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\nRuntimeMaxUse=4G\n\
             RuntimeKeepFree=1M\nRuntimeMaxFileSize={file_size}M\nRuntimeMaxFiles=1000\n\
             ReadKMsg=no\nAudit=no\nForwardToSyslog=no\nForwardToWall=no\n"
        );
        std::fs::write(settings.join("test.conf"), text).unwrap();
        std::fs::write(settings.join("test2.conf"), more).unwrap();
        let child = Self::spawn(folder.path());
        let journald = Self { folder, child };
        journald.wait();
        journald
    }

    fn spawn(folder: &Path) -> Child {
        Command::new("unshare")
            .args(["--mount", "--propagation", "private", "sh", "-c"])
            .arg(format!("mount --bind \"$0\"/run /run && exec {PROGRAM}"))
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    fn wait(&self) {
        wait_for("journald", || {
            let socket = UnixDatagram::unbound().unwrap();
            socket.connect(self.socket()).ok()?;
            let files = std::fs::read_dir(self.files()).ok()?;
            files.flatten().any(|file| file.file_name() == "system.journal").then_some(())
        });
    }

    /// A command for which it is the host's journal.
    pub(crate) fn beside(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--mount", "--target", &self.child.id().to_string(), program]);
        command
    }

    /// Where its files are, and others of the test may be.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("run/systemd/journal/socket")
    }

    /// Where `logger` and other programs write to, if it is their `/dev/log`.
    pub(crate) fn dev_log(&self) -> PathBuf {
        self.folder.path().join("run/systemd/journal/dev-log")
    }

    /// The folder with the journal's files.
    pub(crate) fn files(&self) -> PathBuf {
        let machine = std::fs::read_to_string("/etc/machine-id").unwrap();
        self.folder.path().join("run/log/journal").join(machine.trim())
    }

    /// A connection in the journal's own protocol.
    pub(crate) fn connect(&self) -> UnixDatagram {
        let socket = UnixDatagram::unbound().unwrap();
        socket.connect(self.socket()).unwrap();
        socket
    }

    /// Begins new files.
    pub(crate) fn rotate(&self) {
        // SAFETY: the process is our child and has not been waited for.
        unsafe { libc::kill(i32::try_from(self.child.id()).unwrap(), libc::SIGUSR2) };
    }

    /// Kills it without a warning, so that it leaves an unfinished file (`~`), and starts it again.
    pub(crate) fn kill_and_restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = Self::spawn(self.folder.path());
        self.wait();
    }
}

impl Drop for Journald {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An entry in the journal's own protocol.
pub(crate) fn entry(fields: &[(&str, &[u8])]) -> Vec<u8> {
    let mut datagram = Vec::new();
    for (name, text) in fields {
        datagram.extend_from_slice(name.as_bytes());
        if text.contains(&b'\n') {
            datagram.push(b'\n');
            datagram.extend_from_slice(&(text.len() as u64).to_le_bytes());
        } else {
            datagram.push(b'=');
        }
        datagram.extend_from_slice(text);
        datagram.push(b'\n');
    }
    datagram
}
