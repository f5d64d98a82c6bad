//! What configurations mean, and what is wrong with them.

mod measures;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::diagnostic::{Diagnostic, UserFile};
use crate::intake::spec::{Journal, Listen, Permitted, Since, Through};
use crate::parse::ClassRule;

fn files(texts: &[&str]) -> Vec<Arc<UserFile>> {
    let path = |at: usize| format!("/etc/weir/{at}.yaml");
    let file = |(at, text): (usize, &&str)| UserFile::new(Path::new(&path(at)), (*text).to_owned());
    texts.iter().enumerate().map(file).collect()
}

#[track_caller]
fn good(texts: &[&str]) -> Settings {
    let (settings, diagnostics) = from_files(&files(texts));
    assert!(
        diagnostics.is_empty(),
        "{texts:?}\n{}",
        crate::diagnostic::render(&diagnostics, false)
    );
    settings
}

fn shown(mistake: &Diagnostic) -> String {
    let file = mistake.file.as_ref().expect("in a file");
    let (line, column) = file.place(mistake.span.start);
    let name = file.path.file_stem().unwrap_or_default().to_string_lossy();
    format!("{name}:{line}:{column} {}", mistake.message)
}

#[track_caller]
fn check(text: &str, mistakes: &[&str]) {
    let (_, diagnostics) = from_files(&files(&[text]));
    assert_eq!(diagnostics.iter().map(shown).collect::<Vec<_>>(), mistakes, "{text}");
}

/// The label of lines of a program that nothing else is known of.
fn label_of<'s>(settings: &'s Settings, program: &str) -> Option<&'s str> {
    let fits = |rule: &&ClassRule| rule.program.as_ref().is_some_and(|glob| glob.fits(program));
    settings.classify.iter().find(fits)?.label.as_deref()
}

#[test]
fn nothing_said() {
    let settings = good(&[""]);
    let names: Vec<&str> = settings.sources.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["udp", "tcp", "unix"]);
    assert_eq!(settings.sources[0].listen, Listen::Udp("127.0.0.1:5514".parse().unwrap()));
    assert_eq!(settings.ban, Duration::from_secs(14_400));
    let listen = settings.http.as_ref().map(|http| http.listen);
    assert_eq!(listen, Some("127.0.0.1:9514".parse().unwrap()));
    assert_eq!(settings.enforce, Enforce::default());
    assert_eq!(settings.observe, Observe::Nothing);
    assert!(settings.rules.shipped && settings.rules.folders.is_empty());
    assert!(!settings.rules.strict);
    assert!(settings.allowlist.host && !settings.allowlist.entries.is_empty());
    let folders = Folders { state: "/var/lib/weir".into(), run: "/run/weir".into() };
    let placed = settings.place(&folders);
    assert_eq!(placed.control, Path::new("/run/weir/control.sock"));
    let Listen::UnixDatagram { path, .. } = &placed.sources[2].listen else { panic!("a socket") };
    assert_eq!(path, Path::new("/run/weir/weir.sock"));
}

#[test]
fn everything_said() {
    let settings = good(&["
sources:
  - {name: net, udp: '0.0.0.0:514', senders: [192.0.2.0/24, 2001:db8::1], label: syslog}
  - tcp: '[::1]:601'
    limits: {message: 8k, connections: 10, frame_timeout: 5s, receive_buffer: 1M}
    tls: {certificate: tls/cert.pem, key: /srv/key.pem, clients: ca.pem, permitted: ['*.example.org']}
  - {relp: '127.0.0.1:2514', tls: {certificate: c, key: k, permitted: ['SHA256:0000000000000000000000000000000000000000000000000000000000000000']}}
  - {unix: /run/x.sock, mode: '0660', label: nginx}
  - unix_stream: stream.sock
classify: {nginx*: nginx, traefik: traefik}
rules: {folders: [rules, /srv/rules], shipped: no, strict: yes}
allowlist:
  defaults: off
  host: no
  entries: [192.0.2.7, {net: 198.51.100.0/24, comment: office}]
profiles: [{name: x}]
ban: 1d
enforce: {backend: observe, table: w, priority: -5, hooks: [prerouting], reconcile: 10s}
observe: [a/b]
ledger: {folder: /srv/state, keep: 7d}
http: {listen: off}
control: {socket: c.sock}
limits: {line: 4k, workers: 2, queue: 16, buckets: 1000}
log: debug
"]);
    assert_eq!(settings.sources.len(), 5);
    assert_eq!(settings.sources[0].senders.len(), 2);
    assert_eq!(settings.sources[0].limits.message, 4096);
    assert_eq!(settings.sources[1].limits.message, 8192);
    assert_eq!(settings.sources[1].name, "tcp");
    let tls = settings.sources[1].tls.as_ref().expect("TLS");
    assert_eq!(tls.certificate, Path::new("/etc/weir/tls/cert.pem"));
    assert_eq!(tls.key, Path::new("/srv/key.pem"));
    assert_eq!(tls.clients.as_deref(), Some(Path::new("/etc/weir/ca.pem")));
    assert_eq!(tls.permitted, [Permitted::Below("example.org".to_owned())]);
    assert!(matches!(settings.sources[3].listen, Listen::UnixDatagram { mode: 0o660, .. }));
    let relp = &settings.sources[2];
    assert_eq!((relp.name.as_str(), relp.listen.kind()), ("relp", "relp"));
    let tls = relp.tls.as_ref().expect("TLS");
    assert_eq!(tls.permitted, [Permitted::Fingerprint([0; 32])]);
    assert_eq!(label_of(&settings, "nginx-access"), Some("nginx"));
    assert_eq!(label_of(&settings, "sshd"), None);
    assert_eq!(settings.rules.folders, [Path::new("/etc/weir/rules"), Path::new("/srv/rules")]);
    assert!(!settings.rules.shipped && !settings.allowlist.host);
    assert!(settings.rules.strict);
    let comments: Vec<&str> =
        settings.allowlist.entries.iter().map(|entry| entry.comment.as_str()).collect();
    assert_eq!(comments, ["", "office"]);
    assert_eq!(settings.profiles.len(), 1);
    assert_eq!(settings.ban, Duration::from_secs(86_400));
    assert_eq!(settings.enforce.hooks, [Hook::Prerouting]);
    assert_eq!(settings.enforce.backends, [Backend::Observe]);
    assert!(settings.observe.covers("a/b") && !settings.observe.covers("a/c"));
    assert_eq!(settings.ledger.keep, Duration::from_secs(7 * 86_400));
    assert_eq!(settings.http, None);
    assert_eq!(settings.limits, Limits { workers: Some(2), queue: 16, buckets: 1000 });
    assert_eq!(settings.log, Log::Debug);
}

#[test]
fn journals() {
    let settings = good(&["
sources:
  - journal: system
  - name: containers
    journal: /srv/journal
    units: [docker, ssh.socket]
    identifiers: sudo
    priority: warning
    since: boot
    reader: journalctl
"]);
    let [system, containers] = &settings.sources[..] else { panic!("two sources") };
    assert_eq!((&*system.name, &system.listen), ("journal", &Listen::Journal(Journal::default())));
    let expected = Journal {
        folder: Some("/srv/journal".into()),
        units: vec!["docker.service".to_owned(), "ssh.socket".to_owned()],
        identifiers: vec!["sudo".to_owned()],
        priority: Some(4),
        since: Since::Boot,
        through: Through::Journalctl,
    };
    assert_eq!(containers.listen, Listen::Journal(expected));
    check(
        "sources: [{journal: logs, units: ['ssh*'], priority: loud}, {udp: 127.0.0.1:1, since: now}]\n",
        &[
            "0:1:21 expected `system` or the path of a folder for `journal`, found `logs`",
            "0:1:35 `ssh*`: patterns of units cannot be matched; name each unit",
            "0:1:54 expected a priority such as `info`, or its number, 0 to 7 for `priority`, found `loud`",
            "0:1:80 `since` is for `journal` only",
        ],
    );
}

#[test]
fn later_files_add_to_lists_and_win_elsewhere() {
    let settings = good(&[
        "sources: [{udp: 127.0.0.1:1}]\nban: 1h\nobserve: [a]\nclassify: {x: y, z: z}\nallowlist: [192.0.2.1]\n",
        "sources: [{tcp: 127.0.0.1:1}]\nban: 2h\nobserve: [b]\nclassify: {x: w}\nallowlist: [192.0.2.2]\n",
        "enforce: {table: t}\n",
    ]);
    assert_eq!(settings.sources.len(), 2);
    assert_eq!(settings.ban, Duration::from_secs(7200));
    assert_eq!(settings.observe, Observe::Scenarios(vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(label_of(&settings, "x"), Some("w"));
    assert_eq!(label_of(&settings, "z"), Some("z"));
    let own =
        |entry: &&crate::decision::Entry| entry.origin == crate::decision::EntryOrigin::Settings;
    assert_eq!(settings.allowlist.entries.iter().filter(own).count(), 2);
    assert_eq!(settings.enforce.table, "t");
}

#[test]
fn lines_are_classified_by_rules() {
    let shipped = good(&[""]).classify;
    assert!(shipped.len() > 10);
    assert!(shipped.iter().all(|rule| rule.place.starts_with("shipped classify.yaml:")));
    let own = "classify:\n- {when: {tag: docker/*}, program: '{tag:2}', label: x}\n\
               - {when: {facility: auth, host: h*, source: udp, unit: ssh}, unwrap: cri}\n";
    let settings =
        good(&[own, "classify: {defaults: off, rules: [{when: {facility: 4}, label: y}]}"]);
    let places: Vec<&str> = settings.classify.iter().map(|rule| &*rule.place).collect();
    assert_eq!(places, ["0.yaml:2", "0.yaml:3", "1.yaml:1"]);
    let [first, second, third] = &*settings.classify else { panic!("three rules") };
    assert_eq!(first.label.as_deref(), Some("x"));
    assert_eq!(second.facility, third.facility);
    assert_eq!(second.unit.as_ref().map(|unit| unit.source()), Some("ssh.service"));
    assert_eq!(good(&["classify: {defaults: no}"]).classify, []);
    assert_eq!(good(&["classify: []"]).classify, shipped);
}

#[test]
fn clocks_of_sources() {
    let settings = good(&["
sources:
  - {udp: 127.0.0.1:1, zone: Europe/Berlin, zones: {192.0.2.0/24: '+05:30', 2001:db8::1: local}}
  - {tcp: 127.0.0.1:1, limits: {skew: never}}
  - {unix: x, limits: {skew: 1h}}
"]);
    let zone = |source: usize, sender: &str| {
        let zone = settings.sources[source].zones.of(sender.parse().ok());
        zone.map_or("-", |zone| zone.name()).to_owned()
    };
    assert_eq!(zone(0, "192.0.2.7"), "+05:30");
    assert_eq!(zone(0, "2001:db8::1"), "local");
    assert_eq!(zone(0, "2001:db8::2"), "Europe/Berlin");
    assert_eq!(zone(1, "192.0.2.7"), "-");
    let skew = |source: usize| settings.sources[source].limits.skew.map(|skew| skew.as_secs());
    assert_eq!([skew(0), skew(1), skew(2)], [Some(300), None, Some(3600)]);
}

#[test]
fn mistakes_of_classify() {
    check(
        "classify: [{tag: x, label: y}]\n",
        &["0:1:13 `tag` is a condition: it belongs into `when`"],
    );
    check(
        "classify: [{label: y}]\n",
        &["0:1:13 a rule of `classify` needs `when`: which lines does it speak of?"],
    );
    check(
        "classify: [{when: {}, label: y}]\n",
        &["0:1:19 `when` says nothing: which lines are meant?"],
    );
    check(
        "classify: [{when: {tag: x}}]\n",
        &["0:1:13 the rule does nothing: it needs `label`, `program` or `unwrap`"],
    );
    check(
        "classify: [{when: {tga: x, tag: '[x', facility: aut}, program: '{tga}', unwrap: crio}]\n",
        &[
            "0:1:20 `when` has no key `tga`",
            "0:1:33 `[x` is no pattern: `[` without `]`",
            "0:1:49 expected a facility such as `auth`, `local3` or `4` for `facility`, found `aut`",
            "0:1:64 expected a name such as `nginx` or `{tag:2}` for `program`, found `{tga}`",
            "0:1:81 `crio` is no value of `unwrap`",
        ],
    );
    check("classify: {a: [b]}\n", &["0:1:15 expected the label of `a`, found no text"]);
    check("classify: x\n", &["0:1:11 expected a mapping that describes `classify`, found text"]);
}

#[test]
fn mistakes() {
    check("bann: 4h\n", &["0:1:1 the configuration has no key `bann`"]);
    check(
        "ban: 4\n",
        &["0:1:6 expected a span of time such as `30s`, `4h` or `7d` for `ban`, found `4`"],
    );
    check(
        "ban: 0s\n",
        &["0:1:6 expected a span of time such as `30s`, `4h` or `7d` for `ban`, found `0s`"],
    );
    check("- a\n", &["0:1:3 expected a mapping that describes the configuration, found a list"]);
    check("ban: 4h\n---\nban: 5h\n", &["0:3:1 expected one document, found a second behind `---`"]);
    check(
        "sources: [{name: a}]\n",
        &["0:1:12 a source needs one of `udp`, `tcp`, `relp`, `unix`, `unix_stream` and `journal`"],
    );
    check(
        "sources: [{udp: '127.0.0.1:1', tcp: '127.0.0.1:1'}]\n",
        &["0:1:32 a source has one place to listen on, here are `udp` and `tcp`"],
    );
    check(
        "sources: [{udp: 127.0.0.1}]\n",
        &[
            "0:1:17 expected an address with a port such as `127.0.0.1:5514` or `[::]:514` for `udp`, \
         found `127.0.0.1`",
        ],
    );
    check(
        "sources:\n- udp: 127.0.0.1:1\n- udp: 127.0.0.1:2\n",
        &["0:3:8 two sources are called `udp`"],
    );
    check(
        "sources:\n- {name: a, udp: 127.0.0.1:1}\n- {name: b, udp: 127.0.0.1:1}\n",
        &["0:3:10 two sources listen on the same place"],
    );
    check(
        "sources: [{udp: '0.0.0.0:514'}]\n",
        &["0:1:17 whoever reaches `0.0.0.0:514` can send lines, and have others banned by them"],
    );
    check(
        "sources: [{name: 'a b', unix: x, senders: [1]}]\n",
        &[
            "0:1:18 `a b` cannot name a source",
            "0:1:34 `senders` is for sources of the network: only this host can reach this one",
            "0:1:44 `1` is neither an address such as `192.0.2.7` or `2001:db8::7` nor a prefix such as \
         `192.0.2.0/24`",
        ],
    );
    check(
        "sources: [{tcp: '127.0.0.1:1', tls: {certificate: c, permitted: [a.b, '*', 'SHA1:00']}}]\n",
        &[
            "0:1:38 `tls` of a source needs the key `key`",
            "0:1:66 a name permits nobody without `clients`: anyone can write it into a certificate",
            "0:1:71 `*` may stand for the first label only, as in `*.example.org`",
            "0:1:76 fingerprints are written `SHA256:` and 64 hexadecimal digits",
        ],
    );
    check(
        "sources: [{udp: '127.0.0.1:1', tls: {certificate: c, key: k}}]\n",
        &["0:1:32 a source with `udp` cannot have `tls`"],
    );
    check(
        "allowlist: [0.0.0.0/0]\n",
        &["0:1:13 `0.0.0.0/0` makes everybody a friend: nobody could be banned"],
    );
    check(
        "allowlist: [{address: 192.0.2.1}]\n",
        &[
            "0:1:14 an allowlist entry has no key `address`",
            "0:1:14 an allowlist entry needs the key `net`",
        ],
    );
    check(
        "enforce: {backend: nftable, hooks: [output]}\n",
        &[
            "0:1:20 `nftable` is no value of `backend`",
            "0:1:37 `output` is no hook that packets come by",
        ],
    );
    check("enforce: {hooks: []}\n", &["0:1:18 `hooks` needs at least one hook"]);
    check("enforce: {backend: []}\n", &["0:1:20 `backend` needs at least one backend"]);
    check("enforce: {backend: [nftables, nftables]}\n", &["0:1:31 `nftables` is there twice"]);
    check(
        "enforce: {backend: [ipset], table: a-name-that-is-long, ports: {tcp: [22]}}\n",
        &[
            "0:1:21 `ports` is for the backend `nftables` only: the others ban from all",
            "0:1:36 `a-name-that-is-long` is too long for the names of sets: at most 18 bytes with the backend `ipset`",
        ],
    );
    check(
        "enforce: {route: {table: 254, protocol: 4, priority: 40000, kind: drop}}\n",
        &[
            "0:1:26 254 is a table of the system: choose another",
            "0:1:41 `protocol` must be from 5 to 255, found 4",
            "0:1:54 `priority` must be from 1 to 32765, found 40000",
            "0:1:67 `drop` is no value of `kind`",
        ],
    );
    check(
        "enforce: {backend: [observe, nftables]}\n",
        &["0:1:21 `observe` drops nothing, so that others beside it make no sense"],
    );
    check(
        "limits: {workers: 0, line: 1}\nlog: verbose\n",
        &[
            "0:1:19 `workers` must be from 1 to 256, found 0",
            "0:1:28 expected a size such as `8192`, `64k` or `16M` for `line`, found `1`",
            "0:2:6 `verbose` is no value of `log`",
        ],
    );
}

#[test]
fn from_disk() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("weir.yaml");
    std::fs::create_dir(folder.path().join("conf.d")).expect("made");
    std::fs::create_dir(folder.path().join("rules")).expect("made");
    std::fs::write(&path, "ban: 1h\n").expect("written");
    std::fs::write(folder.path().join("conf.d/20-b.yaml"), "ban: 3h\n").expect("written");
    std::fs::write(folder.path().join("conf.d/10-a.yaml"), "ban: 2h\nlog: debgu\n")
        .expect("written");
    std::fs::write(folder.path().join("conf.d/ignored.txt"), "}").expect("written");
    let (settings, diagnostics) = load(Some(&path));
    assert_eq!(settings.ban, Duration::from_secs(3 * 3600));
    assert_eq!(settings.rules.folders, [folder.path().join("rules")]);
    assert_eq!(
        diagnostics.iter().map(shown).collect::<Vec<_>>(),
        ["10-a:2:6 `debgu` is no value of `log`",]
    );

    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).expect("set");
    std::fs::write(&path, "rules: {folders: [gone]}\n").expect("written");
    let (_, diagnostics) = load(Some(&path));
    let codes: Vec<&str> = diagnostics.iter().map(|d| d.code).collect();
    assert_eq!(codes, ["wrong-value", "writable-by-all", "no-folder"]);
    let (_, diagnostics) = load(Some(Path::new("/nonexistent/weir.yaml")));
    assert_eq!(diagnostics.len(), 1);
}

proptest! {
    #[test]
    fn any_bytes_are_settings_or_mistakes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let (_, diagnostics) = from_files(&files(&[&String::from_utf8_lossy(&bytes)]));
        let _ = crate::diagnostic::render(&diagnostics, false);
    }

    #[test]
    fn any_text_is_settings_or_mistakes(
        keys in proptest::collection::vec(
            proptest::sample::select(vec![
                "sources: ", "- udp: ", "  name: ", "ban: ", "127.0.0.1:1", "4h", "\n", "\n  ", "[", "]",
                "{", "}", "allowlist: ", "- ", "enforce: ", "hooks: ", "limits: ", ", ", "rules: ",
                "folders: ", "é", "'", "\u{1b}", "&a ", "*a", "|\n", "observe: ", "classify: ", "log: ",
                "99999999999999999999", "-1", "unix: ", "mode: ", "profiles: ", "http: ", "listen: ",
            ]),
            0..40,
        ),
    ) {
        let text = keys.concat();
        let (_, mut diagnostics) = from_files(&files(&[&text]));
        crate::diagnostic::sort(&mut diagnostics);
        let _ = crate::diagnostic::render(&diagnostics, true);
    }
}
