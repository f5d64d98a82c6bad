//! One remote, asked again and again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::{HeaderName, Method};
use tokio::sync::Notify;
use tracing::{debug, info, warn};

use super::{Asked, Gone, Remotes, ToJudge};
use crate::decide::{Said, Taken, Wanted};
use crate::remote::{Client, Failure, Heard, Pace, Pull, path, read_secret};
use crate::settings::Remote;
use crate::system::clock;
use crate::value::Time;

/// Entries that the judge takes at once: a few milliseconds.
const PAGE: usize = 500;
/// All is asked for anew this often: what a friend was and is not any more comes back with it, and
/// what went past us.
const WHOLE_EVERY: Duration = Duration::from_secs(3600);
/// Refusals that are logged of one answer.
const TOLD: usize = 5;

/// Asks until the daemon ends.
pub(super) async fn follow(
    remote: Remote,
    judge: ToJudge,
    remotes: Arc<Remotes>,
    again: Arc<Notify>,
) {
    let mut pace = Pace::new(remote.every);
    // When all was asked for last; never, or something went wrong since.
    let mut whole_at: Option<Instant> = None;
    loop {
        let is_whole = whole_at.is_none_or(|at| at.elapsed() >= WHOLE_EVERY);
        let asked = ask(&remote, is_whole).await;
        let has_worked = asked.is_ok();
        match asked {
            Ok((heard, at)) => {
                if is_whole {
                    whole_at = Some(clock::instant());
                }
                if hand_over(&remote, heard, at, is_whole, &judge, &remotes).await.is_err() {
                    return;
                }
            }
            Err(failure) => {
                whole_at = None;
                if remotes.shown.failed(&remote.name, &failure) {
                    let remedy = failure.remedy();
                    let name = &remote.name;
                    warn!(remote = name, %failure, remedy, "cannot ask a remote; what it asked for holds");
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(pace.after(has_worked)) => {}
            () = again.notified() => whole_at = None,
        }
    }
}

/// What a remote says, and when it said it.
async fn ask(remote: &Remote, is_whole: bool) -> Result<(Heard, Time), Failure> {
    let key = match &remote.key {
        Some(key) => Some(read_secret(key).map_err(Failure::Secret)?.0),
        None => None,
    };
    let client = Client::open(remote)?;
    let header = key.as_deref().map(|key| (HeaderName::from_static("x-api-key"), key));
    let mut answer = client.ask(Method::GET, &path(remote, is_whole), header, None).await?;
    let at = clock::now();
    match answer.status {
        200 => {}
        403 => return Err(Failure::Key { url: client.url().to_owned() }),
        _ => return Err(answer.failure().await),
    }
    let broken = |why| Failure::Broken { url: client.url().to_owned(), why };
    let mut pull = Pull::new(remote, is_whole);
    while let Some(bytes) = answer.next().await? {
        pull.push(&bytes).map_err(broken)?;
    }
    Ok((pull.finish().map_err(broken)?, at))
}

/// Hands what was said to the judge, a page at a time: first what is gone.
async fn hand_over(
    remote: &Remote,
    heard: Heard,
    at: Time,
    is_whole: bool,
    judge: &ToJudge,
    remotes: &Remotes,
) -> Result<(), Gone> {
    let name = &remote.name;
    let Heard { gone, wanted, skipped, too_many } = heard;
    let (n_gone, n_wanted) = (gone.len(), wanted.len());
    if is_whole {
        judge.send(Asked::Begins { remote: name.clone() }).await?;
    }
    let mut all = Taken::default();
    let mut n_asked = None;
    let mut pages = Vec::new();
    pages.extend(gone.chunks(PAGE).map(|gone| Said { gone: gone.to_vec(), ..Said::default() }));
    let mut wanted = wanted.into_iter();
    let mut take_page = || {
        let page = wanted.by_ref().take(PAGE).map(|(key, duration, reason)| Wanted {
            key,
            until: at.plus(duration),
            reason,
        });
        let wanted: Vec<_> = page.collect();
        (!wanted.is_empty()).then_some(Said { gone: Vec::new(), wanted })
    };
    let mut pages = pages.into_iter();
    while let Some(said) = pages.next().or_else(&mut take_page) {
        let (remote, most) = (name.clone(), remote.most);
        let (taken, asked) = judge.ask(|reply| Asked::Says { remote, said, most, reply }).await?;
        n_asked = Some(asked);
        all.begun += taken.begun;
        all.extended += taken.extended;
        all.freed += taken.freed;
        all.no_room += taken.no_room;
        all.refused.extend(taken.refused);
        all.left_out.extend(taken.left_out);
    }
    all.no_room += usize::try_from(too_many).unwrap_or(usize::MAX);
    let ended = if is_whole { end(name, judge).await? } else { 0 };
    for refusal in all.refused.iter().take(TOLD) {
        debug!(remote = name, %refusal, "a remote names a friend");
    }
    if remotes.shown.worked(remote, is_whole, (&all, n_asked), &skipped) {
        let begun = all.begun;
        info!(remote = name, asked = n_wanted, begun, ended, "a remote is followed");
    } else if n_gone + n_wanted > 0 {
        debug!(remote = name, gone = n_gone, wanted = n_wanted, begun = all.begun, "heard");
    }
    Ok(())
}

/// Tells the judge that a remote has said all; how many ended.
async fn end(name: &str, judge: &ToJudge) -> Result<usize, Gone> {
    let (mut ended, mut after) = (0, None);
    loop {
        let remote = name.to_owned();
        let dropped = judge.ask(|reply| Asked::Ends { remote, after, reply }).await?;
        ended += dropped.ended;
        after = dropped.next;
        if after.is_none() {
            return Ok(ended);
        }
    }
}
