//! Whom the expressions of rules may ask: the ledger's past, and the resolver.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;

use super::thread;
use crate::expr::world::{Question, Resolver};
use crate::ledger::Past;
use crate::rules::Outside;
use crate::system::{clock, names};

/// Opens a second connection to the ledger, and starts the thread that asks for names. It asks
/// nobody until a rule does, and it is not waited for at the end: a name server may be silent.
pub(super) fn new(ledger: &Path) -> anyhow::Result<Outside> {
    let past = Past::open(ledger).context("cannot read the ledger's past")?;
    let resolver = Arc::new(Resolver::default());
    let asked = Arc::clone(&resolver);
    thread("weir-resolve", move || asked.serve(look_up, clock::now))?;
    let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    Ok(Outside { hostname: hostname.trim().into(), decisions: Some(Arc::new(past)), resolver })
}

fn look_up(question: &Question) -> Vec<String> {
    match question {
        Question::Addresses(host) => {
            names::addresses_of(host).into_iter().map(|address| address.to_string()).collect()
        }
        Question::Names(address) => names::name_of(*address).into_iter().collect(),
    }
}
