//! `escalation:` – how bans grow that are not the first.

use std::sync::Arc;
use std::time::Duration;

use super::quantity::{duration, percent};
use super::section::{At, at, later, section};
use crate::diagnostic::{Diagnostic, UserFile};
use crate::yaml::Node;

/// How bans grow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Escalation {
    /// What a past ban multiplies the next one by; from 1.
    pub factor: f64,
    /// No ban grows beyond it.
    pub most: Duration,
    /// After how long a past ban counts half.
    pub decay: Duration,
    /// By which part a grown ban varies at random, 0 to 1.
    pub jitter: f64,
}

const DAY: Duration = Duration::from_secs(86_400);
const MOST_FACTOR: f64 = 1000.0;

impl Default for Escalation {
    /// Twice as long each time, a week at most; a ban counts half after a week.
    fn default() -> Self {
        Self { factor: 2.0, most: 7 * DAY, decay: 7 * DAY, jitter: 0.1 }
    }
}

/// The section as typed.
#[derive(Clone, Debug, Default)]
pub(super) struct Typed {
    off: Option<At<bool>>,
    factor: Option<At<f64>>,
    most: Option<At<Duration>>,
    decay: Option<At<Duration>>,
    jitter: Option<At<f64>>,
}

impl Typed {
    pub(super) fn read(
        node: &Node,
        file: &Arc<UserFile>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Self {
        let (off, fields) = section(node, file, "`escalation`", diagnostics);
        let mut typed = Self { off, ..Self::default() };
        let Some(mut fields) = fields else { return typed };
        let factor = fields.parsed("factor", "a number such as `2` or `1.5`", |text| {
            let factor = text.parse::<f64>().map_err(|_| String::new())?;
            let is_sound = (1.0..=MOST_FACTOR).contains(&factor);
            is_sound.then_some(factor).ok_or_else(|| format!("from 1 to {MOST_FACTOR}"))
        });
        typed.factor = factor.map(|found| at(&fields, found));
        typed.most = duration(&mut fields, "most");
        typed.decay = duration(&mut fields, "decay");
        typed.jitter = percent(&mut fields, "jitter");
        fields.finish();
        typed
    }

    pub(super) fn merge(&mut self, other: Self) {
        later(&mut self.off, other.off);
        later(&mut self.factor, other.factor);
        later(&mut self.most, other.most);
        later(&mut self.decay, other.decay);
        later(&mut self.jitter, other.jitter);
    }

    /// `None` when it is switched off. `ban` is how long a first ban lasts.
    pub(super) fn mean(
        self,
        ban: Duration,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Escalation> {
        if self.off.is_some_and(|off| off.value) {
            return None;
        }
        if let Some(most) = self.most.as_ref().filter(|most| most.value < ban) {
            let message = "no ban can grow: `most` is shorter than the first ban (`ban`)";
            diagnostics.push(most.error("without-effect", message).warning());
        }
        let default = Escalation::default();
        Some(Escalation {
            factor: self.factor.map_or(default.factor, |found| found.value),
            most: self.most.map_or(default.most, |found| found.value),
            decay: self.decay.map_or(default.decay, |found| found.value),
            jitter: self.jitter.map_or(default.jitter, |found| found.value),
        })
    }
}
