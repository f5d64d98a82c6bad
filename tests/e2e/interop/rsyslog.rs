//! rsyslog.

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::listening::{Listening, Peer};
use super::{Carries, certificates, check, contrib, counted_frames, each_row};
use crate::network::{Network, inside, possible, skip};
use crate::weir::wait_for;

/// Whether rsyslog has a module. Debian keeps them in a folder for each architecture.
pub(crate) fn has_module(name: &str) -> bool {
    let folders = std::fs::read_dir("/usr/lib").unwrap().flatten();
    folders.into_iter().any(|folder| folder.path().join("rsyslog").join(name).exists())
}

/// A row: a file of `contrib/`, what is changed in it beside places, the module that it needs, and
/// what it carries.
struct Row {
    name: &'static str,
    file: &'static str,
    change: (&'static str, &'static str),
    module: &'static str,
    carries: Carries,
}

const NO_CHANGE: (&str, &str) = ("", "");
const ALL: Carries = Carries { line_feeds: true, longest: 60_000 };
const LINES_ONLY: Carries = Carries { line_feeds: false, longest: 60_000 };

const ROWS: &[Row] = &[
    Row {
        name: "rsyslog omfwd UDP",
        file: "rsyslog/60-weir-udp.conf",
        change: NO_CHANGE,
        module: "imptcp.so",
        carries: ALL,
    },
    Row {
        name: "rsyslog omfwd TCP, octet counts",
        file: "rsyslog/60-weir.conf",
        change: NO_CHANGE,
        module: "imptcp.so",
        carries: ALL,
    },
    Row {
        name: "rsyslog omfwd TCP, line feeds",
        file: "rsyslog/60-weir.conf",
        change: ("octet-counted", "traditional"),
        module: "imptcp.so",
        carries: LINES_ONLY,
    },
    Row {
        name: "rsyslog omfwd TLS, client certificate",
        file: "rsyslog/60-weir-tls.conf",
        change: NO_CHANGE,
        module: "lmnsd_ossl.so",
        carries: ALL,
    },
    Row {
        name: "rsyslog omrelp",
        file: "rsyslog/60-weir-relp.conf",
        change: NO_CHANGE,
        module: "omrelp.so",
        carries: ALL,
    },
    Row {
        name: "rsyslog omrelp TLS, client certificate",
        file: "rsyslog/60-weir-relp-tls.conf",
        change: NO_CHANGE,
        module: "omrelp.so",
        carries: ALL,
    },
    Row {
        name: "rsyslog omuxsock",
        file: "rsyslog/60-weir-unix.conf",
        change: NO_CHANGE,
        module: "omuxsock.so",
        carries: ALL,
    },
];

/// A running rsyslogd that takes octet-counted frames on port 10514 and passes them on as a file of
/// `contrib/` says.
pub(crate) fn start(network: &Network, folder: &Path, files: &[String]) -> Peer {
    let spool = folder.join("spool");
    std::fs::create_dir_all(&spool).unwrap();
    // A message may hold what it likes: what is tested is the way, not what rsyslog escapes.
    let mut configuration = format!(
        "global(workDirectory=\"{}\" maxMessageSize=\"128k\" \
         parser.escapeControlCharactersOnReceive=\"off\")\n\
         module(load=\"imptcp\")\n\
         input(type=\"imptcp\" address=\"127.0.0.1\" port=\"10514\")\n",
        spool.display()
    );
    for (number, text) in files.iter().enumerate() {
        let path = folder.join(format!("{number}.conf"));
        std::fs::write(&path, text).unwrap();
        configuration.push_str(&format!("include(file=\"{}\")\n", path.display()));
    }
    let path = folder.join("rsyslog.conf");
    std::fs::write(&path, configuration).unwrap();
    // It tells of mistakes and starts all the same.
    let checked = Command::new("rsyslogd").arg("-N1").arg("-f").arg(&path).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let peer = network
        .on_host("rsyslogd")
        .args(["-n", "-i"])
        .arg(folder.join("rsyslog.pid"))
        .arg("-f")
        .arg(&path)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let peer = Peer(peer);
    connect(network);
    peer
}

/// A connection to its input.
pub(crate) fn connect(network: &Network) -> TcpStream {
    wait_for("rsyslog or syslog-ng", || {
        inside(&network.host, || TcpStream::connect("127.0.0.1:10514").ok())
    })
}

#[test]
fn rsyslog_delivers_each_line_once() {
    if !possible(&["ip", "rsyslogd"]) {
        return;
    }
    each_row(ROWS, |network, folder, row| {
        if !has_module(row.module) {
            skip(&format!("{}: rsyslog has no {}", row.name, row.module));
            return;
        }
        certificates::write(&folder.join("tls"));
        let contributed = contrib::read(row.file, folder);
        let text = match row.change {
            NO_CHANGE => contributed.text,
            (from, to) => {
                assert!(contributed.text.contains(from), "{}: no {from}", row.name);
                contributed.text.replace(from, to)
            }
        };
        let mut sources = contributed.sources;
        if row.file.ends_with("unix.conf") {
            // The default source of that kind, elsewhere.
            sources = format!("sources: [{{ unix: \"{}/run/weir.sock\" }}]", folder.display());
        }
        let listening = Listening::start(network, folder, &sources);
        let _rsyslog = start(network, folder, &[text]);
        let begun = Instant::now();
        connect(network).write_all(&counted_frames(row.carries)).unwrap();
        check(row.name, listening, begun, row.carries);
    });
}
