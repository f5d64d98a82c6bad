//! Which elements were edited since some moment, and which ranges touch one of them. Pure.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::element::Element;

/// Edited elements.
#[derive(Clone, Debug, Default)]
pub(super) struct Edited {
    hosts: BTreeSet<IpAddr>,
    /// First and last addresses of ranges.
    ///
    /// Invariant: they do not overlap.
    spans: BTreeMap<IpAddr, IpAddr>,
}

impl Edited {
    /// Takes an element in. Spans that overlap become one.
    pub(super) fn add(&mut self, element: Element) {
        let (mut first, mut last) = match element {
            Element::Host(address) => {
                self.hosts.insert(address);
                return;
            }
            Element::Range(first, last) => (first, last),
        };
        while let Some((start, end)) = self.reaching(first, last) {
            self.spans.remove(&start);
            (first, last) = (first.min(start), last.max(end));
        }
        self.spans.insert(first, last);
    }

    /// Whether the element was edited, or is a range that overlaps one which was.
    pub(super) fn touches(&self, element: Element) -> bool {
        match element {
            Element::Host(address) => self.hosts.contains(&address),
            Element::Range(first, last) => self.reaching(first, last).is_some(),
        }
    }

    /// The highest span that overlaps these addresses.
    fn reaching(&self, first: IpAddr, last: IpAddr) -> Option<(IpAddr, IpAddr)> {
        // Both families are in one map: an IPv4 address is below any IPv6 address.
        let (start, end) = self.spans.range(..=last).next_back()?;
        (*end >= first).then_some((*start, *end))
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn address(low: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, low])
    }

    fn element() -> impl Strategy<Value = Element> {
        (any::<bool>(), 0..40_u8, 0..9_u8).prop_map(|(is_host, first, more)| match is_host {
            true => Element::Host(address(first)),
            false => Element::Range(address(first), address(first + more)),
        })
    }

    fn overlap(one: Element, other: Element) -> bool {
        match (one, other) {
            (Element::Host(one), Element::Host(other)) => one == other,
            (Element::Range(first, last), Element::Range(from, to)) => first <= to && from <= last,
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn it_equals_the_linear_model(edited in vec(element(), 0..9), asked in element()) {
            let mut all = Edited::default();
            for element in &edited {
                all.add(*element);
            }
            let expected = edited.iter().any(|element| overlap(*element, asked));
            prop_assert_eq!(all.touches(asked), expected);
        }
    }

    #[test]
    fn families_are_apart() {
        let mut all = Edited::default();
        all.add(Element::Range(IpAddr::from([255; 4]), IpAddr::from([255; 4])));
        let low = IpAddr::from([0_u8; 16]);
        assert!(!all.touches(Element::Range(low, low)));
        assert!(all.touches(Element::Range(IpAddr::from([0; 4]), IpAddr::from([255; 4]))));
    }
}
