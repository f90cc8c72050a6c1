// SPDX-License-Identifier: MPL-2.0
//! What the framing costs by itself: everything here is in memory.

use std::{hint::black_box, io::Read};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

use gstvideosocket::wire::{Decoder, HeaderFormat, LengthField, Step};

criterion_main!(benches);
criterion_group!(benches, header, decoder);

fn header(c: &mut Criterion) {
    let mut group = c.benchmark_group("header");
    group.throughput(Throughput::Elements(1));
    let wide = HeaderFormat::new(LengthField::Decimal(64)).unwrap();
    for (name, format) in [
        ("decimal", HeaderFormat::default()),
        ("64 digits", wide),
        ("varint", HeaderFormat::new(LengthField::Varint).unwrap()),
    ] {
        let len = 3_110_400;
        let header = format.encode(len).unwrap();
        group.bench_function(format!("encode/{name}"), |b| {
            b.iter(|| format.encode(black_box(len)));
        });
        group.bench_function(format!("decode/{name}"), |b| {
            b.iter(|| format.decode(black_box(&header)));
        });
    }
}

fn decoder(c: &mut Criterion) {
    let mut group = c.benchmark_group("decoder");
    for (name, len, count) in [("1kB", 1_000, 16_000), ("1MB", 1_000_000, 16)] {
        let stream = stream(len, count);
        group.throughput(Throughput::ElementsAndBytes {
            elements: count as u64,
            bytes: stream.len() as u64,
        });
        let mut decoder = Decoder::new(HeaderFormat::default(), 99_999_999, 256 * 1024);
        let mut payload = vec![0; len];
        group.bench_function(name, |b| {
            b.iter(|| assert_eq!(drain(&mut decoder, &stream, &mut payload), count));
        });
    }
}

fn stream(len: usize, count: usize) -> Vec<u8> {
    let header = HeaderFormat::default().encode(len as u64).unwrap();
    [&header[..], &vec![7; len]].concat().repeat(count)
}

/// Reads whole frames until the stream ends, into one payload's memory, and counts them.
fn drain(decoder: &mut Decoder, mut stream: &[u8], payload: &mut [u8]) -> usize {
    let mut frames = 0;
    loop {
        match decoder.next(payload).unwrap() {
            Step::Head(len) => assert_eq!(len, payload.len()),
            Step::Frame => frames += 1,
            Step::Record(kind) => panic!("{kind} without records"),
            Step::More => match stream
                .read_vectored(&mut decoder.read_slices(payload))
                .unwrap()
            {
                0 => return frames,
                n => decoder.advance(n),
            },
        }
    }
}
