//! The command line: one file for each subcommand.
//!
//! [`main`] reads the arguments, runs the subcommand and turns what came of it into an exit code
//! of sysexits(3), see [`Exit`]. A subcommand writes its results to standard output and everything
//! about them to standard error. Only here and in the daemon are errors given a context with
//! `anyhow`.

#![forbid(unsafe_code)]

pub mod allow;
mod arguments;
mod asking;
pub mod ban;
pub mod bouncers;
pub mod brake;
mod check;
mod completions;
pub mod demo;
pub mod discover;
pub mod doctor;
mod exit;
pub mod explain;
pub mod export;
mod figures;
pub mod flush;
mod forwards;
mod grid;
pub mod import;
pub mod list;
pub mod listen;
mod loading;
pub mod machines;
mod man;
pub mod metrics;
pub mod new_parser;
mod output;
pub mod page;
mod progress;
pub mod reload;
pub mod replay;
pub mod run;
pub mod setup;
pub mod status;
pub mod test;
pub mod top;
pub mod unban;
pub mod why;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};

pub use exit::{Exit, Failed};
pub use output::{Output, complete};

/// The command line of `weir`.
#[derive(Debug, Parser)]
#[command(
    name = "weir",
    version,
    about = "Understands log lines by rules and bans attackers in the kernel",
    long_about = "Weir stands in the log stream of a Linux server and bars those who misbehave. It \
                  receives syslog over UDP, TCP and Unix sockets, understands each line by rules \
                  written in YAML, counts offences in leaky buckets, and bans offenders through \
                  nftables.",
    after_help = "Every command has more to say under `weir help COMMAND`.",
    after_long_help = LONG_HELP,
    subcommand_required = true,
    arg_required_else_help = true,
    propagate_version = true,
    disable_help_subcommand = false
)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options of every subcommand.
#[derive(Clone, Debug, clap::Args)]
pub struct Global {
    /// The configuration file [default: /etc/weir/weir.yaml if it exists, else built-in defaults]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Colour in what is written for people
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_default_value = true
    )]
    color: Color,
}

/// When to write in colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Run),
    Check(check::Check),
    Status(status::Status),
    Top(top::Top),
    Metrics(metrics::MetricsArgs),
    List(list::List),
    Listen(listen::Listen),
    Ban(ban::Ban),
    Brake(brake::Brake),
    Bouncers(bouncers::Bouncers),
    Machines(machines::Machines),
    Unban(unban::Unban),
    Why(why::WhyArgs),
    Page(page::Page),
    Import(import::ImportArgs),
    Export(export::ExportArgs),
    Allow(allow::Allow),
    Flush(flush::Flush),
    Reload(reload::Reload),
    Replay(replay::Replay),
    Explain(explain::Explain),
    Discover(discover::Discover),
    NewParser(new_parser::NewParser),
    Demo(demo::Demo),
    Doctor(doctor::Doctor),
    Setup(setup::Setup),
    Completions(completions::Completions),
    Man(man::Man),
    Test(test::Test),
}

const LONG_HELP: &str = "\
Files:
  /etc/weir/weir.yaml      the configuration; none is needed
  /etc/weir/conf.d/*.yaml  read after it, in the order of their names
  /etc/weir/rules          rules of this host, loaded after those that come with Weir
  /var/lib/weir            the ledger of bans
  /run/weir                sockets

Exit codes:
  0   all is well
  1   the answer is no, or something failed
  64  the command line is wrong
  69  the daemon cannot be reached
  77  permission is missing
  78  the configuration or a rule is wrong

Every command has more to say under `weir help COMMAND`.";

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(answer) => {
            // Help and version are asked for; all else is a mistake. Nobody may be listening.
            let _ = answer.print();
            return if answer.use_stderr() { Exit::Usage } else { Exit::Success }.into();
        }
    };
    match cli.global.color {
        Color::Auto => {}
        Color::Always => anstream::ColorChoice::Always.write_global(),
        Color::Never => anstream::ColorChoice::Never.write_global(),
    }
    let done = match cli.command {
        Command::Run(run) => run.run(&cli.global),
        Command::Check(check) => check.run(&cli.global),
        Command::Status(status) => status.run(&cli.global),
        Command::Top(top) => top.run(&cli.global),
        Command::Metrics(metrics) => metrics.run(&cli.global),
        Command::List(list) => list.run(&cli.global),
        Command::Listen(listen) => listen.run(&cli.global),
        Command::Ban(ban) => ban.run(&cli.global),
        Command::Brake(brake) => brake.run(&cli.global),
        Command::Bouncers(bouncers) => bouncers.run(&cli.global),
        Command::Machines(machines) => machines.run(&cli.global),
        Command::Unban(unban) => unban.run(&cli.global),
        Command::Why(why) => why.run(&cli.global),
        Command::Page(page) => page.run(&cli.global),
        Command::Import(import) => import.run(&cli.global),
        Command::Export(export) => export.run(&cli.global),
        Command::Allow(unban) => unban.run(&cli.global),
        Command::Flush(flush) => flush.run(&cli.global),
        Command::Reload(reload) => reload.run(&cli.global),
        Command::Replay(replay) => replay.run(&cli.global),
        Command::Explain(explain) => explain.run(&cli.global),
        Command::Discover(discover) => discover.run(&cli.global),
        Command::NewParser(proposal) => proposal.run(&cli.global),
        Command::Demo(demo) => demo.run(&cli.global),
        Command::Doctor(doctor) => doctor.run(&cli.global),
        Command::Setup(setup) => setup.run(),
        Command::Completions(completions) => completions.run(Cli::command()),
        Command::Man(man) => man.run(Cli::command()),
        Command::Test(test) => test.run(),
    };
    match done {
        Ok(exit) => exit.into(),
        Err(error) => {
            output::complain(&error);
            Exit::of(&error).into()
        }
    }
}
