//! Entry for fuzzing.

use super::Pull;
use crate::settings::{Remote, RemoteTls, RemoteUrl};

/// Reads bytes as an answer of the stream, in pieces of a length that the first byte says.
#[doc(hidden)]
pub fn fuzz_pull(bytes: &[u8]) {
    let Some((&length, bytes)) = bytes.split_first() else { return };
    let remote = Remote {
        name: "fuzz".to_owned(),
        url: RemoteUrl::Unix("/".into()),
        key: None,
        tls: RemoteTls::default(),
        every: std::time::Duration::from_secs(1),
        origins: Vec::new(),
        containing: Vec::new(),
        not_containing: Vec::new(),
        types: vec!["ban".to_owned()],
        most: 100,
        relayed: false,
        machine: None,
    };
    for is_whole in [true, false] {
        let mut pull = Pull::new(&remote, is_whole);
        let mut parts = bytes.chunks(usize::from(length).max(1));
        if parts.all(|part| pull.push(part).is_ok())
            && let Ok(heard) = pull.finish()
        {
            assert!(heard.wanted.len() <= remote.most, "no more than is taken");
            assert!(heard.wanted.iter().all(|(_, duration, _)| *duration > 0), "some time is left");
        }
    }
}
