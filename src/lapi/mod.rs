//! The API that bouncers and machines of CrowdSec speak: whom to keep out, asked by programs that
//! enforce it elsewhere; and who may push what was found elsewhere.
//!
//! The ledger is the only truth: answers are read from it beside its owner, and nothing here
//! changes a decision. What comes in is hostile until a key or a token was shown, and bounded after it.

#![forbid(unsafe_code)]

mod accounts;
mod alerts;
mod allowlists;
mod bouncers;
mod decision;
mod endings;
mod keys;
mod listing;
mod logins;
mod machines;
mod orders;
mod passwords;
mod query;
mod server;
mod stream;
mod token;

pub use accounts::{Accounts, Admission, Certificate};
pub use alerts::{Pushed, PushedDecision, PushedEvent, PushedSource};
pub use allowlists::Friends;
pub use bouncers::{Bouncer, Bouncers, Unfit};
pub use endings::Fit;
pub use keys::{Key, KeyHash, NoEntropy};
pub use machines::{ChangedMachines, Machine, Machines, UnfitMachine};
pub use orders::{EndedSome, Order, Orders, Told};
pub use passwords::PasswordHash;
pub use server::{Api, Peer};
pub use token::{Secret, TooShort};
