//! The body of a fuzz target: any stream in pieces of any lengths.

use super::frame::{BadFrame, Frame, Frames};
use super::session::{Session, Step};

/// The first two bytes say how the stream is read, what follows is the stream. Its frames do not
/// depend on how it arrives, lie in it in their order, and are no longer than they may be; so is
/// the memory that they take. A session takes each of them.
#[doc(hidden)]
pub fn fuzz_relp(data: &[u8]) {
    let [limit, step, stream @ ..] = data else { return };
    let limit = 1 + usize::from(*limit);
    let whole = read(limit, stream, usize::MAX);
    assert_eq!(whole, read(limit, stream, 1 + usize::from(*step)), "pieces of {step}");
    assert_eq!(whole, read(limit, stream, 1), "byte by byte");
    let mut session = Session::default();
    let mut rest = stream;
    for (txnr, command, data, cut) in &whole.0 {
        assert!(*txnr < 1_000_000_000 && (1..=32).contains(&command.len()), "{txnr} {command}");
        assert!(data.len() <= limit && (!cut || data.len() == limit), "{} bytes", data.len());
        let at = memchr::memmem::find(rest, data).expect("data is a piece of the stream");
        rest = &rest[at + data.len()..];
        let frame = Frame { txnr: *txnr, command, data, cut: *cut };
        match session.take(&frame) {
            Ok(Step::Line { line, .. }) => assert!(line.len() <= data.len()),
            Ok(Step::Answer(answer) | Step::Close(answer)) => assert_eq!(answer.txnr, *txnr),
            Ok(Step::Pass) => assert_eq!(*txnr, 0),
            Err(_) => return,
        }
    }
}

/// Frames as number, command, data and whether it is cut; then what ended them.
type Found = (Vec<(u32, String, Vec<u8>, bool)>, Option<BadFrame>);

fn read(limit: usize, stream: &[u8], most: usize) -> Found {
    let mut frames = Frames::new(limit);
    let mut found = Vec::new();
    for mut piece in stream.chunks(most.min(stream.len().max(1))) {
        while !piece.is_empty() {
            let space = frames.space();
            let count = space.len().min(piece.len());
            assert!(count > 0, "there is room once the frames are taken");
            space[..count].copy_from_slice(&piece[..count]);
            frames.filled(count);
            assert!(frames.memory() <= frames.most(), "{} bytes held", frames.memory());
            piece = &piece[count..];
            loop {
                match frames.next_frame() {
                    Ok(Some(Frame { txnr, command, data, cut })) => {
                        found.push((txnr, command.to_owned(), data.to_vec(), cut));
                    }
                    Ok(None) => break,
                    Err(bad) => return (found, Some(bad)),
                }
            }
        }
    }
    (found, None)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::fuzz_relp;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes(data in prop::collection::vec(any::<u8>(), 0..300)) {
            fuzz_relp(&data);
        }

        #[test]
        fn what_frames_are_made_of(
            limit in 0_u8..20,
            step in 0_u8..9,
            parts in prop::collection::vec(
                ("[0-9]{1,3}", "open|syslog|close|[a-z]{0,3}", "[a-z=_ \\n]{0,30}", 0_u8..20),
                0..9,
            ),
        ) {
            let mut data = vec![limit, step];
            for (txnr, command, text, wrong) in parts {
                // One length in twenty is not that of the data.
                let length = text.len() + usize::from(wrong == 0);
                data.extend(format!("{txnr} {command} {length} {text}\n").bytes());
            }
            fuzz_relp(&data);
        }
    }
}
