// SPDX-License-Identifier: MPL-2.0
//! What the elements tell the application besides errors: messages on the bus and statistics.

use std::{iter, net::SocketAddr, ops::ControlFlow};

use gst::{glib, prelude::*};

use crate::{
    fanout::Payload,
    net::{Certificate, Host, Peer, Totals},
    transport::{ClientStats, Endpoint, Reason},
};

/// Why a connection ended, or a client is none any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstVideoSocketRemoveReason")]
pub enum RemoveReason {
    /// The peer ended it.
    #[enum_value(name = "The peer closed the connection", nick = "closed")]
    Closed,
    /// It broke.
    #[enum_value(
        name = "The connection broke, or did not speak the framing",
        nick = "failed"
    )]
    Failed,
    /// It was slower than the stream.
    #[enum_value(name = "The client was slower than the stream", nick = "too-slow")]
    TooSlow,
    /// Nothing moved for as long as `timeout` allows.
    #[enum_value(
        name = "Nothing was sent or taken within the timeout",
        nick = "timeout"
    )]
    Timeout,
    /// Everything is sent.
    #[enum_value(name = "The stream has ended", nick = "eos")]
    Eos,
    /// The user removed it.
    #[enum_value(name = "The application removed the client", nick = "removed")]
    Removed,
    /// The element was stopped.
    #[enum_value(name = "The element was stopped", nick = "stopped")]
    Stopped,
}

impl From<Reason> for RemoveReason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::ClosedByPeer => Self::Closed,
            Reason::Failed => Self::Failed,
            Reason::TooSlow => Self::TooSlow,
            Reason::TimedOut => Self::Timeout,
            Reason::EndOfStream => Self::Eos,
            Reason::Removed => Self::Removed,
            Reason::Stopped => Self::Stopped,
        }
    }
}

/// The port of sockets that listen, all on the same one; 0 where there is none.
pub fn port(addresses: &[SocketAddr]) -> u32 {
    addresses.first().map_or(0, |address| address.port().into())
}

/// Tells of the sockets that listen.
pub fn announce_listening(element: &impl IsA<gst::Element>, addresses: &[SocketAddr]) {
    if addresses.is_empty() {
        return;
    }
    element.notify("current-port");
    for address in addresses {
        post(
            element,
            gst::Structure::builder("videosocket-listening")
                .field("address", Host(*address).to_string())
                .field("port", u32::from(address.port()))
                .build(),
        );
    }
}

/// A connection is there, to a peer that has shown this certificate.
pub fn post_connected(
    element: &impl IsA<gst::Element>,
    peer: Peer,
    certificate: Option<&Certificate>,
) {
    let message = gst::Structure::builder("videosocket-connected").field("peer", peer.to_string());
    let message = match certificate {
        Some(Certificate { subject, sha256 }) => message
            .field("certificate-subject", subject)
            .field("certificate-sha256", sha256),
        None => message,
    };
    post(element, message.build());
}

/// A peer's certificate.
pub fn certificate(certificate: &Certificate) -> gst::Structure {
    gst::Structure::builder("application/x-videosocket-certificate")
        .field("subject", &certificate.subject)
        .field("sha256", &certificate.sha256)
        .build()
}

/// A connection is over, over which the element moved this much.
pub fn post_disconnected(
    element: &impl IsA<gst::Element>,
    peer: Peer,
    reason: RemoveReason,
    (frames, bytes): (u64, u64),
) {
    let (_, reason) = glib::EnumValue::from_value(&reason.to_value())
        .map(|(class, value)| (class, value.nick().to_string()))
        .unwrap_or_else(|| unreachable!("an enum has its values"));
    post(
        element,
        gst::Structure::builder("videosocket-disconnected")
            .field("peer", peer.to_string())
            .field("reason", reason)
            .field("frames", frames)
            .field("bytes", bytes)
            .build(),
    );
}

/// Frames have been dropped for a client that is too slow, while `newest` came.
pub fn post_dropped(
    element: &impl IsA<gst::Element>,
    newest: &gst::BufferRef,
    segment: &gst::FormattedSegment<gst::ClockTime>,
    is_live: bool,
    totals: &Totals,
) {
    let buffers = gst::format::Buffers::from_u64;
    let message = gst::message::Qos::builder(is_live)
        .src(element.upcast_ref::<gst::Element>())
        .running_time(segment.to_running_time(newest.pts()))
        .stream_time(segment.to_stream_time(newest.pts()))
        .timestamp(newest.pts())
        .duration(newest.duration())
        .stats(
            buffers(totals.sent.frames.get()),
            buffers(totals.dropped.get()),
        )
        .build();
    // Refused only while the element is being disposed of.
    let _ = element.post_message(message);
}

/// The `stats` of an element, in which all is zero where it was never started, and those of its clients.
pub fn stats<P: Payload>(
    endpoint: Option<&Endpoint<P>>,
    totals: &Totals,
) -> (gst::Structure, Vec<ClientStats>) {
    let stats = endpoint.map(Endpoint::stats).unwrap_or_default();
    let structure = gst::Structure::builder("application/x-videosocket-stats")
        .field("frames-sent", totals.sent.frames.get())
        .field("bytes-sent", totals.sent.bytes.get())
        .field("frames-received", totals.received.frames.get())
        .field("bytes-received", totals.received.bytes.get())
        .field("connections", totals.connections.get())
        .field("frames-dropped", totals.dropped.get())
        .field("frames-truncated", totals.truncated.get())
        .field("protocol-errors", totals.protocol_errors.get())
        .field("bytes-queued", stats.queued)
        .field("rtt", nanoseconds(stats.rtt))
        .build();
    (structure, stats.clients)
}

/// One entry of the sink's `clients`.
pub fn client_stats(client: &ClientStats) -> gst::Structure {
    let fields = CLIENT_FIELDS.into_iter().zip(client_values(client));
    gst::Structure::from_iter("application/x-videosocket-client", fields)
}

/// All of them. Names take longer to look up than values to replace, and there may be hundreds.
pub fn all_client_stats(clients: &[ClientStats]) -> impl Iterator<Item = gst::Structure> {
    let first = clients.first().map(client_stats);
    clients.iter().filter_map(move |client| {
        let mut structure = first.clone()?;
        let mut values = client_values(client).into_iter();
        let _ = structure.map_in_place(|_, value| match values.next() {
            Some(next) => {
                *value = next.into();
                ControlFlow::Continue(())
            }
            None => ControlFlow::Break(()),
        });
        Some(structure)
    })
}

const CLIENT_FIELDS: [&str; 11] = [
    "id",
    "address",
    "frames-sent",
    "bytes-sent",
    "frames-received",
    "bytes-received",
    "frames-dropped",
    "bytes-queued",
    "time-connected",
    "oldest-queued",
    "rtt",
];

fn client_values(client: &ClientStats) -> [glib::SendValue; CLIENT_FIELDS.len()] {
    [
        client.id.to_send_value(),
        (*client.address).to_send_value(),
        client.frames_sent.to_send_value(),
        client.bytes_sent.to_send_value(),
        client.frames_received.to_send_value(),
        client.bytes_received.to_send_value(),
        client.frames_dropped.to_send_value(),
        client.bytes_queued.to_send_value(),
        nanoseconds(Some(client.connected)).to_send_value(),
        nanoseconds(client.oldest).to_send_value(),
        nanoseconds(client.rtt).to_send_value(),
    ]
}

fn nanoseconds(time: Option<std::time::Duration>) -> u64 {
    time.map_or(0, |time| time.as_nanos() as u64)
}

/// What an element is in, to be held while it posts: a bin hands on messages without a reference to itself. In a stopped
/// element the application's thread may still be telling, while the application lets go of the pipeline.
pub fn ancestors(element: &impl IsA<gst::Object>) -> Vec<gst::Object> {
    iter::successors(element.parent(), |object| object.parent()).collect()
}

fn post(element: &impl IsA<gst::Element>, structure: gst::Structure) {
    let message = gst::message::Element::builder(structure)
        .src(element.upcast_ref::<gst::Element>())
        .build();
    // Refused only while the element is being disposed of.
    let _ = element.post_message(message);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_client_has_its_own_values() {
        gst::init().unwrap();
        let client = |id: u64| ClientStats {
            id,
            address: format!("192.0.2.{id}:4953").into(),
            frames_sent: 10 * id,
            bytes_sent: 20 * id,
            frames_received: 80 * id,
            bytes_received: 90 * id,
            frames_dropped: 30 * id,
            bytes_queued: 40 * id,
            connected: Duration::from_nanos(50 * id),
            oldest: (id > 1).then(|| Duration::from_nanos(60 * id)),
            rtt: Some(Duration::from_nanos(70 * id)),
        };
        let clients = [1, 2, 3].map(client);
        let all: Vec<_> = all_client_stats(&clients).collect();
        assert_eq!(all, clients.each_ref().map(client_stats));
        assert_eq!(all[2].get("address"), Ok("192.0.2.3:4953"));
        assert_eq!(all[2].get("rtt"), Ok(210_u64));
        assert_eq!(all_client_stats(&[]).count(), 0);
    }
}
