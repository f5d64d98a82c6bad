//! `weir man`: the manual pages, made from the same words as the help and the installed
//! configuration.

mod configuration;

use std::path::PathBuf;

use anyhow::Context as _;

use super::{Exit, complete};

/// Write the manual pages
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub(super) struct Man {
    /// Write weir.8, a page for each command, and weir.yaml.5 into this folder; without it, weir.8
    /// to standard output
    #[arg(value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

impl Man {
    pub(super) fn run(self, command: clap::Command) -> anyhow::Result<Exit> {
        let Some(folder) = self.folder else {
            let (_, page) = page(command)?;
            complete(&page)?;
            return Ok(Exit::Success);
        };
        let mut command = command;
        command.build();
        let below: Vec<clap::Command> = command
            .get_subcommands()
            .filter(|below| !below.is_hide_set() && below.get_name() != "help")
            .cloned()
            .collect();
        let mut pages = vec![("weir.yaml.5".to_owned(), configuration::page())];
        for command in std::iter::once(command).chain(below) {
            pages.push(page(command)?);
        }
        for (name, page) in pages {
            let path = folder.join(name);
            std::fs::write(&path, page)
                .with_context(|| format!("cannot write `{}`", path.display()))?;
        }
        Ok(Exit::Success)
    }
}

/// A command's page and the name of its file. Section 8: for those who run the system.
fn page(command: clap::Command) -> anyhow::Result<(String, String)> {
    let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
    let mut page = Vec::new();
    let man = clap_mangen::Man::new(command).section("8").manual("Weir");
    man.render(&mut page)?;
    Ok((format!("{name}.8"), String::from_utf8(page)?))
}
