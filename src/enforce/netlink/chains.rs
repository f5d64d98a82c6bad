//! The base chains of everybody: whoever looks at packets before us may drop them before us.

#![forbid(unsafe_code)]

use super::message::{DUMP, REQUEST};
use super::nft::{self, Verb};
use super::objects::{self, Chain};
use super::{Error, Protocol, Socket};

/// A chain that packets come to, of whatever table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseChain {
    /// The family of its table: `inet`, `ip`, `ip6` or another word of `nft`.
    pub family: &'static str,
    /// The table.
    pub table: String,
    /// Its name.
    pub name: String,
    /// Where it is hooked in, as `nft` says it.
    pub hook: &'static str,
    /// Lower comes first.
    pub priority: i32,
    /// Whether it drops what none of its rules decided.
    pub drops: bool,
}

/// Chains at most.
const MOST: usize = 4096;

/// Lists the base chains of all tables of the calling thread's network namespace.
///
/// # Errors
/// Without `CAP_NET_ADMIN`, or without nf_tables in the kernel.
pub fn base_chains() -> Result<Vec<BaseChain>, Error> {
    let mut socket = Socket::open(Protocol::Netfilter)?;
    socket.list(
        |writer, sequence| {
            // `NFPROTO_UNSPEC`: of all families.
            writer.message(Verb::GetChain.kind(), REQUEST | DUMP, sequence, |writer| {
                writer.raw(&[0, 0, 0, 0]);
            });
        },
        |message, found: &mut Vec<BaseChain>| {
            if !nft::is_nft(message.kind) || found.len() >= MOST {
                return;
            }
            let Some(chain) = Chain::read(message) else { return };
            let (Some(hook), Some(family)) = (chain.hook, message.payload.first()) else { return };
            let table = objects::table_of(message).unwrap_or_default();
            let family = family_name(*family);
            found.push(BaseChain {
                family,
                table: String::from_utf8_lossy(table).into_owned(),
                name: chain.name,
                hook: hook_name(family, hook.number),
                priority: hook.priority,
                drops: hook.policy == 0,
            });
        },
    )
}

/// The word for `enum nfproto`.
const fn family_name(number: u8) -> &'static str {
    match number {
        1 => "inet",
        2 => "ip",
        3 => "arp",
        5 => "netdev",
        7 => "bridge",
        10 => "ip6",
        _ => "other",
    }
}

/// The word for `enum nf_inet_hooks`, or `enum nf_dev_hooks`.
const fn hook_name(family: &str, number: u32) -> &'static str {
    match (family.as_bytes(), number) {
        (b"netdev", 0) | (b"inet", 5) => "ingress",
        (b"netdev", _) => "egress",
        (_, 0) => "prerouting",
        (_, 1) => "input",
        (_, 2) => "forward",
        (_, 3) => "output",
        (_, 4) => "postrouting",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        assert_eq!(hook_name(family_name(1), 1), "input");
        assert_eq!(hook_name(family_name(2), 0), "prerouting");
        assert_eq!(hook_name(family_name(5), 0), "ingress");
        assert_eq!(hook_name(family_name(1), 5), "ingress");
        assert_eq!(hook_name(family_name(10), 9), "other");
    }
}
