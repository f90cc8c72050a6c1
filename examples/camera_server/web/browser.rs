// SPDX-License-Identifier: MPL-2.0
//! A browser: what the sink sends it over a connection of its own, and the table, go to it as messages. While it
//! takes nothing the sink is not read, and drops frames for it alone. It answers with the number of a frame, counted
//! from 1, when it has drawn it.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use futures_util::StreamExt;
use gstvideosocket::wire::HeaderFormat;
use parking_lot::Mutex;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::bytes::{Buf, Bytes, BytesMut};
use tokio_util::codec::{Decoder, FramedRead};

/// Frames on their way to a page, at most; of older ones it may say what it likes.
const REMEMBERED: usize = 1000;
/// What waits on the way from the sink is old already.
const RECEIVE_BUFFER: u32 = 64 * 1024;
/// The end of a browser's connection is told a little later, by the browser's name.
const AFTERLIFE: Duration = Duration::from_secs(2);

/// The sink, as far as browsers are concerned.
#[derive(Clone)]
pub struct Sink {
    addresses: Vec<SocketAddr>,
    names: Names,
}

impl Sink {
    pub fn new(host: &str, port: u16, names: Names) -> io::Result<Self> {
        let host = match host {
            "" | "*" | "::" | "0.0.0.0" => "localhost",
            host => host,
        };
        let addresses = (host, port).to_socket_addrs()?.collect();
        Ok(Self { addresses, names })
    }

    /// One more connection, for a browser at that address.
    pub async fn connect(&self, browser: SocketAddr) -> io::Result<Place> {
        let mut failure = io::ErrorKind::AddrNotAvailable.into();
        for &address in &self.addresses {
            match self.connect_to(address, browser).await {
                Ok(place) => return Ok(place),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    async fn connect_to(&self, address: SocketAddr, browser: SocketAddr) -> io::Result<Place> {
        let socket = if address.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        let mut own = address;
        own.set_port(0);
        socket.bind(own)?;
        // Before the sink tells of it.
        let entry = self.names.enter(socket.local_addr()?, browser);
        Ok(Place {
            stream: socket.connect(address).await?,
            entry,
        })
    }
}

/// That of a browser among the sink's viewers.
pub struct Place {
    stream: TcpStream,
    entry: Entry,
}

/// The names of browsers, by the addresses that the sink knows them by, and what they report.
#[derive(Clone, Default)]
pub struct Names(Arc<Mutex<HashMap<String, Named>>>);

#[derive(Clone)]
pub struct Named {
    pub name: String,
    /// From when the server had a picture for it to the word that it is drawn.
    pub delay: Option<Duration>,
}

impl Names {
    pub fn get(&self, address: &str) -> Option<Named> {
        self.0.lock().get(address).cloned()
    }

    fn enter(&self, address: SocketAddr, browser: SocketAddr) -> Entry {
        let address = address.to_string();
        let name = format!("{browser} (browser)");
        let named = Named { name, delay: None };
        self.0.lock().insert(address.clone(), named);
        Entry {
            names: self.clone(),
            address,
        }
    }
}

/// A name, which goes with it.
struct Entry {
    names: Names,
    address: String,
}

impl Entry {
    fn report(&self, delay: Duration) {
        if let Some(named) = self.names.0.lock().get_mut(&self.address) {
            named.delay = Some(delay);
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.names.0.lock().remove(&self.address);
    }
}

pub async fn show(
    browser: WebSocket,
    place: Place,
    table: watch::Receiver<Utf8Bytes>,
    patience: Duration,
) {
    pass_on(place.stream, &place.entry, browser, table, patience).await;
    sleep(AFTERLIFE).await;
    drop(place.entry);
}

/// Until one of both ends, or the browser takes nothing for too long.
async fn pass_on(
    sink: TcpStream,
    entry: &Entry,
    mut browser: WebSocket,
    mut table: watch::Receiver<Utf8Bytes>,
    patience: Duration,
) {
    let mut frames = FramedRead::new(sink, Frames);
    let mut sent = Sent::default();
    loop {
        let message = tokio::select! {
            frame = frames.next() => match frame {
                Some(Ok(frame)) => {
                    sent.note(Instant::now());
                    Message::Binary(frame)
                }
                _ => Message::Close(None),
            },
            Ok(()) = table.changed() => Message::Text(table.borrow_and_update().clone()),
            heard = browser.recv() => match heard {
                Some(Ok(word)) => {
                    let delay = drawn(&word).and_then(|number| sent.delay(number, Instant::now()));
                    delay.into_iter().for_each(|delay| entry.report(delay));
                    continue;
                }
                _ => return,
            },
        };
        let is_last = matches!(message, Message::Close(_));
        let outcome = timeout(patience, browser.send(message)).await;
        if is_last || !matches!(outcome, Ok(Ok(()))) {
            return;
        }
    }
}

/// Which frame the page has drawn, if that is what it says.
fn drawn(word: &Message) -> Option<u64> {
    word.to_text().ok()?.parse().ok()
}

/// When the last frames were there to be sent. A page that says nothing costs no more than that.
#[derive(Default)]
struct Sent {
    count: u64,
    times: VecDeque<Instant>,
}

impl Sent {
    fn note(&mut self, now: Instant) {
        self.count += 1;
        self.times.truncate(REMEMBERED - 1);
        self.times.push_front(now);
    }

    /// How long that frame has taken, if it is one of the last.
    fn delay(&self, number: u64, now: Instant) -> Option<Duration> {
        let since = self.count.checked_sub(number)?;
        let time = self.times.get(usize::try_from(since).ok()?)?;
        Some(now.saturating_duration_since(*time))
    }
}

/// Cuts the stream into frames.
struct Frames;

impl Decoder for Frames {
    type Item = Bytes;
    type Error = io::Error;

    fn decode(&mut self, stream: &mut BytesMut) -> io::Result<Option<Bytes>> {
        let header = HeaderFormat::default().decode(stream);
        let Some(header) = header.map_err(io::Error::other)? else {
            return Ok(None);
        };
        let (start, length) = (header.header_len, header.payload_len as usize);
        if stream.len() < start + length {
            stream.reserve(start + length - stream.len());
            return Ok(None);
        }
        stream.advance(start);
        Ok(Some(stream.split_to(length).freeze()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_frames_that_were_sent_have_a_delay() {
        let (mut sent, start) = (Sent::default(), Instant::now());
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        assert_eq!(sent.delay(1, start), None);
        (0..REMEMBERED as u64 + 1).for_each(|frame| sent.note(at(frame * 10)));
        let now = at(20_000);
        assert_eq!(sent.delay(1001, now), Some(Duration::from_secs(10)));
        assert_eq!(sent.delay(1000, now), Some(Duration::from_millis(10_010)));
        for number in [0, 1, 1002, u64::MAX] {
            assert_eq!(sent.delay(number, now), None, "{number}");
        }
    }

    #[test]
    fn frames_are_cut_out_of_the_stream_however_it_comes() {
        let bytes = b"00000005hello0000000000000003you";
        for piece in 1..=bytes.len() {
            let mut stream = BytesMut::new();
            let mut frames = Vec::new();
            for part in bytes.chunks(piece) {
                stream.extend_from_slice(part);
                while let Some(frame) = Frames.decode(&mut stream).unwrap() {
                    frames.push(frame);
                }
            }
            assert_eq!(frames, ["hello", "", "you"], "in pieces of {piece}");
        }
    }
}
