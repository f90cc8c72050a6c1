// SPDX-License-Identifier: MPL-2.0
//! The server, as its users run it: with viewers and browsers, over loopback.

mod film;
mod page;
#[path = "../../tests/support.rs"]
mod support;
mod viewer;
mod viewers;

// For its own tests: as a test target it would no longer be built as a program.
#[allow(dead_code)]
#[path = "../main.rs"]
mod camera_server;
