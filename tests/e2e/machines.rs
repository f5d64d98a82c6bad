//! Machines that log in: `cscli` as Debian ships it, and whoever shows a certificate.

use std::path::{Path, PathBuf};
use std::process::Output;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};

use crate::network::{Network, possible, skip};
use crate::weir::{Weir, project};

/// `cscli`, as installed or as `tests/peers` has unpacked it.
fn cscli() -> Option<PathBuf> {
    let unpacked =
        std::env::var_os("WEIR_PEERS").map_or_else(|| project("target/peers"), PathBuf::from);
    let found = [PathBuf::from("/usr/bin/cscli"), unpacked.join("usr/bin/cscli")];
    let found = found.into_iter().find(|path| path.exists());
    if found.is_none() {
        skip("no cscli: `tests/peers` fetches it on Debian");
    }
    found
}

/// A folder with the configuration of CrowdSec, whose API is at `url`.
fn configure(url: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let shown = folder.path().display();
    let text = format!(
        "common: {{daemonize: false, log_media: stdout, log_level: info, log_dir: {shown}}}\n\
         config_paths: {{config_dir: {shown}, data_dir: {shown}, hub_dir: {shown}/hub, index_path: \
         {shown}/hub/.index.json, simulation_path: {shown}/simulation.yaml}}\n\
         crowdsec_service: {{acquisition_path: {shown}/acquis.yaml}}\n\
         cscli: {{output: human}}\n\
         api: {{client: {{credentials_path: {shown}/local_api_credentials.yaml}}}}\n"
    );
    std::fs::create_dir(folder.path().join("hub")).unwrap();
    std::fs::write(
        folder.path().join("hub/.index.json"),
        "{\"scenarios\":{},\"parsers\":{},\"collections\":{}}",
    )
    .unwrap();
    std::fs::write(folder.path().join("simulation.yaml"), "simulation: false\n").unwrap();
    std::fs::write(folder.path().join("acquis.yaml"), "").unwrap();
    std::fs::write(folder.path().join("local_api_credentials.yaml"), format!("url: {url}\n"))
        .unwrap();
    std::fs::write(folder.path().join("config.yaml"), text).unwrap();
    folder
}

#[track_caller]
fn says(output: &Output, expected: &str) {
    let text = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text)).concat();
    assert!(text.contains(expected), "expected `{expected}`, found: {text}");
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn cscli_logs_in_and_registers() {
    let Some(cscli) = cscli().filter(|_| possible(&["ip", "nft"])) else { return };
    let network = Network::new();
    let weir = Weir::start(&network, "lapi: on");
    let folder = configure("http://127.0.0.1:8080/");
    let credentials = folder.path().join("local_api_credentials.yaml");
    let ask = |arguments: &[&str]| {
        let mut command = network.on_host(cscli.to_str().unwrap());
        command.arg("-c").arg(folder.path().join("config.yaml")).args(arguments).output().unwrap()
    };
    // What it needs, written by us.
    std::fs::remove_file(&credentials).unwrap();
    let added = weir.ask(&["machines", "add", "web-1", "--file", credentials.to_str().unwrap()]);
    assert!(added.status.success(), "{added:?}");
    says(&ask(&["lapi", "status"]), "You can successfully interact with Local API");
    let listed = json(&weir.ask(&["machines", "list", "--output", "json"]));
    assert_eq!(listed["machines"][0]["address"], "127.0.0.1", "{listed}");
    assert!(weir.ask(&["machines", "delete", "web-1"]).status.success());
    says(&ask(&["lapi", "status"]), "incorrect Username or Password");
    // What it makes up by itself.
    std::fs::write(&credentials, "url: http://127.0.0.1:8080/\n").unwrap();
    let registered = ask(&["lapi", "register", "--machine", "web2"]);
    says(&registered, "Successfully registered to Local API");
    says(&ask(&["lapi", "status"]), "machine web2 not validated");
    assert!(weir.ask(&["machines", "validate", "web2"]).status.success());
    says(&ask(&["lapi", "status"]), "You can successfully interact with Local API");
    // It outlives a crash.
    let _weir = weir.kill_and_restart(|| {});
    says(&ask(&["lapi", "status"]), "You can successfully interact with Local API");
}

/// Writes `ca.pem`, and a certificate and a key of each name and unit.
fn certify(folder: &Path, all: &[(&str, &str)]) {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "an authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    std::fs::write(folder.join("ca.pem"), authority.pem()).unwrap();
    for (name, unit) in all {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, *name);
        params.distinguished_name.push(DnType::OrganizationalUnitName, *unit);
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &authority).unwrap();
        std::fs::write(folder.join(format!("{name}.pem")), certificate.pem()).unwrap();
        std::fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }
}

#[test]
fn certificates_stand_for_keys_and_passwords() {
    if !possible(&["ip", "nft", "curl"]) {
        return;
    }
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let all = [("weir", "x"), ("edge", "bouncer-ou"), ("web", "agent-ou"), ("none", "y")];
    certify(ours.path(), &all);
    certify(theirs.path(), &[("edge", "bouncer-ou")]);
    let network = Network::new();
    let at = ours.path().display();
    let weir = Weir::start(
        &network,
        &format!(
            "lapi: {{ tls: {{ certificate: {at}/weir.pem, key: {at}/weir.key, clients: {at}/ca.pem }} }}"
        ),
    );
    // The body, and behind it the status.
    let ask = |shown: Option<(&Path, &str)>, path: &str, more: &[&str]| {
        let mut command = network.on_host("curl");
        command.args(["-sS", "-w", " %{http_code}", "--cacert"]).arg(ours.path().join("ca.pem"));
        if let Some((folder, name)) = shown {
            command.arg("--cert").arg(folder.join(format!("{name}.pem")));
            command.arg("--key").arg(folder.join(format!("{name}.key")));
        }
        command.arg(format!("https://127.0.0.1:8080{path}")).args(more).output().unwrap()
    };
    let ours = ours.path();
    says(&ask(Some((ours, "edge")), "/v1/decisions", &[]), "null 200");
    says(&ask(None, "/v1/decisions", &[]), "403");
    says(&ask(Some((ours, "none")), "/v1/decisions", &[]), "403");
    says(&ask(Some((ours, "web")), "/v1/decisions", &[]), "403");
    let stranger = ask(Some((theirs.path(), "edge")), "/v1/decisions", &[]);
    assert!(!stranger.status.success(), "the handshake ends it: {stranger:?}");
    let login = ["-A", "crowdsec/1", "-d", r#"{"scenarios":[]}"#];
    says(&ask(Some((ours, "web")), "/v1/watchers/login", &login), r#"{"code":200,"#);
    says(&ask(Some((ours, "edge")), "/v1/watchers/login", &login), "401");
    // A key is as good as it was.
    let key = json(&weir.ask(&["bouncers", "add", "keyed", "--output", "json"]));
    let header = format!("X-Api-Key: {}", key["key"].as_str().unwrap());
    says(&ask(None, "/v1/decisions", &["-H", &header]), "null 200");
    let names = |what: &str| -> Vec<String> {
        let listed = json(&weir.ask(&[what, "list", "--output", "json"]));
        let rows = listed[what].as_array().unwrap();
        rows.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("bouncers"), ["edge@127.0.0.1", "keyed"]);
    assert_eq!(names("machines"), ["web@127.0.0.1"]);
}
