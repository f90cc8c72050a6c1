// SPDX-License-Identifier: MPL-2.0
//! Pictures that come in pieces.

use super::*;

#[test]
fn one_who_joins_begins_with_the_first_piece_of_a_picture() {
    let mut stream = Stream::for_clients(Flow::default());
    let key = stream.join();
    stream.push_pictures("xy spKL ab");
    assert_eq!(stream.waiting(key), "spKLab");
    let late = stream.join();
    stream.push_piece(b's', Piece::First);
    stream.push_piece(b'M', Piece::Middle);
    let too_late = stream.join();
    stream.push_piece(b'N', Piece::Last);
    assert_eq!(stream.waiting(late), "sMN");
    assert_eq!(stream.waiting(too_late), "");
    stream.push_pictures("O");
    assert_eq!(stream.waiting(too_late), "O");
}

#[test]
fn pictures_are_kept_only_until_decoding_can_start_with_them_or_not() {
    let mut stream = Stream::for_clients(Flow::default());
    stream.push_piece(b's', Piece::First);
    stream.push_piece(b'p', Piece::Middle);
    assert_eq!(stream.kept(), 2);
    stream.push_piece(b'x', Piece::Last);
    assert_eq!(stream.kept(), 0);
    stream.push_piece(b's', Piece::First);
    stream.push_piece(b'K', Piece::Middle);
    assert_eq!(stream.kept(), 0);
    // The picture before it is over, although nobody has said so.
    stream.push_piece(b'a', Piece::First);
    stream.push_piece(b'b', Piece::First);
    assert_eq!(stream.kept(), 1);
    stream.fanout.forget_waiting();
    assert_eq!(stream.kept(), 0);
    let key = stream.join();
    stream.push_piece(b'K', Piece::Last);
    assert_eq!(stream.waiting(key), "K");
    stream.push_piece(b'a', Piece::First);
    stream.fanout.end();
    assert_eq!(stream.kept(), 0);
}

#[test]
fn who_lost_frames_goes_on_with_the_first_piece_of_a_picture() {
    let mut stream = Stream::for_clients(flow(Overflow::Drop, frames(4)));
    let key = stream.join_full();
    stream.push_pictures("sA bc de");
    // Decoding cannot start with what is left.
    assert_eq!((stream.waiting(key).as_str(), stream.dropped(key)), ("", 6));
    stream.push_pictures("f");
    assert_eq!(stream.dropped(key), 7);
    stream.push_piece(b's', Piece::First);
    stream.push_piece(b'p', Piece::Middle);
    assert_eq!(stream.dropped(key), 7);
    stream.push_piece(b'K', Piece::Middle);
    stream.push_piece(b'L', Piece::Last);
    assert_eq!(
        (stream.waiting(key).as_str(), stream.dropped(key)),
        ("spKL", 7)
    );
    stream.push_pictures("sM n");
    assert_eq!(
        (stream.waiting(key).as_str(), stream.dropped(key)),
        ("sMn", 11)
    );
}

#[test]
fn the_group_begins_with_the_first_piece_of_a_picture() {
    let flow = Flow {
        join: JoinAt::LatestKeyframe,
        ..Flow::default()
    };
    let mut stream = Stream::for_clients(flow);
    stream.push_pictures("sKL a sMN b");
    let key = stream.join();
    assert_eq!(stream.waiting(key), "sMNb");
    assert_eq!(stream.kept(), 4);
}

#[test]
fn pieces_that_a_flush_parts_from_their_picture_are_lost_to_nobody() {
    let mut stream = Stream::for_clients(flow(Overflow::Drop, frames(1)));
    let key = stream.join_full();
    stream.push_pictures("A b");
    assert_eq!(stream.dropped(key), 2);
    stream.push_piece(b's', Piece::First);
    stream.fanout.forget_waiting();
    stream.push_pictures("K");
    assert_eq!(
        (stream.waiting(key).as_str(), stream.dropped(key)),
        ("K", 2)
    );
}
