//! A Prometheus of the test's own, on the guarded host.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::network::{Network, inside};
use crate::weir::{project, wait_for};

/// How often it scrapes, and looks at its rules.
pub(super) const EVERY: &str = "1s";

/// The running server.
pub(super) struct Prometheus<'n> {
    network: &'n Network,
    folder: tempfile::TempDir,
    child: Child,
}

impl<'n> Prometheus<'n> {
    /// Starts one with the configuration that Weir ships, but for the pace and where files are.
    pub(super) fn start(network: &'n Network) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shipped = project("dashboards/prometheus");
        let scrape = std::fs::read_to_string(shipped.join("scrape.yml")).unwrap();
        let scrape = scrape.replace("/etc/prometheus/weir", &shipped.display().to_string());
        let text = format!(
            "global: {{ scrape_interval: {EVERY}, evaluation_interval: {EVERY} }}\n{scrape}"
        );
        let file = folder.path().join("prometheus.yml");
        std::fs::write(&file, text).unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let child = network
            .on_host("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg("--web.listen-address=127.0.0.1:9090")
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let server = Self { network, folder, child };
        wait_for("Prometheus", || {
            server.call("/-/ready", &[]).filter(|(status, _)| *status == 200)
        });
        server
    }

    /// What it wrote.
    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn call(&self, path: &str, form: &[(&str, &str)]) -> Option<(u16, String)> {
        let body: Vec<_> =
            form.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let body = body.join("&");
        let method = if form.is_empty() { "GET" } else { "POST" };
        let request = format!(
            "{method} {path} HTTP/1.0\r\nHost: x\r\nContent-Length: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\r\n{body}",
            body.len()
        );
        inside(&self.network.host, move || {
            let mut stream = TcpStream::connect("127.0.0.1:9090").ok()?;
            stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
            stream.write_all(request.as_bytes()).ok()?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).ok()?;
            let status = answer.split(' ').nth(1)?.parse().ok()?;
            Some((status, answer.split_once("\r\n\r\n")?.1.to_owned()))
        })
    }

    /// What its API answers; a mistake that it finds fails the test.
    #[track_caller]
    pub(super) fn ask(&self, path: &str, form: &[(&str, &str)]) -> Value {
        let (status, body) = self.call(path, form).expect("an answer");
        let answer: Value = serde_json::from_str(&body).unwrap_or_default();
        assert!(status == 200 && answer["status"] == "success", "{path} {form:?}: {status} {body}");
        answer["data"].clone()
    }

    /// How many series answer an expression with a number, at a moment or within a span of time.
    #[track_caller]
    pub(super) fn answers(&self, expression: &str, instant: bool, span: (f64, f64)) -> usize {
        let (start, end) = (span.0.to_string(), span.1.to_string());
        let data = match instant {
            true => self.ask("/api/v1/query", &[("query", expression), ("time", &end)]),
            false => self.ask(
                "/api/v1/query_range",
                &[("query", expression), ("start", &start), ("end", &end), ("step", EVERY)],
            ),
        };
        let is_number = |pair: &Value| {
            pair[1].as_str().and_then(|text| text.parse().ok()).is_some_and(f64::is_finite)
        };
        match &data["result"] {
            Value::Array(all) if data["resultType"] == "scalar" => {
                usize::from(is_number(&Value::Array(all.clone())))
            }
            Value::Array(series) => {
                let has_number = |one: &&Value| match &one["values"] {
                    Value::Array(values) => values.iter().any(is_number),
                    _ => is_number(&one["value"]),
                };
                series.iter().filter(has_number).count()
            }
            _ => 0,
        }
    }
}

impl Drop for Prometheus<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            println!("--- the log of Prometheus\n{}", self.log());
        }
    }
}

/// A value as forms carry it.
fn encoded(value: &str) -> String {
    let mut text = String::new();
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => text.push(byte.into()),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

/// Runs promtool with this input; fails with what it says.
#[track_caller]
pub(super) fn promtool(arguments: &[&str], folder: &Path, input: &str) -> String {
    // Each of its tests makes a database, which need not come onto a disk.
    let place = Some("/dev/shm").filter(|place| Path::new(place).is_dir());
    let mut child = Command::new("promtool")
        .args(arguments)
        .envs(place.map(|place| ("TMPDIR", place)))
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "promtool {arguments:?}: {said}");
    said
}
