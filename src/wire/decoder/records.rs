// SPDX-License-Identifier: MPL-2.0
//! The part of the decoder that knows of records.

use super::{Decoder, State, Step};
use crate::wire::{
    header::{HeaderError, HeaderFormat},
    record::{FramePrefix, Record, RecordError, RecordHead, RecordKind, Sequence},
};

#[derive(Debug, Default)]
pub(super) struct Records {
    pub sequence: Sequence,
    /// The last record, or the one that has begun.
    last: Option<RecordKind>,
    /// As much of its payload as has come.
    payload: Vec<u8>,
}

impl Decoder {
    /// Hands out the [records](Record) between the frames, which are bad headers otherwise.
    ///
    /// # Panics
    /// When the header has another form than 8 decimal digits.
    pub fn with_records(mut self) -> Self {
        assert_eq!(
            self.format,
            HeaderFormat::default(),
            "records stand between headers of 8 decimal digits"
        );
        self.between = FramePrefix::MAX_LEN;
        if self.ahead.len() < self.between {
            self.ahead = vec![0; self.between].into_boxed_slice();
        }
        self.records = Some(Records::default());
        self
    }

    /// The record that has come, from [`Step::Record`] to the next call of [`next`](Self::next).
    pub fn record(&self) -> Option<Result<Record<'_>, RecordError>> {
        let records = self.records.as_ref()?;
        Some(Record::parse(records.last?, &records.payload))
    }

    /// Whether the peer has said that it sends records.
    pub fn has_greeted(&self) -> bool {
        let records = self.records.as_ref();
        records.is_some_and(|records| records.sequence.has_greeted())
    }

    /// Whether the stream is one that says when it is over, and has not.
    pub fn lacks_end(&self) -> bool {
        let records = self.records.as_ref();
        records
            .is_some_and(|Records { sequence, .. }| sequence.is_described() && !sequence.is_over())
    }

    pub(super) fn expects_frame(&self) -> bool {
        let records = self.records.as_ref();
        records.is_some_and(|records| records.sequence.expects_frame())
    }

    pub(super) fn missing_of_record(&self) -> usize {
        match (&self.state, &self.records) {
            (State::Record { len, .. }, Some(records)) => len - records.payload.len(),
            (State::Skip(left), _) => *left,
            _ => 0,
        }
    }

    /// Passes over records that are not known, up to one that is, or to the frame.
    pub(super) fn next_record(&mut self) -> Result<Step, HeaderError> {
        let Some(records) = &mut self.records else {
            return self.next_frame();
        };
        loop {
            let ahead = &self.ahead[self.start..self.end];
            match self.state {
                State::Skip(left) => {
                    let n = left.min(ahead.len());
                    self.start += n;
                    if n < left {
                        self.state = State::Skip(left - n);
                        return Ok(Step::More);
                    }
                    self.state = State::Header;
                }
                State::Record { kind, len } => {
                    self.start += records.fill(len, ahead);
                    if records.payload.len() < len {
                        return Ok(Step::More);
                    }
                    self.state = State::Header;
                    return Ok(Step::Record(kind));
                }
                _ => match records.begin(ahead) {
                    Ok(None) => break,
                    Ok(Some(state)) => {
                        self.start += RecordHead::LEN;
                        self.state = state;
                    }
                    Err(error) => return self.fail(error.into()),
                },
            }
        }
        let step = self.next_frame()?;
        if let (Step::Head(_), Some(records)) = (step, &mut self.records) {
            records.sequence.frame();
        }
        Ok(step)
    }
}

impl Records {
    /// What begins with a head, if there is one at the start of these bytes.
    fn begin(&mut self, ahead: &[u8]) -> Result<Option<State>, RecordError> {
        if self.sequence.is_over() && !ahead.is_empty() {
            return Err(RecordError::AfterEnd);
        }
        let Some(head) = ahead.first_chunk().and_then(RecordHead::decode) else {
            return Ok(None);
        };
        let Some(kind) = self.sequence.record(head)? else {
            return Ok(Some(State::Skip(head.len)));
        };
        self.last = Some(kind);
        self.payload.clear();
        let len = head.len;
        Ok(Some(State::Record { kind, len }))
    }

    /// Takes what belongs to the payload, and memory for it as it comes, not as it is announced.
    fn fill(&mut self, len: usize, ahead: &[u8]) -> usize {
        let have = self.payload.len();
        let n = ahead.len().min(len - have);
        if self.payload.capacity() < have + n {
            self.payload.reserve_exact(n.max(have).min(len - have));
        }
        self.payload.extend_from_slice(&ahead[..n]);
        n
    }

    /// What is behind the one record that every frame has, if that comes first and as it must.
    pub fn behind_buffer<'a>(&self, ahead: &'a [u8]) -> Option<&'a [u8]> {
        let Some(head) = ahead.first_chunk().and_then(RecordHead::decode) else {
            return Some(ahead).filter(|_| !self.sequence.is_over());
        };
        match self.sequence.clone().record(head) {
            Ok(Some(RecordKind::Buffer)) => ahead.get(RecordHead::LEN + head.len..),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{Ending, decode, decoder, scatter},
        *,
    };
    use crate::wire::{HeaderBytes, LengthField, Truncated, decoder::LARGE};

    /// Frames as they are, records by their letters, and how the stream ended.
    fn decode_records(
        ahead: usize,
        pieces: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> (Vec<Vec<u8>>, Ending) {
        let mut decoder = Decoder::new(HeaderFormat::default(), 1000, ahead).with_records();
        let (mut items, mut payload) = (Vec::new(), Vec::new());
        for piece in pieces {
            let mut piece = piece.as_ref();
            loop {
                match decoder.next(&mut payload) {
                    Ok(Step::Head(len)) => payload = vec![0; len],
                    Ok(Step::Frame) => items.push(std::mem::take(&mut payload)),
                    Ok(Step::Record(kind)) => {
                        let record = decoder.record().unwrap().unwrap();
                        assert_eq!(record.kind(), kind);
                        let mut bytes = Vec::new();
                        record.encode(&mut bytes).unwrap();
                        items.push(bytes);
                    }
                    Ok(Step::More) if piece.is_empty() => break,
                    Ok(Step::More) => {
                        let n = scatter(&mut piece, decoder.read_slices(&mut payload));
                        decoder.advance(n);
                    }
                    Err(error) => return (items, Err(error)),
                }
            }
        }
        (items, Ok(decoder.finish()))
    }

    const HELLO: &[u8] = b"H0000014videosocket 1\n";
    const BUFFER: &[u8] = b"B0000036ab\0\x01ptspts..dtsdts..durdur..clkclk..";

    /// What is in a stream, and whether it is handed out.
    fn items() -> Vec<(Vec<u8>, bool)> {
        vec![
            (HELLO.to_vec(), true),
            (b"Z0000000".to_vec(), false),
            (b"C0000011video/x-raw".to_vec(), true),
            (b"00000002ok".to_vec(), true),
            (BUFFER.to_vec(), true),
            (b"M0000003a\0b".to_vec(), true),
            (b"Q0000003mew".to_vec(), false),
            (b"00000000".to_vec(), true),
            (b"E0000000".to_vec(), true),
        ]
    }

    fn handed_out() -> Vec<Vec<u8>> {
        let items = items()
            .into_iter()
            .filter(|(_, is_handed_out)| *is_handed_out);
        items
            .map(|(bytes, _)| match bytes[0] {
                b'0' => bytes[8..].to_vec(),
                _ => bytes,
            })
            .collect()
    }

    fn stream_of_items() -> Vec<u8> {
        items().into_iter().flat_map(|(bytes, _)| bytes).collect()
    }

    #[test]
    fn every_split_gives_the_same_records() {
        let stream = stream_of_items();
        for ahead in [0, 4096] {
            for first in 0..=stream.len() {
                for second in first..=stream.len() {
                    let pieces = [&stream[..first], &stream[first..second], &stream[second..]];
                    assert_eq!(decode_records(ahead, pieces), (handed_out(), Ok(Ok(()))));
                }
            }
        }
        let decoded = decode_records(4096, stream.chunks(1));
        assert_eq!(decoded, (handed_out(), Ok(Ok(()))));
    }

    #[test]
    fn without_records_a_letter_is_a_bad_header() {
        let (frames, ending) = decode(decoder(4096), [&[b"00000002ok", HELLO].concat()]);
        assert_eq!(frames, [b"ok"]);
        assert!(matches!(
            ending,
            Err(HeaderError::NotADigit { position: 0, .. })
        ));
    }

    #[test]
    fn with_records_other_protocols_are_bad_headers() {
        for greeting in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01",
            b"H     14",
        ] {
            let (items, ending) = decode_records(4096, [greeting]);
            assert!(items.is_empty());
            let bytes = HeaderBytes::new(&greeting[..8]);
            let position = 0;
            assert_eq!(ending, Err(HeaderError::NotADigit { bytes, position }));
        }
    }

    #[test]
    fn records_that_are_not_known_are_passed_over_without_being_stored() {
        let mut decoder = Decoder::new(HeaderFormat::default(), 1000, 4096).with_records();
        let long = [HELLO, b"Q9999999"].concat();
        let n = scatter(&mut &long[..], decoder.read_slices(&mut []));
        decoder.advance(n);
        assert_eq!(decoder.next(&mut []), Ok(Step::Record(RecordKind::Hello)));
        let mut left = 9_999_999;
        while left > 0 {
            assert_eq!(decoder.next(&mut []), Ok(Step::More));
            let n = left.min(decoder.read_slices(&mut [])[1].len());
            decoder.advance(n);
            left -= n;
        }
        assert_eq!(decoder.next(&mut []), Ok(Step::More));
        assert_eq!(decoder.finish(), Ok(()));
        let records = decoder.records.as_ref().unwrap();
        assert!(records.payload.capacity() < 100);
    }

    #[test]
    fn memory_for_a_record_is_taken_as_it_comes_and_no_more_than_its_limit() {
        let most = *RecordKind::Caps.lengths().end();
        for piece in [1000, 4096] {
            let mut decoder = Decoder::new(HeaderFormat::default(), 1000, 4096).with_records();
            let stream = [HELLO, b"C0262144", &vec![b'a'; most]].concat();
            for mut bytes in stream.chunks(piece) {
                while decoder.next(&mut []).unwrap() != Step::More {}
                let n = scatter(&mut bytes, decoder.read_slices(&mut []));
                decoder.advance(n);
                let records = decoder.records.as_ref().unwrap();
                let (len, capacity) = (records.payload.len(), records.payload.capacity());
                assert!(
                    capacity <= (2 * len).max(piece).min(most),
                    "{capacity} for {len}"
                );
            }
            assert_eq!(decoder.next(&mut []), Ok(Step::Record(RecordKind::Caps)));
        }
    }

    #[test]
    fn a_record_above_its_limit_is_refused_by_its_head() {
        let (items, ending) = decode_records(4096, [&[HELLO, b"C0262145"].concat()]);
        assert_eq!(items, [HELLO]);
        let error = RecordError::TooLong {
            kind: RecordKind::Caps,
            len: 262_145,
        };
        assert_eq!(ending, Err(HeaderError::Record(error)));
    }

    #[test]
    fn records_out_of_order_are_refused() {
        for (stream, error) in [
            (b"E0000000".to_vec(), RecordError::NoHello { letter: 'E' }),
            (
                [HELLO, BUFFER, b"E0000000"].concat(),
                RecordError::BeforeFrame {
                    kind: RecordKind::End,
                },
            ),
            ([HELLO, b"M0000003a\0b"].concat(), RecordError::MetaAlone),
            ([HELLO, b"E000000000000000"].concat(), RecordError::AfterEnd),
            ([HELLO, b"E00000000"].concat(), RecordError::AfterEnd),
        ] {
            for piece in [1, stream.len()] {
                let (_, ending) = decode_records(4096, stream.chunks(piece));
                assert_eq!(ending, Err(HeaderError::Record(error.clone())));
            }
        }
    }

    #[test]
    fn a_stream_with_records_ends_as_it_must() {
        let stream = stream_of_items();
        let announced = stream
            .windows(8)
            .position(|head| head == b"B0000036")
            .unwrap();
        let frame = stream
            .windows(8)
            .rposition(|head| head == b"00000000")
            .unwrap();
        let mut start = 0;
        for (item, _) in items() {
            for got in 0..item.len() {
                let (_, ending) = decode_records(4096, [&stream[..start + got]]);
                let expected = match got {
                    0 if (announced + 1..=frame).contains(&start) => Err(Truncated::Announced),
                    0 => Ok(()),
                    1..8 => Err(Truncated::Header {
                        got,
                        len: 8,
                        is_varint: false,
                    }),
                    _ if item[0] == b'0' => Err(Truncated::Payload {
                        got: got - 8,
                        len: item.len() - 8,
                    }),
                    _ => Err(Truncated::Record {
                        missing: item.len() - got,
                    }),
                };
                assert_eq!(ending, Ok(expected), "{} + {got}", item.escape_ascii());
            }
            start += item.len();
        }
    }

    #[test]
    fn a_frame_is_known_ahead_behind_the_record_of_its_times_alone() {
        for (before, is_known) in [
            (&[][..], true),
            (&[BUFFER][..], true),
            (&[BUFFER, b"M0000003a\0b"], false),
            (&[b"C0000011video/x-raw"], false),
            (&[b"Q0000000"], false),
            (&[b"B0000035"], false),
            (&[b"E0000000"], false),
        ] {
            let mut decoder = Decoder::new(HeaderFormat::default(), 1000, 4096).with_records();
            let stream = [HELLO, &before.concat(), b"00000002ok"].concat();
            let n = scatter(&mut &stream[..], decoder.read_slices(&mut []));
            decoder.advance(n);
            assert_eq!(decoder.next(&mut []), Ok(Step::Record(RecordKind::Hello)));
            assert_eq!(decoder.frame_ahead(), is_known.then_some(2), "{before:?}");
        }
    }

    #[test]
    fn between_large_payloads_all_that_stands_there_is_read_along() {
        let mut decoder = Decoder::new(HeaderFormat::default(), 1 << 20, 64 * 1024).with_records();
        let header = HeaderFormat::default().encode(LARGE as u64).unwrap();
        let n = scatter(&mut &header[..], decoder.read_slices(&mut []));
        decoder.advance(n);
        let mut payload = vec![0; LARGE];
        assert_eq!(decoder.next(&mut []), Ok(Step::Head(LARGE)));
        assert_eq!(decoder.next(&mut payload), Ok(Step::More));
        let stream = [&vec![7; LARGE], HELLO, b"C0020000"].concat();
        let lens = decoder.read_slices(&mut payload).map(|slice| slice.len());
        assert_eq!(lens, [LARGE, FramePrefix::MAX_LEN]);
        let n = scatter(&mut &stream[..], decoder.read_slices(&mut payload));
        decoder.advance(n);
        assert_eq!(decoder.next(&mut payload), Ok(Step::Frame));
        assert_eq!(decoder.next(&mut []), Ok(Step::Record(RecordKind::Hello)));
        assert_eq!(decoder.next(&mut []), Ok(Step::More));
        // The rest of a record, and what stands before the payload behind it.
        let lens = decoder.read_slices(&mut []).map(|slice| slice.len());
        assert_eq!(lens, [0, 20_000 + FramePrefix::MAX_LEN]);
    }

    #[test]
    fn a_record_is_there_once_it_has_come() {
        let mut decoder = Decoder::new(HeaderFormat::default(), 1000, 4096).with_records();
        assert_eq!(decoder.record(), None);
        let n = scatter(&mut &HELLO[..], decoder.read_slices(&mut []));
        decoder.advance(n);
        assert_eq!(decoder.next(&mut []), Ok(Step::Record(RecordKind::Hello)));
        let hello = Record::Hello(Default::default());
        assert_eq!(decoder.record(), Some(Ok(hello)));
    }

    #[test]
    #[should_panic(expected = "8 decimal digits")]
    fn records_stand_between_headers_of_8_digits_only() {
        let _ =
            Decoder::new(HeaderFormat::new(LengthField::U32Be).unwrap(), 1000, 4096).with_records();
    }
}
