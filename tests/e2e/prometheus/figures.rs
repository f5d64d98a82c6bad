//! What a scrape of a full system costs.

use std::fmt::Write as _;
use std::time::Instant;

use crate::network::{Network, possible};
use crate::weir::{Weir, wait_for};

const PROGRAMS: usize = 1_000;
const SCENARIOS: usize = 300;
const BANS: usize = 100_000;
const SCRAPES: usize = 50;

/// Prints how long a scrape takes and how large it is, with so many programs, scenarios and bans;
/// meant for a release build, which `WEIR_BIN` names:
/// `WEIR_BIN=target/release/weir cargo test --test e2e -- --ignored --nocapture scrape_figures`.
#[test]
#[ignore = "measures, and takes its time"]
fn scrape_figures() {
    if !possible(&["ip", "nft"]) {
        return;
    }
    let network = Network::new();
    let folder = tempfile::tempdir().unwrap();
    let scenarios = folder.path().join("rules/scenarios");
    std::fs::create_dir_all(&scenarios).unwrap();
    let mut text = String::new();
    for n in 0..SCENARIOS {
        writeln!(
            text,
            "---\ntype: leaky\nname: test/scenario-{n}\ndescription: d\n\
             filter: evt.Meta.log_type == 'kind-{n}'\ngroupby: evt.Meta.source_ip\n\
             capacity: 5\nleakspeed: 10s\nlabels: {{remediation: true}}"
        )
        .unwrap();
    }
    std::fs::write(scenarios.join("all.yaml"), text).unwrap();
    let more = format!("rules: {{ folders: [{}] }}", folder.path().join("rules").display());
    let weir = Weir::start(&network, &more);
    let list = folder.path().join("list.txt");
    let addresses = (0..BANS).map(|n| format!("11.{}.{}.{}\n", n >> 16, n >> 8 & 255, n & 255));
    std::fs::write(&list, addresses.collect::<String>()).unwrap();
    let imported = weir.ask(&["import", &list.display().to_string(), "--for", "1h"]);
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
    let mut stream = weir.connect();
    for n in 0..PROGRAMS + 100 {
        use std::io::Write as _;
        writeln!(stream, "<13>Nov 22 10:00:00 host program{n}[1]: said something").unwrap();
    }
    wait_for("the lines", || {
        (weir.metric("weir_lines_total", &[]) >= (PROGRAMS + 100) as f64).then_some(())
    });
    assert!(weir.metric("weir_active_decisions", &["action=\"ban\""]) >= BANS as f64);
    let (mut took, mut told, mut size, mut series) = (Vec::new(), Vec::new(), 0, 0);
    for _ in 0..SCRAPES {
        let begun = Instant::now();
        let (_, page) = weir.http("/metrics").unwrap();
        took.push(begun.elapsed().as_secs_f64() * 1e3);
        let own = page.lines().find_map(|line| line.strip_prefix("weir_scrape_duration_seconds "));
        told.push(own.unwrap().parse::<f64>().unwrap() * 1e3);
        (size, series) = (page.len(), page.lines().filter(|line| !line.starts_with('#')).count());
    }
    took.sort_by(f64::total_cmp);
    told.sort_by(f64::total_cmp);
    println!(
        "a scrape with {PROGRAMS} programs, {SCENARIOS} scenarios more, {BANS} bans: {series} \
         series, {size} bytes; made in {:.2} ms (median; longest {:.2}), got by HTTP in {:.2} ms \
         (longest {:.2})",
        told[SCRAPES / 2],
        told[SCRAPES - 1],
        took[SCRAPES / 2],
        took[SCRAPES - 1]
    );
    assert!(series > 4 * PROGRAMS + 6 * SCENARIOS, "{series}");
}
