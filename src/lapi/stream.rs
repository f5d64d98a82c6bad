//! What a bouncer that follows is told: what is new and what ended since it asked last.
//!
//! Written piece by piece, each from one page of the ledger, so that an answer of any length takes
//! the memory of a page, and a slow reader holds nobody up. Knows no socket.

use super::bouncers::NOTHING;
use super::decision::{SECOND, Told, is_worth_telling, write};
use super::query::Filter;
use crate::ledger::{Error, Feed, Place, Which};
use crate::value::Time;

/// Decisions that are read at a time.
const PAGE: u32 = 1_000;

/// An answer that is being written.
#[derive(Debug)]
pub(super) struct Answer {
    filter: Filter,
    now: Time,
    /// The version that the bouncer has once it has read all of it.
    to: i64,
    from: i64,
    is_beginning: bool,
    /// Decisions that are read at a time.
    page: u32,
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
    /// An answer for somebody who has this version, or begins and holds nothing.
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
        let from = has.filter(|has| *has <= to).unwrap_or(NOTHING);
        let state =
            State::Reading { which: Which::Active, place: (from, u64::MAX), is_first: true };
        let is_beginning = has.is_none();
        Ok(Self { filter, now, to, from, is_beginning, page: PAGE, n_told: [0; 2], state })
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
        // What changes while this is read gets a later version, and must not go missing for it;
        // what is told beyond our version is told once more.
        let to = if which == Which::Active { i64::MAX } else { self.to };
        let page = feed.page(which, place, to, self.page)?;
        for decision in &page {
            place = decision.place();
            let is_ban = self.filter.takes_action(decision) && is_worth_telling(decision, self.now);
            let is_told = match which {
                Which::Active => is_ban,
                Which::Ended => true,
                // Some were told as bans before.
                Which::Idle(_) => !is_ban,
            };
            // What ends may have been told when somebody else had asked for it.
            let is_wanted = match which {
                Which::Active => self.filter.takes_whatever_action(decision),
                Which::Ended | Which::Idle(_) => self.filter.takes_subject(decision),
            };
            if is_told && is_wanted {
                if !std::mem::take(&mut is_first) {
                    out.push(b',');
                }
                let state = if which == Which::Active { Told::InForce } else { Told::Over };
                self.n_told[usize::from(which != Which::Active)] += 1;
                write(&mut out, decision, state, true, self.now);
            }
        }
        self.state = if page.len() == self.page as usize {
            State::Reading { which, place, is_first }
        } else {
            let place = (self.from, u64::MAX);
            match which {
                Which::Active => {
                    out.extend_from_slice(b"], \"deleted\": [");
                    State::Reading { which: Which::Ended, place, is_first: true }
                }
                // Whoever begins never had them as bans.
                Which::Ended if !self.is_beginning => {
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
mod followers;

#[cfg(test)]
mod tests {
    use super::super::query::Pairs;
    use super::followers::{at, open, record, target};
    use super::*;
    use crate::decision::{Action, Allowlist, parse_net};
    use crate::ledger::{Cause, Record};

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
        let filter = Filter::of(&Pairs::of(""), None).unwrap();
        let mut answer = Answer::begin(&feed, filter, None, at(2)).unwrap();
        let mut body = Vec::new();
        while let Some(piece) = answer.next(&feed).unwrap() {
            body.extend(piece);
        }
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["new"].as_array().unwrap().len(), n as usize);
    }
}
