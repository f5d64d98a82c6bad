//! Weir as a client of a local API: of CrowdSec's as Debian ships it, and of another Weir's. What is
//! decided there is in the kernel here, whatever happens to either side meanwhile.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::network::{ATTACKER_V4, HOST_V4, Network, inside, possible, skip};
use crate::weir::{Weir, failed_login, program, project, wait_for};

/// CrowdSec's local API without its log processor, on the guarded host.
struct Api<'n> {
    network: &'n Network,
    programs: PathBuf,
    folder: tempfile::TempDir,
    child: Child,
}

const PORT: u16 = 18_080;

impl<'n> Api<'n> {
    fn start(network: &'n Network) -> Option<Self> {
        let unpacked =
            std::env::var_os("WEIR_PEERS").map_or_else(|| project("target/peers"), PathBuf::from);
        let folders = [PathBuf::from("/usr/bin"), unpacked.join("usr/bin")];
        let is_there = |folder: &PathBuf| {
            ["crowdsec", "cscli"].iter().all(|program| folder.join(program).exists())
        };
        let Some(programs) = folders.into_iter().find(is_there) else {
            skip("no crowdsec: `tests/peers` fetches it on Debian");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let shown = folder.path().display();
        let configuration = format!(
            "common: {{daemonize: false, log_media: stdout, log_level: info, working_dir: {shown}}}\n\
             config_paths: {{config_dir: {shown}, data_dir: {shown}, \
             simulation_path: {shown}/simulation.yaml, hub_dir: {shown}/hub, \
             index_path: {shown}/hub/.index.json}}\n\
             cscli: {{output: json}}\n\
             db_config: {{log_level: info, type: sqlite, db_path: {shown}/crowdsec.db}}\n\
             api:\n\
             \x20 client: {{credentials_path: {shown}/login.yaml}}\n\
             \x20 server: {{log_level: info, listen_uri: \"127.0.0.1:{PORT}\", \
             profiles_path: {shown}/profiles.yaml}}\n\
             prometheus: {{enabled: false}}\n"
        );
        let profile = "name: default\nfilters: [Alert.Remediation == true]\n\
                       decisions: [{type: ban, duration: 4h}]\non_success: break\n";
        for (name, text) in [
            ("config.yaml", configuration.as_str()),
            ("profiles.yaml", profile),
            ("simulation.yaml", "simulation: off\n"),
            ("login.yaml", ""),
        ] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let own = folder.path().join("login.yaml");
        let url = format!("http://127.0.0.1:{PORT}/");
        let child = network.on_host("true").spawn().unwrap();
        let mut api = Self { network, programs, folder, child };
        api.child.wait().unwrap();
        let own = own.to_str().unwrap();
        api.ask(&[
            "machines",
            "add",
            "here",
            "--password",
            "here",
            "--force",
            "-f",
            own,
            "-u",
            &url,
        ]);
        api.child = api.run();
        Some(api)
    }

    fn run(&self) -> Child {
        let path = self.folder.path().join("log");
        let log = std::fs::File::options().create(true).append(true).open(path).unwrap();
        let child = self
            .network
            .on_host(self.programs.join("crowdsec").to_str().unwrap())
            .arg("-c")
            .arg(self.folder.path().join("config.yaml"))
            .arg("-no-cs")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        wait_for("the API of crowdsec", || {
            inside(&self.network.host, || std::net::TcpStream::connect(("127.0.0.1", PORT)).ok())
        });
        child
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// What `cscli` says.
    #[track_caller]
    fn ask(&self, arguments: &[&str]) -> String {
        let output = self
            .network
            .on_host(self.programs.join("cscli").to_str().unwrap())
            .arg("-c")
            .arg(self.folder.path().join("config.yaml"))
            .args(arguments)
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "cscli {arguments:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn add(&self, kind: &str, value: &str) {
        self.ask(&["decisions", "add", kind, value, "--reason", "seen there"]);
    }

    /// The file of a new bouncer's key.
    fn key(&self) -> PathBuf {
        let key = self.ask(&["bouncers", "add", "weir", "-o", "raw"]);
        self.secret("key", key.trim())
    }

    fn secret(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Api<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.path().join("log"));
            println!("--- the log of crowdsec\n{}", log.unwrap_or_default());
        }
    }
}

fn follows(key: &Path, more: &str) -> String {
    format!(
        "allowlist: {{ entries: [\"192.0.2.99\"] }}\nremote:\n\
         \x20 - {{ name: hq, url: \"http://127.0.0.1:{PORT}\", key_file: {}, every: 1s{more} }}",
        key.display()
    )
}

/// Waits until exactly these are in the kernel.
#[track_caller]
fn wait_until_held(network: &Network, addresses: &[&str], prefixes: &[&str]) {
    let mut expected: Vec<String> =
        addresses.iter().chain(prefixes).map(|&text| text.to_owned()).collect();
    expected.sort();
    let held = || {
        let sets = ["ban4", "ban6"].map(|set| network.elements(set));
        let mut all: Vec<String> = sets.concat().into_iter().map(|(address, ..)| address).collect();
        all.extend(network.prefixes());
        all.sort();
        all
    };
    let deadline = Instant::now() + Duration::from_secs(20);
    while held() != expected {
        assert!(Instant::now() < deadline, "expected {expected:?}, held {:?}", held());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn decisions_of_crowdsec_are_carried_out_here() {
    if !possible(&["ip", "nft"]) {
        return;
    }
    let network = Network::new();
    let Some(mut api) = Api::start(&network) else { return };
    let key = api.key();
    api.add("-i", "192.0.2.1");
    let mut weir = Weir::start(&network, &follows(&key, ""));
    wait_until_held(&network, &["192.0.2.1"], &[]);
    let began = Instant::now();
    api.add("-i", "2001:db8:bad::7");
    api.add("-r", "203.0.113.0/24");
    api.add("-i", "192.0.2.2");
    api.add("-i", "192.0.2.99");
    api.ask(&["decisions", "add", "-i", "192.0.2.50", "--type", "captcha"]);
    api.ask(&["decisions", "add", "--scope", "Country", "-v", "FR"]);
    wait_until_held(&network, &["192.0.2.1", "192.0.2.2", "2001:db8:bad::7"], &["203.0.113.0/24"]);
    println!("in the kernel {:?} after the first of seven was added", began.elapsed());
    let why = weir.ask(&["why", "192.0.2.1"]);
    let why = String::from_utf8_lossy(&why.stdout).into_owned();
    assert!(why.contains("hq/cscli: seen there"), "{why}");
    // What is deleted there goes here, and goes back to whoever else asked for it.
    assert!(weir.ask(&["ban", "192.0.2.2", "--for", "1h"]).status.success());
    api.ask(&["decisions", "delete", "-i", "192.0.2.1"]);
    api.ask(&["decisions", "delete", "-i", "192.0.2.2"]);
    wait_until_held(&network, &["192.0.2.2", "2001:db8:bad::7"], &["203.0.113.0/24"]);
    let manual = weir.listed().into_iter().find(|(target, _)| target == "192.0.2.2").unwrap();
    assert!(manual.1 <= 3600, "{manual:?}");
    // While nobody answers there, nothing changes here; what happened meanwhile is made up for.
    api.ask(&["decisions", "delete", "-r", "203.0.113.0/24"]);
    api.kill();
    api.child = api.run();
    api.add("-i", "192.0.2.3");
    wait_until_held(&network, &["192.0.2.2", "192.0.2.3", "2001:db8:bad::7"], &[]);
    api.kill();
    std::thread::sleep(Duration::from_millis(2500));
    wait_until_held(&network, &["192.0.2.2", "192.0.2.3", "2001:db8:bad::7"], &[]);
    let status = weir.ask(&["status"]);
    let status = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(status.contains("cannot reach"), "{status}");
    assert_eq!(weir.metric("weir_remote_up", &["remote=\"hq\""]), 0.0);
    // Killed while the other side is away, it knows afterwards what it is to hold, and what went.
    weir = weir.kill_and_restart(|| {});
    wait_until_held(&network, &["192.0.2.2", "192.0.2.3", "2001:db8:bad::7"], &[]);
    weir = weir.kill_and_restart(|| {
        api.child = api.run();
        api.ask(&["decisions", "delete", "-i", "2001:db8:bad::7"]);
        api.add("-i", "192.0.2.4");
    });
    wait_until_held(&network, &["192.0.2.2", "192.0.2.3", "192.0.2.4"], &[]);
    wait_for("the metric to say so", || {
        (weir.metric("weir_remote_up", &["remote=\"hq\""]) == 1.0).then_some(())
    });
    assert_eq!(weir.metric("weir_remote_decisions", &["remote=\"hq\""]), 3.0);
    // A key that is not known any more costs nothing that is in force.
    api.ask(&["bouncers", "delete", "weir"]);
    wait_for("the refusal to be told", || {
        weir.log().contains("refuses the key (403)").then_some(())
    });
    wait_until_held(&network, &["192.0.2.2", "192.0.2.3", "192.0.2.4"], &[]);
}

/// Another Weir, in the network beside the guarded host.
struct Beside {
    child: Child,
    folder: tempfile::TempDir,
    network_folder: PathBuf,
}

impl Beside {
    fn start(network: &Network, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shown = folder.path().display();
        let configuration = format!(
            "sources: [{{ name: udp, udp: \"127.0.0.1:5514\" }}]\n\
             ledger: {{ folder: {shown}/state }}\ncontrol: {{ socket: {shown}/control.sock }}\n\
             {more}\n"
        );
        let file = folder.path().join("weir.yaml");
        std::fs::write(&file, configuration).unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let child = network
            .beside(&program())
            .args(["run", "--config"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let beside = Self { child, network_folder: file, folder };
        wait_for("the other Weir", || beside.ask(&["status"]).map(drop));
        beside
    }

    fn ask(&self, arguments: &[&str]) -> Option<String> {
        let mut command = std::process::Command::new(program());
        command.args(arguments).arg("--config").arg(&self.network_folder);
        let output = command.output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    }

    #[track_caller]
    fn key(&self, name: &str) -> String {
        let added = self.ask(&["bouncers", "add", name, "--output", "json"]).unwrap();
        let added: serde_json::Value = serde_json::from_str(&added).unwrap();
        added["key"].as_str().unwrap().to_owned()
    }

    fn lists(&self, address: &str) -> bool {
        self.ask(&["list", "--output", "json"]).unwrap().contains(address)
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.path().join("log"));
            println!("--- the log of the other Weir\n{}", log.unwrap_or_default());
        }
    }
}

#[test]
fn two_that_follow_each_other_keep_nothing_alive() {
    if !possible(&["ip", "nft"]) {
        return;
    }
    let network = Network::new();
    // Each gives the other a key that both know before they start.
    let api = |address: &str| format!("lapi: {{ listen: \"{address}:8080\", in_clear: true }}");
    let remote = |address: &str, key: &str| {
        format!(
            "remote: [{{ name: other, url: \"http://{address}:8080\", key: \"{key}\", every: 1s, \
             in_clear: true }}]"
        )
    };
    let key = "0123456789abcdef0123456789abcdef";
    let more = format!("{}\n{}", api(ATTACKER_V4), remote(HOST_V4, key));
    let beside = Beside::start(&network, &more);
    let more = format!("{}\n{}", api(HOST_V4), remote(ATTACKER_V4, &beside.key("here")));
    let weir = Weir::start(&network, &more);
    assert!(weir.ask(&["bouncers", "add", "beside", "--key", key]).status.success());
    weir.send_udp(vec![failed_login("203.0.113.66").into_bytes(); 6]);
    wait_for("the ban to be there", || beside.lists("203.0.113.66").then_some(()));
    assert!(beside.ask(&["ban", "203.0.113.67", "--for", "1h"]).is_some());
    wait_for("the ban to be here", || network.holds("203.0.113.67").then_some(()));
    let end = |weir: &Weir| {
        weir.listed().into_iter().find(|(target, _)| target == "203.0.113.66").unwrap().1
    };
    let (before, began) = (end(&weir), Instant::now());
    std::thread::sleep(Duration::from_secs(4));
    assert!(end(&weir) + began.elapsed().as_secs() <= before + 1, "nobody prolongs it");
    // Whoever takes it back, takes it back for both.
    assert!(weir.ask(&["unban", "203.0.113.66"]).status.success());
    wait_for("the ban to be gone there", || (!beside.lists("203.0.113.66")).then_some(()));
    assert!(beside.ask(&["unban", "203.0.113.67"]).is_some());
    wait_for("the ban to be gone here", || (!network.holds("203.0.113.67")).then_some(()));
    std::thread::sleep(Duration::from_secs(3));
    assert!(!network.holds("203.0.113.66") && !beside.lists("203.0.113.67"));
}

#[test]
fn crowdsec_is_told_of_our_bans() {
    if !possible(&["ip", "nft"]) {
        return;
    }
    let network = Network::new();
    let Some(mut api) = Api::start(&network) else { return };
    api.ask(&["machines", "add", "edge-1", "--password", "sesame", "--force", "-f", "/dev/null"]);
    let password = api.secret("password", "sesame");
    let machine = format!(", machine: {{ login: edge-1, password_file: {} }}", password.display());
    let weir = Weir::start(&network, &follows(&api.key(), &machine));
    let alerts = |api: &Api| -> serde_json::Value {
        serde_json::from_str(&api.ask(&["alerts", "list", "-m"])).unwrap_or_default()
    };
    let of = |alerts: &serde_json::Value, address: &str| {
        let all = alerts.as_array().cloned().unwrap_or_default();
        all.into_iter().find(|alert| alert["source"]["value"] == address)
    };
    let began = Instant::now();
    weir.send_udp(vec![failed_login("203.0.113.66").into_bytes(); 6]);
    let alert = wait_for("the alert to be there", || of(&alerts(&api), "203.0.113.66"));
    println!("told {:?} after the lines were sent", began.elapsed());
    assert_eq!(alert["machine_id"], "edge-1", "{alert}");
    assert_eq!(alert["decisions"][0]["type"], "ban", "{alert}");
    assert_eq!(alert["decisions"][0]["value"], "203.0.113.66", "{alert}");
    // What came from there, and what an operator did, is not told; nor is anything told twice.
    api.add("-i", "192.0.2.1");
    wait_for("its decision", || network.holds("192.0.2.1").then_some(()));
    assert!(weir.ask(&["ban", "192.0.2.2", "--for", "1h"]).status.success());
    // What happens while it is away is told afterwards.
    api.kill();
    weir.send_udp(vec![failed_login("203.0.113.67").into_bytes(); 6]);
    wait_for("the ban to wait", || {
        (weir.metric("weir_remote_waiting", &["remote=\"hq\""]) == 1.0).then_some(())
    });
    api.child = api.run();
    wait_for("what waited", || of(&alerts(&api), "203.0.113.67"));
    std::thread::sleep(Duration::from_millis(1500));
    let all = alerts(&api);
    let mut values: Vec<_> =
        all.as_array().unwrap().iter().map(|alert| alert["source"]["value"].clone()).collect();
    values.sort_by_key(ToString::to_string);
    assert_eq!(values, ["192.0.2.1", "203.0.113.66", "203.0.113.67"], "{all}");
    assert_eq!(weir.metric("weir_remote_told_total", &["remote=\"hq\""]), 2.0);
    // What comes back of it changes nothing.
    let listed: serde_json::Value =
        serde_json::from_slice(&weir.ask(&["list", "--output", "json"]).stdout).unwrap();
    let ours = listed.as_array().unwrap().iter().find(|row| row["target"] == "203.0.113.66");
    assert_eq!(ours.unwrap()["origin"], "scenario", "{listed}");
    let log = weir.log();
    assert!(!log.contains("sesame"), "{log}");
}
