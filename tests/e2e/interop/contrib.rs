//! The files that users copy, with the places of a test in them.

use std::path::Path;

use crate::weir::project;

/// The folders that the files name, each of which is another in a test.
const FOLDERS: [(&str, &str); 5] = [
    ("/run/weir", "run"),
    ("/etc/weir/tls", "tls"),
    ("/etc/rsyslog-tls", "tls"),
    ("/etc/syslog-ng-tls", "tls"),
    ("/var/log", "log"),
];

/// A file of `contrib/`, and what it says that Weir needs: the key `sources` of its configuration, or
/// nothing.
pub(crate) struct Contributed {
    pub(crate) text: String,
    pub(crate) sources: String,
}

/// Reads one; its folders are below `folder`, where they are made.
pub(crate) fn read(name: &str, folder: &Path) -> Contributed {
    let mut text = std::fs::read_to_string(project("contrib").join(name)).unwrap();
    for (there, here) in FOLDERS {
        let here = folder.join(here);
        std::fs::create_dir_all(&here).unwrap();
        text = text.replace(there, here.to_str().unwrap());
    }
    let sources: String = text
        .lines()
        .skip_while(|line| !line.starts_with("# Weir's side"))
        .skip(1)
        .map_while(|line| line.strip_prefix("#   "))
        .flat_map(|line| [line, "\n"])
        .collect();
    Contributed { text, sources }
}
