//! The body of a fuzz target: any stream in pieces of any lengths.

use super::{Framed, Framer, Place, SLACK, is_trailer};

/// The first three bytes say what stream it is, what follows is the stream. Its messages do not
/// depend on how it arrives, lie in it in their order, and are no longer than they may be; so is
/// the memory that they take.
#[doc(hidden)]
pub fn fuzz_framing(data: &[u8]) {
    let [kind, limit, step, stream @ ..] = data else { return };
    let limit = (1 + usize::from(*limit)) << (kind % 8);
    let counts = kind & 0x80 == 0;
    let read = |most| read(counts, limit, stream, most);
    let whole = read(usize::MAX);
    assert_eq!(whole, read(1 + usize::from(*step)), "pieces of {step}");
    assert_eq!(whole, read(1), "byte by byte");
    let mut rest = stream;
    for (message, _) in whole.iter().filter_map(Option::as_ref) {
        assert!(!message.is_empty() && message.len() <= limit, "{} bytes", message.len());
        assert!(message.last().is_some_and(|last| !is_trailer(*last)), "a trailer is no message");
        let at = memchr::memmem::find(rest, message).expect("messages are pieces of the stream");
        rest = &rest[at + message.len()..];
    }
}

/// A message, and whether it is cut; `None` for a loss.
type Found = Option<(Vec<u8>, bool)>;

fn read(counts: bool, limit: usize, stream: &[u8], most: usize) -> Vec<Found> {
    let mut framer = if counts { Framer::new(limit) } else { Framer::lines(limit) };
    let mut found = Vec::new();
    for mut piece in stream.chunks(most.min(stream.len().max(1))) {
        while !piece.is_empty() {
            let taken = framer.push(piece);
            assert!(taken > 0, "there is room once the frames are taken");
            assert!(framer.memory() <= limit + SLACK, "{} bytes held", framer.memory());
            piece = &piece[taken..];
            while let Some(place) = framer.locate() {
                found.push(match place {
                    Place::Message(from, to, cut) => Some((framer.bytes(from, to).to_vec(), cut)),
                    Place::Dropped(_) => None,
                });
            }
        }
    }
    match framer.finish(true) {
        Some(Framed::Message { bytes, cut }) => found.push(Some((bytes.to_vec(), cut))),
        Some(Framed::Dropped(_)) => found.push(None),
        None => {}
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::fuzz_framing;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes(data in prop::collection::vec(any::<u8>(), 0..300)) {
            fuzz_framing(&data);
        }

        #[test]
        fn what_frames_are_made_of(
            kind in prop_oneof![Just(0_u8), Just(0x80), any::<u8>()],
            limit in 0_u8..60,
            step in 0_u8..9,
            parts in prop::collection::vec("[0-9]{0,3} ?<?[0-9]{0,3}>?[a-z]{0,12}[\\r\\n\\x00]{0,2}", 0..9),
        ) {
            let mut data = vec![kind, limit, step];
            data.extend(parts.concat().bytes());
            fuzz_framing(&data);
        }
    }
}
