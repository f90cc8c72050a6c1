// SPDX-License-Identifier: MPL-2.0
//! Pipelines with a common clock: times are exact.

use super::time_lines::{shift, shifted};
use super::{Record, Viewer};
use crate::support::*;
use gst::prelude::*;

/// A clock that follows the one at this address.
fn following(address: &str, port: i32) -> gst_net::NetClientClock {
    let clock = gst_net::NetClientClock::new(None, address, port, gst::ClockTime::ZERO);
    let patience = gst::ClockTime::try_from(PATIENCE).expect("a short time");
    clock.wait_for_sync(patience).expect("the clock answers");
    clock
}

#[test]
fn a_live_sender_with_the_same_net_clock_is_exact() {
    over_link(std::time::Duration::ZERO, |link| {
        link.near.run(|| {
            init();
            let system = gst::SystemClock::obtain();
            let master = gst_net::NetTimeProvider::new(&system, None, 0).expect("a provider");
            let port = master.property::<i32>("port");
            let address = link.near.address().to_string();
            let viewer = Viewer::new("mode=listen port=0");
            viewer.pipeline.use_clock(&following(&address, port));
            viewer.pipeline.play();
            let sender = Pipeline::launch(&format!(
                "videotestsrc is-live=true num-buffers=10 ! video/x-raw,format=GRAY8,width=16,height=16,framerate=100/1 ! \
                 videosocketsink name=sink host=127.0.0.1 port={} metadata=on sync=false",
                number(&viewer.pipeline.element("source"), "current-port")
            ));
            sender.use_clock(&following(&address, port));
            let sent = Record::of(&sender.element("sink").static_pad("sink").unwrap());
            // A live frame that comes before the connection is lost.
            sender.pause();
            sender.expect_message("videosocket-connected");
            sender.play();
            sender.expect_eos();
            viewer.pipeline.expect_eos();
            let expected = shifted(&sent.frames(), shift(&sender, &viewer));
            assert_eq!(viewer.record.frames(), expected);
        });
    });
}
