//! Label values that come from the log, bounded in number.

use std::collections::HashSet;

/// Lets the first so many values through and calls every further one `other`.
///
/// Hostile: anybody who can send a line can invent program names; a time series per name would
/// be a memory leak in Weir and in Prometheus.
#[derive(Debug)]
pub struct Bounded {
    known: HashSet<Box<str>>,
    most: usize,
}

impl Bounded {
    /// At most this many values.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { known: HashSet::new(), most }
    }

    /// Whether it may be a label: not long, and printable.
    #[must_use]
    pub fn is_fit(value: &str) -> bool {
        value.chars().all(|c| !c.is_control()) && value.len() <= 64
    }

    /// The value itself while there is room for it, else `other`. Values longer than 64 bytes or
    /// with characters that are not printable are `other` too.
    pub fn admit<'v>(&mut self, value: &'v str) -> &'v str {
        const OTHER: &str = "other";
        if self.known.contains(value) {
            return value;
        }
        if !Self::is_fit(value) || self.known.len() >= self.most {
            return OTHER;
        }
        self.known.insert(value.into());
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_values_stay_and_the_rest_are_other() {
        let mut programs = Bounded::new(2);
        assert_eq!(programs.admit("sshd"), "sshd");
        assert_eq!(programs.admit("cron"), "cron");
        assert_eq!(programs.admit("evil"), "other");
        assert_eq!(programs.admit("sshd"), "sshd");
    }

    #[test]
    fn long_and_unprintable_values_are_other() {
        let mut programs = Bounded::new(9);
        assert_eq!(programs.admit("a\nb"), "other");
        assert_eq!(programs.admit(&"x".repeat(65)), "other");
    }
}
