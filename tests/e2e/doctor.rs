//! `weir doctor` on a sound set-up, which it leaves as it was, and on broken ones, each of which it
//! names with its remedy.

use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ::weir::value::Time;
use serde_json::Value;

use crate::disk::SmallDisk;
use crate::network::{Network, inside, possible};
use crate::weir::{Weir, probe, program, project, wait_for};

/// A source of each kind, of which two are of TLS.
const SOURCES: &str = "\
\x20 - { name: udp, udp: \"127.0.0.1:5514\" }
  - { name: tcp, tcp: \"127.0.0.1:5514\" }
  - { name: relp, relp: \"127.0.0.1:2514\" }
  - { name: unix, unix: FOLDER/weir.sock }
  - { name: stream, unix_stream: FOLDER/stream.sock }";

/// What it said.
struct Told {
    code: Option<i32>,
    findings: Vec<Value>,
    raw: String,
}

impl Told {
    fn of(output: &Output) -> Self {
        let raw = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            panic!("{error}: {raw}");
        });
        let findings = answer["findings"].as_array().unwrap().clone();
        Self { code: output.status.code(), findings, raw }
    }

    fn of_level<'t>(&'t self, level: &'t str) -> impl Iterator<Item = &'t Value> + 't {
        self.findings.iter().filter(move |finding| finding["level"] == level)
    }

    /// That a problem with these words was told, and a remedy with those.
    #[track_caller]
    fn names(&self, words: &str, remedy: &str) {
        let says = |finding: &Value, key: &str, words: &str| {
            finding[key].as_str().is_some_and(|text| text.contains(words))
        };
        let found = self
            .of_level("problem")
            .any(|one| says(one, "found", words) && says(one, "remedy", remedy));
        assert!(found, "expected a problem `{words}` with the remedy `{remedy}` in\n{}", self.raw);
        assert_eq!(self.code, Some(1));
    }

    /// That nothing is wrong.
    #[track_caller]
    fn is_sound(&self) {
        let problems: Vec<_> = self.of_level("problem").collect();
        assert!(problems.is_empty() && self.code == Some(0), "{problems:#?}");
    }
}

/// A command in the host's network. Its configuration of rsyslog is below `root`.
fn doctor(network: &Network, config: &Path, root: &Path) -> Command {
    let mut command = network.on_host(&program());
    command.args(["doctor", "--output", "json", "--root"]).arg(root).arg("--config").arg(config);
    command.env_remove("SSH_CONNECTION");
    command
}

fn ask(network: &Network, weir: &Weir<'_>, root: &Path) -> Told {
    let mut command = doctor(network, &weir.folder.join("weir.yaml"), root);
    Told::of(&command.output().unwrap())
}

#[test]
fn a_sound_set_up_is_called_sound_and_left_as_it_was() {
    if !possible(&["ip", "nft"]) {
        return;
    }
    let (network, root) = (Network::new(), tempfile::tempdir().unwrap());
    let weir = Weir::start_on(&network, SOURCES, "");
    weir.send_udp(vec![crate::weir::failed_login("203.0.113.200").into_bytes()]);
    wait_for("the line", || {
        (weir.metric("weir_lines_total", &["outcome=\"parsed\""]) > 0.0).then_some(())
    });
    let before = weir.metric("weir_lines_total", &[]);
    let begun = std::time::Instant::now();
    let told = ask(&network, &weir, root.path());
    println!("it took {:?}", begun.elapsed());
    told.is_sound();
    let tried: Vec<&str> = told
        .of_level("ok")
        .filter(|one| one["found"].as_str().unwrap().contains("all taken back"))
        .map(|one| one["check"].as_str().unwrap())
        .collect();
    assert_eq!(
        tried,
        [
            "source `udp`",
            "source `udp`, IPv6",
            "source `tcp`, octet-counted",
            "source `tcp`, one to a line",
            "source `relp`",
            "source `unix`",
            "source `stream`, octet-counted",
            "source `stream`, one to a line",
        ],
        "{}",
        told.raw
    );
    let dropped = told.raw.matches("a packet from it dropped").count();
    assert_eq!(dropped, 2, "one of each family: {}", told.raw);

    assert_eq!(weir.listed(), []);
    for set in ["ban4", "ban6", "ban4_net", "ban6_net"] {
        assert_eq!(network.set_size(set), 0, "{set}");
    }
    assert_eq!(weir.metric("weir_lines_total", &[]), before, "no program's lines are counted");
    let ledger = weir.folder.join("state/ledger.db");
    let rows = |table: &str| {
        let query = format!("SELECT count(*) FROM {table}");
        let open = rusqlite::Connection::open(&ledger).unwrap();
        open.query_row(&query, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    for table in ["decisions", "steps", "stories", "refusals"] {
        assert_eq!(rows(table), 0, "{table}");
    }
}

/// The one source that most faults need.
const UDP: &str = "  - { name: udp, udp: \"127.0.0.1:5514\" }";

/// A daemon with one source, though something may keep it from being ready.
fn start<'n>(network: &'n Network, more: &str) -> Weir<'n> {
    Weir::start_until(network, UDP, more, "/-/healthy")
}

#[test]
fn faults_of_a_set_up_are_named_with_their_remedy() {
    if !possible(&["ip", "nft", "setpriv", "mount"]) {
        return;
    }
    let (network, root) = (Network::new(), tempfile::tempdir().unwrap());
    let host = network.host.clone();

    // Nobody runs.
    let none = tempfile::tempdir().unwrap();
    let config = none.path().join("weir.yaml");
    let shown = none.path().display();
    let text = format!("ledger: {{folder: {shown}}}\ncontrol: {{socket: {shown}/control.sock}}\n");
    std::fs::write(&config, &text).unwrap();
    let told = Told::of(&doctor(&network, &config, root.path()).output().unwrap());
    told.names("weir is not running?", "systemctl enable --now weir");
    let mut offline = doctor(&network, &config, root.path());
    Told::of(&offline.arg("--offline").output().unwrap()).is_sound();

    // The socket is somebody else's.
    let weir = start(&network, "");
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&weir.folder, open).unwrap();
    let mut stranger = network.on_host("setpriv");
    stranger.args(["--reuid=65534", "--regid=65534", "--clear-groups", &program()]);
    stranger.args(["doctor", "--output", "json", "--config"]).arg(weir.folder.join("weir.yaml"));
    let told = Told::of(&stranger.output().unwrap());
    told.names("no permission to use the control socket", "sudo weir doctor");
    drop(weir);

    // Somebody else has the port.
    let taken = inside(&host, || UdpSocket::bind("127.0.0.1:5514").unwrap());
    let two = format!("{UDP}\n  - {{ name: unix, unix: FOLDER/weir.sock }}");
    let weir = Weir::start_until(&network, &two, "", "/-/healthy");
    let told = ask(&network, &weir, root.path());
    told.names("takes no lines: source `udp`: cannot listen on", "ss -lnp | grep ':5514 '");
    drop((weir, taken));

    // Another program's name is put on every line.
    let weir = start(&network, "classify: [{when: {source: udp}, program: nginx}]");
    ask(&network, &weir, root.path()).names("did not come to the rules", "`classify`");
    drop(weir);

    // Packets for this host are not looked at.
    let weir = start(&network, "enforce: {hooks: [forward]}");
    ask(&network, &weir, root.path()).names("a packet from it to this host comes through", "input");
    assert_eq!(weir.listed(), []);
    drop(weir);

    // An operator emptied the kernel.
    let weir = start(&network, "");
    assert!(weir.ask(&["flush"]).status.success());
    ask(&network, &weir, root.path()).names("enforcement by nftables", "weir flush --undo");
    drop(weir);

    // The brake.
    let weir = start(&network, "brake: {bans: 2, per: 1m}");
    weir.send_udp((1..6).map(|n| probe(&format!("203.0.113.{n}"))).collect());
    wait_for("the brake", || (weir.metric("weir_brake", &[]) > 0.5).then_some(()));
    ask(&network, &weir, root.path()).names("the brake is on", "weir brake release");
    drop(weir);

    // A rule with a mistake.
    let rules = none.path().join("rules/scenarios");
    std::fs::create_dir_all(&rules).unwrap();
    std::fs::write(rules.join("mine.yaml"), "type: leaky\nname: me/mine\nfilter: 'evt.('\n")
        .unwrap();
    let folders = format!("rules: {{folders: [{shown}/rules]}}");
    let weir = start(&network, &folders);
    ask(&network, &weir, root.path()).names("1 file is left out", "weir check");
    drop(weir);

    // Whoever is logged in is nobody's friend.
    let weir = start(&network, "");
    let mut command = doctor(&network, &weir.folder.join("weir.yaml"), root.path());
    command.env("SSH_CONNECTION", "8.8.8.8 50022 198.51.100.1 22");
    Told::of(&command.output().unwrap()).names("8.8.8.8", "weir allow 8.8.8.8");

    // rsyslog sends to another port.
    let folder = root.path().join("etc/rsyslog.d");
    std::fs::create_dir_all(&folder).unwrap();
    let contrib = project("contrib/rsyslog/60-weir-udp.conf");
    let text = std::fs::read_to_string(contrib).unwrap().replace("5514", "5515");
    std::fs::write(folder.join("60-weir.conf"), text).unwrap();
    ask(&network, &weir, root.path()).names("sends to udp 127.0.0.1:5515", "s/5515/5514/");
    std::fs::remove_dir_all(&folder).unwrap();

    // The clock of a sender is four hours slow; one line says nothing of it.
    for _ in 0..3 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let at = Time::from_seconds(i64::try_from(now).unwrap() - 4 * 3600).rfc3339();
        weir.send_udp(vec![format!("<38>1 {at} host sshd 1 - - hello").into_bytes()]);
        std::thread::sleep(Duration::from_millis(1010));
    }
    // The canaries come from the same address, by our own clock.
    for _ in 0..3 {
        ask(&network, &weir, root.path()).names("s behind of ours", "timedatectl");
    }
    drop(weir);

    // The certificate of a source is over.
    let tls = certificate(none.path());
    let sources = format!("  - {{ name: tls, tcp: \"127.0.0.1:6514\", {tls} }}");
    let weir = Weir::start_until(&network, &sources, "", "/-/healthy");
    let told = ask(&network, &weir, root.path());
    told.names("the certificate expired at 2020-12-31", "weir reload");
    assert!(told.raw.contains("all taken back"), "it is tried nevertheless: {}", told.raw);
    drop(weir);

    // The daemon may not change the firewall.
    let weir = Weir::start_without(&network, "-net_admin");
    ask(&network, &weir, root.path()).names("nothing is dropped", "systemctl restart weir");
    drop(weir);

    // The disk is full.
    let disk = SmallDisk::new();
    let weir = Weir::start_in(&network, &disk.0, "");
    disk.fill();
    weir.send_udp((1..40).map(|n| probe(&format!("203.0.113.{n}"))).collect());
    wait_for("the failure", || (weir.metric("weir_ledger_errors_total", &[]) > 0.0).then_some(()));
    let told = ask(&network, &weir, root.path());
    told.names("in memory only", "df -h");
    told.names("the ledger needs room", "df -h");
}

/// A certificate that is over; the setting that names it.
fn certificate(folder: &Path) -> String {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["weir.example".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2020, 12, 31);
    let made = params.self_signed(&key).unwrap();
    std::fs::write(folder.join("cert.pem"), made.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    let shown = folder.display();
    format!("tls: {{ certificate: {shown}/cert.pem, key: {shown}/key.pem }}")
}

#[test]
fn observe_mode_is_said_and_no_fault() {
    if !possible(&["ip", "nft"]) {
        return;
    }
    let (network, root) = (Network::new(), tempfile::tempdir().unwrap());
    let weir = start(&network, "observe: true");
    let told = ask(&network, &weir, root.path());
    told.is_sound();
    assert!(told.raw.contains("as observe: nothing is dropped"), "{}", told.raw);
    assert_eq!(weir.listed(), []);
    // A chain of somebody else that accepts everything earlier lets nobody past us.
    drop(weir);
    let nft = "add table inet early; add chain inet early input { type filter hook input priority -200; policy accept; }; add rule inet early input accept";
    assert!(network.on_host("nft").arg(nft).status().unwrap().success());
    let weir = start(&network, "");
    let told = ask(&network, &weir, root.path());
    told.is_sound();
    assert!(told.raw.contains("inet early chain input (input at -200)"), "{}", told.raw);
    assert!(told.raw.contains("a packet from it dropped"), "{}", told.raw);
}

/// `weir setup` makes a configuration that `weir check` takes, a drop-in that rsyslog takes, and with
/// both lines come through; then it has nothing more to do.
#[test]
fn a_host_that_was_set_up_is_sound() {
    if !possible(&["ip", "nft", "rsyslogd"]) {
        return;
    }
    let (network, root) = (Network::new(), tempfile::tempdir().unwrap());
    let at = |path: &str| root.path().join(path);
    for folder in ["etc/rsyslog.d", "var/log/nginx", "etc/weir/rules/parsers/s01-parse"] {
        std::fs::create_dir_all(at(folder)).unwrap();
    }
    std::fs::write(at("etc/rsyslog.conf"), "").unwrap();
    std::fs::write(at("etc/weir/rules/parsers/s01-parse/README.yaml"), "# for nginx\n").unwrap();
    let setup = |session: &str| {
        let mut command = Command::new(program());
        command.args(["setup", "--yes", "--output", "json", "--root"]).arg(root.path());
        let output = command.env("SSH_CONNECTION", session).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        let files = answer["files"].as_array().unwrap().clone();
        files.iter().map(|file| file["result"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(setup("8.8.8.8 50022 198.51.100.1 22"), ["written"; 3]);
    assert_eq!(setup("8.8.8.8 50023 198.51.100.1 22"), ["up to date"; 3]);

    let config = at("etc/weir/weir.yaml");
    let checked = Command::new(program()).arg("check").arg(&config).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let whole = at("whole.conf");
    let included = format!(
        "global(workDirectory=\"{0}\")\ninclude(file=\"{0}/etc/rsyslog.d/*.conf\")\n",
        root.path().display()
    );
    std::fs::write(&whole, included).unwrap();
    let checked = Command::new("rsyslogd").arg("-N1").arg("-f").arg(&whole).output().unwrap();
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success() && !said.contains("error"), "{said}");

    // What it wrote, with folders for this test.
    let written = std::fs::read_to_string(&config).unwrap();
    let sources = "\x20 - { name: udp, udp: \"127.0.0.1:5514\" }\n  - { name: tcp, tcp: \"127.0.0.1:5514\" }\n  - { name: unix, unix: weir.sock }\n";
    assert!(written.contains(sources), "{written}");
    let friend = "allowlist:\n  - { net: \"8.8.8.8\", comment: logged in when setup ran }";
    assert!(written.contains(friend), "{written}");
    let weir =
        Weir::start_on(&network, &sources.replace("unix: weir", "unix: FOLDER/weir"), friend);
    let mut command = doctor(&network, &weir.folder.join("weir.yaml"), root.path());
    command.env("SSH_CONNECTION", "8.8.8.8 50022 198.51.100.1 22");
    let told = Told::of(&command.output().unwrap());
    told.is_sound();
    assert!(told.raw.contains("8.8.8.8 cannot be banned"), "{}", told.raw);
    assert!(told.raw.contains("sends to the source `tcp` (tcp 127.0.0.1:5514)"), "{}", told.raw);
}
