//! The native header decoder against the header parser of a hub, as its authors wrote it: the same
//! fields and the same outcome for every line of a made log and of the hub's own tests.

use std::collections::BTreeMap;
use std::path::Path;

use weir::event::{Batch, Mode, SourceId};
use weir::parse::{Outcome, Scratch};
use weir::rules::{self, Request, Ruleset};
use weir::value::{Arena, Section, Time};

use super::answers;
use super::hub::{self, hub};

/// Takes everything that has a header, and changes nothing.
const ALL: &str = "name: me/all\nonsuccess: next_stage\nstatics: [{meta: seen, value: yes}]\n";

const PARSER: &str = "parsers/s00-raw/crowdsecurity/syslog-logs.yaml";

/// The fields of an event by section and name; nothing when it was not parsed.
type Seen = Option<BTreeMap<String, String>>;

struct Reader {
    rules: Ruleset,
    scratch: Scratch,
}

impl Reader {
    fn new(folder: &Path) -> Self {
        let request = Request { folders: vec![folder.to_owned()], ..Request::default() };
        let (rules, mistakes) = rules::load(request, None, Time::from_seconds(0));
        assert!(mistakes.is_empty(), "{mistakes:#?}");
        Self { rules, scratch: Scratch::new() }
    }

    fn read(&mut self, line: &[u8], label: &str) -> Seen {
        let (arena, world) = (Arena::new(), self.rules.world());
        let source = self.rules.source("the log", "file", label, Mode::Replay);
        let mut batch = Batch::new(SourceId(0), Time::from_seconds(0));
        batch.push(line, false, None);
        let line = batch.lines().next().expect("the line");
        let (event, outcome) =
            self.rules.parse(line, &source, &arena, &world, &mut self.scratch, None);
        if outcome != Outcome::Parsed {
            assert!(matches!(outcome, Outcome::Unparsed { stage: 0, .. }), "{outcome:?}");
            return None;
        }
        let mut seen = BTreeMap::from([("StrTime".to_owned(), event.str_time.get().to_owned())]);
        for section in [Section::Parsed, Section::Meta, Section::Enriched, Section::Label] {
            event.each_field(section, &mut |name, text| {
                seen.insert(format!("{section:?}.{name}"), text.to_owned());
            });
        }
        Some(seen)
    }
}

/// Two readers of headers, and in how many lines the native one understands more.
struct Both {
    native: Reader,
    hub: Reader,
    compared: usize,
    better: BTreeMap<&'static str, usize>,
}

impl Both {
    fn new(hub: &Path) -> Self {
        let reader = |parser: Option<&Path>| {
            let folder = tempfile::tempdir().expect("a folder");
            let write = |path: &str, text: &[u8]| {
                let path = folder.path().join(path);
                std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
                std::fs::write(path, text).expect("written");
            };
            write("parsers/s01-parse/all.yaml", ALL.as_bytes());
            if let Some(parser) = parser {
                write("parsers/s00-raw/header.yaml", &std::fs::read(parser).expect("a file"));
                for pattern in std::fs::read_dir(hub.join("patterns")).expect("patterns").flatten()
                {
                    let name = format!("patterns/{}", pattern.file_name().to_string_lossy());
                    write(&name, &std::fs::read(pattern.path()).expect("a file"));
                }
            }
            Reader::new(folder.path())
        };
        let native = reader(None);
        let theirs = reader(Some(&hub.join(PARSER)));
        Self { native, hub: theirs, compared: 0, better: BTreeMap::new() }
    }

    /// Holds both against each other. What is understood better counts as such.
    #[track_caller]
    fn compare(&mut self, line: &[u8], label: &str) {
        self.compare_two(line, line, label);
    }

    /// The same where the hub's parser gets the line in the form that it takes.
    #[track_caller]
    fn compare_two(&mut self, native: &[u8], hub: &[u8], label: &str) {
        let (ours, theirs) = (self.native.read(native, label), self.hub.read(hub, label));
        self.compared += 1;
        if ours == theirs {
            return;
        }
        let Some(why) = better(ours.as_ref(), theirs.as_ref()) else {
            let line = String::from_utf8_lossy(native);
            panic!("{label}: {line:?}\nnative {ours:#?}\nhub {theirs:#?}");
        };
        *self.better.entry(why).or_default() += 1;
    }
}

/// The hub's parser wants a host after the time, and no priority before it.
const TAKEN: &str = "only the native decoder takes it";

/// Why the native decoder may say something else of a line, if it may: cases at the head of
/// `parse::syslog`. Where the hub's parser takes a line, only its tag may be understood otherwise.
fn better(
    ours: Option<&BTreeMap<String, String>>,
    theirs: Option<&BTreeMap<String, String>>,
) -> Option<&'static str> {
    let ours = ours?;
    let Some(theirs) = theirs else {
        return Some(TAKEN);
    };
    let mut differing = ours.keys().chain(theirs.keys());
    let tag = ["Parsed.program", "Parsed.pid", "Parsed.message"];
    if differing.any(|name| ours.get(name) != theirs.get(name) && !tag.contains(&name.as_str())) {
        return None;
    }
    let of = |seen: &BTreeMap<String, String>, name: &str| seen[&format!("Parsed.{name}")].clone();
    let is_tag = of(theirs, "program").is_empty() && !of(ours, "program").is_empty();
    let is_rest = of(theirs, "message").ends_with(&of(ours, "message"));
    (is_tag && is_rest).then_some("a tag without a colon, with a word for a pid, or at the end")
}

#[test]
fn every_line_of_a_made_log_has_the_same_header() {
    let Some(hub) = hub() else { return };
    let mut both = Both::new(&hub);
    let log = std::fs::read(answers::short_corpus()).expect("a log");
    for line in log.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).take(6000) {
        both.compare(line, "syslog");
        if !both.compared.is_multiple_of(5) {
            continue;
        }
        // The grok wants no priority; with it nothing else may be understood otherwise.
        both.compare_two(&[b"<38>", line].concat(), line, "syslog");
        // Cut short, as by a sender with a small buffer.
        both.compare(&line[..line.len() * 2 / 3], "syslog");
    }
    assert!(both.better.is_empty(), "{:?}", both.better);
    assert!(both.compared > 6000, "only {} comparisons", both.compared);
}

#[test]
fn every_line_of_a_hub_s_tests_has_the_same_header() {
    let Some(hub) = hub() else { return };
    let mut both = Both::new(&hub);
    let mut n_syslog = 0;
    let logs = hub::logs(&hub);
    // Lines of the label `unifi` are left to another parser of the hub.
    for test in logs.iter().filter(|test| test.label != "unifi") {
        for line in test.lines() {
            both.compare(line, &test.label);
            n_syslog += usize::from(test.label == "syslog");
        }
    }
    assert_eq!(both.better.get(TAKEN), None);
    // Whatever it is: many logs of other kinds begin like syslog.
    for test in logs.iter().filter(|test| test.label != "syslog") {
        test.lines().for_each(|line| both.compare(line, "syslog"));
    }
    eprintln!("{n_syslog} syslog lines, {} comparisons; {:?}", both.compared, both.better);
    assert!(n_syslog > 500, "only {n_syslog} syslog lines");
}
