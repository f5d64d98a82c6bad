//! The answer to whoever asks which decisions there are: a list, or `null` where there is none.
//!
//! Some bouncers compare the answer with exactly these four bytes, so nothing is written before
//! the first decision is found. Written piece by piece, like a stream's. Knows no socket.

use super::decision::{Told, write};
use super::query::{About, Filter};
use crate::ledger::{Error, Feed};
use crate::value::Time;

/// Decisions that are read at a time.
const PAGE: u32 = 2_000;

/// An answer that is being written.
#[derive(Debug)]
pub(super) struct Listing {
    filter: Filter,
    now: Time,
    /// The number behind which reading goes on; `None` when all is written.
    after: Option<u64>,
    /// How many more are passed over, and how many written at most.
    skip: usize,
    left: usize,
    n_told: u64,
}

impl Listing {
    pub(super) fn begin(filter: Filter, now: Time) -> Self {
        // As in the clients' own server, none at all is no bound.
        let left = filter.limit.filter(|limit| *limit > 0).unwrap_or(usize::MAX);
        Self { skip: filter.offset, left, filter, now, after: Some(0), n_told: 0 }
    }

    /// How many decisions were written.
    pub(super) fn n_told(&self) -> u64 {
        self.n_told
    }

    /// The next piece; `None` behind the last one. After an error the answer must end as it is.
    pub(super) fn next(&mut self, feed: &Feed) -> Result<Option<Vec<u8>>, Error> {
        let mut out = Vec::new();
        while let Some(after) = self.after {
            let (page, is_all) = match (self.filter.about, self.filter.subject()) {
                (Some(About::Around(net)), _) => (feed.active_around(net)?, true),
                (_, Some(subject)) => (feed.active_about(&subject)?, true),
                _ => (feed.active_by_number(after, PAGE)?, false),
            };
            let is_last = is_all || page.len() < PAGE as usize;
            self.after = page.last().map(|decision| decision.id).filter(|_| !is_last);
            for decision in &page {
                if decision.until < self.now || !self.filter.takes(decision) {
                    continue;
                }
                if self.skip > 0 {
                    self.skip -= 1;
                } else if self.left > 0 {
                    self.left -= 1;
                    out.push(if self.n_told == 0 { b'[' } else { b',' });
                    self.n_told += 1;
                    write(&mut out, decision, Told::InForce, false, self.now);
                }
            }
            if self.left == 0 {
                self.after = None;
            }
            match (self.after, self.n_told) {
                (None, 0) => out.extend_from_slice(b"null"),
                (None, _) => out.push(b']'),
                (Some(_), _) => {}
            }
            if !out.is_empty() {
                return Ok(Some(out));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::super::query::Pairs;
    use super::*;
    use crate::decision::{Action, Allowlist, Origin, parse_net};
    use crate::ledger::{Cause, Ledger, Options, Record};

    fn at(seconds: i64) -> Time {
        Time::from_seconds(seconds)
    }

    fn record(net: &str, until: i64) -> Record {
        Record {
            target: Allowlist::default().admit(parse_net(net).unwrap()).unwrap(),
            action: Action::Ban,
            origin: Origin::Manual,
            reason: "asked for".to_owned(),
            until: at(until),
            events: 0,
            story: None,
        }
    }

    fn answer(feed: &Feed, query: &str, now: i64) -> String {
        let filter = Filter::of(&Pairs::of(query), None).unwrap();
        let mut listing = Listing::begin(filter, at(now));
        let mut body = Vec::new();
        while let Some(piece) = listing.next(feed).unwrap() {
            body.extend(piece);
        }
        String::from_utf8(body).unwrap()
    }

    #[test]
    fn nothing_is_null_and_the_rest_a_list_by_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let mut ledger =
            Ledger::open(&path, Options::default(), &Allowlist::default(), at(0)).unwrap().0;
        let feed = Feed::open(&path).unwrap();
        assert_eq!(answer(&feed, "", 1), "null");
        let all = ["203.0.113.9", "203.0.113.0/24", "203.0.113.5", "2001:db8::/48", "2001:db8::7"];
        let ends = [100, 200, 50, 300, 300];
        let records = all.iter().zip(ends).map(|(net, until)| record(net, until));
        ledger.record(records.collect(), at(1));
        let ended = record("203.0.113.5", 0).target;
        let values = |query: &str, now: i64| {
            let body: serde_json::Value = serde_json::from_str(&answer(&feed, query, now)).unwrap();
            let entries = body.as_array().cloned().unwrap_or_default().into_iter();
            let value = |entry: serde_json::Value| entry["value"].as_str().unwrap().to_owned();
            entries.map(value).collect::<Vec<_>>()
        };
        assert_eq!(values("", 2), all);
        assert_eq!(values("ip=203.0.113.9", 2), ["203.0.113.9", "203.0.113.0/24"]);
        assert_eq!(values("ip=203.0.113.9", 150), ["203.0.113.0/24"], "what is over is not told");
        assert_eq!(values("ip=2001:db8::7", 2), ["2001:db8::/48", "2001:db8::7"]);
        assert_eq!(answer(&feed, "ip=192.0.2.1", 2), "null");
        assert_eq!(
            values("range=203.0.113.0/28&contains=false", 2),
            ["203.0.113.9", "203.0.113.5"]
        );
        assert_eq!(values("offset=1&limit=2", 2), ["203.0.113.0/24", "203.0.113.5"]);
        assert_eq!(answer(&feed, "offset=9", 2), "null");
        ledger.end(&[ended], Cause::Unbanned, at(3));
        assert_eq!(
            values("limit=3&id_gt=1", 4),
            ["203.0.113.0/24", "2001:db8::/48", "2001:db8::7"]
        );
    }

    #[test]
    fn a_long_list_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let mut ledger =
            Ledger::open(&path, Options::default(), &Allowlist::default(), at(0)).unwrap().0;
        let feed = Feed::open(&path).unwrap();
        let n = PAGE * 2;
        let records = (0..n).map(|n| record(&format!("203.0.{}.{}", n >> 8, n & 0xff), 100));
        ledger.record(records.collect(), at(1));
        let body: serde_json::Value = serde_json::from_str(&answer(&feed, "", 2)).unwrap();
        assert_eq!(body.as_array().unwrap().len(), n as usize);
        assert_eq!(answer(&feed, "origins=lists", 2), "null");
    }
}
