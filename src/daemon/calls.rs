//! What operators ask for, brought to those who can answer.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::decide_loop::Matter;
use super::kernel;
use super::reload::Reloading;
use super::report::Report;
use crate::control::{Call, Calls, Request};
use crate::enforce::FanOut;

/// The answers to calls: the judge's go through its loop, the others are given here.
pub(super) fn serve(
    runtime: &Runtime,
    matters: mpsc::Sender<Matter>,
    orders: FanOut,
    reloading: &Arc<Reloading>,
    report: &Arc<Report>,
) -> Calls {
    let (judge, mut for_judge) = mpsc::channel::<Call>(16);
    let (daemon, mut for_daemon) = mpsc::channel::<Call>(16);
    let waiting = report.waiting_matters();
    runtime.spawn(async move {
        while let Some(call) = for_judge.recv().await {
            let call = match call.request {
                Request::Why { .. } => kernel::completed(call, orders.clone()),
                _ => call,
            };
            waiting.fetch_add(1, Ordering::Relaxed);
            if matters.send(Matter::Call(call)).await.is_err() {
                return;
            }
        }
    });
    let (reloading, report) = (Arc::clone(reloading), Arc::clone(report));
    runtime.spawn(async move {
        while let Some(call) = for_daemon.recv().await {
            let (reloading, report) = (Arc::clone(&reloading), Arc::clone(&report));
            // A reload reads files and compiles rules: not on a thread that serves sockets.
            let answered = tokio::task::spawn_blocking(move || {
                let reply = report.answer(&call.request, &reloading);
                let _ = call.reply.send(reply);
            });
            let _ = answered.await;
        }
    });
    Calls { judge, daemon }
}
