//! The command line hangs together.

use super::*;

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[track_caller]
fn check(arguments: &[&str], sound: bool) {
    let parsed = Cli::try_parse_from([&["weir"], arguments].concat());
    assert_eq!(parsed.is_ok(), sound, "{arguments:?}: {parsed:?}");
}

#[test]
fn arguments() {
    check(&["check"], true);
    check(&["check", "a.yaml"], true);
    check(&["check", "--config", "a.yaml", "--output", "json"], true);
    check(&["--config", "a.yaml", "--color", "never", "check"], true);
    check(&["check", "--config", "a.yaml", "b.yaml"], false);
    check(&["check", "--output", "xml"], false);
    check(&["completions", "bash"], true);
    check(&["completions"], false);
    check(&["man"], true);
    check(&["test"], true);
    check(&["test", "rules", "--case", "ssh"], true);
    check(&["test", "--hub", "hub", "--now", "2026-06-01", "--update", "ssh-bf"], true);
    check(&["test", "--hub", "hub", "--now", "June"], false);
    check(&["test", "--now", "2026-06-01"], false);
    check(&["test", "--hub", "hub", "--case", "ssh"], false);
    check(&["chekc"], false);
    check(&[], false);
}

/// The arguments `A` of the command `name`.
#[track_caller]
fn check_one<A: clap::Args + std::fmt::Debug>(name: &'static str, arguments: &[&str], sound: bool) {
    let command = A::augment_args(clap::Command::new(name));
    command.clone().debug_assert();
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    assert!(help.contains(&format!("Examples:\n  weir {name}")), "{help}");
    let parsed = command.try_get_matches_from([&[name], arguments].concat());
    let parsed = parsed.and_then(|matches| A::from_arg_matches(&matches));
    assert_eq!(parsed.is_ok(), sound, "{name} {arguments:?}: {parsed:?}");
}

#[test]
fn arguments_of_each_command() {
    check_one::<run::Run>("run", &["--observe"], true);
    check_one::<replay::Replay>("replay", &["--rules", "a", "--rules", "b", "c", "-"], true);
    check_one::<replay::Replay>("replay", &[], false);
    check_one::<doctor::Doctor>("doctor", &["--offline", "--output", "json"], true);
    check_one::<setup::Setup>("setup", &["--yes", "--overwrite", "--root", "/mnt"], true);
    check_one::<setup::Setup>("setup", &["--overwrite"], false);
    check_one::<setup::Setup>("setup", &["--yes", "--dry-run"], false);
    check_one::<doctor::Doctor>("doctor", &["--certificate", "a"], false);
    check_one::<doctor::Doctor>("doctor", &["--certificate", "a", "--key", "b"], true);
    check_one::<explain::Explain>("explain", &["-"], true);
    check_one::<explain::Explain>("explain", &[], false);
    check_one::<explain::Explain>("explain", &["--last"], true);
    check_one::<explain::Explain>("explain", &["--last", "sshd", "-n", "5", "--uncounted"], true);
    check_one::<explain::Explain>("explain", &["--last", "-", "--rules", "rules"], true);
    check_one::<explain::Explain>("explain", &["--last", "sshd", "-n", "0"], false);
    check_one::<explain::Explain>("explain", &["log", "--last"], false);
    check_one::<explain::Explain>("explain", &["log", "-n", "3"], false);
    check_one::<test::Test>("test", &["rules", "--case", "ssh"], true);
    check_one::<ban::Ban>("ban", &["192.0.2.7", "--for", "24h", "--reason", "a test"], true);
    check_one::<ban::Ban>("ban", &["192.0.2.7", "--for", "24"], false);
    check_one::<ban::Ban>("ban", &["host.example"], false);
    check_one::<unban::Unban>("unban", &["2001:db8::/64"], true);
    check_one::<unban::Unban>("unban", &["--all"], true);
    check_one::<unban::Unban>("unban", &["--all", "192.0.2.7"], false);
    check_one::<unban::Unban>("unban", &["--all", "--origin", "list"], false);
    check_one::<unban::Unban>("unban", &["192.0.2.7", "192.0.2.8", "--dry-run", "--yes"], true);
    check_one::<unban::Unban>("unban", &["192.0.2.0/24", "--inside"], true);
    check_one::<unban::Unban>("unban", &["--scenario", "ssh-bf", "--since", "2h"], true);
    check_one::<unban::Unban>("unban", &["--origin", "nobody"], false);
    check_one::<unban::Unban>("unban", &["--inside"], false);
    check_one::<unban::Unban>("unban", &[], false);
    check_one::<why::WhyArgs>("why", &["192.0.2.7", "--output", "json"], true);
    check_one::<why::WhyArgs>("why", &[], false);
    check_one::<import::ImportArgs>("import", &["-", "--origin", "x", "--for", "24h"], true);
    check_one::<import::ImportArgs>("import", &["a.csv", "--format", "csv", "--strict"], true);
    check_one::<import::ImportArgs>("import", &[], false);
    check_one::<export::ExportArgs>("export", &["--output", "csv", "--origin", "list"], true);
    check_one::<export::ExportArgs>("export", &["--output", "yaml"], false);
    check_one::<list::List>("list", &["--reason", "ssh", "--output", "json"], true);
    check_one::<listen::Listen>("listen", &["udp", "tcp", "--count", "3"], true);
    check_one::<listen::Listen>(
        "listen",
        &["--udp", "[::1]:5515", "--udp", "127.0.0.1:0", "--unix", "a.sock", "--quiet-after", "5s"],
        true,
    );
    check_one::<listen::Listen>("listen", &["--udp", "5514"], false);
    check_one::<listen::Listen>("listen", &["udp", "--udp", "127.0.0.1:5515"], false);
    check_one::<listen::Listen>("listen", &["--count", "0"], false);
    check_one::<status::Status>("status", &[], true);
    check_one::<top::Top>("top", &["-n", "3", "--interval", "500ms"], true);
    check_one::<top::Top>("top", &["--interval", "10ms"], false);
    check_one::<metrics::MetricsArgs>("metrics", &["acquisition", "buckets", "--all"], true);
    check_one::<metrics::MetricsArgs>("metrics", &["--list"], true);
    check_one::<metrics::MetricsArgs>("metrics", &["--list", "buckets"], false);
    check_one::<metrics::MetricsArgs>("metrics", &["moons"], false);
    check_one::<reload::Reload>("reload", &[], true);
    check_one::<flush::Flush>("flush", &["--undo"], true);
    check_one::<flush::Flush>("flush", &["192.0.2.7"], false);
    check_one::<demo::Demo>("demo", &[], true);
}

/// Whoever reads the help of a command sees how it is used.
#[test]
fn every_command_shows_examples() {
    for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(help.contains("Examples:\n  weir "), "{}", command.get_name());
        assert!(command.get_about().is_some(), "{}", command.get_name());
    }
}
