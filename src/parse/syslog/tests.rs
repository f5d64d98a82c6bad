use super::*;

/// A header on one line: the parts that are there, by name.
fn show(line: &str) -> String {
    let header = decode(line);
    let mut shown = match header.format {
        Format::Bare => "bare".to_owned(),
        Format::Timeless => "timeless".to_owned(),
        Format::Rfc3164 => "3164".to_owned(),
        Format::Rfc5424 => "5424".to_owned(),
    };
    if let (Some(facility), Some(severity)) = (header.facility, header.severity) {
        shown += &format!(" {facility}.{severity}");
    } else if !header.priority.is_empty() {
        shown += &format!(" <{}>", header.priority);
    }
    for (name, part) in [
        ("time", header.timestamp),
        ("host", header.host),
        ("program", header.program),
        ("pid", header.pid),
        ("id", header.message_id),
        ("data", header.structured_data),
    ] {
        if !part.is_empty() {
            shown += &format!(" {name}={part}");
        }
    }
    shown + " | " + header.message
}

#[track_caller]
fn check(line: &str, expected: &str) {
    assert_eq!(show(line), expected);
    fuzz_decode(line.as_bytes());
}

#[test]
fn rfc3164() {
    check(
        "<38>Nov 22 10:00:00 mail1 sshd[42]: Failed password",
        "3164 4.6 time=Nov 22 10:00:00 host=mail1 program=sshd pid=42 | Failed password",
    );
    check("Nov  2 10:00:00 h su: x", "3164 time=Nov  2 10:00:00 host=h program=su | x");
    check("<0>Nov 2 1:00:00 h su: x", "3164 0.0 time=Nov 2 1:00:00 host=h program=su | x");
    check("Nov 22 10:00:00.123 h su: x", "3164 time=Nov 22 10:00:00.123 host=h program=su | x");
    check("Nov 22 2026 10:00:00 h su: x", "3164 time=Nov 22 2026 10:00:00 host=h program=su | x");
    check("Nov 22 10:00:00 2026 h su: x", "3164 time=Nov 22 10:00:00 2026 host=h program=su | x");
    check("März 22 10:00:00 h su: x", "3164 time=März 22 10:00:00 host=h program=su | x");
    check("Nov 22 10:00:00 ::1 su: x", "3164 time=Nov 22 10:00:00 host=::1 program=su | x");
    check("Nov 22 10:00:00 fe80:: su: x", "3164 time=Nov 22 10:00:00 host=fe80:: program=su | x");
    check(
        "Nov 22 10:00:00 192.0.2.1: su: x",
        "3164 time=Nov 22 10:00:00 host=192.0.2.1 program=su | x",
    );
    check(
        "Nov 22 10:00:00 fe80::1%eth0 su: x",
        "3164 time=Nov 22 10:00:00 host=fe80::1%eth0 program=su | x",
    );
    check("<13> Nov 22 10:00:00 h su: x", "3164 1.5 time=Nov 22 10:00:00 host=h program=su | x");
    check(
        "\u{feff}<13>Nov 22 10:00:00 h su: x",
        "3164 1.5 time=Nov 22 10:00:00 host=h program=su | x",
    );
    check("Nov 22 10:00:00 <3.6> h su: x", "3164 3.6 time=Nov 22 10:00:00 host=h program=su | x");
    check("Nov 22 10:00:00 h su: a\nb", "3164 time=Nov 22 10:00:00 host=h program=su | a\nb");
    assert_eq!(decode("Nov 22 10:00:00 h su: a\nb").first_line(), "a");
    assert!(decode("Nov 22 10:00:00 <3.6> h su: x").is_inline());
}

#[test]
fn tags() {
    let tag = |text: &str, expected: &str| {
        check(
            &format!("Nov 22 10:00:00 h {text}"),
            &format!("3164 time=Nov 22 10:00:00 host=h{expected}"),
        );
    };
    tag("postfix/submission/smtpd[1]: x", " program=postfix/submission/smtpd pid=1 | x");
    tag("/usr/sbin/cron[1]: x", " program=/usr/sbin/cron pid=1 | x");
    tag("(systemd)[1]: x", " program=(systemd) pid=1 | x");
    tag("sshd[1] x", " program=sshd pid=1 | x");
    tag("sshd[1]:", " program=sshd pid=1 | ");
    tag("sshd[a] x", " | sshd[a] x");
    tag("cron[a-b]: x", " program=cron pid=a-b | x");
    tag("kernel: [12.5] usb", " program=kernel | [12.5] usb");
    tag("dovecot: imap: x", " program=dovecot | imap: x");
    tag("sshd:  x", " program=sshd |  x");
    tag("su:", " program=su | ");
    tag("a b: c", " | a b: c");
    tag("su:x y", " | su:x y");
    tag("http://[::1]:80/ x", " | http://[::1]:80/ x");
    tag("last message repeated 3 times", " | last message repeated 3 times");
    tag("-- MARK --", " | -- MARK --");
    tag(": x", " | : x");
    tag("été: x", " | été: x");
}

#[test]
fn no_host() {
    let time = "Nov 22 10:00:00";
    check(&format!("<13>{time} su: x"), "3164 1.5 time=Nov 22 10:00:00 program=su | x");
    check(&format!("{time} su[1]: x"), "3164 time=Nov 22 10:00:00 program=su pid=1 | x");
    check(&format!("{time} {{\"a\": 1}}"), "3164 time=Nov 22 10:00:00 | {\"a\": 1}");
    check(
        &format!("{time} last message repeated 3 times"),
        "3164 time=Nov 22 10:00:00 | last message repeated 3 times",
    );
    check(&format!("{time} word"), "3164 time=Nov 22 10:00:00 | word");
    check(&format!("{time} - su: x"), "3164 time=Nov 22 10:00:00 program=su | x");
    check(time, "3164 time=Nov 22 10:00:00 | ");
}

#[test]
fn iso_times() {
    check(
        "2026-11-22T10:00:00.123456+01:00 h sshd[1]: x",
        "3164 time=2026-11-22T10:00:00.123456+01:00 host=h program=sshd pid=1 | x",
    );
    check(
        "<13>2026-11-22T10:00:00Z h su: x",
        "3164 1.5 time=2026-11-22T10:00:00Z host=h program=su | x",
    );
    check(
        "2026-11-22 10:00:00,123 h su: x",
        "3164 time=2026-11-22 10:00:00,123 host=h program=su | x",
    );
    check("2026-11-22T1000 h su: x", "3164 time=2026-11-22T1000 host=h program=su | x");
    check("2026-13-22T10:00:00 h su: x", "bare | 2026-13-22T10:00:00 h su: x");
    check("2026-11-22T24:00:00 h su: x", "bare | 2026-11-22T24:00:00 h su: x");
    check(
        "<14>2026-11-22T10:00:00Z h app 12 - - x",
        "3164 1.6 time=2026-11-22T10:00:00Z host=h program=app pid=12 | x",
    );
    check(
        "<14>2026-11-22T10:00:00Z h app says - x",
        "3164 1.6 time=2026-11-22T10:00:00Z host=h | app says - x",
    );
}

#[test]
fn rfc5424() {
    check(
        "<165>1 2026-11-22T10:00:00.5Z h.example su 12 ID47 [a@1 x=\"1\" y=\"]\\\"\\\\\"][b] \u{feff}été",
        "5424 20.5 time=2026-11-22T10:00:00.5Z host=h.example program=su pid=12 id=ID47 \
         data=[a@1 x=\"1\" y=\"]\\\"\\\\\"][b] | été",
    );
    check("<13>1 - - - - - -", "5424 1.5 | ");
    check("<13>1 - - - - - - x", "5424 1.5 | x");
    check("<13>1 -", "5424 1.5 | ");
    check("<13>1 - h su - - [a x=\"1\" y", "5424 1.5 host=h program=su | [a x=\"1\" y");
    check("<13>1 - h su - - [a]x", "5424 1.5 host=h program=su | [a]x");
    check("<13>1 - h su - - x y", "5424 1.5 host=h program=su | x y");
    check(
        "<34>1 Nov 22 10:00:00 h su 1 - - x",
        "5424 4.2 time=Nov 22 10:00:00 host=h program=su pid=1 | x",
    );
    let meta = decode("<30>1 2026-11-22T10:00:00Z h su 1 - [meta sequenceId=\"77\"] x");
    assert_eq!((meta.sequence_id(), meta.version, meta.message), ("77", "1", "x"));
    assert_eq!(decode("<30>1 - h su 1 - [meta sequenceId=\"7\" a=\"\"] x").sequence_id(), "");
}

#[test]
fn no_time() {
    check("<13>myapp: hello", "timeless 1.5 program=myapp | hello");
    check("<30>systemd[1]: x", "timeless 3.6 program=systemd pid=1 | x");
    check("<30>mail1 sshd[1]: x", "timeless 3.6 host=mail1 program=sshd pid=1 | x");
    check("<13>an error occurred: x", "timeless 1.5 | an error occurred: x");
    check("<13>{\"a\": 1}", "timeless 1.5 | {\"a\": 1}");
    check("<4>[  12.5] usb", "timeless 0.4 program=kernel | [  12.5] usb");
    check("<13>", "timeless 1.5 | ");
    check("<13>\u{feff}", "timeless 1.5 | \u{feff}");
}

#[test]
fn no_priority() {
    check("<999>Nov 22 10:00:00 h su: x", "3164 <999> time=Nov 22 10:00:00 host=h program=su | x");
    check("<192>su: x", "timeless <192> program=su | x");
    check("<>Nov 22 10:00:00 h su: x", "bare | <>Nov 22 10:00:00 h su: x");
    check("<1234>su: x", "bare | <1234>su: x");
    check("<13", "bare | <13");
    check("su: x", "bare | su: x");
    check("", "bare | ");
    check("Nov 32 10:00:00 h su: x", "bare | Nov 32 10:00:00 h su: x");
    check("Nov 22 10:00:00Zh su: x", "bare | Nov 22 10:00:00Zh su: x");
    check("1700000000 h su: x", "bare | 1700000000 h su: x");
}

#[test]
fn devices() {
    let link = "%LINK-3-UPDOWN: x";
    let parts = "program=%LINK-3-UPDOWN | x";
    for (line, expected) in [
        ("<189>29: *Nov 22 10:00:00.123 UTC: ", "3164 23.5 time=Nov 22 10:00:00.123 "),
        ("<189>29: sw1: Nov 22 10:00:00: ", "3164 23.5 time=Nov 22 10:00:00 host=sw1 "),
        ("<189>: 2026 Nov 22 10:00:00 UTC: ", "3164 23.5 time=2026 Nov 22 10:00:00 "),
        ("<189>29: ", "timeless 23.5 "),
        ("<166>Nov 22 2026 10:00:00: ", "3164 20.6 time=Nov 22 2026 10:00:00 "),
        ("<166>Nov 22 10:00:00 sw1 ", "3164 20.6 time=Nov 22 10:00:00 host=sw1 "),
    ] {
        check(&format!("{line}{link}"), &format!("{expected}{parts}"));
    }
    check(
        "<134>1 1700000000.123456789 MX84 urls src=192.0.2.1",
        "3164 16.6 time=1700000000.123456789 host=MX84 | urls src=192.0.2.1",
    );
    check("<13>1700000000 h su: x", "3164 1.5 time=1700000000 host=h program=su | x");
}

#[test]
fn text_that_is_not_utf8() {
    let arena = Arena::new();
    let valid = "é".as_bytes();
    assert_eq!(utf8(valid, &arena).as_ptr(), valid.as_ptr(), "borrowed");
    for bytes in [&b"a\xffb"[..], b"\xff", b"\xe9\x74\xe9", b"\xf0\x9f\x98", b"\xed\xa0\x80", b""] {
        assert_eq!(utf8(bytes, &arena), String::from_utf8_lossy(bytes));
    }
}
