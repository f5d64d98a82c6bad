//! Passwords, looked at one at a time.
//!
//! Hostile: anybody may log in as anybody, and a look at a password takes a good part of a second of a
//! processor. So one is looked at after the other, beside the threads that answer; after a wrong one
//! nobody's turn comes for a while; and few wait, of each address fewer. A machine that comes again
//! with the password that was good before does not have to wait: whatever strangers do, those who
//! work stay logged in. How long an answer takes does not tell whether there is a machine of that
//! name.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ring::hmac;
use ring::rand::SystemRandom;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::TaskTracker;

use super::keys::NoEntropy;
use super::passwords::{PasswordHash, pretend};

/// Who wait for their turn, and of them those from one address.
const MOST_WAITING: usize = 32;
const MOST_OF_ADDRESS: usize = 4;
/// How long a turn is waited for.
const PATIENCE: Duration = Duration::from_secs(8);
/// After a wrong password nobody's turn comes for so many times as long as the look took.
const REST: u32 = 3;
/// Machines whose good password is known again at once.
const MOST_KNOWN: usize = 1024;

/// Those who log in.
pub(super) struct Logins {
    turn: Arc<Semaphore>,
    /// The turns that are being had.
    turns: TaskTracker,
    waiting: Arc<Mutex<HashMap<IpAddr, usize>>>,
    key: hmac::Key,
    /// By the names of machines: what is kept of the password that was good, and a quick hash of it
    /// that only this process can make.
    good: Mutex<HashMap<String, (PasswordHash, hmac::Tag)>>,
}

/// Too many log in at the same time.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Busy;

/// Somebody who waits, or whose turn it is.
struct Waiting {
    all: Arc<Mutex<HashMap<IpAddr, usize>>>,
    address: IpAddr,
}

impl Logins {
    pub(super) fn new() -> Result<Self, NoEntropy> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new());
        Ok(Self {
            turn: Arc::new(Semaphore::new(1)),
            turns: TaskTracker::new(),
            waiting: Arc::default(),
            key: key.map_err(|_| NoEntropy)?,
            good: Mutex::default(),
        })
    }

    /// Whether `password` is that of `machine`, of which `kept` is kept; `None` where there is no such
    /// machine, or it has no password.
    pub(super) async fn is_good(
        &self,
        machine: &str,
        kept: Option<PasswordHash>,
        password: String,
        from: IpAddr,
    ) -> Result<bool, Busy> {
        let tag = hmac::sign(&self.key, password.as_bytes());
        if kept.as_ref().is_some_and(|kept| self.was_good(machine, kept, &password)) {
            return Ok(true);
        }
        let (looked_at, turn) = (kept.clone(), self.wait(from).await?);
        let look = move || match looked_at {
            Some(kept) => kept.is_of(&password),
            None => {
                pretend(&password);
                false
            }
        };
        let is_good = take(&self.turns, turn, look, |is_good| !is_good).await.ok_or(Busy)?;
        if let Some(kept) = kept.filter(|_| is_good) {
            let mut good = self.good();
            if good.len() >= MOST_KNOWN {
                good.clear();
            }
            good.insert(machine.to_owned(), (kept, tag));
        }
        Ok(is_good)
    }

    /// What is to be kept of a password that somebody chose for themselves.
    pub(super) async fn hash(
        &self,
        password: String,
        from: IpAddr,
    ) -> Result<Result<PasswordHash, NoEntropy>, Busy> {
        let turn = self.wait(from).await?;
        // Whoever registers is a stranger: the others come first.
        take(&self.turns, turn, move || PasswordHash::of(&password), |_| true).await.ok_or(Busy)
    }

    fn was_good(&self, machine: &str, kept: &PasswordHash, password: &str) -> bool {
        self.good().get(machine).is_some_and(|(known, tag)| {
            known == kept && hmac::verify(&self.key, password.as_bytes(), tag.as_ref()).is_ok()
        })
    }

    async fn wait(&self, from: IpAddr) -> Result<(Waiting, OwnedSemaphorePermit), Busy> {
        let waiting = Waiting::begin(&self.waiting, from)?;
        let turn = timeout(PATIENCE, Arc::clone(&self.turn).acquire_owned()).await;
        let turn = turn.map_err(|_| Busy)?.expect("the semaphore is never closed");
        Ok((waiting, turn))
    }

    fn good(&self) -> MutexGuard<'_, HashMap<String, (PasswordHash, hmac::Tag)>> {
        self.good.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Logins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Logins")
    }
}

/// Does the work of a turn, which is over when that is done, whether or not somebody still waits
/// for the answer: hanging up makes room for nobody. `None` when the runtime ends.
async fn take<T: Send + 'static>(
    tasks: &TaskTracker,
    (waiting, turn): (Waiting, OwnedSemaphorePermit),
    work: impl FnOnce() -> T + Send + 'static,
    is_to_rest: impl FnOnce(&T) -> bool + Send + 'static,
) -> Option<T> {
    let (tell, told) = tokio::sync::oneshot::channel();
    tasks.spawn(async move {
        let begun = Instant::now();
        let Ok(done) = spawn_blocking(work).await else { return };
        let rest = begun.elapsed() * REST;
        drop(waiting);
        let is_to_rest = is_to_rest(&done);
        // Who asked may have gone away.
        let _ = tell.send(done);
        if is_to_rest {
            sleep(rest).await;
        }
        drop(turn);
    });
    told.await.ok()
}

impl Waiting {
    fn begin(all: &Arc<Mutex<HashMap<IpAddr, usize>>>, address: IpAddr) -> Result<Self, Busy> {
        let mut waiting = all.lock().unwrap_or_else(PoisonError::into_inner);
        let of_address = waiting.get(&address).copied().unwrap_or(0);
        if of_address >= MOST_OF_ADDRESS || waiting.values().sum::<usize>() >= MOST_WAITING {
            return Err(Busy);
        }
        waiting.insert(address, of_address + 1);
        Ok(Self { all: Arc::clone(all), address })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut waiting = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        match waiting.get_mut(&self.address) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(waiting.remove(&self.address)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> IpAddr {
        [192, 0, 2, 1].into()
    }

    fn run<T>(work: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(work)
    }

    #[test]
    fn a_good_password_is_known_again_at_once() {
        run(async {
            let (logins, kept) = (Logins::new().unwrap(), PasswordHash::of("good").unwrap());
            let ask =
                |password: &str, kept| logins.is_good("edge", kept, password.to_owned(), here());
            assert_eq!(ask("bad", Some(kept.clone())).await, Ok(false));
            assert_eq!(ask("good", None).await, Ok(false), "there is no such machine");
            assert_eq!(ask("good", Some(kept.clone())).await, Ok(true));
            // Whoever would have to wait now would wait for good.
            let _all = Arc::clone(&logins.turn).acquire_owned().await.unwrap();
            assert_eq!(ask("good", Some(kept.clone())).await, Ok(true));
            let soon = Duration::from_millis(50);
            assert!(timeout(soon, ask("bad", Some(kept))).await.is_err());
            let other = PasswordHash::of("good").unwrap();
            assert!(timeout(soon, ask("good", Some(other))).await.is_err(), "another account");
        });
    }

    #[test]
    fn few_wait() {
        let waiting = Arc::default();
        let mut held = Vec::new();
        for n in 0..u8::MAX {
            while let Ok(one) = Waiting::begin(&waiting, [192, 0, 2, n].into()) {
                held.push(one);
            }
            assert!(held.len() <= MOST_OF_ADDRESS * (usize::from(n) + 1));
        }
        assert_eq!(held.len(), MOST_WAITING);
        held.pop();
        assert!(Waiting::begin(&waiting, [192, 0, 2, 255].into()).is_ok());
        held.clear();
        assert!(waiting.lock().unwrap().is_empty());
    }

    #[test]
    fn hanging_up_makes_room_for_nobody() {
        run(async {
            let (logins, kept) = (Logins::new().unwrap(), PasswordHash::of("good").unwrap());
            let asking = logins.is_good("edge", Some(kept), "bad".to_owned(), here());
            assert!(timeout(Duration::from_millis(5), asking).await.is_err());
            assert_eq!(logins.turn.available_permits(), 0);
            let _turn = logins.turn.acquire().await.unwrap();
            assert!(logins.waiting.lock().unwrap().is_empty());
        });
    }
}
