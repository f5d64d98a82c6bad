//! The decoder held against others: the groks that rule folders use, and another library.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use syslog_loose::{ProcId, Variant};

use super::*;
use crate::parse::grok::{Caches, Grok, Library};

/// The two groks that rule folders decode syslog lines with.
struct Groks {
    line: Grok,
    rfc5424: Grok,
    caches: Caches,
}

impl Groks {
    fn new() -> Self {
        let mut library = Library::base();
        for (name, pattern) in [
            (
                "SYSLOGBASE2",
                "(?:%{SYSLOGTIMESTAMP:timestamp}|%{TIMESTAMP_ISO8601:timestamp8601}) \
                 (?:%{SYSLOGFACILITY} )?%{SYSLOGHOST:logsource}+(?: %{SYSLOGPROG}:|)",
            ),
            (
                "PREFIX",
                "^<%{NUMBER:pri}>%{NUMBER:ver} %{SYSLOGBASE2} %{DATA:program} (?:%{NUMBER:pid}|-)",
            ),
            ("META", "\\[meta sequenceId=\"(?P<q>[^\"]*)\"\\]"),
        ] {
            library.add(name, pattern).expect("a good pattern");
        }
        let mut compile = |pattern| library.compile(pattern).expect("a good pattern");
        Self {
            line: compile("^%{SYSLOGBASE2} %{GREEDYDATA:message}"),
            rfc5424: compile("%{PREFIX} - (?:%{META} |- )%{GREEDYDATA:message}"),
            caches: Caches::default(),
        }
    }

    /// What the groks and [`decode`] make of a line, when a grok matches it.
    fn compare(&mut self, line: &str) -> Option<[Vec<(String, String)>; 2]> {
        let mut found = Vec::new();
        let mut pairs = Vec::new();
        let line_matches =
            self.line.search(line, &mut self.caches, |n, text| pairs.push((n, text)));
        let grok = if line_matches { &self.line } else { &self.rfc5424 };
        if !line_matches {
            pairs.clear();
            if !self.rfc5424.search(line, &mut self.caches, |n, text| pairs.push((n, text))) {
                return None;
            }
        }
        found.extend(
            pairs.iter().map(|(n, text)| (grok.captures()[*n].to_string(), (*text).to_owned())),
        );
        let header = decode(line);
        let inline = |number: Option<u8>| {
            number.filter(|_| header.is_inline()).map_or(String::new(), |number| number.to_string())
        };
        let bsd = if header.clock == Clock::Bsd { header.timestamp } else { "" };
        let iso = if header.clock == Clock::Iso { header.timestamp } else { "" };
        let ours = found.iter().map(|(name, _)| {
            let text = match name.as_str() {
                "timestamp" => bsd.to_owned(),
                "timestamp8601" => iso.to_owned(),
                "facility" => inline(header.facility),
                "priority" => inline(header.severity),
                "logsource" => header.host.to_owned(),
                "program" => header.program.to_owned(),
                "pid" => header.pid.to_owned(),
                "message" => header.first_line().to_owned(),
                "pri" => header.priority.to_owned(),
                "ver" => header.version.to_owned(),
                other => panic!("an unexpected capture `{other}`"),
            };
            (name.clone(), text)
        });
        let ours = ours.collect();
        Some([found, ours])
    }
}

/// Lines that are nearly syslog, made of what headers are made of.
fn lines() -> impl Strategy<Value = String> {
    let time = prop_oneof![
        4 => "(Nov|Dec|M(är|rz|arch)|Okt) {1,2}[0-3]?[0-9] [0-2]?[0-9]:[0-6][0-9]:[0-6][0-9]([.,:][0-9]{1,3})?",
        4 => "(20)?[0-9]{2}-[01]?[0-9]-[0-3]?[0-9][T ]([0-2]?[0-9]:|[01][0-9])[0-5][0-9](:?[0-5][0-9]([.,][0-9]{1,6})?)?(Z|[+-][01][0-9]:?[0-9]{2})?",
    ];
    let host = prop_oneof![
        4 => "[a-z][a-z0-9-]{0,9}(\\.[a-z0-9]{1,5}){0,2}\\.?",
        1 => "10\\.[0-9]{1,3}\\.0\\.[0-9]{1,5}",
        1 => "(fe80|2001:db8)::[0-9a-f]{0,4}",
        1 => "<[0-9]\\.[0-7]> host",
        1 => "[a-z_:.-]{1,6}",
    ];
    let tag = prop_oneof![
        4 => "[a-z/()_.%-]{1,12}(\\[[1-9][0-9]{0,4}\\])?: ",
        2 => "[a-z:]{1,5}(: | :|\\[[0-9]{0,2}\\]: )",
        1 => Just(String::new()),
    ];
    let fields = "[a-z]{1,5} (-|[1-9][0-9]{0,3}) - (-|\\[meta sequenceId=\"[0-9]{0,3}\"\\]) ";
    prop_oneof![
        6 => (time, host, tag, "[ -~é\\n]{0,20}").prop_map(|(a, b, c, d)| format!("{a} {b} {c}{d}")),
        1 => ("[12]?[0-9]", "h[a-z.]{0,5}", fields, "[ -~é\\n]{0,20}")
            .prop_map(|(a, b, c, d)| format!("<{a}>1 2026-11-22T10:00:00+01:00 {b} {c}{d}")),
    ]
}

/// The cases in which more is understood than the groks do, as the head of the module says.
fn is_understood_better(line: &str, grok: &[(String, String)]) -> bool {
    let header = decode(line);
    let of = |wanted| grok.iter().find(|(name, _)| name == wanted).map_or("", |(_, text)| text);
    let bracketed = of("program").is_empty() && !header.pid.is_empty();
    let at_end = of("program").is_empty() && header.first_line().is_empty();
    let zone = of("logsource").contains('%');
    let time = of("timestamp").len() + of("timestamp8601").len();
    let behind = line.get(time + 1..).unwrap_or_default();
    let behind = behind.split_once("> ").filter(|_| header.is_inline()).map_or(behind, |two| two.1);
    let glued = of("pri").is_empty() && !behind.starts_with(&format!("{} ", of("logsource")));
    bracketed || at_end || zone || glued
}

/// The log lines of the hub's own tests, when the hub is there.
fn hub_lines() -> Vec<String> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/hub");
    let hub = std::env::var_os("WEIR_HUB").map_or(beside, PathBuf::from);
    let Ok(tests) = std::fs::read_dir(hub.join("tests")) else { return Vec::new() };
    let files = tests.flatten().filter_map(|test| std::fs::read_dir(test.path()).ok()).flatten();
    files
        .flatten()
        .filter(|file| file.path().extension().is_some_and(|extension| extension == "log"))
        .flat_map(|file| {
            let bytes = std::fs::read(file.path()).expect("a log file of the hub");
            String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn the_fields_are_those_of_the_groks_in_the_tests_of_the_hub() {
    let mut groks = Groks::new();
    for line in hub_lines() {
        if let Some([grok, ours]) = groks.compare(&line)
            && !is_understood_better(&line, &grok)
        {
            assert_eq!(grok, ours, "{line:?}");
        }
    }
}

/// Compares with another library where that one is right.
#[track_caller]
fn check_other(line: &str) {
    let other = syslog_loose::parse_message(line, Variant::Either);
    let header = decode(line);
    assert_eq!(other.hostname.unwrap_or(""), header.host, "host of {line:?}");
    assert_eq!(other.appname.unwrap_or(""), header.program, "program of {line:?}");
    let pid = match other.procid {
        Some(ProcId::PID(pid)) => pid.to_string(),
        Some(ProcId::Name(name)) => name.to_owned(),
        None => String::new(),
    };
    assert_eq!(pid, header.pid, "pid of {line:?}");
    assert_eq!(other.msgid.unwrap_or(""), header.message_id, "message id of {line:?}");
    assert_eq!(other.msg, header.message.trim(), "message of {line:?}");
    assert_eq!(other.severity.map(|severity| severity as u8), header.severity, "{line:?}");
    assert_eq!(other.facility.map(|facility| facility as u8), header.facility, "{line:?}");
}

#[test]
fn another_library_says_the_same() {
    for line in [
        "<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8",
        "<34>Oct 11 22:14:15 mymachine su[12]: 'su root' failed",
        "<46>Jan  5 15:33:03 plertrood-ThinkPad-X220 rsyslogd:  start",
        "<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog 111 ID47 - x y",
        "<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time.",
        "<13>1 - - - - - [a@1 x=\"\\]\"] x",
        "<6>2020-04-13T20:45:00+00:00 host postfix/submission/smtpd[123]: x",
        "<4>Nov 22 10:00:00 2001:db8::1 kernel: [12.5] x",
    ] {
        check_other(line);
    }
}

/// A field, what the other library says it is, and what we say.
type Difference = (&'static str, &'static str, &'static str);

/// Where the other library differs: a line, the fields, and why.
#[rustfmt::skip]
const DIFFERENCES: &[(&str, &[Difference], &str)] = &[
    ("<999>Nov 22 10:00:00 host a: b",
     &[("host", "", "host"), ("program", "", "a"), ("message", "<999>Nov 22 10:00:00 host a: b", "b")],
     "an impossible priority does not make the rest unreadable"),
    ("<13>a message without a time",
     &[("message", "<13>a message without a time", "a message without a time"),
       ("severity", "", "5"), ("facility", "", "1")],
     "RFC 3164 4.3.2: the priority stands for itself"),
    ("<34>Oct 11 22:14:15 su: no host", &[("host", "su", ""), ("program", "", "su")],
     "what a colon follows is a tag, as local senders write it"),
    ("<13>Nov 22 10:00:00.123 host a[1]: b",
     &[("host", "", "host"), ("program", "", "a"), ("pid", "", "1"),
       ("message", ".123 host a[1]: b", "b")],
     "a fraction belongs to the time"),
    ("<13>1732269600.123 host a: b",
     &[("host", "", "host"), ("program", "", "a"), ("message", "<13>1732269600.123 host a: b", "b"),
       ("severity", "", "5"), ("facility", "", "1")],
     "seconds since 1970, as Meraki writes them"),
    ("<13>Nov 22 10:00:00 host last message repeated 2 times",
     &[("program", "last", ""), ("message", "message repeated 2 times", "last message repeated 2 times")],
     "syslogd's own words have no tag"),
    ("<13>Nov 22 10:00:00 host a b: c", &[("program", "a", ""), ("message", "b: c", "a b: c")],
     "a tag ends with a colon: the groks of rules say so too"),
    ("<13>Nov 22 10:00:00 host a[x y]: b", &[("program", "a[x", ""), ("message", "y]: b", "a[x y]: b")],
     "half a tag is none"),
    ("<4>Nov 22 10:00:00 host [12.5] x", &[("pid", "12.5", ""), ("message", "x", "[12.5] x")],
     "a time of the kernel is no process"),
    ("\u{feff}<13>Nov 22 10:00:00 host a: b",
     &[("host", "", "host"), ("program", "", "a"),
       ("message", "\u{feff}<13>Nov 22 10:00:00 host a: b", "b"),
       ("severity", "", "5"), ("facility", "", "1")],
     "a byte order mark says nothing"),
    ("<13>1 2026-11-22T10:00:00Z host a 1 - - \u{feff}b", &[("message", "\u{feff}b", "b")],
     "RFC 5424 6.4: the mark is not of the message"),
    ("<13>2026-11-22 10:00:00 host a: b",
     &[("host", "", "host"), ("program", "", "a"),
       ("message", "<13>2026-11-22 10:00:00 host a: b", "b"),
       ("severity", "", "5"), ("facility", "", "1")],
     "an ISO time with a space, as busybox and appliances write it"),
    ("<13>nov 22 10:00:00 host a: b",
     &[("host", "host", ""), ("program", "a", ""), ("message", "b", "nov 22 10:00:00 host a: b")],
     "months begin with a capital (RFC 3164 4.1.2)"),
];

/// The fields in which the two differ.
fn differences(line: &str) -> Vec<(&'static str, String, String)> {
    let other = syslog_loose::parse_message(line, Variant::Either);
    let header = decode(line);
    let pid = other.procid.map_or_else(String::new, |pid| pid.to_string());
    let number = |number: Option<u8>| number.map_or_else(String::new, |number| number.to_string());
    let text = |text: Option<&str>| text.unwrap_or("").to_owned();
    [
        ("host", text(other.hostname), header.host.to_owned()),
        ("program", text(other.appname), header.program.to_owned()),
        ("pid", pid, header.pid.to_owned()),
        ("message", other.msg.to_owned(), header.message.trim().to_owned()),
        ("severity", number(other.severity.map(|n| n as u8)), number(header.severity)),
        ("facility", number(other.facility.map(|n| n as u8)), number(header.facility)),
    ]
    .into_iter()
    .filter(|(_, theirs, ours)| theirs != ours)
    .collect()
}

#[test]
fn where_another_library_differs() {
    for (line, expected, why) in DIFFERENCES {
        let found = differences(line);
        let found: Vec<_> =
            found.iter().map(|(field, theirs, ours)| (*field, &**theirs, &**ours)).collect();
        assert_eq!(found, *expected, "{line:?}: {why}");
    }
    for line in [
        "Nov 22 10:00:00 host a[1]: b",
        "<13>Nov 22 2026 10:00:00 host a: b",
        "<13>Nov 22 10:00:00 host %ASA-4-106023: Deny tcp",
        "<13>Nov 22 10:00:00 host (a)[1]: b",
        "<13>1 2026-11-22T10:00:00Z host a 1 - [x] b",
        "<13> Nov 22 10:00:00 host a: b",
        "<13>Nov 22 10:00:00 2001:db8::1 a: b",
        "<3.6>x",
        "",
    ] {
        assert_eq!(differences(line), [], "{line:?}");
    }
}

proptest! {
    #[test]
    fn another_library_says_the_same_of_any_rfc5424_line(
        priority in 0_u8..=191,
        host in "-|[a-z0-9.-]{2,12}",
        program in "-|[a-z/]{2,12}",
        pid in "-|[1-9][0-9]{0,4}",
        id in "-|[A-Z]{2,8}",
        data in "-|(\\[[a-z]{1,5}@[0-9]{1,3}( [a-z]{1,5}=\"([a-z \\[]|\\\\\"|\\\\\\]){0,9}\"){1,2}\\]){1,3}",
        message in "[a-z]([ -~]{0,30}[a-z])?",
    ) {
        check_other(&format!(
            "<{priority}>1 2026-11-22T10:00:00.25Z {host} {program} {pid} {id} {data} {message}"
        ));
    }

    #[test]
    fn the_fields_are_those_of_the_groks(lines in prop::collection::vec(lines(), 16)) {
        thread_local!(static GROKS: std::cell::RefCell<Groks> = Groks::new().into());
        GROKS.with_borrow_mut(|groks| {
            for line in lines {
                if let Some([grok, ours]) = groks.compare(&line)
                    && !is_understood_better(&line, &grok)
                {
                    prop_assert_eq!(grok, ours, "{:?}", line);
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn anything_decodes(text in "\\PC{0,60}", bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        fuzz_decode(text.as_bytes());
        fuzz_decode(&bytes);
    }

    #[test]
    fn nearly_syslog_decodes(
        line in lines(),
        cut in 0_usize..80,
        at in 0_usize..80,
        byte in any::<u8>(),
        priority in "(<[0-9]{0,4}>)?(1 )?",
    ) {
        let mut bytes = [priority.as_bytes(), line.as_bytes()].concat();
        if let Some(changed) = bytes.get_mut(at) {
            *changed = byte;
        }
        fuzz_decode(&bytes);
        bytes.truncate(cut);
        fuzz_decode(&bytes);
    }
}
