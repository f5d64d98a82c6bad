//! `weir discover` and `weir new-parser` on logs of programs that the shipped rules do not know.
//!
//! The logs in `discover/` are those of Debian's proftpd, vsftpd, nginx (two formats of its own, and
//! its error log), slapd and murmur, as they wrote them for some hundred sessions of real clients,
//! some of which called themselves what looks like an address. Beside each log is a file that says
//! line by line which client was connected: it was written by the clients, who came one after the
//! other, and knows nothing of what the lines say.

use std::io::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use weir::event::{Line, Mode, SourceId};
use weir::parse::{Outcome, Scratch};
use weir::rules::{self, Request};
use weir::value::{Arena, Section, Time};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/discover");

/// The name that nobody who was connected had as an address.
const FORGED: &str = "203.0.113.200";

fn weir(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_weir"))
        .current_dir(FOLDER)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("piped");
    // A command that wants no input may have ended.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("ended")
}

#[track_caller]
fn works(arguments: &[&str], input: &str) -> String {
    let output = weir(arguments, input);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {told}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Lines of a log, each with the client that was connected.
fn log(name: &str) -> Vec<(String, Option<IpAddr>)> {
    let read = |ending: &str| {
        let path = Path::new(FOLDER).join(name).with_extension(ending);
        std::fs::read_to_string(path).expect("a fixture")
    };
    let (lines, clients) = (read("log"), read("clients"));
    assert_eq!(lines.lines().count(), clients.lines().count(), "{name}");
    lines.lines().map(str::to_owned).zip(clients.lines().map(|text| text.parse().ok())).collect()
}

/// Whether a line has this address in it, not as a piece of something longer.
fn names(line: &str, client: IpAddr) -> bool {
    let text = client.to_string();
    line.match_indices(&text).any(|(at, _)| {
        let before = line[..at].strip_suffix("::ffff:").unwrap_or(&line[..at]);
        let after = &line[at + text.len()..];
        let is_part = |c: char| c.is_ascii_hexdigit() || c == ':' || c == '.';
        let goes_on = match client {
            IpAddr::V4(_) => after.starts_with(|c: char| c.is_ascii_digit()),
            IpAddr::V6(_) => {
                after.starts_with(|c: char| c.is_ascii_hexdigit())
                    || after.strip_prefix(':').is_some_and(|rest| rest.starts_with(is_part))
            }
        };
        !before.ends_with(is_part) && !goes_on
    })
}

/// What the rules of a folder take from lines: those that name their client, of these the ones with
/// the right address, and lines of which another address is taken.
fn held_against(
    folder: &Path,
    label: &str,
    lines: &[(String, Option<IpAddr>)],
) -> (usize, usize, Vec<String>) {
    let request = Request { folders: vec![folder.to_owned()], ..Request::default() };
    let now = Time::from_seconds(1_795_471_200);
    let (ruleset, diagnostics) = rules::load(request, None, now);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let source = ruleset.source("test", "file", label, Mode::Replay);
    let (world, mut scratch) = (ruleset.world(), Scratch::new());
    let (mut named, mut right, mut wrong) = (0, 0, Vec::new());
    for (text, client) in lines {
        let arena = Arena::new();
        let line = Line::new(text.as_bytes(), now, SourceId(0));
        let (event, outcome) = ruleset.parse(line, &source, &arena, &world, &mut scratch, None);
        let taken = event.get_named(Section::Meta, "source_ip").unwrap_or_default();
        let taken: Option<IpAddr> =
            taken.parse().ok().map(|address: IpAddr| address.to_canonical());
        let taken = taken.filter(|_| matches!(outcome, Outcome::Parsed));
        let has_named = client.is_some_and(|client| names(text, client));
        named += usize::from(has_named);
        right += usize::from(has_named && taken == *client);
        if taken.is_some() && taken != *client {
            wrong.push(text.clone());
        }
    }
    (named, right, wrong)
}

/// Learns from one half of a log and holds the rules against the other. `select` is what tells the
/// lines of the program, `label` the label of the lines.
#[track_caller]
fn check(name: &str, select: &[&str], label: &str, scenarios: &[&str]) {
    let lines = log(name);
    let (first, second) = lines.split_at(lines.len() / 2);
    let (even, odd): (Vec<_>, Vec<_>) =
        lines.iter().cloned().enumerate().partition(|(number, _)| number / 10 % 2 == 0);
    let bare = |lines: Vec<(usize, (String, Option<IpAddr>))>| -> Vec<_> {
        lines.into_iter().map(|(_, line)| line).collect()
    };
    let halves = [
        ("first half", first.to_vec(), second.to_vec()),
        ("every other ten lines", bare(even), bare(odd)),
    ];
    for (half, learned, held_out) in halves {
        let folder = tempfile::tempdir().expect("a folder");
        let input: String = learned.iter().map(|(line, _)| format!("{line}\n")).collect();
        let out = folder.path().to_str().expect("UTF-8");
        let mut arguments = vec!["new-parser", "--from", "-", "--out", out];
        arguments.extend(select);
        works(&arguments, &input);
        works(&["check", "--rules", out, "--lints", "all", "--strict"], "");
        let tested = works(&["test", out], "");
        assert!(tested.contains(", 0 failed"), "{tested}");
        // Of some logs every other line says the same.
        for scenario in scenarios.iter().filter(|_| half == "first half") {
            let path = std::fs::read_dir(folder.path().join("scenarios")).expect("scenarios");
            let path: Vec<PathBuf> = path.flatten().map(|entry| entry.path()).collect();
            let text = std::fs::read_to_string(&path[0]).expect("a scenario");
            assert!(text.contains(scenario), "{name}: {scenario}");
        }
        let (named, right, wrong) = held_against(folder.path(), label, &held_out);
        println!(
            "{name}, {half}: {right} of {named} with the right address, {} wrong",
            wrong.len()
        );
        assert!(named >= 10, "{name}: {named}");
        assert!(right * 100 >= named * 90, "{name}: {right} of {named}");
        assert!(wrong.is_empty(), "{name}: {wrong:#?}");
    }
}

#[test]
fn proftpd() {
    check("proftpd", &["--program", "proftpd"], "syslog", &["local/proftpd-bf"]);
}

#[test]
fn vsftpd() {
    let scenarios = ["local/vsftpd-bf", "local/vsftpd-distributed-bf"];
    check("vsftpd", &["--program", "vsftpd"], "syslog", &scenarios);
}

#[test]
fn nginx_in_formats_of_its_own() {
    let scenarios = ["local/shop-http-bf", "local/shop-http-probing"];
    check("nginx", &["--type", "shop"], "shop", &scenarios);
    check("nginx-terse", &["--type", "terse"], "terse", &["local/terse-http-bf"]);
    check("nginx-error", &["--type", "nginx-error"], "nginx-error", &[]);
}

#[test]
fn slapd() {
    // It names the client when it connects, and not when a login fails.
    check("slapd", &["--program", "slapd"], "syslog", &[]);
}

#[test]
fn murmur() {
    check("murmur", &["--type", "murmur"], "murmur", &["local/murmur-bf"]);
}

#[test]
fn clients_that_call_themselves_addresses_are_in_the_logs() {
    for name in ["proftpd", "vsftpd", "nginx", "nginx-terse", "murmur"] {
        let lines = log(name);
        let forged = lines.iter().filter(|(line, _)| line.contains(FORGED)).count();
        assert!(forged >= 5, "{name}: {forged}");
        assert!(lines.iter().all(|(_, client)| *client != FORGED.parse().ok()), "{name}");
    }
}

/// What `weir discover` says of a file, as JSON.
#[track_caller]
fn discovered(arguments: &[&str], input: &str) -> serde_json::Value {
    let mut all = vec!["discover", "--output", "json"];
    all.extend(arguments);
    serde_json::from_str(&works(&all, input)).expect("JSON")
}

#[test]
fn programs_without_rules_are_named_with_the_next_step() {
    for (name, arguments, program, command) in [
        ("proftpd", vec!["proftpd.log"], "proftpd", "--program proftpd"),
        ("vsftpd", vec!["vsftpd.log"], "vsftpd", "--program vsftpd"),
        ("slapd", vec!["slapd.log"], "slapd", "--program slapd"),
        ("nginx", vec!["nginx.log", "--type", "shop"], "shop", "--type shop"),
        ("murmur", vec!["murmur.log", "--type", "murmur"], "murmur", "--type murmur"),
    ] {
        let answer = discovered(&arguments, "");
        let found = &answer["programs"][0];
        assert_eq!(found["program"], program);
        let lines = log(name);
        assert_eq!(found["lines_not_covered"], lines.len(), "{name}");
        let named = lines.iter().filter(|(line, client)| client.is_some_and(|c| names(line, c)));
        assert!(found["lines_with_an_address"].as_u64() >= Some(named.count() as u64), "{name}");
        let expected = format!("weir new-parser --from {} {command}", arguments[0]);
        assert_eq!(found["next"]["command"], *expected, "{name}");
        let total: u64 = found["templates"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|template| template["lines"].as_u64())
            .sum();
        assert_eq!(total, lines.len() as u64, "{name}: every line has a template");
    }
}

fn ssh(program: &str) -> String {
    let line = |n: u8| {
        format!(
            "Nov 23 22:00:0{n} server {program}[77]: Failed password for root from 192.0.2.{n} port \
             4011{n} ssh2\n"
        )
    };
    (1..6).map(line).collect()
}

#[test]
fn a_program_with_another_name_gets_an_entry_that_works() {
    let answer = discovered(&["-"], &ssh("sshd-worker"));
    let found = &answer["programs"][0];
    assert_eq!(
        (&found["program"], &found["next"]["step"]),
        (&"sshd-worker".into(), &"classify".into())
    );
    assert_eq!((&found["next"]["taken"], &found["next"]["tried"]), (&3.into(), &3.into()));
    assert_eq!(found["nearest"][0]["rule"], "weir/sshd");
    // With the entry in the configuration all is covered.
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("weir.yaml");
    std::fs::write(&config, found["next"]["yaml"].as_str().expect("YAML")).expect("written");
    let config = config.to_str().expect("UTF-8");
    let shown = works(&["--config", config, "discover", "-"], &ssh("sshd-worker"));
    assert_eq!(shown, "all is covered: rules take every one of 5 lines\n");
}

#[test]
fn rules_of_another_folder_are_found() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/rules");
    let none = tempfile::tempdir().expect("a folder");
    std::fs::create_dir_all(none.path().join("parsers/s01-parse")).expect("made");
    let other = "name: t/other\nfilter: evt.Parsed.program == 'other'\nonsuccess: next_stage\ngrok: \
                 {apply_on: message, pattern: '^%{IP:source_ip}'}\n";
    std::fs::write(none.path().join("parsers/s01-parse/other.yaml"), other).expect("written");
    let none = none.path().to_str().expect("UTF-8");
    let answer = discovered(&["-", "--rules", none, "--hub", root], &ssh("sshd"));
    let next = &answer["programs"][0]["next"];
    assert_eq!((&next["step"], &next["rule"]), (&"copy".into(), &"weir/sshd".into()));
    assert!(
        next["path"].as_str().is_some_and(|path| path.ends_with("s01-parse/sshd.yaml")),
        "{next}"
    );
    // And by a name that they do not know.
    let answer = discovered(&["-", "--rules", none, "--hub", root], &ssh("sshd-worker"));
    let next = &answer["programs"][0]["next"];
    assert_eq!((&next["step"], &next["program"]), (&"copy".into(), &"sshd".into()));
}

#[test]
fn what_names_nobody_is_counted_and_shown_when_asked() {
    let lines = "Nov 23 22:00:01 server cron[7]: job 7 ended\n";
    assert!(works(&["discover", "-"], lines).contains("1 program whose lines name no address"));
    let all = works(&["discover", "-", "--all"], lines);
    assert!(all.contains("job <number> ended") && all.contains("nobody can be banned"), "{all}");
    assert_eq!(
        works(&["discover", "-"], &ssh("sshd")),
        "all is covered: rules take every one of 5 lines\n"
    );
}

#[test]
fn hostile_lines_are_shown_as_text() {
    let lines = "Nov 23 22:00:01 server evil\u{1b}[31m[7]: from 192.0.2.7 \u{1b}[2J $(reboot) 'x\n";
    let shown = works(&["--color", "never", "discover", "-"], lines);
    assert!(!shown.contains('\u{1b}') && shown.contains("name an address"), "{shown}");
}

#[test]
fn files_are_not_written_over_unless_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().to_str().expect("UTF-8");
    let arguments = ["new-parser", "--from", "vsftpd.log", "--program", "vsftpd", "--out", out];
    works(&arguments, "");
    let parser = folder.path().join("parsers/s01-parse/vsftpd.yaml");
    std::fs::write(&parser, "mine").expect("written");
    let refused = weir(&arguments, "");
    assert_eq!(refused.status.code(), Some(1));
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(told.contains("is there already; nothing is written"), "{told}");
    assert_eq!(std::fs::read_to_string(&parser).expect("there"), "mine");
    works(&[&arguments[..], &["--force"]].concat(), "");
    assert_ne!(std::fs::read_to_string(&parser).expect("there"), "mine");
}

#[test]
fn without_a_folder_the_rules_are_shown_and_the_figures_told() {
    let output = weir(&["new-parser", "--from", "vsftpd.log", "--program", "vsftpd"], "");
    let (shown, told) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    for wanted in ["parsers/s01-parse/vsftpd.yaml", "scenarios/vsftpd.yaml", "tests/vsftpd.yaml"] {
        assert!(shown.contains(&format!("# ---- {wanted}\n")), "{shown}");
    }
    assert!(told.contains("lines are taken by") && told.contains("cases pass"), "{told}");
    let json = works(
        &["new-parser", "--from", "vsftpd.log", "--program", "vsftpd", "--output", "json"],
        "",
    );
    let answer: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(answer["files"].as_array().map(Vec::len), Some(3));
    assert_eq!(answer["lines_with_an_address"], answer["lines_with_the_client"]);
}

#[track_caller]
fn refuses(arguments: &[&str], input: &str, sentence: &str) {
    let output = weir(arguments, input);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains(sentence), "wanted: {sentence}\nfound: {told}");
}

#[test]
fn what_cannot_be_learned_is_said() {
    let from = ["new-parser", "--from", "-", "--program", "cron"];
    refuses(&from, "", "no line of `cron` is in `-`: it holds no lines");
    refuses(&from, &ssh("sshd"), "it holds lines of `sshd` (5)");
    refuses(&from, "a\nb\n", "give `--type LABEL` for lines without a syslog header");
    let lines = "Nov 23 22:00:01 server cron[7]: job 7 ended\n";
    refuses(&from, lines, "no line names the address of a client");
    let lines = "Nov 23 22:00:01 server cron[7]: listening on 192.0.2.1\n";
    refuses(&from, lines, "no word says that an address in it is the client's");
}
