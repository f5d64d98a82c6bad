//! `weir check` on wrong configurations: what it shows is held against `check/NAME.txt`, word for
//! word. `WEIR_UPDATE_GOLDEN=1` writes those files anew.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/check");

fn weir(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_weir"))
        .current_dir(folder)
        .args(arguments)
        .output()
        .expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// What a user sees: standard error, standard output, exit code.
fn shown(output: &Output) -> String {
    let code = output.status.code().expect("ended by itself");
    format!("{}{}exit code {code}\n", text(&output.stderr), text(&output.stdout))
}

/// Holds what was seen against the golden file, or writes that file anew.
fn hold(golden: &Path, seen: String, wrong: &mut Vec<String>) {
    if std::env::var_os("WEIR_UPDATE_GOLDEN").is_some() {
        return std::fs::write(golden, seen).expect("written");
    }
    let wanted = std::fs::read_to_string(golden).unwrap_or_default();
    if wanted != seen {
        wrong.push(format!("{}\n--- wanted\n{wanted}--- seen\n{seen}", golden.display()));
    }
}

#[test]
fn wrong_rules_are_explained_and_the_right_ones_loaded() {
    let seen = shown(&weir(Path::new(FOLDER), &["check", "--rules", "wrong-rules"]));
    assert!(seen.contains("1 parser, 0 scenarios"), "{seen}");
    let mut wrong = Vec::new();
    hold(&Path::new(FOLDER).join("wrong-rules.txt"), seen, &mut wrong);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn doubts_about_rules_are_warnings_and_notes() {
    let here = Path::new(FOLDER);
    let mut wrong = Vec::new();
    for (arguments, golden) in [
        (&["--lints", "all"][..], "doubtful-rules-all.txt"),
        (&[][..], "doubtful-rules-few.txt"),
        (&["--lints", "none"][..], "doubtful-rules-none.txt"),
    ] {
        let arguments = [&["check", "--rules", "doubtful-rules"], arguments].concat();
        hold(&here.join(golden), shown(&weir(here, &arguments)), &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let code = |arguments: &[&str]| {
        weir(here, &[&["check", "--rules", "doubtful-rules"], arguments].concat()).status.code()
    };
    assert_eq!((code(&[]), code(&["--strict"])), (Some(0), Some(78)));
    assert_eq!(weir(here, &["check", "--strict", "12-warning.yaml"]).status.code(), Some(78));
}

/// A folder of rules of which one file is wrong, with a case.
fn half_wrong() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    };
    let right = "name: x\nonsuccess: next_stage\nstatics: [{meta: a, value: b}]\n";
    write("parsers/s01-parse/right.yaml", right);
    write(
        "parsers/s01-parse/wrong.yaml",
        "name: y\nfilter: evt.Nothing\nstatics: [{meta: a, value: b}]\n",
    );
    write("tests/x.yaml", "lines: [{message: 'x: y', meta: {a: b}}]\n");
    write("log", "Jan  1 00:00:00 host x: y\n");
    write("weir.yaml", "rules: {folders: [.], strict: yes}\n");
    folder
}

#[test]
fn a_wrong_rule_file_is_left_out_unless_strictly_all_are_wanted() {
    let folder = half_wrong();
    let check = |arguments: &[&str], code: i32, said: &str| {
        let output = weir(folder.path(), arguments);
        let seen = shown(&output);
        assert!(seen.contains("evt.Nothing"), "{arguments:?}: the mistake is shown: {seen}");
        assert!(seen.contains(said), "{arguments:?}: {seen}");
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {seen}");
    };
    let none = "a rule file is wrong, and none may be left out";
    check(&["replay", "--rules", ".", "log"], 0, "1");
    check(&["replay", "--rules", ".", "--strict", "log"], 78, none);
    check(&["replay", "--config", "weir.yaml", "log"], 78, none);
    check(&["explain", "--config", "weir.yaml", "log"], 0, "");
    check(&["test", "."], 78, "1 passed");
    check(&["test", ".", "--strict"], 78, "0 passed");
    check(&["check", "--rules", "."], 78, "1 file left out");
}

#[test]
fn wrong_configurations_are_explained() {
    let mut inputs: Vec<PathBuf> = std::fs::read_dir(FOLDER)
        .expect("the folder of cases")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
        .collect();
    inputs.sort();
    assert!(inputs.len() >= 10, "{inputs:?}");
    let mut wrong = Vec::new();
    for input in inputs {
        let name = input.file_name().and_then(|name| name.to_str()).expect("a plain name");
        let seen = shown(&weir(Path::new(FOLDER), &["check", name]));
        hold(&input.with_extension("txt"), seen, &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_right_configuration_is_counted() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::create_dir(folder.path().join("conf.d")).expect("made");
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("written");
    };
    write("weir.yaml", "sources: [{udp: 127.0.0.1:5514}]\nallowlist: {defaults: no}\n");
    write("conf.d/more.yaml", "sources: [{unix: weir.sock}]\nallowlist: [192.0.2.1]\n");
    let output = weir(folder.path(), &["check", "weir.yaml"]);
    assert_eq!(text(&output.stderr), "");
    assert_eq!(
        text(&output.stdout),
        "weir.yaml is valid: 2 sources, 1 allowlist entry, 5 parsers, 11 scenarios\n"
    );
    assert_eq!(output.status.code(), Some(0));

    write("conf.d/worse.yaml", "ban: never\n");
    let output = weir(folder.path(), &["check", "--output", "json", "--config", "weir.yaml"]);
    assert_eq!(output.status.code(), Some(78));
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(answer["valid"], false);
    let mistake = &answer["diagnostics"][0];
    assert_eq!(mistake["file"], "conf.d/worse.yaml");
    assert_eq!((&mistake["line"], &mistake["column"]), (&1.into(), &6.into()));
}

#[test]
fn certificates_are_looked_at() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("written");
    };
    let settings = "sources: [{tcp: 127.0.0.1:6514, tls: {certificate: cert.pem, key: key.pem}}]\n";
    write("weir.yaml", settings);
    let check = |code: i32, words: &str| {
        let output = weir(folder.path(), &["check", "weir.yaml"]);
        let told = text(&output.stderr) + &text(&output.stdout);
        assert!(told.contains(words), "{told}");
        assert_eq!(output.status.code(), Some(code), "{told}");
    };
    check(78, "source `tcp`: cannot read the certificate `cert.pem`: No such file");
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    write("cert.pem", &own.cert.pem());
    write("key.pem", "no key\n");
    check(78, "there is no key in `key.pem`: expected PEM, `-----BEGIN PRIVATE KEY-----`");
    write("key.pem", &own.signing_key.serialize_pem());
    check(0, "every user of this host can read the key");
}

#[test]
fn the_command_line_answers_with_the_codes_of_sysexits() {
    let here = Path::new(FOLDER);
    let code = |arguments: &[&str]| weir(here, arguments).status.code();
    assert_eq!(code(&["--version"]), Some(0));
    assert_eq!(code(&["help", "check"]), Some(0));
    assert_eq!(code(&["chekc"]), Some(64));
    assert_eq!(code(&["check", "--output", "xml"]), Some(64));
    assert_eq!(code(&["check", "absent.yaml"]), Some(78));
}

#[test]
fn completions_and_manual_pages_are_made() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for shell in ["bash", "zsh", "fish"] {
        let output = weir(folder.path(), &["completions", shell]);
        assert!(output.status.success() && text(&output.stdout).contains("check"), "{shell}");
    }
    assert!(weir(folder.path(), &["man", "."]).status.success());
    for page in ["weir.8", "weir-check.8"] {
        let page = std::fs::read_to_string(folder.path().join(page)).expect("a page");
        assert!(page.contains(".TH weir"), "{page}");
    }
}
