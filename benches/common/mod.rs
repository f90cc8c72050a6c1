// SPDX-License-Identifier: MPL-2.0
//! What benchmarks of several processes have in common. Each has its own `job`, with what these say to each other.

pub mod child;
pub mod clock;
mod line;
pub mod machine;
pub mod pipeline;
pub mod process;
pub mod table;
pub mod tls;
#[cfg(feature = "tls")]
pub mod tls_client;
