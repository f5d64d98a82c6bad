//! Who may act as a bouncer or a machine without an operator's word for each, and the accounts of
//! machines.

use std::sync::{Arc, Mutex};

use ipnet::IpNet;

use super::keys::NoEntropy;
use super::logins::Logins;
use super::machines::Machines;
use super::token::Secret;

/// Who gets in, as the configuration says.
#[derive(Clone, Debug, Default)]
pub struct Admission {
    /// From where machines may register themselves.
    pub register_from: Vec<IpNet>,
    /// The organizational units whose certificates make a bouncer.
    pub bouncer_units: Vec<String>,
    /// Those whose certificates make a machine.
    pub machine_units: Vec<String>,
}

/// Whom a client certificate names, that an authority of the configuration signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The common name.
    pub name: String,
    /// The organizational units.
    pub units: Vec<String>,
}

/// The accounts of machines.
#[derive(Debug)]
pub struct Accounts {
    pub(super) machines: Arc<Mutex<Machines>>,
    pub(super) secret: Secret,
    pub(super) logins: Logins,
    pub(super) admission: Admission,
}

impl Accounts {
    /// Those of these machines, whose tokens are signed with this secret.
    ///
    /// # Errors
    /// [`NoEntropy`].
    pub fn new(
        machines: Arc<Mutex<Machines>>,
        secret: Secret,
        admission: Admission,
    ) -> Result<Self, NoEntropy> {
        Ok(Self { machines, secret, logins: Logins::new()?, admission })
    }
}

impl Certificate {
    /// Whether it is of one of these units.
    pub(super) fn is_of(&self, units: &[String]) -> bool {
        self.units.iter().any(|unit| units.contains(unit))
    }
}

/// The name of whoever shows a certificate of `name` from `from`; `None` where the certificate's name
/// is not plain, and could be taken for another one.
pub(super) fn certified(name: &str, from: std::net::IpAddr) -> Option<String> {
    const LONGEST: usize = 64;
    let is_fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let is_plain = !name.is_empty() && name.len() <= LONGEST && name.chars().all(is_fit);
    is_plain.then(|| format!("{name}@{}", from.to_canonical()))
}
