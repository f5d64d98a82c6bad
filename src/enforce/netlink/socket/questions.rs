//! Many questions at once, and lists that are received bit by bit.

#![forbid(unsafe_code)]

use super::super::Error;
use super::super::message::{self, Message, Writer};
use super::Socket;

impl Socket {
    /// Asks `count` questions at once, each of which is acknowledged, and lets `read` make something
    /// of the answers; `None` where the kernel knows nothing of what was asked for (`ENOENT`).
    ///
    /// # Errors
    /// The first refusal for another reason; else as [`Socket::commit`].
    pub(in crate::enforce) fn ask_each<T>(
        &mut self,
        count: usize,
        question: impl Fn(&mut Writer, usize, u32),
        read: impl Fn(&Message<'_>) -> Option<T>,
    ) -> Result<Vec<Option<T>>, Error> {
        let mut answers: Vec<Option<T>> = std::iter::repeat_with(|| None).take(count).collect();
        let numbers = u32::try_from(count).expect("callers ask a thousand questions at most");
        let first = self.sequence;
        self.sequence = first.wrapping_add(numbers);
        let mut writer = Writer::default();
        for (index, number) in (0..numbers).enumerate() {
            question(&mut writer, index, first.wrapping_add(number));
        }
        if count == 0 {
            return Ok(answers);
        }
        self.send(writer.bytes())?;
        let mut left = count;
        let mut refusal = None;
        while left > 0 {
            self.receive(true, &mut |message| {
                let index = usize::try_from(message.sequence.wrapping_sub(first));
                let Some(answer) = index.ok().and_then(|index| answers.get_mut(index)) else {
                    return;
                };
                if message.kind != message::ERROR {
                    *answer = read(message).or(answer.take());
                    return;
                }
                left = left.saturating_sub(1);
                match message.verdict() {
                    Some(verdict) if verdict.errno == 0 || verdict.errno == libc::ENOENT => {}
                    None => {}
                    Some(verdict) => {
                        let refused =
                            || Error::Refused { errno: verdict.errno, words: verdict.words };
                        refusal.get_or_insert_with(refused);
                    }
                }
            })?;
        }
        refusal.map_or(Ok(answers), Err)
    }

    /// Asks for a list that is received bit by bit.
    ///
    /// # Errors
    /// [`Error::System`].
    pub(in crate::enforce) fn begin_list(
        &mut self,
        request: impl Fn(&mut Writer, u32),
    ) -> Result<(), Error> {
        let mut writer = Writer::default();
        request(&mut writer, self.sequence);
        self.send(writer.bytes())
    }

    /// Receives the next bit of the list that was asked for with [`Socket::begin_list`], about 600
    /// items; says whether it was the last. What changes meanwhile may be missing or be there twice.
    ///
    /// # Errors
    /// As [`Socket::commit`].
    pub(in crate::enforce) fn list_some(
        &mut self,
        each: &mut dyn FnMut(&Message<'_>),
    ) -> Result<bool, Error> {
        let sequence = self.sequence;
        let mut verdict = None;
        self.receive(true, &mut |message| {
            if message.sequence != sequence || verdict.is_some() {
                return;
            }
            match message.kind {
                message::ERROR | message::DONE => verdict = message.verdict(),
                _ => each(message),
            }
        })?;
        match verdict {
            None => Ok(false),
            Some(verdict) if verdict.errno != 0 => {
                Err(Error::Refused { errno: verdict.errno, words: verdict.words })
            }
            Some(_) => {
                self.sequence = sequence.wrapping_add(1);
                Ok(true)
            }
        }
    }
}
