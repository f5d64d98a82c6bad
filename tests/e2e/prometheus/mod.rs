//! What is shipped for Prometheus and Grafana, with a real Prometheus that scrapes a Weir under
//! traffic: every query of every panel, every variable, every annotation, every alert and every
//! recording rule answers with data.

mod asked;
mod figures;
mod server;
mod traffic;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::journald::{Journald, PROGRAM};
use crate::network::{ATTACKER_V4, ATTACKER_V6, HOST_V4, HOST_V6, Network, possible};
use crate::weir::{Weir, probe, project, wait_for};
use asked::Asked;
use server::{Prometheus, promtool};
use traffic::{FRIEND, STRANGE, Senders};

/// Seconds of traffic.
const SECONDS: usize = 14;
/// What pulls the brake: more than the traffic leads to.
const BRAKE: usize = 120;

fn seconds() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

/// Waits for the next second since the beginning.
fn keep_pace(begun: Instant, second: usize) {
    let at = begun + Duration::from_secs(second as u64);
    std::thread::sleep(at.saturating_duration_since(Instant::now()));
}

/// Has everything happen that the pages tell of.
fn live(network: &Network, weir: &Weir<'_>, senders: &mut Senders) {
    let begun = Instant::now();
    for address in [ATTACKER_V4, ATTACKER_V6] {
        assert!(weir.ask(&["ban", address]).status.success());
    }
    let configuration = weir.folder.join("weir.yaml");
    let right = std::fs::read_to_string(&configuration).unwrap();
    for second in 1..=SECONDS {
        senders.send(network, weir, second);
        match second {
            4 => assert!(weir.ask(&["reload"]).status.success()),
            6 => {
                let flush = network.on_host("nft").args(["flush", "ruleset"]).status().unwrap();
                assert!(flush.success());
            }
            9 => {
                std::fs::write(&configuration, format!("{right}\nnonsense: 1\n")).unwrap();
                assert!(!weir.ask(&["reload"]).status.success());
                std::fs::write(&configuration, &right).unwrap();
            }
            _ => {
                // They are banned: the kernel drops it.
                let _ = network.passes(ATTACKER_V4, HOST_V4);
                let _ = network.passes(ATTACKER_V6, HOST_V6);
            }
        }
        keep_pace(begun, second);
    }
    senders.settle();
    let wave = (0..=BRAKE).map(|n| probe(&format!("198.19.{}.{}", n / 250, n % 250 + 1)));
    weir.send_udp(wave.collect());
    wait_for("the brake", || (weir.metric("weir_brake", &[]) > 0.5).then_some(()));
}

/// Those of the expressions that have no answer.
fn unanswered(server: &Prometheus<'_>, all: &[Asked], span: (f64, f64)) -> Vec<String> {
    let silent =
        all.iter().filter(|asked| server.answers(&asked.expression, asked.instant, span) == 0);
    silent.map(|asked| format!("{}: {}", asked.place, asked.expression)).collect()
}

/// All queries of the dashboards, with the values that their variables have here.
fn of_dashboards(server: &Prometheus<'_>, span: (f64, f64)) -> Vec<Asked> {
    let mut all = Vec::new();
    for (file, board) in asked::dashboards() {
        let range = format!("{}s", (span.1 - span.0) as u64);
        // Four scrapes, as Grafana takes at least.
        let mut values = BTreeMap::from([
            ("__rate_interval".to_owned(), "4s".to_owned()),
            ("__range".to_owned(), range),
        ]);
        for (name, series, label) in asked::variables(&board) {
            let series = asked::fill(&series, &values);
            let path = format!("/api/v1/label/{label}/values");
            let found = server.ask(&path, &[]);
            let matched = server.ask("/api/v1/series", &[("match[]", &series)]);
            let shown: BTreeSet<String> = matched
                .as_array()
                .unwrap()
                .iter()
                .filter_map(|one| one[&label].as_str().map(str::to_owned))
                .collect();
            assert!(!shown.is_empty(), "{file}: the variable `{name}` has no value: {found}");
            values.insert(name, asked::chosen(&shown.into_iter().collect::<Vec<_>>()));
        }
        all.extend(
            asked::queries(&file, &board)
                .into_iter()
                .map(|one| Asked { expression: asked::fill(&one.expression, &values), ..one }),
        );
    }
    all
}

/// The vectors of all alerts, and the recording rules.
///
/// Two alerts compare with the day before, which no test has seen: `offset` is taken off them, so that
/// the same vectors are asked for now.
fn of_rules() -> Vec<Asked> {
    let mut all = Vec::new();
    for (name, expression) in asked::rules("alerts.yml", "alert") {
        for side in asked::sides(&expression) {
            let expression = side.replace(" offset 10m", "").replace(" offset 1h", "");
            all.push(Asked { place: format!("alert {name}"), expression, instant: false });
        }
    }
    for (name, expression) in asked::rules("recording.yml", "record") {
        all.push(Asked { place: format!("record {name}"), expression, instant: false });
    }
    all
}

#[test]
fn everything_that_is_shipped_answers_with_data() {
    if !possible(&["ip", "nft", "prometheus", "promtool"]) {
        return;
    }
    let network = Network::new();
    let folder = tempfile::tempdir().unwrap();
    let journal = Path::new(PROGRAM).exists().then(|| Journald::start(8));
    let lists = folder.path().join("lists");
    std::fs::create_dir(&lists).unwrap();
    std::fs::write(lists.join("partners.txt"), "192.0.2.99\n198.18.200.0/24\n").unwrap();
    let certificates = folder.path().join("tls");
    let sources = traffic::sources(&certificates, journal.as_ref());
    let more = format!(
        "allowlist: {{ entries: [{FRIEND}, nowhere.invalid] }}\n\
         lists: {{ folder: {} }}\n\
         brake: {{ bans: {BRAKE}, per: 1m }}\n\
         lapi: {{ listen: \"127.0.0.1:8080\" }}\n\
         remote:\n  \
           - {{ name: away, url: \"http://127.0.0.1:8081\", key: unknown, machine: {{ login: edge, password: unknown }} }}\n",
        lists.display()
    );
    let weir = Weir::start_until(&network, &sources, &more, "/-/healthy");
    let mut senders = Senders::connect(&network, &weir, &certificates, journal.as_ref());
    let server = Prometheus::start(&network);
    // It looks for targets five seconds after its start, and of what happens before the first scrape
    // no rate tells.
    wait_for("the first scrapes", || {
        (server.answers("count_over_time(weir_ready[1m]) > 1", true, (0.0, seconds())) > 0)
            .then_some(())
    });
    let begun = seconds();
    live(&network, &weir, &mut senders);
    // What happened last is scraped, and looked at by the rules.
    std::thread::sleep(Duration::from_secs(4));
    let span = (begun, seconds());

    let mut all = of_dashboards(&server, span);
    assert!(all.len() > 100, "{}", all.len());
    all.extend(of_rules());
    let silent = unanswered(&server, &all, span);
    assert!(
        silent.is_empty(),
        "{} of {} expressions have no data:\n{}",
        silent.len(),
        all.len(),
        silent.join("\n")
    );
    println!("{} expressions of dashboards, alerts and records have data", all.len());
    rules_are_evaluated(&server);
    what_is_exposed_is_documented(&weir);
}

/// No rule fails, and what was brought about is noticed.
fn rules_are_evaluated(server: &Prometheus<'_>) {
    let rules = server.ask("/api/v1/rules", &[]);
    let groups = rules["groups"].as_array().unwrap();
    let all: Vec<_> = groups.iter().flat_map(|group| group["rules"].as_array().unwrap()).collect();
    assert!(all.len() >= 40, "{}", all.len());
    for rule in &all {
        // Those that record come once a minute.
        let is_early = rule["type"] == "recording" && rule["health"] == "unknown";
        assert!(is_early || rule["health"] == "ok", "{rule}");
    }
    let noticed: BTreeMap<&str, &str> = all
        .iter()
        .filter(|rule| rule["type"] == "alerting" && rule["state"] != "inactive")
        .filter_map(|rule| Some((rule["name"].as_str()?, rule["state"].as_str()?)))
        .collect();
    // Those without a waiting time fire; the others wait.
    let expected = [
        ("WeirAllowlistNameFailing", "pending"),
        ("WeirBrakeOn", "firing"),
        ("WeirClockSkew", "pending"),
        ("WeirNotReady", "pending"),
        ("WeirProgramNotUnderstood", "pending"),
        ("WeirReloadFailed", "pending"),
    ];
    for (name, state) in expected {
        assert_eq!(noticed.get(name), Some(&state), "{name}: {noticed:?}");
    }
    for name in ["WeirDown", "WeirNotEnforcing", "WeirLedgerFailing", "WeirEnforcerStuck"] {
        assert_eq!(noticed.get(name), None, "{noticed:?}");
    }
    let strange = server.answers(
        &format!("ALERTS{{alertname=\"WeirProgramNotUnderstood\",program=\"{STRANGE}\"}}"),
        true,
        (0.0, seconds()),
    );
    assert_eq!(strange, 1);
}

/// promtool finds nothing wrong with names and help, and each value of a label that has few is in
/// the table for operators.
fn what_is_exposed_is_documented(weir: &Weir<'_>) {
    let (_, page) = weir.http("/metrics").unwrap();
    let said = promtool(&["check", "metrics"], Path::new("/"), &page);
    assert_eq!(said.trim(), "", "what promtool says of the metrics");
    let table = std::fs::read_to_string(project("dashboards/METRICS.md")).unwrap();
    let mut n_checked = 0;
    for row in table.lines().filter(|row| row.starts_with("| `")) {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let (name, labels) = (cells[1].trim_matches('`'), cells[3]);
        for (label, values) in labels.split(';').filter_map(|part| part.split_once(": ")) {
            if !values.starts_with('`') {
                continue;
            }
            let values: BTreeSet<&str> =
                values.split(',').map(|value| value.trim().trim_matches('`')).collect();
            let label = format!("{}=\"", label.trim().trim_matches('`'));
            for line in page.lines() {
                let Some(rest) = line.strip_prefix(name) else { continue };
                let Some(value) =
                    rest.split(&['{', ',', '}']).find_map(|l| l.strip_prefix(&*label))
                else {
                    continue;
                };
                let value = value.trim_end_matches('"');
                assert!(values.contains(value), "METRICS.md, {name}: {label}{value}\" is missing");
                n_checked += 1;
            }
        }
    }
    assert!(n_checked > 100, "{n_checked}");
}

#[test]
fn promtool_takes_the_rules_and_their_tests() {
    if !possible(&["promtool"]) {
        return;
    }
    let folder = project("dashboards/prometheus");
    promtool(&["check", "rules", "alerts.yml", "recording.yml"], &folder, "");
    let tests = ["works", "lines", "bans", "kernel"].map(|name| format!("tests/{name}.yml"));
    let mut arguments = vec!["test", "rules"];
    arguments.extend(tests.iter().map(String::as_str));
    let said = promtool(&arguments, &folder, "");
    assert_eq!(said.matches("SUCCESS").count(), tests.len(), "{said}");
}
