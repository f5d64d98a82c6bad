//! What is told of the sources and their senders.

use std::sync::Arc;
use std::time::Duration;

use crate::control::http::Readiness;
use crate::control::{SenderStatus, SourceStatus};
use crate::daemon::certificates::{self, Certificate};
use crate::daemon::senders::{Senders, is_silent};
use crate::event::SourceId;
use crate::intake::{Reason, Refusal, Statistics};
use crate::metrics::{BySource, BySourceState, Dropped, Metrics, set_total};
use crate::value::Time;

/// A source, where it listens, and what it counts.
#[derive(Clone, Debug)]
pub(in crate::daemon) struct Counted {
    pub(in crate::daemon) name: String,
    /// The label that it gives its lines.
    pub(in crate::daemon) label: String,
    pub(in crate::daemon) at: String,
    pub(in crate::daemon) certificate: Certificate,
    pub(in crate::daemon) statistics: Arc<Statistics>,
    pub(in crate::daemon) id: SourceId,
    /// After how long without a line it, or one of its senders, counts as silent.
    pub(in crate::daemon) silent_after: Option<Duration>,
}

/// Senders that are shown of a source.
const SHOWN: usize = 20;
/// Senders that are named in a remark.
const NAMED: usize = 5;

impl Counted {
    /// Brings the metrics up to date.
    pub(super) fn expose(&self, metrics: &Metrics, senders: &Senders, now: Time) {
        let by = BySource { source: self.name.clone() };
        let counted = &self.statistics;
        let received = counted.lines() + counted.all_dropped();
        set_total(&metrics.lines_received.get_or_create(&by), received);
        set_total(&metrics.bytes_received.get_or_create(&by), counted.bytes());
        set_total(&metrics.lines_cut.get_or_create(&by), counted.cut());
        set_total(&metrics.connections_accepted.get_or_create(&by), counted.accepted());
        set_total(&metrics.accept_errors.get_or_create(&by), counted.accept_errors());
        metrics.connections.get_or_create(&by).set(number(counted.open()));
        let is_up = i64::from(counted.trouble().is_none());
        metrics.source_up.get_or_create(&by).set(is_up);
        if let Some(tls) = self.certificate.get() {
            metrics.certificate_expiry.get_or_create(&by).set(tls.expires_at().seconds());
        }
        let last = counted.last_line().map_or(0, |last| last.seconds());
        metrics.last_line.get_or_create(&by).set(last);
        if let Some(after) = self.silent_after {
            metrics.silent_after.get_or_create(&by).set(number(after.as_secs()));
        }
        for reason in Reason::ALL {
            let by = Dropped { source: self.name.clone(), reason: reason.name() };
            set_total(&metrics.lines_dropped.get_or_create(&by), counted.dropped(reason));
        }
        for refusal in Refusal::ALL {
            let by = Dropped { source: self.name.clone(), reason: refusal.name() };
            set_total(&metrics.connections_refused.get_or_create(&by), counted.refused(refusal));
        }
        let all = senders.of(self.id);
        let silent = all.iter().filter(|sender| self.is_silent(sender.last, now)).count();
        for (state, count) in [("active", all.len() - silent), ("silent", silent)] {
            let by = BySourceState { source: self.name.clone(), state };
            metrics.senders.get_or_create(&by).set(number(count as u64));
        }
    }

    /// Says what keeps it from receiving, and who fell silent.
    pub(super) fn judge(&self, readiness: &mut Readiness, senders: &Senders, now: Time) {
        if let Some(trouble) = self.statistics.trouble() {
            readiness.problems.push(format!("source `{}`: {trouble}", self.name));
        }
        if let Some(tls) = self.certificate.get() {
            readiness.remarks.extend({
                let whose = format!("source `{}`", self.name);
                certificates::remark(&whose, tls.expires_at(), now)
            });
        }
        let Some(last) = self.statistics.last_line() else { return };
        if self.is_silent(last, now) {
            let remark =
                format!("source `{}` is silent: no line since {}", self.name, last.rfc3339());
            return readiness.remarks.push(remark);
        }
        let silent: Vec<_> = senders
            .of(self.id)
            .into_iter()
            .filter(|sender| sender.address.is_some() && self.is_silent(sender.last, now))
            .collect();
        for sender in silent.iter().take(NAMED) {
            let address = sender.address.map_or_else(String::new, |address| address.to_string());
            readiness.remarks.push(format!(
                "source `{}`: the sender {address} is silent: no line since {}",
                self.name,
                sender.last.rfc3339()
            ));
        }
        if silent.len() > NAMED {
            let more = silent.len() - NAMED;
            readiness.remarks.push(format!("source `{}`: {more} more silent senders", self.name));
        }
    }

    /// What `weir status` shows of it.
    pub(super) fn status(&self, senders: &Senders, now: Time) -> SourceStatus {
        let counted = &self.statistics;
        let all = senders.of(self.id);
        SourceStatus {
            name: self.name.clone(),
            at: self.at.clone(),
            lines: counted.lines() + counted.all_dropped(),
            dropped: counted.all_dropped(),
            cut: counted.cut(),
            refused: Refusal::ALL.into_iter().map(|refusal| counted.refused(refusal)).sum(),
            last_line: counted.last_line().map(|last| last.rfc3339()),
            silent: counted.last_line().is_some_and(|last| self.is_silent(last, now)),
            trouble: counted.trouble(),
            certificate_until: self.certificate.get().map(|tls| tls.expires_at().rfc3339()),
            skew_seconds: None,
            n_senders: all.len() as u64,
            senders: all
                .into_iter()
                .take(SHOWN)
                .map(|sender| SenderStatus {
                    address: sender.address.map_or_else(|| "other".into(), |a| a.to_string()),
                    lines: sender.lines,
                    last_line: sender.last.rfc3339(),
                    silent: self.is_silent(sender.last, now),
                    skew_seconds: None,
                })
                .collect(),
        }
    }

    fn is_silent(&self, last: Time, now: Time) -> bool {
        self.silent_after.is_some_and(|after| is_silent(last, now, after))
    }
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::senders::Tally;
    use crate::event::Line;

    /// What is told of a source that got a line from each of these senders so many seconds ago.
    fn told(trouble: Option<&str>, ago: &[(&str, i64)]) -> (Vec<String>, Vec<String>) {
        let now = Time::from_seconds(100_000);
        let (senders, mut tally) = (Senders::default(), Tally::default());
        let statistics = Arc::new(Statistics::default());
        for &(sender, ago) in ago {
            let at = Time::from_seconds(now.seconds() - ago);
            let mut line = Line::new(b"x", at, SourceId(0));
            line.sender = sender.parse().ok();
            tally.count(&line);
            statistics.count_lines(1, 1, at);
        }
        senders.add(&mut tally);
        statistics.set_trouble(trouble.map(str::to_owned));
        let counted = Counted {
            name: "udp".into(),
            certificate: Certificate::default(),
            label: "syslog".into(),
            at: "udp 127.0.0.1:5514".into(),
            statistics,
            id: SourceId(0),
            silent_after: Some(Duration::from_secs(3600)),
        };
        let mut readiness = Readiness::default();
        counted.judge(&mut readiness, &senders, now);
        let status = counted.status(&senders, now);
        assert_eq!(status.trouble.is_some(), !readiness.problems.is_empty());
        assert_eq!(status.senders.len(), ago.len().min(SHOWN));
        (readiness.problems, readiness.remarks)
    }

    #[test]
    fn silence_and_trouble() {
        let none: Vec<String> = Vec::new();
        assert_eq!(told(None, &[]), (none.clone(), none.clone()));
        assert_eq!(told(None, &[("192.0.2.1", 3000)]), (none.clone(), none.clone()));
        assert_eq!(
            told(Some("cannot listen"), &[("192.0.2.1", 3600)]),
            (
                vec!["source `udp`: cannot listen".to_owned()],
                vec!["source `udp` is silent: no line since 1970-01-02T02:46:40Z".to_owned()]
            )
        );
        let one =
            "source `udp`: the sender 192.0.2.1 is silent: no line since 1970-01-01T13:53:20Z";
        let told_of_one = told(None, &[("192.0.2.1", 50_000), ("2001:db8::1", 1)]);
        assert_eq!(told_of_one, (none, vec![one.to_owned()]));
        let many: Vec<String> = (1..=9).map(|n| format!("192.0.2.{n}")).collect();
        let mut ago: Vec<(&str, i64)> = many.iter().map(|sender| (&**sender, 5000)).collect();
        ago.push(("2001:db8::1", 1));
        let (_, remarks) = told(None, &ago);
        assert_eq!((remarks.len(), &*remarks[5]), (6, "source `udp`: 4 more silent senders"));
    }
}
