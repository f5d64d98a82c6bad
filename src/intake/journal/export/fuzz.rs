//! The body of a fuzz target: any stream in pieces of any lengths.

use super::{Damage, Export};
use crate::intake::journal::entry::Entry;

/// The first two bytes say how long lines may be and how long the pieces are; what follows is the
/// stream. Its lines do not depend on how it arrives and are no longer than they may be.
#[doc(hidden)]
pub fn fuzz_journal_export(data: &[u8]) {
    let [limit, step, stream @ ..] = data else { return };
    let limit = 8 * (1 + usize::from(*limit));
    let whole = read(limit, stream, usize::MAX);
    assert_eq!(whole.0, read(limit, stream, 1 + usize::from(*step)).0, "pieces of {step}");
    let single = read(limit, stream, 1);
    assert_eq!(whole.0, single.0, "byte by byte");
    assert_eq!(whole.1.is_some(), single.1.is_some(), "damage is damage however it arrives");
    assert!(whole.0.iter().all(|(line, _)| line.len() <= limit));
}

type Found = (Vec<(Vec<u8>, bool)>, Option<Damage>);

fn read(limit: usize, stream: &[u8], most: usize) -> Found {
    let mut export = Export::new(limit);
    let mut lines = Vec::new();
    let mut keep = |entry: &Entry| {
        let mut line = Vec::new();
        let cut = entry.write_line(&mut line);
        lines.push((line, cut));
    };
    for mut piece in stream.chunks(most.min(stream.len().max(1))) {
        loop {
            match export.advance(&mut piece) {
                Ok(true) => keep(export.entry()),
                Ok(false) => break,
                Err(damage) => {
                    assert!(export.advance(&mut b"\n\n".as_slice()).is_err(), "and stays so");
                    return (lines, Some(damage));
                }
            }
        }
        assert!(piece.is_empty(), "who starves has eaten all");
    }
    match export.finish() {
        Ok(true) => keep(export.entry()),
        Ok(false) => {}
        Err(damage) => return (lines, Some(damage)),
    }
    (lines, None)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::fuzz_journal_export;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes(data in prop::collection::vec(any::<u8>(), 0..300)) {
            fuzz_journal_export(&data);
        }

        #[test]
        fn what_entries_are_made_of(
            limit in 0_u8..20,
            step in 0_u8..20,
            parts in prop::collection::vec(
                prop_oneof![
                    "(MESSAGE|_PID|_HOSTNAME|__CURSOR|OTHER)=[a-z0-9 :=]{0,12}\n",
                    "(MESSAGE|_PID|OTHER)\n[\\x00-\\x09]\\x00{7}[a-z\n]{0,9}\n",
                    Just("\n".to_owned()),
                ],
                0..12,
            ),
        ) {
            let mut data = vec![limit, step];
            data.extend(parts.concat().bytes());
            fuzz_journal_export(&data);
        }
    }
}
