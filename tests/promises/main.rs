// SPDX-License-Identifier: MPL-2.0
//! What the two elements promise, checked from outside: through pipelines on one end and plain TCP programs on the
//! other. One module per promise.

#[path = "../support/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "a few helpers serve only the tests beside this one"
)]
mod support;

mod addresses;
mod after_the_end;
mod allocation;
mod bad_headers;
mod batches;
mod changes;
mod decoder_settings;
mod described;
mod described_frames;
mod described_peers;
mod edges;
mod faults;
mod flow;
mod given_sockets;
mod gone_clients;
mod handlers;
mod headers;
mod latency;
mod many_clients;
mod messages;
mod pauses;
mod progress;
mod properties;
mod raw_caps;
mod raw_peers;
mod reasons;
mod reconnect;
mod released_memory;
mod round_trip;
mod shared_connection;
mod slow_clients;
mod storms;
mod strangers;
mod timeouts;
#[cfg(feature = "tls")]
mod tls;
mod types;
mod uri;
