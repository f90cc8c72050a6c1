// SPDX-License-Identifier: MPL-2.0
//! A program on the other end, in a process of its own.

use super::support::Background;
use std::process::{Child, Command, Stdio};

/// Around what headers of one and two bytes can say, and more.
pub const LENGTHS: [usize; 8] = [0, 5, 127, 128, 250, 9_000, 65_000, 150_000];

/// The bytes of a frame of this length.
pub fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8).collect()
}

/// How to start one, but for what it is to do: `send PORT LENGTH...` or `receive PORT`.
pub struct Program {
    name: String,
    arguments: Vec<String>,
}

impl Program {
    pub fn new(name: &str, arguments: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            arguments: arguments.iter().map(|&word| word.to_owned()).collect(),
        }
    }

    pub fn send(&self, port: u16, lengths: &[usize]) -> Running {
        let lengths: Vec<_> = lengths.iter().map(usize::to_string).collect();
        self.start("send", port, &lengths)
    }

    pub fn receive(&self, port: u16) -> Running {
        self.start("receive", port, &[])
    }

    fn start(&self, what: &str, port: u16, lengths: &[String]) -> Running {
        let child = Command::new(&self.name)
            .args(&self.arguments)
            .args([what, &port.to_string()])
            .args(lengths)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a program that starts");
        Running(child)
    }
}

pub struct Running(Child);

impl Running {
    /// By itself, and content.
    #[track_caller]
    pub fn ends(self) {
        self.output();
    }

    /// The lengths of the frames that it got up to the end.
    #[track_caller]
    pub fn received(self) -> Vec<usize> {
        let output = self.output();
        output
            .lines()
            .map(|line| line.parse().expect("a length"))
            .collect()
    }

    #[track_caller]
    fn output(self) -> String {
        let id = self.0.id().to_string();
        let waiting = Background::run(move || self.0.wait_with_output());
        let Ok(output) = waiting.join() else {
            let _ = Command::new("kill").arg(id).status();
            panic!("the program hangs");
        };
        let output = output.expect("output");
        assert!(output.status.success(), "the program failed: {output:?}");
        String::from_utf8(output.stdout).expect("text")
    }
}
