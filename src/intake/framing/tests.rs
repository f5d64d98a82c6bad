use proptest::prelude::*;

use super::*;
use crate::intake::buffer::SMALL;

/// Everything that `stream` holds when it arrives in pieces of the given lengths: messages as
/// text, cut ones with `…`, losses as the names of their reasons.
fn frames(stream: &[u8], limit: usize, pieces: &mut dyn FnMut() -> usize) -> Vec<String> {
    let mut framer = Framer::new(limit);
    let mut shown = Vec::new();
    let mut left = stream;
    while !left.is_empty() {
        let mut piece = &left[..pieces().clamp(1, left.len())];
        left = &left[piece.len()..];
        while !piece.is_empty() {
            let taken = framer.push(piece);
            assert!(taken > 0, "there is space once the frames are taken");
            assert!(framer.memory() <= limit + SLACK, "memory is bounded");
            piece = &piece[taken..];
            while let Some(framed) = framer.next_frame() {
                shown.push(show(framed));
            }
        }
    }
    shown.extend(framer.finish(true).map(show));
    shown
}

fn show(framed: Framed<'_>) -> String {
    match framed {
        Framed::Message { bytes, cut } => {
            let text: String = bytes.escape_ascii().to_string();
            if cut { text + "…" } else { text }
        }
        Framed::Dropped(reason) => format!("!{}", reason.name()),
    }
}

#[track_caller]
fn check(limit: usize, stream: &str, expected: &[&str]) {
    assert_eq!(frames(stream.as_bytes(), limit, &mut || usize::MAX), expected, "in one piece");
    assert_eq!(frames(stream.as_bytes(), limit, &mut || 1), expected, "byte by byte");
}

#[test]
fn line_feeds() {
    check(99, "<13>a\n<13>b\n", &["<13>a", "<13>b"]);
    check(99, "<13>a\r\n\r\n\n<13>b\0\n", &["<13>a", "<13>b"]);
    check(99, "no priority\n\tat Main.java:3\n", &["no priority", "\\tat Main.java:3"]);
    check(99, "<13>the last one has no line feed", &["<13>the last one has no line feed"]);
    check(99, "\0\r\n", &[]);
    check(99, "", &[]);
}

#[test]
fn octet_counts() {
    check(99, "5 <13>a5 <13>b", &["<13>a", "<13>b"]);
    check(99, "6 <13>a\n5 <13>b\n5 <13>c", &["<13>a", "<13>b", "<13>c"]);
    check(99, "7 <13>a\nb5 <13>c", &["<13>a\\nb", "<13>c"]);
    check(99, "16 <13>a\n5 <13>forg5 <13>c", &["<13>a\\n5 <13>forg", "<13>c"]);
}

#[test]
fn both_framings_on_one_connection() {
    check(99, "5 <13>a<13>b\n5 <13>c\n<13>d\n", &["<13>a", "<13>b", "<13>c", "<13>d"]);
}

#[test]
fn a_number_is_not_always_a_count() {
    check(99, "2024-01-01T00:00:00Z host a: b\n", &["2024-01-01T00:00:00Z host a: b"]);
    check(99, "4 <b>bold</b>\n", &["4 <b>bold</b>"]);
    check(99, "12 monkeys\n34\n", &["12 monkeys", "34"]);
    check(99, "0 <13>a\n012 <13>b\n", &["0 <13>a", "012 <13>b"]);
    check(99, "5 <1234>a\n", &["5 <1234>a"]);
    check(99, "123456789012345678901 <13>a\n", &["123456789012345678901 <13>a"]);
    check(99, "12", &["12"]);
    check(99, "12 <1", &["12 <1"]);
}

#[test]
fn counts_that_lie() {
    // More than any number holds, in as many digits as are read.
    check(100, "99999999999999999999 <38>x\n<38>y\n", &["!bad_frame", "<38>x", "<38>y"]);
    // Too great to be true, and too small for its own priority: read on as a line.
    check(99, "123456789 <13>a\n<13>b\n", &["!bad_frame", "<13>a", "<13>b"]);
    check(99, "3 <13>a\n<13>b\n", &["!bad_frame", "<13>a", "<13>b"]);
    // Characters counted instead of bytes: each message loses its end, the next one is found.
    check(
        99,
        "7 <13>abcé7 <13>defé5 <13>g",
        &["<13>abc", "!bad_frame", "<13>def", "!bad_frame", "<13>g"],
    );
    check(99, "5 <13>abc\n5 <13>d", &["<13>a", "!bad_frame", "<13>d"]);
    check(
        99,
        "5 <13>a <<13> 123456789 <13>x z<13 x <13>y 5 <13>b",
        &["<13>a", "!bad_frame", "<13>b"],
    );
    // Too great: swallows what follows, never shows half a frame.
    check(99, "50 <13>a\n<13>b\n", &["!incomplete"]);
}

#[test]
fn the_longest_message() {
    check(8, "<13>5678\n<13>5678\r\n<13>567\0\r\n", &["<13>5678", "<13>5678", "<13>567"]);
    check(8, "<13>56789\n<13>b\n", &["<13>5678…", "<13>b"]);
    check(8, "<13>5678\0\r\n<13>b\n", &["<13>5678", "<13>b"]);
    check(8, "<13>56789abcdefgh 5 <13>x\n<13>b\n", &["<13>5678…", "<13>b"]);
    check(8, "8 <13>56789 <13>5678\n5 <13>b", &["<13>5678", "<13>5678", "<13>b"]);
    check(8, "9 <13>567895 <13>b", &["<13>5678…", "<13>b"]);
    check(8, "20 <13>567890123456789a5 <13>b", &["<13>5678…", "<13>b"]);
    check(8, "<13>56789", &["<13>5678…"]);
    // Zeros before what is cut off are no part of a message, however it is framed.
    check(8, "<13>567\09\n<13>b\n", &["<13>567…", "<13>b"]);
    check(8, "<13>567\09abc\n<13>b\n", &["<13>567…", "<13>b"]);
    check(8, "<13>567\09", &["<13>567…"]);
    check(8, "9 <13>567\095 <13>b", &["<13>567…", "<13>b"]);
    check(8, "99999999 <13>56789", &["<13>5678…"]);
}

#[test]
fn a_stream_that_breaks_shows_no_half_message() {
    let mut framer = Framer::new(99);
    framer.push(b"<13>from 192.0.2.2");
    assert_eq!(framer.next_frame(), None);
    assert!(framer.is_inside());
    assert_eq!(framer.finish(false), Some(Framed::Dropped(Reason::Incomplete)));
    framer.push(b"<13>a\n");
    assert!(matches!(framer.next_frame(), Some(Framed::Message { bytes: b"<13>a", cut: false })));
    assert_eq!(framer.next_frame(), None);
    assert!(!framer.is_inside());
    assert_eq!(framer.finish(false), None);
}

#[test]
fn memory_grows_on_need_and_goes_again() {
    let mut framer = Framer::new(64 * 1024);
    assert_eq!(framer.memory(), 0, "nothing before the first byte is awaited");
    assert!(framer.space().len() <= SMALL);
    let long = vec![b'x'; 100_000];
    let mut left = &long[..];
    while !left.is_empty() {
        left = &left[framer.push(left)..];
        while framer.next_frame().is_some() {}
    }
    assert!(framer.memory() <= 64 * 1024 + SLACK);
    framer.push(b"\n");
    assert_eq!(framer.next_frame(), None);
    framer.shrink();
    assert_eq!(framer.memory(), 0);
}

#[test]
fn files_hold_lines_only() {
    let mut framer = Framer::lines(99);
    framer.push(b"5 <13>a\n\n5 <13>b\r\n");
    let mut lines = Vec::new();
    while let Some(framed) = framer.next_frame() {
        lines.push(show(framed));
    }
    assert_eq!(lines, ["5 <13>a", "5 <13>b"]);
}

/// Streams made of what frames are made of, so that all paths are taken.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        4 => "[0-9]{1,3} ?<[0-9]{1,3}>[a-z é]{0,12}".prop_map(String::into_bytes),
        2 => (0_usize..40).prop_map(|n| {
            let text = format!("<13>{}", "x".repeat(n));
            format!("{} {text}", text.len()).into_bytes()
        }),
        3 => "[<>0-9 \\r\\n\\x00]{1,6}".prop_map(String::into_bytes),
        1 => Just(b"\n".to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ];
    prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn chopping_changes_nothing(
        stream in streams(),
        limit in 1_usize..40,
        pieces in prop::collection::vec(1_usize..50, 1..20),
    ) {
        let whole = frames(&stream, limit, &mut || usize::MAX);
        let mut turn = pieces.iter().cycle();
        let chopped = frames(&stream, limit, &mut || *turn.next().unwrap());
        prop_assert_eq!(&whole, &chopped);
        prop_assert_eq!(whole, frames(&stream, limit, &mut || 1));
    }

    #[test]
    fn honest_frames_all_arrive(
        messages in prop::collection::vec(("[a-z<>0-9 é]{1,30}", any::<bool>()), 0..20),
    ) {
        let mut stream = Vec::new();
        let mut expected = Vec::new();
        for (text, counted) in &messages {
            let message = format!("<13>{text}");
            expected.push(message.as_bytes().escape_ascii().to_string());
            stream.extend(match counted {
                true => format!("{} {message}", message.len()).into_bytes(),
                false => format!("{message}\n").into_bytes(),
            });
        }
        prop_assert_eq!(frames(&stream, 200, &mut || 7), expected);
    }
}

proptest! {
    /// Whoever begins to read at the boundary reads what is left, and nothing twice.
    #[test]
    fn what_follows_the_boundary_is_not_yet_told(
        parts in prop::collection::vec((any::<bool>(), "<13>[a-z0-9 <]{0,20}"), 1..8),
        stop in any::<prop::sample::Index>(),
    ) {
        let framed = parts.iter().map(|(counted, text)| match counted {
            true => format!("{} {text}", text.len()),
            false => format!("{text}\n"),
        });
        let stream = framed.collect::<Vec<_>>().concat().into_bytes();
        let mut framer = Framer::new(99);
        prop_assert_eq!(framer.push(&stream[..stop.index(stream.len())]), stop.index(stream.len()));
        let mut found = Vec::new();
        while let Some(framed) = framer.next_frame() {
            found.push(show(framed));
        }
        let boundary = usize::try_from(framer.boundary()).expect("within the stream");
        found.extend(frames(&stream[boundary..], 99, &mut || usize::MAX));
        prop_assert_eq!(found, frames(&stream, 99, &mut || usize::MAX));
    }
}
