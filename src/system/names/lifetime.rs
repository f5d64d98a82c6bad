//! For how long an answer of the DNS may be kept.
//!
//! The operating system's look-up of addresses asks more than the DNS (`/etc/hosts`, the local
//! network), and does not say how long what it found holds. So the DNS is asked beside it, for the
//! lifetime alone.

use std::ffi::CString;

use libc::{c_char, c_int, c_uchar};

/// The class of the internet, and the kinds of record (RFC 1035 §3.2.2, RFC 3596 §2.1).
const INTERNET: u16 = 1;
const ADDRESS_4: u16 = 1;
const ALIAS: u16 = 5;
const ADDRESS_6: u16 = 28;

/// The longest answer that is read; the rest of a longer one is not missed.
const LONGEST: usize = 8 * 1024;

#[link(name = "resolv")]
unsafe extern "C" {
    /// `res_query(3)`.
    fn res_query(
        name: *const c_char,
        class: c_int,
        kind: c_int,
        answer: *mut c_uchar,
        length: c_int,
    ) -> c_int;
}

/// For how many seconds what the DNS says of a host's addresses holds: the shortest of all it
/// needs. `None` when the DNS knows no address, or cannot be asked.
#[must_use]
pub fn lifetime_of(host: &str) -> Option<u32> {
    let lifetimes =
        [ADDRESS_4, ADDRESS_6].into_iter().filter_map(|kind| shortest(&ask(host, kind)?));
    lifetimes.min()
}

fn ask(host: &str, kind: u16) -> Option<Vec<u8>> {
    let name = CString::new(host).ok()?;
    let mut answer = vec![0; LONGEST];
    let room = c_int::try_from(LONGEST).ok()?;
    // SAFETY: `name` ends with NUL and `answer` has `room` bytes; both live through the call. The
    // function keeps its state per thread.
    let length = unsafe {
        res_query(
            name.as_ptr(),
            c_int::from(INTERNET),
            c_int::from(kind),
            answer.as_mut_ptr(),
            room,
        )
    };
    answer.truncate(usize::try_from(length).ok()?);
    Some(answer)
}

/// The shortest lifetime among the addresses and aliases of an answer (RFC 1035 §4.1).
///
/// Hostile: whoever answers for the name chooses every byte.
fn shortest(answer: &[u8]) -> Option<u32> {
    let number = |at: usize| {
        let bytes = answer.get(at..)?.first_chunk::<2>()?;
        Some(u16::from_be_bytes(*bytes))
    };
    let (questions, answers) = (number(4)?, number(6)?);
    let mut at = 12;
    for _ in 0..questions {
        at = behind_name(answer, at)? + 4;
    }
    let mut found: Option<u32> = None;
    for _ in 0..answers {
        at = behind_name(answer, at)?;
        let (kind, class, length) = (number(at)?, number(at + 2)?, number(at + 8)?);
        let lifetime = u32::from_be_bytes(*answer.get(at + 4..)?.first_chunk::<4>()?);
        if class == INTERNET && [ADDRESS_4, ADDRESS_6, ALIAS].contains(&kind) {
            found = Some(found.map_or(lifetime, |found| found.min(lifetime)));
        }
        at += 10 + usize::from(length);
    }
    found
}

/// The place behind a name, which may end in a pointer to another place.
fn behind_name(answer: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *answer.get(at)? {
            0 => return Some(at + 1),
            length if length & 0xc0 == 0xc0 => return Some(at + 2),
            length if length & 0xc0 == 0 => at += 1 + usize::from(length),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An answer to one question, with these records: kind, class, lifetime, data.
    fn answer(records: &[(u16, u16, u32, &[u8])]) -> Vec<u8> {
        let count = u16::try_from(records.len()).unwrap();
        let mut bytes = vec![0x12, 0x34, 0x81, 0x80, 0, 1];
        bytes.extend(count.to_be_bytes());
        bytes.extend([0; 4]);
        bytes.extend(b"\x04home\x07example\x00\x00\x01\x00\x01");
        for (kind, class, lifetime, data) in records {
            bytes.extend([0xc0, 12]);
            bytes.extend(kind.to_be_bytes());
            bytes.extend(class.to_be_bytes());
            bytes.extend(lifetime.to_be_bytes());
            bytes.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
            bytes.extend(*data);
        }
        bytes
    }

    #[test]
    fn the_shortest_of_what_the_answer_needs() {
        let four: &[u8] = &[192, 0, 2, 1];
        assert_eq!(shortest(&answer(&[])), None);
        assert_eq!(shortest(&answer(&[(1, 1, 300, four)])), Some(300));
        let alias: (u16, u16, u32, &[u8]) = (5, 1, 60, b"\x01a\xc0\x0c");
        assert_eq!(shortest(&answer(&[alias, (1, 1, 300, four)])), Some(60));
        // A signature and another class say nothing of it.
        assert_eq!(
            shortest(&answer(&[(46, 1, 5, b"x"), (1, 3, 6, four), (1, 1, 7, four)])),
            Some(7)
        );
        let whole = answer(&[(1, 1, 300, four)]);
        for cut in 0..whole.len() - four.len() {
            assert_eq!(shortest(&whole[..cut]), None, "cut at {cut}");
        }
    }

    #[test]
    fn a_name_that_cannot_be_asked_for() {
        assert_eq!(lifetime_of("a\0b"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = shortest(&bytes);
        }
    }
}
