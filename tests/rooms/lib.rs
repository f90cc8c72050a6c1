// SPDX-License-Identifier: MPL-2.0
//! The rooms below the elements, each as the plugin has it.

#![allow(dead_code, unused_imports, reason = "the elements are what uses them")]

#[path = "../../src/fanout/mod.rs"]
mod fanout;
#[path = "../../src/lock.rs"]
mod lock;
#[path = "../../src/net/mod.rs"]
mod net;
#[path = "../../src/transport/mod.rs"]
mod transport;
#[path = "../../src/wire/mod.rs"]
pub mod wire;
