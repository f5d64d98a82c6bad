//! `weir listen` in the guarded host.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStderr, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::network::Network;
use crate::weir::program;

/// How long lines may be on their way without one arriving.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long is waited for lines that should not come.
const AFTERWARDS: Duration = Duration::from_millis(300);

/// It runs, and what it prints is kept.
pub(crate) struct Listening {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    reader: Option<std::thread::JoinHandle<()>>,
    stderr: BufReader<ChildStderr>,
}

impl Listening {
    /// With this list of sources, as YAML; the default ones when it is empty. Returns when lines are
    /// taken.
    pub(crate) fn start(network: &Network, folder: &Path, sources: &str) -> Self {
        let at = folder.display();
        let configuration = folder.join("weir.yaml");
        let text = format!(
            "{sources}\nledger: {{ folder: {at}/state }}\ncontrol: {{ socket: {at}/control }}\n"
        );
        std::fs::write(&configuration, text).unwrap();
        let mut command = network.on_host(&program());
        command.args(["listen", "--output", "json", "--config"]).arg(configuration);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&lines);
        let reader = std::thread::spawn(move || {
            for line in stdout.lines() {
                kept.lock().unwrap().push(line.unwrap());
            }
        });
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        // All are open before the first says so.
        while !said.contains("listening") {
            let read = stderr.read_line(&mut said).unwrap();
            assert!(read > 0, "it ended: {said}");
        }
        Self { child, lines, reader: Some(reader), stderr }
    }

    /// Waits until so many lines have come, or none any more.
    pub(crate) fn wait_for(&self, lines: usize) {
        let (mut seen, mut since) = (0, Instant::now());
        while seen < lines && since.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(5));
            let now = self.lines.lock().unwrap().len();
            if now != seen {
                (seen, since) = (now, Instant::now());
            }
        }
    }

    /// Ends it after a moment, in which nothing should come; gives the lines, the summary, and all
    /// that it said.
    pub(crate) fn end(mut self) -> (Vec<Value>, Value, String) {
        std::thread::sleep(AFTERWARDS);
        let status = terminate(&mut self.child);
        let mut said = String::new();
        self.stderr.read_to_string(&mut said).unwrap();
        assert!(status.success(), "{said}");
        self.reader.take().unwrap().join().unwrap();
        let lines = std::mem::take(&mut *self.lines.lock().unwrap());
        let lines = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let summary = said.lines().last().unwrap_or_default();
        let summary =
            serde_json::from_str(summary).unwrap_or_else(|_| panic!("no summary: {said}"));
        (lines, summary, said)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends SIGTERM and waits.
pub(crate) fn terminate(child: &mut Child) -> ExitStatus {
    // SAFETY: the process is our child and has not been waited for.
    unsafe { libc::kill(i32::try_from(child.id()).unwrap(), libc::SIGTERM) };
    child.wait().unwrap()
}

/// A process that ends when this goes.
pub(crate) struct Peer(pub(super) Child);

impl Drop for Peer {
    fn drop(&mut self) {
        terminate(&mut self.0);
    }
}
