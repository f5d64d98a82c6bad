//! What is said about how far bans go.

use std::time::Duration;

use super::{check, good};
use crate::intake::spec::Trust;
use crate::settings::{Brake, Escalation, Guard, Merge, Prefixes};

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn without_a_word_bans_grow_and_networks_are_banned() {
    let settings = good(&[""]);
    assert_eq!(settings.escalation, Some(Escalation::default()));
    assert_eq!(settings.prefixes, Prefixes::default());
    assert_eq!(settings.prefixes.count, Some(64));
    assert_eq!(settings.guard, Some(Guard::default()));
    assert_eq!(settings.brake, Some(Brake::default()));
    assert_eq!(settings.spoofable, [Trust::FULL; 4]);
    assert!(settings.sources.iter().all(|source| source.bans.is_full()));
}

#[test]
fn all_of_it_can_be_said() {
    let settings = good(&["
sources:
  - {udp: '127.0.0.1:514', bans: observe}
  - {tcp: '127.0.0.1:514', bans: 10m}
  - {unix: /run/x.sock, bans: all}
escalation: {factor: 1.5, most: 30d, decay: 1d, jitter: 5%}
prefixes: {count: 56, ipv6: {56: 3}, ipv4: {/24: 8}, within: 2h, merge: {at: 75%, widest: /26, widest_ipv6: /60}}
guard: {logins: [auth_success, ssh_success-auth], for: 1h, ports: [22, 2222], after: 5m}
brake: {bans: 100, per: 10m, well_behaved: 50%}
spoofable: {2: 10m}
"]);
    let bans: Vec<Trust> = settings.sources.iter().map(|source| source.bans).collect();
    assert_eq!(bans, [Trust::OBSERVE, Trust::seconds(600), Trust::FULL]);
    let day = 24 * HOUR;
    let escalation = Escalation { factor: 1.5, most: 30 * day, decay: day, jitter: 0.05 };
    assert_eq!(settings.escalation, Some(escalation));
    let merge = Merge { at: 0.75, widest: 26, widest_ipv6: 60 };
    let prefixes = Prefixes {
        count: Some(56),
        ipv4: vec![(24, 8)],
        ipv6: vec![(56, 3)],
        within: 2 * HOUR,
        merge: Some(merge),
    };
    assert_eq!(settings.prefixes, prefixes);
    let guard = settings.guard.unwrap();
    assert_eq!((guard.logins.len(), guard.span, guard.after), (2, HOUR, HOUR / 12));
    assert_eq!(guard.ports, [22, 2222]);
    let brake = Brake { bans: 100, per: HOUR / 6, well_behaved: 0.5 };
    assert_eq!(settings.brake, Some(brake));
    let some = Trust::seconds(600);
    assert_eq!(settings.spoofable, [Trust::FULL, Trust::FULL, some, some]);
}

#[test]
fn each_can_be_switched_off_and_a_later_file_has_the_last_word() {
    let off =
        "{escalation: off, prefixes: {count: off, ipv6: off, merge: off}, guard: no, brake: off}";
    let settings = good(&[off]);
    assert_eq!((settings.escalation, settings.guard, settings.brake), (None, None, None));
    let bare = Prefixes { count: None, ipv6: Vec::new(), ..Prefixes::default() };
    assert_eq!(settings.prefixes, bare);
    let settings = good(&[off, "{escalation: {factor: 3}, guard: on, prefixes: {merge: on}}"]);
    assert_eq!(settings.escalation.map(|escalation| escalation.factor), Some(3.0));
    assert_eq!(settings.guard, Some(Guard::default()));
    assert_eq!(settings.brake, None);
    assert_eq!(settings.prefixes.merge, Some(Merge::default()));
}

#[test]
fn mistakes_have_their_places() {
    check("escalation: never", &["0:1:13 expected a mapping or `off`, found `never`"]);
    check(
        "escalation: {factor: 0.5, jitter: 10}",
        &[
            "0:1:22 expected a number such as `2` or `1.5` for `factor`, found `0.5`",
            "0:1:35 expected a part such as `20%` for `jitter`, found `10`",
        ],
    );
    check(
        "{ban: 1d, escalation: {most: 4h}}",
        &["0:1:30 no ban can grow: `most` is shorter than the first ban (`ban`)"],
    );
    check(
        "prefixes: {count: 200, ipv6: {129: 2, 64: 1}, ipv4: on}",
        &[
            "0:1:19 expected the length of a prefix such as `64`, or `off` for `count`, found `200`",
            "0:1:31 `129` is no length of a prefix: from /16 to /127",
            "0:1:43 expected how many offend, from 2 to 4096, found `1`",
            "0:1:53 say which levels: `ipv4: {24: 4}`",
        ],
    );
    check(
        "prefixes: {merge: {at: 10%}}",
        &["0:1:24 below `25%` most of those who are banned did nothing"],
    );
    check(
        "guard: {ports: [ssh], after: 10ms}",
        &["0:1:17 `ssh` is no port", "0:1:30 `after` must be at least `1s`"],
    );
    check("brake: {well_behaved: 0%}", &["0:1:23 at `0%` the brake would be on for ever"]);
    check(
        "spoofable: {0: observe, 3: sometimes}",
        &[
            "0:1:13 `0` is no degree: rules say 1, 2 or 3",
            "0:1:28 expected `all`, `observe`, or the longest ban such as `10m`, found `sometimes`",
        ],
    );
    check(
        "sources: [{udp: '127.0.0.1:514', bans: none}]",
        &[
            "0:1:40 expected `all`, `observe`, or the longest ban such as `10m` for `bans`, found `none`",
        ],
    );
}
