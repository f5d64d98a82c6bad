//! Lists as data.

use proptest::prelude::*;

use super::*;

/// What a list says: its entries as `net`, `net for seconds`, `net (reason)`, then its mistakes.
fn shown(list: &List) -> String {
    let entry = |entry: &Entry| {
        let mut text = format!("{}: {}", entry.line, entry.net);
        if let Some(nanos) = entry.duration {
            text.push_str(&format!(" for {}s", nanos / 1_000_000_000));
        }
        if let Some(reason) = &entry.reason {
            text.push_str(&format!(" ({reason})"));
        }
        text
    };
    let mistake = |mistake: &Mistake| format!("{}! {}", mistake.line, mistake.message);
    let all = list.entries.iter().map(entry).chain(list.mistakes.iter().map(mistake));
    all.collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn check(text: &str, format: Format, expected: &[&str]) {
    let list = read(text.as_bytes(), None);
    assert_eq!(list.format, format, "{text}");
    assert_eq!(shown(&list), expected.join("\n"), "{text}");
}

#[test]
fn plain_lists() {
    check("", Format::Plain, &[]);
    check(
        "\u{feff}# made today\r\n203.0.113.7\r\n\r\n 198.51.100.0/24 ; SBL1\n2001:db8::/32 # six\n;",
        Format::Plain,
        &["2: 203.0.113.7/32", "4: 198.51.100.0/24", "5: 2001:db8::/32"],
    );
    check(
        "nobody\n203.0.113.7 203.0.113.8\n203.0.113.9/33\n::ffff:203.0.113.7",
        Format::Plain,
        &[
            "4: 203.0.113.7/32",
            "1! `nobody` is neither an address such as `192.0.2.7` or `2001:db8::7` nor a prefix such as `192.0.2.0/24`",
            "2! expected an address or a prefix alone on its line, found `203.0.113.7 203.0.113.8`",
            "3! `203.0.113.9/33` has no valid prefix length: expected /0 to /32",
        ],
    );
    let list = read(b"203.0.113.7\n\xff\xfe\n", None);
    assert_eq!((list.entries.len(), list.n_mistakes), (1, 1));
}

#[test]
fn json_lists() {
    check(
        "[\n\"203.0.113.7\",\n\n \"198.51.100.0/24\"]",
        Format::Json,
        &["2: 203.0.113.7/32", "4: 198.51.100.0/24"],
    );
    check(
        r#"[{"value": "203.0.113.7", "duration": "90m", "reason": "a\nb"},
            {"target": "2001:db8::1", "remaining_seconds": 60, "action": "ban", "id": 7},
            {"ip": "203.0.113.9", "duration": 5, "comment": null}]"#,
        Format::Json,
        &[
            "1: 203.0.113.7/32 for 5400s (a b)",
            "2: 2001:db8::1/128 for 60s",
            "3: 203.0.113.9/32 for 5s",
        ],
    );
    check(
        "\"203.0.113.7\"\n{\"ip\":\"203.0.113.8\"}\n",
        Format::Json,
        &["1: 203.0.113.7/32", "2: 203.0.113.8/32"],
    );
    check(
        r#"[7, {"value": 7}, {}, "x", {"value": "203.0.113.7", "duration": "soon"},
            {"value": "203.0.113.7", "type": "captcha"}, {"value": "FR", "scope": "Country"},
            {"value": "203.0.113.8", "duration": "-3h"}]"#,
        Format::Json,
        &[
            "1! expected a text or an object, found `7`",
            "1! expected a text in `value`, found `7`",
            "1! expected an address or a prefix, found none",
            "1! `x` is neither an address such as `192.0.2.7` or `2001:db8::7` nor a prefix such as `192.0.2.0/24`",
            "1! expected a span of time such as `90m`, `24h` or `7d`, found `soon`",
            "2! expected a ban, found `captcha`",
            "2! expected the scope `Ip` or `Range`, found `Country`: only addresses are banned",
            "3! its time is up",
        ],
    );
    check(
        "[\"203.0.113.7\",\n",
        Format::Json,
        &["2! this is no JSON: EOF while parsing a value at line 2 column 0"],
    );
}

/// What CrowdSec's tools write: alerts with decisions, decisions of its API, its table.
#[test]
fn decisions_of_crowdsec() {
    check(
        r#"[{"id": 3, "events_count": 6, "source": {"ip": "203.0.113.7"}, "decisions": [
              {"duration": "3h59m10.5s", "id": 9, "origin": "crowdsec", "scenario": "crowdsecurity/ssh-bf",
               "scope": "Ip", "type": "ban", "value": "203.0.113.7"},
              {"duration": "1h", "scope": "AS", "type": "ban", "value": "64496"}]}]"#,
        Format::Json,
        &[
            "2: 203.0.113.7/32 for 14350s (crowdsecurity/ssh-bf)",
            "4! expected the scope `Ip` or `Range`, found `AS`: only addresses are banned",
        ],
    );
    check(
        r#"{"deleted": [], "new": [{"duration": "2h", "scope": "Range", "type": "ban", "value": "198.51.100.0/24"}]}"#,
        Format::Json,
        &["1: 198.51.100.0/24 for 7200s"],
    );
    check(
        "id,source,ip,reason,action,country,as,events_count,expiration,simulated,alert_id\n\
         9,crowdsec,Ip:203.0.113.7,crowdsecurity/ssh-bf,ban,FR,\"64496 Some, Net\",6,3h59m,false,3\n",
        Format::Csv,
        &["2: 203.0.113.7/32 for 14340s (crowdsecurity/ssh-bf)"],
    );
}

#[test]
fn tables() {
    check(
        "value,duration,reason\n203.0.113.7,4h,\"said \"\"no\"\", and\nagain\"\n\n# later\n203.0.113.8,,\n",
        Format::Csv,
        &["2: 203.0.113.7/32 for 14400s (said \"no\", and again)", "6: 203.0.113.8/32"],
    );
    check("ip;comment\n203.0.113.7;a, b\n", Format::Csv, &["2: 203.0.113.7/32 (a, b)"]);
    check("Comment\tIP\nx\t203.0.113.7\n", Format::Csv, &["2: 203.0.113.7/32 (x)"]);
    check(
        "ip\n203.0.113.7\nnobody,x",
        Format::Csv,
        &[
            "2: 203.0.113.7/32",
            "3! `nobody` is neither an address such as `192.0.2.7` or `2001:db8::7` nor a prefix such as `192.0.2.0/24`",
        ],
    );
    // A quote that is never closed costs its line.
    check(
        "ip,reason\n203.0.113.7,\"open\n203.0.113.8,x\n",
        Format::Csv,
        &["2: 203.0.113.7/32 (open)", "3: 203.0.113.8/32 (x)"],
    );
    let list = read(b"a,b\n1,2\n", Some(Format::Csv));
    assert_eq!(
        shown(&list),
        "1! expected a header with a column `value` (or `ip`, `target`, `range`), found `a,b`"
    );
}

#[test]
fn mistakes_are_told_in_part_and_counted_in_full() {
    let list = read("x\n".repeat(1000).as_bytes(), None);
    assert_eq!((list.mistakes.len(), list.n_mistakes), (MOST_TOLD, 1000));
    assert_eq!(list.mistakes[3].line, 4);
}

proptest! {
    /// Any text of the characters that matter, and any bytes.
    #[test]
    fn nothing_panics(
        format: u8,
        text in "([0-9a-f.:/,;\"\\[\\]{}#\t\n \\\\]|ip|value|ban|for){0,60}",
        bytes in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        fuzz_list(&[&[format][..], text.as_bytes()].concat());
        fuzz_list(&[&[format][..], &bytes].concat());
    }

    /// What is written in one way is read the same in any other.
    #[test]
    fn all_forms_say_the_same(nets in prop::collection::vec((any::<std::net::IpAddr>(), 1_u8..=32, 1_i64..100_000), 1..20)) {
        let rows: Vec<(String, i64)> = nets
            .into_iter()
            .map(|(address, length, seconds)| (format!("{address}/{length}"), seconds))
            .collect();
        let plain: String = rows.iter().map(|(net, _)| format!("{net}\n")).collect();
        let table: String = rows.iter().map(|(net, s)| format!("{s},{net}\n")).collect();
        let objects: Vec<_> =
            rows.iter().map(|(net, s)| serde_json::json!({"target": net, "remaining_seconds": s})).collect();
        let json = serde_json::to_string_pretty(&objects).unwrap();
        let nets = |list: &List| list.entries.iter().map(|entry| entry.net).collect::<Vec<_>>();
        let times = |list: &List| list.entries.iter().map(|entry| entry.duration).collect::<Vec<_>>();
        let plain = read(plain.as_bytes(), None);
        let table = read(format!("remaining_seconds,target\n{table}").as_bytes(), None);
        let json = read(json.as_bytes(), None);
        prop_assert_eq!(plain.entries.len(), rows.len());
        prop_assert_eq!(nets(&plain), nets(&table));
        prop_assert_eq!(nets(&plain), nets(&json));
        prop_assert_eq!(times(&table), times(&json));
    }
}
