//! Where state and sockets go.

use std::path::{Path, PathBuf};

/// What must be known to choose: asked by the daemon at its start.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Whether `/var/lib/weir` is there, or can be made, and can be written to.
    pub state_writable: bool,
    /// The same of `/run/weir`.
    pub run_writable: bool,
    /// `$XDG_STATE_HOME`.
    pub xdg_state_home: Option<PathBuf>,
    /// `$XDG_RUNTIME_DIR`.
    pub xdg_runtime_dir: Option<PathBuf>,
    /// `$HOME`.
    pub home: Option<PathBuf>,
}

/// The folders of one running Weir.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folders {
    /// What must outlive a restart: the ledger.
    pub state: PathBuf,
    /// What need not: sockets.
    pub run: PathBuf,
}

impl Folders {
    /// Where the system's own Weir keeps its state.
    pub const STATE: &'static str = "/var/lib/weir";
    /// Where the system's own Weir has its sockets.
    pub const RUN: &'static str = "/run/weir";

    /// The system's folders where they can be written to, else the user's own. `state` is what the
    /// settings say (`ledger.folder`), if anything. `None` when there is no folder for state.
    #[must_use]
    pub fn choose(state: Option<&Path>, facts: &Facts) -> Option<Self> {
        // XDG: relative paths in these variables are to be ignored.
        let own = |base: &Option<PathBuf>, below: &str| {
            base.as_ref().filter(|base| base.is_absolute()).map(|base| base.join(below))
        };
        let state = match state {
            Some(state) => state.to_owned(),
            None if facts.state_writable => PathBuf::from(Self::STATE),
            None => own(&facts.xdg_state_home, "weir")
                .or_else(|| own(&facts.home, ".local/state/weir"))?,
        };
        let run = if facts.run_writable {
            PathBuf::from(Self::RUN)
        } else {
            own(&facts.xdg_runtime_dir, "weir").unwrap_or_else(|| state.clone())
        };
        Some(Self { state, run })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(given: Option<&str>, facts: &Facts, folders: Option<(&str, &str)>) {
        let chosen = Folders::choose(given.map(Path::new), facts);
        let wanted = folders.map(|(state, run)| Folders { state: state.into(), run: run.into() });
        assert_eq!(chosen, wanted);
    }

    #[test]
    fn system_then_user() {
        let system = Facts { state_writable: true, run_writable: true, ..Facts::default() };
        check(None, &system, Some(("/var/lib/weir", "/run/weir")));
        check(Some("/srv/w"), &system, Some(("/srv/w", "/run/weir")));
        let user = Facts { home: Some("/home/u".into()), ..Facts::default() };
        let state = "/home/u/.local/state/weir";
        check(None, &user, Some((state, state)));
        let xdg = Facts {
            xdg_state_home: Some("/x/state".into()),
            xdg_runtime_dir: Some("/run/user/7".into()),
            ..user
        };
        check(None, &xdg, Some(("/x/state/weir", "/run/user/7/weir")));
        let relative = Facts { xdg_state_home: Some("state".into()), ..Facts::default() };
        check(None, &relative, None);
    }
}
