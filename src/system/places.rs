//! The places that a listener has for connections, and who has to go when all are taken.
//!
//! A crowd must not lock out others. So a newcomer always gets a place while there is somebody to
//! spare: first a connection that has not sent a message yet, of the sender that has the most of
//! these, the oldest first; then one of the sender that has the most places, the one that has been
//! quiet the longest. Only when all have spoken and every sender has one place is the newcomer
//! refused.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

/// Who a connection is from; none for Unix sockets.
pub type Sender = Option<IpAddr>;

/// The places of one listener.
#[derive(Debug)]
pub struct Places {
    most: usize,
    held: Mutex<Held>,
    /// Grows with each message or batch of them: who spoke when, without a clock.
    speeches: AtomicU64,
}

#[derive(Debug, Default)]
struct Held {
    arrivals: u64,
    /// By the number of their arrival, so that the oldest comes first.
    mute: BTreeMap<u64, Holder>,
    spoken: BTreeMap<u64, Holder>,
    counts: HashMap<Sender, Count>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    mute: usize,
    all: usize,
}

#[derive(Debug)]
struct Holder {
    sender: Sender,
    close: CancellationToken,
    last_spoke: Arc<AtomicU64>,
}

/// What becomes of a newcomer.
#[derive(Debug)]
pub enum Entry {
    /// There was a place.
    Free(Place),
    /// Another connection was told to close.
    InsteadOf(Place),
    /// There is nobody to spare.
    Refused,
}

/// The place of a connection; free again when it is dropped.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    number: u64,
    sender: Sender,
    /// Cancelled when the connection has to make room.
    pub close: CancellationToken,
    last_spoke: Arc<AtomicU64>,
    spoke: bool,
}

impl Places {
    /// So many.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, held: Mutex::default(), speeches: AtomicU64::new(0) })
    }

    /// A place for a connection from this sender.
    pub fn enter(self: &Arc<Self>, sender: Sender) -> Entry {
        let mut held = self.lock();
        let is_full = held.mute.len() + held.spoken.len() >= self.most;
        if is_full && !held.close_one() {
            return Entry::Refused;
        }
        held.arrivals += 1;
        let number = held.arrivals;
        let (close, last_spoke) = (CancellationToken::new(), Arc::default());
        let holder = Holder { sender, close: close.clone(), last_spoke: Arc::clone(&last_spoke) };
        held.mute.insert(number, holder);
        let count = held.counts.entry(sender).or_default();
        count.mute += 1;
        count.all += 1;
        drop(held);
        let places = Arc::clone(self);
        let place = Place { places, number, sender, close, last_spoke, spoke: false };
        if is_full { Entry::InsteadOf(place) } else { Entry::Free(place) }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Tells the connection that can be spared the most to close, and gives whether there is one.
    fn close_one(&mut self) -> bool {
        let count = |holder: &Holder| self.counts.get(&holder.sender).copied().unwrap_or_default();
        let number = if self.mute.is_empty() {
            let most = self.counts.values().map(|count| count.all).max().unwrap_or_default();
            if most < 2 {
                return false;
            }
            let theirs = self.spoken.iter().filter(|(_, holder)| count(holder).all == most);
            theirs.min_by_key(|(_, holder)| holder.last_spoke.load(Relaxed)).map(|(n, _)| *n)
        } else {
            let most = self.counts.values().map(|count| count.mute).max();
            self.mute.iter().find(|(_, holder)| Some(count(holder).mute) == most).map(|(n, _)| *n)
        };
        let Some(closed) = number.and_then(|number| self.remove(number)) else { return false };
        closed.close.cancel();
        true
    }

    fn remove(&mut self, number: u64) -> Option<Holder> {
        let mute = self.mute.remove(&number);
        let was_mute = mute.is_some();
        let holder = mute.or_else(|| self.spoken.remove(&number))?;
        if let Some(count) = self.counts.get_mut(&holder.sender) {
            count.mute -= usize::from(was_mute);
            count.all -= 1;
            if count.all == 0 {
                self.counts.remove(&holder.sender);
            }
        }
        Some(holder)
    }
}

impl Place {
    /// The connection has just sent a message, or several.
    pub fn spoke(&mut self) {
        let now = self.places.speeches.fetch_add(1, Relaxed) + 1;
        self.last_spoke.store(now, Relaxed);
        if self.spoke {
            return;
        }
        self.spoke = true;
        let mut held = self.places.lock();
        // It may have been told to close meanwhile.
        if let Some(holder) = held.mute.remove(&self.number) {
            held.spoken.insert(self.number, holder);
            if let Some(count) = held.counts.get_mut(&self.sender) {
                count.mute -= 1;
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().remove(self.number);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sender(number: u8) -> Sender {
        Some(IpAddr::from([192, 0, 2, number]))
    }

    /// Words about a source with three places: `a` connects, `A` says something on its oldest
    /// connection that is still open, for each sender. Gives who was closed or refused (`!`), in
    /// order.
    fn play(words: &str) -> String {
        let places = Places::new(3);
        let mut open: Vec<(char, Place)> = Vec::new();
        let mut gone = String::new();
        for word in words.chars() {
            if word.is_ascii_uppercase() {
                let name = word.to_ascii_lowercase();
                let (_, place) =
                    open.iter_mut().find(|(n, _)| *n == name).expect("an open connection");
                place.spoke();
                continue;
            }
            match places.enter(sender(word as u8)) {
                Entry::Free(place) | Entry::InsteadOf(place) => open.push((word, place)),
                Entry::Refused => gone.push_str(&format!("!{word}")),
            }
            while let Some(at) = open.iter().position(|(_, place)| place.close.is_cancelled()) {
                gone.push(open.remove(at).0);
            }
        }
        gone
    }

    #[track_caller]
    fn check(words: &str, gone: &str) {
        assert_eq!(play(words), gone, "{words}");
    }

    #[test]
    fn who_has_to_go() {
        check("abc", "");
        // The mute first, those of whom there are many before others, the oldest before.
        check("aAbc", "");
        check("aAbBcd", "c");
        check("aAbbc", "b");
        check("abbc", "b");
        check("abbcAd", "bb");
        check("acbcd", "ac");
        // All have spoken: one of whom there are several, that which was quiet the longest.
        check("aAaAbBc", "a");
        check("bBaAaAc", "a");
        check("aAbBaAAc", "a");
        // All have one.
        check("aAbBcCd", "!d");
        check("aAbBcCa", "!a");
    }

    #[test]
    fn the_quietest_of_a_crowd_goes() {
        let places = Places::new(3);
        let enter = || match places.enter(sender(1)) {
            Entry::Free(mut place) | Entry::InsteadOf(mut place) => {
                place.spoke();
                place
            }
            Entry::Refused => panic!("a crowd makes room"),
        };
        let (mut first, second, third) = (enter(), enter(), enter());
        first.spoke();
        let fourth = enter();
        let closed = [&first, &second, &third, &fourth].map(|place| place.close.is_cancelled());
        assert_eq!(closed, [false, true, false, false]);
        drop(second);
        drop(third);
        assert!(matches!(places.enter(None), Entry::Free(_)), "a place is free again");
    }

    proptest! {
        /// The counts are those of the places, and no more are held than there are.
        #[test]
        fn the_counts_are_right(words in prop::collection::vec((0..4_u8, 0..3_u8), 0..60)) {
            let places = Places::new(4);
            let mut open: Vec<Place> = Vec::new();
            for (what, who) in words {
                match what {
                    0 | 1 => match places.enter(sender(who)) {
                        Entry::Free(place) | Entry::InsteadOf(place) => open.push(place),
                        Entry::Refused => {}
                    },
                    2 => if let Some(place) = open.get_mut(usize::from(who)) { place.spoke() },
                    _ => if usize::from(who) < open.len() { drop(open.remove(usize::from(who))) },
                }
                let held = places.lock();
                prop_assert!(held.mute.len() + held.spoken.len() <= 4);
                for name in 0..3 {
                    let of = |map: &BTreeMap<u64, Holder>| {
                        map.values().filter(|holder| holder.sender == sender(name)).count()
                    };
                    let count = held.counts.get(&sender(name)).copied().unwrap_or_default();
                    prop_assert_eq!(count.mute, of(&held.mute));
                    prop_assert_eq!(count.all, of(&held.mute) + of(&held.spoken));
                }
                drop(held);
                let stay = open.iter().filter(|place| !place.close.is_cancelled()).count();
                let held = places.lock();
                prop_assert_eq!(held.mute.len() + held.spoken.len(), stay);
            }
            drop(open);
            prop_assert!(places.lock().counts.is_empty());
        }
    }
}
