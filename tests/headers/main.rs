// SPDX-License-Identifier: MPL-2.0
//! The table of headers in docs/PROTOCOL.md: what its programs send arrives, and what is sent to them as well.

#[path = "../support/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "a few helpers serve only other tests"
)]
mod support;

mod libraries;
mod program;
mod python;
mod recipes;
mod table;

use program::{LENGTHS, pattern};
use python::Python;
use support::*;
use table::Row;

#[test]
fn what_the_programs_of_the_table_send_arrives() {
    let mut python = Python::start();
    for_each_program(|row, name| {
        let source = Receiver::playing(&format!("mode=listen port=0 {}", row.properties));
        let lengths = row.lengths();
        python.send(name, &row.properties, source.port(), &lengths);
        let frames: Vec<_> = lengths.iter().map(|&len| pattern(len)).collect();
        assert_frames(&source.rest(), &frames);
        source.expect_eos();
        assert_eq!(python.answer(), lengths);
    });
}

#[test]
fn what_is_sent_arrives_with_the_programs_of_the_table() {
    let mut python = Python::start();
    for_each_program(|row, name| {
        let sink = Sender::playing(&format!("mode=listen port=0 {}", row.properties));
        python.receive(name, &row.properties, sink.port());
        let lengths = row.lengths();
        for &len in &lengths {
            sink.push(&pattern(len));
        }
        sink.end();
        assert_eq!(python.answer(), lengths);
    });
}

/// Calls for each of the names in each row.
fn for_each_program(mut run: impl FnMut(&Row, &str)) {
    let rows = table::rows();
    assert!(rows.len() > 30, "{} rows", rows.len());
    for row in &rows {
        for name in &row.programs {
            println!("{name}: {}", row.properties);
            run(row, name);
        }
    }
}
