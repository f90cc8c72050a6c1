// SPDX-License-Identifier: MPL-2.0
//! Numbers in the bytes of a meta.

use crate::metadata::RestoreError;

/// What has not been read of a meta.
pub struct Bytes<'a> {
    name: &'static str,
    len: usize,
    rest: &'a [u8],
}

impl<'a> Bytes<'a> {
    pub fn new(name: &'static str, data: &'a [u8]) -> Self {
        Self {
            name,
            len: data.len(),
            rest: data,
        }
    }

    pub fn u8(&mut self) -> Result<u8, RestoreError> {
        self.array().map(u8::from_be_bytes)
    }

    pub fn u32(&mut self) -> Result<u32, RestoreError> {
        self.array().map(u32::from_be_bytes)
    }

    pub fn i32(&mut self) -> Result<i32, RestoreError> {
        self.array().map(i32::from_be_bytes)
    }

    /// The smallest number means none.
    pub fn signed(&mut self) -> Result<Option<i64>, RestoreError> {
        let number = self.array().map(i64::from_be_bytes)?;
        Ok(Some(number).filter(|&number| number != i64::MIN))
    }

    /// The largest number means none.
    pub fn time(&mut self) -> Result<Option<gst::ClockTime>, RestoreError> {
        let number = self.array().map(u64::from_be_bytes)?;
        let number = Some(number).filter(|&number| number != u64::MAX);
        Ok(number.map(gst::ClockTime::from_nseconds))
    }

    pub fn take(&mut self, len: usize) -> Result<&'a [u8], RestoreError> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(self.short())?;
        self.rest = rest;
        Ok(taken)
    }

    pub fn rest(self) -> &'a [u8] {
        self.rest
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], RestoreError> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(self.short())?;
        self.rest = rest;
        Ok(*array)
    }

    fn short(&self) -> RestoreError {
        RestoreError::ShortMeta {
            name: self.name,
            len: self.len,
        }
    }
}

/// Where the bytes of a meta are written to.
pub trait Put {
    fn put(&mut self, bytes: &[u8]);

    fn put_u32(&mut self, number: u32) {
        self.put(&number.to_be_bytes());
    }

    fn put_i32(&mut self, number: i32) {
        self.put(&number.to_be_bytes());
    }

    fn put_signed(&mut self, number: Option<i64>) {
        self.put(&number.unwrap_or(i64::MIN).to_be_bytes());
    }

    fn put_time(&mut self, time: Option<gst::ClockTime>) {
        let number = time.map_or(u64::MAX, gst::ClockTime::nseconds);
        self.put(&number.to_be_bytes());
    }
}

impl Put for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}
