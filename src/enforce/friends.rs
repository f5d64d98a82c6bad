//! Friends as ranges that a kernel set can hold: sorted, joined where they meet or overlap. Pure.

#![forbid(unsafe_code)]

use std::net::IpAddr;

use ipnet::IpNet;

use super::element::successor;

/// The ranges that hold exactly the addresses of these prefixes, in order; no two of them touch.
pub(super) fn joined(friends: &[IpNet]) -> Vec<(IpAddr, IpAddr)> {
    let mut spans: Vec<_> = friends.iter().map(|net| (net.network(), net.broadcast())).collect();
    spans.sort_unstable();
    let mut joined: Vec<(IpAddr, IpAddr)> = Vec::with_capacity(spans.len());
    for (first, last) in spans {
        match joined.last_mut() {
            // The highest address of a family has none behind it in its family.
            Some((_, end)) if *end >= first || successor(*end) == Some(first) => {
                *end = last.max(*end);
            }
            _ => joined.push((first, last)),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(friends: &[&str], expected: &[(&str, &str)]) {
        let friends: Vec<IpNet> = friends.iter().map(|net| net.parse().unwrap()).collect();
        let parse = |text: &str| text.parse::<IpAddr>().unwrap();
        let expected: Vec<_> =
            expected.iter().map(|(first, last)| (parse(first), parse(last))).collect();
        assert_eq!(joined(&friends), expected);
    }

    #[test]
    fn what_meets_or_lies_in_one_another_is_joined() {
        check(&[], &[]);
        check(&["10.1.0.0/16", "10.0.0.0/8", "10.2.3.4/32"], &[("10.0.0.0", "10.255.255.255")]);
        check(&["10.0.0.0/25", "10.0.0.128/26"], &[("10.0.0.0", "10.0.0.191")]);
        check(
            &["192.0.2.1/32", "192.0.2.3/32", "255.255.255.255/32", "::/128", "::1/128"],
            &[
                ("192.0.2.1", "192.0.2.1"),
                ("192.0.2.3", "192.0.2.3"),
                ("255.255.255.255", "255.255.255.255"),
                ("::", "::1"),
            ],
        );
        check(
            &["0.0.0.0/0", "::/0"],
            &[("0.0.0.0", "255.255.255.255"), ("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")],
        );
    }

    proptest! {
        #[test]
        fn they_hold_the_same_addresses(nets in vec((any::<u8>(), 24..=32_u8), 0..9)) {
            let friends: Vec<IpNet> = nets
                .into_iter()
                .map(|(low, length)| IpNet::new([10, 0, 0, low].into(), length).unwrap().trunc())
                .collect();
            let joined = joined(&friends);
            for low in 0..=255_u8 {
                let address = IpAddr::from([10, 0, 0, low]);
                let holds = |(first, last): &&(IpAddr, IpAddr)| (*first..=*last).contains(&address);
                let count = joined.iter().filter(holds).count();
                let expected = friends.iter().any(|net| net.contains(&address));
                prop_assert_eq!(count, usize::from(expected));
            }
            let apart = |pair: &[(IpAddr, IpAddr)]| successor(pair[0].1).unwrap() < pair[1].0;
            prop_assert!(joined.windows(2).all(apart), "{:?} touch", joined);
        }
    }
}
