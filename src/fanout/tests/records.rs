// SPDX-License-Identifier: MPL-2.0
//! When records are made. What is in them is tested where they are made.

use super::*;

#[test]
fn records_are_made_while_somebody_is_sent_them() {
    let mut stream = Stream::for_clients(Flow {
        metadata: Metadata::OnRequest,
        ..Flow::default()
    });
    let fanout = &mut stream.fanout;
    let [plain, first, second] = [(); 3].map(|()| fanout.join(0, stream.now).0);
    assert!(!fanout.needs_records());
    for client in [first, first, second] {
        fanout.understand(client);
        assert!(fanout.needs_records());
    }
    fanout.leave(first, false);
    assert!(fanout.needs_records());
    fanout.leave(second, false);
    assert!(!fanout.needs_records());
    fanout.leave(plain, false);
    assert!(fanout.needs_records(), "whoever comes may want them");
}

#[test]
fn records_are_made_for_one_who_understands_them_amid_a_frame() {
    let mut stream = Stream::for_clients(Flow {
        metadata: Metadata::OnRequest,
        ..Flow::default()
    });
    let key = stream.join();
    stream.push("A");
    stream.fanout.sent(key, 1, false, stream.now);
    stream.fanout.understand(key);
    assert!(!stream.fanout.is_described(key) && stream.fanout.needs_records());
    let plain = stream.join();
    stream.fanout.leave(key, false);
    assert!(!stream.fanout.needs_records());
    stream.fanout.leave(plain, false);
}

#[test]
fn what_a_peer_is_told_and_does_not_take_is_bounded() {
    let told = [b'r'; 100];
    let mut stream = Stream::for_clients(Flow {
        metadata: Metadata::On,
        ..Flow::default()
    });
    let key = stream.join();
    for _ in 0..10_000 {
        stream.fanout.tell(key, &told);
    }
    let queued = stream.fanout.counts(key).queued;
    assert!((60_000..70_000).contains(&queued), "{queued}");
    assert_eq!(queued % told.len(), 0, "none is cut");
    // It takes some, and is told more.
    stream.take(key, 1_000);
    for _ in 0..100 {
        stream.fanout.tell(key, &told);
    }
    let room = (queued..queued + told.len()).contains(&stream.fanout.counts(key).queued);
    assert!(room);
}
