//! Enforcement: makes the kernel hold what the ledger says.
//!
//! [`Enforcer`] is the one owner: a plain thread that takes [`Change`](crate::ledger::Change)s from
//! a bounded queue, keeps a copy of what is wanted, and tells it to a [`Backend`]. The kernel is a
//! cache: whatever is found there is compared with what is wanted by a pure difference, at the
//! start, on a timer, and when somebody else touched our table. Elements carry their remaining time
//! and outlive the daemon.
//!
//! Why a ban exists is not known here, nor who decided it.

mod backend;
mod comparison;
mod edited;
mod element;
mod enforcer;
mod fan_out;
mod friends;
mod ipset;
#[cfg(test)]
mod model;
mod netlink;
mod nftables;
mod observe;
mod orders;
#[cfg(test)]
mod packets;
mod per_family;
mod prefixes;
mod reconcile;
mod route;
mod status;
mod total;
mod wanted;

pub use backend::{Backend, Error, Hit, Precision, Shape};
pub use element::{Edit, Element, Held};
pub use enforcer::{Enforcer, Pace};
pub use fan_out::{Answer, FanOut, Stopped};
pub use ipset::{Failure as ProgramFailure, Ipset, Options as IpsetOptions};
pub use netlink::Error as NetlinkError;
pub use netlink::addresses::{HostWatch, gateways, host_addresses};
pub use netlink::chains::{BaseChain, base_chains};
pub use netlink::diag::{Connection, connections};
#[doc(hidden)]
pub use nftables::encoded;
pub use nftables::{Nftables, Options as NftablesOptions};
pub use observe::Observe;
pub use orders::{Inbox, Orders, Unanswered, Unsent, queue};
pub use per_family::{Counts, PerFamily};
pub use route::{Options as RouteOptions, Routes};
pub use status::{Condition, Status};
