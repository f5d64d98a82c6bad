//! The answer to whoever asks which alerts there are: a list, or `null` where there is none.
//!
//! Written piece by piece, as that about decisions is. Knows no socket.

use super::filter::AlertFilter;
use super::shown::write;
use crate::ledger::{Error, Feed, FollowedAlert};
use crate::value::Time;

/// Alerts that are read at a time.
const PAGE: u32 = 200;

/// An answer that is being written.
#[derive(Debug)]
pub(in crate::lapi) struct AlertListing {
    filter: AlertFilter,
    now: Time,
    /// The number behind which reading goes on; `None` when all is written.
    from: Option<u64>,
    left: usize,
    n_told: u64,
}

impl AlertListing {
    pub(in crate::lapi) fn begin(filter: AlertFilter, now: Time) -> Self {
        let from = Some(if filter.ascending { 0 } else { u64::MAX });
        Self { left: filter.limit.unwrap_or(usize::MAX), filter, now, from, n_told: 0 }
    }

    /// The numbers of some that are wanted; none behind the last ones.
    pub(in crate::lapi) fn numbers(&mut self, feed: &Feed) -> Result<Vec<u64>, Error> {
        loop {
            let found = self.page(feed)?;
            if !found.is_empty() || self.from.is_none() {
                return Ok(found.iter().map(FollowedAlert::id).collect());
            }
        }
    }

    /// The next piece; `None` behind the last one. After an error the answer must end as it is.
    pub(in crate::lapi) fn next(&mut self, feed: &Feed) -> Result<Option<Vec<u8>>, Error> {
        let mut out = Vec::new();
        while self.from.is_some() {
            for alert in self.page(feed)? {
                out.push(if self.n_told == 0 { b'[' } else { b',' });
                self.n_told += 1;
                write(&mut out, &alert, self.filter.with_decisions, self.now);
            }
            match (self.from, self.n_told) {
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

    /// Those of the next page that are wanted.
    fn page(&mut self, feed: &Feed) -> Result<Vec<FollowedAlert>, Error> {
        let Some(from) = self.from else { return Ok(Vec::new()) };
        // Whoever wants few need not read many, unless most are passed over.
        let limit = u32::try_from(self.left).unwrap_or(PAGE).clamp(10, PAGE);
        let page = feed.alerts(&self.filter.wanted(), from, self.filter.ascending, limit)?;
        let is_last = page.len() < limit as usize;
        self.from = page.last().map(FollowedAlert::id).filter(|_| !is_last);
        let mut found = page;
        found.retain(|alert| self.filter.takes(alert));
        found.truncate(self.left);
        self.left -= found.len();
        if self.left == 0 {
            self.from = None;
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests;
