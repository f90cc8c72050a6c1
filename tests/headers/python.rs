// SPDX-License-Identifier: MPL-2.0
//! The programs of the table, one after the other in one Python.

use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/headers/programs.py");

pub struct Python(Child);

impl Python {
    pub fn start() -> Self {
        let python = Command::new("python3")
            .arg(SCRIPT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        Self(python.expect("python3"))
    }

    /// The program `name` sends frames of these lengths.
    #[track_caller]
    pub fn send(&mut self, name: &str, properties: &str, port: u16, lengths: &[usize]) {
        self.ask(&json!([name, properties, "send", port, lengths]));
    }

    /// The program `name` receives until the stream ends.
    #[track_caller]
    pub fn receive(&mut self, name: &str, properties: &str, port: u16) {
        self.ask(&json!([name, properties, "receive", port, []]));
    }

    #[track_caller]
    fn ask(&mut self, request: &serde_json::Value) {
        let input = self.0.stdin.as_mut().expect("a pipe");
        writeln!(input, "{request}").expect("Python reads");
    }

    /// The lengths of the frames that it sent or received. The script does not wait for ever.
    #[track_caller]
    pub fn answer(&mut self) -> Vec<usize> {
        let output = self.0.stdout.as_mut().expect("a pipe");
        let mut line = String::new();
        // No more than the line is there.
        BufReader::new(output)
            .read_line(&mut line)
            .expect("Python answers");
        serde_json::from_str(&line).expect("an answer, and no traceback")
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
