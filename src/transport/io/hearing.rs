// SPDX-License-Identifier: MPL-2.0
//! What comes of peers whom nobody reads.

use std::{io, time::Instant};

use super::Io;
use crate::{
    fanout::Payload,
    net::Error,
    transport::{
        ear::{Ear, Heard},
        link::{Hearing, Link, Reading},
        reason::{Reason, sending_ended},
    },
};

/// Reads from a client that is not listened to, before others have their turn.
const DISCARDS_AT_ONCE: usize = 16;

impl<P: Payload> Io<P> {
    /// What a peer sends when nobody reads it. It may ask for something.
    pub(super) fn discard(&mut self, key: usize) {
        let link = self.endpoint.lock().links.get_mut(key).map(|link| {
            let is_discarded = link.reading == Reading::Discarded;
            let ear = if is_discarded { link.take_ear() } else { None };
            (is_discarded, link.connection.clone(), ear)
        });
        let Some((true, connection, mut ear)) = link else {
            return;
        };
        let mut talks = false;
        let mut end = None;
        for _ in 0..DISCARDS_AT_ONCE {
            let received = match &mut ear {
                Some(ear) => connection.overhear(&mut ear.read_slice()),
                None => connection.discard(),
            };
            match received {
                Ok(n) if n > 0 => {
                    talks = true;
                    ear = ear.and_then(|ear| self.listen(key, ear, n));
                }
                result => {
                    end = Some(result);
                    break;
                }
            }
        }
        let endpoint = self.endpoint.clone();
        let mut state = endpoint.lock();
        if let (Some(ear), Some(link)) = (ear, state.links.get_mut(key)) {
            link.hearing = Hearing::Listening(Some(ear));
        }
        let client = state.links.get(key).and_then(Link::client);
        if let Some(client) = client.filter(|_| talks) {
            state.fanout.peer_talks(client);
        }
        match end {
            None => {
                self.talkative.insert(key);
            }
            Some(Ok(_)) => {
                endpoint.end_greeting(&mut state, key);
                let client = state.links.get(key).and_then(Link::client);
                if let Some(client) = client {
                    state.fanout.peer_ended(client);
                }
            }
            Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => (),
            Some(Err(source)) => {
                let (reason, cause) = sending_ended(connection.peer(), source);
                state.end_writing(key, reason, cause);
            }
        }
    }

    /// So many bytes have come of a peer that is listened to. Returns what goes on listening.
    fn listen(&mut self, key: usize, mut ear: Box<Ear>, bytes: usize) -> Option<Box<Ear>> {
        ear.advance(bytes);
        let endpoint = self.endpoint.clone();
        loop {
            let heard = ear.next(Instant::now());
            if heard == Heard::Nothing {
                return Some(ear);
            }
            let mut state = endpoint.lock();
            let peer = state.links.get(key)?.connection.peer();
            let error = match heard {
                Heard::Nothing => None,
                Heard::Hello => {
                    endpoint.understand(&mut state, key);
                    None
                }
                Heard::Request(request) => {
                    state.ask_writer(request);
                    None
                }
                Heard::Noise => {
                    endpoint.end_greeting(&mut state, key);
                    return None;
                }
                Heard::Bad(source) => Some(Error::Header { peer, source }),
                Heard::Flood => Some(Error::Flood { peer }),
            };
            if let Some(error) = error {
                endpoint.totals.protocol_errors.add(1);
                state.end_writing(key, Reason::Failed, Some(error));
                return None;
            }
        }
    }
}
