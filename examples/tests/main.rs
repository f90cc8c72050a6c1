// SPDX-License-Identifier: MPL-2.0
//! The programs, as their users run them: with each other, over loopback.

mod chat;
mod smallest;
mod support;

// For its own tests: as a test target it would no longer be built as a program.
#[allow(dead_code)]
#[path = "../videochat/main.rs"]
mod videochat;
