//! What must not stop the lines: a disk that stands still, a burst of bans, a reload; and what the
//! daemon costs before and under load.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::flood::{number, rules};
use crate::load::{Fate, Flood, corpus, memory};
use crate::network::{Network, possible};
use crate::weir::{Weir, failed_login, probe, wait_for};

/// Lines a second that an unoptimised daemon takes with ease.
const EASY: u32 = 3_000;

/// The longest time without a line that was looked at while `strain` lasts, as seen `every` so often.
fn stood(weir: &Weir<'_>, every: Duration, strain: impl FnOnce()) -> Duration {
    std::thread::scope(|scope| {
        let (done, is_done) = std::sync::mpsc::sync_channel::<()>(0);
        let watch = scope.spawn(move || {
            let (mut last, mut since) = (0.0, Instant::now());
            let mut longest = Duration::ZERO;
            while is_done
                .recv_timeout(every)
                .is_err_and(|error| error == std::sync::mpsc::RecvTimeoutError::Timeout)
            {
                let looked_at = Fate::of(weir).looked_at;
                if looked_at > last {
                    (last, since) = (looked_at, Instant::now());
                }
                longest = longest.max(since.elapsed());
            }
            longest
        });
        strain();
        drop(done);
        watch.join().unwrap()
    })
}

/// Lines go on being looked at while `strain` lasts, and none is lost; it sends so many itself.
#[track_caller]
fn check(weir: &Weir<'_>, sends: u32, strain: impl FnOnce()) {
    let before = Fate::at_rest(weir);
    let flood = Flood::start(weir, &corpus(20_000), EASY);
    let stood = stood(weir, Duration::from_millis(50), || {
        std::thread::sleep(Duration::from_millis(300));
        strain();
        std::thread::sleep(Duration::from_millis(300));
    });
    assert!(stood < Duration::from_secs(2), "no line was looked at for {stood:?}");
    let offered = flood.end();
    let fate = Fate::at_rest(weir);
    assert_eq!(fate.lost(), 0.0, "{fate:?}");
    assert_eq!(
        fate.looked_at - before.looked_at,
        offered.sent as f64 + f64::from(sends),
        "{fate:?}"
    );
    assert!(weir.metric("weir_overflows_dropped_total", &[]) < 0.5);
}

/// Sends lines that ban these addresses, over TCP, beside the flood.
fn probes(weir: &Weir<'_>, addresses: &[String]) {
    let mut stream = weir.connect();
    for address in addresses {
        use std::io::Write as _;
        stream.write_all(&[&probe(address)[..], b"\n"].concat()).unwrap();
    }
}

#[test]
fn a_disk_that_stands_still_stops_no_line_and_sets_nobody_free() {
    if !possible(&["ip", "nft"]) {
        return;
    }
    let network = Network::new();
    let weir = Weir::start(&network, "log: error");
    let ledger = weir.folder.join("state/ledger.db");
    let count = std::cell::Cell::new(0.0);
    check(&weir, 30, || {
        // Nobody else can write while this lock is held.
        let blocker = rusqlite::Connection::open(&ledger).unwrap();
        blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
        let addresses: Vec<String> = (1..=30).map(|n| format!("203.0.200.{n}")).collect();
        probes(&weir, &addresses);
        wait_for("bans while the disk stands still", || {
            addresses.iter().all(|address| network.holds(address)).then_some(())
        });
        std::thread::sleep(Duration::from_secs(2));
        count.set(weir.metric("weir_ledger_errors_total", &[]));
        blocker.execute_batch("ROLLBACK").unwrap();
    });
    assert!(count.get() > 0.5, "the lock kept the ledger from writing");
    wait_for("the bans in the ledger", || {
        let reader = rusqlite::Connection::open(&ledger).unwrap();
        let count: i64 = reader
            .query_row(
                "SELECT count(*) FROM decisions WHERE target LIKE '203.0.200.%'",
                [],
                |row| row.get(0),
            )
            .unwrap();
        (count == 30).then_some(())
    });
}

#[test]
fn a_burst_of_a_thousand_bans_stops_no_line() {
    if !possible(&["ip", "nft"]) {
        return;
    }
    let network = Network::new();
    let weir = Weir::start(&network, "log: error");
    let addresses: Vec<String> =
        (0..1000).map(|n| format!("203.0.{}.{}", 200 + n / 250, n % 250 + 1)).collect();
    check(&weir, 1000, || {
        probes(&weir, &addresses);
        wait_for("a thousand bans", || {
            let held = network.elements("ban4");
            let is_ours = |address: &str| address.starts_with("203.0.20");
            (held.iter().filter(|(address, ..)| is_ours(address)).count() >= 1000).then_some(())
        });
    });
}

#[test]
fn reloads_stop_no_line() {
    if !possible(&["ip", "nft"]) {
        return;
    }
    let network = Network::new();
    let weir = Weir::start(&network, "log: error");
    check(&weir, 0, || {
        for _ in 0..5 {
            let answer = weir.ask(&["reload"]);
            assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
        }
    });
    assert!(weir.metric("weir_reloads_total", &["success"]) > 4.5);
    assert!(weir.metric("weir_pours_dropped_total", &[]) < 0.5, "all rules are unchanged");
}

/// Prints how long the start takes, and the memory that the daemon needs with nothing to do.
#[test]
#[ignore = "measures, and takes its time"]
fn start_figures() {
    assert!(possible(&["ip", "nft"]));
    let network = Network::new();
    let mut took = Vec::new();
    for _ in 0..number("WEIR_BENCH_STARTS", 9) {
        let begun = Instant::now();
        let weir = Weir::start(&network, &format!("log: error\n{}", rules()));
        took.push(begun.elapsed());
        drop(weir);
    }
    took.sort();
    let weir = Weir::start(&network, &format!("log: error\n{}", rules()));
    std::thread::sleep(Duration::from_secs(5));
    let (most, now) = memory(weir.pid());
    println!(
        "start to ready: median {:?}, longest {:?}; idle {now:.1} MiB, at most {most:.1} MiB",
        took[took.len() / 2],
        took[took.len() - 1],
    );
}

/// Lines that make a bucket each, of ever new sources.
fn newcomers(number: u32) -> Arc<Vec<Vec<u8>>> {
    let login = |n: u32| {
        failed_login(&format!("{}.{}.{}.{}", 11 + (n >> 24), n >> 16 & 255, n >> 8 & 255, n & 255))
    };
    Arc::new((0..number).map(|n| login(n).into_bytes()).collect())
}

/// Sends new sources until there are so many buckets; how many there are then.
fn fill(weir: &Weir<'_>, most: u32) -> f64 {
    let buckets = || weir.metric("weir_buckets", &[]);
    let until = Instant::now() + Duration::from_secs(120);
    while buckets() < f64::from(most) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(100));
    }
    buckets()
}

/// Prints the memory of the daemon with `WEIR_BENCH_BUCKETS` buckets, of as many sources as it
/// takes, each with one line; and after as many again.
#[test]
#[ignore = "measures, and takes its time"]
fn bucket_figures() {
    assert!(possible(&["ip", "nft"]));
    let most = number("WEIR_BENCH_BUCKETS", 1_000_000);
    let network = Network::new();
    let settings = format!("log: error\nlimits: {{ buckets: {most} }}\n{}", rules());
    let weir = Weir::start(&network, &settings);
    std::thread::sleep(Duration::from_secs(3));
    let (_, idle) = memory(weir.pid());
    let flood = Flood::start(&weir, &newcomers(3 * most), 100_000);
    let (count, full) = (fill(&weir, most), memory(weir.pid()).1);
    std::thread::sleep(Duration::from_secs(5));
    let offered = flood.end();
    let fate = Fate::at_rest(&weir);
    let (peak, _) = memory(weir.pid());
    println!(
        "{count} buckets: {full:.1} MiB, of which {idle:.1} MiB before the first; {:.0} bytes each\n\
         after {} lines: at most {peak:.1} MiB, {} evicted, {} lines lost",
        (full - idle) * 1048576.0 / count,
        offered.sent,
        weir.metric("weir_buckets_evicted_total", &[]),
        fate.lost(),
    );
}

/// Prints how long a reload takes with `WEIR_BENCH_BUCKETS` buckets beside `WEIR_BENCH_BACKGROUND`
/// lines a second, and for how long no line was looked at meanwhile.
#[test]
#[ignore = "measures, and takes its time"]
fn reload_figures() {
    assert!(possible(&["ip", "nft"]));
    let most = number("WEIR_BENCH_BUCKETS", 1_000_000);
    let network = Network::new();
    let settings = format!("log: error\nlimits: {{ buckets: {most} }}\n{}", rules());
    let weir = Weir::start(&network, &settings);
    let flood = Flood::start(&weir, &newcomers(3 * most), 100_000);
    let count = fill(&weir, most);
    flood.end();
    let before = Fate::at_rest(&weir);
    let background = number("WEIR_BENCH_BACKGROUND", 50_000);
    let flood = Flood::start(&weir, &corpus(100_000), background);
    let stood = stood(&weir, Duration::from_millis(1), || {
        for _ in 0..5 {
            std::thread::sleep(Duration::from_secs(1));
            let begun = Instant::now();
            let answer = weir.ask(&["reload"]);
            assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
            println!("reload of {count} buckets: answered after {:?}", begun.elapsed());
        }
    });
    let offered = flood.end();
    let fate = Fate::at_rest(&weir);
    println!(
        "no line looked at for at most {stood:?}; of {} lines {:.0} lost, {:.0} pours dropped",
        offered.sent,
        fate.lost() - before.lost(),
        weir.metric("weir_pours_dropped_total", &[]).abs(),
    );
}
