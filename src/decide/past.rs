//! Expressions ask for past decisions, and the ledger answers.

use ipnet::IpNet;

use crate::expr::world::Decisions;
use crate::ledger::Past;
use crate::value::Time;

impl Decisions for Past {
    fn count(&self, range: IpNet, since: Option<Time>) -> Result<u64, String> {
        Past::count(self, range, since).map_err(|error| error.to_string())
    }

    fn active(&self, range: IpNet, now: Time) -> Result<Vec<Time>, String> {
        Past::active(self, range, now).map_err(|error| error.to_string())
    }
}
