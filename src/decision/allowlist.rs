//! Friends: addresses and prefixes that are never banned.

use std::net::IpAddr;

use ipnet::IpNet;

use super::Target;
use super::target::canonical;

/// Where an allowlist entry comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Built in: loopback, link-local and the like.
    Default,
    /// The configuration file.
    Settings,
    /// This host's own addresses and gateways, as the kernel reports them.
    Host,
}

/// One friend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The address or prefix.
    pub net: IpNet,
    /// Who entered it.
    pub origin: Origin,
    /// Why, for people.
    pub comment: String,
}

/// Why something cannot be banned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is, lies in, or contains a friend.
    #[error("`{net}` is on the allowlist: `{}` ({})", entry.net, entry.comment)]
    Allowlisted {
        /// What was to be banned.
        net: IpNet,
        /// The entry that stands against it.
        entry: Entry,
    },
    /// It covers more addresses than one ban may.
    #[error("`{net}` is too wide to ban: the widest prefix is /{widest}")]
    TooWide {
        /// What was to be banned.
        net: IpNet,
        /// The shortest prefix length that may be banned.
        widest: u8,
    },
}

/// All friends.
#[derive(Clone, Debug, Default)]
pub struct Allowlist {
    entries: Vec<Entry>,
}

impl Allowlist {
    /// An allowlist of these entries.
    #[must_use]
    pub fn new(entries: Vec<Entry>) -> Self {
        Self { entries }
    }

    /// The entries.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The first entry that contains `address`.
    #[must_use]
    pub fn find(&self, address: IpAddr) -> Option<&Entry> {
        let net = canonical(IpNet::from(address));
        self.entries.iter().find(|entry| canonical(entry.net).contains(&net))
    }

    /// Makes a target of a prefix: the only way to one.
    ///
    /// # Errors
    /// A [`Refusal`] when the prefix is a friend, lies in one's prefix, or contains a friend, or
    /// when it is too wide.
    pub fn admit(&self, net: IpNet) -> Result<Target, Refusal> {
        const WIDEST_V4: u8 = 8;
        const WIDEST_V6: u8 = 16;
        let net = canonical(net);
        let widest = match net {
            IpNet::V4(_) => WIDEST_V4,
            IpNet::V6(_) => WIDEST_V6,
        };
        if net.prefix_len() < widest {
            return Err(Refusal::TooWide { net, widest });
        }
        for entry in &self.entries {
            let friend = canonical(entry.net);
            if friend.contains(&net) || net.contains(&friend) {
                return Err(Refusal::Allowlisted { net, entry: entry.clone() });
            }
        }
        Ok(Target::admitted(net))
    }
}
