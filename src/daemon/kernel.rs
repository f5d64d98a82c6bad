//! What backends hold for an address, added to what the judge tells of it.
//!
//! The judge waits for no backend: its answer goes by way of a thread that may.

use std::time::Duration;

use ipnet::IpNet;
use tokio::sync::oneshot;

use crate::control::{Call, ElementRow, InKernel, Reply};
use crate::decision::parse_net;
use crate::enforce::{Element, FanOut, Hit};
use crate::system::clock;
use crate::value::Time;

/// How long a backend may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// A call in the place of `call`, whose answer is completed on its way back.
pub(super) fn completed(call: Call, orders: FanOut) -> Call {
    let Call { request, reply } = call;
    let (inner, answer) = oneshot::channel();
    // It ends with the call: the judge answers, or drops it.
    drop(tokio::task::spawn_blocking(move || {
        let Ok(mut answer) = answer.blocking_recv() else { return };
        if let Reply::Why(why) = &mut answer
            && let Ok(net) = parse_net(&why.target)
        {
            why.kernel = Some(look_up(&orders, net));
        }
        // Who asked may have gone away.
        let _ = reply.send(answer);
    }));
    Call { request, reply: inner }
}

fn look_up(orders: &FanOut, net: IpNet) -> Vec<InKernel> {
    let answers = orders.look_up(net.network(), PATIENCE);
    let now = clock::now();
    let shown = |(backend, answer): (&'static str, Result<Vec<Hit>, _>)| {
        let mut shown = InKernel { backend: backend.to_owned(), ..InKernel::default() };
        match answer {
            Ok(hits) => shown.elements = hits.iter().map(|hit| row(hit, now)).collect(),
            Err(error) => shown.trouble = Some(format!("{error}")),
        }
        shown
    };
    answers.into_iter().map(shown).collect()
}

fn row(hit: &Hit, now: Time) -> ElementRow {
    let left = |until: Time| u64::try_from(until.since(now)).unwrap_or(0).div_ceil(1_000_000_000);
    ElementRow {
        element: match hit.element {
            Element::Host(address) => address.to_string(),
            Element::Range(first, last) => format!("{first}-{last}"),
        },
        remaining_seconds: hit.until.map(left),
        packets: hit.dropped.map(|counts| counts.packets),
        bytes: hit.dropped.map(|counts| counts.bytes),
    }
}
