//! syslog-ng: as installed, or as `tests/peers` has unpacked it.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use super::listening::{Listening, Peer};
use super::rsyslog::connect;
use super::{Carries, certificates, check, contrib, counted_frames, each_row};
use crate::network::{Network, possible, skip};
use crate::weir::project;

struct Row {
    name: &'static str,
    file: &'static str,
    carries: Carries,
}

const ALL: Carries = Carries { line_feeds: true, longest: 60_000 };
const LINES_ONLY: Carries = Carries { line_feeds: false, longest: 60_000 };

const ROWS: &[Row] = &[
    Row { name: "syslog-ng UDP", file: "syslog-ng/weir-udp.conf", carries: ALL },
    Row { name: "syslog-ng TCP", file: "syslog-ng/weir.conf", carries: ALL },
    Row {
        name: "syslog-ng TLS, client certificate",
        file: "syslog-ng/weir-tls.conf",
        carries: ALL,
    },
    Row { name: "syslog-ng unix-stream", file: "syslog-ng/weir-unix.conf", carries: LINES_ONLY },
];

/// The program and where its parts are.
pub(super) struct Program {
    program: PathBuf,
    /// Its libraries and modules when it is not installed.
    libraries: Vec<PathBuf>,
    modules: Option<PathBuf>,
}

impl Program {
    /// Finds it; says so when it is not there.
    pub(super) fn find() -> Option<Self> {
        if Path::new("/usr/sbin/syslog-ng").exists() {
            let program = PathBuf::from("/usr/sbin/syslog-ng");
            return Some(Self { program, libraries: Vec::new(), modules: None });
        }
        let root =
            std::env::var_os("WEIR_PEERS").map_or_else(|| project("target/peers"), PathBuf::from);
        let program = root.join("usr/sbin/syslog-ng");
        if !program.exists() {
            skip("no syslog-ng: `tests/peers` fetches it on Debian");
            return None;
        }
        let own = root.join("usr/lib/syslog-ng");
        let mut libraries = vec![own.clone()];
        for lib in [root.join("lib"), root.join("usr/lib")] {
            libraries.extend(folders(&lib).filter(|path| path.to_string_lossy().ends_with("-gnu")));
        }
        let modules = folders(&own).find(|path| path.join("libafsocket.so").exists());
        Some(Self { program, libraries, modules })
    }

    fn arguments(&self) -> Vec<OsString> {
        let option = |path: &PathBuf| {
            let mut option = OsString::from("--module-path=");
            option.push(path);
            option
        };
        self.modules.iter().map(option).collect()
    }

    fn libraries(&self) -> OsString {
        std::env::join_paths(&self.libraries).unwrap()
    }
}

fn folders(path: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir())
}

/// A running syslog-ng that takes octet-counted frames on port 10514 and passes them on as a file of
/// `contrib/` says.
pub(super) fn start(program: &Program, network: &Network, folder: &Path, files: &[String]) -> Peer {
    let mut configuration = "@version: 3.35\n\
         options { keep-hostname(yes); log-msg-size(131072); use-dns(no); dns-cache(no); };\n\
         source s_src { syslog(ip(\"127.0.0.1\") port(10514) transport(\"tcp\")); };\n"
        .to_owned();
    for (number, text) in files.iter().enumerate() {
        let path = folder.join(format!("{number}.conf"));
        // Its queue is below /var unless it is said where.
        let queue = format!("disk-buffer(dir(\"{}\") ", folder.display());
        std::fs::write(&path, text.replace("disk-buffer(", &queue)).unwrap();
        configuration.push_str(&format!("@include \"{}\"\n", path.display()));
    }
    let path = folder.join("syslog-ng.conf");
    std::fs::write(&path, configuration).unwrap();
    let checked = Command::new(&program.program)
        .args(program.arguments())
        .env("LD_LIBRARY_PATH", program.libraries())
        .arg("--syntax-only")
        .arg("--cfgfile")
        .arg(&path)
        .output()
        .unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let peer = network
        .on_host(program.program.to_str().unwrap())
        .args(program.arguments())
        .env("LD_LIBRARY_PATH", program.libraries())
        .args(["--foreground", "--no-caps"])
        .arg("--cfgfile")
        .arg(&path)
        .arg("--persist-file")
        .arg(folder.join("persist"))
        .arg("--pidfile")
        .arg(folder.join("syslog-ng.pid"))
        .arg("--control")
        .arg(folder.join("syslog-ng.ctl"))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let peer = Peer(peer);
    connect(network);
    peer
}

#[test]
fn syslog_ng_delivers_each_line_once() {
    if !possible(&["ip"]) {
        return;
    }
    let Some(program) = Program::find() else { return };
    each_row(ROWS, |network, folder, row| {
        certificates::write(&folder.join("tls"));
        let contributed = contrib::read(row.file, folder);
        let listening = Listening::start(network, folder, &contributed.sources);
        let _syslog_ng = start(&program, network, folder, &[contributed.text]);
        let begun = Instant::now();
        connect(network).write_all(&counted_frames(row.carries)).unwrap();
        check(row.name, listening, begun, row.carries);
    });
}
