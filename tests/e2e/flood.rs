//! Many lines a second: none is lost unseen.
//!
//! The measurements are ignored by default; `tests/bench/daemon` runs them with a release build.

use std::time::Duration;

use crate::load::{Fate, Flood, corpus, memory, threads};
use crate::network::{Network, possible};
use crate::weir::Weir;

/// A number that the environment says.
pub(crate) fn number(name: &str, default: u32) -> u32 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// The configuration for the rules of `WEIR_BENCH_RULES`; without it, our own.
pub(crate) fn rules() -> String {
    match std::env::var("WEIR_BENCH_RULES") {
        Ok(folder) => format!("rules: {{ shipped: false, folders: [\"{folder}\"] }}\n"),
        Err(_) => String::new(),
    }
}

/// Each line that was sent is either looked at or counted as dropped, whatever the machine can do.
#[test]
fn every_line_is_looked_at_or_counted_as_dropped() {
    if !possible(&["ip", "nft"]) {
        return;
    }
    let network = Network::new();
    let weir = Weir::start(&network, "log: warning\nlimits: { queue: 8 }");
    let lines = corpus(20_000);
    let flood = Flood::start(&weir, &lines, 300_000);
    std::thread::sleep(Duration::from_secs(2));
    let offered = flood.end();
    let fate = Fate::at_rest(&weir);
    println!("{offered:?} {fate:?}");
    assert_eq!(fate.received, fate.looked_at + fate.lost(), "{fate:?}");
    assert_eq!(fate.received, offered.sent as f64, "{fate:?}");
}

/// Prints how many lines of `WEIR_BENCH_RATE` a second are lost in `WEIR_BENCH_SECONDS`.
#[test]
#[ignore = "measures, and takes its time"]
fn figures() {
    assert!(possible(&["ip", "nft"]));
    let (rate, seconds) = (number("WEIR_BENCH_RATE", 200_000), number("WEIR_BENCH_SECONDS", 20));
    let network = Network::new();
    let weir = Weir::start(&network, &format!("log: warning\n{}", rules()));
    let lines = corpus(400_000);
    std::thread::sleep(Duration::from_secs(1));
    let before = threads(weir.pid());
    let flood = Flood::start(&weir, &lines, rate);
    std::thread::sleep(Duration::from_secs(seconds.into()));
    let offered = flood.end();
    let fate = Fate::at_rest(&weir);
    let spent: Vec<String> = threads(weir.pid())
        .into_iter()
        .map(|(name, time)| {
            let was = before.iter().find(|(known, _)| *known == name).map_or(0.0, |b| b.1);
            (name, time - was)
        })
        .filter(|(_, time)| *time >= 0.01)
        .map(|(name, time)| format!("{name} {time:.2} s"))
        .collect();
    println!(
        "offered {} lines, {:.0}/s; lost {} ({:.4} %): {} by a full queue, {} by the kernel\n\
         processor: sender {:.2} s, {}\nlargest memory {:.1} MiB",
        offered.sent,
        offered.per_second(),
        fate.lost(),
        fate.lost() * 100.0 / offered.sent as f64,
        fate.queue_full,
        fate.buffer_full,
        offered.busy.as_secs_f64(),
        spent.join(", "),
        memory(weir.pid()).0,
    );
    assert_eq!(fate.received, fate.looked_at + fate.lost(), "{fate:?}");
    assert_eq!(fate.received, offered.sent as f64, "{fate:?}");
}
