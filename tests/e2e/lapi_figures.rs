//! What it costs to tell bouncers: a beginning of 100,000 decisions, fifty that poll, and one that
//! begins over and over.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::flood::number;
use crate::lapi_hostile::{API, connect, key};
use crate::latency::{Witness, fill, tell, tell_daemon};
use crate::load::{memory, threads};
use crate::network::{Network, possible};
use crate::weir::Weir;

/// A bouncer with one connection for all that it asks.
struct Bouncer {
    key: String,
    stream: BufReader<TcpStream>,
}

impl Bouncer {
    fn new(network: &Network, key: String) -> Self {
        let stream = connect(network, [127, 0, 0, 1]);
        stream.set_nodelay(true).unwrap();
        Self { key, stream: BufReader::new(stream) }
    }

    /// Asks, and gives how long it took and how many bytes the body had.
    fn ask(&mut self, path: &str) -> (Duration, usize) {
        let begun = Instant::now();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nX-Api-Key: {}\r\nUser-Agent: figures/1\r\n\r\n",
            self.key
        );
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        assert!(line.contains(" 200 "), "{line}");
        let mut length = None;
        while line != "\r\n" {
            line.clear();
            self.stream.read_line(&mut line).unwrap();
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = Some(value.trim().parse::<usize>().unwrap());
            }
        }
        let mut chunk = vec![0; length.unwrap_or(0)];
        self.stream.read_exact(&mut chunk).unwrap();
        let mut bytes = chunk.len();
        while length.is_none() {
            line.clear();
            self.stream.read_line(&mut line).unwrap();
            let size = usize::from_str_radix(line.trim(), 16).unwrap();
            chunk.resize(size + 2, 0);
            self.stream.read_exact(&mut chunk).unwrap();
            bytes += size;
            if size == 0 {
                break;
            }
        }
        (begun.elapsed(), bytes)
    }
}

/// Prints the middle, the hundredth and the longest.
fn show(what: &str, took: &mut [Duration]) {
    took.sort();
    let (p50, p99) = (took[took.len() / 2], took[took.len() * 99 / 100]);
    println!("{what}: {} times, p50 {p50:.1?}, p99 {p99:.1?}, longest {:.1?}", took.len(), {
        took[took.len() - 1]
    });
}

fn processor(weir: &Weir<'_>) -> f64 {
    threads(weir.pid()).iter().map(|(_, seconds)| seconds).sum()
}

/// With `WEIR_BENCH_BANS` decisions, `WEIR_BENCH_BOUNCERS` that poll every ten seconds for
/// `WEIR_BENCH_SECONDS`.
#[test]
#[ignore = "measures, and takes its time"]
fn figures_of_bouncers() {
    assert!(possible(&["ip", "nft"]));
    let count = number("WEIR_BENCH_BANS", 100_000);
    let bouncers = number("WEIR_BENCH_BOUNCERS", 50);
    let seconds = Duration::from_secs(number("WEIR_BENCH_SECONDS", 120).into());
    let network = Network::new();
    let weir = Weir::start(&network, &API.replace("log: info", "log: warning"));
    let witness = Witness::new(&network, &weir);
    fill(&weir, count);
    std::thread::sleep(Duration::from_secs(3));

    // A beginning, a few times.
    let (_, before) = memory(weir.pid());
    let mut first = Bouncer::new(&network, key(&weir, "first"));
    let used = processor(&weir);
    let mut took = Vec::new();
    let mut bytes = 0;
    for _ in 0..5 {
        let (time, size) = first.ask("/v1/decisions/stream?startup=true");
        took.push(time);
        bytes = size;
    }
    let used = (processor(&weir) - used) / 5.0;
    let (most, after) = memory(weir.pid());
    show(&format!("a beginning of {count} decisions, {bytes} bytes"), &mut took);
    println!(
        "  {used:.2} s of the processor each; resident memory {before:.0} MiB before, {most:.0} MiB \
         at most, {after:.0} MiB after"
    );

    println!("bans without bouncers:");
    let idle = processor(&weir);
    let _ = tell(&witness.bans(&weir, 300));
    println!("  {:.2} s of the processor for 300", processor(&weir) - idle);

    let keys: Vec<String> = (0..bouncers).map(|n| key(&weir, &format!("edge-{n}"))).collect();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let followers: Vec<_> = keys
            .iter()
            .enumerate()
            .map(|(n, key)| {
                let (stop, network) = (&stop, &network);
                scope.spawn(move || {
                    let mut bouncer = Bouncer::new(network, key.clone());
                    let beginning = bouncer.ask("/v1/decisions/stream?startup=true").0;
                    std::thread::sleep(Duration::from_millis(200) * u32::try_from(n).unwrap());
                    let mut took = Vec::new();
                    while !stop.load(Ordering::Relaxed) {
                        took.push(bouncer.ask("/v1/decisions/stream?").0);
                        let next = Instant::now() + Duration::from_secs(10);
                        while Instant::now() < next && !stop.load(Ordering::Relaxed) {
                            std::thread::sleep(Duration::from_millis(100));
                        }
                    }
                    (beginning, took)
                })
            })
            .collect();
        let (network, stop_health) = (&network, &stop);
        let health = scope.spawn(move || {
            let mut asking = Bouncer::new(network, String::new());
            let mut took = Vec::new();
            while !stop_health.load(Ordering::Relaxed) {
                took.push(asking.ask("/health").0);
                std::thread::sleep(Duration::from_millis(100));
            }
            took
        });
        // All have begun.
        std::thread::sleep(Duration::from_secs(30));
        let (begun, used) = (Instant::now(), processor(&weir));
        let mut bans = Vec::new();
        while begun.elapsed() < seconds {
            bans.extend(witness.bans(&weir, 3));
            std::thread::sleep(Duration::from_millis(900));
        }
        let used = processor(&weir) - used;
        let share = 100.0 * used / begun.elapsed().as_secs_f64();
        let (most, now) = memory(weir.pid());
        stop.store(true, Ordering::Relaxed);
        let told: Vec<_> = followers.into_iter().map(|thread| thread.join().unwrap()).collect();
        let mut beginnings: Vec<_> = told.iter().map(|(beginning, _)| *beginning).collect();
        let mut took: Vec<_> = told.into_iter().flat_map(|(_, took)| took).collect();
        show(&format!("{bouncers} begin at the same moment"), &mut beginnings);
        println!("{bouncers} poll every 10 s for {seconds:?} beside {} bans:", bans.len());
        println!(
            "  {used:.2} s of the processor ({share:.1} %); resident memory {most:.0} MiB at most, {now:.0} MiB now"
        );
        show("  what is new", &mut took);
        show("  /health", &mut health.join().unwrap());
        bans.sort();
        let _ = tell(&bans);
    });

    // One that has forgotten how to wait. Its connection was idle for too long.
    first = Bouncer::new(&network, first.key);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let loops = scope.spawn(|| {
            let mut took = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                took.push(first.ask("/v1/decisions/stream?startup=true").0);
            }
            took
        });
        let (begun, used) = (Instant::now(), processor(&weir));
        let mut health = Bouncer::new(&network, String::new());
        let mut answered: Vec<_> = (0..50).map(|_| health.ask("/health").0).collect();
        let mut other = Bouncer::new(&network, keys[0].clone());
        let mut news: Vec<_> = (0..50).map(|_| other.ask("/v1/decisions/stream").0).collect();
        println!("beside one that begins over and over:");
        let _ = tell(&witness.bans(&weir, 300));
        show("  what is new", &mut news);
        show("  /health", &mut answered);
        let share = 100.0 * (processor(&weir) - used) / begun.elapsed().as_secs_f64();
        stop.store(true, Ordering::Relaxed);
        show("  a beginning", &mut loops.join().unwrap());
        println!("  {share:.0} % of a processor; {:.0} MiB at most", memory(weir.pid()).0);
    });
    tell_daemon(&weir);
}
