//! Weir is down, twice: rsyslog goes on logging, keeps what is for Weir, and delivers it.

use std::collections::BTreeMap;
use std::io::Write;
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::listening::Listening;
use super::rsyslog::{connect, start};
use super::{contrib, rfc5424};
use crate::network::{Network, possible};

/// More than its queue holds in memory.
const FIRST: Range<usize> = 0..30_000;
const SECOND: Range<usize> = 30_000..60_000;

/// Gives lines to rsyslog and waits until it has written them to its own file, which holds all lines
/// up to the last of these then.
fn log(network: &Network, file: &Path, lines: Range<usize>) -> Duration {
    let begun = Instant::now();
    let mut frames = Vec::new();
    for number in lines.clone() {
        let frame = rfc5424(&format!("n={number}"));
        frames.extend_from_slice(format!("{} {frame}", frame.len()).as_bytes());
    }
    connect(network).write_all(&frames).unwrap();
    loop {
        let written = std::fs::read_to_string(file).unwrap_or_default().lines().count();
        if written >= lines.end {
            return begun.elapsed();
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "rsyslog stands still: {written}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Each of these lines came, and no other; gives how many came more than once.
#[track_caller]
fn check(lines: &[Value], expected: Range<usize>) -> usize {
    let mut times: BTreeMap<usize, usize> = BTreeMap::new();
    for line in lines {
        let number = line["message"].as_str().unwrap().strip_prefix("n=").unwrap();
        *times.entry(number.parse().unwrap()).or_default() += 1;
    }
    let missing: Vec<usize> =
        expected.clone().filter(|number| !times.contains_key(number)).take(5).collect();
    assert!(missing.is_empty(), "of {} lines, missing among others {missing:?}", expected.len());
    assert_eq!(times.len(), expected.len(), "nothing else");
    lines.len() - times.len()
}

#[test]
fn rsyslog_outlasts_two_outages() {
    if !possible(&["ip", "rsyslogd"]) {
        return;
    }
    let (network, folder) = (Network::new(), tempfile::tempdir().unwrap());
    let folder = folder.path();
    let file = folder.join("syslog");
    let own = format!("action(type=\"omfile\" file=\"{}\")\n", file.display());
    let forward = contrib::read("rsyslog/60-weir.conf", folder).text;
    let _rsyslog = start(&network, folder, &[own, forward]);
    for (name, lines) in [("first", FIRST), ("second", SECOND)] {
        let took = log(&network, &file, lines.clone());
        let begun = Instant::now();
        let listening = Listening::start(&network, folder, "");
        listening.wait_for(lines.len());
        let came = begun.elapsed();
        let (received, ..) = listening.end();
        let twice = check(&received, lines.clone());
        println!(
            "{name} outage: rsyslog logged {} lines in {took:.1?} meanwhile, and delivered them within \
             {came:.1?} of the start of Weir, {twice} of them twice",
            lines.len()
        );
        // rsyslog sends what it took out of its queue at once again when the connection fails.
        assert!(twice <= 2 * 1024, "{twice}");
    }
}
