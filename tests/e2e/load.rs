//! A sender of very many lines at an even rate, and what a process makes of its time meanwhile.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::network::inside;
use crate::weir::{Weir, project};

/// Datagrams handed over by one system call.
const AT_ONCE: usize = 64;
/// How often what is due is sent: the kernel's receive buffer sees bursts of this length.
const BEAT: Duration = Duration::from_millis(1);

/// The lines of `tests/bench/corpus`, each with a priority before it.
pub(crate) fn corpus(lines: usize) -> Arc<Vec<Vec<u8>>> {
    let output = std::process::Command::new(project("tests/bench/corpus"))
        .args(["-v", &format!("lines={lines}")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    Arc::new(lines.map(|line| [b"<38>", line].concat()).collect())
}

/// What a sender did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offered {
    /// Datagrams that the kernel took.
    pub(crate) sent: u64,
    pub(crate) took: Duration,
    /// Of the processor, by the sending thread. Over loopback the way to the receiver's socket is
    /// part of it.
    pub(crate) busy: Duration,
}

impl Offered {
    pub(crate) fn per_second(&self) -> f64 {
        self.sent as f64 / self.took.as_secs_f64()
    }
}

/// A thread that sends.
pub(crate) struct Flood {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Offered>,
}

impl Flood {
    /// Sends these lines to the UDP source of `weir`, round and round, so many in a second, until
    /// `end` is called.
    pub(crate) fn start(weir: &Weir<'_>, lines: &Arc<Vec<Vec<u8>>>, rate: u32) -> Self {
        let socket = inside(weir.host(), || {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.connect(SocketAddr::from(([127, 0, 0, 1], 5514))).unwrap();
            socket
        });
        let stop = Arc::new(AtomicBool::new(false));
        let (told, lines) = (Arc::clone(&stop), Arc::clone(lines));
        let thread = std::thread::Builder::new()
            .name("flood".to_owned())
            .spawn(move || flood(&socket, &lines, rate, &told))
            .unwrap();
        Self { stop, thread }
    }

    /// Stops sending.
    pub(crate) fn end(self) -> Offered {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn flood(socket: &UdpSocket, lines: &[Vec<u8>], rate: u32, stop: &AtomicBool) -> Offered {
    let begun = Instant::now();
    let mut sent = 0_u64;
    while !stop.load(Ordering::Relaxed) {
        let due = (begun.elapsed().as_secs_f64() * f64::from(rate)) as u64;
        while sent < due {
            let at = (sent % lines.len() as u64) as usize;
            let end = lines.len().min(at + AT_ONCE.min((due - sent) as usize));
            sent += send(socket, &lines[at..end]).unwrap() as u64;
        }
        let beat = BEAT.saturating_sub(
            begun.elapsed().saturating_sub(Duration::from_secs_f64(sent as f64 / f64::from(rate))),
        );
        std::thread::sleep(beat);
    }
    Offered { sent, took: begun.elapsed(), busy: own_time() }
}

/// Sends some datagrams; gives how many the kernel took.
fn send(socket: &UdpSocket, lines: &[Vec<u8>]) -> io::Result<usize> {
    let mut parts: Vec<libc::iovec> = lines
        .iter()
        .map(|line| libc::iovec { iov_base: line.as_ptr().cast_mut().cast(), iov_len: line.len() })
        .collect();
    let mut headers: Vec<libc::mmsghdr> = parts
        .iter_mut()
        .map(|part| {
            // SAFETY: all zeroes is a valid `mmsghdr`: integers and null pointers.
            let mut header = unsafe { std::mem::zeroed::<libc::mmsghdr>() };
            header.msg_hdr.msg_iov = part;
            header.msg_hdr.msg_iovlen = 1;
            header
        })
        .collect();
    let count = libc::c_uint::try_from(headers.len()).unwrap();
    // SAFETY: the headers are as many as said, and point to parts that point to lines, all of
    // which live until the call returns; the kernel does not write to them.
    let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), count, 0) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// The processor time of this thread.
fn own_time() -> Duration {
    // SAFETY: all zeroes is a valid `timespec`, and the call writes one.
    let time = unsafe {
        let mut time = std::mem::zeroed::<libc::timespec>();
        libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time);
        time
    };
    Duration::new(u64::try_from(time.tv_sec).unwrap(), u32::try_from(time.tv_nsec).unwrap())
}

/// Seconds of the processor of each thread of a process so far, by its name (proc_pid_stat(5)).
pub(crate) fn threads(pid: u32) -> Vec<(String, f64)> {
    let mut all = std::collections::BTreeMap::new();
    for task in std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten() {
        let Ok(stat) = std::fs::read_to_string(task.path().join("stat")) else { continue };
        let (head, rest) = stat.rsplit_once(')').unwrap();
        let name = head.split_once('(').unwrap().1.to_owned();
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let ticks = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
        *all.entry(name).or_insert(0.0) += ticks / 100.0;
    }
    all.into_iter().collect()
}

/// The largest resident memory so far and that of now, in MiB (proc_pid_status(5)).
pub(crate) fn memory(pid: u32) -> (f64, f64) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").trim().parse::<f64>().unwrap() / 1024.0
    };
    (of("VmHWM:"), of("VmRSS:"))
}

/// What became of the lines: of the source `udp`, and those of all that were looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Fate {
    pub(crate) received: f64,
    /// Parsed, unparsed or allowlisted.
    pub(crate) looked_at: f64,
    pub(crate) queue_full: f64,
    pub(crate) buffer_full: f64,
}

impl Fate {
    pub(crate) fn of(weir: &Weir<'_>) -> Self {
        let (_, page) = weir.http("/metrics").expect("the metrics page answers");
        let sum = |name: &str, label: &str| -> f64 {
            page.lines()
                .filter(|line| line.starts_with(name) && line.contains(label))
                .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
                .sum()
        };
        Self {
            received: sum("weir_lines_received_total{", "source=\"udp\""),
            looked_at: sum("weir_source_lines_total{", ""),
            queue_full: sum("weir_lines_dropped_total{", "reason=\"queue_full\""),
            buffer_full: sum("weir_lines_dropped_total{", "reason=\"receive_buffer_full\""),
        }
    }

    pub(crate) fn lost(&self) -> f64 {
        self.queue_full + self.buffer_full
    }

    /// The counters once nothing changes them any more.
    pub(crate) fn at_rest(weir: &Weir<'_>) -> Self {
        let mut before = Self::of(weir);
        let mut same = 0;
        while same < 5 {
            std::thread::sleep(Duration::from_millis(100));
            let now = Self::of(weir);
            same = if now == before { same + 1 } else { 0 };
            before = now;
        }
        before
    }
}
