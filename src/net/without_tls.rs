// SPDX-License-Identifier: MPL-2.0
//! What stands for TLS in a build without: it cannot be had, and so nothing is ever done with it.

use std::io::{self, IoSlice, IoSliceMut};

use super::{
    carrier::Carrier,
    certificate::Certificate,
    credentials::{Credentials, Side, Unusable},
    handshake_fault::TlsFault,
    sent::Sent,
};

#[derive(Debug)]
pub enum Tls {}

#[derive(Debug)]
pub(super) enum Session {}

impl Tls {
    pub fn load(_: &Credentials, _: Side) -> Result<Self, Unusable> {
        Err(Unusable::Missing)
    }

    pub(super) fn begin(&self, _: Carrier) -> Result<Session, TlsFault> {
        match *self {}
    }
}

impl Session {
    pub fn handshake(&self) -> Result<bool, TlsFault> {
        match *self {}
    }

    pub fn is_silent(&self) -> bool {
        match *self {}
    }

    pub fn certificate(&self) -> Option<Certificate> {
        match *self {}
    }

    pub fn send(&self, _: &[IoSlice<'_>]) -> io::Result<Sent> {
        match *self {}
    }

    pub fn flush(&self) -> io::Result<bool> {
        match *self {}
    }

    pub fn receive(&self, _: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        match *self {}
    }

    pub fn discard(&self, _: &mut [u8]) -> io::Result<usize> {
        match *self {}
    }

    pub fn holds_more(&self) -> bool {
        match *self {}
    }

    pub fn end_sending(&self) -> io::Result<()> {
        match *self {}
    }

    pub fn unacknowledged(&self, _: usize) -> usize {
        match *self {}
    }

    pub fn carrier(&self) -> &Carrier {
        match *self {}
    }
}
