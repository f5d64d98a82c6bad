//! cscli of CrowdSec as Debian ships it, with Weir as its local API: what it adds is in the kernel, what
//! it deletes is not, and what Weir banned by itself is in its tables.

use std::path::{Path, PathBuf};

use crate::network::{Network, possible, skip};
use crate::weir::{Weir, failed_login, project, wait_for};

const API: &str = "lapi: on\nallowlist: [\"203.0.113.99\"]";

/// The program, as installed or as `tests/peers` has unpacked it.
fn program() -> Option<PathBuf> {
    let unpacked =
        std::env::var_os("WEIR_PEERS").map_or_else(|| project("target/peers"), PathBuf::from);
    let found = [Path::new("/usr/bin/cscli").to_owned(), unpacked.join("usr/bin/cscli")];
    let found = found.into_iter().find(|path| path.exists());
    if found.is_none() {
        skip("no cscli: `tests/peers` fetches it on Debian");
    }
    found
}

/// cscli on the guarded host, which has an account of its own there.
struct Cscli<'n> {
    network: &'n Network,
    program: PathBuf,
    folder: tempfile::TempDir,
}

impl<'n> Cscli<'n> {
    fn new(network: &'n Network, program: PathBuf, weir: &Weir<'_>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().display();
        let credentials = format!("{at}/credentials.yaml");
        let added = weir.ask(&["machines", "add", "edge-1", "--file", &credentials]);
        assert!(added.status.success(), "{added:?}");
        let configuration = format!(
            "common: {{log_media: stdout, log_level: info, log_dir: {at}, working_dir: .}}\n\
             config_paths: {{config_dir: {at}, data_dir: {at}, hub_dir: {at},\n\
             \x20 simulation_path: {at}/simulation.yaml, index_path: {at}/index.json,\n\
             \x20 notification_dir: {at}, plugin_dir: {at}}}\n\
             crowdsec_service: {{acquisition_path: {at}/acquis.yaml}}\n\
             cscli: {{output: human, color: no}}\n\
             db_config: {{type: sqlite, db_path: {at}/unused.db}}\n\
             api: {{client: {{insecure_skip_verify: false, credentials_path: {credentials}}}}}\n\
             prometheus: {{enabled: false, level: full}}\n"
        );
        std::fs::write(folder.path().join("config.yaml"), configuration).unwrap();
        Self { network, program, folder }
    }

    /// Whether it succeeded, and what it said, with its logs.
    fn run(&self, arguments: &str) -> (bool, String) {
        let mut command = self.network.on_host(self.program.to_str().unwrap());
        command.arg("-c").arg(self.folder.path().join("config.yaml"));
        let output = command.args(arguments.split(' ')).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    #[track_caller]
    fn good(&self, arguments: &str) -> String {
        let (is_good, said) = self.run(arguments);
        assert!(is_good, "cscli {arguments}: {said}");
        said
    }

    #[track_caller]
    fn json(&self, arguments: &str) -> serde_json::Value {
        let said = self.good(&format!("{arguments} -o json"));
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
    }

    /// The rows of a table without numbers and times: the columns that are asked for.
    #[track_caller]
    fn rows<const N: usize>(&self, arguments: &str, columns: [usize; N]) -> Vec<[String; N]> {
        let said = self.good(arguments);
        let rows = said.lines().filter(|line| line.starts_with('|')).skip(1);
        let cells = |row: &str| -> Vec<String> {
            row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
        };
        rows.map(|row| {
            let cells = cells(row);
            columns.map(|column| cells[column].clone())
        })
        .collect()
    }
}

/// What `decisions list` shows: source, scope and value, reason, action.
#[track_caller]
fn listed(cscli: &Cscli<'_>, expected: &[[&str; 4]]) {
    assert_eq!(cscli.rows("decisions list", [1, 2, 3, 4]), expected);
}

#[test]
fn cscli_bans_and_unbans() {
    if !possible(&["ip", "nft"]) {
        return;
    }
    let Some(program) = program() else { return };
    let network = Network::new();
    let weir = Weir::start(&network, API);
    let cscli = Cscli::new(&network, program, &weir);
    assert_eq!(cscli.good("decisions list").trim(), "No active decisions");
    assert_eq!(cscli.json("decisions list"), serde_json::Value::Null);

    let added = "Decision successfully added";
    assert!(cscli.good("decisions add --ip 203.0.113.7 -d 2h -R probing").contains(added));
    cscli.good("decisions add --range 198.51.100.128/25");
    cscli.good("decisions add --ip 2001:db8:bad::7 -d 7d");
    cscli.good("decisions add --ip 203.0.113.8 --type captcha");
    cscli.good("decisions add --scope Country --value FR");
    // A friend is not banned: the alert stays, and says so to whoever asks.
    cscli.good("decisions add --ip 203.0.113.99");
    let hand = "manual 'ban' from 'edge-1'";
    let six = ["cscli", "Ip:2001:db8:bad::7", hand, "ban"];
    let seven = ["cscli", "Ip:203.0.113.7", "probing", "ban"];
    let range = ["cscli", "Range:198.51.100.128/25", hand, "ban"];
    let captcha = ["cscli", "Ip:203.0.113.8", "manual 'captcha' from 'edge-1'", "captcha"];
    let country = ["cscli", "Country:FR", hand, "ban"];
    listed(&cscli, &[country, captcha, six, range, seven]);
    wait_for("the kernel to have them", || {
        (network.holds("203.0.113.7")
            && network.holds("2001:db8:bad::7")
            && network.holds_prefix("198.51.100.128/25"))
        .then_some(())
    });
    assert!(!network.holds("203.0.113.8") && !network.holds("203.0.113.99"));
    let why =
        |target: &str| String::from_utf8_lossy(&weir.ask(&["why", target]).stdout).into_owned();
    assert!(why("203.0.113.7").contains("reported by edge-1"), "{}", why("203.0.113.7"));
    let friend = why("203.0.113.99");
    assert!(friend.contains("allowlisted, reported by edge-1"), "{friend}");

    let raw = cscli.good("decisions list --ip 203.0.113.7 -o raw");
    let raw: Vec<&str> = raw.lines().collect();
    assert_eq!(
        raw[0],
        "id,source,ip,reason,action,country,as,events_count,expiration,simulated,alert_id"
    );
    // Of two hours a moment is gone.
    let fields: Vec<&str> = raw[1].split(',').collect();
    let expected = ["cscli", "Ip:203.0.113.7", "probing", "ban", "", "", "1"];
    assert_eq!(fields[1..8], expected, "{raw:?}");
    assert!(fields[8] == "2h0m0s" || fields[8].starts_with("1h59m"), "{raw:?}");
    assert_eq!(raw.len(), 2, "{raw:?}");
    let alerts = cscli.json("decisions list --range 198.51.100.0/24 --contained");
    assert_eq!(alerts[0]["decisions"][0]["value"], "198.51.100.128/25");
    assert_eq!(alerts[0]["machine_id"], "edge-1");
    let id = alerts[0]["decisions"][0]["id"].as_u64().unwrap();

    // What is deleted is gone from the kernel, for bouncers, and for whoever asks.
    let deleted = |arguments: &str, count: usize| {
        let said = cscli.good(&format!("decisions delete {arguments}"));
        assert!(said.contains(&format!("{count} decision(s) deleted")), "{arguments}: {said}");
    };
    deleted(&format!("--id {id}"), 1);
    let (is_good, said) = cscli.run("decisions delete --id 4711");
    assert!(!is_good && said.contains("decision with id '4711' doesn't exist"), "{said}");
    listed(&cscli, &[country, captcha, six, seven]);
    deleted("--ip 203.0.113.7", 1);
    deleted("--ip 203.0.113.7", 0);
    deleted("--type captcha", 1);
    listed(&cscli, &[country, six]);
    wait_for("the kernel to let go", || {
        let is_there = network.holds("203.0.113.7") || network.holds_prefix("198.51.100.128/25");
        (!is_there && network.holds("2001:db8:bad::7")).then_some(())
    });

    // A list of its own form, of which what is no address is left out.
    let list = cscli.folder.path().join("list.csv");
    std::fs::write(
        &list,
        "duration,scope,value,reason\n24h,ip,203.0.113.200,listed\n\
         24h,range,203.0.112.0/24,listed\n24h,ip,nobody,listed\n24h,ip,203.0.113.99,listed\n",
    )
    .unwrap();
    let said = cscli.good(&format!("decisions import -i {}", list.display()));
    assert!(said.contains("decisions successfully imported"), "{said}");
    let listed_one = ["cscli", "Ip:203.0.113.200", "listed", "ban"];
    let listed_range = ["cscli", "Range:203.0.112.0/24", "listed", "ban"];
    listed(&cscli, &[listed_one, listed_range, country, six]);
    deleted("--all", 4);
    assert_eq!(cscli.good("decisions list --all").trim(), "No active decisions");
    wait_for("the kernel to have nobody", || {
        let is_empty = network.set_size("ban4") + network.set_size("ban6") == 0;
        (is_empty && network.prefixes().is_empty()).then_some(())
    });
}

#[test]
fn cscli_shows_what_weir_banned_by_itself() {
    if !possible(&["ip", "nft"]) {
        return;
    }
    let Some(program) = program() else { return };
    let network = Network::new();
    let mut weir = Weir::start(&network, API);
    let cscli = Cscli::new(&network, program, &weir);
    let attacker = "203.0.113.66";
    assert_eq!(cscli.good("alerts list").trim(), "No active alerts");
    weir.send_udp(vec![failed_login(attacker).into_bytes(); 6]);
    wait_for("a ban", || network.holds(attacker).then_some(()));
    let row = ["crowdsec", "Ip:203.0.113.66", "weir/ssh-bf", "ban"];
    listed(&cscli, &[row]);
    cscli.good("decisions add --ip 203.0.113.7 -d 2h -R probing");
    let alerts = [
        ["Ip:203.0.113.7", "probing", "ban:1"].map(str::to_owned),
        ["Ip:203.0.113.66", "weir/ssh-bf", "ban:1"].map(str::to_owned),
    ];
    assert_eq!(cscli.rows("alerts list", [1, 2, 5]), alerts);
    let alert = &cscli.json("alerts list --ip 203.0.113.66")[0];
    assert_eq!((&alert["events_count"], &alert["capacity"]), (&6.into(), &5.into()));
    let id = alert["id"].as_u64().unwrap();
    let page = cscli.good(&format!("alerts inspect -d {id}"));
    for words in ["- Reason     : weir/ssh-bf", "Machine    : weir", "Failed password", attacker] {
        assert!(page.contains(words), "{words}: {page}");
    }
    // Numbers stay, over a crash as well.
    weir = weir.kill_and_restart(|| {});
    let again = cscli.good(&format!("alerts inspect -d {id}"));
    assert_eq!(again.lines().nth(3), page.lines().nth(3));
    assert_eq!(cscli.rows("alerts list", [1, 2, 5]), alerts);
    let (is_good, said) = cscli.run("alerts inspect 4711");
    assert!(!is_good && said.contains("object not found"), "{said}");

    let deleted = |arguments: &str, count: usize| {
        let said = cscli.good(&format!("alerts delete {arguments}"));
        assert!(said.contains(&format!("{count} alert(s) deleted")), "{arguments}: {said}");
    };
    deleted("--ip 203.0.113.66", 1);
    wait_for("the kernel to let go", || (!network.holds(attacker)).then_some(()));
    assert_eq!(cscli.rows("alerts list", [1, 2, 5]), alerts[..1]);
    assert_eq!(weir.listed().len(), 1);
    deleted("--all", 1);
    assert_eq!(cscli.good("alerts list").trim(), "No active alerts");
    assert!(weir.listed().is_empty());
    // Whose account is taken away may do nothing any more.
    assert!(weir.ask(&["machines", "delete", "edge-1"]).status.success());
    let (is_good, said) = cscli.run("decisions add --ip 203.0.113.7");
    assert!(!is_good, "{said}");
    assert!(weir.listed().is_empty());
}
