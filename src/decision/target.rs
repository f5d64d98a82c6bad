//! An address or prefix that may be banned.

use std::net::IpAddr;

use ipnet::IpNet;

/// IPv4 or IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The word used in metrics, messages and JSON: `ipv4` or `ipv6`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Family::V4 => "ipv4",
            Family::V6 => "ipv6",
        }
    }
}

/// An address or prefix that passed the allowlist.
///
/// Invariant: in canonical form. Host bits are zero, and an IPv4-mapped IPv6 address is the IPv4
/// address it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Target(IpNet);

impl Target {
    /// Only for [`super::Allowlist::admit`] and for what the ledger admitted before.
    pub(super) fn admitted(net: IpNet) -> Self {
        Self(canonical(net))
    }

    /// The prefix; /32 or /128 for a single address.
    #[must_use]
    pub fn net(self) -> IpNet {
        self.0
    }

    /// Whether it is a single address.
    #[must_use]
    pub fn is_host(self) -> bool {
        self.0.prefix_len() == self.0.max_prefix_len()
    }

    /// IPv4 or IPv6.
    #[must_use]
    pub fn family(self) -> Family {
        match self.0 {
            IpNet::V4(_) => Family::V4,
            IpNet::V6(_) => Family::V6,
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_host() { self.0.addr().fmt(f) } else { self.0.fmt(f) }
    }
}

/// The canonical form of a prefix: host bits zero, `::ffff:a.b.c.d/(96+n)` as `a.b.c.d/n`.
#[must_use]
pub fn canonical(net: IpNet) -> IpNet {
    let net = net.trunc();
    if let IpNet::V6(v6) = net
        && v6.prefix_len() >= 96
        && let Some(v4) = v6.addr().to_ipv4_mapped()
    {
        let length = v6.prefix_len() - 96;
        return IpNet::new(IpAddr::V4(v4), length).map_or(net, |net| net.trunc());
    }
    net
}
