//! Other hosts. Those that are followed have a task that asks what changed, and hands it to the
//! judge a page at a time, so that no ban waits for it; those that are told of our bans have another.
//!
//! An outage changes nothing: what is in force holds to its end. After one, after a start and now
//! and then all is asked for anew, and what is gone there goes here.

mod asking;
mod shown;
mod telling;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ipnet::IpNet;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::WeakSender;
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::decide_loop::Matter;
use crate::control::RemoteStatus;
use crate::decide::{Dropped, Judge, Said, Taken};
use crate::diagnostic::{Diagnostic, UserFile};
use crate::ledger::Change;
use crate::metrics;
use crate::remote::{Client, read_secret};
use crate::settings::{Remote, RemoteSecret};
use crate::value::Time;

use shown::Shown;
use telling::Telling;

/// What is to be followed, and how that goes: a reload changes the one, `weir status` shows the
/// other.
#[derive(Debug)]
pub(super) struct Remotes {
    wish: watch::Sender<Vec<Remote>>,
    shown: Shown,
    telling: Telling,
}

impl Remotes {
    pub(super) fn new(wish: &[Remote], counted: metrics::Remotes) -> Self {
        let telling = Telling::default();
        // What is decided before the first task runs is told as well.
        telling.keep(wish);
        Self { wish: watch::Sender::new(wish.to_vec()), shown: Shown::new(counted), telling }
    }

    /// From now on these. Even where they are the same, all is asked for: who is a friend may have
    /// changed.
    pub(super) fn set(&self, wish: &[Remote]) {
        self.wish.send_replace(wish.to_vec());
    }

    /// Each remote, by name.
    pub(super) fn status(&self) -> Vec<RemoteStatus> {
        let mut all = self.shown.status();
        for one in &mut all {
            one.waiting = self.telling.waiting(&one.name) as u64;
        }
        all
    }
}

/// What the judge is asked about remotes; it answers by the reply.
#[derive(Debug)]
pub(super) enum Asked {
    /// These are followed, and no others.
    Follow { names: Vec<String> },
    /// Let go of what others asked for.
    Strangers { after: Option<IpNet>, reply: oneshot::Sender<Dropped> },
    /// It begins to say all that it asks for.
    Begins { remote: String },
    /// It says this; how many it asks for then.
    Says { remote: String, said: Said, most: usize, reply: oneshot::Sender<(Taken, usize)> },
    /// That was all.
    Ends { remote: String, after: Option<IpNet>, reply: oneshot::Sender<Dropped> },
}

/// Answers for the judge; what the kernel is to be told.
pub(super) fn answer(judge: &mut Judge, asked: Asked, now: Time) -> Vec<Change> {
    let give = |reply: oneshot::Sender<Dropped>, mut dropped: Dropped| {
        let changes = std::mem::take(&mut dropped.changes);
        let _ = reply.send(dropped);
        changes
    };
    match asked {
        Asked::Follow { names } => {
            judge.follow_remotes(&names);
            Vec::new()
        }
        Asked::Strangers { after, reply } => give(reply, judge.drop_strangers(after, now)),
        Asked::Begins { remote } => {
            judge.remote_begins(&remote);
            Vec::new()
        }
        Asked::Says { remote, said, most, reply } => {
            let mut taken = judge.remote_says(&remote, said, most, now);
            let changes = std::mem::take(&mut taken.changes);
            let _ = reply.send((taken, judge.asked_by_remote(&remote)));
            changes
        }
        Asked::Ends { remote, after, reply } => give(reply, judge.remote_ends(&remote, after, now)),
    }
}

/// The judge does not answer: the daemon ends.
struct Gone;

/// The way to the judge; it keeps nobody alive.
#[derive(Clone)]
struct ToJudge {
    matters: WeakSender<Matter>,
    waiting: Arc<AtomicU64>,
}

impl ToJudge {
    async fn send(&self, asked: Asked) -> Result<(), Gone> {
        let matters = self.matters.upgrade().ok_or(Gone)?;
        self.waiting.fetch_add(1, Ordering::Relaxed);
        matters.send(Matter::Remote(asked)).await.map_err(|_| Gone)
    }

    async fn ask<T>(&self, asked: impl FnOnce(oneshot::Sender<T>) -> Asked) -> Result<T, Gone> {
        let (reply, answer) = oneshot::channel();
        self.send(asked(reply)).await?;
        answer.await.map_err(|_| Gone)
    }
}

/// Starts following, until `stop` is cancelled.
pub(super) fn follow(
    remotes: Arc<Remotes>,
    matters: WeakSender<Matter>,
    waiting: Arc<AtomicU64>,
    runtime: &Runtime,
    stop: CancellationToken,
) {
    let judge = ToJudge { matters, waiting };
    runtime.spawn(async move {
        tokio::select! {
            () = stop.cancelled() => {}
            _ = keep_following(&remotes, &judge) => {}
        }
    });
}

/// A remote that is followed or told.
struct Followed {
    remote: Remote,
    again: Arc<Notify>,
    /// They end with this.
    _tasks: JoinSet<()>,
}

async fn keep_following(remotes: &Arc<Remotes>, judge: &ToJudge) -> Result<(), Gone> {
    let mut wishes = remotes.wish.subscribe();
    let mut followed: BTreeMap<String, Followed> = BTreeMap::new();
    loop {
        let wish: Vec<Remote> = wishes.borrow_and_update().clone();
        // A task ends where it stands: whatever it told the judge is true for itself.
        followed.retain(|_, one| wish.contains(&one.remote));
        remotes.shown.keep(&wish);
        remotes.telling.keep(&wish);
        let names = wish.iter().filter(|one| one.is_followed()).map(|one| one.name.clone());
        judge.send(Asked::Follow { names: names.collect() }).await?;
        drop_strangers(judge).await?;
        for one in followed.values() {
            one.again.notify_one();
        }
        for remote in wish {
            if followed.contains_key(&remote.name) {
                continue;
            }
            let again = Arc::new(Notify::new());
            let mut tasks = JoinSet::new();
            if remote.is_followed() {
                let (judge, again) = (judge.clone(), Arc::clone(&again));
                let task = asking::follow(remote.clone(), judge, Arc::clone(remotes), again);
                tasks.spawn(task);
            }
            if let Some(queue) = remotes.telling.queue(&remote.name) {
                let task = telling::tell(remote.clone(), queue, Arc::clone(remotes));
                tasks.spawn(task);
            }
            followed.insert(remote.name.clone(), Followed { remote, again, _tasks: tasks });
        }
        if wishes.changed().await.is_err() {
            return Ok(());
        }
    }
}

/// What is wrong with the files that remotes name, and doubts about them.
pub(super) fn check(remotes: &[Remote]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for remote in remotes {
        let passwords = remote.machine.iter().map(|machine| &machine.password);
        for secret in remote.key.iter().chain(passwords) {
            let RemoteSecret::File(path) = secret else { continue };
            let at = UserFile::new(path, String::new());
            let mistake = |message: String| {
                let message = format!("remote `{}`: {message}", remote.name);
                Diagnostic::error(&at, 0..0, "secret", message)
            };
            match read_secret(secret) {
                Ok((_, None)) => {}
                Ok((_, Some(doubt))) => found.push(mistake(doubt).warning()),
                Err(message) => found.push(mistake(message)),
            }
        }
        if let Err(failure) = Client::open(remote) {
            let at = remote.tls.ca.clone().unwrap_or_default();
            let at = UserFile::new(&at, String::new());
            let message = format!("remote `{}`: {failure}", remote.name);
            found.push(Diagnostic::error(&at, 0..0, "certificate", message));
        }
    }
    found
}

/// Lets go of what was asked for by remotes that are not in the configuration any more.
async fn drop_strangers(judge: &ToJudge) -> Result<(), Gone> {
    let (mut after, mut ended) = (None, 0);
    loop {
        let dropped = judge.ask(|reply| Asked::Strangers { after, reply }).await?;
        ended += dropped.ended + dropped.left;
        after = dropped.next;
        if after.is_none() {
            break;
        }
    }
    if ended > 0 {
        info!(ended, "remotes are gone from the configuration, and what they asked for with them");
    }
    Ok(())
}
