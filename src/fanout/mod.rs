//! Who gets which frame, and when: without sockets, threads, locks and a clock of its own.

mod backlog;
mod burst;
mod client;
mod flow;

pub use burst::{Burst, TICK};
pub use client::{Client, Counts, StreamHeaders};
pub use flow::{BATCH_CHUNKS, Flow, Frame, JoinAt, Limits, Overflow, Payload, Sent};
