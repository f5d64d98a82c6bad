//! Sessions that break, and what the next one sends.

use proptest::prelude::*;

use super::*;
use crate::system::clock;

const SENDER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

/// A sender's sessions, whose lines are letters and whose marks are their numbers.
struct Source {
    sessions: Sessions<u32>,
    now: Instant,
    /// Lines that were delivered; the number of each is its mark.
    delivered: Vec<u64>,
}

/// A session, and the lines of it that are held back.
struct Open {
    memory: Shared<u32>,
    replay: Replay<u32>,
    held: Vec<u64>,
}

impl Source {
    fn new() -> Self {
        Self { sessions: Sessions::default(), now: clock::instant(), delivered: Vec::new() }
    }

    fn open(&self, sender: IpAddr) -> Open {
        let (memory, replay) = self.sessions.begin(sender, self.now);
        Open { memory, replay, held: Vec::new() }
    }

    /// Sends lines: a capital letter for each that is delivered, a small one for a replay, `_` for
    /// one that is held back; those that were held back are told of when they are known.
    fn send(&mut self, session: &mut Open, lines: &str) -> String {
        let mut told = String::new();
        for line in lines.chars() {
            let hash = u64::from(line);
            session.held.push(hash);
            match session.replay.offer(hash) {
                Verdict::Held => {}
                Verdict::Fresh => {
                    for hash in std::mem::take(&mut session.held) {
                        let mark = u32::try_from(self.delivered.len()).expect("few lines");
                        if session.memory.push([(hash, mark)]) {
                            self.delivered.push(hash);
                            told.push(letter(hash).to_ascii_uppercase());
                        } else {
                            told.push('!');
                        }
                    }
                }
                Verdict::Replayed(marks) => {
                    let held = std::mem::take(&mut session.held);
                    assert_eq!(marks.len(), held.len());
                    for (hash, mark) in held.into_iter().zip(marks) {
                        assert_eq!(self.delivered[mark as usize], hash, "the mark of that line");
                        assert!(session.memory.push([(hash, mark)]));
                        told.push(letter(hash));
                    }
                }
            }
        }
        told.extend(session.held.iter().map(|_| '_'));
        told
    }
}

fn letter(hash: u64) -> char {
    u32::try_from(hash).ok().and_then(char::from_u32).expect("a letter")
}

/// A first session gets lines and answers some; a second one gets others.
#[track_caller]
fn check(first: &str, answered: usize, second: &str, told: &str) {
    let mut source = Source::new();
    let mut session = source.open(SENDER);
    assert_eq!(source.send(&mut session, first), first.to_uppercase());
    session.memory.answered(answered);
    source.sessions.end(&session.memory, false, source.now);
    let mut session = source.open(SENDER);
    assert_eq!(source.send(&mut session, second), told, "{first} {answered} {second}");
}

#[test]
fn what_was_not_answered_comes_again() {
    check("abcd", 2, "cdef", "cdEF");
    check("abcd", 0, "abcd", "abcd");
    // Answers that were lost on their way.
    check("abcd", 4, "bcde", "bcdE");
    check("abcd", 4, "de", "dE");
    check("abcd", 4, "ef", "EF");
    check("abcd", 2, "bcde", "bcdE");
    // What was never answered cannot be missing.
    check("abcd", 2, "de", "DE");
    check("abcd", 2, "ce", "CE");
    check("abcd", 2, "cd", "cd");
    check("", 0, "ab", "AB");
}

#[test]
fn in_doubt_lines_are_delivered() {
    check("abcd", 4, "bcx", "BCX");
    check("abcd", 4, "bc", "__");
    check("abcd", 4, "bca", "BCA");
    // Lines that repeat: the shortest tail that holds all that was not answered.
    check("aaaa", 4, "aaa", "aAA");
    check("aaaa", 1, "aaaa", "aaaA");
    check("abab", 4, "abab", "abAB");
    check("abab", 1, "babc", "babC");
    check("ababab", 2, "ababc", "ababC");
}

#[test]
fn a_session_that_breaks_again() {
    let mut source = Source::new();
    let mut first = source.open(SENDER);
    source.send(&mut first, "abcd");
    first.memory.answered(1);
    source.sessions.end(&first.memory, false, source.now);
    // It ends in the middle: what was held back was neither delivered nor answered.
    let mut second = source.open(SENDER);
    assert_eq!(source.send(&mut second, "bc"), "__");
    source.sessions.end(&second.memory, false, source.now);
    let mut third = source.open(SENDER);
    assert_eq!(source.send(&mut third, "bcdef"), "bcdEF");
    third.memory.answered(2);
    source.sessions.end(&third.memory, false, source.now);
    let mut fourth = source.open(SENDER);
    assert_eq!(source.send(&mut fourth, "defg"), "defG");
}

#[test]
fn whose_and_when() {
    let mut source = Source::new();
    let mut first = source.open(SENDER);
    source.send(&mut first, "abcd");
    source.sessions.end(&first.memory, false, source.now);
    // Another address.
    let mut stranger = source.open(OTHER);
    assert_eq!(source.send(&mut stranger, "abcd"), "ABCD");
    // In good order there is nothing to send again.
    let mut second = source.open(OTHER);
    source.send(&mut second, "xyz");
    source.sessions.end(&second.memory, true, source.now);
    let mut third = source.open(OTHER);
    assert_eq!(source.send(&mut third, "xyz"), "XYZ");
    // Too long ago.
    source.now += LONGEST;
    let mut late = source.open(SENDER);
    assert_eq!(source.send(&mut late, "abcd"), "ABCD");
}

#[test]
fn a_session_that_seems_to_be_connected() {
    let mut source = Source::new();
    let mut first = source.open(SENDER);
    source.send(&mut first, "abcd");
    first.memory.answered(4);
    // One line is not enough, two are; all was answered, so it may go on.
    let mut second = source.open(SENDER);
    assert_eq!(source.send(&mut second, "d"), "D");
    source.sessions.end(&second.memory, true, source.now);
    let mut third = source.open(SENDER);
    assert_eq!(source.send(&mut third, "cde"), "cdE");
    assert_eq!(source.send(&mut first, "f"), "F");
    // This one has answers to give and another has taken its place: it delivers nothing any more.
    source.send(&mut third, "gh");
    third.memory.answered(1);
    let mut fourth = source.open(SENDER);
    assert_eq!(source.send(&mut fourth, "degh"), "degh");
    assert!(third.memory.is_superseded() && !first.memory.is_superseded());
    assert_eq!(source.send(&mut third, "i"), "!");
    assert_eq!(source.send(&mut fourth, "i"), "I");
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut source = Source::new();
    for _ in 0..3 * MOST_OF_SENDER {
        let mut session = source.open(SENDER);
        let lines: String = (0..3 * WINDOW).map(|_| 'x').collect();
        source.send(&mut session, &lines);
        source.sessions.end(&session.memory, false, source.now);
        assert!(session.memory.lock().lines.len() <= WINDOW);
    }
    assert!(source.sessions.lock().len() <= MOST_OF_SENDER);
    for n in 0..2 * MOST {
        let sender = IpAddr::from((n as u128).to_be_bytes());
        let mut session = source.open(sender);
        source.send(&mut session, "ab");
        source.sessions.end(&session.memory, false, source.now);
    }
    assert!(source.sessions.lock().len() <= MOST);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever breaks when, every line that a sender has is delivered, and with lines that differ
    /// from each other, once.
    #[test]
    fn every_line_once(
        sessions in prop::collection::vec((1_usize..40, 0_usize..40, 0_usize..40), 1..6),
    ) {
        let mut source = Source::new();
        let lines: Vec<char> = ('\u{4e00}'..'\u{9fff}').collect();
        // The sender has read the answers to so many lines.
        let mut done = 0;
        for (count, answered, read) in sessions {
            let mut session = source.open(SENDER);
            source.send(&mut session, &lines[done..done + count].iter().collect::<String>());
            let answered = answered.min(count - session.held.len());
            session.memory.answered(answered);
            source.sessions.end(&session.memory, false, source.now);
            done += read.min(answered);
        }
        let mut last = source.open(SENDER);
        source.send(&mut last, &lines[done..done + 100].iter().collect::<String>());
        prop_assert!(last.held.is_empty());
        let expected: Vec<u64> = lines[..done + 100].iter().map(|line| u64::from(*line)).collect();
        prop_assert_eq!(source.delivered, expected);
    }
}
