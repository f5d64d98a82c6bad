//! The page as text, at several widths.

use unicode_width::UnicodeWidthStr;

use super::*;
use crate::control::{
    ActiveRow, ActiveStatus, BucketRow, EnforceStatus, LedgerStatus, LinesStatus, NearestRule,
    PerSecond, Rates, RulesStatus, SourceRates, Status,
};

const NOW: &str = "2026-11-23T03:00:00Z";

fn source(name: &str, lines: u64, dropped: u64, last: Option<&str>) -> SourceStatus {
    SourceStatus {
        name: name.into(),
        at: format!("{name} 127.0.0.1:5514"),
        lines,
        dropped,
        last_line: last.map(str::to_owned),
        ..SourceStatus::default()
    }
}

fn sender(address: &str, lines: u64, silent: bool, skew: i64) -> SenderStatus {
    SenderStatus {
        address: address.into(),
        lines,
        last_line: "2026-11-23T02:58:00Z".into(),
        silent,
        skew_seconds: Some(skew),
    }
}

/// A host with something of everything.
fn busy() -> Status {
    let mut udp = source("udp", 1_234_567, 12, Some("2026-11-23T03:00:00Z"));
    udp.n_senders = 7;
    udp.senders =
        vec![sender("192.0.2.1", 1_000_000, false, 0), sender("2001:db8::1", 7, true, -90)];
    let mut journal = source("journal", 5, 0, Some("2026-11-22T03:00:00Z"));
    journal.silent = true;
    let mut tcp = source("tcp", 0, 0, None);
    tcp.trouble = Some("cannot listen on 127.0.0.1:5514: Address already in use".into());
    let active = |family: &str, action: &str, count| ActiveStatus {
        family: family.into(),
        action: action.into(),
        count,
    };
    let rates = |lines: f64| SourceRates {
        lines: PerSecond { last_10s: lines, last_1m: lines, series: vec![1, 5, 9, 2] },
        ..SourceRates::default()
    };
    Status {
        version: "0.1.0".into(),
        pid: 4711,
        uptime_seconds: 273_600,
        problems: vec![
            "source `tcp`: cannot listen on 127.0.0.1:5514: Address already in use".into(),
        ],
        remarks: vec!["source `journal` is silent: no line since 2026-11-22T03:00:00Z".into()],
        sources: vec![udp, tcp, journal, source("unix", 0, 0, None)],
        lines: LinesStatus { parsed: 1_200_000, unparsed: 34_567, allowlisted: 5 },
        rates: Rates {
            lines: PerSecond { last_10s: 12_345.6, last_1m: 9_000.0, series: vec![1, 2, 3] },
            sources: vec![rates(12_345.6), rates(0.0), rates(0.0), rates(0.0)],
            bans: PerMinute { last_1m: 31.0, last_5m: 7.6, last_15m: 0.04, series: vec![0, 2, 31] },
            overflows: PerMinute { last_1m: 40.0, series: vec![40], ..PerMinute::default() },
            ..Rates::default()
        },
        rules: RulesStatus {
            parsers: 44,
            scenarios: 123,
            postoverflows: 2,
            rejected: 1,
            loaded_at: "2026-11-20T03:00:00Z".into(),
        },
        buckets: 1_234,
        overflows: 98_765,
        active: vec![
            active("ipv4", "ban", 12_000),
            active("ipv6", "ban", 34),
            active("ipv4", "observe", 2),
        ],
        enforce: EnforceStatus {
            backend: "nftables".into(),
            is_enforcing: true,
            dropped_packets: 7_654_321,
            backends: vec![BackendStatus {
                name: "nftables".into(),
                elements: 12_034,
                drift: 3,
                dropped_packets: 7_654_321,
                trouble: None,
            }],
            ..EnforceStatus::default()
        },
        ledger: LedgerStatus { path: "/var/lib/weir/ledger.db".into(), ..LedgerStatus::default() },
        ..Status::default()
    }
}

fn coverage() -> Vec<Coverage> {
    let of = |program: &str, unparsed, parsed, nearest: Option<(&str, &str)>| Coverage {
        label: "syslog".into(),
        program: program.into(),
        unparsed,
        parsed,
        nearest: nearest.map(|(rule, why)| NearestRule {
            rule: rule.into(),
            stage: "s01-parse".into(),
            why: why.into(),
        }),
        ..Coverage::default()
    };
    vec![
        of("sshd", 0, 1_000_000, None),
        of("myapp", 30_000, 0, Some(("crowdsecurity/nginx-logs", "its pattern stops at `GET`"))),
        of("\u{1b}[2J", 4_567, 1_000, None),
    ]
}

fn tables() -> Tables {
    let bucket = |scenario: &str, overflowed| BucketRow {
        scenario: scenario.into(),
        overflowed,
        poured: overflowed * 6,
        held: 3,
        ..BucketRow::default()
    };
    let active = |origin: &str, count| ActiveRow {
        origin: origin.into(),
        action: "ban".into(),
        family: "ipv4".into(),
        count,
    };
    Tables {
        buckets: vec![bucket("weir/ssh-bf", 90_000), bucket("weir/postfix-relay-denied", 8_765)],
        active: vec![active("list", 10_000), active("scenario", 2_034)],
        ..Tables::default()
    }
}

fn shown(status: &Status, coverage: &[Coverage], tables: &Tables, width: usize) -> String {
    let now = Time::from_rfc3339(NOW).expect("a time");
    let page = Seen { status, coverage, tables, now }.page(width);
    let page = anstream::adapter::strip_str(&page).to_string();
    for line in page.lines() {
        assert!(line.width() <= width, "longer than {width}: {line}");
        assert_eq!(line, line.trim_end());
        assert!(!line.contains('\u{1b}'), "{line}");
    }
    page
}

#[test]
fn a_busy_host_on_80_columns() {
    assert_eq!(shown(&busy(), &coverage(), &tables(), 80), BUSY_80);
}

const BUSY_80: &str = "\
weir 0.1.0 up 3d 4h, process 4711: 1 PROBLEM
PROBLEM  source `tcp`: cannot listen on 127.0.0.1:5514: Address already in use
to do    `ss -lntup` shows who listens there; `weir listen` can try another port
note     source `journal` is silent: no line since 2026-11-22T03:00:00Z

RECEIVING  12,346 lines/s, 9,000/s over a minute, 1,234,572 in all
  SOURCE   LINES/S  LAST MINUTE      LINES  DROPPED  LAST LINE  STATE
  udp       12,346  ▂▄█▂         1,234,567       12  now        receives
  tcp            0  ▂▄█▂                 0        0  never      cannot listen o…
  journal        0  ▂▄█▂                 5        0  1d ago     silent
  unix           0  ▂▄█▂                 0        0  never      no line yet
  FROM         TO       LINES  LAST LINE       CLOCK
  192.0.2.1    udp  1,000,000  2m ago
  2001:db8::1  udp          7  2m ago, silent  1m 30s behind
  and 2 more (--output json)

UNDERSTANDING  97.2 % of 1,234,572 lines understood; 34,567 not, 5 about friends
  NOT UNDERSTOOD   LINES  OF ITS  NEAREST RULE, AND WHY NOT
  myapp           30,000   100 %  crowdsecurity/nginx-logs: its pattern stops a…
  \\u{1b}[2J        4,567  82.0 %  no rule takes these lines
  the lines: weir explain --last; rules for them: weir discover

BANNING  12,034 banned: 12,000 IPv4, 34 IPv6; 2 only observed (10,000 by lists,
         2,034 by scenarios)
  A MINUTE   LAST  OF 5  OF 15  LAST HOUR  IN ALL
  bans       31.0   7.6   <0.1  ▁▂█
  overflows  40.0     0      0  █          98,765
  SCENARIO                   OVERFLOWS   EVENTS  BUCKETS
  weir/ssh-bf                   90,000  540,000        3
  weir/postfix-relay-denied      8,765   52,590        3

KERNEL  0 packets/s dropped, 7,654,321 in all
  BACKEND   ELEMENTS  DRIFT    DROPPED  LAST TROUBLE
  nftables    12,034      3  7,654,321  none

HEALTH
  rules    44 parsers, 123 scenarios, 2 postoverflows, loaded 3d ago; 1 file
           left out, weir check tells why
  buckets  1,234 held
  ledger   /var/lib/weir/ledger.db, all is saved
";

#[test]
fn all_widths_tell_what_counts() {
    for width in [60, 80, 100, 120, 10_000] {
        let page = shown(&busy(), &coverage(), &tables(), width);
        let problem = page.find("PROBLEM  ").expect("the problem");
        assert!(problem < page.find("RECEIVING").expect("sources"), "problems first: {page}");
        for part in ["12,346", "31.0", "30,000", "90,000", "12,034", "to do", "silent", "192.0.2.1"]
        {
            assert!(page.contains(part), "{width}: `{part}`: {page}");
        }
    }
}

#[test]
fn a_daemon_that_just_started_or_is_older() {
    let page = shown(
        &Status { version: "0.1.0".into(), ..Status::default() },
        &[],
        &Tables::default(),
        80,
    );
    assert!(page.contains("no line came yet") && page.contains("nobody is banned"), "{page}");
    assert!(page.contains("observe mode"), "{page}");
}

#[test]
fn times_are_told_from_now() {
    let now = Time::from_rfc3339(NOW).expect("a time");
    let check = |at: &str, expected: &str| assert_eq!(ago(at, now), expected, "{at}");
    check("2026-11-23T02:59:59Z", "now");
    check("2026-11-23T03:00:09Z", "now");
    check("2026-11-23T02:59:50Z", "10s ago");
    check("2026-11-23T01:30:00Z", "1h ago");
    check("2026-11-20T01:00:00Z", "3d 2h ago");
    check("", "never");
    check("soon", "soon");
}
