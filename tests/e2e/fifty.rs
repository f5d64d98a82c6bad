//! The daemon is killed at random points while it bans, unbans and imports: after each start the
//! ledger, the kernel and the list agree, and what was acknowledged is there.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use crate::network::{Network, possible};
use crate::weir::{Weir, probe, program};

/// How often it is killed.
const KILLS: u32 = 50;

/// A generator of numbers that looks random and is the same in each run (Marsaglia's xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// What the daemon has said of each target: banned, not banned, or asked and not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Banned,
    Free,
    Open,
}

type Told = Arc<Mutex<BTreeMap<String, Word>>>;

/// Asks one thing over the control socket; `None` when the daemon is gone.
fn ask(stream: &mut BufReader<UnixStream>, request: &serde_json::Value) -> Option<()> {
    let mut line = request.to_string();
    line.push('\n');
    stream.get_mut().write_all(line.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_line(&mut answer).ok()?;
    let answer: serde_json::Value = serde_json::from_str(&answer).ok()?;
    assert_ne!(answer["reply"], "failed", "{request}: {answer}");
    Some(())
}

/// Bans and unbans until the daemon is gone, and notes what it answered.
///
/// Each of several has targets of its own: what the last word on one was is known then.
fn operate(socket: &Path, which: u64, seed: u64, told: &Told) {
    let Ok(stream) = UnixStream::connect(socket) else { return };
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut stream = BufReader::new(stream);
    let mut random = Random(seed);
    loop {
        let n = 1 + 2 * random.below(30) + which;
        let target = match random.below(4) {
            0 => format!("203.0.113.{n}"),
            1 => format!("2001:db8:bad::{n:x}"),
            2 => format!("192.0.2.{}/30", n * 4),
            _ => format!("2001:db8:{:x}::/48", 0x100 + n),
        };
        let (request, word) = if random.below(3) > 0 {
            (
                serde_json::json!({ "request": "ban", "targets": [target], "for_seconds": 3600 }),
                Word::Banned,
            )
        } else {
            (serde_json::json!({ "request": "unban", "targets": [target] }), Word::Free)
        };
        // What was asked and not answered may be done or not.
        let before = told.lock().unwrap().insert(target.clone(), Word::Open);
        if ask(&mut stream, &request).is_none() {
            if before == Some(word) {
                told.lock().unwrap().insert(target, word);
            }
            return;
        }
        told.lock().unwrap().insert(target, word);
    }
}

/// A list of prefixes that no operator bans, and its file.
fn blocklist(folder: &Path, round: u32) -> (BTreeSet<String>, std::path::PathBuf) {
    let targets: BTreeSet<_> = (0..1_000_u32)
        .map(|n| format!("100.{}.{}.{}", 64 + round % 60, n >> 8, n & 0xff))
        .collect();
    let path = folder.join(format!("list-{round}.txt"));
    std::fs::write(&path, targets.iter().map(|t| format!("{t}\n")).collect::<String>()).unwrap();
    (targets, path)
}

fn import(weir: &Weir<'_>, path: &Path) -> Child {
    std::process::Command::new(program())
        .args(["import", "--origin", "fifty", "--for", "1h", "--config"])
        .arg(weir.folder.join("weir.yaml"))
        .arg(path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// What is active by the ledger's file, whatever the daemon says.
fn on_disk(weir: &Weir<'_>) -> BTreeSet<String> {
    let path = weir.folder.join("state/ledger.db");
    let ledger = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut select = ledger
        .prepare("SELECT target FROM decisions WHERE ended_at IS NULL AND action = 'ban'")
        .unwrap();
    let rows = select.query_map([], |row| row.get::<_, String>(0)).unwrap();
    rows.map(|target| plain(&target.unwrap())).collect()
}

/// A single address without its length.
fn plain(target: &str) -> String {
    target.strip_suffix("/32").or(target.strip_suffix("/128")).unwrap_or(target).to_owned()
}

/// All targets that the kernel holds, prefixes as they are written.
fn in_kernel(network: &Network) -> BTreeSet<String> {
    let mut held: BTreeSet<String> = ["ban4", "ban6"]
        .iter()
        .flat_map(|set| network.elements(set))
        .map(|(address, _, _)| address)
        .collect();
    held.extend(network.prefixes());
    held
}

#[test]
fn killed_at_fifty_random_points() {
    if !possible(&["ip", "nft"]) {
        return;
    }
    let network = Network::new();
    let mut weir = Weir::start(&network, "");
    let told: Told = Arc::default();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    // By whole lists: those that were taken to the end.
    let mut imported = BTreeSet::new();
    for round in 0..KILLS {
        let (list, path) = blocklist(&weir.folder, round);
        let (mut importing, socket) = (import(&weir, &path), weir.folder.join("control.sock"));
        let is_over = AtomicBool::new(false);
        let wait = Duration::from_millis(20 + random.below(400));
        let seeds = [random.below(u64::MAX) | 1, random.below(u64::MAX) | 1];
        weir = std::thread::scope(|scope| {
            for (which, seed) in (0..).zip(seeds) {
                let (socket, told) = (&socket, &told);
                scope.spawn(move || operate(socket, which, seed, told));
            }
            // Attackers, whom the lines ban.
            let attacked = weir.host().to_owned();
            let is_over = &is_over;
            scope.spawn(move || {
                let mut n = 0_u32;
                while !is_over.load(Ordering::Relaxed) {
                    let line = probe(&format!("203.0.114.{}", n % 256));
                    crate::network::inside(&attacked, move || {
                        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
                        let _ = socket.send_to(&line, "127.0.0.1:5514");
                    });
                    n += 1;
                    std::thread::sleep(Duration::from_millis(2));
                }
            });
            std::thread::sleep(wait);
            weir.kill_and_restart(|| is_over.store(true, Ordering::Relaxed))
        });
        if importing.wait().unwrap().success() {
            imported.extend(list);
        }

        let listed: BTreeSet<String> =
            weir.listed().into_iter().map(|(target, _)| plain(&target)).collect();
        assert_eq!(on_disk(&weir), listed, "round {round}: the ledger and the list");
        // A host inside a banned prefix is in its own set; prefixes here do not overlap.
        let settled = Instant::now() + Duration::from_secs(10);
        let mut held = in_kernel(&network);
        while held != listed && Instant::now() < settled {
            std::thread::sleep(Duration::from_millis(20));
            held = in_kernel(&network);
        }
        let (missing, foreign) = (listed.difference(&held), held.difference(&listed));
        let (missing, foreign) = (missing.collect::<Vec<_>>(), foreign.collect::<Vec<_>>());
        assert!(
            missing.is_empty() && foreign.is_empty(),
            "round {round}: listed and not in the kernel: {missing:?}; in the kernel and not \
             listed: {foreign:?}"
        );
        let mut told = told.lock().unwrap();
        for (target, word) in &mut *told {
            let is_banned = listed.contains(&plain(target));
            match word {
                Word::Banned => assert!(is_banned, "round {round}: {target} was acknowledged"),
                Word::Free => assert!(!is_banned, "round {round}: {target} was taken back"),
                Word::Open => *word = if is_banned { Word::Banned } else { Word::Free },
            }
        }
        let lost: Vec<_> = imported.difference(&listed).take(3).collect();
        assert!(lost.is_empty(), "round {round}: of whole imports {lost:?} ... are missing");
    }
    let told = told.lock().unwrap();
    println!(
        "{KILLS} kills: {} targets banned and unbanned by hand, {} imported whole, {} by lines",
        told.len(),
        imported.len(),
        weir.listed().iter().filter(|(target, _)| target.starts_with("203.0.114.")).count()
    );
    assert!(!told.is_empty() && !imported.is_empty());
}
