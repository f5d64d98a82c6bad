//! The daemon under test, in the guarded host.

use std::io::{BufRead, BufReader};
use std::net::{TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::manager::Manager;
use crate::network::{Network, inside};

/// The program: as cargo built it for the tests, or the one that `WEIR_BIN` names, so that a
/// release build can be measured.
pub(crate) fn program() -> String {
    std::env::var("WEIR_BIN").unwrap_or_else(|_| env!("CARGO_BIN_EXE_weir").to_owned())
}

/// A running daemon with folders of its own.
pub(crate) struct Weir<'n> {
    network: &'n Network,
    manager: Option<&'n Manager>,
    /// Where its files are.
    pub(crate) folder: PathBuf,
    _folder: Option<tempfile::TempDir>,
    child: Child,
    log: Arc<Mutex<String>>,
}

/// The sources unless a test asks for others.
const SOURCES: &str = "\
\x20 - { name: udp, udp: \"127.0.0.1:5514\" }
  - { name: tcp, tcp: \"127.0.0.1:5514\" }
  - { name: unix, unix: FOLDER/weir.sock }";

/// Waits until `done` gives something; fails with `what` after ten seconds.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(value) = done() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited ten seconds for: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

impl<'n> Weir<'n> {
    /// Starts a daemon with the default sources and `more` configuration.
    pub(crate) fn start(network: &'n Network, more: &str) -> Self {
        Self::start_until(network, SOURCES, more, "/-/ready")
    }

    /// The same, with its ledger in this folder.
    pub(crate) fn start_in(network: &'n Network, state: &Path, more: &str) -> Self {
        let (folder, path) = Self::configure(SOURCES, more);
        let file = path.join("weir.yaml");
        let written = std::fs::read_to_string(&file).unwrap();
        let (usual, other) =
            (format!("folder: {}/state", path.display()), format!("folder: {}", state.display()));
        std::fs::write(&file, written.replace(&usual, &other)).unwrap();
        let mut weir = Self::spawn(network, path, "/-/ready", None);
        weir._folder = Some(folder);
        weir
    }

    /// The same, though something may keep it from being ready.
    pub(crate) fn start_healthy(network: &'n Network, more: &str) -> Self {
        Self::start_until(network, SOURCES, more, "/-/healthy")
    }

    /// With other sources, where `FOLDER` stands for that of the daemon.
    pub(crate) fn start_on(network: &'n Network, sources: &str, more: &str) -> Self {
        Self::start_until(network, sources, more, "/-/ready")
    }

    /// With other sources, started by a service manager.
    pub(crate) fn start_managed(
        network: &'n Network,
        sources: &str,
        more: &str,
        manager: &'n Manager,
    ) -> Self {
        let (folder, path) = Self::configure(sources, more);
        let mut weir = Self::spawn(network, path, "/-/ready", Some(manager));
        weir._folder = Some(folder);
        weir
    }

    /// With other sources, and waits for this page.
    pub(crate) fn start_until(
        network: &'n Network,
        sources: &str,
        more: &str,
        page: &'static str,
    ) -> Self {
        let (folder, path) = Self::configure(sources, more);
        let mut weir = Self::spawn(network, path, page, None);
        weir._folder = Some(folder);
        weir
    }

    /// With one source and without a right, such as `-net_admin`.
    pub(crate) fn start_without(network: &'n Network, right: &str) -> Self {
        let sources = SOURCES.lines().next().unwrap_or_default();
        let (folder, path) = Self::configure(sources, "");
        let mut command = network.on_host("setpriv");
        command.args(["--bounding-set", right, "--inh-caps", right, &program(), "run"]);
        command.arg("--config").arg(path.join("weir.yaml"));
        let mut weir = Self::follow(network, path, "/-/healthy", None, command);
        weir._folder = Some(folder);
        weir
    }

    /// A folder with a configuration.
    fn configure(sources: &str, more: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let shown = path.display();
        let sources = sources.replace("FOLDER", &shown.to_string());
        let configuration = format!(
            "sources:\n{sources}\n\
             ledger: {{ folder: {shown}/state }}\n\
             control: {{ socket: {shown}/control.sock }}\n\
             {more}\n"
        );
        std::fs::write(path.join("weir.yaml"), configuration).unwrap();
        (folder, path)
    }

    fn spawn(
        network: &'n Network,
        folder: PathBuf,
        page: &'static str,
        manager: Option<&'n Manager>,
    ) -> Self {
        let mut command = network.on_host("sh");
        command
            .args(["-c", "LISTEN_PID=$$ exec \"$@\"", "sh", &program(), "run", "--config"])
            .arg(folder.join("weir.yaml"));
        if let Some(manager) = manager {
            manager.pass(&mut command);
        }
        Self::follow(network, folder, page, manager, command)
    }

    /// Starts it, collects its log, and waits for the page.
    fn follow(
        network: &'n Network,
        folder: PathBuf,
        page: &'static str,
        manager: Option<&'n Manager>,
        mut command: Command,
    ) -> Self {
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let shared = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut log = shared.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        let mut weir = Self { network, manager, folder, _folder: None, child, log };
        let deadline = Instant::now() + Duration::from_secs(15);
        while weir.http(page).is_none_or(|(status, _)| status != 200) {
            let gone = weir.child.try_wait().unwrap();
            assert!(gone.is_none(), "the daemon ended: {gone:?}\n{}", weir.log());
            assert!(Instant::now() < deadline, "never became ready:\n{}", weir.log());
            std::thread::sleep(Duration::from_millis(2));
        }
        weir
    }

    /// What the daemon wrote to standard error so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// The process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The namespace that it is in.
    pub(crate) fn host(&self) -> &str {
        &self.network.host
    }

    /// Kills the daemon without a warning and starts it again on the same folders. `between` runs
    /// while it is down.
    pub(crate) fn kill_and_restart(mut self, between: impl FnOnce()) -> Self {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.restart(between)
    }

    /// The same, after it has ended as it likes.
    pub(crate) fn terminate_and_restart(mut self, between: impl FnOnce()) -> Self {
        assert!(self.terminate().success());
        self.restart(between)
    }

    fn restart(mut self, between: impl FnOnce()) -> Self {
        between();
        let mut next = Self::spawn(self.network, self.folder.clone(), "/-/ready", self.manager);
        next._folder = self._folder.take();
        next
    }

    /// Sends SIGTERM and gives the exit status.
    pub(crate) fn terminate(&mut self) -> std::process::ExitStatus {
        // SAFETY: the process is our child and has not been waited for.
        unsafe { libc::kill(i32::try_from(self.child.id()).unwrap(), libc::SIGTERM) };
        self.child.wait().unwrap()
    }

    /// Runs a subcommand against this daemon.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Output {
        Command::new(program())
            .args(arguments)
            .arg("--config")
            .arg(self.folder.join("weir.yaml"))
            .output()
            .unwrap()
    }

    /// The addresses that `weir list` shows.
    pub(crate) fn listed(&self) -> Vec<(String, u64)> {
        let output = self.ask(&["list", "--output", "json"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let list: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        list.as_array()
            .unwrap()
            .iter()
            .map(|decision| {
                (
                    decision["target"].as_str().unwrap().to_owned(),
                    decision["remaining_seconds"].as_u64().unwrap(),
                )
            })
            .collect()
    }

    /// Gets a page over HTTP, status and body.
    pub(crate) fn http(&self, path: &'static str) -> Option<(u16, String)> {
        inside(&self.network.host, move || {
            use std::io::{Read, Write};
            let mut stream = TcpStream::connect("127.0.0.1:9514").ok()?;
            stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
            write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                .ok()?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).ok()?;
            let status = answer.split(' ').nth(1)?.parse().ok()?;
            Some((status, answer.split_once("\r\n\r\n")?.1.to_owned()))
        })
    }

    /// The sum of all series of a metric whose labels hold all of `labels`.
    pub(crate) fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let (_, page) = self.http("/metrics").expect("the metrics page answers");
        page.lines()
            .filter(|line| {
                line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))
                    && labels.iter().all(|label| line.contains(label))
            })
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    /// Sends datagrams to its UDP source.
    pub(crate) fn send_udp(&self, lines: Vec<Vec<u8>>) {
        inside(&self.network.host, move || {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            for line in lines {
                socket.send_to(&line, "127.0.0.1:5514").unwrap();
            }
        });
    }

    /// A connection to its TCP source.
    pub(crate) fn connect(&self) -> TcpStream {
        inside(&self.network.host, || TcpStream::connect("127.0.0.1:5514").unwrap())
    }
}

impl Drop for Weir<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            println!("--- the daemon's log\n{}", self.log());
        }
    }
}

/// A failed login as sshd logs it.
pub(crate) fn failed_login(address: &str) -> String {
    format!(
        "<38>Nov 22 10:00:00 host sshd[811]: Failed password for root from {address} port 4711 ssh2"
    )
}

/// A line that bans at once: a web request on a mail port.
pub(crate) fn probe(address: &str) -> Vec<u8> {
    format!("<22>Nov 22 10:00:00 host postfix/smtpd[811]: warning: non-SMTP command from unknown[{address}]: GET / HTTP/1.1").into_bytes()
}

/// A file of the project.
pub(crate) fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
