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
    check_one::<unban::Unban>("unban", &[], false);
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
    check_one::<reload::Reload>("reload", &[], true);
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
