//! Where state and sockets go on this machine, now.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::settings::{Folders, FoldersFacts, Settings};

/// Chooses the folders and makes them.
///
/// # Errors
/// When there is no place to write to.
pub fn choose(settings: &Settings) -> anyhow::Result<Folders> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let facts = FoldersFacts {
        state_writable: is_writable(Path::new(Folders::STATE)),
        run_writable: is_writable(Path::new(Folders::RUN)),
        xdg_state_home: variable("XDG_STATE_HOME"),
        xdg_runtime_dir: variable("XDG_RUNTIME_DIR"),
        home: variable("HOME"),
    };
    let folders = Folders::choose(settings.ledger.folder.as_deref(), &facts).context(
        "no folder to keep the ledger in: `/var/lib/weir` cannot be written to and there is no \
         home folder; name one with `ledger: { folder: ... }`",
    )?;
    for folder in [&folders.state, &folders.run] {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
    }
    Ok(folders)
}

/// Whether files can be made in a folder, which is made if it is not there.
fn is_writable(folder: &Path) -> bool {
    if std::fs::create_dir_all(folder).is_err() {
        return false;
    }
    let probe = folder.join(format!(".weir-{}", std::process::id()));
    let made = std::fs::File::create_new(&probe).is_ok();
    // What cannot be removed could not be made.
    let _ = std::fs::remove_file(&probe);
    made
}
