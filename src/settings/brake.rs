//! `brake:` – when scenarios stop banning until somebody has looked.

use std::sync::Arc;
use std::time::Duration;

use super::quantity::{duration, percent};
use super::section::{At, at, later, section};
use crate::diagnostic::{Diagnostic, UserFile};
use crate::yaml::Node;

/// When scenarios stop banning.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Brake {
    /// When there are more new bans than this,
    pub bans: usize,
    /// within this.
    pub per: Duration,
    /// Or when this part of them is of addresses that logged in lately, above 0 and up to 1.
    pub well_behaved: f64,
}

impl Default for Brake {
    /// A botnet of thousands comes with a few hundred new addresses a minute, and a host that is
    /// hit by all of them at once needs its bans: only what no attack on one host makes is a sign
    /// of a wrong rule by its number alone.
    fn default() -> Self {
        Self { bans: 5000, per: Duration::from_secs(60), well_behaved: 0.2 }
    }
}

/// The section as typed.
#[derive(Clone, Debug, Default)]
pub(super) struct Typed {
    off: Option<At<bool>>,
    bans: Option<At<i64>>,
    per: Option<At<Duration>>,
    well_behaved: Option<At<f64>>,
}

impl Typed {
    pub(super) fn read(
        node: &Node,
        file: &Arc<UserFile>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Self {
        let (off, fields) = section(node, file, "`brake`", diagnostics);
        let mut typed = Self { off, ..Self::default() };
        let Some(mut fields) = fields else { return typed };
        typed.bans = fields.integer("bans", 1..=1_000_000).map(|found| at(&fields, found));
        typed.per = duration(&mut fields, "per");
        typed.well_behaved = percent(&mut fields, "well_behaved");
        if let Some(part) = &typed.well_behaved
            && part.value <= 0.0
        {
            let mistake = part.error("out-of-range", "at `0%` the brake would be on for ever");
            fields.diagnostics().push(mistake);
        }
        fields.finish();
        typed
    }

    pub(super) fn merge(&mut self, other: Self) {
        later(&mut self.off, other.off);
        later(&mut self.bans, other.bans);
        later(&mut self.per, other.per);
        later(&mut self.well_behaved, other.well_behaved);
    }

    /// `None` when it is switched off.
    pub(super) fn mean(self) -> Option<Brake> {
        if self.off.is_some_and(|off| off.value) {
            return None;
        }
        let default = Brake::default();
        let bans = self.bans.and_then(|found| usize::try_from(found.value).ok());
        Some(Brake {
            bans: bans.unwrap_or(default.bans),
            per: self.per.map_or(default.per, |found| found.value),
            well_behaved: self.well_behaved.map_or(default.well_behaved, |found| found.value),
        })
    }
}
