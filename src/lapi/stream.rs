//! What a bouncer that follows is told: what is new and what ended since it asked last.
//!
//! Written piece by piece, each from one page of the ledger, so that an answer of any length takes
//! the memory of a page, and a slow reader holds nobody up. Knows no socket.

use super::decision::{SECOND, Told, is_worth_telling, write};
use super::query::Filter;
use crate::ledger::{Error, Feed, Place, Which};
use crate::value::Time;

/// Decisions that are read at a time.
const PAGE: u32 = 2_000;

/// An answer that is being written.
#[derive(Debug)]
pub(super) struct Answer {
    filter: Filter,
    now: Time,
    /// The version that the bouncer has once it has read all of it.
    to: i64,
    from: i64,
    /// Entries written so far: new, deleted.
    n_told: [u64; 2],
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Reading { which: Which, place: Place, is_first: bool },
    Done,
}

impl Answer {
    /// An answer for somebody who has this version, or nothing yet.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub(super) fn begin(
        feed: &Feed,
        filter: Filter,
        has: Option<i64>,
        now: Time,
    ) -> Result<Self, Error> {
        let to = feed.version()?;
        // Whoever is ahead of the ledger followed another one: it is told everything.
        let from = has.filter(|has| *has <= to).unwrap_or(-1);
        let state =
            State::Reading { which: Which::Active, place: (from, u64::MAX), is_first: true };
        Ok(Self { filter, now, to, from, n_told: [0; 2], state })
    }

    /// The version that the bouncer has once it has read all of it.
    pub(super) fn version(&self) -> i64 {
        self.to
    }

    /// How many entries were written: new, deleted.
    pub(super) fn n_told(&self) -> [u64; 2] {
        self.n_told
    }

    /// The next piece; `None` behind the last one. After an error the answer must end as it is:
    /// what is not closed is no JSON, and the bouncer asks again.
    pub(super) fn next(&mut self, feed: &Feed) -> Result<Option<Vec<u8>>, Error> {
        let State::Reading { which, mut place, mut is_first } = self.state else {
            return Ok(None);
        };
        let mut out = Vec::new();
        if which == Which::Active && place == (self.from, u64::MAX) {
            out.extend_from_slice(b"{\"new\": [");
        }
        let page = feed.page(which, place, self.to, PAGE)?;
        for decision in &page {
            place = decision.place();
            let is_ban = self.filter.takes_action(decision) && is_worth_telling(decision, self.now);
            let is_told = match which {
                Which::Active => is_ban,
                Which::Ended => true,
                // Some were told as bans before.
                Which::Idle(_) => !is_ban,
            };
            if is_told && self.filter.takes_whatever_action(decision) {
                if !std::mem::take(&mut is_first) {
                    out.push(b',');
                }
                let state = if which == Which::Active { Told::InForce } else { Told::Over };
                self.n_told[usize::from(which != Which::Active)] += 1;
                write(&mut out, decision, state, true, self.now);
            }
        }
        self.state = if page.len() == PAGE as usize {
            State::Reading { which, place, is_first }
        } else {
            let place = (self.from, u64::MAX);
            match which {
                Which::Active => {
                    out.extend_from_slice(b"], \"deleted\": [");
                    State::Reading { which: Which::Ended, place, is_first: true }
                }
                // Whoever begins never had them as bans.
                Which::Ended if self.from >= 0 => {
                    let soon = self.now.plus(SECOND);
                    State::Reading { which: Which::Idle(soon), place, is_first }
                }
                Which::Ended | Which::Idle(_) => {
                    out.extend_from_slice(b"]}");
                    State::Done
                }
            }
        };
        Ok(Some(out))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::collection::vec;
    use proptest::prelude::*;
    use serde_json::Value;

    use super::super::query::Pairs;
    use super::*;
    use crate::decision::{Action, Allowlist, Origin, Other, Target, parse_net, scope_and_value};
    use crate::ledger::{Cause, Ledger, NewOther, Options, Record};

    fn at(seconds: i64) -> Time {
        Time::from_seconds(seconds)
    }

    fn target(n: u8) -> Target {
        let net = match n % 3 {
            0 => format!("203.0.113.{n}"),
            1 => format!("198.51.{n}.0/24"),
            _ => format!("2001:db8:{n:x}::/64"),
        };
        Allowlist::default().admit(parse_net(&net).unwrap()).unwrap()
    }

    fn open(folder: &tempfile::TempDir, now: i64) -> Ledger {
        let path = folder.path().join("ledger.db");
        Ledger::open(&path, Options::default(), &Allowlist::default(), at(now)).unwrap().0
    }

    fn record(n: u8, action: Action, until: i64) -> Record {
        Record {
            target: target(n),
            action,
            origin: Origin::Scenario,
            reason: "ssh-bf".to_owned(),
            until: at(until),
            events: 1,
            story: None,
        }
    }

    /// On the same address as the ban of that number, or on another subject.
    fn other(n: u8) -> Other {
        let (scope, value) = scope_and_value(target(n).net());
        match n % 2 {
            0 => Other::new("captcha", scope, &value).unwrap(),
            _ => Other::new("ban", "Country", &format!("x{n}")).unwrap(),
        }
    }

    fn answer(feed: &Feed, has: Option<i64>, now: i64) -> (Value, i64) {
        let filter = Filter::of(&Pairs::of("scopes=ip,range,country"), None).unwrap();
        let mut answer = Answer::begin(feed, filter, has, at(now)).unwrap();
        let mut body = Vec::new();
        while let Some(piece) = answer.next(feed).unwrap() {
            body.extend(piece);
        }
        let version = answer.version();
        (serde_json::from_slice(&body).expect("an answer is JSON"), version)
    }

    /// A bouncer that follows the stream: what is deleted goes, then what is new comes; an entry
    /// goes by itself when its time is up.
    #[derive(Default)]
    struct Bouncer {
        version: Option<i64>,
        /// The end of each, in seconds.
        holds: BTreeMap<String, i64>,
    }

    impl Bouncer {
        fn pull(&mut self, feed: &Feed, now: i64, is_lost: bool) {
            let (body, version) = answer(feed, self.version, now);
            if is_lost {
                return;
            }
            let value = |entry: &Value| {
                let part = |name| entry[name].as_str().unwrap();
                format!("{} {}", part("type"), part("value"))
            };
            for entry in body["deleted"].as_array().unwrap() {
                assert!(
                    entry["duration"] == "0s"
                        || entry["duration"].as_str().unwrap().starts_with('-')
                );
                self.holds.remove(&value(entry));
            }
            for entry in body["new"].as_array().unwrap() {
                let left =
                    crate::value::parse_duration(entry["duration"].as_str().unwrap()).unwrap();
                assert!(left >= 1_000_000_000);
                self.holds.insert(value(entry), now + left / 1_000_000_000);
            }
            self.holds.retain(|_, until| *until > now);
            self.version = Some(version);
        }
    }

    #[derive(Clone, Debug)]
    enum Deed {
        Ban(u8, i64),
        Observe(u8, i64),
        End(u8),
        /// A list asks for it, and then does not any more.
        List(u8, i64),
        Withdraw(u8),
        /// What only bouncers carry out.
        Other(u8, i64),
        EndOther(u8),
        Wait(i64),
        Expire,
        Restart,
        Pull(bool),
        Begin,
    }

    fn deed() -> impl Strategy<Value = Deed> {
        prop_oneof![
            5 => (0..9_u8, 1..60_i64).prop_map(|(n, length)| Deed::Ban(n, length)),
            1 => (0..9_u8, 1..60_i64).prop_map(|(n, length)| Deed::Observe(n, length)),
            3 => (0..9_u8).prop_map(Deed::End),
            2 => (0..9_u8, 1..60_i64).prop_map(|(n, length)| Deed::List(n, length)),
            2 => (0..9_u8).prop_map(Deed::Withdraw),
            3 => (0..9_u8, 1..60_i64).prop_map(|(n, length)| Deed::Other(n, length)),
            2 => (0..9_u8).prop_map(Deed::EndOther),
            3 => (1..30_i64).prop_map(Deed::Wait),
            2 => Just(Deed::Expire),
            1 => Just(Deed::Restart),
            4 => prop::bool::weighted(0.2).prop_map(Deed::Pull),
            1 => Just(Deed::Begin),
        ]
    }

    proptest! {
        /// With `PROPTEST_CASES` as many sequences as one likes.
        #[test]
        fn whoever_follows_holds_what_is_in_force(deeds in vec(deed(), 0..40)) {
            let folder = tempfile::tempdir().unwrap();
            let mut ledger = open(&folder, 0);
            let feed = Feed::open(&folder.path().join("ledger.db")).unwrap();
            let mut bouncer = Bouncer::default();
            let mut now = 1;
            for deed in deeds.into_iter().chain([Deed::Pull(false)]) {
                match deed {
                    Deed::Ban(n, length) => {
                        ledger.record(vec![record(n, Action::Ban, now + length)], at(now));
                    }
                    Deed::Observe(n, length) => {
                        ledger.record(vec![record(n, Action::Observe, now + length)], at(now));
                    }
                    Deed::End(n) => drop(ledger.end(&[target(n)], Cause::Unbanned, at(now))),
                    Deed::List(n, length) => {
                        let (origin, reason) = (Origin::List, "drop".to_owned());
                        let record = record(n, Action::Ban, now + length);
                        ledger.record(vec![Record { origin, reason, ..record }], at(now));
                    }
                    Deed::Withdraw(n) => drop(ledger.withdraw(&[target(n)], "drop", at(now))),
                    Deed::Other(n, length) => {
                        let (origin, reason) = (Origin::Manual, String::new());
                        let new = NewOther { other: other(n), origin, reason, until: at(now + length) };
                        ledger.begin_others(vec![new], at(now)).unwrap();
                    }
                    Deed::EndOther(n) => {
                        let wanted = other(n);
                        let fit = ledger.others(at(now)).filter(|(_, held)| **held == wanted);
                        let numbers: Vec<u64> = fit.map(|(id, _)| id).collect();
                        ledger.end_others(&numbers, Cause::Unbanned, at(now)).unwrap();
                    }
                    Deed::Wait(seconds) => now += seconds,
                    Deed::Expire => drop(ledger.expire(at(now))),
                    Deed::Restart => {
                        drop(ledger);
                        ledger = open(&folder, now);
                    }
                    Deed::Begin => bouncer = Bouncer::default(),
                    Deed::Pull(is_lost) => {
                        bouncer.pull(&feed, now, is_lost);
                        if !is_lost {
                            let mut in_force: BTreeMap<String, i64> = ledger
                                .active(at(now))
                                .filter(|decision| decision.action == Action::Ban)
                                .map(|decision| {
                                    let net = decision.target.net();
                                    let value = scope_and_value(net).1;
                                    (format!("ban {value}"), decision.until.seconds())
                                })
                                .collect();
                            let others: Vec<u64> = ledger.others(at(now)).map(|(id, _)| id).collect();
                            for stored in ledger.stored_others(&others).unwrap() {
                                let NewOther { other, until, .. } = stored.new;
                                let shown = format!("{} {}", other.kind(), other.value());
                                in_force.insert(shown, until.seconds());
                            }
                            prop_assert_eq!(&bouncer.holds, &in_force);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn an_answer_is_written_as_bouncers_expect_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = open(&folder, 0);
        let feed = Feed::open(&folder.path().join("ledger.db")).unwrap();
        let text = |has| {
            let filter = Filter::of(&Pairs::of(""), Some(&["ip", "range"])).unwrap();
            let mut answer = Answer::begin(&feed, filter, has, at(10)).unwrap();
            let mut body = Vec::new();
            while let Some(piece) = answer.next(&feed).unwrap() {
                body.extend(piece);
            }
            String::from_utf8(body).unwrap()
        };
        assert_eq!(text(None), r#"{"new": [], "deleted": []}"#);
        ledger.record(vec![record(0, Action::Ban, 70), record(3, Action::Ban, 80)], at(1));
        ledger.end(&[target(3)], Cause::Unbanned, at(5));
        let both = text(None);
        let (new, deleted) = both.split_once("], \"deleted\": [").unwrap();
        assert!(
            new.starts_with(r#"{"new": [{"duration":"1m0s","id":1,"origin":"crowdsec""#),
            "{new}"
        );
        assert!(deleted.starts_with(r#"{"duration":"-5s","id":2,"#), "{deleted}");
        let version = feed.version().unwrap();
        assert_eq!(text(Some(version)), r#"{"new": [], "deleted": []}"#);
        assert_eq!(text(Some(version + 1)), both, "who is ahead followed another ledger");
    }

    #[test]
    fn pages_make_one_list() {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = open(&folder, 0);
        let feed = Feed::open(&folder.path().join("ledger.db")).unwrap();
        let n = PAGE * 2 + 1;
        let target = |n: u32| {
            let net = format!("198.{}.{}.{}", 51 + (n >> 16), n >> 8 & 0xff, n & 0xff);
            Allowlist::default().admit(parse_net(&net).unwrap()).unwrap()
        };
        let records = (0..n).map(|n| Record { target: target(n), ..record(0, Action::Ban, 100) });
        ledger.record(records.collect(), at(1));
        let (body, _) = answer(&feed, None, 2);
        assert_eq!(body["new"].as_array().unwrap().len(), n as usize);
    }
}
