// SPDX-License-Identifier: MPL-2.0
//! Pictures that come in pieces.

use super::*;

#[test]
fn pieces_of_a_picture_keep_together_however_late_they_come() {
    let (mut paced, begin) = live(0);
    let mut file_timing = Timing::new(0);
    file_timing.connected();
    file_timing.clock(&file(), 0, None);
    for (timing, begin) in [(&mut paced, begin), (&mut file_timing, SECOND)] {
        timing.set_pieces(true);
        let mut at = |number: u16, picture: i64, now| {
            frame_at(timing, number, picture * FRAME, 0, begin + now, 0)
        };
        let first = at(0, 0, 0);
        assert!(is_anew(first));
        for (number, late) in [(1, MINUTE), (2, 2 * MINUTE)] {
            let piece = at(number, 0, late);
            assert_eq!((piece.pts, is_anew(piece)), (first.pts, false));
        }
        let next = at(3, 1, 2 * MINUTE);
        assert_eq!(next.pts, Some((begin + 2 * MINUTE) as u64));
    }
}

#[test]
fn the_last_piece_of_a_picture_stays_with_it_although_its_dts_is_later() {
    let mut timing = of_file();
    timing.set_pieces(true);
    let piece = |sequence, pts, dts, flags| Buffer {
        sequence,
        pts,
        dts: Some(dts),
        flags,
        ..Buffer::default()
    };
    let (none, marker) = (BufferFlags::default(), BufferFlags::MARKER);
    let mut at = |sequence, pts, dts, flags, now| {
        hand_on(&mut timing, &piece(sequence, pts, dts, flags), now, 0)
    };
    let to = |begin: i64, dts: i64| Some((begin + dts) as u64);
    let first = at(0, Some(0), 0, none, SECOND);
    assert_eq!((first.pts, first.dts), (to(SECOND, 0), to(SECOND, 0)));
    let middle = at(1, None, 0, none, MINUTE);
    assert_eq!((middle.dts, is_anew(middle)), (to(SECOND, 0), false));
    let last = at(2, None, FRAME, none, MINUTE);
    assert_eq!((last.dts, is_anew(last)), (to(SECOND, FRAME), false));
    let next = at(3, Some(FRAME), FRAME, none, MINUTE);
    assert_eq!((next.pts, is_anew(next)), (to(MINUTE, 0), true));
    // So it is behind the end of a picture.
    let end = at(4, None, FRAME, marker, 2 * MINUTE);
    assert_eq!((end.dts, is_anew(end)), (to(MINUTE, 0), false));
    let next = at(5, None, 2 * FRAME, none, 2 * MINUTE);
    assert_eq!((next.dts, is_anew(next)), (to(2 * MINUTE, 0), true));
    // And where there is no PTS at all.
    timing.connected();
    timing.clock(&file(), 0, None);
    let mut at = |sequence, pts, dts, flags, now| {
        hand_on(&mut timing, &piece(sequence, pts, dts, flags), now, 0)
    };
    at(6, None, 2 * FRAME, none, 3 * MINUTE);
    let piece = at(7, None, 2 * FRAME, none, 4 * MINUTE);
    assert_eq!((piece.dts, is_anew(piece)), (to(3 * MINUTE, 0), false));
    let next = at(8, None, 3 * FRAME, none, 4 * MINUTE);
    assert_eq!((next.dts, is_anew(next)), (to(4 * MINUTE, 0), true));
}

#[test]
fn times_jump_between_pictures_and_a_gap_is_told_where_it_is() {
    let mut timing = of_file();
    timing.set_pieces(true);
    let at = |timing: &mut Timing, number: u16, picture: i64| {
        frame_at(timing, number, picture * FRAME, 0, SECOND, 0)
    };
    assert!(is_anew(at(&mut timing, 0, 0)));
    timing.clock_changed();
    assert!(!is_anew(at(&mut timing, 1, 0)));
    assert!(is_anew(at(&mut timing, 3, 0)));
    assert!(!is_anew(at(&mut timing, 4, 0)));
    assert!(is_anew(at(&mut timing, 5, 1)));
    timing.set_pieces(false);
    timing.clock_changed();
    assert!(is_anew(at(&mut timing, 6, 1)));
}
