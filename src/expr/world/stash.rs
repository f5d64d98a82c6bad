//! The named caches that rules write with `stash` entries and read with `GetFromStash`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::cache::{Cache, Strategy};
use crate::value::Time;

/// All named caches. A clone shares them.
///
/// A name may be declared more than once: then a write goes to all its caches and a read comes
/// from the first, so the first declaration's size and strategy count.
#[derive(Clone, Debug, Default)]
pub struct Stashes {
    caches: HashMap<Box<str>, Vec<Stash>>,
}

#[derive(Clone, Debug)]
struct Stash {
    declared: (usize, i64, Strategy),
    cache: Arc<Mutex<Cache<Box<str>>>>,
}

impl Stashes {
    /// No caches.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Declares a cache: at most `size` entries that live `ttl` nanoseconds.
    pub fn declare(&mut self, name: &str, size: usize, ttl: i64, strategy: Strategy) {
        let cache = Arc::new(Mutex::new(Cache::new(size, ttl, strategy)));
        let stash = Stash { declared: (size, ttl, strategy), cache };
        self.caches.entry(name.into()).or_default().push(stash);
    }

    /// Takes over the contents of the caches that `before` declared in the same way, so that a
    /// reload forgets nothing.
    pub fn adopt(&mut self, before: &Self) {
        for (name, stashes) in &mut self.caches {
            let Some(old) = before.caches.get(name) else { continue };
            for (new, old) in stashes.iter_mut().zip(old) {
                if new.declared == old.declared {
                    new.cache = Arc::clone(&old.cache);
                }
            }
        }
    }

    /// Sets `key` in the cache `name`; returns false when no such cache was declared.
    pub fn set(&self, name: &str, key: &str, value: &str, now: Time) -> bool {
        let Some(stashes) = self.caches.get(name) else { return false };
        for stash in stashes {
            stash.lock().set(key, value.into(), now);
        }
        true
    }

    /// Hands the value of `key` in the cache `name` to `take`; `None` when it is absent, has aged
    /// out, or no such cache was declared.
    pub fn get<T>(
        &self,
        name: &str,
        key: &str,
        now: Time,
        take: impl FnOnce(&str) -> T,
    ) -> Option<T> {
        let stash = self.caches.get(name)?.first()?;
        stash.lock().get(key, now).map(|value| take(value))
    }
}

impl Stash {
    fn lock(&self) -> std::sync::MutexGuard<'_, Cache<Box<str>>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000_000_000;

    fn at(seconds: i64) -> Time {
        Time::from_seconds(seconds)
    }

    fn get(stashes: &Stashes, name: &str, key: &str, seconds: i64) -> Option<String> {
        stashes.get(name, key, at(seconds), str::to_owned)
    }

    #[test]
    fn what_was_set_is_found_until_it_ages_out() {
        let mut stashes = Stashes::new();
        stashes.declare("pids", 10, MINUTE, Strategy::Lru);
        assert!(stashes.set("pids", "1", "sshd", at(0)));
        assert_eq!(get(&stashes, "pids", "1", 59).as_deref(), Some("sshd"));
        assert_eq!(get(&stashes, "pids", "1", 60), None);
        assert!(!stashes.set("other", "1", "x", at(0)));
        assert_eq!(get(&stashes, "other", "1", 0), None);
    }

    #[test]
    fn of_two_of_a_name_the_first_is_read() {
        let mut stashes = Stashes::new();
        stashes.declare("s", 1, MINUTE, Strategy::Lru);
        stashes.declare("s", 10, MINUTE, Strategy::Lru);
        stashes.set("s", "a", "1", at(0));
        stashes.set("s", "b", "2", at(0));
        assert_eq!(get(&stashes, "s", "a", 0), None);
        assert_eq!(get(&stashes, "s", "b", 0).as_deref(), Some("2"));
    }

    #[test]
    fn a_reload_keeps_what_is_declared_alike() {
        let mut before = Stashes::new();
        before.declare("same", 10, MINUTE, Strategy::Lru);
        before.declare("changed", 10, MINUTE, Strategy::Lru);
        before.set("same", "k", "v", at(0));
        before.set("changed", "k", "v", at(0));
        let mut after = Stashes::new();
        after.declare("same", 10, MINUTE, Strategy::Lru);
        after.declare("changed", 20, MINUTE, Strategy::Lru);
        after.adopt(&before);
        assert_eq!(get(&after, "same", "k", 0).as_deref(), Some("v"));
        assert_eq!(get(&after, "changed", "k", 0), None);
    }
}
