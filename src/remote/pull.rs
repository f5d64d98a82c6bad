//! An answer of the stream, read as it arrives and held until it is whole.
//!
//! Must hold: it is carried out as a whole or not at all, what is deleted before what is new,
//! whatever order they came in; and it takes no more memory than so many decisions do.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::entry::{Key, Reading};
use super::stream::{News, Scanner};
use crate::settings::Remote;

/// What the other side said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// What it does not ask for any more.
    pub gone: Vec<Key>,
    /// What it asks for, for so many nanoseconds more, and why.
    pub wanted: Vec<(Key, i64, Arc<str>)>,
    /// Entries that were passed over, by a word of [`super::SKIPPED`].
    pub skipped: BTreeMap<&'static str, u64>,
    /// Those that were more than are taken.
    pub too_many: u64,
}

/// An answer that is being read.
pub struct Pull<'a> {
    remote: &'a Remote,
    is_whole: bool,
    scanner: Scanner,
    heard: Heard,
    reasons: HashSet<Arc<str>>,
}

/// Different reasons that are kept once; beyond it each decision has its own.
const MOST_REASONS: usize = 10_000;
/// What is deleted may be named twice, and may never have been asked for.
const DELETED_BEYOND: usize = 4;

impl<'a> Pull<'a> {
    /// An answer of a remote: all that it asks for, or what changed.
    #[must_use]
    pub fn new(remote: &'a Remote, is_whole: bool) -> Self {
        let heard = Heard::default();
        Self { remote, is_whole, scanner: Scanner::new(), heard, reasons: HashSet::new() }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// What is wrong with the answer, in words.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), String> {
        let Self { remote, is_whole, scanner, heard, reasons } = self;
        let reading = Reading { remote: &remote.name, types: &remote.types };
        scanner.push(bytes, &mut |news, entry| {
            match news {
                News::New => match reading.wanted(entry) {
                    Ok(_) if heard.wanted.len() >= remote.most => heard.too_many += 1,
                    Ok(entry) => {
                        let reason = kept_once(reasons, entry.reason);
                        heard.wanted.push((entry.key, entry.duration, reason));
                    }
                    Err(why) => *heard.skipped.entry(why).or_default() += 1,
                },
                // Who is told all needs to know nothing of what is not.
                News::Deleted if *is_whole => {}
                News::Deleted => {
                    // What is not understood was counted when it was new.
                    let Ok(key) = reading.gone(entry) else { return Ok(()) };
                    if heard.gone.len() >= remote.most.saturating_mul(DELETED_BEYOND) {
                        return Err("more is deleted than was ever asked for".to_owned());
                    }
                    heard.gone.push(key);
                }
            }
            Ok(())
        })
    }

    /// What was said, once the answer is whole.
    ///
    /// # Errors
    /// What is missing, in words.
    pub fn finish(self) -> Result<Heard, String> {
        self.scanner.finish()?;
        Ok(self.heard)
    }
}

fn kept_once(reasons: &mut HashSet<Arc<str>>, reason: String) -> Arc<str> {
    if let Some(known) = reasons.get(reason.as_str()) {
        return Arc::clone(known);
    }
    let reason: Arc<str> = reason.into();
    if reasons.len() < MOST_REASONS {
        reasons.insert(Arc::clone(&reason));
    }
    reason
}

/// What is asked for, as a path with its query: all, or what changed.
#[must_use]
pub fn path(remote: &Remote, is_whole: bool) -> String {
    let mut path = format!("/v1/decisions/stream?startup={is_whole}&scopes=ip,range");
    let mut add = |key: &str, words: &[String]| {
        if !words.is_empty() {
            let words: Vec<String> = words
                .iter()
                .map(|word| {
                    let set = percent_encoding::NON_ALPHANUMERIC;
                    percent_encoding::utf8_percent_encode(word, set).to_string()
                })
                .collect();
            path.push_str(&format!("&{key}={}", words.join(",")));
        }
    };
    add("origins", &remote.origins);
    add("scenarios_containing", &remote.containing);
    add("scenarios_not_containing", &remote.not_containing);
    if !remote.relayed {
        // Understood by Weir; others pass it over.
        path.push_str("&relayed=false");
    }
    path
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::settings::{RemoteTls, RemoteUrl};

    pub(in crate::remote) fn remote() -> Remote {
        Remote {
            name: "hq".to_owned(),
            url: RemoteUrl::Unix("/nowhere".into()),
            key: None,
            tls: RemoteTls::default(),
            every: std::time::Duration::from_secs(1),
            origins: Vec::new(),
            containing: Vec::new(),
            not_containing: Vec::new(),
            types: vec!["ban".to_owned()],
            most: 3,
            relayed: false,
            machine: None,
        }
    }

    fn pull(text: &str, is_whole: bool) -> Result<Heard, String> {
        let remote = remote();
        let mut pull = Pull::new(&remote, is_whole);
        for part in text.as_bytes().chunks(5) {
            pull.push(part)?;
        }
        pull.finish()
    }

    fn entry(value: &str, duration: &str) -> String {
        format!(
            r#"{{"duration":"{duration}","origin":"cscli","scenario":"x","scope":"Ip","type":"ban","value":"{value}"}}"#
        )
    }

    #[test]
    fn answers_become_what_is_asked_for() {
        let new = [entry("192.0.2.1", "1h"), entry("192.0.2.2", "0s"), entry("192.0.2.3", "2h")];
        let deleted = [entry("192.0.2.9", "-5s"), entry("x", "-5s")];
        let text = format!(r#"{{"deleted":[{}],"new":[{}]}}"#, deleted.join(","), new.join(","));
        let heard = pull(&text, false).unwrap();
        assert_eq!(heard.gone, [("192.0.2.9/32".parse().unwrap(), "".into())]);
        let shown: Vec<_> =
            heard.wanted.iter().map(|(key, _, why)| (key.0.to_string(), &**why)).collect();
        let expected = [("192.0.2.1/32", "hq/cscli: x"), ("192.0.2.3/32", "hq/cscli: x")];
        assert_eq!(shown, expected.map(|(net, why)| (net.to_owned(), why)));
        assert!(Arc::ptr_eq(&heard.wanted[0].2, &heard.wanted[1].2), "a reason is kept once");
        assert_eq!(heard.skipped, [("over", 1)].into());
        assert_eq!(pull(&text, true).unwrap().gone, []);
    }

    #[test]
    fn answers_are_bounded() {
        let many =
            |n: u32| (0..n).map(|n| entry(&format!("192.0.2.{n}"), "1h")).collect::<Vec<_>>();
        let text = format!(r#"{{"new":[{}],"deleted":[]}}"#, many(5).join(","));
        let heard = pull(&text, true).unwrap();
        assert_eq!((heard.wanted.len(), heard.too_many), (3, 2));
        let text = format!(r#"{{"new":[],"deleted":[{}]}}"#, many(13).join(","));
        assert_eq!(pull(&text, false).unwrap_err(), "more is deleted than was ever asked for");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_survived(
            length in 1..9_u8,
            text in "([{}\\[\\]:,\" ]|new|deleted|null|type|ban|value|192.0.2.1|duration|1h){0,60}",
        ) {
            crate::remote::fuzz_pull(&[&[length], text.as_bytes()].concat());
        }
    }

    #[test]
    fn questions_name_what_is_wanted() {
        let mut remote = remote();
        assert_eq!(
            path(&remote, true),
            "/v1/decisions/stream?startup=true&scopes=ip,range&relayed=false"
        );
        remote.origins = vec!["crowdsec".to_owned(), "lists:a b&c".to_owned()];
        remote.not_containing = vec!["http".to_owned()];
        remote.relayed = true;
        assert_eq!(
            path(&remote, false),
            "/v1/decisions/stream?startup=false&scopes=ip,range&origins=crowdsec,lists%3Aa%20b%26c\
             &scenarios_not_containing=http"
        );
    }
}
