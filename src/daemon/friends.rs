//! The allowlist of this host: what the settings say, and the host itself.

use tracing::warn;

use crate::decision::{Allowlist, Entry, EntryOrigin};
use crate::enforce;
use crate::settings::Settings;

/// All friends. The host's own addresses and gateways are asked of the kernel; where it does not
/// answer, the others hold and a warning says what is missing.
pub(super) fn allowlist(settings: &Settings) -> Allowlist {
    let mut entries = settings.allowlist.entries.clone();
    if settings.allowlist.host {
        let found = [
            ("an address of this host", enforce::host_addresses()),
            ("a gateway of this host", enforce::gateways()),
        ];
        for (comment, nets) in found {
            match nets {
                Ok(nets) => entries.extend(nets.into_iter().map(|net| Entry {
                    net,
                    origin: EntryOrigin::Host,
                    comment: comment.to_owned(),
                })),
                Err(error) => warn!(%error, "cannot ask the kernel for {comment}"),
            }
        }
    }
    Allowlist::new(entries)
}
