//! The backend that only counts: what would be banned, without touching the kernel.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::os::fd::BorrowedFd;

use ipnet::IpNet;

use super::backend::{Backend, Error, Hit};
use super::element::{Edit, Element, Held};
use super::per_family::{Counts, PerFamily};
use crate::system::clock;
use crate::value::Time;

/// Holds elements in memory until they end, as a kernel would.
#[derive(Clone, Debug, Default)]
pub struct Observe {
    elements: BTreeMap<Element, Time>,
    friends: Vec<IpNet>,
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

    fn befriend(&mut self, friends: &[IpNet]) -> Result<bool, Error> {
        let is_changed = self.friends != friends;
        self.friends = friends.to_vec();
        Ok(is_changed)
    }

    fn begin_list(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn list_some(&mut self, held: &mut Vec<Held>) -> Result<bool, Error> {
        let now = clock::now();
        self.elements.retain(|_, until| *until > now);
        let all = self.elements.iter();
        held.extend(all.map(|(element, until)| Held { element: *element, until: Some(*until) }));
        Ok(true)
    }

    fn look_up(&mut self, address: IpAddr) -> Result<Vec<Hit>, Error> {
        let now = clock::now();
        let hits = self.elements.iter().filter(|(element, until)| {
            (element.first()..=element.last()).contains(&address) && **until > now
        });
        let hit = |(element, until): (&Element, &Time)| Hit {
            element: *element,
            until: Some(*until),
            dropped: None,
        };
        Ok(hits.map(hit).collect())
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

    fn flush(&mut self) -> Result<(), Error> {
        self.elements.clear();
        Ok(())
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
        let hit = Hit { element: one, until: Some(later), dropped: None };
        assert_eq!(observe.look_up(IpAddr::from([1; 4])).unwrap(), [hit]);
        assert_eq!(observe.look_up(IpAddr::from([2; 4])).unwrap(), []);
    }
}
