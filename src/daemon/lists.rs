//! The folder of lists, followed: who comes onto a list is banned, who leaves it is not any more.
//!
//! A thread looks at the folder, reads files that changed, and hands what they say to the judge a
//! page at a time, so that no ban waits for a list. Bans of a list end by themselves; halfway they
//! are renewed. A folder that is not there changes nothing: it may be one that is mounted later.

mod reading;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ipnet::IpNet;
use tokio::sync::mpsc::WeakSender;
use tracing::{info, warn};

use self::reading::{Content, read};
use super::decide_loop::Matter;
use super::thread;
use crate::control::ListStatus;
use crate::decide::{Dropped, Judge, Taken};
use crate::ledger::Change;
use crate::lists::{Folder, Nets, Step, look};
use crate::settings;
use crate::system::clock;
use crate::value::Time;

/// How often the folder is looked at.
const LOOK: Duration = Duration::from_secs(2);
/// How often it is noticed that the daemon ends.
const PAUSE: Duration = Duration::from_millis(250);
/// Entries that the judge takes at once: a few milliseconds.
const PAGE: usize = 500;
/// How long the judge may take for a page.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is to be followed, and how that goes: a reload changes the one, `weir status` shows the
/// other.
#[derive(Debug)]
pub(super) struct Lists {
    wish: Mutex<settings::Lists>,
    shown: Mutex<BTreeMap<String, ListStatus>>,
}

impl Lists {
    pub(super) fn new(wish: &settings::Lists) -> Self {
        Self { wish: Mutex::new(wish.clone()), shown: Mutex::default() }
    }

    pub(super) fn set(&self, wish: &settings::Lists) {
        *self.wish.lock().unwrap_or_else(PoisonError::into_inner) = wish.clone();
    }

    fn wish(&self) -> settings::Lists {
        self.wish.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn shown(&self) -> MutexGuard<'_, BTreeMap<String, ListStatus>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Each list, by name.
    pub(super) fn status(&self) -> Vec<ListStatus> {
        self.shown().values().cloned().collect()
    }
}

/// What the judge is asked about a list; it answers by the reply.
#[derive(Debug)]
pub(super) enum Asked {
    /// Which lists were followed when the process ended.
    Followed(SyncSender<Vec<String>>),
    /// Ban these.
    Take { list: String, nets: Vec<(IpNet, Time)>, are_new: bool, reply: SyncSender<Taken> },
    /// Let go of what the list does not name.
    Drop { list: String, named: Arc<Nets>, after: Option<IpNet>, reply: SyncSender<Dropped> },
    /// It is followed from now on, or not any more.
    Mark { list: String, is_followed: bool },
}

/// Answers for the judge; what the kernel is to be told.
pub(super) fn answer(judge: &mut Judge, asked: Asked, now: Time) -> Vec<Change> {
    match asked {
        Asked::Followed(reply) => {
            let followed = judge.ledger().followed().unwrap_or_else(|error| {
                warn!(%error, "cannot read which lists were followed");
                Vec::new()
            });
            let _ = reply.send(followed);
            Vec::new()
        }
        Asked::Take { list, nets, are_new, reply } => {
            let mut taken = judge.follow(&list, &nets, are_new, now);
            let changes = std::mem::take(&mut taken.changes);
            let _ = reply.send(taken);
            changes
        }
        Asked::Drop { list, named, after, reply } => {
            let mut dropped = judge.drop_unnamed(&list, |net| named.covers(net), after, now);
            let changes = std::mem::take(&mut dropped.changes);
            let _ = reply.send(dropped);
            changes
        }
        Asked::Mark { list, is_followed } => {
            if let Err(error) = judge.ledger_mut().set_followed(&list, is_followed, now) {
                warn!(list, %error, "cannot note that a list is followed");
            }
            Vec::new()
        }
    }
}

/// Starts the thread. Nobody waits for it at the end: it keeps nobody alive.
pub(super) fn follow(
    lists: Arc<Lists>,
    matters: WeakSender<Matter>,
    waiting: Arc<AtomicU64>,
) -> anyhow::Result<()> {
    let follower = Follower {
        lists,
        judge: ToJudge { matters, waiting },
        folder: Folder::default(),
        followed: BTreeMap::new(),
        before: None,
        is_told: false,
    };
    thread("weir-lists", move || follower.run()).map(drop)
}

/// The judge does not answer: the daemon ends.
struct Gone;

/// The way to the judge.
struct ToJudge {
    matters: WeakSender<Matter>,
    waiting: Arc<AtomicU64>,
}

impl ToJudge {
    fn send(&self, asked: Asked) -> Result<(), Gone> {
        let matters = self.matters.upgrade().ok_or(Gone)?;
        self.waiting.fetch_add(1, Ordering::Relaxed);
        matters.blocking_send(Matter::List(asked)).map_err(|_| Gone)
    }

    fn ask<T>(&self, asked: impl FnOnce(SyncSender<T>) -> Asked) -> Result<T, Gone> {
        let (reply, answer) = sync_channel(1);
        self.send(asked(reply))?;
        answer.recv_timeout(PATIENCE).map_err(|_| Gone)
    }
}

struct Follower {
    lists: Arc<Lists>,
    judge: ToJudge,
    folder: Folder,
    followed: BTreeMap<String, Followed>,
    /// Lists of the last process, until they were looked for.
    before: Option<Vec<String>>,
    /// That the folder cannot be read was said.
    is_told: bool,
}

/// A list that is followed.
struct Followed {
    nets: Arc<Nets>,
    path: PathBuf,
    n_mistakes: usize,
    read_at: Time,
    renew_at: Instant,
}

impl Follower {
    fn run(mut self) {
        let mut next_look = clock::instant();
        while self.judge.matters.upgrade().is_some() {
            if clock::instant() >= next_look {
                if self.look().is_err() {
                    return;
                }
                next_look = clock::instant() + LOOK;
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn look(&mut self) -> Result<(), Gone> {
        if self.before.is_none() {
            self.before = Some(self.judge.ask(Asked::Followed)?);
        }
        let wish = self.lists.wish();
        let found = match &wish.folder {
            // Switched off: all lists are gone.
            None => Ok(Some(Vec::new())),
            Some(folder) => look(folder),
        };
        match found {
            Ok(Some(found)) => {
                self.is_told = false;
                let steps = self.folder.see(found);
                for step in steps {
                    self.take(step, &wish)?;
                }
                self.end_those_of_before()?;
            }
            // What it named runs out, unless it comes back.
            Ok(None) => {}
            Err(error) => {
                if !self.is_told {
                    let folder = wish.folder.unwrap_or_default();
                    warn!(folder = %folder.display(), %error, "cannot look for lists");
                }
                self.is_told = true;
                return Ok(());
            }
        }
        let now = clock::instant();
        let due = self.followed.iter().filter(|(_, list)| list.renew_at <= now);
        let due: Vec<String> = due.map(|(name, _)| name.clone()).collect();
        for name in due {
            let Some(list) = self.followed.get(&name) else { continue };
            let nets = Arc::clone(&list.nets);
            let taken = self.hand_over(&name, nets.all(), |_| false, &wish)?;
            if let Some(list) = self.followed.get_mut(&name) {
                list.renew_at = clock::instant() + wish.span / 2;
            }
            self.show(&name, &taken);
        }
        Ok(())
    }

    fn take(&mut self, step: Step, wish: &settings::Lists) -> Result<(), Gone> {
        match step {
            Step::PassOver { path, why } => {
                warn!(file = %path.display(), why, "a list is passed over");
                Ok(())
            }
            Step::Gone { name } => self.end(&name),
            Step::Read { name, format, seen } => match read(&seen, format) {
                Ok(Some(content)) => self.change(name, seen.path, content, wish),
                // It changed meanwhile.
                Ok(None) => {
                    self.folder.again(&name);
                    Ok(())
                }
                Err(error) => {
                    let trouble = error.to_string();
                    let mut shown = self.lists.shown();
                    let list = shown.entry(name.clone()).or_default();
                    if list.trouble.as_ref() != Some(&trouble) {
                        warn!(list = name, %error, "cannot read a list; what it said before holds");
                    }
                    list.name.clone_from(&name);
                    list.path = seen.path.display().to_string();
                    list.trouble = Some(trouble);
                    drop(shown);
                    self.folder.again(&name);
                    Ok(())
                }
            },
        }
    }

    /// Carries out the difference between what a list said and what it says.
    fn change(
        &mut self,
        name: String,
        path: PathBuf,
        content: Content,
        wish: &settings::Lists,
    ) -> Result<(), Gone> {
        let nets = Arc::new(content.nets);
        let old = self.followed.get(&name).map(|list| Arc::clone(&list.nets));
        let was_followed = self.before.iter().flatten().any(|before| *before == name);
        let is_new = |net: IpNet| match &old {
            Some(old) => !old.has(net),
            None => !was_followed,
        };
        // Should the process end in between, the next one knows whose bans these are.
        self.judge.send(Asked::Mark { list: name.clone(), is_followed: true })?;
        let taken = self.hand_over(&name, nets.all(), is_new, wish)?;
        let (ended, left) = self.let_go(&name, &nets)?;
        if let Some(before) = &mut self.before {
            before.retain(|before| *before != name);
        }
        info!(
            list = name,
            entries = nets.len(),
            begun = taken.begun,
            ended,
            left,
            refused = taken.refused.len(),
            mistakes = content.n_mistakes,
            "a list was read"
        );
        for refusal in taken.refused.iter().take(reading::TOLD) {
            warn!(list = name, %refusal, "a list names a friend");
        }
        let renew_at = clock::instant() + wish.span / 2;
        let (read_at, n_mistakes) = (clock::now(), content.n_mistakes);
        self.followed.insert(name.clone(), Followed { nets, path, n_mistakes, read_at, renew_at });
        self.show(&name, &taken);
        Ok(())
    }

    fn end(&mut self, name: &str) -> Result<(), Gone> {
        let (ended, left) = self.let_go(name, &Arc::default())?;
        self.judge.send(Asked::Mark { list: name.to_owned(), is_followed: false })?;
        self.followed.remove(name);
        self.lists.shown().remove(name);
        info!(list = name, ended, left, "a list is gone");
        Ok(())
    }

    /// Ends lists of the last process whose files are gone.
    fn end_those_of_before(&mut self) -> Result<(), Gone> {
        let before = self.before.iter().flatten();
        let gone = before.filter(|name| !self.folder.has(name));
        let gone: Vec<String> = gone.cloned().collect();
        for name in gone {
            self.end(&name)?;
            if let Some(before) = &mut self.before {
                before.retain(|before| *before != name);
            }
        }
        Ok(())
    }

    /// Hands entries to the judge, a page at a time; what became of all of them.
    fn hand_over(
        &self,
        name: &str,
        nets: &[(IpNet, Option<Time>)],
        is_new: impl Fn(IpNet) -> bool,
        wish: &settings::Lists,
    ) -> Result<Taken, Gone> {
        let now = clock::now();
        let span = i64::try_from(wish.span.as_nanos()).unwrap_or(i64::MAX);
        let (new, known): (Vec<_>, Vec<_>) = nets
            .iter()
            .map(|(net, until)| (*net, until.unwrap_or(now.plus(span))))
            .filter(|(_, until)| *until > now)
            .partition(|(net, _)| is_new(*net));
        let mut all = Taken::default();
        for (nets, are_new) in [(new, true), (known, false)] {
            for page in nets.chunks(PAGE) {
                let list = name.to_owned();
                let nets = page.to_vec();
                let taken = self.judge.ask(|reply| Asked::Take { list, nets, are_new, reply })?;
                all.begun += taken.begun;
                all.extended += taken.extended;
                all.held += taken.held;
                all.freed += taken.freed;
                all.no_room += taken.no_room;
                all.refused.extend(taken.refused);
                all.left_out.extend(taken.left_out);
            }
        }
        Ok(all)
    }

    /// Lets go of what a list does not name; how many ended, and how many went back to another ban.
    fn let_go(&self, name: &str, named: &Arc<Nets>) -> Result<(usize, usize), Gone> {
        let (mut ended, mut left, mut after) = (0, 0, None);
        loop {
            let (list, named) = (name.to_owned(), Arc::clone(named));
            let dropped = self.judge.ask(|reply| Asked::Drop { list, named, after, reply })?;
            ended += dropped.ended;
            left += dropped.left;
            after = dropped.next;
            if after.is_none() {
                return Ok((ended, left));
            }
        }
    }

    fn show(&self, name: &str, taken: &Taken) {
        let Some(list) = self.followed.get(name) else { return };
        let status = ListStatus {
            name: name.to_owned(),
            path: list.path.display().to_string(),
            entries: list.nets.len() as u64,
            refused: (taken.refused.len() + taken.left_out.len()) as u64,
            freed: taken.freed as u64,
            no_room: taken.no_room as u64,
            mistakes: list.n_mistakes as u64,
            last_read: list.read_at.rfc3339(),
            trouble: None,
        };
        self.lists.shown().insert(name.to_owned(), status);
    }
}
