//! The prefixes of a list, to be found quickly: the addresses of a big one are a million.

use ipnet::IpNet;

use super::Entry;
use crate::value::Time;

/// Prefixes in their order, each once, and until when each is banned if the list says so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nets {
    sorted: Vec<(IpNet, Option<Time>)>,
    /// The lengths that occur.
    lengths: Vec<(bool, u8)>,
}

impl Nets {
    /// Those of a list that was written at `written_at`: spans of time count from there. Of one that
    /// is there twice the longer counts.
    #[must_use]
    pub fn of(entries: &[Entry], written_at: Time) -> Self {
        let until = |entry: &Entry| entry.duration.map(|nanos| written_at.plus(nanos));
        let mut sorted: Vec<_> = entries.iter().map(|entry| (entry.net, until(entry))).collect();
        // Without an end is longer than with any.
        sorted.sort_by_key(|(net, until)| (*net, until.is_some(), std::cmp::Reverse(*until)));
        sorted.dedup_by_key(|(net, _)| *net);
        let mut lengths: Vec<_> = sorted.iter().map(|(net, _)| length(*net)).collect();
        lengths.sort_unstable();
        lengths.dedup();
        Self { sorted, lengths }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sorted.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[(IpNet, Option<Time>)] {
        &self.sorted
    }

    /// Whether this very prefix is one of them.
    #[must_use]
    pub fn has(&self, net: IpNet) -> bool {
        self.sorted.binary_search_by_key(&net, |(net, _)| *net).is_ok()
    }

    /// Whether `net` is one of them or lies in one.
    #[must_use]
    pub fn covers(&self, net: IpNet) -> bool {
        let is_v4 = net.addr().is_ipv4();
        self.lengths
            .iter()
            .filter(|(of_v4, length)| *of_v4 == is_v4 && *length <= net.prefix_len())
            .filter_map(|(_, length)| IpNet::new(net.addr(), *length).ok())
            .any(|wider| self.has(wider.trunc()))
    }
}

fn length(net: IpNet) -> (bool, u8) {
    (net.addr().is_ipv4(), net.prefix_len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::decision::parse_net;

    fn entry(text: &str, seconds: Option<i64>) -> Entry {
        let duration = seconds.map(|seconds| seconds * 1_000_000_000);
        Entry { net: parse_net(text).unwrap(), duration, reason: None, line: 1 }
    }

    #[test]
    fn of_two_the_longer_counts() {
        let nets = Nets::of(
            &[
                entry("203.0.113.7", Some(5)),
                entry("203.0.113.7", Some(9)),
                entry("203.0.113.8", Some(5)),
                entry("203.0.113.8", None),
            ],
            Time::from_seconds(100),
        );
        let ends: Vec<_> = nets.all().iter().map(|(_, until)| until.map(Time::seconds)).collect();
        assert_eq!(ends, [Some(109), None]);
    }

    proptest! {
        #[test]
        fn covers_what_lies_in_one(
            nets in prop::collection::vec((0_u8..32, 26_u8..=32), 0..8),
            probe in (0_u8..32, 26_u8..=32),
        ) {
            let net = |(low, length): (u8, u8)| {
                parse_net(&format!("203.0.113.{low}/{length}")).unwrap()
            };
            let entries: Vec<Entry> =
                nets.iter().map(|one| entry(&net(*one).to_string(), None)).collect();
            let found = Nets::of(&entries, Time::from_seconds(0));
            let probe = net(probe);
            prop_assert_eq!(found.has(probe), nets.iter().any(|one| net(*one) == probe));
            prop_assert_eq!(found.covers(probe), nets.iter().any(|one| net(*one).contains(&probe)));
        }
    }
}
