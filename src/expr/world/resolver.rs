//! Names of addresses and addresses of names, answered from memory.
//!
//! Workers never wait for the network: a question that was not asked before is put on a short
//! list and answered with "unknown", a thread of its own works the list off, and the next event
//! finds the answer. When the list is full the question is forgotten; it will be asked again.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::cache::{Cache, Strategy};
use crate::value::Time;

/// Something to look up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// The addresses of a host name.
    Addresses(Box<str>),
    /// The host names of an address.
    Names(IpAddr),
}

/// How many answers are remembered.
const ANSWERS: usize = 10_000;

/// How long an answer holds, in nanoseconds: ten minutes.
const HOLDS: i64 = 600_000_000_000;

/// How many questions wait.
const QUESTIONS: usize = 256;

/// The longest host name of the DNS (RFC 1035 §2.3.4), a final dot included.
const LONGEST_NAME: usize = 255;

/// A memory of answers and a list of open questions.
#[derive(Debug)]
pub struct Resolver {
    state: Mutex<State>,
    asked: Condvar,
}

#[derive(Debug)]
struct State {
    answers: Cache<Arc<[Box<str>]>>,
    questions: VecDeque<Question>,
    /// The question that is being looked up.
    current: Option<Question>,
    closed: bool,
}

impl Default for Resolver {
    fn default() -> Self {
        let state = State {
            answers: Cache::new(ANSWERS, HOLDS, Strategy::Lru),
            questions: VecDeque::new(),
            current: None,
            closed: false,
        };
        Self { state: Mutex::new(state), asked: Condvar::new() }
    }
}

impl Question {
    fn key(&self) -> String {
        match self {
            Question::Addresses(name) => format!("a {name}"),
            Question::Names(address) => format!("n {address}"),
        }
    }
}

impl Resolver {
    /// What is known now. `None` means not yet: the question is on the list, or there was no room.
    /// An empty answer means that there is nothing to be found.
    pub fn ask(&self, question: Question, now: Time) -> Option<Arc<[Box<str>]>> {
        // Hostile: names come from log lines.
        if let Question::Addresses(name) = &question
            && (name.is_empty() || name.len() > LONGEST_NAME)
        {
            return Some(Arc::new([]));
        }
        let mut state = self.state();
        if let Some(answer) = state.answers.get(&question.key(), now) {
            return Some(Arc::clone(answer));
        }
        let open = state.questions.len() >= QUESTIONS
            || state.current.as_ref() == Some(&question)
            || state.questions.contains(&question);
        if !open && !state.closed {
            state.questions.push_back(question);
            self.asked.notify_one();
        }
        None
    }

    /// Answers questions with `look_up`, which may take its time, until [`Resolver::close`]; the
    /// loop of a thread of its own. `clock` tells when an answer came.
    pub fn serve(
        &self,
        mut look_up: impl FnMut(&Question) -> Vec<String>,
        clock: impl Fn() -> Time,
    ) {
        while let Some(question) = self.next() {
            let answer = look_up(&question);
            self.answer(&question, answer, clock());
        }
    }

    /// Answers the questions that are open, and comes back.
    pub fn serve_open(&self, mut look_up: impl FnMut(&Question) -> Vec<String>, now: Time) {
        while let Some(question) = { self.state().questions.pop_front() } {
            let answer = look_up(&question);
            self.answer(&question, answer, now);
        }
    }

    fn answer(&self, question: &Question, answer: Vec<String>, now: Time) {
        let answer = answer.into_iter().map(String::into_boxed_str).collect();
        let mut state = self.state();
        state.answers.set(&question.key(), answer, now);
        state.current = None;
    }

    /// Ends [`Resolver::serve`]; open questions stay unanswered.
    pub fn close(&self) {
        self.state().closed = true;
        self.asked.notify_all();
    }

    fn next(&self) -> Option<Question> {
        let mut state = self.state();
        loop {
            if state.closed {
                return None;
            }
            if let Some(question) = state.questions.pop_front() {
                state.current = Some(question.clone());
                return Some(question);
            }
            state = self.asked.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str) -> Question {
        Question::Addresses(name.into())
    }

    #[test]
    fn unknown_first_known_later() {
        let resolver = Arc::new(Resolver::default());
        let now = Time::from_seconds(1);
        assert_eq!(resolver.ask(host("a.example"), now), None);
        assert_eq!(resolver.ask(host("a.example"), now), None);
        assert_eq!(resolver.state().questions.len(), 1);
        let server = {
            let resolver = Arc::clone(&resolver);
            std::thread::spawn(move || {
                resolver.serve(|_| vec!["192.0.2.1".into()], || Time::from_seconds(1));
            })
        };
        let answer = loop {
            if let Some(answer) = resolver.ask(host("a.example"), now) {
                break answer;
            }
            std::thread::yield_now();
        };
        assert_eq!(&*answer[0], "192.0.2.1");
        // Ten minutes later it is asked again.
        assert_eq!(resolver.ask(host("a.example"), Time::from_seconds(601)), None);
        resolver.close();
        server.join().expect("the server ends");
    }

    #[test]
    fn a_full_list_takes_no_more() {
        let resolver = Resolver::default();
        for number in 0..QUESTIONS + 10 {
            resolver.ask(host(&format!("{number}.example")), Time::from_seconds(0));
        }
        assert_eq!(resolver.state().questions.len(), QUESTIONS);
    }

    #[test]
    fn impossible_names_are_not_asked_for() {
        let resolver = Resolver::default();
        let now = Time::from_seconds(0);
        assert_eq!(resolver.ask(host(""), now).map(|answer| answer.len()), Some(0));
        let long = "a".repeat(LONGEST_NAME + 1);
        assert_eq!(resolver.ask(host(&long), now).map(|answer| answer.len()), Some(0));
        assert!(resolver.state().questions.is_empty());
    }
}
