//! Who may act as a machine, and how it gets there.

use std::sync::{Arc, Mutex};

use ipnet::IpNet;

use super::keys::NoEntropy;
use super::logins::Logins;
use super::machines::Machines;
use super::token::Secret;

/// The accounts of machines.
#[derive(Debug)]
pub struct Accounts {
    pub(super) machines: Arc<Mutex<Machines>>,
    pub(super) secret: Secret,
    pub(super) logins: Logins,
    /// From where machines may register themselves.
    pub(super) register_from: Vec<IpNet>,
}

impl Accounts {
    /// Those of these machines, whose tokens are signed with this secret; machines may register
    /// themselves from these prefixes.
    ///
    /// # Errors
    /// [`NoEntropy`].
    pub fn new(
        machines: Arc<Mutex<Machines>>,
        secret: Secret,
        register_from: Vec<IpNet>,
    ) -> Result<Self, NoEntropy> {
        Ok(Self { machines, secret, logins: Logins::new()?, register_from })
    }
}
