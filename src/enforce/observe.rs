//! The backend that only counts: what would be banned, without touching the kernel.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;

use super::backend::{Backend, Error};
use super::element::{Edit, Element, Held};
use super::per_family::{Counts, PerFamily};
use crate::system::clock;
use crate::value::Time;

/// Holds elements in memory until they end, as a kernel would.
#[derive(Clone, Debug, Default)]
pub struct Observe {
    elements: BTreeMap<Element, Time>,
}

impl Observe {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Backend for Observe {
    fn name(&self) -> &'static str {
        "observe"
    }

    fn prepare(&mut self) -> Result<bool, Error> {
        Ok(false)
    }

    fn list(&mut self) -> Result<Vec<Held>, Error> {
        let now = clock::now();
        self.elements.retain(|_, until| *until > now);
        let held =
            |(element, until): (&Element, &Time)| Held { element: *element, until: Some(*until) };
        Ok(self.elements.iter().map(held).collect())
    }

    fn apply(&mut self, edits: &[Edit]) -> Result<u64, Error> {
        for edit in edits {
            match *edit {
                Edit::Add(element, until) | Edit::Update(element, until) => {
                    self.elements.insert(element, until);
                }
                Edit::Remove(element) => {
                    self.elements.remove(&element);
                }
            }
        }
        Ok(1)
    }

    fn rebuild(
        &mut self,
        elements: &mut dyn Iterator<Item = (Element, Time)>,
    ) -> Result<(), Error> {
        self.elements = elements.collect();
        Ok(())
    }

    fn dropped(&mut self) -> Result<PerFamily<Counts>, Error> {
        Ok(PerFamily::default())
    }

    fn watched(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn disturbed(&mut self) -> Result<bool, Error> {
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[test]
    fn it_holds_what_it_is_told_until_it_ends() {
        let mut observe = Observe::new();
        let (one, two) = (Element::Host(IpAddr::from([1; 4])), Element::Host(IpAddr::from([2; 4])));
        let (past, later) = (Time::from_seconds(1), clock::now().plus(60_000_000_000));
        observe
            .apply(&[Edit::Add(one, past), Edit::Add(two, past), Edit::Update(two, later)])
            .unwrap();
        assert_eq!(observe.list().unwrap(), [Held { element: two, until: Some(later) }]);
        observe.apply(&[Edit::Remove(two)]).unwrap();
        assert_eq!(observe.list().unwrap(), []);
        observe.rebuild(&mut [(one, later)].into_iter()).unwrap();
        assert_eq!(observe.list().unwrap(), [Held { element: one, until: Some(later) }]);
    }
}
