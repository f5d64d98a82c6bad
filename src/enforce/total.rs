//! Counters that begin anew with the rules that they belong to, summed so that they never fall.

#![forbid(unsafe_code)]

use super::per_family::Counts;

/// What was counted before the present rules were made, and by them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Total {
    gone: Counts,
    shown: Counts,
}

impl Total {
    /// The rules show this now. When it is less than the last time, they are other rules.
    pub(super) fn show(&mut self, now: Counts) {
        if now.packets < self.shown.packets {
            self.gone = self.sum();
        }
        self.shown = now;
    }

    /// All that was ever shown.
    pub(super) fn sum(&self) -> Counts {
        Counts {
            packets: self.gone.packets.saturating_add(self.shown.packets),
            bytes: self.gone.bytes.saturating_add(self.shown.bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_falls() {
        let mut total = Total::default();
        let mut check = |packets, expected| {
            total.show(Counts { packets, bytes: packets * 10 });
            assert_eq!(total.sum(), Counts { packets: expected, bytes: expected * 10 });
        };
        check(3, 3);
        check(5, 5);
        check(1, 6);
        check(1, 6);
        check(0, 6);
        check(4, 10);
    }
}
