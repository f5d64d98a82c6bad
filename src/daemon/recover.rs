//! What the kernel still drops, for a ledger that was damaged and could not be read to the end.

use ipnet::IpNet;
use tracing::{error, warn};

use super::enforcement::Opened;
use crate::decide::Judge;
use crate::ledger::Opened as LedgerOpened;
use crate::settings;
use crate::value::Time;

/// Makes decisions of the bans that the kernel knows and a damaged ledger does not. Of an undamaged
/// one nothing is asked: what only the kernel has then is nobody's ban.
pub(super) fn recover(
    judge: &mut Judge,
    opened: &LedgerOpened,
    settings: &settings::Enforce,
    now: Time,
) {
    if opened.damage.as_ref().is_none_or(|damage| damage.is_complete) {
        return;
    }
    let mut held: Vec<(IpNet, Option<Time>)> = Vec::new();
    for backend in &settings.backends {
        match Opened::new(*backend, settings).and_then(|mut backend| backend.list()) {
            Ok(found) => {
                held.extend(found.iter().flat_map(|held| {
                    held.element.prefixes().into_iter().map(|net| (net, held.until))
                }));
            }
            Err(error) => {
                warn!(backend = backend.name(), %error, "cannot ask the kernel for its bans");
            }
        }
    }
    let (count, _) = judge.recover(held, now);
    error!(
        bans = count,
        "the ledger was damaged: bans that the kernel still had were taken over, without their story"
    );
}
