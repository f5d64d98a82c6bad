//! `weir completions`: what shells need to complete the command line.

use clap_complete::Shell;

use super::{Exit, complete};

/// Write the completions of a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weir completions bash > /usr/share/bash-completion/completions/weir
  weir completions zsh  > /usr/share/zsh/vendor-completions/_weir
  weir completions fish > /usr/share/fish/vendor_completions.d/weir.fish")]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self, mut command: clap::Command) -> anyhow::Result<Exit> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "weir", &mut script);
        complete(&String::from_utf8(script)?)?;
        Ok(Exit::Success)
    }
}
