//! A stream that does what a test has written down: takes and gives as much as it says, or fails.

use std::{
    collections::VecDeque,
    io::{self, IoSlice, IoSliceMut},
    sync::Mutex,
};

/// How one call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// With so many bytes, or as many as there are.
    Moves(usize),
    /// With this error number.
    Fails(i32),
}

/// The answers to calls, in their order. After them, each call moves all it can.
#[derive(Debug, Default)]
pub(crate) struct Script {
    pub sends: Mutex<VecDeque<Answer>>,
    pub receives: Mutex<VecDeque<Answer>>,
    /// What was sent.
    pub sent: Mutex<Vec<u8>>,
    /// What is to be received.
    pub input: Mutex<VecDeque<u8>>,
    /// Nothing follows that.
    pub is_ended: bool,
}

impl Script {
    pub fn send(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let max = next(&self.sends)?;
        let bytes = slices.iter().flat_map(|slice| slice.iter().copied());
        let mut sent = self.sent.lock().unwrap();
        let before = sent.len();
        sent.extend(bytes.take(max));
        Ok(sent.len() - before)
    }

    pub fn receive(&self, slices: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let max = next(&self.receives)?;
        let mut input = self.input.lock().unwrap();
        if input.is_empty() && !self.is_ended {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let mut received = 0;
        for place in slices.iter_mut().flat_map(|slice| slice.iter_mut()) {
            if received == max {
                break;
            }
            let Some(byte) = input.pop_front() else { break };
            *place = byte;
            received += 1;
        }
        Ok(received)
    }
}

fn next(answers: &Mutex<VecDeque<Answer>>) -> io::Result<usize> {
    match answers.lock().unwrap().pop_front() {
        Some(Answer::Moves(bytes)) => Ok(bytes),
        Some(Answer::Fails(error)) => Err(io::Error::from_raw_os_error(error)),
        None => Ok(usize::MAX),
    }
}
