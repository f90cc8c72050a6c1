// SPDX-License-Identifier: MPL-2.0
//! A child process: one end of a connection.

use std::{
    io,
    process::exit,
    sync::mpsc::{self, Receiver},
    thread,
};

use super::line::write_line;
use crate::job::{Said, Window};

/// What the parent orders. When it hangs up or is gone, this process ends.
pub fn orders() -> Receiver<Window> {
    let (order, orders) = mpsc::channel();
    thread::spawn(move || {
        for line in io::stdin().lines().map_while(Result::ok) {
            match serde_json::from_str(&line) {
                Ok(window) => order.send(window).expect("somebody who measures"),
                Err(error) => fail(error),
            }
        }
        exit(0);
    });
    orders
}

pub fn say(said: Said) {
    // A parent that is gone is told nothing.
    let _ = write_line(io::stdout(), &said);
}

pub fn fail(reason: impl std::fmt::Display) -> ! {
    say(Said::Failed(reason.to_string()));
    exit(1);
}
